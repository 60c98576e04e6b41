package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"bihuan/engine"
)

// Count sums up the projects that the filter selects, in one pass.
func (db *DB) Count(ctx context.Context, f engine.Filter) (engine.Counts, error) {
	counts := engine.Counts{ByStage: map[engine.StageID]int{}, ByLight: map[engine.Light]int{}, ByUnit: []engine.UnitCount{},
		StageLights: map[engine.StageID]map[engine.Light]int{}}
	w, ok, err := db.filter(ctx, f)
	if err != nil || !ok {
		return counts, err
	}
	light, args := lightSQL(f.Now)
	var groups []struct {
		UnitID                          engine.UnitID
		Stage                           engine.StageID
		Light                           engine.Light
		Total, Overdue, Waiting, OnTime int
	}
	err = db.reader(ctx).Raw(`SELECT p.unit_id, p.stage, `+light+` AS light, count(*) AS total, count(p.overdue_at) AS overdue,
		count(p.request) AS waiting, count(CASE WHEN p.stage = 'closed' AND NOT p.ever_overdue THEN 1 END) AS on_time
		FROM projects p WHERE `+w.String()+` GROUP BY 1, 2, 3`, append(args, w.args...)...).Scan(&groups).Error
	if err != nil {
		return counts, fmt.Errorf("counts: %w", err)
	}
	units := map[engine.UnitID]*engine.UnitCount{}
	for _, g := range groups {
		counts.Total += g.Total
		counts.ByStage[g.Stage] += g.Total
		counts.ByLight[g.Light] += g.Total
		counts.Overdue += g.Overdue
		counts.Waiting += g.Waiting
		counts.OnTime += g.OnTime
		if counts.StageLights[g.Stage] == nil {
			counts.StageLights[g.Stage] = map[engine.Light]int{}
		}
		counts.StageLights[g.Stage][g.Light] += g.Total
		u := units[g.UnitID]
		if u == nil {
			u = &engine.UnitCount{UnitID: g.UnitID}
			units[g.UnitID] = u
		}
		u.Total += g.Total
		u.Overdue += g.Overdue
		switch g.Stage {
		case engine.Closed:
			u.Closed += g.Total
			u.OnTime += g.OnTime
		case engine.Cancelled:
			u.Cancelled += g.Total
		default:
			u.Late += g.Overdue
		}
	}
	for _, u := range units {
		counts.ByUnit = append(counts.ByUnit, *u)
	}
	slices.SortFunc(counts.ByUnit, func(a, b engine.UnitCount) int { return strings.Compare(string(a.UnitID), string(b.UnitID)) })
	return counts, nil
}

// Spans fills in what of the projects that the filter selects fell into each of the spans; see engine.Span. Each
// number is read from an index over the days of all spans, so that it costs what lies in them.
func (db *DB) Spans(ctx context.Context, f engine.Filter, spans []engine.Span) error {
	if len(spans) == 0 {
		return nil
	}
	first, last := spans[0], spans[len(spans)-1]
	f.Kept = true
	due, closed := f, f
	due.DueFrom, due.DueTo = first.From, last.To
	closed.ClosedFrom, closed.ClosedTo = first.Start, last.End
	type sum struct{ Span, Total, OnTime int }
	read := func(f engine.Filter, column string, bound func(engine.Span) any, add func(*engine.Span, sum)) error {
		w, ok, err := db.filter(ctx, f)
		if err != nil || !ok {
			return err
		}
		// The number of the span is that of the bounds at or below the value.
		var number strings.Builder
		var args []any
		for i := range spans[1:] {
			fmt.Fprintf(&number, " WHEN %s < ? THEN %d", column, i)
			args = append(args, bound(spans[i+1]))
		}
		which := fmt.Sprint(len(spans) - 1)
		if number.Len() > 0 {
			which = "CASE" + number.String() + " ELSE " + which + " END"
		}
		var sums []sum
		err = db.reader(ctx).Raw("SELECT "+which+" AS span, count(*) AS total, count(CASE WHEN NOT p.ever_overdue THEN 1 END) AS on_time FROM projects p WHERE "+
			w.String()+" GROUP BY 1", append(args, w.args...)...).Scan(&sums).Error
		if err != nil {
			return fmt.Errorf("spans: %w", err)
		}
		for _, s := range sums {
			add(&spans[s.Span], s)
		}
		return nil
	}
	err := read(due, "p.deadline", func(s engine.Span) any { return s.From.String() }, func(to *engine.Span, s sum) { to.Due = s.Total })
	if err != nil {
		return err
	}
	return read(closed, "p.closed_at", func(s engine.Span) any { return micro(s.Start) },
		func(to *engine.Span, s sum) { to.Closed, to.OnTime = s.Total, s.OnTime })
}
