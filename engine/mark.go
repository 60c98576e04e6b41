package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"bihuan/engine/audit"
	"bihuan/engine/calendar"
	"bihuan/engine/message"
)

// MarkKind is a distinction that a leader gives an item.
type MarkKind string

// The distinctions.
const (
	MarkPromote MarkKind = "promote" // 推广: others shall do it too
	MarkCommend MarkKind = "commend" // 评先: counts when units and people are chosen for praise
)

// MarkKinds lists the distinctions.
var MarkKinds = []MarkKind{MarkPromote, MarkCommend}

var markNames = map[MarkKind]Text{MarkPromote: {"推广", "to be promoted"}, MarkCommend: {"评先", "commended"}}

// In returns the distinction's name in the given language.
func (k MarkKind) In(lang string) string { return markNames[k].In(lang) }

// Mark is a distinction with what stands behind it: the item as it was then, by the seq and hash of its newest entry,
// and pieces of evidence by their digests.
type Mark struct {
	Kind     MarkKind    `json:"kind"`
	By       UserID      `json:"by"`
	At       time.Time   `json:"at"`
	Note     string      `json:"note"`
	Seq      int64       `json:"seq"`
	Head     string      `json:"head"` // hex SHA-256 of the entry with that seq
	Evidence []MarkProof `json:"evidence"`

	RevokedBy UserID     `json:"revoked_by,omitempty"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
	Revoked   string     `json:"revoked,omitempty"` // why
}

// MarkProof is a piece of evidence behind a mark.
type MarkProof struct {
	ID     string       `json:"id"`
	SHA256 audit.Digest `json:"sha256"`
}

// Acts about marks; no stage lists them, because they come when the work is done.
const (
	actMark   Act = "mark"
	actUnmark Act = "unmark"
)

// maxProofs is how many pieces of evidence one mark names.
const maxProofs = 40

// MarkAs gives an item a distinction.
type MarkAs struct {
	Kind     MarkKind
	Note     string
	Evidence []string // ids of the evidence behind it; none: all that the item has, the newest at most

	proofs []MarkProof // what the ids stand for, looked up by Do
}

func (x MarkAs) apply(c *Case, p *Project) (outcome, error) {
	as, reasons := c.markReasons(p)
	if err := refuse(reasons); err != nil {
		return outcome{}, err
	}
	if !slices.Contains(MarkKinds, x.Kind) {
		return outcome{}, invalid("kind", "mark.kind")
	}
	if x.Kind == MarkCommend && p.Stage != Closed {
		return outcome{}, blocked("mark.not_closed")
	}
	if x.Kind == MarkCommend && p.Convicted() {
		return outcome{}, blocked("mark.false_evidence")
	}
	if _, ok := p.Marked(x.Kind); ok {
		return outcome{}, blocked("mark.already", "mark", x.Kind)
	}
	note, err := reason(x.Note)
	if err != nil {
		return outcome{}, err
	}
	if len(x.proofs) == 0 {
		return outcome{}, blocked("mark.no_evidence")
	}
	if p.Marks == nil {
		p.Marks = map[string]Mark{}
	}
	p.Serial++
	id := fmt.Sprintf("k%d", p.Serial)
	p.Marks[id] = Mark{Kind: x.Kind, By: c.Who.ID, At: c.Now, Note: note, Seq: p.Version, Head: p.Head.String(), Evidence: x.proofs}
	p.Distinctions = p.distinctions()
	return outcome{action: string(actMark), as: as, note: note, data: map[string]any{"mark": id, "kind": x.Kind},
		owed: []Reminder{{Kind: string(actMark), Role: Owner}}}, nil
}

// RevokeMark takes a distinction back. It stays on the record with the reason.
type RevokeMark struct{ ID, Note string }

func (x RevokeMark) apply(c *Case, p *Project) (outcome, error) {
	as, reasons := c.unmarkReasons(p)
	if err := refuse(reasons); err != nil {
		return outcome{}, err
	}
	m, ok := p.Marks[x.ID]
	switch {
	case !ok:
		return outcome{}, notFound("mark.unknown", "id", x.ID)
	case m.RevokedAt != nil:
		return outcome{}, blocked("mark.revoked")
	}
	note, err := reason(x.Note)
	if err != nil {
		return outcome{}, err
	}
	m.RevokedBy, m.RevokedAt, m.Revoked = c.Who.ID, at(c.Now), note
	p.Marks[x.ID] = m
	p.Distinctions = p.distinctions()
	return outcome{action: string(actUnmark), as: as, note: note, data: map[string]any{"mark": x.ID, "kind": m.Kind},
		owed: []Reminder{{Kind: string(actUnmark), Role: Owner}}}, nil
}

func (c *Case) markReasons(p *Project) (authority, []Reason) {
	as, ok := c.may(p, []Role{Leader})
	return as, []Reason{
		{ID: "role", Met: ok, Key: "act.role", Args: message.Args("roles", roleNameList{Leader})},
		{ID: "four_eyes", Met: !c.works(p), Key: "four_eyes.own_work"},
		{ID: "stage", Met: p.Stage == Closed || p.Stage == c.Workflow.last(), Key: "mark.too_early", Args: message.Args("stage", c.Workflow.StageName(c.Workflow.last()))},
		{ID: "evidence", Met: p.EvidenceCount > 0, Key: "mark.no_evidence"},
		{ID: "left", Met: len(p.Markable()) > 0, Key: "mark.all"},
	}
}

func (c *Case) unmarkReasons(p *Project) (authority, []Reason) {
	as, ok := c.may(p, []Role{Leader})
	return as, []Reason{
		{ID: "role", Met: ok, Key: "act.role", Args: message.Args("roles", roleNameList{Leader})},
		{ID: "mark", Met: p.Distinctions != "", Key: "mark.none"},
	}
}

// last is the last stage of the loop, 达效.
func (w *Workflow) last() StageID { return w.Stages[len(w.Stages)-1].ID }

// Marked returns the item's mark of a kind, if it has one that was not revoked.
func (p *Project) Marked(kind MarkKind) (Mark, bool) {
	for _, m := range p.Marks {
		if m.Kind == kind && m.RevokedAt == nil {
			return m, true
		}
	}
	return Mark{}, false
}

// Markable are the kinds of marks that the item can be given where it stands.
func (p *Project) Markable() []MarkKind {
	var out []MarkKind
	for _, k := range MarkKinds {
		if _, ok := p.Marked(k); !ok && (k != MarkCommend || p.Stage == Closed && !p.Convicted()) {
			out = append(out, k)
		}
	}
	return out
}

// distinctions are the kinds of marks that hold, as ",promote,commend,"; "" for none.
func (p *Project) distinctions() string {
	var b strings.Builder
	for _, k := range MarkKinds {
		if _, ok := p.Marked(k); ok {
			b.WriteString("," + string(k))
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return b.String() + ","
}

// Distinction is a mark that holds, with the item that has it.
type Distinction struct {
	ID      string
	Mark    Mark
	Project Project
}

// Distinctions lists the marks that were given in a year and hold, at the units under unit ("" for all that the actor
// may read), the newest first.
func (e *Engine) Distinctions(ctx context.Context, who Actor, year int, unit UnitID) ([]Distinction, error) {
	var out []Distinction
	f := Filter{Unit: unit, Marked: true, Limit: MaxPage}
	for {
		page, err := e.List(ctx, who, f)
		if err != nil {
			return nil, err
		}
		for _, p := range page.Items {
			for id, m := range p.Marks {
				if m.RevokedAt == nil && (year == 0 || calendar.DateOf(m.At, e.Site.Location).Year() == year) {
					out = append(out, Distinction{id, m, p})
				}
			}
		}
		if f.After = page.Next; f.After == "" {
			break
		}
	}
	slices.SortFunc(out, func(a, b Distinction) int {
		if d := b.Mark.At.Compare(a.Mark.At); d != 0 {
			return d
		}
		return strings.Compare(string(a.Project.ID)+a.ID, string(b.Project.ID)+b.ID)
	})
	return out, nil
}
