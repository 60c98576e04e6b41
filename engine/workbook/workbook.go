// Package workbook writes tables as offices print them: XLSX with a title, a head that may have two rows, widths,
// borders and a print set-up, from a description in code or from a file that an office designed in its spreadsheet;
// and the same tables as CSV.
//
// What must always hold: rows go to a temporary file while they come, so that a table of any length takes the same
// memory; what people wrote is a text and never a formula, in both formats; dates are dates and numbers are numbers.
package workbook

import (
	"archive/zip"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/xuri/excelize/v2"

	"bihuan/engine/calendar"
)

// MediaType is that of a workbook.
const MediaType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// MaxRows is the number of rows that a sheet can have, with those of its head.
const MaxRows = excelize.TotalRows

// Percent is a cell of whole percents.
type Percent int

// Share is a cell of a part of a whole, of which 1 is all, shown in percent with one decimal.
type Share float64

// Paper is a size of paper.
type Paper int

// The papers that offices have. They lie on their side.
const (
	A4 Paper = 9
	A3 Paper = 8
)

// Column is one column of a table.
type Column struct {
	Group  string  // what stands over it and its neighbours of the same group; "" for a heading of both rows
	Head   string  // heading
	Width  float64 // in characters; 0: a usual one
	Center bool    // its texts stand in the middle
	// Tints colour a cell that holds one of these texts; the colours are RRGGBB.
	Tints map[string]string
}

// Sheet describes a table.
type Sheet struct {
	Name    string   // of the sheet
	Title   string   // over the whole width; "" for none
	Lines   []string // below the title, above the head
	Columns []Column
	Paper   Paper  // 0: A4
	Footer  string // of each printed page, with &P for its number and &N for how many there are; "" for none
}

const usualWidth = 16

// letters is the fount that office papers are written in.
const letters = "宋体"

// Columns are columns of the usual width with these headings.
func Columns(heads ...string) []Column {
	out := make([]Column, len(heads))
	for i, h := range heads {
		out[i].Head = h
	}
	return out
}

// Book is a workbook that is being written, sheet after sheet. Close it.
type Book struct {
	file   *excelize.File
	sheets int
	table  *Table // the one being written
	kept   kept
}

// kept are the styles that every table of a book shares.
type kept struct {
	title, line, head                  int
	text, center, date, percent, share int
}

// New begins a workbook.
func New() (*Book, error) { return styled(&Book{file: excelize.NewFile()}) }

// behind goes on with a workbook that has a sheet.
func behind(f *excelize.File) (*Book, error) { return styled(&Book{file: f, sheets: 1}) }

func styled(b *Book) (*Book, error) {
	border := []excelize.Border{{Type: "left", Style: 1, Color: "000000"}, {Type: "right", Style: 1, Color: "000000"},
		{Type: "top", Style: 1, Color: "000000"}, {Type: "bottom", Style: 1, Color: "000000"}}
	middle := &excelize.Alignment{Horizontal: "center", Vertical: "center", WrapText: true}
	left := &excelize.Alignment{Vertical: "center", WrapText: true}
	plain := &excelize.Font{Size: usualSize, Family: letters}
	day, tenth := "yyyy-mm-dd", "0.0%"
	for _, s := range []struct {
		id *int
		is excelize.Style
	}{
		{&b.kept.title, excelize.Style{Font: &excelize.Font{Bold: true, Size: 18, Family: letters}, Alignment: middle}},
		{&b.kept.line, excelize.Style{Font: plain, Alignment: left}},
		{&b.kept.head, excelize.Style{Font: &excelize.Font{Bold: true, Size: usualSize, Family: letters}, Border: border, Alignment: middle}},
		{&b.kept.text, excelize.Style{Font: plain, Border: border, Alignment: left}},
		{&b.kept.center, excelize.Style{Font: plain, Border: border, Alignment: middle}},
		{&b.kept.date, excelize.Style{Font: plain, Border: border, Alignment: middle, CustomNumFmt: &day}},
		{&b.kept.percent, excelize.Style{Font: plain, Border: border, Alignment: middle, NumFmt: 9}},
		{&b.kept.share, excelize.Style{Font: plain, Border: border, Alignment: middle, CustomNumFmt: &tenth}},
	} {
		var err error
		if *s.id, err = b.file.NewStyle(&s.is); err != nil {
			return nil, fmt.Errorf("workbook: %w", err)
		}
	}
	return b, nil
}

// Close removes what was written to disk meanwhile.
func (b *Book) Close() error { return b.file.Close() }

// WriteTo sends the whole workbook; no sheet can be added afterwards.
func (b *Book) WriteTo(w io.Writer) (int64, error) {
	if err := b.end(); err != nil {
		return 0, err
	}
	return send(b.file, w)
}

// end finishes the table that is being written.
func (b *Book) end() error {
	if b.table == nil {
		return nil
	}
	err := b.table.out.Flush()
	b.table = nil
	return err
}

// counted counts what goes through it.
type counted struct {
	io.Writer
	n int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n += int64(n)
	return n, err
}

// send packs a workbook straight into w. The library's own way keeps the packed file in memory.
func send(f *excelize.File, w io.Writer) (int64, error) {
	out := &counted{Writer: w}
	f.SetZipWriter(func(io.Writer) excelize.ZipWriter { return zip.NewWriter(out) })
	_, err := f.WriteToBuffer()
	return out.n, err
}

// Table is a sheet that takes rows.
type Table struct {
	out     *excelize.StreamWriter
	book    *Book
	columns []Column
	row     int
	line    []any
}

// Sheet begins a table; the one before it is finished.
func (b *Book) Sheet(s Sheet) (*Table, error) {
	if err := b.end(); err != nil {
		return nil, err
	}
	var err error
	if b.sheets == 0 {
		err = b.file.SetSheetName("Sheet1", s.Name)
	} else {
		_, err = b.file.NewSheet(s.Name)
	}
	if err != nil {
		return nil, err
	}
	b.sheets++
	deep := 1
	for _, c := range s.Columns {
		if c.Group != "" {
			deep = 2
		}
	}
	above := len(s.Lines)
	if s.Title != "" {
		above++
	}
	if err := b.pages(&s, above, deep); err != nil {
		return nil, err
	}
	t := &Table{book: b, columns: s.Columns, line: make([]any, len(s.Columns))}
	if t.out, err = b.file.NewStreamWriter(s.Name); err != nil {
		return nil, err
	}
	// The library writes the newest width first, and spreadsheets want columns in their order.
	for i, c := range slices.Backward(s.Columns) {
		width := c.Width
		if width == 0 {
			width = usualWidth
		}
		if err := t.out.SetColWidth(i+1, i+1, width); err != nil {
			return nil, err
		}
	}
	if err := t.top(&s, deep); err != nil {
		return nil, err
	}
	b.table = t
	return t, nil
}

// pages sets the sheet up for printing and keeps its head in sight.
func (b *Book) pages(s *Sheet, above, deep int) error {
	size, one, all, fit, across := int(s.Paper), 1, 0, true, "landscape"
	if size == 0 {
		size = int(A4)
	}
	if err := b.file.SetPageLayout(s.Name, &excelize.PageLayoutOptions{Orientation: &across, Size: &size, FitToWidth: &one, FitToHeight: &all}); err != nil {
		return err
	}
	if err := b.file.SetSheetProps(s.Name, &excelize.SheetPropsOptions{FitToPage: &fit}); err != nil {
		return err
	}
	side, edge, foot, centred := 0.4, 0.5, 0.25, true
	if err := b.file.SetPageMargins(s.Name, &excelize.PageLayoutMarginsOptions{Left: &side, Right: &side, Top: &edge, Bottom: &edge, Header: &foot, Footer: &foot, Horizontally: &centred}); err != nil {
		return err
	}
	if s.Footer != "" {
		if err := b.file.SetHeaderFooter(s.Name, &excelize.HeaderFooterOptions{OddFooter: "&C" + s.Footer}); err != nil {
			return err
		}
	}
	body := above + deep + 1
	if err := b.file.SetPanes(s.Name, &excelize.Panes{Freeze: true, YSplit: body - 1, TopLeftCell: "A" + strconv.Itoa(body), ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	if err := b.file.SetDefinedName(&excelize.DefinedName{Name: "_xlnm.Print_Titles", Scope: s.Name,
		RefersTo: fmt.Sprintf("'%s'!$%d:$%d", s.Name, above+1, above+deep)}); err != nil {
		return err
	}
	if err := b.tint(s, body); err != nil {
		return err
	}
	return b.file.SetSheetDimension(s.Name, "") // nobody knows it before the last row
}

// tint colours the cells below the head that say certain words.
func (b *Book) tint(s *Sheet, body int) error {
	for i, c := range s.Columns {
		var rules []excelize.ConditionalFormatOptions
		for _, text := range slices.Sorted(maps.Keys(c.Tints)) {
			style, err := b.file.NewConditionalStyle(&excelize.Style{Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{c.Tints[text]}}})
			if err != nil {
				return err
			}
			rules = append(rules, excelize.ConditionalFormatOptions{Type: "cell", Criteria: "==", Value: strconv.Quote(text), Format: &style})
		}
		if len(rules) == 0 {
			continue
		}
		if err := b.file.SetConditionalFormat(s.Name, cell(i+1, body)+":"+cell(i+1, MaxRows), rules); err != nil {
			return err
		}
	}
	return nil
}

// top writes what stands above the rows.
func (t *Table) top(s *Sheet, deep int) error {
	k := &t.book.kept
	last := len(s.Columns)
	across := func(text string, style int, height float64) error {
		cells := make([]any, last)
		for i := range cells {
			cells[i] = excelize.Cell{StyleID: style}
		}
		cells[0] = excelize.Cell{StyleID: style, Value: text}
		t.row++
		if last > 1 {
			if err := t.merge(t.row, 1, t.row, last); err != nil {
				return err
			}
		}
		return t.out.SetRow(cell(1, t.row), cells, excelize.RowOpts{Height: height})
	}
	if s.Title != "" {
		if err := across(s.Title, k.title, 36); err != nil {
			return err
		}
	}
	for _, text := range s.Lines {
		if err := across(text, k.line, 20); err != nil {
			return err
		}
	}
	first := make([]any, last)
	second := make([]any, last)
	for i := 0; i < last; {
		c := s.Columns[i]
		n := 1
		if c.Group == "" {
			first[i], second[i] = excelize.Cell{StyleID: k.head, Value: c.Head}, excelize.Cell{StyleID: k.head}
			if deep == 2 {
				if err := t.merge(t.row+1, i+1, t.row+2, i+1); err != nil {
					return err
				}
			}
		} else {
			for i+n < last && s.Columns[i+n].Group == c.Group {
				n++
			}
			for j := i; j < i+n; j++ {
				first[j], second[j] = excelize.Cell{StyleID: k.head}, excelize.Cell{StyleID: k.head, Value: s.Columns[j].Head}
			}
			first[i] = excelize.Cell{StyleID: k.head, Value: c.Group}
			if n > 1 {
				if err := t.merge(t.row+1, i+1, t.row+1, i+n); err != nil {
					return err
				}
			}
		}
		i += n
	}
	for i, cells := range [][]any{first, second}[:deep] {
		t.row++
		height := headRow
		if i == deep-1 {
			height = tall(cells, headRow, t.width)
		}
		if err := t.out.SetRow(cell(1, t.row), cells, excelize.RowOpts{Height: height}); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) merge(top, left, bottom, right int) error {
	return t.out.MergeCell(cell(left, top), cell(right, bottom))
}

// Row writes a row. Its cells are texts, numbers, days (calendar.Date), Percent or Share; nil and the zero day leave a
// cell empty.
func (t *Table) Row(cells ...any) error {
	k := &t.book.kept
	for i := range t.columns {
		var x any
		if i < len(cells) {
			x = cells[i]
		}
		style := k.text
		if t.columns[i].Center {
			style = k.center
		}
		switch x.(type) {
		case calendar.Date:
			style = k.date
		case Percent:
			style = k.percent
		case Share:
			style = k.share
		}
		t.line[i] = excelize.Cell{StyleID: style, Value: stored(x)}
	}
	t.row++
	return t.out.SetRow("A"+strconv.Itoa(t.row), t.line, excelize.RowOpts{Height: tall(t.line, leastRow, t.width)})
}

// width is that of a column, with the size of its letters.
func (t *Table) width(col int) (chars, size float64) {
	if w := t.columns[col].Width; w != 0 {
		return w, usualSize
	}
	return usualWidth, usualSize
}

// epoch is the day before a workbook's first.
var epoch = calendar.NewDate(1899, 12, 30)

// stored is a cell's value as a workbook holds it.
func stored(x any) any {
	switch x := x.(type) {
	case calendar.Date:
		if x.IsZero() {
			return nil
		}
		return epoch.DaysUntil(x)
	case Percent:
		return float64(x) / 100
	case Share:
		return float64(x)
	case string:
		if x == "" {
			return nil
		}
	}
	return x
}

// cell names a cell of a sheet that is known to be small enough.
func cell(col, row int) string {
	name, err := excelize.CoordinatesToCellName(col, row)
	if err != nil {
		panic(err) // columns and rows are counted from 1, and bounded before
	}
	return name
}
