package v1

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"bihuan/api/request"
	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/message"
)

// Key is the header that makes a repeat safe.
type Key struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"200" doc:"1 to 200 printable ASCII characters that stand for this one act. Repeating the request with it changes nothing and answers with the project as it now is."`
}

// Change is what every request that changes a project carries.
type Change struct {
	ID      string `path:"id" doc:"Id of the project."`
	IfMatch string `header:"If-Match" doc:"The version that the change is based on, as ETag gave it, in quotes." example:"\"7\""`
	Key
}

func (c *Change) precondition() *Change { return c }

// changing is a request that changes a project. payload is the part of it that an idempotency key stands for.
type changing interface {
	precondition() *Change
	payload() any
}

// ProjectAnswer is the answer of every operation that returns one project.
type ProjectAnswer struct {
	ETag     string `header:"ETag" doc:"The project's version, for If-Match."`
	Replayed string `header:"Idempotency-Replayed" doc:"true when the idempotency key had been used: nothing was changed now."`
	Location string `header:"Location" doc:"Of a new project: its address."`
	Body     Project
}

// change registers an operation that is one command on one project.
func change[I any, P interface {
	*I
	changing
}](h *handlers, api huma.API, op huma.Operation, command func(P) (engine.Command, error)) {
	huma.Register(api, op, func(ctx context.Context, in *I) (*ProjectAnswer, error) {
		return h.do(ctx, P(in), func() (engine.Command, error) { return command(P(in)) })
	})
}

// do carries out a command, unless its idempotency key shows that it was carried out before.
func (h *handlers) do(ctx context.Context, in changing, command func() (engine.Command, error)) (*ProjectAnswer, error) {
	pre := in.precondition()
	id, base, err := pre.target()
	if err != nil {
		return nil, err
	}
	who, err := actor(ctx, pre.IdempotencyKey, in.payload())
	if err != nil {
		return nil, err
	}
	if out, err := h.replay(ctx, who); out != nil || err != nil {
		return out, err
	}
	cmd, err := command()
	if err != nil {
		return nil, err
	}
	p, err := h.Engine.Do(ctx, who, id, base, cmd)
	if e, ok := errors.AsType[*engine.Error](err); ok && e.Field == "note" {
		if _, wordy := in.payload().(*TextBody); wordy {
			e.Field = "text" // the engine calls every reason a note
		}
	}
	if err != nil {
		return nil, err
	}
	return h.answer(ctx, &p, false)
}

// replay answers a request whose key shows that it was carried out before, with the project as it now is; nil if
// it was not. Two that arrive at the same moment are told apart by the engine, and both get the project.
func (h *handlers) replay(ctx context.Context, who engine.Actor) (*ProjectAnswer, error) {
	if who.Key == nil {
		return nil, nil // nothing to replay is no error
	}
	p, done, err := h.Engine.Answered(ctx, who)
	if err != nil || !done {
		return nil, err
	}
	return h.answer(ctx, &p, true)
}

// answer shows a project after a change: without the names of people and without what could be done next, which
// would cost queries that whoever changed it seldom needs.
func (h *handlers) answer(ctx context.Context, p *engine.Project, replayed bool) (*ProjectAnswer, error) {
	view, err := h.project(ctx, p, refs{})
	if err != nil {
		return nil, err
	}
	out := &ProjectAnswer{ETag: etag(p.Version), Body: view}
	if replayed {
		out.Replayed = "true"
	}
	return out, nil
}

// target returns the project and the version that the change is based on.
func (c *Change) target() (engine.ProjectID, int64, error) {
	id, err := projectID(c.ID)
	if err != nil {
		return "", 0, err
	}
	version, err := ifMatch(c.IfMatch)
	return id, version, err
}

// ifMatch reads the version that a change is based on.
func ifMatch(s string) (int64, error) { return ifMatchFrom(s, 1) }

// ifMatchFrom is ifMatch for what may have been there from the version least on.
func ifMatchFrom(s string, least int64) (int64, error) {
	if s == "" {
		return 0, &engine.Error{Kind: engine.Required, Field: "If-Match", Key: "api.if_match_required"}
	}
	digits, ok := strings.CutPrefix(s, `"`)
	digits, closed := strings.CutSuffix(digits, `"`)
	version, err := strconv.ParseInt(digits, 10, 64)
	if !ok || !closed || err != nil || version < least || digits[0] == '+' {
		return 0, invalid("If-Match", "api.if_match")
	}
	return version, nil
}

// etag is the version as If-Match wants it back.
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// actor is who is calling, with the idempotency key that came along. The key stands for method, path and content;
// another request under the same key is refused.
func actor(ctx context.Context, key string, payload any) (engine.Actor, error) {
	info := request.From(ctx)
	who := info.Actor
	if key == "" {
		return who, nil
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return who, invalid("Idempotency-Key", "api.idempotency_key")
	}
	content, err := json.Marshal(payload)
	if err != nil {
		return who, err
	}
	digest := audit.HashContent([]byte(info.Method + " " + info.Path + "\n" + string(content)))
	who.Key = &engine.IdempotencyKey{Actor: who.ID, Key: key, Request: digest}
	return who, nil
}

// Match is the version that a change is based on, of what keeps no idempotency keys.
type Match struct {
	IfMatch string `header:"If-Match" doc:"The version that the change is based on, as ETag gave it, in quotes; it makes a repeat safe too." example:"\"7\""`
}

// changed carries out an act on the thing that id reads, on the version that the caller saw.
func changed[ID ~string, T any](ctx context.Context, id func(string) (ID, error), of string, in Match, act func(who engine.Actor, id ID, base int64) (T, error)) (T, error) {
	var none T
	what, err := id(of)
	if err != nil {
		return none, err
	}
	base, err := ifMatch(in.IfMatch)
	if err != nil {
		return none, err
	}
	return act(request.From(ctx).Actor, what, base)
}

// projectID is the id of a project.
func projectID(s string) (engine.ProjectID, error) {
	return idOf[engine.ProjectID](s, "project.unknown", "id", "")
}

// idOf refuses what cannot be an id before a database is asked: such a thing is simply not there, as the message says.
func idOf[ID ~string](s, unknown string, args ...any) (ID, error) {
	if !engine.IsID(s) {
		return "", &engine.Error{Kind: engine.NotFound, Key: unknown, Args: message.Args(args...)}
	}
	return ID(s), nil
}

func invalid(field, key string, args ...any) error {
	return &engine.Error{Kind: engine.Invalid, Field: field, Key: key, Args: message.Args(args...)}
}

// Document completes an operation's description with what huma does not know: that If-Match is needed (its
// absence has a status of its own), and which statuses to expect.
func Document(_ *huma.OpenAPI, op *huma.Operation) {
	for _, p := range op.Parameters {
		if p.In == "header" && p.Name == "If-Match" {
			p.Required = true
		}
	}
	switch op.OperationID {
	case uploadID:
		op.RequestBody = uploadBody
	case recogniseID, importID:
		op.RequestBody = ledgerBody(op.OperationID == importID)
	}
	if op.Responses["default"] != nil {
		op.Responses["default"].Description = "A problem (RFC 9457) in the reader's language: " +
			"400 not JSON, 401 not signed in, 403 not yours to do, 404 absent or outside your units, 409 not possible now, " +
			"412 changed meanwhile, 413 too large, 415 not JSON by its type, 422 wrong field, 428 If-Match missing, 429 too fast."
	}
}

// noun is what an operation is listed under.
func noun(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return first
}
