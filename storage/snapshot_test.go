package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// parts keeps the parts of a copy in memory.
type parts map[string]*bytes.Buffer

func (p parts) put(name string) (io.Writer, error) {
	if p[name] != nil {
		return nil, fmt.Errorf("%s comes twice", name)
	}
	p[name] = new(bytes.Buffer)
	return p[name], nil
}

func (p parts) open(name string) (io.ReadCloser, error) {
	if p[name] == nil {
		return nil, fmt.Errorf("there is no %s", name)
	}
	return io.NopCloser(bytes.NewReader(p[name].Bytes())), nil
}

// dump copies a database.
func dump(t *testing.T, db *storage.DB) (storage.Snapshot, parts) {
	t.Helper()
	p := parts{}
	s, _, err := db.Dump(t.Context(), t.TempDir(), p.put)
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(p)); !slices.Equal(got, slices.Sorted(slices.Values(s.Parts()))) {
		t.Fatalf("the parts are %v, said to be %v", got, s.Parts())
	}
	return s, p
}

// contents returns every row of every table as text.
func contents(t *testing.T, db *storage.DB) map[string][]string {
	t.Helper()
	list := "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
	if db.Backend() == storage.Postgres {
		list = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
	}
	out := map[string][]string{}
	for _, name := range column(t, db, list) {
		if name == "goose_db_version" {
			continue
		}
		rows, err := db.SQL().QueryContext(t.Context(), `SELECT * FROM "`+name+`"`)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		out[name] = []string{}
		for rows.Next() {
			values, into := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			named := map[string]any{}
			for i, c := range columns {
				if c != "xid" { // the transaction that wrote it, which is another on another server
					named[c] = values[i]
				}
			}
			out[name] = append(out[name], fmt.Sprintf("%#v", named))
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		slices.Sort(out[name])
	}
	return out
}

func column(t *testing.T, db *storage.DB, query string) (out []string) {
	t.Helper()
	rows, err := db.SQL().QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		out = append(out, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// peopled is a world in which most tables have rows, also with what texts of COPY have to escape.
func peopled(t *testing.T, db *storage.DB) *world {
	w := newWorld(t, db)
	w.unit("js", "root")
	a := w.user("zhang", engine.Grant{Role: engine.Leader, UnitID: w.units["js"].ID})
	b := w.user("li")
	p := w.create("js", func(p *engine.Project) {
		p.Title, p.Need = "反斜杠 \\ \\N \\. 制表\t换行\n引号\"'，空的不是没有", "\\."
		p.Assistants = []engine.UserID{a.ID, b.ID}
	})
	w.update(p, func(p *engine.Project) { p.Title += " 2" })
	for i := range 30 {
		w.create("root", func(p *engine.Project) { p.Need = strings.Repeat("需求", i*50) })
	}
	w.exec("INSERT INTO counters (series, last) VALUES ('SS2026-', 31)")
	at := "'2026-09-24 01:02:03.456789+00:00'"
	hash, from := "x'"+strings.Repeat("00ff", 16)+"'", "x'00ff'"
	if db.Backend() == storage.Postgres {
		hash, from = "'\\x"+strings.Repeat("00ff", 16)+"'", "'\\x00ff'"
	}
	w.exec("INSERT INTO sessions (hash, device, user_id, user_version, created_at, seen_at, expires_at, via) VALUES (" +
		hash + ", " + hash + ", '" + string(a.ID) + "', 1, " + at + ", " + at + ", " + at + ", 'local')")
	w.exec("INSERT INTO sign_in_failures (id, account, device, address, at) VALUES ('" + newID() + "', " + hash + ", " + from + ", '::1', " + at + ")")
	return w
}

// What a copy is loaded into holds what was copied, row by row and column by column, but for the sessions.
func TestSnapshot(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := peopled(t, db)
		if n, err := db.NewSealer(nil).Seal(t.Context()); err != nil || n != 36 {
			t.Fatalf("sealed %d, %v", n, err)
		}
		w.create("js", nil)
		s, p := dump(t, db)
		if s.Entries != int64(len(column(t, db, "SELECT id FROM entries"))) || s.Subjects != 36 || s.Heads.IsZero() || s.Log == "" {
			t.Errorf("said of it: %+v", s)
		}
		dsn := storagetest.DSN(t, db.Backend())
		if err := storage.Load(t.Context(), dsn, s, p.open); err != nil {
			t.Fatal(err)
		}
		copied := storagetest.At(t, dsn)
		got, want := contents(t, copied), contents(t, db)
		if len(want["sessions"]) != 1 || len(got["sessions"]) != 0 || len(want["assistants"]) != 2 {
			t.Errorf("%d sessions of %d, %d assistants", len(got["sessions"]), len(want["sessions"]), len(want["assistants"]))
		}
		want["sessions"] = []string{}
		for name := range want {
			if !slices.Equal(got[name], want[name]) {
				t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got[name], "\n"), strings.Join(want[name], "\n"))
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d tables, want %d", len(got), len(want))
		}
		if r, err := copied.Verify(t.Context(), storage.VerifyOptions{}); err != nil || !r.Intact() || r.Checked.Entries != s.Entries {
			t.Errorf("verify: %+v, %v", r, err)
		}
		if wrong, err := copied.CheckGuards(t.Context()); err != nil || len(wrong) > 0 {
			t.Errorf("guards: %v, %v", wrong, err)
		}
		if again, _ := dump(t, copied); again.Heads != s.Heads || again.Log != s.Log {
			t.Errorf("copied again: %+v, want %+v", again, s)
		}
		// The log goes on where it ended, on another server, too.
		if n, err := copied.NewSealer(nil).Seal(t.Context()); err != nil || n != 1 {
			t.Errorf("sealed %d, %v", n, err)
		}
		// Triggers work on: a new project's assistants are found.
		w = &world{t: t, db: copied, log: s.Log, now: start.AddDate(1, 0, 0), units: map[string]engine.Unit{}, made: 1000}
		w.unit("new", "")
		w.create("new", func(p *engine.Project) { p.Assistants = []engine.UserID{"somebody"} })
		if n := w.count("assistants"); n != 3 {
			t.Errorf("%d assistants", n)
		}
	})
}

// A copy shows one moment, however much is written while it is made.
func TestSnapshotUnderWrites(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := peopled(t, db)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan int)
		go func() { // one writer, because the world has one clock
			n := 0
			defer func() { done <- n }()
			for ; ctx.Err() == nil; n++ {
				w.create("js", nil)
			}
		}()
		p := parts{}
		var s storage.Snapshot
		var err error
		for i := range 3 {
			p = parts{}
			if s, _, err = db.Dump(t.Context(), t.TempDir(), p.put); err != nil {
				t.Errorf("copy %d: %v", i, err)
				break
			}
		}
		stop()
		written := <-done
		if err != nil || written == 0 {
			t.Fatalf("%d written meanwhile", written)
		}
		dsn := storagetest.DSN(t, db.Backend())
		if err := storage.Load(t.Context(), dsn, s, p.open); err != nil {
			t.Fatal(err)
		}
		copied := storagetest.At(t, dsn)
		r, err := copied.Verify(t.Context(), storage.VerifyOptions{})
		if err != nil || !r.Intact() || r.Checked.Entries != s.Entries {
			t.Errorf("verify: %+v, %v", r, err)
		}
		all := contents(t, db)["entries"]
		for _, row := range contents(t, copied)["entries"] {
			if _, found := slices.BinarySearch(all, row); !found {
				t.Errorf("no entry like %s", row)
			}
		}
	})
}

// failing gives the first n bytes of a part and then fails as a disk does.
type failing struct{ io.Reader }

var errDisk = errors.New("the disk fails")

func (f failing) Read(b []byte) (int, error) {
	n, err := f.Reader.Read(b)
	if errors.Is(err, io.EOF) {
		err = errDisk
	}
	return n, err
}

// Whatever part it breaks off in, nothing has been restored, and the next attempt finds an empty place.
func TestLoadAllOrNothing(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		peopled(t, db)
		s, p := dump(t, db)
		dsn := storagetest.DSN(t, db.Backend())
		for _, broken := range s.Parts() {
			err := storage.Load(t.Context(), dsn, s, func(name string) (io.ReadCloser, error) {
				r, err := p.open(name)
				if name == broken {
					r = io.NopCloser(failing{io.LimitReader(r, int64(p[name].Len()/2))})
				}
				return r, err
			})
			if !errors.Is(err, errDisk) && (err == nil || !strings.Contains(err.Error(), errDisk.Error())) {
				t.Errorf("%s: %v", broken, err)
			}
			if err := storage.Vacant(t.Context(), dsn, s); err != nil {
				t.Errorf("%s left something: %v", broken, err)
			}
		}
		// Rows that do not add up to what was said.
		for what, change := range map[string]func(s *storage.Snapshot){
			"installation": func(s *storage.Snapshot) { s.Log = "somebody's/1" },
			"entries":      func(s *storage.Snapshot) { s.Entries-- },
			"heads":        func(s *storage.Snapshot) { s.Heads = audit.HashContent(nil) },
			"counters": func(s *storage.Snapshot) {
				i := slices.IndexFunc(s.Tables, func(t storage.SnapshotTable) bool { return t.Name == "counters" })
				s.Tables[i].Rows++
			},
			"tables": func(s *storage.Snapshot) { s.Tables = s.Tables[1:] },
		} {
			wrong := s
			wrong.Tables = slices.Clone(s.Tables)
			change(&wrong)
			if err := storage.Load(t.Context(), dsn, wrong, p.open); !errors.Is(err, storage.ErrNotWhole) {
				t.Errorf("%s: %v", what, err)
			}
			if err := storage.Vacant(t.Context(), dsn, s); err != nil {
				t.Errorf("%s left something: %v", what, err)
			}
		}
		if err := storage.Load(t.Context(), dsn, s, p.open); err != nil {
			t.Fatal(err)
		}
		if err := storage.Load(t.Context(), dsn, s, p.open); engine.KindOf(err) != engine.Conflict {
			t.Errorf("a second time: %v", err)
		}
		if names, err := filepath.Glob(filepath.Join(filepath.Dir(strings.TrimPrefix(dsn, "sqlite:")), ".bihuan-*")); err != nil || len(names) > 0 {
			t.Errorf("left behind: %v, %v", names, err)
		}
	})
}

// A copy of an older schema is brought up to date; one of a newer, or of another kind of database, is refused.
func TestLoadSchemas(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, current *storage.DB) {
		ctx := t.Context()
		_, latest, err := current.SchemaState(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for version := int64(1); version < latest; version++ {
			old := storagetest.At(t, storagetest.DSN(t, current.Backend()))
			if err := old.MigrateTo(ctx, version); err != nil {
				t.Fatal(err)
			}
			if version == 1 { // which had no sessions yet
				continue
			}
			s, p := dump(t, old)
			dsn := storagetest.DSN(t, current.Backend())
			if err := storage.Load(ctx, dsn, s, p.open); err != nil {
				t.Fatalf("version %d: %v", version, err)
			}
			if err := storagetest.At(t, dsn).Check(ctx); err != nil {
				t.Errorf("version %d: %v", version, err)
			}
		}
		s, p := dump(t, current)
		dsn := storagetest.DSN(t, current.Backend())
		for key, change := range map[string]func(s *storage.Snapshot){
			"storage.restore_schema": func(s *storage.Snapshot) { s.Schema = latest + 1 },
			"storage.restore_backend": func(s *storage.Snapshot) {
				s.Backend = map[string]string{storage.SQLite: storage.Postgres, storage.Postgres: storage.SQLite}[s.Backend]
			},
		} {
			wrong := s
			change(&wrong)
			for _, err := range []error{storage.Vacant(ctx, dsn, wrong), storage.Load(ctx, dsn, wrong, p.open)} {
				if e, ok := errors.AsType[*engine.Error](err); !ok || e.Key != key {
					t.Errorf("%v, want %s", err, key)
				}
			}
		}
	})
}
