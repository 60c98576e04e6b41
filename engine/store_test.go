package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// together runs f n times at once and waits for all.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	all.Wait()
}

func TestDo(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		ctx := t.Context()
		p := h.propose(h.draft())
		if p.Number != "SS2026-0001" || p.Version != 1 {
			t.Errorf("number %s, version %d", p.Number, p.Version)
		}
		do := func(who string, id engine.ProjectID, base int64, cmd engine.Command) error {
			_, err := h.e.Do(ctx, h.people[who], id, base, cmd)
			return err
		}
		submit := engine.Submit{Transition: "deploy"}
		wantKind(t, "a foreign unit", do("elsewhere", p.ID, 1, engine.Urge{Note: "请抓紧办理"}), engine.NotFound, "project.unknown")
		wantKind(t, "no such project", do("supervisor", "01a20ad9-9b3e-78e3-9fc3-438d3bb5f0e8", 1, submit), engine.NotFound, "project.unknown")
		wantKind(t, "not even an id", do("supervisor", "' OR 1=1", 1, submit), engine.NotFound, "project.unknown")
		wantKind(t, "a future version", do("owner", p.ID, 2, submit), engine.Stale, "project.stale")
		wantKind(t, "no right", do("leader", p.ID, 1, submit), engine.Denied, "transition.role")
		wantKind(t, "an inspector", do("inspector", p.ID, 1, engine.Edit{Draft: h.draft()}), engine.Denied, "act.role")
		strangers := h.draft()
		strangers.Sponsor = "01a20ad9-9b3e-78e3-9fc3-438d3bb5f0e8"
		wantKind(t, "an unknown sponsor", do("owner", p.ID, 1, engine.Edit{Draft: strangers}), engine.Invalid, "user.unknown")
		h.does("owner", &p, submit)
		wantKind(t, "a stale version", do("owner", p.ID, 1, engine.Withdraw{}), engine.Stale, "project.stale")
		wantKind(t, "four eyes", do("owner", p.ID, 2, engine.Approve{}), engine.Denied, "approval.role")
		if _, err := h.e.Create(ctx, h.people["elsewhere"], "shishi", h.units["b"], h.draft()); engine.KindOf(err) != engine.Denied {
			t.Errorf("proposed at a foreign unit: %v", err)
		}
		if _, err := h.e.Create(ctx, h.people["supervisor"], "none", h.units["b"], h.draft()); engine.KindOf(err) != engine.NotFound {
			t.Errorf("proposed of no kind: %v", err)
		}
		if q := h.propose(h.draft()); q.Number != "SS2026-0002" { // a refusal leaves no hole
			t.Errorf("number %s", q.Number)
		}
		for who, want := range map[string][]string{"leader": {"transition.role"}, "inspector": {"act.role"}, "owner": {"approval.role"}, "elsewhere": {"create.role"}} {
			if got := h.refusals(who); !slices.Equal(got, want) {
				t.Errorf("recorded refusals of %s: %v, want %v", who, got, want)
			}
		}
		stored, err := db.Project(ctx, p.ID)
		if err != nil || stored.Head != p.Head || !audit.Equal(stored.State(), p.State()) || stored.UnitPath != h.units["b"].Path {
			t.Errorf("%v: stored\n%s\nreturned\n%s", err, stored.State(), p.State())
		}
		h.intact()
	})
}

func TestEightApproversOfOneRequest(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		var approvers []engine.Actor
		for i := range 8 {
			approvers = append(approvers, h.person(fmt.Sprintf("approver%d", i), "z", engine.Supervisor))
		}
		for round := range 4 {
			p := h.propose(h.draft())
			h.does("owner", &p, engine.Submit{Transition: "deploy"})
			errs := make([]error, len(approvers))
			together(len(approvers), func(i int) {
				_, errs[i] = h.e.Do(t.Context(), approvers[i], p.ID, p.Version, engine.Approve{})
			})
			won := 0
			for i, err := range errs {
				switch kind := engine.KindOf(err); {
				case err == nil:
					won++
				case kind != engine.Conflict && kind != engine.Stale && kind != engine.Blocked:
					t.Errorf("round %d, approver %d: %v", round, i, err)
				}
			}
			q, err := db.Project(t.Context(), p.ID)
			if err != nil || won != 1 || q.Stage != "deploy" || q.Version != p.Version+1 {
				t.Errorf("round %d: %d won, stage %s, version %d → %d (%v)", round, won, q.Stage, p.Version, q.Version, err)
			}
		}
		h.intact()
	})
}

// Two people change the same user at the same moment: neither change is lost, and the trail still verifies.
func TestGrantsAtTheSameMoment(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		roles := []engine.Role{engine.Secretary, engine.Supervisor, engine.Leader, engine.Inspector}
		errs := make([]error, len(roles))
		together(len(roles), func(i int) {
			_, errs[i] = h.e.Grant(t.Context(), h.people["security"], "nobody", "z", roles[i])
		})
		granted := 0
		for _, err := range errs {
			if err == nil {
				granted++
			} else if engine.KindOf(err) != engine.Conflict {
				t.Errorf("%v", err)
			}
		}
		u, err := db.User(t.Context(), "nobody")
		if err != nil || len(u.Grants) != granted || granted == 0 {
			t.Errorf("%v: %d grants were accepted, %d are held", err, granted, len(u.Grants))
		}
		h.intact()
	})
}

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		ctx := t.Context()
		p := h.propose(h.draft())
		owner := h.people["owner"]
		keyed := func(a engine.Actor, key, request string) engine.Actor {
			a.Key = &engine.IdempotencyKey{Actor: a.ID, Key: key, Request: audit.HashContent([]byte(request))}
			return a
		}
		if _, ok, err := h.e.Answered(ctx, keyed(owner, "k1", "a")); ok || err != nil {
			t.Errorf("answered before it was asked: %v", err)
		}
		errs := make([]error, 4)
		got := make([]engine.Project, 4)
		together(4, func(i int) {
			got[i], errs[i] = h.e.Do(ctx, keyed(owner, "k1", "a"), p.ID, p.Version, engine.Submit{Transition: "deploy"})
		})
		for i, err := range errs {
			if err != nil || got[i].Version != 2 || got[i].Request == nil {
				t.Errorf("call %d: %v, version %d", i, err, got[i].Version)
			}
		}
		if q, ok, err := h.e.Answered(ctx, keyed(owner, "k1", "a")); !ok || err != nil || q.ID != p.ID {
			t.Errorf("answered: %v %v", ok, err)
		}
		if _, ok, err := h.e.Answered(ctx, keyed(owner, "k1", "another request")); ok || engine.KindOf(err) != engine.Invalid {
			t.Errorf("another request under the key: %v %v", ok, err)
		}
		if _, ok, err := h.e.Answered(ctx, keyed(h.people["supervisor"], "k1", "a")); ok || err != nil {
			t.Errorf("another person's key: %v %v", ok, err)
		}
		// A refused command does not use its key up.
		if _, err := h.e.Do(ctx, keyed(owner, "k2", "b"), p.ID, 2, engine.Approve{}); err == nil {
			t.Error("the owner approved")
		}
		if _, ok, err := h.e.Answered(ctx, keyed(owner, "k2", "b")); ok || err != nil {
			t.Errorf("a refusal counts as an answer: %v", err)
		}
		supervisor := h.people["supervisor"]
		together(4, func(i int) {
			got[i], errs[i] = h.e.Create(ctx, keyed(supervisor, "k3", "c"), "shishi", h.units["b"], h.draft())
		})
		for i, err := range errs {
			if err != nil || got[i].ID != got[0].ID {
				t.Errorf("creation %d: %v, %s and %s", i, err, got[i].ID, got[0].ID)
			}
		}
		page, err := db.Projects(ctx, engine.Filter{Now: h.clock.now()})
		if err != nil || len(page.Items) != 2 {
			t.Errorf("%v: %d projects", err, len(page.Items))
		}
		h.intact()
	})
}

// Random commands by random people on a real database: whatever is refused or accepted, the trail verifies and
// every stored project is the fold of its entries.
func TestRandomCommandsOverDatabase(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		rounds(t, 5)
		h := settle(t, db, "2026-01-05 10:00")
		h.people["everything"] = h.person("everything", "b", engine.Supervisor, "p", engine.Leader, "b", engine.Secretary)
		branches := 0
		rapid.Check(t, func(t *rapid.T) {
			branches++ // each has one 书记项目 a year
			unit, err := h.e.AddUnit(h.t.Context(), engine.Operator(), "b", fmt.Sprintf("b%d", branches), "支部")
			if err != nil {
				t.Fatalf("%v", err)
			}
			d := h.draft()
			d.Deadline = day("2026-01-05").AddDays(rapid.IntRange(400, 600).Draw(t, "deadline"))
			kind := rapid.SampledFrom([]string{"shishi", "shuji"}).Draw(t, "kind")
			if kind == "shuji" {
				d.Owner = h.people["secretary"].ID
			}
			p, err := h.e.Create(h.t.Context(), h.people["secretary"], kind, unit, d)
			if err != nil {
				t.Fatalf("%v", err)
			}
			w, err := h.e.Pinned(h.t.Context(), &p)
			if err != nil {
				t.Fatalf("%v", err)
			}
			names := []string{"owner", "assistant", "sponsor", "secretary", "supervisor", "second", "leader", "inspector", "everything"}
			for range 40 {
				h.clock.set(h.clock.now().Add(time.Duration(rapid.IntRange(0, 24*60).Draw(t, "minutes")) * time.Minute))
				s := untold(t, w, h.clock.now().UTC())
				s.p = p
				who := rapid.SampledFrom(names).Draw(t, "who")
				cmd := anyCommand(t, s, h.people[who])
				if e, ok := cmd.(engine.Edit); ok {
					e.Draft.Owner = h.people["owner"].ID
					cmd = e
				}
				q, err := h.e.Do(h.t.Context(), h.people[who], p.ID, p.Version, cmd)
				var refusal *engine.Error
				switch {
				case err == nil:
					p = q
				case !errors.As(err, &refusal):
					t.Fatalf("%T: %v", cmd, err)
				case q.LateAsks > p.LateAsks: // the one refusal that is counted on the project
					p = q
				}
				stored, err := db.Project(h.t.Context(), p.ID)
				if err != nil || stored.Head != p.Head || !audit.Equal(stored.State(), p.State()) {
					t.Fatalf("%v: stored\n%s\nreturned\n%s", err, stored.State(), p.State())
				}
				if rapid.IntRange(0, 9).Draw(t, "sweep") == 0 {
					h.sweep()
					if p, err = db.Project(h.t.Context(), p.ID); err != nil {
						t.Fatalf("%v", err)
					}
				}
			}
		})
		h.intact()
	})
}
