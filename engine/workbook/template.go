package workbook

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"
)

// Fields are the names that a template may write in double braces, each with the number by which its value is asked for.
type Fields struct {
	Once func(name string) (int, bool) // outside the repeated row
	Each func(name string) (int, bool) // in the repeated row
	More string                        // the name of the last column that stands for further ones, each with a heading of its own
}

// Mistake is what is wrong with a template. Key is about the reason: "no_sheet", "no_row", "two_rows", "unknown", "more",
// "formula", "merge", "large" or "broken".
type Mistake struct {
	Cell string // where; "" for the file
	Key  string
	Name string // the name that is written there, if it is about one
	Err  error
}

// Error is for logs; whoever reads the mistake has sentences for its keys.
func (m *Mistake) Error() string {
	return strings.TrimSpace(fmt.Sprintf("template: %s %s %s", m.Key, m.Cell, m.Name))
}

// Unwrap returns what the library said.
func (m *Mistake) Unwrap() error { return m.Err }

// Bounds of a template.
const (
	maxHeight = 200 // rows
	maxWidth  = 100 // columns
	maxUnzip  = 32 << 20
)

// Template is a workbook that an office designed: its first sheet has one row with names in double braces that is
// repeated, such as {{事项名称}}, and may have others above and below it. Everything else of the file stays as it is:
// styles, widths, merged cells, the set-up for printing, further sheets.
//
// A Template is read only, and safe for concurrent use.
type Template struct {
	data  []byte
	sheet string
	head  []line
	each  line
	foot  []line
	areas []area
	width int
	chars []float64 // widths of the columns
	more  int       // 1-based column of the further columns, 0 for none
}

// line is a row of a template.
type line struct {
	number int
	height float64 // 0: as its texts need
	cells  []spot
}

// spot is a cell of a template: constant texts, and between them fields.
type spot struct {
	style   int
	size    float64  // of its letters
	wide    float64  // width of what it is merged with
	texts   []string // one more than fields
	fields  []int
	number  *float64 // a constant number
	formula string
	more    bool
}

// area is a merged range, 1-based, both ends included.
type area struct{ top, left, bottom, right int }

var braces = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)

// ParseTemplate reads a template. It returns every mistake.
func ParseTemplate(data []byte, f Fields) (*Template, []*Mistake) {
	book, err := open(data)
	if err != nil {
		return nil, []*Mistake{{Key: "broken", Err: err}}
	}
	defer func() { _ = book.Close() }() // nothing of it lies on the disk
	p := &parsing{file: book, fields: f, out: &Template{data: data}}
	p.read()
	if len(p.mistakes) > 0 {
		return nil, p.mistakes
	}
	return p.out, nil
}

func open(data []byte) (*excelize.File, error) {
	return excelize.OpenReader(bytes.NewReader(data), excelize.Options{UnzipSizeLimit: maxUnzip, UnzipXMLSizeLimit: maxUnzip})
}

// parsing is the state of ParseTemplate.
type parsing struct {
	file     *excelize.File
	fields   Fields
	out      *Template
	mistakes []*Mistake
}

func (p *parsing) wrong(key, cell, name string, err error) {
	p.mistakes = append(p.mistakes, &Mistake{Cell: cell, Key: key, Name: name, Err: err})
}

func (p *parsing) read() {
	t := p.out
	for _, name := range p.file.GetSheetList() {
		if seen, err := p.file.GetSheetVisible(name); err == nil && seen {
			t.sheet = name
			break
		}
	}
	if t.sheet == "" {
		p.wrong("no_sheet", "", "", nil)
		return
	}
	rows, err := p.file.GetRows(t.sheet, excelize.Options{RawCellValue: true})
	if err == nil {
		_, err = p.file.GetConditionalFormats(t.sheet) // filling extends them
	}
	if err != nil {
		p.wrong("broken", "", "", err)
		return
	}
	if !p.merged() {
		return
	}
	for i, r := range rows {
		if i >= maxHeight || len(r) > maxWidth {
			p.wrong("large", cell(min(len(r), maxWidth)+1, i+1), "", nil)
			return
		}
		t.width = max(t.width, len(r))
	}
	at := p.repeated(rows)
	if at == 0 {
		return
	}
	usual := 15.0
	if props, err := p.file.GetSheetProps(t.sheet); err == nil && props.DefaultRowHeight != nil {
		usual = *props.DefaultRowHeight
	}
	for i := range rows {
		l, err := p.line(rows[i], i+1, at)
		if err != nil {
			p.wrong("broken", cell(1, i+1), "", err)
			return
		}
		if h, err := p.file.GetRowHeight(t.sheet, i+1); err == nil && h != usual {
			l.height = h
		}
		switch {
		case i+1 < at:
			t.head = append(t.head, l)
		case i+1 == at:
			t.each = l
		default:
			t.foot = append(t.foot, l)
		}
	}
	p.sizes()
	for _, a := range t.areas {
		if a.top < at && a.bottom >= at || a.top == at && a.bottom > at {
			p.wrong("merge", cell(a.left, a.top), "", nil)
		}
	}
}

// sizes finds what the repeated row's heights are reckoned from.
func (p *parsing) sizes() {
	t := p.out
	t.chars = make([]float64, t.width)
	for i := range t.chars {
		name, err := excelize.ColumnNumberToName(i + 1)
		if err == nil {
			t.chars[i], err = p.file.GetColWidth(t.sheet, name)
		}
		if err != nil {
			p.wrong("broken", "", "", err)
			return
		}
	}
	for i := range t.each.cells {
		s := &t.each.cells[i]
		s.size, s.wide = usualSize, t.chars[i]
		if style, err := p.file.GetStyle(s.style); err == nil && style.Font != nil && style.Font.Size > 0 {
			s.size = style.Font.Size
		}
	}
	for _, a := range t.areas {
		if a.top == t.each.number {
			for c := a.left; c < a.right; c++ {
				t.each.cells[a.left-1].wide += t.chars[c]
			}
		}
	}
}

// merged reads the merged cells; they count for the width.
func (p *parsing) merged() bool {
	list, err := p.file.GetMergeCells(p.out.sheet)
	if err != nil {
		p.wrong("broken", "", "", err)
		return false
	}
	for _, m := range list {
		var a area
		var err1, err2 error
		a.left, a.top, err1 = excelize.CellNameToCoordinates(m.GetStartAxis())
		a.right, a.bottom, err2 = excelize.CellNameToCoordinates(m.GetEndAxis())
		if err1 != nil || err2 != nil || a.right > maxWidth || a.bottom > maxHeight {
			p.wrong("large", m.GetStartAxis(), "", nil)
			return false
		}
		p.out.areas = append(p.out.areas, a)
		p.out.width = max(p.out.width, a.right)
	}
	return true
}

// repeated finds the row that is repeated: the one with names of fields that every row has.
func (p *parsing) repeated(rows [][]string) int {
	at, first, second := 0, "", ""
	for i, r := range rows {
		for c, text := range r {
			for _, m := range braces.FindAllStringSubmatch(text, -1) {
				_, each := p.fields.Each(m[1])
				_, once := p.fields.Once(m[1])
				switch {
				case m[1] == p.fields.More:
				case !each && !once:
					p.wrong("unknown", cell(c+1, i+1), m[1], nil)
				case each && !once && at == 0:
					at, first = i+1, m[1]
				case each && !once && at != i+1 && second == "":
					second = m[1]
					p.wrong("two_rows", cell(c+1, i+1), m[1], nil)
				}
			}
		}
	}
	if at == 0 && first == "" && len(p.mistakes) == 0 {
		p.wrong("no_row", "", "", nil)
	}
	return at
}

func (p *parsing) line(texts []string, number, at int) (line, error) {
	l := line{number: number, cells: make([]spot, p.out.width)}
	for i := range l.cells {
		s := &l.cells[i]
		name := cell(i+1, number)
		var err error
		if s.style, err = p.file.GetCellStyle(p.out.sheet, name); err != nil {
			return l, err
		}
		text := ""
		if i < len(texts) {
			text = texts[i]
		}
		if s.formula, err = p.file.GetCellFormula(p.out.sheet, name); err != nil {
			return l, err
		}
		if s.formula != "" {
			if number >= at {
				p.wrong("formula", name, "", nil)
			}
			continue
		}
		kind, err := p.file.GetCellType(p.out.sheet, name)
		if err != nil {
			return l, err
		}
		if v, err := strconv.ParseFloat(text, 64); err == nil && (kind == excelize.CellTypeUnset || kind == excelize.CellTypeNumber) {
			s.number = &v
			continue
		}
		p.text(s, text, name, number == at)
		if s.more && (i+1 != p.out.width || number > at) {
			p.wrong("more", name, p.fields.More, nil)
		}
	}
	return l, nil
}

// text takes a cell's text apart.
func (p *parsing) text(s *spot, text, name string, each bool) {
	from := 0
	for _, m := range braces.FindAllStringSubmatchIndex(text, -1) {
		field := text[m[2]:m[3]]
		if field == p.fields.More {
			if s.more = true; each {
				p.out.more = p.out.width
			}
			return
		}
		n, ok := p.fields.Once(field)
		if each {
			if k, is := p.fields.Each(field); is {
				n, ok = k, true
			} else {
				n = -1 - n // a field of the whole in the repeated row
			}
		}
		if !ok { // found already
			continue
		}
		s.texts, s.fields = append(s.texts, text[from:m[0]]), append(s.fields, n)
		from = m[1]
	}
	s.texts = append(s.texts, text[from:])
}

// Uses tells whether the repeated row has the field of this number.
func (t *Template) Uses(field int) bool {
	return slices.ContainsFunc(t.each.cells, func(s spot) bool { return slices.Contains(s.fields, field) })
}

// HasMore tells whether the template has room for further columns.
func (t *Template) HasMore() bool { return t.more > 0 }

// Headings are the texts over the columns: of each the lowest one above the repeated row.
func (t *Template) Headings() []string {
	out := make([]string, t.width)
	if len(t.head) == 0 {
		return out
	}
	bottom := len(t.head)
	for c := range out {
		l, col := t.head[bottom-1], c
		for _, a := range t.areas {
			if a.bottom == bottom && a.left <= c+1 && c+1 <= a.right {
				l, col = t.head[a.top-1], a.left-1
			}
		}
		if s := l.cells[col]; len(s.fields) == 0 && len(s.texts) == 1 {
			out[c] = s.texts[0]
		}
	}
	return out
}

// Source is what a template is filled with. Values are as Table.Row takes them.
type Source struct {
	Once func(field int) any
	More []string // headings of the further columns; nil if the template has no room for them
	// Rows calls row for each row; more are the values of the further columns.
	Rows func(row func(value func(field int) any, more []any) error) error
	// After adds sheets behind those of the template; nil: none. A CSV has no place for them.
	After func(b *Book) error
}
