package storage

import (
	"context"
	"encoding/json"
	"fmt"

	"bihuan/engine"
	"bihuan/engine/audit"
)

// LastReports reads the data of the newest progress reports.
func (db *DB) LastReports(ctx context.Context, ids []engine.ProjectID) (map[engine.ProjectID]json.RawMessage, error) {
	subjects := make([]string, len(ids))
	for i, id := range ids {
		subjects[i] = engine.SubjectProject + "/" + string(id)
	}
	text, err := json.Marshal(subjects)
	if err != nil {
		return nil, err
	}
	given := "json_each(?)"
	if db.Backend() == Postgres {
		given = "jsonb_array_elements_text(?::text::jsonb)"
	}
	var rows []struct{ Bytes []byte }
	err = db.reader(ctx).Raw("SELECT e.bytes FROM "+given+" AS given JOIN entries e ON e.id = (SELECT x.id FROM entries x WHERE x.subject = given.value AND x.action = 'report'"+
		" ORDER BY x.seq DESC LIMIT 1)", string(text)).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("last reports: %w", err)
	}
	out := make(map[engine.ProjectID]json.RawMessage, len(rows))
	for _, r := range rows {
		e, err := audit.Parse(r.Bytes)
		if err != nil {
			return nil, fmt.Errorf("last reports: %w", err)
		}
		out[engine.ProjectID(e.Subject[len(engine.SubjectProject)+1:])] = e.Data
	}
	return out, nil
}

// Headings lists what Extra of the projects is about.
func (db *DB) Headings(ctx context.Context, f engine.Filter) ([]string, error) {
	w, ok, err := db.filter(ctx, f)
	if err != nil || !ok {
		return nil, err
	}
	w.and("p.extra IS NOT NULL")
	each := "json_each(p.extra) AS j"
	if db.Backend() == Postgres {
		each = "jsonb_object_keys(p.extra::jsonb) AS j(key)"
	}
	var out []string
	err = db.reader(ctx).Raw("SELECT DISTINCT j.key FROM projects p, "+each+" WHERE "+w.String()+" ORDER BY 1 LIMIT ?", append(w.args, engine.MaxPage)...).Scan(&out).Error
	if err != nil {
		return nil, fmt.Errorf("headings: %w", err)
	}
	return out, nil
}
