package calendar

import (
	"errors"
	"fmt"
	"strings"
)

// Mistake is one thing that is wrong with a list of days, in words for the person who made the list. It has no
// place in the message catalogue because this package imports nothing of ours.
type Mistake struct {
	Line int    // line of the file, counted from 1; 0 when the days did not come from a file
	ZH   string // what is wrong, and what was expected
	EN   string
}

// Error returns the English sentence, led by the line.
func (m *Mistake) Error() string { return m.In("en") }

// In returns the sentence in the given language ("zh-CN" or "en"), led by the line.
func (m *Mistake) In(lang string) string {
	english := strings.HasPrefix(strings.ToLower(lang), "en")
	switch {
	case english && m.Line > 0:
		return fmt.Sprintf("line %d: %s", m.Line, m.EN)
	case english:
		return m.EN
	case m.Line > 0:
		return fmt.Sprintf("第 %d 行:%s", m.Line, m.ZH)
	default:
		return m.ZH
	}
}

// Mistakes returns the mistakes that an error of ParseCSV or With is made of, in the order of the list. It is
// empty when there is another cause, such as a failing reader.
func Mistakes(err error) []*Mistake {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*Mistake
		for _, e := range joined.Unwrap() {
			all = append(all, Mistakes(e)...)
		}
		return all
	}
	if m, ok := errors.AsType[*Mistake](err); ok {
		return []*Mistake{m}
	}
	return nil
}
