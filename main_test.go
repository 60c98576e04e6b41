package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bihuan/storage/storagetest"
)

func TestMain(m *testing.M) { os.Exit(storagetest.Run(m)) }

// answer is what one call of the program gave.
type answer struct {
	code     int
	out, err string
}

// call runs one command line with an environment of its own.
func call(t *testing.T, env map[string]string, args ...string) answer {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(t.Context(), args, &out, &errs, func(name string) string { return env[name] })
	return answer{code, out.String(), errs.String()}
}

// must runs a command line that has to succeed and returns its standard output.
func must(t *testing.T, args ...string) string {
	t.Helper()
	a := call(t, nil, args...)
	if a.code != exitOK {
		t.Fatalf("bihuan %s: exit %d\n%s%s", strings.Join(args, " "), a.code, a.out, a.err)
	}
	return a.out
}

// file writes a file into a folder of the test's own and returns its path.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// command is a command line on one database, with its exit code and what it says.
type command struct {
	args []string
	code int
	says string
}

// calls runs commands one behind the other.
func calls(t *testing.T, dsn string, list []command) {
	t.Helper()
	for _, x := range list {
		a := call(t, nil, append(x.args, "--db", dsn)...)
		if a.code != x.code || !strings.Contains(a.out+a.err, x.says) {
			t.Errorf("%v: exit %d, want %d with %q: %s%s", x.args, a.code, x.code, x.says, a.out, a.err)
		}
	}
}

// fresh makes a migrated SQLite database with the embedded definitions and one unit, 学校党委 (dw).
func fresh(t *testing.T) (dsn string) {
	t.Helper()
	dsn = "sqlite:" + filepath.Join(t.TempDir(), "bihuan.db")
	equip(t, dsn)
	return dsn
}

// equip makes what fresh promises in an empty database.
func equip(t *testing.T, dsn string) {
	t.Helper()
	must(t, "migrate", "--db", dsn)
	for _, id := range []string{"shishi", "shuji"} {
		source := must(t, "workflow", "show", id, "--source")
		must(t, "workflow", "publish", file(t, id+".yaml", source), "--db", dsn)
	}
	must(t, "unit", "add", "dw", "学校党委", "--db", dsn)
}

// contains reports every fragment that a text lacks.
func contains(t *testing.T, text string, fragments ...string) {
	t.Helper()
	for _, f := range fragments {
		if !strings.Contains(text, f) {
			t.Errorf("%q is missing in\n%s", f, text)
		}
	}
}
