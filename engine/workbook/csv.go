package workbook

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"bihuan/engine/calendar"
)

// CSV writes a table as CSV that spreadsheets open with the right letters. Flush it at the end.
type CSV struct {
	out  *csv.Writer
	line []string
}

// NewCSV begins a table.
func NewCSV(w io.Writer) (*CSV, error) {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return nil, err
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	return &CSV{out: out}, nil
}

// Row writes a row of cells as Table.Row takes them.
func (c *CSV) Row(cells ...any) error {
	c.line = c.line[:0]
	for _, x := range cells {
		text := Text(x)
		if _, written := x.(string); written {
			text = safe(text)
		}
		c.line = append(c.line, text)
	}
	return c.out.Write(c.line)
}

// Flush sends what is left.
func (c *CSV) Flush() error {
	c.out.Flush()
	return c.out.Error()
}

// Text is a cell's value as a text, such as a spreadsheet shows it.
func Text(x any) string {
	switch x := x.(type) {
	case nil:
		return ""
	case string:
		return x
	case calendar.Date:
		if x.IsZero() {
			return ""
		}
		return x.String()
	case Percent:
		return strconv.Itoa(int(x)) + "%"
	case Share:
		return strconv.FormatFloat(float64(x)*100, 'f', 1, 64) + "%"
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return fmt.Sprint(x)
}

// begins is what a spreadsheet takes for the beginning of a formula, in full width too: the Asian ones convert it.
const begins = "=+-@\t\r\n＝＋－＠"

// safe keeps a spreadsheet that opens a CSV from taking what people wrote for a formula. A text that looks as if that had
// been done gets one more quote, so that taking one off gives what was written; package ledger does.
func safe(s string) string {
	if r, size := utf8.DecodeRuneInString(strings.TrimLeft(s, "'")); size > 0 && strings.ContainsRune(begins, r) {
		return "'" + s
	}
	return s
}
