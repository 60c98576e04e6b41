package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"bihuan/config"
)

// lessUrgent are the requirements of priority 1; all others of the 28 are of priority 0.
var lessUrgent = map[int]bool{5: true, 6: true, 28: true}

// TestSecurityPage holds the page of requirements against the tree: each line is there, each of priority 0 has a test,
// and each test that is named exists.
func TestSecurityPage(t *testing.T) {
	page, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^\| (\d+) \| ([01]) \| ([^|]+) \|([^|]*)\|$`)
	named := regexp.MustCompile("`([a-z0-9/]*)\\.(Test[A-Za-z0-9]+)`")
	tests := map[string]map[string]bool{}
	seen := map[int]bool{}
	for _, m := range line.FindAllStringSubmatch(string(page), -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil || seen[n] || n < 1 || n > 28 {
			t.Errorf("line %s stands twice, or is none of the 28", m[1])
		}
		seen[n] = true
		if want := map[bool]string{false: "0", true: "1"}[lessUrgent[n]]; m[2] != want {
			t.Errorf("line %d is of priority %s, not %s", n, want, m[2])
		}
		found := named.FindAllStringSubmatch(m[4], -1)
		if len(found) == 0 && !lessUrgent[n] {
			t.Errorf("line %d has no test: %s", n, m[3])
		}
		if left := strings.TrimSpace(named.ReplaceAllString(m[4], "")); left != "" {
			t.Errorf("line %d names what is no test: %q", n, left)
		}
		for _, x := range found {
			dir := x[1]
			if dir == "" {
				dir = "."
			}
			if tests[dir] == nil {
				tests[dir] = testsIn(t, dir)
			}
			if !tests[dir][x[2]] {
				t.Errorf("line %d: there is no %s in %s", n, x[2], dir)
			}
		}
	}
	for n := 1; n <= 28; n++ {
		if !seen[n] {
			t.Errorf("line %d is missing", n)
		}
	}
}

// testsIn returns the tests of a folder, under whatever build tag.
func testsIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				out[f.Name.Name] = true
			}
		}
	}
	return out
}

// TestDemoIsForLoopbackAlone starts no demo where others could reach it.
func TestDemoIsForLoopbackAlone(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.org:0", "127.0.0.1.example.org:0"} {
		a := call(t, nil, "demo", "--addr", addr)
		if a.code == exitOK || !strings.Contains(a.err, addr) {
			t.Errorf("%s: exit %d: %s", addr, a.code, a.err)
		}
	}
	for _, addr := range []string{"127.0.0.1:0", "127.8.9.1:0", "[::1]:0", "localhost:0"} {
		if err := loopback(addr); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

// TestListenersHaveTimeOuts opens a listener as serve does: nobody keeps it busy by being slow, or by endless headers.
func TestListenersHaveTimeOuts(t *testing.T) {
	sv := &server{config: config.Default(), log: slog.New(slog.DiscardHandler)}
	l := &listener{addr: "127.0.0.1:0"}
	if err := sv.listen(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.listener.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, d := range map[string]time.Duration{"header": l.server.ReadHeaderTimeout, "read": l.server.ReadTimeout, "write": l.server.WriteTimeout, "idle": l.server.IdleTimeout} {
		if d <= 0 || d > 10*time.Minute {
			t.Errorf("the time-out for %s is %s", name, d)
		}
	}
	if l.server.MaxHeaderBytes <= 0 || l.server.MaxHeaderBytes > 1<<20 {
		t.Errorf("headers may have %d bytes", l.server.MaxHeaderBytes)
	}
}

// TestChecksAreSwitchedOn finds what CI has to run where it is run, and no way to debug the program from outside.
func TestChecksAreSwitchedOn(t *testing.T) {
	for file, parts := range map[string][]string{
		".ci/run":       {"golangci-lint run\n", `govulncheck -tags "$TAGS" ./...`, "make build\n"},
		".golangci.yml": {"\n    - gosec\n", "\n    - staticcheck\n"},
		"Makefile":      {"$(GO) build -trimpath "},
		"go.sum":        {"github.com/gin-gonic/gin "},
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range parts {
			if !strings.Contains(string(text), s) {
				t.Errorf("%s lacks %q", file, strings.TrimSpace(s))
			}
		}
	}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range file.Imports {
			if i.Path.Value == `"net/http/pprof"` || i.Path.Value == `"expvar"` {
				t.Errorf("%s imports %s, which answers at an address of its own", path, i.Path.Value)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
