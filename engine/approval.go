package engine

import (
	"slices"
	"strings"

	"bihuan/engine/calendar"
	"bihuan/engine/message"
)

// Submit asks for a transition (送审). Where the definition wants nobody's approval it happens at once.
type Submit struct {
	Transition TransitionID
	Note       string
}

func (x Submit) apply(c *Case, p *Project) (outcome, error) {
	t, ok := c.Workflow.Transition(x.Transition)
	if !ok {
		return outcome{}, invalid("transition", "transition.unknown", "transition", x.Transition)
	}
	note, err := text("note", x.Note, maxNote)
	if err != nil {
		return outcome{}, err
	}
	as, reasons := c.submitReasons(p, t)
	if err := refuse(reasons); err != nil {
		return outcome{}, err
	}
	if err := c.enforce(p, t, note); err != nil {
		return outcome{}, err
	}
	if len(t.Approve.Steps) == 0 {
		from := p.Stage
		if err := c.move(p, t); err != nil {
			return outcome{}, err
		}
		return outcome{action: "transition", as: as, from: from, to: p.Stage, note: note,
			data: map[string]any{"transition": t.ID}, owed: []Reminder{{Kind: "transition", Role: Owner}}}, nil
	}
	p.Request = &Request{Kind: RequestTransition, Transition: t.ID, By: c.Who.ID, For: as.by, At: c.Now, Note: note}
	return outcome{action: "submit", as: as, from: p.Stage, to: t.target(p), note: note,
		data: map[string]any{"transition": t.ID}, owed: c.asked(p)}, nil
}

// submitReasons lists what stands between the actor and asking for t, apart from its requirements.
func (c *Case) submitReasons(p *Project, t Transition) (authority, []Reason) {
	as, ok := c.may(p, t.Submit)
	return as, []Reason{
		{ID: "stage", Met: slices.Contains(t.From, p.Stage), Key: "transition.not_from_here",
			Args: message.Args("transition", t.Name, "stage", c.Workflow.StageName(p.Stage))},
		{ID: "trigger", Met: t.Trigger == OnSubmit, Key: "transition.not_asked_for", Args: message.Args("transition", t.Name)},
		{ID: "role", Met: ok, Key: "transition.role", Args: message.Args("roles", roleNameList(t.Submit), "transition", t.Name)},
		{ID: "pending", Met: p.Request == nil, Key: "request.pending"},
	}
}

// Extend asks for a later deadline. Only before expiry; how often and how far is the definition's to say.
type Extend struct {
	Deadline calendar.Date
	Note     string
}

func (x Extend) apply(c *Case, p *Project) (outcome, error) {
	as, err := c.allow(p, ActExtend)
	if err != nil {
		return outcome{}, err
	}
	note, err := reason(x.Note)
	if err != nil {
		return outcome{}, err
	}
	if err := c.futureDate("deadline", x.Deadline); err != nil {
		return outcome{}, err
	}
	if !x.Deadline.After(p.Deadline) {
		return outcome{}, invalid("deadline", "extension.not_later", "date", p.Deadline)
	}
	if last := c.lastExtension(p); x.Deadline.After(last) {
		return outcome{}, invalid("deadline", "extension.too_far", "date", last, "months", c.Workflow.Extension.Months)
	}
	p.Request = &Request{Kind: RequestExtension, Deadline: x.Deadline, By: c.Who.ID, For: as.by, At: c.Now, Note: note}
	return outcome{action: "extend", as: as, note: note, owed: c.asked(p),
		data: map[string]any{"from": p.Deadline, "to": x.Deadline}}, nil
}

// extensionReasons lists the limits of an extension that do not depend on the date asked for.
func (c *Case) extensionReasons(p *Project) []Reason {
	ext := c.Workflow.Extension
	return []Reason{
		{ID: "deadline", Met: !p.Deadline.IsZero() && !p.OriginalDeadline.IsZero(), Key: "extension.no_deadline"},
		{ID: "in_time", Met: !c.today().After(p.Deadline), Key: "extension.too_late", Args: message.Args("date", p.Deadline)},
		{ID: "count", Met: p.Extensions < ext.Max, Key: "extension.too_many", Args: message.Args("limit", ext.Max)},
		{ID: "room", Met: p.Deadline.Before(c.lastExtension(p)), Key: "extension.too_far",
			Args: message.Args("date", c.lastExtension(p), "months", ext.Months)},
	}
}

// lastExtension is the latest day that extensions can reach.
func (c *Case) lastExtension(p *Project) calendar.Date {
	return p.OriginalDeadline.AddMonths(c.Workflow.Extension.Months)
}

// approvals returns the steps that a request needs.
func (c *Case) approvals(p *Project, r *Request) Approvals {
	if r.Kind == RequestExtension {
		steps := c.Workflow.Extension.Approve
		if len(steps) == 0 {
			return Approvals{}
		}
		return Approvals{Steps: steps[min(p.Extensions, len(steps)-1):][:1]}
	}
	switch r.Kind {
	case RequestLookBack:
		return Approvals{Steps: c.Workflow.LookBack.Approve}
	case RequestFinding:
		return Approvals{Steps: []ApprovalStep{{Roles: []Role{Leader}, Count: 1}}}
	}
	t, _ := c.Workflow.Transition(r.Transition)
	return t.Approve
}

// open returns the indexes of the steps that can be answered now.
func (a Approvals) open(r *Request) []int {
	var out []int
	for i, s := range a.Steps {
		given := 0
		for _, g := range r.Given {
			if g.Step == i {
				given++
			}
		}
		if given < s.Count {
			out = append(out, i)
			if a.InOrder {
				break
			}
		}
	}
	return out
}

// asked returns the reminders to those whose answer is open.
func (c *Case) asked(p *Project) []Reminder {
	var out []Reminder
	for _, r := range c.askedRoles(p) {
		out = append(out, Reminder{Kind: "submit", Role: r, Deadline: p.Deadline})
	}
	return out
}

func (c *Case) askedRoles(p *Project) []Role {
	var roles []Role
	a := c.approvals(p, p.Request)
	for _, i := range a.open(p.Request) {
		for _, r := range a.Steps[i].Roles {
			if !slices.Contains(roles, r) {
				roles = append(roles, r)
			}
		}
	}
	return roles
}

// step returns the open step that the actor can answer, and by which authority.
func (c *Case) step(p *Project) (int, authority, bool) {
	a := c.approvals(p, p.Request)
	for _, i := range a.open(p.Request) {
		for _, role := range a.Steps[i].Roles {
			var best Grant // the nearest, as in Actor.Has
			for _, g := range c.Who.Grants {
				if g.Role == role && Under(p.UnitPath, g.Path) && a.Steps[i].At.Covers(g.Path, p.UnitPath) && len(g.Path) > len(best.Path) {
					best = g
				}
			}
			if best.Path != "" {
				return i, authority{role: role, unit: best.UnitID, by: best.By}, true
			}
		}
	}
	return 0, authority{}, false
}

// Covers reports whether a role granted at the unit with path granted is on the level, seen from the unit at
// path.
func (l Level) Covers(granted, path string) bool {
	depth := func(p string) int { return strings.Count(p, "/") - 1 }
	switch l {
	case Near:
		return depth(path)-depth(granted) <= 1
	case Top:
		return depth(granted) == 1
	}
	return true
}

// answerReasons lists what stands between the actor and answering the pending request.
func (c *Case) answerReasons(p *Project) (int, authority, []Reason) {
	if p.Request == nil {
		return 0, authority{}, []Reason{{ID: "pending", Key: "request.none"}}
	}
	r := p.Request
	step, as, ok := c.step(p)
	// Whoever acts by delegation and whoever delegated are one pair of eyes, now and in what was recorded then.
	given := slices.ContainsFunc(r.Given, func(a Approval) bool { return c.Who.same(a.By) || c.Who.same(a.For) })
	return step, as, []Reason{
		{ID: "pending", Met: true, Key: "request.waiting"},
		{ID: "role", Met: ok, Key: "approval.role", Args: message.Args("roles", roleNameList(c.askedRoles(p)))},
		{ID: "four_eyes", Met: !c.Who.same(r.By) && !c.Who.same(r.For) && !c.works(p), Key: "four_eyes.approve"},
		{ID: "once", Met: !given, Key: "approval.given"},
	}
}

// Approve says yes to the pending request (批准). The last yes that it needs carries it out. A transition with criteria
// takes a yes to all of them only, and one with grades one of these from whoever says the last yes.
type Approve struct {
	Note     string
	Criteria []string // ids of those confirmed
	Grade    string
}

func (x Approve) apply(c *Case, p *Project) (outcome, error) {
	step, as, reasons := c.answerReasons(p)
	reasons = append(reasons, c.stillAhead(p)...)
	if err := refuse(reasons); err != nil {
		return outcome{}, err
	}
	note, err := text("note", x.Note, maxNote)
	if err != nil {
		return outcome{}, err
	}
	r := p.Request
	out := outcome{action: "approve", as: as, note: note,
		data: map[string]any{"request": r.Kind, "step": step + 1, "submitted_by": r.By}}
	var t Transition
	if r.Kind == RequestTransition {
		var ok bool
		if t, ok = c.Workflow.Transition(r.Transition); !ok {
			return outcome{}, blocked("transition.unknown", "transition", r.Transition)
		}
		// What was true when it was submitted must still be true at every yes.
		if err := c.enforce(p, t, r.Note); err != nil {
			return outcome{}, err
		}
		out.data["transition"] = r.Transition
	}
	yes := Approval{By: c.Who.ID, For: as.by, Role: as.role, Step: step, At: c.Now, Note: note}
	if yes.Criteria, err = x.confirmed(t); err != nil {
		return outcome{}, err
	}
	if len(yes.Criteria) > 0 {
		out.data["criteria"] = yes.Criteria
	}
	r.Given = append(r.Given, yes)
	if last := len(c.approvals(p, r).open(r)) == 0; !last {
		if x.Grade != "" {
			return outcome{}, invalid("grade", "approval.grade_later")
		}
		out.owed = c.asked(p)
		return out, nil
	}
	out.owed = []Reminder{{Kind: "approve", Role: Owner}}
	switch r.Kind {
	case RequestLookBack:
		settleErr := c.settle(p, r, &out)
		return out, settleErr
	case RequestFinding:
		findErr := c.find(p, r, &out)
		return out, findErr
	case RequestExtension:
		out.data["from"], out.data["to"] = p.Deadline, r.Deadline
		p.Deadline, p.DeadlineSetAt, p.OverdueAt = r.Deadline, at(c.Now), nil
		p.Extensions++
		p.Request = nil
		return out, nil
	}
	if err := x.grade(t); err != nil {
		return outcome{}, err
	}
	if x.Grade != "" {
		p.Grade = x.Grade
		out.data["grade"] = x.Grade
	}
	out.from = p.Stage
	if err := c.move(p, t); err != nil {
		return outcome{}, err
	}
	out.to = p.Stage
	return out, nil
}

// confirmed returns the ids of the transition's criteria, all of which an approver has to confirm.
func (x Approve) confirmed(t Transition) ([]string, error) {
	for _, id := range x.Criteria {
		if !slices.ContainsFunc(t.Criteria, func(c Choice) bool { return c.ID == id }) {
			return nil, invalid("criteria", "approval.unknown_criterion", "id", id)
		}
	}
	var ids []string
	for _, c := range t.Criteria {
		if !slices.Contains(x.Criteria, c.ID) {
			return nil, blocked("approval.criterion", "name", c.Name)
		}
		ids = append(ids, c.ID)
	}
	return ids, nil
}

// grade refuses a last yes without one of the transition's grades.
func (x Approve) grade(t Transition) error {
	switch {
	case slices.ContainsFunc(t.Grades, func(g Choice) bool { return g.ID == x.Grade }):
		return nil
	case x.Grade != "":
		return invalid("grade", "approval.unknown_grade", "id", x.Grade)
	case len(t.Grades) > 0:
		return invalid("grade", "approval.grade")
	}
	return nil
}

// stillAhead says of a pending extension whether the date it asks for is yet to come: it may have waited too long for
// an answer, and can then only be returned.
func (c *Case) stillAhead(p *Project) []Reason {
	if p.Request == nil || p.Request.Kind != RequestExtension {
		return nil
	}
	date := p.Request.Deadline
	return []Reason{{ID: "ahead", Met: !date.Before(c.today()), Key: "extension.date_gone", Args: message.Args("date", date)}}
}

// Return is 退回: the answer no to a pending request, or sending work back to an earlier stage. To may be empty
// when a request is answered; the project then stays in its stage.
type Return struct {
	To   StageID
	Note string
}

func (x Return) apply(c *Case, p *Project) (outcome, error) {
	as, reasons := c.returnReasons(p)
	if err := refuse(reasons); err != nil {
		return outcome{}, err
	}
	note, err := reason(x.Note)
	if err != nil {
		return outcome{}, err
	}
	if x.To == "" && p.Request == nil {
		return outcome{}, invalid("to", "field.empty")
	}
	out := outcome{action: "return", as: as, note: note, owed: []Reminder{{Kind: "return", Role: Owner}}}
	if p.Request != nil {
		out.data = map[string]any{"request": p.Request.Kind, "submitted_by": p.Request.By}
	}
	p.Returns++
	p.Request = nil
	if x.To != "" {
		from := p.Stage
		to, err := c.Workflow.next(from, returnEvent(x.To), p.Resume)
		if err != nil {
			return outcome{}, invalid("to", "return.not_there", "stage", c.Workflow.StageName(from), "to", c.Workflow.StageName(x.To))
		}
		c.enter(p, to)
		out.from, out.to = from, to
	}
	return out, nil
}

// returnReasons lists what stands between the actor and 退回: with a pending request it belongs to those who
// could approve it, otherwise to supervisors.
func (c *Case) returnReasons(p *Project) (authority, []Reason) {
	if p.Request != nil {
		_, as, reasons := c.answerReasons(p)
		return as, reasons
	}
	stage, _ := c.Workflow.Stage(p.Stage)
	as, ok := c.may(p, []Role{Supervisor})
	return as, []Reason{
		{ID: "role", Met: ok, Key: "act.role", Args: message.Args("roles", roleNameList{Supervisor})},
		{ID: "four_eyes", Met: !c.works(p), Key: "four_eyes.own_work"},
		{ID: "stage", Met: len(stage.ReturnTo) > 0, Key: "return.nowhere", Args: message.Args("stage", c.Workflow.StageName(p.Stage))},
	}
}

// Withdraw takes a pending request back (撤回): by whoever made it, or the owner.
type Withdraw struct{ Note string }

func (x Withdraw) apply(c *Case, p *Project) (outcome, error) {
	as, reasons := c.withdrawReasons(p)
	if err := refuse(reasons); err != nil {
		return outcome{}, err
	}
	note, err := text("note", x.Note, maxNote)
	if err != nil {
		return outcome{}, err
	}
	out := outcome{action: "withdraw", as: as, note: note, data: map[string]any{"request": p.Request.Kind}}
	p.Request = nil
	return out, nil
}

func (c *Case) withdrawReasons(p *Project) (authority, []Reason) {
	if p.Request == nil {
		return authority{}, []Reason{{ID: "pending", Key: "request.none"}}
	}
	as, _ := c.may(p, []Role{Owner, Assistant, Secretary, Supervisor})
	return as, []Reason{
		{ID: "pending", Met: true, Key: "request.waiting"},
		{ID: "role", Met: p.Request.By == c.Who.ID || p.Owner == c.Who.ID && p.Owner != "" && !p.Request.inspects(), Key: "withdraw.role"},
	}
}
