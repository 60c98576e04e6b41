package engine_test

import (
	"testing"

	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// closed takes an item in 反馈 to 已销号.
func (h *house) closed() engine.Project {
	h.t.Helper()
	p := h.inFeedback()
	h.does("supervisor", &p, engine.RecordSurvey{Survey: engine.Survey{VerySatisfied: 30}, Note: "线下问卷 30 份"})
	h.clock.set(h.clock.now().AddDate(0, 0, 25)) // publicity, and the holidays in between
	for _, x := range []struct {
		who string
		cmd engine.Command
	}{
		{"owner", engine.Submit{Transition: "effect"}}, {"supervisor", engine.Approve{}}, {"owner", engine.Summarize{Summary: "全部换好", Lasting: "每季检查"}},
		{"owner", engine.Submit{Transition: "close", Note: "申请销号"}}, {"supervisor", engine.Approve{Note: "验收通过"}}, {"leader", engine.Approve{Note: "同意"}},
	} {
		h.does(x.who, &p, x.cmd)
	}
	if p.Stage != engine.Closed {
		h.t.Fatalf("stage %s", p.Stage)
	}
	return p
}

// Marks are the leader's, name what stands behind them, and can be taken back but not erased.
func TestMarks(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := lists{settle(t, db, "2026-09-24 09:00")}
		ctx := t.Context()
		early := h.propose(h.draft())
		p := h.closed()
		proofs, err := db.Evidence(ctx, p.ID)
		if err != nil || len(proofs) == 0 {
			t.Fatalf("%d pieces of evidence, %v", len(proofs), err)
		}
		before := p
		for _, c := range []struct {
			name string
			who  string
			p    engine.Project
			cmd  engine.Command
			kind engine.Kind
			key  string
		}{
			{"too early", "leader", early, engine.MarkAs{Kind: engine.MarkPromote, Note: "值得推广"}, engine.Blocked, "mark.too_early"},
			{"not a leader", "supervisor", p, engine.MarkAs{Kind: engine.MarkPromote, Note: "值得推广"}, engine.Denied, "act.role"},
			{"no such kind", "leader", p, engine.MarkAs{Kind: "gold", Note: "值得推广"}, engine.Invalid, "mark.kind"},
			{"no reason", "leader", p, engine.MarkAs{Kind: engine.MarkPromote, Note: "好"}, engine.Invalid, "note.too_short"},
			{"evidence that is none", "leader", p, engine.MarkAs{Kind: engine.MarkPromote, Note: "值得推广", Evidence: []string{"x"}}, engine.Invalid, "evidence.unknown"},
			{"nothing to revoke", "leader", p, engine.RevokeMark{ID: "k1", Note: "不再推广"}, engine.Blocked, "mark.none"},
		} {
			t.Run(c.name, func(t *testing.T) {
				_, err := h.e.Do(ctx, h.people[c.who], c.p.ID, c.p.Version, c.cmd)
				lists{&house{t: t}}.refuses(err, c.kind, c.key)
			})
		}
		h.does("leader", &p, engine.MarkAs{Kind: engine.MarkPromote, Note: "做法简单，各学院都用得上"})
		_, err = h.e.Do(ctx, h.people["leader"], p.ID, p.Version, engine.MarkAs{Kind: engine.MarkPromote, Note: "值得推广"})
		h.refuses(err, engine.Blocked, "mark.already")
		h.does("leader", &p, engine.MarkAs{Kind: engine.MarkCommend, Note: "全年无逾期", Evidence: []string{proofs[0].ID}})
		m, ok := p.Marked(engine.MarkPromote)
		if !ok || m.Seq != before.Version || m.Head != before.Head.String() || len(m.Evidence) != len(proofs) || m.Evidence[0].SHA256 != proofs[0].SHA256 || p.Distinctions != ",promote,commend," {
			t.Fatalf("marked %+v, %q", m, p.Distinctions)
		}
		_, err = h.e.Do(ctx, h.people["leader"], p.ID, p.Version, engine.MarkAs{Kind: engine.MarkPromote, Note: "值得推广"})
		h.refuses(err, engine.Blocked, "mark.all")
		list := func(who string, year int, unit engine.UnitID) []engine.Distinction {
			out, err := h.e.Distinctions(ctx, h.people[who], year, unit)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		if got := list("inspector", 2026, h.units["b"].ID); len(got) != 2 || got[0].Project.ID != p.ID {
			t.Errorf("listed %+v", got)
		}
		if n := len(list("inspector", 2025, "")) + len(list("elsewhere", 2026, "")) + len(list("inspector", 2026, h.units["zz"].ID)); n != 0 {
			t.Errorf("%d marks of another year, of others or elsewhere", n)
		}
		id := ""
		for k, m := range p.Marks {
			if m.Kind == engine.MarkPromote {
				id = k
			}
		}
		h.does("leader", &p, engine.RevokeMark{ID: id, Note: "材料有误，撤销推广"})
		_, err = h.e.Do(ctx, h.people["leader"], p.ID, p.Version, engine.RevokeMark{ID: id, Note: "再撤一次"})
		h.refuses(err, engine.Blocked, "mark.revoked")
		if m := p.Marks[id]; m.Revoked != "材料有误，撤销推广" || m.RevokedAt == nil || p.Distinctions != ",commend," || len(list("leader", 2026, "")) != 1 {
			t.Errorf("revoked %+v, %q", m, p.Distinctions)
		}
		h.intact()
	})
}

// What the ladder of escalation would have said while an item lay shelved is not owed when it comes back.
func TestRungsOfTheShelvedTimeAreNotOwed(t *testing.T) {
	s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", draft()).advanceTo("advance")
	s.does(owner, evidence())
	s.ask("shelve")
	s.runTo(clockTime("2027-03-01 10:00")) // the deadline passed in November
	s.does(owner, engine.Submit{Transition: "resume"})
	s.does(leader, engine.Approve{})
	rungs := 0
	for _, e := range s.sweep() {
		if e.Action == "rung" {
			rungs++
		}
	}
	if rungs != 0 || s.p.OverdueAt == nil || s.p.Paused == nil {
		t.Errorf("%d rungs at once, overdue %v, paused %v", rungs, s.p.OverdueAt, s.p.Paused)
	}
	// A new deadline has its own ladder.
	s.does(supervisor, engine.Return{To: "plan", Note: "重新排出时间"})
	if last := s.p.OriginalDeadline.AddMonths(3); !last.Before(day("2027-03-01")) {
		t.Fatalf("the limit of extensions is %v", last)
	}
}

// Rungs before and after the time on the shelf stay owed.
func TestRungsOutsideTheShelvedTimeAreOwed(t *testing.T) {
	s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", draft()).advanceTo("advance")
	s.does(owner, evidence())
	s.ask("shelve")
	s.does(owner, engine.Submit{Transition: "resume"})
	s.does(leader, engine.Approve{})
	rungs := map[string]int{}
	for _, e := range s.runTo(s.p.Deadline.AddDays(20).Start(shanghai)) {
		if e.Action == "rung" {
			rungs[e.Action]++
		}
	}
	if rungs["rung"] < 5 { // 3 days before, the day before, the day after, 3 and 5 days after
		t.Errorf("%d rungs, want the whole ladder", rungs["rung"])
	}
}

// Whoever did the work once does not judge it later, whatever office they hold by then.
func TestFormerOwnersNeverJudge(t *testing.T) {
	s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", draft()).advanceTo("advance")
	s.does(supervisor, engine.Return{To: "plan", Note: "换人办理"})
	d := engine.DraftOf(&s.p)
	d.Owner, d.Assistants = nobody.ID, nil
	s.does(supervisor, engine.Edit{Draft: d})
	if s.p.Worked(nobody.ID) != true || !s.p.Worked(owner.ID) || !s.p.Worked(assistant.ID) || s.p.Works(owner.ID) {
		t.Fatalf("former %v", s.p.Former)
	}
	s.does(nobody, engine.Submit{Transition: "deploy"})
	s.refused(everything(owner), engine.Approve{}, engine.Denied, "four_eyes.approve")
	s.refused(everything(assistant), engine.Return{Note: "写得不好"}, engine.Denied, "four_eyes.approve")
	s.does(supervisor, engine.Approve{})
	s.refused(everything(owner), engine.Return{To: "plan", Note: "重新来过"}, engine.Denied, "four_eyes.own_work")
}

// Whoever was named while an item was still being planned has done no work.
func TestPlannedOwnersMayJudge(t *testing.T) {
	s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", draft())
	d := engine.DraftOf(&s.p)
	d.Owner, d.Assistants = nobody.ID, nil
	s.does(supervisor, engine.Edit{Draft: d})
	if s.p.Worked(owner.ID) {
		t.Errorf("former %v", s.p.Former)
	}
	s.does(nobody, engine.Submit{Transition: "deploy"})
	s.does(everything(owner), engine.Approve{})
}
