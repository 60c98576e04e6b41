//go:build bench

package storage

import (
	"context"
	"database/sql"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

// FillProjects stores projects as they are, without entries, as fast as the database takes them.
func (db *DB) FillProjects(ctx context.Context, made iter.Seq[*engine.Project]) error {
	return fill(ctx, db, projects, made)
}

// FillUsers is FillProjects for people.
func (db *DB) FillUsers(ctx context.Context, made iter.Seq[*engine.User]) error {
	return fill(ctx, db, users, func(yield func(*userRow) bool) {
		for u := range made {
			if !yield(&userRow{User: *u, Salt: []byte{0}}) {
				return
			}
		}
	})
}

func fill[T any](ctx context.Context, db *DB, t table, made iter.Seq[*T]) error {
	conn, err := db.pools[0].Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if db.Backend() == Postgres {
		next, stop := iter.Pull(made)
		defer stop()
		return conn.Raw(func(c any) error {
			conn := c.(*stdlib.Conn).Conn()
			if _, err := conn.Exec(ctx, "SET statement_timeout = 0"); err != nil {
				return err
			}
			if _, err := conn.CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, pgx.CopyFromFunc(func() ([]any, error) {
				row, ok := next()
				if !ok {
					return nil, nil
				}
				return t.values(row)
			})); err != nil {
				return err
			}
			_, err := conn.Exec(ctx, "VACUUM ANALYZE "+t.name) // as autovacuum would, in its time
			return err
		})
	}
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	stmt, err := tx.PrepareContext(ctx, t.insert())
	if err != nil {
		return err
	}
	defer stmt.Close()
	for row := range made {
		values, err := t.values(row)
		if err != nil {
			return err
		}
		if _, err := stmt.ExecContext(ctx, values...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// CursorAt returns the cursor of a row in the last stretch of a sort that is ordered by a column, with these values.
func CursorAt(sort engine.Sort, at time.Time, due calendar.Date, id engine.ProjectID) string {
	o, _ := orderOf(sort)
	c := cursor{Order: o.name, ID: string(id)}
	for i, s := range o.stretches {
		switch {
		case s.column == "":
			continue
		case s.time:
			c.Stretch, c.At = i, at.Format(cursorTime)
		case s.light == "" || s.light == engine.Green:
			c.Stretch, c.At = i, due.String()
		}
	}
	return c.String()
}
