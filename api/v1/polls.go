package v1

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"bihuan/engine"

	"bihuan/api/request"
)

// registerPolls adds the operations on surveys behind a link.
func (h *handlers) registerPolls(api huma.API, op func(method, path, id, summary string) huma.Operation) {
	const poll = "/projects/{id}/poll"
	huma.Register(api, op(http.MethodGet, poll, "get-poll", "测评 The survey behind a link, and what it has counted"), h.poll)
	huma.Register(api, op(http.MethodPost, poll, "open-poll", "发起测评 Open a survey behind a link, or give an open one another link"), h.openPoll)
	change(h, api, op(http.MethodPost, poll+"/closing", "close-poll", "结束测评 End a survey before its day"), (*ClosePoll).command)
}

// PollBody is a survey behind a link. Who voted is known to nobody.
type PollBody struct {
	Open     bool       `json:"open" doc:"Votes are taken now."`
	OpenedAt *time.Time `json:"opened_at,omitempty"`
	OpenedBy *Ref       `json:"opened_by,omitempty"`
	Closes   string     `json:"closes,omitempty" doc:"Its last day."`
	Votes    Votes      `json:"votes" doc:"So far, of a survey that is open or not yet counted; else of the newest result."`
	Total    int        `json:"total" doc:"Number of votes."`
	Link     string     `json:"link,omitempty" doc:"Path of the rating page. Only when it was just made: it is kept nowhere."`
	Version  int64      `json:"version" doc:"Of the project."`
}

// PollAnswer is the answer about a survey.
type PollAnswer struct {
	ETag string `header:"ETag" doc:"The project's version, for If-Match."`
	Body PollBody
}

func (h *handlers) showPoll(ctx context.Context, p *engine.Project) (*PollAnswer, error) {
	out := &PollAnswer{ETag: etag(p.Version), Body: PollBody{Version: p.Version}}
	s := p.Survey
	if x := p.Poll; x != nil {
		tally, err := h.Engine.Votes(ctx, p)
		if err != nil {
			return nil, err
		}
		s = &tally
		at := x.OpenedAt
		out.Body.Open, out.Body.OpenedAt, out.Body.OpenedBy, out.Body.Closes = h.Now().Before(x.ClosesAt), &at, h.names.maybe(ctx, x.OpenedBy), x.Closes.String()
	}
	if s != nil {
		out.Body.Votes, out.Body.Total = Votes{s.VerySatisfied, s.Satisfied, s.Basic, s.Dissatisfied, s.VeryDissatisfied}, s.Votes()
	}
	return out, nil
}

// OnePoll is the request for a survey.
type OnePoll struct {
	ID string `path:"id" doc:"Id of the project."`
}

func (h *handlers) poll(ctx context.Context, in *OnePoll) (*PollAnswer, error) {
	id, err := projectID(in.ID)
	if err != nil {
		return nil, err
	}
	p, err := h.Engine.Project(ctx, request.From(ctx).Actor, id)
	if err != nil {
		return nil, err
	}
	return h.showPoll(ctx, &p)
}

// OpenPollBody says how long a survey stays open.
type OpenPollBody struct {
	Closes Date `json:"closes" doc:"Its last day." example:"2026-12-31"`
}

// OpenPoll is the request that opens a survey.
type OpenPoll struct {
	Change
	Body OpenPollBody
}

func (h *handlers) openPoll(ctx context.Context, in *OpenPoll) (*PollAnswer, error) {
	id, base, err := in.target()
	if err != nil {
		return nil, err
	}
	who, err := actor(ctx, in.IdempotencyKey, &in.Body)
	if err != nil {
		return nil, err
	}
	if _, done, err := h.Engine.Answered(ctx, who); err != nil || done {
		if err == nil { // the link was shown with the first answer and cannot be shown again
			err = &engine.Error{Kind: engine.Blocked, Key: "poll.shown_once"}
		}
		return nil, err
	}
	closes, err := in.Body.Closes.parse("closes")
	if err != nil {
		return nil, err
	}
	p, token, err := h.Engine.OpenPoll(ctx, who, id, base, closes)
	if err != nil {
		return nil, err
	}
	out, err := h.showPoll(ctx, &p)
	if err == nil {
		out.Body.Link = "/r/" + token
	}
	return out, err
}

// ClosePoll is the request that ends a survey.
type ClosePoll struct{ Change }

func (in *ClosePoll) payload() any { return nil }

func (in *ClosePoll) command() (engine.Command, error) { return engine.ClosePoll{}, nil }
