package storage_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// scattered makes a world whose projects share many values, so that order and pages depend on the ids too.
func scattered(t *testing.T, db *storage.DB) *world {
	w := newWorld(t, db)
	w.unit("a", "root")
	w.unit("b", "root")
	for i := range scatter {
		w.create([]string{"a", "b"}[i%2], func(p *engine.Project) {
			if i%3 > 0 {
				p.Deadline = calendar.MustDate("2026-12-01").AddDays(i % 4)
			}
			p.UpdatedAt = start.Add(time.Duration(i%5) * time.Microsecond)
			switch i % 5 {
			case 1:
				p.RedAt = ptr(start)
			case 2:
				p.YellowAt, p.RedAt = ptr(start), ptr(start.Add(time.Hour))
			case 3:
				p.Stage = engine.Closed
			}
			if i%2 == 0 {
				p.NextAt = ptr(start.Add(time.Duration(i%7) * time.Microsecond))
			}
		})
	}
	return w
}

const scatter = 16

// checkPages reads a list page by page and fails unless the pages put together are the whole list, each full but
// the last.
func checkPages[T any](t *rapid.T, whole []T, key func(T) string, read func(after string, limit int) (engine.Page[T], error)) {
	size := rapid.IntRange(1, scatter+4).Draw(t, "size")
	var got []string
	for after, last := "", false; !last; {
		page, err := read(after, size)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			got = append(got, key(item))
		}
		if after, last = page.Next, page.Next == ""; !last && len(page.Items) != size || len(page.Items) > size {
			t.Fatalf("a page of %d, want %d", len(page.Items), size)
		}
		if len(got) > len(whole) {
			break
		}
	}
	var want []string
	for _, item := range whole {
		want = append(want, key(item))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("pages put together differ from the whole (-whole +pages):\n%s", diff)
	}
}

func projectID(p engine.Project) string { return string(p.ID) }

func TestPagesOfProjects(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := scattered(t, db)
		rapid.Check(t, func(rt *rapid.T) {
			f := engine.Filter{Limit: engine.MaxPage, Now: start}
			f.Sort = rapid.SampledFrom([]engine.Sort{"", engine.ByNewest, engine.ByOldest, engine.ByDeadline, engine.ByLatest, engine.ByUpdated, engine.ByStale,
				engine.ByLight}).Draw(rt, "sort")
			count := scatter
			if rapid.Bool().Draw(rt, "one unit") {
				f.Unit, count = w.units["a"].ID, scatter/2
			}
			whole, err := db.Projects(t.Context(), f)
			if err != nil || whole.Next != "" || len(whole.Items) != count {
				rt.Fatalf("the whole list: %d items, next %q, %v, want %d", len(whole.Items), whole.Next, err, count)
			}
			if !slices.IsSortedFunc(whole.Items, func(a, b engine.Project) int { return inOrder(f.Sort, &a, &b) }) {
				rt.Fatalf("not in the order %q", f.Sort)
			}
			read := func(after string, limit int) (engine.Page[engine.Project], error) {
				f.After, f.Limit = after, limit
				return db.Projects(t.Context(), f)
			}
			checkPages(rt, whole.Items, projectID, read)
			checkWayBack(rt, whole.Items, read)
		})
	})
}

// checkWayBack reads to the end of a list and back again, page by page: what is before a page is what was read before
// it, and only the first page has nothing before it.
func checkWayBack(t *rapid.T, whole []engine.Project, read func(after string, limit int) (engine.Page[engine.Project], error)) {
	size := rapid.IntRange(1, scatter).Draw(t, "size on the way back")
	var last engine.Page[engine.Project]
	for after, first := "", true; first || after != ""; first = false {
		page, err := read(after, size)
		if err != nil {
			t.Fatal(err)
		}
		if (page.Prev == "") != first {
			t.Fatalf("page after %q: the cursor of the one before is %q", after, page.Prev)
		}
		last, after = page, page.Next
	}
	got := last.Items
	for last.Prev != "" {
		page, err := read(last.Prev, size)
		if err != nil {
			t.Fatal(err)
		}
		if page.Next == "" || len(page.Items) == 0 || page.Prev != "" && len(page.Items) != size {
			t.Fatalf("on the way back a page of %d, next %q, previous %q", len(page.Items), page.Next, page.Prev)
		}
		again, err := read(page.Next, size)
		if err != nil || projectID(again.Items[0]) != projectID(last.Items[0]) {
			t.Fatalf("forward again: %v, %v", again.Items, err)
		}
		got = append(slices.Clone(page.Items), got...)
		last = page
	}
	var want, have []string
	for i := range whole {
		want = append(want, projectID(whole[i]))
	}
	for i := range got {
		have = append(have, projectID(got[i]))
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Fatalf("pages read backwards differ from the whole (-whole +pages):\n%s", diff)
	}
}

func TestPagesOfWhatIsDue(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		scattered(t, db)
		rapid.Check(t, func(rt *rapid.T) {
			n := rapid.IntRange(-1, 7).Draw(rt, "µs")
			now := start.Add(time.Duration(n) * time.Microsecond)
			whole, err := db.Due(t.Context(), now, "", engine.MaxPage)
			if err != nil {
				rt.Fatal(err)
			}
			want := 0
			for i := 0; i < scatter; i += 2 {
				if i%7 <= n {
					want++
				}
			}
			if len(whole.Items) != want {
				rt.Fatalf("%d are due, want %d", len(whole.Items), want)
			}
			for i, p := range whole.Items {
				if p.NextAt == nil || p.NextAt.After(now) || i > 0 && p.NextAt.Before(*whole.Items[i-1].NextAt) {
					rt.Fatalf("item %d is due at %v", i, p.NextAt)
				}
			}
			checkPages(rt, whole.Items, projectID, func(after string, limit int) (engine.Page[engine.Project], error) {
				return db.Due(t.Context(), now, after, limit)
			})
		})
	})
}

func TestPagesOfEntries(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := scattered(t, db)
		p := w.create("a", nil)
		for range 4 {
			p = w.update(p, nil)
		}
		rapid.Check(t, func(rt *rapid.T) {
			f := engine.EntryFilter{OldestFirst: rapid.Bool().Draw(rt, "oldest first"), Limit: engine.MaxPage}
			if rapid.Bool().Draw(rt, "some actions") {
				f.Actions = []string{"create", "edit", "no such"}
			}
			if rapid.Bool().Draw(rt, "one subject") {
				f.Subject = p.Subject()
			}
			whole, err := db.Entries(t.Context(), f)
			if err != nil || len(whole.Items) < 5 || whole.Next != "" {
				rt.Fatalf("the whole trail: %d entries, next %q, %v", len(whole.Items), whole.Next, err)
			}
			checkPages(rt, whole.Items, func(e engine.EntryRow) string { return e.ID }, func(after string, limit int) (engine.Page[engine.EntryRow], error) {
				f.After, f.Limit = after, limit
				return db.Entries(t.Context(), f)
			})
		})
	})
}

// inOrder compares two projects as a list does; 0 only for the same one.
func inOrder(s engine.Sort, a, b *engine.Project) int {
	byID := strings.Compare(string(a.ID), string(b.ID))
	switch s {
	case engine.ByOldest:
		return byID
	case engine.ByLight:
		rank := map[engine.Light]int{engine.Red: 0, engine.Orange: 1, engine.Yellow: 2, engine.Green: 3, engine.NoLight: 4}
		if c := rank[a.Light(start)] - rank[b.Light(start)]; c != 0 {
			return c
		}
		return inOrder(engine.ByDeadline, a, b)
	case engine.ByLatest:
		if a.Deadline.IsZero() == b.Deadline.IsZero() {
			return -inOrder(engine.ByDeadline, a, b)
		}
		return inOrder(engine.ByDeadline, a, b)
	case engine.ByStale:
		return -inOrder(engine.ByUpdated, a, b)
	case engine.ByDeadline:
		if a.Deadline.IsZero() != b.Deadline.IsZero() {
			return map[bool]int{true: 1, false: -1}[a.Deadline.IsZero()]
		}
		if c := a.Deadline.Compare(b.Deadline); c != 0 {
			return c
		}
		return byID
	case engine.ByUpdated:
		if c := b.UpdatedAt.Compare(a.UpdatedAt); c != 0 {
			return c
		}
	}
	return -byID
}

func TestPageSizes(t *testing.T) {
	db := storagetest.Open(t, storage.SQLite)
	w := newWorld(t, db)
	var changes []engine.Change
	for range engine.MaxPage + 5 {
		changes = append(changes, w.change(nil, w.project("root")))
	}
	w.must(w.commit(changes...))
	for limit, want := range map[int]int{0: 50, -1: 50, 1: 1, engine.MaxPage: engine.MaxPage, engine.MaxPage + 1: engine.MaxPage, 1 << 30: engine.MaxPage} {
		page, err := db.Projects(t.Context(), engine.Filter{Limit: limit})
		if err != nil || len(page.Items) != want {
			t.Errorf("limit %d: %d projects (%v), want %d", limit, len(page.Items), err, want)
		}
		trail, err := db.Entries(t.Context(), engine.EntryFilter{Limit: limit})
		if err != nil || len(trail.Items) != want {
			t.Errorf("limit %d: %d entries (%v), want %d", limit, len(trail.Items), err, want)
		}
	}
}

func TestBadCursors(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		for range 3 {
			w.create("root", func(p *engine.Project) { p.Deadline = calendar.MustDate("2026-12-01") })
		}
		newest, err := db.Projects(t.Context(), engine.Filter{Limit: 1})
		w.must(err)
		trail, err := db.Entries(t.Context(), engine.EntryFilter{Limit: 1})
		w.must(err)
		for _, cursor := range []string{"x", "!", "e30", "bnVsbA", newest.Next + "x", trail.Next, "eyJvIjoiIiwicyI6NywiaSI6IjAxOTk4ODg4LTAwMDAtNzAwMC04MDAwLTAwMDAwMDAwMDAwMCJ9", strings.Repeat("A", 5000)} {
			for _, sort := range []engine.Sort{"", engine.ByOldest, engine.ByDeadline, engine.ByLatest, engine.ByUpdated, engine.ByStale, engine.ByLight} {
				_, err := db.Projects(t.Context(), engine.Filter{Sort: sort, After: cursor})
				checkKey(t, fmt.Sprintf("list by %q after %.20q", sort, cursor), err, "page.bad_cursor")
			}
		}
		for name, f := range map[string]engine.EntryFilter{"another list's": {After: newest.Next}, "another order's": {After: trail.Next, Subject: "x/y"}, "none": {After: "x"}} {
			_, err := db.Entries(t.Context(), f)
			checkKey(t, name, err, "page.bad_cursor")
		}
		_, err = db.Projects(t.Context(), engine.Filter{Sort: engine.ByDeadline, After: newest.Next})
		checkKey(t, "a cursor of another order", err, "page.bad_cursor")
		_, err = db.Due(t.Context(), start, newest.Next, 1)
		checkKey(t, "a list's cursor for what is due", err, "page.bad_cursor")
		_, err = db.Projects(t.Context(), engine.Filter{Sort: "title; DROP TABLE projects"})
		checkKey(t, "an order that does not exist", err, "page.bad_sort")
	})
}

// The order by light leaves out the stretches in which a filter leaves nothing, and nothing else.
func TestByLightThroughFilters(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := scattered(t, db)
		for _, f := range []engine.Filter{{}, {Open: true}, {Light: []engine.Light{engine.Red}}, {Light: []engine.Light{engine.Yellow, engine.NoLight}}, {Light: []engine.Light{engine.Green}, Open: true},
			{Stage: []engine.StageID{engine.Closed}}, {Stage: []engine.StageID{engine.Closed, "plan"}}, {Text: "项目 1"}, {Text: "项目", Open: true}, {Unit: w.units["a"].ID}} {
			f.Now, f.Limit = start, scatter
			ids := func(sort engine.Sort) []string {
				f.Sort = sort
				page, err := db.Projects(t.Context(), f)
				w.must(err)
				var out []string
				for _, p := range page.Items {
					out = append(out, string(p.ID))
				}
				slices.Sort(out)
				return out
			}
			want := ids(engine.ByNewest)
			if len(want) == 0 {
				t.Errorf("%+v selects nothing", f)
			}
			if diff := cmp.Diff(want, ids(engine.ByLight)); diff != "" {
				t.Errorf("%+v: newest first and by light differ: %s", f, diff)
			}
		}
	})
}
