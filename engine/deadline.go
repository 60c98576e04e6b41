package engine

import (
	"slices"
	"strings"
	"time"

	"bihuan/engine/calendar"
)

// deadlineEnd is the first moment after the deadline's day.
func (s Site) deadlineEnd(d calendar.Date) time.Time { return d.AddDays(1).Start(s.Location) }

// expired reports whether the project is past its deadline although nothing has recorded that yet.
func (c *Case) expired(p *Project) bool {
	return !p.Stage.Resting() && p.OverdueAt == nil && !p.Deadline.IsZero() && !c.Now.Before(c.Site.deadlineEnd(p.Deadline))
}

// schedule derives everything on the project that follows from its facts, the definition, the calendar and the
// present moment: when it is due, when its light changes if nothing happens, whose turn it is, and the earliest
// moment at which the clock owes something. It runs at the end of every change.
func (c *Case) schedule(p *Project) {
	p.StageDue, p.YellowAt, p.OrangeAt, p.RedAt, p.NextAt = nil, nil, nil, nil, nil
	p.CalendarUnknown = false
	p.Waiting = c.waiting(p)
	if p.Stage.Resting() {
		if o, ok := c.lookBackOwed(p); ok {
			p.NextAt = at(o.at)
		}
		return
	}
	c.lights(p)
	c.stageDue(p)
	for _, o := range c.owed(p) {
		p.CalendarUnknown = p.CalendarUnknown || o.unknown
		if p.NextAt == nil || o.at.Before(*p.NextAt) {
			p.NextAt = at(o.at)
		}
	}
}

// waiting says whose turn it is, as ",role,role,": those whose approval is asked, else those whose act the stage
// waits for.
func (c *Case) waiting(p *Project) string {
	var roles []Role
	stage, _ := c.Workflow.Stage(p.Stage)
	switch {
	case p.Request != nil:
		roles = c.askedRoles(p)
	case p.Stage == Closed && !p.LookBackDue.IsZero() && p.Fired[lookBackTold] == p.LookBackDue.String():
		roles = []Role{Inspector}
	case slices.Contains(stage.Acts, ActVerify):
		roles = []Role{Supervisor}
	case slices.Contains(stage.Acts, ActAcknowledge) && p.AcknowledgedAt == nil:
		roles = []Role{Owner}
	default:
		return ""
	}
	var b strings.Builder
	b.WriteString(",")
	for _, r := range roles {
		b.WriteString(string(r))
		b.WriteString(",")
	}
	return b.String()
}

// lights finds from when on the light is yellow, orange and red if nothing happens.
func (c *Case) lights(p *Project) {
	if p.Deadline.IsZero() {
		return
	}
	end := c.Site.deadlineEnd(p.Deadline)
	p.RedAt = at(end)
	start := p.CreatedAt
	if p.StartedAt != nil {
		start = *p.StartedAt
	}
	total := end.Sub(start)
	if total <= 0 {
		return
	}
	share := func(percent int) time.Time {
		// Whole microseconds, which is what both databases keep.
		return start.Add((total / 100 * time.Duration(percent)).Truncate(time.Microsecond))
	}
	earlier := func(dst **time.Time, t time.Time) {
		if t.Before(end) && (*dst == nil || t.Before(**dst)) {
			*dst = at(t)
		}
	}
	left := func(dst **time.Time, percent int) {
		if percent == 0 {
			return
		}
		t := share(100 - percent)
		if p.ReportedAt == nil || p.ReportedAt.Before(t) { // a report since then answers the warning
			earlier(dst, t)
		}
	}
	behind := func(dst **time.Time, points int, more time.Duration) {
		if points > 0 && p.StartedAt != nil && p.Progress+points < 100 {
			earlier(dst, share(p.Progress+points).Add(more))
		}
	}
	l := c.Workflow.Lights
	left(&p.YellowAt, l.Yellow.Left)
	behind(&p.YellowAt, l.Yellow.Behind, 0)
	left(&p.OrangeAt, l.Orange.Left)
	behind(&p.OrangeAt, l.Orange.Behind, 0)
	behind(&p.RedAt, l.Red.Behind, time.Microsecond) // red takes more than its points, yellow at least its own (银川 2025)
}

// stageDue sets when the present stage should be over.
func (c *Case) stageDue(p *Project) {
	stage, _ := c.Workflow.Stage(p.Stage)
	switch {
	case stage.Limit.UntilDeadline && !p.Deadline.IsZero():
		p.StageDue = at(c.Site.deadlineEnd(p.Deadline))
	case stage.Limit.Workdays > 0:
		day, known := c.Calendar.AddWorkdays(calendar.DateOf(p.StageSince, c.Site.Location), stage.Limit.Workdays)
		p.StageDue = at(c.Site.deadlineEnd(day))
		p.CalendarUnknown = p.CalendarUnknown || !known
	}
}

// occurrence is something that the clock owes: at the moment at, once for key.
type occurrence struct {
	at       time.Time
	timer    *Timer // nil for the two below
	key      string // anchor that the timer fires for
	overdue  bool
	auto     *Transition
	lookBack bool
	poll     bool
	unknown  bool // at depends on a year whose holiday list is not loaded
}

// owed lists what the clock owes this project now or later, as far as its present state tells, in no order. Rules
// are looked at from the project's last change on, so that after downtime each lies at the moment since which it
// has held.
func (c *Case) owed(p *Project) []occurrence {
	if p.Stage.Resting() {
		if o, ok := c.lookBackOwed(p); ok {
			return []occurrence{o}
		}
		return nil
	}
	var out []occurrence
	if p.OverdueAt == nil && !p.Deadline.IsZero() {
		out = append(out, occurrence{at: c.Site.deadlineEnd(p.Deadline), overdue: true})
	}
	if o, ok := c.pollOwed(p); ok {
		out = append(out, o)
	}
	for i := range c.Workflow.Timers {
		if o, ok := c.timer(p, &c.Workflow.Timers[i]); ok {
			out = append(out, o)
		}
	}
	for _, t := range c.Workflow.From(p.Stage) {
		if t.Trigger == OnRule && p.Request == nil {
			from := p.UpdatedAt
			if from.IsZero() || from.After(c.Now) {
				from = c.Now
			}
			if when, ok := c.holdsFrom(p, t.Require, from); ok {
				out = append(out, occurrence{at: when, auto: &t, unknown: c.guessed(p, t.Require, when)})
			}
		}
	}
	return out
}

// timer returns the timer's occurrence for the project if it is still owed.
func (c *Case) timer(p *Project, t *Timer) (occurrence, bool) {
	if t.Stage != "" && t.Stage != p.Stage {
		return occurrence{}, false
	}
	var anchor time.Time // the moment, for the key
	var day calendar.Date
	known, underDeadline := true, false
	switch t.Anchor {
	case AtDeadline:
		if p.Deadline.IsZero() {
			return occurrence{}, false
		}
		anchor, day, underDeadline = p.Deadline.Start(c.Site.Location), p.Deadline, true
	case AtEntered:
		anchor, day = p.StageSince, calendar.DateOf(p.StageSince, c.Site.Location)
	case AtSubmitted:
		if p.Request == nil {
			return occurrence{}, false
		}
		anchor, day = p.Request.At, calendar.DateOf(p.Request.At, c.Site.Location)
	case AtStageDue:
		if p.StageDue == nil {
			return occurrence{}, false
		}
		stage, _ := c.Workflow.Stage(p.Stage)
		anchor, day, underDeadline = p.StageSince, p.Deadline, stage.Limit.UntilDeadline
		if !underDeadline {
			day, known = c.Calendar.AddWorkdays(calendar.DateOf(p.StageSince, c.Site.Location), stage.Limit.Workdays)
		}
	}
	key := anchor.UTC().Format(time.RFC3339Nano)
	if underDeadline && t.Anchor != AtDeadline { // due again when the deadline moves
		key += " " + p.Deadline.String()
	}
	if p.Fired[string(t.ID)] == key {
		return occurrence{}, false
	}
	due, sure := t.Offset.from(day, c.Calendar)
	when := due.At(c.Site.RemindHour, c.Site.RemindMin, c.Site.Location)
	// A rung that lay in the past when the deadline was set was never owed under it, nor one that lay before the
	// stage in that stage.
	if underDeadline && p.DeadlineSetAt != nil && when.Before(*p.DeadlineSetAt) || t.Anchor == AtStageDue && when.Before(p.StageSince) {
		return occurrence{}, false
	}
	// Nor one that lay in the time in which the item was shelved: nobody was to work on it then.
	if underDeadline && p.Paused != nil && !when.Before(p.Paused.From) && when.Before(p.Paused.To) {
		return occurrence{}, false
	}
	o := occurrence{at: when, timer: t, key: key, unknown: !known || !sure}
	if t.When != nil {
		// Looked at from the day it falls due on, so that what downtime delayed keeps its place in the order.
		only := []Requirement{*t.When}
		holds, ok := c.holdsFrom(p, only, when)
		if !ok && c.Now.After(when) {
			holds, ok = c.holdsFrom(p, only, c.Now)
		}
		if !ok {
			return occurrence{}, false
		}
		o.at, o.unknown = holds, o.unknown || c.guessed(p, only, holds)
	}
	return o, true
}

// guessed reports whether the moment at which the requirements hold was found by counting working days of a year
// whose holiday list is not loaded.
func (c *Case) guessed(p *Project, list []Requirement, when time.Time) bool {
	if !slices.ContainsFunc(list, func(r Requirement) bool { return strings.Contains(r.Rule, "WorkdaysInStage") }) {
		return false
	}
	day := func(t time.Time) calendar.Date { return calendar.DateOf(t, c.Site.Location) }
	_, known := c.Calendar.Workdays(day(p.StageSince), day(when).AddDays(-1))
	return !known
}

// from applies the offset to a day.
func (o Offset) from(d calendar.Date, cal *calendar.Calendar) (calendar.Date, bool) {
	if o.Workdays != 0 {
		return cal.AddWorkdays(d, o.Workdays)
	}
	return d.AddDays(o.Days), true
}

// horizon is how many days ahead the clock looks for a rule that only time can make true.
const horizon = 400

// holdsFrom returns the first moment, not before from, at which all requirements hold if nothing but time
// passes. Facts that depend on time change at midnight only, so one look a day is exact.
func (c *Case) holdsFrom(p *Project, list []Requirement, from time.Time) (time.Time, bool) {
	later := *c
	later.Now = from
	for range horizon {
		facts := later.facts(p, "")
		met, steady := true, false
		for _, r := range list {
			if ok, err := r.Met(facts); !ok || err != nil {
				met, steady = false, steady || r.Steady
			}
		}
		if met {
			return later.Now, true
		}
		if steady { // waiting does not help
			break
		}
		later.Now = later.today().AddDays(1).Start(c.Site.Location)
	}
	return time.Time{}, false
}
