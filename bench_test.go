//go:build bench

package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bihuan/api"
	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/files"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

// The benchmark compares one transition (read the project, decide, write project, entry and reminder, commit) with
// the same four statements sent by the fastest plain client at hand, in the same run: absolute figures say more
// about the machine than about us. `make bench` prints "ratio NAME VALUE" lines.
const (
	writers  = 8
	rounds   = 3
	roundFor = 5 * time.Second
	benchSet = 256 // projects that the writers take turns on
)

// benchWorld is a database with projects that can be submitted and returned for ever.
type benchWorld struct {
	db         *storage.DB
	engine     *engine.Engine
	owner      engine.Actor
	supervisor engine.Actor
	ids        []engine.ProjectID
	copies     int // that multiply made
}

func newBenchWorld(t *testing.T, db *storage.DB) *benchWorld {
	t.Helper()
	ctx := t.Context()
	e, err := engine.New(ctx, engine.Config{Store: db, Compile: workflows.Compile})
	if err != nil {
		t.Fatal(err)
	}
	source, _ := workflows.Source("shishi")
	if _, err := e.Publish(ctx, engine.Operator(), source); err != nil {
		t.Fatal(err)
	}
	unit, err := e.AddUnit(ctx, engine.Operator(), "", "root", "学校党委")
	if err != nil {
		t.Fatal(err)
	}
	w := &benchWorld{db: db, engine: e}
	person := func(login string, role engine.Role) engine.Actor {
		u, err := e.AddUser(ctx, engine.Operator(), login, login)
		if err == nil && role != "" {
			u, err = e.Grant(ctx, engine.Operator(), login, "root", role)
		}
		if err != nil {
			t.Fatal(err)
		}
		return engine.Actor{ID: u.ID, Grants: u.Grants, Via: engine.ViaAPI}
	}
	w.owner, w.supervisor = person("owner", ""), person("supervisor", engine.Supervisor)
	draft := engine.Draft{Title: "一站式线上办事大厅二期：新增 18 项师生高频事项", Need: "办事要跑多个部门", Target: "18 项事项全部上线",
		Measures: "逐项梳理、逐项上线、逐项回访", Owner: w.owner.ID, Sponsor: w.supervisor.ID, List: "2026-6",
		Deadline: e.Working().Days(2026)[0].Date.AddMonths(12 * (time.Now().Year() - 2025))}
	for range benchSet {
		p, err := e.Create(ctx, w.supervisor, "shishi", unit, draft)
		if err != nil {
			t.Fatal(err)
		}
		w.ids = append(w.ids, p.ID)
	}
	return w
}

// turn is one transition: a request, or the answer to it.
func (w *benchWorld) turn(ctx context.Context, id engine.ProjectID, version int64) (engine.Project, error) {
	if version%2 == 1 {
		return w.engine.Do(ctx, w.owner, id, version, engine.Submit{Transition: "deploy", Note: "材料齐全，请审批"})
	}
	return w.engine.Do(ctx, w.supervisor, id, version, engine.Return{Note: "请补充举措的时间安排"})
}

// rate runs f on all writers for one round and returns how often it succeeded a second. Each writer has projects
// of its own.
func (w *benchWorld) rate(t *testing.T, f func(ctx context.Context, writer, n int) error) float64 {
	t.Helper()
	var done atomic.Int64
	var group sync.WaitGroup
	start := time.Now()
	for writer := range writers {
		group.Go(func() {
			for n := 0; time.Since(start) < roundFor; n++ {
				if err := f(t.Context(), writer, n); err != nil {
					t.Errorf("writer %d: %v", writer, err)
					return
				}
				done.Add(1)
			}
		})
	}
	group.Wait()
	return float64(done.Load()) / time.Since(start).Seconds()
}

// engineRate drives transitions through the engine.
func (w *benchWorld) engineRate(t *testing.T) float64 {
	versions := w.versions(t)
	return w.rate(t, func(ctx context.Context, writer, n int) error {
		i := writer + writers*(n%(benchSet/writers))
		p, err := w.turn(ctx, w.ids[i], versions[i])
		versions[i] = p.Version
		return err
	})
}

func (w *benchWorld) versions(t *testing.T) []int64 {
	t.Helper()
	out := make([]int64, len(w.ids))
	for i, id := range w.ids {
		p, err := w.db.Project(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = p.Version
	}
	return out
}

// The four statements, as plain as they get. Sizes are those of a real transition.
const (
	rawSelect = `SELECT p.*, u.path FROM projects p JOIN units u ON u.id = p.unit_id WHERE p.id = `
	rawUpdate = `UPDATE projects SET version = version + 1, request = %[2]s, waiting = ',supervisor,', updated_at = %[3]s, head = %[4]s WHERE id = %[1]s`
	rawEntry  = `INSERT INTO entries (id, log, at, subject, seq, prev, hash, actor_id, actor_role, action, unit_id, from_stage, to_stage, version, bytes)
		VALUES (%[1]s, 'bench', %[3]s, 'bench/' || %[5]s, %[6]s, %[4]s, %[4]s, 'bench', 'owner', 'submit', '', 'plan', 'deploy', 1, %[7]s)`
	rawReminder = `INSERT INTO reminders (id, project_id, unit_id, entry_id, kind, timer_id, role, user_id, deadline, due_at, created_at, dedupe_key)
		VALUES (%[1]s, %[2]s, '', %[1]s, 'submit', '', 'supervisor', '', NULL, %[3]s, %[3]s, %[4]s)`
)

// rawHash is a hash for PostgreSQL's rows.
const rawHash = "decode(repeat('ab', 32), 'hex')"

// pgbenchRate sends the four statements with pgbench, prepared, from as many clients.
func (w *benchWorld) pgbenchRate(t *testing.T, pgbench, dsn string, payload int) float64 {
	t.Helper()
	quoted := make([]string, len(w.ids))
	for i, id := range w.ids {
		quoted[i] = "'" + string(id) + "'"
	}
	id := "(ARRAY[" + strings.Join(quoted, ",") + "])[:i]::uuid"
	script := strings.Join([]string{
		`\set i random(1, ` + strconv.Itoa(len(w.ids)) + `)`,
		`\set r random(1, 1000000000000)`,
		`\set s random(1, 1000000000000)`,
		"BEGIN",
		rawSelect + id,
		fmt.Sprintf(rawUpdate, id, "repeat('x', 160)", "now()", rawHash),
		fmt.Sprintf(rawEntry, "gen_random_uuid()", "", "now()", rawHash, ":r::text", ":s", "decode(repeat('ab', "+strconv.Itoa(payload)+"), 'hex')"),
		fmt.Sprintf(rawReminder, "gen_random_uuid()", id, "now()", "gen_random_uuid()::text"),
		"COMMIT",
	}, ";\n") + ";\n"
	script = strings.ReplaceAll(script, "000);\n\\set", "000)\n\\set")
	script = regexp.MustCompile(`(?m)^(\\set .*);$`).ReplaceAllString(script, "$1")
	file := filepath.Join(t.TempDir(), "four.sql")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(script, "\n\t\t", " ")), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), pgbench, "-n", "-M", "prepared", "-c", strconv.Itoa(writers), "-j", "2",
		"-T", strconv.Itoa(int(roundFor.Seconds())), "-f", file, dsn)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("pgbench: %v\n%s", err, errs.String())
	}
	m := regexp.MustCompile(`tps = ([0-9.]+)`).FindStringSubmatch(out.String())
	if m == nil {
		t.Fatalf("pgbench said: %s %s", out.String(), errs.String())
	}
	tps, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return tps
}

// sqliteRate sends the four statements through database/sql, prepared, with the pragmas of the product.
func (w *benchWorld) sqliteRate(t *testing.T, path string, payload int) float64 {
	t.Helper()
	raw, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)")
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	raw.SetMaxOpenConns(1) // more only wait for each other
	prepare := func(format string, args ...any) *sql.Stmt {
		s, err := raw.PrepareContext(t.Context(), fmt.Sprintf(format, args...))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	read := prepare("%s?", rawSelect)
	update := prepare(rawUpdate, "?4", "?1", "?2", "?3")
	entry := prepare(rawEntry, "?1", "", "?2", "?3", "?4", "?5", "?6")
	reminder := prepare(rawReminder, "?1", "?2", "?3", "?4")
	request, content, hash := strings.Repeat("x", 160), bytes.Repeat([]byte{0xab}, payload), bytes.Repeat([]byte{0xab}, 32)
	var serial atomic.Int64
	base := time.Now().UnixNano()
	return w.rate(t, func(ctx context.Context, writer, n int) error {
		id := string(w.ids[writer+writers*(n%(benchSet/writers))])
		now := time.Now().UTC().Format("2006-01-02 15:04:05.000000-07:00")
		tx, err := raw.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		rows, err := tx.StmtContext(ctx, read).QueryContext(ctx, id)
		if err != nil {
			return err
		}
		for rows.Next() {
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		k := w.engine.NewID()
		if _, err := tx.StmtContext(ctx, update).ExecContext(ctx, request, now, hash, id); err != nil {
			return err
		}
		if _, err := tx.StmtContext(ctx, entry).ExecContext(ctx, k, now, hash, k, base+serial.Add(1), content); err != nil {
			return err
		}
		if _, err := tx.StmtContext(ctx, reminder).ExecContext(ctx, k, id, now, k); err != nil {
			return err
		}
		return tx.Commit()
	})
}

// payload is the size of a transition's entry in this world.
func (w *benchWorld) payload(t *testing.T) int {
	t.Helper()
	p, err := w.turn(t.Context(), w.ids[0], w.versions(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	page, err := w.db.Entries(t.Context(), engine.EntryFilter{Subject: p.Subject(), Limit: 1})
	if err != nil || len(page.Items) == 0 {
		t.Fatal(page, err)
	}
	return len(page.Items[0].Bytes)
}

func ratio(name string, ours, theirs []float64) {
	r := make([]float64, len(ours))
	for i := range ours {
		r[i] = ours[i] / theirs[i]
	}
	median := func(list []float64) float64 {
		sorted := slices.Sorted(slices.Values(list))
		return sorted[len(sorted)/2]
	}
	fmt.Printf("ratio %s %.2f\n", name, median(r))
	fmt.Printf("  %s: %.0f/s against %.0f/s (medians of %d rounds)\n", name, median(ours), median(theirs), len(ours))
}

func TestBenchTransitionPostgres(t *testing.T) {
	pgbench, err := exec.LookPath("pgbench")
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
		if len(found) == 0 {
			t.Skip("pgbench not found: the PostgreSQL ratios are left out")
		}
		pgbench = found[len(found)-1]
	}
	dsn := storagetest.PostgresDurable(t)
	db, err := storage.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := newBenchWorld(t, db)
	size := w.payload(t)
	post := w.server(t)
	var direct, http, plain []float64
	for range rounds {
		direct = append(direct, w.engineRate(t))
		http = append(http, w.httpRate(t, post))
		plain = append(plain, w.pgbenchOn(t, pgbench, dsn, size))
	}
	ratio("transition_engine_postgres", direct, plain)
	ratio("transition_http_postgres", http, plain)
}

// server serves the world over HTTP on loopback and returns how to post to it as one of the two people.
func (w *benchWorld) server(t *testing.T) func(ctx context.Context, who engine.Actor, path string, version int64, body string) error {
	t.Helper()
	kept, err := files.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := api.New(api.Options{Engine: w.engine, Reader: w.db, Files: kept, Graph: workflows.Graph})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: writers}}
	tokens := map[engine.UserID]string{}
	for _, who := range []engine.Actor{w.owner, w.supervisor} {
		if tokens[who.ID], _, err = w.engine.IssueToken(t.Context(), engine.Operator(), string(who.ID), "bench", time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	return func(ctx context.Context, who engine.Actor, path string, version int64, body string) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/api/v1/projects/"+path, strings.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+tokens[who.ID])
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("If-Match", fmt.Sprintf("%q", strconv.FormatInt(version, 10)))
		answer, err := client.Do(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err == nil && answer.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s", answer.Status, text)
		}
		return err
	}
}

// httpRate drives the same transitions over HTTP.
func (w *benchWorld) httpRate(t *testing.T, post func(ctx context.Context, who engine.Actor, path string, version int64, body string) error) float64 {
	versions := w.versions(t)
	return w.rate(t, func(ctx context.Context, writer, n int) error {
		i := writer + writers*(n%(benchSet/writers))
		who, act, body := w.owner, "/transitions", `{"transition":"deploy","note":"材料齐全，请审批"}`
		if versions[i]%2 == 0 {
			who, act, body = w.supervisor, "/returns", `{"note":"请补充举措的时间安排"}`
		}
		if err := post(ctx, who, string(w.ids[i])+act, versions[i], body); err != nil {
			return err
		}
		versions[i]++
		return nil
	})
}

// pgbenchOn measures pgbench on the same tables, and leaves the projects as it found them: what pgbench writes is
// not a chain.
func (w *benchWorld) pgbenchOn(t *testing.T, pgbench, dsn string, size int) float64 {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec := func(q string) {
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE kept AS SELECT * FROM projects")
	tps := w.pgbenchRate(t, pgbench, dsn, size)
	exec("UPDATE projects p SET version = k.version, request = k.request, waiting = k.waiting, updated_at = k.updated_at, head = k.head FROM kept k WHERE k.id = p.id")
	exec("DROP TABLE kept")
	return tps
}

func TestBenchTransitionSQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bench.db")
	db, err := storage.Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := newBenchWorld(t, db)
	size := w.payload(t)
	copied := filepath.Join(filepath.Dir(path), "plain.db")
	if _, err := plain(t, path).ExecContext(t.Context(), "VACUUM INTO ?", copied); err != nil {
		t.Fatal(err)
	}
	var ours, theirs []float64
	for range rounds {
		ours = append(ours, w.engineRate(t))
		theirs = append(theirs, w.sqliteRate(t, copied, size))
	}
	ratio("transition_engine_sqlite", ours, theirs)
}

func plain(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
