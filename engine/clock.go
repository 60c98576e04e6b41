package engine

import (
	"slices"
	"time"

	"bihuan/engine/calendar"
)

// onClock is the command of the sweep: do the earliest thing that the clock owes at this moment. Late or doubled
// calls change nothing but the delay, because what is owed is computed from stored facts each time.
type onClock struct {
	since time.Time // the project's last change before this sweep; zero: its last change
	tally *Survey   // of the project's poll, where that is over
}

// nothingOwed is the answer of onClock when no occurrence is due.
var nothingOwed = &Error{Kind: Blocked, Key: "clock.nothing_owed"}

func (x onClock) apply(c *Case, p *Project) (outcome, error) {
	if !x.since.IsZero() {
		p.UpdatedAt = x.since // until decide sets it
	}
	due := c.dueNow(p)
	if len(due) == 0 {
		return outcome{}, nothingOwed
	}
	o := due[0]
	late := c.Now.Sub(o.at).Truncate(1e9)
	data := map[string]any{"due": o.at}
	if late > 0 {
		data["late_seconds"] = int64(late.Seconds())
	}
	switch {
	case o.overdue:
		p.OverdueAt = at(c.Now)
		p.EverOverdue = true
		data["deadline"] = p.Deadline
		return outcome{action: "overdue", data: data,
			owed: []Reminder{{Kind: "overdue", Role: Owner, DueAt: o.at, Deadline: p.Deadline}}}, nil
	case o.poll:
		if x.tally == nil {
			return outcome{}, nothingOwed
		}
		return c.count(p, *x.tally, data), nil
	case o.lookBack:
		if p.Fired == nil {
			p.Fired = map[string]string{}
		}
		p.Fired[lookBackTold] = o.key
		return outcome{action: "look_back_due", data: data, owed: []Reminder{{Kind: string(actLookBack), Role: Inspector, DueAt: o.at}}}, nil
	case o.auto != nil:
		from := p.Stage
		// The entry names the rule and its inputs, so that 销号 by rule can be argued with.
		data["transition"], data["rules"], data["facts"] = o.auto.ID, rules(o.auto.Require), c.facts(p, "").inputs()
		if err := c.move(p, *o.auto); err != nil {
			return outcome{}, err
		}
		return outcome{action: "auto", from: from, to: p.Stage, data: data,
			owed: []Reminder{{Kind: "transition", Role: Owner}}}, nil
	}
	t := o.timer
	if p.Fired == nil {
		p.Fired = map[string]string{}
	}
	p.Fired[string(t.ID)] = o.key
	data["timer"], data["rung"], data["to"] = t.ID, t.Rung, c.addressees(p, t)
	out := outcome{action: "rung", data: data}
	for _, r := range c.addressees(p, t) {
		out.owed = append(out.owed, Reminder{Kind: string(t.Rung), Timer: t.ID, Role: r, DueAt: o.at, Deadline: p.Deadline})
	}
	return out, nil
}

// addressees returns the roles and relations that a timer speaks to at this moment.
func (c *Case) addressees(p *Project, t *Timer) []Role {
	var out []Role
	for _, r := range t.To {
		roles := []Role{r}
		if r == Asked {
			roles = c.askedRoles(p)
		}
		for _, x := range roles {
			if !slices.Contains(out, x) {
				out = append(out, x)
			}
		}
	}
	return out
}

// dueNow lists what is owed at this moment in the order in which it fell due. The flag of 逾期 comes before the
// rungs of the same moment, an automatic transition after them.
func (c *Case) dueNow(p *Project) []occurrence {
	var due []occurrence
	for _, o := range c.owed(p) {
		if !o.at.After(c.Now) {
			due = append(due, o)
		}
	}
	slices.SortStableFunc(due, func(a, b occurrence) int { return a.at.Compare(b.at) })
	return due
}

func rules(list []Requirement) map[string]string {
	out := map[string]string{}
	for _, r := range list {
		out[r.ID] = r.Rule
	}
	return out
}

// reschedule recomputes the clock's columns after the calendar changed.
type reschedule struct{}

func (reschedule) apply(_ *Case, _ *Project) (outcome, error) {
	return outcome{action: "reschedule"}, nil
}

// Repin moves a project to another version of its workflow.
type repin struct{}

func (repin) apply(c *Case, p *Project) (outcome, error) {
	if p.Request != nil {
		return outcome{}, blocked("request.pending")
	}
	for _, id := range []StageID{p.Stage, p.Resume} {
		if _, ok := c.Workflow.Stage(id); !ok && id != "" && !id.Resting() {
			return outcome{}, blocked("workflow.stage_gone", "stage", id)
		}
	}
	from := p.Definition
	p.Definition = c.Workflow.Digest
	switch {
	case !c.Workflow.Yearly:
		p.Year = 0
	case p.Year == 0:
		p.Year = calendar.DateOf(p.CreatedAt, c.Site.Location).Year()
	}
	return outcome{action: "repin", data: map[string]any{"from": from, "to": c.Workflow.Digest, "version": c.Workflow.Version}}, nil
}

// line is the occurrence as people read it.
func (o occurrence) line(stage StageID) Occurrence {
	out := Occurrence{At: o.at, Stage: stage, Unknown: o.unknown}
	switch {
	case o.overdue:
		out.Kind = "overdue"
	case o.auto != nil:
		out.Kind = "auto"
	case o.poll:
		out.Kind = "poll"
	case o.lookBack:
		out.Kind = string(actLookBack)
	default:
		out.Kind, out.Timer, out.Rung, out.To = "rung", o.timer.ID, o.timer.Rung, o.timer.To
	}
	return out
}

// coming lists what is owed from now on, soonest first.
func (c *Case) coming(p *Project) []Occurrence {
	var out []Occurrence
	for _, o := range c.owed(p) {
		out = append(out, o.line(p.Stage))
	}
	for _, l := range []struct {
		light Light
		at    *time.Time
	}{{Yellow, p.YellowAt}, {Orange, p.OrangeAt}, {Red, p.RedAt}} {
		if !p.Stage.Resting() && l.at != nil && l.at.After(c.Now) && p.Light(*l.at) == l.light {
			out = append(out, Occurrence{At: *l.at, Kind: "light", Light: l.light, Stage: p.Stage})
		}
	}
	slices.SortStableFunc(out, func(a, b Occurrence) int { return a.At.Compare(b.At) })
	return out
}
