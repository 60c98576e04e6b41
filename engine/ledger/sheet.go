package ledger

import (
	"slices"
	"strings"

	"bihuan/engine/message"
)

// Sheet is a plain table out of a file: the texts under a header, and nothing guessed.
type Sheet struct {
	Name     string   // the sheet's name, "" for CSV
	Header   []string // as written, in one line
	Rows     []SheetRow
	Problems []Problem // cells that cannot be read
	Notes    []Problem // merged cells, hidden rows, and sheets that were not read
}

// SheetRow is one row with content.
type SheetRow struct {
	Number int      // 1-based row in the sheet, as a person would count it
	Cells  []string // in the order of the header; trimmed
}

// ReadSheet reads a table with the same limits as Read, and as strictly: formulas are never evaluated. is tells whether
// a row is the header; the first such row among the topmost, on the first sheet that has one, is it. A cell that is
// merged downwards stands in every row that it covers, unless its column is among those of which sum says that a cell
// is about all of its rows together. The error is always an *Error.
func ReadSheet(data []byte, o Options, is func(header []string) bool, sum func(header string) bool) (*Sheet, error) {
	o = o.withDefaults()
	var out *Sheet
	take := func(t *table, sheets []string) (bool, error) {
		var err error
		if out, err = t.under(o, is, sum); out == nil {
			return false, err
		}
		t.others = without(sheets, t.sheet)
		out.Notes = append(out.Notes, t.unseen()...)
		return true, err
	}
	if err := eachTable(data, o, take); err != nil {
		return nil, err
	}
	if out == nil {
		return nil, fail(KeyNoTableHeader, 0)
	}
	return out, nil
}

// under returns what stands under the header, nil if the table has none.
func (t *table) under(o Options, is func(header []string) bool, sum func(header string) bool) (*Sheet, error) {
	for i := range min(headerRows, len(t.rows)) {
		header := make([]string, len(t.rows[i].cells))
		for c, text := range t.rows[i].cells {
			header[c] = oneLine(text)
		}
		if !is(header) {
			continue
		}
		out := &Sheet{Name: t.sheet, Header: header}
		rows := slices.Clone(t.rows[i+1:])
		err := t.downwards(rows, o, func(top, col int, covered []int) {
			if col >= len(header) || sum(header[col]) {
				return
			}
			text := rows[top].at(col)
			for _, i := range covered {
				rows[i].cells = with(rows[i].cells, col, text)
			}
			out.Notes = append(out.Notes, Problem{Row: rows[covered[0]].number, Column: header[col], Key: KeyFilledDown, Text: message.Short(text),
				Args: message.Args("from", rows[top].number, "last", rows[covered[len(covered)-1]].number)})
		})
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			cells := make([]string, len(header))
			for c := range cells {
				cells[c] = row.at(c)
				if row.flags[c]&flagError != 0 {
					out.Problems = append(out.Problems, Problem{Row: row.number, Column: header[c], Key: KeyFormulaError, Text: cells[c]})
				}
				if cells[c] == "" && row.flags[c]&flagFormula != 0 {
					out.Problems = append(out.Problems, Problem{Row: row.number, Column: header[c], Key: KeyFormulaNoValue})
				}
			}
			if strings.TrimSpace(strings.Join(cells, "")) != "" {
				out.Rows = append(out.Rows, SheetRow{row.number, cells})
			}
		}
		if len(out.Rows) == 0 {
			return nil, fail(KeyNoRows, t.rows[i].number)
		}
		return out, nil
	}
	return nil, nil
}

// without is a list without one of its texts.
func without(list []string, text string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == text })
}

// unseen notes what somebody who looks at the sheet does not see: hidden rows, and the sheets that are not read.
func (t *table) unseen() []Problem {
	var out []Problem
	if t.hidden > 0 {
		out = append(out, Problem{Key: KeyHiddenRows, Args: map[string]any{"count": t.hidden}})
	}
	if len(t.others) > 0 {
		out = append(out, Problem{Key: KeyOtherSheets, Args: map[string]any{"sheets": t.others}, Text: message.Short(strings.Join(t.others, "、"))})
	}
	return out
}
