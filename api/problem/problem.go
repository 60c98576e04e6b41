// Package problem turns whatever went wrong into one RFC 9457 answer in the reader's language.
//
// What must always hold: an answer with a status below 500 says what to do differently, naming the field; one of
// 500 says nothing but the request id, because what happened is for the log, unless what is stored was damaged; and the values of a body that does
// not fit are never echoed, since a secret may be among them.
package problem

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"bihuan/api/request"
	"bihuan/engine"
	"bihuan/engine/message"
)

// Problem is the body of every answer that is not a success.
type Problem struct {
	Type     string   `json:"type" doc:"What sort of problem it is: urn:bihuan:problem: and a word that never changes."`
	Title    string   `json:"title" doc:"The sort of problem in words."`
	Status   int      `json:"status" doc:"The HTTP status."`
	Detail   string   `json:"detail" doc:"What is wrong here, in the reader's language."`
	Instance string   `json:"instance,omitempty" doc:"The request id; quote it when you ask for help."`
	Key      string   `json:"key" doc:"A word for the sentence in detail, for programs."`
	Field    string   `json:"field,omitempty" doc:"The offending field, parameter or header, e.g. milestones[0].due."`
	Errors   []Fault  `json:"errors,omitempty" doc:"Every field that is wrong."`
	Reasons  []Reason `json:"reasons,omitempty" doc:"The checklist of a step that is not possible yet."`
}

// Fault is one field that is wrong.
type Fault struct {
	Field string `json:"field,omitempty"`
	Key   string `json:"key"`
	Text  string `json:"text"`
}

// Reason is one line of a checklist.
type Reason struct {
	ID   string `json:"id"`
	Met  bool   `json:"met"`
	Text string `json:"text"`
}

// Error returns the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is how huma asks for the status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is how huma asks for the media type.
func (p *Problem) ContentType(string) string { return ContentType }

// ContentType is the media type of a Problem.
const ContentType = "application/problem+json"

// Refusal is an error of the HTTP surface itself, which the engine knows nothing of: no such route, a body that
// is too large, nobody signed in.
type Refusal struct {
	Status int
	Key    string
	Field  string
	Args   map[string]any
	Err    error // the cause, for the log only
}

func (r *Refusal) Error() string { return message.Text("en", r.Key, r.Args) }

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// statuses answers each kind of the engine's refusals.
var statuses = map[engine.Kind]int{
	engine.Invalid:     http.StatusUnprocessableEntity,
	engine.Blocked:     http.StatusConflict,
	engine.Conflict:    http.StatusConflict,
	engine.Stale:       http.StatusPreconditionFailed,
	engine.Denied:      http.StatusForbidden,
	engine.NotFound:    http.StatusNotFound,
	engine.Required:    http.StatusPreconditionRequired,
	engine.Busy:        http.StatusTooManyRequests,
	engine.Unavailable: http.StatusServiceUnavailable,
	engine.Damaged:     http.StatusInternalServerError,
}

// words are the ends of Problem.Type, by kind where the status is not enough and by status otherwise.
var words = map[int]string{
	http.StatusBadRequest:            "malformed",
	http.StatusUnauthorized:          "unauthorized",
	http.StatusForbidden:             "denied",
	http.StatusNotFound:              "not-found",
	http.StatusMethodNotAllowed:      "method",
	http.StatusNotAcceptable:         "not-acceptable",
	http.StatusRequestTimeout:        "timeout",
	http.StatusConflict:              "conflict",
	http.StatusPreconditionFailed:    "stale",
	http.StatusRequestEntityTooLarge: "too-large",
	http.StatusUnsupportedMediaType:  "media-type",
	http.StatusUnprocessableEntity:   "invalid",
	http.StatusPreconditionRequired:  "precondition-required",
	http.StatusTooManyRequests:       "busy",
	statusClientGone:                 "client-gone",
	http.StatusInternalServerError:   "internal",
	http.StatusServiceUnavailable:    "unavailable",
}

// statusClientGone is what logs show for a caller who hung up; nobody reads the answer.
const statusClientGone = 499

// typePrefix begins every Problem.Type.
const typePrefix = "urn:bihuan:problem:"

// From makes the answer for err: the one place where errors become statuses. What is neither a refusal of the
// engine nor of the HTTP surface is logged with the request id and answered "internal".
func From(ctx context.Context, err error) *Problem {
	info := request.From(ctx)
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if r, ok := errors.AsType[*Refusal](err); ok {
		p := newProblem(info, r.Status, "", r.Key, message.Text(info.Lang, r.Key, r.Args))
		p.setField(info, r.Field)
		return p
	}
	if e, ok := errors.AsType[*engine.Error](err); ok && statuses[e.Kind] != 0 {
		return fromEngine(ctx, info, e)
	}
	switch {
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return newProblem(info, statusClientGone, "", "api.client_gone", message.Text(info.Lang, "api.client_gone", nil))
	case errors.Is(err, context.DeadlineExceeded):
		info.Log.WarnContext(ctx, "timed out", slog.String("request", info.ID), slog.Any("error", err))
		return newProblem(info, http.StatusServiceUnavailable, "", "api.unavailable", message.Text(info.Lang, "api.unavailable", nil))
	}
	info.Log.ErrorContext(ctx, "internal error", slog.String("request", info.ID), slog.Any("error", err))
	return internal(info)
}

func fromEngine(ctx context.Context, info *request.Info, e *engine.Error) *Problem {
	word := ""
	switch e.Kind {
	case engine.Blocked:
		word = "blocked"
	case engine.Damaged:
		word = "damaged"
	}
	p := newProblem(info, statuses[e.Kind], word, e.Key, e.In(info.Lang))
	p.setField(info, e.Field)
	for _, r := range e.Reasons {
		p.Reasons = append(p.Reasons, Reason{ID: r.ID, Met: r.Met, Text: r.In(info.Lang)})
	}
	switch e.Kind {
	case engine.Unavailable:
		info.Log.WarnContext(ctx, "unavailable", slog.String("request", info.ID), slog.Any("error", e))
	case engine.Damaged:
		info.Log.ErrorContext(ctx, "damaged", slog.String("request", info.ID), slog.Any("error", e))
	}
	return p
}

func internal(info *request.Info) *Problem {
	return newProblem(info, http.StatusInternalServerError, "", "api.internal",
		message.Text(info.Lang, "api.internal", map[string]any{"request": info.ID}))
}

func newProblem(info *request.Info, status int, word, key, detail string) *Problem {
	if word == "" {
		word = words[status]
	}
	return &Problem{Type: typePrefix + word, Title: message.Text(info.Lang, "problem."+strings.ReplaceAll(word, "-", "_"), nil),
		Status: status, Detail: detail, Instance: info.ID, Key: key}
}

// setField names the one field that is wrong, also in the sentence.
func (p *Problem) setField(info *request.Info, field string) {
	if field == "" {
		return
	}
	p.Field = field
	p.Errors = []Fault{{Field: field, Key: p.Key, Text: p.Detail}}
	p.Detail = field + message.Text(info.Lang, "list.colon", nil) + p.Detail
}

// Write answers a request with the problem that err is, for middleware and for routes outside huma.
func Write(w http.ResponseWriter, r *http.Request, err error) {
	p := From(r.Context(), err)
	w.Header().Set("Content-Type", ContentType)
	w.WriteHeader(p.Status)
	if r.Method == http.MethodHead {
		return
	}
	_ = json.NewEncoder(w).Encode(p) // a caller who hung up cannot be told
}
