package engine_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"bihuan/engine"
)

// hundred is a project whose time from 交办 to the end of its deadline is a hundred days, so that a day is a
// percent.
func hundred(t tester, l engine.Lights) *story {
	d := draft()
	d.Deadline = day("2026-11-09")
	s := tell(t, small(func(w *engine.Workflow) { w.Lights = l }), "2026-08-02 00:00", d)
	s.does(owner, engine.Submit{Transition: "begin"})
	return s
}

var usual = engine.Lights{Yellow: engine.Threshold{Left: 30, Behind: 10}, Red: engine.Threshold{Behind: 30}}

func TestLights(t *testing.T) {
	left := engine.Lights{Yellow: engine.Threshold{Left: 30}, Orange: engine.Threshold{Left: 15}}
	begin := clockTime("2026-08-02 00:00")
	after := func(days int) time.Time { return begin.AddDate(0, 0, days) }
	us := time.Microsecond
	type report struct{ day, percent int }
	for _, c := range []struct {
		name    string
		lights  engine.Lights
		reports []report
		at      time.Time
		want    engine.Light
	}{
		{"at the start", usual, nil, begin, engine.Green},
		{"before 10 points behind", usual, nil, after(10).Add(-us), engine.Green},
		{"10 points behind", usual, nil, after(10), engine.Yellow},
		{"before 30 points behind", usual, nil, after(30).Add(-us), engine.Yellow},
		{"more than 30 points behind", usual, nil, after(30).Add(us), engine.Red},
		{"caught up", usual, []report{{25, 40}}, after(30), engine.Green},
		{"behind again", usual, []report{{25, 40}}, after(50), engine.Yellow},
		{"far behind again", usual, []report{{25, 40}}, after(70).Add(us), engine.Red},
		{"before 30 % left", left, nil, after(70).Add(-us), engine.Green},
		{"30 % left", left, nil, after(70), engine.Yellow},
		{"before 15 % left", left, nil, after(85).Add(-us), engine.Yellow},
		{"15 % left", left, nil, after(85), engine.Orange},
		{"a report before it fell there does not count", left, []report{{69, 1}}, after(70), engine.Yellow},
		{"a report at that moment clears yellow", left, []report{{70, 1}}, after(70), engine.Green},
		{"a report since clears yellow", left, []report{{72, 1}}, after(73), engine.Green},
		{"but not orange to come", left, []report{{72, 1}}, after(85), engine.Orange},
		{"a report since clears orange", left, []report{{86, 1}}, after(87), engine.Green},
		{"the last moment", left, []report{{86, 1}}, after(100).Add(-us), engine.Green},
		{"overdue", left, []report{{86, 1}}, after(100), engine.Red},
		{"done in full and overdue", usual, []report{{20, 100}}, after(100), engine.Red},
		{"done in full, in time", usual, []report{{70, 100}}, after(99), engine.Green},
		{"no thresholds", engine.Lights{}, nil, after(100).Add(-us), engine.Green},
		{"no thresholds, overdue", engine.Lights{}, nil, after(100), engine.Red},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := hundred(t, c.lights)
			for _, r := range c.reports {
				s.now = after(r.day)
				s.does(owner, engine.Report{Percent: r.percent, Done: "做了一些"})
			}
			if got := s.p.Light(c.at); got != c.want {
				t.Errorf("%s, want %s (yellow %v, orange %v, red %v)", got, c.want, s.p.YellowAt, s.p.OrangeAt, s.p.RedAt)
			}
		})
	}
}

func TestLightsOfItemsThatAreNotWorkedOn(t *testing.T) {
	d := draft()
	d.Deadline = engine.Draft{}.Deadline
	s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", d)
	if got := s.p.Light(s.now.AddDate(1, 0, 0)); got != engine.NoLight {
		t.Errorf("without a deadline: %s", got)
	}
	s = tell(t, embedded(t, "shishi"), "2026-09-24 10:00", draft()).advanceTo("advance")
	s.does(owner, evidence())
	s.ask("shelve")
	if got := s.p.Light(s.now.AddDate(1, 0, 0)); got != engine.NoLight {
		t.Errorf("挂账: %s", got)
	}
}

// The stored moments say the same as the thresholds computed afresh at any moment.
func TestLightsAreTheirThresholds(t *testing.T) {
	rounds(t, 50)
	percent := rapid.IntRange(0, 100)
	rapid.Check(t, func(t *rapid.T) {
		l := engine.Lights{
			Yellow: engine.Threshold{Left: percent.Draw(t, "yellow left"), Behind: percent.Draw(t, "yellow behind")},
			Red:    engine.Threshold{Behind: percent.Draw(t, "red behind")},
		}
		d := draft()
		d.Deadline = day("2026-09-24").AddDays(rapid.IntRange(1, 300).Draw(t, "days"))
		s := tell(t, small(func(w *engine.Workflow) { w.Lights = l }), "2026-09-24 10:00", d)
		s.now = s.now.Add(time.Duration(rapid.IntRange(0, 43_200_000_000).Draw(t, "µs")) * time.Microsecond)
		s.does(owner, engine.Submit{Transition: "begin"})
		if rapid.Bool().Draw(t, "reported") {
			s.now = s.now.Add(time.Duration(rapid.IntRange(0, 200*24).Draw(t, "hours")) * time.Hour)
			s.does(owner, engine.Report{Percent: percent.Draw(t, "progress"), Done: "做了一些"})
		}
		now := s.now.Add(time.Duration(rapid.IntRange(0, 300*24*3600).Draw(t, "seconds")) * time.Second)

		start, end := *s.p.StartedAt, site.EndOf(&s.p)
		elapsed := 100 * float64(now.Sub(start)) / float64(end.Sub(start))
		fellThere := start.Add(time.Duration(float64(end.Sub(start)) * float64(100-l.Yellow.Left) / 100))
		answered := s.p.ReportedAt != nil && !s.p.ReportedAt.Before(fellThere)
		gap := elapsed - float64(s.p.Progress)
		want := engine.Green
		switch {
		case !now.Before(end), l.Red.Behind > 0 && gap > float64(l.Red.Behind):
			want = engine.Red
		case l.Yellow.Left > 0 && 100-elapsed <= float64(l.Yellow.Left) && !answered, l.Yellow.Behind > 0 && gap >= float64(l.Yellow.Behind):
			want = engine.Yellow
		}
		if s.p.ReportedAt != nil && s.p.ReportedAt.Sub(fellThere).Abs() < time.Millisecond {
			return // floating point decides nothing at the boundary
		}
		if got := s.p.Light(now); got != want {
			t.Fatalf("%s at %s, want %s: elapsed %.3f, progress %d, %+v", got, now, want, elapsed, s.p.Progress, l)
		}
	})
}
