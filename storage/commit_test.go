package storage_test

import (
	"errors"
	"fmt"
	"reflect"
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

// full sets every field of a project to something that a careless column would lose.
func full(p *engine.Project, owner, sponsor, assistant engine.UserID) {
	at := func(n int) *time.Time { return ptr(start.Add(time.Duration(n)*time.Hour + 7*time.Microsecond)) }
	p.Category, p.Need, p.Target, p.Measures = "校园环境", "需求 ? @ 'x'", `目标 \ "`, "举措\n二"
	p.Owner, p.Sponsor, p.Assistants = owner, sponsor, []engine.UserID{assistant, owner}
	p.Assisting, p.List, p.Extra = []string{"后勤处", "a,b"}, "2026-6", map[string]string{"监督电话": "0512"}
	p.ListID, p.Carried = "0199f000-0000-7000-8000-000000000001", 2
	p.LookBackDue, p.LookBacks, p.LookBacksFailed, p.LateAsks = calendar.MustDate("2027-03-01"), 2, 1, 3
	p.LookBack = &engine.LookBack{Passed: true, Lasting: true, By: sponsor, At: *at(19), Note: "在", ConfirmedBy: owner, ConfirmedAt: at(20)}
	p.Poll, p.PollHash = &engine.Poll{ID: "q", OpenedBy: owner, OpenedAt: *at(21), Closes: calendar.MustDate("2026-12-20"), ClosesAt: *at(22)}, string(p.ID)
	p.SourceKey = "key-" + string(p.ID)
	p.Deadline, p.OriginalDeadline = calendar.MustDate("2026-12-31"), calendar.MustDate("2026-11-30")
	p.DeadlineSetAt, p.Extensions, p.Stage, p.Resume, p.StartedAt = at(1), 1, "advance", "track", at(2)
	p.Returns, p.Round, p.Serial = 2, 3, 7
	p.Request = &engine.Request{Kind: engine.RequestExtension, Deadline: calendar.MustDate("2027-01-31"), By: owner, At: *at(3),
		Note: "注", Given: []engine.Approval{{By: sponsor, Role: engine.Leader, Step: 1, At: *at(4)}}}
	p.AcknowledgedAt = at(5)
	p.Milestones = map[string]engine.Milestone{"m1": {Title: "一", Due: calendar.MustDate("2026-10-31"), DoneAt: at(6), DoneNote: "好"}}
	p.Progress, p.Reports, p.ReportedAt, p.EvidenceCount = 40, 4, at(7), 5
	p.Verification = &engine.Verification{Passed: true, By: sponsor, At: *at(8), Note: "n"}
	p.Survey = &engine.Survey{VerySatisfied: 1, Satisfied: 2, Basic: 3, Dissatisfied: 4, VeryDissatisfied: 5, By: owner, At: *at(9)}
	p.Objections = map[string]engine.Objection{"o1": {Text: "t", By: "x", At: *at(10), Answer: "a", AnsweredBy: owner, AnsweredAt: at(11)}}
	p.Summary, p.Lasting, p.UrgedOn, p.Urges = "成效", "机制", calendar.MustDate("2026-12-01"), 6
	p.OverdueAt, p.EverOverdue, p.ClosedAt = at(12), true, at(13)
	p.Fired = map[string]string{"t1": "2026-12-31"}
	p.Year, p.Statement, p.Grade = 2026, "说明", "passed"
	p.Former, p.Paused = []engine.UserID{sponsor}, &engine.Pause{From: *at(19), To: *at(20)}
	p.Findings = map[string]engine.Finding{"f1": {Note: "n", Evidence: []engine.MarkProof{{}}, By: sponsor, At: *at(22), ConfirmedBy: owner, ConfirmedAt: *at(23)}}
	p.Marks = map[string]engine.Mark{"k1": {Kind: "promote", By: sponsor, At: *at(21), Note: "n", Seq: 3, Head: "h", Evidence: []engine.MarkProof{{}}}}
	p.Distinctions = ",promote,"
	p.Materials = map[string]int{"report": 2}
	p.StageDue, p.YellowAt, p.OrangeAt, p.RedAt, p.NextAt = at(14), at(15), at(16), at(17), at(18)
	p.Waiting, p.CalendarUnknown = ",supervisor,leader,", true
}

func TestCommitRoundTrip(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		a, b, c := w.user("a"), w.user("b"), w.user("c")
		empty := w.create("root", nil)
		if diff := cmp.Diff(empty, w.get(empty.ID)); diff != "" {
			t.Errorf("an empty project changed on its way (-written +read):\n%s", diff)
		}
		whole := w.create("root", func(p *engine.Project) { full(p, a.ID, b.ID, c.ID) })
		for v, i := reflect.ValueOf(whole), 0; i < v.NumField(); i++ {
			if v.Field(i).IsZero() {
				t.Errorf("this test leaves %s empty and would not see it lost", v.Type().Field(i).Name)
			}
		}
		got := w.get(whole.ID)
		if diff := cmp.Diff(whole, got); diff != "" {
			t.Errorf("a full project changed on its way (-written +read):\n%s", diff)
		}
		if got.NextAt.Location() != time.UTC || got.CreatedAt.Location() != time.UTC {
			t.Errorf("times came back in %v and %v, want UTC", got.NextAt.Location(), got.CreatedAt.Location())
		}
		if string(got.State()) != string(whole.State()) {
			t.Errorf("state changed on its way: %s, want %s", got.State(), whole.State())
		}
		// From everything to nothing and back, so that no column is left out of the update.
		bare := w.update(whole, func(p *engine.Project) {
			*p = engine.Project{ID: p.ID, Number: p.Number, Kind: p.Kind, Definition: "d2", UnitID: p.UnitID, UnitPath: p.UnitPath,
				SourceKey: p.SourceKey, Stage: "plan", StageSince: start, CreatedBy: p.CreatedBy, CreatedAt: p.CreatedAt, UpdatedAt: start}
		})
		if diff := cmp.Diff(bare, w.get(whole.ID)); diff != "" {
			t.Errorf("an emptied project changed on its way (-written +read):\n%s", diff)
		}
		again := w.update(bare, func(p *engine.Project) { full(p, b.ID, c.ID, a.ID) })
		if diff := cmp.Diff(again, w.get(whole.ID)); diff != "" {
			t.Errorf("a refilled project changed on its way (-written +read):\n%s", diff)
		}
	})
}

func TestCommitWritesEverythingOrNothing(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		p := w.create("root", nil)
		with := func(c engine.Change) engine.Change {
			c.Evidence = []engine.Evidence{
				{ID: newID(), ProjectID: p.ID, Name: "照片.jpg", Type: "image/jpeg", Size: 5, SHA256: audit.HashContent([]byte("x")), Milestone: "m", Note: "n", By: "u", At: w.now},
				{ID: newID(), ProjectID: p.ID, Name: "b", Type: "t", Size: 1, SHA256: audit.HashContent([]byte("y")), By: "u", At: w.now},
			}
			c.Reminders = []engine.Reminder{{ID: newID(), ProjectID: p.ID, UnitID: p.UnitID, Entry: c.Entry.ID, Kind: "urge", Timer: "late",
				Role: engine.Owner, UserID: "u", Deadline: calendar.MustDate("2026-12-31"), DueAt: w.now, CreatedAt: w.now, DedupeKey: c.Entry.ID}}
			c.Key = &engine.IdempotencyKey{Actor: "u", Key: c.Entry.ID, Request: audit.HashContent([]byte("r")), Project: p.ID}
			return c
		}
		tables := []string{"projects", "entries", "evidence", "reminders", "idempotency"}
		sizes := func() string {
			var out []string
			for _, table := range tables {
				out = append(out, fmt.Sprintf("%s %d", table, w.count(table)))
			}
			return strings.Join(out, ", ")
		}
		c := with(w.next(p, func(p *engine.Project) { p.Title = "改" }))
		w.must(w.commit(c))
		evidence, err := db.Evidence(t.Context(), p.ID)
		w.must(err)
		if diff := cmp.Diff(c.Evidence, evidence); diff != "" {
			t.Errorf("evidence (-written +read):\n%s", diff)
		}
		reminders, err := db.Reminders(t.Context(), p.ID)
		w.must(err)
		if diff := cmp.Diff(c.Reminders, reminders); diff != "" {
			t.Errorf("reminders (-written +read):\n%s", diff)
		}
		key, err := db.Answered(t.Context(), "u", c.Key.Key)
		w.must(err)
		if diff := cmp.Diff(*c.Key, key); diff != "" {
			t.Errorf("key (-written +read):\n%s", diff)
		}
		if _, err := db.Answered(t.Context(), "other", c.Key.Key); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("somebody else's key: %v, want ErrNotFound", err)
		}
		stored := w.get(p.ID)

		for _, test := range []struct {
			name  string
			spoil func(c *engine.Change)
			want  error
		}{
			{"a stale base", func(c *engine.Change) {
				*c = with(w.next(p, nil)) // p is the version before
			}, engine.ErrConflict},
			{"a key that is taken", func(k *engine.Change) { k.Key.Key = c.Key.Key }, engine.ErrDuplicate},
			{"a reminder that went out before", func(k *engine.Change) { k.Reminders[0].DedupeKey = c.Reminders[0].DedupeKey }, engine.ErrDuplicate},
			{"evidence that exists", func(k *engine.Change) { k.Evidence[1].ID = c.Evidence[1].ID }, engine.ErrDuplicate},
			{"an entry that exists", func(k *engine.Change) { k.Entry.ID = c.Entry.ID; *k = w.seal(*k) }, engine.ErrDuplicate},
		} {
			t.Run(test.name, func(t *testing.T) {
				before := sizes()
				c := with(w.next(stored, func(p *engine.Project) { p.Title = "不行" }))
				test.spoil(&c)
				if got := w.commit(c); !errors.Is(got, test.want) {
					t.Errorf("commit: %v, want %v", got, test.want)
				}
				if after := sizes(); after != before {
					t.Errorf("something was written: %s, before %s", after, before)
				}
				if diff := cmp.Diff(stored, w.get(p.ID)); diff != "" {
					t.Errorf("the project changed:\n%s", diff)
				}
			})
		}
	})
}

func TestCommitAnswersForEach(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		p, q, r := w.create("root", nil), w.create("root", nil), w.create("root", nil)
		first := w.next(p, func(p *engine.Project) { p.Progress = 10 })
		second := w.next(first.Project, func(p *engine.Project) { p.Progress = 20 })
		stale := w.next(q, nil)
		q = w.update(q, nil)
		taken := w.project("root")
		taken.Number = r.Number
		exists := w.change(nil, r)
		exists.Project.Number = "other"
		good := w.change(nil, w.project("root"))
		last := w.next(r, func(p *engine.Project) { p.Progress = 30 })

		got := db.Commit(t.Context(), first, stale, w.change(nil, taken), second, exists, good, last)
		want := []error{nil, engine.ErrConflict, engine.ErrDuplicate, nil, engine.ErrConflict, nil, nil}
		for i := range want {
			if !errors.Is(got[i], want[i]) || want[i] == nil && got[i] != nil {
				t.Errorf("change %d: %v, want %v", i, got[i], want[i])
			}
		}
		if x := w.get(p.ID); x.Progress != 20 || x.Version != 3 {
			t.Errorf("two changes of one project in order: progress %d, version %d, want 20 and 3", x.Progress, x.Version)
		}
		if x := w.get(r.ID); x.Progress != 30 || x.Number != r.Number {
			t.Errorf("a good change behind bad ones: progress %d, number %s, want 30 and %s", x.Progress, x.Number, r.Number)
		}
		if x := w.get(q.ID); x.Version != 2 {
			t.Errorf("a stale change was written: version %d, want 2", x.Version)
		}
		w.get(good.Project.ID)

		out := db.Commit(t.Context(), w.next(second.Project, nil), w.next(first.Project, nil))
		if out[0] != nil || !errors.Is(out[1], engine.ErrConflict) {
			t.Errorf("the second of two changes on one version: %v, want a conflict for it alone", out)
		}
		if out := db.Commit(t.Context()); len(out) != 0 {
			t.Errorf("no changes: %v, want no answers", out)
		}
	})
}

func TestCommitRefusesWhatDoesNotBelongTogether(t *testing.T) {
	db := storagetest.Open(t, storage.SQLite)
	w := newWorld(t, db)
	p := w.create("root", nil)
	for _, test := range []struct {
		name  string
		spoil func(c *engine.Change)
	}{
		{"another base", func(c *engine.Change) { c.Base-- }},
		{"another version", func(c *engine.Change) { c.Project.Version++ }},
		{"another head", func(c *engine.Change) { c.Project.Head[0]++ }},
		{"other bytes", func(c *engine.Change) { c.Bytes = []byte("{}") }},
		{"another project", func(c *engine.Change) { c.Project.ID = engine.ProjectID(newID()) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := w.next(p, nil)
			test.spoil(&c)
			good := w.change(nil, w.project("root"))
			out := db.Commit(t.Context(), c, good)
			if out[0] == nil || out[1] != nil {
				t.Errorf("got %v, want an error for the first alone", out)
			}
			if got := w.get(p.ID); got.Version != p.Version {
				t.Errorf("version %d, want %d", got.Version, p.Version)
			}
		})
	}
}

// Fifty people press the same button at the same moment.
func TestCommitConcurrently(t *testing.T) {
	const people = 50
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		p := w.create("root", nil)
		fresh := w.project("root")
		for _, test := range []struct {
			name string
			make func() engine.Change
		}{
			{"changes of one project", func() engine.Change { return w.next(p, nil) }},
			{"creations of one project", func() engine.Change { return w.change(nil, fresh) }},
		} {
			t.Run(test.name, func(t *testing.T) {
				changes := make([]engine.Change, people)
				for i := range changes {
					changes[i] = test.make()
				}
				out := make([]error, people)
				var all sync.WaitGroup
				for i := range changes {
					all.Go(func() { out[i] = db.Commit(t.Context(), changes[i])[0] })
				}
				all.Wait()
				done, conflicts := 0, 0
				for _, err := range out {
					switch {
					case err == nil:
						done++
					case errors.Is(err, engine.ErrConflict):
						conflicts++
					default:
						t.Errorf("neither done nor a conflict: %v", err)
					}
				}
				if done != 1 || conflicts != people-1 {
					t.Errorf("%d done and %d conflicts, want 1 and %d", done, conflicts, people-1)
				}
			})
		}
	})
}

// Batches that touch the same projects in opposite order must not stop each other.
func TestCommitBatchesDoNotDeadlock(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		var list []engine.Project
		for range 8 {
			list = append(list, w.create("root", nil))
		}
		const rounds = 20
		batches := make([][]engine.Change, 2*rounds)
		for i := range batches {
			for j := range list {
				k := j
				if i%2 == 1 {
					k = len(list) - 1 - j
				}
				batches[i] = append(batches[i], w.next(list[k], nil))
			}
		}
		var all sync.WaitGroup
		out := make([][]error, len(batches))
		for i := range batches {
			all.Go(func() { out[i] = db.Commit(t.Context(), batches[i]...) })
		}
		all.Wait()
		done := 0
		for _, errs := range out {
			for _, err := range errs {
				if err == nil {
					done++
				} else if !errors.Is(err, engine.ErrConflict) {
					t.Errorf("neither done nor a conflict: %v", err)
				}
			}
		}
		if done != len(list) {
			t.Errorf("%d done, want each of %d projects changed once", done, len(list))
		}
	})
}
