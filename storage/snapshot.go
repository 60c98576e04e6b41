package storage

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"bihuan/engine/audit"
)

// Snapshot says what a copy of a database holds, so that whoever loads it can tell that it got all of it.
type Snapshot struct {
	Backend  string          `json:"backend"`  // SQLite or Postgres: a copy goes back into a database of its own kind
	Schema   int64           `json:"schema"`   // version
	Log      string          `json:"log"`      // installation and epoch
	Entries  int64           `json:"entries"`  // in the trail
	Subjects int64           `json:"subjects"` // chains in the trail
	Heads    audit.Digest    `json:"heads"`    // of a line for each subject in byte order: subject, newest seq, hash
	Tables   []SnapshotTable `json:"tables"`   // in an order in which what a row refers to comes before it
}

// SnapshotTable is one table of a Snapshot.
type SnapshotTable struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns,omitempty"` // of PostgreSQL's copies, in their order
	Rows    int64    `json:"rows"`
}

// Attachment is a file of evidence that the rows of a database name.
type Attachment struct {
	SHA256 audit.Digest
	Size   int64 // bytes
}

// folder is where the parts of a copy lie, by their names.
const folder = "database/"

// sqliteCopy is the one part of an SQLite copy: a whole database, which any program for SQLite opens.
const sqliteCopy = folder + "bihuan.db"

// copied is the part that holds a table of PostgreSQL, in the text format of COPY.
func copied(table string) string { return folder + table + ".copy" }

// Parts lists the names of the parts that the copy consists of.
func (s Snapshot) Parts() []string {
	if s.Backend == SQLite {
		return []string{sqliteCopy}
	}
	parts := make([]string, len(s.Tables))
	for i, t := range s.Tables {
		parts[i] = copied(t.Name)
	}
	return parts
}

// Dump copies the whole database as it is at one moment, part by part, while others go on writing, and tells which
// evidence it names. put is asked for where each part goes; the former part is whole when it is called again. dir is a
// folder with room for a copy of an SQLite file. Nothing is left there, and nothing changed in the database.
func (db *DB) Dump(ctx context.Context, dir string, put func(part string) (io.Writer, error)) (Snapshot, []Attachment, error) {
	s := Snapshot{Backend: db.Backend()}
	var list []Attachment
	var err error
	if s.Schema, _, err = db.SchemaState(ctx); err != nil {
		return s, nil, err
	}
	if db.Backend() == SQLite {
		list, err = db.dumpSQLite(ctx, dir, &s, put)
	} else {
		list, err = db.dumpPostgres(ctx, &s, put)
	}
	if err != nil {
		return s, nil, fmt.Errorf("copy the database: %w", err)
	}
	return s, list, nil
}

// querier is a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// fill says of a consistent state what a snapshot says of it, but for the tables.
func (s *Snapshot) fill(ctx context.Context, q querier) error {
	var id string
	var epoch int64
	if err := q.QueryRowContext(ctx, "SELECT id, epoch FROM installation").Scan(&id, &epoch); err != nil {
		return fmt.Errorf("installation: %w", err)
	}
	s.Log = fmt.Sprintf("%s/%d", id, epoch)
	rows, err := q.QueryContext(ctx, "SELECT subject, seq, hash FROM entries ORDER BY subject, seq")
	if err != nil {
		return fmt.Errorf("entries: %w", err)
	}
	defer rows.Close()
	s.Entries, s.Subjects = 0, 0
	heads := sha256.New()
	var line, last string
	for rows.Next() {
		var subject string
		var seq int64
		var hash []byte // as it stands: what is wrong in the trail is for Verify to say
		if err := rows.Scan(&subject, &seq, &hash); err != nil {
			return fmt.Errorf("entries: %w", err)
		}
		if s.Entries == 0 || subject != last {
			_, _ = io.WriteString(heads, line) // a hash takes everything
			s.Subjects++
		}
		s.Entries++
		last, line = subject, fmt.Sprintf("%s %d %s\n", subject, seq, hex.EncodeToString(hash))
	}
	_, _ = io.WriteString(heads, line)
	s.Heads = audit.Digest(heads.Sum(nil))
	return rows.Err()
}

// attachments lists the evidence that the rows name, each file once.
func attachments(ctx context.Context, q querier) ([]Attachment, error) {
	rows, err := q.QueryContext(ctx, "SELECT sha256, max(size) FROM evidence GROUP BY sha256 ORDER BY sha256")
	if err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	defer rows.Close()
	var list []Attachment
	for rows.Next() {
		var a Attachment
		if err := rows.Scan(&a.SHA256, &a.Size); err != nil {
			return nil, fmt.Errorf("evidence: %w", err)
		}
		list = append(list, a)
	}
	return list, rows.Err()
}

// Attachments lists the evidence that the rows name, each file once.
func (db *DB) Attachments(ctx context.Context) ([]Attachment, error) {
	return attachments(ctx, db.pools[len(db.pools)-1])
}

// count tells how many rows the table has.
func (t *SnapshotTable) count(ctx context.Context, q querier) error {
	err := q.QueryRowContext(ctx, "SELECT count(*) FROM "+quote(t.Name)).Scan(&t.Rows)
	if err != nil {
		return fmt.Errorf("%s: %w", t.Name, err)
	}
	return nil
}

// quote makes a name an identifier of SQL.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// differs names what of two snapshots is not the same, "" if nothing. The tables of want may lack columns.
func (s Snapshot) differs(want Snapshot) string {
	switch {
	case s.Log != want.Log:
		return "installation"
	case s.Entries != want.Entries:
		return "entries"
	case s.Subjects != want.Subjects, s.Heads != want.Heads:
		return "heads"
	case len(s.Tables) != len(want.Tables):
		return "tables"
	}
	for i, t := range s.Tables {
		if w := want.Tables[i]; t.Name != w.Name || t.Rows != w.Rows {
			return t.Name
		}
	}
	return ""
}
