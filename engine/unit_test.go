package engine_test

import (
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
