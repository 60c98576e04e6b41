package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	dialector "github.com/libtnb/sqlite"

	"bihuan/engine"
)

// dumpSQLite lets SQLite itself write the copy: VACUUM INTO reads one state and keeps no writer waiting. What was
// deleted is not in it.
func (db *DB) dumpSQLite(ctx context.Context, dir string, s *Snapshot, put func(string) (io.Writer, error)) ([]Attachment, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if dir, err = os.MkdirTemp(dir, ".bihuan-*"); err != nil { // nobody else can read what lies in it
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // at worst a stray folder
	path := filepath.Join(dir, "copy.db")
	reader, err := db.snapshotReader()
	if err != nil {
		return nil, err
	}
	_, err = reader.ExecContext(ctx, "VACUUM INTO ?", path)
	if err = errors.Join(err, reader.Close()); err != nil {
		return nil, err
	}
	list, err := describeSQLite(ctx, path, s)
	if err != nil {
		return nil, err
	}
	part, err := put(sqliteCopy)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(part, file)
	return list, errors.Join(err, file.Close())
}

// snapshotReader opens a connection of its own, so that a long copy keeps neither the writer nor the readers.
func (db *DB) snapshotReader() (*sql.DB, error) {
	return sql.Open(dialector.DriverName, "file:"+(&url.URL{Path: db.path}).EscapedPath()+"?mode=ro&_txlock=deferred"+sqliteEvery)
}

// describeSQLite fills in what the copy in a file holds, and lists the evidence.
func describeSQLite(ctx context.Context, path string, s *Snapshot) (list []Attachment, err error) {
	pool, err := sql.Open(dialector.DriverName, "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=ro&immutable=1"+sqliteEvery)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	if err := s.fill(ctx, pool); err != nil {
		return nil, err
	}
	names, err := texts(ctx, pool, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> '"+versions+"' ORDER BY name")
	if err != nil {
		return nil, err
	}
	s.Tables = nil
	for _, name := range names {
		t := SnapshotTable{Name: name}
		if err := t.count(ctx, pool); err != nil {
			return nil, err
		}
		s.Tables = append(s.Tables, t)
	}
	return attachments(ctx, pool)
}

// texts returns the texts that a query gives.
func texts(ctx context.Context, q querier, query string) (list []string, err error) {
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		list = append(list, text)
	}
	return list, rows.Err()
}

// vacantSQLite refuses a file that exists, whatever is in it, and what SQLite would take for the rest of it: a journal
// that an earlier database left behind would be played into the new one.
func vacantSQLite(path string) error {
	for _, name := range []string{path, path + "-wal", path + "-shm", path + "-journal"} {
		if _, err := os.Lstat(name); err == nil {
			return &engine.Error{Kind: engine.Conflict, Key: "storage.restore_file_there", Args: map[string]any{"path": name}}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// loadSQLite writes the copy under another name, brings it to the program's schema there, and gives it its own name
// when it is whole and on the disk.
func loadSQLite(ctx context.Context, path string, s Snapshot, open func(string) (io.ReadCloser, error)) (err error) {
	if err := vacantSQLite(path); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".bihuan-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	draft := filepath.Join(dir, "restored.db")
	if err := writeWhole(draft, sqliteCopy, open); err != nil {
		return err
	}
	found := s
	if _, err := describeSQLite(ctx, draft, &found); err != nil {
		return notWhole(err)
	}
	if what := found.differs(s); what != "" {
		return notWhole(fmt.Errorf("%s differ from the manifest", what))
	}
	db, err := openSQLite(ctx, draft)
	if err != nil {
		return err
	}
	if schema, _, schemaErr := db.SchemaState(ctx); schemaErr != nil || schema != s.Schema {
		return errors.Join(notWhole(fmt.Errorf("the schema is version %d", schema)), schemaErr, db.Close())
	}
	_, err = db.SQL().ExecContext(ctx, forgetSessions)
	if err = errors.Join(err, db.Migrate(ctx), emptyJournal(ctx, db.SQL()), db.Close()); err != nil {
		return err
	}
	if err := syncFile(draft); err != nil {
		return err
	}
	// A link, unlike a rename, replaces nothing that has come to lie there meanwhile.
	if err := os.Link(draft, path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return vacantSQLite(path)
		}
		if err := errors.Join(vacantSQLite(path), os.Rename(draft, path)); err != nil { // a file system without links
			return err
		}
	}
	return syncFile(filepath.Dir(path))
}

// emptyJournal brings everything into the file itself, because the journal beside it does not move with it. Closing
// does not: whoever closes last is a reader.
func emptyJournal(ctx context.Context, pool *sql.DB) error {
	var busy, frames, done int
	if err := pool.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &done); err != nil {
		return err
	}
	if busy != 0 {
		return errors.New("the journal cannot be emptied")
	}
	return nil
}

// writeWhole writes a part to a new file.
func writeWhole(path, part string, open func(string) (io.ReadCloser, error)) error {
	from, err := open(part)
	if err != nil {
		return err
	}
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return errors.Join(err, from.Close())
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, from.Close(), to.Close())
}

// syncFile makes a file, or the names in a folder, survive a power cut.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
