package ledger

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"bihuan/engine/message"
)

// Keys of errors: the file as a whole cannot be read. The comment names the arguments.
const (
	KeyFileTooLarge   = "ledger.file_too_large"   // limit (MiB)
	KeyUnzipTooLarge  = "ledger.unzip_too_large"  // limit (MiB)
	KeyEmpty          = "ledger.empty"            //
	KeyEncrypted      = "ledger.encrypted"        //
	KeyOldExcel       = "ledger.old_excel"        //
	KeyWebPage        = "ledger.web_page"         //
	KeyNotTable       = "ledger.not_a_table"      //
	KeyBadWorkbook    = "ledger.bad_workbook"     //
	KeyNoSheet        = "ledger.no_sheet"         // sheet, sheets
	KeyNoHeader       = "ledger.no_header"        // seen, expected
	KeyNoTableHeader  = "ledger.no_table_header"  // expected
	KeyTooManyRows    = "ledger.too_many_rows"    // limit
	KeyTooManyColumns = "ledger.too_many_columns" // limit
	KeyTooManyCells   = "ledger.too_many_cells"   // limit
	KeyCellTooLong    = "ledger.cell_too_long"    // limit (runes)
	KeyQuoteUnclosed  = "ledger.quote_unclosed"   //
	KeyQuoteStray     = "ledger.quote_stray"      //
	KeyNoRows         = "ledger.no_rows"          //
	KeyUnknownField   = "ledger.unknown_field"    // field, column: of a mapping; so for the next four
	KeyFieldTwice     = "ledger.field_twice"      // first, column
	KeyTitleMissing   = "ledger.title_missing"    //
	KeyNoSuchColumn   = "ledger.no_such_column"   // column, columns
	KeyNoHeadRow      = "ledger.no_head_row"      // row
)

// Keys of problems: a row or a cell that cannot be read.
const (
	KeyNoTitle            = "ledger.row_without_title"    //
	KeyDeadlineUnreadable = "ledger.deadline_unreadable"  //
	KeyDeadlineInvalid    = "ledger.deadline_invalid"     // no such day, or the end lies before the start
	KeyDeadlineNoYear     = "ledger.deadline_no_year"     // a bare month, and nothing tells the year
	KeyDeadlineNoTerm     = "ledger.deadline_no_term"     // "本学期", and today is in another year than the ledger
	KeyDeadlineNumber     = "ledger.deadline_number"      // a bare number, perhaps a date that lost its format
	KeyDeadlineAmbiguous  = "ledger.deadline_ambiguous"   // the number 2022.1: January, or October without its zero
	KeyBadCharacters      = "ledger.bad_characters"       // bytes that are no text
	KeyFormulaError       = "ledger.formula_error"        // #REF! and the like
	KeyFormulaNoValue     = "ledger.formula_without_text" // a formula that was never computed
)

// Keys of notes: read, but worth telling.
const (
	KeyFilledDown      = "ledger.filled_down"       // from, last: row numbers
	KeyYearFromTitle   = "ledger.year_from_title"   // year; so for the next four
	KeyYearFromHeader  = "ledger.year_from_header"  //
	KeyYearFromColumn  = "ledger.year_from_column"  // a column such as 学年度
	KeyYearFromName    = "ledger.year_from_name"    // the file's name
	KeyNoDeadlines     = "ledger.no_deadline"       // no deadline column at all
	KeySeveralDates    = "ledger.several_dates"     // date, others
	KeyStartOfWork     = "ledger.start_of_work"     // date: the text speaks of starting, not of finishing
	KeySkippedRow      = "ledger.skipped_row"       // totals and remarks
	KeySectionRow      = "ledger.section_row"       // a heading between rows
	KeyRepeatedHeader  = "ledger.repeated_header"   // the header printed again
	KeyDuplicateColumn = "ledger.duplicate_column"  // first: the header that won
	KeyUnnamedColumn   = "ledger.unnamed_column"    //
	KeyIgnoredColumn   = "ledger.ignored_column"    // count: cells that are not taken over
	KeyUnmapped        = "ledger.unmapped_column"   // the mapping does not speak of it
	KeyFormulaCached   = "ledger.formula_cached"    // count
	KeyHiddenRows      = "ledger.hidden_rows"       // count
	KeyOtherSheets     = "ledger.other_sheets"      // sheets
	KeyBlankNumber     = "ledger.number_taken_over" // from: the row whose 序号 was taken
	KeyYearFromDates   = "ledger.year_from_dates"   // year: that of every date in the file that is written with one
	KeyRowsJoined      = "ledger.rows_joined"       // from, last: row numbers of one item
	KeyStepsUndated    = "ledger.steps_undated"     // count: parts of a plan that have no date
	KeyStepUnreadable  = "ledger.step_unreadable"   // a date in a plan that is none
	KeyStepsTooMany    = "ledger.steps_too_many"    // limit
	KeyStepsUnread     = "ledger.steps_unread"      // from this row on no steps were looked for
)

// Keys lists every message key that this package can produce, for the test that compares it with the catalogue.
var Keys = []string{
	KeyFileTooLarge, KeyUnzipTooLarge, KeyEmpty, KeyEncrypted, KeyOldExcel, KeyWebPage, KeyNotTable, KeyBadWorkbook,
	KeyNoSheet, KeyNoHeader, KeyNoTableHeader, KeyTooManyRows, KeyTooManyColumns, KeyTooManyCells, KeyCellTooLong, KeyQuoteUnclosed,
	KeyQuoteStray, KeyNoRows, KeyUnknownField, KeyFieldTwice, KeyTitleMissing, KeyNoSuchColumn, KeyNoHeadRow,
	KeyNoTitle, KeyDeadlineUnreadable, KeyDeadlineInvalid, KeyDeadlineNoYear, KeyDeadlineNoTerm, KeyDeadlineNumber,
	KeyDeadlineAmbiguous, KeyBadCharacters, KeyFormulaError, KeyFormulaNoValue,
	KeyFilledDown, KeyYearFromTitle, KeyYearFromHeader, KeyYearFromColumn, KeyYearFromName, KeyNoDeadlines, KeySeveralDates, KeyStartOfWork, KeySkippedRow, KeySectionRow,
	KeyRepeatedHeader, KeyDuplicateColumn, KeyUnnamedColumn, KeyFormulaCached, KeyHiddenRows, KeyOtherSheets,
	KeyBlankNumber, KeyIgnoredColumn, KeyUnmapped,
	KeyYearFromDates, KeyRowsJoined, KeyStepsUndated, KeyStepUnreadable, KeyStepsTooMany, KeyStepsUnread,
}

// Error says why a file, or in ReadDeadline a text, cannot be read.
type Error struct {
	Key  string         // message catalogue key, one of Keys
	Args map[string]any // values for the catalogue's placeholders
	Row  int            // 1-based row in the sheet, 0 when no row can be named
	// Column is the 1-based column of a mapping that is refused, 0 when it is the whole.
	Column int
	Err    error // the cause, for the log only
}

// Error returns a line for the log: the key, the row and the arguments in a fixed order.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Key)
	if e.Row > 0 {
		fmt.Fprintf(&b, " row=%d", e.Row)
	}
	for _, k := range slices.Sorted(maps.Keys(e.Args)) {
		fmt.Fprintf(&b, " %s=%v", k, e.Args[k])
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// fail makes an Error; args are name, value, name, value.
func fail(key string, row int, args ...any) *Error {
	return &Error{Key: key, Row: row, Args: message.Args(args...)}
}

func (l *Ledger) problem(row int, column, key, text string, args ...any) {
	l.Problems = append(l.Problems, Problem{Row: row, Column: column, Key: key, Args: message.Args(args...), Text: message.Short(text)})
}

func (l *Ledger) note(row int, column, key, text string, args ...any) {
	l.Notes = append(l.Notes, Problem{Row: row, Column: column, Key: key, Args: message.Args(args...), Text: message.Short(text)})
}
