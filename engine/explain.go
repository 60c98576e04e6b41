package engine

import "slices"

// Option is one thing that could be done to a project next, with everything that speaks for and against it, for
// the person asking. API and console show the same list.
type Option struct {
	Act        string       // a transition's "submit", "approve", "return", "withdraw", or an Act
	Transition TransitionID // of a submit
	Name       Text
	To         StageID
	ToName     Text
	Trigger    Trigger  // of a transition: OnSubmit, or what sets it off by itself
	Roles      []Role   // who may
	Allowed    bool     // the person asking may do it now
	Reasons    []Reason // the checklist, met and unmet, in the order of the definition
	Criteria   []Choice // of an approve: what has to be confirmed with it
	Grades     []Choice // of an approve that would be the last: one of these has to be given
}

// explain lists the options of a project for the case's actor: every transition that leaves its stage, the
// answers to a pending request, and the acts that the stage is the time for.
func (c *Case) explain(p *Project) []Option {
	var out []Option
	for _, t := range c.Workflow.From(p.Stage) {
		_, reasons := c.submitReasons(p, t)
		if t.Trigger != OnSubmit {
			reasons = nil // nobody asks for it; its requirements are all there is to say
		}
		reasons = append(reasons, c.unwritten(p, t)...)
		o := Option{Act: "submit", Transition: t.ID, Name: t.Name, To: t.target(p), ToName: c.Workflow.StageName(t.target(p)),
			Trigger: t.Trigger, Roles: t.Submit, Reasons: reasons}
		o.Allowed = t.Trigger == OnSubmit && permits(reasons)
		out = append(out, o)
	}
	add := func(act string, roles []Role, reasons []Reason) {
		out = append(out, Option{Act: act, Name: Text{}, Roles: roles, Reasons: reasons, Allowed: permits(reasons)})
	}
	if p.Request != nil {
		step, _, reasons := c.answerReasons(p)
		reasons = append(reasons, c.stillAhead(p)...)
		approve := Option{Act: "approve", Roles: c.askedRoles(p)}
		if p.Request.Kind == RequestTransition {
			if t, ok := c.Workflow.Transition(p.Request.Transition); ok {
				reasons = append(reasons, c.requirements(p, t.Require, p.Request.Note)...)
				approve.Criteria = t.Criteria
				with := Request{Given: append(slices.Clone(p.Request.Given), Approval{Step: step})}
				if len(t.Approve.open(&with)) == 0 {
					approve.Grades = t.Grades
				}
			}
		}
		approve.Reasons, approve.Allowed = reasons, permits(reasons)
		out = append(out, approve)
		_, withdraw := c.withdrawReasons(p)
		add("withdraw", []Role{Owner}, withdraw)
	}
	if _, reasons := c.returnReasons(p); p.Request != nil || len(c.returnTargets(p)) > 0 {
		roles := []Role{Supervisor}
		if p.Request != nil {
			roles = c.askedRoles(p)
		}
		add("return", roles, reasons)
	}
	if p.Stage == Closed && c.Workflow.LookBack.Months > 0 {
		_, reasons := c.lookBackReasons(p)
		add(string(actLookBack), []Role{Inspector}, reasons)
	}
	if p.EvidenceCount > 0 {
		_, reasons := c.findReasons(p)
		add(string(actFind), []Role{Inspector}, reasons)
	}
	if p.Convicted() {
		_, reasons := c.liftReasons(p)
		add(string(actLift), []Role{Inspector}, reasons)
	}
	if p.Stage == Closed || p.Stage == c.Workflow.last() {
		_, reasons := c.markReasons(p)
		add(string(actMark), []Role{Leader}, reasons)
	}
	if p.Distinctions != "" {
		_, reasons := c.unmarkReasons(p)
		add(string(actUnmark), []Role{Leader}, reasons)
	}
	stage, _ := c.Workflow.Stage(p.Stage)
	for _, a := range stage.Acts {
		_, reasons := c.reasons(p, a)
		add(string(a), actRoles[a], reasons)
	}
	return out
}

// unwritten evaluates a transition's requirements before anything has been written: those that only miss the
// note say so, since writing it is part of asking.
func (c *Case) unwritten(p *Project, t Transition) []Reason {
	const filler = "…………………………………………………………"
	now, then := c.requirements(p, t.Require, ""), c.requirements(p, t.Require, filler)
	for i := range now {
		now[i].Note = !now[i].Met && then[i].Met
	}
	return now
}

func (c *Case) returnTargets(p *Project) []StageID {
	stage, _ := c.Workflow.Stage(p.Stage)
	return stage.ReturnTo
}

func permits(reasons []Reason) bool {
	for _, r := range reasons {
		if !r.Met && !r.Note {
			return false
		}
	}
	return true
}
