package storage_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/audit/merkle"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// vault is a world whose trail is sealed and signed, with evidence on disk, and the things that lie outside the database.
type vault struct {
	*trail
	signing string // folder of the signer
	files   string // folder of the evidence
	signer  *merkle.Signer
	known   merkle.Kept // what an inspector kept an hour ago
}

func newVault(t *testing.T, db *storage.DB) *vault {
	t.Helper()
	x := &vault{trail: newTrail(t, db), signing: t.TempDir(), files: t.TempDir()}
	x.open()
	x.must(os.WriteFile(filepath.Join(x.files, x.evidence.SHA256.String()), []byte("x"), 0o600))
	for range 300 { // so that there are nodes
		x.q = x.update(x.q, func(p *engine.Project) { p.Progress = (p.Progress + 1) % 100 })
	}
	x.seal()
	x.known = merkle.Kept{Name: "kept.txt", Notes: [][]byte{x.checkpoint()}}
	x.now = x.now.Add(time.Hour)
	x.p = x.update(x.p, func(p *engine.Project) { p.Progress = 70 })
	x.q = x.update(x.q, func(p *engine.Project) { p.Title = "一小时后" })
	x.seal()
	x.checkpoint()
	return x
}

// open opens the signer, whose first key goes into the trail.
func (x *vault) open() {
	x.t.Helper()
	known, err := x.db.KnownKeys(x.t.Context())
	x.must(err)
	signer, fresh, err := merkle.OpenSigner(x.signing, x.log, len(known) > 0)
	x.must(err)
	x.signer = signer
	if fresh {
		r := x.record("actor/operator", 0, audit.Digest{}, engine.ActionCheckpointKey, nil, nil)
		r.Entry.Data = asJSON(x.t, map[string]any{"key": signer.Public()})
		b, err := r.Entry.Bytes()
		x.must(err)
		r.Bytes, r.Head = b, audit.HashEntry(b)
		x.must(x.db.Record(x.t.Context(), r))
	}
}

func (x *vault) seal() {
	x.t.Helper()
	_, err := x.db.NewSealer(nil).Seal(x.t.Context())
	x.must(err)
}

func (x *vault) checkpoint() []byte {
	x.t.Helper()
	note, err := x.db.Checkpoint(x.t.Context(), func(ctx context.Context, h merkle.Hashes, size int64, _ bool) ([]byte, error) {
		return x.signer.Sign(ctx, h, x.log, size, x.tick())
	})
	x.must(err)
	if note == nil {
		x.t.Fatal("nothing was signed")
	}
	return note
}

// verify verifies as an inspector does who has the public keys and, if kept is true, a checkpoint of an hour ago.
func (x *vault) verify(kept bool) storage.Report {
	x.t.Helper()
	keys, err := merkle.ReadKeys(x.signing)
	x.must(err)
	opt := storage.VerifyOptions{Keys: keys, Files: func(d audit.Digest) (io.ReadCloser, error) {
		return os.Open(filepath.Join(x.files, d.String()))
	}}
	if kept {
		opt.Known = []merkle.Kept{x.known}
	}
	r, err := x.db.Verify(x.t.Context(), opt)
	x.must(err)
	return r
}

// unguardLog takes the log's triggers away too.
func (w *world) unguardLog() {
	w.t.Helper()
	w.unguard()
	for _, table := range []string{"log_leaves", "log_nodes", "checkpoints"} {
		if w.db.Backend() == storage.Postgres {
			w.exec("ALTER TABLE " + table + " DISABLE TRIGGER USER")
			continue
		}
		for _, op := range []string{"update", "delete", "replace"} {
			w.exec("DROP TRIGGER " + table + "_no_" + op)
		}
	}
}

// wipeLog empties an unguarded database with its log.
func (w *world) wipeLog() {
	w.t.Helper()
	for _, table := range []string{"checkpoints", "log_nodes", "log_leaves"} {
		w.exec("DELETE FROM " + table)
	}
	w.wipe()
}

// forge changes an entry and recomputes whatever follows from it but what was signed: the rest of the chain, the row of
// the project, leaves and nodes.
func (x *vault) forge(p engine.Project, seq int, edit func(*audit.Entry)) {
	x.t.Helper()
	var prev audit.Digest
	for n := seq; n <= int(p.Version); n++ {
		e, err := audit.Parse(x.bytes(p.Subject(), n))
		x.must(err)
		if n == seq {
			edit(&e)
		} else {
			e.Prev = prev
		}
		x.rewrite(e)
		b, err := e.Bytes()
		x.must(err)
		prev = audit.HashEntry(b)
	}
	x.exec(fmt.Sprintf("UPDATE projects SET head = %s WHERE id = '%s'", x.literal(prev[:]), p.ID))
	x.relog()
}

// rewrite writes an entry over the one with its subject and seq.
func (x *vault) rewrite(e audit.Entry) {
	x.t.Helper()
	r, err := e.Row()
	x.must(err)
	x.exec(fmt.Sprintf("UPDATE entries SET bytes = %s, hash = %s, prev = %s, at = '%s', action = '%s', actor_id = '%s' WHERE subject = '%s' AND seq = %d",
		x.literal(r.Bytes), x.literal(r.Hash[:]), x.literal(r.Prev[:]), r.At.Format("2006-01-02 15:04:05.999999+00:00"), r.Action, r.ActorID, e.Subject, e.Seq))
	if e.Prev.IsZero() {
		x.exec(fmt.Sprintf("UPDATE entries SET prev = NULL WHERE subject = '%s' AND seq = %d", e.Subject, e.Seq))
	}
}

// relog recomputes leaves and nodes from the entries, each in its place.
func (x *vault) relog() {
	x.t.Helper()
	x.exec("UPDATE log_leaves SET hash = (SELECT hash FROM entries e WHERE e.id = log_leaves.entry_id) WHERE EXISTS (SELECT 1 FROM entries e WHERE e.id = log_leaves.entry_id)")
	x.exec("DELETE FROM log_nodes")
	size, err := x.db.LogSize(x.t.Context())
	x.must(err)
	leaves, err := x.db.Hashes(x.t.Context()).Nodes(x.t.Context(), 0, 0, size)
	x.must(err)
	check := merkle.NewCheck(nil, func(n merkle.Node) {
		x.exec(fmt.Sprintf("INSERT INTO log_nodes (level, n, hash) VALUES (%d, %d, %s)", n.Level, n.N, x.literal(n.Hash[:])))
	})
	for _, l := range leaves {
		check.Add(l)
	}
}

// resign signs everything anew with the stolen key, as if it had always been so.
func (x *vault) resign(from int64) {
	x.t.Helper()
	rows, err := x.db.SQL().QueryContext(x.t.Context(), fmt.Sprintf("SELECT n, size, at FROM checkpoints WHERE n >= %d ORDER BY n", from))
	x.must(err)
	defer rows.Close()
	type point struct {
		n, size int64
		at      time.Time
	}
	var points []point
	for rows.Next() {
		var p point
		x.must(rows.Scan(&p.n, &p.size, &p.at))
		points = append(points, p)
	}
	x.must(rows.Err())
	forgetful := x.t.TempDir() // the thief's own folder remembers nothing
	for _, name := range []string{"checkpoint.key", "checkpoint.pub"} {
		b, err := os.ReadFile(filepath.Join(x.signing, name))
		x.must(err)
		x.must(os.WriteFile(filepath.Join(forgetful, name), b, 0o600))
	}
	thief, _, err := merkle.OpenSigner(forgetful, x.log, true)
	x.must(err)
	for _, p := range points {
		note, err := thief.Sign(x.t.Context(), x.db.Hashes(x.t.Context()), x.log, p.size, p.at)
		x.must(err)
		x.exec(fmt.Sprintf("UPDATE checkpoints SET note = %s WHERE n = %d", x.literal(note), p.n))
	}
}

// backup remembers everything that the database holds about the trail and its rows, and returns what puts it back.
func (x *vault) backup() (restore func()) {
	x.t.Helper()
	tables := []string{"units", "users", "tokens", "definitions", "subjects", "projects", "entries", "evidence", "remarks", "log_leaves", "log_nodes", "checkpoints"}
	for _, table := range tables {
		x.exec("CREATE TABLE backup_" + table + " AS SELECT * FROM " + table)
	}
	return func() {
		x.t.Helper()
		x.wipeLog()
		for _, table := range tables {
			x.exec("INSERT INTO " + table + " SELECT * FROM backup_" + table)
			x.exec("DROP TABLE backup_" + table)
		}
	}
}

// TestTamperMatrix tries what somebody with the whole database in hands can do, against an inspector with and without a
// checkpoint of an hour ago. Each cell is what the documentation claims, the misses too: without an outside checkpoint
// nothing tells a complete rewrite or a roll-back, and nothing tells a rewrite younger than the newest outside copy.
func TestTamperMatrix(t *testing.T) {
	progress := func(e *audit.Entry) {
		e.Data = []byte(strings.Replace(string(e.Data), `"progress":20`, `"progress":95`, 1))
	}
	tests := []struct {
		name          string
		prepare       func(x *vault) func() // called before the last hour's entries; returns the attack
		attack        func(x *vault)
		without, with bool // found
	}{
		{name: "edit", attack: func(x *vault) {
			b := strings.Replace(string(x.bytes(x.p.Subject(), 2)), `"progress":20`, `"progress":95`, 1)
			x.exec(fmt.Sprintf("UPDATE entries SET bytes = %s WHERE subject = '%s' AND seq = 2", x.literal([]byte(b)), x.p.Subject()))
		}, without: true, with: true},
		{name: "edit and recompute", attack: func(x *vault) { x.forge(x.p, 2, progress) }, without: true, with: true},
		{name: "delete", attack: func(x *vault) {
			x.exec(fmt.Sprintf("DELETE FROM entries WHERE subject = '%s' AND seq = 3", x.p.Subject()))
		}, without: true, with: true},
		{name: "truncate", attack: func(x *vault) { // the newest entries and every trace of them but what was signed
			x.truncate(x.p, 2)
		}, without: true, with: true},
		{name: "delete a whole project", attack: func(x *vault) {
			x.exec(fmt.Sprintf("DELETE FROM log_leaves WHERE entry_id IN (SELECT id FROM entries WHERE subject = '%s')", x.p.Subject()))
			for _, table := range []string{"remarks WHERE project_id = '" + string(x.p.ID) + "'", "evidence WHERE project_id = '" + string(x.p.ID) + "'", "entries WHERE subject = '" + x.p.Subject() + "'", "projects WHERE id = '" + string(x.p.ID) + "'"} {
				x.exec("DELETE FROM " + table)
			}
		}, without: true, with: true},
		{name: "backdate", attack: func(x *vault) {
			x.forge(x.p, 2, func(e *audit.Entry) { e.At = e.At.Add(-time.Millisecond) })
		}, without: true, with: true},
		{name: "reorder", attack: func(x *vault) { // two entries of the log change places, with everything that follows
			a, b := x.entryID(x.p.Subject(), 2), x.entryID(x.q.Subject(), 2)
			x.exec(fmt.Sprintf("UPDATE log_leaves SET entry_id = '%s' WHERE entry_id = '%s'", newID(), a))
			x.exec(fmt.Sprintf("UPDATE log_leaves SET entry_id = '%s' WHERE entry_id = '%s'", a, b))
			x.exec(fmt.Sprintf("UPDATE log_leaves SET entry_id = '%s' WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.id = log_leaves.entry_id)", b))
			x.relog()
		}, without: true, with: true},
		{name: "append behind", attack: func(x *vault) { // a report that was never made, dated to when it was due, and sealed as if it were new
			at := x.now
			x.now = x.p.UpdatedAt.Add(-30 * time.Minute)
			before := x.now
			c := x.next(x.q, func(p *engine.Project) { p.Progress = 99 })
			x.must(x.commit(c))
			if !c.Entry.At.Before(at) || c.Entry.At.Before(before) {
				x.t.Fatalf("dated %s", c.Entry.At)
			}
			x.now = at
			x.seal()
			x.now = x.now.Add(time.Minute)
			x.checkpoint()
		}, without: true, with: true},
		{name: "edit a project's row", attack: func(x *vault) {
			x.exec(fmt.Sprintf("UPDATE projects SET progress = 99 WHERE id = '%s'", x.p.ID))
		}, without: true, with: true},
		{name: "swap evidence", attack: func(x *vault) {
			x.must(os.WriteFile(filepath.Join(x.files, x.evidence.SHA256.String()), []byte("another picture"), 0o600))
		}, without: true, with: true},
		{name: "swap the words of the public", attack: func(x *vault) {
			x.exec("UPDATE remarks SET text = '灯都亮了', salt = " + x.literal(audit.NewSalt()))
		}, without: true, with: true},
		{name: "do away with the words of the public", attack: func(x *vault) { x.exec("DELETE FROM remarks") }, without: true, with: true},
		{name: "roll back to a backup", prepare: func(x *vault) func() { return x.backup() }, without: false, with: true},
		{name: "re-sign with a stolen key", attack: func(x *vault) { x.forge(x.p, 2, progress); x.fixRow(x.p); x.resign(1) }, without: false, with: true},
		{name: "rewrite what is younger than the outside copy", attack: func(x *vault) {
			x.forge(x.q, int(x.q.Version), func(e *audit.Entry) {
				e.Data = []byte(strings.Replace(string(e.Data), "一小时后", "一小时前", 1))
			})
			x.exec(fmt.Sprintf("UPDATE projects SET title = '一小时前' WHERE id = '%s'", x.q.ID))
			x.resign(2)
		}, without: false, with: false},
	}
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		(&world{t: t, db: db}).unguardLog()
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				(&world{t: t, db: db}).wipeLog()
				var x *vault
				if test.prepare != nil {
					x = newVaultWith(t, db, test.prepare)
				} else {
					x = newVault(t, db)
					for _, kept := range []bool{false, true} {
						if r := x.verify(kept); !r.Intact() {
							t.Fatalf("before anything was done: %+v", r.Findings)
						}
					}
					test.attack(x)
				}
				for kept, want := range map[bool]bool{false: test.without, true: test.with} {
					if r := x.verify(kept); r.Intact() == want {
						t.Errorf("outside checkpoint %v: found %+v, want found: %v", kept, r.Findings, want)
					}
				}
			})
		}
	})
}

// newVaultWith is a vault that was rolled back to what a backup held before the inspector's checkpoint.
func newVaultWith(t *testing.T, db *storage.DB, prepare func(x *vault) func()) *vault {
	x := &vault{trail: newTrail(t, db), signing: t.TempDir(), files: t.TempDir()}
	x.open()
	x.must(os.WriteFile(filepath.Join(x.files, x.evidence.SHA256.String()), []byte("x"), 0o600))
	x.seal()
	x.checkpoint()
	attack := prepare(x)
	x.p = x.update(x.p, func(p *engine.Project) { p.Progress = 80 })
	x.seal()
	x.known = merkle.Kept{Name: "kept.txt", Notes: [][]byte{x.checkpoint()}}
	x.now = x.now.Add(time.Hour)
	if r := x.verify(true); !r.Intact() {
		t.Fatalf("before anything was done: %+v", r.Findings)
	}
	attack()
	return x
}

// truncate takes the newest entries of a project away, puts its row and its chain right, and empties their places.
func (x *vault) truncate(p engine.Project, n int64) {
	x.t.Helper()
	x.exec(fmt.Sprintf("DELETE FROM log_leaves WHERE entry_id IN (SELECT id FROM entries WHERE subject = '%s' AND seq > %d)", p.Subject(), p.Version-n))
	x.exec(fmt.Sprintf("DELETE FROM entries WHERE subject = '%s' AND seq > %d", p.Subject(), p.Version-n))
	head := audit.HashEntry(x.bytes(p.Subject(), int(p.Version-n)))
	x.exec(fmt.Sprintf("UPDATE projects SET head = %s, version = %d, progress = 20 WHERE id = '%s'", x.literal(head[:]), p.Version-n, p.ID))
}

// fixRow puts nothing right that later entries say anyway: the row of a project is the fold of its entries still.
func (x *vault) fixRow(p engine.Project) {
	x.t.Helper()
	if r := x.verify(false); slices.ContainsFunc(r.Findings, func(f audit.Finding) bool { return f.Check == audit.CheckReplay && f.Subject == p.Subject() }) {
		x.t.Fatalf("the forged chain does not lead to the row: %+v", r.Findings)
	}
}

// TestByteFlips flips a random bit of a random byte of everything that the database stores of the trail, a thousand
// times, and asks for a finding that names the place each time.
func TestByteFlips(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		(&world{t: t, db: db}).unguardLog()
		x := newVault(t, db)
		columns := []struct{ table, key, column string }{
			{"entries", "id", "bytes"}, {"entries", "id", "hash"}, {"entries", "id", "prev"},
			{"log_leaves", "idx", "hash"}, {"log_nodes", "n", "hash"}, {"checkpoints", "n", "note"},
			{"users", "id", "salt"}, {"remarks", "id", "salt"}, {"definitions", "digest", "source"}, {"projects", "id", "head"}, {"subjects", "subject", "head"}, {"evidence", "id", "sha256"},
		}
		type cell struct {
			table, key, column, id string
			value                  []byte
		}
		var cells []cell
		total := 0
		for _, c := range columns {
			rows, err := db.SQL().QueryContext(t.Context(), fmt.Sprintf("SELECT CAST(%s AS text), %s FROM %s WHERE %[2]s IS NOT NULL", c.key, c.column, c.table))
			x.must(err)
			for rows.Next() {
				cell := cell{table: c.table, key: c.key, column: c.column}
				x.must(rows.Scan(&cell.id, &cell.value))
				cells = append(cells, cell)
				total += len(cell.value)
			}
			x.must(rows.Err())
			x.must(rows.Close())
		}
		if r := x.verify(false); !r.Intact() {
			t.Fatalf("before anything was done: %+v", r.Findings)
		}
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 8))
		const flips = 1000
		missed := 0
		for range flips {
			// Half by cell, so that small columns are met, half by byte.
			c := cells[random.IntN(len(cells))]
			if random.IntN(2) == 0 {
				at := random.IntN(total)
				for _, c = range cells {
					if at -= len(c.value); at < 0 {
						break
					}
				}
			}
			flipped := bytes.Clone(c.value)
			flipped[random.IntN(len(flipped))] ^= 1 << random.IntN(8)
			set := func(value []byte) {
				x.exec(fmt.Sprintf("UPDATE %s SET %s = %s WHERE CAST(%s AS text) = '%s'", c.table, c.column, x.literal(value), c.key, c.id))
			}
			set(flipped)
			if r := x.verify(false); !x.located(r, c.table, c.id) {
				if missed++; missed < 10 {
					t.Errorf("seed %d: %s.%s of %s: %q → %q: found %+v", seed, c.table, c.column, c.id, c.value, flipped, r.Findings)
				}
			}
			set(c.value)
		}
		if missed > 0 {
			t.Errorf("%d of %d flips were not found and located", missed, flips)
		}
		if r := x.verify(true); !r.Intact() {
			t.Errorf("after everything was put back: %+v", r.Findings)
		}
	})
}

// located tells whether a finding names the row.
func (x *vault) located(r storage.Report, table, id string) bool {
	subject, entry := "", ""
	switch table {
	case "entries":
		entry = id
		x.must(x.db.SQL().QueryRowContext(x.t.Context(), fmt.Sprintf("SELECT subject FROM entries WHERE id = '%s'", id)).Scan(&subject))
	case "log_leaves":
		x.must(x.db.SQL().QueryRowContext(x.t.Context(), "SELECT CAST(entry_id AS text) FROM log_leaves WHERE idx = "+id).Scan(&entry))
	case "log_nodes", "checkpoints":
		subject = merkle.Subject
	case "users":
		subject = "user/" + id
	case "definitions":
		subject = "workflow/shishi"
	case "projects":
		subject = "project/" + id
	case "subjects":
		subject = id
	case "evidence", "remarks":
		subject = x.p.Subject()
	}
	return slices.ContainsFunc(r.Findings, func(f audit.Finding) bool {
		return (entry == "" || f.Entry == entry || f.Subject == subject) && (subject == "" || f.Subject == subject)
	})
}
