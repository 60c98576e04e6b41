package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/workflows"
)

// open is a definition with its timers, limits and lights, but without anything that could stop a transition.
func open(w *engine.Workflow) *engine.Workflow {
	c := *w
	c.Transitions = nil
	for i := range c.Stages[1:] {
		c.Transitions = append(c.Transitions, engine.Transition{ID: engine.TransitionID(fmt.Sprintf("go%d", i)), From: []engine.StageID{c.Stages[i].ID},
			To: c.Stages[i+1].ID, Trigger: engine.OnSubmit, Submit: []engine.Role{engine.Owner}})
	}
	return &c
}

func occurrenceLine(o engine.Occurrence) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s%s", civil(o.At), o.Kind, o.Timer, o.Light))
}

// What a simulation says is what the clock does to a project that takes every stage to its limit and that nobody
// reports on.
func TestSimulationIsWhatTheClockDoes(t *testing.T) {
	for _, w := range workflows.Embedded() {
		t.Run(w.ID, func(t *testing.T) {
			rounds(t, 10)
			rapid.Check(t, func(t *rapid.T) {
				start := day("2024-01-01").AddDays(rapid.IntRange(0, 700).Draw(t, "start"))
				deadline := start.AddDays(rapid.IntRange(1, 250).Draw(t, "days"))
				if deadline.Year() > 2026 {
					deadline = day("2026-12-31")
				}
				simulated, err := engine.Simulate(w, calendar.Embedded(), site, start, deadline)
				if err != nil {
					t.Fatalf("%v", err)
				}
				d := draft()
				d.Deadline = deadline
				s := untold(t, open(w), start.At(9, 0, shanghai))
				s.free = true
				s.does(also(supervisor, engine.Secretary, branch), create(d))
				var want, got []string
				light := map[time.Time]engine.Light{}
				next := 0
				for _, o := range simulated {
					switch o.Kind {
					case "stage":
						if next > 0 {
							got = append(got, clockLines(t, s.runTo(o.At.Add(-time.Microsecond)))...)
							s.now = o.At
							s.does(owner, engine.Submit{Transition: engine.TransitionID(fmt.Sprintf("go%d", next-1))})
						}
						if next++; s.p.Stage != o.Stage {
							t.Fatalf("simulated %s, the project is in %s", o.Stage, s.p.Stage)
						}
					case "light":
						light[o.At] = o.Light
					case "rung", "overdue":
						want = append(want, strings.TrimSpace(fmt.Sprintf("%s %s %s", civil(o.At), o.Kind, o.Timer)))
						if o.Stage != s.p.Stage {
							t.Fatalf("%s is said to happen in %s, it happens in %s", occurrenceLine(o), o.Stage, s.p.Stage)
						}
					}
				}
				got = append(got, clockLines(t, s.runTo(site.EndOf(&s.p).AddDate(0, 3, 0).Add(-time.Microsecond)))...)
				slices.Sort(want)
				slices.Sort(got)
				equalLines(t, fmt.Sprintf("%s, %s to %s", w.ID, start, deadline), got, want)

				// From the last stage on nothing but time changes the light.
				for at, l := range light {
					if at.Before(s.p.StageSince) {
						continue
					}
					if now := s.p.Light(at); now != l {
						t.Fatalf("%s: simulated %s, the light is %s", at, l, now)
					}
				}
			})
		})
	}
}

// At every moment the light is the last one that the simulation named.
func TestSimulatedLights(t *testing.T) {
	for _, c := range []struct{ name, start, deadline string }{
		{"half a year", "2026-03-02", "2026-08-31"},
		{"so short that the light changes in 谋划", "2026-03-02", "2026-03-20"},
		{"shorter than 谋划", "2026-03-02", "2026-03-06"},
		{"a day", "2026-03-02", "2026-03-03"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := open(embedded(t, "shishi"))
			simulated, err := engine.Simulate(w, calendar.Embedded(), site, day(c.start), day(c.deadline))
			if err != nil {
				t.Fatal(err)
			}
			d := draft()
			d.Deadline = day(c.deadline)
			s := untold(t, w, day(c.start).At(9, 0, shanghai))
			s.does(supervisor, create(d))
			light, next := engine.Green, 0
			for i, o := range simulated {
				switch o.Kind {
				case "stage":
					if next > 0 {
						s.now = o.At
						s.does(owner, engine.Submit{Transition: engine.TransitionID(fmt.Sprintf("go%d", next-1))})
					}
					next++
				case "light":
					light = o.Light
				}
				if i+1 < len(simulated) && simulated[i+1].At.Equal(o.At) {
					continue
				}
				if got := s.p.Light(o.At); got != light {
					t.Errorf("%s after %s: simulated %s", got, occurrenceLine(o), light)
				}
			}
		})
	}
}

func TestSimulateShishi(t *testing.T) {
	simulated, err := engine.Simulate(embedded(t, "shishi"), calendar.Embedded(), site, day("2026-09-24"), day("2026-11-30"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range simulated {
		if o.Kind == "stage" {
			got = append(got, fmt.Sprintf("%s %s", calendar.DateOf(o.At, shanghai), o.Stage))
		}
		if o.Unknown {
			t.Errorf("%s passes for unknown", occurrenceLine(o))
		}
	}
	equalLines(t, "stages", got, []string{"2026-09-24 plan", "2026-10-12 deploy", "2026-10-19 advance", "2026-11-02 track", "2026-11-09 feedback", "2026-11-23 effect"})
	if !slices.IsSortedFunc(simulated, func(a, b engine.Occurrence) int { return a.At.Compare(b.At) }) {
		t.Error("not in order")
	}
}

func TestSimulateSaysWhatItGuesses(t *testing.T) {
	simulated, err := engine.Simulate(embedded(t, "shishi"), calendar.Embedded(), site, day("2026-09-24"), day("2027-01-20"))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range simulated {
		// Stages laid backwards from a deadline in 2027 and rungs around it are guesses; so are timers that
		// count from those stages. Calendar days, lights and the deadline itself are not.
		want := false
		switch {
		case o.Kind == "stage":
			want = o.Stage == "track" || o.Stage == "feedback" || o.Stage == "effect"
		case o.Timer == "before3", o.Timer == "after3", o.Timer == "after6":
			want = true
		case strings.HasSuffix(string(o.Timer), "_late"):
			want = calendar.DateOf(o.At, shanghai).Year() > 2026
		}
		if o.Unknown != want {
			t.Errorf("%s: unknown %v, want %v", occurrenceLine(o), o.Unknown, want)
		}
	}
}

func TestSimulateShowsAutomaticStepsAndTheRestOfTheStage(t *testing.T) {
	w := selfClosing(5)
	w.Stages[1].Limit = engine.Limit{UntilDeadline: true}
	simulated, err := engine.Simulate(w, calendar.Embedded(), site, day("2026-11-04"), day("2026-11-30"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range simulated {
		if o.Kind != "light" {
			got = append(got, occurrenceLine(o))
		}
	}
	equalLines(t, "lines", got, []string{"2026-11-04 09:00 stage", "2026-11-04 09:00 stage", "2026-11-06 09:00 rung early",
		"2026-11-12 00:00 auto", "2026-11-16 09:00 rung late", "2026-11-30 00:00 deadline", "2026-12-01 00:00 overdue"})
}

func TestSimulateEndsForACircle(t *testing.T) {
	always := []engine.Requirement{rule("always", func(engine.Facts) bool { return true })}
	w := small(func(w *engine.Workflow) {
		w.Transitions = append(w.Transitions,
			engine.Transition{ID: "to", From: []engine.StageID{"plan"}, To: "work", Trigger: engine.OnRule, Require: always},
			engine.Transition{ID: "fro", From: []engine.StageID{"work"}, To: "plan", Trigger: engine.OnRule, Require: always})
	})
	simulated, err := engine.Simulate(w, calendar.Embedded(), site, day("2026-11-04"), day("2026-11-30"))
	if err != nil || len(simulated) > 20 {
		t.Errorf("%d lines, %v", len(simulated), err)
	}
}

func TestSimulateRefusesADeadlineFarAway(t *testing.T) {
	for start, deadline := range map[string]string{"2026-11-04": "2036-11-05", "0001-01-01": "9999-12-31"} {
		_, err := engine.Simulate(small(nil), calendar.Embedded(), site, day(start), day(deadline))
		if engine.KindOf(err) != engine.Invalid {
			t.Errorf("%s to %s: %v", start, deadline, err)
		}
	}
	if _, err := engine.Simulate(small(nil), calendar.Embedded(), site, day("2026-11-04"), day("2036-11-04")); err != nil {
		t.Error(err)
	}
}

func TestSimulateRefusesADeadlineBeforeTheStart(t *testing.T) {
	for _, deadline := range []string{"2026-11-04", "2026-11-03"} {
		_, err := engine.Simulate(small(nil), calendar.Embedded(), site, day("2026-11-04"), day(deadline))
		if engine.KindOf(err) != engine.Invalid {
			t.Errorf("%s: %v", deadline, err)
		}
	}
}
