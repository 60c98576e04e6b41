package storage

import (
	"context"
	"fmt"

	"bihuan/engine"
)

var (
	tallies    = tableOf(&engine.Tally{})
	tallyYears = tableOf(&engine.TallyYear{})
)

// selectTallyYear reads members' years, with the path that the unit has now.
var selectTallyYear = "SELECT " + tallyYears.quoted("y.") + ", u.path AS unit_path FROM tally_years y JOIN units u ON u.id = y.unit_id"

// Tallies returns the yearly counts that were ever switched on, by id.
func (db *DB) Tallies(ctx context.Context) ([]engine.Tally, error) {
	var out []engine.Tally
	err := db.reader(ctx).Raw("SELECT " + tallies.quoted("") + " FROM " + tallies.name + " ORDER BY id").Scan(&out).Error
	return out, err
}

// TallyYear returns a member's year, or engine.ErrNotFound.
func (db *DB) TallyYear(ctx context.Context, id engine.TallyYearID) (engine.TallyYear, error) {
	var y engine.TallyYear
	if !engine.IsID(string(id)) {
		return y, engine.ErrNotFound
	}
	err := one(db.reader(ctx).Raw(selectTallyYear+" WHERE y.id = ?", string(id)).Scan(&y))
	return y, err
}

// TallyYears returns a page of the members' years that the filter selects, the oldest first; ids are made in the order
// of time.
func (db *DB) TallyYears(ctx context.Context, f engine.TallyFilter) (engine.Page[engine.TallyYear], error) {
	var page engine.Page[engine.TallyYear]
	var w where
	if f.Scope != nil {
		condition, args := readable(f.Scope, "y.user_id")
		w.and(condition, args...)
	}
	if f.Tally != "" {
		w.and("y.tally = ?", f.Tally)
	}
	if f.Year != 0 {
		w.and("y.year = ?", f.Year)
	}
	for _, x := range []struct{ condition, id string }{
		{"u.path LIKE (SELECT x.path FROM units x WHERE x.id = ?) || '%'", string(f.Unit)}, {"y.user_id = ?", string(f.User)},
	} {
		if x.id == "" {
			continue
		}
		if !engine.IsID(x.id) {
			return page, nil
		}
		w.and(x.condition, x.id)
	}
	if f.After != "" {
		c, err := parseCursor(f.After, "")
		if err != nil {
			return page, err
		}
		w.and("y.id > ?", c.ID)
	}
	size := pageSize(f.Limit)
	query := selectTallyYear + " WHERE " + w.String() + fmt.Sprintf(" ORDER BY y.id LIMIT %d", size+1)
	if err := db.reader(ctx).Raw(query, w.args...).Scan(&page.Items).Error; err != nil {
		return page, fmt.Errorf("yearly counts: %w", err)
	}
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		page.Next = cursor{ID: string(page.Items[size-1].ID)}.String()
	}
	return page, nil
}
