package storage

import (
	"context"
	"fmt"

	"bihuan/engine"
)

// Walk hands over the bytes of entries for a fold; see engine.Walker. It reads one subject after the other in the
// order of the index that makes a chain unique, so memory does not grow with the trail. For few units their own index
// is narrower, and what they have is sorted.
func (db *DB) Walk(ctx context.Context, f engine.TrailFilter, each func(entry []byte) error) (err error) {
	query, args := walkQuery(f)
	rows, err := db.reader(ctx).Raw(query, args...).Rows()
	if err != nil {
		return fmt.Errorf("trail: %w", err)
	}
	defer rows.Close()
	var raw []byte
	for rows.Next() {
		if err := rows.Scan(&raw); err != nil {
			return fmt.Errorf("trail: %w", err)
		}
		if err := each(raw); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("trail: %w", err)
	}
	return nil
}

// walkQuery returns the query of Walk. A subject begins with its kind and a slash, which "0" follows.
func walkQuery(f engine.TrailFilter) (string, []any) {
	var w where
	w.and("e.subject >= ? AND e.subject < ?", f.Kind+"/", f.Kind+"0")
	if len(f.Units) > 0 {
		w.and("e.unit_id IN ?", f.Units)
	}
	if !f.Before.IsZero() {
		w.and("e.at < ?", micro(f.Before))
	}
	return "SELECT e.bytes FROM entries e WHERE " + w.String() + " ORDER BY e.subject, e.seq", w.args
}
