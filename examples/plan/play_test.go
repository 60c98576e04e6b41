package plan_test

import (
	"context"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
	"bihuan/engine/ledger"
	"bihuan/examples/plan"
	"bihuan/storage"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

func TestMain(m *testing.M) { os.Exit(storagetest.Run(m)) }

// play runs the whole play on db from a fixed day.
func play(t *testing.T, db *storage.DB) (*engine.Engine, *plan.World) {
	t.Helper()
	return playAll(t, db, false)
}

func playAll(t *testing.T, db *storage.DB, abreast bool) (*engine.Engine, *plan.World) {
	t.Helper()
	ctx := t.Context()
	start := calendar.MustDate("2025-09-01")
	loc := time.FixedZone("UTC+8", 8*3600)
	clock := plan.NewClock(start.Start(loc))
	e, err := engine.New(ctx, engine.Config{Store: db, Now: clock.Now, Site: engine.Site{Location: loc, RemindHour: 9},
		Compile: workflows.Compile})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"shishi", "shuji"} {
		source, _ := workflows.Source(id)
		if _, err := e.Publish(ctx, engine.Operator(), source); err != nil {
			t.Fatal(err)
		}
	}
	world, err := plan.Play(ctx, plan.Stage{Engine: e, Clock: clock, Start: start, Abreast: abreast,
		Import: func(ctx context.Context, unit engine.Unit, name string, data []byte) error {
			l, err := ledger.Read(name, data, ledger.Options{Year: 2025, Today: start})
			if err != nil {
				return err
			}
			var rows []engine.ImportRow
			for _, r := range l.Rows {
				rows = append(rows, engine.ImportRow{Row: r.Number, Unit: unit, Draft: engine.Draft{Title: r.Cells[ledger.Title], Measures: r.Cells[ledger.Measures]}})
			}
			_, err = e.Import(ctx, engine.Operator(), "shishi", rows, false)
			return err
		},
		Put: func(_ context.Context, name string, content []byte) (engine.AddEvidence, error) {
			return engine.AddEvidence{Name: name, Type: "text/plain", Size: int64(len(content)), SHA256: audit.HashContent(content)}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return e, world
}

func TestPlayShowsEveryStageAndHolds(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		e, world := play(t, db)
		counts, err := e.Counts(t.Context(), engine.Operator(), engine.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		want := map[engine.StageID]int{"plan": 2, "deploy": 1, "advance": 6, "track": 1, "feedback": 2, "effect": 1,
			engine.Closed: 4, engine.Shelved: 1}
		if !maps.Equal(counts.ByStage, want) {
			t.Errorf("projects by stage: %v, want %v", counts.ByStage, want)
		}
		if counts.Overdue == 0 || counts.OnTime != 3 {
			t.Errorf("overdue %d, want some; closed on time %d, want 3", counts.Overdue, counts.OnTime)
		}
		actions := map[string]int{}
		for after := ""; ; {
			page, err := e.Trail(t.Context(), engine.Operator(), engine.EntryFilter{After: after, Limit: engine.MaxPage})
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range page.Items {
				actions[x.Action]++
			}
			if after = page.Next; after == "" {
				break
			}
		}
		for _, a := range []string{"import", "create", "edit", "submit", "approve", "return", "acknowledge", "lay_milestones", "report",
			"tick", "evidence", "verify", "survey", "object", "summarize", "extend", "urge", "overdue", "rung", "transition",
			"draw_up", "put", "publish", "reconcile", "carry_over", "carried_in", "enlist", "collect", "merge", "absorb", "accept", "settle", "decline", "tell",
			"answer", "extend_late", "look_back", "open_poll", "account", "close"} {
			if actions[a] == 0 {
				t.Errorf("nobody did %q in the play", a)
			}
		}
		report, err := db.Verify(t.Context(), storage.VerifyOptions{})
		if err != nil || len(report.Findings) > 0 {
			t.Errorf("verify: %v %v", err, report.Findings)
		}
		tasks, err := e.Todo(t.Context(), engine.Actor{ID: world.People["li"].ID, Grants: world.People["li"].Grants})
		if err != nil || len(tasks) < 2 { // a 销号 and a second extension wait for the leader
			t.Errorf("the leader's list: %d tasks, %v; want at least 2", len(tasks), err)
		}
	})
}

// TestPlayLeavesWhatMakesItTheirs looks for each of the rules about lists, deadlines, 销号 and satisfaction in what the
// play leaves behind, so that a visitor of the demo finds them.
func TestPlayLeavesWhatMakesItTheirs(t *testing.T) {
	ctx, op := t.Context(), engine.Operator()
	db := storagetest.Open(t, "sqlite")
	e, _ := play(t, db)
	page, err := e.List(ctx, op, engine.Filter{Limit: engine.MaxPage})
	if err != nil {
		t.Fatal(err)
	}
	one := func(what string, like func(p *engine.Project) bool) engine.Project {
		t.Helper()
		i := slices.IndexFunc(page.Items, func(p engine.Project) bool { return like(&p) })
		if i < 0 {
			t.Fatalf("nothing is %s", what)
		}
		return page.Items[i]
	}
	one("shelved", func(p *engine.Project) bool { return p.Stage == engine.Shelved })
	one("extended, and asks again", func(p *engine.Project) bool {
		return p.Extensions == 1 && p.Request != nil && p.Request.Kind == engine.RequestExtension
	})
	one("refused an extension that was asked for too late", func(p *engine.Project) bool { return p.LateAsks == 1 && p.OverdueAt != nil })
	one("looked at again and found well", func(p *engine.Project) bool {
		return p.Stage == engine.Closed && p.LookBack != nil && p.LookBack.Passed
	})
	one("sent back by its rating", func(p *engine.Project) bool { return p.Stage == "advance" && p.LookBacksFailed == 0 && p.Round == 1 })
	reopened := one("reopened by a look-back", func(p *engine.Project) bool { return p.Stage == "advance" && p.LookBacksFailed == 1 })
	if reopened.LookBack == nil || reopened.LookBack.Passed || reopened.LookBack.ConfirmedAt == nil {
		t.Errorf("%s is reopened without the finding: %+v", reopened.Number, reopened.LookBack)
	}
	polled := one("being rated behind a link", func(p *engine.Project) bool { return p.Poll != nil && e.Now().Before(p.Poll.ClosesAt) })
	votes, err := e.Votes(ctx, &polled)
	if err != nil || votes.Votes() < 20 || votes.Dissatisfied != 1 || len(polled.Objections) != 1 {
		t.Errorf("%s: votes %+v, %d objections, %v", polled.Number, votes, len(polled.Objections), err)
	}

	lists, err := e.Lists(ctx, op, engine.ListFilter{})
	if err != nil {
		t.Fatal(err)
	}
	states := map[engine.ListState]int{}
	for _, l := range lists.Items {
		states[l.State]++
		if l.State != engine.ListArchived {
			continue
		}
		if got := l.Items[reopened.ID].Outcome; got != engine.OutClosed { // what it came to then stays written down
			t.Errorf("on the archived list %s is %q", reopened.Number, got)
		}
		r, err := e.Reconcile(ctx, op, l.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range r.Lines {
			if line.Outcome == engine.OutClosed && (!line.Reported || !line.Verified || !line.Rated) {
				t.Errorf("the archived list says that %s was struck off without all three sides: %t %t %t", line.Project.Number, line.Reported, line.Verified, line.Rated)
			}
		}
		if got := l.Items[polled.ID]; got.Outcome != engine.OutCarried || got.To != polled.ListID {
			t.Errorf("on the archived list %s is %+v", polled.Number, got)
		}
	}
	if want := map[engine.ListState]int{engine.ListDraft: 1, engine.ListPublished: 1, engine.ListReconciling: 1, engine.ListArchived: 1}; !maps.Equal(states, want) {
		t.Errorf("lists by state: %v, want %v", states, want)
	}
}
