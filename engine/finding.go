package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"bihuan/engine/audit"
	"bihuan/engine/calendar"
)

// Finding says that evidence of an item is false (弄虚作假): an inspector found it and a leader confirmed it. It never
// leaves the item. One that was wrong is lifted the way it was made, by an inspector and a leader, and says so.
type Finding struct {
	Note        string      `json:"note"`
	Evidence    []MarkProof `json:"evidence"` // what is false, by digest
	By          UserID      `json:"by"`
	At          time.Time   `json:"at"`
	ConfirmedBy UserID      `json:"confirmed_by"`
	ConfirmedAt time.Time   `json:"confirmed_at"`

	Lifted          string     `json:"lifted,omitempty"` // why
	LiftedBy        UserID     `json:"lifted_by,omitempty"`
	LiftConfirmedBy UserID     `json:"lift_confirmed_by,omitempty"`
	LiftedAt        *time.Time `json:"lifted_at,omitempty"` // when it was confirmed that the finding was wrong
}

// Wrong is what a request about a finding asks for: a new one about pieces of evidence, or the end of one.
type Wrong struct {
	Evidence []MarkProof `json:"evidence,omitempty"`
	Lift     string      `json:"lift,omitempty"` // id of the finding that was wrong
}

// Acts about findings; no stage lists them, because evidence may turn out to be false at any time.
const (
	actFind Act = "find_false"
	actLift Act = "lift_finding"
)

// What the entry of a confirmed request about a finding says in its member finding.
const (
	FalseEvidence = "false_evidence"
	FindingLifted = "lifted"
)

// FindFalse says that evidence is false. It waits for a leader's yes. With a deadline, which only an item that was
// closed out can have, that yes also reopens the item for rectification, as a failed look-back does.
type FindFalse struct {
	Evidence []string // ids of what is false
	Note     string
	Deadline calendar.Date

	proofs  []MarkProof // what the ids stand for, looked up by Do
	unknown error       // that one of them is none of the item's
}

func (x FindFalse) apply(c *Case, p *Project) (outcome, error) {
	as, reasons := c.findReasons(p)
	if err := refuse(reasons); err != nil {
		return outcome{}, err
	}
	note, err := reason(x.Note)
	if err != nil {
		return outcome{}, err
	}
	switch {
	case x.unknown != nil:
		return outcome{}, x.unknown
	case len(x.proofs) == 0:
		return outcome{}, invalid("evidence", "field.empty")
	}
	if !x.Deadline.IsZero() {
		if !c.Workflow.Reopens(p) {
			return outcome{}, invalid("deadline", "finding.no_deadline")
		}
		if err := c.futureDate("deadline", x.Deadline); err != nil {
			return outcome{}, err
		}
	}
	p.Request = &Request{Kind: RequestFinding, Deadline: x.Deadline, By: c.Who.ID, For: as.by, At: c.Now, Note: note, Finding: &Wrong{Evidence: x.proofs}}
	return outcome{action: string(actFind), as: as, note: note, owed: c.asked(p), data: map[string]any{"evidence": x.proofs}}, nil
}

// LiftFinding says that a finding was wrong. It waits for a leader's yes.
type LiftFinding struct{ ID, Note string }

func (x LiftFinding) apply(c *Case, p *Project) (outcome, error) {
	as, reasons := c.liftReasons(p)
	if err := refuse(reasons); err != nil {
		return outcome{}, err
	}
	f, ok := p.Findings[x.ID]
	switch {
	case !ok:
		return outcome{}, notFound("finding.unknown", "id", x.ID)
	case f.LiftedAt != nil:
		return outcome{}, blocked("finding.lifted")
	}
	note, err := reason(x.Note)
	if err != nil {
		return outcome{}, err
	}
	p.Request = &Request{Kind: RequestFinding, By: c.Who.ID, For: as.by, At: c.Now, Note: note, Finding: &Wrong{Lift: x.ID}}
	return outcome{action: string(actLift), as: as, note: note, owed: c.asked(p), data: map[string]any{"finding_id": x.ID}}, nil
}

func (c *Case) findReasons(p *Project) (authority, []Reason) {
	return c.inspectorReasons(p, Reason{ID: "evidence", Met: p.EvidenceCount > 0, Key: "finding.no_evidence"})
}

func (c *Case) liftReasons(p *Project) (authority, []Reason) {
	return c.inspectorReasons(p, Reason{ID: "standing", Met: p.Convicted(), Key: "finding.none"})
}

// Reopens tells whether a finding about the item can send it back to work, with a deadline for the rectification.
func (w *Workflow) Reopens(p *Project) bool { return p.Stage == Closed && w.LookBack.Reopen != "" }

// Convicted tells whether a finding of false evidence stands.
func (p *Project) Convicted() bool {
	for _, f := range p.Findings {
		if f.LiftedAt == nil {
			return true
		}
	}
	return false
}

// find carries out a request about a finding that has every yes.
func (c *Case) find(p *Project, r *Request, out *outcome) error {
	p.Request = nil
	if id := r.Finding.Lift; id != "" {
		f := p.Findings[id]
		f.Lifted, f.LiftedBy, f.LiftConfirmedBy, f.LiftedAt = r.Note, r.By, c.Who.ID, at(c.Now)
		p.Findings[id] = f
		out.data["finding"], out.data["finding_id"] = FindingLifted, id
		return nil
	}
	if p.Findings == nil {
		p.Findings = map[string]Finding{}
	}
	p.Serial++
	id := fmt.Sprintf("f%d", p.Serial)
	p.Findings[id] = Finding{Note: r.Note, Evidence: r.Finding.Evidence, By: r.By, At: r.At, ConfirmedBy: c.Who.ID, ConfirmedAt: c.Now}
	out.data["finding"], out.data["finding_id"] = FalseEvidence, id
	if r.Deadline.IsZero() {
		return nil
	}
	return c.reopen(p, r.Deadline, out)
}

// reopen sends an item that was closed out back to work under the same number, with a deadline for the rectification.
func (c *Case) reopen(p *Project, deadline calendar.Date, out *outcome) error {
	from := p.Stage
	to, err := c.Workflow.next(from, lookBackFailed, "")
	if err != nil {
		return err
	}
	c.enter(p, to)
	p.Deadline, p.DeadlineSetAt, p.OverdueAt = deadline, at(c.Now), nil
	out.from, out.to = from, to
	return nil
}

// proofs looks up evidence of an item by its ids.
func (e *Engine) proofs(ctx context.Context, p *Project, ids []string) ([]MarkProof, error) {
	list, err := e.Store.Evidence(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	known := map[string]audit.Digest{}
	for _, f := range list {
		known[f.ID] = f.SHA256
	}
	if len(ids) > maxProofs {
		return nil, invalid("evidence", "field.too_many")
	}
	var out []MarkProof
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		digest, ok := known[id]
		if !ok {
			return nil, invalid("evidence", "evidence.unknown", "id", id)
		}
		out = append(out, MarkProof{ID: id, SHA256: digest})
	}
	return out, nil
}

// looked completes commands with what is not on the project: the evidence that they name by its ids, words kept apart.
func (e *Engine) looked(ctx context.Context, p *Project, cmd Command) (Command, error) {
	var err error
	switch x := cmd.(type) {
	case MarkAs:
		ids := x.Evidence
		if len(ids) == 0 {
			list, listErr := e.Store.Evidence(ctx, p.ID)
			if listErr != nil {
				return cmd, listErr
			}
			for _, f := range list[max(0, len(list)-maxProofs):] {
				ids = append(ids, f.ID)
			}
		}
		x.proofs, err = e.proofs(ctx, p, ids)
		return x, err
	case FindFalse:
		x.proofs, err = e.proofs(ctx, p, x.Evidence)
		if KindOf(err) == Invalid { // said once it is clear that they may find anything at all
			x.unknown, err = err, nil
		}
		return x, err
	case EraseWords:
		words, err := e.Words(ctx, p)
		x.words = words[x.Objection]
		return x, err
	}
	return cmd, nil
}
