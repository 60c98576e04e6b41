package storage

import (
	"context"
	"reflect"
	"time"

	"gorm.io/gorm/schema"

	"bihuan/engine"
)

// OlderVersion lets tests compare versions.
var OlderVersion = olderVersion

// Standings returns the kinds of subjects that have a row of their own, but for projects.
func Standings() []string {
	var out []string
	for _, s := range standings {
		out = append(out, s.kind)
	}
	return out
}

// Columns returns, by table, the columns of the structs and whether they may be NULL.
func Columns(backend string) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for _, t := range []table{projects, evidence, reminders, units, users, tokens, delegations, definitions, kinds, entries, keys, days,
		savedViews, channels, settings, wordings, notices, deliveries, deliveryItems, archived, archivedItems, tableOf(&cursorRow{}),
		lists, needs, tallies, tallyYears, sourceMappings, sheetVersions, votes, remarks, tableOf(&subjectRow{}), tableOf(&counterRow{}), tableOf(&leafRow{}), logNodes, checkpoints} {
		out[t.name] = map[string]bool{}
		for i, c := range t.columns {
			out[t.name][c] = t.emptyIs[c] || nullable(t.fields[i])
		}
	}
	// What a chain always has is required though a digest can be none.
	for _, c := range [][2]string{{"projects", "head"}, {"entries", "hash"}, {"evidence", "sha256"}, {"idempotency", "request"}, {"subjects", "head"}, {"calendar_days", "date"},
		{"votes", "device"}, {"remarks", "device"}, {"remarks", "salt"}, {"log_leaves", "hash"}, {"log_nodes", "hash"}, {"lists", "period_from"}, {"lists", "period_to"}, {"sheet_versions", "in_force"}, {"tallies", "categories"}, {"tallies", "enter"}} {
		out[c[0]][c[1]] = false
	}
	if backend == Postgres {
		out["entries"]["xid"] = false // the database's own, see Sealer
	}
	return out
}

// nullable tells whether the zero value of a field is stored as NULL.
func nullable(f *schema.Field) bool {
	zero := reflect.New(f.Schema.ModelType).Elem()
	v, _ := f.ValueOf(context.Background(), zero)
	plain, err := plainValue(v)
	return err == nil && plain == nil
}

// LightAt reads a project's light as SQL sees it.
func (db *DB) LightAt(ctx context.Context, id engine.ProjectID, now time.Time) (light engine.Light, err error) {
	text, args := lightSQL(now)
	err = db.reader(ctx).Raw("SELECT "+text+" FROM projects p WHERE p.id = ?", append(args, string(id))...).Scan(&light).Error
	return light, err
}

// ListPlan returns how the first part of a page of projects is read.
func (db *DB) ListPlan(ctx context.Context, f engine.Filter) (string, error) {
	w, _, err := db.filter(ctx, f)
	if err != nil {
		return "", err
	}
	o, _ := orderOf(f.Sort)
	return db.pagePlan(ctx, w, o, f)
}

// DuePlan is ListPlan for Due.
func (db *DB) DuePlan(ctx context.Context, now time.Time, after string) (string, error) {
	return db.pagePlan(ctx, dueAt(now), dueOrder, engine.Filter{After: after})
}

func (db *DB) pagePlan(ctx context.Context, w where, o order, f engine.Filter) (string, error) {
	legs, _, err := o.legs(w, f)
	if err != nil {
		return "", err
	}
	query, args := legs[0].keys(51)
	return db.explain(ctx, query, args)
}

// TrailPlan is ListPlan for Entries.
func (db *DB) TrailPlan(ctx context.Context, f engine.EntryFilter) (string, error) {
	query, args, _, err := db.entryQuery(ctx, f, 51)
	if err != nil {
		return "", err
	}
	return db.explain(ctx, query, args)
}

func (db *DB) explain(ctx context.Context, query string, args []any) (plan string, err error) {
	word := "EXPLAIN "
	if db.Backend() == SQLite {
		word = "EXPLAIN QUERY PLAN "
	}
	rows, err := db.write.WithContext(ctx).Raw(word+query, args...).Rows()
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if db.Backend() == SQLite {
			var a, b, c int
			err = rows.Scan(&a, &b, &c, &line)
		} else {
			err = rows.Scan(&line)
		}
		if err != nil {
			return "", err
		}
		plan += line + "\n"
	}
	return plan, rows.Err()
}

// MigrateTo brings the schema up to an older version.
func (db *DB) MigrateTo(ctx context.Context, version int64) error { return db.migrate(ctx, version) }

// Personal lists the tables from which something goes away when somebody is erased.
func Personal() (names []string) {
	for _, p := range personal {
		names = append(names, p.table)
	}
	return names
}
