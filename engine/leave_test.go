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

// Who leaves hands everything over in one act, or nothing.
func TestLeave(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		ctx := t.Context()
		mine := h.propose(h.draft()) // owner, assistant and sponsor are three people
		d := h.draft()
		d.Title, d.Owner, d.Assistants, d.Sponsor = "第二件", h.people["assistant"].ID, []engine.UserID{h.people["owner"].ID}, ""
		helping := h.propose(d)
		d.Title, d.Assistants, d.Sponsor = "第三件", nil, h.people["owner"].ID
		sponsored := h.propose(d)
		h.person("heir")
		leave := func(who, user, heir, note string) error {
			_, err := h.e.Leave(ctx, h.acts(who), user, heir, note)
			return err
		}
		wantKind(t, "by a supervisor", leave("supervisor", "owner", "heir", "调离本单位"), engine.Denied, "act.role")
		wantKind(t, "without a reason", leave("admin", "owner", "heir", "嗯"), engine.Invalid, "note.too_short")
		wantKind(t, "without an heir", leave("admin", "owner", "", "调离本单位"), engine.Invalid, "leave.heir")
		wantKind(t, "to themselves", leave("admin", "owner", "owner", "调离本单位"), engine.Invalid, "user.unknown")
		wantKind(t, "oneself", leave("admin", "admin", "heir", "调离本单位"), engine.Denied, "account.self")
		wantKind(t, "whose office is separated", leave("admin", "inspector", "heir", "调离本单位"), engine.Denied, "account.separated")
		wantKind(t, "above one's units", leave("branchadmin", "leader", "heir", "调离本单位"), engine.Denied, "account.above_scope")

		work, err := h.e.OpenWork(ctx, h.acts("branchadmin"), "owner")
		if err != nil || len(work.Projects) != 3 || len(work.Outside) != 0 {
			t.Errorf("%v: %d projects, %d outside", err, len(work.Projects), len(work.Outside))
		}
		far, err := h.e.Create(ctx, h.people["elsewhere"], "shishi", h.units["zz"], func() engine.Draft { x := h.draft(); x.Title = "别处"; return x }())
		if err != nil {
			t.Fatal(err)
		}
		wantKind(t, "work outside", leave("branchadmin", "owner", "heir", "调离本单位"), engine.Denied, "leave.outside")

		// Whoever verified cannot come to own what they verified; nothing at all is handed over then.
		if err := leave("admin", "owner", "heir", "调离本单位"); err != nil {
			t.Fatal(err)
		}
		heir, owner := h.people["heir"].ID, h.people["owner"].ID
		for _, c := range []struct {
			p    engine.Project
			want func(engine.Project) bool
		}{
			{mine, func(p engine.Project) bool { return p.Owner == heir && !p.Has(owner) }},
			{helping, func(p engine.Project) bool { return len(p.Assistants) == 1 && p.Assistants[0] == heir }},
			{sponsored, func(p engine.Project) bool { return p.Sponsor == heir }},
			{far, func(p engine.Project) bool { return p.Owner == heir }},
		} {
			p, err := db.Project(ctx, c.p.ID)
			if err != nil || !c.want(p) {
				t.Errorf("%s: %v, owner %s, assistants %v, sponsor %s", p.Title, err, p.Owner, p.Assistants, p.Sponsor)
			}
			trail := h.trail(p.Subject())
			if last := trail[len(trail)-1]; last.Action != "hand_over" || last.Note != "调离本单位" {
				t.Errorf("%s: the last entry is %s %s", p.Title, last.Action, last.Note)
			}
		}
		u, err := db.User(ctx, "owner")
		if err != nil || !u.Disabled {
			t.Errorf("%v: %+v", err, u)
		}
		if work, err = h.e.OpenWork(ctx, h.acts("admin"), "owner"); err != nil || len(work.Projects) != 0 {
			t.Errorf("%v: %d projects are left", err, len(work.Projects))
		}
		if u, err = h.e.Enable(ctx, h.acts("admin"), "owner"); err != nil || u.Disabled {
			t.Errorf("back again: %v", err)
		}
		h.intact()
	})
}

// One project that cannot be handed over keeps everything as it was.
func TestLeaveAllOrNothing(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		ctx := t.Context()
		q := h.propose(h.draft())
		other := h.draft()
		other.Title, other.Sponsor = "书记项目", ""
		if _, err := h.e.Grant(ctx, engine.Operator(), "owner", "b", engine.Secretary); err != nil {
			t.Fatal(err)
		}
		p, err := h.e.Create(ctx, h.people["secretary"], "shuji", h.units["b"], other)
		if err != nil {
			t.Fatal(err)
		}
		// The first of two tiers has said yes.
		h.does("owner", &p, engine.Submit{Transition: "deploy", Note: "切口小、可操作、易推广"})
		h.does("supervisor", &p, engine.Approve{Criteria: []string{"small", "doable", "spreadable", "solving"}})
		if p.Request == nil {
			t.Fatal("one yes was enough")
		}
		_, err = h.e.Leave(ctx, h.acts("admin"), "owner", "supervisor", "调离本单位")
		wantKind(t, "to whoever approved", err, engine.Blocked, "leave.judged")
		for _, id := range []engine.ProjectID{p.ID, q.ID} {
			x, err := db.Project(ctx, id)
			if err != nil || x.Owner != h.people["owner"].ID {
				t.Errorf("%v: %s went to %s", err, x.Title, x.Owner)
			}
		}
		if u, err := db.User(ctx, "owner"); err != nil || u.Disabled {
			t.Errorf("%v: the account is closed", err)
		}
	})
}

// What somebody may do is looked at again in the transaction that does it.
func TestRightsAreCheckedInTheTransaction(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		ctx := t.Context()
		p := h.propose(h.draft())
		before := map[string]engine.Actor{"supervisor": h.acts("supervisor"), "security": h.acts("security"), "admin": h.acts("admin"), "secretary": h.acts("secretary")}
		// Between reading the roles and writing, they were taken away.
		for _, c := range []struct {
			who  string
			role engine.Role
			unit string
		}{{"supervisor", engine.Supervisor, "z"}, {"security", engine.Security, "p"}, {"admin", engine.Admin, "p"}, {"secretary", engine.Secretary, "b"}} {
			if _, err := h.e.Revoke(ctx, engine.Operator(), c.who, c.unit, c.role); err != nil {
				t.Fatal(err)
			}
		}
		draft := engine.DraftOf(&p)
		draft.Title = "改了题目"
		_, err := h.e.Do(ctx, before["supervisor"], p.ID, p.Version, engine.Edit{Draft: draft})
		wantKind(t, "a change of a project", err, engine.Conflict, "actor.changed")
		_, err = h.e.Create(ctx, before["supervisor"], "shishi", h.units["b"], h.draft())
		wantKind(t, "a new project", err, engine.Conflict, "actor.changed")
		_, err = h.e.Grant(ctx, before["security"], "nobody", "z", engine.Supervisor)
		wantKind(t, "a grant", err, engine.Conflict, "actor.changed")
		_, err = h.e.AddUser(ctx, before["admin"], "newcomer", "新人")
		wantKind(t, "an account", err, engine.Conflict, "actor.changed")
		_, err = h.e.MoveUnit(ctx, before["admin"], "b", "zz")
		wantKind(t, "a move", err, engine.Conflict, "actor.changed")
		if q, err := db.Project(ctx, p.ID); err != nil || q.Version != p.Version {
			t.Errorf("%v: version %d, was %d", err, q.Version, p.Version)
		}
		h.intact()
	})
}

// A decision taken while the unit stood elsewhere is not written: who is above it has changed.
func TestScopeIsCheckedInTheTransaction(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		ctx := t.Context()
		p := h.propose(h.draft())
		w, err := h.e.Pinned(ctx, &p)
		if err != nil {
			t.Fatal(err)
		}
		c := &engine.Case{Workflow: w, Calendar: h.e.Working(), Site: site, Now: h.clock.now().UTC(), Who: h.acts("supervisor"), Log: p.Subject(), NewID: h.e.NewID}
		if c.Log, err = db.Log(ctx); err != nil {
			t.Fatal(err)
		}
		draft := engine.DraftOf(&p)
		draft.Title = "改了题目"
		change, err := engine.Decide(c, p, engine.Edit{Draft: draft})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.e.MoveUnit(ctx, engine.Operator(), "b", "zz"); err != nil {
			t.Fatal(err)
		}
		if err := db.Commit(ctx, change)[0]; !errors.Is(err, engine.ErrConflict) {
			t.Errorf("written: %v", err)
		}
		if q, err := db.Project(ctx, p.ID); err != nil || q.Title != p.Title || !strings.HasPrefix(q.UnitPath, h.units["zz"].Path) {
			t.Errorf("%v: %s at %s", err, q.Title, q.UnitPath)
		}
	})
}

// A token carries no more than its scope, and never more than its owner holds now.
func TestTokenScopes(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		ctx := t.Context()
		p := h.propose(h.draft())
		bearer := func(login string, scope engine.TokenScope) engine.Actor {
			t.Helper()
			secret, _, err := h.e.IssueScopedToken(ctx, h.acts(login), login, "试", scope, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			a, _, err := h.e.Bearer(ctx, secret, engine.ViaAPI, "")
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		_, _, err := h.e.IssueScopedToken(ctx, h.acts("owner"), "owner", "试", "everything", time.Hour)
		wantKind(t, "no such scope", err, engine.Invalid, "token.scope")
		edit := func(a engine.Actor) error {
			d := engine.DraftOf(&p)
			d.Title += "改"
			q, err := h.e.Do(ctx, a, p.ID, p.Version, engine.Edit{Draft: d})
			if err == nil {
				p = q
			}
			return err
		}
		add := func(a engine.Actor, login string) error { _, err := h.e.AddUser(ctx, a, login, "新人"); return err }
		wantKind(t, "edit with a token that reads", edit(bearer("supervisor", engine.TokenRead)), engine.Denied, "token.read_only")
		if _, err := h.e.Project(ctx, bearer("supervisor", engine.TokenRead), p.ID); err != nil {
			t.Errorf("read: %v", err)
		}
		if err := edit(bearer("supervisor", engine.TokenProjects)); err != nil {
			t.Errorf("edit: %v", err)
		}
		wantKind(t, "an account with a token for projects", add(bearer("admin", engine.TokenProjects), "n1"), engine.Denied, "token.read_only")
		wantKind(t, "a token from a token", func() error {
			_, _, err := h.e.IssueToken(ctx, bearer("admin", engine.TokenProjects), "admin", "试", time.Hour)
			return err
		}(), engine.Denied, "token.read_only")
		if err := add(bearer("admin", engine.TokenAll), "n2"); err != nil {
			t.Errorf("an account: %v", err)
		}
		// What the owner loses, the token loses.
		secret, _, err := h.e.IssueToken(ctx, h.acts("supervisor"), "supervisor", "试", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.e.Revoke(ctx, engine.Operator(), "supervisor", "z", engine.Supervisor); err != nil {
			t.Fatal(err)
		}
		if a, _, err := h.e.Bearer(ctx, secret, engine.ViaAPI, ""); err != nil || len(a.Grants) != 0 {
			t.Errorf("%v: the token still carries %v", err, a.Grants)
		}
		// The last use is shown, to the minute, and is no change of the token.
		h.clock.set(clockTime("2026-09-24 10:30"))
		if _, _, err := h.e.Bearer(ctx, secret, engine.ViaAPI, ""); err != nil {
			t.Fatal(err)
		}
		list, err := h.e.Tokens(ctx, h.acts("supervisor"))
		if err != nil || len(list) != 4 || list[0].UsedAt == nil || !list[0].UsedAt.Equal(clockTime("2026-09-24 10:30")) {
			t.Errorf("%v: %+v", err, list)
		}
		h.intact()
	})
}
