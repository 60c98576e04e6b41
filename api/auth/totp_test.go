package auth_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"bihuan/api/auth"
	"bihuan/engine"
	"bihuan/engine/secret"
)

// withKey gives the house a key to seal with, and says whose roles need one-time codes.
func (h *house) withKey(roles ...engine.Role) *house {
	h.t.Helper()
	box, err := secret.New(testKey)
	h.must(err)
	h.engine.Secrets = box
	h.door, err = auth.New(auth.Config{Engine: h.engine, Store: h.db, SecondFactor: roles, Issuer: "校党委", Log: slog.New(slog.NewJSONHandler(h.log, nil))})
	h.must(err)
	h.cheap()
	return h
}

var testKey = secret.NewKey()

// enrol sets one-time codes up for somebody, and returns the seed, the recovery codes and the cookie.
func (h *house) enrol(login string) (seed string, recovery []string, cookie string) {
	h.t.Helper()
	cookie = h.in(login)
	o, err := h.door.OfferSeed(h.t.Context(), cookie)
	h.must(err)
	next, recovery, err := h.door.Enrol(h.t.Context(), cookie, o.Sealed, h.code(o.Secret))
	h.must(err)
	h.wait(30 * time.Second) // to the next code
	return o.Secret, recovery, next
}

// code is what an authenticator shows now.
func (h *house) code(seed string) string {
	h.t.Helper()
	code, err := totp.GenerateCode(seed, h.now())
	h.must(err)
	return code
}

// second gives the second step.
func (h *house) second(cookie, code string) (string, error) {
	next, _, err := h.door.SecondStep(h.t.Context(), cookie, code, "10.0.0.1:1000")
	return next, err
}

// Line 5: with one-time codes the password alone opens nothing, the code of the moment does, once, on one replica.
func TestSecondStep(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.withKey()
		h.people("zhang", "li")
		seed, _, enrolled := h.enrol("zhang")
		if !h.holds(enrolled) {
			t.Error("whoever set codes up is signed out")
		}
		other := h.replica(auth.Standard).withKey()

		half := h.in("zhang")
		if _, u, err := other.door.Actor(t.Context(), half); !errors.Is(err, auth.ErrCode) || engine.KindOf(err) != engine.Required || u.Login != "zhang" {
			t.Errorf("after the password alone: %v of %q", err, u.Login)
		}
		for name, try := range map[string]func() error{
			"another password": func() error {
				_, err := h.door.ChangePassword(t.Context(), half, right, "another 路灯 Laterne 8")
				return err
			},
			"a proof":        func() error { return h.door.Prove(t.Context(), half, h.code(seed), "10.0.0.1") },
			"an offer":       func() error { _, err := h.door.OfferSeed(t.Context(), half); return err },
			"the removal":    func() error { _, err := h.door.RemoveSeed(t.Context(), half); return err },
			"recovery codes": func() error { _, _, err := h.door.RenewRecovery(t.Context(), half); return err },
		} {
			if err := try(); key(err) != "session.over" {
				t.Errorf("%s with half a sign-in: %v", name, err)
			}
		}
		for _, bad := range []string{"", "000000", "12345", h.code(seed) + "0", "abcd-efgh-ijkl-mnop", "\x00\xff"} {
			if next, err := h.second(half, bad); next != "" || key(err) != "totp.code" {
				t.Errorf("%q: %v", bad, err)
			}
			h.wait(auth.Limits.Window) // apart from the limit
			half = h.in("zhang")
		}
		code := h.code(seed)
		mine, err := other.second(half, code[:3]+" "+code[3:])
		h.must(err)
		if !h.holds(mine) || !other.holds(mine) {
			t.Error("the session does not hold")
		}
		if h.holds(half) {
			t.Error("half a sign-in goes on beside the whole one")
		}
		if _, err := h.second(half, code); key(err) != "session.over" {
			t.Errorf("the second step twice: %v", err)
		}
		again := h.in("zhang")
		if _, err := h.second(again, code); key(err) != "totp.code" {
			t.Errorf("a code that was used on another replica: %v", err)
		}
		h.wait(30 * time.Second)
		if _, err := h.second(again, h.code(seed)); err != nil {
			t.Errorf("the next code: %v", err)
		}
		if _, err := h.second(h.in("li"), code); key(err) != "session.over" {
			t.Errorf("a second step for somebody without codes: %v", err)
		}
		late := h.in("zhang")
		h.wait(10 * time.Minute)
		if _, err := h.second(late, h.code(seed)); key(err) != "session.over" {
			t.Errorf("ten minutes later: %v", err)
		}
		id := string(h.user("zhang").ID)
		list := h.entries("actor/" + id)
		if count(list, "sign_in_begun by "+id+` {"method":"password"}`) == 0 || count(list, "sign_in by "+id+` {"method":"password","second":"totp"}`) != 2 ||
			count(list, `sign_in_failed by anonymous {"why":"code"}`) == 0 {
			t.Errorf("entries: %v", list)
		}
		if list := h.entries("user/" + id); count(list, "enrol_totp by "+id) != 1 {
			t.Errorf("entries: %v", list)
		}
		h.intact()
	})
}

// Clocks differ: the codes of the neighbouring periods are taken, no others.
func TestCodeWindow(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.withKey()
		h.people("zhang")
		seed, _, _ := h.enrol("zhang")
		for _, tt := range []struct {
			off time.Duration
			ok  bool
		}{{-60 * time.Second, false}, {-30 * time.Second, true}, {30 * time.Second, true}, {60 * time.Second, false}} {
			h.wait(auth.Limits.Window)
			code, err := totp.GenerateCode(seed, h.now().Add(tt.off))
			h.must(err)
			if _, err := h.second(h.in("zhang"), code); (err == nil) != tt.ok {
				t.Errorf("the code of %v: %v", tt.off, err)
			}
		}
	})
}

// Each recovery code lets its owner in once, with an entry; others' never do.
func TestRecoveryCodes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.withKey()
		h.people("zhang", "li")
		_, codes, _ := h.enrol("zhang")
		_, lis, _ := h.enrol("li")
		if len(codes) != 10 || len(slices.Compact(slices.Sorted(slices.Values(codes)))) != 10 {
			t.Fatalf("recovery codes %v", codes)
		}
		mine, err := h.second(h.in("zhang"), strings.ToUpper(codes[3]))
		h.must(err)
		if !h.holds(mine) {
			t.Error("a recovery code does not let in")
		}
		for _, bad := range []string{codes[3], lis[0]} {
			if _, err := h.second(h.in("zhang"), bad); key(err) != "totp.code" {
				t.Errorf("%v", err)
			}
		}
		id := string(h.user("zhang").ID)
		if list := h.entries("actor/" + id); count(list, "use_recovery by "+id+` {"left":9}`) != 1 || count(list, "sign_in by "+id+` {"method":"password","second":"recovery"}`) != 1 {
			t.Errorf("entries: %v", list)
		}
		if left, err := h.door.RecoveryLeft(t.Context(), h.user("zhang")); err != nil || left != 9 {
			t.Errorf("%d left (%v)", left, err)
		}
		next, renewed, err := h.door.RenewRecovery(t.Context(), mine)
		h.must(err)
		if !h.holds(next) || h.holds(mine) {
			t.Error("other recovery codes do not end the sessions")
		}
		if _, err := h.second(h.in("zhang"), codes[0]); key(err) != "totp.code" {
			t.Errorf("a replaced code: %v", err)
		}
		if _, err := h.second(h.in("zhang"), renewed[0]); err != nil {
			t.Errorf("a new code: %v", err)
		}
		var stored int
		h.must(h.db.SQL().QueryRowContext(t.Context(), "SELECT count(*) FROM recovery_codes WHERE length(hash) <> 32").Scan(&stored))
		if stored != 0 {
			t.Error("a recovery code is stored in another form than its hash")
		}
		h.intact()
	})
}

// Line 4: codes are short, so that few are evaluated; somebody else at the same address is not held up.
func TestCodesAreThrottled(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.withKey()
		h.people("zhang", "li")
		seed, recovery, _ := h.enrol("zhang")
		lis, _, _ := h.enrol("li")
		half := h.in("zhang")
		wrong := 0
		for i := range 100 {
			switch _, err := h.second(half, fmt.Sprintf("%06d", i)); key(err) {
			case "totp.code":
				wrong++
			case "sign_in.throttled":
			default:
				t.Fatal(err)
			}
		}
		if wrong != auth.CodeLimits.Account {
			t.Errorf("%d codes were evaluated, want %d", wrong, auth.CodeLimits.Account)
		}
		for _, good := range []string{h.code(seed), recovery[0]} {
			if _, err := h.second(half, good); key(err) != "sign_in.throttled" {
				t.Errorf("a right code after that: %v", err)
			}
		}
		if _, err := h.second(h.in("li"), h.code(lis)); err != nil {
			t.Errorf("somebody else: %v", err)
		}
		h.wait(auth.CodeLimits.Window)
		if _, err := h.second(h.in("zhang"), h.code(seed)); err != nil {
			t.Errorf("later: %v", err)
		}
	})
}

// Whoever holds a role that needs codes can do nothing before they are set up, and keeps them set up.
func TestCodesForRoles(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.withKey(engine.Leader, engine.Inspector)
		h.people("zhang", "li")
		h.grant("zhang", engine.Leader)
		h.grant("li", engine.Supervisor)
		if !h.holds(h.in("li")) {
			t.Error("another role needs codes")
		}
		cookie := h.in("zhang")
		if _, u, err := h.door.Actor(t.Context(), cookie); !errors.Is(err, auth.ErrEnrol) || u.Login != "zhang" {
			t.Errorf("a leader without codes: %v", err)
		}
		_, _, next := h.enrol("zhang")
		if !h.holds(next) {
			t.Error("a leader with codes is not in")
		}
		bare, err := h.door.RemoveSeed(t.Context(), next)
		h.must(err)
		if _, _, err := h.door.Actor(t.Context(), bare); !errors.Is(err, auth.ErrEnrol) {
			t.Errorf("a leader without codes again: %v", err)
		}
	})
}

// An offer is good for whom it was made, for half an hour, with the code that it makes.
func TestOffers(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.people("zhang", "li")
		if _, err := h.door.OfferSeed(t.Context(), h.in("zhang")); key(err) != "totp.no_key" {
			t.Errorf("without a key: %v", err)
		}
		h.withKey()
		cookie, lis := h.in("zhang"), h.in("li")
		o, err := h.door.OfferSeed(t.Context(), cookie)
		h.must(err)
		u, err := url.Parse(o.URI)
		h.must(err)
		if u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/校党委:zhang" || u.Query().Get("secret") != o.Secret || u.Query().Get("issuer") != "校党委" || len(o.Secret) != 32 {
			t.Errorf("the QR code says %s", o.URI)
		}
		if again, err := h.door.OpenOffer(t.Context(), cookie, o.Sealed); err != nil || again != o {
			t.Errorf("shown again: %+v (%v)", again, err)
		}
		for _, x := range []struct{ name, cookie, sealed, code, want string }{
			{"a wrong code", cookie, o.Sealed, "000000", "totp.code"},
			{"somebody else's", lis, o.Sealed, h.code(o.Secret), "totp.offer"},
			{"an invented one", cookie, "AAAA", h.code(o.Secret), "totp.offer"},
			{"none", cookie, "", h.code(o.Secret), "totp.offer"},
		} {
			if _, _, err := h.door.Enrol(t.Context(), x.cookie, x.sealed, x.code); key(err) != x.want {
				t.Errorf("%s: %v", x.name, err)
			}
		}
		h.wait(11 * time.Minute)
		if _, _, err := h.door.Enrol(t.Context(), cookie, o.Sealed, h.code(o.Secret)); !errors.Is(err, auth.ErrProve) {
			t.Errorf("without a fresh proof: %v", err)
		}
		h.must(h.door.Prove(t.Context(), cookie, right, "10.0.0.1"))
		h.wait(4 * time.Minute)
		if _, _, err := h.door.Enrol(t.Context(), cookie, o.Sealed, h.code(o.Secret)); err != nil {
			t.Errorf("with a fresh proof: %v", err)
		}
		fresh := h.in("li")
		p, err := h.door.OfferSeed(t.Context(), fresh)
		h.must(err)
		h.wait(20 * time.Minute)
		h.must(h.door.Prove(t.Context(), fresh, right, "10.0.0.1"))
		if !h.holds(fresh) {
			t.Error("the session is over")
		}
		h.wait(9*time.Minute + 59*time.Second)
		h.must(h.door.Prove(t.Context(), fresh, right, "10.0.0.1"))
		h.wait(time.Second)
		if _, _, err := h.door.Enrol(t.Context(), fresh, p.Sealed, h.code(p.Secret)); key(err) != "totp.offer" {
			t.Errorf("after half an hour: %v", err)
		}
	})
}

// What a stolen session must not do needs a proof that is no older than ten minutes.
func TestFreshProof(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.withKey()
		h.people("zhang", "li")
		seed, recovery, cookie := h.enrol("zhang")
		proved := func(c string) bool {
			err := h.door.Proved(t.Context(), c)
			if err != nil && !errors.Is(err, auth.ErrProve) {
				t.Fatal(err)
			}
			return err == nil
		}
		if !proved(cookie) {
			t.Error("a sign-in is no proof")
		}
		h.wait(10 * time.Minute)
		if proved(cookie) {
			t.Error("a proof does not grow old")
		}
		for name, act := range map[string]func() error{
			"the removal":    func() error { _, err := h.door.RemoveSeed(t.Context(), cookie); return err },
			"recovery codes": func() error { _, _, err := h.door.RenewRecovery(t.Context(), cookie); return err },
			"an offer":       func() error { _, err := h.door.OfferSeed(t.Context(), cookie); return err },
		} {
			if err := act(); !errors.Is(err, auth.ErrProve) {
				t.Errorf("%s without a proof: %v", name, err)
			}
		}
		for _, bad := range []string{right, "000000", ""} { // the password does not do where there are codes
			if err := h.door.Prove(t.Context(), cookie, bad, "10.0.0.1"); key(err) != "totp.code" || err.(*engine.Error).Field != "proof" {
				t.Errorf("%q: %v", bad, err)
			}
		}
		h.must(h.door.Prove(t.Context(), cookie, h.code(seed), "10.0.0.1"))
		if !proved(cookie) {
			t.Error("a code is no proof")
		}
		h.wait(10 * time.Minute)
		h.must(h.door.Prove(t.Context(), cookie, recovery[0], "10.0.0.1"))

		lis := h.in("li")
		h.wait(10 * time.Minute)
		if err := h.door.Prove(t.Context(), lis, "guess", "10.0.0.1"); key(err) != "password.present" || err.(*engine.Error).Field != "proof" {
			t.Errorf("a wrong password: %v", err)
		}
		h.must(h.door.Prove(t.Context(), lis, right, "10.0.0.1"))
		if !proved(lis) {
			t.Error("the password is no proof")
		}
	})
}

// Somebody who has lost everything is helped by an administrator who may reset their password, or by the operator, and
// nobody else; every session ends.
func TestResetOfCodes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.withKey()
		h.people("zhang", "li", "admin", "other")
		h.grant("admin", engine.Admin)
		h.grant("other", engine.Admin)
		_, recovery, cookie := h.enrol("zhang")
		actor := func(login string) engine.Actor {
			a, _, err := h.door.Actor(t.Context(), h.in(login))
			h.must(err)
			return a
		}
		if _, err := h.engine.RemoveSeed(t.Context(), actor("li"), "zhang"); engine.KindOf(err) != engine.Denied {
			t.Errorf("by somebody without a role: %v", err)
		}
		h.enrol("other")
		if _, err := h.engine.RemoveSeed(t.Context(), actor("admin"), "other"); key(err) != "account.separated" {
			t.Errorf("of another administrator: %v", err)
		}
		_, err := h.engine.RemoveSeed(t.Context(), actor("admin"), "zhang")
		h.must(err)
		if h.holds(cookie) {
			t.Error("the session goes on")
		}
		if _, err := h.engine.RemoveSeed(t.Context(), actor("admin"), "zhang"); key(err) != "totp.none" {
			t.Errorf("twice: %v", err)
		}
		if !h.holds(h.in("zhang")) {
			t.Error("the password alone is not enough after the reset")
		}
		_, err = h.engine.RemoveSeed(t.Context(), engine.Operator(), "other")
		h.must(err)
		if list := h.entries("user/" + string(h.user("zhang").ID)); count(list, "remove_totp by "+string(h.user("admin").ID)) != 1 {
			t.Errorf("entries: %v", list)
		}
		// Line 22: neither seeds nor codes are in the trail or the log.
		var text strings.Builder
		text.WriteString(h.log.String())
		rows, err := h.db.SQL().QueryContext(t.Context(), "SELECT bytes FROM entries")
		h.must(err)
		defer rows.Close()
		for rows.Next() {
			var b []byte
			h.must(rows.Scan(&b))
			text.Write(b)
		}
		h.must(rows.Err())
		for _, s := range recovery {
			if strings.Contains(text.String(), s) {
				t.Error("a recovery code is shown")
			}
		}
		h.intact()
	})
}

// Line 22: a seed is sealed, for its owner alone.
func TestSeedsAreSealed(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.withKey()
		h.people("zhang", "li")
		seed, _, _ := h.enrol("zhang")
		f, _, err := h.db.SecondFactor(t.Context(), h.user("zhang").ID)
		h.must(err)
		plain, err := h.engine.Seed(f)
		h.must(err)
		if strings.Contains(string(f.Sealed), string(plain)) || strings.Contains(string(f.Sealed), seed) {
			t.Error("the seed is stored as it is")
		}
		f.UserID = h.user("li").ID
		if _, err := h.engine.Seed(f); !errors.Is(err, secret.ErrSealed) {
			t.Errorf("opened for somebody else: %v", err)
		}
	})
}
