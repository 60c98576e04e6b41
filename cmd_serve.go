package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"bihuan/api"
	"bihuan/api/auth"
	"bihuan/api/console"
	"bihuan/api/verifier"
	"bihuan/config"
	"bihuan/engine"
	"bihuan/engine/notify"
	"bihuan/storage"
	"bihuan/storage/files"
	"bihuan/workflows"
)

// maxHeader bounds the header of a request in bytes; readHeader the time for it.
const (
	maxHeader  = 64 << 10
	readHeader = 10 * time.Second
)

type serveCmd struct {
	database
	Addr    string `placeholder:"HOST:PORT"`
	Layouts string `placeholder:"DIR"`
}

// Help returns the examples.
func (serveCmd) Help() string {
	return "bihuan serve --db sqlite:/var/lib/bihuan/bihuan.db --addr 127.0.0.1:8080\n" +
		"bihuan serve --config /etc/bihuan.yaml\n" +
		"BIHUAN_DB=postgres://db.example.edu/loop bihuan serve"
}

// Run serves until ctx ends, and then stops without losing what was acknowledged.
func (x *serveCmd) Run(ctx context.Context, s *session) error {
	c, err := s.config(x.setup, map[string]string{"db": x.DB, "addr": x.Addr, "layouts": x.Layouts})
	if err != nil {
		return err
	}
	sv := &server{session: s, config: c, log: newLog(c.Log, s.err)}
	if err := sv.prepare(ctx); err != nil {
		return errors.Join(err, sv.close())
	}
	return errors.Join(sv.serve(ctx), sv.close())
}

// newLog makes the structured log; the set-up has been validated.
func newLog(c config.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// newEngine makes an engine as the set-up says.
func newEngine(ctx context.Context, db *storage.DB, c config.Config, log *slog.Logger) (*engine.Engine, error) {
	return newEngineAt(ctx, db, c, log, nil)
}

// newEngineAt is newEngine with a time of its own, or the machine's if now is nil.
func newEngineAt(ctx context.Context, db *storage.DB, c config.Config, log *slog.Logger, now func() time.Time) (*engine.Engine, error) {
	where, err := site(c)
	if err != nil {
		return nil, err
	}
	box, err := newBox(c)
	if err != nil {
		return nil, err
	}
	return engine.New(ctx, engine.Config{Store: db, Compile: workflows.Compile, Site: where, Log: log, Secrets: box, Now: now})
}

// server is a running "serve".
type server struct {
	*session
	config config.Config
	log    *slog.Logger

	db       *storage.DB
	engine   *engine.Engine
	door     *auth.Door
	api      *api.Server
	notifier *notify.Notifier
	hub      *notify.Hub
	seals    *seals
	demo     *stageClock // of the demo, in which visitors choose a seat instead of signing in; nil elsewhere
	open     []net.Listener
	alarms   alarms
	archived prometheus.Counter // messages that moved to the archive
}

// prepare brings everything up to the point where requests can be answered.
func (sv *server) prepare(ctx context.Context) error {
	c := sv.config
	var err error
	if sv.db, err = storage.Open(ctx, c.DB); err != nil {
		return err
	}
	if c.Migrate {
		err = sv.db.Migrate(ctx)
	} else {
		err = sv.db.Check(ctx)
	}
	if err != nil {
		return err
	}
	var now func() time.Time
	if sv.demo != nil {
		now = sv.demo.now
	}
	if sv.engine, err = newEngineAt(ctx, sv.db, c, sv.log, now); err != nil {
		return err
	}
	if err := publishAll(ctx, sv.engine, c.Workflows, sv.log); err != nil {
		return err
	}
	if err := loadCalendar(ctx, sv.engine, c.Calendar, sv.log); err != nil {
		return err
	}
	if sv.notifier, err = sv.newNotifier(); err != nil {
		return err
	}
	layouts, err := siteLayouts(c.Layouts)
	if err != nil {
		return err
	}
	evidence, err := files.Open(c.Files)
	if err != nil {
		return err
	}
	policy := auth.Profiles[c.Passwords]
	policy.Words = []string{c.Organisation}
	if sv.door, err = auth.New(auth.Config{Engine: sv.engine, Now: time.Now, Store: sv.db, Policy: policy, Log: sv.log, Issuer: c.Organisation, SecondFactor: roles(c.SignIn.Roles()),
		Ways: ways(c), PublicURL: c.PublicURL}); err != nil {
		return err
	}
	pages := &console.Options{Live: sv.hub, PublicURL: c.PublicURL, Tray: evidence, Door: sv.door, Views: sv.db, Verify: verification(sv.db, c.Signing, c.Files), Compare: compare, Tallies: workflows.Tallies(), Site: c.Organisation, Board: c.Board || sv.demo != nil, Now: now}
	if sv.demo != nil {
		pages.Seats = chairs{sv.door, sv.engine, sv.demo}
	}
	sv.archived = prometheus.NewCounter(prometheus.CounterOpts{Name: "bihuan_deliveries_archived_total", Help: "Messages that moved to the archive."})
	sv.alarms, sv.seals = newAlarms(), newSeals(sv.db, sv.engine, c.Signing, sv.log)
	offline, err := verifier.Page()
	if err != nil && !errors.Is(err, verifier.ErrMissing) {
		return err
	}
	sv.api, err = api.New(api.Options{
		Engine: sv.engine, Reader: sv.db, Files: evidence, Graph: workflows.Graph, Notifier: sv.notifier, Ready: sv.ready, Warnings: sv.seals.warnings, Trail: storage.Trail{DB: sv.db}, Verifier: offline, Log: sv.log,
		Language: c.Language, Version: buildVersion(), Console: pages, Now: now,
		Sheets: workflows.Sheets(), ParseSheet: workflows.ParseSheet, Layouts: layouts, Site: c.Organisation,
		Limits:     api.Limits{Body: int64(c.Limits.Body), Upload: int64(c.Limits.Upload), Rate: c.Limits.Rate},
		Collectors: append(sv.alarms.collectors(), notifyMetrics{sv.notifier}, sv.archived, sv.seals, collectors.NewDBStatsCollector(sv.db.SQL(), sv.db.Backend())),
	})
	return err
}

// ready tells whether requests can be answered: the database does, and its schema is still ours.
func (sv *server) ready(ctx context.Context) error {
	if err := sv.db.Ping(ctx); err != nil {
		return err
	}
	return sv.db.Check(ctx)
}

// close gives back what prepare took.
func (sv *server) close() error {
	var errs []error
	for _, l := range sv.open {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if sv.db != nil {
		errs = append(errs, sv.db.Close())
	}
	return errors.Join(errs...)
}

// serve answers requests and wakes the clock until ctx ends or a listener fails.
func (sv *server) serve(ctx context.Context) error {
	listeners := []*listener{{name: "listening", addr: sv.config.Addr, handler: sv.api.Handler()}}
	if !sv.config.Metrics.Off() {
		listeners = append(listeners, &listener{name: "metrics", addr: sv.config.Metrics.Addr, handler: sv.api.Metrics()})
	}
	for _, l := range listeners {
		if err := sv.listen(ctx, l); err != nil {
			return err
		}
	}
	clock, err := sv.newClock(ctx)
	if err != nil {
		return err
	}
	if err := sv.firstSteps(ctx); err != nil {
		return err
	}
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		go l.run(failed)
		sv.print(l.name + " addr=" + l.listener.Addr().String()) // scripts read this line: not translated
	}
	clock.start()
	quiet, seal := sv.startNotifier(ctx), sv.seals.start(ctx)

	var cause error
	select {
	case <-ctx.Done():
	case cause = <-failed:
	}
	return errors.Join(cause, sv.stop(clock, quiet, seal, listeners))
}

// listener is one address with what answers there.
type listener struct {
	name, addr string
	handler    http.Handler
	listener   net.Listener
	server     *http.Server
}

// listen opens the address, so that a port that is taken is known before anything else happens.
func (sv *server) listen(ctx context.Context, l *listener) error {
	var err error
	if l.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", l.addr); err != nil {
		return err
	}
	sv.open = append(sv.open, l.listener)
	t := sv.config.Timeouts
	l.server = &http.Server{
		Handler:           l.handler,
		ReadHeaderTimeout: min(readHeader, t.Read),
		ReadTimeout:       t.Read,
		WriteTimeout:      t.Write,
		IdleTimeout:       t.Idle,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(sv.log.Handler(), slog.LevelWarn),
	}
	return nil
}

func (l *listener) run(failed chan<- error) {
	if err := l.server.Serve(l.listener); !errors.Is(err, http.ErrServerClosed) {
		failed <- err
	}
}

// stop ends in the order in which nothing acknowledged is lost: say that no more requests are wanted, let the
// clock rest, finish the deliveries and requests under way, seal what they wrote. The caller then closes the database.
func (sv *server) stop(clock *clock, quiet, seal func(), listeners []*listener) error {
	sv.log.Info("stopping")
	sv.api.Drain()
	grace, cancel := context.WithTimeout(context.Background(), sv.config.Timeouts.Shutdown)
	defer cancel()
	clock.stop(sv.config.Timeouts.Shutdown / 2)
	quiet()
	sv.hub.Close()
	var errs []error
	for _, l := range listeners {
		if err := l.server.Shutdown(grace); err != nil {
			errs = append(errs, err, l.server.Close())
		}
	}
	seal()
	return errors.Join(errs...)
}
