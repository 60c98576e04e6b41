package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"bihuan/engine"
)

// copying makes what COPY writes and reads independent of how server and client are set up.
var copying = []string{"SET LOCAL datestyle = 'ISO, YMD'", "SET LOCAL timezone = 'UTC'", "SET LOCAL bytea_output = 'hex'"}

// copyFormat is the format of the parts: text, which outlives versions of the server and can be read by other programs.
const copyFormat = "(FORMAT text, ENCODING 'UTF8')"

// dumpPostgres copies every table within one transaction that sees one state.
func (db *DB) dumpPostgres(ctx context.Context, s *Snapshot, put func(string) (io.Writer, error)) (list []Attachment, err error) {
	err = db.alonePostgres(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", func(conn *sql.Conn) error {
		if err := s.fill(ctx, conn); err != nil {
			return err
		}
		if list, err = attachments(ctx, conn); err != nil {
			return err
		}
		if s.Tables, err = postgresTables(ctx, conn); err != nil {
			return err
		}
		for i := range s.Tables {
			t := &s.Tables[i]
			part, err := put(copied(t.Name))
			if err != nil {
				return err
			}
			err = raw(conn, func(pg *pgconn.PgConn) error {
				tag, err := pg.CopyTo(ctx, part, "COPY "+t.copied()+" TO STDOUT "+copyFormat)
				t.Rows = tag.RowsAffected()
				return err
			})
			if err != nil {
				return fmt.Errorf("%s: %w", t.Name, err)
			}
		}
		return nil
	})
	return list, err
}

// copied names the table and its columns as COPY wants them.
func (t SnapshotTable) copied() string {
	quoted := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		quoted[i] = quote(c)
	}
	return quote(t.Name) + " (" + strings.Join(quoted, ", ") + ")"
}

// alonePostgres runs do within a transaction on a connection of its own that has all the time in the world.
func (db *DB) alonePostgres(ctx context.Context, begin string, do func(*sql.Conn) error) (err error) {
	pool, err := db.admin(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }() // and with it the connection, whatever its transaction came to
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	for _, text := range append([]string{begin}, copying...) {
		if _, err := conn.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	if err := do(conn); err != nil {
		return err // closing the connection takes everything back
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return err
}

// raw lets do speak to the server past database/sql, which knows no COPY.
func raw(conn *sql.Conn, do func(*pgconn.PgConn) error) error {
	return conn.Raw(func(driver any) error { return do(driver.(*stdlib.Conn).Conn().PgConn()) })
}

// postgresTables lists the tables of the schema with their columns, each behind those that its rows refer to. Numbers of
// transactions are left out: they mean nothing on another server, where the restore's own takes their place.
func postgresTables(ctx context.Context, q querier) ([]SnapshotTable, error) {
	rows, err := q.QueryContext(ctx, `SELECT c.relname, a.attname FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.atttypid <> 'xid8'::regtype
		WHERE c.relkind = 'r' AND c.relname <> '`+versions+`' ORDER BY c.relname COLLATE "C", a.attnum`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []SnapshotTable
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			return nil, err
		}
		if len(all) == 0 || all[len(all)-1].Name != table {
			all = append(all, SnapshotTable{Name: table})
		}
		t := &all[len(all)-1]
		t.Columns = append(t.Columns, column)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	refers, err := texts(ctx, q, `SELECT c.relname || '/' || f.relname FROM pg_constraint x
		JOIN pg_class c ON c.oid = x.conrelid JOIN pg_class f ON f.oid = x.confrelid WHERE x.contype = 'f' AND c.oid <> f.oid`)
	if err != nil {
		return nil, err
	}
	return inOrder(all, refers)
}

// inOrder puts every table behind those that it refers to; refers has "table/other" for each.
func inOrder(all []SnapshotTable, refers []string) ([]SnapshotTable, error) {
	var out []SnapshotTable
	placed := func(name string) bool {
		return slices.ContainsFunc(out, func(t SnapshotTable) bool { return t.Name == name })
	}
	for len(out) < len(all) {
		before := len(out)
		for _, t := range all {
			ready := !slices.ContainsFunc(refers, func(r string) bool {
				table, other, _ := strings.Cut(r, "/")
				return table == t.Name && !placed(other)
			})
			if ready && !placed(t.Name) {
				out = append(out, t)
			}
		}
		if len(out) == before {
			return nil, errors.New("tables refer to each other in a circle")
		}
	}
	return out, nil
}

// vacantPostgres refuses a schema in which anything of anybody's stands. What Migrate alone makes is nothing.
func vacantPostgres(ctx context.Context, q querier, current, schema int64) ([]SnapshotTable, error) {
	tables, err := postgresTables(ctx, q)
	if err != nil {
		return nil, err
	}
	if current == 0 && len(tables) > 0 || current > schema {
		return nil, notEmpty(tables[0].Name)
	}
	for _, t := range tables {
		if err := t.count(ctx, q); err != nil {
			return nil, err
		}
		if t.Rows > 0 && t.Name != "installation" {
			return nil, notEmpty(t.Name)
		}
	}
	return tables, nil
}

func notEmpty(table string) error {
	return &engine.Error{Kind: engine.Conflict, Key: "storage.restore_not_empty", Args: map[string]any{"table": table}}
}

// loadPostgres brings an empty database to the copy's schema, fills it in one transaction, and brings it to the
// program's schema.
func loadPostgres(ctx context.Context, db *DB, s Snapshot, open func(string) (io.ReadCloser, error)) error {
	if err := vacant(ctx, db, s); err != nil {
		return err
	}
	if err := db.migrate(ctx, s.Schema); err != nil {
		return err
	}
	err := db.alonePostgres(ctx, "BEGIN", func(conn *sql.Conn) error {
		// Of two restores, or a restore and a start, one waits and then finds what the other wrote.
		if _, err := conn.ExecContext(ctx, "LOCK TABLE installation, entries IN ACCESS EXCLUSIVE MODE"); err != nil {
			return err
		}
		tables, err := vacantPostgres(ctx, conn, s.Schema, s.Schema)
		if err != nil {
			return err
		}
		if err := sameColumns(tables, s.Tables); err != nil {
			return notWhole(err)
		}
		for _, t := range s.Tables {
			// What stands there was made by the migration, or by a trigger while another table was filled.
			made := SnapshotTable{Name: t.Name}
			if err := made.count(ctx, conn); err != nil {
				return err
			}
			if made.Rows > 0 {
				if _, err := conn.ExecContext(ctx, "DELETE FROM "+quote(t.Name)); err != nil { //nolint:gosec // it is quoted
					return err
				}
			}
			if err := copyIn(ctx, conn, t, open); err != nil {
				return err
			}
		}
		found := Snapshot{Tables: slices.Clone(s.Tables)}
		if err := found.fill(ctx, conn); err != nil {
			return notWhole(err)
		}
		for i := range found.Tables {
			if err := found.Tables[i].count(ctx, conn); err != nil {
				return err
			}
		}
		if what := found.differs(s); what != "" {
			return notWhole(fmt.Errorf("%s differ from the manifest", what))
		}
		_, err = conn.ExecContext(ctx, forgetSessions)
		return err
	})
	if err != nil {
		return err
	}
	return db.alonePostgres(ctx, "BEGIN", func(conn *sql.Conn) error { // or the first queries would be planned for empty tables
		_, err := conn.ExecContext(ctx, "ANALYZE")
		return err
	})
}

// copyIn fills a table from its part.
func copyIn(ctx context.Context, conn *sql.Conn, t SnapshotTable, open func(string) (io.ReadCloser, error)) error {
	part, err := open(copied(t.Name))
	if err != nil {
		return err
	}
	var refused *pgconn.PgError
	err = raw(conn, func(pg *pgconn.PgConn) error {
		_, err := pg.CopyFrom(ctx, part, "COPY "+t.copied()+" FROM STDIN "+copyFormat)
		return err
	})
	if errors.As(err, &refused) && (strings.HasPrefix(refused.Code, "22") || strings.HasPrefix(refused.Code, "23")) {
		err = notWhole(err) // data that the schema does not allow
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", t.Name, err)
	}
	return errors.Join(err, part.Close())
}

// sameColumns compares the tables that there are with those of a copy: the same in the same order, with the same
// columns in any.
func sameColumns(have, want []SnapshotTable) error {
	if len(have) != len(want) {
		return fmt.Errorf("%d tables, not %d", len(want), len(have))
	}
	for i, t := range have {
		if want[i].Name != t.Name || !slices.Equal(slices.Sorted(slices.Values(t.Columns)), slices.Sorted(slices.Values(want[i].Columns))) {
			return fmt.Errorf("the columns of %s are others", t.Name)
		}
	}
	return nil
}
