package storage_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/engine/message"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

func TestOpenRefuses(t *testing.T) {
	text := filepath.Join(t.TempDir(), "letter.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("这不是数据库。", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		dsn  string
		want string
	}{
		{"", "storage.bad_dsn"},
		{"mysql://root@localhost/x", "storage.bad_dsn"},
		{"postgres://user:hunter2@localhost:notaport/x", "storage.bad_dsn"},
		{"sqlite:", "storage.sqlite_path"},
		{"sqlite::memory:", "storage.sqlite_path"},
		{"sqlite:file:x.db?mode=memory", "storage.sqlite_path"},
		{"sqlite:" + filepath.Join(t.TempDir(), "nowhere", "x.db"), "storage.sqlite_cannot_open"},
		{"sqlite:" + t.TempDir(), "storage.sqlite_cannot_open"},
		{"sqlite:" + text, "storage.sqlite_no_database"},
	} {
		t.Run(test.dsn, func(t *testing.T) {
			db, err := storage.Open(t.Context(), test.dsn)
			if err == nil {
				t.Fatalf("opened %v", db.Close())
			}
			if e, ok := errors.AsType[*engine.Error](err); !ok || e.Key != test.want || !message.Has(e.Key) {
				t.Errorf("error %v, want the key %s of the catalogue", err, test.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

// Root may write everywhere, so this is somebody else's to try.
func TestOpenReadOnly(t *testing.T) { storagetest.Unprivileged(t, openReadOnly) }

func openReadOnly(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "x.db")
	db, err := storage.Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	// A copy of the file alone, without the journal beside it, in a folder that nobody can write to.
	if err := errors.Join(db.Migrate(t.Context()), db.Close(), os.RemoveAll(path+"-wal"), os.RemoveAll(path+"-shm"),
		os.Chmod(path, 0o400), os.Chmod(dir, 0o500)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) }) // so that it can be removed
	if db, err = storage.Open(t.Context(), "sqlite:"+path); err == nil {
		t.Fatalf("opened %v", db.Close())
	}
	if e, ok := errors.AsType[*engine.Error](err); !ok || e.Key != "storage.sqlite_read_only" || !message.Has(e.Key) {
		t.Errorf("error %v", err)
	}
}

func TestOpenSQLitePaths(t *testing.T) {
	for _, name := range []string{"plain.db", "with space.db", "问题?#%41&x=1.db", "a:b.db"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			db := storagetest.At(t, "sqlite:"+path)
			if err := db.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("the file is not where it was asked for: %v", err)
			}
			if _, err := db.Units(t.Context()); err != nil { // by a reader
				t.Error(err)
			}
		})
	}
	t.Run("relative", func(t *testing.T) {
		t.Chdir(t.TempDir())
		db := storagetest.At(t, "sqlite:here.db")
		if err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat("here.db"); err != nil {
			t.Error(err)
		}
	})
	t.Run("no such folder", func(t *testing.T) {
		if db, err := storage.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "no", "x.db")); err == nil {
			t.Errorf("opened: %v", db.Close())
		}
	})
}

// What the pragmas say is what the connection that writes really has.
func TestSQLiteSettings(t *testing.T) {
	db := storagetest.Open(t, storage.SQLite)
	for _, test := range []struct{ pragma, want string }{
		{"journal_mode", "wal"}, {"synchronous", "2"}, {"foreign_keys", "1"}, {"recursive_triggers", "1"}, {"busy_timeout", "10000"},
	} {
		var got string
		if err := db.SQL().QueryRowContext(t.Context(), "PRAGMA "+test.pragma).Scan(&got); err != nil || got != test.want {
			t.Errorf("%s is %q (%v), want %q", test.pragma, got, err, test.want)
		}
	}
	var version string
	if err := db.SQL().QueryRowContext(t.Context(), "SELECT sqlite_version()").Scan(&version); err != nil {
		t.Fatal(err)
	}
	if storage.OlderVersion(version, "3.51.3") {
		t.Errorf("SQLite %s loses commits that race a checkpoint", version)
	}
}

func TestOlderVersion(t *testing.T) {
	for _, test := range []struct {
		version string
		want    bool
	}{
		{"3.51.3", false}, {"3.51.10", false}, {"3.54.1", false}, {"4.0.0", false}, {"3.51.2", true}, {"3.9.9", true}, {"3.51", true}, {"", true}, {"x.y.z", true},
	} {
		if got := storage.OlderVersion(test.version, "3.51.3"); got != test.want {
			t.Errorf("%q is older: %v, want %v", test.version, got, test.want)
		}
	}
}

func TestPostgresSettings(t *testing.T) {
	dsn := storagetest.DSN(t, storage.Postgres)
	for _, test := range []struct {
		name, dsn, timeout string
	}{
		{"ours", dsn, "30s"},
		{"the DSN's", with(dsn, "statement_timeout=1234"), "1234ms"},
	} {
		t.Run(test.name, func(t *testing.T) {
			db := storagetest.At(t, test.dsn)
			for _, setting := range []struct{ name, want string }{
				{"statement_timeout", test.timeout}, {"lock_timeout", "10s"}, {"idle_in_transaction_session_timeout", "1min"}, {"timezone", "UTC"},
			} {
				var got string
				if err := db.SQL().QueryRowContext(t.Context(), "SHOW "+setting.name).Scan(&got); err != nil || got != setting.want {
					t.Errorf("%s is %q (%v), want %q", setting.name, got, err, setting.want)
				}
			}
		})
	}
}

// with adds a parameter to a DSN.
func with(dsn, parameter string) string {
	if strings.Contains(dsn, "?") {
		return dsn + "&" + parameter
	}
	return dsn + "?" + parameter
}

func TestMigrate(t *testing.T) {
	for _, backend := range storagetest.Backends {
		t.Run(backend, func(t *testing.T) {
			dsn := storagetest.DSN(t, backend)
			db := storagetest.At(t, dsn)
			ctx := t.Context()
			current, latest, err := db.SchemaState(ctx)
			if err != nil || current != 0 || latest < 1 {
				t.Fatalf("an empty database has version %d of %d (%v)", current, latest, err)
			}
			if err := db.Check(ctx); !errors.Is(err, storage.ErrSchemaOlder) || engine.KindOf(err) != engine.Unavailable {
				t.Errorf("check of an empty database: %v, want ErrSchemaOlder", err)
			}
			for _, round := range []string{"from nothing", "again"} {
				if err := db.Migrate(ctx); err != nil {
					t.Fatalf("migrate %s: %v", round, err)
				}
				if err := db.Check(ctx); err != nil {
					t.Errorf("check after migrating %s: %v", round, err)
				}
			}
			first, err := db.Log(ctx)
			if err != nil || !strings.HasSuffix(first, "/1") {
				t.Errorf("log %q (%v), want an id and the first epoch", first, err)
			}
			other := storagetest.At(t, dsn)
			if err := other.Migrate(ctx); err != nil {
				t.Fatal(err)
			}
			if second, err := other.Log(ctx); err != nil || second != first {
				t.Errorf("log %q (%v) after migrating once more, want %q", second, err, first)
			}
			if _, err := db.SQL().ExecContext(ctx, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)"); err != nil {
				t.Fatal(err)
			}
			if err := db.Check(ctx); !errors.Is(err, storage.ErrSchemaNewer) || !strings.Contains(err.Error(), "9999") {
				t.Errorf("check of a newer schema: %v, want ErrSchemaNewer", err)
			}
			if err := db.Migrate(ctx); !errors.Is(err, storage.ErrSchemaNewer) {
				t.Errorf("migrate of a newer schema: %v, want ErrSchemaNewer", err)
			}
		})
	}
}

func TestMigrateAtOnce(t *testing.T) {
	dsn := storagetest.DSN(t, storage.Postgres)
	out := make(chan error)
	const replicas = 3
	for range replicas {
		db := storagetest.At(t, dsn)
		go func() { out <- db.Migrate(t.Context()) }()
	}
	for range replicas {
		if err := <-out; err != nil {
			t.Error(err)
		}
	}
}

func TestKeysOfTheSchemaAreInTheCatalogue(t *testing.T) {
	for _, key := range []string{"storage.bad_dsn", "storage.sqlite_path", "storage.sqlite_old", "storage.schema_older", "storage.schema_newer", "page.bad_cursor", "page.bad_sort"} {
		if !message.Has(key) {
			t.Errorf("%s is not in the catalogue", key)
		}
	}
}

// Tables and structs say the same: every column of a struct exists in its table and the other way round, and a
// column may be NULL only where the struct can tell NULL from a value, or "" stands for it.
func TestSchemaEqualsStructs(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		for name, want := range storage.Columns(db.Backend()) {
			got := columns(t, db, name)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: the table has (column: may be NULL)\n%v, the struct\n%v", name, got, want)
			}
		}
	})
}

func columns(t *testing.T, db *storage.DB, table string) map[string]bool {
	t.Helper()
	query := "SELECT name, \"notnull\" = 0 FROM pragma_table_info('" + table + "')"
	if db.Backend() == storage.Postgres {
		query = "SELECT column_name, is_nullable = 'YES' FROM information_schema.columns WHERE table_name = '" + table + "' AND table_schema = 'public'"
	}
	rows, err := db.SQL().QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]bool{}
	for rows.Next() {
		var name string
		var null bool
		if err := rows.Scan(&name, &null); err != nil {
			t.Fatal(err)
		}
		out[name] = null
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPingAndClock(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		if err := db.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		for _, off := range []time.Duration{0, time.Hour} {
			skew, err := db.ClockSkew(t.Context(), time.Now().Add(-off))
			if err != nil {
				t.Fatal(err)
			}
			if db.Backend() == storage.SQLite {
				off = 0 // there is but one clock
			}
			if skew < off-time.Minute || skew > off+time.Minute {
				t.Errorf("skew %v, want about %v", skew, off)
			}
		}
		done, cancel := context.WithCancel(t.Context())
		cancel()
		if err := db.Ping(done); err == nil {
			t.Error("ping without time to answer succeeded")
		}
	})
}
