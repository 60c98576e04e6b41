// Package storage keeps projects, people and the trail in SQLite or PostgreSQL. It is the only package that knows
// gorm and the only one that writes; DB is an engine.Store.
//
// What must always hold:
//
//   - The SQL files under migrations own the schema. Nothing here creates or alters a table, and a test compares
//     tables with structs.
//   - A change is written whole or not at all: row, entry, reminders, evidence and idempotency key in one
//     transaction, and the row only if its version is the one that the change was decided on.
//   - Entries and evidence only grow; triggers refuse everything else on both databases.
//   - Times are UTC and whole microseconds; values truncates them, nothing else does.
//   - Statements of the write path are built once from the structs that gorm parsed, so that the two cannot drift.
package storage

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"bihuan/engine"
)

// The databases that there are, as Backend names them.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// DB is an open database. It is safe for concurrent use.
type DB struct {
	dialect dialect
	path    string   // of SQLite's file
	write   *gorm.DB // on SQLite one connection, so that writers wait in Go and not on a lock
	read    *gorm.DB // on PostgreSQL the same handle
	pools   []*sql.DB
	admin   func(context.Context) (*sql.DB, error) // opens a handle for migrations

	queue queue // of SQLite's commits

	mu  sync.Mutex
	log string // answer of Log, which never changes while the program runs
}

var _ engine.Store = (*DB)(nil)

// dialect is what differs between the databases beyond the SQL that both understand.
type dialect struct {
	name       string
	notIndexed string // put before a column, keeps the planner from choosing that column's index
	like       string // operator that compares without regard to case
	position   string // function that finds a text in another
	grantPaths string // the paths of the units that users.grants names, as a JSON object by unit id
	grants     string // what users.grants of u holds, as g, joined with the units, as x
	grantRole  string // the role of g
	// duplicate tells whether err is the violation of a unique value, and whether that value is known to be the id
	// of a project, which exists already.
	duplicate func(err error) (taken, exists bool)
	// lost tells whether err leaves open if the statement was carried out.
	lost func(err error) bool
}

// Open opens the database that dsn names: "sqlite:PATH" or "postgres://…". It creates an SQLite file that does not
// exist and never a schema: call Migrate or Check before anything else. The error never shows a password.
func Open(ctx context.Context, dsn string) (*DB, error) {
	scheme, rest, _ := strings.Cut(dsn, ":")
	switch scheme {
	case "sqlite":
		return openSQLite(ctx, rest)
	case "postgres", "postgresql":
		return openPostgres(ctx, dsn)
	}
	return nil, &engine.Error{Kind: engine.Invalid, Field: "db", Key: "storage.bad_dsn"}
}

// gormConfig returns a configuration of its own for every handle: gorm.Open writes the dialect into it.
func gormConfig() *gorm.Config {
	return &gorm.Config{
		SkipDefaultTransaction: true,
		PrepareStmt:            false, // it costs round trips, and deadlocks on a pool of one
		// Errors stay as the driver gives them: translated ones no longer say which constraint was violated.
		TranslateError:       false,
		Logger:               logger.Discard, // errors are returned to callers, who log them
		NowFunc:              func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) },
		DisableAutomaticPing: true,
	}
}

// Backend returns the name of the database in use: SQLite or Postgres.
func (db *DB) Backend() string { return db.dialect.name }

// Close closes all connections.
func (db *DB) Close() error {
	var first error
	for _, p := range db.pools {
		if err := p.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// Ping asks every pool for an answer.
func (db *DB) Ping(ctx context.Context) error {
	for _, p := range db.pools {
		if err := p.PingContext(ctx); err != nil {
			return fmt.Errorf("%s does not answer: %w", db.Backend(), err)
		}
	}
	return nil
}

// SQL returns the handle that writes, for metrics, for backups and for tests that tamper. Nothing that it writes
// gets an entry.
func (db *DB) SQL() *sql.DB { return db.pools[0] }

// ClockSkew returns how far the database's clock is ahead of now, which the caller reads just before. SQLite has
// no clock of its own.
func (db *DB) ClockSkew(ctx context.Context, now time.Time) (time.Duration, error) {
	if db.Backend() == SQLite {
		return 0, nil
	}
	start := time.Now()
	var there time.Time
	if err := db.pools[0].QueryRowContext(ctx, "SELECT clock_timestamp()").Scan(&there); err != nil {
		return 0, fmt.Errorf("database clock: %w", err)
	}
	return there.Sub(now.Add(time.Since(start) / 2)), nil
}

// Log returns the installation's id and epoch as "id/epoch".
func (db *DB) Log(ctx context.Context) (string, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.log != "" {
		return db.log, nil
	}
	var id string
	var epoch int64
	err := db.pools[0].QueryRowContext(ctx, "SELECT id, epoch FROM installation").Scan(&id, &epoch)
	if err != nil {
		return "", fmt.Errorf("installation: %w", err)
	}
	db.log = fmt.Sprintf("%s/%d", id, epoch)
	return db.log, nil
}
