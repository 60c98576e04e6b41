package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"bihuan/engine"
)

// selectList reads whole lists, with the path that the unit has now.
var selectList = "SELECT " + lists.quoted("l.") + ", u.path AS unit_path FROM lists l JOIN units u ON u.id = l.unit_id"

// List returns a list, or engine.ErrNotFound.
func (db *DB) List(ctx context.Context, id engine.ListID) (engine.List, error) {
	var l engine.List
	if !engine.IsID(string(id)) {
		return l, engine.ErrNotFound
	}
	err := one(db.reader(ctx).Raw(selectList+" WHERE l.id = ?", string(id)).Scan(&l))
	return l, err
}

// Lists returns a page of the lists that the filter selects, the newest period first.
func (db *DB) Lists(ctx context.Context, f engine.ListFilter) (engine.Page[engine.List], error) {
	var page engine.Page[engine.List]
	var w where
	if f.Scope != nil {
		readable, args := readableLists(f.Scope.Paths)
		w.and(readable, args...)
	}
	if f.Unit != "" {
		if !engine.IsID(string(f.Unit)) {
			return page, nil
		}
		w.and("l.unit_id = ?", string(f.Unit))
	}
	if f.Number != "" {
		w.and("l.number = ?", f.Number)
	}
	if len(f.State) > 0 {
		w.and("l.state IN ?", f.State)
	}
	if !f.Ended.IsZero() {
		w.and("l.period_to < ?", f.Ended.String())
	}
	const byPeriod = "period_from"
	if f.After != "" {
		c, err := parseCursor(f.After, byPeriod)
		if err != nil {
			return page, err
		}
		from, err := c.arg(false)
		if err != nil {
			return page, err
		}
		w.and("(l.period_from, l.id) < (?, ?)", from, c.ID)
	}
	size := pageSize(f.Limit)
	query := selectList + " WHERE " + w.String() + fmt.Sprintf(" ORDER BY l.period_from DESC, l.id DESC LIMIT %d", size+1)
	if err := db.reader(ctx).Raw(query, w.args...).Scan(&page.Items).Error; err != nil {
		return page, fmt.Errorf("lists: %w", err)
	}
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		last := &page.Items[size-1]
		page.Next = cursor{Order: byPeriod, At: last.From.String(), ID: string(last.ID)}.String()
	}
	return page, nil
}

// readableLists is engine.Actor.Reads in SQL: lists of the units under the paths, and published ones of those above.
func readableLists(paths []string) (string, []any) {
	var ways []string
	var args []any
	for _, p := range paths {
		ways = append(ways, "u.path LIKE ? ESCAPE '\\'", "l.state <> 'draft' AND substr(?, 1, length(u.path)) = u.path")
		args = append(args, likeEscaper.Replace(p)+"%", p)
	}
	if len(ways) == 0 {
		return "1 = 0", nil
	}
	return "(" + strings.Join(ways, ") OR (") + ")", args
}

// Standing returns the projects with the ids; see engine.Lists. They go in as one JSON text, so that the statement
// is the same however many they are.
func (db *DB) Standing(ctx context.Context, ids []engine.ProjectID) ([]engine.Project, error) {
	var out []engine.Project
	known := make([]engine.ProjectID, 0, len(ids))
	for _, id := range ids {
		if engine.IsID(string(id)) {
			known = append(known, id)
		}
	}
	if len(known) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(known)
	if err != nil {
		return nil, err
	}
	from := " WHERE p.id IN (SELECT value FROM json_each(?))"
	if db.Backend() == Postgres {
		from = " WHERE p.id IN (SELECT value::uuid FROM jsonb_array_elements_text(?::text::jsonb))"
	}
	if err := db.reader(ctx).Raw(selectProject+from, string(text)).Find(&out).Error; err != nil {
		return nil, fmt.Errorf("projects of a list: %w", err)
	}
	return out, nil
}
