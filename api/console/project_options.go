package console

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"bihuan/engine"
)

// addOptions sorts what the engine explains into the checklist of the next stage, the forms that this person may
// send, and the rest with the reasons why not.
func (c *Console) addOptions(v *visit, p *engine.Project, w *engine.Workflow, options []engine.Option, words map[string]string, view *projectView, a *attempt) {
	view.Gate = c.gate(v, p, w, options)
	if p.Request != nil {
		view.Pending = c.pending(v, p, w)
	}
	open := v.g.Query("open")
	found := false
	for _, o := range options {
		if o.Act == "submit" && o.Trigger != engine.OnSubmit {
			continue // nobody asks for it; the checklist says what sets it off
		}
		if o.Act == "edit" && o.Allowed {
			view.CanEdit = true
			continue
		}
		if !o.Allowed {
			view.Blocked = append(view.Blocked, c.blocked(v, o))
			continue
		}
		f := c.actionForm(v, p, w, o, words)
		if o.Act == "find_false" {
			f.Fields[0].Choices = evidenceChoices(view.Evidence)
		}
		f.Open = open != "" && f.ID == "do-"+open
		if a != nil && a.id() == f.ID {
			f.keep(a.values)
			f.blame(v, a.err)
			found = true
		}
		view.Forms = append(view.Forms, f)
		if o.Act == "survey" { // the same act, by a link instead of from paper
			view.Forms = append(view.Forms, c.pollForms(v, p, a)...)
		}
	}
	slices.SortStableFunc(view.Forms, func(x, y form) int { return urgency(x) - urgency(y) })
	if a != nil && !found {
		view.Problem, view.Typed = a.err.In(v.lang), c.typed(v, *a)
	}
	if len(view.Forms) > 0 && !slices.ContainsFunc(view.Forms, func(f form) bool { return f.Open }) && a == nil {
		switch view.Forms[0].ID { // the one thing that waits for this person lies open
		case "do-approve", "do-acknowledge", "do-verify":
			view.Forms[0].Open = true
		}
	}
}

// urgency puts answers that others wait for first and the ways out of the loop last.
func urgency(f form) int {
	switch f.ID {
	case "do-approve":
		return 0
	case "do-return":
		if f.Danger && len(f.Fields) > 0 && !f.Fields[0].Required { // with a request it answers, without one it sends back
			return 1
		}
		return 8
	case "do-acknowledge", "do-verify":
		return 2
	}
	if strings.HasPrefix(f.ID, "do-submit-") {
		if f.Danger {
			return 9
		}
		return 3
	}
	return 5
}

// blocked says why somebody cannot do something now.
func (c *Console) blocked(v *visit, o engine.Option) blockedView {
	out := blockedView{Icon: actionIcons[o.Act], Name: v.t("do." + o.Act)}
	if o.Act == "submit" {
		out.Name = v.t("console.submit.title", "name", o.Name, "stage", o.ToName)
	}
	for _, r := range o.Reasons {
		if !r.Met && !r.Note {
			out.Why = append(out.Why, r.In(v.lang))
		}
	}
	return out
}

// required reports whether a reason is one of the definition's requirements, and not about the person asking.
func required(r engine.Reason) bool { return r.Text.ZH != "" }

// gate is the checklist of the way forward: the first transition in the definition that leaves the stage.
func (c *Console) gate(v *visit, p *engine.Project, w *engine.Workflow, options []engine.Option) *gate {
	i := slices.IndexFunc(options, func(o engine.Option) bool { return o.Act == "submit" })
	if i < 0 {
		return nil
	}
	o := options[i]
	g := &gate{}
	missing, met, all := 0, 0, 0
	for _, r := range o.Reasons {
		if !required(r) {
			continue
		}
		all++
		x := check{State: "ok", Icon: "circle-check", Text: r.In(v.lang), Status: v.t("console.check.ok")}
		switch {
		case r.Met:
			met++
		case r.Note:
			x.State, x.Icon, x.Status = "lock", "pencil", v.t("console.check.note")
		default:
			missing++
			x.State, x.Icon, x.Status = "todo", "alert-triangle", v.t("console.check.todo")
			x.Href, x.Do = c.remedy(v, p, w, o.Transition, r.ID, options)
		}
		g.Checks = append(g.Checks, x)
	}
	if o.Trigger != engine.OnSubmit {
		g.Lead = v.t("console.gate.trigger."+string(o.Trigger), "stage", o.ToName)
		if o.Trigger == engine.OnVerifyPassed {
			missing++
			x := check{State: "todo", Icon: "shield-check", Text: o.Name.In(v.lang), Status: v.t("console.check.wait")}
			x.Href, x.Do = c.offer(v, p, "verify", options)
			g.Checks = append(g.Checks, x)
			all++
		}
	}
	switch {
	case missing > 0:
		g.Title = v.t("console.gate.missing", "stage", o.ToName, "n", missing)
	case p.Request != nil:
		g.Title = v.t("console.gate.asked", "stage", o.ToName)
	default:
		g.Title, g.Ready = v.t("console.gate.ready", "stage", o.ToName), true
	}
	g.Count = v.t("console.gate.count", "met", met, "all", all, "version", w.Version)
	return g
}

// remedies are the acts that change a fact that a rule speaks of.
var remedies = []struct{ fact, act string }{
	{"Acknowledged", "acknowledge"}, {"MilestonesDone", "tick"}, {"Milestones", "milestones"}, {"RouteGaps", "milestones"}, {"Evidence", "evidence"}, {"Summary", "summarize"},
	{"Lasting", "summarize"}, {"OpenObjections", "answer"}, {"SatisfiedRate", "survey"}, {"Votes", "survey"}, {"Verified", "verify"}, {"Reports", "report"},
	{"Progress", "report"}, {"Need", "edit"}, {"Target", "edit"}, {"Measures", "edit"}, {"HasOwner", "edit"}, {"HasSponsor", "edit"},
	{"HasDeadline", "edit"}, {"List", "edit"}, {"Category", "edit"}, {"Assisting", "edit"}, {"Fields", "edit"}, {"Materials", "evidence"}, {"Statement", "statement"},
}

// remedy finds the act that would settle a requirement, if the engine allows this person to do it.
func (c *Console) remedy(v *visit, p *engine.Project, w *engine.Workflow, transition engine.TransitionID, id string, options []engine.Option) (href, name string) {
	t, ok := w.Transition(transition)
	if !ok {
		return "", ""
	}
	i := slices.IndexFunc(t.Require, func(r engine.Requirement) bool { return r.ID == id })
	if i < 0 {
		return "", ""
	}
	for _, x := range remedies {
		if strings.Contains(t.Require[i].Rule, x.fact) {
			if href, name = c.offer(v, p, x.act, options); href != "" {
				return href, name
			}
		}
	}
	return "", ""
}

// offer is the link to an act's form, if the engine allows the act.
func (c *Console) offer(v *visit, p *engine.Project, act string, options []engine.Option) (href, name string) {
	if !slices.ContainsFunc(options, func(o engine.Option) bool { return o.Act == act && o.Allowed }) {
		return "", ""
	}
	if act == "edit" {
		return "/projects/" + string(p.ID) + "/edit", v.t("do.edit")
	}
	return "/projects/" + string(p.ID) + "?open=" + act + "#do-" + act, v.t("do." + act)
}

// pending describes the request that waits for an answer.
func (c *Console) pending(v *visit, p *engine.Project, w *engine.Workflow) *pending {
	r := p.Request
	out := &pending{By: c.names.user(v, r.By), At: c.moment(r.At), Note: r.Note}
	if r.Kind == engine.RequestExtension {
		out.What, out.From, out.To = v.t("do.extend"), p.Deadline.String(), r.Deadline.String()
	} else if r.Finding != nil {
		out.What = v.t("console.finding.asked")
		if r.Finding.Lift != "" {
			out.What = v.t("console.finding.asked_lift")
		} else if !r.Deadline.IsZero() {
			out.From, out.To = w.StageName(p.Stage).In(v.lang), w.StageName(w.LookBack.Reopen).In(v.lang)
		}
	} else if r.LookBack != nil {
		out.What = v.t("console.look_back.asked", "result", v.verdict(r.LookBack.Passed))
		if !r.LookBack.Passed {
			out.From, out.To = w.StageName(p.Stage).In(v.lang), w.StageName(w.LookBack.Reopen).In(v.lang)
		}
	} else {
		t, _ := w.Transition(r.Transition)
		to := t.To
		if to == engine.Previous {
			to = p.Resume
		}
		out.What, out.From, out.To = t.Name.In(v.lang), w.StageName(p.Stage).In(v.lang), w.StageName(to).In(v.lang)
	}
	var roles []string
	for name := range strings.SplitSeq(strings.Trim(p.Waiting, ","), ",") {
		if name != "" {
			roles = append(roles, engine.Role(name).In(v.lang))
		}
	}
	out.Waits = strings.Join(roles, v.t("list.comma"))
	for _, g := range r.Given {
		out.Given = append(out.Given, v.t("console.given", "by", c.names.user(v, g.By), "role", g.Role, "at", c.moment(g.At))+suffix(g.Note))
	}
	return out
}

func suffix(note string) string {
	if note == "" {
		return ""
	}
	return " · " + note
}

// reportView reads a progress report out of its entry.
func (c *Console) reportView(v *visit, e *engine.EntryRow) reportView {
	var d told
	if json.Unmarshal(e.Data, &d) != nil {
		d = told{}
	}
	who := c.names.user(v, engine.UserID(e.Actor.ID))
	return reportView{Who: who, Initial: initial(who), At: c.moment(e.At), Percent: fmt.Sprintf("%d%%", d.Report.Percent),
		Done: d.Report.Done, Next: d.Report.Next, Problems: d.Report.Problems, Support: d.Report.Support}
}
