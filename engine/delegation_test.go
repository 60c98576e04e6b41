package engine_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// acts returns who the person is at this moment.
func (h *house) acts(login string) engine.Actor {
	h.t.Helper()
	a, err := h.e.ActorOf(h.t.Context(), login, engine.ViaAPI, "")
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

func (h *house) lend(from, to, unit string, role engine.Role, days int) (engine.Delegation, error) {
	now := h.clock.now()
	return h.e.Delegate(h.t.Context(), h.acts(from), engine.NewDelegation{To: to, Unit: unit, Role: role, StartsAt: now,
		EndsAt: now.Add(time.Duration(days) * 24 * time.Hour), Note: "外出开会"})
}

func TestDelegate(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		ctx := t.Context()
		for _, c := range []struct {
			name, from, to, unit string
			role                 engine.Role
			days                 int
			kind                 engine.Kind
			key                  string
		}{
			{"a role that is not held", "supervisor", "nobody", "b", engine.Leader, 7, engine.Denied, "delegation.not_held"},
			{"beyond one's own unit", "supervisor", "nobody", "p", engine.Supervisor, 7, engine.Denied, "delegation.not_held"},
			{"a separated office", "admin", "nobody", "p", engine.Admin, 7, engine.Invalid, "delegation.role"},
			{"to a separated office", "supervisor", "inspector", "z", engine.Supervisor, 7, engine.Blocked, "delegation.separated"},
			{"to oneself", "supervisor", "supervisor", "z", engine.Supervisor, 7, engine.Invalid, "delegation.self"},
			{"for no time", "supervisor", "nobody", "z", engine.Supervisor, 0, engine.Invalid, "delegation.past"},
			{"for ever", "supervisor", "nobody", "z", engine.Supervisor, 400, engine.Invalid, "delegation.too_long"},
			{"to nobody", "supervisor", "none", "z", engine.Supervisor, 7, engine.NotFound, "user.unknown"},
			{"at no unit", "supervisor", "nobody", "none", engine.Supervisor, 7, engine.NotFound, "unit.unknown"},
		} {
			_, err := h.lend(c.from, c.to, c.unit, c.role, c.days)
			wantKind(t, c.name, err, c.kind, c.key)
		}
		p := h.propose(h.draft())
		h.does("owner", &p, engine.Submit{Transition: "deploy", Note: "请交办"})
		d, err := h.lend("second", "nobody", "z", engine.Supervisor, 7)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.lend("nobody", "assistant", "b", engine.Supervisor, 1); engine.KindOf(err) != engine.Denied {
			t.Errorf("what was lent is lent on: %v", err)
		}
		if list, err := h.e.Delegations(ctx, h.acts("leader")); err != nil || len(list) != 0 {
			t.Errorf("somebody else's: %v %v", list, err)
		}
		if list, err := h.e.Delegations(ctx, h.acts("security")); err != nil || len(list) != 1 {
			t.Errorf("the security administrator's: %v %v", list, err)
		}
		p, err = h.e.Do(ctx, h.acts("nobody"), p.ID, p.Version, engine.Approve{Note: "同意"})
		if err != nil || p.Stage != "deploy" {
			t.Fatalf("approval by delegation: %v, %s", err, p.Stage)
		}
		trail := h.trail(p.Subject())
		last := trail[len(trail)-1]
		if !strings.Contains(string(last.Data), `"for":"`+string(h.people["second"].ID)+`"`) || last.Actor.ID != string(h.people["nobody"].ID) {
			t.Errorf("the entry names %s for %s", last.Actor.ID, last.Data)
		}
		wantKind(t, "ended by a stranger", h.e.EndDelegation(ctx, h.acts("leader"), d.ID), engine.NotFound, "delegation.unknown")
		if err := h.e.EndDelegation(ctx, h.acts("nobody"), d.ID); err != nil {
			t.Errorf("given back: %v", err)
		}
		if a := h.acts("nobody"); len(a.Grants) != 0 || len(a.Eyes) != 0 {
			t.Errorf("what was given back is still held: %+v", a)
		}
		h.intact()
	})
}

// A delegation holds from its first moment to its last, and no longer than its giver holds the role.
func TestDelegationEnds(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		ctx := t.Context()
		if _, err := h.e.Delegate(ctx, h.acts("supervisor"), engine.NewDelegation{To: "nobody", Unit: "z", Role: engine.Supervisor,
			StartsAt: clockTime("2026-09-25 08:00"), EndsAt: clockTime("2026-09-27 08:00")}); err != nil {
			t.Fatal(err)
		}
		held := func(when string, want int) {
			t.Helper()
			h.clock.set(clockTime(when))
			if got := len(h.acts("nobody").Grants); got != want {
				t.Errorf("%s: %d roles, want %d", when, got, want)
			}
		}
		held("2026-09-25 07:59", 0)
		held("2026-09-25 08:00", 1)
		held("2026-09-27 07:59", 1)
		held("2026-09-27 08:00", 0)
		held("2026-09-26 08:00", 1)
		if _, err := h.e.Revoke(ctx, engine.Operator(), "supervisor", "z", engine.Supervisor); err != nil {
			t.Fatal(err)
		}
		held("2026-09-26 08:00", 0)
	})
}

// Whoever sets the password of somebody to whom a role is lent could act by it: only an administrator above that role may.
func TestLentRoleKeepsSmallAdministratorsOff(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		ctx := t.Context()
		now := h.clock.now()
		d, err := h.e.Delegate(ctx, h.acts("leader"), engine.NewDelegation{To: "nobody", Unit: "p", Role: engine.Leader,
			StartsAt: now.Add(time.Hour), EndsAt: now.Add(48 * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		reset := func(who string) error {
			_, err := h.e.SetPassword(ctx, h.acts(who), "nobody", onePHC, true)
			return err
		}
		nobody, err := h.e.User(ctx, "nobody")
		if err != nil {
			t.Fatal(err)
		}
		wantKind(t, "asked beforehand", h.e.MayManage(ctx, h.acts("branchadmin"), nobody), engine.Denied, "account.above_scope")
		wantKind(t, "before it begins", reset("branchadmin"), engine.Denied, "account.above_scope")
		h.clock.set(now.Add(2 * time.Hour))
		wantKind(t, "while it holds", reset("branchadmin"), engine.Denied, "account.above_scope")
		if err := reset("admin"); err != nil {
			t.Errorf("by the administrator above: %v", err)
		}
		if err := h.e.EndDelegation(ctx, h.acts("leader"), d.ID); err != nil {
			t.Fatal(err)
		}
		if err := reset("branchadmin"); err != nil {
			t.Errorf("after it was ended: %v", err)
		}
		h.intact()
	})
}

// A role that was lent before its taker came to one of the separated offices meets that office in nobody.
func TestSeparatedOfficeHoldsNothingLent(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		ctx := t.Context()
		if _, err := h.lend("second", "nobody", "z", engine.Supervisor, 7); err != nil {
			t.Fatal(err)
		}
		if _, err := h.e.Grant(ctx, h.acts("security"), "nobody", "p", engine.Inspector); err != nil {
			t.Fatal(err)
		}
		a := h.acts("nobody")
		if len(a.Grants) != 1 || a.Grants[0].Role != engine.Inspector {
			t.Errorf("an inspector holds %+v", a.Grants)
		}
		if len(a.Eyes) != 1 {
			t.Errorf("giver and taker are two pairs of eyes: %+v", a.Eyes)
		}
		if _, err := h.e.Revoke(ctx, h.acts("security"), "nobody", "p", engine.Inspector); err != nil {
			t.Fatal(err)
		}
		if a := h.acts("nobody"); len(a.Grants) != 1 || a.Grants[0].Role != engine.Supervisor {
			t.Errorf("afterwards: %+v", a.Grants)
		}
	})
}

// Asking to lend shows nobody which accounts and units there are.
func TestDelegateShowsNothing(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		said := func(from, to, unit string) string {
			_, err := h.lend(from, to, unit, engine.Supervisor, 7)
			e, ok := errors.AsType[*engine.Error](err)
			if !ok {
				t.Fatalf("%s to %s at %s: %v", from, to, unit, err)
			}
			return strings.ReplaceAll(e.In("en"), unit, "?")
		}
		if a, b := said("nobody", "leader", "b"), said("nobody", "no-such-person", "b"); a != b {
			t.Errorf("somebody with nothing to lend is told %q of an account and %q of none", a, b)
		}
		if a, b := said("nobody", "leader", "b"), said("nobody", "leader", "none"); a != b {
			t.Errorf("somebody with nothing to lend is told %q of a unit and %q of none", a, b)
		}
		if a, b := said("supervisor", "leader", "zz"), said("supervisor", "leader", "none"); a != b {
			t.Errorf("a supervisor is told %q of another unit and %q of none", a, b)
		}
	})
}

// Giver and taker are one pair of eyes for one request, whichever of them did the first part and by which right.
func TestDelegationNeverMakesFourEyesTwo(t *testing.T) {
	t.Parallel()
	pairs := func(a engine.Actor, with ...engine.Actor) engine.Actor {
		for _, b := range with {
			a.Eyes = append(a.Eyes, b.ID)
		}
		return a
	}
	lent := func(a engine.Actor, role engine.Role, unit engine.Unit, by engine.Actor) engine.Actor {
		a = pairs(a, by)
		a.Grants = append(a.Grants[:len(a.Grants):len(a.Grants)], engine.Grant{Role: role, UnitID: unit.ID, Path: unit.Path, By: by.ID})
		return a
	}
	both := also(secretary, engine.Supervisor, general)
	for _, c := range []struct {
		name  string
		stage engine.StageID
		setup func(*story)
		who   engine.Actor
		cmd   engine.Command
		key   string
	}{
		{"the taker approves what the giver submitted", "plan", func(s *story) { s.does(both, engine.Submit{Transition: "deploy"}) },
			lent(nobody, engine.Supervisor, general, both), engine.Approve{}, "four_eyes.approve"},
		{"the taker approves it by a right of their own", "plan", func(s *story) { s.does(both, engine.Submit{Transition: "deploy"}) },
			pairs(second, both), engine.Approve{}, "four_eyes.approve"},
		{"the giver approves what the taker submitted in their name", "plan", func(s *story) {
			s.does(lent(nobody, engine.Secretary, branch, both), engine.Submit{Transition: "deploy"})
		}, pairs(both, nobody), engine.Approve{}, "four_eyes.approve"},
		{"and still when the delegation is over", "plan", func(s *story) {
			s.does(lent(nobody, engine.Secretary, branch, both), engine.Submit{Transition: "deploy"})
		}, both, engine.Approve{}, "four_eyes.approve"},
		{"the owner's taker approves the owner's work", "plan", func(s *story) { s.does(assistant, engine.Submit{Transition: "deploy"}) },
			pairs(supervisor, owner), engine.Approve{}, "four_eyes.approve"},
		{"the owner's taker verifies", "track", nil, pairs(supervisor, owner), engine.Verify{Passed: true, Note: "看过没问题"}, "four_eyes.own_work"},
		{"the taker signs off what the giver accepted", "effect", func(s *story) {
			s.ready()
			s.does(owner, engine.Submit{Transition: "close"})
			s.does(second, engine.Approve{})
		}, lent(leader, engine.Supervisor, general, second), engine.Approve{}, "approval.given"},
		{"the giver signs off what the taker accepted, later", "effect", func(s *story) {
			s.ready()
			s.does(owner, engine.Submit{Transition: "close"})
			s.does(lent(nobody, engine.Supervisor, general, leader), engine.Approve{})
		}, leader, engine.Approve{}, "approval.given"},
		{"the taker answers the giver's objection", "feedback", func(s *story) { s.does(supervisor, engine.Object{Text: "没有换完"}) },
			pairs(second, supervisor), engine.Answer{ID: "o2", Text: "换完了的"}, "objection.own"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", draft()).advanceTo(c.stage)
			if c.setup != nil {
				c.setup(s)
			}
			kind := engine.Denied
			if c.key == "approval.given" {
				kind = engine.Blocked
			}
			s.refused(c.who, c.cmd, kind, c.key)
		})
	}
}
