package v1

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"bihuan/api/request"
	"bihuan/engine"
	"bihuan/engine/score"
)

// registerSheets adds the operations on score sheets.
func (h *handlers) registerSheets(api huma.API, op func(method, path, id, summary string) huma.Operation) {
	const get, post, proposals = http.MethodGet, http.MethodPost, "/sheet-proposals"
	huma.Register(api, op(get, "/score-sheets", "list-score-sheets", "考核口径 The score sheets"), h.sheets)
	huma.Register(api, op(get, "/score-sheets/{sheet}", "get-score-sheet", "一份考核口径 One score sheet with its definition"), h.sheet)
	huma.Register(api, op(get, proposals, "list-sheet-proposals", "提出过的考核口径 Score sheets that were proposed, newest first"), h.proposals)
	propose := op(post, proposals, "propose-sheet", "提出考核口径 Propose a score sheet for everybody; it waits for a leader")
	propose.DefaultStatus = http.StatusCreated
	huma.Register(api, propose, h.proposeSheet)
	huma.Register(api, op(get, proposals+"/{proposal}", "get-sheet-proposal", "一份提案 One proposal with its definition"), h.proposal)
	huma.Register(api, op(post, proposals+"/{proposal}/adoption", "adopt-sheet", "批准考核口径 Adopt it: scores follow it from its day on"), h.deciding(true))
	huma.Register(api, op(post, proposals+"/{proposal}/rejection", "reject-sheet", "不批准考核口径 Reject it, with the reason"), h.deciding(false))
	huma.Register(api, op(post, proposals+"/{proposal}/withdrawal", "withdraw-sheet", "撤回考核口径 Take the proposal back"), h.withdrawSheet)
}

// SheetsAnswer is the score sheets.
type SheetsAnswer struct {
	Body struct {
		Items []Sheet `json:"items"`
	} `nameHint:"ScoreSheets"`
}

// Sheet is a score sheet.
type Sheet struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
	Name    string `json:"name"`
	Digest  string `json:"digest"`
	Holds   bool   `json:"holds" doc:"It is the one in force today."`
}

func showSheet(ctx context.Context, s *score.Sheet, holds bool) Sheet {
	return Sheet{ID: s.ID, Version: s.Version, Name: s.Name.In(request.From(ctx).Lang), Digest: s.Digest, Holds: holds}
}

func (h *handlers) sheets(ctx context.Context, _ *struct{}) (*SheetsAnswer, error) {
	list, err := h.Scores.Sheets(ctx)
	if err != nil {
		return nil, err
	}
	out := &SheetsAnswer{}
	out.Body.Items = []Sheet{}
	for i, s := range list {
		out.Body.Items = append(out.Body.Items, showSheet(ctx, s, i == 0))
	}
	return out, nil
}

// OneSheet names a score sheet.
type OneSheet struct {
	Sheet string `path:"sheet" maxLength:"64" doc:"An id, an id@version, or the id of a proposal."`
}

// SheetAnswer is a score sheet with its definition.
type SheetAnswer struct {
	Body struct {
		Sheet
		Source string `json:"source" doc:"The definition file; the digest is of its bytes."`
	} `nameHint:"ScoreSheetSource"`
}

func (h *handlers) sheet(ctx context.Context, in *OneSheet) (*SheetAnswer, error) {
	s, err := h.Scores.Sheet(ctx, in.Sheet)
	if err != nil {
		return nil, err
	}
	holds, err := h.Scores.Sheet(ctx, "")
	if err != nil {
		return nil, err
	}
	out := &SheetAnswer{}
	out.Body.Sheet, out.Body.Source = showSheet(ctx, s, s.Digest == holds.Digest), string(s.Source)
	return out, nil
}

// Proposal is a score sheet that somebody proposed, and what became of it.
type Proposal struct {
	ID         string     `json:"id"`
	Sheet      string     `json:"sheet" doc:"Id that the definition gives itself."`
	Number     int        `json:"number" doc:"Its version."`
	Digest     string     `json:"digest" doc:"SHA-256 of the definition."`
	From       string     `json:"from" doc:"First day whose scores follow it, once it is adopted."`
	State      string     `json:"state" enum:"proposed,adopted,rejected,withdrawn"`
	Note       string     `json:"note" doc:"Why."`
	ProposedBy Ref        `json:"proposed_by"`
	ProposedAt time.Time  `json:"proposed_at"`
	Decision   string     `json:"decision,omitempty"`
	DecidedBy  *Ref       `json:"decided_by,omitempty"`
	DecidedAt  *time.Time `json:"decided_at,omitempty"`
	Version    int64      `json:"version"`
}

func (h *handlers) showProposal(ctx context.Context, s *engine.SheetVersion) Proposal {
	return Proposal{ID: string(s.ID), Sheet: s.Sheet, Number: s.Number, Digest: s.Digest, From: s.From.String(), State: string(s.State), Note: s.Note,
		ProposedBy: h.names.user(ctx, s.ProposedBy), ProposedAt: s.ProposedAt, Decision: s.Decision, DecidedBy: h.names.maybe(ctx, s.DecidedBy), DecidedAt: s.DecidedAt, Version: s.Version}
}

// ProposalsAnswer is what was proposed.
type ProposalsAnswer struct {
	Body struct {
		Items []Proposal `json:"items"`
	} `nameHint:"SheetProposals"`
}

func (h *handlers) proposals(ctx context.Context, _ *struct{}) (*ProposalsAnswer, error) {
	list, err := h.Reader.SheetVersions(ctx)
	if err != nil {
		return nil, err
	}
	out := &ProposalsAnswer{}
	out.Body.Items = showAll(ctx, list, h.showProposal)
	return out, nil
}

// ProposalAnswer is one proposal with its definition.
type ProposalAnswer struct {
	ETag     string `header:"ETag" doc:"The proposal's version, for If-Match."`
	Location string `header:"Location" doc:"Of a new proposal: its address."`
	Body     struct {
		Proposal
		Source string `json:"source" doc:"The definition file."`
	} `nameHint:"SheetProposalSource"`
}

func (h *handlers) proposalAnswer(ctx context.Context, s *engine.SheetVersion, err error) (*ProposalAnswer, error) {
	if err != nil {
		return nil, err
	}
	out := &ProposalAnswer{ETag: etag(s.Version)}
	out.Body.Proposal, out.Body.Source = h.showProposal(ctx, s), string(s.Source)
	return out, nil
}

// OneProposal is a request about one proposal.
type OneProposal struct {
	ID string `path:"proposal" maxLength:"40" doc:"Id of the proposal."`
}

func (h *handlers) proposal(ctx context.Context, in *OneProposal) (*ProposalAnswer, error) {
	s, err := h.Engine.SheetVersion(ctx, engine.SheetID(in.ID))
	return h.proposalAnswer(ctx, &s, err)
}

// ProposeSheet is the request that proposes a score sheet.
type ProposeSheet struct {
	Body struct {
		Source string `json:"source" doc:"The definition file."`
		From   Date   `json:"from" doc:"First day whose scores shall follow it; a day ahead." example:"2027-01-01"`
		Note   string `json:"note" doc:"Why."`
	} `nameHint:"ProposeSheetBody"`
}

func (h *handlers) proposeSheet(ctx context.Context, in *ProposeSheet) (*ProposalAnswer, error) {
	from, err := in.Body.From.parse("from")
	if err != nil {
		return nil, err
	}
	s, err := h.Scores.Propose(ctx, request.From(ctx).Actor, []byte(in.Body.Source), from, in.Body.Note)
	out, err := h.proposalAnswer(ctx, &s, err)
	if err == nil {
		out.Location = prefix + "/sheet-proposals/" + string(s.ID)
	}
	return out, err
}

// DecideSheet is the request that ends a proposal.
type DecideSheet struct {
	OneProposal
	IfMatch string `header:"If-Match" doc:"The version of the proposal that was looked at, in quotes." example:"\"1\""`
	Body    struct {
		Note string `json:"note,omitempty" doc:"A rejection needs a reason."`
	} `nameHint:"DecideSheetBody"`
}

func (h *handlers) deciding(adopt bool) func(ctx context.Context, in *DecideSheet) (*ProposalAnswer, error) {
	return func(ctx context.Context, in *DecideSheet) (*ProposalAnswer, error) {
		base, err := ifMatch(in.IfMatch)
		if err != nil {
			return nil, err
		}
		s, err := h.Engine.DecideSheet(ctx, request.From(ctx).Actor, engine.SheetID(in.ID), base, adopt, in.Body.Note)
		return h.proposalAnswer(ctx, &s, err)
	}
}

func (h *handlers) withdrawSheet(ctx context.Context, in *DecideSheet) (*ProposalAnswer, error) {
	base, err := ifMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	s, err := h.Engine.WithdrawSheet(ctx, request.From(ctx).Actor, engine.SheetID(in.ID), base, in.Body.Note)
	return h.proposalAnswer(ctx, &s, err)
}
