package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"bihuan/engine"
)

// ErrNotWhole is the answer for a copy that does not hold what it says, within an engine.Error.
var ErrNotWhole = errors.New("the copy is not whole")

func notWhole(err error) error {
	return &engine.Error{Kind: engine.Invalid, Key: "storage.restore_not_whole", Args: map[string]any{"why": err.Error()}, Err: errors.Join(ErrNotWhole, err)}
}

// forgetSessions ends what was open when the copy was made: sessions that have been ended since must not come back.
const forgetSessions = "DELETE FROM sessions"

// Vacant refuses a database that Load would not fill. It writes nothing and makes no file.
//
// Refusals: storage.bad_dsn, storage.restore_backend (a copy of the other kind of database), storage.restore_schema
// (the copy is newer than the program), storage.restore_file_there, storage.restore_not_empty.
func Vacant(ctx context.Context, dsn string, s Snapshot) (err error) {
	path, err := target(dsn, s)
	if err != nil {
		return err
	}
	if s.Backend == SQLite {
		return vacantSQLite(path)
	}
	db, err := Open(ctx, dsn)
	if err != nil {
		return err
	}
	return errors.Join(vacant(ctx, db, s), db.Close())
}

// target returns the path of the file if the copy belongs into one.
func target(dsn string, s Snapshot) (path string, err error) {
	scheme, rest, _ := strings.Cut(dsn, ":")
	kind := map[string]string{"sqlite": SQLite, "postgres": Postgres, "postgresql": Postgres}[scheme]
	if kind == "" {
		return "", &engine.Error{Kind: engine.Invalid, Field: "db", Key: "storage.bad_dsn"}
	}
	if kind != s.Backend {
		return "", &engine.Error{Kind: engine.Conflict, Field: "db", Key: "storage.restore_backend", Args: map[string]any{"copy": s.Backend, "db": kind}}
	}
	if latest, err := newest(migrationsOf(kind)); err != nil {
		return "", err
	} else if s.Schema > latest || s.Schema < 1 {
		return "", &engine.Error{Kind: engine.Conflict, Key: "storage.restore_schema", Args: map[string]any{"copy": s.Schema, "latest": latest}}
	}
	if kind == Postgres {
		return "", nil
	}
	return sqlitePath(rest)
}

func vacant(ctx context.Context, db *DB, s Snapshot) error {
	current, _, err := db.SchemaState(ctx)
	if err != nil {
		return err
	}
	_, err = vacantPostgres(ctx, db.pools[0], current, s.Schema)
	return err
}

// Load makes a database of the copy that open gives the parts of: of nothing, all or nothing. It refuses what Vacant
// refuses, and storage.restore_not_whole where the parts are not what s says of them. The database is then at the
// program's schema. Whether its trail is intact is for Verify to say.
func Load(ctx context.Context, dsn string, s Snapshot, open func(part string) (io.ReadCloser, error)) (err error) {
	path, err := target(dsn, s)
	if err != nil {
		return err
	}
	if s.Backend == SQLite {
		if err := loadSQLite(ctx, path, s, open); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		return nil
	}
	db, err := Open(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := loadPostgres(ctx, db, s, open); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return db.Migrate(ctx)
}
