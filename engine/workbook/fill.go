package workbook

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/xuri/excelize/v2"

	"bihuan/engine/calendar"
)

// filling is one filling of a template.
type filling struct {
	*Template
	file   *excelize.File
	out    *excelize.StreamWriter
	source Source
	row    int
	line   []any
	styles map[shownAs]int
}

// shownAs asks for a style that shows a value of a kind: 'd' a day, 'p' whole percents, 's' a share.
type shownAs struct {
	style int
	kind  byte
}

// Fill writes the filled template.
func (t *Template) Fill(w io.Writer, s Source) (err error) {
	f := &filling{Template: t, source: s, styles: map[shownAs]int{}}
	if f.file, err = open(t.data); err != nil {
		return err
	}
	defer func() {
		if closeErr := f.file.Close(); err == nil {
			err = closeErr
		}
	}()
	if err := f.begin(); err != nil {
		return err
	}
	if err := f.lines(t.head); err != nil {
		return err
	}
	if err := s.Rows(f.each); err != nil {
		return err
	}
	if err := f.end(); err != nil {
		return err
	}
	if s.After != nil {
		b, err := behind(f.file)
		if err == nil {
			err = s.After(b)
		}
		if err == nil {
			err = b.end()
		}
		if err != nil {
			return err
		}
	}
	_, err = send(f.file, w)
	return err
}

// columns is how many columns the filled sheet has.
func (f *filling) columns() int {
	if f.more == 0 {
		return f.width
	}
	return f.width - 1 + len(f.source.More)
}

func (f *filling) begin() error {
	if err := f.extend(); err != nil {
		return err
	}
	if err := f.file.SetSheetDimension(f.sheet, ""); err != nil {
		return err
	}
	if n := f.columns(); n > f.width { // from the last to the first, see Book.Sheet
		for c := n; c > 0; c-- {
			name, err := excelize.ColumnNumberToName(c)
			if err != nil {
				return err
			}
			if err := f.file.SetColWidth(f.sheet, name, name, f.chars[min(c, f.width)-1]); err != nil {
				return err
			}
		}
	}
	var err error
	f.out, err = f.file.NewStreamWriter(f.sheet)
	f.line = make([]any, f.columns())
	return err
}

// extend lets colours that depend on the repeated row's cells hold for all rows.
func (f *filling) extend() error {
	all, err := f.file.GetConditionalFormats(f.sheet)
	if err != nil {
		return err
	}
	for ranges, list := range all {
		var wide []string
		changed := false
		for r := range strings.FieldsSeq(ranges) {
			from, to, ok := strings.Cut(r, ":")
			if !ok {
				to = from
			}
			left, top, err1 := excelize.CellNameToCoordinates(from)
			right, bottom, err2 := excelize.CellNameToCoordinates(to)
			if err := errors.Join(err1, err2); err != nil {
				return fmt.Errorf("conditional format %s: %w", r, err)
			}
			if top <= f.Template.each.number && f.Template.each.number <= bottom && bottom < MaxRows {
				r, changed = cell(left, top)+":"+cell(right, MaxRows), true
			}
			wide = append(wide, r)
		}
		if !changed {
			continue
		}
		if err := f.file.UnsetConditionalFormat(f.sheet, ranges); err != nil {
			return err
		}
		if err := f.file.SetConditionalFormat(f.sheet, strings.Join(wide, " "), list); err != nil {
			return err
		}
	}
	return nil
}

// lines writes rows that are not repeated, with what is merged in them.
func (f *filling) lines(list []line) error {
	for i := range list {
		l := &list[i]
		f.row++
		for c := range f.line {
			f.line[c] = f.fixed(l, c)
		}
		if err := f.merges(l.number, f.row); err != nil {
			return err
		}
		if err := f.out.SetRow(cell(1, f.row), f.line, excelize.RowOpts{Height: l.height}); err != nil {
			return err
		}
	}
	return nil
}

// fixed is the cell of a row that is not repeated, in a column of the filled sheet.
func (f *filling) fixed(l *line, col int) any {
	if f.more == 0 || col < f.more-1 {
		return f.value(&l.cells[col], f.source.Once)
	}
	s, j := &l.cells[f.more-1], col-f.more+1
	lowest := len(f.head) > 0 && l.number == f.head[len(f.head)-1].number
	switch {
	case s.more, lowest && len(s.fields) == 0 && strings.Join(s.texts, "") == "" && !f.headed():
		return excelize.Cell{StyleID: s.style, Value: f.source.More[j]}
	case j == 0:
		return f.value(s, f.source.Once)
	}
	return excelize.Cell{StyleID: s.style}
}

// headed tells whether a cell of the head says where the further columns' headings stand.
func (f *filling) headed() bool {
	return slices.ContainsFunc(f.head, func(l line) bool { return l.cells[f.more-1].more })
}

// merges merges the cells that begin in a row of the template.
func (f *filling) merges(number, row int) error {
	for _, a := range f.areas {
		if a.top != number {
			continue
		}
		bottom := row + a.bottom - a.top
		times := 1
		if f.more > 0 && a.right == f.more {
			if a.left == a.right {
				times = len(f.source.More)
			} else {
				a.right = f.columns()
			}
		}
		for j := range times {
			if a.left == a.right && row == bottom {
				continue
			}
			if err := f.out.MergeCell(cell(a.left+j, row), cell(a.right+j, bottom)); err != nil {
				return err
			}
		}
	}
	return nil
}

// each writes one of the repeated rows.
func (f *filling) each(value func(field int) any, more []any) error {
	if f.row+1+len(f.foot) > MaxRows {
		return errors.New("workbook: a sheet has no more rows")
	}
	f.row++
	n := f.width
	if f.more > 0 {
		n--
	}
	whole := func(field int) any {
		if field < 0 {
			return f.source.Once(-1 - field)
		}
		return value(field)
	}
	for c := range n {
		f.line[c] = f.value(&f.Template.each.cells[c], whole)
	}
	for j := n; j < len(f.line); j++ {
		var x any
		if j-n < len(more) {
			x = more[j-n]
		}
		f.line[j] = f.cell(f.Template.each.cells[f.more-1].style, x)
	}
	if err := f.merges(f.Template.each.number, f.row); err != nil {
		return err
	}
	return f.out.SetRow(cell(1, f.row), f.line, excelize.RowOpts{Height: tall(f.line, max(leastRow, f.Template.each.height), f.wide)})
}

// wide is the width of a column of the repeated row, with the size of its letters.
func (f *filling) wide(col int) (chars, size float64) {
	s := &f.Template.each.cells[min(col, f.width-1)]
	return s.wide, s.size
}

// value is a template's cell with its fields' values.
func (f *filling) value(s *spot, of func(field int) any) any {
	switch {
	case s.formula != "":
		return excelize.Cell{StyleID: s.style, Formula: s.formula}
	case s.number != nil:
		return excelize.Cell{StyleID: s.style, Value: *s.number}
	case len(s.fields) == 1 && s.texts[0] == "" && s.texts[1] == "":
		return f.cell(s.style, of(s.fields[0]))
	}
	return f.cell(s.style, s.text(of))
}

// text is a cell's text with the fields' values in it.
func (s *spot) text(of func(field int) any) string {
	if len(s.fields) == 0 {
		return strings.Join(s.texts, "")
	}
	var b strings.Builder
	for i, field := range s.fields {
		b.WriteString(s.texts[i])
		b.WriteString(Text(of(field)))
	}
	b.WriteString(s.texts[len(s.fields)])
	return b.String()
}

// cell is a value in a style that shows it as what it is.
func (f *filling) cell(style int, x any) any {
	switch x.(type) {
	case calendar.Date:
		style = f.shown(style, 'd', "yyyy-mm-dd")
	case Percent:
		style = f.shown(style, 'p', "0%")
	case Share:
		style = f.shown(style, 's', "0.0%")
	}
	return excelize.Cell{StyleID: style, Value: stored(x)}
}

// shown returns the style, with a format for numbers where the office gave it none.
func (f *filling) shown(style int, kind byte, format string) int {
	key := shownAs{style, kind}
	if id, ok := f.styles[key]; ok {
		return id
	}
	id := style
	const general, text = 0, 49
	if s, err := f.file.GetStyle(style); err == nil && (s.CustomNumFmt == nil || *s.CustomNumFmt == "General" || *s.CustomNumFmt == "@") && (s.NumFmt == general || s.NumFmt == text) {
		s.NumFmt, s.CustomNumFmt = 0, &format
		if made, err := f.file.NewStyle(s); err == nil {
			id = made
		}
	}
	f.styles[key] = id
	return id
}

// end writes what stands below the rows, and lets the printed area end there.
func (f *filling) end() error {
	if err := f.lines(f.foot); err != nil {
		return err
	}
	if err := f.out.Flush(); err != nil {
		return err
	}
	for _, n := range f.file.GetDefinedName() {
		if n.Name != "_xlnm.Print_Area" || n.Scope != f.sheet {
			continue
		}
		if err := f.file.DeleteDefinedName(&n); err != nil {
			return err
		}
		from := "$A$1"
		if _, at, ok := strings.Cut(n.RefersTo, "!"); ok {
			from, _, _ = strings.Cut(at, ":")
		}
		last, err := excelize.ColumnNumberToName(max(1, f.columns()))
		if err != nil {
			return err
		}
		n.RefersTo = fmt.Sprintf("'%s'!%s:$%s$%d", f.sheet, from, last, f.row)
		if err := f.file.SetDefinedName(&n); err != nil {
			return err
		}
	}
	return nil
}

// CSV writes the headings and the rows of the filled template, without what stands above and below them.
func (t *Template) CSV(w io.Writer, s Source) error {
	out, err := NewCSV(w)
	if err != nil {
		return err
	}
	head := t.Headings()
	n := t.width
	if t.more > 0 {
		n--
		head = append(head[:n:n], s.More...)
	}
	cells := make([]any, len(head))
	for i := range head {
		cells[i] = head[i]
	}
	if err := out.Row(cells...); err != nil {
		return err
	}
	err = s.Rows(func(value func(field int) any, more []any) error {
		for c := range n {
			cells[c] = t.each.cells[c].plain(value, s.Once)
		}
		for j := n; j < len(cells); j++ {
			cells[j] = nil
			if j-n < len(more) {
				cells[j] = more[j-n]
			}
		}
		return out.Row(cells...)
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

// plain is the cell's value outside a workbook.
func (s *spot) plain(value, once func(field int) any) any {
	of := func(field int) any {
		if field < 0 {
			return once(-1 - field)
		}
		return value(field)
	}
	switch {
	case s.number != nil:
		return *s.number
	case len(s.fields) == 1 && s.texts[0] == "" && s.texts[1] == "":
		return of(s.fields[0])
	}
	return s.text(of)
}
