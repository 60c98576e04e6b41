package workflows

import (
	"fmt"
	"slices"
	"strings"

	"bihuan/engine"
	"bihuan/engine/message"
)

// Graph draws a definition as a Mermaid stateDiagram-v2 in the given language: stages with their limits,
// transitions with who asks and who approves, 退回, and the states beside the loop. A transition that is possible
// from every stage leaves one node that stands for all of them. Equal definitions give equal text.
func Graph(w *engine.Workflow, lang string) string {
	g := graph{w: w, lang: lang}
	g.line(0, "stateDiagram-v2")
	g.line(1, "direction TB")
	for _, s := range w.Stages {
		g.stage(s)
	}
	for _, id := range []engine.StageID{engine.Closed, engine.Shelved, engine.Cancelled} {
		if g.leadsTo(id) {
			g.line(1, "state %s as %s", quote(w.StageName(id).In(lang)), node(id))
		}
	}
	if slices.ContainsFunc(w.Transitions, func(t engine.Transition) bool { return g.everywhere(t) || t.To == engine.Previous }) {
		g.line(1, "state %s as %s", quote(g.say("workflow.graph.any_stage")), anyStage)
	}
	g.line(1, "[*] --> %s : %s", node(w.Initial()), escape(g.say("workflow.graph.create", "roles", g.roles(w.Create))))
	for _, t := range w.Transitions {
		g.transition(t)
	}
	for _, s := range w.Stages {
		g.returns(s)
	}
	if l := w.LookBack; l.Reopen != "" {
		g.line(1, "%s --> %s : %s", node(engine.Closed), node(l.Reopen), strings.Join([]string{escape(g.say("workflow.graph.look_back", "n", l.Months)),
			escape(g.say("workflow.graph.approve", "steps", g.steps(engine.Approvals{InOrder: true, Steps: l.Approve})))}, "<br/>"))
	}
	for _, id := range []engine.StageID{engine.Closed, engine.Cancelled} {
		if g.leadsTo(id) && len(w.From(id)) == 0 {
			g.line(1, "%s --> [*]", node(id))
		}
	}
	return g.b.String()
}

type graph struct {
	w    *engine.Workflow
	lang string
	b    strings.Builder
}

// anyStage is the node that stands for all stages. Nodes of stages have a prefix, because a stage called "end" or
// "note" would be a word of Mermaid's.
const anyStage = "any_stage"

func node(id engine.StageID) string { return "s_" + string(id) }

// leadsTo reports whether any transition leads to the state.
func (g *graph) leadsTo(id engine.StageID) bool {
	return slices.ContainsFunc(g.w.Transitions, func(t engine.Transition) bool { return t.To == id })
}

// everywhere reports whether a transition leaves every stage, so that drawing it from each would hide the loop.
func (g *graph) everywhere(t engine.Transition) bool {
	for _, s := range g.w.Stages {
		if !slices.Contains(t.From, s.ID) {
			return false
		}
	}
	return len(g.w.Stages) > 1
}

func (g *graph) line(depth int, format string, args ...any) {
	g.b.WriteString(strings.Repeat("    ", depth))
	fmt.Fprintf(&g.b, format, args...)
	g.b.WriteByte('\n')
}

func (g *graph) say(key string, args ...any) string {
	return message.Text(g.lang, key, message.Args(args...))
}

func (g *graph) stage(s engine.Stage) {
	g.line(1, "state %s as %s", quote(s.Name.In(g.lang)), node(s.ID))
	switch {
	case s.Limit.UntilDeadline:
		g.line(1, "%s : %s", node(s.ID), escape(g.say("workflow.graph.until_deadline")))
	case s.Limit.Workdays > 0:
		g.line(1, "%s : %s", node(s.ID), escape(g.say("workflow.graph.workdays", "n", s.Limit.Workdays)))
	}
}

func (g *graph) transition(t engine.Transition) {
	to := node(t.To)
	if t.To == engine.Previous {
		to = anyStage
	}
	everywhere := g.everywhere(t)
	if everywhere {
		g.line(1, "%s --> %s : %s", anyStage, to, g.label(t))
	}
	for _, from := range t.From {
		if !everywhere || from.Resting() {
			g.line(1, "%s --> %s : %s", node(from), to, g.label(t))
		}
	}
}

// label says what a transition is called, who asks and who approves, or what sets it off.
func (g *graph) label(t engine.Transition) string {
	lines := []string{escape(t.Name.In(g.lang))}
	if t.To == engine.Previous {
		lines = append(lines, escape(g.say("workflow.graph.previous")))
	}
	switch t.Trigger {
	case engine.OnVerifyPassed, engine.OnVerifyFailed, engine.OnRule:
		lines = append(lines, escape(g.say("workflow.graph.trigger."+string(t.Trigger))))
	default:
		lines = append(lines, escape(g.say("workflow.graph.submit", "roles", g.roles(t.Submit))))
		if steps := g.steps(t.Approve); steps != "" {
			lines = append(lines, escape(g.say("workflow.graph.approve", "steps", steps)))
		}
	}
	return strings.Join(lines, "<br/>")
}

// steps writes approvals: an arrow between steps in order, a plus between those that are asked together.
func (g *graph) steps(a engine.Approvals) string {
	var out []string
	for _, s := range a.Steps {
		names := make([]string, len(s.Roles))
		for i, r := range s.Roles {
			names[i] = r.In(g.lang)
		}
		text := strings.Join(names, "/")
		if s.At != engine.Anywhere {
			text = g.say("workflow.graph.at."+string(s.At), "roles", text)
		}
		if s.Count > 1 {
			text += fmt.Sprintf(" ×%d", s.Count)
		}
		out = append(out, text)
	}
	if a.InOrder {
		return strings.Join(out, " → ")
	}
	return strings.Join(out, " + ")
}

// returns draws 退回. A stage that leads back to every earlier one gets one edge that says so.
func (g *graph) returns(s engine.Stage) {
	at := slices.IndexFunc(g.w.Stages, func(x engine.Stage) bool { return x.ID == s.ID })
	every := len(s.ReturnTo) > 1
	for _, earlier := range g.w.Stages[:at] {
		every = every && slices.Contains(s.ReturnTo, earlier.ID)
	}
	if every {
		g.line(1, "%s --> %s : %s", node(s.ID), node(g.w.Stages[at-1].ID), escape(g.say("workflow.graph.return_any")))
		return
	}
	for _, to := range s.ReturnTo {
		g.line(1, "%s --> %s : %s", node(s.ID), node(to), escape(g.say("workflow.graph.return")))
	}
}

func (g *graph) roles(list []engine.Role) []string {
	names := make([]string, len(list))
	for i, r := range list {
		names[i] = r.In(g.lang)
	}
	return names
}

// escape makes a text safe in a label: what Mermaid or HTML would read as syntax becomes a Mermaid entity, and
// whatever ends a line becomes a space.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case strings.ContainsRune("\"#;:<>{}[]|%&\\`*_~$", r):
			fmt.Fprintf(&b, "#%d;", r)
		case r < ' ' || r == 0x7f || r == '\u0085' || r == '\u2028' || r == '\u2029':
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func quote(s string) string { return `"` + escape(s) + `"` }
