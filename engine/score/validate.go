package score

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"bihuan/engine"
	"bihuan/engine/message"
)

var word = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// Validate returns everything that is wrong with a sheet, with paths such as "rules[2].cap".
func (s *Sheet) Validate() []engine.Problem {
	v := &validator{ids: map[string]bool{}}
	v.id("id", s.ID)
	if s.Version < 1 {
		v.add("version", "workflow.bad_version")
	}
	v.name("name", s.Name)
	for i, k := range s.Kinds {
		if !word.MatchString(k) {
			v.add(at("kinds", i), "workflow.bad_id", "id", k)
		}
	}
	if s.MinRank < 0 || s.MinRank > 1000 {
		v.add("rank_from", "sheet.bad_rank_from")
	}
	groups := map[string]bool{}
	for i, g := range s.Groups {
		path := at("groups", i)
		v.unique(path, g.ID)
		v.name(path, g.Name)
		groups[g.ID] = true
		if g.Max == nil && g.Min == nil {
			v.add(path, "sheet.group_without_bound")
		}
		if g.Max != nil && *g.Max < 0 {
			v.add(path+".max", "sheet.bad_max")
		}
		if g.Min != nil && *g.Min > 0 {
			v.add(path+".min", "sheet.bad_min")
		}
	}
	if len(s.Rules)+len(s.Shares) == 0 {
		v.add("", "sheet.nothing_counts")
	}
	for i, r := range s.Rules {
		v.rule(at("rules", i), r, groups)
	}
	for i, r := range s.Shares {
		path := at("shares", i)
		v.unique(path, r.ID)
		v.name(path, r.Name)
		v.group(path, r.Group, groups)
		if !slices.Contains(Measures, r.Measure) {
			v.add(path+".measure", "sheet.unknown_measure", "measure", r.Measure, "known", words(Measures))
		}
		if r.Weight <= 0 {
			v.add(path+".weight", "sheet.bad_weight")
		}
	}
	v.bands(s.Bands)
	v.classes(s.Classes)
	return v.out
}

type validator struct {
	out []engine.Problem
	ids map[string]bool // of rules, shares and groups, which lines name
}

func (v *validator) add(path, key string, args ...any) {
	v.out = append(v.out, engine.Problem{Path: path, Key: key, Args: message.Args(args...)})
}

func (v *validator) id(path, id string) {
	if !word.MatchString(id) {
		v.add(path, "workflow.bad_id", "id", id)
	}
}

func (v *validator) unique(path, id string) {
	v.id(path+".id", id)
	if v.ids[id] {
		v.add(path+".id", "workflow.duplicate_id", "id", id)
	}
	v.ids[id] = true
}

func (v *validator) name(path string, name engine.Text) {
	if name.ZH == "" {
		v.add(path, "workflow.no_name")
	}
}

func (v *validator) group(path, id string, known map[string]bool) {
	if id != "" && !known[id] {
		v.add(path+".group", "sheet.unknown_group", "group", id)
	}
}

func (v *validator) rule(path string, r Rule, groups map[string]bool) {
	v.unique(path, r.ID)
	v.name(path, r.Name)
	v.group(path, r.Group, groups)
	if !slices.Contains(Events, r.Event) {
		v.add(path+".event", "sheet.unknown_event", "event", r.Event, "known", words(Events))
		return // what it may say besides depends on the event
	}
	if r.Points == 0 && r.PerDay.Points == 0 {
		v.add(path+".points", "sheet.no_points")
	}
	sign := r.Points
	if sign == 0 {
		sign = r.PerDay.Points
	}
	if r.Cap != 0 && (r.Cap < 0) != (sign < 0) {
		v.add(path+".cap", "sheet.cap_sign")
	}
	if !slices.Contains([]Once{OncePerItem, OncePerUnit, EachTime}, r.Once) {
		v.add(path+".once_per", "sheet.unknown_once", "once", r.Once)
	}
	switch needs := slices.Contains(rated, r.Event); {
	case needs && (r.AtLeast < 1 || r.AtLeast > 100):
		v.add(path+".at_least", "sheet.bad_at_least")
	case !needs && r.AtLeast != 0:
		v.add(path+".at_least", "sheet.no_rate", "event", r.Event)
	}
	if d := r.PerDay; d != (PerDay{}) {
		switch {
		case !slices.Contains(late, r.Event):
			v.add(path+".per_day", "sheet.not_late", "event", r.Event)
		case d.Points >= 0 || d.Cap >= 0 || r.Points > 0:
			v.add(path+".per_day", "sheet.bad_per_day")
		case d.Cap > d.Points:
			v.add(path+".per_day.cap", "sheet.per_day_cap")
		}
	}
}

func (v *validator) bands(list []Band) {
	if len(list) == 0 {
		v.add("bands", "sheet.no_bands")
	}
	ids := map[string]bool{}
	for i, b := range list {
		path := at("bands", i)
		v.id(path+".id", b.ID)
		if ids[b.ID] {
			v.add(path+".id", "workflow.duplicate_id", "id", b.ID)
		}
		ids[b.ID] = true
		v.name(path, b.Name)
		switch last := i == len(list)-1; {
		case last && b.From != nil:
			v.add(path+".from", "sheet.last_band")
		case !last && b.From == nil:
			v.add(path, "sheet.band_without_from")
		case !last && i > 0 && list[i-1].From != nil && *b.From >= *list[i-1].From:
			v.add(path+".from", "sheet.bands_not_falling")
		}
	}
}

func (v *validator) classes(list []Class) {
	ids, units := map[string]bool{}, map[string]bool{}
	for i, c := range list {
		path := at("classes", i)
		v.id(path+".id", c.ID)
		if ids[c.ID] {
			v.add(path+".id", "workflow.duplicate_id", "id", c.ID)
		}
		ids[c.ID] = true
		v.name(path, c.Name)
		if len(c.Units) == 0 {
			v.add(path+".units", "sheet.no_units")
		}
		for j, u := range c.Units {
			if units[u] {
				v.add(at(path+".units", j), "sheet.unit_twice", "unit", u)
			}
			units[u] = true
		}
	}
}

func at(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// words lists what may stand in a place, for a sentence.
func words[T ~string](list []T) string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = string(w)
	}
	return strings.Join(out, ", ")
}
