package workflows

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"bihuan/engine/audit"
	"bihuan/engine/score"
)

//go:embed sheets/*.yaml
var sheets embed.FS

// DefaultSheet is the id of the sheet that holds where a site has published none.
const DefaultSheet = "default"

// Sheets returns the score sheets that the product brings along, the default first. The values are shared; a sheet is
// immutable.
func Sheets() []*score.Sheet { return slices.Clone(loadSheets()) }

var loadSheets = sync.OnceValue(func() []*score.Sheet {
	entries, err := sheets.ReadDir("sheets")
	if err != nil {
		panic(fmt.Sprintf("workflows: %v", err)) // embedded at build time
	}
	var out []*score.Sheet
	for _, e := range entries {
		source, ok := SheetSource(strings.TrimSuffix(e.Name(), ".yaml"))
		s, err := ParseSheet(e.Name(), source)
		if !ok || err != nil {
			panic(fmt.Sprintf("workflows: %v", err)) // a test loads them
		}
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(a, b *score.Sheet) int {
		switch {
		case a.ID == DefaultSheet:
			return -1
		case b.ID == DefaultSheet:
			return 1
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out
})

// SheetSource returns the exact bytes of an embedded sheet, which its digest covers.
func SheetSource(id string) ([]byte, bool) {
	b, err := sheets.ReadFile(path.Join("sheets", id+".yaml"))
	return b, err == nil
}

// ParseSheet reads one score sheet. name is what mistakes call the file. The error is a Mistakes with everything that
// is wrong; there is no sheet then.
func ParseSheet(name string, source []byte) (*score.Sheet, error) {
	r := newReader(name)
	root := r.document(source)
	if root == nil {
		return nil, r.out
	}
	s := r.sheet(root)
	s.Digest, s.Source = audit.HashContent(source).String(), source
	for _, p := range s.Validate() {
		if !r.spoiltWithin(p.Path) && !r.spoilt(p.Path) {
			r.out = append(r.out, Mistake{File: r.file, Line: r.line(p.Path), Key: p.Key, Args: p.Args})
		}
	}
	if r.out.sort(); len(r.out) > 0 {
		return nil, r.out
	}
	return s, nil
}

// CompileSheet is ParseSheet for a sheet that is in no file but proposed, or about to be.
func CompileSheet(source []byte) (*score.Sheet, error) { return ParseSheet("sheet", source) }

func (r *reader) sheet(n *yaml.Node) *score.Sheet {
	s := &score.Sheet{MinRank: 3}
	r.object(n, "", members{
		"id":        func(n *yaml.Node, path string) { s.ID = r.text(n, path) },
		"version":   func(n *yaml.Node, path string) { s.Version = r.number(n, path) },
		"name":      func(n *yaml.Node, path string) { s.Name = r.translated(n, path) },
		"kinds":     func(n *yaml.Node, path string) { s.Kinds = words[string](r, n, path) },
		"rank_from": func(n *yaml.Node, path string) { s.MinRank = r.number(n, path) },
		"base":      func(n *yaml.Node, path string) { s.Base = r.points(n, path) },
		"groups":    func(n *yaml.Node, path string) { s.Groups = each(r, n, path, r.group) },
		"rules":     func(n *yaml.Node, path string) { s.Rules = each(r, n, path, r.scoreRule) },
		"shares":    func(n *yaml.Node, path string) { s.Shares = each(r, n, path, r.share) },
		"bands":     func(n *yaml.Node, path string) { s.Bands = each(r, n, path, r.band) },
		"classes":   func(n *yaml.Node, path string) { s.Classes = each(r, n, path, r.class) },
	}, "id", "version", "name", "bands")
	return s
}

// each reads a list of what one reads.
func each[T any](r *reader, n *yaml.Node, path string, one func(n *yaml.Node, path string) T) []T {
	var out []T
	r.list(n, path, func(n *yaml.Node, path string) { out = append(out, one(n, path)) })
	return out
}

// points reads a number with at most two digits behind the point.
func (r *reader) points(n *yaml.Node, path string) score.Points {
	if !r.is(n, path, aNumber) {
		return 0
	}
	p, err := score.ParsePoints(n.Value)
	if err != nil {
		r.add(n, path, "sheet.bad_points", "text", n.Value)
	}
	return p
}

// bound reads points that may be left out.
func (r *reader) bound(into **score.Points) func(n *yaml.Node, path string) {
	return func(n *yaml.Node, path string) {
		p := r.points(n, path)
		*into = &p
	}
}

func (r *reader) group(n *yaml.Node, path string) score.Group {
	var g score.Group
	r.object(n, path, members{
		"id":   func(n *yaml.Node, path string) { g.ID = r.text(n, path) },
		"name": func(n *yaml.Node, path string) { g.Name = r.translated(n, path) },
		"max":  r.bound(&g.Max),
		"min":  r.bound(&g.Min),
	}, "id", "name")
	return g
}

func (r *reader) scoreRule(n *yaml.Node, path string) score.Rule {
	x := score.Rule{Once: score.OncePerItem}
	r.object(n, path, members{
		"id":       func(n *yaml.Node, path string) { x.ID = r.text(n, path) },
		"name":     func(n *yaml.Node, path string) { x.Name = r.translated(n, path) },
		"group":    func(n *yaml.Node, path string) { x.Group = r.text(n, path) },
		"event":    func(n *yaml.Node, path string) { x.Event = score.Event(r.text(n, path)) },
		"points":   func(n *yaml.Node, path string) { x.Points = r.points(n, path) },
		"cap":      func(n *yaml.Node, path string) { x.Cap = r.points(n, path) },
		"once_per": func(n *yaml.Node, path string) { x.Once = score.Once(r.text(n, path)) },
		"at_least": func(n *yaml.Node, path string) { x.AtLeast = r.number(n, path) },
		"per_day": func(n *yaml.Node, path string) {
			r.object(n, path, members{
				"points":  func(n *yaml.Node, path string) { x.PerDay.Points = r.points(n, path) },
				"cap":     func(n *yaml.Node, path string) { x.PerDay.Cap = r.points(n, path) },
				"working": func(n *yaml.Node, path string) { x.PerDay.Working = r.flag(n, path) },
			}, "points", "cap")
		},
	}, "id", "name", "event")
	return x
}

func (r *reader) share(n *yaml.Node, path string) score.Share {
	var x score.Share
	r.object(n, path, members{
		"id":      func(n *yaml.Node, path string) { x.ID = r.text(n, path) },
		"name":    func(n *yaml.Node, path string) { x.Name = r.translated(n, path) },
		"group":   func(n *yaml.Node, path string) { x.Group = r.text(n, path) },
		"measure": func(n *yaml.Node, path string) { x.Measure = score.Measure(r.text(n, path)) },
		"weight":  func(n *yaml.Node, path string) { x.Weight = r.points(n, path) },
	}, "id", "name", "measure", "weight")
	return x
}

func (r *reader) band(n *yaml.Node, path string) score.Band {
	var b score.Band
	r.object(n, path, members{
		"id":   func(n *yaml.Node, path string) { b.ID = r.text(n, path) },
		"name": func(n *yaml.Node, path string) { b.Name = r.translated(n, path) },
		"from": r.bound(&b.From),
	}, "id", "name")
	return b
}

func (r *reader) class(n *yaml.Node, path string) score.Class {
	var c score.Class
	r.object(n, path, members{
		"id":    func(n *yaml.Node, path string) { c.ID = r.text(n, path) },
		"name":  func(n *yaml.Node, path string) { c.Name = r.translated(n, path) },
		"units": func(n *yaml.Node, path string) { c.Units = words[string](r, n, path) },
	}, "id", "name", "units")
	return c
}
