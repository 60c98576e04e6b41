package storage

import (
	"context"
	"fmt"
	"strings"
	"time"

	"bihuan/engine"
)

var needs = tableOf(&engine.Need{})

// selectNeed reads whole needs, with the path that the unit has now.
var selectNeed = "SELECT " + needs.quoted("n.") + ", u.path AS unit_path FROM needs n JOIN units u ON u.id = n.unit_id"

// Need returns a need, or engine.ErrNotFound.
func (db *DB) Need(ctx context.Context, id engine.NeedID) (engine.Need, error) {
	var n engine.Need
	if !engine.IsID(string(id)) {
		return n, engine.ErrNotFound
	}
	err := one(db.reader(ctx).Raw(selectNeed+" WHERE n.id = ?", string(id)).Scan(&n))
	return n, err
}

// Needs returns a page of the needs that the filter selects, newest first; ids are made in the order of time.
func (db *DB) Needs(ctx context.Context, f engine.NeedFilter) (engine.Page[engine.Need], error) {
	var page engine.Page[engine.Need]
	var w where
	if f.Scope != nil {
		condition, args := readable(f.Scope, "n.proposer_id", "n.created_by")
		w.and(condition, args...)
	}
	for _, x := range []struct{ column, id string }{{"unit_id", string(f.Unit)}, {"into_id", string(f.Into)}, {"project_id", string(f.Project)}} {
		if x.id == "" {
			continue
		}
		if !engine.IsID(x.id) {
			return page, nil
		}
		w.and("n."+x.column+" = ?", x.id)
	}
	if f.Number != "" {
		w.and("n.number = ?", f.Number)
	}
	if len(f.State) > 0 {
		w.and("n.state IN ?", f.State)
	}
	if f.Text != "" {
		like := "%" + likeEscaper.Replace(f.Text) + "%"
		w.and("(n.title LIKE ? ESCAPE '\\' OR n.text LIKE ? ESCAPE '\\')", like, like)
	}
	if f.Untold {
		w.and("n.settled_at IS NOT NULL AND n.told_at IS NULL AND n.proposer_id = '' AND n.contact <> ''")
	}
	if f.After != "" {
		c, err := parseCursor(f.After, "")
		if err != nil {
			return page, err
		}
		w.and("n.id < ?", c.ID)
	}
	size := pageSize(f.Limit)
	query := selectNeed + " WHERE " + w.String() + fmt.Sprintf(" ORDER BY n.id DESC LIMIT %d", size+1)
	if err := db.reader(ctx).Raw(query, w.args...).Scan(&page.Items).Error; err != nil {
		return page, fmt.Errorf("needs: %w", err)
	}
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		page.Next = cursor{ID: string(page.Items[size-1].ID)}.String()
	}
	return page, nil
}

// readable says in SQL that something of the unit u is under one of the scope's paths, or that a column names its user.
// It is engine.Actor.ReadsNeed and ReadsTally.
func readable(s *engine.Scope, columns ...string) (string, []any) {
	ways, args := []string{"1 = 0"}, []any{}
	for _, p := range s.Paths {
		ways, args = append(ways, "u.path LIKE ? ESCAPE '\\'"), append(args, likeEscaper.Replace(p)+"%")
	}
	if engine.IsID(string(s.User)) {
		for _, c := range columns {
			ways, args = append(ways, c+" = ?"), append(args, string(s.User))
		}
	}
	return "(" + strings.Join(ways, " OR ") + ")", args
}

// UntoldNeeds returns needs settled since a moment whose proposers have an account and no notice of it yet; the key
// of a notice is engine.Need's ToldKey.
func (db *DB) UntoldNeeds(ctx context.Context, since time.Time, limit int) ([]engine.Need, error) {
	var out []engine.Need
	err := db.reader(ctx).Raw(selectNeed+` WHERE n.proposer_id <> '' AND n.settled_at >= ? AND NOT EXISTS (SELECT 1 FROM notices x
		WHERE x.dedupe_key = 'need|' || CAST(n.id AS text) || '|' || CAST(n.version AS text) || '|' || n.proposer_id)
		ORDER BY n.settled_at, n.id LIMIT ?`, micro(since), limit).Scan(&out).Error
	return out, err
}
