package engine

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"bihuan/engine/message"
)

// Problem is one mistake in a definition. Path says where, in the words of the file: "stages[2].limit".
type Problem struct {
	Path string
	Key  string
	Args map[string]any
}

// prefix is what stands before the year in a 编号. People type it, and it goes into file names and addresses.
var prefix = regexp.MustCompile(`^[\p{L}\p{N}]{1,8}$`)

var word = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// Validate returns every structural mistake of a definition: references to what does not exist, duplicate ids,
// a stage that cannot be reached or left, no way to 销号, a timer that would fire before its anchor. That the
// rules compile is checked where they are compiled.
func (w *Workflow) Validate() []Problem {
	v := &validator{w: w}
	v.header()
	v.stages()
	v.transitions()
	v.timers()
	v.lights()
	if len(v.out) == 0 { // reachability over a broken graph would only repeat what was said
		v.graph()
	}
	return v.out
}

type validator struct {
	w   *Workflow
	out []Problem
}

func (v *validator) add(path, key string, args ...any) {
	v.out = append(v.out, Problem{Path: path, Key: key, Args: message.Args(args...)})
}

func (v *validator) header() {
	w := v.w
	if !word.MatchString(w.ID) {
		v.add("id", "workflow.bad_id", "id", w.ID)
	}
	if w.Version < 1 {
		v.add("version", "workflow.bad_version")
	}
	if w.Name.ZH == "" {
		v.add("name", "workflow.no_name")
	}
	if !prefix.MatchString(w.Prefix) {
		v.add("number", "workflow.bad_prefix")
	}
	v.roles("create", w.Create, true)
	if len(w.Owner) > 0 {
		v.roles("owner", w.Owner, true)
	}
	v.choices("materials", w.Materials)
	v.fields()
	if len(w.Stages) == 0 {
		v.add("stages", "workflow.no_stages")
	}
	e := w.Extension
	if e.Max < 0 || e.Months < 0 || (e.Max > 0 && (len(e.Approve) == 0 || e.Months == 0)) {
		v.add("extension", "workflow.bad_extension")
	}
	v.steps("extension.approve", e.Approve)
	if l := w.LookBack; l.Months != 0 || l.Reopen != "" || len(l.Approve) > 0 {
		if _, ok := w.Stage(l.Reopen); !ok || l.Months < 1 || len(l.Approve) == 0 {
			v.add("look_back", "workflow.bad_look_back")
		}
		v.steps("look_back.approve", l.Approve)
	}
}

func (v *validator) stages() {
	seen := map[StageID]bool{}
	for i, s := range v.w.Stages {
		path := fmt.Sprintf("stages[%d]", i)
		switch {
		case !word.MatchString(string(s.ID)):
			v.add(path+".id", "workflow.bad_id", "id", s.ID)
		case s.ID.Resting() || s.ID == Previous:
			v.add(path+".id", "workflow.reserved_id", "id", s.ID)
		case seen[s.ID]:
			v.add(path+".id", "workflow.duplicate_id", "id", s.ID)
		}
		if s.Name.ZH == "" {
			v.add(path, "workflow.no_name")
		}
		if s.Limit.Workdays < 0 {
			v.add(path+".limit", "workflow.bad_limit")
		}
		for j, a := range s.Acts {
			if !slices.Contains(Acts, a) {
				v.add(fmt.Sprintf("%s.acts[%d]", path, j), "workflow.unknown_act", "act", a)
			}
		}
		for j, to := range s.ReturnTo {
			if !seen[to] { // only stages above it in the file are earlier
				v.add(fmt.Sprintf("%s.return_to[%d]", path, j), "workflow.return_not_earlier", "stage", to)
			}
		}
		seen[s.ID] = true
	}
}

func (v *validator) transitions() {
	seen := map[TransitionID]bool{}
	triggers := map[string]bool{}
	for i, t := range v.w.Transitions {
		path := fmt.Sprintf("transitions[%d]", i)
		if !word.MatchString(string(t.ID)) {
			v.add(path+".id", "workflow.bad_id", "id", t.ID)
		} else if seen[t.ID] {
			v.add(path+".id", "workflow.duplicate_id", "id", t.ID)
		}
		seen[t.ID] = true
		if t.Name.ZH == "" {
			v.add(path, "workflow.no_name")
		}
		if len(t.From) == 0 {
			v.add(path, "workflow.no_from")
		}
		for j, from := range t.From {
			if _, ok := v.w.Stage(from); !ok && !from.Resting() {
				v.add(fmt.Sprintf("%s.from[%d]", path, j), "workflow.unknown_stage", "stage", from)
			}
			if t.Trigger == OnVerifyPassed || t.Trigger == OnVerifyFailed {
				key := string(from) + " " + string(t.Trigger)
				if triggers[key] {
					v.add(path, "workflow.duplicate_trigger", "stage", from)
				}
				triggers[key] = true
			}
		}
		if _, ok := v.w.Stage(t.To); !ok && !t.To.Resting() && t.To != Previous {
			v.add(path+".to", "workflow.unknown_stage", "stage", t.To)
		}
		if t.To == Previous && !slices.Equal(t.From, []StageID{Shelved}) {
			v.add(path+".to", "workflow.previous_only_from_shelved")
		}
		switch t.Trigger {
		case OnSubmit:
			v.roles(path+".submit", t.Submit, false)
		case OnVerifyPassed, OnVerifyFailed, OnRule:
			if len(t.Submit) > 0 || len(t.Approve.Steps) > 0 {
				v.add(path, "workflow.trigger_needs_nobody", "trigger", t.Trigger)
			}
		default:
			v.add(path+".trigger", "workflow.unknown_trigger", "trigger", t.Trigger)
		}
		if t.Trigger == OnRule && len(t.Require) == 0 {
			v.add(path, "workflow.auto_without_rule")
		}
		v.steps(path+".approve", t.Approve.Steps)
		v.requirements(path, t.Require)
		v.choices(path+".criteria", t.Criteria)
		v.choices(path+".grades", t.Grades)
		if len(t.Criteria)+len(t.Grades) > 0 && len(t.Approve.Steps) == 0 {
			v.add(path, "workflow.choices_need_approver")
		}
	}
}

func (v *validator) choices(path string, list []Choice) {
	seen := map[string]bool{}
	for i, c := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case !word.MatchString(c.ID):
			v.add(at+".id", "workflow.bad_id", "id", c.ID)
		case seen[c.ID]:
			v.add(at+".id", "workflow.duplicate_id", "id", c.ID)
		case c.Name.ZH == "":
			v.add(at, "workflow.no_name")
		}
		seen[c.ID] = true
	}
}

// fields checks the kind's own fields. Two of one name would be one on the project.
func (v *validator) fields() {
	list, names := make([]Choice, len(v.w.Fields)), map[string]bool{}
	for i, f := range v.w.Fields {
		list[i] = Choice{f.ID, f.Name}
		if f.Name.ZH != "" && names[f.Name.ZH] {
			v.add(fmt.Sprintf("fields[%d].name", i), "workflow.duplicate_name", "name", f.Name.ZH)
		}
		names[f.Name.ZH] = true
	}
	v.choices("fields", list)
}

// uses checks that a rule asks for fields and materials that there are.
func (v *validator) uses(path string, r Requirement) {
	for _, name := range r.Uses {
		what, id, _ := strings.Cut(name, ".")
		known := what == "Fields" && slices.ContainsFunc(v.w.Fields, func(f Field) bool { return f.ID == id }) ||
			what == "Materials" && v.w.MaterialName(id).ZH != ""
		if !known {
			v.add(path, "workflow.unknown_member", "name", name)
		}
	}
}

func (v *validator) requirements(path string, list []Requirement) {
	seen := map[string]bool{}
	for i, r := range list {
		at := fmt.Sprintf("%s.require[%d]", path, i)
		if !word.MatchString(r.ID) {
			v.add(at+".id", "workflow.bad_id", "id", r.ID)
		} else if seen[r.ID] {
			v.add(at+".id", "workflow.duplicate_id", "id", r.ID)
		}
		seen[r.ID] = true
		if r.Message.ZH == "" {
			v.add(at, "workflow.no_message")
		}
		v.uses(at+".rule", r)
	}
}

func (v *validator) steps(path string, steps []ApprovalStep) {
	for i, s := range steps {
		at := fmt.Sprintf("%s[%d]", path, i)
		v.roles(at+".roles", s.Roles, true)
		if s.Count < 1 {
			v.add(at+".count", "workflow.bad_count")
		}
		if !slices.Contains([]Level{Anywhere, Near, Top}, s.At) {
			v.add(at+".at", "workflow.unknown_level", "level", s.At)
		}
	}
}

// roles checks names; where only granted roles make sense a relation is refused (an owner cannot be the one who
// approves, nor is there an owner before the project exists).
func (v *validator) roles(path string, roles []Role, granted bool) {
	if len(roles) == 0 {
		v.add(path, "workflow.no_roles")
	}
	for i, r := range roles {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case !r.Known():
			v.add(at, "workflow.unknown_role", "role", string(r))
		case granted && !r.Granted():
			v.add(at, "workflow.relation_not_role", "role", r)
		case r == Admin || r == Security || r == Inspector:
			v.add(at, "workflow.role_decides_nothing", "role", r) // 三员 and inspectors stay out
		}
	}
}

func (v *validator) timers() {
	seen := map[TimerID]bool{}
	for i, t := range v.w.Timers {
		path := fmt.Sprintf("timers[%d]", i)
		if !word.MatchString(string(t.ID)) {
			v.add(path+".id", "workflow.bad_id", "id", t.ID)
		} else if seen[t.ID] {
			v.add(path+".id", "workflow.duplicate_id", "id", t.ID)
		}
		seen[t.ID] = true
		if t.Stage != "" {
			if _, ok := v.w.Stage(t.Stage); !ok {
				v.add(path+".stage", "workflow.unknown_stage", "stage", t.Stage)
			}
		}
		switch t.Anchor {
		case AtDeadline:
		case AtEntered, AtSubmitted, AtStageDue:
			// Nothing can be sent before the thing it counts from has happened; only due dates are known ahead.
			if t.Anchor != AtStageDue && t.Offset.Before() {
				v.add(path+".offset", "workflow.timer_before_anchor", "anchor", t.Anchor)
			}
			if s, ok := v.w.Stage(t.Stage); t.Anchor == AtStageDue && ok && s.Limit == (Limit{}) {
				v.add(path+".anchor", "workflow.anchor_without_limit", "stage", t.Stage)
			} else if t.Stage == "" && t.Anchor == AtEntered {
				v.add(path, "workflow.timer_needs_stage")
			}
		default:
			v.add(path+".anchor", "workflow.unknown_anchor", "anchor", t.Anchor)
		}
		if t.When != nil {
			v.uses(path+".when", *t.When)
		}
		if t.Offset.Days != 0 && t.Offset.Workdays != 0 {
			v.add(path+".offset", "workflow.bad_offset")
		}
		if !slices.Contains(Rungs, t.Rung) {
			v.add(path+".rung", "workflow.unknown_rung", "rung", string(t.Rung))
		}
		if len(t.To) == 0 {
			v.add(path+".to", "workflow.no_roles")
		}
		for j, r := range t.To {
			if !r.Known() && (r != Asked || t.Anchor != AtSubmitted) { // only a request asks anybody
				v.add(fmt.Sprintf("%s.to[%d]", path, j), "workflow.unknown_role", "role", string(r))
			}
		}
	}
}

func (v *validator) lights() {
	l := v.w.Lights
	for _, t := range []struct {
		name string
		Threshold
	}{{"yellow", l.Yellow}, {"orange", l.Orange}, {"red", l.Red}} {
		if t.Left < 0 || t.Left > 100 || t.Behind < 0 || t.Behind > 100 {
			v.add("lights."+t.name, "workflow.bad_threshold")
		}
	}
	if l.Orange.Left > 0 && l.Orange.Left >= l.Yellow.Left {
		v.add("lights.orange", "workflow.orange_not_after_yellow")
	}
	if l.Red.Behind > 0 && l.Yellow.Behind > 0 && l.Red.Behind <= l.Yellow.Behind {
		v.add("lights.red", "workflow.red_not_after_yellow")
	}
}

// graph checks that every stage can be reached from the first one and that 销号 can be reached from every stage.
// 退回 counts for neither: a stage that can only be returned to is not on the way.
func (v *validator) graph() {
	forward, backward := map[StageID][]StageID{}, map[StageID][]StageID{}
	for _, t := range v.w.Transitions {
		for _, from := range t.From {
			if t.To != Previous {
				forward[from] = append(forward[from], t.To)
				backward[t.To] = append(backward[t.To], from)
			}
		}
	}
	reached := reach(v.w.Initial(), forward)
	closing := reach(Closed, backward)
	if !reached[Closed] {
		v.add("transitions", "workflow.no_way_to_close")
	}
	for i, s := range v.w.Stages {
		path := fmt.Sprintf("stages[%d]", i)
		if !reached[s.ID] {
			v.add(path, "workflow.unreachable", "stage", s.ID)
		}
		if len(forward[s.ID]) == 0 {
			v.add(path, "workflow.dead_end", "stage", s.ID)
		} else if !closing[s.ID] {
			v.add(path, "workflow.stage_cannot_close", "stage", s.ID)
		}
	}
	if reached[Shelved] && !slices.ContainsFunc(v.w.From(Shelved), func(t Transition) bool { return !t.To.Resting() }) {
		v.add("transitions", "workflow.shelved_for_ever")
	}
}

func reach(start StageID, edges map[StageID][]StageID) map[StageID]bool {
	seen, todo := map[StageID]bool{start: true}, []StageID{start}
	for len(todo) > 0 {
		at := todo[0]
		todo = todo[1:]
		for _, to := range edges[at] {
			if !seen[to] {
				seen[to] = true
				todo = append(todo, to)
			}
		}
	}
	return seen
}
