package engine_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

// selfClosing closes by rule after some working days in its stage, with timers around that day.
func selfClosing(days int, also ...engine.Requirement) *engine.Workflow {
	return small(func(w *engine.Workflow) {
		counted := rule("days", func(f engine.Facts) bool { return f.WorkdaysInStage >= days })
		counted.Rule = "WorkdaysInStage >= N"
		w.Transitions = append(w.Transitions, engine.Transition{ID: "auto", Name: engine.Text{ZH: "自动"}, From: []engine.StageID{"work"},
			To: engine.Closed, Trigger: engine.OnRule, Require: append([]engine.Requirement{counted}, also...)})
		for id, wd := range map[engine.TimerID]int{"early": 2, "late": 8} {
			w.Timers = append(w.Timers, engine.Timer{ID: id, Stage: "work", Anchor: engine.AtEntered, Offset: engine.Offset{Workdays: wd},
				Rung: engine.Remind, To: []engine.Role{engine.Owner}})
		}
	})
}

func TestAutomaticTransitionHappensOnTheVeryDay(t *testing.T) {
	for _, c := range []struct {
		name, entered string
		days          int
		want          string
	}{
		{"over a weekend", "2026-11-04 10:00", 5, "2026-11-12 00:00"}, // 5 6 9 10 11
		{"on a Friday", "2026-11-06 10:00", 1, "2026-11-10 00:00"},
		{"over 国庆 with a worked Saturday", "2026-09-28 23:59", 5, "2026-10-11 00:00"}, // 29 30 8 9 10
		{"entered just before midnight", "2026-11-03 23:59", 1, "2026-11-05 00:00"},
		{"entered just after midnight", "2026-11-04 00:00", 1, "2026-11-06 00:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := tell(t, selfClosing(c.days), "2026-09-24 10:00", draft())
			s.at(c.entered).does(owner, engine.Submit{Transition: "begin"})
			s.runTo(clockTime(c.want).Add(-time.Microsecond))
			if s.p.Stage != "work" {
				t.Fatalf("left before %s", c.want)
			}
			s.runTo(clockTime(c.want))
			if s.p.Stage != engine.Closed || !s.p.ClosedAt.Equal(clockTime(c.want)) {
				t.Errorf("stage %s, closed at %v, want %s", s.p.Stage, s.p.ClosedAt, c.want)
			}
		})
	}
}

// After downtime, the stage is left before the timers that would never have fired in it, and after those that
// would have.
func TestAutomaticTransitionKeepsItsPlaceAfterDowntime(t *testing.T) {
	want := []string{"2026-11-06 09:00 rung early", "2026-11-12 00:00 auto auto"}
	for _, when := range []string{"2026-11-12 00:00", "2026-11-16 12:00", "2026-12-24 12:00"} {
		s := tell(t, selfClosing(5), "2026-11-02 10:00", draft())
		s.at("2026-11-04 10:00").does(owner, engine.Submit{Transition: "begin"})
		s.at(when)
		equalLines(t, when, clockLines(t, s.sweep()), want)
		if s.p.Stage != engine.Closed || s.p.EverOverdue {
			t.Errorf("%s: stage %s, ever overdue %v", when, s.p.Stage, s.p.EverOverdue)
		}
	}
}

// When a rule comes to hold because somebody did something, that is the moment it was due.
func TestAutomaticTransitionIsDueFromTheDeedOn(t *testing.T) {
	s := tell(t, selfClosing(1, rule("summary", func(f engine.Facts) bool { return f.Summary != "" })), "2026-11-02 10:00", draft())
	s.does(owner, engine.Submit{Transition: "begin"})
	s.runTo(clockTime("2026-11-20 10:00"))
	s.does(owner, engine.Summarize{Summary: "亮了"})
	s.at("2026-11-20 10:05")
	equalLines(t, "then", clockLines(t, s.sweep()), []string{"2026-11-20 10:00 auto auto"})
}

func TestPendingRequestHoldsAutomaticTransitionsUp(t *testing.T) {
	s := tell(t, selfClosing(1), "2026-11-02 10:00", draft())
	s.does(owner, engine.Submit{Transition: "begin"})
	s.does(owner, engine.Extend{Deadline: day("2026-12-31"), Note: "施工方停工"})
	s.runTo(clockTime("2026-11-09 10:00"))
	if s.p.Stage != "work" {
		t.Fatal("it happened over a pending request")
	}
	s.does(supervisor, engine.Approve{})
	if s.sweep(); s.p.Stage != engine.Closed {
		t.Errorf("stage %s", s.p.Stage)
	}
}

// The entry names the rule and its inputs, and no project is too wordy for that.
func TestAutomaticEntryCanBeArguedWith(t *testing.T) {
	d := draft()
	d.Need, d.Target, d.Measures = strings.Repeat("需", 1500), strings.Repeat("成", 1500), strings.Repeat("举", 1500)
	s := tell(t, selfClosing(1), "2026-11-02 10:00", d)
	s.does(owner, engine.Submit{Transition: "begin"})
	s.does(owner, engine.Summarize{Summary: strings.Repeat("总", 1500), Lasting: strings.Repeat("长", 1500)})
	list := s.runTo(clockTime("2026-11-10 10:00"))
	e := list[len(list)-1]
	if e.Action != "auto" || s.p.Stage != engine.Closed {
		t.Fatalf("%s, stage %s", e.Action, s.p.Stage)
	}
	var data struct {
		Rules map[string]string
		Facts engine.Facts
	}
	if err := json.Unmarshal(e.Data, &data); err != nil || data.Rules["days"] == "" || data.Facts.WorkdaysInStage != 1 || data.Facts.Title != d.Title {
		t.Errorf("%v: %+v", err, data)
	}
}

func TestAutomaticTransitionInAnUnknownYear(t *testing.T) {
	d := draft()
	d.Deadline = calendar.Date{}
	s := tell(t, selfClosing(5), "2026-12-28 10:00", d)
	s.w.Timers = nil
	s.does(owner, engine.Submit{Transition: "begin"})
	if !s.p.CalendarUnknown {
		t.Error("a day of 2027 passes for known")
	}
	if got := civil(*s.p.NextAt); got != "2027-01-05 00:00" { // 29 30 31 1 4
		t.Errorf("the guess is %s", got)
	}
	s.cal = with2027(t)
	s.does(engine.ClockActor(), engine.Reschedule)
	if got := civil(*s.p.NextAt); s.p.CalendarUnknown || got != "2027-01-07 00:00" { // 29 30 31 5 6
		t.Errorf("unknown %v, next %s", s.p.CalendarUnknown, got)
	}
}

// Two stages that send a project to and fro keep the clock busy for one sweep's bound, not for ever.
func TestCircleOfAutomaticTransitionsEnds(t *testing.T) {
	w := small(func(w *engine.Workflow) {
		always := []engine.Requirement{rule("always", func(engine.Facts) bool { return true })}
		w.Stages = append(w.Stages, engine.Stage{ID: "rest", Name: engine.Text{ZH: "歇"}})
		w.Transitions = append(w.Transitions,
			engine.Transition{ID: "to", From: []engine.StageID{"work"}, To: "rest", Trigger: engine.OnRule, Require: always},
			engine.Transition{ID: "fro", From: []engine.StageID{"rest"}, To: "work", Trigger: engine.OnRule, Require: always})
	})
	s := working(t, w)
	changes := engine.OwedTo(w, s.cal, site, s.now.AddDate(0, 0, 30), "test/1", s.id, s.p)
	if n := len(changes); n == 0 || n > 20 {
		t.Errorf("%d changes in one sweep", n)
	}
	for _, change := range changes {
		s.now = change.Entry.At
		s.take(engine.ClockActor(), change)
	}
}

// Any rule over what time changes happens on the first day on which it holds.
func TestAutomaticTransitionsAreExact(t *testing.T) {
	rounds(t, 30)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(-3, 30).Draw(t, "n")
		met := func(f engine.Facts) bool { return f.WorkdaysInStage >= n }
		if rapid.Bool().Draw(t, "by days left") {
			met = func(f engine.Facts) bool { return f.DaysLeft <= n }
		}
		w := small(func(w *engine.Workflow) {
			w.Transitions = append(w.Transitions, engine.Transition{ID: "auto", From: []engine.StageID{"work"}, To: engine.Closed,
				Trigger: engine.OnRule, Require: []engine.Requirement{rule("when", met)}})
		})
		s := tell(t, w, "2026-01-05 10:00", draft())
		s.now = s.now.Add(time.Duration(rapid.IntRange(0, 300*24*60).Draw(t, "minutes")) * time.Minute)
		s.does(owner, engine.Submit{Transition: "begin"})
		entered := calendar.DateOf(s.now, shanghai)
		holds := func(d calendar.Date) bool {
			worked, _ := s.cal.Workdays(entered, d.AddDays(-1))
			return met(engine.Facts{WorkdaysInStage: max(worked, 0), DaysLeft: d.DaysUntil(s.p.Deadline)})
		}
		d := entered
		for !holds(d) {
			d = d.AddDays(1)
		}
		s.runTo(s.now.AddDate(1, 2, 0))
		if s.p.Stage != engine.Closed {
			t.Fatalf("still in %s", s.p.Stage)
		}
		if got := calendar.DateOf(*s.p.ClosedAt, shanghai); got != d {
			t.Fatalf("entered %s, closed on %s, want %s", entered, got, d)
		}
	})
}
