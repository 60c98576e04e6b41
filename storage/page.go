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

// order is the order of a list: a column, then the id.
type order struct {
	column string // "" orders by id alone
	down   bool
	time   bool // the column holds times, not dates
	// nulls says that rows without a value follow those with one. They are read in a second step, because no
	// index gives both in one range.
	nulls bool
}

var orders = map[engine.Sort]order{
	"":                {down: true},
	engine.ByNewest:   {down: true},
	engine.ByDeadline: {column: "deadline", nulls: true},
	engine.ByUpdated:  {column: "updated_at", down: true, time: true},
}

// cursor is the last row of a page: where the next one goes on. It is opaque to callers, not secret.
type cursor struct {
	Order string `json:"o"`           // so that a cursor of another order is refused
	At    string `json:"v,omitempty"` // value of the column
	ID    string `json:"i"`
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
	if err != nil || json.Unmarshal(b, &c) != nil || c.Order != order || !canonicalID(c.ID) {
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

func (o order) direction() (compare, sort string) {
	if o.down {
		return "<", " DESC"
	}
	return ">", ""
}

// clause returns ORDER BY for the order.
func (o order) clause() string {
	_, sort := o.direction()
	if o.column == "" {
		return " ORDER BY p.id" + sort
	}
	return " ORDER BY p." + o.column + sort + ", p.id" + sort
}

// value returns what a cursor after the project holds, "" when its column has no value.
func (o order) value(p *engine.Project) string {
	switch o.column {
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
	o, known := orders[f.Sort]
	if !known {
		return engine.Page[engine.Project]{}, &engine.Error{Kind: engine.Invalid, Field: "sort", Key: "page.bad_sort",
			Args: map[string]any{"sort": string(f.Sort)}}
	}
	w, ok, err := db.filter(ctx, f)
	if err != nil || !ok {
		return engine.Page[engine.Project]{}, err
	}
	return db.page(ctx, w, o, f.After, f.Limit)
}

// leg is a stretch of a list that one index gives in order.
type leg struct {
	where where
	order order
}

// legs returns what has to be read, one after the other, for the rows after the cursor.
func (o order) legs(w where, after string) ([]leg, error) {
	compare, _ := o.direction()
	byID := order{down: o.down}
	from := func(condition string, args ...any) where {
		out := where{slices.Clone(w.conditions), slices.Clone(w.args)}
		if condition != "" {
			out.and(condition, args...)
		}
		return out
	}
	missing := "p." + o.column + " IS NULL"
	if after == "" {
		if !o.nulls {
			return []leg{{w, o}}, nil
		}
		return []leg{{from("p." + o.column + " IS NOT NULL"), o}, {from(missing), byID}}, nil
	}
	c, err := parseCursor(after, o.column)
	if err != nil {
		return nil, err
	}
	if o.column == "" {
		return []leg{{from("p.id "+compare+" ?", c.ID), o}}, nil
	}
	if o.nulls && c.At == "" {
		return []leg{{from(missing+" AND p.id "+compare+" ?", c.ID), byID}}, nil
	}
	v, err := c.arg(o.time)
	if err != nil {
		return nil, err
	}
	out := []leg{{from("(p."+o.column+", p.id) "+compare+" (?, ?)", v, c.ID), o}}
	if o.nulls {
		out = append(out, leg{from(missing), byID})
	}
	return out, nil
}

// query returns the leg's query. The path is looked up row by row, because a join could make the planner leave
// the order of the index.
func (l leg) query(limit int) (string, []any) {
	return "SELECT " + projects.quoted("p.") + ", (SELECT u.path FROM units u WHERE u.id = p.unit_id) AS unit_path FROM projects p WHERE " +
		l.where.String() + l.order.clause() + fmt.Sprintf(" LIMIT %d", limit), l.where.args
}

// page reads the rows after the cursor.
func (db *DB) page(ctx context.Context, w where, o order, after string, limit int) (engine.Page[engine.Project], error) {
	var page engine.Page[engine.Project]
	legs, err := o.legs(w, after)
	if err != nil {
		return page, err
	}
	size := pageSize(limit)
	for _, l := range legs {
		if len(page.Items) > size {
			break
		}
		query, args := l.query(size + 1 - len(page.Items))
		var rows []engine.Project
		if err := db.reader(ctx).Raw(query, args...).Scan(&rows).Error; err != nil {
			return page, fmt.Errorf("list of projects: %w", err)
		}
		page.Items = append(page.Items, rows...)
	}
	if len(page.Items) > size { // one more than asked for tells that there is a next page
		page.Items = page.Items[:size]
		last := &page.Items[size-1]
		page.Next = cursor{Order: o.column, At: o.value(last), ID: string(last.ID)}.String()
	}
	return page, nil
}
