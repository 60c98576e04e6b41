package workflows

import (
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"

	"bihuan/engine"
)

// workflow reads the whole file. Timers keep the order of the file, whichever of the two sections comes first.
func (r *reader) workflow(n *yaml.Node) *engine.Workflow {
	w := &engine.Workflow{}
	r.object(n, "", members{
		"id":        func(n *yaml.Node, path string) { w.ID = r.text(n, path) },
		"version":   func(n *yaml.Node, path string) { w.Version = r.number(n, path) },
		"name":      func(n *yaml.Node, path string) { w.Name = r.translated(n, path) },
		"number":    func(n *yaml.Node, path string) { w.Prefix = r.text(n, path) },
		"create":    func(n *yaml.Node, path string) { w.Create = words[engine.Role](r, n, path) },
		"owner":     func(n *yaml.Node, path string) { w.Owner = words[engine.Role](r, n, path) },
		"off":       func(n *yaml.Node, path string) { w.Off = r.flag(n, path) },
		"fields":    func(n *yaml.Node, path string) { w.Fields = each(r, n, path, r.field) },
		"materials": func(n *yaml.Node, path string) { w.Materials = r.choices(n, path) },
		"yearly":    func(n *yaml.Node, path string) { w.Yearly = r.flag(n, path) },
		"extension": func(n *yaml.Node, path string) { w.Extension = r.extension(n, path) },
		"look_back": func(n *yaml.Node, path string) { w.LookBack = r.lookBack(n, path) },
		"lights":    func(n *yaml.Node, path string) { w.Lights = r.lights(n, path) },
		"stages": func(n *yaml.Node, path string) {
			r.list(n, path, func(n *yaml.Node, path string) { w.Stages = append(w.Stages, r.stage(n, path)) })
		},
		"transitions": func(n *yaml.Node, path string) {
			r.list(n, path, func(n *yaml.Node, path string) { w.Transitions = append(w.Transitions, r.transition(n, path)) })
		},
		"timers": func(n *yaml.Node, path string) { w.Timers = r.timers(n, path, w.Timers, false) },
		"ladder": func(n *yaml.Node, path string) { w.Timers = r.timers(n, path, w.Timers, true) },
	}, "id", "version", "number", "stages", "transitions")
	return w
}

func (r *reader) stage(n *yaml.Node, path string) engine.Stage {
	var s engine.Stage
	r.object(n, path, members{
		"id":        func(n *yaml.Node, path string) { s.ID = engine.StageID(r.text(n, path)) },
		"name":      func(n *yaml.Node, path string) { s.Name = r.translated(n, path) },
		"limit":     func(n *yaml.Node, path string) { s.Limit = r.limit(n, path) },
		"acts":      func(n *yaml.Node, path string) { s.Acts = words[engine.Act](r, n, path) },
		"return_to": func(n *yaml.Node, path string) { s.ReturnTo = words[engine.StageID](r, n, path) },
		"restart":   func(n *yaml.Node, path string) { s.Restart = r.flag(n, path) },
	}, "id")
	s.Name = r.named(s.Name, path)
	return s
}

// field reads one of the kind's own fields.
func (r *reader) field(n *yaml.Node, path string) engine.Field {
	var f engine.Field
	r.object(n, path, members{
		"id":   func(n *yaml.Node, path string) { f.ID = r.text(n, path) },
		"name": func(n *yaml.Node, path string) { f.Name = r.translated(n, path) },
		"hint": func(n *yaml.Node, path string) { f.Hint = r.translated(n, path) },
		"long": func(n *yaml.Node, path string) { f.Long = r.flag(n, path) },
	}, "id", "name")
	f.Name = r.named(f.Name, path)
	return f
}

// named keeps a name that could not be read at all from being reported a second time as missing.
func (r *reader) named(t engine.Text, path string) engine.Text {
	if t.ZH == "" && r.spoilt(path) {
		t.ZH = "?"
	}
	return t
}

func (r *reader) transition(n *yaml.Node, path string) engine.Transition {
	t := engine.Transition{Trigger: engine.OnSubmit}
	r.object(n, path, members{
		"id":      func(n *yaml.Node, path string) { t.ID = engine.TransitionID(r.text(n, path)) },
		"name":    func(n *yaml.Node, path string) { t.Name = r.translated(n, path) },
		"from":    func(n *yaml.Node, path string) { t.From = wordOrWords[engine.StageID](r, n, path) },
		"to":      func(n *yaml.Node, path string) { t.To = engine.StageID(r.text(n, path)) },
		"trigger": func(n *yaml.Node, path string) { t.Trigger = engine.Trigger(r.text(n, path)) },
		"submit":  func(n *yaml.Node, path string) { t.Submit = words[engine.Role](r, n, path) },
		"approve": func(n *yaml.Node, path string) { t.Approve = r.approvals(n, path) },
		"require": func(n *yaml.Node, path string) {
			r.list(n, path, func(n *yaml.Node, path string) { t.Require = append(t.Require, r.requirement(n, path)) })
		},
		"criteria": func(n *yaml.Node, path string) { t.Criteria = r.choices(n, path) },
		"grades":   func(n *yaml.Node, path string) { t.Grades = r.choices(n, path) },
	}, "id", "to")
	t.Name = r.named(t.Name, path)
	return t
}

// approvals reads a list of steps, or {in_order, steps}. A problem's path counts the steps in both.
func (r *reader) approvals(n *yaml.Node, path string) engine.Approvals {
	var a engine.Approvals
	if n.Kind != yaml.MappingNode {
		a.Steps = r.steps(n, path)
		return a
	}
	r.object(n, path, members{
		"in_order": func(n *yaml.Node, path string) { a.InOrder = r.flag(n, path) },
		"steps":    func(n *yaml.Node, _ string) { a.Steps = r.steps(n, path) },
	}, "steps")
	return a
}

// steps reads approval steps; a word alone is a step for one person of that role.
func (r *reader) steps(n *yaml.Node, path string) []engine.ApprovalStep {
	var out []engine.ApprovalStep
	r.list(n, path, func(n *yaml.Node, path string) {
		s := engine.ApprovalStep{Count: 1}
		if n.Kind == yaml.ScalarNode {
			s.Roles = []engine.Role{engine.Role(r.text(n, path))}
		} else {
			r.object(n, path, members{
				"roles": func(n *yaml.Node, path string) { s.Roles = words[engine.Role](r, n, path) },
				"count": func(n *yaml.Node, path string) { s.Count = r.number(n, path) },
				"at":    func(n *yaml.Node, path string) { s.At = engine.Level(r.text(n, path)) },
			})
		}
		out = append(out, s)
	})
	return out
}

func (r *reader) choices(n *yaml.Node, path string) []engine.Choice {
	var out []engine.Choice
	r.list(n, path, func(n *yaml.Node, path string) {
		var c engine.Choice
		r.object(n, path, members{
			"id":   func(n *yaml.Node, path string) { c.ID = r.text(n, path) },
			"name": func(n *yaml.Node, path string) { c.Name = r.translated(n, path) },
		}, "id")
		c.Name = r.named(c.Name, path)
		out = append(out, c)
	})
	return out
}

func (r *reader) requirement(n *yaml.Node, path string) engine.Requirement {
	var q engine.Requirement
	r.object(n, path, members{
		"id":      func(n *yaml.Node, path string) { q.ID = r.text(n, path) },
		"rule":    func(n *yaml.Node, path string) { r.rule(n, path, &q) },
		"name":    func(n *yaml.Node, path string) { q.Name = r.translated(n, path) },
		"message": func(n *yaml.Node, path string) { q.Message = r.translated(n, path) },
	}, "id", "rule")
	q.Message = r.named(q.Message, path)
	return q
}

// timers reads the timers of a section. Paths count the timers of both sections together, as
// engine.Workflow.Timers does.
func (r *reader) timers(n *yaml.Node, path string, before []engine.Timer, ladder bool) []engine.Timer {
	r.list(n, path, func(n *yaml.Node, _ string) {
		before = append(before, r.timer(n, index("timers", len(before)), ladder))
	})
	return before
}

func (r *reader) timer(n *yaml.Node, path string, ladder bool) engine.Timer {
	var t engine.Timer
	m := members{
		"id":     func(n *yaml.Node, path string) { t.ID = engine.TimerID(r.text(n, path)) },
		"offset": func(n *yaml.Node, path string) { t.Offset = r.offset(n, path) },
		"rung":   func(n *yaml.Node, path string) { t.Rung = engine.Rung(r.text(n, path)) },
		"to":     func(n *yaml.Node, path string) { t.To = words[engine.Role](r, n, path) },
		"when": func(n *yaml.Node, path string) {
			q := engine.Requirement{ID: "when"}
			r.rule(n, path, &q)
			t.When = &q
		},
	}
	required := []string{"id", "offset", "rung"}
	if ladder {
		t.Anchor = engine.AtDeadline
	} else {
		m["stage"] = func(n *yaml.Node, path string) { t.Stage = engine.StageID(r.text(n, path)) }
		m["anchor"] = func(n *yaml.Node, path string) { t.Anchor = engine.Anchor(r.text(n, path)) }
		required = append(required, "anchor")
	}
	r.object(n, path, m, required...)
	return t
}

var (
	limitText  = regexp.MustCompile(`^([0-9]{1,4})wd$`)
	offsetText = regexp.MustCompile(`^(-?[0-9]{1,4})(wd|d)$`)
)

func (r *reader) limit(n *yaml.Node, path string) engine.Limit {
	text := r.text(n, path)
	if text == "deadline" {
		return engine.Limit{UntilDeadline: true}
	}
	if m := limitText.FindStringSubmatch(text); m != nil {
		if days, _ := strconv.Atoi(m[1]); days > 0 {
			return engine.Limit{Workdays: days}
		}
	}
	if !r.broken[path] {
		r.add(n, path, "workflow.bad_limit", "text", text)
	}
	return engine.Limit{Workdays: 1} // some limit was meant, which timers may count from
}

func (r *reader) offset(n *yaml.Node, path string) engine.Offset {
	text := r.text(n, path)
	m := offsetText.FindStringSubmatch(text)
	if m == nil {
		if !r.broken[path] {
			r.add(n, path, "workflow.bad_offset", "text", text)
		}
		return engine.Offset{}
	}
	days, _ := strconv.Atoi(m[1]) // the pattern leaves nothing that could fail
	if m[2] == "wd" {
		return engine.Offset{Workdays: days}
	}
	return engine.Offset{Days: days}
}

func (r *reader) lights(n *yaml.Node, path string) engine.Lights {
	var l engine.Lights
	threshold := func(dst *engine.Threshold) func(n *yaml.Node, path string) {
		return func(n *yaml.Node, path string) {
			r.object(n, path, members{
				"left":   func(n *yaml.Node, path string) { dst.Left = r.number(n, path) },
				"behind": func(n *yaml.Node, path string) { dst.Behind = r.number(n, path) },
			})
		}
	}
	r.object(n, path, members{
		"yellow": threshold(&l.Yellow), "orange": threshold(&l.Orange), "red": threshold(&l.Red),
	})
	return l
}

func (r *reader) lookBack(n *yaml.Node, path string) engine.LookBackRule {
	var l engine.LookBackRule
	r.object(n, path, members{
		"months":  func(n *yaml.Node, path string) { l.Months = r.number(n, path) },
		"reopen":  func(n *yaml.Node, path string) { l.Reopen = engine.StageID(r.text(n, path)) },
		"approve": func(n *yaml.Node, path string) { l.Approve = r.steps(n, path) },
	}, "months", "reopen", "approve")
	return l
}

func (r *reader) extension(n *yaml.Node, path string) engine.ExtensionRule {
	var e engine.ExtensionRule
	r.object(n, path, members{
		"max":     func(n *yaml.Node, path string) { e.Max = r.number(n, path) },
		"months":  func(n *yaml.Node, path string) { e.Months = r.number(n, path) },
		"approve": func(n *yaml.Node, path string) { e.Approve = r.steps(n, path) },
	})
	return e
}
