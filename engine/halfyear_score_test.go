package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/google/go-cmp/cmp"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
	"bihuan/engine/score"
	"bihuan/workflows"
)

// scores compares every unit's score with what its rows and the fates of its items make of the sheets, computed here
// anew; and a past date's figures with those that were computed on that date.
func (h *halfYear) scores() {
	h.t.Helper()
	ctx := h.t.Context()
	q := score.Query{From: day("2026-01-01"), To: day("2026-06-30"), Location: shanghai, Calendar: calendar.Embedded()}
	h.until("2026-07-01") // the period is over; some items are now overdue that were not
	book, err := score.Read(ctx, h.db, q)
	if err != nil {
		h.t.Fatal(err)
	}
	units, err := h.db.Units(ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	h.entries = map[string]audit.Entry{}
	for _, x := range h.items { // once: every unit is scored by them
		p, err := h.db.Project(ctx, x.ID)
		if err != nil {
			h.t.Fatal(err)
		}
		x.Project, x.counts = p, h.told(&p, q.To)
	}
	for _, b := range h.ofYear {
		h.fresh(b)
		b.counts = h.told(&b.Project, q.To)
	}
	for _, sheet := range workflows.Sheets() {
		table := book.Score(sheet)
		if len(table.Units) != len(units) {
			h.t.Fatalf("%d units have a score, there are %d", len(table.Units), len(units))
		}
		for _, u := range units {
			got, ok := table.Unit(u.ID)
			if !ok {
				h.t.Fatalf("%s: %s has no score", sheet.ID, u.Name)
			}
			for _, l := range got.Lines {
				for _, r := range l.Refs {
					if e, there := h.entries[r.ID]; !there || e.Subject != r.Subject || e.Seq != r.Seq || !e.At.Equal(r.At) || e.Action != r.Action {
						h.t.Errorf("%s, %s: a line of %s names an entry that is not there: %+v", sheet.ID, u.Name, l.Row, r)
					}
				}
			}
			if want := h.byHand(u, sheet.ID); got.Total.String() != want.total || got.Items != want.items {
				h.t.Errorf("%s, %s: %s points for %d items, by hand %s for %d", sheet.ID, u.Name, got.Total, got.Items, want.total, want.items)
			}
		}
	}
	for moment, before := range h.earlier {
		q.AsOf = clockTime(moment)
		again, err := score.Read(ctx, h.db, q)
		if err != nil {
			h.t.Fatal(err)
		}
		if diff := cmp.Diff(before.Units, again.Score(workflows.Sheets()[0]).Units); diff != "" {
			h.t.Errorf("the figures of %s are others today:\n%s", moment, diff)
		}
	}
	if len(h.earlier) != 3 {
		h.t.Errorf("%d earlier moments were compared", len(h.earlier))
	}
}

// remember computes the score of today, to be compared with what is computed for today later on.
func (h *halfYear) remember() {
	h.t.Helper()
	now := h.clock.now()
	book, err := score.Read(h.t.Context(), h.db, score.Query{From: day("2026-01-01"), To: day("2026-06-30"), AsOf: now.UTC(),
		Location: shanghai, Calendar: calendar.Embedded()})
	if err != nil {
		h.t.Fatal(err)
	}
	if h.earlier == nil {
		h.earlier = map[string]*score.Table{}
	}
	h.earlier[now.Format("2006-01-02 15:04")] = book.Score(workflows.Sheets()[0])
}

type handScore struct {
	total string
	items int
}

// byHand scores a unit by §8 of the domain, from the rows of its items and from what the test did to them and to the
// branches' projects of the year; what only the days of their steps tell, from the states that the entries fold to.
func (h *halfYear) byHand(u engine.Unit, sheet string) handScore {
	var closed, closedLate, urged, never, sentBack, falsified, lasts, lapsed, yes, votes int
	var of counts
	for _, x := range h.items {
		p := &x.Project
		if !strings.HasPrefix(p.UnitPath, u.Path) {
			continue
		}
		of.add(&x.counts)
		switch {
		case x.of == 0 && x.fate == "extended":
			lasts++
		case x.of == 0 && x.fate == "looked back on":
			lapsed++
		}
		switch x.fate {
		case "rated badly":
			sentBack++
		case "late":
			never++
		}
		if p.Stage != engine.Closed {
			continue
		}
		closed++
		if p.EverOverdue {
			closedLate++
		}
		yes += p.Survey.VerySatisfied + p.Survey.Satisfied + p.Survey.Basic
		votes += p.Survey.Votes()
	}
	onTime := closed - closedLate
	for _, b := range h.ofYear {
		if !strings.HasPrefix(b.UnitPath, u.Path) {
			continue
		}
		w := b.worth
		of.add(&b.counts)
		onTime, closedLate, urged, never = onTime+w.onTime, closedLate+w.late, urged+w.urged, never+w.never
		sentBack, falsified, yes, votes = sentBack+w.sentBack, falsified+w.falsified, yes+w.yes, votes+w.votes
	}
	out := handScore{items: onTime + closedLate + urged + never}
	switch sheet {
	case "default":
		n := 100 + min(onTime, 5) - closedLate - 2*urged - 10*never - 2*sentBack - 10*falsified
		if votes > 0 && float64(yes)/float64(votes) >= 0.95 {
			n += 2
		}
		out.total = fmt.Sprint(n)
	case "jiamusi":
		out.total = fmt.Sprint(onTime - closedLate - urged - never - 2*sentBack)
	case "ccit":
		ended := onTime + closedLate + urged // struck off, in time or not
		n := of.stages.of(15) + tally{onTime, ended + never}.of(25) + of.milestones.of(15) + tally{yes, votes}.of(20) +
			tally{of.lasting, ended}.of(5) + of.passed.of(10) + 100*min(onTime, 10) + 100*min(of.praised+2*lasts, 10) -
			100*min(closedLate+2*urged+5*never+3*lapsed+10*falsified, 10)
		out.total = score.Points(n).String()
	}
	return out
}

// tally is a count of what was as it should be, and of all.
type tally struct{ yes, all int }

func (c *tally) add(ok bool) {
	c.all++
	if ok {
		c.yes++
	}
}

// of is the share of a weight, in hundredths of a point.
func (c tally) of(weight int) int {
	if c.all == 0 {
		return 0
	}
	return int(math.Floor(float64(100*weight*c.yes)/float64(c.all) + 0.5))
}

// counts are what a project brings to the measures of the CCIT sheet.
type counts struct {
	stages, milestones, passed tally
	lasting, praised           int
}

func (c *counts) add(x *counts) {
	for _, s := range []struct{ sum, one *tally }{{&c.stages, &x.stages}, {&c.milestones, &x.milestones}, {&c.passed, &x.passed}} {
		s.sum.yes, s.sum.all = s.sum.yes+s.one.yes, s.sum.all+s.one.all
	}
	c.lasting, c.praised = c.lasting+x.lasting, c.praised+x.praised
}

// told counts by the whole states that a project's entries fold to, up to the end of the last day of the period.
func (h *halfYear) told(p *engine.Project, last calendar.Date) counts {
	h.t.Helper()
	var out counts
	var before, after engine.Project
	chain := audit.NewChain(p.Subject())
	for _, row := range h.trail(p.Subject()) {
		if calendar.DateOf(row.At, shanghai).After(last) {
			break
		}
		stored, err := row.Row()
		if err != nil {
			h.t.Fatal(err)
		}
		chain.Add(stored)
		h.entries[row.ID] = row.Entry
		before, after = after, engine.Project{}
		var data struct {
			Request   engine.RequestKind `json:"request"`
			Milestone string             `json:"milestone"`
		}
		if err := errors.Join(json.Unmarshal(chain.State(), &after), json.Unmarshal(row.Data, &data)); err != nil {
			h.t.Fatal(err)
		}
		back := data.Request != engine.RequestLookBack && (row.Action == "return" || after.Round > before.Round)
		left := !back && before.Stage != "" && before.Stage != after.Stage && !before.Stage.Resting() && (!after.Stage.Resting() || after.Stage == engine.Closed)
		if left && before.StageDue != nil {
			out.stages.add(row.At.Before(*before.StageDue))
		}
		switch row.Action {
		case "approve", "verify", "return":
			if left || back {
				out.passed.add(left)
			}
		case "tick":
			out.milestones.add(!calendar.DateOf(row.At, shanghai).After(after.Milestones[data.Milestone].Due))
		}
	}
	for _, m := range after.Milestones {
		if m.DoneAt == nil && !after.Stage.Resting() && !m.Due.After(last) {
			out.milestones.add(false)
		}
	}
	if after.Stage == engine.Closed {
		if after.Lasting != "" {
			out.lasting++
		}
		if s := after.Survey; 100*(s.VerySatisfied+s.Satisfied+s.Basic) >= 98*s.Votes() {
			out.praised++
		}
	}
	return out
}
