package notify_test

import (
	"context"
	"crypto/x509"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/engine/notify"
	"bihuan/engine/secret"
	"bihuan/storage"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

func TestMain(m *testing.M) {
	if os.Getenv(replicaDSN) != "" {
		os.Exit(replica())
	}
	os.Exit(storagetest.Run(m))
}

var shanghai = time.FixedZone("UTC+8", 8*3600)

func civil(s string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", s, shanghai)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

// house is an engine and a notifier over a real database, with a clock that tests set.
type house struct {
	t      testing.TB
	db     *storage.DB
	e      *engine.Engine
	n      *notify.Notifier
	clock  atomic.Int64
	units  map[string]engine.Unit
	people map[string]engine.Actor
	roots  *x509.CertPool
	box    *secret.Box
}

func (h *house) at(s string) *house { h.clock.Store(civil(s).UnixMicro()); return h }

func (h *house) now() time.Time { return time.UnixMicro(h.clock.Load()) }

// settle builds 党委 p, 党总支 z under it and branch b under that, with a person for each role.
func settle(t testing.TB, db *storage.DB, start string) *house {
	t.Helper()
	box, err := secret.New(secret.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, db: db, units: map[string]engine.Unit{}, people: map[string]engine.Actor{}, roots: x509.NewCertPool(), box: box}
	h.at(start)
	h.e, err = engine.New(t.Context(), engine.Config{Store: db, Compile: workflows.Compile, Now: h.now, Secrets: box, Site: engine.Site{Location: shanghai, RemindHour: 9}})
	if err != nil {
		t.Fatal(err)
	}
	h.n = h.notifier()
	for _, u := range [][2]string{{"p", ""}, {"z", "p"}, {"b", "z"}} {
		unit, err := h.e.AddUnit(t.Context(), engine.Operator(), u[1], u[0], "单位"+u[0])
		if err != nil {
			t.Fatal(err)
		}
		h.units[u[0]] = unit
	}
	h.person("owner")
	h.person("supervisor", "z", engine.Supervisor)
	h.person("second", "p", engine.Supervisor)
	h.person("leader", "p", engine.Leader)
	h.person("admin", "p", engine.Admin)
	h.person("zadmin", "z", engine.Admin)
	source, _ := workflows.Source("shishi")
	if _, err := h.e.Publish(t.Context(), engine.Operator(), source); err != nil {
		t.Fatal(err)
	}
	return h
}

// notifier is another replica's.
func (h *house) notifier() *notify.Notifier {
	h.t.Helper()
	network, err := notify.NewNetwork("127.0.0.0/8")
	if err != nil {
		h.t.Fatal(err)
	}
	return notify.New(notify.Config{Engine: h.e, Queue: h.db, Network: network, Roots: h.roots, PublicURL: "https://loop.example.edu.cn", Checkpoint: func(ctx context.Context) (string, error) {
		note, err := storage.Trail{DB: h.db}.Checkpoint(ctx)
		return string(note), err
	}})
}

func (h *house) person(login string, grants ...any) {
	h.t.Helper()
	u, err := h.e.AddUser(h.t.Context(), engine.Operator(), login, "某"+login)
	for i := 0; err == nil && i < len(grants); i += 2 {
		u, err = h.e.Grant(h.t.Context(), engine.Operator(), login, grants[i].(string), grants[i+1].(engine.Role))
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.people[login] = engine.Actor{ID: u.ID, Grants: u.Grants, Via: engine.ViaAPI}
}

// project is one that has left 谋划, with its deadline.
func (h *house) project(title, deadline string) engine.Project {
	h.t.Helper()
	d := engine.Draft{Title: title, Need: "阅览座位太暗", Target: "照度达到300勒克斯", Measures: "更换灯具", List: "2026-5",
		Owner: h.people["owner"].ID, Sponsor: h.people["leader"].ID, Deadline: calendar.MustDate(deadline)}
	p, err := h.e.Create(h.t.Context(), h.people["supervisor"], "shishi", h.units["b"], d)
	if err == nil {
		p, err = h.e.Do(h.t.Context(), h.people["owner"], p.ID, p.Version, engine.Submit{Transition: "deploy"})
	}
	if err == nil {
		p, err = h.e.Do(h.t.Context(), h.people["supervisor"], p.ID, p.Version, engine.Approve{})
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

func (h *house) do(who string, p engine.Project, cmd engine.Command) engine.Project {
	h.t.Helper()
	q, err := h.e.Do(h.t.Context(), h.people[who], p.ID, p.Version, cmd)
	if err != nil {
		h.t.Fatalf("%T by %s: %v", cmd, who, err)
	}
	return q
}

func (h *house) plan() int {
	h.t.Helper()
	n, err := h.n.Plan(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

func (h *house) deliver() int {
	h.t.Helper()
	n, err := h.n.Deliver(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// channel adds a channel at a unit.
func (h *house) channel(kind engine.ChannelKind, unit string, s engine.ChannelSecret, kinds ...string) engine.Channel {
	h.t.Helper()
	c, _, err := h.e.SaveChannel(h.t.Context(), h.people["admin"], engine.Channel{Kind: kind, Name: "渠道", UnitID: h.units[unit].ID,
		Settings: engine.ChannelSettings{From: "闭环 <loop@example.edu.cn>", Kinds: kinds}}, s, false)
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// choose sets how somebody wants to be told.
func (h *house) choose(login string, s engine.NotifySettings) {
	h.t.Helper()
	old, err := h.db.Settings(h.t.Context(), h.people[login].ID)
	if err != nil {
		h.t.Fatal(err)
	}
	s.ID, s.Version = old.ID, old.Version
	if _, err := h.e.SaveSettings(h.t.Context(), h.people[login], s); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) inbox(login string) []engine.Notice {
	h.t.Helper()
	page, err := h.e.Inbox(h.t.Context(), h.people[login], engine.NoticeFilter{Limit: engine.MaxPage})
	if err != nil {
		h.t.Fatal(err)
	}
	return page.Items
}

// deliveries are all, oldest first.
func (h *house) deliveries() []engine.Delivery {
	h.t.Helper()
	page, err := h.e.Deliveries(h.t.Context(), engine.Operator(), engine.DeliveryFilter{Limit: engine.MaxPage})
	if err != nil {
		h.t.Fatal(err)
	}
	for i, j := 0, len(page.Items)-1; i < j; i, j = i+1, j-1 {
		page.Items[i], page.Items[j] = page.Items[j], page.Items[i]
	}
	return page.Items
}
