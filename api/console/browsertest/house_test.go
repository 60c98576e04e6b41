package browsertest

import (
	"bytes"
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"bihuan/api"
	"bihuan/api/auth"
	"bihuan/api/console"
	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/engine/ledger"
	"bihuan/engine/notify"
	"bihuan/engine/secret"
	"bihuan/examples/plan"
	"bihuan/storage"
	"bihuan/storage/files"
	"bihuan/workflows"
)

var place = time.FixedZone("UTC+8", 8*3600)

// password is everybody's: hashing one for each person would cost more than the tests.
const password = "雨后的操场很安静"

// verifier is a second supervisor: who checks on site is somebody else than who approves.
const verifier = "sun"

// house is the whole product behind an address on this machine: the founding plan's two months in a database of its
// own, and the clock, which stands at their last evening until the test moves it.
type house struct {
	t      *testing.T
	engine *engine.Engine
	db     *storage.DB
	door   *auth.Door
	clock  *plan.Clock
	url    string
	users  map[string]engine.User // by login
}

// stage is where the play has been put on once; every house begins with a copy.
var stage struct {
	dir   string
	once  sync.Once
	ended time.Time
	err   error
}

// open opens a house. In a demo people take a seat, and otherwise they sign in with the password.
func open(t *testing.T, demo bool, ways ...func(url string) auth.Federated) *house {
	t.Helper()
	stage.once.Do(func() { stage.err = put(t.Context(), stage.dir) })
	if stage.err != nil {
		t.Fatal(stage.err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(stage.dir)); err != nil {
		t.Fatal(err)
	}
	return build(t, dir, stage.ended, demo, ways...)
}

// build opens the house in dir, which may be empty. Each of ways makes a way in besides the password, for the house's
// address.
func build(t *testing.T, dir string, now time.Time, demo bool, ways ...func(url string) auth.Federated) *house {
	t.Helper()
	ctx := context.Background() // the house outlives the test's context, which ends before its clean-up
	h := &house{t: t, clock: plan.NewClock(now), users: map[string]engine.User{}}
	var kept *files.Files
	var err error
	if h.db, h.engine, kept, err = furnish(ctx, dir, h.clock); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(nil) // its address is needed before it has an answer
	c := auth.Config{Engine: h.engine, Store: h.db, PublicURL: "http://" + s.Listener.Addr().String()}
	for _, way := range ways {
		c.Ways = append(c.Ways, way(c.PublicURL))
	}
	if h.door, err = auth.New(c); err != nil {
		t.Fatal(err)
	}
	hub := new(notify.Hub)
	network, err := notify.NewNetwork("")
	if err != nil {
		t.Fatal(err)
	}
	tell := notify.New(notify.Config{Told: hub.Tell, Engine: h.engine, Queue: h.db, Network: network, Language: "zh-CN"})
	pages := &console.Options{Live: hub, Views: h.db, Tray: kept, Door: h.door, Board: true, Site: "示例城市学院党委", Compare: compare, Tallies: workflows.Tallies(), Verify: h.verify}
	if demo {
		pages.Seats = seats{h.door}
	}
	server, err := api.New(api.Options{Engine: h.engine, Reader: h.db, Files: kept, Graph: workflows.Graph, Sheets: workflows.Sheets(), ParseSheet: workflows.ParseSheet, Notifier: tell, Trail: storage.Trail{DB: h.db}, Now: h.clock.Now, Console: pages})
	if err != nil {
		t.Fatal(err)
	}
	s.Config.Handler = server.Handler()
	s.Start()
	h.url = s.URL
	t.Cleanup(func() {
		s.CloseClientConnections() // a browser keeps its connections
		s.Close()
		if err := h.db.Close(); err != nil {
			t.Error(err)
		}
	})
	users, err := h.db.Users(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range users {
		h.users[u.Login] = u
	}
	return h
}

// furnish opens the database and the folder of evidence in dir.
func furnish(ctx context.Context, dir string, clock *plan.Clock) (*storage.DB, *engine.Engine, *files.Files, error) {
	db, err := storage.Open(ctx, "sqlite:"+filepath.Join(dir, "bihuan.db"))
	if err != nil {
		return nil, nil, nil, err
	}
	if err := db.Migrate(ctx); err != nil {
		return nil, nil, nil, err
	}
	kept, err := files.Open(filepath.Join(dir, "evidence"))
	if err != nil {
		return nil, nil, nil, err
	}
	box, err := secret.New(secret.NewKey())
	if err != nil {
		return nil, nil, nil, err
	}
	e, err := engine.New(ctx, engine.Config{Store: db, Secrets: box, Site: engine.Site{Location: place, RemindHour: 9}, Now: clock.Now, Compile: workflows.Compile})
	return db, e, kept, err
}

// put plays the plan into dir and gives everybody a password.
func put(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	start := calendar.MustDate("2025-09-01")
	clock := plan.NewClock(start.Start(place))
	db, e, kept, err := furnish(ctx, dir, clock)
	if err != nil {
		return err
	}
	for _, id := range []string{"shishi", "shuji"} {
		source, _ := workflows.Source(id)
		if _, err := e.Publish(ctx, engine.Operator(), source); err != nil {
			return err
		}
	}
	if _, err = plan.Play(ctx, plan.Stage{Engine: e, Clock: clock, Start: start,
		Import: func(ctx context.Context, unit engine.Unit, name string, data []byte) error {
			l, err := ledger.Read(name, data, ledger.Options{Year: start.Year(), Today: start})
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
		Put: func(ctx context.Context, name string, content []byte) (engine.AddEvidence, error) {
			f, err := kept.Put(ctx, name, bytes.NewReader(content), 1<<20)
			return engine.AddEvidence{Name: f.Name, Type: f.Type, Size: f.Size, SHA256: f.SHA256}, err
		}}); err != nil {
		return err
	}
	if _, err := e.AddUser(ctx, engine.Operator(), verifier, "孙平"); err != nil {
		return err
	}
	if _, err := e.Grant(ctx, engine.Operator(), verifier, "csxy", engine.Supervisor); err != nil {
		return err
	}
	phc, err := auth.Hash(ctx, password)
	if err != nil {
		return err
	}
	users, err := db.Users(ctx)
	if err != nil {
		return err
	}
	for _, u := range users {
		if _, err := e.SetPassword(ctx, engine.Operator(), u.Login, phc, false); err != nil {
			return err
		}
	}
	stage.ended = clock.Now()
	return db.Close()
}

// seats are the demo's: everybody of the cast.
type seats struct{ door *auth.Door }

func (seats) Seats() []console.Seat {
	var out []console.Seat
	for _, p := range plan.Cast {
		out = append(out, console.Seat{Login: p.Login, Name: p.Name, Title: p.Title})
	}
	return out
}

func (seats) Pass(context.Context, int) error { return engine.ErrNotFound }

func (s seats) Sit(ctx context.Context, login, _ string) (string, error) {
	if !slices.ContainsFunc(plan.Cast, func(p plan.Person) bool { return p.Login == login }) {
		return "", engine.ErrNotFound
	}
	cookie, _, err := s.door.Admit(ctx, login, "seat")
	return cookie, err
}

// pass lets working days go by, and the clock do what it owes on each morning.
func (h *house) pass(workdays int) {
	h.t.Helper()
	for range workdays {
		d, _ := h.engine.Working().AddWorkdays(calendar.DateOf(h.clock.Now(), place), 1)
		h.clock.Set(d.At(10, 0, place))
		if _, err := h.engine.Sweep(context.Background()); err != nil {
			h.t.Fatal(err)
		}
	}
}

// day is the n-th working day from today, as forms take it.
func (h *house) day(n int) string {
	d, _ := h.engine.Working().AddWorkdays(calendar.DateOf(h.clock.Now(), place), n)
	return d.String()
}

// intact verifies the trail as `bihuan audit verify` does.
func (h *house) intact() {
	h.t.Helper()
	r, err := h.db.Verify(context.Background(), storage.VerifyOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	if !r.Intact() || r.Checked.Entries == 0 {
		h.t.Errorf("the trail: %+v", r.Findings)
	}
}

// item returns the first project that is like this.
func (h *house) item(like func(*engine.Project) bool) engine.Project {
	h.t.Helper()
	page, err := h.engine.List(context.Background(), engine.Operator(), engine.Filter{Limit: engine.MaxPage})
	if err != nil {
		h.t.Fatal(err)
	}
	i := slices.IndexFunc(page.Items, func(p engine.Project) bool { return like(&p) })
	if i < 0 {
		h.t.Fatal("there is no such project")
	}
	return page.Items[i]
}

// unit is the id of the unit with the code.
func (h *house) unit(code string) engine.UnitID {
	h.t.Helper()
	all, err := h.db.Units(context.Background())
	if err != nil {
		h.t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(u engine.Unit) bool { return u.Code == code })
	if i < 0 {
		h.t.Fatalf("there is no unit %s", code)
	}
	return all[i].ID
}

// actor is a person at work, for what happens before a test begins.
func (h *house) actor(id engine.UserID) engine.Actor {
	h.t.Helper()
	for _, u := range h.users {
		if u.ID == id {
			return engine.Actor{ID: u.ID, Grants: u.Grants, Via: engine.ViaConsole}
		}
	}
	h.t.Fatalf("there is nobody %s", id)
	return engine.Actor{}
}

// verify looks at the trail as serve does.
func (h *house) verify(ctx context.Context, project engine.ProjectID, progress func(int64)) (console.Verification, error) {
	r, err := h.db.Verify(ctx, storage.VerifyOptions{Project: project, Progress: progress})
	return console.Verification{Log: r.Log, Started: r.Started, Finished: r.Finished, Findings: r.Findings, More: r.More}, err
}

func compare(before, after *engine.Workflow) []console.Difference {
	var out []console.Difference
	for _, d := range workflows.Compare(before, after) {
		out = append(out, console.Difference(d))
	}
	return out
}

// unpolled is an item in 反馈 that nobody is asked about yet; the play's poll has another.
func unpolled(p *engine.Project) bool { return p.Stage == "feedback" && p.Poll == nil }

// link opens a poll on an item and returns the address behind which it is rated.
func (h *house) link(p engine.Project) string {
	h.t.Helper()
	_, token, err := h.engine.OpenPoll(context.Background(), h.actor(h.users["zhang"].ID), p.ID, p.Version, calendar.DateOf(h.clock.Now(), h.engine.Site.Location).AddDays(5))
	if err != nil {
		h.t.Fatal(err)
	}
	return "/r/" + token
}
