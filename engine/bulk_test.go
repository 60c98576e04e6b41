package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"

	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

// asked counts what a store is asked for.
type asked struct {
	engine.Store
	n int
}

func (s *asked) Project(ctx context.Context, id engine.ProjectID) (engine.Project, error) {
	s.n++
	return s.Store.Project(ctx, id)
}

func (s *asked) User(ctx context.Context, idOrLogin string) (engine.User, error) {
	s.n++
	return s.Store.User(ctx, idOrLogin)
}

func (s *asked) Entries(ctx context.Context, f engine.EntryFilter) (engine.Page[engine.EntryRow], error) {
	s.n++
	return s.Store.Entries(ctx, f)
}

func (s *asked) Standing(ctx context.Context, ids []engine.ProjectID) ([]engine.Project, error) {
	s.n++
	return s.Store.Standing(ctx, ids)
}

func (s *asked) Reports(ctx context.Context, ids []engine.ProjectID, each func(engine.ProjectID, json.RawMessage)) error {
	s.n++
	return s.Store.Reports(ctx, ids, each)
}

// A long ledger asks the store for many rows at once, decides each once, and loses no number on what it refuses.
func TestImportOfALongLedger(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		store := &asked{Store: db}
		ids := 0
		e, err := engine.New(t.Context(), engine.Config{Store: store, Compile: workflows.Compile, Now: h.clock.now, Site: site,
			NewID: func() string { ids++; return uuid.Must(uuid.NewV7()).String() }})
		if err != nil {
			t.Fatal(err)
		}
		source, err := os.ReadFile("intake/testdata/ledger_item.yaml")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Publish(t.Context(), engine.Operator(), source); err != nil {
			t.Fatal(err)
		}
		load := func(rows []engine.ImportRow) engine.Imported {
			t.Helper()
			store.n, ids = 0, 0
			got, err := e.Import(t.Context(), engine.Operator(), "tz", rows, false)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		rows := make([]engine.ImportRow, engine.MaxPage+30)
		for i := range rows {
			rows[i] = engine.ImportRow{Row: i + 1, Unit: h.units["b"], Draft: engine.Draft{Title: fmt.Sprint("事项", i), Owner: h.people["owner"].ID, Sponsor: h.people["leader"].ID}}
		}
		large := rows[0]
		large.Draft.Extra = map[string]string{}
		for i := range 10 {
			large.Draft.Extra[fmt.Sprint("说明", i)] = strings.Repeat("长", 1500)
		}
		got := load(append([]engine.ImportRow{large}, rows[1:]...))
		if len(got.Created) != 0 || len(got.Problems) != 1 || got.Problems[0].Err.(*engine.Error).Key != "entry.too_large" {
			t.Fatalf("%d created, problems %+v", len(got.Created), got.Problems)
		}
		got = load(rows)
		if n := len(got.Created); n != len(rows) || got.Created[0].Number != "TZ2026-0001" || got.Created[n-1].Number != fmt.Sprintf("TZ2026-%04d", n) {
			t.Fatalf("%d created, the first %s", n, got.Created[0].Number)
		}
		if ids != 2*len(rows) || store.n != 2 {
			t.Errorf("%d rows took %d ids, of a project and its entry, and %d questions about two people", len(rows), ids, store.n)
		}

		// What is said of the first fills more than one question; the same again is no news.
		var said []engine.ImportRow
		say := func(i int, done string) {
			said = append(said, engine.ImportRow{Row: len(said) + 1, Unit: h.units["b"], Project: got.Created[i].ID,
				Progress: &engine.LedgerProgress{Report: engine.Report{Percent: 10, Done: done}, Known: true}})
		}
		for i := range engine.MaxPage + 1 {
			say(0, fmt.Sprint("第", i, "步"))
		}
		for i := range got.Created {
			say(i, "第0步")
		}
		if got := load(said); len(got.Reported) != len(said)-1 || len(got.Problems)+len(got.Untold) != 0 || store.n > 6 {
			t.Errorf("%d of %d reported, problems %+v %+v, asked %d times", len(got.Reported), len(said), got.Problems, got.Untold, store.n)
		}
		if got := load(said); len(got.Reported) != 0 || store.n > 6 {
			t.Errorf("again: %d reported, asked %d times", len(got.Reported), store.n)
		}
		h.intact()
	})
}
