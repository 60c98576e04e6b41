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
	out := make(map[engine.ProjectID]json.RawMessage, len(ids))
	err := db.reports(ctx, ids, "JOIN entries e ON e.id = (SELECT x.id FROM entries x WHERE x.subject = given.value AND x.action = 'report' ORDER BY x.seq DESC LIMIT 1)",
		func(id engine.ProjectID, report json.RawMessage) { out[id] = report })
	return out, err
}

// Reports hands over the data of all progress reports; see engine.Reader.
func (db *DB) Reports(ctx context.Context, ids []engine.ProjectID, each func(engine.ProjectID, json.RawMessage)) error {
	// CROSS JOIN keeps SQLite from walking everybody's reports.
	return db.reports(ctx, ids, "CROSS JOIN entries e WHERE e.subject = given.value AND e.action = 'report' ORDER BY e.subject, e.seq", each)
}

// reports reads the entries e that join finds for the subjects given.
func (db *DB) reports(ctx context.Context, ids []engine.ProjectID, join string, each func(engine.ProjectID, json.RawMessage)) error {
	if len(ids) == 0 {
		return nil
	}
	subjects := make([]string, len(ids))
	for i, id := range ids {
		subjects[i] = engine.SubjectProject + "/" + string(id)
	}
	text, err := json.Marshal(subjects)
	if err != nil {
		return err
	}
	given := "json_each(?)"
	if db.Backend() == Postgres {
		given = "jsonb_array_elements_text(?::text::jsonb)"
	}
	var rows []struct{ Bytes []byte }
	if err = db.reader(ctx).Raw("SELECT e.bytes FROM "+given+" AS given "+join, string(text)).Scan(&rows).Error; err != nil {
		return fmt.Errorf("reports: %w", err)
	}
	for _, r := range rows {
		e, err := audit.Parse(r.Bytes)
		if err != nil {
			return fmt.Errorf("reports: %w", err)
		}
		each(engine.ProjectID(e.Subject[len(engine.SubjectProject)+1:]), e.Data)
	}
	return nil
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
