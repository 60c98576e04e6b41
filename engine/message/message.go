// Package message is the one catalogue of sentences that people read: errors, reasons, labels, in simplified
// Chinese and in English. Invariant: both languages have the same keys with the same placeholders (a test
// compares them), so a sentence can never be missing in one.
package message

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

//go:embed zh-CN/*.yaml en/*.yaml
var files embed.FS

// Languages that the catalogue has, the default first.
var Languages = []string{"zh-CN", "en"}

// Localised is an argument that has a text of its own in each language, such as a stage's name.
type Localised interface{ In(lang string) string }

// Lines returns the texts of a list, one on each line.
func Lines[T Localised](list []T, lang string) string {
	lines := make([]string, len(list))
	for i, x := range list {
		lines[i] = x.In(lang)
	}
	return strings.Join(lines, "\n")
}

var catalogue = sync.OnceValue(func() map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, lang := range Languages {
		all[lang] = map[string]string{}
		names, err := fs.Glob(files, lang+"/*.yaml")
		if err != nil {
			panic(err) // a fixed pattern
		}
		for _, name := range names {
			b, err := files.ReadFile(name)
			if err != nil {
				panic(err) // embedded at build time
			}
			m := map[string]string{}
			if err := yaml.Unmarshal(b, &m); err != nil {
				panic(fmt.Sprintf("message: %s: %v", name, err)) // a test loads all
			}
			maps.Copy(all[lang], m)
		}
	}
	return all
})

// Match returns the catalogue's language for a tag such as "zh", "en-GB" or "zh-CN": English for en*, else the
// default.
func Match(tag string) string {
	if strings.HasPrefix(strings.ToLower(tag), "en") {
		return "en"
	}
	return Languages[0]
}

// Has reports whether the catalogue has the key.
func Has(key string) bool {
	_, ok := catalogue()[Languages[0]][key]
	return ok
}

// Keys returns every key in order.
func Keys() []string {
	return slices.Sorted(maps.Keys(catalogue()[Languages[0]]))
}

// Args makes the args of Text from name, value, name, value; nil for none.
func Args(pairs ...any) map[string]any {
	if len(pairs) == 0 {
		return nil
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

// Text returns the sentence for key in lang with {name} placeholders replaced from args. An unknown key is
// returned as it is, so that a slip shows and never hides the rest.
func Text(lang, key string, args map[string]any) string {
	lang = Match(lang)
	s, ok := catalogue()[lang][key]
	if !ok {
		return key
	}
	return fill(lang, s, args)
}

func fill(lang, s string, args map[string]any) string {
	if len(args) == 0 {
		return s
	}
	pairs := make([]string, 0, 2*len(args))
	for name, v := range args {
		var text string
		switch v := v.(type) {
		case Localised:
			text = v.In(lang)
		case []string:
			text = strings.Join(v, catalogue()[lang]["list.comma"])
		default:
			text = fmt.Sprint(v)
		}
		pairs = append(pairs, "{"+name+"}", text)
	}
	return strings.NewReplacer(pairs...).Replace(s)
}

// Short cuts what somebody wrote to 80 characters, for showing it inside a sentence.
func Short(text string) string {
	const limit = 80
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit-1]) + "…"
}
