package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"bihuan/api/auth"
	"bihuan/api/console"
	"bihuan/config"
	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/engine/intake"
	"bihuan/engine/secret"
	"bihuan/examples/ledgers"
	"bihuan/examples/plan"
	"bihuan/storage"
	"bihuan/storage/files"
	"bihuan/workflows"
)

// demoLife is how long the demo's tokens hold.
const demoLife = 30 * 24 * time.Hour

type demoCmd struct {
	Addr string `placeholder:"HOST:PORT" default:"127.0.0.1:8080"`
	Dir  string `placeholder:"DIR"`
	Exit bool
}

// Help returns the examples.
func (demoCmd) Help() string {
	return "bihuan demo\n" +
		"bihuan demo --addr 127.0.0.1:8090\n" +
		"bihuan demo --dir ./demo --exit"
}

// Run makes the demo's database, unless the folder has one, and serves it. Without a folder of its own the demo
// lives in a temporary one, which is removed when it ends.
func (x *demoCmd) Run(ctx context.Context, s *session) error {
	if err := loopback(x.Addr); err != nil {
		return err
	}
	if !x.Exit {
		if err := vacant(ctx, x.Addr); err != nil {
			return err
		}
	}
	dir := x.Dir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "bihuan-demo-"); err != nil {
			return err
		}
		if !x.Exit { // with --exit the database is what was asked for
			defer func() { _ = os.RemoveAll(dir) }() // at worst a folder among the temporary ones
		}
	}
	path, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	c := config.Default()
	c.DB, c.Addr, c.Language = "sqlite:"+filepath.Join(path, "bihuan.db"), x.Addr, s.lang
	c.Files, c.Signing = filepath.Join(path, "evidence"), filepath.Join(path, "signing")
	c.Metrics.Addr = "" // a demo needs no second port
	c.Log.Level = "warn"
	if c.SecretKey, err = demoKey(filepath.Join(path, "secret.key")); err != nil {
		return err
	}
	c.Notify.Networks = "127.0.0.0/8" // so that receivers on this machine can be tried out
	if err := s.stage(ctx, c); err != nil {
		return err
	}
	if x.Exit {
		return nil
	}
	sv := &server{session: s, config: c, log: newLog(c.Log, s.err), demo: new(stageClock)}
	if err := sv.prepare(ctx); err != nil {
		return errors.Join(err, sv.close())
	}
	if err := sv.demo.resume(ctx, sv.db); err != nil {
		return errors.Join(err, sv.close())
	}
	return errors.Join(sv.serve(ctx), sv.close())
}

// demoKey reads the key that seals what channels know, or makes one. A demo keeps it beside its database; a real
// installation does not.
func demoKey(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err == nil {
		return string(b), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	key := secret.NewKey()
	return key, os.WriteFile(file, []byte(key+"\n"), 0o600)
}

// loopback refuses an address that others could reach: the demo hands out tokens and belongs to whoever runs it.
func loopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return misuse{line("demo.addr", "addr", addr)}
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return misuse{line("demo.addr", "addr", addr)}
	}
	return nil
}

// vacant reports whether an address can be listened on: a port that is taken is better known before two months are
// played than after.
func vacant(ctx context.Context, addr string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return l.Close()
}

// stage makes the demo's database, plays two months of the founding plan on it, and prints a token for each seat.
func (s *session) stage(ctx context.Context, c config.Config) error {
	db, err := storage.Open(ctx, c.DB)
	if err != nil {
		return err
	}
	return errors.Join(s.play(ctx, db, c), db.Close())
}

func (s *session) play(ctx context.Context, db *storage.DB, c config.Config) error {
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	where, err := site(c)
	if err != nil {
		return err
	}
	kept, err := files.Open(c.Files)
	if err != nil {
		return err
	}
	users, err := db.Users(ctx)
	if err != nil {
		return err
	}
	s.say("demo.place", "db", c.DB)
	if len(users) == 0 {
		if err := s.perform(ctx, db, where, kept, int64(c.Limits.Upload)); err != nil {
			return err
		}
	}
	now, err := engine.New(ctx, engine.Config{Store: db, Compile: workflows.Compile, Site: where})
	if err != nil {
		return err
	}
	if _, err := now.Sweep(ctx); err != nil { // what fell due since the play's last evening
		return err
	}
	newSeals(db, now, c.Signing, newLog(c.Log, s.err)).finish(ctx)
	return s.seats(ctx, now)
}

// perform plays the play with a clock of its own.
func (s *session) perform(ctx context.Context, db *storage.DB, where engine.Site, kept *files.Files, limit int64) error {
	today := calendar.DateOf(time.Now(), where.Location)
	start := plan.Start(calendar.Embedded(), today)
	clock := plan.NewClock(start.Start(where.Location))
	e, err := engine.New(ctx, engine.Config{Store: db, Compile: workflows.Compile, Site: where, Now: clock.Now})
	if err != nil {
		return err
	}
	if err := publishAll(ctx, e, "", newLog(config.Log{Level: "error"}, s.err)); err != nil {
		return err
	}
	s.say("demo.playing", "from", start, "to", today)
	_, err = plan.Play(ctx, plan.Stage{
		Engine: e, Clock: clock, Start: start, County: ledgers.Dazhu, CountyFile: ledgers.DazhuFile, Abreast: true,
		Import: func(ctx context.Context, unit engine.Unit, name string, data []byte) error {
			report, err := s.takeLedger(ctx, e, intake.Ledger{File: name, Data: data, Kind: "shishi", Unit: unit, Year: start.Year()}, false)
			if err != nil {
				return err
			}
			if len(report.Problems) > 0 {
				return fmt.Errorf("%s: %s", name, s.remark(report.Problems[0]))
			}
			s.say("demo.imported", "file", name, "projects", report.Projects)
			return nil
		},
		Put: func(ctx context.Context, name string, content []byte) (engine.AddEvidence, error) {
			f, err := kept.Put(ctx, name, bytes.NewReader(content), limit)
			return engine.AddEvidence{Name: f.Name, Type: f.Type, Size: f.Size, SHA256: f.SHA256}, err
		},
	})
	return err
}

// seats prints a token for each of the cast, and the project that the README's walk begins with.
func (s *session) seats(ctx context.Context, e *engine.Engine) error {
	s.say("demo.seats")
	var exports [][]string
	taken := map[string]bool{}
	for _, p := range plan.Cast {
		name := seat(p)
		if taken[name] { // the first of a role carries its name
			name = strings.ToUpper(p.Login)
		}
		taken[name] = true
		secret, _, err := e.IssueToken(ctx, engine.Operator(), p.Login, "demo", demoLife)
		if err != nil {
			return err
		}
		exports = append(exports, []string{"  export " + name + "=" + secret, "# " + p.Name + " " + p.Title.ZH + " " + p.Title.EN})
	}
	page, err := e.List(ctx, engine.Operator(), engine.Filter{Stage: []engine.StageID{"deploy"}, Waiting: []engine.Role{engine.Owner}, Limit: 1})
	if err != nil {
		return err
	}
	if len(page.Items) > 0 {
		p := page.Items[0]
		exports = append(exports, []string{"  export PROJECT=" + string(p.ID), "# " + p.Number + " " + p.Title})
	}
	s.table(exports)
	return nil
}

// chairs are the demo's seats, for visitors of the console.
type chairs struct {
	door   *auth.Door
	engine *engine.Engine
	clock  *stageClock
}

// stageClock is the demo's: the machine's, and ahead by the days that visitors let go by, because some steps take
// days, whatever people do.
type stageClock struct{ ahead atomic.Int64 }

func (c *stageClock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// resume goes on from the newest entry where a demo that is opened again had let days go by: time never runs back.
func (c *stageClock) resume(ctx context.Context, db *storage.DB) error {
	page, err := db.Entries(ctx, engine.EntryFilter{Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return err
	}
	if ahead := time.Until(page.Items[0].At); ahead > 0 {
		c.ahead.Store(int64(ahead))
	}
	return nil
}

// Pass lets days go by, one after the other: on each of them the clock does what falls due.
func (x chairs) Pass(ctx context.Context, days int) error {
	for range days {
		x.clock.ahead.Add(int64(24 * time.Hour))
		if _, err := x.engine.Sweep(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Seats lists the cast.
func (chairs) Seats() []console.Seat {
	var out []console.Seat
	for _, p := range plan.Cast {
		out = append(out, console.Seat{Login: p.Login, Name: p.Name, Title: p.Title})
	}
	return out
}

// Sit opens a session for one of the cast.
func (x chairs) Sit(ctx context.Context, login, _ string) (string, error) {
	if !slices.ContainsFunc(plan.Cast, func(p plan.Person) bool { return p.Login == login }) {
		return "", &engine.Error{Kind: engine.Denied, Key: "user.unknown", Args: map[string]any{"id": login}}
	}
	cookie, _, err := x.door.Admit(ctx, login, "seat")
	return cookie, err
}

// seat names the shell variable of a token: the role, or the login of somebody without one.
func seat(p plan.Person) string {
	switch {
	case p.Login == "zhou":
		return "OWNER"
	case p.Role == "":
		return strings.ToUpper(p.Login)
	}
	return strings.ToUpper(string(p.Role))
}
