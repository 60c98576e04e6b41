package storage_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// session is a session of a user that begins at a moment.
func session(u engine.User, name string, at time.Time) engine.Session {
	at = at.UTC().Truncate(time.Microsecond)
	return engine.Session{Hash: key(name), Device: key("device " + name), UserID: u.ID, UserVersion: u.Version,
		CreatedAt: at, SeenAt: at, ExpiresAt: at.Add(12 * time.Hour), Via: engine.ViaConsole,
		Method: "password", ProvedAt: at, Agent: "a browser 浏览器", Address: "10.0.0.1"}
}

func TestSession(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		ctx := t.Context()
		unit := w.units["root"]
		zhang, li := w.user("zhang", engine.Grant{Role: engine.Leader, UnitID: unit.ID}), w.user("li")
		first, second, lis := session(zhang, "1", start), session(zhang, "2", start.Add(time.Hour)), session(li, "3", start)
		for _, s := range []engine.Session{first, second, lis} {
			w.must(db.OpenSession(ctx, s, start.Add(-time.Hour)))
		}
		s, u, p, err := db.Session(ctx, first.Hash)
		if err != nil || !reflect.DeepEqual(s, first) || u.Login != "zhang" || p != (engine.Password{UserID: zhang.ID}) {
			t.Errorf("got %+v of %+v with %+v (%v)", s, u, p, err)
		}
		if len(u.Grants) != 1 || u.Grants[0].Path != unit.Path {
			t.Errorf("grants %+v, want the path of the unit", u.Grants)
		}
		set := engine.Password{UserID: zhang.ID, PHC: phc, ChangedAt: start.Truncate(time.Microsecond), MustChange: true}
		zhang = w.password(zhang, set)
		if _, u, p, err := db.Session(ctx, first.Hash); err != nil || u.Version != 2 || !p.MustChange || !p.ChangedAt.Equal(set.ChangedAt) || p.PHC != "" {
			t.Errorf("after a new password: version %d, %+v (%v)", u.Version, p, err)
		}
		if _, _, _, err := db.Session(ctx, key("none")); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("a session that never was: %v", err)
		}

		later := start.Add(5 * time.Minute).Truncate(time.Microsecond)
		w.must(db.TouchSession(ctx, first.Hash, later))
		w.must(db.TouchSession(ctx, first.Hash, start)) // a replica whose clock is behind
		if s, _, _, err := db.Session(ctx, first.Hash); err != nil || !s.SeenAt.Equal(later) {
			t.Errorf("seen at %v (%v), want %v", s.SeenAt, err, later)
		}

		for _, x := range []struct {
			name string
			user engine.UserID
			hash []byte
			want int64
		}{{"somebody else's", li.ID, first.Hash, 0}, {"one", zhang.ID, first.Hash, 1}, {"it again", zhang.ID, first.Hash, 0},
			{"the rest", zhang.ID, nil, 1}, {"none is left", zhang.ID, nil, 0}, {"of nobody", "operator", nil, 0}} {
			if n, err := db.EndSessions(ctx, x.user, x.hash, later); err != nil || n != x.want {
				t.Errorf("%s: ended %d (%v), want %d", x.name, n, err, x.want)
			}
		}
		if s, _, _, err := db.Session(ctx, lis.Hash); err != nil || s.EndedAt != nil {
			t.Errorf("li's session ended with zhang's: %+v (%v)", s, err)
		}
		if s, _, _, err := db.Session(ctx, second.Hash); err != nil || s.EndedAt == nil || !s.EndedAt.Equal(later) {
			t.Errorf("ended at %v (%v), want %v", s.EndedAt, err, later)
		}

		for _, x := range []struct {
			name   string
			user   engine.UserID
			device []byte
			since  time.Time
			want   bool
		}{
			{"an ended session's", zhang.ID, first.Device, start.Add(-time.Minute), true},
			{"too long ago", zhang.ID, first.Device, start.Add(time.Minute), false},
			{"somebody else's", li.ID, first.Device, start.Add(-time.Minute), false},
			{"the session's hash is no device", zhang.ID, first.Hash, start.Add(-time.Minute), false},
			{"nobody's", "operator", first.Device, start.Add(-time.Minute), false},
		} {
			if got, err := db.KnownDevice(ctx, x.user, x.device, x.since); err != nil || got != x.want {
				t.Errorf("device, %s: %v (%v), want %v", x.name, got, err, x.want)
			}
		}

		w.must(db.OpenSession(ctx, session(li, "4", start.Add(48*time.Hour)), start.Add(time.Minute)))
		if n := w.count("sessions"); n != 2 {
			t.Errorf("%d sessions are kept, want those since the moment given", n)
		}
	})
}
