package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bihuan/storage"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

// served is a server inside the test.
type served struct {
	t       *testing.T
	addr    string
	metrics string
	stop    context.CancelFunc // as SIGTERM does
	done    chan struct{}
	code    int
	mu      sync.Mutex
	out     strings.Builder
	err     locked
}

// locked is a buffer that a server writes and a test reads.
type locked struct {
	sync.Mutex
	b bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.Lock()
	defer l.Unlock()
	return l.b.Write(p)
}

func (l *locked) String() string {
	l.Lock()
	defer l.Unlock()
	return l.b.String()
}

var signings sync.Map // by DSN

// signing names the folder of the key for a database: the same for every server on it.
func signing(t *testing.T, dsn string) string {
	t.Helper()
	dir, _ := signings.LoadOrStore(dsn, t.TempDir())
	return dir.(string)
}

// serve starts "serve" on free ports and returns when it listens on both.
func serve(t *testing.T, dsn string, env map[string]string) *served {
	t.Helper()
	all := map[string]string{"BIHUAN_METRICS_ADDR": "127.0.0.1:0", "BIHUAN_FILES": t.TempDir(), "BIHUAN_SIGNING": signing(t, dsn)}
	for k, v := range env {
		all[k] = v
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := &served{t: t, stop: cancel, done: make(chan struct{})}
	r, w := io.Pipe()
	go func() {
		defer close(s.done)
		s.code = run(ctx, []string{"serve", "--db", dsn, "--addr", "127.0.0.1:0"}, w, &s.err, func(name string) string { return all[name] })
		_ = w.Close() // a pipe's writer never fails to close
	}()
	t.Cleanup(func() { cancel(); <-s.done })
	ready := make(chan struct{})
	go func() {
		defer close(ready)
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			if addr, ok := strings.CutPrefix(lines.Text(), "listening addr="); ok {
				s.addr = addr
			}
			if addr, ok := strings.CutPrefix(lines.Text(), "metrics addr="); ok {
				s.metrics = addr
				break
			}
			s.mu.Lock()
			s.out.WriteString(lines.Text() + "\n")
			s.mu.Unlock()
		}
		go func() { _, _ = io.Copy(io.Discard, r) }() // ends with the pipe
	}()
	select {
	case <-ready:
	case <-s.done:
	}
	if s.metrics == "" {
		<-s.done
		t.Fatalf("exit %d before listening: %s", s.code, s.err.String())
	}
	return s
}

// end stops the server as a signal does and wants exit code 0.
func (s *served) end() {
	s.t.Helper()
	s.stop()
	<-s.done
	if s.code != exitOK {
		s.t.Errorf("exit %d\n%s", s.code, s.err.String())
	}
}

// said is what the server told people.
func (s *served) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

// fetch answers a GET with status and body.
func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // read to its end below
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestServe starts on an empty database, is usable, and stops with 0.
func TestServe(t *testing.T) {
	for _, backend := range []struct {
		name string
		dsn  func(t *testing.T) string
	}{
		{"sqlite", func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "bihuan.db") }},
		{"postgres", func(t *testing.T) string { return storagetest.Postgres(t) }},
	} {
		t.Run(backend.name, func(t *testing.T) {
			dsn := backend.dsn(t)
			s := serve(t, dsn, nil)
			contains(t, s.said(), "没有默认账号", "http://"+s.addr+"/set-up")
			if strings.Contains(s.said(), "password=") || backend.name == "postgres" && strings.Contains(s.said(), dsn) {
				t.Error("the database's password is shown")
			}
			for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready", "/api/v1/openapi.json": "openapi"} {
				if code, body := fetch(t, "http://"+s.addr+path); code != http.StatusOK || !strings.Contains(body, want) {
					t.Errorf("%s: %d %s", path, code, body)
				}
			}
			if code, body := fetch(t, "http://"+s.metrics+"/metrics"); code != http.StatusOK || !strings.Contains(body, "bihuan_audit_guards_changed 0") {
				t.Errorf("/metrics: %d", code)
			}
			if code, _ := fetch(t, "http://"+s.addr+"/metrics"); code != http.StatusNotFound {
				t.Errorf("/metrics on the public listener: %d", code)
			}
			settle(t, s, dsn)
			s.end()

			again := serve(t, dsn, nil)
			if strings.Contains(again.said(), "没有默认账号") {
				t.Error("the first steps are shown although there are users")
			}
			again.end()
			if l := trail(t, dsn, "--action", "publish", "--action", "alarm"); len(l.Entries) != len(workflows.Embedded()) {
				t.Errorf("%d entries for the definitions published once", len(l.Entries))
			}
			must(t, "audit", "verify", "--db", dsn)
		})
	}
}

// TestServeStops: a request that has begun when the signal comes is answered, and what was answered is stored;
// nobody new is let in.
func TestServeStops(t *testing.T) {
	databases(t, func(t *testing.T, dsn string) {
		must(t, "user", "add", "zhang", "张三", "--db", dsn)
		must(t, "user", "grant", "zhang", "--role", "supervisor", "--unit", "dw", "--db", dsn)
		token := strings.TrimSpace(must(t, "token", "issue", "zhang", "--db", dsn))
		s := serve(t, dsn, nil)

		const requests = 3
		type reply struct {
			status int
			err    error
		}
		replies := make(chan reply, requests)
		var bodies []*io.PipeWriter
		for range requests {
			r, w := io.Pipe()
			bodies = append(bodies, w)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.addr+"/api/v1/projects", r)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+token)
			req.Header.Set("Content-Type", "application/json")
			go func() {
				client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
				resp, err := client.Do(req)
				if err != nil {
					replies <- reply{err: err}
					return
				}
				_ = resp.Body.Close() // only the status counts
				replies <- reply{status: resp.StatusCode}
			}()
			if _, err := io.WriteString(w, `{"kind": "shishi", `); err != nil {
				t.Fatal(err)
			}
		}
		for { // until the server has all of them in hand
			_, body := fetch(t, "http://"+s.metrics+"/metrics")
			if strings.Contains(body, "bihuan_http_in_flight 3") {
				break
			}
		}
		s.stop()
		for { // until it has stopped listening
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.addr)
			if err != nil {
				break
			}
			_ = conn.Close() // nothing was written
		}
		select {
		case <-s.done:
			t.Fatal("it ended with requests under way")
		default:
		}
		for _, w := range bodies {
			if _, err := io.WriteString(w, `"unit": "dw", "title": "修路"}`); err != nil {
				t.Error(err)
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		}
		for range requests {
			if r := <-replies; r.err != nil || r.status != http.StatusCreated {
				t.Errorf("a request that had begun: %d, %v", r.status, r.err)
			}
		}
		s.end()
		if l := trail(t, dsn, "--action", "create"); len(l.Entries) != requests {
			t.Errorf("%d projects stored of %d acknowledged", len(l.Entries), requests)
		}
		must(t, "audit", "verify", "--db", dsn)
	})
}

// TestServeRefuses: what cannot work ends at once, with a sentence.
func TestServeRefuses(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }() // nothing was accepted
	newer := fresh(t)
	tamper(t, newer, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)")
	empty := "sqlite:" + filepath.Join(t.TempDir(), "bihuan.db")
	folder := filepath.Dir(file(t, "broken.yaml", "id: ["))
	tests := []struct {
		name string
		dsn  string
		env  map[string]string
		want string
	}{
		{"a port that is taken", fresh(t), map[string]string{"BIHUAN_METRICS_ADDR": taken.Addr().String()}, taken.Addr().String()},
		{"a schema that is older, and no leave to migrate", empty, map[string]string{"BIHUAN_MIGRATE": "false"}, "bihuan migrate"},
		{"a schema that is newer", newer, nil, "9999"},
		{"a definition with mistakes", fresh(t), map[string]string{"BIHUAN_WORKFLOWS": folder}, "broken.yaml:"},
		{"a calendar with mistakes", fresh(t), map[string]string{"BIHUAN_CALENDAR": file(t, "bad.csv", nextYear+"nonsense\n")}, "bad.csv:6: "},
		{"nobody at the database's address", "postgres://nobody@127.0.0.1:1/none", nil, "127.0.0.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			env := map[string]string{"BIHUAN_METRICS_ADDR": "off", "BIHUAN_FILES": t.TempDir()}
			for k, v := range tt.env {
				env[k] = v
			}
			a := call(t, env, "serve", "--db", tt.dsn, "--addr", "127.0.0.1:0")
			if a.code != exitFailed || a.out != "" {
				t.Errorf("exit %d, %q", a.code, a.out)
			}
			contains(t, a.err, tt.want)
		})
	}
}

// TestServeLoads publishes the site's own definitions and days once, and tells of a file that was changed without
// a new version.
func TestServeLoads(t *testing.T) {
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "bihuan.db")
	own := file(t, "own.yaml", variant(t, "id: shishi", "id: own", "number: SS", "number: OW"))
	env := map[string]string{"BIHUAN_WORKFLOWS": filepath.Dir(own), "BIHUAN_CALENDAR": filepath.Dir(file(t, "2027.csv", nextYear))}
	serve(t, dsn, env).end()
	serve(t, dsn, env).end()
	if l := trail(t, dsn, "--action", "publish", "--action", "load_calendar"); len(l.Entries) != len(workflows.Embedded())+2 {
		t.Errorf("%d entries for the definitions and one year", len(l.Entries))
	}
	contains(t, must(t, "workflow", "list", "--published", "--db", dsn), "own")
	contains(t, must(t, "calendar", "show", "2027", "--db", dsn), "春节")

	if err := os.WriteFile(own, []byte(variant(t, "id: shishi", "id: own", "number: SS", "number: XX")), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, dsn, env)
	s.end()
	contains(t, s.err.String(), "stays in force", `"workflow":"own"`)
	if l := trail(t, dsn, "--action", "publish"); len(l.Entries) != len(workflows.Embedded())+1 {
		t.Errorf("%d definitions published", len(l.Entries))
	}
}

// TestServeAlarm: guards that somebody dropped are an entry in the trail, a metric and a line in the log.
func TestServeAlarm(t *testing.T) {
	databases(t, func(t *testing.T, dsn string) {
		tamper(t, dsn)
		s := serve(t, dsn, nil)
		for { // until the first check has been made
			_, body := fetch(t, "http://"+s.metrics+"/metrics")
			if strings.Contains(body, "bihuan_audit_guards_changed ") && !strings.Contains(body, "bihuan_audit_guards_changed 0") {
				break
			}
		}
		if code, _ := fetch(t, "http://"+s.addr+"/readyz"); code != http.StatusOK {
			t.Errorf("/readyz: %d: whoever drops a trigger could stop every replica", code)
		}
		s.end()
		contains(t, s.err.String(), "ALARM")
		if l := trail(t, dsn, "--action", "alarm"); len(l.Entries) != 1 {
			t.Errorf("%d alarms in the trail", len(l.Entries))
		}
	})
}

// TestClockStop: a job that is under way gets its time, and one that does not end is ended.
func TestClockStop(t *testing.T) {
	dsn := fresh(t)
	db, err := storage.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	s := newSession(nil, io.Discard, io.Discard, func(string) string { return "" })
	c, err := s.config(setup{}, map[string]string{"db": dsn})
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEngine(t.Context(), db, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	sv := &server{session: s, config: c, log: newLog(c.Log, io.Discard), db: db, engine: e, alarms: newAlarms()}
	clock, err := sv.newClock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	began, ended := make(chan struct{}), make(chan error, 1)
	clock.first = []func(context.Context) error{clock.bound(func(ctx context.Context) error {
		close(began)
		<-ctx.Done()
		ended <- ctx.Err()
		return nil
	})}
	clock.start()
	<-began
	clock.stop(time.Millisecond)
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the job's context did not end")
		}
	default:
		t.Error("stop returned before the job had ended")
	}
}
