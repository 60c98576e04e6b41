package auth_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bihuan/api/auth"
	"bihuan/engine"
)

func first(token, login string) auth.First {
	return auth.First{Token: token, Login: login, Name: "张三丰", Password: right, UnitCode: "dw", UnitName: "校党委"}
}

// Line 1: an installation begins without anybody; a token of more than 128 bits makes one administrator, once.
func TestSetUp(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		if users, err := h.db.Users(ctx); err != nil || len(users) != 0 {
			t.Fatalf("%d accounts in a new installation (%v)", len(users), err)
		}
		for _, login := range []string{"admin", "root", "bihuan", ""} {
			if _, _, err := h.door.SignIn(ctx, login, login, "10.0.0.1"); key(err) != "sign_in.wrong" {
				t.Errorf("%q can sign in: %v", login, err)
			}
		}
		replaced, _, err := h.door.SetupToken(ctx)
		h.must(err)
		token, until, err := h.door.SetupToken(ctx)
		h.must(err)
		if raw, err := base64.RawURLEncoding.DecodeString(token); err != nil || len(raw)*8 < 128 || token == replaced || !until.Equal(h.now().Add(24*time.Hour)) {
			t.Errorf("token %q until %v", token, until)
		}
		for name, tt := range map[string]struct {
			f    auth.First
			want string
		}{
			"no token":         {first("", "zhang"), "setup.invalid"},
			"another token":    {first(auth.Device("x"), "zhang"), "setup.invalid"},
			"one before":       {first(replaced, "zhang"), "setup.invalid"},
			"a weak password":  {func() auth.First { f := first(token, "zhang"); f.Password = "admin123"; return f }(), "password.common"},
			"the name as one":  {func() auth.First { f := first(token, "zhang"); f.Password = "我是张三丰不是别人"; return f }(), "password.own_word"},
			"a bad login":      {first(token, "张 三"), "user.bad_login"},
			"no name":          {func() auth.First { f := first(token, "zhang"); f.Name = " "; return f }(), "field.empty"},
			"a bad unit":       {func() auth.First { f := first(token, "zhang"); f.UnitCode = "d w"; return f }(), "unit.bad_code"},
			"a unit, nameless": {func() auth.First { f := first(token, "zhang"); f.UnitName = ""; return f }(), "field.empty"},
		} {
			if _, _, err := h.door.SetUp(ctx, tt.f); key(err) != tt.want {
				t.Errorf("%s: %v, want %s", name, err, tt.want)
			}
		}
		if users, err := h.db.Users(ctx); err != nil || len(users) != 0 {
			t.Fatalf("%d accounts came of refusals (%v)", len(users), err)
		}
		if list := h.entries("actor/anonymous"); count(list, "set_up_refused") != 1 {
			t.Errorf("refusals within a minute: %v, want one entry", list)
		}

		u, unit, err := h.door.SetUp(ctx, first(" "+token+"\n", "zhang"))
		h.must(err)
		if len(u.Grants) != 1 || u.Grants[0].Role != engine.Admin || u.Grants[0].UnitID != unit.ID || unit.ParentID != "" || unit.Code != "dw" {
			t.Errorf("made %+v at %+v", u, unit)
		}
		cookie := h.in("zhang")
		actor, _, err := h.door.Actor(ctx, cookie)
		h.must(err)
		if _, err := h.engine.Grant(ctx, actor, "zhang", "dw", engine.Security); engine.KindOf(err) != engine.Denied {
			t.Errorf("the first administrator grants roles: %v", err)
		}
		if _, _, err := h.door.SetUp(ctx, first(token, "li")); key(err) != "setup.invalid" {
			t.Errorf("used twice: %v", err)
		}
		if again, _, err := h.door.SetupToken(ctx); again != "" || err != nil {
			t.Errorf("another token beside a user: %v", err)
		}
		if list := h.entries("user/" + string(u.ID)); len(list) != 1 || !strings.HasPrefix(list[0], "set_up by operator") {
			t.Errorf("entries: %v", list)
		}
		if list := h.entries("actor/operator"); count(list, "offer_set_up by operator") != 2 {
			t.Errorf("entries: %v", list)
		}
		h.intact()
	})
}

func TestSetUpTokenGrowsOld(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		token, _, err := h.door.SetupToken(t.Context())
		h.must(err)
		h.wait(auth.SetupLife)
		if _, _, err := h.door.SetUp(t.Context(), first(token, "zhang")); key(err) != "setup.invalid" {
			t.Errorf("after 24 hours: %v", err)
		}
		token, _, err = h.door.SetupToken(t.Context())
		h.must(err)
		h.wait(auth.SetupLife - time.Second)
		if _, _, err := h.door.SetUp(t.Context(), first(token, "zhang")); err != nil {
			t.Errorf("within 24 hours: %v", err)
		}
	})
}

// Lines 1 and 16: the token and that there is nobody yet are looked at again in the transaction that makes the account.
func TestSetUpAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.people() // the unit, which would else be made several times
		token, _, err := h.door.SetupToken(t.Context())
		h.must(err)
		doors := []*auth.Door{h.door, h.replica(auth.Standard).door}
		const tries = 6
		errs := make([]error, tries)
		var all sync.WaitGroup
		for i := range tries {
			all.Go(func() { _, _, errs[i] = doors[i%2].SetUp(t.Context(), first(token, fmt.Sprintf("zhang%d", i))) })
		}
		all.Wait()
		users, err := h.db.Users(t.Context())
		if err != nil || len(users) != 1 {
			t.Fatalf("%d accounts (%v)", len(users), err)
		}
		slices.SortFunc(errs, func(a, b error) int { return strings.Compare(key(a), key(b)) })
		if errs[0] != nil {
			t.Error("nobody made the account")
		}
		for _, err := range errs[1:] {
			if e := (*engine.Error)(nil); !errors.As(err, &e) || e.Key != "setup.invalid" {
				t.Errorf("error %v", err)
			}
		}
		h.intact()
	})
}
