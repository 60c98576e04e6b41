package ledger

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// folded is a text in the form that the rules of deadlines are written for, with the way back: what stands at i in
// text began at from[i] in the original.
type folded struct {
	original string
	text     string
	from     []int
}

// fold does what plain does, apart from times of day, which no plan gives, and remembers where everything stood.
func fold(s string) folded {
	f := folded{original: s, from: make([]int, 0, len(s)+1)}
	var b strings.Builder
	b.Grow(len(s))
	last := byte(0)
	put := func(at int, t string) {
		for range len(t) {
			f.from = append(f.from, at)
		}
		b.WriteString(t)
		last = t[len(t)-1]
	}
	gap := false
	for at, r := range s {
		if invisible(r) {
			gap = true
			continue
		}
		t := string(r)
		if r >= utf8.RuneSelf && (r < 0x4e00 || r > 0x9fff) {
			t = dashes.Replace(norm.NFKC.String(t))
		} else if r == '~' {
			t = "-"
		}
		t = strings.TrimFunc(t, invisible)
		if t == "" || t == "-" && last == '-' {
			continue
		}
		if gap && isDigit(last) && isDigit(t[0]) {
			put(at, ";")
		}
		gap = false
		put(at, t)
	}
	f.text = b.String()
	f.numerals()
	f.from = append(f.from, len(s))
	return f
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// numerals writes Chinese numerals before 年, 月 and the like in digits.
func (f *folded) numerals() {
	found := hanNumeral.FindAllStringIndex(f.text, -1)
	if found == nil {
		return
	}
	var b strings.Builder
	var from []int
	done := 0
	for _, m := range found {
		word := f.text[m[0]:m[1]]
		i := strings.IndexAny(word, "月日号季学年")
		n, ok := hanNumber(word[:i])
		if !ok {
			continue
		}
		digits := strconv.Itoa(n)
		b.WriteString(f.text[done:m[0]] + digits)
		from = append(from, f.from[done:m[0]]...)
		for range len(digits) {
			from = append(from, f.from[m[0]])
		}
		done = m[0] + i
	}
	b.WriteString(f.text[done:])
	f.text, f.from = b.String(), append(from, f.from[done:]...)
}

// cut returns the original between two places of the folded text.
func (f *folded) cut(from, to int) string { return f.original[f.from[from]:f.from[to]] }
