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
	counts := engine.Counts{ByStage: map[engine.StageID]int{}, ByLight: map[engine.Light]int{}, ByUnit: []engine.UnitCount{}}
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
		u := units[g.UnitID]
		if u == nil {
			u = &engine.UnitCount{UnitID: g.UnitID}
			units[g.UnitID] = u
		}
		u.Total += g.Total
		u.Overdue += g.Overdue
		if g.Stage == engine.Closed {
			u.Closed += g.Total
		}
	}
	for _, u := range units {
		counts.ByUnit = append(counts.ByUnit, *u)
	}
	slices.SortFunc(counts.ByUnit, func(a, b engine.UnitCount) int { return strings.Compare(string(a.UnitID), string(b.UnitID)) })
	return counts, nil
}
