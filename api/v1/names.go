package v1

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"bihuan/api/request"
	"bihuan/engine"
	"bihuan/engine/message"
)

// nameLife is how long a name may be out of date on another replica, and maxNames how many are kept.
const (
	nameLife = 5 * time.Minute
	maxNames = 20_000
)

// names finds the names behind ids, so that a page of projects costs no query for each person on it. A nil *names
// leaves names out.
type names struct {
	reader engine.Reader
	now    func() time.Time

	mu    sync.Mutex
	known map[string]named // by "kind/id"
}

type named struct {
	name  string
	until time.Time
}

func newNames(r engine.Reader, now func() time.Time) *names {
	return &names{reader: r, now: now, known: map[string]named{}}
}

// user names a person. The actors that are nobody's account have names in the catalogue.
func (n *names) user(ctx context.Context, id engine.UserID) Ref {
	ref := Ref{ID: string(id)}
	switch {
	case n == nil || id == "":
	case !isID(string(id)):
		if key := "actor." + string(id); message.Has(key) {
			ref.Name = message.Text(request.From(ctx).Lang, key, nil)
		}
	default:
		found := true
		ref.Name = n.find(ctx, "user/"+string(id), func() (string, error) {
			u, err := n.reader.User(ctx, string(id))
			found = err == nil
			return u.Name, err
		})
		if found && ref.Name == "" { // which only those have whose name was erased
			ref.Name = message.Text(request.From(ctx).Lang, "user.erased", nil)
		}
	}
	return ref
}

// forget drops a name that was kept.
func (n *names) forget(id engine.UserID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.known, "user/"+string(id))
}

// maybe is user, or nil for nobody.
func (n *names) maybe(ctx context.Context, id engine.UserID) *Ref {
	if id == "" {
		return nil
	}
	ref := n.user(ctx, id)
	return &ref
}

// unit names a unit.
func (n *names) unit(ctx context.Context, id engine.UnitID) Ref {
	ref := Ref{ID: string(id)}
	if n != nil && id != "" {
		ref.Name = n.find(ctx, "unit/"+string(id), func() (string, error) {
			u, err := n.reader.Unit(ctx, string(id))
			return u.Name, err
		})
	}
	return ref
}

// find returns a known name or reads it. A name that cannot be read is left out: the answer is about something
// else.
func (n *names) find(ctx context.Context, key string, read func() (string, error)) string {
	now := n.now()
	n.mu.Lock()
	v, ok := n.known[key]
	n.mu.Unlock()
	if ok && now.Before(v.until) {
		return v.name
	}
	name, err := read()
	if err != nil {
		info := request.From(ctx)
		info.Log.WarnContext(ctx, "name not found", slog.String("request", info.ID), slog.String("subject", key), slog.Any("error", err))
		return ""
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.known) >= maxNames {
		clear(n.known)
	}
	n.known[key] = named{name, now.Add(nameLife)}
	return name
}
