package workflows

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"bihuan/engine/message"
)

// Mistake is one thing wrong in a definition file, with the sentence for the person who wrote it.
type Mistake struct {
	File string
	Line int            // counted from 1
	Key  string         // message catalogue key
	Args map[string]any // values for its placeholders
}

// In returns "file:line: sentence" in the given language.
func (m Mistake) In(lang string) string {
	return fmt.Sprintf("%s:%d: %s", m.File, m.Line, message.Text(lang, m.Key, m.Args))
}

// Error returns the English line.
func (m Mistake) Error() string { return m.In("en") }

// Mistakes are all mistakes of one or several files, by file and line.
type Mistakes []Mistake

// In returns one line per mistake in the given language.
func (ms Mistakes) In(lang string) string { return message.Lines(ms, lang) }

// Error returns the English lines.
func (ms Mistakes) Error() string { return ms.In("en") }

// Unwrap returns each Mistake.
func (ms Mistakes) Unwrap() []error {
	out := make([]error, len(ms))
	for i, m := range ms {
		out[i] = m
	}
	return out
}

// sort orders by file and line; what stands on one line keeps the order in which it was found.
func (ms Mistakes) sort() {
	slices.SortStableFunc(ms, func(a, b Mistake) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
}
