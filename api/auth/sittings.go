package auth

import (
	"context"
	"encoding/base64"

	"bihuan/engine"
)

// Sitting is a session of one's own, as its user sees it.
type Sitting struct {
	engine.Session
	ID      string // names it to EndSitting; nothing about its secret follows from it
	Current bool   // the one that asks
}

// Sittings lists the sessions that let the user in, last used first.
func (d *Door) Sittings(ctx context.Context, cookie string) ([]Sitting, error) {
	mine, u, err := d.whole(ctx, cookie)
	if err != nil {
		return nil, err
	}
	list, err := d.Store.SessionsOf(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	now := d.now()
	var out []Sitting
	for _, s := range list {
		if !s.Pending && holds(s, u, now) {
			out = append(out, Sitting{Session: s, ID: base64.RawURLEncoding.EncodeToString(s.Hash), Current: string(s.Hash) == string(mine.Hash)})
		}
	}
	return out, nil
}

// EndSitting ends one of the user's own sessions, on every replica; engine.ErrNotFound for any other.
func (d *Door) EndSitting(ctx context.Context, cookie, id string) error {
	_, u, err := d.whole(ctx, cookie)
	if err != nil {
		return err
	}
	hash, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || len(hash) == 0 {
		return engine.ErrNotFound
	}
	n, err := d.Store.EndSessions(ctx, u.ID, hash, d.now())
	if err == nil && n == 0 {
		err = engine.ErrNotFound
	}
	if err != nil {
		return err
	}
	return d.Engine.Note(ctx, d.actor(ctx, u), "end_sessions", map[string]any{"count": n})
}

// EndOthers ends all of the user's sessions but the one that asks, and returns how many those were.
func (d *Door) EndOthers(ctx context.Context, cookie string) (int, error) {
	mine, u, err := d.whole(ctx, cookie)
	if err != nil {
		return 0, err
	}
	n, err := d.Store.EndOtherSessions(ctx, u.ID, mine.Hash, d.now())
	if err != nil || n == 0 {
		return 0, err
	}
	return int(n), d.Engine.Note(ctx, d.actor(ctx, u), "end_sessions", map[string]any{"count": n})
}
