package storage

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"

	"bihuan/engine"
)

// guarded is the condition that what a decision took for granted about rights still holds, for the arguments of
// guardArgs. It stands in the very statement that writes a change.
const guarded = `(CAST(? AS bigint) = 0 OR EXISTS (SELECT 1 FROM users g WHERE g.id = ? AND g.version = ?)) AND ` +
	`(CAST(? AS text) = '' OR EXISTS (SELECT 1 FROM units g WHERE g.path = ? AND g.id = ?))`

func guardArgs(g engine.Guard) []any {
	args := []any{g.Version, nil, g.Version, g.Path, g.Path, nil}
	if g.Version != 0 {
		args[1] = string(g.Actor)
	}
	if g.Path != "" {
		args[5] = string(g.Unit)
	}
	return args
}

// guard looks whether a guard holds. On PostgreSQL it keeps the rows from changing until the transaction ends.
func (db *DB) guard(tx *gorm.DB, g engine.Guard) error {
	lock := ""
	if db.Backend() == Postgres { // on SQLite there is one writer
		lock = " FOR SHARE"
	}
	look := func(query string, args ...any) error {
		var found []int
		if err := tx.Raw(query+lock, args...).Scan(&found).Error; err != nil {
			return err
		}
		if len(found) == 0 {
			return errStale
		}
		return nil
	}
	if g.Version != 0 {
		if err := look("SELECT 1 FROM users WHERE id = ? AND version = ?", string(g.Actor), g.Version); err != nil {
			return err
		}
	}
	if g.Path != "" && g.Unit != "" {
		open := ""
		if g.Open {
			open = " AND closed_at IS NULL"
		}
		return look("SELECT 1 FROM units WHERE id = ? AND path = ?"+open, string(g.Unit), g.Path)
	}
	return nil
}

// Act writes records and changes in one transaction; see engine.Store.
func (db *DB) Act(ctx context.Context, records []engine.Record, list []engine.Change) error {
	if len(records) == 0 && len(list) == 0 {
		return nil
	}
	var steps []func(tx *gorm.DB) error
	ready := make([]*engine.Change, len(list))
	for i := range list {
		ready[i] = &list[i]
	}
	// Everybody locks rows in the same order, as in Commit.
	slices.SortStableFunc(ready, func(a, b *engine.Change) int { return cmp.Compare(a.Project.ID, b.Project.ID) })
	if db.Backend() == SQLite {
		for _, x := range ready {
			steps = append(steps, func(tx *gorm.DB) error {
				c, err := prepare(x) // one at a time: an import has tens of thousands
				if err != nil {
					return err
				}
				return db.writeSQLite(tx, c)
			})
		}
	}
	for i := range records {
		do, err := db.recorder(&records[i])
		if err != nil {
			return err
		}
		steps = append(steps, do)
	}
	for _, r := range records {
		if r.Vacated != "" {
			steps = append(steps, vacated(r.Vacated))
		}
	}
	first := ""
	if len(records) > 0 {
		first = records[0].Entry.ID
	} else {
		first = ready[0].Entry.ID
	}
	do := func(tx *gorm.DB) error {
		for _, step := range steps {
			if err := step(tx); err != nil {
				return err
			}
		}
		return nil
	}
	done := func() (bool, error) { return db.hasEntry(ctx, first) }
	if db.Backend() == SQLite {
		return db.alone(ctx, do, done)
	}
	return db.patiently(func() error {
		return db.write.WithContext(ctx).Connection(func(one *gorm.DB) error {
			conn := one.Statement.ConnPool.(*sql.Conn) // that of the transaction
			return one.Transaction(func(tx *gorm.DB) error {
				if err := db.pipeline(ctx, conn, ready); err != nil {
					return err
				}
				return do(tx)
			})
		})
	}, done)
}

// pipelined bounds how many changes are on their way to PostgreSQL at once, and so what they take of memory.
const pipelined = 64

// pipeline writes changes to PostgreSQL as writePostgres does, on the connection of the transaction, without waiting for
// the answer to one before it sends the next. The first that fails ends it; the transaction takes back those behind it.
func (db *DB) pipeline(ctx context.Context, conn *sql.Conn, list []*engine.Change) error {
	texts := map[shape]string{}
	for part := range slices.Chunk(list, pipelined) {
		var batch pgx.Batch
		for _, x := range part {
			c, err := prepare(x)
			if err != nil {
				return err
			}
			if texts[c.shape] == "" {
				texts[c.shape] = positional(c.shape.statement())
			}
			batch.Queue(texts[c.shape], c.args()...)
		}
		err := conn.Raw(func(driver any) error { return db.send(ctx, driver.(*stdlib.Conn).Conn(), &batch) })
		if err != nil {
			return err
		}
	}
	return nil
}

// send sends statements that each write one change, and returns the first error.
func (db *DB) send(ctx context.Context, conn *pgx.Conn, batch *pgx.Batch) (err error) {
	answers := conn.SendBatch(ctx, batch)
	defer func() { err = cmp.Or(err, answers.Close()) }()
	for range batch.Len() {
		var written int64
		if err = answers.QueryRow().Scan(&written); err != nil {
			return db.taken(err)
		}
		if written == 0 {
			return errStale
		}
	}
	return nil
}

// positional writes the marks of a statement as PostgreSQL itself knows them, which gorm does for what goes through it.
func positional(text string) string {
	var b strings.Builder
	for n, part := range strings.Split(text, "?") {
		if n > 0 {
			b.WriteString("$" + strconv.Itoa(n))
		}
		b.WriteString(part)
	}
	return b.String()
}

// vacated fails while a unit is left under a path: one that was added after the units were read that moved away.
func vacated(path string) func(tx *gorm.DB) error {
	return func(tx *gorm.DB) error {
		var n int64
		if err := tx.Raw("SELECT count(*) FROM units WHERE path >= ? AND path < ?", path, after(path)).Scan(&n).Error; err != nil {
			return err
		}
		if n > 0 {
			return errStale
		}
		return nil
	}
}

// after returns the smallest text that is behind every text with the prefix, which ends with a slash.
func after(prefix string) string { return prefix[:len(prefix)-1] + "0" }
