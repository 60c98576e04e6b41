package auth_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"bihuan/api/auth"
	"bihuan/engine"
)

// Line 7: what ends a session ends it at the next lookup on every replica.
func TestSessionEnds(t *testing.T) {
	operator := engine.Operator()
	tests := []struct {
		name string
		end  func(h *house, login, cookie string) error
	}{
		{"sign-out", func(h *house, _, cookie string) error { return h.door.SignOut(h.t.Context(), cookie) }},
		{"all at once", func(h *house, login, _ string) error {
			_, err := h.door.EndAll(h.t.Context(), operator, h.user(login).ID)
			return err
		}},
		{"the end of the account", func(h *house, login, _ string) error {
			_, err := h.engine.Disable(h.t.Context(), operator, login)
			return err
		}},
		{"a role more", func(h *house, login, _ string) error {
			_, err := h.engine.Grant(h.t.Context(), operator, login, "dw", engine.Supervisor)
			return err
		}},
		{"a role less", func(h *house, login, _ string) error {
			_, err := h.engine.Revoke(h.t.Context(), operator, login, "dw", engine.Leader)
			return err
		}},
		{"a password from somebody else", func(h *house, login, _ string) error {
			phc, err := rightPHC()
			h.must(err)
			_, err = h.engine.SetPassword(h.t.Context(), operator, login, phc, false)
			return err
		}},
		{"another password of one's own", func(h *house, _, cookie string) error {
			_, err := h.door.ChangePassword(h.t.Context(), cookie, right, "another 路灯 Laterne 8")
			return err
		}},
		{"half an hour without use", func(h *house, _, _ string) error { h.wait(auth.Idle); return nil }},
	}
	each(t, func(t *testing.T, h *house) {
		h.people("li")
		other := h.replica(auth.Standard)
		h.cheap()
		other.cheap()
		for i, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				login := fmt.Sprintf("zhang%d", i)
				h.people(login)
				h.grant(login, engine.Leader)
				cookie, second, lis := h.in(login), other.in(login), h.in("li")
				for _, c := range []string{cookie, second, lis} {
					if !h.holds(c) || !other.holds(c) {
						t.Fatal("a fresh session does not hold")
					}
				}
				h.must(tt.end(h, login, cookie))
				if other.holds(cookie) {
					t.Error("the session goes on elsewhere")
				}
				if h.holds(cookie) {
					t.Error("the session goes on here")
				}
				if one := tt.name == "sign-out"; other.holds(second) != one {
					t.Errorf("the other browser's session holds: %v", !one)
				}
				if idle := tt.name == "half an hour without use"; other.holds(lis) == idle {
					t.Errorf("somebody else's session holds: %v", idle)
				}
			})
		}
	})
}

// Line 7: use keeps a session alive, but for twelve hours at most. It is noted once a minute.
func TestSessionLifetime(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.people("zhang")
		cookie := h.in("zhang")
		seen := func() time.Time {
			s, _, _, err := h.db.Session(t.Context(), auth.Digest(cookie))
			h.must(err)
			return s.SeenAt
		}
		h.wait(time.Minute - time.Microsecond)
		if !h.holds(cookie) || !seen().Equal(start.Truncate(time.Microsecond)) {
			t.Errorf("seen at %v within the first minute", seen())
		}
		h.wait(time.Microsecond)
		if !h.holds(cookie) || !seen().Equal(h.now()) {
			t.Errorf("seen at %v, want %v", seen(), h.now())
		}
		h.wait(auth.Idle - time.Microsecond)
		if !h.holds(cookie) {
			t.Error("over before half an hour")
		}
		for end := start.Add(auth.Longest); h.now().Add(20 * time.Minute).Before(end); {
			h.wait(20 * time.Minute)
			if !h.holds(cookie) {
				t.Fatalf("over after %v of use", h.now().Sub(start))
			}
		}
		h.clock.Store(start.Add(auth.Longest).UnixMicro() - 1)
		if !h.holds(cookie) {
			t.Error("over before twelve hours")
		}
		h.wait(time.Microsecond)
		if h.holds(cookie) {
			t.Error("longer than twelve hours")
		}
	})
}

// Line 7: 256 random bits, stored as a digest; a new one with every sign-in, and none that somebody brought along.
func TestSessionSecret(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.people("zhang")
		one, two := h.in("zhang"), h.in("zhang")
		raw, err := base64.RawURLEncoding.DecodeString(one)
		if err != nil || len(raw)*8 != 256 || one == two {
			t.Errorf("cookies %q and %q", one, two)
		}
		rows, err := h.db.SQL().QueryContext(t.Context(), "SELECT hash, device FROM sessions")
		h.must(err)
		defer rows.Close()
		sum := sha256.Sum256([]byte(one))
		found := false
		for rows.Next() {
			var hash, device []byte
			h.must(rows.Scan(&hash, &device))
			found = found || bytes.Equal(hash, sum[:])
			for _, stored := range [][]byte{hash, device} {
				if bytes.Contains(stored, raw) || bytes.Contains([]byte(one), stored) {
					t.Error("the secret is stored")
				}
				if h.holds(base64.RawURLEncoding.EncodeToString(stored)) {
					t.Error("what is stored lets one in")
				}
			}
		}
		h.must(rows.Err())
		if !found {
			t.Error("the session is not stored under SHA-256 of its secret")
		}
		planted := base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
		for name, cookie := range map[string]string{"planted before the sign-in": planted, "nothing": "", "short": one[:42], "padded": one + "=", "the device": auth.Device(one), "not base64": "!" + one[1:]} {
			if h.holds(cookie) {
				t.Errorf("%s lets one in", name)
			}
		}
		// Line 9: a bearer token is no cookie, and a cookie no bearer token.
		secret, _, err := h.engine.IssueToken(t.Context(), engine.Operator(), "zhang", "t", time.Hour)
		h.must(err)
		if h.holds(secret) {
			t.Error("a token in the cookie lets one in")
		}
		for _, s := range []string{one, engine.TokenPrefix + one} {
			if _, _, err := h.engine.Bearer(t.Context(), s, engine.ViaAPI, ""); engine.KindOf(err) != engine.Denied {
				t.Errorf("a cookie as token: %v", err)
			}
		}
	})
}

// Other methods than a password open the same sessions, of accounts that are there and not closed.
func TestAdmit(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.people("zhang", "closed")
		_, err := h.engine.Disable(t.Context(), engine.Operator(), "closed")
		h.must(err)
		cookie, u, err := h.door.Admit(t.Context(), "zhang", "seat")
		if err != nil || u.Login != "zhang" || !h.holds(cookie) {
			t.Errorf("admitted %q: %v", u.Login, err)
		}
		if list := h.entries("actor/" + string(u.ID)); !slices.Equal(list, []string{"sign_in by " + string(u.ID) + ` {"method":"seat"}`}) {
			t.Errorf("entries: %v", list)
		}
		for _, login := range []string{"closed", "wang", "", string(u.ID)} {
			if cookie, _, err := h.door.Admit(t.Context(), login, "seat"); cookie != "" || key(err) != "sign_in.wrong" {
				t.Errorf("%q: %q %v", login, cookie, err)
			}
		}
	})
}

func TestEndAll(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.people("zhang", "li", "guanli")
		h.grant("guanli", engine.Admin)
		h.grant("li", engine.Security)
		zhang := h.user("zhang").ID
		for _, tt := range []struct {
			who  string
			ends bool
		}{{"li", false}, {"zhang", true}, {"guanli", true}, {"", true}} {
			first, second := h.in("zhang"), h.in("zhang")
			who := engine.Operator()
			if tt.who != "" {
				u := h.user(tt.who)
				who = engine.Actor{ID: u.ID, Grants: u.Grants, Via: engine.ViaConsole}
			}
			n, err := h.door.EndAll(t.Context(), who, zhang)
			if !tt.ends {
				if key(err) != "session.own_only" || !h.holds(first) {
					t.Errorf("%s: %v", tt.who, err)
				}
				if list := h.entries("actor/" + string(who.ID)); count(list, "refused by "+string(who.ID)) != 1 {
					t.Errorf("the refusal is no entry: %v", list)
				}
				_, err = h.door.EndAll(t.Context(), engine.Operator(), zhang)
				h.must(err)
				continue
			}
			if err != nil || n != 2 || h.holds(first) || h.holds(second) {
				t.Errorf("%q ended %d: %v", tt.who, n, err)
			}
			if list := h.entries("actor/" + string(zhang)); list[len(list)-1] != "end_sessions by "+string(who.ID)+` {"count":2}` {
				t.Errorf("the newest entry: %s", list[len(list)-1])
			}
		}
		before := len(h.entries("actor/" + string(zhang)))
		if n, err := h.door.EndAll(t.Context(), engine.Operator(), zhang); n != 0 || err != nil || len(h.entries("actor/"+string(zhang))) != before {
			t.Errorf("ended %d that had ended: %v", n, err)
		}
	})
}

// A password that somebody else knows lets its owner do nothing but choose another.
func TestMustChange(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.people("zhang")
		const once = "k7mq-3fxd-9pta-w2hn"
		phc, err := auth.Hash(t.Context(), once)
		h.must(err)
		_, err = h.engine.SetPassword(t.Context(), engine.Operator(), "zhang", phc, true)
		h.must(err)
		cookie, _, err := h.door.SignIn(t.Context(), "zhang", once, "10.0.0.1")
		h.must(err)
		actor, user, err := h.door.Actor(t.Context(), cookie)
		if !errors.Is(err, auth.ErrMustChange) || engine.KindOf(err) != engine.Required || actor.ID != "" || len(actor.Grants) != 0 || user.Login != "zhang" {
			t.Fatalf("actor %+v of %s: %v", actor, user.Login, err)
		}
		cookie, err = h.door.ChangePassword(t.Context(), cookie, once, right)
		h.must(err)
		if !h.holds(cookie) || !h.holds(h.in("zhang")) {
			t.Error("the new password does not hold")
		}
	})
}

// Line 3: with the profile mlps a password is good for 90 days.
func TestRotation(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.people("zhang")
		strict := h.replica(auth.MLPS)
		h.wait(auth.MLPS.MaxAge - time.Microsecond)
		cookie := h.in("zhang")
		if !strict.holds(cookie) {
			t.Error("too old before 90 days")
		}
		h.wait(time.Microsecond)
		if _, _, err := strict.door.Actor(t.Context(), cookie); !errors.Is(err, auth.ErrMustChange) {
			t.Errorf("after 90 days: %v", err)
		}
		if !h.holds(cookie) {
			t.Error("too old without the profile")
		}
	})
}

func TestChangePassword(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.people("zhang", "li")
		const next = "another 路灯 Laterne 8"
		cookie := h.in("zhang")
		for _, tt := range []struct{ name, cookie, present, next, want string }{
			{"without a session", "", right, next, "session.over"},
			{"a weak one", cookie, right, "password123", "password.common"},
			{"one's own name", cookie, right, "某zhang某zhang", "password.own_word"},
			{"the same", cookie, right, right, "password.same"},
			{"with the wrong present one", cookie, "guess", next, "password.present"},
		} {
			if got, err := h.door.ChangePassword(t.Context(), tt.cookie, tt.present, tt.next); got != "" || key(err) != tt.want {
				t.Errorf("%s: %q %v, want %s", tt.name, got, err, tt.want)
			}
		}
		zhang := "actor/" + string(h.user("zhang").ID)
		if list := h.entries(zhang); !slices.ContainsFunc(list, func(s string) bool { return s[:7] == "refused" }) {
			t.Errorf("the refusal is no entry: %v", list)
		}
		h.cheap()
		for range auth.Limits.Account + 5 { // whoever sits at somebody's open browser
			_, err := h.door.ChangePassword(t.Context(), cookie, "guess", next)
			if k := key(err); k != "password.present" && k != "sign_in.throttled" {
				t.Error(err)
			}
		}
		if n := h.evals.Load(); n != int64(auth.Limits.Account)-1 {
			t.Errorf("%d more guesses were evaluated, want %d", n, auth.Limits.Account-1)
		}
		h.wait(auth.Limits.Window)
		cookie, err := h.replica(auth.Standard).door.ChangePassword(t.Context(), h.in("zhang"), right, next)
		h.must(err)
		if !h.holds(cookie) {
			t.Error("the new session does not hold")
		}
		if list := h.entries("user/" + string(h.user("zhang").ID)); count(list, "set_password by "+string(h.user("zhang").ID)) != 1 {
			t.Errorf("entries: %v", list)
		}
		h.intact()
	})
}
