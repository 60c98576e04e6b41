package storage_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

func TestRecordDirectory(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx := t.Context()
		w := newWorld(t, db)
		root, child := w.units["root"], w.unit("child", "root")
		list, err := db.Units(ctx)
		if diff := cmp.Diff([]engine.Unit{root, child}, list); err != nil || diff != "" {
			t.Errorf("units (%v) (-written +read):\n%s", err, diff)
		}
		for _, key := range []string{string(child.ID), "child"} {
			if got, err := db.Unit(ctx, key); err != nil || got != child {
				t.Errorf("unit %s: %+v (%v), want %+v", key, got, err, child)
			}
		}

		grants := []engine.Grant{{Role: engine.Leader, UnitID: root.ID, Path: root.Path}, {Role: engine.Admin, UnitID: child.ID, Path: child.Path}}
		u := w.user("zhang", grants...)
		plain := w.user("li")
		for _, key := range []string{string(u.ID), "zhang"} {
			got, err := db.User(ctx, key)
			if diff := cmp.Diff(u, got); err != nil || diff != "" {
				t.Errorf("user %s (%v) (-written +read):\n%s", key, err, diff)
			}
		}
		users, err := db.Users(ctx)
		if diff := cmp.Diff([]engine.User{u, plain}, users); err != nil || diff != "" {
			t.Errorf("users (%v) (-written +read):\n%s", err, diff)
		}

		hash := engine.TokenHash("secret")
		token := engine.Token{ID: engine.TokenID(newID()), UserID: u.ID, Name: "手机", Hash: hash, CreatedAt: w.tick(), ExpiresAt: start.Add(time.Hour), Version: 1}
		issue := w.record(engine.SubjectToken+"/"+string(token.ID), 0, audit.Digest{}, "issue_token", nil, token)
		issue.Token = &token
		w.must(db.Record(ctx, issue))
		gotToken, gotUser, err := db.TokenUser(ctx, hash)
		if diff := cmp.Diff(token, gotToken) + cmp.Diff(u, gotUser); err != nil || diff != "" {
			t.Errorf("token and user (%v) (-written +read):\n%s", err, diff)
		}
		revoked := token
		revoked.RevokedAt, revoked.Version = ptr(w.tick()), 2
		revoke := w.record(engine.SubjectToken+"/"+string(token.ID), 1, issue.Head, "revoke_token", token, revoked)
		revoke.Token = &revoked
		w.must(db.Record(ctx, revoke))
		gotToken, _, err = db.TokenUser(ctx, hash)
		if diff := cmp.Diff(revoked, gotToken); err != nil || diff != "" {
			t.Errorf("revoked token (%v) (-written +read):\n%s", err, diff)
		}

		// A changed user keeps the salt, without which the commitment cannot be opened.
		changed := u
		changed.Disabled, changed.Grants, changed.Version = true, nil, 2
		_, head, err := db.Head(ctx, "user/"+string(u.ID))
		w.must(err)
		r := w.record("user/"+string(u.ID), 1, head, "disable", u, changed)
		r.User = &changed
		w.must(db.Record(ctx, r))
		got, err := db.User(ctx, "zhang")
		if diff := cmp.Diff(changed, got); err != nil || diff != "" {
			t.Errorf("changed user (%v) (-written +read):\n%s", err, diff)
		}
		if r := verify(t, db, 0); !r.Intact() {
			t.Errorf("findings: %+v", r.Findings)
		}

		for _, key := range []string{"", "nobody", newID(), "ZHANG", "\x00", "\xff"} {
			_, unitErr := db.Unit(ctx, key)
			_, userErr := db.User(ctx, key)
			_, _, tokenErr := db.TokenUser(ctx, []byte(key))
			for what, err := range map[string]error{"unit": unitErr, "user": userErr, "token": tokenErr} {
				if !errors.Is(err, engine.ErrNotFound) {
					t.Errorf("%s %q: %v, want ErrNotFound", what, key, err)
				}
			}
		}
	})
}

func TestRecordConflictsAndDuplicates(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx := t.Context()
		w := newWorld(t, db)
		u := w.user("zhang")
		subject := "user/" + string(u.ID)
		_, head, err := db.Head(ctx, subject)
		w.must(err)
		entries := w.count("entries")

		next := u
		next.Version, next.Disabled = 2, true
		stale := w.record(subject, 0, audit.Digest{}, "disable", nil, u)
		stale.User = &next
		early := w.record(subject, 5, head, "disable", u, next)
		early.User = &next
		login := engine.User{ID: engine.UserID(newID()), Login: "zhang", CreatedAt: start, Version: 1}
		taken := w.record("user/"+string(login.ID), 0, audit.Digest{}, "add_user", nil, login)
		taken.User, taken.Salt = &login, audit.NewSalt()
		code := w.units["root"]
		code.ID, code.Path = engine.UnitID(newID()), "/x/"
		unit := w.record("unit/"+string(code.ID), 0, audit.Digest{}, "add_unit", nil, code)
		unit.Unit = &code
		wrong := w.record(subject, 1, head, "disable", u, next)
		wrong.Head[0]++
		project := w.record("project/"+newID(), 0, audit.Digest{}, "create", nil, nil)
		for _, test := range []struct {
			name string
			r    engine.Record
			want error // nil: any
		}{
			{"a base that was", stale, engine.ErrConflict},
			{"a base to come", early, engine.ErrConflict},
			{"a login that is taken", taken, engine.ErrDuplicate},
			{"a code that is taken", unit, engine.ErrDuplicate},
			{"a head that is not the entry's", wrong, nil},
			{"a project", project, nil},
		} {
			t.Run(test.name, func(t *testing.T) {
				err := db.Record(ctx, test.r)
				if err == nil || test.want != nil && !errors.Is(err, test.want) {
					t.Errorf("got %v, want %v", err, test.want)
				}
			})
		}
		if n := w.count("entries"); n != entries {
			t.Errorf("%d entries, want %d as before", n, entries)
		}
		got, err := db.User(ctx, "zhang")
		if diff := cmp.Diff(u, got); err != nil || diff != "" {
			t.Errorf("the user changed (%v):\n%s", err, diff)
		}
	})
}

func TestRecordConcurrently(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		subject := "actor/" + newID()
		const people = 20
		records := make([]engine.Record, people)
		for i := range records {
			records[i] = w.record(subject, 0, audit.Digest{}, "sign_in", nil, nil)
		}
		out := make([]error, people)
		var all sync.WaitGroup
		for i := range records {
			all.Go(func() { out[i] = db.Record(t.Context(), records[i]) })
		}
		all.Wait()
		done := 0
		for _, err := range out {
			if err == nil {
				done++
			} else if !errors.Is(err, engine.ErrConflict) {
				t.Errorf("neither done nor a conflict: %v", err)
			}
		}
		if seq, _, err := db.Head(t.Context(), subject); done != 1 || seq != 1 || err != nil {
			t.Errorf("%d done, the chain ends with %d (%v), want 1 and 1", done, seq, err)
		}
	})
}

func TestRecordDefinitionsAndDays(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx := t.Context()
		w := newWorld(t, db)
		var heads audit.Digest
		var want []engine.Definition
		for v := 1; v <= 2; v++ {
			source := fmt.Appendf(nil, "version: %d\n", v)
			d := engine.Definition{Digest: audit.HashContent(source).String(), ID: "shishi", Version: v, Source: source, PublishedBy: "operator", PublishedAt: w.tick()}
			r := w.record("workflow/shishi", int64(v-1), heads, "publish", nil, nil)
			r.Definition, heads = &d, r.Head
			w.must(db.Record(ctx, r))
			got, err := db.Source(ctx, d.Digest)
			if diff := cmp.Diff(d, got); err != nil || diff != "" {
				t.Errorf("definition (%v) (-written +read):\n%s", err, diff)
			}
			d.Source = nil
			want = slices.Insert(want, 0, d)
		}
		if got, err := db.Definitions(ctx); err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("definitions (%v) (-want +read):\n%s", err, cmp.Diff(want, got))
		}
		if _, err := db.Source(ctx, "x"); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("unknown digest: %v, want ErrNotFound", err)
		}
		again := w.record("workflow/other", 0, audit.Digest{}, "publish", nil, nil)
		again.Definition = &engine.Definition{Digest: "d", ID: "shishi", Version: 2, Source: []byte{}, PublishedAt: start}
		if err := db.Record(ctx, again); !errors.Is(err, engine.ErrDuplicate) {
			t.Errorf("a version that is taken: %v, want ErrDuplicate", err)
		}

		day := func(date, name string, off bool) calendar.Day {
			return calendar.Day{Date: calendar.MustDate(date), Name: name, Off: off, Notice: "https://example.invalid/" + date}
		}
		old := []calendar.Day{day("2027-01-01", "元旦", true), day("2027-12-31", "元旦", true)}
		other := []calendar.Day{day("2026-12-31", "x", false), day("2028-01-01", "元旦", true)}
		list := []calendar.Day{day("2027-02-06", "春节", true), day("2027-01-03", "元旦", false)}
		var head audit.Digest
		for i, days := range [][]calendar.Day{old, other, list} {
			r := w.record("calendar/2027", int64(i), head, "load_calendar", nil, nil)
			r.Days, head = days, r.Head
			w.must(db.Record(ctx, r))
		}
		got, err := db.Days(ctx)
		if diff := cmp.Diff([]calendar.Day{other[0], list[1], list[0], other[1]}, got); err != nil || diff != "" {
			t.Errorf("days (%v) (-want +read):\n%s", err, diff)
		}
	})
}

func TestNumbers(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		for _, test := range []struct {
			series string
			n      int
			want   int64
		}{{"SS2026", 1, 1}, {"SS2026", 3, 2}, {"SS2026", 1, 5}, {"SJ2026", 1, 1}} {
			if got, err := db.Numbers(t.Context(), test.series, test.n); err != nil || got != test.want {
				t.Errorf("%d of %s: %d (%v), want %d", test.n, test.series, got, err, test.want)
			}
		}
		if got, err := db.Numbers(t.Context(), "SS2026", 0); err == nil {
			t.Errorf("no numbers: %d, want an error", got)
		}
		const people, each = 10, 5
		var mu sync.Mutex
		given := map[int64]bool{}
		var all sync.WaitGroup
		for range people {
			all.Go(func() {
				for range each {
					n, err := db.Numbers(t.Context(), "busy", 1)
					mu.Lock()
					if err != nil || given[n] {
						t.Errorf("number %d given twice, or failed: %v", n, err)
					}
					given[n] = true
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if len(given) != people*each || !given[1] || !given[people*each] {
			t.Errorf("%d numbers were given, want 1 to %d", len(given), people*each)
		}
	})
}

func TestKnown(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		p := w.create("root", func(p *engine.Project) { p.SourceKey = "k1" })
		w.create("root", nil)
		w.create("root", nil) // two without a key are no duplicates
		ask := []string{"", "k2", "k1"}
		for i := range 1200 {
			ask = append(ask, fmt.Sprint("other", i))
		}
		got, err := db.Known(t.Context(), ask)
		if diff := cmp.Diff(map[string]engine.ProjectID{"k1": p.ID}, got); err != nil || diff != "" {
			t.Errorf("known (%v) (-want +got):\n%s", err, diff)
		}
		taken := w.project("root")
		taken.SourceKey = "k1"
		if err := w.commit(w.change(nil, taken)); !errors.Is(err, engine.ErrDuplicate) {
			t.Errorf("a source key that is taken: %v, want ErrDuplicate", err)
		}
	})
}

// The table by which a person's projects are found follows the projects.
func TestAssistants(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		a, b := engine.UserID(newID()), engine.UserID(newID())
		mine := func() string {
			var out []string
			for name, id := range map[string]engine.UserID{"a": a, "b": b} {
				page, err := db.Projects(t.Context(), engine.Filter{Scope: &engine.Scope{User: id}})
				w.must(err)
				if len(page.Items) > 0 {
					out = append(out, name)
				}
			}
			slices.Sort(out)
			return strings.Join(out, " ")
		}
		p := w.create("root", func(p *engine.Project) { p.Assistants = []engine.UserID{a, a} })
		for _, test := range []struct {
			list []engine.UserID
			want string
		}{{[]engine.UserID{a, a}, "a"}, {[]engine.UserID{a, b}, "a b"}, {[]engine.UserID{b}, "b"}, {nil, ""}, {[]engine.UserID{a}, "a"}, {[]engine.UserID{}, ""}} {
			p = w.update(p, func(p *engine.Project) { p.Assistants = test.list })
			if got := mine(); got != test.want {
				t.Errorf("assistants %v: seen by %q, want %q", test.list, got, test.want)
			}
		}
	})
}
