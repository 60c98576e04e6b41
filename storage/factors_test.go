package storage_test

import (
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// factor changes what a user gives besides a password, with an entry.
func (w *world) factor(u engine.User, on bool, c engine.FactorChange) engine.User {
	w.t.Helper()
	next := u
	next.Version++
	next.TwoFactor = on
	_, head, err := w.db.Head(w.t.Context(), engine.SubjectUser+"/"+string(u.ID))
	w.must(err)
	r := w.record(engine.SubjectUser+"/"+string(u.ID), u.Version, head, "enrol_totp", u, next)
	r.User, r.Factor = &next, &c
	w.must(w.db.Record(w.t.Context(), r))
	return next
}

func TestSecondFactorRows(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		ctx := t.Context()
		u, li := w.user("zhang"), w.user("li")
		for _, id := range []engine.UserID{u.ID, "operator", ""} {
			if _, _, err := db.SecondFactor(ctx, id); !errors.Is(err, engine.ErrNotFound) {
				t.Errorf("%q has a second factor: %v", id, err)
			}
		}
		at := start.UTC().Truncate(time.Microsecond)
		f := engine.SecondFactor{UserID: u.ID, Sealed: []byte("sealed"), LastStep: 100, CreatedAt: at}
		u = w.factor(u, true, engine.FactorChange{Factor: &f, Recovery: [][]byte{key("a"), key("b")}})
		li = w.factor(li, true, engine.FactorChange{Factor: &engine.SecondFactor{UserID: li.ID, Sealed: []byte("li's"), LastStep: 1, CreatedAt: at}, Recovery: [][]byte{key("c")}})
		if got, left, err := db.SecondFactor(ctx, u.ID); err != nil || left != 2 || !reflect.DeepEqual(got, f) {
			t.Errorf("got %+v with %d left (%v), want %+v", got, left, err, f)
		}
		if got, err := db.User(ctx, "zhang"); err != nil || !got.TwoFactor {
			t.Errorf("user %+v (%v)", got, err)
		}
		for _, x := range []struct {
			step int64
			want bool
		}{{100, false}, {101, true}, {101, false}, {99, false}, {103, true}, {102, false}} {
			if ok, err := db.UseStep(ctx, u.ID, x.step); err != nil || ok != x.want {
				t.Errorf("step %d: %v (%v), want %v", x.step, ok, err, x.want)
			}
		}
		for _, x := range []struct {
			name string
			want bool
		}{{"a", true}, {"a", false}, {"c", false}, {"none", false}} {
			if ok, err := db.UseRecovery(ctx, u.ID, key(x.name), at); err != nil || ok != x.want {
				t.Errorf("recovery code %s: %v (%v), want %v", x.name, ok, err, x.want)
			}
		}
		u = w.factor(u, true, engine.FactorChange{Recovery: [][]byte{key("d")}}) // the seed stays
		if got, left, err := db.SecondFactor(ctx, u.ID); err != nil || left != 1 || got.LastStep != 103 {
			t.Errorf("after other recovery codes: %+v with %d left (%v)", got, left, err)
		}
		if ok, err := db.UseRecovery(ctx, u.ID, key("b"), at); err != nil || ok {
			t.Errorf("a replaced recovery code still works (%v)", err)
		}
		u = w.factor(u, false, engine.FactorChange{})
		if _, _, err := db.SecondFactor(ctx, u.ID); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("after the removal: %v", err)
		}
		if ok, err := db.UseRecovery(ctx, u.ID, key("d"), at); err != nil || ok {
			t.Errorf("a removed recovery code still works (%v)", err)
		}
		if _, left, err := db.SecondFactor(ctx, li.ID); err != nil || left != 1 {
			t.Errorf("somebody else's: %d left (%v)", left, err)
		}
		if r := verify(t, db, 0); !r.Intact() {
			t.Errorf("findings: %+v", r.Findings)
		}
	})
}

// Line 5: of many requests with one code at the same moment, one is let through.
func TestOneCodeOnce(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		u := w.user("zhang")
		u = w.factor(u, true, engine.FactorChange{Factor: &engine.SecondFactor{UserID: u.ID, Sealed: []byte("s"), CreatedAt: start}, Recovery: [][]byte{key("a")}})
		var steps, codes atomic.Int64
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				ok, err := db.UseStep(t.Context(), u.ID, 7)
				if err != nil {
					t.Error(err)
				} else if ok {
					steps.Add(1)
				}
				if ok, err = db.UseRecovery(t.Context(), u.ID, key("a"), start); err != nil {
					t.Error(err)
				} else if ok {
					codes.Add(1)
				}
			})
		}
		all.Wait()
		if steps.Load() != 1 || codes.Load() != 1 {
			t.Errorf("a code let %d in, a recovery code %d", steps.Load(), codes.Load())
		}
	})
}

// A session that waits for a code makes no device known, and is proved by nothing but the code.
func TestPendingSession(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		ctx := t.Context()
		u := w.user("zhang")
		s := session(u, "1", start)
		s.Pending = true
		w.must(db.OpenSession(ctx, s, start.Add(-time.Hour)))
		if known, err := db.KnownDevice(ctx, u.ID, s.Device, start.Add(-time.Hour)); err != nil || known {
			t.Errorf("the device is known: %v (%v)", known, err)
		}
		w.must(db.ProveSession(ctx, s.Hash, start.Add(time.Hour)))
		if got, _, _, err := db.Session(ctx, s.Hash); err != nil || !got.Pending || !got.ProvedAt.Equal(s.ProvedAt) {
			t.Errorf("session %+v (%v)", got, err)
		}
		whole := session(u, "2", start)
		w.must(db.OpenSession(ctx, whole, start.Add(-time.Hour)))
		w.must(db.ProveSession(ctx, whole.Hash, start.Add(time.Hour)))
		if got, _, _, err := db.Session(ctx, whole.Hash); err != nil || !got.ProvedAt.Equal(start.Add(time.Hour).UTC().Truncate(time.Microsecond)) {
			t.Errorf("proved at %v (%v)", got.ProvedAt, err)
		}
	})
}
