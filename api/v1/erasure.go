package v1

import (
	"context"
	"time"

	"bihuan/api/request"
	"bihuan/engine"
)

// Erasing is a request about the erasure of somebody's personal data.
type Erasing struct {
	User string `path:"user" doc:"Id of the person, whose account is closed."`
}

// ErasureChange is a request that changes it.
type ErasureChange struct {
	Erasing
	Match
}

// AskErasureBody is why.
type AskErasureBody struct {
	Note string `json:"note" doc:"Why, for the trail; without the person's name, login and numbers." example:"离任满五年"`
}

// AskErasure is the request that asks for an erasure.
type AskErasure struct {
	ErasureChange
	Body AskErasureBody
}

// ErasureAnswer is what has become of it.
type ErasureAnswer struct {
	ETag string `header:"ETag" doc:"The person's version, for If-Match."`
	Body struct {
		User Ref `json:"user"`
		ErasureState
	} `nameHint:"Erasure"`
}

// ErasureState is how far an erasure is.
type ErasureState struct {
	State   string     `json:"state" enum:"none,asked,done"`
	AskedBy *Ref       `json:"asked_by,omitempty"`
	Office  *Ref       `json:"office,omitempty" doc:"Role in which it was asked for; somebody in the other office approves."`
	AskedAt *time.Time `json:"asked_at,omitempty"`
	Note    string     `json:"note,omitempty"`
	DoneBy  *Ref       `json:"done_by,omitempty"`
	DoneAt  *time.Time `json:"done_at,omitempty"`
}

func erasureState(ctx context.Context, e *engine.Erasure, people refs) ErasureState {
	if e == nil {
		return ErasureState{State: "none"}
	}
	s := ErasureState{State: "asked", AskedBy: people.maybe(ctx, e.AskedBy), AskedAt: &e.AskedAt, Note: e.Why, DoneBy: people.maybe(ctx, e.DoneBy), DoneAt: e.DoneAt}
	if e.Done() {
		s.State = "done"
	}
	if e.Office != "" {
		r := role(e.Office, request.From(ctx).Lang)
		s.Office = &r
	}
	return s
}

func (h *handlers) showErasure(ctx context.Context, u *engine.User) *ErasureAnswer {
	out := &ErasureAnswer{ETag: etag(u.Version)}
	out.Body.ErasureState = erasureState(ctx, u.Erasure, h.names)
	if u.Erased() {
		h.Names.Forget("user/" + string(u.ID))
	}
	out.Body.User = h.names.user(ctx, u.ID)
	return out
}

func (h *handlers) erasure(ctx context.Context, in *Erasing) (*ErasureAnswer, error) {
	id, err := userID(in.User)
	if err != nil {
		return nil, err
	}
	u, err := h.Engine.ErasureOf(ctx, request.From(ctx).Actor, id)
	if err != nil {
		return nil, err
	}
	return h.showErasure(ctx, &u), nil
}

func (h *handlers) askErasure(ctx context.Context, in *AskErasure) (*ErasureAnswer, error) {
	return h.onErasure(ctx, &in.ErasureChange, func(ctx context.Context, who engine.Actor, user string, base int64) (engine.User, error) {
		return h.Engine.AskErasure(ctx, who, user, base, in.Body.Note)
	})
}

func (h *handlers) erase(ctx context.Context, in *ErasureChange) (*ErasureAnswer, error) {
	return h.onErasure(ctx, in, h.Engine.Erase)
}

func (h *handlers) endErasure(ctx context.Context, in *ErasureChange) (*ErasureAnswer, error) {
	return h.onErasure(ctx, in, h.Engine.EndErasure)
}

func (h *handlers) onErasure(ctx context.Context, in *ErasureChange, act func(context.Context, engine.Actor, string, int64) (engine.User, error)) (*ErasureAnswer, error) {
	u, err := changed(ctx, userID, in.User, in.Match, func(who engine.Actor, id string, base int64) (engine.User, error) { return act(ctx, who, id, base) })
	if err != nil {
		return nil, err
	}
	return h.showErasure(ctx, &u), nil
}

// userID is the id of a person: logins are no addresses.
func userID(s string) (string, error) {
	return idOf[string](s, "user.unknown", "id", s)
}
