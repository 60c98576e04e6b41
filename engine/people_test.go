package engine_test

import (
	"slices"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

func TestUnitsUsersAndGrants(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		ctx := t.Context()
		addUnit := func(who engine.Actor, parent, code, name string) error {
			_, err := h.e.AddUnit(ctx, who, parent, code, name)
			return err
		}
		addUser := func(who engine.Actor, login, name string) error {
			_, err := h.e.AddUser(ctx, who, login, name)
			return err
		}
		grant := func(who, user, unit string, role engine.Role) error {
			_, err := h.e.Grant(ctx, h.people[who], user, unit, role)
			return err
		}
		revoke := func(who, user, unit string, role engine.Role) error {
			_, err := h.e.Revoke(ctx, h.people[who], user, unit, role)
			return err
		}
		for _, c := range []struct {
			name string
			err  error
			kind engine.Kind // 0: accepted
			key  string
		}{
			{"a unit by the admin", addUnit(h.people["admin"], "p", "new", "新单位"), 0, ""},
			{"a unit in the admin's own branch", addUnit(h.people["branchadmin"], "b", "group", "党小组"), 0, ""},
			{"a unit elsewhere", addUnit(h.people["branchadmin"], "zz", "x", "手伸长了"), engine.Denied, "grant.above_scope"},
			{"a unit above", addUnit(h.people["branchadmin"], "p", "x", "手伸长了"), engine.Denied, "grant.above_scope"},
			{"another root", addUnit(h.people["admin"], "", "x", "另一个根"), engine.Denied, "grant.above_scope"},
			{"a unit by a supervisor", addUnit(h.people["supervisor"], "z", "x", "单位"), engine.Denied, "act.role"},
			{"a code twice", addUnit(h.people["admin"], "p", "b", "单位"), engine.Conflict, "unit.code_taken"},
			{"a strange code", addUnit(h.people["admin"], "p", "支部/一", "单位"), engine.Invalid, "unit.bad_code"},
			{"no name", addUnit(h.people["admin"], "p", "x", " "), engine.Invalid, "field.empty"},
			{"under nothing", addUnit(h.people["admin"], "none", "x", "单位"), engine.NotFound, "unit.unknown"},
			{"a user", addUser(h.people["admin"], "newcomer", "新人"), 0, ""},
			{"a login twice", addUser(h.people["admin"], "owner", "同名"), engine.Conflict, "user.login_taken"},
			{"a strange login", addUser(h.people["admin"], "a b", "人"), engine.Invalid, "user.bad_login"},
			{"a user by security", addUser(h.people["security"], "x", "人"), engine.Denied, "act.role"},
			{"a grant", grant("security", "nobody", "b", engine.Supervisor), 0, ""},
			{"a grant twice", grant("security", "nobody", "b", engine.Supervisor), engine.Conflict, "grant.held"},
			{"a grant to oneself", grant("security", "security", "b", engine.Supervisor), engine.Denied, "grant.self"},
			{"a grant by the admin", grant("admin", "nobody", "p", engine.Leader), engine.Denied, "act.role"},
			{"a grant in one's branch", grant("branchsecurity", "nobody", "z", engine.Secretary), 0, ""},
			{"a grant above one's branch", grant("branchsecurity", "nobody", "p", engine.Leader), engine.Denied, "grant.above_scope"},
			{"a grant beside one's branch", grant("branchsecurity", "nobody", "zz", engine.Leader), engine.Denied, "grant.above_scope"},
			{"no such role", grant("security", "nobody", "p", "king"), engine.Invalid, "role.unknown"},
			{"a relation is not granted", grant("security", "nobody", "p", engine.Owner), engine.Invalid, "role.unknown"},
			{"no such user", grant("security", "none", "p", engine.Leader), engine.NotFound, "user.unknown"},
			{"no such unit", grant("security", "nobody", "none", engine.Leader), engine.NotFound, "unit.unknown"},
			{"the auditor as administrator", grant("security", "inspector", "p", engine.Admin), engine.Blocked, "grant.exclusive"},
			{"the administrator as auditor elsewhere", grant("security", "admin", "zz", engine.Inspector), engine.Blocked, "grant.exclusive"},
			{"the administrator as security", grant("security", "admin", "b", engine.Security), engine.Blocked, "grant.exclusive"},
			{"taken away above one's branch", revoke("branchsecurity", "leader", "p", engine.Leader), engine.Denied, "grant.above_scope"},
			{"taken from oneself", revoke("security", "security", "p", engine.Security), engine.Denied, "grant.self"},
			{"what is not held", revoke("security", "nobody", "p", engine.Leader), engine.NotFound, "grant.none"},
			{"taken away", revoke("security", "nobody", "b", engine.Supervisor), 0, ""},
		} {
			if c.kind == 0 {
				if c.err != nil {
					t.Errorf("%s: %v", c.name, c.err)
				}
				continue
			}
			wantKind(t, c.name, c.err, c.kind, c.key)
		}
		for who, want := range map[string][]string{
			"branchadmin":    {"grant.above_scope", "grant.above_scope"},
			"admin":          {"grant.above_scope", "act.role"},
			"security":       {"act.role", "grant.self", "grant.self"},
			"branchsecurity": {"grant.above_scope", "grant.above_scope", "grant.above_scope"},
			"supervisor":     {"act.role"},
		} {
			if got := h.refusals(who); !slices.Equal(got, want) {
				t.Errorf("recorded refusals of %s: %v, want %v", who, got, want)
			}
		}
		u, err := db.User(ctx, "nobody")
		if err != nil || len(u.Grants) != 1 || u.Grants[0].Path != h.units["z"].Path || u.Version != 4 {
			t.Errorf("%v: %+v", err, u)
		}
		h.intact()
	})
}

func TestTokens(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		ctx := t.Context()
		owner := h.people["owner"]
		issue := func(who engine.Actor, life time.Duration) error {
			_, _, err := h.e.IssueToken(ctx, who, "owner", "试", life)
			return err
		}
		wantKind(t, "somebody else's", issue(h.people["admin"], time.Hour), engine.Denied, "token.own_only")
		wantKind(t, "no life", issue(owner, 0), engine.Invalid, "token.life")
		wantKind(t, "too long a life", issue(owner, 367*24*time.Hour), engine.Invalid, "token.life")

		secret, token, err := h.e.IssueToken(ctx, owner, "owner", "试", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		bearer := func(secret string) error {
			_, _, err := h.e.Bearer(ctx, secret, engine.ViaAPI, "req")
			return err
		}
		who, u, err := h.e.Bearer(ctx, secret, engine.ViaCLI, "req-9")
		if err != nil || who.ID != owner.ID || who.Via != engine.ViaCLI || who.RequestID != "req-9" || u.Login != "owner" {
			t.Errorf("%v: %+v %+v", err, who, u)
		}
		for name, wrong := range map[string]string{"empty": "", "no prefix": secret[3:], "changed": secret[:len(secret)-1] + "~", "hash": string(token.Hash)} {
			wantKind(t, name, bearer(wrong), engine.Denied, "token.invalid")
		}
		h.clock.set(clockTime("2026-09-24 11:00").Add(-time.Microsecond))
		if err := bearer(secret); err != nil {
			t.Errorf("in its last microsecond: %v", err)
		}
		h.clock.set(clockTime("2026-09-24 11:00"))
		wantKind(t, "expired", bearer(secret), engine.Denied, "token.invalid")

		revoked, token, err := h.e.IssueToken(ctx, engine.Operator(), "owner", "试", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		wantKind(t, "revoked by another", h.e.RevokeToken(ctx, h.people["leader"], token), engine.Denied, "token.own_only")
		if err := h.e.RevokeToken(ctx, owner, token); err != nil {
			t.Error(err)
		}
		wantKind(t, "revoked", bearer(revoked), engine.Denied, "token.invalid")
		wantKind(t, "revoked twice at once", h.e.RevokeToken(ctx, owner, token), engine.Conflict, "record.conflict")

		alive, _, err := h.e.IssueToken(ctx, owner, "owner", "试", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.e.Disable(ctx, h.people["admin"], "owner"); err != nil {
			t.Error(err)
		}
		wantKind(t, "of a closed account", bearer(alive), engine.Denied, "token.invalid")
		wantKind(t, "for a closed account", issue(owner, time.Hour), engine.Blocked, "user.disabled")
		if _, err := h.e.Create(ctx, h.people["supervisor"], "shishi", h.units["b"], h.draft()); engine.KindOf(err) != engine.Invalid {
			t.Errorf("a closed account as owner: %v", err)
		}
		h.intact()
	})
}
