package v1

import (
	"context"
	"time"

	"bihuan/engine"
)

// LookBack is the finding of a 回头看.
type LookBack struct {
	Passed      bool       `json:"passed"`
	Lasting     bool       `json:"lasting" doc:"长效机制 is still at work."`
	By          Ref        `json:"by"`
	At          time.Time  `json:"at"`
	Note        string     `json:"note"`
	ConfirmedBy *Ref       `json:"confirmed_by,omitempty"`
	ConfirmedAt *time.Time `json:"confirmed_at,omitempty"`
}

func showLookBack(ctx context.Context, l *engine.LookBack, people refs) *LookBack {
	if l == nil {
		return nil
	}
	return &LookBack{Passed: l.Passed, Lasting: l.Lasting, By: people.user(ctx, l.By), At: l.At, Note: l.Note,
		ConfirmedBy: people.maybe(ctx, l.ConfirmedBy), ConfirmedAt: l.ConfirmedAt}
}

// LookBackBody is the record of a look-back.
type LookBackBody struct {
	Passed   bool   `json:"passed"`
	Lasting  bool   `json:"lasting" doc:"长效机制 is still at work."`
	Deadline Date   `json:"deadline,omitempty" doc:"Of the rectification, if it failed." example:"2026-12-31"`
	Note     string `json:"note" doc:"What was found."`
}

// InspectAgain is the request that records a look-back.
type InspectAgain struct {
	Change
	Body LookBackBody
}

func (in *InspectAgain) payload() any { return &in.Body }

func (in *InspectAgain) command() (engine.Command, error) {
	d, err := in.Body.Deadline.parse("deadline")
	return engine.InspectAgain{Passed: in.Body.Passed, Lasting: in.Body.Lasting, Deadline: d, Note: in.Body.Note}, err
}
