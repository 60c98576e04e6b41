package storage

import (
	"context"
	"fmt"
	"strings"

	"bihuan/engine"
	"bihuan/engine/audit"
)

// Orders of the trail, as cursors name them.
const (
	bySeq = "seq"
	byAt  = "at"
)

// Entries returns a page of the trail; see engine.EntryFilter. Entries of one subject come in the order of its
// chain, others by time. An entry whose bytes cannot be read, which only tampering can bring about, is returned as
// its columns describe it and with V 0.
func (db *DB) Entries(ctx context.Context, f engine.EntryFilter) (engine.Page[engine.EntryRow], error) {
	var page engine.Page[engine.EntryRow]
	size := pageSize(f.Limit)
	query, args, ok, err := db.entryQuery(ctx, f, size+1)
	if err != nil || !ok {
		return page, err
	}
	var rows []entryRow
	if err := db.reader(ctx).Raw(query, args...).Scan(&rows).Error; err != nil {
		return page, fmt.Errorf("trail: %w", err)
	}
	if len(rows) > size {
		rows = rows[:size]
		last := rows[size-1]
		c := cursor{Order: byAt, At: last.At.Format(cursorTime), ID: last.ID}
		if f.Subject != "" {
			c = cursor{Order: bySeq, At: fmt.Sprint(last.Seq), ID: last.ID}
		}
		page.Next = c.String()
	}
	page.Items = entriesOf(rows)
	return page, nil
}

func entriesOf(rows []entryRow) []engine.EntryRow {
	out := make([]engine.EntryRow, len(rows))
	for i := range rows {
		out[i] = rows[i].entry()
	}
	return out
}

func (r *entryRow) entry() engine.EntryRow {
	out := engine.EntryRow{Bytes: r.Bytes, Hash: r.Hash}
	e, err := audit.Parse(r.Bytes)
	if err != nil {
		e = audit.Entry{
			Log: r.Log, ID: r.ID, At: r.At, Actor: audit.Actor{ID: r.ActorID, Role: r.ActorRole}, Action: r.Action,
			Subject: r.Subject, Unit: r.UnitID, Seq: r.Seq, Prev: r.Prev, From: r.FromStage, To: r.ToStage, Version: r.Version,
		}
	}
	out.Entry = e
	return out
}

// entryQuery returns the query for a page; ok is false if nothing can match.
func (db *DB) entryQuery(ctx context.Context, f engine.EntryFilter, limit int) (query string, args []any, ok bool, err error) {
	var w where
	if f.Scope != nil {
		if err := db.entryScope(ctx, &w, f); err != nil {
			return "", nil, false, err
		}
	}
	if f.ID != "" {
		if !engine.IsID(f.ID) {
			return "", nil, false, nil
		}
		w.and("e.id = ?", f.ID)
	}
	if f.Subject != "" {
		w.and("e.subject = ?", f.Subject)
	}
	if f.Actor != "" {
		w.and("e.actor_id = ?", string(f.Actor))
	}
	if f.Unit != "" {
		path, err := db.unitPath(ctx, f.Unit)
		if err != nil || path == "" {
			return "", nil, false, err
		}
		s, err := db.resolve(ctx, path)
		if err != nil {
			return "", nil, false, err
		}
		if s.every() { // but not what belongs to no unit
			w.and("e.unit_id <> ''")
		} else {
			condition, args := db.within(s, "e.unit_id", "CAST(id AS text)")
			w.and(condition, args...)
		}
	}
	if len(f.Actions) > 0 {
		w.and("e.action IN ?", f.Actions)
	}
	if !f.From.IsZero() {
		w.and("e.at >= ?", micro(f.From))
	}
	if !f.To.IsZero() {
		w.and("e.at < ?", micro(f.To))
	}
	compare, sort := "<", " DESC"
	if f.OldestFirst {
		compare, sort = ">", ""
	}
	by, columns := byAt, "e.at"+sort+", e.id"+sort
	if f.Subject != "" {
		by, columns = bySeq, "e.seq"+sort
	}
	if f.After != "" {
		c, err := parseCursor(f.After, by)
		if err != nil {
			return "", nil, false, err
		}
		if by == bySeq {
			var seq int64
			if _, err := fmt.Sscanf(c.At, "%d", &seq); err != nil {
				return "", nil, false, badCursor()
			}
			w.and("e.seq "+compare+" ?", seq)
		} else {
			at, err := c.arg(true)
			if err != nil {
				return "", nil, false, err
			}
			w.and("(e.at, e.id) "+compare+" (?, ?)", at, c.ID)
		}
	}
	return "SELECT " + entries.quoted("e.") + " FROM entries e WHERE " + w.String() + " ORDER BY " + columns +
		fmt.Sprintf(" LIMIT %d", limit), w.args, true, nil
}

// entryScope bounds the trail to what a person may read: what happened at a unit that the person reads, and
// everything about the projects that the person sees. Whoever reads every unit reads what belongs to none too:
// workflows, the calendar, accounts.
func (db *DB) entryScope(ctx context.Context, w *where, f engine.EntryFilter) error {
	s, err := db.resolve(ctx, f.Scope.Paths...)
	if err != nil {
		return err
	}
	if s.every() {
		return nil
	}
	user := string(f.Scope.User)
	if id, ok := strings.CutPrefix(f.Subject, engine.SubjectProject+"/"); ok {
		// One project: the whole of its trail or nothing, as for the project itself.
		if !engine.IsID(id) {
			w.and("1 = 0")
			return nil
		}
		condition, args := db.seen(s, f.Scope.User)
		w.and("EXISTS (SELECT 1 FROM projects p WHERE p.id = ? AND ("+condition+"))", append([]any{id}, args...)...)
		return nil
	}
	var either []string
	var args []any
	if !s.none() {
		condition, more := db.within(s, "e.unit_id", "CAST(id AS text)")
		either, args = append(either, condition), append(args, more...)
	}
	if user != "" {
		either = append(either, "e.subject IN (SELECT 'project/' || CAST(id AS text) FROM ("+parts+") mine)")
		args = append(args, user, user, user)
	}
	if len(either) == 0 {
		either = []string{"1 = 0"}
	}
	w.and(strings.Join(either, " OR "), args...)
	return nil
}
