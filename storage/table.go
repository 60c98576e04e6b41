package storage

import (
	"context"
	"database/sql/driver"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm/schema"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
)

// Rows that the engine has no struct for, or one that differs from the table.
type (
	// entryRow is an entry with the columns that queries filter by. They are a projection of the bytes.
	entryRow struct {
		ID        string `gorm:"primaryKey"`
		Log       string
		At        time.Time
		Subject   string
		Seq       int64
		Prev      audit.Digest
		Hash      audit.Digest
		ActorID   string
		ActorRole string
		Action    string
		UnitID    string
		FromStage string
		ToStage   string
		Version   int64
		Bytes     []byte
	}
	// userRow adds the salt, which opens the commitment in the trail and is nobody's business outside.
	userRow struct {
		engine.User `gorm:"embedded"`
		Salt        []byte
	}
	keyRow struct {
		ActorID   engine.UserID `gorm:"primaryKey"`
		Key       string        `gorm:"primaryKey"`
		Request   audit.Digest
		ProjectID engine.ProjectID
		CreatedAt time.Time `gorm:"autoCreateTime:false"`
	}
	dayRow struct {
		Date   calendar.Date `gorm:"primaryKey"`
		Name   string
		Off    bool
		Notice string
	}
	subjectRow struct {
		Subject string `gorm:"primaryKey"`
		Seq     int64
		Head    audit.Digest
	}
	counterRow struct {
		Series string `gorm:"primaryKey"`
		Last   int64
	}
)

func (entryRow) TableName() string   { return "entries" }
func (userRow) TableName() string    { return "users" }
func (keyRow) TableName() string     { return "idempotency" }
func (dayRow) TableName() string     { return "calendar_days" }
func (subjectRow) TableName() string { return "subjects" }
func (counterRow) TableName() string { return "counters" }

// table is what statements need to know about a struct's rows.
type table struct {
	name    string
	columns []string // in the order of the struct's fields; without those that belong to another table
	fields  []*schema.Field
	emptyIs map[string]bool // columns in which "" is stored as NULL
}

var parsed sync.Map // of schema.Parse

// tableOf reads the struct's fields as gorm does.
func tableOf(row any, emptyIsNull ...string) table {
	s, err := schema.Parse(row, &parsed, schema.NamingStrategy{})
	if err != nil {
		panic(fmt.Sprintf("storage: %T: %v", row, err)) // the structs are ours, and a test loads them
	}
	t := table{name: s.Table, emptyIs: map[string]bool{}}
	for _, f := range s.Fields {
		if f.DBName != "" && (f.Creatable || f.Updatable) {
			t.columns = append(t.columns, f.DBName)
			t.fields = append(t.fields, f)
		}
	}
	for _, c := range emptyIsNull {
		t.emptyIs[c] = true
	}
	return t
}

// The tables. Statements are made from them when the program starts.
var (
	projects    = tableOf(&engine.Project{})
	evidence    = tableOf(&engine.Evidence{})
	reminders   = tableOf(&engine.Reminder{})
	units       = tableOf(&engine.Unit{}, "parent_id") // a foreign key, which "" is not
	users       = tableOf(&userRow{})
	tokens      = tableOf(&engine.Token{})
	delegations = tableOf(&engine.Delegation{})
	definitions = tableOf(&engine.Definition{})
	kinds       = tableOf(&engine.KindSwitch{})
	entries     = tableOf(&entryRow{})
	keys        = tableOf(&keyRow{})
	days        = tableOf(&dayRow{})
	lists       = tableOf(&engine.List{})
)

// values returns what is stored of row, a pointer to the table's struct, in the order of the columns: only the
// types that every driver takes, times in UTC and whole microseconds.
func (t table) values(row any) ([]any, error) {
	rv := reflect.ValueOf(row).Elem()
	out := make([]any, len(t.fields), len(t.fields)+2)
	for i, f := range t.fields {
		v, _ := f.ValueOf(context.Background(), rv)
		plain, err := plainValue(v)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t.name, f.DBName, err)
		}
		if plain == "" && t.emptyIs[f.DBName] {
			plain = nil
		}
		out[i] = plain
	}
	return out, nil
}

func plainValue(v any) (any, error) {
	if valuer, ok := v.(driver.Valuer); ok {
		if rv := reflect.ValueOf(v); rv.Kind() == reflect.Pointer && rv.IsNil() {
			return nil, nil
		}
		var err error
		if v, err = valuer.Value(); err != nil {
			return nil, err
		}
	}
	switch x := v.(type) {
	case nil:
		return nil, nil
	case string, int64, bool, []byte:
		return x, nil
	case time.Time:
		return micro(x), nil
	case *time.Time:
		if x == nil {
			return nil, nil
		}
		return micro(*x), nil
	}
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.String:
		return rv.String(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return rv.Int(), nil
	}
	return nil, fmt.Errorf("no way to store a %T", v)
}

// micro is the one place that truncates: PostgreSQL would round and SQLite keep nanoseconds.
func micro(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// quoted returns the columns with a prefix such as "p.", parted by commas.
func (t table) quoted(prefix string) string {
	out := make([]string, len(t.columns))
	for i, c := range t.columns {
		out[i] = prefix + `"` + c + `"`
	}
	return strings.Join(out, ", ")
}

// aliased returns the columns with a prefix such as "t.", each under its name with the prefix as.
func (t table) aliased(prefix, as string) string {
	out := make([]string, len(t.columns))
	for i, c := range t.columns {
		out[i] = prefix + `"` + c + `" AS "` + as + c + `"`
	}
	return strings.Join(out, ", ")
}

// marks returns a question mark for every column, parted by commas.
func (t table) marks() string {
	return strings.TrimSuffix(strings.Repeat("?, ", len(t.columns)), ", ")
}

// insert returns "INSERT INTO t (…) VALUES (?, …)".
func (t table) insert() string {
	return "INSERT INTO " + t.name + " (" + t.quoted("") + ") VALUES (" + t.marks() + ")"
}

// insertIf returns "INSERT INTO t (…) SELECT ?, … WHERE condition".
func (t table) insertIf(condition string) string {
	return "INSERT INTO " + t.name + " (" + t.quoted("") + ") SELECT " + t.marks() + " WHERE " + condition
}

// insertFrom returns "INSERT INTO t (…) SELECT ?, … FROM source".
func (t table) insertFrom(source string) string {
	return "INSERT INTO " + t.name + " (" + t.quoted("") + ") SELECT " + t.marks() + " FROM " + source
}

// update returns "UPDATE t SET … WHERE id = ? AND version = ?". Every column is named, the id too, so that the
// arguments are those of an insert and then the id and version expected.
func (t table) update() string {
	set := make([]string, len(t.columns))
	for i, c := range t.columns {
		set[i] = `"` + c + `" = ?`
	}
	return "UPDATE " + t.name + " SET " + strings.Join(set, ", ") + " WHERE id = ? AND version = ?"
}

// without returns the table without some columns, for those that an update must leave alone.
func (t table) without(columns ...string) table {
	u := table{name: t.name, emptyIs: t.emptyIs}
	for i, c := range t.columns {
		if !slices.Contains(columns, c) {
			u.columns = append(u.columns, c)
			u.fields = append(u.fields, t.fields[i])
		}
	}
	return u
}

// day is the row as the calendar has it.
func (r dayRow) day() calendar.Day {
	return calendar.Day{Date: r.Date, Name: r.Name, Off: r.Off, Notice: r.Notice}
}
