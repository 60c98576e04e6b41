package engine_test

import (
	"slices"
	"testing"

	"bihuan/engine"
)

// rule makes a requirement of a Go function, for definitions that tests write.
func rule(id string, met func(engine.Facts) bool) engine.Requirement {
	return engine.Requirement{ID: id, Rule: id, Message: engine.Text{ZH: id, EN: id},
		Met: func(f engine.Facts) (bool, error) { return met(f), nil }}
}

// steady is a rule that time alone does not change.
func steady(id string, met func(engine.Facts) bool) engine.Requirement {
	r := rule(id, met)
	r.Steady = true
	return r
}

// small is a definition of two stages with one approval, for tests to vary.
func small(vary func(*engine.Workflow)) *engine.Workflow {
	name := engine.Text{ZH: "试", EN: "try"}
	all := slices.DeleteFunc(slices.Clone(engine.Acts), func(a engine.Act) bool { return a == engine.ActEdit })
	w := &engine.Workflow{
		ID: "small", Version: 1, Digest: "d1", Name: name, Prefix: "T", Create: []engine.Role{engine.Supervisor},
		Stages: []engine.Stage{
			{ID: "plan", Name: name, Acts: []engine.Act{engine.ActEdit, engine.ActEvidence}},
			{ID: "work", Name: name, Acts: all, ReturnTo: []engine.StageID{"plan"}},
		},
		Transitions: []engine.Transition{
			{ID: "begin", Name: name, From: []engine.StageID{"plan"}, To: "work", Trigger: engine.OnSubmit, Submit: []engine.Role{engine.Owner}},
			{ID: "close", Name: name, From: []engine.StageID{"work"}, To: engine.Closed, Trigger: engine.OnSubmit, Submit: []engine.Role{engine.Owner},
				Approve: engine.Approvals{Steps: []engine.ApprovalStep{{Roles: []engine.Role{engine.Supervisor}, Count: 1}}}},
		},
		Extension: engine.ExtensionRule{Max: 2, Months: 3, Approve: []engine.ApprovalStep{
			{Roles: []engine.Role{engine.Supervisor}, Count: 1}, {Roles: []engine.Role{engine.Leader}, Count: 1}}},
	}
	if vary != nil {
		vary(w)
	}
	return w
}

func working(t tester, w *engine.Workflow) *story {
	s := tell(t, w, "2026-09-24 10:00", draft())
	s.does(owner, engine.Submit{Transition: "begin"})
	return s
}

func TestSmallDefinitionIsSound(t *testing.T) {
	if bad := small(nil).Validate(); len(bad) > 0 {
		t.Fatalf("%+v", bad)
	}
}

func TestApprovalSteps(t *testing.T) {
	s1 := holds("u-s1", engine.Supervisor, branch)
	s2 := holds("u-s2", engine.Supervisor, general)
	s3 := holds("u-s3", engine.Supervisor, committee)
	l1 := holds("u-l1", engine.Leader, committee)
	l2 := holds("u-l2", engine.Leader, branch)
	both := holds("u-both", engine.Supervisor, branch, engine.Leader, committee)
	sup, lead := []engine.Role{engine.Supervisor}, []engine.Role{engine.Leader}
	step := func(roles []engine.Role, n int, at engine.Level) engine.ApprovalStep {
		return engine.ApprovalStep{Roles: roles, Count: n, At: at}
	}
	type answer struct {
		who  engine.Actor
		want string // "" accepted, "closed" accepted and carried out, else the key of the refusal
	}
	for _, c := range []struct {
		name    string
		inOrder bool
		steps   []engine.ApprovalStep
		answers []answer
	}{
		{"one of any", false, []engine.ApprovalStep{step(sup, 1, "")}, []answer{{l1, "approval.role"}, {s3, "closed"}}},
		{"two of three", false, []engine.ApprovalStep{step(sup, 2, "")}, []answer{{s1, ""}, {s1, "approval.given"}, {s3, "closed"}}},
		{"three, all different", false, []engine.ApprovalStep{step(sup, 3, "")}, []answer{{s1, ""}, {s2, ""}, {s2, "approval.given"}, {s1, "approval.given"}, {s3, "closed"}}},
		{"in order", true, []engine.ApprovalStep{step(sup, 1, ""), step(lead, 1, "")}, []answer{{l1, "approval.role"}, {s1, ""}, {s2, "approval.role"}, {l1, "closed"}}},
		{"together, the second first", false, []engine.ApprovalStep{step(sup, 1, ""), step(lead, 1, "")}, []answer{{l1, ""}, {l2, "approval.role"}, {s1, "closed"}}},
		{"one person holds both roles", false, []engine.ApprovalStep{step(sup, 1, ""), step(lead, 1, "")}, []answer{{both, ""}, {both, "approval.given"}, {l2, "closed"}}},
		{"two then one", true, []engine.ApprovalStep{step(sup, 2, ""), step(lead, 1, "")}, []answer{{s1, ""}, {l1, "approval.role"}, {s2, ""}, {l1, "closed"}}},
		{"either role", false, []engine.ApprovalStep{step([]engine.Role{engine.Supervisor, engine.Leader}, 2, "")}, []answer{{l1, ""}, {s1, "closed"}}},
		{"near: own unit", false, []engine.ApprovalStep{step(sup, 1, engine.Near)}, []answer{{s3, "approval.role"}, {s1, "closed"}}},
		{"near: the parent", false, []engine.ApprovalStep{step(sup, 1, engine.Near)}, []answer{{s2, "closed"}}},
		{"top", false, []engine.ApprovalStep{step(sup, 1, engine.Top)}, []answer{{s1, "approval.role"}, {s2, "approval.role"}, {s3, "closed"}}},
		{"near and then top", true, []engine.ApprovalStep{step(sup, 1, engine.Near), step(sup, 1, engine.Top)}, []answer{{s3, "approval.role"}, {s2, ""}, {s1, "approval.role"}, {s3, "closed"}}},
		{"unit boundaries", false, []engine.ApprovalStep{step(sup, 1, "")}, []answer{
			{holds("u-x1", engine.Supervisor, sibling), "approval.role"}, {holds("u-x2", engine.Supervisor, stranger), "approval.role"},
			{holds("u-x3", engine.Supervisor, cousin), "approval.role"}, {holds("u-x4", engine.Supervisor, below), "approval.role"}, {s3, "closed"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := small(func(w *engine.Workflow) {
				w.Transitions[1].Approve = engine.Approvals{InOrder: c.inOrder, Steps: c.steps}
			})
			s := working(t, w)
			s.does(owner, engine.Submit{Transition: "close"})
			for i, a := range c.answers {
				switch a.want {
				case "", "closed":
					s.does(a.who, engine.Approve{})
				case "approval.given":
					s.refused(a.who, engine.Approve{}, engine.Blocked, a.want)
				default:
					s.refused(a.who, engine.Approve{}, engine.Denied, a.want)
				}
				if got := s.p.Stage == engine.Closed; got != (a.want == "closed") {
					t.Fatalf("answer %d: closed is %v, want %q", i+1, got, a.want)
				}
			}
		})
	}
}

// An entry names the closest authority that the approver could rely on, whatever the order of the grants.
func TestEntryNamesTheNearestGrant(t *testing.T) {
	for _, who := range []engine.Actor{
		holds("u-n1", engine.Supervisor, committee, engine.Supervisor, branch, engine.Supervisor, general),
		holds("u-n2", engine.Supervisor, branch, engine.Supervisor, committee),
	} {
		s := working(t, small(nil))
		s.does(owner, engine.Submit{Transition: "close"})
		if e := s.does(who, engine.Approve{}); e.Actor.Unit != string(branch.ID) {
			t.Errorf("%s approved by the grant at %q, want %q", who.ID, e.Actor.Unit, branch.ID)
		}
	}
}

func TestRequirementsHoldAtEveryYes(t *testing.T) {
	w := small(func(w *engine.Workflow) {
		w.Transitions[1].Require = []engine.Requirement{rule("objections", func(f engine.Facts) bool { return f.OpenObjections == 0 })}
		w.Transitions[1].Approve = engine.Approvals{InOrder: true, Steps: []engine.ApprovalStep{
			{Roles: []engine.Role{engine.Supervisor}, Count: 1}, {Roles: []engine.Role{engine.Leader}, Count: 1}}}
	})
	s := working(t, w)
	s.does(owner, engine.Submit{Transition: "close"})
	s.does(supervisor, engine.Approve{})
	s.does(secretary, engine.Object{Text: "没有做完"})
	s.refused(leader, engine.Approve{}, engine.Blocked, "transition.unmet")
	if len(s.p.Request.Given) != 1 {
		t.Errorf("the refused yes stayed: %+v", s.p.Request.Given)
	}
	s.does(owner, engine.Answer{ID: "o1", Text: "已经做完"})
	s.does(leader, engine.Approve{})
	if s.p.Stage != engine.Closed {
		t.Errorf("stage %s", s.p.Stage)
	}
}

func TestBrokenRuleLetsNothingThrough(t *testing.T) {
	w := small(func(w *engine.Workflow) {
		broken := rule("broken", nil)
		broken.Met = func(engine.Facts) (bool, error) { return true, engine.ErrConflict }
		w.Transitions[1].Require = []engine.Requirement{broken}
	})
	s := working(t, w)
	s.refused(owner, engine.Submit{Transition: "close"}, engine.Blocked, "transition.unmet")
}

func TestPendingRequestFreezes(t *testing.T) {
	w := small(func(w *engine.Workflow) { w.Stages[0].Acts = engine.Acts; w.Stages[1].Acts = engine.Acts })
	s := working(t, w)
	s.does(owner, engine.LayMilestones{Milestones: []engine.Milestone{{Title: "一", Due: day("2026-10-30")}}})
	s.does(owner, engine.Submit{Transition: "close"})
	for _, c := range []struct {
		name string
		who  engine.Actor
		cmd  engine.Command
	}{
		{"edit", owner, engine.Edit{Draft: engine.DraftOf(&s.p)}},
		{"lay a milestone", owner, engine.LayMilestones{Milestones: []engine.Milestone{{Title: "二", Due: day("2026-10-30")}}}},
		{"edit a milestone", owner, engine.EditMilestone{ID: "m1", Milestone: engine.Milestone{Title: "二", Due: day("2026-10-30")}}},
		{"remove a milestone", owner, engine.RemoveMilestone{ID: "m1"}},
		{"summarize", owner, engine.Summarize{Summary: "改了"}},
		{"extend", owner, engine.Extend{Deadline: day("2026-12-31"), Note: "来不及了"}},
		{"verify", supervisor, engine.Verify{Passed: true, Note: "看过没问题"}},
		{"submit again", owner, engine.Submit{Transition: "close"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			s.refused(c.who, c.cmd, engine.Blocked, "request.pending")
		})
	}
	s.t = t
	s.does(owner, engine.Report{Percent: 10, Done: "照常报告"}) // work goes on
	s.does(owner, evidence())
	s.does(owner, engine.Withdraw{})
	s.does(owner, engine.Edit{Draft: engine.DraftOf(&s.p)})
}
