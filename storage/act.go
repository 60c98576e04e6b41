package storage

import (
	"cmp"
	"context"
	"slices"

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
	for _, x := range ready {
		steps = append(steps, func(tx *gorm.DB) error {
			c, err := prepare(x) // one at a time: an import has tens of thousands
			if err != nil {
				return err
			}
			if db.Backend() == SQLite {
				return db.writeSQLite(tx, c)
			}
			return db.writePostgres(tx, c)
		})
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
	return db.alone(ctx, func(tx *gorm.DB) error {
		for _, do := range steps {
			if err := do(tx); err != nil {
				return err
			}
		}
		return nil
	}, func() (bool, error) { return db.hasEntry(ctx, first) })
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
