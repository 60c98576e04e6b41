package engine_test

import (
	"testing"

	"bihuan/engine"
)

// also gives a person roles besides the part they have.
func also(a engine.Actor, roles ...any) engine.Actor {
	b := holds(string(a.ID), roles...)
	a.Grants = append(a.Grants[:len(a.Grants):len(a.Grants)], b.Grants...)
	return a
}

// everything is somebody who holds every role that decides, where it counts for everything.
func everything(a engine.Actor) engine.Actor {
	return also(a, engine.Supervisor, committee, engine.Supervisor, general, engine.Supervisor, branch,
		engine.Leader, committee, engine.Leader, branch, engine.Secretary, branch)
}

func TestNobodyAnswersTheirOwn(t *testing.T) {
	t.Parallel()
	pending := func(by engine.Actor, tr engine.TransitionID) func(*story) {
		return func(s *story) { s.does(by, engine.Submit{Transition: tr, Note: "请予审批"}) }
	}
	for _, c := range []struct {
		name  string
		kind  string
		stage engine.StageID
		setup func(*story)
		who   engine.Actor
		cmd   engine.Command
		key   string
	}{
		{"the owner approves what they submitted", "shishi", "plan", pending(owner, "deploy"), everything(owner), engine.Approve{}, "four_eyes.approve"},
		{"the owner returns what they submitted", "shishi", "plan", pending(owner, "deploy"), everything(owner), engine.Return{Note: "写得不好"}, "four_eyes.approve"},
		{"the owner approves what the assistant submitted", "shishi", "plan", pending(assistant, "deploy"), everything(owner), engine.Approve{}, "four_eyes.approve"},
		{"the assistant approves what the owner submitted", "shishi", "plan", pending(owner, "deploy"), everything(assistant), engine.Approve{}, "four_eyes.approve"},
		{"the assistant returns what the owner submitted", "shishi", "plan", pending(owner, "deploy"), everything(assistant), engine.Return{Note: "写得不好"}, "four_eyes.approve"},
		{"a secretary who submitted approves as supervisor", "shishi", "plan", pending(secretary, "deploy"), everything(secretary), engine.Approve{}, "four_eyes.approve"},
		{"a supervisor who asked for 挂账 approves it as leader", "shishi", "advance", func(s *story) {
			s.does(owner, evidence())
			pending(supervisor, "shelve")(s)
		}, everything(supervisor), engine.Approve{}, "four_eyes.approve"},
		{"a supervisor who asked for 挂账 returns it", "shishi", "advance", func(s *story) {
			s.does(owner, evidence())
			pending(supervisor, "shelve")(s)
		}, everything(supervisor), engine.Return{Note: "算了算了"}, "four_eyes.approve"},
		{"the owner approves their extension", "shishi", "advance", func(s *story) {
			s.does(owner, engine.Extend{Deadline: day("2026-12-10"), Note: "等材料到货"})
		}, everything(owner), engine.Approve{}, "four_eyes.approve"},
		{"the assistant approves the owner's extension", "shishi", "advance", func(s *story) {
			s.does(owner, engine.Extend{Deadline: day("2026-12-10"), Note: "等材料到货"})
		}, everything(assistant), engine.Approve{}, "four_eyes.approve"},
		{"the same person accepts and signs off", "shishi", "effect", func(s *story) {
			s.ready()
			pending(owner, "close")(s)
			s.does(everything(nobody), engine.Approve{})
		}, everything(nobody), engine.Approve{}, "approval.given"},
		{"the same person is both tiers", "shuji", "plan", func(s *story) {
			pending(owner, "deploy")(s)
			s.does(everything(nobody), engine.Approve{})
		}, everything(nobody), engine.Approve{}, "approval.given"},
		{"whoever approved the first tier returns at the second", "shuji", "plan", func(s *story) {
			pending(owner, "deploy")(s)
			s.does(everything(nobody), engine.Approve{})
		}, everything(nobody), engine.Return{Note: "改变主意"}, "approval.given"},
		{"the owner verifies", "shishi", "track", nil, everything(owner), engine.Verify{Passed: true, Note: "看过没问题"}, "four_eyes.own_work"},
		{"the owner fails the verification", "shishi", "track", nil, everything(owner), engine.Verify{Note: "还想再改"}, "four_eyes.own_work"},
		{"the assistant verifies", "shishi", "track", nil, everything(assistant), engine.Verify{Passed: true, Note: "看过没问题"}, "four_eyes.own_work"},
		{"the owner records the survey", "shishi", "feedback", nil, everything(owner),
			engine.RecordSurvey{Survey: engine.Survey{VerySatisfied: 99}, Note: "纸质问卷"}, "four_eyes.own_work"},
		{"the assistant records the survey", "shishi", "feedback", nil, everything(assistant),
			engine.RecordSurvey{Survey: engine.Survey{VerySatisfied: 99}, Note: "纸质问卷"}, "four_eyes.own_work"},
		{"whoever objected answers the objection", "shishi", "feedback", func(s *story) {
			s.does(supervisor, engine.Object{Text: "没有换完"})
		}, supervisor, engine.Answer{ID: "o2", Text: "换完了的"}, "objection.own"},
		{"the owner objected and answers", "shishi", "feedback", func(s *story) {
			s.does(owner, engine.Object{Text: "没有换完"})
		}, owner, engine.Answer{ID: "o2", Text: "换完了的"}, "objection.own"},
		{"the owner sends their work back", "shishi", "effect", nil, everything(owner), engine.Return{To: "plan", Note: "重新来过"}, "four_eyes.own_work"},
		{"the operator approves", "shishi", "plan", pending(owner, "deploy"), engine.Operator(), engine.Approve{}, "approval.role"},
		{"the clock approves", "shishi", "plan", pending(owner, "deploy"), engine.ClockActor(), engine.Approve{}, "approval.role"},
		{"a supervisor withdraws what the owner submitted", "shishi", "plan", pending(owner, "deploy"), supervisor, engine.Withdraw{}, "withdraw.role"},
		{"the assistant withdraws what the owner submitted", "shishi", "plan", pending(owner, "deploy"), assistant, engine.Withdraw{}, "withdraw.role"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := tell(t, embedded(t, c.kind), "2026-09-24 10:00", draft()).advanceTo(c.stage)
			if c.setup != nil {
				c.setup(s)
			}
			before := s.p.Version
			s.refused(c.who, c.cmd, kindOfKey(c.key), c.key)
			if s.p.Version != before {
				t.Error("the refusal changed the project")
			}
		})
	}
}

func kindOfKey(key string) engine.Kind {
	if key == "approval.given" {
		return engine.Blocked
	}
	return engine.Denied
}

func TestTheOtherTwoEyesMay(t *testing.T) {
	for _, c := range []struct {
		name  string
		setup func(*story)
		who   engine.Actor
		cmd   engine.Command
	}{
		{"who proposed it approves what the owner submits", func(s *story) { s.does(owner, engine.Submit{Transition: "deploy"}) }, supervisor, engine.Approve{}},
		{"the submitter withdraws", func(s *story) { s.does(secretary, engine.Submit{Transition: "deploy"}) }, secretary, engine.Withdraw{}},
		{"the owner withdraws what the assistant submitted", func(s *story) { s.does(assistant, engine.Submit{Transition: "deploy"}) }, owner, engine.Withdraw{}},
		{"the owner withdraws what the secretary submitted", func(s *story) { s.does(secretary, engine.Submit{Transition: "deploy"}) }, owner, engine.Withdraw{}},
		{"the sponsor, being a supervisor, approves", func(s *story) { s.does(owner, engine.Submit{Transition: "deploy"}) }, also(sponsor, engine.Supervisor, branch), engine.Approve{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", draft())
			c.setup(s)
			s.does(c.who, c.cmd)
		})
	}
}

// A withdrawn or returned request takes its yeses with it: asking again needs all of them again.
func TestYesesDoNotOutliveTheirRequest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		who  engine.Actor
		cmd  engine.Command
	}{
		{"withdrawn", owner, engine.Withdraw{}},
		{"returned", leader, engine.Return{Note: "再想一想"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", draft()).advanceTo("effect")
			s.ready()
			s.does(owner, engine.Submit{Transition: "close"})
			s.does(supervisor, engine.Approve{})
			s.does(c.who, c.cmd)
			s.refused(leader, engine.Approve{}, engine.Blocked, "request.none")
			s.does(owner, engine.Submit{Transition: "close"})
			s.refused(leader, engine.Approve{}, engine.Denied, "approval.role")
			s.does(supervisor, engine.Approve{})
			s.does(leader, engine.Approve{})
			if s.p.Stage != engine.Closed {
				t.Errorf("stage %s", s.p.Stage)
			}
		})
	}
}
