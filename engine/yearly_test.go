package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

// ofYear proposes the branch's 书记项目 of a year.
func (h *house) ofYear(title string, year int) (engine.Project, error) {
	d := h.draft()
	d.Title, d.List, d.Year, d.Owner = title, "", year, h.people["secretary"].ID
	if year > 2026 || h.clock.now().Year() > 2026 {
		d.Deadline = day("2027-11-30")
	}
	return h.e.Create(h.t.Context(), h.people["secretary"], "shuji", h.units["b"], d)
}

// One per branch and year; a second is refused, naming the first.
func TestOneAYear(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-03-02 10:00")
		first, err := h.ofYear("修旧电脑", 0)
		if err != nil || first.Year != 2026 {
			t.Fatalf("the first of the year: %d, %v", first.Year, err)
		}
		_, err = h.ofYear("送课下乡", 2026)
		wantKind(t, "a second", err, engine.Blocked, "year.taken")
		if !strings.Contains(err.Error(), first.Number) || !strings.Contains(err.Error(), first.Title) {
			t.Errorf("the refusal does not name the first: %v", err)
		}
		next, err := h.ofYear("送课下乡", 2027)
		if err != nil {
			t.Fatalf("next year's: %v", err)
		}
		d := engine.DraftOf(&next)
		d.Year = 2026
		_, err = h.e.Do(t.Context(), h.people["secretary"], next.ID, next.Version, engine.Edit{Draft: d})
		wantKind(t, "moved into a year that is taken", err, engine.Blocked, "year.taken")
		for _, year := range []int{1999, 2028, -1} {
			_, err = h.ofYear("何年何月", year)
			wantKind(t, "a year out of range", err, engine.Invalid, "year.out_of_range")
		}
		d = h.draft()
		d.Year = 2026
		_, err = h.e.Create(t.Context(), h.people["secretary"], "shishi", h.units["b"], d)
		wantKind(t, "a year for a kind without", err, engine.Invalid, "year.not_yearly")

		// What was cancelled makes room.
		h.does("supervisor", &first, evidence())
		h.does("secretary", &first, engine.Submit{Transition: "cancel", Note: "对方学校撤并"})
		h.does("supervisor", &first, engine.Approve{Note: "同意"})
		h.does("leader", &first, engine.Approve{Note: "同意"})
		if _, err := h.ofYear("另起一个", 2026); err != nil {
			t.Fatalf("after the first was cancelled: %v", err)
		}
		h.intact()
	})
}

func TestOneAYearForWhoeverComesFirst(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-03-02 10:00")
		errs := make([]error, 6)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() { _, errs[i] = h.ofYear("抢着报", 2026) })
		}
		all.Wait()
		made := 0
		for _, err := range errs {
			var e *engine.Error
			switch {
			case err == nil:
				made++
			case !errors.As(err, &e) || e.Key != "year.taken":
				t.Errorf("%v", err)
			}
		}
		if made != 1 {
			t.Errorf("%d were made", made)
		}
		h.intact()
	})
}

// The branch's own secretary owns it, and nobody else: not when it is proposed, nor changed, nor imported.
func TestWhoMayOwnAYearly(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-03-02 10:00")
		ctx, who, d := t.Context(), h.people["secretary"], h.draft()
		h.person("other", "zz", engine.Secretary)
		d.List = ""
		for _, owner := range []string{"owner", "supervisor", "other"} { // without a role, with another, at another unit
			d.Owner = h.people[owner].ID
			_, err := h.e.Create(ctx, who, "shuji", h.units["b"], d)
			wantKind(t, owner+" as owner", err, engine.Invalid, "owner.role")
			report, err := h.e.Import(ctx, who, "shuji", []engine.ImportRow{{Row: 1, Unit: h.units["b"], Draft: d}}, true)
			if err != nil || len(report.Problems) != 1 {
				t.Errorf("%s as owner of an imported one: %+v, %v", owner, report, err)
			}
		}
		p, err := h.ofYear("修旧电脑", 2026)
		if err != nil {
			t.Fatal(err)
		}
		changed := engine.DraftOf(&p)
		changed.Owner = h.people["owner"].ID
		_, err = h.e.Do(ctx, who, p.ID, p.Version, engine.Edit{Draft: changed})
		wantKind(t, "given away", err, engine.Invalid, "owner.role")
		changed.Owner = "" // it may be open who it will be
		h.does("secretary", &p, engine.Edit{Draft: changed})
		changed.Owner = h.people["secretary"].ID
		h.does("secretary", &p, engine.Edit{Draft: changed})

		// Whoever came to own it while the post is vacant can work on it, and still gives it to nobody else.
		if _, err := h.e.Leave(ctx, h.acts("admin"), "secretary", "nobody", "调离本单位"); err != nil {
			t.Fatal(err)
		}
		if p, err = db.Project(ctx, p.ID); err != nil {
			t.Fatal(err)
		}
		changed = engine.DraftOf(&p)
		changed.Title = "修旧电脑和打印机"
		h.does("nobody", &p, engine.Edit{Draft: changed})
		changed.Owner = h.people["owner"].ID
		_, err = h.e.Do(ctx, h.acts("nobody"), p.ID, p.Version, engine.Edit{Draft: changed})
		wantKind(t, "given on", err, engine.Invalid, "owner.role")
	})
}

// A missed term needs a written statement.
func TestAMissedYearNeedsAStatement(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-03-02 10:00")
		p, err := h.ofYear("修旧电脑", 2026)
		if err != nil {
			t.Fatal(err)
		}
		yes := engine.Approve{Note: "同意", Criteria: []string{"small", "doable", "spreadable", "solving"}}
		h.does("secretary", &p, engine.Submit{Transition: "deploy"})
		h.does("supervisor", &p, yes)
		h.does("leader", &p, yes)
		h.does("secretary", &p, engine.LayMilestones{Milestones: []engine.Milestone{{Title: "修好", Due: p.Deadline, Who: "实验室"}}})
		h.does("secretary", &p, engine.Submit{Transition: "advance"})
		h.does("supervisor", &p, engine.Approve{})
		h.does("leader", &p, engine.Approve{})
		_, err = h.e.Do(t.Context(), h.people["secretary"], p.ID, p.Version, engine.GiveStatement{Text: strings.Repeat("没有逾期也写说明", 4)})
		wantKind(t, "a statement in time", err, engine.Blocked, "statement.in_time")

		h.clock.set(clockTime("2027-01-11 10:00"))
		h.sweep()
		if p, err = db.Project(t.Context(), p.ID); err != nil || !p.EverOverdue {
			t.Fatalf("it is not overdue: %v", err)
		}
		_, err = h.ofYear("第二年的", 2027)
		wantKind(t, "the next one without it", err, engine.Blocked, "year.statement_owed")
		_, err = h.e.Do(t.Context(), h.people["secretary"], p.ID, p.Version, engine.GiveStatement{Text: "忙"})
		wantKind(t, "a statement that says nothing", err, engine.Invalid, "note.too_short")
		rows, err := h.e.Year(t.Context(), h.people["leader"], "shuji", 2027, "")
		if err != nil || len(rows) != 1 || rows[0].Project != nil || rows[0].Owing == nil || rows[0].Owing.ID != p.ID {
			t.Errorf("the page of 2027: %+v, %v", rows, err)
		}
		h.does("secretary", &p, engine.GiveStatement{Text: "对口小学机房搬迁，学期末才能送到，没有提前申请延期。"})
		if _, err := h.ofYear("第二年的", 2027); err != nil {
			t.Errorf("the next one with it: %v", err)
		}
		h.intact()
	})
}

// A project that was missed before its work began owes the statement like any other, and it can be given there. No way
// leads round it: neither one that is proposed for an earlier year and then moved.
func TestAMissedYearThatNeverBegan(t *testing.T) {
	t.Parallel()
	for _, stage := range []engine.StageID{"plan", "deploy"} {
		storagetest.Each(t, func(t *testing.T, db *storage.DB) {
			h := settle(t, db, "2026-03-02 10:00")
			p, err := h.ofYear("修旧电脑", 2026)
			if err != nil {
				t.Fatal(err)
			}
			if stage == "deploy" {
				h.does("secretary", &p, engine.Submit{Transition: "deploy"})
				h.does("supervisor", &p, criteria)
				h.does("leader", &p, criteria)
			}
			h.clock.set(clockTime("2027-01-11 10:00"))
			h.sweep()
			if p, err = db.Project(t.Context(), p.ID); err != nil || !p.EverOverdue || p.Stage != stage {
				t.Fatalf("it is not overdue in %s: %s, %v", stage, p.Stage, err)
			}
			_, err = h.ofYear("第二年的", 2027)
			wantKind(t, "the next one without it", err, engine.Blocked, "year.statement_owed")
			earlier, err := h.ofYear("倒填年度", 2025)
			if err != nil {
				t.Fatal(err)
			}
			d := engine.DraftOf(&earlier)
			d.Year = 2027
			_, err = h.e.Do(t.Context(), h.people["secretary"], earlier.ID, earlier.Version, engine.Edit{Draft: d})
			wantKind(t, "one of an earlier year that is moved", err, engine.Blocked, "year.statement_owed")
			h.does("secretary", &p, engine.GiveStatement{Text: "支部换届，没有按期立项推进，今后按月检查，年底前补上。"})
			if _, err := h.ofYear("第二年的", 2027); err != nil {
				t.Errorf("the next one with it: %v", err)
			}
			h.intact()
		})
	}
}

// A version that is yearly and one that is not differ in whether an item has a year; moving it gives and takes that, and
// no second one into a year.
func TestAYearComesAndGoesWithTheVersion(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-03-02 10:00")
		ctx := t.Context()
		publish := func(yearly string) {
			source, _ := workflows.Source("shuji")
			known, err := workflows.Compile(source)
			if err != nil {
				t.Fatal(err)
			}
			w, err := h.e.Workflow("shuji")
			if err != nil {
				t.Fatal(err)
			}
			text := strings.NewReplacer(fmt.Sprintf("version: %d\n", known.Version), fmt.Sprintf("version: %d\n", w.Version+1), "yearly: true ", "yearly: "+yearly+" ").Replace(string(source))
			if _, err := h.e.Publish(ctx, h.people["admin"], []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		first, err := h.ofYear("修旧电脑", 2026)
		if err != nil {
			t.Fatal(err)
		}
		publish("false")
		first, err = h.e.Repin(ctx, h.people["admin"], first.ID)
		if err != nil || first.Year != 0 {
			t.Fatalf("without years it is of %d, %v", first.Year, err)
		}
		d := engine.DraftOf(&first)
		d.Need = "机房旧了"
		h.does("secretary", &first, engine.Edit{Draft: d})
		second, err := h.ofYear("送课下乡", 0)
		if err != nil || second.Year != 0 {
			t.Fatalf("a second is of %d, %v", second.Year, err)
		}
		h.clock.set(clockTime("2027-01-01 00:10")) // it was begun in the year before
		publish("true")
		if first, err = h.e.Repin(ctx, h.people["admin"], first.ID); err != nil || first.Year != 2026 {
			t.Fatalf("with years it is of %d, %v", first.Year, err)
		}
		r, err := h.e.Preview(ctx, second)
		if err != nil {
			t.Fatal(err)
		}
		wantKind(t, "what a second would become", r.Refused, engine.Blocked, "year.taken")
		_, err = h.e.Repin(ctx, h.people["admin"], second.ID)
		wantKind(t, "a second", err, engine.Blocked, "year.taken")
		h.intact()
	})
}

// Who has none, who is where.
func TestYear(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-03-02 10:00")
		h.person("other", "zz", engine.Secretary)
		p, err := h.ofYear("修旧电脑", 2026)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			who, root string
			want      map[string]bool // unit → has one
		}{
			{"leader", "", map[string]bool{"b": true, "zz": false}},
			{"leader", "zz", map[string]bool{"zz": false}},
			{"supervisor", "", map[string]bool{"b": true}},
			{"other", "", map[string]bool{"zz": false}},
		} {
			rows, err := h.e.Year(t.Context(), h.people[c.who], "shuji", 2026, h.units[c.root].ID)
			got := map[string]bool{}
			for _, r := range rows {
				got[r.Unit.Code] = r.Project != nil && r.Project.ID == p.ID
			}
			if err != nil || len(got) != len(c.want) {
				t.Fatalf("%s under %q: %v, %v", c.who, c.root, got, err)
			}
			for unit, has := range c.want {
				if got[unit] != has {
					t.Errorf("%s under %q: %s has one: %v", c.who, c.root, unit, got[unit])
				}
			}
		}
		_, err = h.e.Year(t.Context(), h.people["leader"], "shishi", 2026, "")
		wantKind(t, "a kind without years", err, engine.Invalid, "year.not_yearly")
	})
}

func TestCriteriaAndGrades(t *testing.T) {
	t.Parallel()
	all := []string{"small", "doable", "spreadable", "solving"}
	s := tell(t, embedded(t, "shuji"), "2026-09-24 10:00", draft())
	s.does(owner, engine.Submit{Transition: "deploy"})
	s.refused(supervisor, engine.Approve{Criteria: []string{}}, engine.Blocked, "approval.criterion")
	s.refused(supervisor, engine.Approve{Criteria: all[:3]}, engine.Blocked, "approval.criterion")
	s.refused(supervisor, engine.Approve{Criteria: append([]string{"cheap"}, all...)}, engine.Invalid, "approval.unknown_criterion")
	s.refused(supervisor, engine.Approve{Criteria: all, Grade: "excellent"}, engine.Invalid, "approval.grade_later")
	e := s.does(supervisor, engine.Approve{Criteria: all})
	if !strings.Contains(string(e.Data), `"criteria":["small","doable","spreadable","solving"]`) {
		t.Errorf("the entry does not say what was confirmed: %s", e.Data)
	}
	s.refused(leader, engine.Approve{Criteria: all, Grade: "excellent"}, engine.Invalid, "approval.unknown_grade")
	s.does(leader, engine.Approve{Criteria: all})

	s.advanceTo("effect")
	s.ready()
	s.does(owner, engine.Submit{Transition: "close"})
	s.refused(supervisor, engine.Approve{Criteria: []string{}, Grade: "excellent"}, engine.Invalid, "approval.grade_later")
	s.does(supervisor, engine.Approve{Criteria: []string{}})
	s.refused(leader, engine.Approve{Criteria: []string{}}, engine.Invalid, "approval.grade")
	s.refused(leader, engine.Approve{Criteria: []string{}, Grade: "best"}, engine.Invalid, "approval.unknown_grade")
	e = s.does(leader, engine.Approve{Criteria: []string{}, Grade: "passed"})
	if s.p.Grade != "passed" || s.p.Stage != engine.Closed || !strings.Contains(string(e.Data), `"grade":"passed"`) {
		t.Errorf("%s %q: %s", s.p.Stage, s.p.Grade, e.Data)
	}
}

// 路线图: who does what, after what.
func TestRoute(t *testing.T) {
	t.Parallel()
	s := tell(t, embedded(t, "shuji"), "2026-09-24 10:00", draft())
	s.ask("deploy")
	lay := func(m ...engine.Milestone) engine.LayMilestones { return engine.LayMilestones{Milestones: m} }
	s.refused(owner, lay(engine.Milestone{Title: "送去", Due: day("2026-11-01"), After: []string{"m9"}}), engine.Invalid, "milestone.unknown")
	s.refused(owner, lay(engine.Milestone{Title: "送去", Due: day("2026-11-01"), After: []string{"#1"}}), engine.Invalid, "milestone.follows_itself")
	s.refused(owner, lay(engine.Milestone{Title: "修好", Due: day("2026-11-02"), After: []string{"#2"}},
		engine.Milestone{Title: "送去", Due: day("2026-11-03")}), engine.Invalid, "milestone.follows_later")
	s.refused(owner, lay(engine.Milestone{Title: "修好", Due: day("2026-11-02"), After: []string{"#2"}},
		engine.Milestone{Title: "送去", Due: day("2026-11-02"), After: []string{"#1"}}), engine.Invalid, "milestone.follows_itself")
	s.does(owner, lay(engine.Milestone{Title: "收来", Due: day("2026-10-10"), Who: "支部"}, engine.Milestone{Title: "修好", Due: day("2026-11-01")},
		engine.Milestone{Title: "送去", Due: day("2026-11-10"), Who: "学生", After: []string{"#2"}}))
	s.refused(owner, engine.Submit{Transition: "advance"}, engine.Blocked, "transition.unmet")
	s.refused(owner, engine.EditMilestone{ID: "m2", Milestone: engine.Milestone{Title: "修好", Due: day("2026-11-20"), Who: "实验室"}},
		engine.Invalid, "milestone.follows_later")
	s.refused(owner, engine.EditMilestone{ID: "m2", Milestone: engine.Milestone{Title: "修好", Due: day("2026-11-10"), Who: "实验室", After: []string{"m3"}}},
		engine.Invalid, "milestone.follows_itself")
	s.does(owner, engine.EditMilestone{ID: "m2", Milestone: engine.Milestone{Title: "修好", Due: day("2026-11-01"), Who: "实验室", After: []string{"m1"}}})
	s.does(owner, engine.RemoveMilestone{ID: "m2"})
	if got := s.p.Milestones["m3"].After; len(got) != 1 || got[0] != "m1" {
		t.Errorf("what came after the removed step comes after %v", got)
	}
	s.does(owner, engine.Submit{Transition: "advance"})
}
