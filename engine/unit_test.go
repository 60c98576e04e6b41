package engine_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// A unit moves with everything under it: units, roles and projects follow, each unit's chain says so, and the trail
// verifies.
func TestMoveUnit(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		ctx := t.Context()
		p := h.propose(h.draft()) // at b, under z
		for _, c := range []struct {
			name, who, unit, parent string
			kind                    engine.Kind
			key                     string
		}{
			{"by a supervisor", "supervisor", "b", "zz", engine.Denied, "act.role"},
			{"out of one's branch", "branchadmin", "b", "zz", engine.Denied, "grant.above_scope"},
			{"one's own top unit", "branchadmin", "z", "zz", engine.Denied, "grant.above_scope"},
			{"to be a root", "admin", "b", "", engine.Denied, "grant.above_scope"},
			{"below itself", "admin", "z", "b", engine.Blocked, "unit.cycle"},
			{"into itself", "admin", "z", "z", engine.Blocked, "unit.cycle"},
			{"where it is", "admin", "b", "z", engine.Blocked, "unit.there_already"},
			{"to nowhere", "admin", "b", "none", engine.NotFound, "unit.unknown"},
		} {
			_, err := h.e.MoveUnit(ctx, h.people[c.who], c.unit, c.parent)
			wantKind(t, c.name, err, c.kind, c.key)
		}
		old := h.units["z"]
		moved, err := h.e.MoveUnit(ctx, h.people["admin"], "z", "zz")
		if err != nil || moved.ParentID != h.units["zz"].ID || moved.Path != h.units["zz"].Path+string(old.ID)+"/" {
			t.Fatalf("%v: %+v", err, moved)
		}
		b, err := db.Unit(ctx, "b")
		if err != nil || b.ParentID != old.ID || b.Path != moved.Path+string(b.ID)+"/" {
			t.Errorf("%v: the branch stands at %s", err, b.Path)
		}
		for _, unit := range []string{"z", "b"} {
			trail := h.trail(engine.SubjectUnit + "/" + string(h.units[unit].ID))
			if last := trail[len(trail)-1]; last.Action != "move_unit" || !strings.Contains(string(last.Data), `"moved":"`+string(old.ID)+`"`) {
				t.Errorf("%s: the last entry is %s %s", unit, last.Action, last.Data)
			}
		}
		// Who was beside is above now, and the project's own people still are.
		for who, sees := range map[string]bool{"elsewhere": true, "supervisor": true, "second": true} {
			a, err := h.e.ActorOf(ctx, who, engine.ViaAPI, "")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := h.e.Project(ctx, a, p.ID); (err == nil) != sees {
				t.Errorf("%s: %v", who, err)
			}
		}
		if _, err := h.e.MoveUnit(ctx, engine.Operator(), "zz", ""); err != nil {
			t.Errorf("the operator makes it a root: %v", err)
		}
		if _, err := h.e.RenameUnit(ctx, h.people["admin"], "zz", "zz-new", "新名"); engine.KindOf(err) != engine.Denied {
			t.Errorf("the administrator of the former tree renames it: %v", err)
		}
		u, err := h.e.RenameUnit(ctx, engine.Operator(), "zz", "zz-new", "新名")
		if err != nil || u.Name != "新名" {
			t.Errorf("%v: %+v", err, u)
		}
		_, err = h.e.RenameUnit(ctx, engine.Operator(), "b", "zz-new", "新名")
		wantKind(t, "a code that is taken", err, engine.Conflict, "unit.code_taken")
		h.intact()
	})
}

// However moves and new units run into each other, every path is the chain of ids above it.
func TestMoveUnitAtOnce(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		ctx := t.Context()
		var wg sync.WaitGroup
		do := func(f func() error) {
			wg.Go(func() {
				for range 4 {
					if err := f(); err != nil && engine.KindOf(err) == 0 {
						t.Error(err)
					}
				}
			})
		}
		code := func(s string) func() error {
			i := 0
			return func() error {
				i++
				_, err := h.e.AddUnit(ctx, engine.Operator(), "b", s+strings.Repeat("x", i), "党小组")
				return err
			}
		}
		do(func() error { _, err := h.e.MoveUnit(ctx, engine.Operator(), "z", "zz"); return err })
		do(func() error { _, err := h.e.MoveUnit(ctx, engine.Operator(), "zz", "z"); return err })
		do(func() error { _, err := h.e.MoveUnit(ctx, engine.Operator(), "b", "p"); return err })
		do(code("m"))
		do(code("n"))
		wg.Wait()
		units, err := db.Units(ctx)
		if err != nil {
			t.Fatal(err)
		}
		byID := map[engine.UnitID]engine.Unit{}
		for _, u := range units {
			byID[u.ID] = u
		}
		for _, u := range units {
			above := "/"
			if u.ParentID != "" {
				above = byID[u.ParentID].Path
			}
			if u.Path != above+string(u.ID)+"/" {
				t.Errorf("%s is under %s and stands at %s", u.Code, above, u.Path)
			}
		}
		h.intact()
	})
}

// A unit ends when nothing hangs on it, and nothing begins at it afterwards.
func TestCloseUnit(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		ctx := t.Context()
		end := func(who, unit, note string) error {
			_, err := h.e.CloseUnit(ctx, h.acts(who), unit, note)
			return err
		}
		reopen := func(who, unit string) error {
			_, err := h.e.ReopenUnit(ctx, h.acts(who), unit, "恢复设置")
			return err
		}
		if _, err := h.e.AddUnit(ctx, engine.Operator(), "zz", "old", "老单位"); err != nil {
			t.Fatal(err)
		}
		if _, err := h.e.AddUnit(ctx, engine.Operator(), "old", "older", "更老的"); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "by a supervisor", end("supervisor", "old", "机构改革"), engine.Denied, "act.role")
		wantKind(t, "by security", end("security", "old", "机构改革"), engine.Denied, "act.role")
		wantKind(t, "by the administrator of another branch", end("branchadmin", "old", "机构改革"), engine.Denied, "grant.above_scope")
		wantKind(t, "without a reason", end("admin", "old", "嗯"), engine.Invalid, "note.too_short")
		wantKind(t, "with a unit under it", end("admin", "old", "机构改革"), engine.Blocked, "unit.not_closable")
		if _, err := h.e.Grant(ctx, h.acts("security"), "nobody", "older", engine.Secretary); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "with a role at it", end("admin", "older", "机构改革"), engine.Blocked, "unit.not_closable")
		if _, err := h.e.Revoke(ctx, h.acts("security"), "nobody", "older", engine.Secretary); err != nil {
			t.Fatal(err)
		}
		for _, code := range []string{"older", "old"} {
			if err := end("admin", code, "机构改革"); err != nil {
				t.Fatalf("%s: %v", code, err)
			}
		}
		wantKind(t, "twice", end("admin", "old", "机构改革"), engine.Blocked, "unit.closed")
		wantKind(t, "under a closed one", reopen("admin", "older"), engine.Blocked, "unit.closed")
		for name, err := range map[string]error{
			"a unit":    failure(h.e.AddUnit(ctx, h.acts("admin"), "old", "n", "新的")),
			"a move":    failure(h.e.MoveUnit(ctx, h.acts("admin"), "b", "old")),
			"a role":    failure(h.e.Grant(ctx, h.acts("security"), "nobody", "old", engine.Secretary)),
			"a project": failure(h.e.Create(ctx, engine.Operator(), "shishi", unitNamed(t, h, "old"), h.draft())),
		} {
			wantKind(t, name, err, engine.Blocked, "unit.closed")
		}
		if err := reopen("admin", "old"); err != nil {
			t.Error(err)
		}
		if err := reopen("admin", "older"); err != nil {
			t.Error(err)
		}
		wantKind(t, "what is open", reopen("admin", "old"), engine.Blocked, "unit.open")
		h.intact()
	})
}

func failure[T any](_ T, err error) error { return err }

func unitNamed(t *testing.T, h *house, code string) engine.Unit {
	t.Helper()
	u, err := h.e.Unit(t.Context(), code)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// A grant that was decided while the unit stood elsewhere is not written: the unit may have left the giver's scope.
func TestGrantLooksAtTheUnitAgain(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		ctx := t.Context()
		moved := false
		h.e.Store = lateStore{h.e.Store, func() {
			if !moved {
				moved = true
				if _, err := h.e.MoveUnit(ctx, engine.Operator(), "b", "zz"); err != nil {
					t.Error(err)
				}
			}
		}}
		_, err := h.e.Grant(ctx, h.acts("branchsecurity"), "nobody", "b", engine.Supervisor)
		wantKind(t, "a role at a unit that has moved away", err, engine.Conflict, "record.conflict")
		if u, err := db.User(ctx, "nobody"); err != nil || len(u.Grants) != 0 && u.Grants[0].Role == engine.Supervisor {
			t.Errorf("%v: %v", err, u.Grants)
		}
	})
}

// lateStore lets something happen between reading and writing.
type lateStore struct {
	engine.Store
	before func()
}

func (s lateStore) Record(ctx context.Context, r engine.Record) error {
	s.before()
	return s.Store.Record(ctx, r)
}
