package engine_test

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/storage"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

func TestMain(m *testing.M) { os.Exit(storagetest.Run(m)) }

// handClock is a clock that tests set. Each look moves it on by step.
type handClock struct {
	micros atomic.Int64
	step   int64 // microseconds
}

func (c *handClock) set(t time.Time) { c.micros.Store(t.UnixMicro()) }

func (c *handClock) now() time.Time { return time.UnixMicro(c.micros.Add(c.step)).In(shanghai) }

// house is an engine over a real database, with units and people in it.
type house struct {
	t      testing.TB
	db     *storage.DB
	e      *engine.Engine
	clock  *handClock
	units  map[string]engine.Unit
	people map[string]engine.Actor
}

// replica is another engine over the same database, with the same clock.
func (h *house) replica() *engine.Engine {
	h.t.Helper()
	e, err := engine.New(h.t.Context(), engine.Config{Store: h.db, Compile: workflows.Compile, Now: h.clock.now, Site: site})
	if err != nil {
		h.t.Fatal(err)
	}
	return e
}

// settle builds the house of most tests: 党委 p, 党总支 z and zz, branch b, and one person for each role.
func settle(t testing.TB, db *storage.DB, start string) *house {
	t.Helper()
	h := &house{t: t, db: db, clock: &handClock{}, units: map[string]engine.Unit{}, people: map[string]engine.Actor{}}
	h.clock.set(clockTime(start))
	h.e = h.replica()
	ctx := t.Context()
	for _, u := range [][2]string{{"p", ""}, {"z", "p"}, {"b", "z"}, {"zz", "p"}} {
		unit, err := h.e.AddUnit(ctx, engine.Operator(), u[1], u[0], "单位"+u[0])
		if err != nil {
			t.Fatal(err)
		}
		h.units[u[0]] = unit
	}
	for _, login := range []string{"owner", "assistant", "sponsor", "nobody"} {
		h.person(login)
	}
	h.person("secretary", "b", engine.Secretary)
	h.person("supervisor", "z", engine.Supervisor)
	h.person("second", "p", engine.Supervisor)
	h.person("elsewhere", "zz", engine.Supervisor)
	h.person("leader", "p", engine.Leader)
	h.person("inspector", "p", engine.Inspector)
	h.person("admin", "p", engine.Admin)
	h.person("branchadmin", "z", engine.Admin)
	h.person("security", "p", engine.Security)
	h.person("branchsecurity", "z", engine.Security)
	for _, id := range []string{"shishi", "shuji"} {
		source, _ := workflows.Source(id)
		if _, err := h.e.Publish(ctx, engine.Operator(), source); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// person adds an account with a role at each unit: unit, role, unit, role …
func (h *house) person(login string, grants ...any) engine.Actor {
	h.t.Helper()
	ctx := h.t.Context()
	u, err := h.e.AddUser(ctx, engine.Operator(), login, "某"+login)
	if err != nil {
		h.t.Fatal(err)
	}
	for i := 0; i < len(grants); i += 2 {
		if u, err = h.e.Grant(ctx, engine.Operator(), login, grants[i].(string), grants[i+1].(engine.Role)); err != nil {
			h.t.Fatal(err)
		}
	}
	a := engine.Actor{ID: u.ID, Grants: u.Grants, Via: engine.ViaAPI, RequestID: "req-" + login}
	h.people[login] = a
	return a
}

func (h *house) draft() engine.Draft {
	d := draft()
	d.Owner, d.Sponsor, d.Assistants = h.people["owner"].ID, h.people["sponsor"].ID, []engine.UserID{h.people["assistant"].ID}
	return d
}

func (h *house) propose(d engine.Draft) engine.Project {
	h.t.Helper()
	p, err := h.e.Create(h.t.Context(), h.people["supervisor"], "shishi", h.units["b"], d)
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

// does carries out a command that must be accepted, on the newest version.
func (h *house) does(who string, p *engine.Project, cmd engine.Command) {
	h.t.Helper()
	q, err := h.e.Do(h.t.Context(), h.people[who], p.ID, p.Version, cmd)
	if err != nil {
		h.t.Fatalf("%T by %s: %v", cmd, who, err)
	}
	*p = q
}

func (h *house) sweep() int {
	h.t.Helper()
	n, err := h.e.Sweep(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// trail reads a subject's entries, oldest first.
func (h *house) trail(subject string) []engine.EntryRow {
	h.t.Helper()
	var out []engine.EntryRow
	f := engine.EntryFilter{Subject: subject, OldestFirst: true, Limit: engine.MaxPage}
	for {
		page, err := h.db.Entries(h.t.Context(), f)
		if err != nil {
			h.t.Fatal(err)
		}
		out = append(out, page.Items...)
		if f.After = page.Next; f.After == "" {
			return out
		}
	}
}

// intact verifies the whole database, and every project against the fold of its entries.
func (h *house) intact() {
	h.t.Helper()
	report, err := h.db.Verify(h.t.Context(), storage.VerifyOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range report.Findings {
		h.t.Errorf("verify: %+v", f)
	}
	f := engine.Filter{Limit: engine.MaxPage, Now: h.clock.now()}
	for {
		page, err := h.db.Projects(h.t.Context(), f)
		if err != nil {
			h.t.Fatal(err)
		}
		for _, p := range page.Items {
			chain := audit.NewChain(p.Subject())
			for _, row := range h.trail(p.Subject()) {
				stored, err := row.Row()
				if err != nil {
					h.t.Fatal(err)
				}
				for _, bad := range chain.Add(stored) {
					h.t.Errorf("%s: %+v", p.Number, bad)
				}
			}
			if chain.Seq() != p.Version || chain.Head() != p.Head || !audit.Equal(chain.State(), p.State()) {
				h.t.Errorf("%s: the row is not the fold of its entries:\n%s\n%s", p.Number, p.State(), chain.State())
			}
		}
		if f.After = page.Next; f.After == "" {
			return
		}
	}
}

// refusals lists what is recorded on a person's own chain.
func (h *house) refusals(who string) []string {
	h.t.Helper()
	var out []string
	for _, row := range h.trail(engine.SubjectActor + "/" + string(h.people[who].ID)) {
		if row.Action == "refused" {
			data := string(row.Data)
			i := strings.Index(data, `"why":"`)
			out = append(out, strings.SplitN(data[i+7:], `"`, 2)[0])
		}
	}
	return out
}

func wantKind(t testing.TB, what string, err error, kind engine.Kind, key string) {
	t.Helper()
	e, ok := err.(*engine.Error)
	if !ok || e.Kind != kind || key != "" && e.Key != key {
		t.Errorf("%s: %v, want kind %d %s", what, err, kind, key)
	}
}

func numbered(i int) string { return fmt.Sprintf("第%03d件", i) }
