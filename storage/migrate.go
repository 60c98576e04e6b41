package storage

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/google/uuid"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"bihuan/engine"
)

//go:embed migrations
var migrations embed.FS

// versions is the table in which goose notes what it has applied.
const versions = "goose_db_version"

// files returns the migrations of this database.
func (db *DB) files() fs.FS { return migrationsOf(db.Backend()) }

func migrationsOf(backend string) fs.FS {
	sub, err := fs.Sub(migrations, "migrations/"+backend)
	if err != nil {
		panic(err) // a fixed path within what is embedded
	}
	return sub
}

// Migrate brings the schema to the newest version and makes an installation of a new database. It may be called
// by several replicas at once, and again at any time. It refuses a schema that is newer than this program.
func (db *DB) Migrate(ctx context.Context) error { return db.migrate(ctx, 0) }

// migrate brings the schema up to a version, 0 for the newest.
func (db *DB) migrate(ctx context.Context, to int64) error {
	current, latest, err := db.SchemaState(ctx)
	if err != nil {
		return err
	}
	if current > latest {
		return schemaError("storage.schema_newer", current, latest)
	}
	pool, err := db.admin(ctx)
	if err != nil {
		return err
	}
	shared := false
	for _, p := range db.pools {
		shared = shared || p == pool
	}
	if !shared {
		defer pool.Close()
	}
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithTableName(versions)}
	dialect := goose.DialectSQLite3
	if db.Backend() == Postgres {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(dialect, pool, db.files(), options...)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if _, err := provider.UpTo(ctx, cmp.Or(to, latest)); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	err = db.write.WithContext(ctx).Exec(
		"INSERT INTO installation (id, epoch, created_at) VALUES (?, 1, ?) ON CONFLICT DO NOTHING",
		id.String(), db.write.NowFunc()).Error
	if err != nil {
		return fmt.Errorf("migrate: installation: %w", err)
	}
	if db.Backend() == SQLite {
		// Statistics of what has grown, from a sample of it: PostgreSQL gathers them by itself.
		if err := db.write.WithContext(ctx).Exec("PRAGMA optimize = 0x10002").Error; err != nil {
			return fmt.Errorf("statistics: %w", err)
		}
	}
	return nil
}

// SchemaState returns the version of the database's schema, 0 for an empty database, and the version that this
// program needs. It writes nothing.
func (db *DB) SchemaState(ctx context.Context) (current, latest int64, err error) {
	if latest, err = newest(db.files()); err != nil {
		return 0, 0, err
	}
	exists := "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
	if db.Backend() == Postgres {
		exists = "SELECT count(*) FROM pg_tables WHERE schemaname = ANY (current_schemas(false)) AND tablename = ?"
	}
	var tables int
	read := db.write.WithContext(ctx)
	if err := read.Raw(exists, versions).Scan(&tables).Error; err != nil {
		return 0, 0, fmt.Errorf("schema version: %w", err)
	}
	if tables == 0 {
		return 0, latest, nil
	}
	// Forward only: what is in the table has been applied.
	if err := read.Raw("SELECT coalesce(max(version_id), 0) FROM " + versions + " WHERE is_applied").Scan(&current).Error; err != nil {
		return 0, 0, fmt.Errorf("schema version: %w", err)
	}
	return current, latest, nil
}

// newest returns the version that the migrations lead to.
func newest(migrations fs.FS) (latest int64, err error) {
	names, err := fs.Glob(migrations, "*.sql")
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		v, err := goose.NumericComponent(name)
		if err != nil {
			return 0, fmt.Errorf("migration %s: %w", name, err)
		}
		latest = max(latest, v)
	}
	return latest, nil
}

// Errors of Check, for errors.Is.
var (
	ErrSchemaOlder = errors.New("the database's schema is older than this program")
	ErrSchemaNewer = errors.New("the database's schema is newer than this program")
)

// Check refuses a database whose schema is not the one that this program was written for: ErrSchemaOlder or
// ErrSchemaNewer within an engine.Error.
func (db *DB) Check(ctx context.Context) error {
	current, latest, err := db.SchemaState(ctx)
	switch {
	case err != nil:
		return err
	case current < latest:
		return schemaError("storage.schema_older", current, latest)
	case current > latest:
		return schemaError("storage.schema_newer", current, latest)
	}
	return nil
}

func schemaError(key string, current, latest int64) error {
	cause := ErrSchemaOlder
	if current > latest {
		cause = ErrSchemaNewer
	}
	return &engine.Error{Kind: engine.Unavailable, Key: key, Args: map[string]any{"current": current, "latest": latest}, Err: cause}
}
