package main

import (
	"database/sql"
	"strings"
	"testing"

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
		s.end()
		if n := unsealed(t, db.SQL()); n > 0 {
			t.Errorf("%d entries are left unsealed at the end", n)
		}
	})
}
