package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	dialector "github.com/libtnb/sqlite"
	"gorm.io/gorm"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"bihuan/engine"
)

// minSQLite is the first version without the WAL-reset bug, in which a commit that races a checkpoint is lost.
const minSQLite = "3.51.3"

// What every connection needs. _texttotime=0: with 1, which libtnb would set, texts that look like a date are
// rewritten. Times are written in UTC, so that they compare as text.
const sqliteEvery = "&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_pragma=recursive_triggers(1)" +
	"&_time_format=sqlite&_timezone=UTC&_texttotime=0&_inttotime=0"

// The one writer takes its lock when a transaction begins: reading first and then writing fails under contention
// whatever the busy timeout. synchronous=FULL is what makes an acknowledged commit survive a power loss.
const (
	sqliteWriter = "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate" + sqliteEvery
	sqliteReader = "?mode=ro&_pragma=query_only(1)&_txlock=deferred" + sqliteEvery
	readers      = 4
)

const sqliteGrantPaths = `(SELECT json_group_object(x.id, x.path) FROM units x WHERE x.id IN
	(SELECT json_extract(g.value, '$.unit_id') FROM json_each(coalesce(u.grants, '[]')) g))`

// The statements that are kept prepared.
var (
	writing     = []string{sqliteCreate, sqliteUpdate, insertEntry, insertEvidence, insertReminder, insertKey}
	projectByID = selectProject + " WHERE p.id = ?"
	userByToken = selectTokenUser(sqliteGrantPaths)
)

var sqliteDialect = dialect{
	name:       SQLite,
	notIndexed: "+",
	like:       "LIKE", // which ignores the case of A-Z only
	position:   "instr",
	grantPaths: sqliteGrantPaths,
	grants:     "json_each(coalesce(u.grants, '[]')) g JOIN units x ON x.id = json_extract(g.value, '$.unit_id')",
	grantRole:  "json_extract(g.value, '$.role')",
	duplicate:  sqliteDuplicate,
	lost:       func(error) bool { return false }, // there is no network in between
}

func openSQLite(ctx context.Context, path string) (*DB, error) {
	path, err := sqlitePath(path)
	if err != nil {
		return nil, err
	}
	base := "file:" + (&url.URL{Path: path}).EscapedPath()
	// The writer comes first: it creates the file, without which a reader cannot open.
	write, writePool, err := openSQLiteHandle(base+sqliteWriter, 1, writing...)
	if err != nil {
		return nil, unopened(path, err)
	}
	db := &DB{dialect: sqliteDialect, path: path, write: write, pools: []*sql.DB{writePool}, queue: newQueue()}
	db.admin = func(context.Context) (*sql.DB, error) { return writePool, nil }
	if err := checkSQLite(ctx, writePool); err != nil {
		return nil, errors.Join(unopened(path, err), db.Close())
	}
	read, readPool, err := openSQLiteHandle(base+sqliteReader, readers, projectByID, userByToken)
	if err != nil {
		return nil, errors.Join(unopened(path, err), db.Close())
	}
	db.read, db.pools = read, append(db.pools, readPool)
	return db, nil
}

// sqlitePath returns the file that the rest of a DSN names.
func sqlitePath(rest string) (string, error) {
	path := strings.TrimPrefix(rest, "//")
	if path == "" || strings.HasPrefix(path, ":memory:") || strings.HasPrefix(path, "file:") {
		return "", &engine.Error{Kind: engine.Invalid, Field: "db", Key: "storage.sqlite_path", Args: map[string]any{"path": path}}
	}
	return path, nil
}

// unopened says in words what most often keeps a file from being opened.
func unopened(path string, err error) error {
	e, ok := errors.AsType[*driver.Error](err)
	if !ok {
		return fmt.Errorf("open %s: %w", path, err)
	}
	refusal := &engine.Error{Kind: engine.Unavailable, Args: map[string]any{"path": path}, Err: err}
	switch e.Code() & 0xff { // the rest of the code says more than people can act on
	case sqlite3.SQLITE_CANTOPEN:
		refusal.Key = "storage.sqlite_cannot_open"
	case sqlite3.SQLITE_NOTADB:
		refusal.Key = "storage.sqlite_no_database"
	case sqlite3.SQLITE_READONLY:
		refusal.Key = "storage.sqlite_read_only"
	default:
		return fmt.Errorf("open %s: %w", path, err)
	}
	return refusal
}

// openSQLiteHandle opens a pool that keeps the statements in hot prepared.
func openSQLiteHandle(dsn string, conns int, hot ...string) (*gorm.DB, *sql.DB, error) {
	pool, err := sql.Open(dialector.DriverName, dsn)
	if err != nil {
		return nil, nil, err
	}
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	g, err := gorm.Open(dialector.New(dialector.Config{Conn: newPreparing(pool, hot...)}), gormConfig())
	if err != nil {
		return nil, nil, errors.Join(err, pool.Close())
	}
	return g, pool, nil
}

// checkSQLite refuses a library that loses commits, and a file on which the journal could not be set.
func checkSQLite(ctx context.Context, pool *sql.DB) error {
	var version, journal string
	if err := pool.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return err
	}
	if olderVersion(version, minSQLite) {
		return &engine.Error{Kind: engine.Unavailable, Key: "storage.sqlite_old", Args: map[string]any{"version": version, "least": minSQLite}}
	}
	if err := pool.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&journal); err != nil {
		return err
	}
	if journal != "wal" {
		return fmt.Errorf("journal mode is %s, not wal: the file system does not allow it", journal)
	}
	return nil
}

// olderVersion compares versions of the form 3.51.3.
func olderVersion(version, least string) bool {
	a, b := strings.Split(version, "."), strings.Split(least, ".")
	for i := range b {
		if i >= len(a) {
			return true
		}
		x, errX := strconv.Atoi(a[i])
		y, errY := strconv.Atoi(b[i])
		if errX != nil || errY != nil {
			return true
		}
		if x != y {
			return x < y
		}
	}
	return false
}

// sqliteDuplicate cannot say whether the project itself exists: of several values that are taken SQLite names any.
func sqliteDuplicate(err error) (taken, exists bool) {
	e, ok := errors.AsType[*driver.Error](err)
	if !ok {
		return false, false
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return true, false
	case sqlite3.SQLITE_CONSTRAINT_TRIGGER:
		return strings.Contains(e.Error(), "never replaced"), false
	}
	return false, false
}
