package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// lists are the acts of the tests on lists, on whatever version is the newest.
type lists struct{ *house }

func (h lists) newest(id engine.ListID) engine.List {
	h.t.Helper()
	l, err := h.db.List(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return l
}

func (h lists) drawUp(number, from, to string) engine.List {
	h.t.Helper()
	l, err := h.e.DrawUp(h.t.Context(), h.people["second"], h.units["p"],
		engine.ListHeader{Number: number, Name: "双月实事清单 " + number, From: day(from), To: day(to)})
	if err != nil {
		h.t.Fatal(err)
	}
	return l
}

func (h lists) put(l engine.List, projects ...engine.ProjectID) engine.List {
	h.t.Helper()
	return h.must(h.e.PutOn(h.t.Context(), h.people["second"], l.ID, h.newest(l.ID).Version, projects))
}

func (h lists) must(l engine.List, err error) engine.List {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
	if stored := h.newest(l.ID); string(stored.JSON()) != string(l.JSON()) {
		h.t.Fatalf("what was answered is not what is stored:\n%s\n%s", l.JSON(), stored.JSON())
	}
	return l
}

func (h lists) publish(l engine.List) engine.List {
	h.t.Helper()
	return h.must(h.e.PublishList(h.t.Context(), h.people["leader"], l.ID, l.Version))
}

func (h lists) reconcile(l engine.List) engine.Reconciliation {
	h.t.Helper()
	r, err := h.e.Reconcile(h.t.Context(), h.people["leader"], l.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// some proposes projects with titles of their own that name no list.
func (h lists) some(n int, deadline string) []engine.Project {
	h.t.Helper()
	out := make([]engine.Project, n)
	for i := range out {
		d := h.draft()
		d.Title, d.List, d.Deadline = fmt.Sprintf("实事 %d", i+1), "", day(deadline)
		out[i] = h.propose(d)
	}
	return out
}

func ids(list []engine.Project) []engine.ProjectID {
	out := make([]engine.ProjectID, len(list))
	for i, p := range list {
		out[i] = p.ID
	}
	return out
}

// refuses checks the kind and key of a refusal, and that nothing was written.
func (h lists) refuses(err error, kind engine.Kind, key string) {
	h.t.Helper()
	e, ok := errors.AsType[*engine.Error](err)
	if !ok || e.Kind != kind || e.Key != key {
		h.t.Errorf("answer %v, want kind %d %s", err, kind, key)
	}
}

func TestListIsDrawnUpPublishedReconciledAndArchived(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := lists{settle(t, db, "2026-09-01 09:00")}
		ctx := t.Context()
		l := h.drawUp("2026-5", "2026-09-01", "2026-10-31")
		projects := h.some(4, "2026-10-20")

		_, err := h.e.PublishList(ctx, h.people["leader"], l.ID, l.Version)
		h.refuses(err, engine.Blocked, "lists.empty")

		l = h.put(l, ids(projects)...)
		if got := l.Order(); !slices.Equal(got, ids(projects)) {
			t.Errorf("order %v, want that of putting on", got)
		}
		l = h.must(h.e.Place(ctx, h.people["second"], l.ID, l.Version, projects[3].ID, 1))
		l = h.must(h.e.TakeOff(ctx, h.people["second"], l.ID, l.Version, projects[1].ID))
		want := []engine.ProjectID{projects[3].ID, projects[0].ID, projects[2].ID}
		if got := l.Order(); !slices.Equal(got, want) || l.Items[projects[2].ID].No != 3 {
			t.Errorf("order %v, want %v without a gap", got, want)
		}
		p, err := db.Project(ctx, projects[0].ID)
		if err != nil || p.ListID != l.ID || p.List != "2026-5" {
			t.Errorf("the project stands on %q %q (%v)", p.ListID, p.List, err)
		}
		if p, _ = db.Project(ctx, projects[1].ID); p.ListID != "" || p.List != "" {
			t.Errorf("the project that was taken off still names %q %q", p.ListID, p.List)
		}

		l = h.publish(l)
		_, err = h.e.TakeOff(ctx, h.people["second"], l.ID, l.Version, projects[0].ID)
		h.refuses(err, engine.Blocked, "lists.not_now")
		_, err = h.e.Place(ctx, h.people["second"], l.ID, l.Version, projects[0].ID, 1)
		h.refuses(err, engine.Blocked, "lists.not_now")
		l = h.put(l, projects[1].ID)
		if late := l.Items[projects[1].ID]; !late.Late || late.No != 4 || l.Items[projects[0].ID].Late {
			t.Errorf("a later addition is not marked: %+v", l.Items)
		}

		// The clock begins the reconciliation when the period is over, once.
		h.clock.set(clockTime("2026-10-31 23:59"))
		h.sweep()
		if l = h.newest(l.ID); l.State != engine.ListPublished {
			t.Errorf("reconciled before the period is over")
		}
		h.clock.set(clockTime("2026-11-02 09:00"))
		h.sweep()
		version := h.newest(l.ID).Version
		h.sweep()
		if l = h.newest(l.ID); l.State != engine.ListReconciling || l.Version != version {
			t.Errorf("state %s, version %d, want reconciling and %d", l.State, l.Version, version)
		}
		r := h.reconcile(l)
		if r.Open != 4 || r.Count[engine.OutOverdue] != 4 || len(r.Lines[0].Missing) == 0 {
			t.Errorf("open %d, %v, missing %v", r.Open, r.Count, r.Lines[0].Missing)
		}
		_, err = h.e.CloseList(ctx, h.people["leader"], l.ID, l.Version, "")
		h.refuses(err, engine.Blocked, "lists.open_items")

		next := h.drawUp("2026-6", "2026-11-01", "2026-12-31")
		for _, q := range projects {
			l = h.must(h.e.CarryOver(ctx, h.people["second"], l.ID, l.Version, q.ID, next.ID, "材料没有到齐"))
		}
		_, err = h.e.CarryOver(ctx, h.people["second"], l.ID, l.Version, projects[0].ID, next.ID, "再转一次")
		h.refuses(err, engine.Blocked, "lists.carried_already")
		carried, err := db.Project(ctx, projects[0].ID)
		if err != nil || carried.ListID != next.ID || carried.List != "2026-6" || carried.Carried != 1 || carried.Number != projects[0].Number ||
			carried.Deadline != day("2026-10-20") {
			t.Errorf("carried over: %+v (%v)", carried, err)
		}
		if item := h.newest(next.ID).Items[projects[0].ID]; item.From != l.ID || item.Times != 1 || item.Late {
			t.Errorf("on the next list: %+v", item)
		}
		// What a list accounts for by the next one cannot be dropped there before anybody has seen it.
		draft := h.newest(next.ID)
		_, err = h.e.TakeOff(ctx, h.people["second"], draft.ID, draft.Version, projects[0].ID)
		h.refuses(err, engine.Blocked, "lists.carried_in")
		l = h.must(h.e.CloseList(ctx, h.people["leader"], l.ID, l.Version, "第五期关账"))
		if l.State != engine.ListArchived || l.ClosedBy != h.people["leader"].ID || l.ClosedAt == nil {
			t.Errorf("closed: %+v", l)
		}
		_, err = h.e.PutOn(ctx, h.people["second"], l.ID, l.Version, ids(projects[:1]))
		h.refuses(err, engine.Blocked, "lists.not_now")
		entries := h.trail(l.Subject())
		last := entries[len(entries)-1]
		if last.Action != "close" || last.From != "reconciling" || last.To != "archived" || last.Actor.Role != "leader" || last.Unit != string(h.units["p"].ID) {
			t.Errorf("entry of the closing: %+v", last.Entry)
		}
		h.intact()
	})
}

func TestListRefusals(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := lists{settle(t, db, "2026-09-01 09:00")}
		ctx := t.Context()
		second, leader := h.people["second"], h.people["leader"]
		l := h.drawUp("2026-5", "2026-09-01", "2026-10-31")
		other := h.drawUp("2026-6", "2026-11-01", "2026-12-31")
		ps := h.some(2, "2026-10-20")
		l = h.put(l, ps[0].ID)
		header := engine.ListHeader{Number: "2026-7", Name: "清单", From: day("2026-09-01"), To: day("2026-10-31")}
		change := func(f func(h *engine.ListHeader)) engine.ListHeader { x := header; f(&x); return x }
		draw := func(who engine.Actor, x engine.ListHeader) error {
			_, err := h.e.DrawUp(ctx, who, h.units["p"], x)
			return err
		}
		put := func(who engine.Actor, l engine.List, p ...engine.ProjectID) error {
			_, err := h.e.PutOn(ctx, who, l.ID, l.Version, p)
			return err
		}
		carry := func(who engine.Actor, from engine.List, p engine.ProjectID, to engine.ListID, note string) error {
			_, err := h.e.CarryOver(ctx, who, from.ID, from.Version, p, to, note)
			return err
		}
		reconciling := h.publish(h.put(h.drawUp("2026-4", "2026-07-01", "2026-08-31"), ps[1].ID))
		h.sweep()
		reconciling = h.newest(reconciling.ID)
		beside := h.drawUp("2026-4b", "2026-07-01", "2026-08-31")
		own := h.person("own", "p", engine.Supervisor)
		mine := h.draft()
		mine.Owner, mine.List = own.ID, ""
		worked := h.propose(mine)
		second5 := h.put(l, worked.ID)
		for _, test := range []struct {
			name string
			err  error
			kind engine.Kind
			key  string
		}{
			{"a number that is taken", draw(second, change(func(x *engine.ListHeader) { x.Number = "2026-5" })), engine.Conflict, "lists.number_taken"},
			{"no number", draw(second, change(func(x *engine.ListHeader) { x.Number = " " })), engine.Invalid, "field.empty"},
			{"a number on two lines", draw(second, change(func(x *engine.ListHeader) { x.Number = "2026\n7" })), engine.Invalid, "field.not_text"},
			{"a number that looks like another", draw(second, change(func(x *engine.ListHeader) { x.Number = "2026-\u200b5" })), engine.Invalid, "field.not_text"},
			{"a number that runs backwards", draw(second, change(func(x *engine.ListHeader) { x.Number = "\u202e5-6202" })), engine.Invalid, "field.not_text"},
			{"no name", draw(second, change(func(x *engine.ListHeader) { x.Name = "" })), engine.Invalid, "field.empty"},
			{"ends before it begins", draw(second, change(func(x *engine.ListHeader) { x.To = day("2026-08-31") })), engine.Invalid, "lists.bad_period"},
			{"two years", draw(second, change(func(x *engine.ListHeader) { x.To = day("2028-08-31") })), engine.Invalid, "lists.long_period"},
			{"drawn up by an inspector", draw(h.people["inspector"], header), engine.Denied, "act.role"},
			{"put on by an owner", put(h.people["secretary"], l, ps[1].ID), engine.NotFound, "lists.unknown"},
			{"put on an old version", func() error { _, err := h.e.PutOn(ctx, second, l.ID, 1, ids(ps)); return err }(), engine.Stale, "lists.stale"},
			{"put on twice", put(second, second5, ps[0].ID), engine.Blocked, "lists.item_twice"},
			{"twice in one request", put(second, other, ps[1].ID, ps[1].ID), engine.Blocked, "lists.item_on_other"},
			{"on two lists", put(second, other, ps[0].ID), engine.Blocked, "lists.item_on_other"},
			{"nothing put on", put(second, other), engine.Invalid, "field.empty"},
			{"a project that does not exist", put(second, other, "0199f000-0000-7000-8000-000000000000"), engine.NotFound, "project.unknown"},
			{"placed beyond the end", func() error { _, err := h.e.Place(ctx, second, second5.ID, second5.Version, ps[0].ID, 3); return err }(), engine.Invalid, "lists.bad_place"},
			{"what is not on it", func() error { _, err := h.e.TakeOff(ctx, second, other.ID, other.Version, ps[0].ID); return err }(), engine.NotFound, "lists.item_unknown"},
			{"closing a draft", func() error { _, err := h.e.CloseList(ctx, leader, other.ID, other.Version, ""); return err }(), engine.Blocked, "lists.not_now"},
			{"carrying over from a draft", carry(second, second5, ps[0].ID, other.ID, "还没有做完"), engine.Blocked, "lists.not_now"},
			{"carrying over without a reason", carry(second, reconciling, ps[1].ID, other.ID, "无"), engine.Invalid, "note.too_short"},
			{"carrying over to itself", carry(second, reconciling, ps[1].ID, reconciling.ID, "还没有做完"), engine.Invalid, "lists.carry_to_itself"},
			{"carrying over into the same period", carry(second, reconciling, ps[1].ID, beside.ID, "还没有做完"), engine.Invalid, "lists.carry_not_there"},
			{"carrying over nowhere", carry(second, reconciling, ps[1].ID, "0199f000-0000-7000-8000-000000000000", "还没有做完"), engine.Invalid, "lists.unknown"},
			{"publishing by an operator", func() error {
				_, err := h.e.PublishList(ctx, engine.Operator(), second5.ID, second5.Version)
				return err
			}(), engine.Denied, "act.role"},
		} {
			t.Run(test.name, func(t *testing.T) { lists{&house{t: t}}.refuses(test.err, test.kind, test.key) })
		}
		before := h.newest(l.ID)
		published := h.publish(before)
		h.clock.set(clockTime("2026-11-02 09:00"))
		h.sweep()
		h.refuses(carry(own, h.newest(published.ID), worked.ID, other.ID, "我的还没做完"), engine.Denied, "four_eyes.own_work")

		// Whoever edits the draft cannot slip off the list.
		p, err := db.Project(ctx, ps[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		d := engine.DraftOf(&p)
		d.List = "2026-9"
		_, err = h.e.Do(ctx, h.people["owner"], p.ID, p.Version, engine.Edit{Draft: d})
		h.refuses(err, engine.Invalid, "lists.item_fixed")
		h.intact()
	})
}

func TestListIsReadByItsUnitAndOncePublishedBelow(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := lists{settle(t, db, "2026-09-01 09:00")}
		l := h.put(h.drawUp("2026-5", "2026-09-01", "2026-10-31"), ids(h.some(2, "2026-10-20"))...)
		reads := func(who string) bool {
			t.Helper()
			_, err := h.e.TheList(t.Context(), h.people[who], l.ID)
			page, listErr := h.e.Lists(t.Context(), h.people[who], engine.ListFilter{})
			if listErr != nil || (err == nil) != (len(page.Items) == 1) {
				t.Fatalf("%s: one list %v, all lists %d (%v)", who, err, len(page.Items), listErr)
			}
			return err == nil
		}
		for who, want := range map[string][2]bool{
			"second": {true, true}, "leader": {true, true}, "inspector": {true, true}, "supervisor": {false, true}, "elsewhere": {false, true}, "nobody": {false, false},
		} {
			if got := reads(who); got != want[0] {
				t.Errorf("%s reads the draft: %v", who, got)
			}
		}
		l = h.publish(l)
		for _, who := range []string{"second", "supervisor", "elsewhere"} {
			if !reads(who) {
				t.Errorf("%s does not read the published list", who)
			}
		}
		if reads("nobody") {
			t.Error("somebody without a role reads the list")
		}
		r, err := h.e.Reconcile(t.Context(), h.people["elsewhere"], l.ID)
		if err != nil || len(r.Lines) != 2 || r.Lines[0].Seen {
			t.Errorf("another unit sees %+v (%v)", r.Lines, err)
		}
	})
}

// Whoever tampers with a list's row is found out.
func TestVerifyFindsATamperedList(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := lists{settle(t, db, "2026-09-01 09:00")}
		l := h.publish(h.put(h.drawUp("2026-5", "2026-09-01", "2026-10-31"), ids(h.some(1, "2026-10-20"))...))
		if _, err := db.SQL().ExecContext(t.Context(), "UPDATE lists SET name = 'x'"); err != nil {
			t.Fatal(err)
		}
		report, err := db.Verify(t.Context(), storage.VerifyOptions{})
		if err != nil || report.Checked.Lists != 1 || len(report.Findings) != 1 || report.Findings[0].Subject != l.Subject() {
			t.Errorf("verification found %+v (%v)", report.Findings, err)
		}
	})
}

// A list of 500 items is put on, reconciled and closed; the figure is that of the reconciliation alone.
func TestReconcileFiveHundredItems(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := lists{settle(t, db, "2026-09-01 09:00")}
		rows := make([]engine.ImportRow, engine.MaxItems)
		for i := range rows {
			d := h.draft()
			d.Title, d.Deadline = fmt.Sprintf("实事 %d", i+1), day("2026-10-20")
			rows[i] = engine.ImportRow{Row: i + 1, Unit: h.units["b"], Draft: d}
		}
		got, err := h.e.Import(t.Context(), engine.Operator(), "shishi", rows, false)
		if err != nil || len(got.Created) != engine.MaxItems {
			t.Fatalf("import: %d, %v", len(got.Created), err)
		}
		l := h.publish(h.put(h.drawUp("2026-5", "2026-09-01", "2026-10-31"), ids(got.Created)...))
		if n := len(h.trail(l.Subject())); n != 1+5+1 {
			t.Errorf("%d entries, want one for each hundred items", n)
		}
		best := time.Hour
		for range 5 {
			start := time.Now()
			r := h.reconcile(l)
			best = min(best, time.Since(start))
			if r.Open != engine.MaxItems {
				t.Fatalf("open: %d", r.Open)
			}
		}
		t.Logf("500 items reconciled in %v", best)
		_, err = h.e.PutOn(t.Context(), h.people["second"], l.ID, l.Version, ids(h.some(1, "2026-10-20")))
		h.refuses(err, engine.Invalid, "lists.too_many_items")
	})
}
