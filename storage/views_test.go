package storage_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

func TestSavedViews(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		a, b := w.user("a"), w.user("b")
		save := func(u engine.User, name, query string, at time.Time) {
			t.Helper()
			v, err := engine.NewView(u.ID, name, query, at)
			w.must(err)
			w.must(db.SaveView(t.Context(), v))
		}
		entries := w.count("entries")
		save(a, "红灯", "light=red", start)
		save(a, "本学院", "unit=x&view=all", start.Add(time.Second))
		save(b, "红灯", "light=red&light=yellow", start)
		save(a, " 红灯 ", "light=red&overdue=1", start.Add(time.Hour)) // the same name: replaced where it stands
		list := func(id engine.UserID) string {
			t.Helper()
			views, err := db.Views(t.Context(), id)
			w.must(err)
			var out []string
			for _, v := range views {
				out = append(out, v.Name+" "+v.Query)
			}
			return strings.Join(out, ", ")
		}
		if got, want := list(a.ID), "红灯 light=red&overdue=1, 本学院 unit=x&view=all"; got != want {
			t.Errorf("views %q, want %q", got, want)
		}
		if got := list(b.ID); got != "红灯 light=red&light=yellow" {
			t.Errorf("another's views are %q", got)
		}
		w.must(db.RemoveView(t.Context(), a.ID, "红灯"))
		w.must(db.RemoveView(t.Context(), a.ID, "never saved"))
		w.must(db.RemoveView(t.Context(), a.ID, "\x00"))
		if got := list(a.ID); got != "本学院 unit=x&view=all" {
			t.Errorf("after removing one: %q", got)
		}
		if got := list(b.ID); got == "" {
			t.Error("another's view of the same name went too")
		}
		if got := list("nobody"); got != "" {
			t.Errorf("nobody has %q", got)
		}
		for i := range engine.MaxViews - 1 {
			save(a, fmt.Sprint("v", i), "", start)
		}
		one, err := engine.NewView(a.ID, "one more", "", start)
		w.must(err)
		checkKey(t, "one too many", db.SaveView(t.Context(), one), "view.too_many")
		save(a, "v1", "light=green", start) // replacing is no more
		if n := w.count("entries"); n != entries {
			t.Errorf("a preference left %d entries", n-entries)
		}
	})
}

func TestViewsAreChecked(t *testing.T) {
	for _, tt := range []struct{ name, query, key string }{
		{"", "x", "field.empty"}, {" \t ", "x", "field.empty"}, {strings.Repeat("长", 31), "x", "field.too_long"},
		{"a", strings.Repeat("x", 1001), "field.too_long"}, {"a\x00", "x", "field.not_text"}, {"a", "\xff", "field.not_text"},
	} {
		_, err := engine.NewView("u", tt.name, tt.query, start)
		checkKey(t, fmt.Sprintf("%.10q, %.10q", tt.name, tt.query), err, tt.key)
	}
}
