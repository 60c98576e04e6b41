package storage

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

// defaultPage is how long a page is when nobody asks for a length.
const defaultPage = 50

func pageSize(limit int) int {
	if limit <= 0 {
		return defaultPage
	}
	return min(limit, engine.MaxPage)
}

// order is the order of a list: stretches one after the other, each read from an index in its own order.
type order struct {
	name      string // as cursors name it
	stretches []stretch
}

// stretch is a part of a list that one index gives in order: by a column, then by the id.
type stretch struct {
	only   string // condition that parts it from the other stretches, "" for none
	column string // "" orders by id alone
	down   bool
	time   bool         // the column holds times, not dates
	light  engine.Light // "" or the only one of its projects
	few    bool         // as in where
}

// orderOf returns the order of a sort.
func orderOf(sort engine.Sort) (order, bool) {
	// Rows without a value follow those with one, whatever the direction.
	dated := func(down bool) []stretch {
		return []stretch{{only: "p.deadline IS NOT NULL", column: "deadline", down: down}, {only: "p.deadline IS NULL", down: down}}
	}
	switch sort {
	case "", engine.ByNewest:
		return order{"", []stretch{{down: true}}}, true
	case engine.ByOldest:
		return order{"oldest", []stretch{{}}}, true
	case engine.ByDeadline:
		return order{"deadline", dated(false)}, true
	case engine.ByLatest:
		return order{"latest", dated(true)}, true
	case engine.ByUpdated:
		return order{"updated_at", []stretch{{column: "updated_at", down: true, time: true}}}, true
	case engine.ByStale:
		return order{"stale", []stretch{{column: "updated_at", time: true}}}, true
	case engine.ByLight:
		o := order{name: "light"}
		for _, l := range []engine.Light{engine.Red, engine.Orange, engine.Yellow, engine.Green} {
			o.stretches = append(o.stretches, stretch{only: openSQL, column: "deadline", light: l, few: l == engine.Orange}) // they all have a deadline
		}
		for _, s := range dated(false) {
			s.light = engine.NoLight
			o.stretches = append(o.stretches, s)
		}
		return o, true
	}
	return order{}, false
}

// cursor is the last row of a page: where the next one goes on; or the first, where the one before ends. It is
// opaque to callers, not secret.
type cursor struct {
	Order   string `json:"o"`           // so that a cursor of another order is refused
	Stretch int    `json:"s,omitempty"` // of the row, in its order
	At      string `json:"v,omitempty"` // value of the column
	ID      string `json:"i"`
	Back    bool   `json:"b,omitempty"` // read backwards from here
}

func (c cursor) String() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // three strings
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// badCursor is the answer to a cursor that is not one of ours.
func badCursor() error {
	return &engine.Error{Kind: engine.Invalid, Field: "after", Key: "page.bad_cursor"}
}

// parseCursor reads what String wrote, for the order named.
func parseCursor(s, order string) (cursor, error) {
	var c cursor
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || json.Unmarshal(b, &c) != nil || c.Order != order || !engine.IsID(c.ID) {
		return cursor{}, badCursor()
	}
	return c, nil
}

const cursorTime = time.RFC3339Nano

// arg returns the cursor's value as the column's type.
func (c cursor) arg(isTime bool) (any, error) {
	if isTime {
		t, err := time.Parse(cursorTime, c.At)
		if err != nil {
			return nil, badCursor()
		}
		return micro(t), nil
	}
	d, err := calendar.ParseDate(c.At)
	if err != nil {
		return nil, badCursor()
	}
	return d.String(), nil
}

func (s stretch) direction() (compare, sort string) {
	if s.down {
		return "<", " DESC"
	}
	return ">", ""
}

// without tells that the filter leaves nothing of the stretch, by the lights of both.
func (s stretch) without(f engine.Filter) bool {
	resting := func(id engine.StageID) bool { return id.Resting() }
	switch {
	case s.light == "":
		return false
	case len(f.Light) > 0 && !slices.Contains(f.Light, s.light):
		return true
	case s.light == engine.NoLight:
		return false
	}
	return len(f.Stage) > 0 && !slices.ContainsFunc(f.Stage, func(id engine.StageID) bool { return !resting(id) })
}

// clause returns ORDER BY for the stretch.
func (s stretch) clause() string {
	_, sort := s.direction()
	if s.column == "" {
		return " ORDER BY p.id" + sort
	}
	return " ORDER BY p." + s.column + sort + ", p.id" + sort
}

// value returns what a cursor at the project holds.
func (s stretch) value(p *engine.Project) string {
	switch s.column {
	case "deadline":
		return p.Deadline.String()
	case "updated_at":
		return p.UpdatedAt.Format(cursorTime)
	case "next_at":
		return p.NextAt.Format(cursorTime)
	}
	return ""
}

// Projects returns a page of the projects that the filter selects; see engine.Filter.
func (db *DB) Projects(ctx context.Context, f engine.Filter) (engine.Page[engine.Project], error) {
	o, known := orderOf(f.Sort)
	if !known {
		return engine.Page[engine.Project]{}, &engine.Error{Kind: engine.Invalid, Field: "sort", Key: "page.bad_sort",
			Args: map[string]any{"sort": string(f.Sort)}}
	}
	w, ok, err := db.filter(ctx, f)
	if err != nil || !ok {
		return engine.Page[engine.Project]{}, err
	}
	return db.page(ctx, w, o, f)
}

// leg is a stretch, or what lies before or after a cursor in it, ready to be read.
type leg struct {
	where  where
	number int // of the stretch
	stretch
}

// legs returns what has to be read, one after the other, for the rows after the filter's cursor; or, if that points
// backwards, for those before it, nearest first.
func (o order) legs(w where, f engine.Filter) (legs []leg, back bool, err error) {
	var c cursor
	if f.After != "" {
		if c, err = parseCursor(f.After, o.name); err != nil {
			return nil, false, err
		}
		if c.Stretch < 0 || c.Stretch >= len(o.stretches) {
			return nil, false, badCursor()
		}
	}
	for i, s := range o.stretches {
		if f.After != "" && (c.Back && i > c.Stretch || !c.Back && i < c.Stretch) || s.without(f) {
			continue
		}
		if c.Back {
			s.down = !s.down
		}
		few := w.few || s.few || f.Text != "" && s.only == openSQL
		l := leg{where{slices.Clone(w.conditions), slices.Clone(w.args), few}, i, s}
		if s.only != "" {
			l.where.and(s.only)
		}
		if s.light != "" {
			light, args := lightIs(s.light, f.Now)
			l.where.and(light, args...)
		}
		if f.After != "" && i == c.Stretch {
			compare, _ := s.direction()
			if s.column == "" {
				l.where.and("p.id "+compare+" ?", c.ID)
			} else {
				v, err := c.arg(s.time)
				if err != nil {
					return nil, false, err
				}
				l.where.and("(p."+s.column+", p.id) "+compare+" (?, ?)", v, c.ID)
			}
		}
		legs = append(legs, l)
	}
	if c.Back {
		slices.Reverse(legs)
	}
	return legs, c.Back, nil
}

// keys returns the query for the ids of the leg's first rows. What it reads lies in an index, so that rows which are
// passed over, or collected and sorted, are never fetched whole.
func (l leg) keys(limit int) (string, []any) {
	from := "projects p WHERE " + l.where.String()
	end := l.clause() + fmt.Sprintf(" LIMIT %d", limit)
	if !l.where.few {
		return "SELECT p.id FROM " + from + end, l.where.args
	}
	// Left to itself, a planner takes the rows for spread evenly over the order, which those of a list are not.
	columns := "p.id"
	if l.column != "" {
		columns += ", p." + l.column
	}
	return "WITH few AS MATERIALIZED (SELECT " + columns + " FROM " + from + ") SELECT p.id FROM few p" + end, l.where.args
}

// query returns the leg's query: its keys, then their rows.
func (l leg) query(limit int) (string, []any) {
	keys, args := l.keys(limit)
	return "WITH k AS (" + keys + ") SELECT " + projects.quoted("p.") + ", u.path AS unit_path FROM k JOIN projects p ON p.id = k.id JOIN units u ON u.id = p.unit_id" +
		l.clause(), args
}

// page reads the rows after or before the filter's cursor.
func (db *DB) page(ctx context.Context, w where, o order, f engine.Filter) (engine.Page[engine.Project], error) {
	var page engine.Page[engine.Project]
	legs, back, err := o.legs(w, f)
	if err != nil {
		return page, err
	}
	size := pageSize(f.Limit)
	var from []int // the stretch of each item
	for _, l := range legs {
		if len(page.Items) > size {
			break
		}
		query, args := l.query(size + 1 - len(page.Items))
		var rows []engine.Project
		if err := db.reader(ctx).Raw(query, args...).Scan(&rows).Error; err != nil {
			return page, fmt.Errorf("list of projects: %w", err)
		}
		for range rows {
			from = append(from, l.number)
		}
		page.Items = append(page.Items, rows...)
	}
	more := len(page.Items) > size // one more than asked for tells that there is another page
	if more {
		page.Items, from = page.Items[:size], from[:size]
	}
	if back {
		slices.Reverse(page.Items)
		slices.Reverse(from)
	}
	if len(page.Items) == 0 {
		return page, nil
	}
	at := func(i int, back bool) string {
		return cursor{o.name, from[i], o.stretches[from[i]].value(&page.Items[i]), string(page.Items[i].ID), back}.String()
	}
	if more && !back || back { // a page that was read backwards lies before its cursor
		page.Next = at(len(page.Items)-1, false)
	}
	if more && back || !back && f.After != "" {
		page.Prev = at(0, true)
	}
	return page, nil
}
