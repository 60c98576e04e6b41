package engine_test

import (
	"fmt"
	"strings"

	"github.com/google/go-cmp/cmp"

	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/engine/score"
	"bihuan/workflows"
)

// scores compares every unit's score with what its rows and the fates of its items make of the sheet, computed here
// without the trail; and a past date's figures with those that were computed on that date.
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
	for _, x := range h.items { // once: every unit is scored by them
		p, err := h.db.Project(ctx, x.ID)
		if err != nil {
			h.t.Fatal(err)
		}
		x.Project = p
	}
	for _, sheet := range workflows.Sheets() {
		table := book.Score(sheet)
		if len(table.Units) != len(units) {
			h.t.Fatalf("%d units have a score, there are %d", len(table.Units), len(units))
		}
		if sheet.ID == "ccit" {
			continue // compared by its parts in package score
		}
		for _, u := range units {
			got, ok := table.Unit(u.ID)
			if want := h.byHand(u, sheet.ID); !ok || got.Total.String() != want.total || got.Items != want.items {
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
// branches' projects of the year.
func (h *halfYear) byHand(u engine.Unit, sheet string) handScore {
	var closed, closedLate, urged, never, sentBack, falsified, yes, votes int
	for _, x := range h.items {
		p := &x.Project
		if !strings.HasPrefix(p.UnitPath, u.Path) {
			continue
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
	}
	return out
}
