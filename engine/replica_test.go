package engine_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
	"bihuan/storage"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

// Replicas that sweep the same database at the same moment record every rung once, in order.
func TestReplicasSweepTogether(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		engines := []*engine.Engine{h.e, h.replica(), h.replica()}
		d := h.draft()
		d.Deadline = day("2026-10-12")
		var ids []engine.ProjectID
		for i := range 8 {
			d.Title = numbered(i)
			p := h.propose(d)
			h.does("owner", &p, engine.Submit{Transition: "deploy"})
			h.does("supervisor", &p, engine.Approve{})
			ids = append(ids, p.ID)
		}
		counts := make([]int, len(engines))
		for _, when := range []string{"2026-09-29 09:00", "2026-10-09 10:00", "2026-10-13 00:00", "2026-10-13 00:00", "2026-10-16 12:00", "2026-10-30 12:00"} {
			h.clock.set(clockTime(when))
			together(len(engines), func(i int) {
				n, err := engines[i].Sweep(t.Context())
				if err != nil {
					t.Errorf("%s: %v", when, err)
				}
				counts[i] += n
			})
			h.sweep() // what the replicas took from each other is for the next sweep
		}
		want := []string{
			"2026-09-29 09:00 rung acknowledge", "2026-09-30 09:00 rung acknowledge_late", "2026-10-08 09:00 rung before3",
			"2026-10-10 09:00 rung deploy_late", "2026-10-11 09:00 rung before1", "2026-10-13 00:00 overdue",
			"2026-10-13 09:00 rung after1", "2026-10-15 09:00 rung after3", "2026-10-20 09:00 rung after6",
		}
		for _, id := range ids {
			var got []string
			for _, row := range h.trail("project/" + string(id)) {
				if row.Actor.Via == engine.ViaClock {
					got = append(got, clockLine(t, row.Entry))
				}
			}
			equalLines(t, string(id), got, want)
			list, err := db.Reminders(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for _, r := range list {
				key := fmt.Sprintf("%s %s %s %s", r.Timer, r.Role, r.UserID, r.Entry)
				if seen[key] {
					t.Errorf("%s is owed twice", key)
				}
				seen[key] = true
			}
		}
		if n := h.sweep(); n != 0 {
			t.Errorf("a further sweep did %d things", n)
		}
		h.intact()
	})
}

const circle = `id: circle
version: 1
name: {zh: 兜圈, en: circle}
number: YQ
create: [supervisor]
stages:
  - {id: to, name: {zh: 去, en: to}, acts: [edit]}
  - {id: fro, name: {zh: 回, en: fro}, acts: [report]}
transitions:
  - {id: go, name: {zh: 去, en: go}, from: to, to: fro, trigger: auto, require: [{id: always, rule: HasOwner, message: {zh: 没有承办人, en: no owner}}]}
  - {id: back, name: {zh: 回, en: back}, from: fro, to: to, trigger: auto, require: [{id: always, rule: HasOwner, message: {zh: 没有承办人, en: no owner}}]}
  - {id: close, name: {zh: 销号, en: close}, from: fro, to: closed, submit: [owner], approve: [supervisor]}
`

// More projects than a page holds, each of which keeps the clock busy for ever: a sweep ends all the same.
func TestSweepOfCirclesEnds(t *testing.T) {
	t.Parallel()
	db := storagetest.Open(t, storage.SQLite)
	h := settle(t, db, "2026-09-24 10:00")
	h.clock.step = 1 // as real clocks do, this one goes on while the sweep works
	if _, err := h.e.Publish(t.Context(), h.people["admin"], []byte(circle)); err != nil {
		t.Fatal(err)
	}
	rows := make([]engine.ImportRow, 101)
	for i := range rows {
		rows[i] = engine.ImportRow{Row: i + 1, Unit: h.units["b"], Draft: engine.Draft{Title: numbered(i), Owner: h.people["owner"].ID}}
	}
	if _, err := h.e.Import(t.Context(), h.people["supervisor"], "circle", rows, false); err != nil {
		t.Fatal(err)
	}
	h.clock.set(clockTime("2026-09-25 10:00"))
	if n := h.sweep(); n < 101 || n > 101*20 {
		t.Errorf("%d things done", n)
	}
	h.intact()
}

func TestImport(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		ctx := t.Context()
		row := func(n int, title, deadline string) engine.ImportRow {
			r := engine.ImportRow{Row: n, Unit: h.units["b"], Draft: engine.Draft{Title: title, Extra: map[string]string{"监督电话": "12345"}},
				Number: fmt.Sprint(n), Source: map[string]string{"row": fmt.Sprint(n)}}
			if deadline != "" {
				r.Draft.Deadline = day(deadline)
			}
			return r
		}
		load := func(dry bool, rows ...engine.ImportRow) engine.Imported {
			t.Helper()
			got, err := h.e.Import(ctx, engine.Operator(), "shishi", rows, dry)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		count := func() int {
			t.Helper()
			n, err := db.Count(ctx, engine.Filter{Now: h.clock.now()})
			if err != nil {
				t.Fatal(err)
			}
			return n.Total
		}
		good := []engine.ImportRow{row(2, "改造照明", "2026-11-30"), row(3, "修缮食堂", "2026-03-31"), row(4, "加装电梯", "")}

		got := load(false, good[0], row(3, "", ""), row(4, strings.Repeat("长", 201), ""), row(5, "改造照明", "2026-11-30"))
		if len(got.Problems) != 2 || len(got.Created) != 0 || count() != 0 {
			t.Errorf("half an import: %+v, %d projects", got.Problems, count())
		}
		got = load(false, good[0], good[1], good[0])
		if len(got.Problems) != 1 || got.Problems[0].Err.(*engine.Error).Key != "import.same_row" || count() != 0 {
			t.Errorf("a row twice: %+v", got.Problems)
		}
		if got = load(true, good...); len(got.Created) != 3 || count() != 0 {
			t.Errorf("a dry run created %d, stored %d", len(got.Created), count())
		}
		if got = load(false, good...); len(got.Created) != 3 || len(got.Known) != 0 || count() != 3 {
			t.Errorf("created %d, known %d, stored %d", len(got.Created), len(got.Known), count())
		}
		if got.Created[0].Number != "SS2026-0001" || got.Created[1].Deadline != day("2026-03-31") {
			t.Errorf("%+v", got.Created)
		}
		if got = load(false, good...); len(got.Created) != 0 || len(got.Known) != 3 || count() != 3 {
			t.Errorf("a second import created %d, knew %d, stored %d", len(got.Created), len(got.Known), count())
		}
		moved := slices.Clone(good)
		moved[0].Row, moved[0].Source = 9, map[string]string{"row": "9"}
		moved = append(moved, row(5, "新增车位", "2026-12-31"))
		if got = load(false, moved...); len(got.Created) != 1 || len(got.Known) != 3 || count() != 4 {
			t.Errorf("with one more row: created %d, knew %d, stored %d", len(got.Created), len(got.Known), count())
		}
		if _, err := h.e.Import(ctx, h.people["leader"], "shishi", []engine.ImportRow{row(7, "无权", "")}, false); engine.KindOf(err) != engine.Denied {
			t.Errorf("imported by a leader: %v", err)
		}
		if _, err := h.e.Import(ctx, h.people["leader"], "shishi", good, true); engine.KindOf(err) != engine.Denied {
			t.Errorf("a leader learned which rows are known: %v", err)
		}
		if got := h.refusals("leader"); !slices.Equal(got, []string{"create.role", "create.role"}) {
			t.Errorf("recorded refusals: %v", got)
		}
		own, err := h.e.Import(ctx, h.people["supervisor"], "shishi", []engine.ImportRow{good[2], row(6, "添置座椅", "2026-12-01")}, false)
		if err != nil || !slices.Equal(own.From, []int{6}) || own.Known[4] == "" || own.Created[0].CreatedBy != h.people["supervisor"].ID || count() != 5 {
			t.Errorf("by a supervisor: %+v, %v", own, err)
		}
		elsewhere := row(7, "别处", "")
		elsewhere.Unit = h.units["zz"]
		if _, err := h.e.Import(ctx, h.people["supervisor"], "shishi", []engine.ImportRow{row(8, "此处", ""), elsewhere}, false); engine.KindOf(err) != engine.Denied || count() != 5 {
			t.Errorf("a row for a unit that is not the supervisor's: %v, %d projects", err, count())
		}
		results := make([]engine.Imported, 3)
		together(3, func(i int) {
			var err error
			if results[i], err = h.e.Import(ctx, engine.Operator(), "shishi", []engine.ImportRow{row(8, "同时", "2026-12-01"), row(9, "同刻", "2026-12-01")}, false); err != nil {
				t.Error(err)
			}
		})
		created := 0
		for _, r := range results {
			created += len(r.Created)
		}
		if created != 2 || count() != 7 {
			t.Errorf("three imports at once created %d, stored %d", created, count())
		}
		// The unit of the second row moves away after its path was read: the first row is not imported either.
		before := h.units["zz"]
		if _, err := h.e.MoveUnit(ctx, engine.Operator(), "zz", "z"); err != nil {
			t.Fatal(err)
		}
		moving := []engine.ImportRow{row(10, "留下", "2026-12-01"), row(11, "移走", "2026-12-01")}
		moving[1].Unit = before
		if _, err := h.e.Import(ctx, engine.Operator(), "shishi", moving, false); engine.KindOf(err) != engine.Conflict || count() != 7 {
			t.Errorf("with a unit that moved meanwhile: %v, %d projects", err, count())
		}
		h.intact()
	})
}

func TestPublishPreviewAndRepin(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		ctx := t.Context()
		p := h.propose(h.draft())
		shelved := h.propose(h.draft())
		for _, cmd := range []engine.Command{evidence(), engine.Submit{Transition: "shelve", Note: "经费未到位"}} {
			h.does("owner", &shelved, cmd)
		}
		h.does("leader", &shelved, engine.Approve{})

		source, _ := workflows.Source("shishi")
		version := func(n int, change ...string) []byte {
			return []byte(strings.NewReplacer(append([]string{"\nversion: 1\n", fmt.Sprintf("\nversion: %d\n", n)}, change...)...).Replace(string(source)))
		}
		publish := func(source []byte) error {
			_, err := h.e.Publish(ctx, h.people["admin"], source)
			return err
		}
		if _, err := h.e.Publish(ctx, h.people["leader"], version(2)); engine.KindOf(err) != engine.Denied {
			t.Errorf("published by a leader: %v", err)
		}
		if err := publish([]byte("id: [")); err == nil {
			t.Error("published what cannot be read")
		}
		if err := publish(source); err != nil {
			t.Errorf("the same again: %v", err)
		}
		wantKind(t, "another text under the same version", publish(append(slices.Clone(source), "# note\n"...)), engine.Conflict, "workflow.version_taken")
		if err := publish(version(3, "offset: -3wd", "offset: -4wd")); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "an older version", publish(version(2)), engine.Conflict, "workflow.version_taken")
		if n := len(h.trail("workflow/shishi")); n != 2 {
			t.Errorf("%d publications in the trail", n)
		}

		// The project stays with its version until somebody moves it.
		was := p.Definition
		look, err := h.e.Preview(ctx, p)
		if err != nil || look.Same || look.Refused != nil || look.Before.Definition != was || look.After.Definition == was || look.To.Version != 3 {
			t.Errorf("%v: %+v", err, look)
		}
		h.does("owner", &p, engine.Edit{Draft: engine.DraftOf(&p)})
		if p.Definition != was {
			t.Error("an edit moved the project to another definition")
		}
		h.does("owner", &p, engine.Submit{Transition: "deploy"})
		_, err = h.e.Repin(ctx, h.people["admin"], p.ID)
		wantKind(t, "with a pending request", err, engine.Blocked, "request.pending")
		h.does("supervisor", &p, engine.Approve{})
		_, err = h.e.Repin(ctx, h.people["supervisor"], p.ID)
		wantKind(t, "by a supervisor", err, engine.Denied, "act.role")
		if p, err = h.e.Repin(ctx, h.people["admin"], p.ID); err != nil || p.Definition == was {
			t.Errorf("%v: %s", err, p.Definition)
		}
		again, err := h.e.Repin(ctx, h.people["admin"], p.ID)
		if err != nil || again.Version != p.Version {
			t.Errorf("moving twice: %v, version %d → %d", err, p.Version, again.Version)
		}
		h.does("owner", &p, engine.Acknowledge{}) // under the new version
		if other := h.replica(); other != nil {
			if w, err := other.Workflow("shishi"); err != nil || w.Version != 3 {
				t.Errorf("a replica has version %v, %v", w, err)
			}
		}

		// A version without the stage that a shelved project is to come back to.
		if err := publish([]byte(strings.Replace(circle, "id: circle\nversion: 1", "id: shishi\nversion: 4", 1))); err != nil {
			t.Fatal(err)
		}
		look, err = h.e.Preview(ctx, shelved)
		if err != nil || engine.KindOf(look.Refused) != engine.Blocked {
			t.Errorf("%v: refused %v", err, look.Refused)
		}
		_, err = h.e.Repin(ctx, h.people["admin"], shelved.ID)
		wantKind(t, "the stage to come back to is gone", err, engine.Blocked, "workflow.stage_gone")
		h.intact()
	})
}

func TestLoadingACalendarMovesWhatWaitedForIt(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-12-01 10:00")
		ctx := t.Context()
		d := h.draft()
		d.Deadline = day("2027-01-06")
		p := h.propose(d)
		h.does("owner", &p, engine.Submit{Transition: "deploy"})
		h.does("supervisor", &p, engine.Approve{})
		h.does("owner", &p, engine.Acknowledge{})
		d.Deadline = day("2026-12-16")
		known := h.propose(d)
		if !p.CalendarUnknown || known.CalendarUnknown {
			t.Fatalf("unknown %v and %v, want yes and no", p.CalendarUnknown, known.CalendarUnknown)
		}
		days := with2027(t).Days(2027)
		if _, err := h.e.LoadCalendar(ctx, h.people["leader"], days); engine.KindOf(err) != engine.Denied {
			t.Errorf("loaded by a leader: %v", err)
		}
		if _, err := h.e.LoadCalendar(ctx, h.people["admin"], days[:1]); engine.KindOf(err) != engine.Invalid {
			t.Errorf("half a year: %v", err)
		}
		n, err := h.e.LoadCalendar(ctx, h.people["admin"], days)
		if err != nil || n != 1 {
			t.Errorf("%v: %d projects moved", err, n)
		}
		q, err := db.Project(ctx, p.ID)
		if err != nil || q.CalendarUnknown || q.Version != p.Version+1 {
			t.Errorf("%v: unknown %v, version %d → %d", err, q.CalendarUnknown, p.Version, q.Version)
		}
		if !h.replica().Working().Known(2027) {
			t.Error("a replica does not know the year")
		}
		if n, err = h.e.LoadCalendar(ctx, h.people["admin"], days); err != nil || n != 0 {
			t.Errorf("loaded twice: %v, %d projects moved", err, n)
		}
		h.clock.set(clockTime("2026-12-30 09:00"))
		h.sweep()
		var rungs []string
		for _, row := range h.trail(p.Subject()) {
			if row.Action == "rung" {
				rungs = append(rungs, clockLine(t, row.Entry))
			}
		}
		if !slices.Contains(rungs, "2026-12-30 09:00 rung before3") {
			t.Errorf("rungs %v", rungs)
		}
		h.intact()
	})
}

// A sweep finds out by itself that the calendar has changed under a project.
func TestSweepMovesWhatTheCalendarMoved(t *testing.T) {
	t.Parallel()
	db := storagetest.Open(t, storage.SQLite)
	h := settle(t, db, "2026-12-01 10:00")
	d := h.draft()
	d.Deadline = day("2026-12-16")
	p := h.propose(d)
	h.does("owner", &p, engine.Submit{Transition: "deploy"})
	h.does("supervisor", &p, engine.Approve{})
	days := append(calendar.Embedded().Days(2026), calendar.Day{Date: day("2026-12-02"), Name: "停电", Off: true})
	if _, err := h.e.LoadCalendar(t.Context(), h.people["admin"], days); err != nil {
		t.Fatal(err)
	}
	h.clock.set(*p.NextAt)
	if n := h.sweep(); n != 1 {
		t.Errorf("%d things done", n)
	}
	q, err := db.Project(t.Context(), p.ID)
	if err != nil || civil(*q.NextAt) != "2026-12-04 09:00" {
		t.Errorf("%v: next %s", err, civil(*q.NextAt))
	}
	var last audit.Entry
	for _, row := range h.trail(p.Subject()) {
		last = row.Entry
	}
	if last.Action != "reschedule" || !json.Valid(last.Data) || last.Actor.Via != engine.ViaClock {
		t.Errorf("%+v", last)
	}
	if h.clock.set(h.clock.now().Add(time.Minute)); h.sweep() != 0 {
		t.Error("it is moved twice")
	}
}
