package ledger

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// found is the table of a file with its head, before its rows are read.
type found struct {
	*table
	head    header
	columns []Column
	notes   []Problem // about the columns
	mapping *Mapping  // that it is read by; nil: by what the headers say
	known   bool      // the mapping is a remembered one
	guessed bool      // nothing but the look of the rows tells the head
	sheets  []string  // that a person may choose from
}

// open finds the table and its head: that of the given mapping, else one of a remembered shape, else one whose headers
// are recognised, else, for a person to look at, the row that looks most like a head.
func open(data []byte, o Options) (*found, error) {
	chosen := o.Sheet != ""
	if m := o.Mapping; m != nil && m.Sheet != "" {
		o.Sheet = m.Sheet
	}
	var best *found
	var failed error
	take := func(t *table, sheets []string) (bool, error) {
		f, err := look(t, o)
		switch {
		case err != nil:
			if failed == nil && len(t.rows) > 0 {
				failed = err
			}
			return false, nil
		case best == nil || f.rank() > best.rank():
			f.sheets, best = sheets, f
		}
		return f.mapping != nil || !f.guessed && o.Known == nil, nil
	}
	if err := eachTable(data, o, take); err != nil {
		return nil, err
	}
	switch {
	case best != nil:
		if chosen { // whoever asks for one sheet is not told of the others
			return best, nil
		}
		best.others = without(best.sheets, best.sheet)
		return best, nil
	case failed == nil:
		failed = fail(KeyEmpty, 0)
	}
	return nil, failed
}

// look finds the head of one table.
func look(t *table, o Options) (*found, error) {
	if len(t.rows) == 0 {
		return nil, fail(KeyEmpty, 0)
	}
	if o.Mapping != nil {
		return byMapping(t, o.Mapping)
	}
	if o.Head > 0 {
		i, err := t.rowAt(o.Head)
		if err != nil {
			return nil, err
		}
		h := t.headerAt(i)
		return newFound(t, h).by(o.remembered(h)), nil
	}
	for i := range min(headerRows, len(t.rows)) {
		h := t.headerAt(i)
		if m := o.remembered(h); m != nil {
			return newFound(t, h).by(m), nil
		}
	}
	h, ok := findHeader(t)
	if !ok {
		h = t.headerAt(t.likeliest())
	}
	f := newFound(t, h)
	f.guessed = !ok
	return f, nil
}

func newFound(t *table, h header) *found {
	f := &found{table: t, head: h}
	f.label()
	return f
}

// by reads the table as is remembered, if anything is.
func (f *found) by(m *Mapping) *found {
	f.mapping, f.known = m, m != nil
	return f
}

// rank is how much a table is the one that a person means, of several.
func (f *found) rank() int {
	switch {
	case f.mapping != nil:
		return 3
	case !f.guessed:
		return 2
	case f.head.width() > 1:
		return 1
	}
	return 0
}

// remembered asks for the mapping of the last ledger with this head.
func (o *Options) remembered(h header) *Mapping {
	if o.Known == nil || h.width() < 2 {
		return nil
	}
	m := o.Known(shapeOf(h.texts))
	if m == nil || m.Check() != nil {
		return nil
	}
	return m
}

// width is how many columns have a header.
func (h header) width() int {
	n := 0
	for _, t := range h.texts {
		if t != "" {
			n++
		}
	}
	return n
}

// byMapping finds the head that a person's mapping speaks of.
func byMapping(t *table, m *Mapping) (*found, error) {
	if m.Head > 0 {
		i, err := t.rowAt(m.Head)
		if err != nil {
			return nil, err
		}
		return m.on(newFound(t, t.headerAt(i)))
	}
	var best *found
	most := 0
	for i := range min(headerRows, len(t.rows)) {
		f := newFound(t, t.headerAt(i))
		if n, _ := m.names(f.columns); n > most {
			best, most = f, n
		}
	}
	if best == nil {
		h, ok := findHeader(t)
		if !ok {
			return nil, noHeader(t)
		}
		best = newFound(t, h)
	}
	return m.on(best)
}

// on reads the table by the mapping, and refuses one that has not all of its columns, or a mapping by which nothing can
// be read.
func (m *Mapping) on(f *found) (*found, error) {
	full := *m
	full.Columns = slices.Clone(m.Columns)
	for i := range full.Columns {
		c := &full.Columns[i]
		at := slices.IndexFunc(f.columns, func(x Column) bool { return c.Header == x.Header || c.Header == "" && c.Index == x.Index })
		if at < 0 {
			name := c.Header
			if name == "" {
				name = unnamed(c.Index)
			}
			return nil, fail(KeyNoSuchColumn, f.rows[f.head.row].number, "column", name, "columns", headersOf(f.columns))
		}
		c.Index, c.Header = f.columns[at].Index, f.columns[at].Header
	}
	if err := full.Check(); err != nil {
		return nil, err
	}
	f.mapping = &full
	return f, nil
}

func headersOf(columns []Column) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = c.Header
	}
	return out
}

// rowAt finds the row with a number.
func (t *table) rowAt(number int) (int, error) {
	if i := t.index(number); i < len(t.rows) && t.rows[i].number == number {
		return i, nil
	}
	return 0, fail(KeyNoHeadRow, number, "row", number)
}

// likeliest is the first row that looks like a head: nearly as wide as the widest, and of short texts, not figures.
func (t *table) likeliest() int {
	n := min(headerRows, len(t.rows))
	widest := 0
	for _, r := range t.rows[:n] {
		widest = max(widest, r.filled())
	}
	first := -1
	for i, r := range t.rows[:n] {
		if r.filled()*10 < widest*7 {
			continue
		}
		if first < 0 {
			first = i
		}
		if !slices.ContainsFunc(r.cells, func(c string) bool { return c != "" && !headerLike(c) }) {
			return i
		}
	}
	return first
}

func headerLike(text string) bool {
	return utf8.RuneCountInString(text) <= 30 && strings.Trim(squeeze(text), "0123456789.,-/%") != ""
}
