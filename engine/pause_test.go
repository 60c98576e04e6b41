package engine_test

import (
	"testing"

	"bihuan/engine"
)

func TestShelveAndCancelNeedReasonAndEvidenceAndLeader(t *testing.T) {
	for _, kind := range []string{"shishi", "shuji"} {
		for tr, to := range map[engine.TransitionID]engine.StageID{"shelve": engine.Shelved, "cancel": engine.Cancelled} {
			t.Run(kind+" "+string(tr), func(t *testing.T) {
				s := tell(t, embedded(t, kind), "2026-09-24 10:00", draft()).advanceTo("deploy")
				s.refused(owner, engine.Submit{Transition: tr, Note: "经费未到位"}, engine.Blocked, "transition.unmet")
				s.does(owner, evidence())
				s.refused(owner, engine.Submit{Transition: tr}, engine.Blocked, "transition.unmet")
				s.refused(owner, engine.Submit{Transition: tr, Note: "  缓办  "}, engine.Blocked, "transition.unmet")
				s.does(owner, engine.Submit{Transition: tr, Note: "经费未到位"})
				if kind == "shishi" {
					s.refused(supervisor, engine.Approve{}, engine.Denied, "approval.role")
				} else {
					s.does(supervisor, engine.Approve{})
				}
				s.does(leader, engine.Approve{})
				if s.p.Stage != to {
					t.Errorf("stage %s, want %s", s.p.Stage, to)
				}
			})
		}
	}
}

func TestShelvedProjectsStandStillAndComeBack(t *testing.T) {
	t.Parallel()
	for _, stage := range []engine.StageID{"plan", "deploy", "advance", "track", "feedback", "effect"} {
		t.Run(string(stage), func(t *testing.T) {
			s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", draft()).advanceTo(stage)
			s.does(owner, evidence())
			s.ask("shelve")
			if s.p.Resume != stage {
				t.Fatalf("resume is %q, want %s", s.p.Resume, stage)
			}
			before := s.p
			if late := s.runTo(clockTime("2027-03-01 10:00")); len(late) > 0 || s.p.Version != before.Version {
				t.Errorf("the clock went on while shelved: %s", actions(late))
			}
			s.refused(owner, engine.Report{Percent: 1, Done: "还没有做"}, engine.Blocked, "act.stage")
			s.refused(supervisor, engine.Return{To: "plan", Note: "重新来过"}, engine.Blocked, "return.nowhere")
			s.does(owner, engine.Submit{Transition: "resume"})
			s.refused(leader, engine.Return{To: "plan", Note: "重新来过"}, engine.Invalid, "return.not_there")
			s.does(leader, engine.Approve{})
			if s.p.Stage != stage || s.p.Resume != "" || !s.p.StageSince.Equal(s.now) {
				t.Errorf("came back to %s (resume %q) since %s", s.p.Stage, s.p.Resume, s.p.StageSince)
			}
			if stage == "feedback" && s.p.Verification == nil || s.p.Round != before.Round {
				t.Errorf("coming back cost the verification or a round (%d → %d)", before.Round, s.p.Round)
			}
			s.sweep()
			if s.p.OverdueAt == nil {
				t.Error("the deadline passed meanwhile, but it is not overdue")
			}
		})
	}
}

func TestCancelledFromTheShelf(t *testing.T) {
	s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", draft()).advanceTo("advance")
	s.does(owner, evidence())
	s.ask("shelve")
	s.ask("cancel")
	if s.p.Stage != engine.Cancelled || s.p.Resume != "" {
		t.Errorf("stage %s, resume %q", s.p.Stage, s.p.Resume)
	}
	for _, who := range cast {
		for _, o := range engine.ExplainCase(s.moment(who), &s.p) {
			// That evidence was false can be found for ever: what was claimed by it counted.
			if o.Allowed && o.Act != "find_false" {
				t.Errorf("%s may still %s %s", who.ID, o.Act, o.Transition)
			}
		}
	}
}

func TestReturnTargets(t *testing.T) {
	t.Parallel()
	stages := []engine.StageID{"plan", "deploy", "advance", "track", "feedback", "effect"}
	for i, from := range stages {
		for j, to := range append(stages, engine.Closed, engine.Shelved, "nowhere") {
			t.Run(string(from)+" to "+string(to), func(t *testing.T) {
				s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", draft()).advanceTo(from)
				if i == 0 {
					s.refused(supervisor, engine.Return{To: to, Note: "重新来过"}, engine.Blocked, "return.nowhere")
					return
				}
				if j >= i {
					s.refused(supervisor, engine.Return{To: to, Note: "重新来过"}, engine.Invalid, "return.not_there")
					return
				}
				s.refused(supervisor, engine.Return{To: to, Note: "不行"}, engine.Invalid, "note.too_short")
				s.refused(supervisor, engine.Return{Note: "重新来过"}, engine.Invalid, "field.empty")
				s.refused(leader, engine.Return{To: to, Note: "重新来过"}, engine.Denied, "act.role")
				round, original := s.p.Round, s.p.OriginalDeadline
				s.does(supervisor, engine.Return{To: to, Note: "重新来过"})
				if s.p.Stage != to || s.p.Returns != 1 || s.p.OriginalDeadline != original {
					t.Errorf("stage %s, returns %d", s.p.Stage, s.p.Returns)
				}
				// 整改 and 重办: what was verified before counts no more once the work is taken up again.
				reworked := (to == "advance" || to == "track") && i > 3
				if forgot := s.p.Verification == nil && s.p.Survey == nil; reworked && (!forgot || s.p.Round != round+1) {
					t.Errorf("verification %v, survey %v, round %d → %d", s.p.Verification, s.p.Survey, round, s.p.Round)
				}
			})
		}
	}
}

func TestRedoAndReworkNeedVerifyingAgain(t *testing.T) {
	s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", draft()).advanceTo("feedback")
	s.refused(supervisor, engine.Submit{Transition: "redo", Note: "没有做好"}, engine.Blocked, "transition.unmet")
	s.does(supervisor, engine.RecordSurvey{Survey: engine.Survey{Satisfied: 16, Dissatisfied: 4}, Note: "纸质问卷"})
	s.refused(supervisor, engine.Submit{Transition: "redo", Note: "重做"}, engine.Blocked, "transition.unmet")
	s.does(supervisor, engine.Submit{Transition: "redo", Note: "满意率只有八成"})
	if s.p.Stage != "advance" || s.p.Verification != nil || s.p.Survey != nil || s.p.Round != 1 {
		t.Fatalf("stage %s, verification %v, survey %v, round %d", s.p.Stage, s.p.Verification, s.p.Survey, s.p.Round)
	}
	s.ask("track")
	s.does(supervisor, engine.Verify{Note: "还是没有做好"})
	if s.p.Stage != "advance" || s.p.Verification != nil || s.p.Round != 2 {
		t.Fatalf("stage %s, verification %v, round %d", s.p.Stage, s.p.Verification, s.p.Round)
	}
}
