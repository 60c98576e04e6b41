package main

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bihuan/engine/audit"
	"bihuan/engine/audit/merkle"
	"bihuan/storage"
)

// unsealed counts the entries of a database that have no place in the Merkle log.
func unsealed(t *testing.T, pool *sql.DB) (n int) {
	t.Helper()
	if err := pool.QueryRowContext(t.Context(), "SELECT count(*) FROM entries e WHERE NOT EXISTS (SELECT 1 FROM log_leaves l WHERE l.entry_id = e.id)").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestServeSeals: a server seals what it finds and what comes while it runs, whoever wrote it, and says so to Prometheus.
func TestServeSeals(t *testing.T) {
	databases(t, func(t *testing.T, dsn string) {
		must(t, "unit", "add", "sx", "双校区", "--db", dsn)
		db, err := storage.Open(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if unsealed(t, db.SQL()) == 0 {
			t.Fatal("somebody seals without a server")
		}
		s := serve(t, dsn, nil)
		must(t, "user", "add", "merkle", "默", "--db", dsn)
		for unsealed(t, db.SQL()) > 0 { // the test's own limit ends it
		}
		_, body := fetch(t, "http://"+s.metrics+"/metrics")
		for _, name := range []string{"bihuan_log_sealed_total", "bihuan_log_age_seconds"} {
			if !strings.Contains(body, "\n"+name+" ") {
				t.Errorf("no metric %s", name)
			}
		}
		code, note := fetch(t, "http://"+s.addr+"/audit/checkpoint")
		for code == 404 { // until the first one has been signed
			code, note = fetch(t, "http://"+s.addr+"/audit/checkpoint")
		}
		_, text := fetch(t, "http://"+s.addr+"/audit/keys")
		keys, err := merkle.ParseKeys(text)
		if err != nil || len(keys) != 1 {
			t.Fatalf("keys %q: %v", text, err)
		}
		c, err := merkle.Parse([]byte(note), keys)
		if err != nil {
			t.Fatalf("checkpoint %q: %v", note, err)
		}
		// What is public is enough to compute the root, and so to follow the log from outside.
		var leaves []audit.Digest
		for n := int64(0); n*merkle.Width < c.Size; n++ {
			path, width := fmt.Sprintf("/audit/tile/0/%03d", n), min(c.Size-n*merkle.Width, merkle.Width)
			if width < merkle.Width {
				path += fmt.Sprintf(".p/%d", width)
			}
			code, tile := fetch(t, "http://"+s.addr+path)
			if code != 200 || int64(len(tile)) != 32*width {
				t.Fatalf("%s: %d, %d bytes", path, code, len(tile))
			}
			for hash := range slices.Chunk([]byte(tile), 32) {
				leaves = append(leaves, audit.Digest(hash))
			}
		}
		if root := merkle.Root(leaves); root != c.Root {
			t.Errorf("the tiles have the root %s, the checkpoint %s", root, c.Root)
		}
		for _, path := range []string{"/audit/tile/0/999", "/audit/tile/1/000", "/audit/tile/x/000", "/audit/tile/0/000.p/0", "/audit/tile/0/", "/audit/tile/7/000", "/audit/tile/entries/000"} {
			if code, body := fetch(t, "http://"+s.addr+path); code != 404 {
				t.Errorf("%s: %d %s", path, code, body)
			}
		}
		s.end()
		if n := unsealed(t, db.SQL()); n > 0 {
			t.Errorf("%d entries are left unsealed at the end", n)
		}
		last, err := db.LastCheckpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if size, err := db.LogSize(t.Context()); err != nil || last.Size != size {
			t.Errorf("the last checkpoint is over %d of %d entries (%v)", last.Size, size, err)
		}
	})
}

// TestServeRefusesRollback: a server that finds less than was signed says so everywhere, and signs no more.
func TestServeRefusesRollback(t *testing.T) {
	databases(t, func(t *testing.T, dsn string) {
		serve(t, dsn, nil).end()
		db, err := storage.Open(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		before, err := db.LastCheckpoint(t.Context())
		if err != nil || before == nil {
			t.Fatal("nothing was signed", err)
		}
		drop, zero := []string{"DROP TRIGGER log_leaves_no_delete", "DROP TRIGGER checkpoints_no_delete", "DROP TRIGGER entries_no_update"}, "zeroblob(32)"
		if db.Backend() == storage.Postgres {
			drop, zero = []string{"ALTER TABLE log_leaves DISABLE TRIGGER USER", "ALTER TABLE checkpoints DISABLE TRIGGER USER", "ALTER TABLE entries DISABLE TRIGGER USER"}, `decode(repeat('00', 32), 'hex')`
		}
		// One hash is another, and so its leaf will be.
		statements := append(drop, "DELETE FROM log_leaves", "DELETE FROM checkpoints",
			"UPDATE entries SET hash = "+zero+" WHERE seq = 1 AND subject = (SELECT min(subject) FROM entries)")
		for _, statement := range statements {
			if _, err := db.SQL().ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		s := serve(t, dsn, nil)
		for {
			if _, body := fetch(t, "http://"+s.metrics+"/metrics"); strings.Contains(body, "\nbihuan_checkpoint_refused 1\n") {
				break
			}
		}
		for { // an answer may be kept for a moment
			if code, body := fetch(t, "http://"+s.addr+"/readyz"); code == 200 && strings.Contains(body, "audit_checkpoint_refused") {
				break
			}
		}
		s.end()
		contains(t, s.err.String(), "ALARM", "does not continue")
		if last, err := db.LastCheckpoint(t.Context()); err != nil || last != nil {
			t.Errorf("signed all the same: %+v (%v)", last, err)
		}
		if l := trail(t, dsn, "--action", "alarm"); len(l.Entries) < 1 {
			t.Errorf("%d alarms in the trail", len(l.Entries))
		}
	})
}

// TestServeWithoutKey: where the key is not, nothing is signed, and no new key appears in its place.
func TestServeWithoutKey(t *testing.T) {
	dsn := fresh(t)
	serve(t, dsn, nil).end()
	s := serve(t, dsn, map[string]string{"BIHUAN_SIGNING": t.TempDir()})
	for {
		if code, body := fetch(t, "http://"+s.addr+"/readyz"); code == 200 && strings.Contains(body, "audit_checkpoint_key_missing") {
			break
		}
	}
	_, keys := fetch(t, "http://"+s.addr+"/audit/keys")
	if strings.Count(keys, "\n") != 1 {
		t.Errorf("keys: %q, want the one that was made first", keys)
	}
	s.end()
}

// TestServeCannotSign: what keeps the signer from remembering keeps it from signing, and is said wherever somebody watches.
func TestServeCannotSign(t *testing.T) {
	dsn, dir := fresh(t), t.TempDir()
	where := map[string]string{"BIHUAN_SIGNING": dir}
	serve(t, dsn, where).end()
	memory, aside := filepath.Join(dir, "checkpoint.last"), filepath.Join(dir, "aside")
	if err := errors.Join(os.Rename(memory, aside), os.Mkdir(memory, 0o700)); err != nil {
		t.Fatal(err)
	}
	s := serve(t, dsn, where)
	says := func(want bool) {
		t.Helper()
		for { // the test's own limit ends it
			_, ready := fetch(t, "http://"+s.addr+"/readyz")
			_, metrics := fetch(t, "http://"+s.metrics+"/metrics")
			if strings.Contains(ready, "audit_checkpoint_unsigned") == want && strings.Contains(metrics, "\nbihuan_checkpoint_unsigned 1\n") == want {
				return
			}
		}
	}
	says(true)
	if err := errors.Join(os.Remove(memory), os.Rename(aside, memory)); err != nil {
		t.Fatal(err)
	}
	says(false)
	s.end()
	contains(t, s.err.String(), "checkpoints are not signed", "checkpoints are signed again")
	if strings.Contains(s.err.String(), "entries are not sealed") {
		t.Errorf("it says that entries are not sealed, and they were:\n%s", s.err.String())
	}
}

// TestRotateKey: a running server signs with the new key, and what the former one signed stays believed.
func TestRotateKey(t *testing.T) {
	dsn := fresh(t)
	beside := map[string]string{"BIHUAN_SIGNING": ""} // where the command looks too
	serve(t, dsn, beside).end()
	s := serve(t, dsn, beside)
	out := must(t, "audit", "rotate-key", "--db", dsn)
	if !strings.Contains(out, "bihuan/") || strings.Contains(out, "PRIVATE") {
		t.Errorf("it says %q", out)
	}
	s.end() // which signs once more
	db, err := storage.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	known, err := db.KnownKeys(t.Context())
	if err != nil || len(known) != 2 {
		t.Fatalf("keys %v (%v), want 2", known, err)
	}
	keys, err := merkle.ParseKeys(known[1])
	if err != nil {
		t.Fatal(err)
	}
	last, err := db.LastCheckpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := merkle.Parse(last.Note, keys); err != nil {
		t.Errorf("the last checkpoint is not signed by the new key: %v", err)
	}
	var first []byte
	if err := db.SQL().QueryRowContext(t.Context(), "SELECT note FROM checkpoints WHERE n = 1").Scan(&first); err != nil {
		t.Fatal(err)
	}
	if _, err := merkle.Parse(first, keys); err == nil {
		t.Error("the new key signed before it was made")
	}
}
