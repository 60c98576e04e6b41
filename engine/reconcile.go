package engine

import (
	"time"

	"bihuan/engine/message"
)

// Outcome is what has become of an item when a list is reconciled.
type Outcome string

// The outcomes. 未到期 and 逾期 are open: a list closes when no item is.
const (
	OutClosed    Outcome = "closed"    // 已销号
	OutRunning   Outcome = "running"   // 未到期
	OutOverdue   Outcome = "overdue"   // 逾期未销号
	OutShelved   Outcome = "shelved"   // 挂账
	OutCarried   Outcome = "carried"   // 结转
	OutCancelled Outcome = "cancelled" // 撤项, which a leader approved
)

// Outcomes lists the outcomes in the order in which a reconciliation shows them.
var Outcomes = []Outcome{OutOverdue, OutRunning, OutShelved, OutCarried, OutCancelled, OutClosed}

var outcomeNames = map[Outcome]Text{
	OutClosed: {"已销号", "closed out"}, OutRunning: {"未到期", "not due yet"}, OutOverdue: {"逾期", "overdue"},
	OutShelved: {"挂账", "shelved"}, OutCarried: {"结转", "carried over"}, OutCancelled: {"撤项", "cancelled"},
}

// In returns the outcome's name in the given language.
func (o Outcome) In(lang string) string { return outcomeNames[o].In(lang) }

// Open reports whether an item with this outcome is still to be accounted for.
func (o Outcome) Open() bool { return o == OutRunning || o == OutOverdue }

// Line is one item of a reconciliation.
type Line struct {
	ID      ProjectID
	Item    ListItem
	Project Project
	Seen    bool // the person asking may open the project
	Outcome Outcome
	Late    bool     // 曾逾期: it was overdue at some time, whatever became of it
	Missing []Reason // what is missing for 销号, in the definition's words
	// The three sides of the reconciliation: the owner reported it as done, somebody else verified it, and those
	// it was done for have rated it.
	Reported, Verified, Rated bool
}

// Reconciliation is a list held against what its items have come to.
type Reconciliation struct {
	List  List
	Lines []Line // by number
	Count map[Outcome]int
	Open  int // items that are still to be accounted for
}

// outcome tells what has become of a project at a moment, apart from its being carried over.
func (c *Case) outcome(p *Project) Outcome {
	switch {
	case p.Stage == Closed:
		return OutClosed
	case p.Stage == Cancelled:
		return OutCancelled
	case p.Stage == Shelved:
		return OutShelved
	case p.OverdueAt != nil || c.expired(p):
		return OutOverdue
	}
	return OutRunning
}

// line reckons one item. What an item came to when it was carried over, or when the list was closed, stays.
func (c *Case) line(item ListItem, p Project) Line {
	l := Line{ID: p.ID, Item: item, Project: p, Seen: c.Who.Sees(&p), Outcome: item.Outcome, Late: p.EverOverdue || c.expired(&p)}
	if l.Outcome == "" {
		l.Outcome = c.outcome(&p)
	}
	if p.Stage == Closed || l.Outcome == OutClosed { // it was then, though a look-back may have reopened it since
		l.Reported, l.Verified, l.Rated = true, true, true
		return l
	}
	l.Reported = p.Progress == 100 || p.Verification != nil || p.Survey.Votes() > 0
	l.Verified = p.Verification != nil && p.Verification.Passed
	l.Rated = p.Survey.Votes() > 0
	if l.Outcome.Open() || l.Outcome == OutShelved || l.Outcome == OutCarried {
		l.Missing = c.missing(&p)
	}
	return l
}

// missing lists what stands between a project and 销号: that it has not come to the stage before it, and the
// requirements of the transition that are not met. What is only to be written when asking is not missing.
func (c *Case) missing(p *Project) []Reason {
	var out []Reason
	for _, t := range c.Workflow.Transitions {
		if t.To != Closed {
			continue
		}
		if !has(t.From, p.Stage) && len(t.From) > 0 {
			out = append(out, Reason{ID: "stage", Key: "lists.missing.stage",
				Args: message.Args("stage", c.Workflow.StageName(p.Stage), "last", c.Workflow.StageName(t.From[0]))})
		}
		for _, r := range c.unwritten(p, t) {
			if !r.Met && !r.Note {
				out = append(out, r)
			}
		}
		return out // a second way to close is another way, not one more thing to do
	}
	return out
}

// reckon adds up lines that stand in the order of the list.
func reckon(l List, lines []Line) Reconciliation {
	r := Reconciliation{List: l, Lines: lines, Count: map[Outcome]int{}}
	for _, line := range lines {
		r.Count[line.Outcome]++
		if line.Outcome.Open() {
			r.Open++
		}
	}
	return r
}

// Check is what stands between a list and its closing, shown before anybody presses the button.
func (r *Reconciliation) Check() []Reason {
	l := &r.List
	return []Reason{
		{ID: "state", Met: l.State == ListReconciling, Key: "lists.check.state", Args: message.Args("state", l.State)},
		{ID: "accounted", Met: r.Open == 0, Key: "lists.check.accounted", Args: message.Args("n", r.Open,
			"overdue", r.Count[OutOverdue], "running", r.Count[OutRunning])},
	}
}

// OnTime counts the items that were closed out and never overdue.
func (r *Reconciliation) OnTime() int {
	n := 0
	for _, l := range r.Lines {
		if l.Outcome == OutClosed && !l.Late {
			n++
		}
	}
	return n
}

// close accounts for every item and closes the list; the caller has made sure that none is open.
func (l *List) close(who UserID, now time.Time) error {
	if err := l.step(listClose); err != nil {
		return err
	}
	l.ClosedBy, l.ClosedAt = who, &now
	return nil
}
