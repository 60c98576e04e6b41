package v1

import (
	"context"
	"encoding/json"
	"time"

	"bihuan/api/request"
	"bihuan/engine"
	"bihuan/engine/calendar"
)

// Entry is an entry of the trail. Its exact bytes, which the hash covers, are RFC 8785 JSON; times in them have
// six decimals.
type Entry struct {
	ID         string          `json:"id"`
	At         time.Time       `json:"at"`
	Actor      EntryActor      `json:"actor"`
	Action     string          `json:"action"`
	Subject    string          `json:"subject" doc:"kind/id"`
	Unit       string          `json:"unit,omitempty"`
	Seq        int64           `json:"seq" doc:"Per subject, without gaps."`
	Prev       string          `json:"prev,omitempty" doc:"Hash of the subject's entry before."`
	Hash       string          `json:"hash" doc:"SHA-256 of a zero byte and the entry's bytes."`
	From       string          `json:"from,omitempty" doc:"Stage before."`
	To         string          `json:"to,omitempty" doc:"Stage after."`
	Version    int64           `json:"version"`
	Note       string          `json:"note,omitempty"`
	Data       json.RawMessage `json:"data,omitempty" doc:"set is the merge patch of the subject's state; the rest depends on the action."`
	Definition string          `json:"definition,omitempty"`
	Request    *EntryRequest   `json:"request,omitempty"`
}

// EntryActor is who did it.
type EntryActor struct {
	Ref
	Role string `json:"role,omitempty" doc:"The role relied on."`
	Unit string `json:"unit,omitempty" doc:"Where it was granted."`
	Via  string `json:"via" doc:"api, console, cli or clock."`
}

// EntryRequest ties an entry to the request that caused it.
type EntryRequest struct {
	ID  string `json:"id,omitempty"`
	Key string `json:"key,omitempty" doc:"SHA-256 of the idempotency key."`
}

// EntriesAnswer is the answer with a page of entries.
type EntriesAnswer struct {
	Body struct {
		Items []Entry `json:"items"`
		Next  string  `json:"next"`
	} `nameHint:"EntryPage"`
}

// trail reads a page of entries within the caller's scope.
func (h *handlers) trail(ctx context.Context, f engine.EntryFilter) (*EntriesAnswer, error) {
	page, err := h.Engine.Trail(ctx, request.From(ctx).Actor, f)
	if err != nil {
		return nil, aboutCursor(err)
	}
	out := &EntriesAnswer{}
	out.Body.Next, out.Body.Items = page.Next, make([]Entry, 0, len(page.Items))
	for _, e := range page.Items {
		v := Entry{ID: e.ID, At: e.At, Action: e.Action, Subject: e.Subject, Unit: e.Unit, Seq: e.Seq, Prev: e.Prev.String(),
			Hash: e.Hash.String(), From: e.From, To: e.To, Version: e.Version, Note: e.Note, Data: e.Data, Definition: e.Definition,
			Actor: EntryActor{Ref: h.names.user(ctx, engine.UserID(e.Actor.ID)), Role: e.Actor.Role, Unit: e.Actor.Unit, Via: e.Actor.Via}}
		if e.Request != nil {
			v.Request = &EntryRequest{ID: e.Request.ID, Key: e.Request.Key}
		}
		out.Body.Items = append(out.Body.Items, v)
	}
	return out, nil
}

// Order of a trail.
type Order struct {
	Order string `query:"order" enum:"newest,oldest" default:"newest"`
}

// ProjectEntries is the request for a project's trail.
type ProjectEntries struct {
	One
	Order
	Page
}

func (h *handlers) projectEntries(ctx context.Context, in *ProjectEntries) (*EntriesAnswer, error) {
	p, err := h.read(ctx, &in.One)
	if err != nil {
		return nil, err
	}
	return h.trail(ctx, engine.EntryFilter{Subject: p.Subject(), OldestFirst: in.Order.Order == "oldest", After: in.Cursor, Limit: in.Limit})
}

// Entries is a query of the trail.
type Entries struct {
	Project string   `query:"project" maxLength:"36" doc:"Id of a project."`
	Actor   string   `query:"actor" maxLength:"40" doc:"Id or login of a person, or me."`
	Unit    string   `query:"unit" maxLength:"40" doc:"Id or code: the unit and everything under it."`
	Action  []string `query:"action" maxItems:"20" doc:"Actions, with commas: submit,approve,return …"`
	From    string   `query:"from" maxLength:"40" doc:"From this moment on (RFC 3339), or from the start of this day." example:"2026-09-01"`
	To      string   `query:"to" maxLength:"40" doc:"Before this moment, or until the end of this day." example:"2026-09-30"`
	Order
	Page
}

func (h *handlers) entries(ctx context.Context, in *Entries) (*EntriesAnswer, error) {
	f := engine.EntryFilter{OldestFirst: in.Order.Order == "oldest", After: in.Cursor, Limit: in.Limit}
	if in.Project != "" {
		p, err := h.read(ctx, &One{ID: in.Project})
		if err != nil {
			return nil, err
		}
		f.Subject = p.Subject()
	}
	var err error
	if f.Unit, err = h.unitAsked(ctx, in.Unit); err != nil {
		return nil, err
	}
	for _, a := range in.Action {
		if !plain(a) {
			return nil, invalid("action", "field.not_text")
		}
		f.Actions = append(f.Actions, a)
	}
	if f.Actor, err = h.someone(ctx, "actor", in.Actor); err != nil {
		return nil, err
	}
	if f.From, err = h.moment("from", in.From, 0); err != nil {
		return nil, err
	}
	if f.To, err = h.moment("to", in.To, 1); err != nil {
		return nil, err
	}
	return h.trail(ctx, f)
}

// moment reads a time, or a day at the site's midnight; days is added to a day, to mean its end.
func (h *handlers) moment(field, s string, days int) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := calendar.ParseDate(s); err == nil {
		return d.AddDays(days).Start(h.Engine.Site.Location), nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return t, invalid(field, "api.moment")
	}
	return t.UTC().Truncate(time.Microsecond), nil
}

// ReminderView is a reminder that was owed.
type ReminderView struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind" doc:"A rung, or the action that it tells of."`
	Timer    string    `json:"timer,omitempty"`
	Role     Ref       `json:"role" doc:"To whom."`
	User     *Ref      `json:"user,omitempty"`
	Deadline string    `json:"deadline,omitempty"`
	DueAt    time.Time `json:"due_at"`
	At       time.Time `json:"at" doc:"When it was recorded."`
	Entry    string    `json:"entry" doc:"Id of the audit entry that owes it."`
}

// RemindersAnswer is the list of a project's reminders.
type RemindersAnswer struct {
	Body struct {
		Items []ReminderView `json:"items"`
	} `nameHint:"ReminderList"`
}

func (h *handlers) reminders(ctx context.Context, in *One) (*RemindersAnswer, error) {
	p, err := h.read(ctx, in)
	if err != nil {
		return nil, err
	}
	list, err := h.Reader.Reminders(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	lang := request.From(ctx).Lang
	out := &RemindersAnswer{}
	out.Body.Items = make([]ReminderView, 0, len(list))
	for _, r := range list {
		out.Body.Items = append(out.Body.Items, ReminderView{ID: r.ID, Kind: r.Kind, Timer: string(r.Timer), Role: role(r.Role, lang),
			User: h.names.maybe(ctx, r.UserID), Deadline: r.Deadline.String(), DueAt: r.DueAt, At: r.CreatedAt, Entry: r.Entry})
	}
	return out, nil
}
