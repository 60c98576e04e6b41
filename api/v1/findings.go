package v1

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"bihuan/engine"
)

// registerFindings adds the operations on findings of false evidence.
func (h *handlers) registerFindings(api huma.API, op func(method, path, id, summary string) huma.Operation) {
	const one = "/projects/{id}/findings"
	change(h, api, op(http.MethodPost, one, "find-false", "认定弄虚作假 Find evidence false; it waits for a leader"), (*FindFalse).command)
	change(h, api, op(http.MethodPost, one+"/{finding}/lift", "lift-finding", "撤销弄虚作假认定 Say that a finding was wrong; it waits for a leader"), (*LiftFinding).command)
}

// Finding says that evidence of the item is false.
type Finding struct {
	ID          string    `json:"id"`
	Note        string    `json:"note"`
	Evidence    []Proof   `json:"evidence" doc:"What is false."`
	By          Ref       `json:"by" doc:"The inspector."`
	At          time.Time `json:"at"`
	ConfirmedBy Ref       `json:"confirmed_by" doc:"The leader."`
	ConfirmedAt time.Time `json:"confirmed_at"`

	Lifted          string     `json:"lifted,omitempty" doc:"Why the finding was wrong, if it was."`
	LiftedBy        *Ref       `json:"lifted_by,omitempty"`
	LiftConfirmedBy *Ref       `json:"lift_confirmed_by,omitempty"`
	LiftedAt        *time.Time `json:"lifted_at,omitempty"`
}

// Wrong is what a request about a finding asks for.
type Wrong struct {
	Evidence []Proof `json:"evidence,omitempty" doc:"Of a new finding: what is false."`
	Lift     string  `json:"lift,omitempty" doc:"Id of the finding that was wrong."`
}

func showProofs(list []engine.MarkProof) []Proof {
	out := make([]Proof, 0, len(list))
	for _, x := range list {
		out = append(out, Proof{x.ID, x.SHA256.String()})
	}
	return out
}

func showWrong(w *engine.Wrong) *Wrong {
	if w == nil {
		return nil
	}
	return &Wrong{Evidence: showProofs(w.Evidence), Lift: w.Lift}
}

func showFindings(ctx context.Context, p *engine.Project, people refs) []Finding {
	out := []Finding{}
	for id, f := range p.Findings {
		out = append(out, Finding{ID: id, Note: f.Note, Evidence: showProofs(f.Evidence), By: people.user(ctx, f.By), At: f.At,
			ConfirmedBy: people.user(ctx, f.ConfirmedBy), ConfirmedAt: f.ConfirmedAt, Lifted: f.Lifted,
			LiftedBy: people.maybe(ctx, f.LiftedBy), LiftConfirmedBy: people.maybe(ctx, f.LiftConfirmedBy), LiftedAt: f.LiftedAt})
	}
	slices.SortFunc(out, func(a, b Finding) int { return byNumber(a.ID, b.ID) })
	return out
}

// FindingBody is a new finding.
type FindingBody struct {
	Evidence []string `json:"evidence" minItems:"1" maxItems:"40" doc:"Ids of the evidence that is false."`
	Note     string   `json:"note" doc:"What was found, and why it is false."`
	Deadline Date     `json:"deadline,omitempty" doc:"Of an item that is closed out: with it, confirming the finding reopens the item for rectification." example:"2026-12-31"`
}

// FindFalse is the request that finds evidence false.
type FindFalse struct {
	Change
	Body FindingBody
}

func (in *FindFalse) payload() any { return &in.Body }

func (in *FindFalse) command() (engine.Command, error) {
	d, err := in.Body.Deadline.parse("deadline")
	return engine.FindFalse{Evidence: in.Body.Evidence, Note: in.Body.Note, Deadline: d}, err
}

// LiftFinding is the request that says that a finding was wrong.
type LiftFinding struct {
	Change
	Finding string `path:"finding" doc:"Id of the finding."`
	Body    struct {
		Note string `json:"note" doc:"What was wrong about it."`
	} `nameHint:"LiftFindingBody"`
}

func (in *LiftFinding) payload() any { return &in.Body }

func (in *LiftFinding) command() (engine.Command, error) {
	return engine.LiftFinding{ID: in.Finding, Note: in.Body.Note}, nil
}
