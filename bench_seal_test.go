//go:build bench

package main

import (
	"bytes"
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// TestBenchSealing compares commits while entries are sealed and signed behind them with commits while they are not,
// turn by turn on one database.
func TestBenchSealing(t *testing.T) {
	db, err := storage.Open(t.Context(), storagetest.PostgresDurable(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := newBenchWorld(t, db)
	w.engineRate(t) // warm
	var with, without []float64
	var lag time.Duration
	for range rounds {
		x := newSeals(db, w.engine, t.TempDir(), slog.New(slog.DiscardHandler))
		x.signed = time.Now() // a signer's folder of its own; what it signs is another matter
		x.round(t.Context())  // what the last round without left behind
		stop := x.start(t.Context())
		watch, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			for ticker := time.NewTicker(50 * time.Millisecond); ; {
				select {
				case <-watch:
					ticker.Stop()
					return
				case <-ticker.C:
					lag = max(lag, x.sealer.Age())
				}
			}
		}()
		with = append(with, w.engineRate(t))
		close(watch)
		<-done
		x.signed = time.Now()
		stop()
		without = append(without, w.engineRate(t))
	}
	ratio("commit_with_sealing_postgres", with, without)
	fmt.Printf("  commit_with_sealing_postgres: entries were sealed within %s\n", lag.Round(time.Millisecond))
	if n := unsealed(t, db.SQL()); n == 0 {
		t.Error("nothing was left behind without sealing: the two were the same")
	}
}

// benchEntries is how many entries the benchmark of verification has; BIHUAN_BENCH_ENTRIES says otherwise.
func benchEntries(t *testing.T) int {
	t.Helper()
	text := os.Getenv("BIHUAN_BENCH_ENTRIES")
	if text == "" {
		return 1_000_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestBenchVerify verifies a million entries with the program as it is built, and says how long it took and how much
// memory it had at most. The entries are those of a real project, again and again under other ids.
func TestBenchVerify(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "bihuan")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-tags", "nomsgpack", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	t.Run("sqlite", func(t *testing.T) { benchVerify(t, binary, "sqlite:"+filepath.Join(t.TempDir(), "bihuan.db")) })
	t.Run("postgres", func(t *testing.T) { benchVerify(t, binary, storagetest.PostgresDurable(t)) })
}

func benchVerify(t *testing.T, binary, dsn string) {
	ctx := t.Context()
	db, err := storage.Open(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	w := newBenchWorld(t, db)
	for version := int64(1); version < 20; version++ {
		if _, err := w.turn(ctx, w.ids[0], version); err != nil {
			t.Fatal(err)
		}
	}
	sealer := db.NewSealer(nil)
	n, err := sealer.Seal(ctx)
	if err != nil {
		t.Fatal(err)
	}
	name := "verify_" + db.Backend()
	var sealing time.Duration
	for want := int64(benchEntries(t)); n < want; { // as it goes when entries come one by one, not all at once
		w.multiply(t, int(min(want-n, 50_000)))
		began := time.Now()
		more, err := sealer.Seal(ctx)
		if err != nil {
			t.Fatal(err)
		}
		n, sealing = n+more, sealing+time.Since(began)
	}
	fmt.Printf("  %s: %d entries were sealed in %s\n", name, n, sealing.Round(time.Millisecond))
	signed := newSeals(db, w.engine, t.TempDir(), slog.New(slog.DiscardHandler))
	if err := signed.checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	if db.Backend() == storage.Postgres {
		if _, err := db.SQL().ExecContext(ctx, "VACUUM ANALYZE"); err != nil { // as autovacuum would, in its time
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, binary, "audit", "verify", "--db", dsn, "--lang", "en")
	began := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(began)
	if log := fmt.Sprintf("Merkle log: %d entries", n); err != nil || !bytes.Contains(out, []byte(log)) {
		t.Fatalf("%v\n%.2000s", err, out)
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	fmt.Printf("figure %s_seconds %.1f\nfigure %s_mebibytes %d\n", name, took.Seconds(), name, usage.Maxrss>>10)
	fmt.Printf("  %s: %d entries, %.0f/s, %.1f s of processor time\n", name, n, float64(n)/took.Seconds(), (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
}

// multiply makes copies of the first project with its chain, until there are that many more entries.
func (w *benchWorld) multiply(t *testing.T, entries int) {
	t.Helper()
	ctx := t.Context()
	page, err := w.db.Entries(ctx, engine.EntryFilter{Subject: "project/" + string(w.ids[0]), OldestFirst: true, Limit: engine.MaxPage})
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.db.Project(ctx, w.ids[0])
	if err != nil {
		t.Fatal(err)
	}
	mark := func(n int, as string) string { return fmt.Sprintf("?%d", n) }
	if w.db.Backend() == storage.Postgres {
		mark = func(n int, as string) string { return fmt.Sprintf("$%d::%s", n, as) }
	}
	rows, err := w.db.SQL().QueryContext(ctx, "SELECT * FROM projects WHERE 1 = 0")
	if err != nil {
		t.Fatal(err)
	}
	columns, err := rows.Columns()
	if err := errors.Join(err, rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	own := map[string]string{"id": mark(1, "uuid"), "number": mark(2, "text"), "head": mark(3, "bytea")}
	chosen := make([]string, len(columns))
	for i, c := range columns {
		columns[i] = `"` + c + `"`
		chosen[i] = cmp.Or(own[c], columns[i])
	}
	types := strings.Fields("uuid text timestamptz text bigint bytea bytea text text text text text text bigint bytea")
	var places []string // of a whole chain: with one statement for each entry PostgreSQL takes ten times as long
	for i := range page.Items {
		var row []string
		for k, as := range types {
			row = append(row, mark(i*len(types)+k+1, as))
		}
		places = append(places, "("+strings.Join(row, ", ")+")")
	}
	tx, err := w.db.SQL().BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	prepare := func(text string) *sql.Stmt {
		s, err := tx.PrepareContext(ctx, text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	project := prepare("INSERT INTO projects (" + strings.Join(columns, ", ") + ") SELECT " + strings.Join(chosen, ", ") + " FROM projects WHERE id = " + mark(4, "uuid"))
	chain := prepare(`INSERT INTO entries (id, log, at, subject, seq, prev, hash, actor_id, actor_role, action, unit_id, from_stage, to_stage, version, bytes)
		VALUES ` + strings.Join(places, ", "))
	for made := 0; made < entries; made += len(page.Items) {
		id := w.engine.NewID()
		w.copies++
		number := fmt.Sprintf("%s%0*d", p.Number[:2], len(p.Number)-2, w.copies+1_000_000)[:len(p.Number)]
		var prev audit.Digest
		var values []any
		subject := "project/" + id
		for _, e := range page.Items {
			own := w.engine.NewID()
			b := bytes.ReplaceAll(e.Bytes, []byte(p.ID), []byte(id))
			b = bytes.ReplaceAll(b, []byte(e.ID), []byte(own))
			b = bytes.ReplaceAll(b, []byte(p.Number), []byte(number))
			if !e.Prev.IsZero() {
				b = bytes.ReplaceAll(b, []byte(e.Prev.String()), []byte(prev.String()))
			}
			hash := audit.HashEntry(b)
			before, err := prev.Value()
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, own, e.Log, e.At, subject, e.Seq, before, hash[:], e.Actor.ID, e.Actor.Role, e.Action, e.Unit, e.From, e.To, e.Version, b)
			prev = hash
		}
		if _, err := chain.ExecContext(ctx, values...); err != nil {
			t.Fatal(err)
		}
		if _, err := project.ExecContext(ctx, id, number, prev[:], string(p.ID)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}
