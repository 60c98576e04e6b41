package engine

import (
	"time"

	"bihuan/engine/calendar"
	"bihuan/engine/message"
)

// LookBackRule says when an item that was closed out is inspected once more (回头看), whose yes the finding needs, and
// where a failed one leads. The zero value means that nobody looks back.
type LookBackRule struct {
	Months  int            // after 销号
	Reopen  StageID        // where a failed look-back leads
	Approve []ApprovalStep // of the finding; the inspector who made it is never one of them
}

// LookBack is the newest finding that was confirmed.
type LookBack struct {
	Passed      bool       `json:"passed"`
	Lasting     bool       `json:"lasting"` // 长效机制 is still at work
	By          UserID     `json:"by"`
	At          time.Time  `json:"at"`
	Note        string     `json:"note"`
	ConfirmedBy UserID     `json:"confirmed_by,omitempty"`
	ConfirmedAt *time.Time `json:"confirmed_at,omitempty"`
}

// actLookBack is the act of an item that rests closed, so no stage lists it.
const actLookBack Act = "look_back"

// lookBackFailed is the machine's event that reopens; a colon keeps it apart from transition ids, and from the ids of
// timers where it marks that the inspectors have been told.
const (
	lookBackFailed = "look_back:failed"
	lookBackTold   = "look_back:due"
)

// InspectAgain is the record of a look-back. It waits for the leader's yes, and then closes the matter or sends the
// work back with a new deadline.
type InspectAgain struct {
	Passed   bool
	Lasting  bool          // 长效机制 is still at work
	Deadline calendar.Date // of the rectification, if it failed
	Note     string
}

func (x InspectAgain) apply(c *Case, p *Project) (outcome, error) {
	as, reasons := c.lookBackReasons(p)
	if err := refuse(reasons); err != nil {
		return outcome{}, err
	}
	note, err := reason(x.Note)
	if err != nil {
		return outcome{}, err
	}
	if !x.Passed {
		if err := c.futureDate("deadline", x.Deadline); err != nil {
			return outcome{}, err
		}
	} else if !x.Deadline.IsZero() {
		return outcome{}, invalid("deadline", "look_back.no_deadline")
	}
	p.Request = &Request{Kind: RequestLookBack, Deadline: x.Deadline, By: c.Who.ID, For: as.by, At: c.Now, Note: note,
		LookBack: &LookBack{Passed: x.Passed, Lasting: x.Lasting, By: c.Who.ID, At: c.Now, Note: note}}
	return outcome{action: string(actLookBack), as: as, note: note, owed: c.asked(p), data: map[string]any{"passed": x.Passed, "lasting": x.Lasting}}, nil
}

func (c *Case) lookBackReasons(p *Project) (authority, []Reason) {
	return c.inspectorReasons(p, Reason{ID: "rule", Met: c.Workflow.LookBack.Months > 0, Key: "look_back.none"},
		Reason{ID: "stage", Met: p.Stage == Closed, Key: "look_back.not_closed"})
}

// inspectorReasons are those of a request that an inspector makes, whatever it is about, with its own among them.
func (c *Case) inspectorReasons(p *Project, own ...Reason) (authority, []Reason) {
	as, ok := c.may(p, []Role{Inspector})
	out := []Reason{
		{ID: "role", Met: ok, Key: "act.role", Args: message.Args("roles", roleNameList{Inspector})},
		{ID: "four_eyes", Met: !c.works(p), Key: "four_eyes.own_work"},
	}
	return as, append(append(out, own...), Reason{ID: "pending", Met: p.Request == nil, Key: "request.pending"})
}

// settle carries out a look-back that has every yes: the finding stays on the item, and a failed one reopens it under
// the same number, with a mark that stays.
func (c *Case) settle(p *Project, r *Request, out *outcome) error {
	found := *r.LookBack
	found.ConfirmedBy, found.ConfirmedAt = c.Who.ID, at(c.Now)
	p.LookBack, p.LookBackDue, p.Request = &found, calendar.Date{}, nil
	p.LookBacks++
	out.data["passed"] = found.Passed
	if found.Passed {
		return nil
	}
	p.LookBacksFailed++
	return c.reopen(p, r.Deadline, out)
}

// lookBackOwed is when the inspectors are told that a look-back is due; once for each 销号.
func (c *Case) lookBackOwed(p *Project) (occurrence, bool) {
	if p.Stage != Closed || p.LookBackDue.IsZero() || p.Fired[lookBackTold] == p.LookBackDue.String() {
		return occurrence{}, false
	}
	when := p.LookBackDue.At(c.Site.RemindHour, c.Site.RemindMin, c.Site.Location)
	return occurrence{at: when, lookBack: true, key: p.LookBackDue.String()}, true
}

// askedLate counts a request for an extension that came after the deadline. It changes nothing else.
type askedLate struct{ x Extend }

func (a askedLate) apply(_ *Case, p *Project) (outcome, error) {
	p.LateAsks++
	note, _ := text("note", a.x.Note, maxNote) // what is no text is left out
	return outcome{action: "extend_late", note: note, data: map[string]any{"from": p.Deadline, "to": a.x.Deadline}}, nil
}
