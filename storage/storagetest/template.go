package storagetest

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"bihuan/storage"
)

// forget leaves a migrated database without the installation that migrating made of it: the next migration, which
// finds nothing else to do, makes another.
const forget = "DELETE FROM installation"

// migrated is the content of a migrated SQLite file.
var migrated = sync.OnceValues(func() (content []byte, err error) {
	dir, err := os.MkdirTemp("", "storagetest-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "template.db")
	if err := migrate("sqlite:" + file); err != nil {
		return nil, err
	}
	pool, err := sql.Open("sqlite", file)
	if err != nil {
		return nil, err
	}
	if _, err = pool.Exec(forget); err == nil {
		_, err = pool.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	}
	if err := errors.Join(err, pool.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

func sqliteCopy(t testing.TB) (dsn string) {
	t.Helper()
	content, err := migrated()
	if err != nil {
		t.Fatalf("migrate a template: %v", err)
	}
	file := filepath.Join(t.TempDir(), "test.db")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + file
}

func postgresCopy(t testing.TB) (dsn string) {
	t.Helper()
	return fresh(t, func(c *cluster) (string, error) {
		c.migrating.Do(func() { c.migrated, c.failed = c.template() })
		return c.migrated, c.failed
	})
}

// template makes the database that others are copied from. Nobody is connected with it afterwards.
func (c *cluster) template() (name string, err error) {
	if name, err = c.create("template0"); err != nil {
		return "", err
	}
	if err := migrate(c.dsn(name)); err != nil {
		return "", err
	}
	return name, c.on(name, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, forget)
		return err
	})
}

func migrate(dsn string) error {
	db, err := storage.Open(context.Background(), dsn)
	if err != nil {
		return err
	}
	return errors.Join(db.Migrate(context.Background()), db.Close())
}
