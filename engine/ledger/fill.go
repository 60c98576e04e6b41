package ledger

import "slices"

// run is a stretch of one column that was filled from the row above it.
type run struct {
	col, from, first, last int
	text                   string
}

// fillMerged writes the text of every cell that is merged downwards into the rows that it covers. Cells merged
// sideways keep their text in the first column only.
func (r *reader) fillMerged(t *table) error {
	return t.downwards(r.body, r.o, func(top, col int, covered []int) {
		text, flags := r.body[top].at(col), r.body[top].flags[col]
		fill := run{col: col, from: r.body[top].number, text: text}
		for _, i := range covered {
			if c, ok := r.fields[Title]; ok && c.Index == col {
				r.covered[r.body[i].number] = true
			}
			r.set(i, col, text)
			if flags != 0 {
				r.mark(i, col, flags)
			}
			fill.grow(r.body[i].number)
		}
		r.tell(fill)
	})
}

// downwards goes through the cells that are merged downwards over empty ones: their row and column, and the rows that
// they cover, each by its index among rows.
func (t *table) downwards(rows []gridRow, o Options, each func(top, col int, covered []int)) error {
	work := 0
	body := table{rows: rows}
	for _, m := range t.merges {
		if m.bottom == m.top {
			continue
		}
		top := body.index(m.top)
		if top >= len(rows) || rows[top].number != m.top || rows[top].at(m.left) == "" {
			continue
		}
		var covered []int
		for i := top + 1; i < len(rows) && rows[i].number <= m.bottom; i++ {
			// Merged cells never overlap in a real sheet, so more work than cells means a forged one.
			if work++; work > o.MaxRows*o.MaxColumns {
				return fail(KeyBadWorkbook, 0)
			}
			if rows[i].at(m.left) == "" {
				covered = append(covered, i)
			}
		}
		if len(covered) > 0 {
			each(top, m.left, covered)
		}
	}
	return nil
}

// fillFollowing fills the cells that an office writes once for several lines of the same item: unit, assisting
// units, sponsor and deadline, where the 序号 is that of the row above, or is blank below a numbered row.
func (r *reader) fillFollowing() {
	num, ok := r.fields[Number]
	if !ok {
		return
	}
	title := r.fields[Title]
	open := map[int]*run{}
	flush := func() {
		for _, c := range r.Columns {
			if f := open[c.Index]; f != nil {
				r.tell(*f)
				delete(open, c.Index)
			}
		}
	}
	for i := 1; i < len(r.body); i++ {
		above := r.body[i-1].at(num.Index)
		if _, heading := r.heading(r.body[i]); heading {
			above = ""
		}
		if _, heading := r.heading(r.body[i-1]); heading {
			above = ""
		}
		own := r.body[i].at(num.Index)
		taken := own == "" && above != "" && r.body[i].at(title.Index) != ""
		if !taken && (own == "" || own != above) {
			flush()
			continue
		}
		if taken {
			r.set(i, num.Index, above)
			r.note(r.body[i].number, num.Header, KeyBlankNumber, above, "from", r.body[i-1].number)
		}
		for _, f := range []Field{Unit, Assisting, Sponsor, Due} {
			c, ok := r.fields[f]
			if !ok {
				continue
			}
			text := r.body[i-1].at(c.Index)
			if r.body[i].at(c.Index) != "" || text == "" {
				if open[c.Index] != nil {
					r.tell(*open[c.Index])
					delete(open, c.Index)
				}
				continue
			}
			r.set(i, c.Index, text)
			if flags := r.body[i-1].flags[c.Index]; flags != 0 {
				r.mark(i, c.Index, flags)
			}
			if open[c.Index] == nil {
				open[c.Index] = &run{col: c.Index, from: r.body[i-1].number, text: text}
			}
			open[c.Index].grow(r.body[i].number)
		}
	}
	flush()
}

// set writes a cell; the row's cells are shared with the table, so they are copied first.
func (r *reader) set(i, col int, text string) { r.body[i].cells = with(r.body[i].cells, col, text) }

// with is a row's cells with another text in a column.
func with(cells []string, col int, text string) []string {
	cells = slices.Clone(cells)
	for len(cells) <= col {
		cells = append(cells, "")
	}
	cells[col] = text
	return cells
}

func (r *reader) mark(i, col int, flags uint8) {
	// A formula's value that is filled down was no formula in the row below.
	if flags &^= flagFormula; flags == 0 {
		return
	}
	if r.body[i].flags == nil {
		r.body[i].flags = map[int]uint8{}
	}
	r.body[i].flags[col] = flags
}

func (f *run) grow(row int) {
	if f.first == 0 {
		f.first = row
	}
	f.last = row
}

// tell notes a run, once for all of its rows.
func (r *reader) tell(f run) {
	if f.first == 0 {
		return
	}
	for _, c := range r.Columns {
		if c.Index == f.col {
			r.note(f.first, c.Header, KeyFilledDown, f.text, "from", f.from, "last", f.last)
		}
	}
}
