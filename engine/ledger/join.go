package ledger

import (
	"slices"
	"strings"
)

// line is one row of an item that spans rows, as it was written.
type line struct {
	row                 int
	measures, due, unit string
	flags               uint8 // of the deadline
}

// join makes one row of the rows that one item spans: those under a merged title, those without 序号 and title, and
// those that repeat both while the measures go on. Texts of a column follow each other, each on a line of its own.
func (r *reader) join() {
	title, ok := r.fields[Title]
	if !ok {
		return
	}
	var out []gridRow
	main := -1 // index in out of the item that may go on
	texts := map[int][]string{}
	last := 0
	settle := func() {
		if main >= 0 && len(r.lines[out[main].number]) > 0 {
			for col, list := range texts {
				out[main].cells[col] = strings.Join(list, "\n")
			}
			r.note(out[main].number, "", KeyRowsJoined, out[main].at(title.Index), "from", out[main].number, "last", last)
		}
		clear(texts)
	}
	for _, row := range r.body {
		if _, heading := r.heading(row); heading && !r.covered[row.number] {
			settle()
			main = -1
			out = append(out, row)
			continue
		}
		if main < 0 || !r.goesOn(out[main], row) {
			settle()
			main = len(out)
			out = append(out, row)
			continue
		}
		if m := &out[main]; len(r.lines[m.number]) == 0 {
			m.cells = slices.Grow(slices.Clone(m.cells), len(row.cells))
			r.lines[m.number] = []line{r.line(*m)}
			for col, text := range m.cells {
				texts[col] = []string{text}
			}
		}
		r.append(&out[main], row, texts)
		last = row.number
	}
	settle()
	r.body = out
}

// append adds the cells of a row to those of the item.
func (r *reader) append(m *gridRow, row gridRow, texts map[int][]string) {
	r.lines[m.number] = append(r.lines[m.number], r.line(row))
	for col, text := range row.cells {
		for len(m.cells) <= col {
			m.cells = append(m.cells, "")
		}
		c := r.columnAt(col)
		header := c.Header
		switch flags := row.flags[col]; {
		case c.Ignored:
			continue
		case flags&flagError != 0:
			r.problem(row.number, header, KeyFormulaError, text)
			continue
		case text == "" && flags&flagFormula != 0:
			r.problem(row.number, header, KeyFormulaNoValue, "")
			continue
		case text == "" || slices.Contains(texts[col][:min(len(texts[col]), 100)], text):
			continue
		case col == r.fields[Title].Index && squeeze(text) == squeeze(m.at(col)):
			continue
		}
		if list := texts[col]; len(list) == 1 && list[0] == "" {
			texts[col] = nil
			if flags := row.flags[col] &^ flagFormula; flags != 0 && m.flags[col] == 0 {
				if m.flags == nil {
					m.flags = map[int]uint8{}
				}
				m.flags[col] = flags
			}
		} else {
			delete(m.flags, col) // several texts are no number and no date cell
		}
		texts[col] = append(texts[col], text)
	}
}

func (r *reader) columnAt(col int) Column {
	for _, c := range r.Columns {
		if c.Index == col {
			return c
		}
	}
	return Column{}
}

// cell returns the text of a field, "" where the sheet has no such column.
func (r *reader) cell(g gridRow, f Field) string {
	if c, ok := r.fields[f]; ok {
		return g.at(c.Index)
	}
	return ""
}

func (r *reader) line(g gridRow) line {
	l := line{row: g.number, measures: r.cell(g, Measures), due: r.cell(g, Due), unit: r.cell(g, Unit)}
	if c, ok := r.fields[Due]; ok {
		l.flags = g.flags[c.Index]
	}
	return l
}

// goesOn reports whether the row belongs to the item m.
func (r *reader) goesOn(m, row gridRow) bool {
	own, number := r.cell(row, Number), r.cell(m, Number)
	title, above := r.cell(row, Title), r.cell(m, Title)
	switch {
	case above == "":
		return false
	case r.covered[row.number]:
		return own == "" || own == number
	case title == "" && own == "":
		// Something that an item has must stand in it; one text alone in a column that nobody knows may be a remark.
		for f, c := range r.fields {
			if f != Number && f != Title && row.at(c.Index) != "" {
				return true
			}
		}
		return false
	case title == "" || squeeze(title) != squeeze(above) || own == "" || own != number:
		return false
	}
	a, b := r.cell(m, Measures), r.cell(row, Measures)
	if a == "" || b == "" || a == b {
		return false
	}
	unit := r.cell(row, Unit)
	return unit == "" || unit == r.cell(m, Unit)
}

// ofLines completes an item that spans rows: its further rows, and a step for every line that has a date of its own.
func (r *reader) ofLines(g gridRow, row *Row) {
	lines := r.lines[g.number]
	if len(lines) == 0 {
		return
	}
	dated := map[string]bool{}
	for _, l := range lines {
		if l.due != "" {
			dated[l.due] = true
		}
	}
	for _, l := range lines[1:] {
		row.Joined = append(row.Joined, l.row)
	}
	if len(dated) < 2 {
		return
	}
	row.Steps = nil
	for _, l := range lines {
		if l.measures == "" || l.due == "" || len(row.Steps) == maxSteps {
			continue
		}
		d, refused := readDeadline(l.due, r.periodOf(g), r.o)
		if refused != nil || d.Rule == "" { // the joined cell was read before, and said so
			continue
		}
		step := Step{Title: short(l.measures), Deadline: d}
		if l.unit != lines[0].unit {
			step.Who = l.unit
		}
		row.Steps = append(row.Steps, step)
	}
}
