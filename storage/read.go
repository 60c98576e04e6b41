package storage

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
)

// reader returns a handle for one question.
func (db *DB) reader(ctx context.Context) *gorm.DB { return db.read.WithContext(ctx) }

// selectProject reads whole projects, with the path that the unit has now.
var selectProject = "SELECT " + projects.quoted("p.") + ", u.path AS unit_path FROM projects p JOIN units u ON u.id = p.unit_id"

// Project returns a project, or engine.ErrNotFound.
func (db *DB) Project(ctx context.Context, id engine.ProjectID) (engine.Project, error) {
	var p engine.Project
	if !engine.IsID(string(id)) {
		return p, engine.ErrNotFound
	}
	err := one(db.reader(ctx).Raw(projectByID, string(id)).Find(&p)) // Scan would spell out the statement, for a log that nobody reads
	return p, err
}

// one turns the result of a query for one row into an answer.
func one(result *gorm.DB) error {
	if result.Error == nil && result.RowsAffected == 0 {
		return engine.ErrNotFound
	}
	return result.Error
}

// Evidence returns a project's evidence in the order in which it was added.
func (db *DB) Evidence(ctx context.Context, id engine.ProjectID) ([]engine.Evidence, error) {
	return ofProject[engine.Evidence](db, ctx, &evidence, id)
}

// Reminders returns what a project's people have been owed, in the order in which it was recorded.
func (db *DB) Reminders(ctx context.Context, id engine.ProjectID) ([]engine.Reminder, error) {
	return ofProject[engine.Reminder](db, ctx, &reminders, id)
}

func ofProject[T any](db *DB, ctx context.Context, t *table, id engine.ProjectID) ([]T, error) {
	var out []T
	if !engine.IsID(string(id)) {
		return nil, nil
	}
	err := db.reader(ctx).Raw("SELECT "+t.quoted("")+" FROM "+t.name+" WHERE project_id = ? ORDER BY id", string(id)).Scan(&out).Error
	return out, err
}

// Kinds returns what was switched on or off.
func (db *DB) Kinds(ctx context.Context) ([]engine.KindSwitch, error) {
	var out []engine.KindSwitch
	err := db.reader(ctx).Raw("SELECT " + kinds.quoted("") + " FROM " + kinds.name + " ORDER BY id").Scan(&out).Error
	return out, err
}

// Definitions returns every published definition without its source, by id, the newest version first.
func (db *DB) Definitions(ctx context.Context) ([]engine.Definition, error) {
	var out []engine.Definition
	t := definitions.without("source")
	err := db.reader(ctx).Raw("SELECT " + t.quoted("") + " FROM definitions ORDER BY workflow_id, version DESC").Scan(&out).Error
	return out, err
}

// Source returns a published definition with its source.
func (db *DB) Source(ctx context.Context, digest string) (engine.Definition, error) {
	var d engine.Definition
	if !storable(digest) {
		return d, engine.ErrNotFound
	}
	err := one(db.reader(ctx).Raw("SELECT "+definitions.quoted("")+" FROM definitions WHERE digest = ?", digest).Scan(&d))
	return d, err
}

// Days returns the calendar days loaded on this site, in order.
func (db *DB) Days(ctx context.Context) ([]calendar.Day, error) {
	var rows []dayRow
	err := db.reader(ctx).Raw("SELECT " + days.quoted("") + " FROM calendar_days ORDER BY date").Scan(&rows).Error
	out := make([]calendar.Day, len(rows))
	for i, r := range rows {
		out[i] = r.day()
	}
	return out, err
}

// Head returns the end of a subject's chain, or zero values if it has none.
func (db *DB) Head(ctx context.Context, subject string) (int64, audit.Digest, error) {
	var row subjectRow
	var err error
	if id, ok := strings.CutPrefix(subject, engine.SubjectProject+"/"); ok {
		if !engine.IsID(id) {
			return 0, audit.Digest{}, nil
		}
		err = db.reader(ctx).Raw("SELECT version AS seq, head FROM projects WHERE id = ?", id).Scan(&row).Error
	} else if storable(subject) {
		err = db.reader(ctx).Raw("SELECT seq, head FROM subjects WHERE subject = ?", subject).Scan(&row).Error
	}
	if err != nil {
		return 0, audit.Digest{}, fmt.Errorf("head of %s: %w", subject, err)
	}
	return row.Seq, row.Head, nil
}

// Answered returns the stored key of an earlier request, or engine.ErrNotFound.
func (db *DB) Answered(ctx context.Context, actor engine.UserID, key string) (engine.IdempotencyKey, error) {
	var row keyRow
	if !storable(key) || !storable(string(actor)) {
		return engine.IdempotencyKey{}, engine.ErrNotFound
	}
	err := one(db.reader(ctx).Raw("SELECT "+keys.quoted("")+" FROM idempotency WHERE actor_id = ? AND key = ?", string(actor), key).Scan(&row))
	return engine.IdempotencyKey{Actor: row.ActorID, Key: row.Key, Request: row.Request, Project: row.ProjectID}, err
}

// Known returns which of the source keys already belong to a project.
func (db *DB) Known(ctx context.Context, sourceKeys []string) (map[string]engine.ProjectID, error) {
	const batch = 500 // the number of parameters is bounded
	known := map[string]engine.ProjectID{}
	for len(sourceKeys) > 0 {
		n := min(batch, len(sourceKeys))
		var rows []struct {
			ID        engine.ProjectID
			SourceKey string
		}
		err := db.reader(ctx).Raw("SELECT id, source_key FROM projects WHERE source_key <> '' AND source_key IN ?", sourceKeys[:n]).Scan(&rows).Error
		if err != nil {
			return nil, fmt.Errorf("known source keys: %w", err)
		}
		for _, r := range rows {
			known[r.SourceKey] = r.ID
		}
		sourceKeys = sourceKeys[n:]
	}
	return known, nil
}

// dueOrder is the order in which things fell due.
var dueOrder = order{"next_at", []stretch{{column: "next_at", time: true}}}

func dueAt(now time.Time) (w where) {
	w.and("p.next_at IS NOT NULL AND p.next_at <= ?", micro(now))
	return w
}

// Due returns projects for which the clock owes something at now; see engine.Store.
func (db *DB) Due(ctx context.Context, now time.Time, after string, limit int) (engine.Page[engine.Project], error) {
	return db.page(ctx, dueAt(now), dueOrder, engine.Filter{After: after, Limit: limit})
}
