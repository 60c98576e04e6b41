package storage_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// TestPeople lists accounts by scope, unit, role, words and state, leafing through in stretches.
func TestPeople(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		// Two units of which the id of one begins with the other's would have paths that differ in the boundary alone.
		a, b := w.unit("a", "root"), w.unit("b", "root")
		below := w.unit("a1", "a")
		grant := func(r engine.Role, u engine.Unit) engine.Grant { return engine.Grant{Role: r, UnitID: u.ID} }
		w.user("all", grant(engine.Leader, w.units["root"]))
		w.user("at-a", grant(engine.Supervisor, a))
		w.user("at-a1", grant(engine.Secretary, below), grant(engine.Supervisor, b))
		w.user("at-b", grant(engine.Secretary, b))
		w.user("none_1")
		w.user("none%2")
		for name, tt := range map[string]struct {
			f    engine.PeopleFilter
			want []string
		}{
			"everybody":                      {engine.PeopleFilter{}, []string{"all", "at-a", "at-a1", "at-b", "none%2", "none_1"}},
			"within a, and those of no unit": {engine.PeopleFilter{Within: []string{a.Path}}, []string{"at-a", "at-a1", "none%2", "none_1"}},
			"within b":                       {engine.PeopleFilter{Within: []string{b.Path}}, []string{"at-a1", "at-b", "none%2", "none_1"}},
			"within nothing":                 {engine.PeopleFilter{Within: []string{}}, nil},
			"a path cut short is no unit":    {engine.PeopleFilter{Within: []string{a.Path[:len(a.Path)-3] + "/"}}, []string{"none%2", "none_1"}},
			"under a":                        {engine.PeopleFilter{Unit: a.ID}, []string{"at-a", "at-a1"}},
			"at a itself":                    {engine.PeopleFilter{Unit: a.ID, Alone: true}, []string{"at-a"}},
			"a role under a":                 {engine.PeopleFilter{Unit: a.ID, Role: engine.Supervisor}, []string{"at-a"}},
			"a role":                         {engine.PeopleFilter{Role: engine.Supervisor}, []string{"at-a", "at-a1"}},
			"a role outside is not told":     {engine.PeopleFilter{Within: []string{a.Path}, Role: engine.Leader}, nil},
			"nor one of somebody within":     {engine.PeopleFilter{Within: []string{b.Path}, Role: engine.Secretary}, []string{"at-b"}},
			"a unit outside":                 {engine.PeopleFilter{Within: []string{a.Path}, Unit: b.ID}, nil},
			"words are no pattern":           {engine.PeopleFilter{Text: "none_"}, []string{"none_1"}},
			"nor this":                       {engine.PeopleFilter{Text: "e%2"}, []string{"none%2"}},
			"part of a name":                 {engine.PeopleFilter{Text: "人 at"}, []string{"at-a", "at-a1", "at-b"}},
			"without a role":                 {engine.PeopleFilter{State: engine.PeopleRoleless}, []string{"none%2", "none_1"}},
			"closed":                         {engine.PeopleFilter{State: engine.PeopleDisabled}, nil},
			"no such unit":                   {engine.PeopleFilter{Unit: "nowhere"}, nil},
			"what cannot be stored":          {engine.PeopleFilter{Text: "a\x00"}, nil},
		} {
			t.Run(name, func(t *testing.T) {
				for _, size := range []int{1, 2, 200} {
					var got []string
					f := tt.f
					f.Limit = size
					for {
						page, err := db.People(t.Context(), f)
						if err != nil {
							t.Fatal(err)
						}
						for _, u := range page.Items {
							got = append(got, u.Login)
							for _, g := range u.Grants {
								if g.Path == "" {
									t.Errorf("a role of %s has no path", u.Login)
								}
							}
						}
						if f.After = page.Next; f.After == "" {
							break
						}
					}
					if !slices.Equal(got, tt.want) {
						t.Errorf("pages of %d: %v, want %v", size, got, tt.want)
					}
				}
			})
		}
		if _, err := db.People(t.Context(), engine.PeopleFilter{After: "x"}); engine.KindOf(err) != engine.Invalid {
			t.Errorf("a cursor that is none: %v", err)
		}
		for _, tt := range []struct {
			at    engine.Unit
			roles []engine.Role
			want  []string
		}{
			{below, []engine.Role{engine.Supervisor, engine.Leader}, []string{"all", "at-a"}},
			{below, []engine.Role{engine.Secretary}, []string{"at-a1"}},
			{w.units["root"], []engine.Role{engine.Supervisor}, nil},
			{b, []engine.Role{engine.Owner}, nil},
		} {
			list, err := db.Holders(t.Context(), tt.at.Path, tt.roles)
			var got []string
			for _, u := range list {
				got = append(got, u.Login)
			}
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("%v at %s: %v %v, want %v", tt.roles, tt.at.Code, err, got, tt.want)
			}
		}
	})
}

// TestUnitEnds looks in the transaction that closes a unit at what was begun there since it was looked at, and in the
// one that begins something at whether the unit was closed.
func TestUnitEnds(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		ctx := t.Context()
		closing := func(u engine.Unit) error {
			next := u
			next.ClosedAt, next.Version = ptr(w.tick()), u.Version+1
			page, err := db.Entries(ctx, engine.EntryFilter{Subject: engine.SubjectUnit + "/" + string(u.ID), Limit: 1})
			w.must(err)
			r := w.record(engine.SubjectUnit+"/"+string(u.ID), u.Version, page.Items[0].Hash, "close_unit", u, next)
			r.Unit, r.Idle = &next, u.Path
			return db.Record(ctx, r)
		}
		held, parent, busy, quiet := w.unit("held", "root"), w.unit("parent", "root"), w.unit("busy", "root"), w.unit("quiet", "root")
		w.user("holder", engine.Grant{Role: engine.Secretary, UnitID: held.ID})
		w.unit("child", "parent")
		p := w.project("busy")
		w.must(db.Commit(ctx, w.change(nil, p))[0])
		for _, u := range []engine.Unit{held, parent, busy} {
			if err := closing(u); !errors.Is(err, engine.ErrConflict) {
				t.Errorf("%s was closed: %v", u.Code, err)
			}
		}
		if err := closing(quiet); err != nil {
			t.Errorf("quiet: %v", err)
		}
		if u, err := db.Unit(ctx, "quiet"); err != nil || u.ClosedAt == nil {
			t.Errorf("%v: %+v", err, u)
		}
		late := engine.Unit{ID: engine.UnitID(newID()), ParentID: quiet.ID, Code: "late", Name: "晚到的", CreatedAt: w.tick(), Version: 1}
		late.Path = quiet.Path + string(late.ID) + "/"
		r := w.record(engine.SubjectUnit+"/"+string(late.ID), 0, audit.Digest{}, "add_unit", nil, late)
		r.Unit, r.Guard = &late, engine.Guard{Unit: quiet.ID, Path: quiet.Path, Open: true}
		if err := db.Record(ctx, r); !errors.Is(err, engine.ErrConflict) {
			t.Errorf("a unit under a closed one: %v", err)
		}
	})
}

// TestPeopleLeafing keeps the order of logins over many pages.
func TestPeopleLeafing(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		for i := range 25 {
			w.user(fmt.Sprintf("u%02d", (i*7)%25))
		}
		var got []string
		f := engine.PeopleFilter{Limit: 4}
		for {
			page, err := db.People(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range page.Items {
				got = append(got, u.Login)
			}
			if f.After = page.Next; f.After == "" {
				break
			}
		}
		if len(got) != 25 || !slices.IsSorted(got) || len(slices.Compact(got)) != 25 {
			t.Errorf("%v", got)
		}
	})
}
