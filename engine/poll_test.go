package engine_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// inFeedback brings a project into 反馈 by the ordinary way.
func (h *house) inFeedback() engine.Project {
	h.t.Helper()
	p := h.propose(h.draft())
	for _, x := range []struct {
		who string
		cmd engine.Command
	}{
		{"owner", engine.Submit{Transition: "deploy"}}, {"supervisor", engine.Approve{}}, {"owner", engine.Acknowledge{}},
		{"owner", engine.LayMilestones{Milestones: []engine.Milestone{{Title: "装好", Due: p.Deadline}}}},
		{"owner", engine.Submit{Transition: "advance"}}, {"supervisor", engine.Approve{}},
		{"owner", engine.Tick{ID: "m1", Note: "装好了"}}, {"owner", evidence()}, {"owner", engine.Report{Percent: 100, Done: "完成"}},
		{"owner", engine.Submit{Transition: "track"}}, {"supervisor", engine.Approve{}}, {"supervisor", engine.Verify{Passed: true, Note: "现场看过"}},
	} {
		h.does(x.who, &p, x.cmd)
	}
	return p
}

func device(i int) string { return fmt.Sprintf("device-%022d", i) }

func TestPollCountsEveryVoteOnce(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 09:00")
		ctx := t.Context()
		p := h.inFeedback()
		p, token, err := h.e.OpenPoll(ctx, h.people["supervisor"], p.ID, p.Version, day("2026-09-30"))
		if err != nil || len(token) != 22 || strings.Contains(string(p.State()), token) {
			t.Fatalf("token %q: %v", token, err)
		}
		opened := p.Version
		const devices, each = 400, 2
		start := time.Now()
		var all sync.WaitGroup
		for worker := range 8 {
			all.Go(func() {
				for i := worker; i < devices*each; i += 8 { // every device votes twice; the second counts
					level := 5
					if i%devices < 40 {
						level = 2
					}
					if err := h.e.Cast(ctx, token, device(i%devices), level, ""); err != nil {
						t.Errorf("vote %d: %v", i, err)
						return
					}
				}
			})
		}
		all.Wait()
		t.Logf("%d votes in %v", devices*each, time.Since(start))
		if q, _ := db.Project(ctx, p.ID); q.Version != opened {
			t.Errorf("votes rewrote the project: version %d, want %d", q.Version, opened)
		}
		h.clock.set(clockTime("2026-10-01 00:00"))
		err = h.e.Cast(ctx, token, device(1), 1, "")
		lists{h}.refuses(err, engine.NotFound, "poll.gone")
		if n := h.sweep(); n < 0 {
			t.Fatal(n)
		}
		if q, _ := db.Project(ctx, p.ID); q.Poll == nil {
			t.Error("counted before those who voted in time can have been written")
		}
		h.clock.set(clockTime("2026-10-01 00:02"))
		h.sweep()
		h.sweep()
		q, err := db.Project(ctx, p.ID)
		if err != nil || q.Survey.Votes() != devices || q.Survey.Dissatisfied != 40 || q.Survey.VerySatisfied != devices-40 || q.Poll != nil || q.PollHash != "" {
			t.Errorf("counted %+v (%v)", q.Survey, err)
		}
		counted := 0
		for _, e := range h.trail(p.Subject()) {
			if e.Action == "count_poll" {
				counted++
			}
		}
		if counted != 1 {
			t.Errorf("%d entries for one count", counted)
		}
		h.intact()
	})
}

// What a hall full of people writes at once becomes objections, every one of them once: a button pressed twice is one
// device.
func TestPollFilesEveryObjection(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 09:00")
		ctx := t.Context()
		p := h.inFeedback()
		_, token, err := h.e.OpenPoll(ctx, h.people["supervisor"], p.ID, p.Version, day("2026-09-30"))
		if err != nil {
			t.Fatal(err)
		}
		const people = 40
		var all sync.WaitGroup
		for i := range 2 * people {
			all.Go(func() {
				if err := h.e.Cast(ctx, token, device(i/2), 1, "晚上还是没有灯"); err != nil {
					t.Errorf("vote %d: %v", i, err)
				}
			})
		}
		all.Wait()
		if q, err := db.Project(ctx, p.ID); err != nil || len(q.Objections) != people {
			t.Errorf("%d objections, want %d (%v)", len(q.Objections), people, err)
		}
		h.intact()
	})
}

func TestPollRefusals(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := lists{settle(t, db, "2026-09-24 09:00")}
		ctx := t.Context()
		early := h.propose(h.draft())
		_, _, err := h.e.OpenPoll(ctx, h.people["supervisor"], early.ID, early.Version, day("2026-09-30"))
		h.refuses(err, engine.Blocked, "act.stage")
		p := h.inFeedback()
		for closes, key := range map[string]string{"2026-09-01": "deadline.past", "2027-09-01": "poll.too_long"} {
			_, _, err = h.e.OpenPoll(ctx, h.people["supervisor"], p.ID, p.Version, day(closes))
			h.refuses(err, engine.Invalid, key)
		}
		_, _, err = h.e.OpenPoll(ctx, h.people["owner"], p.ID, p.Version, day("2026-09-30"))
		h.refuses(err, engine.Denied, "act.role")
		h.refuses(h.e.Cast(ctx, "AAAAAAAAAAAAAAAAAAAAAA", device(1), 5, ""), engine.NotFound, "poll.gone") // forged
		h.refuses(h.e.Cast(ctx, "' OR 1=1 --", device(1), 5, ""), engine.NotFound, "poll.gone")
		p, token, err := h.e.OpenPoll(ctx, h.people["supervisor"], p.ID, p.Version, day("2026-09-30"))
		if err != nil {
			t.Fatal(err)
		}
		h.refuses(h.e.Cast(ctx, token, device(1), 6, ""), engine.Invalid, "poll.level")
		h.refuses(h.e.Cast(ctx, token, "x", 5, ""), engine.Invalid, "poll.device")
		h.refuses(h.e.Cast(ctx, token, device(1), 1, strings.Repeat("长", 201)), engine.Invalid, "field.too_long")

		// A bad mark with words becomes an objection, once for each device, to be answered in five working days.
		for range 2 {
			if err := h.e.Cast(ctx, token, device(1), 1, "晚上还是没有灯"); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.e.Cast(ctx, token, device(2), 5, "很好"); err != nil {
			t.Fatal(err)
		}
		q, err := db.Project(ctx, p.ID)
		if err != nil || len(q.Objections) != 1 || q.OpenObjections() != 1 {
			t.Fatalf("objections %+v (%v)", q.Objections, err)
		}
		for _, o := range q.Objections {
			if o.By != "public" || o.Due != day("2026-10-09") { // 09-25 is 中秋, 10-01 to 10-07 are holidays
				t.Errorf("objection %+v", o)
			}
		}
		if v, err := h.e.VoteOf(ctx, &q, device(1)); err != nil || v.Level != 1 {
			t.Errorf("the device's vote is %+v (%v)", v, err)
		}
		// Another link: votes stay, the former link is dead.
		q, second, err := h.e.OpenPoll(ctx, h.people["supervisor"], q.ID, q.Version, day("2026-10-10"))
		if err != nil {
			t.Fatal(err)
		}
		h.refuses(h.e.Cast(ctx, token, device(3), 5, ""), engine.NotFound, "poll.gone")
		if err := h.e.Cast(ctx, second, device(3), 5, ""); err != nil {
			t.Fatal(err)
		}
		h.does("supervisor", &q, engine.ClosePoll{})
		h.refuses(h.e.Cast(ctx, second, device(4), 5, ""), engine.NotFound, "poll.gone")
		h.clock.set(h.clock.now().Add(2 * time.Minute))
		h.sweep()
		if q, _ = db.Project(ctx, q.ID); q.Survey.Votes() != 3 || q.Survey.VeryDissatisfied != 1 {
			t.Errorf("counted %+v", q.Survey)
		}
		// An objection that nobody answered in time urges the owner.
		h.clock.set(clockTime("2026-10-10 12:00"))
		h.sweep()
		urged := false
		for _, e := range h.trail(q.Subject()) {
			urged = urged || e.Action == "rung" && strings.Contains(string(e.Data), "objection_late")
		}
		if !urged {
			t.Error("nobody was urged to answer the objection")
		}
		h.intact()
	})
}
