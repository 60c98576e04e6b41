package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bihuan/storage"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

// databases runs a test on an equipped database of each kind.
func databases(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, fresh(t)) })
	t.Run("postgres", func(t *testing.T) {
		dsn := storagetest.Postgres(t)
		equip(t, dsn)
		test(t, dsn)
	})
}

// tamper does by hand what the product never does: with the guards dropped, through a connection of its own.
func tamper(t *testing.T, dsn string, statements ...string) {
	t.Helper()
	db, err := storage.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	drop := []string{"ALTER TABLE entries DISABLE TRIGGER ALL"}
	if db.Backend() == storage.SQLite {
		drop = nil
		rows, err := db.SQL().QueryContext(t.Context(), "SELECT name FROM sqlite_master WHERE type = 'trigger'")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				t.Fatal(err)
			}
			drop = append(drop, "DROP TRIGGER "+name)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range append(drop, statements...) {
		result, err := db.SQL().ExecContext(t.Context(), s)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		if n, err := result.RowsAffected(); strings.HasPrefix(s, "UPDATE") && (err != nil || n != 1) {
			t.Fatalf("%s: %d rows, %v", s, n, err)
		}
	}
}

func TestVerify(t *testing.T) {
	databases(t, func(t *testing.T, dsn string) {
		must(t, "import", "--db", dsn, "--kind", "shishi", "--unit", "dw", published+"linan_2022_minsheng_plan.csv")
		must(t, "user", "add", "zhang", "张三", "--db", dsn)
		a := call(t, nil, "audit", "verify", "--db", dsn)
		if a.code != verifyIntact || a.err != "" {
			t.Fatalf("exit %d\n%s%s", a.code, a.out, a.err)
		}
		contains(t, a.out, "结论：完好", "项目 3")
		var v verdict
		a = call(t, nil, "audit", "verify", "--db", dsn, "--json", "--lang", "en")
		if err := json.Unmarshal([]byte(a.out), &v); err != nil || a.code != verifyIntact || v.Verdict != "intact" || v.Checked.Projects != 3 || v.Findings == nil {
			t.Errorf("exit %d, %v\n%s", a.code, err, a.out)
		}

		// One character of one entry: the entry is named.
		id := firstEntry(t, dsn, "add_user")
		db := "UPDATE entries SET action = 'add_unit' WHERE id = '" + id + "'"
		tamper(t, dsn, db)
		a = call(t, nil, "audit", "verify", "--db", dsn)
		if a.code != verifyTampered {
			t.Errorf("tampered: exit %d\n%s", a.code, a.out)
		}
		contains(t, a.out, "被改动", id, "add_unit", "结论：被改动，发现 1 处")

		// And a project's own row.
		tamper(t, dsn, "UPDATE projects SET title = '别的事' WHERE number = 'SS"+thisYear(t, dsn)+"-0002'")
		v = verdict{}
		a = call(t, nil, "audit", "verify", "--db", dsn, "--json")
		if err := json.Unmarshal([]byte(a.out), &v); err != nil || a.code != verifyTampered || v.Verdict != "tampered" || len(v.Findings) != 2 {
			t.Errorf("exit %d, %v\n%s", a.code, err, a.out)
		}
		contains(t, a.out, "别的事", id)

		// A database that cannot be read is no verdict.
		tamper(t, dsn, "ALTER TABLE evidence RENAME TO elsewhere")
		a = call(t, nil, "audit", "verify", "--db", dsn)
		contains(t, a.err, "无法核验")
	})
}

// TestVerifyUndecided: no verdict without a database that can be read to its end.
func TestVerifyUndecided(t *testing.T) {
	garbage := file(t, "garbage.db", strings.Repeat("this is no database. ", 1000))
	empty := file(t, "empty.db", "")
	renamed := fresh(t)
	tamper(t, renamed, "ALTER TABLE evidence RENAME TO elsewhere")
	for name, dsn := range map[string]string{
		"not a database": "sqlite:" + garbage, "no schema": "sqlite:" + empty, "a table is missing": renamed,
		"no file": "sqlite:" + filepath.Join(t.TempDir(), "none.db"), "nobody listens": "postgres://nobody@127.0.0.1:1/none",
	} {
		t.Run(name, func(t *testing.T) {
			var v verdict
			a := call(t, nil, "audit", "verify", "--db", dsn, "--json")
			if err := json.Unmarshal([]byte(a.out), &v); err != nil || a.code != verifyUnknown || v.Verdict != "undecided" || v.Error == "" {
				t.Errorf("exit %d, %v\n%s%s", a.code, err, a.out, a.err)
			}
			if a := call(t, nil, "audit", "verify", "--db", dsn); a.code != verifyUnknown || !strings.Contains(a.out, "结论：无法判断") || a.err == "" {
				t.Errorf("exit %d\n%s%s", a.code, a.out, a.err)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(t.TempDir(), "none.db")); err == nil {
		t.Error("verifying made a database")
	}
}

// listedTrail is what audit list --json prints.
type listedTrail struct {
	Entries []struct {
		Hash  string
		Entry struct {
			ID, Action, Subject, Unit string
			Actor                     struct{ ID, Via string }
		}
	}
	More bool
}

func trail(t *testing.T, dsn string, args ...string) listedTrail {
	t.Helper()
	var l listedTrail
	out := must(t, append([]string{"audit", "list", "--db", dsn, "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &l); err != nil {
		t.Fatal(err)
	}
	return l
}

func firstEntry(t *testing.T, dsn, action string) string {
	t.Helper()
	l := trail(t, dsn, "--action", action)
	if len(l.Entries) == 0 {
		t.Fatalf("no entry %s", action)
	}
	return l.Entries[0].Entry.ID
}

// thisYear is the year in the numbers that the program gives now.
func thisYear(t *testing.T, dsn string) string {
	t.Helper()
	out := must(t, "audit", "list", "--db", dsn, "--action", "import")
	_, after, ok := strings.Cut(out, "SS")
	if !ok {
		t.Fatalf("no number in\n%s", out)
	}
	return after[:4]
}

func TestAuditList(t *testing.T) {
	dsn := fresh(t)
	must(t, "unit", "add", "js", "计算机系", "--parent", "dw", "--db", dsn)
	must(t, "user", "add", "zhang", "张三", "--db", dsn)
	must(t, "user", "grant", "zhang", "--role", "supervisor", "--unit", "js", "--db", dsn)
	must(t, "import", "--db", dsn, "--kind", "shishi", "--unit", "js", published+"linan_2022_minsheng_plan.csv")
	must(t, "import", "--db", dsn, "--kind", "shishi", "--unit", "dw", published+"dazhu_2016_minsheng.csv")
	number := "SS" + thisYear(t, dsn) + "-0001"
	tests := []struct {
		name string
		args []string
		want int
		more bool
	}{
		{name: "everything", args: []string{"--limit", "1000"}, want: len(workflows.Embedded()) + 2 + 2 + 14}, // definitions, units, user, projects
		{name: "the newest few", args: []string{"--limit", "5"}, want: 5, more: true},
		{name: "by action", args: []string{"--action", "grant"}, want: 1},
		{name: "by actions", args: []string{"--action", "grant", "--action", "add_unit"}, want: 3},
		{name: "by unit, with all under it", args: []string{"--unit", "dw", "--action", "import", "--limit", "100"}, want: 14},
		{name: "by a unit under it", args: []string{"--unit", "js", "--action", "import"}, want: 3},
		{name: "by number", args: []string{"--project", number}, want: 1},
		{name: "by number in small letters", args: []string{"--project", strings.ToLower(number)}, want: 1},
		{name: "by who did it", args: []string{"--actor", "operator", "--action", "add_user"}, want: 1},
		{name: "by somebody who did nothing", args: []string{"--actor", "zhang"}, want: 0},
		{name: "until a day long past", args: []string{"--to", "2020-01-01"}, want: 0},
		{name: "since a day long past", args: []string{"--from", "2020-01-01", "--action", "import", "--limit", "3"}, want: 3, more: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := trail(t, dsn, tt.args...)
			if len(l.Entries) != tt.want || l.More != tt.more {
				t.Errorf("%d entries, more %v, want %d, %v", len(l.Entries), l.More, tt.want, tt.more)
			}
			for _, e := range l.Entries {
				if len(e.Hash) != 64 || e.Entry.ID == "" || e.Entry.Actor.Via != "cli" {
					t.Errorf("entry %+v", e)
				}
			}
		})
	}
	contains(t, must(t, "audit", "list", "--db", dsn, "--limit", "2"), number[:6], "operator", "import", "→ plan", "后面还有")
	contains(t, must(t, "audit", "list", "--db", dsn, "--action", "grant"), "user zhang")
	for name, args := range map[string][]string{
		"no such project": {"--project", "SS1999-0001"}, "no such person": {"--actor", "li"}, "no such unit": {"--unit", "xx"},
	} {
		if a := call(t, nil, append([]string{"audit", "list", "--db", dsn}, args...)...); a.code != exitFailed || a.out != "" || a.err == "" {
			t.Errorf("%s: exit %d\n%s%s", name, a.code, a.out, a.err)
		}
	}
	if a := call(t, nil, "audit", "list", "--db", dsn, "--from", "yesterday"); a.code != exitUsage {
		t.Errorf("not a date: exit %d", a.code)
	}
}
