package ledger

import (
	"bytes"
	"slices"
)

// Flags of a cell that came from a workbook.
const (
	flagFormula  = 1 << iota // the text is the cached result of a formula
	flagNumber               // a number, not text
	flagError                // #REF! and the like
	flagDay                  // a number shown as a date
	flagMonth                // a number shown as a month, without a day
	flagYear                 // a number shown as a year
	flagPercent              // a number shown as a percentage
	flagClock                // a number shown as hours and minutes
	flagDateCell = flagDay | flagMonth | flagYear
)

// gridRow is one row with content, as it stands in the sheet.
type gridRow struct {
	number int // 1-based
	cells  []string
	flags  map[int]uint8 // by column; only where one is set
}

func (r gridRow) filled() int {
	n := 0
	for _, c := range r.cells {
		if c != "" {
			n++
		}
	}
	return n
}

func (r gridRow) at(col int) string {
	if col >= 0 && col < len(r.cells) {
		return r.cells[col]
	}
	return ""
}

// first returns the first cell that is not empty and its column.
func (r gridRow) first() (string, int) {
	for i, c := range r.cells {
		if c != "" {
			return c, i
		}
	}
	return "", -1
}

// area is a merged range: rows 1-based, columns 0-based, both ends included.
type area struct{ top, left, bottom, right int }

// table is a sheet as read, before anything is understood.
type table struct {
	sheet  string
	rows   []gridRow // ascending by number, none without content
	merges []area
	hidden int      // rows that the workbook hides
	others []string // visible sheets that are not read
}

// eachTable reads the tables of a file, a workbook's or the one of a CSV, until take has what it wants. sheets are a
// workbook's visible ones. It tells the format by the content, and refuses what is no table.
func eachTable(data []byte, o Options, take func(t *table, sheets []string) (done bool, err error)) error {
	if len(data) > MaxFile {
		return fail(KeyFileTooLarge, 0, "limit", MaxFile>>20)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return fail(KeyEmpty, 0)
	}
	if bytes.HasPrefix(data, []byte("PK\x03\x04")) || bytes.HasPrefix(data, []byte("PK\x05\x06")) {
		return eachSheet(data, o, take)
	}
	if err := refuseForeign(data); err != nil {
		return err
	}
	t, err := readCSV(data, o)
	if err != nil {
		return err
	}
	_, err = take(t, nil)
	return err
}

// index returns the position of the first row whose number is at least n.
func (t *table) index(n int) int {
	i, _ := slices.BinarySearchFunc(t.rows, n, func(r gridRow, n int) int { return r.number - n })
	return i
}

// spread returns the texts of the first n rows with every merged cell's text written into all cells it covers.
func (t *table) spread(n int) [][]string {
	texts := make([][]string, n)
	for i := range n {
		texts[i] = slices.Clone(t.rows[i].cells)
	}
	if n == 0 {
		return texts
	}
	for _, m := range t.merges {
		i := t.index(m.top)
		if i >= n || t.rows[i].number != m.top {
			continue
		}
		text := t.rows[i].at(m.left)
		if text == "" {
			continue
		}
		for ; i < n && t.rows[i].number <= m.bottom; i++ {
			for len(texts[i]) <= m.right {
				texts[i] = append(texts[i], "")
			}
			for c := m.left; c <= m.right; c++ {
				if texts[i][c] == "" {
					texts[i][c] = text
				}
			}
		}
	}
	return texts
}
