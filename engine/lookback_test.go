package engine_test

import (
	"testing"

	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

func TestLookBack(t *testing.T) {
	w := embedded(t, "shishi")
	s := tell(t, w, "2026-09-01 10:00", draft())
	s.refused(inspector, engine.InspectAgain{Passed: true, Lasting: true, Note: "还没有销号"}, engine.Blocked, "look_back.not_closed")
	s.advanceTo(engine.Closed)
	due := s.p.LookBackDue
	if due.IsZero() || due.Month() != s.now.In(shanghai).AddDate(0, 3, 0).Month() {
		t.Fatalf("the look-back is due on %v after closing on %s", due, civil(s.now))
	}
	s.runTo(due.Start(shanghai).AddDate(0, 0, 1))
	if s.p.Waiting != ",inspector," || s.p.NextAt != nil {
		t.Errorf("waiting %q, next %v: the inspectors are not told, or told again", s.p.Waiting, s.p.NextAt)
	}
	if n := len(s.sweep()); n != 0 {
		t.Errorf("a second sweep writes %d entries", n)
	}
	later := day("2027-06-30")
	for _, test := range []struct {
		name string
		who  engine.Actor
		cmd  engine.InspectAgain
		kind engine.Kind
		key  string
	}{
		{"a supervisor does not inspect", supervisor, engine.InspectAgain{Passed: true, Note: "还在运行"}, engine.Denied, "act.role"},
		{"without a word", inspector, engine.InspectAgain{Passed: true, Note: "好"}, engine.Invalid, "note.too_short"},
		{"failed without a deadline", inspector, engine.InspectAgain{Note: "又坏了三盏"}, engine.Invalid, "field.empty"},
		{"failed with a past one", inspector, engine.InspectAgain{Note: "又坏了三盏", Deadline: day("2026-10-01")}, engine.Invalid, "deadline.past"},
		{"passed with a deadline", inspector, engine.InspectAgain{Passed: true, Note: "还在运行", Deadline: later}, engine.Invalid, "look_back.no_deadline"},
	} {
		t.Run(test.name, func(t *testing.T) { s.refused(test.who, test.cmd, test.kind, test.key) })
	}
	number, original := s.p.Number, s.p.OriginalDeadline
	s.does(inspector, engine.InspectAgain{Note: "又坏了三盏，没有人报修", Deadline: later})
	s.refused(inspector, engine.Approve{}, engine.Denied, "approval.role")
	s.refused(owner, engine.Withdraw{}, engine.Denied, "withdraw.role")
	s.does(leader, engine.Approve{Note: "恢复办理"})
	p := s.p
	if p.Stage != "advance" || p.LookBacksFailed != 1 || p.Number != number || p.OriginalDeadline != original || p.Deadline != later || p.ClosedAt != nil ||
		p.Verification != nil || p.Survey != nil || p.LookBack == nil || p.LookBack.Lasting || p.LookBack.ConfirmedBy != leader.ID || !p.LookBackDue.IsZero() {
		t.Errorf("reopened: %+v", p)
	}
	s.does(owner, engine.Report{Percent: 100, Done: "全部修好"})
	s.advanceTo(engine.Closed)
	s.does(inspector, engine.InspectAgain{Passed: true, Lasting: true, Note: "抽查全部正常"})
	s.does(leader, engine.Return{Note: "请附照片再报"})
	s.does(inspector, engine.InspectAgain{Passed: true, Lasting: true, Note: "抽查全部正常，附照片"})
	s.does(leader, engine.Approve{})
	if p := s.p; p.Stage != engine.Closed || p.LookBacks != 2 || p.LookBacksFailed != 1 || !p.LookBack.Passed || p.Waiting != "" {
		t.Errorf("confirmed: %+v", p)
	}
}

// Nobody looks back on a kind whose definition does not say so.
func TestNoLookBackWithoutARule(t *testing.T) {
	s := tell(t, embedded(t, "shuji"), "2026-09-01 10:00", draft())
	s.refused(inspector, engine.InspectAgain{Passed: true, Note: "还在运行"}, engine.Blocked, "look_back.none")
}

func TestAskingTooLateIsRefusedAndCounted(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-01 09:00")
		p := h.propose(h.draft())
		for _, x := range []struct {
			who string
			cmd engine.Command
		}{
			{"owner", engine.Submit{Transition: "deploy"}}, {"supervisor", engine.Approve{}}, {"owner", engine.Acknowledge{}},
		} {
			h.does(x.who, &p, x.cmd)
		}
		h.clock.set(clockTime("2026-12-01 08:00"))
		late := engine.Extend{Deadline: day("2026-12-20"), Note: "忘了早点申请"}
		_, err := h.e.Do(t.Context(), h.people["owner"], p.ID, p.Version, late)
		if e := engine.KindOf(err); e != engine.Blocked {
			t.Fatalf("answer %v", err)
		}
		q, err := db.Project(t.Context(), p.ID)
		if err != nil || q.LateAsks != 1 || q.Version != p.Version+1 || q.Request != nil || q.Deadline != p.Deadline || !q.EverOverdue && q.OverdueAt != nil {
			t.Errorf("after asking late: %+v (%v)", q, err)
		}
		h.intact()
	})
}
