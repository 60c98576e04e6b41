package auth_test

import (
	"errors"
	"testing"
	"time"

	"bihuan/api/auth"
	"bihuan/engine"
)

// Line 28: people see where they are signed in, and end one session or all others, on every replica.
func TestOwnSessions(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.people("zhang", "li")
		h.cheap()
		other := h.replica(auth.Standard)
		agent := auth.WithAgent(t.Context(), "Mozilla/5.0 (Windows NT 10.0) Firefox/150.0\x00")
		mine, _, err := h.door.SignIn(agent, "zhang", right, "10.0.0.7:1000")
		h.must(err)
		h.wait(time.Second)
		second, third, lis := h.in("zhang"), h.in("zhang"), h.in("li")
		gone := h.in("zhang")
		h.must(h.door.SignOut(t.Context(), gone))

		list, err := other.door.Sittings(t.Context(), mine)
		h.must(err)
		if len(list) != 3 {
			t.Fatalf("%d sessions, want 3", len(list))
		}
		last := list[2]
		if !last.Current || list[0].Current || list[1].Current || last.Address != "10.0.0.7" || last.Agent != "Mozilla/5.0 (Windows NT 10.0) Firefox/150.0" || last.Method != "password" {
			t.Errorf("sessions %+v", list)
		}
		theirs, err := h.door.Sittings(t.Context(), lis)
		h.must(err)
		for name, id := range map[string]string{"somebody else's": theirs[0].ID, "no id": "", "no session": "AAAA", "nonsense": "?"} {
			if err := h.door.EndSitting(t.Context(), mine, id); !errors.Is(err, engine.ErrNotFound) {
				t.Errorf("ending %s: %v", name, err)
			}
		}
		if !h.holds(lis) {
			t.Error("somebody else's session was ended")
		}
		list, err = h.door.Sittings(t.Context(), second)
		h.must(err)
		for _, s := range list {
			if s.Current {
				h.must(other.door.EndSitting(t.Context(), mine, s.ID))
			}
		}
		if h.holds(second) || !h.holds(third) || !h.holds(mine) {
			t.Error("another session was ended than the one named")
		}
		fourth := h.in("zhang")
		if n, err := other.door.EndOthers(t.Context(), mine); err != nil || n != 2 {
			t.Errorf("%d others ended (%v), want 2", n, err)
		}
		if h.holds(third) || h.holds(fourth) || !h.holds(mine) || !h.holds(lis) {
			t.Error("not the others were ended")
		}
		if n, err := h.door.EndOthers(t.Context(), mine); err != nil || n != 0 {
			t.Errorf("again: %d (%v)", n, err)
		}
		if _, err := h.door.Sittings(t.Context(), third); key(err) != "session.over" {
			t.Errorf("with a session that is over: %v", err)
		}
		id := string(h.user("zhang").ID)
		if list := h.entries("actor/" + id); count(list, "end_sessions by "+id+` {"count":1}`) != 1 || count(list, "end_sessions by "+id+` {"count":2}`) != 1 {
			t.Errorf("entries: %v", list)
		}
		h.wait(auth.Idle)
		fresh := h.in("zhang")
		if list, err := h.door.Sittings(t.Context(), fresh); err != nil || len(list) != 1 {
			t.Errorf("%d sessions (%v) where one lets in", len(list), err)
		}
	})
}
