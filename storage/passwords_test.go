package storage_test

import (
	"crypto/sha256"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

const phc = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$b25l"

func key(s string) []byte {
	h := sha256.Sum256([]byte(s))
	return h[:]
}

func TestSignInSchemaEqualsStructs(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		for name, want := range storage.SignInColumns() {
			if got := columns(t, db, name); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: the table has (column: may be NULL)\n%v, the struct\n%v", name, got, want)
			}
		}
	})
}

// password stores a password with an entry.
func (w *world) password(u engine.User, p engine.Password) engine.User {
	w.t.Helper()
	next := u
	next.Version++
	_, head, err := w.db.Head(w.t.Context(), engine.SubjectUser+"/"+string(u.ID))
	w.must(err)
	r := w.record(engine.SubjectUser+"/"+string(u.ID), u.Version, head, "set_password", u, next)
	r.User, r.Password = &next, &p
	w.must(w.db.Record(w.t.Context(), r))
	return next
}

func TestPassword(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		u := w.user("zhang")
		for _, id := range []engine.UserID{u.ID, "operator", "", engine.UserID(newID())} {
			if _, err := db.Password(t.Context(), id); !errors.Is(err, engine.ErrNotFound) {
				t.Errorf("%q has a password: %v", id, err)
			}
		}
		first := engine.Password{UserID: u.ID, PHC: phc, ChangedAt: w.tick(), MustChange: true}
		u = w.password(u, first)
		if got, err := db.Password(t.Context(), u.ID); err != nil || !reflect.DeepEqual(got, micro(first)) {
			t.Errorf("got %+v (%v), want %+v", got, err, first)
		}
		second := engine.Password{UserID: u.ID, PHC: phc + "Mg", ChangedAt: w.tick()}
		u = w.password(u, second)
		w.must(db.Rehash(t.Context(), u.ID, phc, phc+"late")) // of the first, which is not there any more
		if got, err := db.Password(t.Context(), u.ID); err != nil || !reflect.DeepEqual(got, micro(second)) {
			t.Errorf("got %+v (%v), want %+v", got, err, second)
		}
		w.must(db.Rehash(t.Context(), u.ID, second.PHC, phc+"new"))
		second.PHC = phc + "new"
		if got, err := db.Password(t.Context(), u.ID); err != nil || !reflect.DeepEqual(got, micro(second)) {
			t.Errorf("got %+v (%v), want %+v", got, err, second)
		}
		if r := verify(t, db, 0); !r.Intact() {
			t.Errorf("findings: %+v", r.Findings)
		}
	})
}

func micro(p engine.Password) engine.Password {
	p.ChangedAt = p.ChangedAt.UTC().Truncate(time.Microsecond)
	return p
}

// A password whose entry does not go through is not set.
func TestPasswordComesWithItsEntry(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		u := w.user("zhang")
		next := u
		next.Version++
		r := w.record(engine.SubjectUser+"/"+string(u.ID), 7, audit.HashEntry([]byte("x")), "set_password", u, next)
		r.User, r.Password = &next, &engine.Password{UserID: u.ID, PHC: phc, ChangedAt: w.tick()}
		if err := db.Record(t.Context(), r); !errors.Is(err, engine.ErrConflict) {
			t.Errorf("error %v, want a conflict", err)
		}
		if n := w.count("passwords"); n != 0 {
			t.Errorf("%d passwords", n)
		}
	})
}

var attemptLimits = engine.AttemptLimits{Window: 10 * time.Minute, Account: 3, Address: 6, Busy: 2}

func TestAttempt(t *testing.T) {
	type try struct {
		name                     string
		account, device, address string
		after                    time.Duration // since the one before
		wait                     time.Duration // 0: counted
	}
	tests := []struct {
		name  string
		tries []try
	}{
		{"an account fills, and the window slides", []try{
			{"1", "a", "", "x", 0, 0}, {"2", "a", "", "y", time.Minute, 0}, {"3", "a", "", "z", time.Minute, 0},
			{"full", "a", "", "q", 0, 8 * time.Minute},
			{"another is not", "b", "", "x", 0, 0},
			{"still full", "a", "", "q", 8*time.Minute - time.Microsecond, time.Microsecond},
			{"one has grown old", "a", "", "q", time.Microsecond, 0},
			{"full again, until the second has", "a", "", "q", 0, time.Minute},
		}},
		{"a known device has attempts of its own", []try{
			{"1", "a", "", "x", 0, 0}, {"2", "a", "", "x", 0, 0}, {"3", "a", "", "x", 0, 0}, {"full", "a", "", "x", 0, 10 * time.Minute},
			{"known", "a", "d", "x", 0, 0}, {"known", "a", "d", "x", 0, 0}, {"known", "a", "d", "x", 0, 0}, {"full too", "a", "d", "x", 0, 10 * time.Minute},
			{"another device", "a", "e", "x", 0, 0},
		}},
		{"a busy address gets fewer attempts at each account, but never none", []try{
			{"1", "a", "", "x", 0, 0}, {"2", "b", "", "x", 0, 0}, {"3", "c", "", "x", 0, 0}, {"4", "d", "", "x", 0, 0}, {"5", "e", "", "x", 0, 0}, {"6", "f", "", "x", 0, 0},
			{"busy: a new account, first", "g", "", "x", time.Minute, 0}, {"second", "g", "", "x", time.Minute, 0}, {"third", "g", "", "x", time.Minute, 8 * time.Minute},
			{"from elsewhere", "g", "", "y", 0, 0},
			{"from a known device", "g", "d", "x", 0, 0},
			{"one had an attempt before", "a", "", "x", 0, 0}, {"and has none left", "a", "", "x", 0, 7 * time.Minute},
		}},
		{"no address is no busy address", []try{
			{"1", "a", "", "", 0, 0}, {"2", "b", "", "", 0, 0}, {"3", "c", "", "", 0, 0}, {"4", "d", "", "", 0, 0}, {"5", "e", "", "", 0, 0}, {"6", "f", "", "", 0, 0},
			{"7", "g", "", "", 0, 0}, {"8", "g", "", "", 0, 0}, {"9", "g", "", "", 0, 0}, {"full", "g", "", "", 0, 10 * time.Minute},
		}},
	}
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				now := start
				for _, x := range tt.tries {
					now = now.Add(x.after)
					a := engine.Attempt{ID: newID(), Account: key(tt.name + x.account), Address: x.address, At: now}
					if a.Address != "" {
						a.Address = tt.name + a.Address
					}
					if x.device != "" {
						a.Device = key(x.device)
					}
					until, err := db.Attempt(t.Context(), a, attemptLimits)
					if err != nil {
						t.Fatal(err)
					}
					if want := now.Add(x.wait).Truncate(time.Microsecond); x.wait == 0 && !until.IsZero() || x.wait > 0 && !until.Equal(want) {
						t.Errorf("%s: until %v, want %v (%v)", x.name, until, want, x.wait)
					}
				}
			})
		}
		w := &world{t: t, db: db}
		a := engine.Attempt{ID: newID(), Account: key("later"), At: start.Add(24 * time.Hour)}
		if _, err := db.Attempt(t.Context(), a, attemptLimits); err != nil {
			t.Fatal(err)
		}
		if n := w.count("sign_in_failures"); n != 1 {
			t.Errorf("%d attempts are kept, want the one that counts", n)
		}
		w.must(db.Withdraw(t.Context(), a.ID))
		if n := w.count("sign_in_failures"); n != 0 {
			t.Errorf("%d attempts after withdrawing", n)
		}
	})
}

// However many come at once, through however many handles, no more than the limit are counted.
func TestAttemptsAtOnce(t *testing.T) {
	for _, backend := range storagetest.Backends {
		t.Run(backend, func(t *testing.T) {
			dsn := storagetest.DSN(t, backend)
			handles := []*storage.DB{storagetest.At(t, dsn), storagetest.At(t, dsn)}
			if err := handles[0].Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			const tries = 40
			var counted sync.Map
			var all sync.WaitGroup
			for i := range tries {
				all.Go(func() {
					a := engine.Attempt{ID: newID(), Account: key("a"), Address: "x", At: start}
					until, err := handles[i%2].Attempt(t.Context(), a, attemptLimits)
					if err != nil {
						t.Error(err)
					} else if until.IsZero() {
						counted.Store(i, true)
					}
				})
			}
			all.Wait()
			n := 0
			counted.Range(func(any, any) bool { n++; return true })
			if n != attemptLimits.Account {
				t.Errorf("%d attempts may be evaluated, want %d", n, attemptLimits.Account)
			}
		})
	}
}

func TestNoted(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		for _, x := range []struct {
			name, key string
			at        time.Duration
			due       bool
			skipped   int64
		}{
			{"the first", "a", 0, true, 0}, {"another", "b", 0, true, 0}, {"again", "a", time.Second, false, 0},
			{"again", "a", time.Minute - time.Microsecond, false, 0}, {"a minute later", "a", time.Minute, true, 2},
			{"again", "a", time.Minute, false, 0}, {"much later", "a", time.Hour, true, 1}, {"forgotten", "b", 48 * time.Hour, true, 0},
		} {
			due, skipped, err := db.Noted(t.Context(), key(x.key), start.Add(x.at), time.Minute)
			if err != nil || due != x.due || skipped != x.skipped {
				t.Errorf("%s at %v: due %v, skipped %d (%v), want %v, %d", x.name, x.at, due, skipped, err, x.due, x.skipped)
			}
		}
	})
}

func TestSetup(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		ctx := t.Context()
		offer := func(token string) bool {
			ok, err := db.OfferSetup(ctx, engine.Setup{Hash: key(token), CreatedAt: start, ExpiresAt: start.Add(time.Hour)})
			w.must(err)
			return ok
		}
		open := func(token string, at time.Duration) bool {
			ok, err := db.SetupOpen(ctx, key(token), start.Add(at))
			w.must(err)
			return ok
		}
		use := func(token, login string, at time.Duration) error {
			salt := audit.NewSalt()
			u := engine.User{ID: engine.UserID(newID()), Login: login, Name: "某", CreatedAt: start, Version: 1}
			u.Personal = engine.Personal(salt, u.Login, u.Name).String()
			w.now = start.Add(at)
			r := w.record(engine.SubjectUser+"/"+string(u.ID), 0, audit.Digest{}, "set_up", nil, u)
			r.User, r.Salt, r.Setup, r.Password = &u, salt, key(token), &engine.Password{UserID: u.ID, PHC: phc, ChangedAt: start}
			return db.Record(ctx, r)
		}
		if !offer("one") || !offer("two") {
			t.Fatal("an empty installation is offered nothing")
		}
		for _, x := range []struct {
			token string
			at    time.Duration
			want  bool
		}{{"one", 0, false}, {"two", 0, true}, {"two", time.Hour - time.Second, true}, {"two", time.Hour, false}, {"other", 0, false}} {
			if got := open(x.token, x.at); got != x.want {
				t.Errorf("%s is open after %v: %v, want %v", x.token, x.at, got, x.want)
			}
		}
		for name, err := range map[string]error{"replaced": use("one", "li", 0), "expired": use("two", "li", time.Hour), "unknown": use("other", "li", 0)} {
			if !errors.Is(err, engine.ErrConflict) {
				t.Errorf("%s: %v, want a conflict", name, err)
			}
		}
		if n := w.count("users") + w.count("passwords"); n != 0 {
			t.Fatalf("%d rows came of tokens that don't hold", n)
		}
		w.must(use("two", "zhang", 0))
		if err := use("two", "li", 0); !errors.Is(err, engine.ErrConflict) {
			t.Errorf("used twice: %v", err)
		}
		if open("two", 0) || offer("three") || open("three", 0) {
			t.Error("an installation with a user can be set up")
		}
		w.exec("UPDATE setup SET used_at = NULL")
		if err := use("two", "li", 0); !errors.Is(err, engine.ErrConflict) || w.count("users") != 1 {
			t.Errorf("set up beside a user: %v", err)
		}
		if r := verify(t, db, 0); !r.Intact() {
			t.Errorf("findings: %+v", r.Findings)
		}
	})
}
