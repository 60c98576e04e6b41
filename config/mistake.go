package config

import (
	"errors"
	"fmt"
	"strings"
)

// Mistake is one thing that is wrong with the set-up.
type Mistake struct {
	Key    string // the key, such as log.level; empty when the file as a whole is meant
	Source string // where the value came from: a file's name, BIHUAN_DB, or --db; empty for a default
	Line   int    // line in the file, from 1; 0 when the source has no lines
	zh, en string
}

// Error says it in English, for logs: "bihuan.yaml:7: log.level: must be …".
func (m *Mistake) Error() string { return m.In("en") }

// In says it in the given language: English for en*, else simplified Chinese.
func (m *Mistake) In(lang string) string {
	var b strings.Builder
	if m.Source != "" {
		b.WriteString(m.Source)
		if m.Line > 0 {
			fmt.Fprintf(&b, ":%d", m.Line)
		}
		b.WriteString(": ")
	}
	if m.Key != "" {
		b.WriteString(m.Key + ": ")
	}
	if strings.HasPrefix(strings.ToLower(lang), "en") {
		b.WriteString(m.en)
	} else {
		b.WriteString(m.zh)
	}
	return b.String()
}

// Mistakes returns every Mistake that err holds, those of the file first, by line.
func Mistakes(err error) []*Mistake {
	switch e := err.(type) { //nolint:errorlint // this walks the tree itself, because errors.As stops at the first
	case *Mistake:
		return []*Mistake{e}
	case interface{ Unwrap() []error }:
		var all []*Mistake
		for _, inner := range e.Unwrap() {
			all = append(all, Mistakes(inner)...)
		}
		return all
	case interface{ Unwrap() error }:
		return Mistakes(e.Unwrap())
	}
	return nil
}

// join is errors.Join for mistakes; nil for none.
func join(mistakes []*Mistake) error {
	errs := make([]error, len(mistakes))
	for i, m := range mistakes {
		errs[i] = m
	}
	return errors.Join(errs...)
}
