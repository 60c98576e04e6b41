// Package names finds the names behind ids, so that a page or an answer full of projects costs no query for each person
// on it. Pages and API share one book: what is forgotten on one side is not shown on the other.
package names

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"bihuan/api/request"
	"bihuan/engine"
	"bihuan/engine/message"
)

// life is how long a name may be out of date on another replica, and most how many are kept.
const (
	life = 5 * time.Minute
	most = 20_000
)

// Book remembers names for a while. It is safe for concurrent use.
type Book struct {
	reader engine.Reader
	now    func() time.Time

	mu    sync.Mutex
	known map[string]named // by subject
}

type named struct {
	name  string
	until time.Time
}

// New makes an empty book.
func New(r engine.Reader, now func() time.Time) *Book {
	return &Book{reader: r, now: now, known: map[string]named{}}
}

// User names a person in the language of the request; "" for nobody and for whoever cannot be read. The actors that are
// nobody's account have names in the catalogue.
func (b *Book) User(ctx context.Context, id engine.UserID) string {
	if id == "" {
		return ""
	}
	lang := request.From(ctx).Lang
	if key := "actor." + string(id); message.Has(key) {
		return message.Text(lang, key, nil)
	}
	name, found := b.find(ctx, "user/"+string(id), func() (string, error) {
		u, err := b.reader.User(ctx, string(id))
		return u.Name, err
	})
	if found && name == "" { // which only those have whose name was erased
		return message.Text(lang, "user.erased", nil)
	}
	return name
}

// Unit names a unit; "" for one that cannot be read.
func (b *Book) Unit(ctx context.Context, id engine.UnitID) string {
	if id == "" {
		return ""
	}
	name, _ := b.find(ctx, "unit/"+string(id), func() (string, error) {
		u, err := b.reader.Unit(ctx, string(id))
		return u.Name, err
	})
	return name
}

// find returns a known name or reads it. One that cannot be read is left out: the answer is about something else.
func (b *Book) find(ctx context.Context, subject string, read func() (string, error)) (name string, found bool) {
	now := b.now()
	b.mu.Lock()
	x, ok := b.known[subject]
	b.mu.Unlock()
	if ok && now.Before(x.until) {
		return x.name, true
	}
	name, err := read()
	if err != nil {
		info := request.From(ctx)
		info.Log.WarnContext(ctx, "name not found", slog.String("request", info.ID), slog.String("subject", subject), slog.Any("error", err))
		return "", false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.known) >= most {
		clear(b.known)
	}
	b.known[subject] = named{name, now.Add(life)}
	return name, true
}

// Forget drops the name of what was just changed, "user/…" or "unit/…"; another replica learns it within life.
func (b *Book) Forget(subject string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.known, subject)
}
