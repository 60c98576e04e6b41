package storage_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// busy fills a database as if it had been used for a while: many units, stages, days and people, so that an index
// is worth its while.
func busy(t *testing.T, db *storage.DB) (w *world, owner engine.User) {
	t.Helper()
	const count = 3000
	w = newWorld(t, db)
	owner = w.user("owner")
	var codes []string
	for i := range 40 {
		parent := "root"
		if i >= 8 {
			parent = fmt.Sprint("u", i%8)
		}
		codes = append(codes, fmt.Sprint("u", i))
		w.unit(codes[i], parent)
	}
	var changes []engine.Change
	for i := range count {
		p := w.project(codes[i%len(codes)])
		p.Stage = []engine.StageID{"plan", "deploy", "advance", "track", "feedback", "effect", engine.Closed}[i%7]
		p.Kind = []string{"shishi", "shishi", "shuji"}[i%3]
		p.Deadline = calendar.MustDate("2026-01-01").AddDays(i % 365)
		p.UpdatedAt = start.Add(time.Duration(i*7919%count) * time.Minute)
		if p.Stage == engine.Closed {
			p.ClosedAt = ptr(start.Add(time.Duration(i) * time.Hour))
		}
		p.Definition = fmt.Sprint("d", i%5)
		if i%50 == 0 {
			p.Owner, p.List, p.Waiting = owner.ID, fmt.Sprint("2026-", i%6), ",supervisor,"
			p.Assistants, p.Sponsor, p.CalendarUnknown = []engine.UserID{owner.ID}, owner.ID, true
		}
		if i%20 == 0 {
			p.NextAt = ptr(start.Add(time.Duration(i-count/2) * time.Minute))
		}
		c := w.change(nil, p)
		c.Entry.Action = []string{"create", "edit", "submit", "approve", "report"}[i%5]
		c.Entry.Actor.ID = fmt.Sprint("someone", i%60)
		changes = append(changes, w.seal(c))
	}
	w.must(w.commit(changes...))
	return w, owner
}

// Lists, trails and sweeps are read from an index in the order that they are wanted in: no page costs more because
// there is more behind it.
func TestPlans(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w, owner := busy(t, db)
		if db.Backend() == storage.Postgres {
			w.exec("VACUUM ANALYZE")
			checkPlans(t, w, owner)
			return
		}
		t.Run("without statistics", func(t *testing.T) { checkPlans(t, w, owner) })
		w.exec("ANALYZE")
		t.Run("with statistics", func(t *testing.T) { checkPlans(t, w, owner) })
	})
}

func checkPlans(t *testing.T, w *world, owner engine.User) {
	db := w.db
	leaf, branch, root := w.units["u39"], w.units["u1"], w.units["root"]
	list := func(f engine.Filter) func() (string, error) {
		f.Now = start
		return func() (string, error) { return db.ListPlan(t.Context(), f) }
	}
	trail := func(f engine.EntryFilter) func() (string, error) {
		return func() (string, error) { return db.TrailPlan(t.Context(), f) }
	}
	page, err := db.Projects(t.Context(), engine.Filter{Limit: 5})
	w.must(err)
	byDay, err := db.Projects(t.Context(), engine.Filter{Limit: 5, Sort: engine.ByDeadline})
	w.must(err)
	open, err := db.Projects(t.Context(), engine.Filter{Limit: 5, Open: true, Sort: engine.ByDeadline})
	w.must(err)
	openSecond, err := db.Projects(t.Context(), engine.Filter{Limit: 5, Open: true, Sort: engine.ByDeadline, After: open.Next})
	w.must(err)
	due, err := db.Due(t.Context(), start, "", 5)
	w.must(err)
	entries, err := db.Entries(t.Context(), engine.EntryFilter{Limit: 5})
	w.must(err)
	const pk = "projects_pkey|sqlite_autoindex_projects_1"
	type row struct {
		name  string
		plan  func() (string, error)
		index string // one of these
		few   bool   // so little that collecting and sorting it may be right
	}
	rows := []row{
		{"everything", list(engine.Filter{}), pk, false},
		{"the next page", list(engine.Filter{After: page.Next}), pk, false},
		{"by deadline", list(engine.Filter{Sort: engine.ByDeadline}), "projects_deadline", false},
		{"by deadline, the next page", list(engine.Filter{Sort: engine.ByDeadline, After: byDay.Next}), "projects_deadline", false},
		{"by deadline, latest first", list(engine.Filter{Sort: engine.ByLatest}), "projects_deadline", false},
		{"oldest first", list(engine.Filter{Sort: engine.ByOldest}), pk, false},
		{"what is open, by deadline", list(engine.Filter{Open: true, Sort: engine.ByDeadline}), "projects_open_deadline|projects_deadline", false},
		{"what is open, the page before", list(engine.Filter{Open: true, Sort: engine.ByDeadline, After: openSecond.Prev}), "projects_open_deadline|projects_deadline", false},
		{"what is open", list(engine.Filter{Open: true}), "projects_open_id|" + pk, false},
		{"longest unchanged", list(engine.Filter{Sort: engine.ByStale}), "projects_updated", false},
		{"due within days", list(engine.Filter{DueFrom: calendar.MustDate("2026-03-02"), DueTo: calendar.MustDate("2026-03-08"), Sort: engine.ByDeadline}), "projects_deadline", false},
		{"closed within a week", list(engine.Filter{ClosedFrom: start, ClosedTo: start.Add(2 * time.Hour)}), "projects_closed", true},
		{"last changed", list(engine.Filter{Sort: engine.ByUpdated}), "projects_updated", false},
		{"a leaf", list(engine.Filter{Unit: leaf.ID}), "projects_unit", false},
		{"a branch of the tree", list(engine.Filter{Unit: branch.ID}), "projects_unit|" + pk, true},
		{"the whole tree", list(engine.Filter{Unit: root.ID}), pk, false},
		{"a kind", list(engine.Filter{Kind: "shuji"}), "projects_kind|" + pk, false},
		{"a stage", list(engine.Filter{Stage: []engine.StageID{"track"}}), "projects_stage|" + pk, false},
		{"an owner", list(engine.Filter{Owner: owner.ID}), "projects_owner", true},
		{"a list", list(engine.Filter{List: "2026-2", Sort: engine.ByUpdated}), "projects_list", true},
		{"what is overdue, latest first", list(engine.Filter{Overdue: ptr(true), Sort: engine.ByLatest}), "projects_overdue", true},
		{"a stage, by deadline", list(engine.Filter{Stage: []engine.StageID{"track"}, Sort: engine.ByDeadline}), "projects_stage_deadline|projects_open_deadline|projects_deadline", false},
		{"what was closed, last changed", list(engine.Filter{Stage: []engine.StageID{engine.Closed}, Sort: engine.ByUpdated}), "projects_stage_updated|projects_updated", false},
		{"what is open, longest unchanged", list(engine.Filter{Open: true, Sort: engine.ByStale}), "projects_open_updated|projects_updated", false},
		{"what waits", list(engine.Filter{Waiting: []engine.Role{engine.Supervisor}}), "projects_waiting_deadline|projects_waiting", true},
		{"what waits, by deadline", list(engine.Filter{Waiting: []engine.Role{engine.Supervisor}, Sort: engine.ByDeadline}), "projects_waiting_deadline|projects_waiting", true},
		{"unknown years", list(engine.Filter{Unknown: true}), "projects_unknown", false},
		{"what is mine", list(engine.Filter{Scope: &engine.Scope{User: owner.ID}}), "projects_owner", true},
		{"a leaf's and mine", list(engine.Filter{Scope: &engine.Scope{User: owner.ID, Paths: []string{leaf.Path}}}), "projects_owner", true},
		{"all that I see", list(engine.Filter{Scope: &engine.Scope{User: owner.ID, Paths: []string{root.Path}}}), pk, false},
		{"what is due", func() (string, error) { return db.DuePlan(t.Context(), start.Add(-24*time.Hour), "") }, "projects_next", false},
		{"the next page of what is due", func() (string, error) { return db.DuePlan(t.Context(), start, due.Next) }, "projects_next", false},

		{"the whole trail", trail(engine.EntryFilter{}), "entries_at", false},
		{"the trail's next page", trail(engine.EntryFilter{After: entries.Next}), "entries_at", false},
		{"a subject", trail(engine.EntryFilter{Subject: "project/" + string(page.Items[0].ID)}), "entries_subject_seq_key|sqlite_autoindex_entries_2", false},
		{"an actor", trail(engine.EntryFilter{Actor: "someone7"}), "entries_actor", false},
		{"an action", trail(engine.EntryFilter{Actions: []string{"approve"}}), "entries_action|entries_at", false},
		{"a leaf's trail", trail(engine.EntryFilter{Unit: leaf.ID}), "entries_unit", false},
		{"a span of time", trail(engine.EntryFilter{From: start.Add(time.Hour), To: start.Add(65 * time.Minute)}), "entries_at", false},
		{"the beginning", trail(engine.EntryFilter{To: start.Add(time.Minute), OldestFirst: true}), "entries_at", false},
	}
	if db.Backend() == storage.SQLite { // PostgreSQL knows that this table is small enough to read whole
		rows = append(rows,
			row{"red ones, by deadline", list(engine.Filter{Light: []engine.Light{engine.Red}, Sort: engine.ByDeadline}), "projects_open_deadline", false},
			row{"by light", list(engine.Filter{Sort: engine.ByLight}), "projects_open_deadline", false})
	}
	for _, test := range rows {
		t.Run(test.name, func(t *testing.T) {
			plan, err := test.plan()
			if err != nil {
				t.Fatal(err)
			}
			if !regexp.MustCompile(`\b(` + test.index + `)\b`).MatchString(plan) {
				t.Errorf("the index %s is not used:\n%s", test.index, plan)
			}
			// PostgreSQL knows how few rows belong to a leaf or to an actor, and may fetch and sort them.
			few := test.few || db.Backend() == storage.Postgres && strings.Contains(plan, "Bitmap Index Scan on "+test.index)
			if !few && (strings.Contains(plan, "TEMP B-TREE FOR ORDER BY") || strings.Contains(plan, "Sort Key")) {
				t.Errorf("it sorts:\n%s", plan)
			}
			if scan := regexp.MustCompile(`Seq Scan on (projects|entries)|SCAN (p|e)$`).FindString(plan); scan != "" && (!few || db.Backend() != storage.Postgres) {
				t.Errorf("it reads everything (%s):\n%s", scan, plan)
			}
		})
	}
}
