package storage

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"bihuan/engine"
)

// where collects conditions that all must hold.
type where struct {
	conditions []string
	args       []any
	few        bool // so few rows are left that collecting and sorting them beats walking any index in its order
}

func (w *where) and(condition string, args ...any) {
	if !slices.ContainsFunc(args, unstorable) {
		w.conditions = append(w.conditions, condition)
		w.args = append(w.args, args...)
		return
	}
	w.conditions = append(w.conditions, "1 = 0")
}

// unstorable tells whether v is a text, or a list with a text, that no row can contain. PostgreSQL would refuse
// the question.
func unstorable(v any) bool {
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.String:
		return !storable(rv.String())
	case reflect.Slice:
		for i := range rv.Len() {
			if unstorable(rv.Index(i).Interface()) {
				return true
			}
		}
	}
	return false
}

// storable tells whether a text can stand in a database.
func storable(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

func (w *where) String() string {
	if len(w.conditions) == 0 {
		return "1 = 1"
	}
	return "(" + strings.Join(w.conditions, ") AND (") + ")"
}

// filter turns what selects projects into conditions over p. ok is false if nothing can match.
func (db *DB) filter(ctx context.Context, f engine.Filter) (w where, ok bool, err error) {
	if f.Scope != nil {
		s, err := db.resolve(ctx, f.Scope.Paths...)
		if err != nil {
			return w, false, err
		}
		condition, args := db.seen(s, f.Scope.User)
		w.and(condition, args...)
		w.few = !s.wide()
	}
	if f.Unit != "" {
		path, err := db.unitPath(ctx, f.Unit)
		if err != nil || path == "" {
			return w, false, err
		}
		if f.Alone {
			w.and("p.unit_id = ?", string(f.Unit))
			w.few = true
		} else {
			s, err := db.resolve(ctx, path)
			if err != nil {
				return w, false, err
			}
			condition, args := db.within(s, "p.unit_id", "id")
			w.and(condition, args...)
			w.few = w.few || !s.wide()
		}
	}
	if f.Kind != "" {
		column := "p.kind" // there are few kinds, so that the order is found sooner than the kind
		if f.Sort != "" && f.Sort != engine.ByNewest && f.Sort != engine.ByOldest {
			column = db.dialect.notIndexed + column
		}
		w.and(column+" = ?", f.Kind)
	}
	if f.Year != 0 {
		w.and("p.year = ?", f.Year)
	}
	if len(f.Stage) > 0 {
		w.and("p.stage IN ?", f.Stage)
	}
	if len(f.Light) > 0 {
		var either []string
		var args []any
		for _, l := range f.Light {
			is, more := lightIs(l, f.Now)
			either, args = append(either, is), append(args, more...)
		}
		w.and("("+strings.Join(either, ") OR (")+")", args...)
		if !f.Open && !slices.Contains(f.Light, engine.NoLight) {
			w.and(openSQL) // follows, but only as it stands does it let the partial index be used
		}
	}
	if f.Owner != "" || f.List != "" || len(f.Waiting) > 0 || f.Overdue != nil && *f.Overdue || f.Text != "" && f.Open {
		w.few = true
	}
	if f.Owner != "" { // the second condition lets the partial index be used
		w.and("p.owner_id = ? AND p.owner_id <> ''", string(f.Owner))
	}
	if f.List != "" {
		w.and("p.list = ? AND p.list <> ''", f.List)
	}
	if f.Text != "" {
		is, text := db.contains(f.Text)
		w.and(is("p.number")+" OR "+is("p.title")+" OR p.unit_id IN (SELECT id FROM units WHERE "+is("name")+
			") OR p.owner_id IN (SELECT CAST(id AS text) FROM users WHERE "+is("name")+")", text, text, text, text)
	}
	if f.Overdue != nil {
		if *f.Overdue {
			w.and("p.overdue_at IS NOT NULL")
		} else {
			w.and("p.overdue_at IS NULL")
		}
	}
	if f.Ever != nil {
		w.and(map[bool]string{true: "p.ever_overdue", false: "NOT p.ever_overdue"}[*f.Ever])
	}
	if f.Pending {
		w.and("p.request IS NOT NULL")
	}
	if len(f.Waiting) > 0 {
		roles := make([]string, len(f.Waiting))
		args := make([]any, len(f.Waiting))
		for i, role := range f.Waiting {
			roles[i] = `p.waiting LIKE ? ESCAPE '\'`
			args[i] = "%," + likeEscaper.Replace(string(role)) + ",%"
		}
		w.and("p.waiting <> '' AND ("+strings.Join(roles, " OR ")+")", args...)
	}
	if f.Open {
		w.and(openSQL)
	}
	if f.Marked {
		w.and("p.distinctions <> ''")
	}
	if f.Kept {
		w.and("p.stage <> 'cancelled'")
	}
	if !f.DueFrom.IsZero() {
		w.and("p.deadline >= ?", f.DueFrom.String())
	}
	if !f.DueTo.IsZero() {
		w.and("p.deadline <= ?", f.DueTo.String())
	}
	if !f.ClosedFrom.IsZero() {
		w.and("p.closed_at >= ?", micro(f.ClosedFrom))
	}
	if !f.ClosedTo.IsZero() {
		w.and("p.closed_at < ?", micro(f.ClosedTo))
	}
	if f.Digest != "" {
		w.and("p.definition = ?", f.Digest)
	}
	if f.Unknown {
		w.and("p.calendar_unknown")
	}
	return w, true, nil
}

// openSQL is what the partial indexes of open projects say, word for word: planners use them for nothing else.
const openSQL = "p.stage NOT IN ('closed', 'cancelled')"

// likeEscaper takes the meaning from the characters that LIKE knows.
var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// contains returns the condition that a column holds a text, in whatever case, and its argument. Chinese has no case,
// and looking for the bytes is several times as fast.
func (db *DB) contains(text string) (is func(column string) string, arg string) {
	if strings.ToUpper(text) == strings.ToLower(text) {
		return func(column string) string { return db.dialect.position + "(" + column + ", ?) > 0" }, text
	}
	return func(column string) string { return column + " " + db.dialect.like + ` ? ESCAPE '\'` }, "%" + likeEscaper.Replace(text) + "%"
}

// lightSQL is engine.Project.Light in SQL, at the moment now; a property test compares the two.
func lightSQL(now time.Time) (string, []any) {
	at := micro(now)
	return `CASE WHEN p.stage IN ('closed', 'shelved', 'cancelled') OR p.deadline IS NULL THEN 'none'
		WHEN p.red_at <= ? THEN 'red' WHEN p.orange_at <= ? THEN 'orange' WHEN p.yellow_at <= ? THEN 'yellow'
		ELSE 'green' END`, []any{at, at, at}
}

// lightIs says with plain comparisons that lightSQL is l, so that a planner can tell how many rows that leaves. The
// property test holds it to the same.
func lightIs(l engine.Light, now time.Time) (string, []any) {
	const lit = "p.stage NOT IN ('closed', 'shelved', 'cancelled') AND p.deadline IS NOT NULL"
	at := micro(now)
	not := func(column string) string { return " AND (p." + column + " IS NULL OR p." + column + " > ?)" }
	switch l {
	case engine.NoLight:
		return "p.stage IN ('closed', 'shelved', 'cancelled') OR p.deadline IS NULL", nil
	case engine.Red:
		return lit + " AND p.red_at <= ?", []any{at}
	case engine.Orange:
		return lit + " AND p.orange_at IS NOT NULL" + not("red_at") + " AND p.orange_at <= ?", []any{at, at} // the first for the partial index
	case engine.Yellow:
		return lit + not("red_at") + not("orange_at") + " AND p.yellow_at <= ?", []any{at, at, at}
	case engine.Green:
		return lit + not("red_at") + not("orange_at") + not("yellow_at"), []any{at, at, at}
	}
	return "1 = 0", nil
}

// subtrees are the units at and under some paths.
type subtrees struct {
	ranges     string // condition on units.path
	args       []any
	only       string // id of the unit, when there is but one
	count, all int64  // how many units these are, and how many there are
}

// none tells that there is no such unit; every that there is no other.
func (s *subtrees) none() bool  { return s.count == 0 }
func (s *subtrees) every() bool { return s.count > 0 && s.count == s.all }

// wide tells whether so much of everything belongs to the units that reading in the wanted order and leaving out
// the rest is cheaper than collecting and sorting.
func (s *subtrees) wide() bool { return s.count*50 > s.all }

// resolve finds the units under paths. Paths have a slash on both ends, so that what lies under a path is what
// sorts from it to its last slash raised by one: /1/12/ is not under /1/1/, nor /1/123/ under /1/12/.
func (db *DB) resolve(ctx context.Context, paths ...string) (subtrees, error) {
	var s subtrees
	var ranges []string
	for _, p := range paths {
		if !strings.HasPrefix(p, "/") || !strings.HasSuffix(p, "/") || p == "/" {
			continue // such as the path of a grant at a unit that does not exist
		}
		ranges = append(ranges, "path >= ? AND path < ?")
		s.args = append(s.args, p, p[:len(p)-1]+"0")
	}
	if len(ranges) == 0 {
		return s, nil
	}
	s.ranges = "(" + strings.Join(ranges, " OR ") + ")"
	var row struct {
		Found, Every int64
		Only         string
	}
	err := db.reader(ctx).Raw("SELECT count(*) AS found, (SELECT count(*) FROM units) AS every, min(CAST(id AS text)) AS only FROM units WHERE "+s.ranges, s.args...).Scan(&row).Error
	if err != nil {
		return s, fmt.Errorf("units of a scope: %w", err)
	}
	s.count, s.all = row.Found, row.Every
	if s.count == 1 {
		s.only = row.Only
	}
	return s, nil
}

func (db *DB) unitPath(ctx context.Context, id engine.UnitID) (string, error) {
	if !engine.IsID(string(id)) {
		return "", nil
	}
	var path string
	err := db.reader(ctx).Raw("SELECT path FROM units WHERE id = ?", string(id)).Scan(&path).Error
	return path, err
}

// within returns the condition that column holds one of the units; id is how a unit's id is written in the type
// of the column.
func (db *DB) within(s subtrees, column, id string) (string, []any) {
	switch {
	case s.none():
		return "1 = 0", nil
	case s.every():
		return "1 = 1", nil
	case s.only != "":
		return column + " = ?", []any{s.only}
	case s.wide():
		column = db.dialect.notIndexed + column
	}
	return column + " IN (SELECT " + id + " FROM units WHERE " + s.ranges + ")", s.args
}

// parts are the projects that a person has a part in.
const parts = `SELECT id FROM projects WHERE owner_id = ? AND owner_id <> ''
	UNION SELECT id FROM projects WHERE sponsor_id = ? AND sponsor_id <> ''
	UNION SELECT project_id FROM assistants WHERE user_id = ?`

// seen returns the condition that a person sees the project p: by a role at a unit above, or by a part in it.
func (db *DB) seen(s subtrees, user engine.UserID) (string, []any) {
	id := string(user)
	switch {
	case s.every():
		return "1 = 1", nil
	case s.none() && id == "":
		return "1 = 0", nil
	case s.none():
		return "p.id IN (" + parts + ")", []any{id, id, id}
	case id == "":
		return db.within(s, "p.unit_id", "id")
	case s.wide():
		condition, args := db.within(s, "p.unit_id", "id")
		return condition + " OR " + db.dialect.notIndexed + "p.id IN (" + parts + ")", append(args, id, id, id)
	}
	condition, args := db.within(s, "unit_id", "id")
	return "p.id IN (SELECT id FROM projects WHERE " + condition + " UNION " + parts + ")", append(args, id, id, id)
}
