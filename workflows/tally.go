package workflows

import (
	"embed"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"bihuan/engine"
)

//go:embed tallies/*.yaml
var tallies embed.FS

// Tallies returns the yearly counts that the product brings along, by id. A site has none until it switches one on.
func Tallies() []engine.Tally { return slices.Clone(loadTallies()) }

var loadTallies = sync.OnceValue(func() []engine.Tally {
	entries, err := tallies.ReadDir("tallies")
	if err != nil {
		panic(fmt.Sprintf("workflows: %v", err)) // embedded at build time
	}
	var out []engine.Tally
	for _, e := range entries {
		source, readErr := tallies.ReadFile(path.Join("tallies", e.Name()))
		t, parseErr := ParseTally(e.Name(), source)
		if err := errors.Join(readErr, parseErr); err != nil {
			panic(fmt.Sprintf("workflows: %v", err)) // a test loads them
		}
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b engine.Tally) int { return strings.Compare(a.ID, b.ID) })
	return out
})

// ParseTally reads the definition of a yearly count. name is what mistakes call the file. The error is a Mistakes.
func ParseTally(name string, source []byte) (engine.Tally, error) {
	r := newReader(name)
	root := r.document(source)
	if root == nil {
		return engine.Tally{}, r.out
	}
	t := r.tally(root)
	if err := t.Validate(); err != nil && len(r.out) == 0 {
		bad, ok := errors.AsType[*engine.Error](err)
		if !ok {
			return t, err
		}
		r.out = append(r.out, Mistake{File: r.file, Line: r.line(bad.Field), Key: bad.Key, Args: bad.Args})
	}
	if r.out.sort(); len(r.out) > 0 {
		return engine.Tally{}, r.out
	}
	return t, nil
}

func (r *reader) tally(n *yaml.Node) engine.Tally {
	var t engine.Tally
	r.object(n, "", members{
		"id":   func(n *yaml.Node, path string) { t.ID = r.text(n, path) },
		"name": func(n *yaml.Node, path string) { t.Name = r.translated(n, path) },
		"categories": func(n *yaml.Node, path string) {
			t.Categories = each(r, n, path, func(n *yaml.Node, path string) engine.TallyCategory {
				var c engine.TallyCategory
				r.object(n, path, members{
					"id":   func(n *yaml.Node, path string) { c.ID = r.text(n, path) },
					"name": func(n *yaml.Node, path string) { c.Name = r.translated(n, path) },
					"min":  func(n *yaml.Node, path string) { c.Min = r.number(n, path) },
				}, "id", "name")
				return c
			})
		},
		"hours": func(n *yaml.Node, path string) { t.Minutes = r.hours(n, path) },
		"enter": func(n *yaml.Node, path string) { t.Enter = words[engine.Role](r, n, path) },
	}, "id", "name", "categories", "enter")
	return t
}

// hours reads a number of hours into whole minutes.
func (r *reader) hours(n *yaml.Node, path string) int {
	if !r.is(n, path, aNumber) {
		return 0
	}
	minutes, err := engine.ParseHours(n.Value)
	if err != nil {
		r.add(n, path, "tally.hours", "text", n.Value)
	}
	return minutes
}
