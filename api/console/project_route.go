package console

import (
	"encoding/json"
	"slices"
	"strings"

	"bihuan/engine"
)

// routeStage is one stage of the 路线图: who does what in it, in which order.
type routeStage struct {
	State string // done, now, ""
	Name  string
	Doing []routeStep
}

// routeStep is one thing to do, by whom, and until when.
type routeStep struct {
	What, Who, Yes string // Yes: whose approval it needs
	After          string // the steps that it follows
	When           string
	Done           bool
}

// route lays the milestones and the steps from stage to stage in the order in which they come: what the 时间表 says
// by date, it says by person.
func (c *Console) route(v *visit, p *engine.Project, w *engine.Workflow, s *schedule) []routeStage {
	at := slices.IndexFunc(w.Stages, func(x engine.Stage) bool { return x.ID == p.Stage })
	if p.Stage == engine.Shelved {
		at = slices.IndexFunc(w.Stages, func(x engine.Stage) bool { return x.ID == p.Resume })
	}
	if p.Stage == engine.Closed {
		at = len(w.Stages)
	}
	ticked := slices.IndexFunc(w.Stages, func(x engine.Stage) bool { return slices.Contains(x.Acts, engine.ActTick) }) // where they are begun
	out := make([]routeStage, 0, len(w.Stages))
	for i, stage := range w.Stages {
		x := routeStage{Name: stage.Name.In(v.lang)}
		switch {
		case i < at:
			x.State = "done"
		case i == at && !p.Stage.Resting():
			x.State = "now"
		}
		if i == ticked {
			for _, m := range s.Rows {
				step := routeStep{What: m.Title, Who: m.Who, When: m.Due + " " + m.State, Done: !m.Open}
				if before := followed(p, m.ID); len(before) > 0 {
					step.After = v.t("console.route.after", "steps", strings.Join(before, v.t("list.comma")))
				}
				switch {
				case step.Who == "" && w.WantsRoute():
					step.Who = v.t("console.route.nobody")
				case step.Who == "":
					step.Who = c.names.user(v, p.Owner)
				}
				x.Doing = append(x.Doing, step)
			}
		}
		next := engine.Closed
		if i+1 < len(w.Stages) {
			next = w.Stages[i+1].ID
		}
		for _, t := range w.Transitions {
			if t.To != next || !slices.Contains(t.From, stage.ID) {
				continue
			}
			row := c.transitionRow(v, w, t)
			x.Doing = append(x.Doing, routeStep{What: row.Name, Who: row.Who, Yes: row.Approve, When: v.limit(stage.Limit), Done: i < at})
		}
		out = append(out, x)
	}
	return out
}

// followed are the titles of the milestones that a milestone comes after.
func followed(p *engine.Project, id string) []string {
	var out []string
	for _, a := range p.Milestones[id].After {
		if m, ok := p.Milestones[a]; ok {
			out = append(out, m.Title)
		}
	}
	return out
}

// extensionView is a request for more time, with both dates and what became of it.
type extensionView struct {
	From, To     string
	By, At, Note string
	Outcome      string
	Class        string // g approved, r not, y waits
	Answer       string // by whom and why
}

// extensions reads from the entries what was asked for and what was answered. One request waits at a time.
func (c *Console) extensions(v *visit, entries []engine.EntryRow) []extensionView {
	var out []extensionView
	open := false
	for i := range entries {
		e := &entries[i]
		var d told
		if len(e.Data) > 0 && json.Unmarshal(e.Data, &d) != nil {
			d = told{}
		}
		who := c.names.user(v, engine.UserID(e.Actor.ID))
		if e.Action == "extend" {
			out = append(out, extensionView{From: text(d.From), To: text(d.To), By: who, At: c.moment(e.At), Note: e.Note,
				Outcome: v.t("console.extension.waits"), Class: "y"})
			open = true
			continue
		}
		if !open {
			continue
		}
		x := &out[len(out)-1]
		switch {
		case e.Action == "approve" && len(d.To) > 0:
			x.Outcome, x.Class = v.t("console.extension.approved"), "g"
		case e.Action == "return" || e.Action == "withdraw":
			x.Outcome, x.Class = v.actionName(e.Action), "r"
		default:
			continue
		}
		x.Answer, open = who+" · "+c.moment(e.At)+suffix(e.Note), false
	}
	return out
}
