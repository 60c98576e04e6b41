// Package storagetest opens databases for tests: the same test runs on every database that the product knows.
package storagetest

import (
	"path/filepath"
	"testing"

	"bihuan/storage"
)

// Backends are the databases that Each runs on.
var Backends = []string{storage.SQLite, storage.Postgres}

// Each runs f as a sub-test named after the database on each of them, on a fresh, migrated database. PostgreSQL is
// left out where there is none, as Postgres says.
func Each(t *testing.T, f func(t *testing.T, db *storage.DB)) {
	t.Helper()
	for _, backend := range Backends {
		t.Run(backend, func(t *testing.T) { f(t, Open(t, backend)) })
	}
}

// Open returns a fresh, migrated database, which is closed when the test ends. It is a copy of one that was migrated
// once, made an installation of its own.
func Open(t testing.TB, backend string) *storage.DB {
	t.Helper()
	dsn := ""
	switch backend {
	case storage.SQLite:
		dsn = sqliteCopy(t)
	case storage.Postgres:
		dsn = postgresCopy(t)
	default:
		t.Fatalf("there is no database called %q", backend)
	}
	db := At(t, dsn)
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatalf("migrate: %v", err)
	}
	return db
}

// DSN names a fresh database without a schema.
func DSN(t testing.TB, backend string) string {
	t.Helper()
	switch backend {
	case storage.SQLite:
		return "sqlite:" + filepath.Join(t.TempDir(), "test.db")
	case storage.Postgres:
		return Postgres(t)
	}
	t.Fatalf("there is no database called %q", backend)
	return ""
}

// At opens the database that dsn names, as it is, and closes it when the test ends.
func At(t testing.TB, dsn string) *storage.DB {
	t.Helper()
	db, err := storage.Open(t.Context(), dsn)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}
