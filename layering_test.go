package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// listed is what "go list -json" says about a package.
type listed struct {
	ImportPath string
	Dir        string
	Standard   bool
	GoFiles    []string
	Imports    []string
	Deps       []string
}

// packages lists every package of the module with all that it depends on.
func packages(t *testing.T) map[string]listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-tags", "nomsgpack", "-deps", "-json=ImportPath,Dir,Standard,GoFiles,Imports,Deps", "./...").Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			t.Fatalf("go list: %v\n%s", err, failed.Stderr)
		}
		t.Fatal(err)
	}
	all := map[string]listed{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
	}
}

// ours tells whether a package belongs to the module.
func ours(path string) bool { return path == "bihuan" || strings.HasPrefix(path, "bihuan/") }

// within tells whether a package is one of the named ones or below it.
func within(path string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(root string) bool { return path == root || strings.HasPrefix(path, root+"/") })
}

// TestLayering proves who imports whom: the drawing in DESIGN.md, edge by edge. What a package may depend on
// counts with all that lies below it.
func TestLayering(t *testing.T) {
	all := packages(t)
	outside := []string{"gorm.io", "github.com/gin-gonic", "github.com/danielgtaylor/huma", "github.com/xuri/excelize/v2", "github.com/expr-lang/expr",
		"github.com/alecthomas/kong", "github.com/knadh/koanf", "github.com/prometheus", "modernc.org", "github.com/jackc", "github.com/pressly", "database/sql", "net/http"}
	databases := []string{"gorm.io", "modernc.org", "github.com/libtnb", "github.com/jackc", "github.com/pressly"}
	web := []string{"github.com/gin-gonic", "github.com/danielgtaylor/huma", "net/http"}
	tests := []struct {
		name    string
		of      []string // packages, with what is below them
		except  []string // of those
		ours    []string // packages of ours that they may depend on; themselves always
		foreign []string // packages that they must not depend on
	}{
		{name: "the engine knows no database and no web", of: []string{"bihuan/engine"}, except: []string{"bihuan/engine/ledger", "bihuan/engine/intake", "bihuan/engine/score", "bihuan/engine/workbook", "bihuan/engine/layout", "bihuan/engine/audit", "bihuan/engine/calendar", "bihuan/engine/message", "bihuan/engine/notify", "bihuan/engine/secret"},
			ours: []string{"bihuan/engine/audit", "bihuan/engine/calendar", "bihuan/engine/message", "bihuan/engine/secret"}, foreign: without(outside, "database/sql")},
		{name: "the trail's format depends on nothing of ours", of: []string{"bihuan/engine/audit"}, foreign: without(outside, "database/sql")},
		{name: "nor does the calendar", of: []string{"bihuan/engine/calendar"}, foreign: without(outside, "database/sql")},
		{name: "nor does what keeps secrets", of: []string{"bihuan/engine/secret"}, foreign: append(slices.Clone(outside), "database/sql")},
		{name: "nor do the sentences", of: []string{"bihuan/engine/message"}, foreign: outside},
		{name: "nor does the set-up", of: []string{"bihuan/config"}, foreign: append(slices.Clone(databases), "github.com/gin-gonic", "github.com/danielgtaylor/huma", "github.com/alecthomas/kong")},
		{name: "ledgers are read with the calendar and the sentences alone", of: []string{"bihuan/engine/ledger"}, ours: []string{"bihuan/engine/calendar", "bihuan/engine/message"},
			foreign: append(slices.Clone(databases), "github.com/gin-gonic", "github.com/danielgtaylor/huma")},
		{name: "tables are written with the calendar alone", of: []string{"bihuan/engine/workbook"}, ours: []string{"bihuan/engine/calendar"},
			foreign: append(slices.Clone(databases), "github.com/gin-gonic", "github.com/danielgtaylor/huma")},
		{name: "exports know the engine alone", of: []string{"bihuan/engine/layout"}, ours: []string{"bihuan/engine"},
			foreign: append(slices.Clone(databases), web[:2]...)},
		{name: "ledgers become projects through the engine", of: []string{"bihuan/engine/intake"}, ours: []string{"bihuan/engine"},
			foreign: append(slices.Clone(databases), "github.com/gin-gonic", "github.com/danielgtaylor/huma")},
		{name: "scores know the engine alone", of: []string{"bihuan/engine/score"}, ours: []string{"bihuan/engine"}, foreign: without(outside, "database/sql")},
		{name: "what tells people knows the engine alone", of: []string{"bihuan/engine/notify"}, ours: []string{"bihuan/engine"},
			foreign: append(slices.Clone(databases), "github.com/gin-gonic", "github.com/danielgtaylor/huma")},
		{name: "definitions know the engine", of: []string{"bihuan/workflows"}, ours: []string{"bihuan/engine"}, foreign: append(slices.Clone(databases), web...)},
		{name: "the database never meets the API", of: []string{"bihuan/storage"}, except: []string{"bihuan/storage/storagetest"}, ours: []string{"bihuan/engine"}, foreign: web[:2]},
		{name: "nor the API the database", of: []string{"bihuan/api"}, ours: []string{"bihuan/engine"}, foreign: databases},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			seen := false
			for path, p := range all {
				if !within(path, tt.of...) || len(tt.except) > 0 && within(path, tt.except...) {
					continue
				}
				seen = true
				for _, dep := range p.Deps {
					switch {
					case ours(dep) && !within(dep, tt.of...) && !within(dep, tt.ours...):
						t.Errorf("%s depends on %s", path, dep)
					case !ours(dep) && within(dep, tt.foreign...):
						t.Errorf("%s depends on %s", path, dep)
					}
				}
			}
			if !seen {
				t.Errorf("there is no package %v", tt.of)
			}
		})
	}
	t.Run("nothing depends on the program or its tests' helpers", func(t *testing.T) {
		for path, p := range all {
			for _, dep := range p.Imports {
				if ours(path) && (dep == "bihuan" || dep == "bihuan/storage/storagetest") {
					t.Errorf("%s imports %s", path, dep)
				}
			}
		}
	})
}

func without(list []string, drop ...string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(drop, s) })
}

// TestOneFileEach keeps the two libraries that have traps of their own behind one file each.
func TestOneFileEach(t *testing.T) {
	tests := []struct{ library, file string }{
		{"github.com/looplab/fsm", "engine/workflow.go"},
		{"github.com/robfig/cron/v3", "engine/schedule.go"},
	}
	// The set-up reads cron expressions with the parser alone, to report a mistake with its line.
	also := map[string][]string{"github.com/robfig/cron/v3": {"config/validate.go"}}
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for path, p := range packages(t) {
		if !ours(path) {
			continue
		}
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			where, err := filepath.Rel(root, filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range f.Imports {
				library, err := strconv.Unquote(i.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				found[library] = append(found[library], filepath.ToSlash(where))
			}
		}
	}
	for _, tt := range tests {
		want := append([]string{tt.file}, also[tt.library]...)
		got := found[tt.library]
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s is imported by %v, want %v", tt.library, got, want)
		}
	}
}
