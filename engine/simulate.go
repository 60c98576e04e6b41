package engine

import (
	"slices"
	"time"

	"bihuan/engine/calendar"
)

// Occurrence is one dated line of a simulation.
type Occurrence struct {
	At    time.Time
	Kind  string  // stage, light, rung, overdue, auto, deadline
	Stage StageID // the stage it happens in
	Timer TimerID // of a rung
	Rung  Rung
	To    []Role
	Light Light // of a light change
	// Unknown is set when the date depends on a year whose holiday list is not loaded.
	Unknown bool
}

// maxSimulated bounds a simulation in years: its cost grows with its length, and times have an end.
const maxSimulated = 10

// Simulate lists what the clock would do to a project that starts on start, takes every stage to its limit,
// reports nothing and is not closed out: every stage limit, reminder, light change, rung and automatic step, in
// order, with no database, so that a definition can be read as dates before anybody publishes it.
//
// Stages with a limit before the one that lasts until the deadline are laid from the start forwards, those after
// it from the deadline backwards.
func Simulate(w *Workflow, cal *calendar.Calendar, site Site, start, deadline calendar.Date) ([]Occurrence, error) {
	if !deadline.After(start) {
		return nil, invalid("deadline", "simulate.deadline_before_start")
	}
	if deadline.After(start.AddMonths(12 * maxSimulated)) {
		return nil, invalid("deadline", "deadline.too_far", "date", deadline)
	}
	plan := layStages(w, cal, start, deadline)
	c := &Case{Workflow: w, Calendar: cal, Site: site}
	began := start.At(site.RemindHour, site.RemindMin, site.Location)
	p := Project{Title: "simulation", Deadline: deadline, OriginalDeadline: deadline, DeadlineSetAt: &began, CreatedAt: began}

	var out []Occurrence
	light := Green
	for i, s := range plan {
		c.Now = s.from.At(site.RemindHour, site.RemindMin, site.Location)
		p.Stage, p.StageSince = s.stage.ID, c.Now
		if i > 0 && p.StartedAt == nil {
			p.StartedAt = at(c.Now)
		}
		out = append(out, Occurrence{At: c.Now, Kind: "stage", Stage: p.Stage, Unknown: !s.known})
		until := site.deadlineEnd(deadline).AddDate(0, 3, 0) // the last stage stays open, to show the whole ladder
		if i+1 < len(plan) {
			until = plan[i+1].from.At(site.RemindHour, site.RemindMin, site.Location)
		}
		from := c.Now
		out = append(out, c.run(&p, until)...)
		out = append(out, lightChanges(&p, from, until, &light)...)
	}
	out = append(out, Occurrence{At: deadline.Start(site.Location), Kind: "deadline", Stage: stageAt(out, deadline.Start(site.Location))})
	slices.SortStableFunc(out, func(a, b Occurrence) int { return a.At.Compare(b.At) })
	return out, nil
}

// run plays the clock over one stage.
func (c *Case) run(p *Project, until time.Time) []Occurrence {
	var out []Occurrence
	shown := map[TransitionID]bool{}
	for {
		c.schedule(p)
		owed := slices.DeleteFunc(c.owed(p), func(o occurrence) bool { return o.auto != nil && shown[o.auto.ID] })
		if len(owed) == 0 {
			return out
		}
		o := slices.MinFunc(owed, func(a, b occurrence) int { return a.at.Compare(b.at) })
		if !o.at.Before(until) {
			return out
		}
		if c.Now.Before(o.at) {
			c.Now = o.at
		}
		switch {
		case o.overdue:
			p.OverdueAt, p.EverOverdue = at(c.Now), true
		case o.auto != nil:
			// It would happen here; the simulation goes on as if it had not, to show the rest of the stage.
			shown[o.auto.ID] = true
		default:
			if p.Fired == nil {
				p.Fired = map[string]string{}
			}
			p.Fired[string(o.timer.ID)] = o.key
		}
		out = append(out, o.line(p.Stage))
	}
}

// lightChanges lists when the light changes from from on until until if nobody reports anything. light is the
// colour before, and then the colour after.
func lightChanges(p *Project, from, until time.Time, light *Light) []Occurrence {
	moments := []time.Time{from}
	for _, t := range []*time.Time{p.YellowAt, p.OrangeAt, p.RedAt} {
		if t != nil && t.After(from) {
			moments = append(moments, *t)
		}
	}
	slices.SortFunc(moments, time.Time.Compare)
	var out []Occurrence
	for _, t := range moments {
		if l := p.Light(t); t.Before(until) && l != *light {
			*light = l
			out = append(out, Occurrence{At: t, Kind: "light", Light: l, Stage: p.Stage})
		}
	}
	return out
}

func stageAt(list []Occurrence, t time.Time) StageID {
	var s StageID
	for _, o := range list {
		if o.Kind == "stage" && !o.At.After(t) {
			s = o.Stage
		}
	}
	return s
}

type laid struct {
	stage Stage
	from  calendar.Date
	known bool
}

// layStages dates the stages of the main road: the transitions that lead on, in the order of the definition.
func layStages(w *Workflow, cal *calendar.Calendar, start, deadline calendar.Date) []laid {
	var out []laid
	for _, s := range w.Stages {
		out = append(out, laid{stage: s})
	}
	last := slices.IndexFunc(w.Stages, func(s Stage) bool { return s.Limit.UntilDeadline })
	day, known := start, true
	step := func(n int) {
		next, sure := cal.AddWorkdays(day, n)
		day, known = next, known && sure
	}
	for i := range out { // forwards, up to and including the stage that lasts until the deadline
		out[i].from, out[i].known = day, known
		if i == last {
			break
		}
		step(out[i].stage.Limit.Workdays)
	}
	if last >= 0 {
		day, known = deadline, true
		for i := len(out) - 1; i > last; i-- { // backwards
			step(-out[i].stage.Limit.Workdays)
			if day.Before(out[last].from) {
				day = out[last].from // the deadline is nearer than the limits add up to
			}
			out[i].from, out[i].known = day, known
		}
	}
	return out
}
