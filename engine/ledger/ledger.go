// Package ledger reads a 台账 as offices write it, CSV or XLSX, into rows with recognised fields and dated
// deadlines.
//
// What always holds: a file is read whole or refused with an Error; nothing is dropped silently. A row or cell
// that cannot be understood becomes a Problem, and what was understood only by a convention (a unit filled down
// from the row above, a year taken from the title) becomes a Note. Formulas are never evaluated, and the size of
// what is read is bounded before it is read.
package ledger

import (
	"bytes"
	"strings"

	"bihuan/engine/calendar"
)

// Field is a standard column of a ledger. A header that is not recognised has the empty Field.
type Field string

// The fields, with the headers that offices most often write for them.
const (
	Number    Field = "number"    // 序号
	Category  Field = "category"  // 类别, 所属行动, 立项等次
	Title     Field = "title"     // 事项名称, 实事项目, 任务, 项目名称, 民生实事, 督办事项, 项目内容
	Target    Field = "target"    // 年度任务目标, 预期成效
	Measures  Field = "measures"  // 工作举措及实施计划, 内容与措施
	Sponsor   Field = "sponsor"   // 责任领导, 分管领导, 领办领导
	Unit      Field = "unit"      // 责任单位, 责任部门, 牵头单位, 基层党组织
	Assisting Field = "assisting" // 配合单位, 协办单位
	Owner     Field = "owner"     // 负责人, 承办人, 项目负责人
	Due       Field = "deadline"  // 完成时限, 办结时限, 建设周期
	Progress  Field = "progress"  // 进展情况, 完成情况, 状态
	Outcome   Field = "outcome"   // 成效
	Phone     Field = "phone"     // 监督电话
	Remark    Field = "note"      // 备注, 原因
	Plan      Field = "plan"      // 里程碑: dated steps alone, as exports write them
)

// Column is one column of the sheet.
type Column struct {
	Index  int    // 0-based, from the left edge of the sheet
	Header string // as written, in one line; a repeated or missing header gets a label that tells it apart
	Field  Field  // "" when not recognised; its texts are then in Row.Other
	Why    Why    // how that was found

	Ignored bool // a person said so; its texts are nowhere
}

// Means is what the column is, as a Mapping says it: its field, Keep or Ignore.
func (c Column) Means() Field {
	switch {
	case c.Ignored:
		return Ignore
	case c.Field == "":
		return Keep
	}
	return c.Field
}

// Row is one item of the ledger. Empty cells are absent from both maps.
type Row struct {
	Number   int // 1-based row in the sheet, as a person would count it
	Cells    map[Field]string
	Other    map[string]string // Column.Header → text
	Deadline Deadline
	Steps    []Step // milestones that were read out of one cell, or out of the lines of an item that spans rows
	Joined   []int  // the further rows of the item
	Year     int    // the calendar year that the row is of, by a column of its own or by what tells it of the file; 0: nothing does
}

// Deadline is a date read from what a person wrote. The zero value means that nothing was written.
type Deadline struct {
	Text    string        // as written
	Date    calendar.Date // the last day that is still in time
	Start   calendar.Date // the first day, when the text gives a span; else zero
	Rule    string        // stable id of the rule used, see Rules
	Reading string        // a sentence in Chinese that says how the text was read
	Also    []string      // other dates in the same text, all earlier than Date or equal to it
}

// Problem is something a person should look at: what could not be read, or, among the notes, what was read by a
// convention.
type Problem struct {
	Row    int            `json:"row"` // 0 when it concerns the file as a whole
	Column string         `json:"column,omitempty"`
	Key    string         `json:"key"` // message catalogue key, one of Keys
	Args   map[string]any `json:"-"`
	Text   string         `json:"text"` // the offending text, cut at 80 runes
}

// Ledger is a file that was read.
type Ledger struct {
	Name         string // the file's name without its folder
	Sheet        string // the sheet's name, "" for CSV
	Head         int    // 1-based row of the sheet in which the head begins
	Shape        string // digest of the head, by which ledgers of one source are known again
	Remembered   bool   // the columns are those of Options.Known
	NeedsYear    bool   // some date is a bare month, and nothing tells its year: a problem asks for it
	Title        string // the title row above the header, if any
	Year         int    // the year in which bare months were read; 0 when nothing tells it
	AcademicYear bool   // Year is the autumn in which an academic year (学年) begins; January to August fall in Year+1
	Columns      []Column
	Rows         []Row
	Problems     []Problem // what could not be read
	Notes        []Problem // what was read, but is worth telling
}

// Options steer Read and ReadDeadline. The zero value is usable.
type Options struct {
	// Year in which bare months are read. 0: inferred from the title, the header, a column such as 学年度, the
	// file's name or the dates that are written with one; where all that fails, a bare month is a Problem.
	Year         int
	AcademicYear bool          // Year begins an academic year; only looked at when Year is set
	Today        calendar.Date // what "本学期" refers to
	Sheet        string        // the sheet to read; "" takes the first visible one that has a header row
	// Mapping is how a person wants the sheet read; nil: as it is remembered or recognised.
	Mapping *Mapping
	// Known returns the mapping that was last used for a head of the shape, nil if there is none. It may be nil.
	Known      func(shape string) *Mapping
	Head       int // the row in which the head begins, for Recognise; 0: it is found
	TermEnds   TermEnds
	MaxRows    int // rows with content; 0 means 20000
	MaxColumns int // 0 means 200
	MaxCell    int // runes in one cell; 0 means 8000
}

// TermEnds are the last days of the two terms of a school. The zero value of either means the default.
type TermEnds struct {
	Spring MonthDay // default 10 July
	Autumn MonthDay // default 20 January; a month up to June is in the year after the term began
}

// MonthDay is a day of any year.
type MonthDay struct{ Month, Day int }

// MaxFile is the size in bytes over which Read refuses a file unopened.
const MaxFile = 16 << 20

func (o Options) withDefaults() Options {
	set := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	set(&o.MaxRows, 20000)
	set(&o.MaxColumns, 200)
	set(&o.MaxCell, 8000)
	if o.TermEnds.Spring == (MonthDay{}) {
		o.TermEnds.Spring = MonthDay{7, 10}
	}
	if o.TermEnds.Autumn == (MonthDay{}) {
		o.TermEnds.Autumn = MonthDay{1, 20}
	}
	return o
}

// Read reads the ledger in data. The format is told by the content, never by the name: XLSX, or CSV in UTF-8,
// UTF-16 or GB18030 with commas, tabs or semicolons. The name serves to infer the year and is kept in the result.
// The error is always an *Error and means that the file as a whole cannot be read; everything smaller is in
// Ledger.Problems.
func Read(name string, data []byte, o Options) (*Ledger, error) {
	o = o.withDefaults()
	name = baseName(name)
	f, err := open(data, o)
	if err != nil {
		return nil, err
	}
	if f.guessed {
		return nil, noHeader(f.table)
	}
	return assemble(name, f, o)
}

func baseName(name string) string { return name[strings.LastIndexAny(name, `/\`)+1:] }

// refuseForeign tells apart the files that people upload in place of a ledger, so that each gets an answer that
// says what to do.
func refuseForeign(data []byte) error {
	head := bytes.ToLower(bytes.TrimSpace(data[:min(len(data), 1024)]))
	switch {
	case bytes.HasPrefix(data, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
		// Both the old .xls and a password-protected .xlsx are OLE files; stream names in them are UTF-16.
		if bytes.Contains(data, utf16le("EncryptedPackage")) || bytes.Contains(data, utf16le("EncryptionInfo")) {
			return fail(KeyEncrypted, 0)
		}
		return fail(KeyOldExcel, 0)
	case bytes.HasPrefix(head, []byte("%pdf")):
		return fail(KeyNotTable, 0)
	case bytes.HasPrefix(head, []byte("<?xml")), bytes.HasPrefix(head, []byte("<html")),
		bytes.HasPrefix(head, []byte("<!doctype")), bytes.HasPrefix(head, []byte("<table")):
		return fail(KeyWebPage, 0)
	}
	return nil
}

func utf16le(s string) []byte {
	b := make([]byte, 0, 2*len(s))
	for i := range len(s) {
		b = append(b, s[i], 0)
	}
	return b
}
