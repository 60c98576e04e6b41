package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"bihuan/engine/message"
)

var (
	templateText = regexp.MustCompile(`"([a-z_]+(?:\.[a-z0-9_-]+)*\.?)"`)
	wholeKey     = regexp.MustCompile(`^[a-z_]+(\.[a-z0-9_-]+)+$`)
)

// spoken is what the program's source says of the catalogue: texts are all string literals, and keys those that
// stand where only a key can, by where.
type spoken struct {
	texts map[string]bool
	keys  map[string]string
}

// speech reads the Go files that are no tests and the templates.
func speech(t *testing.T) spoken {
	t.Helper()
	out := spoken{texts: map[string]bool{}, keys: map[string]string{}}
	files := token.NewFileSet()
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case filepath.Ext(name) == ".html":
			b, err := os.ReadFile(name)
			for _, m := range templateText.FindAllStringSubmatch(string(b), -1) {
				out.texts[m[1]] = true
			}
			return err
		case filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if s, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil {
					out.texts[s] = true
				}
			case *ast.KeyValueExpr:
				if field, ok := n.Key.(*ast.Ident); ok && field.Name == "Key" {
					out.key("", n.Value, files)
				}
			case *ast.CallExpr:
				out.call(n, file.Name.Name, files)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (s spoken) key(prefix string, e ast.Expr, files *token.FileSet) {
	if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
		if key, err := strconv.Unquote(l.Value); err == nil && wholeKey.MatchString(prefix+key) {
			s.keys[prefix+key] = files.Position(l.Pos()).String()
		}
	}
}

// call notes the key of message.Text, and of the functions by which the command line speaks.
func (s spoken) call(n *ast.CallExpr, in string, files *token.FileSet) {
	name := ""
	switch f := n.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
	}
	switch {
	case name == "Text" && len(n.Args) == 3:
		s.key("", n.Args[1], files)
	case in == "main" && (name == "line" || name == "text" || name == "say") && len(n.Args) > 0:
		s.key("cli.", n.Args[0], files)
	}
}

// says reports whether the source has the key, or the beginning to which it adds the rest: up to a dot and with it,
// or, on the command line, the first word alone.
func (s spoken) says(key string, cli bool) bool {
	if s.texts[key] {
		return true
	}
	first := true
	for i := range key {
		if key[i] != '.' {
			continue
		}
		if s.texts[key[:i+1]] && key[:i+1] != "cli." || first && cli && s.texts[key[:i]] {
			return true
		}
		first = false
	}
	return false
}

func TestEverySentenceIsSaid(t *testing.T) {
	s := speech(t)
	for _, key := range message.Keys() {
		own, cli := strings.CutPrefix(key, "cli.")
		met, reason := strings.CutSuffix(key, ".ok")
		said := s.says(key, false) || cli && s.says(own, true) || reason && s.says(met, false)
		if !said {
			t.Errorf("nothing says %s", key)
		}
	}
}

func TestEveryKeyIsInTheCatalogue(t *testing.T) {
	s := speech(t)
	if len(s.keys) < 150 {
		t.Fatalf("only %d keys found in the source: the search is broken", len(s.keys))
	}
	for key, where := range s.keys {
		if !message.Has(key) {
			t.Errorf("%s: the catalogue has no %s", where, key)
		}
	}
}
