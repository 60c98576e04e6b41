package ledger

import (
	"errors"
	"slices"
	"strings"

	"bihuan/engine/message"
)

// samples is how many texts of a column are shown to a person.
const samples = 3

// Recognition is how a ledger would be read, for a person to look at and to change.
type Recognition struct {
	Mapping             // Sheet and Head are set, every column is listed with why it is what it is
	Shape      string   // digest of the head, by which ledgers of one source are known again
	Certain    bool     // the head was recognised, remembered or given; false: it is only the likeliest row
	Remembered bool     // the columns are those of Options.Known
	Sheets     []string // the visible ones; none for CSV
	Rows       []HeadRow
	Samples    [][]string // beside Columns: the first texts under the header, shortened
	Filled     []int      // beside Columns: how many cells have a text
	Year       int        // in which bare months would be read; 0 while no column is the title
	NeedsYear  bool       // some deadline is a bare month, and nothing in the file tells its year
}

// HeadRow is a row that may be the head.
type HeadRow struct {
	Number int    // 1-based row of the sheet
	Text   string // its texts, shortened
}

// Recognise tells how Read would read a ledger with the same options, and what a person may choose otherwise. A ledger
// whose head is not recognised is no error here: the likeliest row is proposed. The error is always an *Error.
func Recognise(name string, data []byte, o Options) (*Recognition, error) {
	o = o.withDefaults()
	f, err := open(data, o)
	if err != nil {
		return nil, err
	}
	out := &Recognition{Shape: shapeOf(f.head.texts), Certain: !f.guessed, Remembered: f.known, Sheets: f.sheets}
	out.Sheet, out.Head = f.sheet, f.rows[f.head.row].number
	for _, r := range f.rows[:min(headerRows, len(f.rows))] {
		texts := slices.DeleteFunc(slices.Clone(r.cells), func(s string) bool { return s == "" })
		out.Rows = append(out.Rows, HeadRow{r.number, message.Short(oneLine(strings.Join(texts, " · ")))})
	}
	if !slices.ContainsFunc(out.Rows, func(r HeadRow) bool { return r.Number == out.Head }) {
		out.Rows = append(out.Rows, HeadRow{out.Head, message.Short(oneLine(strings.Join(f.head.texts, " · ")))})
	}
	l, err := assemble(baseName(name), f, o)
	if bad := (*Error)(nil); err != nil && (!errors.As(err, &bad) || bad.Key != KeyNoRows) {
		return nil, err
	}
	if l != nil && slices.ContainsFunc(l.Columns, func(c Column) bool { return c.Field == Title }) {
		out.Year, out.NeedsYear = l.Year, l.NeedsYear
	}
	for _, c := range f.columns {
		out.Columns = append(out.Columns, MappedColumn{Index: c.Index, Header: c.Header, Field: c.Means(), Why: c.Why})
		texts, filled := f.sample(c.Index)
		out.Samples, out.Filled = append(out.Samples, texts), append(out.Filled, filled)
	}
	return out, nil
}

// sample returns the first texts under a header, each once, and how many there are in all.
func (f *found) sample(col int) (texts []string, filled int) {
	for _, r := range f.rows[f.head.body:] {
		text := r.at(col)
		if text == "" {
			continue
		}
		filled++
		if text = message.Short(oneLine(text)); len(texts) < samples && !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return texts, filled
}
