package auth_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bihuan/api/auth"
	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

func TestMain(m *testing.M) { os.Exit(storagetest.Run(m)) }

// right is everybody's password in the tests, in the form in which people type it.
const right = "图书馆 照明 Lampe 7"

var rightPHC = sync.OnceValues(func() (string, error) { return auth.Hash(context.Background(), right) })

// start is when the tests begin; it has microseconds, so that losing them shows.
var start = time.Date(2026, 9, 24, 1, 2, 3, 456789000, time.UTC)

// house is a database with an engine and a door before it, and a clock that the test moves.
type house struct {
	t      *testing.T
	dsn    string
	db     *storage.DB
	engine *engine.Engine
	door   *auth.Door
	clock  *atomic.Int64 // microseconds
	log    *bytes.Buffer
	evals  *atomic.Int64 // passwords compared
}

// each runs f on every database, with an empty installation.
func each(t *testing.T, f func(t *testing.T, h *house)) {
	t.Helper()
	for _, backend := range storagetest.Backends {
		t.Run(backend, func(t *testing.T) {
			h := &house{t: t, dsn: storagetest.DSN(t, backend), clock: &atomic.Int64{}, log: &bytes.Buffer{}, evals: &atomic.Int64{}}
			h.clock.Store(start.UnixMicro())
			if err := storagetest.At(t, h.dsn).Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			f(t, h.replica(auth.Standard))
		})
	}
}

// replica is another process over the same database, with the same clock.
func (h *house) replica(p auth.Policy) *house {
	h.t.Helper()
	r := *h
	r.db = storagetest.At(h.t, h.dsn)
	var err error
	r.engine, err = engine.New(h.t.Context(), engine.Config{Store: r.db, Now: h.now,
		Compile: func(source []byte) (*engine.Workflow, error) { return workflows.Parse("definition", source) }})
	h.must(err)
	r.door, err = auth.New(auth.Config{Engine: r.engine, Store: r.db, Policy: p, Log: slog.New(slog.NewJSONHandler(h.log, nil))})
	h.must(err)
	return &r
}

// cheap makes the door count the passwords that it compares, and compare them without the cost of a hash.
func (h *house) cheap() {
	h.door.OnCheck(func(password, _ string) (bool, bool) {
		h.evals.Add(1)
		return password == right, true
	})
}

func (h *house) now() time.Time { return time.UnixMicro(h.clock.Load()).UTC() }

func (h *house) wait(d time.Duration) { h.clock.Add(d.Microseconds()) }

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// people adds a unit dw, if there is none, and users whose password is right.
func (h *house) people(logins ...string) {
	h.t.Helper()
	ctx := h.t.Context()
	if _, err := h.engine.Unit(ctx, "dw"); err != nil {
		_, err = h.engine.AddUnit(ctx, engine.Operator(), "", "dw", "校党委")
		h.must(err)
	}
	phc, err := rightPHC()
	h.must(err)
	for _, login := range logins {
		_, err := h.engine.AddUser(ctx, engine.Operator(), login, "某"+login)
		h.must(err)
		_, err = h.engine.SetPassword(ctx, engine.Operator(), login, phc, false)
		h.must(err)
	}
}

func (h *house) user(login string) engine.User {
	h.t.Helper()
	u, err := h.engine.User(h.t.Context(), login)
	h.must(err)
	return u
}

func (h *house) grant(login string, role engine.Role) {
	h.t.Helper()
	_, err := h.engine.Grant(h.t.Context(), engine.Operator(), login, "dw", role)
	h.must(err)
}

// in signs somebody in who has the right password, and returns the cookie.
func (h *house) in(login string) string {
	h.t.Helper()
	cookie, u, err := h.door.SignIn(h.t.Context(), login, right, "10.0.0.1:1000")
	if err != nil || u.Login != login {
		h.t.Fatalf("%s: signed in as %q: %v", login, u.Login, err)
	}
	return cookie
}

// holds tells whether a cookie lets somebody in.
func (h *house) holds(cookie string) bool {
	h.t.Helper()
	_, _, err := h.door.Actor(h.t.Context(), cookie)
	if err != nil && engine.KindOf(err) != engine.Denied {
		h.t.Fatal(err)
	}
	return err == nil
}

// entries returns the actions on a subject with the data, oldest first.
func (h *house) entries(subject string) []string {
	h.t.Helper()
	var out []string
	for after := ""; ; {
		page, err := h.db.Entries(h.t.Context(), engine.EntryFilter{Subject: subject, OldestFirst: true, Limit: engine.MaxPage, After: after})
		h.must(err)
		for _, e := range page.Items {
			out = append(out, strings.TrimSpace(e.Action+" by "+e.Actor.ID+" "+string(e.Data)))
		}
		if after = page.Next; after == "" {
			return out
		}
	}
}

// intact verifies the whole trail.
func (h *house) intact() {
	h.t.Helper()
	r, err := h.db.Verify(h.t.Context(), storage.VerifyOptions{})
	if err != nil || !r.Intact() {
		h.t.Errorf("the trail: %v %+v", err, r.Findings)
	}
}

// key is the catalogue key of an error.
func key(err error) string {
	if e, ok := err.(*engine.Error); ok {
		return e.Key
	}
	return ""
}

func count(list []string, prefix string) int {
	n := 0
	for _, s := range list {
		if strings.HasPrefix(s, prefix) {
			n++
		}
	}
	return n
}
