package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

const (
	kills     = 20 // per database
	killsFast = 3  // with -short
	loaders   = 4  // people working at the same time, each on a project of their own
	mostActs  = 60 // acknowledged acts before a kill, at most
	patience  = 20 * time.Second
)

// TestKill kills the server with SIGKILL in the middle of load, again and again over one database, and wants every
// act that was acknowledged in the trail, every act whose answer was lost done once, and the trail intact.
func TestKill(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "bihuan")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "nomsgpack", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for _, backend := range []struct {
		name string
		dsn  func(t *testing.T) string
	}{
		{"sqlite", func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "bihuan.db") }},
		{"postgres", func(t *testing.T) string { return storagetest.PostgresDurable(t) }},
	} {
		t.Run(backend.name, func(t *testing.T) {
			dsn := backend.dsn(t)
			equip(t, dsn)
			k := &killing{t: t, binary: binary, dsn: dsn, files: t.TempDir()}
			k.hire()
			n := kills
			if testing.Short() {
				n = killsFast
			}
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, 0))
			for range n {
				k.round(1+random.IntN(mostActs), time.Duration(random.IntN(5000))*time.Microsecond)
			}
			k.settle()
			t.Logf("%d acts acknowledged, %d answers lost, %d kills", k.acts, k.lost, n)
			if k.acts < n {
				t.Errorf("only %d acts were acknowledged", k.acts)
			}
			if a := call(t, nil, "audit", "verify", "--db", dsn); a.code != verifyIntact {
				t.Errorf("verify: exit %d\n%s%s", a.code, a.out, a.err)
			}
		})
	}
}

// killing is the load over one database through all of its kills.
type killing struct {
	t          *testing.T
	binary     string
	dsn, files string
	owner      string // tokens
	supervisor string
	workers    []*worker
	acts, lost int // acknowledged; carried out although the answer was lost
}

// worker drives one project round and round: submit, approve, send back.
type worker struct {
	id      string
	version int64
	step    int      // what comes next
	pending string   // idempotency key of an act whose answer was lost
	acked   []string // actions, in the order of their versions from first on
	first   int64
}

// steps are real transitions of the loop: 谋划 → 部署 and back.
var steps = []struct {
	path, body, action string
	owner              bool
}{
	{"transitions", `{"transition":"deploy"}`, "submit", true},
	{"approvals", `{}`, "approve", false},
	{"returns", `{"to":"plan","note":"重新谋划"}`, "return", false},
}

// hire makes the people.
func (k *killing) hire() {
	for _, login := range []string{"owner", "boss"} {
		must(k.t, "user", "add", login, login, "--db", k.dsn)
	}
	must(k.t, "user", "grant", "owner", "--role", "secretary", "--unit", "dw", "--db", k.dsn)
	must(k.t, "user", "grant", "boss", "--role", "supervisor", "--unit", "dw", "--db", k.dsn)
	k.owner = strings.TrimSpace(must(k.t, "token", "issue", "owner", "--db", k.dsn))
	k.supervisor = strings.TrimSpace(must(k.t, "token", "issue", "boss", "--db", k.dsn))
}

// start runs the program and returns when it listens.
func (k *killing) start() (*exec.Cmd, *client) {
	k.t.Helper()
	cmd := exec.CommandContext(k.t.Context(), k.binary, "serve", "--db", k.dsn, "--addr", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "BIHUAN_METRICS_ADDR=off", "BIHUAN_LIMITS_RATE=0", "BIHUAN_LOG_LEVEL=error", "BIHUAN_FILES="+k.files, "BIHUAN_SIGNING="+signing(k.t, k.dsn))
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if addr, ok := strings.CutPrefix(lines.Text(), "listening addr="); ok {
			return cmd, &client{base: "http://" + addr + "/api/v1", http: &http.Client{Timeout: patience, Transport: &http.Transport{}}}
		}
	}
	err = cmd.Wait()
	k.t.Fatalf("the server ended before it listened: %v\n%s", err, complaints.String())
	return nil, nil
}

// kill ends the process as a power cut would, and waits until it is gone.
func (k *killing) kill(cmd *exec.Cmd) {
	k.t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		k.t.Fatal(err)
	}
	var ended *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &ended) || ended.Exited() {
		k.t.Fatalf("the server ended by itself: %v", err)
	}
}

// round starts the server, kills it a moment after so many acts have been acknowledged, and compares.
func (k *killing) round(acts int, moment time.Duration) {
	k.t.Helper()
	cmd, c := k.start()
	if k.workers == nil {
		k.workers = k.propose(c)
	}
	enough := make(chan struct{})
	var count atomic.Int64
	var over atomic.Bool
	var all sync.WaitGroup
	for _, w := range k.workers {
		all.Go(func() {
			for {
				err := w.act(k, c)
				if err != nil {
					if !over.Load() {
						k.t.Errorf("%s: %v", w.id, err)
					}
					return
				}
				if count.Add(1) == int64(acts) {
					close(enough)
				}
			}
		})
	}
	stopped := make(chan struct{})
	go func() { all.Wait(); close(stopped) }()
	select {
	case <-enough:
		<-time.After(moment) // waits for nothing: it makes the blow fall at any point of a transaction
	case <-stopped:
	}
	over.Store(true)
	k.kill(cmd)
	<-stopped
	c.http.CloseIdleConnections()
	k.compare()
}

// settle lets every act whose answer was lost be answered, without a kill.
func (k *killing) settle() {
	k.t.Helper()
	cmd, c := k.start()
	for _, w := range k.workers {
		if err := w.act(k, c); err != nil {
			k.t.Errorf("%s: %v", w.id, err)
		}
	}
	c.http.CloseIdleConnections()
	k.kill(cmd)
	k.compare()
}

// compare reads the database itself: what was acknowledged stands in the trail at its version, and beyond that at
// most the one act whose answer was lost.
func (k *killing) compare() {
	k.t.Helper()
	db, err := storage.Open(k.t.Context(), k.dsn)
	if err != nil {
		k.t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			k.t.Error(err)
		}
	}()
	k.acts = 0
	for _, w := range k.workers {
		k.acts += len(w.acked)
		var got []string
		f := engine.EntryFilter{Subject: engine.SubjectProject + "/" + w.id, OldestFirst: true, Limit: engine.MaxPage}
		for {
			page, err := db.Entries(k.t.Context(), f)
			if err != nil {
				k.t.Fatal(err)
			}
			for _, e := range page.Items {
				if e.Seq >= w.first {
					got = append(got, e.Action)
				}
			}
			if f.After = page.Next; f.After == "" {
				break
			}
		}
		if len(got) < len(w.acked) {
			k.t.Fatalf("%s: %d acts were acknowledged, %d are in the trail", w.id, len(w.acked), len(got))
		}
		for i, action := range w.acked {
			if got[i] != action {
				k.t.Fatalf("%s: act %d was acknowledged as %s, the trail has %s", w.id, i, action, got[i])
			}
		}
		beyond := len(got) - len(w.acked)
		if beyond > 1 || beyond == 1 && w.pending == "" {
			k.t.Fatalf("%s: %d acts in the trail that nobody asked for", w.id, beyond)
		}
		k.lost += beyond
	}
	report, err := db.Verify(k.t.Context(), storage.VerifyOptions{})
	if err != nil || !report.Intact() {
		k.t.Fatalf("verify: %v, %v", err, report.Findings)
	}
}

// client is a bounded client of the API.
type client struct {
	base string
	http *http.Client
}

// call sends one request and returns the project's version that the answer names.
func (c *client) call(ctx context.Context, method, path, token, body string, base int64, key string) (version int64, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	if base > 0 {
		req.Header.Set("If-Match", fmt.Sprintf("%q", fmt.Sprint(base)))
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end below
	answer, err = io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return 0, answer, fmt.Errorf("%s %s: %d %s", method, path, resp.StatusCode, answer)
	}
	var p struct {
		ID      string
		Version int64
	}
	err = json.Unmarshal(answer, &p)
	return p.Version, answer, err
}

// propose makes the workers' projects, ready to be submitted.
func (k *killing) propose(c *client) []*worker {
	k.t.Helper()
	var out []*worker
	deadline := time.Now().AddDate(1, 0, 0).Format(time.DateOnly)
	for i := range loaders {
		body := fmt.Sprintf(`{"kind":"shishi","unit":"dw","title":"修路 %d","need":"出行","target":"通车","measures":"施工","owner":"owner",
			"sponsor":"boss","list":"2026-6","deadline":%q}`, i, deadline)
		version, answer, err := c.call(k.t.Context(), http.MethodPost, "/projects", k.owner, body, 0, "")
		if err != nil {
			k.t.Fatal(err)
		}
		var p struct{ ID string }
		if err := json.Unmarshal(answer, &p); err != nil {
			k.t.Fatal(err)
		}
		out = append(out, &worker{id: p.ID, version: version, first: version + 1})
	}
	return out
}

// act takes the next step. One whose answer was lost is asked for again with the same key, which must do it once.
func (w *worker) act(k *killing, c *client) error {
	s := steps[w.step]
	token := k.supervisor
	if s.owner {
		token = k.owner
	}
	if w.pending == "" {
		w.pending = fmt.Sprintf("%s-%d", w.id, w.version)
	}
	version, _, err := c.call(k.t.Context(), http.MethodPost, "/projects/"+w.id+"/"+s.path, token, s.body, w.version, w.pending)
	if err != nil {
		return err
	}
	if version != w.version+1 {
		return fmt.Errorf("%s led from version %d to %d", s.action, w.version, version)
	}
	w.version, w.step, w.pending = version, (w.step+1)%len(steps), ""
	w.acked = append(w.acked, s.action)
	return nil
}
