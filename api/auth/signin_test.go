package auth_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"bihuan/api/auth"
	"bihuan/api/request"
	"bihuan/engine"
)

func TestSignIn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.people("zhang")
		h.grant("zhang", engine.Leader)
		cookie, _, err := h.door.SignIn(t.Context(), " zhang\t", right, "10.0.0.1:1000") // as telephones type
		h.must(err)
		ctx := request.With(t.Context(), &request.Info{ID: "request-7"})
		actor, user, err := h.door.Actor(ctx, cookie)
		h.must(err)
		if user.Login != "zhang" || actor.ID != user.ID || actor.Via != engine.ViaConsole || actor.RequestID != "request-7" ||
			len(actor.Grants) != 1 || actor.Grants[0].Path == "" {
			t.Errorf("actor %+v of user %+v", actor, user)
		}
	})
}

// Line 4: whatever is wrong, the answer is the same, and so is the work behind it: one hash with today's parameters.
func TestUnknownUserCostsAHash(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.people("zhang", "closed")
		_, err := h.engine.AddUser(t.Context(), engine.Operator(), "nopassword", "某")
		h.must(err)
		_, err = h.engine.Disable(t.Context(), engine.Operator(), "closed")
		h.must(err)
		var hashes []string
		h.door.OnCheck(func(_, phc string) (bool, bool) { hashes = append(hashes, phc); return false, false })
		today := fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$", auth.Parameters.Memory, auth.Parameters.Iterations, auth.Parameters.Parallelism)
		for _, tt := range []struct{ name, login, password string }{
			{"a wrong password", "zhang", "nothing like it"},
			{"an unknown login", "wang", right},
			{"no login", "", right},
			{"no password typed", "zhang", ""},
			{"a password longer than any", "zhang", strings.Repeat(right, 20)},
			{"somebody without a password", "nopassword", right},
			{"nothing for nobody's nothing", "nopassword", ""},
			{"a closed account", "closed", right},
			{"an id in the place of the login", string(h.user("zhang").ID), right},
			{"a login in other letters", "ZHANG", right},
			{"what no database can hold", "zh\x00ang\xff", right},
		} {
			hashes = nil
			cookie, u, err := h.door.SignIn(t.Context(), tt.login, tt.password, "10.0.0.1")
			if cookie != "" || u.ID != "" || key(err) != "sign_in.wrong" || engine.KindOf(err) != engine.Denied || len(err.(*engine.Error).Args) > 0 {
				t.Errorf("%s: %q %v %v", tt.name, cookie, u, err)
			}
			if len(hashes) != 1 || !strings.HasPrefix(hashes[0], today) {
				t.Errorf("%s: compared with %q, want one hash of today's cost", tt.name, hashes)
			}
		}
	})
}

// Line 4: of a thousand guesses at one account, sent to two replicas at once, ten are evaluated, and meanwhile
// another person behind the same address signs in. Later the account is free again.
func TestGuessesAreThrottled(t *testing.T) {
	for _, login := range []string{"zhang", "wang"} { // one that exists, one that doesn't
		t.Run(login, func(t *testing.T) {
			each(t, func(t *testing.T, h *house) {
				h.people("zhang", "li")
				replicas := []*house{h, h.replica(auth.Standard)}
				for _, r := range replicas {
					r.cheap()
				}
				const guesses, workers = 1000, 4
				var all sync.WaitGroup
				var busy, wrong [workers]int
				for w := range workers {
					all.Go(func() {
						for i := range guesses / workers {
							_, _, err := replicas[w%2].door.SignIn(t.Context(), login, fmt.Sprintf("guess %d %d", w, i), "10.0.0.1:1000")
							switch key(err) {
							case "sign_in.wrong":
								wrong[w]++
							case "sign_in.throttled":
								busy[w]++
							default:
								t.Errorf("guess %d: %v", i, err)
							}
						}
					})
				}
				all.Wait()
				if n := h.evals.Load(); n != int64(auth.Limits.Account) || n > 10 {
					t.Errorf("%d of %d guesses were evaluated, want %d", n, guesses, auth.Limits.Account)
				}
				total := 0
				for w := range workers {
					total += busy[w]
				}
				if total != guesses-auth.Limits.Account {
					t.Errorf("%d refused as too many, want %d", total, guesses-auth.Limits.Account)
				}
				h.in("li")
				if login != "zhang" {
					return
				}
				_, _, err := h.door.SignIn(t.Context(), "zhang", right, "10.0.0.2")
				if engine.KindOf(err) != engine.Busy || err.(*engine.Error).Args["minutes"] != 15 {
					t.Errorf("the right password after a thousand wrong ones: %v, want to wait 15 minutes", err)
				}
				h.wait(auth.Limits.Window)
				h.in("zhang")
			})
		})
	}
}

// Attempts that succeed, or that nobody evaluated, do not count.
func TestOnlyFailuresCount(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.people("zhang")
		h.cheap()
		for range 3 * auth.Limits.Account {
			h.in("zhang")
		}
		for range maxed(h) { // everybody who could compute a hash is at work, and the caller hangs up
			ctx, cancel := context.WithCancel(t.Context())
			h.door.OnCheck(func(string, string) (bool, bool) { t.Error("evaluated"); return false, true })
			release := fill(t)
			done := make(chan error)
			go func() { _, _, err := h.door.SignIn(ctx, "zhang", right, "10.0.0.1"); done <- err }()
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("error %v, want that of the caller", err)
			}
			release()
		}
		h.cheap()
		h.in("zhang")
	})
}

func maxed(*house) []struct{} { return make([]struct{}, auth.Limits.Account+1) }

// Line 4: strangers cannot keep the owner out for ever: on a device that the owner signed in with before, their
// attempts don't count.
func TestStrangersDoNotLockOut(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.people("zhang", "li")
		h.cheap()
		cookie, lis := h.in("zhang"), h.in("li")
		h.must(h.door.SignOut(t.Context(), cookie))
		known := auth.WithDevice(t.Context(), auth.Device(cookie))
		try := func(ctx context.Context, password string) string {
			_, _, err := h.door.SignIn(ctx, "zhang", password, "10.0.0.1")
			return key(err)
		}
		for day := range 3 { // without a pause
			for range auth.Limits.Account + 5 {
				try(t.Context(), "guess")
			}
			if got := try(known, right); got != "" {
				t.Errorf("round %d: the owner on a known device: %s", day, got)
			}
			for name, ctx := range map[string]context.Context{
				"on another device":       t.Context(),
				"on somebody else's":      auth.WithDevice(t.Context(), auth.Device(lis)),
				"with an invented device": auth.WithDevice(t.Context(), auth.Device("invented")),
				"with the session itself": auth.WithDevice(t.Context(), cookie),
				"with nothing sensible":   auth.WithDevice(t.Context(), "x"),
			} {
				if got := try(ctx, right); got != "sign_in.throttled" {
					t.Errorf("round %d: %s: %q", day, name, got)
				}
			}
			h.wait(auth.Limits.Window)
		}
		before := h.evals.Load() // whoever got hold of the device has as many attempts, no more
		for range auth.Limits.Account + 5 {
			try(known, "guess")
		}
		if n := h.evals.Load() - before; n != int64(auth.Limits.Account) || try(known, right) != "sign_in.throttled" {
			t.Errorf("%d guesses on a known device, want %d", n, auth.Limits.Account)
		}
		if got := try(t.Context(), right); got != "" {
			t.Errorf("a new device after guesses on a known one: %s", got)
		}
		h.wait(auth.DeviceKnown)
		for range auth.Limits.Account {
			try(t.Context(), "guess")
		}
		if got := try(known, right); got != "sign_in.throttled" {
			t.Errorf("a device that was forgotten: %q", got)
		}
	})
}

// Line 4: one password tried on many accounts makes the address busy, which slows guessing there and locks nobody out.
func TestBusyAddress(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.people("zhang", "li")
		h.cheap()
		for i := range auth.Limits.Address {
			_, _, err := h.door.SignIn(t.Context(), fmt.Sprintf("nobody%d", i), "guess", "[2001:db8::1]:1000")
			if key(err) != "sign_in.wrong" {
				t.Fatalf("attempt %d: %v", i, err)
			}
		}
		evaluated := func(login, addr string) int {
			before := h.evals.Load()
			for range auth.Limits.Account + 5 {
				_, _, _ = h.door.SignIn(t.Context(), login, "guess", addr)
			}
			return int(h.evals.Load() - before)
		}
		if n := evaluated("zhang", "[2001:db8::2]:1000"); n != auth.Limits.Busy {
			t.Errorf("%d guesses from the same network, want %d", n, auth.Limits.Busy)
		}
		if n := evaluated("zhang", "10.0.0.1"); n != auth.Limits.Account-auth.Limits.Busy {
			t.Errorf("%d more guesses from elsewhere, want %d", n, auth.Limits.Account-auth.Limits.Busy)
		}
		if _, _, err := h.door.SignIn(t.Context(), "li", right, "[2001:db8::3]:1000"); err != nil {
			t.Errorf("another person at the busy address: %v", err)
		}
	})
}

func TestPlace(t *testing.T) {
	for addr, want := range map[string]string{
		"10.0.0.1": "10.0.0.1", "10.0.0.1:80": "10.0.0.1", "::ffff:10.0.0.1": "10.0.0.1", "[::ffff:10.0.0.1]:80": "10.0.0.1",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "[2001:db8:1:2::9]:443": "2001:db8:1:2::/64", "[fe80::1%eth0]:80": "fe80::/64",
		"": "?", "somewhere": "?", "@": "?",
	} {
		if got := auth.Place(addr); got != want {
			t.Errorf("%q is at %q, want %q", addr, got, want)
		}
	}
}

// Line 2: a hash that was made with other parameters is replaced when its password is known for a moment. Nobody has
// to sign in again for that.
func TestRehashOnSignIn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.people("zhang")
		old, err := argon2id.CreateHash(right, &argon2id.Params{Memory: 8 * 1024, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
		h.must(err)
		u, err := h.engine.SetPassword(t.Context(), engine.Operator(), "zhang", old, false)
		h.must(err)
		if _, _, err := h.door.SignIn(t.Context(), "zhang", "not "+right, "10.0.0.1"); key(err) != "sign_in.wrong" {
			t.Fatal(err)
		}
		if p, err := h.db.Password(t.Context(), u.ID); err != nil || p.PHC != old {
			t.Errorf("a wrong password changed the hash: %v", err)
		}
		set := h.now()
		h.wait(time.Hour)
		first := h.in("zhang")
		p, err := h.db.Password(t.Context(), u.ID)
		h.must(err)
		if params, _, _, err := argon2id.DecodeHash(p.PHC); err != nil || *params != *auth.Parameters {
			t.Errorf("the hash has %+v (%v), want %+v", params, err, auth.Parameters)
		}
		if !p.ChangedAt.Equal(set) {
			t.Errorf("the password counts as changed at %v", p.ChangedAt)
		}
		h.in("zhang")
		if !h.holds(first) {
			t.Error("the session ended with the old hash")
		}
		if list := h.entries("actor/" + string(u.ID)); count(list, `sign_in by `+string(u.ID)+` {"method":"password","rehashed":true}`) != 1 || count(list, "sign_in by") != 2 {
			t.Errorf("entries: %v", list)
		}
	})
}

// Line 24: sign-ins, failures and refusals are entries. What strangers can bring about in floods is one a minute.
func TestSignInsAreEntries(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.people("zhang", "closed")
		_, err := h.engine.Disable(t.Context(), engine.Operator(), "closed")
		h.must(err)
		h.cheap()
		zhang, closed := string(h.user("zhang").ID), string(h.user("closed").ID)
		try := func(login, password, addr string) {
			_, _, _ = h.door.SignIn(t.Context(), login, password, addr)
		}
		try("zhang", "guess", "10.0.0.1")
		try("closed", right, "10.0.0.1")
		cookie := h.in("zhang")
		h.must(h.door.SignOut(t.Context(), cookie))
		h.must(h.door.SignOut(t.Context(), cookie)) // no second entry
		for range auth.Limits.Account - 1 + 20 {    // 20 of them are refused
			try("zhang", "guess", "10.0.0.1")
		}
		h.wait(time.Minute)
		try("zhang", "guess", "10.0.0.1")
		want := []string{`sign_in_failed by anonymous {"why":"password"}`, `sign_in by ` + zhang + ` {"method":"password"}`, "sign_out by " + zhang}
		want = append(want, slices.Repeat([]string{`sign_in_failed by anonymous {"why":"password"}`}, auth.Limits.Account-1)...)
		want = append(want, `sign_in_refused by anonymous {"why":"throttled"}`, `sign_in_refused by anonymous {"skipped":19,"why":"throttled"}`)
		if got := h.entries("actor/" + zhang); !slices.Equal(got, want) {
			t.Errorf("of an account:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if got := h.entries("actor/" + closed); !slices.Equal(got, []string{`sign_in_failed by anonymous {"why":"disabled"}`}) {
			t.Errorf("of a closed account: %v", got)
		}

		other := h.replica(auth.Standard)
		other.cheap()
		for minute := range 3 {
			for i := range 30 {
				r := []*house{h, other}[i%2]
				_, _, _ = r.door.SignIn(t.Context(), fmt.Sprintf("nobody%d-%d", minute, i), "guess", "10.0.0.9:1")
			}
			h.wait(time.Minute)
		}
		try("nobody", "guess", "10.0.0.10")
		got := h.entries("actor/anonymous")
		want = []string{`sign_in_failed by anonymous {"why":"unknown"}`, `sign_in_failed by anonymous {"skipped":29,"why":"unknown"}`,
			`sign_in_failed by anonymous {"skipped":29,"why":"unknown"}`, `sign_in_failed by anonymous {"why":"unknown"}`}
		if !slices.Equal(got, want) {
			t.Errorf("of nobody:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		h.intact()
	})
}

// Line 24: whoever cannot be recorded is not let in.
func TestNoEntryNoSession(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.people("zhang")
		e, err := engine.New(t.Context(), engine.Config{Store: &forgetful{Store: h.db}, Now: h.now, Compile: func([]byte) (*engine.Workflow, error) { return nil, nil }})
		h.must(err)
		door, err := auth.New(auth.Config{Engine: e, Store: h.db})
		h.must(err)
		cookie, u, err := door.SignIn(t.Context(), "zhang", right, "10.0.0.1")
		if !errors.Is(err, errForgetful) || cookie != "" || u.ID != "" {
			t.Errorf("signed in %q %v: %v", cookie, u.ID, err)
		}
		var n int
		h.must(h.db.SQL().QueryRowContext(t.Context(), "SELECT count(*) FROM sessions").Scan(&n))
		if n != 0 {
			t.Errorf("%d sessions", n)
		}
		if _, _, err := door.SignIn(t.Context(), "zhang", "guess", "10.0.0.1"); key(err) != "sign_in.wrong" {
			t.Errorf("a refusal that cannot be recorded is none: %v", err)
		}
	})
}

var errForgetful = errors.New("the trail is full")

// forgetful is a store that cannot write entries.
type forgetful struct{ engine.Store }

func (forgetful) Record(context.Context, engine.Record) error { return errForgetful }

// Line 22: neither passwords nor secrets nor hashes get into the trail, the log or an error.
func TestSecretsStaySecret(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		token, _, err := h.door.SetupToken(t.Context())
		h.must(err)
		_, _, err = h.door.SetUp(t.Context(), auth.First{Token: token, Login: "zhang", Name: "张三丰", Password: right, UnitCode: "dw", UnitName: "校党委"})
		h.must(err)
		cookie := h.in("zhang")
		const next = "another 路灯 Laterne 8"
		_, _, wrong := h.door.SignIn(t.Context(), "zhang", "wrong-"+next, "10.0.0.1")
		_, _, unknown := h.door.SignIn(t.Context(), "typed-password-here", right, "10.0.0.1")
		after, err := h.door.ChangePassword(t.Context(), cookie, right, next)
		h.must(err)
		p, err := h.db.Password(t.Context(), h.user("zhang").ID)
		h.must(err)
		secrets := []string{right, next, cookie, after, token, p.PHC, auth.Device(cookie), "typed-password-here", "argon2id"}
		var text strings.Builder
		text.WriteString(h.log.String() + wrong.Error() + unknown.Error())
		rows, err := h.db.SQL().QueryContext(t.Context(), "SELECT bytes FROM entries")
		h.must(err)
		defer rows.Close()
		n := 0
		for ; rows.Next(); n++ {
			var b []byte
			h.must(rows.Scan(&b))
			text.Write(b)
		}
		h.must(rows.Err())
		if n < 7 {
			t.Errorf("only %d entries", n)
		}
		for _, s := range secrets {
			if strings.Contains(text.String(), s) {
				t.Errorf("%q is shown", s)
			}
		}
		h.intact()
	})
}
