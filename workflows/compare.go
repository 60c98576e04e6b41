package workflows

import (
	"fmt"
	"strconv"
	"strings"

	"bihuan/engine"
)

// Difference is one thing that two versions of a definition say differently. Path names it by ids, not by
// position: "stages.track.limit". Old or New is empty where that version does not have it.
type Difference struct {
	Path string `json:"path"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// Compare lists what differs between two versions, in the order of old, what is only in new at the end. A part
// that only one of them has is one difference, not one per member. Version numbers and digests, which always
// differ, are left out.
func Compare(old, new *engine.Workflow) []Difference {
	before, after := describe(old), describe(new)
	var out []Difference
	for _, path := range before.order {
		was := before.values[path]
		is, ok := after.values[path]
		if was != is && (ok || !before.inside(path, after)) {
			out = append(out, Difference{Path: path, Old: was, New: is})
		}
	}
	for _, path := range after.order {
		if _, ok := before.values[path]; !ok && !after.inside(path, before) {
			out = append(out, Difference{Path: path, New: after.values[path]})
		}
	}
	return out
}

// description is a definition as flat, ordered paths with their values in the words of the file.
type description struct {
	order  []string
	values map[string]string
	parts  map[string]string // member path → path of the part it belongs to
}

// inside reports whether path belongs to a part that other lacks as a whole.
func (d *description) inside(path string, other *description) bool {
	for part, ok := d.parts[path]; ok; part, ok = d.parts[part] {
		if _, there := other.values[part]; !there {
			return true
		}
	}
	return false
}

// put adds a value; what is empty counts as not there.
func (d *description) put(part, name, value string) {
	if value == "" {
		return
	}
	path := join(part, name)
	d.order = append(d.order, path)
	d.values[path] = value
	if part != "" {
		d.parts[path] = part
	}
}

func describe(w *engine.Workflow) *description {
	d := &description{values: map[string]string{}, parts: map[string]string{}}
	d.put("", "id", w.ID)
	d.put("", "name", bilingual(w.Name))
	d.put("", "number", w.Prefix)
	d.put("", "create", list(w.Create))
	d.put("", "owner", list(w.Owner))
	d.put("", "yearly", yes(w.Yearly))
	d.put("", "off", yes(w.Off))
	for _, f := range w.Fields {
		part := "fields." + f.ID
		d.put("", part, bilingual(f.Name))
		d.put(part, "hint", bilingual(f.Hint))
		d.put(part, "long", yes(f.Long))
	}
	for _, m := range w.Materials {
		d.put("", "materials."+m.ID, bilingual(m.Name))
	}
	var ids []string
	for _, s := range w.Stages {
		ids = append(ids, string(s.ID))
	}
	d.put("", "stages", strings.Join(ids, ", "))
	for _, s := range w.Stages {
		d.stage(s)
	}
	for _, t := range w.Transitions {
		d.transition(t)
	}
	for _, t := range w.Timers {
		d.timer(t)
	}
	for _, l := range []struct {
		name string
		engine.Threshold
	}{{"yellow", w.Lights.Yellow}, {"orange", w.Lights.Orange}, {"red", w.Lights.Red}} {
		d.put("", "lights."+l.name+".left", percent(l.Left))
		d.put("", "lights."+l.name+".behind", percent(l.Behind))
	}
	d.put("", "extension.max", number(w.Extension.Max))
	d.put("", "extension.months", number(w.Extension.Months))
	d.put("", "extension.approve", steps(w.Extension.Approve, " → "))
	d.put("", "look_back.months", number(w.LookBack.Months))
	d.put("", "look_back.reopen", string(w.LookBack.Reopen))
	d.put("", "look_back.approve", steps(w.LookBack.Approve, " → "))
	return d
}

func (d *description) stage(s engine.Stage) {
	part := "stages." + string(s.ID)
	d.put("", part, bilingual(s.Name))
	d.put(part, "limit", limit(s.Limit))
	d.put(part, "acts", list(s.Acts))
	d.put(part, "return_to", list(s.ReturnTo))
	d.put(part, "restart", yes(s.Restart))
}

func (d *description) transition(t engine.Transition) {
	part := "transitions." + string(t.ID)
	d.put("", part, bilingual(t.Name))
	d.put(part, "from", list(t.From))
	d.put(part, "to", string(t.To))
	d.put(part, "trigger", string(t.Trigger))
	d.put(part, "submit", list(t.Submit))
	between := " + "
	if t.Approve.InOrder {
		between = " → "
	}
	approve := steps(t.Approve.Steps, between)
	if t.Approve.InOrder && len(t.Approve.Steps) < 2 {
		approve += " (in order)" // says nothing about one step, but the files differ
	}
	d.put(part, "approve", approve)
	for _, q := range t.Require {
		d.put(part, "require."+q.ID, requirement(q))
		d.put(part, "require."+q.ID+".name", bilingual(q.Name))
	}
	for _, c := range t.Criteria {
		d.put(part, "criteria."+c.ID, bilingual(c.Name))
	}
	for _, g := range t.Grades {
		d.put(part, "grades."+g.ID, bilingual(g.Name))
	}
}

func (d *description) timer(t engine.Timer) {
	part := "timers." + string(t.ID)
	d.put("", part, strings.TrimSpace(fmt.Sprintf("%s %s: %s → %s", t.Anchor, t.Offset, t.Rung, list(t.To))))
	d.put(part, "stage", string(t.Stage))
	if t.When != nil {
		d.put(part, "when", t.When.Rule)
	}
}

func bilingual(t engine.Text) string {
	if t.EN == "" || t.EN == t.ZH {
		return t.ZH
	}
	return t.ZH + " / " + t.EN
}

func requirement(q engine.Requirement) string {
	return q.Rule + " (" + bilingual(q.Message) + ")"
}

func limit(l engine.Limit) string {
	switch {
	case l.UntilDeadline:
		return "deadline"
	case l.Workdays > 0:
		return strconv.Itoa(l.Workdays) + "wd"
	}
	return ""
}

func steps(list []engine.ApprovalStep, between string) string {
	out := make([]string, len(list))
	for i, s := range list {
		names := make([]string, len(s.Roles))
		for j, r := range s.Roles {
			names[j] = string(r)
		}
		out[i] = strings.Join(names, "/")
		if s.Count != 1 {
			out[i] += fmt.Sprintf(" ×%d", s.Count)
		}
		if s.At != engine.Anywhere {
			out[i] += " at " + string(s.At)
		}
	}
	return strings.Join(out, between)
}

func list[T ~string](items []T) string {
	out := make([]string, len(items))
	for i, x := range items {
		out[i] = string(x)
	}
	return strings.Join(out, ", ")
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func percent(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n) + "%"
}

func yes(b bool) string {
	if b {
		return "true"
	}
	return ""
}
