package engine_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
)

// clockLine is what an entry of the clock says: "due action timer".
func clockLine(t tester, e audit.Entry) string {
	t.Helper()
	var data struct {
		Due        time.Time
		Timer      string
		Transition string
	}
	if err := json.Unmarshal(e.Data, &data); err != nil {
		t.Fatalf("%s: %v", e.Action, err)
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s %s%s", civil(data.Due), e.Action, data.Timer, data.Transition))
}

func clockLines(t tester, list []audit.Entry) []string {
	t.Helper()
	var out []string
	for _, e := range list {
		if e.Actor.Via == engine.ViaClock && e.Action != "reschedule" {
			out = append(out, clockLine(t, e))
		}
	}
	return out
}

func equalLines(t tester, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// 10 October 2026 is a Saturday that is worked for 国庆; the deadline is the Monday after.
var ladder = []string{
	"2026-10-08 09:00 rung before3", "2026-10-11 09:00 rung before1", "2026-10-13 00:00 overdue", "2026-10-13 09:00 rung after1",
	"2026-10-15 09:00 rung after3", "2026-10-20 09:00 rung after6",
}

func inAdvance(t tester, deadline string) *story {
	d := draft()
	d.Deadline = day(deadline)
	return tell(t, embedded(t, "shishi"), "2026-09-24 10:00", d).advanceTo("advance")
}

func TestLadder(t *testing.T) {
	s := inAdvance(t, "2026-10-12")
	before := len(s.reminders)
	equalLines(t, "rungs", clockLines(t, s.runTo(clockTime("2027-06-01 00:00"))), ladder)
	var got []string
	for _, r := range s.reminders[before:] {
		got = append(got, fmt.Sprintf("%s %s %s %s %s", r.Kind, r.Timer, r.Role, r.UserID, r.Deadline))
	}
	equalLines(t, "reminders", got, []string{
		"remind before3 owner u-owner 2026-10-12", "remind before1 owner u-owner 2026-10-12", "overdue  owner u-owner 2026-10-12",
		"urge after1 owner u-owner 2026-10-12", "urge after1 supervisor  2026-10-12",
		"supervise after3 supervisor  2026-10-12", "supervise after3 sponsor u-sponsor 2026-10-12", "bulletin after6 leader  2026-10-12",
	})
	if !s.p.EverOverdue || s.p.OverdueAt == nil || !s.p.OverdueAt.Equal(clockTime("2026-10-13 00:00")) || s.p.NextAt != nil {
		t.Errorf("overdue at %v, next %v", s.p.OverdueAt, s.p.NextAt)
	}
}

// However rarely or often the clock ticks, the same is recorded, in the order in which it fell due.
func TestLateAndDoubledTicksChangeNothingButTheDelay(t *testing.T) {
	rounds(t, 20)
	rapid.Check(t, func(t *rapid.T) {
		s := inAdvance(t, "2026-10-12")
		hours := rapid.SliceOfN(rapid.IntRange(0, 400), 0, 12).Draw(t, "hours")
		var got []string
		for _, h := range append(hours, 2000) {
			s.now = s.now.Add(time.Duration(h) * time.Hour)
			got = append(got, clockLines(t, s.sweep())...)
			if again := s.sweep(); len(again) > 0 {
				t.Fatalf("a doubled tick did %s", actions(again))
			}
		}
		equalLines(t, "rungs", got, ladder)
	})
}

func TestDowntimeIsCaughtUpInOrder(t *testing.T) {
	d := draft()
	d.Deadline = day("2026-10-12")
	s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", d).advanceTo("deploy")
	want := []string{
		"2026-09-29 09:00 rung acknowledge", "2026-09-30 09:00 rung acknowledge_late", "2026-10-08 09:00 rung before3",
		"2026-10-10 09:00 rung deploy_late", "2026-10-11 09:00 rung before1", "2026-10-13 00:00 overdue",
		"2026-10-13 09:00 rung after1", "2026-10-15 09:00 rung after3",
	}
	equalLines(t, "after three weeks", clockLines(t, s.at("2026-10-16 10:00").sweep()), want)
	equalLines(t, "and then", clockLines(t, s.at("2026-10-16 10:01").sweep()), nil)
	if !s.p.OverdueAt.Equal(s.now.Add(-time.Minute)) {
		t.Errorf("overdue is recorded for %s, when it was not", s.p.OverdueAt)
	}
	for _, e := range s.entries {
		var data struct {
			Due  time.Time `json:"due"`
			Late int64     `json:"late_seconds"`
		}
		if e.Action != "rung" {
			continue
		}
		if err := json.Unmarshal(e.Data, &data); err != nil || data.Late != int64(e.At.Sub(data.Due).Seconds()) {
			t.Errorf("%s: late by %d seconds (%v)", clockLine(t, e), data.Late, err)
		}
	}
}

func TestExtensionBringsTheRungsBack(t *testing.T) {
	s := inAdvance(t, "2026-10-12")
	s.at("2026-10-09 10:00").sweep()
	s.does(owner, engine.Extend{Deadline: day("2026-10-16"), Note: "施工方停工"})
	s.does(supervisor, engine.Approve{})
	// Three working days before the 16th are the 13th, the day before is the 15th.
	equalLines(t, "under the new deadline", clockLines(t, s.runTo(clockTime("2026-10-18 00:00"))), []string{
		"2026-10-13 09:00 rung before3", "2026-10-15 09:00 rung before1", "2026-10-17 00:00 overdue", "2026-10-17 09:00 rung after1"})

	s = inAdvance(t, "2026-10-12")
	s.at("2026-10-11 10:00").sweep()
	s.does(owner, engine.Extend{Deadline: day("2026-10-14"), Note: "施工方停工"})
	s.does(supervisor, engine.Approve{})
	// Three working days before the 14th are the 10th, which had passed when the deadline was set.
	equalLines(t, "what was past is never owed", clockLines(t, s.runTo(clockTime("2026-10-15 10:00"))), []string{
		"2026-10-13 09:00 rung before1", "2026-10-15 00:00 overdue", "2026-10-15 09:00 rung after1"})
}

func TestStageTimersStartAnewWithTheStage(t *testing.T) {
	s := tell(t, embedded(t, "shishi"), "2026-10-12 10:00", draft()).advanceTo("deploy")
	equalLines(t, "first time", clockLines(t, s.runTo(clockTime("2026-10-21 00:00"))), []string{
		"2026-10-14 09:00 rung acknowledge", "2026-10-15 09:00 rung acknowledge_late", "2026-10-20 09:00 rung deploy_late"})
	s.does(supervisor, engine.Return{To: "plan", Note: "措施要重写"})
	s.advanceTo("deploy")
	equalLines(t, "second time", clockLines(t, s.runTo(clockTime("2026-11-01 00:00"))), []string{
		"2026-10-23 09:00 rung acknowledge", "2026-10-26 09:00 rung acknowledge_late", "2026-10-29 09:00 rung deploy_late"})
	s.does(owner, evidence())
	s.ask("shelve")
	s.at("2026-11-09 10:00")
	s.ask("resume")
	equalLines(t, "after 挂账", clockLines(t, s.runTo(clockTime("2026-11-18 00:00"))), []string{
		"2026-11-11 09:00 rung acknowledge", "2026-11-12 09:00 rung acknowledge_late", "2026-11-17 09:00 rung deploy_late"})
}

func TestAcknowledgingStopsItsTimers(t *testing.T) {
	s := tell(t, embedded(t, "shishi"), "2026-10-12 10:00", draft()).advanceTo("deploy")
	s.runTo(clockTime("2026-10-14 10:00"))
	s.does(owner, engine.Acknowledge{})
	equalLines(t, "then", clockLines(t, s.runTo(clockTime("2026-10-21 00:00"))), []string{"2026-10-20 09:00 rung deploy_late"})

	s = tell(t, embedded(t, "shishi"), "2026-10-12 10:00", draft()).advanceTo("deploy")
	s.at("2026-10-16 10:00").does(owner, engine.Acknowledge{}) // no tick meanwhile: what is no longer so is not sent
	equalLines(t, "then", clockLines(t, s.runTo(clockTime("2026-10-20 00:00"))), nil)
}

func TestPendingRequestIsReminded(t *testing.T) {
	s := inAdvance(t, "2026-11-30")
	s.ready()
	s.at("2026-10-09 16:00").does(owner, engine.Submit{Transition: "track"})
	equalLines(t, "first", clockLines(t, s.runTo(clockTime("2026-10-20 00:00"))), []string{"2026-10-13 09:00 rung unanswered"})
	s.does(supervisor, engine.Return{Note: "材料不全"})
	s.at("2026-10-20 16:00").does(owner, engine.Submit{Transition: "track"})
	s.does(owner, engine.Withdraw{})
	equalLines(t, "withdrawn", clockLines(t, s.runTo(clockTime("2026-10-26 00:00"))), nil)
	s.does(owner, engine.Submit{Transition: "track"})
	equalLines(t, "again", clockLines(t, s.runTo(clockTime("2026-11-02 00:00"))), []string{"2026-10-29 09:00 rung unanswered"})
}

// A stage that lasts until the deadline is due again when the deadline moves.
func TestStageDueFollowsTheDeadline(t *testing.T) {
	w := small(func(w *engine.Workflow) {
		w.Stages[1].Limit = engine.Limit{UntilDeadline: true}
		w.Timers = []engine.Timer{{ID: "due", Stage: "work", Anchor: engine.AtStageDue, Offset: engine.Offset{Days: -2}, Rung: engine.Remind,
			To: []engine.Role{engine.Owner, engine.Owner}}}
	})
	s := working(t, w)
	equalLines(t, "first", clockLines(t, s.runTo(clockTime("2026-11-29 10:00"))), []string{"2026-11-28 09:00 rung due"})
	s.does(owner, engine.Extend{Deadline: day("2026-12-10"), Note: "施工方停工"})
	s.does(supervisor, engine.Approve{})
	equalLines(t, "extended", clockLines(t, s.runTo(clockTime("2026-12-09 10:00"))), []string{"2026-12-08 09:00 rung due"})
	s.does(owner, engine.Extend{Deadline: day("2026-12-11"), Note: "施工方停工"})
	s.does(leader, engine.Approve{})
	equalLines(t, "past when the deadline was set", clockLines(t, s.runTo(clockTime("2026-12-11 10:00"))), nil)
}

// A twin of the year 2027 for tests: two holidays, one worked Saturday.
func with2027(t tester) *calendar.Calendar {
	t.Helper()
	cal, err := calendar.Embedded().With([]calendar.Day{
		{Date: day("2027-01-01"), Name: "元旦", Off: true}, {Date: day("2027-01-04"), Name: "元旦", Off: true},
		{Date: day("2027-01-09"), Name: "元旦"}, {Date: day("2027-02-08"), Name: "春节", Off: true}, {Date: day("2027-10-01"), Name: "国庆节", Off: true}})
	if err != nil {
		t.Fatalf("%v", err)
	}
	return cal
}

func TestUnknownYearIsSaidAndRescheduled(t *testing.T) {
	d := draft()
	d.Deadline = day("2027-01-06")
	s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", d).advanceTo("advance")
	if !s.p.CalendarUnknown {
		t.Fatal("dates of 2027 pass for known")
	}
	if got := civil(*s.p.NextAt); got != "2027-01-01 09:00" {
		t.Errorf("the guess is %s", got) // Friday, Monday and Tuesday would be worked in a common week
	}
	for _, o := range engine.ComingCase(s.moment(owner), &s.p) {
		if want := o.Timer == "before3" || o.Timer == "after3" || o.Timer == "after6"; o.Unknown != want {
			t.Errorf("%s %s: unknown %v, want %v", o.Kind, o.Timer, o.Unknown, want)
		}
	}
	s.cal = with2027(t)
	s.does(engine.ClockActor(), engine.Reschedule)
	if s.p.CalendarUnknown || civil(*s.p.NextAt) != "2026-12-30 09:00" {
		t.Errorf("unknown %v, next %s", s.p.CalendarUnknown, civil(*s.p.NextAt))
	}
}

func TestDatesInKnownYearsAreNotCalledUnknown(t *testing.T) {
	if s := inAdvance(t, "2026-11-30"); s.p.CalendarUnknown {
		t.Error("2026 passes for unknown")
	}
}
