package storage_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"bihuan/engine/audit"
	"bihuan/engine/audit/merkle"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// sealed checks that every entry stands in the log once, that places are dense, that leaves are the entries' hashes
// and that the nodes are those of the leaves. It returns the number of leaves.
func (w *world) sealed() int64 {
	w.t.Helper()
	ctx := w.t.Context()
	count := func(query string) (n int64) {
		w.t.Helper()
		w.must(w.db.SQL().QueryRowContext(ctx, query).Scan(&n))
		return n
	}
	entries, size := count("SELECT count(*) FROM entries"), count("SELECT coalesce(max(idx) + 1, 0) FROM log_leaves")
	if leaves := count("SELECT count(*) FROM log_leaves"); leaves != entries || size != entries {
		w.t.Fatalf("%d entries, %d leaves, the last has number %d", entries, leaves, size-1)
	}
	if n := count("SELECT count(*) FROM log_leaves l JOIN entries e ON e.id = l.entry_id AND e.hash = l.hash"); n != size {
		w.t.Errorf("%d of %d leaves are those of their entries", n, size)
	}
	h := w.db.Hashes(ctx)
	leaves, err := h.Nodes(ctx, 0, 0, size)
	w.must(err)
	for _, at := range []int64{size, size / 2, min(size, 256), 1} {
		got, err := merkle.RootAt(ctx, h, at)
		if want := merkle.Root(leaves[:at]); err != nil || got != want {
			w.t.Errorf("root at %d: %s (%v), want %s", at, got, err, want)
		}
	}
	return size
}

func TestSeal(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		now := start
		s := db.NewSealer(func() time.Time { return now })
		n, err := s.Seal(t.Context())
		if err != nil || n != w.sealed() || n == 0 {
			t.Fatalf("sealed %d (%v)", n, err)
		}
		if n, err := s.Seal(t.Context()); err != nil || n != 0 {
			t.Errorf("sealed %d (%v) of nothing", n, err)
		}
		p := w.create("root", nil)
		now = now.Add(7 * time.Second)
		if s.Age() != 7*time.Second {
			t.Errorf("age %v, want 7s", s.Age())
		}
		if leaf, err := db.LeafOf(t.Context(), w.entryID(p.Subject(), 1)); err != nil || leaf != -1 {
			t.Errorf("leaf %d (%v) of an entry that waits, want -1", leaf, err)
		}
		if n, err := s.Seal(t.Context()); err != nil || n != 1 || s.Age() != 0 {
			t.Errorf("sealed %d (%v), age %v, want 1 and 0s", n, err, s.Age())
		}
		if leaf, err := db.LeafOf(t.Context(), w.entryID(p.Subject(), 1)); err != nil || leaf != w.sealed()-1 {
			t.Errorf("leaf %d (%v) of the last entry, want %d", leaf, err, w.sealed()-1)
		}
		// One that comes after seals what others left, over several nodes.
		for range 300 {
			p = w.update(p, nil)
		}
		if n, err := db.NewSealer(nil).Seal(t.Context()); err != nil || n != 300 {
			t.Errorf("sealed %d (%v), want 300", n, err)
		}
		if size := w.sealed(); size < 302 {
			t.Errorf("%d leaves", size)
		}
	})
}

// entryID returns the id of an entry.
func (w *world) entryID(subject string, seq int) (id string) {
	w.t.Helper()
	w.must(w.db.SQL().QueryRowContext(w.t.Context(), fmt.Sprintf("SELECT id FROM entries WHERE subject = '%s' AND seq = %d", subject, seq)).Scan(&id))
	return id
}

// An entry that was decided first and committed last is sealed, though later ones have been by then.
func TestSealCommitSafe(t *testing.T) {
	db := storagetest.Open(t, storage.Postgres)
	w := newWorld(t, db)
	s := db.NewSealer(nil)
	slow, err := db.SQL().BeginTx(t.Context(), nil)
	w.must(err)
	late := newID()
	if _, err := slow.ExecContext(t.Context(), `INSERT INTO entries (id, log, at, subject, seq, hash, actor_id, actor_role, action, unit_id, from_stage, to_stage, version, bytes)
		VALUES ($1, 'x/1', now(), 'unit/late', 1, $2, 'a', '', 'x', '', '', '', 1, '')`, late, make([]byte, 32)); err != nil {
		t.Fatal(err)
	}
	for range 3 { // the world goes on, and the floor with it
		w.create("root", nil)
		if n, err := s.Seal(t.Context()); err != nil || n == 0 {
			t.Fatalf("sealed %d (%v) while a transaction was open", n, err)
		}
	}
	w.must(slow.Commit())
	if n, err := s.Seal(t.Context()); err != nil || n != 1 {
		t.Fatalf("sealed %d (%v) after it was committed, want 1", n, err)
	}
	if leaf, err := db.LeafOf(t.Context(), late); err != nil || leaf != w.sealed()-1 {
		t.Errorf("leaf %d (%v), want the last", leaf, err)
	}
}

// A replica that finds something waiting whenever it looks, and never its turn, knows that others keep up.
func TestSealBehindAnother(t *testing.T) {
	db := storagetest.Open(t, storage.Postgres)
	w := newWorld(t, db)
	now := start
	s := db.NewSealer(func() time.Time { return now })
	look := func(want time.Duration) {
		t.Helper()
		lock, err := db.SQL().BeginTx(t.Context(), nil)
		w.must(err)
		defer func() { w.must(lock.Rollback()) }()
		if _, err := lock.ExecContext(t.Context(), "SELECT pg_advisory_xact_lock($1)", int64(0x626968_75616e_07)); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Second)
		if n, err := s.Seal(t.Context()); err != nil || n != 0 || s.Age() != want {
			t.Errorf("sealed %d (%v), age %v, want %v", n, err, s.Age(), want)
		}
	}
	long, err := db.SQL().BeginTx(t.Context(), nil) // of anybody on the server: nothing can be sealed for good past it
	w.must(err)
	defer func() { w.must(long.Rollback()) }()
	if _, err := long.ExecContext(t.Context(), "SELECT pg_current_xact_id()"); err != nil {
		t.Fatal(err)
	}
	w.create("root", nil)
	look(time.Second)
	for range 3 { // others seal, and more comes before this one looks
		if _, err := db.NewSealer(nil).Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.create("root", nil)
		look(time.Second)
	}
	look(2 * time.Second) // nobody does
	look(3 * time.Second)
}

// A database that was put back under a running server counts its transactions, or its rows, on from before. What it
// holds and what comes is sealed all the same.
func TestSealAfterRestore(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		w.unguardLog()
		s := db.NewSealer(nil)
		seal := func(want int64) {
			t.Helper()
			if n, err := s.Seal(t.Context()); err != nil || n != want {
				t.Fatalf("sealed %d (%v), want %d", n, err, want)
			}
			w.sealed()
		}
		p := w.create("root", nil)
		for range 8 {
			w.create("root", nil)
		}
		if n, err := s.Seal(t.Context()); err != nil || n < 9 {
			t.Fatalf("sealed %d (%v)", n, err)
		}
		seal(0)
		// What was put back is older, and its last entry had not been sealed.
		w.exec("DELETE FROM log_leaves WHERE idx >= (SELECT idx FROM log_leaves WHERE entry_id = '" + w.entryID(p.Subject(), 1) + "')")
		w.exec("DELETE FROM log_nodes")
		if db.Backend() == storage.Postgres {
			w.exec("ALTER TABLE entries RENAME TO former")
			w.exec("CREATE TABLE entries (LIKE former INCLUDING DEFAULTS)")
			w.exec("INSERT INTO entries SELECT f.* FROM former f LEFT JOIN log_leaves l ON l.entry_id = f.id WHERE l.idx IS NOT NULL OR f.subject = '" + p.Subject() + "'")
		} else {
			w.exec("DELETE FROM entries WHERE id NOT IN (SELECT entry_id FROM log_leaves) AND subject <> '" + p.Subject() + "'")
		}
		seal(1)
		w.create("root", nil)
		seal(1)
	})
}

// Several replicas seal what several writers write, and the log is dense and whole.
func TestSealReplicas(t *testing.T) {
	for _, backend := range storagetest.Backends {
		t.Run(backend, func(t *testing.T) {
			dsn := storagetest.DSN(t, backend)
			db := storagetest.At(t, dsn)
			if err := db.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			w := newWorld(t, db)
			done := make(chan struct{})
			var writers, sealers sync.WaitGroup
			for range 4 {
				own := &world{t: t, db: db, log: w.log, now: start, units: w.units}
				p := w.create("root", nil)
				writers.Go(func() {
					for range 100 {
						p = own.update(p, nil)
					}
				})
			}
			for range 3 {
				s := storagetest.At(t, dsn).NewSealer(nil)
				sealers.Go(func() {
					for {
						if _, err := s.Seal(t.Context()); err != nil {
							t.Error(err)
							return
						}
						select {
						case <-done:
							return
						default:
						}
					}
				})
			}
			writers.Wait()
			close(done)
			sealers.Wait()
			if _, err := db.NewSealer(nil).Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
			if size := w.sealed(); size != 405 {
				t.Errorf("%d leaves, want 405", size)
			}
		})
	}
}

// The log refuses whatever would change what stands in it.
func TestLogOnlyGrows(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		p := w.create("root", nil)
		for range 260 {
			p = w.update(p, nil)
		}
		if _, err := db.NewSealer(nil).Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.exec("INSERT INTO checkpoints (n, size, at, note) VALUES (1, 2, '2026-01-01 00:00:00+00:00', " + w.literal([]byte("x")) + ")")
		zero := w.literal(make([]byte, len(audit.Digest{})))
		statements := []string{
			"UPDATE log_leaves SET hash = " + zero, "DELETE FROM log_leaves", "UPDATE log_nodes SET hash = " + zero, "DELETE FROM log_nodes",
			"UPDATE checkpoints SET size = 1", "DELETE FROM checkpoints",
		}
		if db.Backend() == storage.Postgres {
			statements = append(statements, "TRUNCATE log_leaves", "TRUNCATE log_nodes", "TRUNCATE checkpoints")
		} else {
			for _, table := range []string{"log_leaves", "log_nodes", "checkpoints"} {
				statements = append(statements, "REPLACE INTO "+table+" SELECT * FROM "+table)
			}
		}
		for _, statement := range statements {
			if _, err := db.SQL().ExecContext(t.Context(), statement); err == nil {
				t.Errorf("%s succeeded", statement)
			}
		}
	})
}
