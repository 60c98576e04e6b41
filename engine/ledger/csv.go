package ledger

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

// widest is how many columns a spreadsheet can have at all; a line with more is no export of one.
const widest = 16384

// readCSV reads comma, tab or semicolon separated text.
func readCSV(data []byte, o Options) (*table, error) {
	text, err := decode(data)
	if err != nil {
		return nil, err
	}
	text = strings.TrimPrefix(text, "\ufeff")
	if !strings.Contains(text, "\n") {
		text = strings.ReplaceAll(text, "\r", "\n") // line ends of the old Macintosh
	}
	skipped := 0
	var comma rune
	if rest, ok := strings.CutPrefix(text, "sep="); ok && len(rest) > 1 && strings.ContainsRune(",;\t", rune(rest[0])) {
		if _, after, found := strings.Cut(rest[1:], "\n"); found {
			comma, text, skipped = rune(rest[0]), after, 1
		}
	}
	if comma == 0 {
		comma = separator(text)
	}
	if line, ok := tooWide(text, byte(comma)); ok {
		return nil, fail(KeyTooManyColumns, line+skipped, "limit", o.MaxColumns)
	}
	return parseCSV(text, comma, skipped, o)
}

// parseCSV reads the records. Row numbers are those a spreadsheet shows: a blank line is a row, a quoted line
// break is not. skipped is how many rows were taken off before.
func parseCSV(text string, comma rune, skipped int, o Options) (*table, error) {
	t := &table{}
	r := newCSV(text, comma)
	row, line, offset := skipped, 1, int64(0) // line: where the next record begins unless blank lines come first
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		var bad *csv.ParseError
		if errors.As(err, &bad) {
			key := KeyQuoteStray
			if errors.Is(err, csv.ErrQuote) && r.InputOffset() >= int64(len(text)) {
				key = KeyQuoteUnclosed
			}
			return nil, fail(key, row+1+max(0, bad.StartLine-line))
		}
		if err != nil {
			e := fail(KeyNotTable, row+1)
			e.Err = err
			return nil, e
		}
		start, _ := r.FieldPos(0)
		row += 1 + start - line
		line += strings.Count(text[offset:r.InputOffset()], "\n")
		offset = r.InputOffset()
		for i, text := range record {
			record[i] = unquoted(text)
		}
		if err := t.add(row, record, nil, o); err != nil {
			return nil, err
		}
	}
}

// unquoted takes off the quote that exports put before a text which a spreadsheet would take for a formula, as
// spreadsheets do with such a quote themselves.
func unquoted(s string) string {
	if !strings.HasPrefix(s, "'") {
		return s
	}
	if r, size := utf8.DecodeRuneInString(strings.TrimLeft(s, "'")); size > 0 && strings.ContainsRune("=+-@＝＋－＠", r) {
		return s[1:]
	}
	return s
}

func newCSV(text string, comma rune) *csv.Reader {
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord = comma, -1
	return r
}

// add appends a row unless it is empty, and enforces the limits.
func (t *table) add(number int, cells []string, flags map[int]uint8, o Options) error {
	last := 0
	for i, c := range cells {
		if len(c) > o.MaxCell && utf8.RuneCountInString(c) > o.MaxCell {
			return fail(KeyCellTooLong, number, "limit", o.MaxCell)
		}
		if cells[i] = trim(c); cells[i] != "" || flags[i] != 0 {
			last = i + 1
		}
	}
	switch {
	case last == 0:
		return nil
	case last > o.MaxColumns:
		return fail(KeyTooManyColumns, number, "limit", o.MaxColumns)
	case len(t.rows) >= o.MaxRows:
		return fail(KeyTooManyRows, number, "limit", o.MaxRows)
	}
	t.rows = append(t.rows, gridRow{number: number, cells: cells[:last:last], flags: flags})
	return nil
}

// tooWide finds a line that would make the CSV reader build more fields than any sheet has; checked beforehand,
// because 16 MiB of commas are 16 million fields.
func tooWide(text string, comma byte) (line int, found bool) {
	fields, quoted := 0, false
	line = 1
	for i := range len(text) {
		switch text[i] {
		case '"':
			quoted = !quoted
		case '\n':
			line++
			if !quoted {
				fields = 0
			}
		case comma:
			// A stray quote turns this count round, but the reader stops at a stray quote.
			if quoted {
				continue
			}
			if fields++; fields >= widest {
				return line, true
			}
		}
	}
	return 0, false
}

// separator picks the separator under which the first rows show the most recognised headers; failing any, the one
// that makes the most cells.
func separator(text string) rune {
	best, most := ',', -1
	for _, comma := range []rune{',', '\t', ';'} {
		// Lazy quotes do not keep to the bound of tooWide, the short head does.
		r := newCSV(text[:min(len(text), 64<<10)], comma)
		r.LazyQuotes = true
		score := 0
		for range headerRows {
			record, err := r.Read()
			if err != nil {
				break
			}
			hits := 0
			for _, cell := range record {
				if recognise(cell).rank > 0 {
					hits++
				}
			}
			score = max(score, hits*widest+len(record))
		}
		if score > most {
			best, most = comma, score
		}
	}
	return best
}

// decode finds the encoding and returns the text. A byte that fits none becomes U+FFFD and is reported with its
// row later; data that is mostly no text is refused.
func decode(data []byte) (string, error) {
	var text string
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		b, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Bytes(data)
		if err != nil {
			return "", fail(KeyNotTable, 0)
		}
		text = string(b)
	case utf8.Valid(data):
		text = string(data)
	case damagedUTF8(data):
		text = strings.ToValidUTF8(string(data), "\uFFFD")
	default:
		b, err := simplifiedchinese.GB18030.NewDecoder().Bytes(data)
		if err != nil {
			return "", fail(KeyNotTable, 0)
		}
		text = string(b)
	}
	runes, strange := 0, 0
	for _, r := range text {
		runes++
		switch {
		case r == 0:
			return "", fail(KeyNotTable, 0)
		case r == '\uFFFD', r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\v' && r != '\f':
			strange++
		}
	}
	// One bad character in a small file is damage; one in ten is not a text at all.
	if strange*10 > runes {
		return "", fail(KeyNotTable, 0)
	}
	return text, nil
}

// damagedUTF8 tells UTF-8 with a few bad bytes from GB18030: Chinese in GB18030 forms valid UTF-8 sequences only
// by accident, in UTF-8 nearly always.
func damagedUTF8(data []byte) bool {
	good, bad := 0, 0
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && n == 1:
			bad++
		case n > 1:
			good += n
		}
		data = data[n:]
	}
	return good >= 9*bad
}
