package storage

import (
	"context"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

var (
	sqliteTrigger   = regexp.MustCompile(`(?s)CREATE TRIGGER (\w+) .*?\nEND`)
	postgresTrigger = regexp.MustCompile(`ALTER TABLE (\w+) ENABLE ALWAYS TRIGGER (\w+);`)
	postgresBody    = regexp.MustCompile(`(?s)CREATE FUNCTION refuse_change\(\).*?\$\$(.*?)\$\$`)
)

// CheckGuards compares the triggers that keep the trail from being changed with those that the migrations made,
// and lists what is missing, switched off or altered. It is what a start and an hourly self-check ask for.
func (db *DB) CheckGuards(ctx context.Context) ([]string, error) {
	names, err := fs.Glob(db.files(), "*.sql")
	if err != nil {
		return nil, err
	}
	var source strings.Builder
	for _, name := range names {
		b, err := fs.ReadFile(db.files(), name)
		if err != nil {
			return nil, err
		}
		source.Write(b)
	}
	if db.Backend() == Postgres {
		return db.postgresGuards(ctx, source.String())
	}
	return db.sqliteGuards(ctx, source.String())
}

func (db *DB) sqliteGuards(ctx context.Context, source string) ([]string, error) {
	var have []struct{ Name, SQL string }
	err := db.reader(ctx).Raw("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").Scan(&have).Error
	if err != nil {
		return nil, fmt.Errorf("guards: %w", err)
	}
	found := map[string]string{}
	for _, t := range have {
		found[t.Name] = t.SQL
	}
	var wrong []string
	for _, m := range sqliteTrigger.FindAllStringSubmatch(source, -1) {
		switch text, ok := found[m[1]]; {
		case !ok:
			wrong = append(wrong, "trigger "+m[1]+" is missing")
		case text != m[0]:
			wrong = append(wrong, "trigger "+m[1]+" was altered")
		}
	}
	slices.Sort(wrong)
	return wrong, nil
}

// pgGuard is a trigger as PostgreSQL describes it.
type pgGuard struct {
	Name, State, Function, Body string
	Changes                     bool // before every UPDATE and DELETE of a row
	Wipes                       bool // before TRUNCATE
	Unconditional               bool // whatever the row and the columns
}

func (db *DB) postgresGuards(ctx context.Context, source string) ([]string, error) {
	var have []pgGuard
	// tgtype is a set of bits: 1 for each row, 8 DELETE, 16 UPDATE, 32 TRUNCATE; 2 means BEFORE.
	err := db.reader(ctx).Raw(`SELECT c.relname || '.' || t.tgname AS name, t.tgenabled::text AS state, p.proname AS function, p.prosrc AS body,
		(t.tgtype & 27) = 27 AS changes, (t.tgtype & 34) = 34 AS wipes, t.tgqual IS NULL AND t.tgattr::text = '' AS unconditional
		FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
		WHERE NOT t.tgisinternal AND c.relnamespace = ANY (SELECT oid FROM pg_namespace WHERE nspname = ANY (current_schemas(false)))`).Scan(&have).Error
	if err != nil {
		return nil, fmt.Errorf("guards: %w", err)
	}
	body := postgresBody.FindStringSubmatch(source)[1]
	var wrong []string
	for _, m := range postgresTrigger.FindAllStringSubmatch(source, -1) {
		name := m[1] + "." + m[2]
		i := slices.IndexFunc(have, func(t pgGuard) bool { return t.Name == name })
		if i < 0 {
			wrong = append(wrong, "trigger "+name+" is missing")
			continue
		}
		t := have[i]
		events := t.Changes
		if strings.HasSuffix(name, "_truncate") {
			events = t.Wipes
		}
		switch {
		case t.State != "A":
			wrong = append(wrong, "trigger "+name+" is not always enabled")
		case t.Function != "refuse_change" || t.Body != body || !events || !t.Unconditional:
			wrong = append(wrong, "trigger "+name+" was altered")
		}
	}
	slices.Sort(wrong)
	return wrong, nil
}
