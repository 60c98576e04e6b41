package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"bihuan/engine"
)

// held is a condition over u: a role of the account, g, at a unit, x, for which further conditions hold.
func (db *DB) held(conditions ...string) string {
	return "EXISTS (SELECT 1 FROM " + db.dialect.grants + " WHERE " + strings.Join(conditions, " AND ") + ")"
}

// roleless is a condition over u: it holds no role.
const roleless = "coalesce(u.grants, '[]') IN ('[]', 'null')"

const (
	atOrUnder = "(x.path >= ? AND x.path < ?)" // for a path and after(path)
	byLogin   = "login"
)

// underAny is a condition over x: it lies at or under one of the paths, of which there is at least one.
func underAny(paths []string) (string, []any) {
	ways, args := make([]string, len(paths)), []any{}
	for i, p := range paths {
		ways[i], args = atOrUnder, append(args, p, after(p))
	}
	return "(" + strings.Join(ways, " OR ") + ")", args
}

// People returns a page of the accounts that the filter selects, by login; see engine.PeopleFilter. Units and roles
// are looked for in the statement, so that nothing outside the scope is ever read.
func (db *DB) People(ctx context.Context, f engine.PeopleFilter) (engine.Page[engine.User], error) {
	var page engine.Page[engine.User]
	var w where
	if f.Within != nil {
		if len(f.Within) == 0 {
			return page, nil
		}
		within, args := underAny(f.Within)
		w.and(roleless+" OR "+db.held(within), args...)
	}
	var at []string
	var args []any
	if f.Unit != "" {
		u, err := db.Unit(ctx, string(f.Unit))
		if err != nil || u.ID != f.Unit {
			return page, notOr(err)
		}
		if f.Alone {
			at, args = append(at, "x.path = ?"), append(args, u.Path)
		} else {
			at, args = append(at, atOrUnder), append(args, u.Path, after(u.Path))
		}
	}
	if f.Role != "" {
		at, args = append(at, db.dialect.grantRole+" = ?"), append(args, string(f.Role))
	}
	if len(at) > 0 && f.Within != nil { // a role elsewhere is nobody's business here
		within, more := underAny(f.Within)
		at, args = append(at, within), append(args, more...)
	}
	if len(at) > 0 {
		w.and(db.held(at...), args...)
	}
	if f.Text != "" {
		pattern := "%" + likeEscaper.Replace(f.Text) + "%"
		w.and(fmt.Sprintf(`u.login %[1]s ? ESCAPE '\' OR u.name %[1]s ? ESCAPE '\'`, db.dialect.like), pattern, pattern)
	}
	switch f.State {
	case engine.PeopleActive:
		w.and("NOT u.disabled")
	case engine.PeopleDisabled:
		w.and("u.disabled")
	case engine.PeopleRoleless:
		w.and("NOT u.disabled AND " + roleless)
	}
	if f.After != "" {
		c, err := parseCursor(f.After, byLogin)
		if err != nil {
			return page, err
		}
		w.and("u.login > ?", c.At)
	}
	size := pageSize(f.Limit)
	query := db.selectUser() + " WHERE " + w.String() + fmt.Sprintf(" ORDER BY u.login LIMIT %d", size+1)
	var err error
	if page.Items, err = db.people(ctx, query, w.args...); err != nil {
		return page, err
	}
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		last := &page.Items[size-1]
		page.Next = cursor{Order: byLogin, At: last.Login, ID: string(last.ID)}.String()
	}
	return page, nil
}

// people reads accounts with the paths of their roles.
func (db *DB) people(ctx context.Context, query string, args ...any) ([]engine.User, error) {
	var rows []person
	if err := db.reader(ctx).Raw(query, args...).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("people: %w", err)
	}
	out := make([]engine.User, len(rows))
	for i := range rows {
		var err error
		if out[i], err = rows[i].user(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// notOr is err, unless it says that there is nothing.
func notOr(err error) error {
	if errors.Is(err, engine.ErrNotFound) {
		return nil
	}
	return err
}

// Holders returns the accounts that are not closed and hold one of the roles at a unit at or above path.
func (db *DB) Holders(ctx context.Context, path string, roles []engine.Role) ([]engine.User, error) {
	if len(roles) == 0 || !storable(path) || !slices.ContainsFunc(roles, engine.Role.Granted) {
		return nil, nil
	}
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	query := db.selectUser() + " WHERE NOT u.disabled AND " + db.held("substr(?, 1, length(x.path)) = x.path", db.dialect.grantRole+" IN ?") +
		fmt.Sprintf(" ORDER BY u.login LIMIT %d", engine.MaxPage)
	return db.people(ctx, query, path, names)
}

// idle fails while somebody holds a role at or under a path, or a unit under it or a project in it is open: what was
// given, added or proposed since the unit was looked at. "" holds always.
func (db *DB) idle(tx *gorm.DB, path string) error {
	if path == "" {
		return nil
	}
	for _, q := range []string{
		"SELECT 1 FROM users u WHERE " + db.held(atOrUnder) + " LIMIT 1",
		"SELECT 1 FROM units x WHERE " + atOrUnder + " AND x.closed_at IS NULL LIMIT 1",
		"SELECT 1 FROM projects p JOIN units x ON x.id = p.unit_id WHERE " + atOrUnder + " AND " + openSQL + " LIMIT 1",
	} {
		var found []int
		if err := tx.Raw(q, path, after(path)).Scan(&found).Error; err != nil {
			return err
		}
		if len(found) > 0 {
			return errStale
		}
	}
	return nil
}
