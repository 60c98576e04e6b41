package score

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

func pts(s string) *Points { p := must(ParsePoints(s)); return &p }

// everything is a sheet that counts every event and measure, some with caps.
func everything() *Sheet {
	s := &Sheet{ID: "all", Version: 1, Name: engine.Text{ZH: "全"}, MinRank: 1, Base: 100 * Point,
		Groups: []Group{{ID: "plus", Name: engine.Text{ZH: "加"}, Max: pts("3")}, {ID: "minus", Name: engine.Text{ZH: "减"}, Min: pts("-7.5")}},
		Bands:  []Band{{ID: "high", Name: engine.Text{ZH: "高"}, From: pts("100")}, {ID: "low", Name: engine.Text{ZH: "低"}}}}
	for i, e := range Events {
		r := Rule{ID: string(e), Name: engine.Text{ZH: string(e)}, Event: e, Points: Point, Once: EachTime}
		if slices.Contains(rated, e) {
			r.AtLeast = 80
		}
		switch {
		case slices.Contains(late, e):
			r.Points, r.Group, r.PerDay = -Point, "minus", PerDay{Points: -20, Cap: -300}
		case i%2 == 0:
			r.Group = "plus"
		default:
			r.Cap = 2 * Point
		}
		s.Rules = append(s.Rules, r)
	}
	for _, m := range Measures {
		s.Shares = append(s.Shares, Share{ID: "s_" + string(m), Name: engine.Text{ZH: string(m)}, Measure: m, Weight: 7 * Point})
	}
	return s
}

func table(t interface{ Fatal(...any) }, p *paper, q Query, s *Sheet) *Table {
	b, err := Read(context.Background(), p, q)
	if err != nil {
		t.Fatal(err)
	}
	return b.Score(s)
}

func TestEverythingIsAValidSheet(t *testing.T) {
	if bad := everything().Validate(); len(bad) > 0 {
		t.Error(bad)
	}
}

// The lines add up to the total, each names its entries, and no cap is passed.
func TestLinesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := everything()
		for _, u := range table(t, random(t), halfYear, s).Units {
			var sum Points
			for i, l := range u.Lines {
				sum += l.Points
				if (l.Row == BaseRow) != (i == 0) || (i > 0) == (len(l.Refs) == 0) {
					t.Fatalf("%s: line %d of %s has %d entries", u.ID, i, l.Row, len(l.Refs))
				}
				for _, r := range l.Refs {
					if r.ID == "" {
						t.Fatalf("%s: a line of %s names no entry", u.ID, l.Row)
					}
				}
				if abs(l.Points) > abs(l.Raw) || l.Points*l.Raw < 0 {
					t.Fatalf("%s: %s counts %s of %s", u.ID, l.Row, l.Points, l.Raw)
				}
			}
			if sum != u.Total {
				t.Fatalf("%s: lines add up to %s, total %s", u.ID, sum, u.Total)
			}
			for _, r := range s.Rules {
				if got := u.Sum(func(l *Line) bool { return l.Row == r.ID }); r.Cap != 0 && got > r.Cap {
					t.Fatalf("%s: %s sums to %s, cap %s", u.ID, r.ID, got, r.Cap)
				}
			}
			for _, g := range s.Groups {
				got := u.Sum(func(l *Line) bool { return l.Group == g.ID })
				if g.Max != nil && got > *g.Max || g.Min != nil && got < *g.Min {
					t.Fatalf("%s: group %s sums to %s", u.ID, g.ID, got)
				}
			}
			for _, x := range s.Shares {
				if got := u.Sum(func(l *Line) bool { return l.Row == x.ID }); got < 0 || got > x.Weight {
					t.Fatalf("%s: %s gives %s of %s", u.ID, x.ID, got, x.Weight)
				}
			}
		}
	})
}

func abs(p Points) Points { return max(p, -p) }

// shuffled hands subjects over in another order.
type shuffled struct {
	*paper
	seed uint64
}

func (s shuffled) Walk(c context.Context, f engine.TrailFilter, each func([]byte) error) error {
	var subjects []string
	for _, e := range s.entries {
		if !slices.Contains(subjects, e.Subject) {
			subjects = append(subjects, e.Subject)
		}
	}
	rand.New(rand.NewPCG(s.seed, 1)).Shuffle(len(subjects), func(i, j int) { subjects[i], subjects[j] = subjects[j], subjects[i] })
	for _, x := range subjects {
		one := &paper{}
		for _, e := range s.entries {
			if e.Subject == x {
				one.entries = append(one.entries, e)
			}
		}
		if err := one.Walk(c, f, each); err != nil {
			return err
		}
	}
	return nil
}

func TestOrderChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := random(t)
		want := table(t, p, halfYear, everything())
		b, err := Read(context.Background(), shuffled{p, rapid.Uint64().Draw(t, "seed")}, halfYear)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.Units, b.Score(everything()).Units); diff != "" {
			t.Fatalf("another order gives another score:\n%s", diff)
		}
	})
}

// What happened by an earlier moment has still happened by a later one, and what comes later changes no figure of an
// earlier moment.
func TestAsOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := random(t)
		start := halfYear.From.Start(shanghai)
		early, later := halfYear, halfYear
		early.AsOf = start.Add(time.Duration(rapid.IntRange(1, 4000).Draw(t, "early")) * time.Hour)
		later.AsOf = early.AsOf.Add(time.Duration(rapid.IntRange(0, 2000).Draw(t, "later")) * time.Hour)
		before := table(t, p, early, everything())

		happened := func(b *Book) map[string]bool {
			out := map[string]bool{}
			for _, r := range b.items {
				for _, o := range r.found {
					if !slices.Contains(late, o.Event) && o.Event != OnTime && o.Event != Satisfied { // how an item stands may change
						out[string(o.Event)+o.Refs[0].ID] = true
					}
				}
			}
			return out
		}
		after := happened(table(t, p, later, everything()).Book)
		for o := range happened(before.Book) {
			if !after[o] {
				t.Fatalf("%s had happened by %s and had not by %s", o, early.AsOf, later.AsOf)
			}
		}

		cut := &paper{}
		for _, e := range p.entries {
			if e.At.Before(early.AsOf) {
				cut.entries = append(cut.entries, e)
			}
		}
		if diff := cmp.Diff(table(t, cut, early, everything()).Units, before.Units); diff != "" {
			t.Fatalf("what came later changed an earlier figure:\n%s", diff)
		}
	})
}

// A unit's score is the same whether it is read alone or with all others.
func TestASubtreeAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := random(t)
		all := table(t, p, halfYear, everything())
		q := halfYear
		q.Unit = "b"
		alone := table(t, p, q, everything())
		if len(alone.Units) != 2 {
			t.Fatalf("%d units in the subtree", len(alone.Units))
		}
		for _, u := range alone.Units {
			same, _ := all.Unit(u.ID)
			if diff := cmp.Diff(same.Lines, u.Lines); diff != "" {
				t.Fatalf("%s:\n%s", u.ID, diff)
			}
		}
	})
}

// Each event, told as a story.
func TestEvents(t *testing.T) {
	day := calendar.MustDate("2026-03-20")
	begin := func() *work { return tree().propose("1", "a", moment("2026-02-01 09:00"), day) }
	for _, c := range []struct {
		name string
		work *work
		asOf string
		want map[Event]int
	}{
		{"on time", begin().on("2026-03-20 23:00").moves("approve", "closed", nil), "", map[Event]int{OnTime: 1}},
		{"still in time when looked at", begin(), "2026-03-20 12:00", nil},
		{"late", begin().on("2026-03-21 00:00").overdue().on("2026-03-22 09:00").moves("approve", "closed", nil), "", map[Event]int{Late: 1}},
		{"the clock's own 催办 is no urging by people", begin().on("2026-03-21 00:00").overdue().says("rung", map[string]any{"rung": "urge"}).moves("approve", "closed", nil), "", map[Event]int{Late: 1}},
		{"urged by 督办", begin().on("2026-03-21 00:00").overdue().says("rung", map[string]any{"rung": "supervise"}).moves("approve", "closed", nil), "", map[Event]int{Urged: 1}},
		{"urged by hand", begin().on("2026-03-21 00:00").overdue().says("urge", nil).moves("approve", "closed", nil), "", map[Event]int{Urged: 1}},
		{"urged in time, and done in time", begin().on("2026-03-01 09:00").says("urge", nil).moves("approve", "closed", nil), "", map[Event]int{OnTime: 1}},
		{"urged in time, and late all the same", begin().on("2026-03-01 09:00").says("urge", nil).on("2026-03-21 00:00").overdue().moves("approve", "closed", nil), "", map[Event]int{Late: 1}},
		{"never done", begin().on("2026-03-21 00:00").overdue(), "", map[Event]int{Unfinished: 1}},
		{"never done, with the clock down", begin(), "", map[Event]int{Unfinished: 1}},
		{"overdue while the period runs", begin(), "2026-03-21 00:00", map[Event]int{Late: 1}},
		{"overdue and urged while the period runs", begin().on("2026-03-25 09:00").says("urge", nil), "2026-04-01 00:00", map[Event]int{Urged: 1}},
		{"closed out after the period", begin().on("2026-07-01 09:00").moves("approve", "closed", nil), "", map[Event]int{Unfinished: 1}},
		{"closed out before the period", tree().propose("1", "a", moment("2025-11-01 09:00"), calendar.MustDate("2025-12-20")).on("2025-12-20 09:00").moves("approve", "closed", nil), "", nil},
		{"挂账 stands still", begin().on("2026-03-01 09:00").moves("approve", "shelved", nil), "", map[Event]int{ShelvedItem: 1}},
		{"撤项", begin().on("2026-03-01 09:00").moves("approve", "cancelled", nil), "", map[Event]int{CancelledItem: 1}},
		{"reopened by a look-back", begin().on("2026-03-01 09:00").moves("approve", "closed", nil).on("2026-06-01 09:00").moves("approve", "advance",
			map[string]any{"request": "look_back", "passed": false}), "2026-03-10 00:00", map[Event]int{OnTime: 1}},
		{"a failed look-back is no 退回", begin().on("2026-03-01 09:00").moves("approve", "closed", nil).on("2026-06-01 09:00").reopened(), "2026-06-02 00:00", map[Event]int{LookBackFailed: 1}},
		{"satisfied", begin().on("2026-03-01 09:00").survey(99, 1).moves("approve", "closed", nil), "", map[Event]int{OnTime: 1, Satisfied: 1}},
		{"sent back", begin().on("2026-03-01 09:00").says("return", map[string]any{"request": "transition"}), "2026-03-10 00:00", map[Event]int{Returned: 1}},
		{"a refused extension is no 退回", begin().on("2026-03-01 09:00").says("return", map[string]any{"request": "extension"}), "2026-03-10 00:00", nil},
		{"asked too late", begin().on("2026-03-21 09:00").says("extend_late", nil).moves("approve", "shelved", nil), "", map[Event]int{LateAsk: 1, ShelvedItem: 1}},
		{"a finding that was lifted", begin().on("2026-03-01 09:00").says("approve", map[string]any{"request": "finding", "finding": "false_evidence", "finding_id": "f1"}).
			on("2026-03-02 09:00").says("approve", map[string]any{"request": "finding", "finding": "lifted", "finding_id": "f1"}), "2026-03-10 00:00", nil},
		{"one of two findings that was lifted", begin().on("2026-03-01 09:00").says("approve", map[string]any{"request": "finding", "finding": "false_evidence", "finding_id": "f1"}).
			says("approve", map[string]any{"request": "finding", "finding": "false_evidence", "finding_id": "f2"}).
			on("2026-03-02 09:00").says("approve", map[string]any{"request": "finding", "finding": "lifted", "finding_id": "f1"}), "2026-03-10 00:00", map[Event]int{FalseEvidence: 1}},
		{"false evidence", begin().on("2026-03-01 09:00").says("approve", map[string]any{"request": "finding", "finding": "false_evidence"}), "2026-03-10 00:00", map[Event]int{FalseEvidence: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := halfYear
			if c.asOf != "" {
				q.AsOf = moment(c.asOf)
			}
			b, err := Read(context.Background(), c.work.paper, q)
			if err != nil {
				t.Fatal(err)
			}
			got := map[Event]int{}
			for _, r := range b.items {
				for _, o := range r.found {
					got[o.Event]++
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) && len(got)+len(c.want) > 0 {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// Ten days late cost two points by the day, but no more than the cap; working days are counted by the calendar.
func TestPerDay(t *testing.T) {
	p := tree()
	p.propose("1", "a", moment("2026-02-01 09:00"), calendar.MustDate("2026-03-20")).on("2026-03-30 09:00").overdue().moves("approve", "closed", nil)
	for _, c := range []struct {
		per  PerDay
		want string
		days int
	}{
		{PerDay{Points: -20, Cap: -300}, "-3", 10},
		{PerDay{Points: -50, Cap: -300}, "-4", 10},
		{PerDay{Points: -20, Cap: -300, Working: true}, "-2.2", 6},
	} {
		s := &Sheet{Rules: []Rule{{ID: "late", Event: Late, Points: -Point, Once: OncePerItem, PerDay: c.per}}}
		u, _ := table(t, p, halfYear, s).Unit("a")
		if u.Total.String() != c.want || u.Lines[1].Days != c.days || u.Lines[1].Unknown {
			t.Errorf("%+v: %s, %d days", c.per, u.Total, u.Lines[1].Days)
		}
	}
}

func TestRanking(t *testing.T) {
	p := &paper{}
	p.unit("r", "/r/")
	for i, n := range []int{4, 3, 2, 3} { // items closed out on time
		id := fmt.Sprint("u", i)
		p.unit(id, "/r/"+id+"/")
		for j := range n {
			p.propose(fmt.Sprintf("%s%d", id, j), id, moment("2026-02-01 09:00"), calendar.MustDate("2026-03-20")).on("2026-03-01 09:00").moves("approve", "closed", nil)
		}
	}
	s := &Sheet{MinRank: 3, Rules: []Rule{{ID: "on_time", Event: OnTime, Points: Point, Once: OncePerItem}}}
	rank := func(s *Sheet) string {
		out := ""
		for _, u := range table(t, p, halfYear, s).Units {
			out += fmt.Sprintf("%s:%d/%d ", u.ID, u.Rank, u.Of)
		}
		return out
	}
	if got, want := rank(s), "r:1/1 u0:1/3 u1:2/3 u2:0/0 u3:2/3 "; got != want {
		t.Errorf("ranks %s, want %s", got, want)
	}
	s.Classes = []Class{{ID: "x", Units: []string{"codeu0", "coder"}}}
	if got, want := rank(s), "r:1/2 u0:2/2 u1:1/2 u2:0/0 u3:1/2 "; got != want {
		t.Errorf("ranks by class %s, want %s", got, want)
	}
}

// A unit that moved counts where it stood at the moment.
func TestTheTreeIsThatOfTheMoment(t *testing.T) {
	p := tree()
	p.propose("1", "c", moment("2026-02-01 09:00"), calendar.MustDate("2026-03-20")).on("2026-03-01 09:00").moves("approve", "closed", nil)
	old := engine.Unit{ID: "c", Path: "/r/b/c/", Code: "codec", Name: "单位c", CreatedAt: moment("2026-01-01 08:00"), Version: 1}
	next := old
	next.Path, next.Version = "/r/a/c/", 2
	p.write(moment("2026-05-01 09:00"), "unit/c", "c", "move_unit", old, next, nil)
	items := func(unit engine.UnitID, asOf string) int {
		q := halfYear
		q.AsOf = moment(asOf)
		u, _ := table(t, p, q, everything()).Unit(unit)
		return u.Items
	}
	if items("b", "2026-04-01 00:00") != 1 || items("a", "2026-04-01 00:00") != 0 || items("b", "2026-06-01 00:00") != 0 || items("a", "2026-06-01 00:00") != 1 {
		t.Error("the item counts for the wrong parent")
	}
}

func TestQueriesThatAreNone(t *testing.T) {
	for name, change := range map[string]func(q *Query){
		"ends before it begins":   func(q *Query) { q.To = q.From.AddDays(-1) },
		"too long":                func(q *Query) { q.To = q.From.AddDays(800) },
		"no beginning":            func(q *Query) { q.From = calendar.Date{} },
		"as of before the period": func(q *Query) { q.AsOf = q.From.Start(shanghai) },
		"no such unit":            func(q *Query) { q.Unit = "x" },
	} {
		q := halfYear
		change(&q)
		if _, err := Read(context.Background(), tree(), q); engine.KindOf(err) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
