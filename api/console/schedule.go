package console

import (
	"slices"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

// schedule is the 时间表: milestones as a table that one can read on paper, with a bar for each.
type schedule struct {
	From, To  string
	Ticks     []tick
	Rows      []milestoneView
	Today     int // offset of today in percent, −1 when it lies outside
	Done, All int
	CanChange bool
	ProjectID string
	Version   int64
}

// tick is a date on the scale.
type tick struct {
	X    int
	Text string
}

// milestoneView is a milestone with its bar in percent of the scale.
type milestoneView struct {
	ID, Title, Who string
	Number         int
	Due, DueExact  string
	State, Class   string
	Note           string
	X, W, Label    int
	Left           bool // the label stands before the bar's end, for lack of room behind it
	Open           bool
	After          []choice // the other milestones, chosen those that it comes after
}

// schedule lays the milestones on a scale from the project's start to its last date.
func (c *Console) schedule(v *visit, p *engine.Project, today calendar.Date, canChange bool) schedule {
	loc := c.Engine.Site.Location
	out := schedule{Today: -1, All: len(p.Milestones), Done: p.MilestonesDone(), CanChange: canChange, ProjectID: string(p.ID), Version: p.Version}
	from := calendar.DateOf(p.CreatedAt, loc)
	if p.StartedAt != nil {
		from = calendar.DateOf(*p.StartedAt, loc)
	}
	to := p.Deadline
	for _, m := range p.Milestones {
		if to.IsZero() || m.Due.After(to) {
			to = m.Due
		}
		if m.Due.Before(from) {
			from = m.Due
		}
	}
	if to.IsZero() || !to.After(from) {
		to = from.AddDays(30)
	}
	span := from.DaysUntil(to) + 1
	at := func(d calendar.Date) int { return min(100, max(0, 100*from.DaysUntil(d)/span)) }
	out.From, out.To = shortDate(from, today), shortDate(to, today)
	if !today.Before(from) && !today.After(to) {
		out.Today = at(today)
	}
	for i := range 5 {
		d := from.AddDays(i * span / 5)
		out.Ticks = append(out.Ticks, tick{at(d), shortDate(d, today)})
	}
	before := from
	for i, id := range milestoneIDs(p) {
		m := p.Milestones[id]
		row := milestoneView{ID: id, Title: m.Title, Who: m.Who, Number: i + 1, Due: shortDate(m.Due, today), DueExact: m.Due.String(), Note: m.DoneNote, Open: m.DoneAt == nil}
		end := m.Due
		switch {
		case m.DoneAt != nil:
			done := calendar.DateOf(*m.DoneAt, loc)
			row.Class, row.State = "ok", v.t("console.milestone.done", "date", shortDate(done, today))
			if done.After(m.Due) {
				row.State = v.t("console.milestone.done_late", "date", shortDate(done, today))
			}
		case today.After(m.Due):
			row.Class = "late"
			n, _ := c.Engine.Working().Workdays(m.Due, today)
			row.State = v.t("console.milestone.late", "n", max(1, n))
		case !today.Before(before):
			row.Class, row.State = "go", v.t("console.milestone.next")
		default:
			row.State = v.t("console.milestone.later")
		}
		row.X = at(before)
		row.W = max(2, at(end.AddDays(1))-row.X)
		row.X = min(row.X, 100-row.W)
		row.Label = row.X + row.W
		if row.Label > 70 {
			row.Left, row.Label = true, row.X
		}
		if canChange && row.Open {
			for _, x := range milestoneChoices(p, false) {
				if x.Value != id {
					x.Selected = slices.Contains(m.After, x.Value)
					row.After = append(row.After, x)
				}
			}
		}
		before = m.Due
		out.Rows = append(out.Rows, row)
	}
	return out
}
