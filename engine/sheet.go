package engine

import (
	"context"
	"slices"
	"strings"
	"time"

	"bihuan/engine/audit"
	"bihuan/engine/calendar"
)

// SubjectSheet is the kind of subject of a changed score sheet (考核口径); id: of the proposal.
const SubjectSheet = "sheet"

// SheetID is the id of a proposed score sheet.
type SheetID string

// SheetState says what became of a proposed score sheet.
type SheetState string

// The states.
const (
	SheetProposed  SheetState = "proposed"
	SheetAdopted   SheetState = "adopted"
	SheetRejected  SheetState = "rejected"
	SheetWithdrawn SheetState = "withdrawn"
)

// SheetVersion is a score sheet that an administrator proposed for everybody, and what a leader made of it. The engine
// does not read sheets: package score does.
type SheetVersion struct {
	ID         SheetID       `json:"id" gorm:"primaryKey"`
	Sheet      string        `json:"sheet"`                       // id that the definition gives itself
	Number     int           `json:"number"`                      // and its version
	Digest     string        `json:"digest"`                      // SHA-256 of the definition's bytes
	From       calendar.Date `json:"from" gorm:"column:in_force"` // first day whose scores follow it, once adopted
	State      SheetState    `json:"state"`
	Note       string        `json:"note"` // why
	ProposedBy UserID        `json:"proposed_by"`
	ProposedAt time.Time     `json:"proposed_at"`
	Decision   string        `json:"decision,omitempty"` // what the leader said
	DecidedBy  UserID        `json:"decided_by,omitempty"`
	DecidedAt  *time.Time    `json:"decided_at,omitempty"`
	Version    int64         `json:"version"`

	Source []byte `json:"-"` // exact bytes; listed without
}

// Subject is the sheet's name in the trail.
func (s *SheetVersion) Subject() string { return SubjectSheet + "/" + string(s.ID) }

// NewSheet is a score sheet that somebody proposes.
type NewSheet struct {
	Sheet  string // id and version that the definition gives itself
	Number int
	Source []byte
	From   calendar.Date
	Note   string
}

// maxSheet bounds a score sheet's definition, in bytes.
const maxSheet = 256 << 10

// MayProposeSheet refuses, and records it, whoever cannot propose a score sheet whatever it says.
func (e *Engine) MayProposeSheet(ctx context.Context, who Actor) error {
	return e.requiresTop(ctx, who, Admin, "propose_sheet")
}

// ProposeSheet proposes a score sheet for everybody. A leader adopts it in time: the day from which it holds must be
// ahead then, so that no figure of a day that is over ever changes. One proposal waits at a time.
func (e *Engine) ProposeSheet(ctx context.Context, who Actor, n NewSheet) (SheetVersion, error) {
	if err := e.MayProposeSheet(ctx, who); err != nil {
		return SheetVersion{}, err
	}
	note, err := reason(n.Note)
	switch {
	case err != nil:
		return SheetVersion{}, err
	case len(n.Source) > maxSheet:
		return SheetVersion{}, invalid("source", "field.too_long", "limit", maxSheet)
	case !n.From.After(e.today()):
		return SheetVersion{}, invalid("from", "sheet.not_ahead")
	}
	all, err := e.Store.SheetVersions(ctx)
	if err != nil {
		return SheetVersion{}, err
	}
	for _, s := range all {
		if s.State == SheetProposed {
			return SheetVersion{}, blocked("sheet.pending", "sheet", s.Sheet, "version", s.Number)
		}
	}
	s := SheetVersion{ID: SheetID(e.NewID()), Sheet: n.Sheet, Number: n.Number, Digest: audit.HashContent(n.Source).String(), From: n.From,
		State: SheetProposed, Note: note, ProposedBy: who.ID, ProposedAt: e.now(), Version: 1, Source: n.Source}
	return s, conflict(e.recordSheet(ctx, who, "propose_sheet", nil, &s))
}

// DecideSheet is the leader's answer to a proposal: adopted, or rejected with a reason.
func (e *Engine) DecideSheet(ctx context.Context, who Actor, id SheetID, base int64, adopt bool, note string) (SheetVersion, error) {
	action, state := "reject_sheet", SheetRejected
	if adopt {
		action, state = "adopt_sheet", SheetAdopted
	}
	if err := e.requiresTop(ctx, who, Leader, action); err != nil {
		return SheetVersion{}, err
	}
	s, err := e.proposal(ctx, id, base)
	if err != nil {
		return s, err
	}
	if who.same(s.ProposedBy) {
		return s, e.deny(ctx, who, action, s.Subject(), denied("four_eyes.approve"))
	}
	said := reason
	if adopt {
		said = func(note string) (string, error) { return text("note", note, maxNote) }
		if !s.From.After(e.today()) {
			return s, blocked("sheet.too_late", "date", s.From)
		}
	}
	if note, err = said(note); err != nil {
		return s, err
	}
	return e.endProposal(ctx, who, s, action, state, note)
}

// WithdrawSheet takes a proposal back; any administrator of the top may.
func (e *Engine) WithdrawSheet(ctx context.Context, who Actor, id SheetID, base int64, note string) (SheetVersion, error) {
	if err := e.requiresTop(ctx, who, Admin, "withdraw_sheet"); err != nil {
		return SheetVersion{}, err
	}
	s, err := e.proposal(ctx, id, base)
	if err != nil {
		return s, err
	}
	if note, err = text("note", note, maxNote); err != nil {
		return s, err
	}
	return e.endProposal(ctx, who, s, "withdraw_sheet", SheetWithdrawn, note)
}

func (e *Engine) endProposal(ctx context.Context, who Actor, s SheetVersion, action string, state SheetState, note string) (SheetVersion, error) {
	next := s
	next.State, next.Decision, next.DecidedBy, next.DecidedAt, next.Version = state, note, who.ID, at(e.now()), s.Version+1
	return next, conflict(e.recordSheet(ctx, who, action, &s, &next))
}

func (e *Engine) recordSheet(ctx context.Context, who Actor, action string, before, after *SheetVersion) error {
	var old any
	if before != nil {
		old = *before
	}
	return e.record(ctx, who, after.Subject(), action, old, func(r *Record) (any, map[string]any) {
		r.Sheet, r.Entry.Unit, r.Entry.Definition, r.Entry.Note = after, string(who.home()), after.Digest, after.Note
		if before != nil {
			r.Entry.Note = after.Decision
		}
		return *after, map[string]any{"digest": after.Digest}
	})
}

// proposal finds a proposal that waits, in the version that somebody has seen.
func (e *Engine) proposal(ctx context.Context, id SheetID, base int64) (SheetVersion, error) {
	s, err := e.SheetVersion(ctx, id)
	switch {
	case err != nil:
		return s, err
	case s.Version != base:
		return s, stale(base, s.Version)
	case s.State != SheetProposed:
		return s, blocked("sheet.decided")
	}
	return s, nil
}

// SheetVersion returns a proposed sheet, whatever became of it, with its source.
func (e *Engine) SheetVersion(ctx context.Context, id SheetID) (SheetVersion, error) {
	all, err := e.Store.SheetVersions(ctx)
	if err != nil {
		return SheetVersion{}, err
	}
	i := slices.IndexFunc(all, func(s SheetVersion) bool { return s.ID == id })
	if i < 0 {
		return SheetVersion{}, notFound("sheet.unknown")
	}
	s := all[i]
	s.Source, err = e.Store.SheetSource(ctx, id)
	return s, err
}

// SheetsInForce are the adopted ones of a list in the order in which they came, or come, to hold. Where two hold from
// the same day, the one that was adopted later does.
func SheetsInForce(all []SheetVersion) []SheetVersion {
	var out []SheetVersion
	for _, s := range all {
		if s.State == SheetAdopted {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b SheetVersion) int {
		if d := a.From.Compare(b.From); d != 0 {
			return d
		}
		if d := a.DecidedAt.Compare(*b.DecidedAt); d != 0 {
			return d
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
	return out
}
