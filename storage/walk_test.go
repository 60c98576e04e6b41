package storage_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// A walk hands over every entry of a kind once, chain after chain, up to a moment, and ends where it is told to.
func TestWalk(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w, _ := busy(t, db)
		var all []engine.EntryRow
		for f := (engine.EntryFilter{Limit: engine.MaxPage, OldestFirst: true}); ; {
			page, err := db.Entries(t.Context(), f)
			w.must(err)
			all = append(all, page.Items...)
			if f.After = page.Next; f.After == "" {
				break
			}
		}
		middle := all[len(all)/2].At
		leaf := w.units["u39"].ID
		for name, f := range map[string]engine.TrailFilter{
			"projects": {Kind: engine.SubjectProject}, "units": {Kind: engine.SubjectUnit},
			"up to a moment": {Kind: engine.SubjectProject, Before: middle},
			"of two units":   {Kind: engine.SubjectProject, Units: []engine.UnitID{leaf, w.units["u1"].ID}},
		} {
			t.Run(name, func(t *testing.T) {
				var want, got []string
				for _, e := range all {
					if e.Kind() == f.Kind && (f.Before.IsZero() || e.At.Before(f.Before)) && (len(f.Units) == 0 || slices.Contains(f.Units, engine.UnitID(e.Unit))) {
						want = append(want, e.ID)
					}
				}
				subject, seq, seen := "", int64(0), map[string]bool{}
				w.must(db.Walk(t.Context(), f, func(raw []byte) error {
					e, err := audit.Parse(raw)
					if err != nil {
						return err
					}
					if e.Subject != subject {
						if seen[e.Subject] {
							t.Errorf("%s comes twice", e.Subject)
						}
						subject, seq, seen[e.Subject] = e.Subject, 0, true
					}
					if e.Seq != seq+1 {
						t.Errorf("%s: seq %d after %d", subject, e.Seq, seq)
					}
					seq = e.Seq
					got = append(got, e.ID)
					return nil
				}))
				slices.Sort(want)
				slices.Sort(got)
				if len(want) == 0 || !slices.Equal(got, want) {
					t.Errorf("%d entries, want %d", len(got), len(want))
				}
			})
		}
		enough := errors.New("enough")
		if err := db.Walk(t.Context(), engine.TrailFilter{Kind: engine.SubjectProject}, func([]byte) error { return enough }); !errors.Is(err, enough) {
			t.Errorf("the error of the fold is lost: %v", err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := db.Walk(gone, engine.TrailFilter{Kind: engine.SubjectProject}, func([]byte) error { return nil }); err == nil {
			t.Error("a walk of a caller who has gone went on")
		}
	})
}
