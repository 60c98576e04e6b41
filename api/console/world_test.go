package console

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"bihuan/api/auth"
	"bihuan/api/request"
	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/engine/layout"
	"bihuan/engine/ledger"
	"bihuan/engine/notify"
	"bihuan/engine/score"
	"bihuan/engine/secret"
	"bihuan/examples/plan"
	"bihuan/storage"
	"bihuan/storage/files"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

var place = time.FixedZone("UTC+8", 8*3600)

// world is the plan's two months behind a console, with a door that anybody opens by a login.
type world struct {
	engine  *engine.Engine
	db      *storage.DB
	people  map[string]engine.User
	items   []engine.Project
	router  *gin.Engine
	console *Console
	info    *request.Info
	now     *time.Time
	signing string // folder of the key

	notifier *notify.Notifier
	hub      *notify.Hub
}

// door knows a session by the login itself; the password is "right". What it does not say is the real door's to say.
type door struct {
	*auth.Door
	engine *engine.Engine
}

func (d door) Proved(context.Context, string) error { return nil }

func (d door) Sittings(context.Context, string) ([]auth.Sitting, error) { return nil, nil }

func (d door) OfferSeed(context.Context, string) (auth.Offer, error) {
	return auth.Offer{Sealed: "sealed", Secret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", URI: "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP"}, nil
}

func (d door) SignIn(ctx context.Context, login, password, _ string) (string, engine.User, error) {
	u, err := d.engine.User(ctx, login)
	if err != nil || password != "right" {
		return "", engine.User{}, &engine.Error{Kind: engine.Denied, Key: "console.sign_in.refused"}
	}
	return login, u, nil
}

func (d door) Actor(ctx context.Context, cookie string) (engine.Actor, engine.User, error) {
	u, err := d.engine.User(ctx, cookie)
	if engine.KindOf(err) == engine.NotFound {
		return engine.Actor{}, u, &engine.Error{Kind: engine.Denied, Key: "token.invalid"}
	}
	return engine.Actor{ID: u.ID, Grants: u.Grants}, u, err
}

func (d door) SignOut(context.Context, string) error { return nil }

// Reset and EndAll pass on what the engine says; there are no passwords and no sessions here.
func (d door) Reset(ctx context.Context, who engine.Actor, user engine.UserID) (string, error) {
	const once = "K7P2-M9QX-4T6W"
	_, err := d.engine.SetPassword(ctx, who, string(user), "$argon2id$test", true)
	return once, err
}

func (d door) EndAll(ctx context.Context, who engine.Actor, user engine.UserID) (int, error) {
	u, err := d.engine.User(ctx, string(user))
	if err == nil {
		err = d.engine.Manages(ctx, who, u, "end_sessions")
	}
	return 1, err
}

func (d door) Fresh(context.Context) (bool, error) { return false, nil }

func (d door) ChangePassword(context.Context, string, string, string) (string, error) {
	return "", &engine.Error{Kind: engine.Invalid, Field: "present", Key: "password.present"}
}

func (d door) SetUp(context.Context, auth.First) (engine.User, engine.Unit, error) {
	return engine.User{}, engine.Unit{}, &engine.Error{Kind: engine.Denied, Key: "setup.invalid"}
}

// session is the cookie of a session, as requests of httptest, which are neither HTTPS nor local, must carry it.
const session = "__Host-bihuan_session"

// seats are the demo's, for the page that lists them.
type seats struct {
	door
	now *time.Time
}

func (s seats) Seats() []Seat {
	return []Seat{{Login: "zhou", Name: "周启航", Title: engine.Text{ZH: "承办人", EN: "owner"}}}
}

func (s seats) Pass(_ context.Context, days int) error {
	*s.now = s.now.AddDate(0, 0, days)
	return nil
}

func (s seats) Sit(_ context.Context, login, _ string) (string, error) {
	if login != "zhou" {
		return "", &engine.Error{Kind: engine.Denied, Key: "user.unknown", Args: map[string]any{"id": login}}
	}
	return login, nil
}

// playing is the plan's two months as they were left: played once, for playing it is what takes a test's time, and
// copied for every world.
type playing struct {
	dir    string
	people map[string]engine.User
	key    string
	end    time.Time
}

var playedOnce = sync.OnceValues(play)

// start opens a database and the files beside it, and an engine over both.
func start(dir string, key string, now func() time.Time) (*engine.Engine, *storage.DB, *files.Files, error) {
	ctx := context.Background()
	db, err := storage.Open(ctx, "sqlite:"+filepath.Join(dir, "console.db"))
	if err != nil {
		return nil, nil, nil, err
	}
	if err := db.Migrate(ctx); err != nil {
		return nil, nil, nil, err
	}
	kept, err := files.Open(filepath.Join(dir, "files"))
	if err != nil {
		return nil, nil, nil, err
	}
	box, err := secret.New(key)
	if err != nil {
		return nil, nil, nil, err
	}
	e, err := engine.New(ctx, engine.Config{Store: db, Secrets: box, Site: engine.Site{Location: place, RemindHour: 9}, Now: now,
		Compile: func(b []byte) (*engine.Workflow, error) { return workflows.Parse("stored", b) }})
	return e, db, kept, err
}

func play() (*playing, error) {
	ctx := context.Background()
	dir := filepath.Join(sharedDir, "played")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	first := calendar.MustDate("2025-09-01")
	clock := plan.NewClock(first.Start(place))
	p := &playing{dir: dir, key: secret.NewKey()}
	e, db, kept, err := start(dir, p.key, clock.Now)
	if err != nil {
		return nil, err
	}
	for _, w := range workflows.Embedded() {
		source, _ := workflows.Source(w.ID)
		if _, err := e.Publish(ctx, engine.Operator(), source); err != nil {
			return nil, err
		}
	}
	played, err := plan.Play(ctx, plan.Stage{Engine: e, Clock: clock, Start: first,
		Import: func(ctx context.Context, unit engine.Unit, name string, data []byte) error {
			l, err := ledger.Read(name, data, ledger.Options{Year: 2025, Today: first})
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
		}})
	if err != nil {
		return nil, err
	}
	p.people, p.end = played.People, clock.Now()
	return p, db.Close()
}

// build puts a copy of what was played behind a console.
func build(dir string, withSeats bool) (*world, error) {
	ctx := context.Background()
	played, err := playedOnce()
	if err != nil {
		return nil, err
	}
	if err := os.CopyFS(dir, os.DirFS(played.dir)); err != nil {
		return nil, err
	}
	now := new(time.Time)
	*now = played.end
	e, db, kept, err := start(dir, played.key, func() time.Time { return *now })
	if err != nil {
		return nil, err
	}
	page, err := e.List(ctx, engine.Operator(), engine.Filter{Limit: engine.MaxPage})
	if err != nil {
		return nil, err
	}
	loopback, err := notify.NewNetwork("127.0.0.0/8")
	if err != nil {
		return nil, err
	}
	hub := new(notify.Hub)
	notifier := notify.New(notify.Config{Engine: e, Queue: db, Network: loopback, Told: hub.Tell})
	if _, err := notifier.Plan(ctx); err != nil {
		return nil, err
	}
	house, err := auth.New(auth.Config{Engine: e, Store: db})
	if err != nil {
		return nil, err
	}
	fake := door{house, e}
	w := &world{notifier: notifier, hub: hub, engine: e, db: db, people: played.people, items: page.Items, signing: filepath.Join(dir, "signing"), now: now}
	if _, err := w.sign(ctx); err != nil {
		return nil, err
	}
	layouts, err := layout.Load(nil)
	if err != nil {
		return nil, err
	}
	o := Options{Trail: storage.Trail{DB: db}, Notifier: notifier, Live: hub, Engine: e, Reader: db, Files: kept, Tray: kept, Door: fake, Views: db, Graph: workflows.Graph, Compare: compare, Now: e.Now,
		Exports: &layout.Desk{Engine: e, Layouts: layouts, Site: "示例城市学院党委"}, Scores: score.NewDesk(e, db, e.Now, workflows.Sheets(), workflows.ParseSheet), ParseSheet: workflows.ParseSheet, Tallies: workflows.Tallies(), Site: "示例城市学院党委",
		Verify: func(ctx context.Context, project engine.ProjectID, progress func(int64)) (Verification, error) {
			r, err := db.Verify(ctx, storage.VerifyOptions{Project: project, Progress: progress})
			out := Verification{Log: r.Log, Started: r.Started, Finished: r.Finished, Findings: r.Findings, More: r.More, Erased: r.Erased}
			for what, n := range r.Checked.Each {
				out.Checked = append(out.Checked, Counted{what, n})
			}
			return out, err
		}}
	if withSeats {
		o.Seats = seats{fake, now}
	}
	c, err := New(o)
	if err != nil {
		return nil, err
	}
	gin.SetMode(gin.TestMode)
	router := gin.New()
	router.Use(func(g *gin.Context) {
		info := &request.Info{ID: "test", Lang: request.Language(g.GetHeader("Accept-Language"), "zh-CN"), Log: c.Log}
		g.Request = g.Request.WithContext(request.With(g.Request.Context(), info))
	})
	c.Register(router)
	router.NoRoute(c.NotFound)
	w.router, w.console, w.info = router, c, &request.Info{ID: "test", Lang: "zh-CN", Log: c.Log}
	return w, nil
}

// sign has a checkpoint signed over everything that has come, as serve does once a minute.
func (w *world) sign(ctx context.Context) ([]byte, error) {
	return storagetest.Sign(ctx, w.db, w.signing, w.engine.Now(), func(key string) error {
		return w.engine.Note(ctx, engine.Operator(), engine.ActionCheckpointKey, map[string]any{"key": key})
	})
}

// shared is a world that tests only read; it is built once.
var readOnce = sync.OnceValues(func() (*world, error) {
	dir := filepath.Join(sharedDir, "read")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	return build(dir, false)
})

var sharedDir string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if sharedDir, err = os.MkdirTemp("", "console"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(sharedDir) }() // at worst a folder among the temporary ones
		return m.Run()
	}())
}

// readWorld returns the shared world.
func readWorld(t *testing.T) *world {
	t.Helper()
	w, err := readOnce()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// ownWorld returns a world that the test may change.
func ownWorld(t *testing.T) *world {
	t.Helper()
	w, err := build(t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.db.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// answer is what a request got back.
type answer struct {
	*httptest.ResponseRecorder
	body string
}

// ask sends a request as a person ("" is nobody). A form makes it a POST.
func (w *world) ask(t *testing.T, as, path string, form url.Values, headers ...string) answer {
	t.Helper()
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	r := httptest.NewRequestWithContext(t.Context(), method, path, body)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if as != "" {
		r.AddCookie(&http.Cookie{Name: session, Value: as})
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.router.ServeHTTP(rec, r)
	return answer{rec, rec.Body.String()}
}

// item returns the first project that is like this.
func (w *world) item(t *testing.T, like func(*engine.Project) bool) engine.Project {
	t.Helper()
	for _, p := range w.items {
		fresh, err := w.engine.Project(t.Context(), engine.Operator(), p.ID)
		if err != nil {
			t.Fatal(err)
		}
		if like(&fresh) {
			return fresh
		}
	}
	t.Fatal("the play has no such project")
	return engine.Project{}
}

func compare(before, after *engine.Workflow) []Difference {
	var out []Difference
	for _, d := range workflows.Compare(before, after) {
		out = append(out, Difference(d))
	}
	return out
}
