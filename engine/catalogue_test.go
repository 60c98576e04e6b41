package engine_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"bihuan/engine/message"
)

// saidKey is one use of a catalogue key in the engine's source.
type saidKey struct {
	key    string
	args   []string // names given for placeholders
	known  bool     // whether the names could be read from the source
	reason bool     // of a Reason, which needs a sentence for when it is met
	where  string
}

var keyForm = regexp.MustCompile(`^[a-z_]+\.[a-z_]+(\.[a-z_]+)*$`)

// keysOfSource collects every key that the engine's files give to errors, reasons and problems.
func keysOfSource(t *testing.T) []saidKey {
	t.Helper()
	files := token.NewFileSet()
	var out []saidKey
	list, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range list {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				out = append(out, keyOfCall(files, n)...)
			case *ast.CompositeLit:
				out = append(out, keyOfLiteral(files, n)...)
			case *ast.AssignStmt:
				out = append(out, keyOfAssignment(files, n)...)
			}
			return true
		})
	}
	return out
}

// position of the key among the arguments of the functions that make errors.
var keyPosition = map[string]int{"invalid": 1, "blocked": 0, "denied": 0, "notFound": 0, "duplicate": 2, "add": 1}

func keyOfCall(files *token.FileSet, n *ast.CallExpr) []saidKey {
	name := ""
	switch f := n.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
		if x, ok := f.X.(*ast.Ident); ok && x.Name == "message" && name == "Text" && len(n.Args) > 2 {
			if key, ok := literal(n.Args[1]); ok {
				said := saidKey{key: key, known: true, where: files.Position(n.Pos()).String()}
				if none, ok := n.Args[2].(*ast.Ident); !ok || none.Name != "nil" {
					said.args, said.known = argNames(n.Args[2])
				}
				return []saidKey{said}
			}
		}
	}
	at, ok := keyPosition[name]
	if !ok || len(n.Args) <= at {
		return nil
	}
	key, ok := literal(n.Args[at])
	if !ok || !keyForm.MatchString(key) {
		return nil
	}
	return []saidKey{{key: key, args: names(n.Args[at+1:]), known: true, where: files.Position(n.Pos()).String()}}
}

func keyOfLiteral(files *token.FileSet, n *ast.CompositeLit) []saidKey {
	out := saidKey{known: true, where: files.Position(n.Pos()).String()}
	for _, e := range n.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		switch field, _ := kv.Key.(*ast.Ident); {
		case field == nil:
		case field.Name == "Key":
			out.key, _ = literal(kv.Value)
		case field.Name == "Met":
			out.reason = true
		case field.Name == "ID":
			if _, ok := literal(kv.Value); ok && len(n.Elts) > 1 {
				out.reason = true
			}
		case field.Name == "Args":
			out.args, out.known = argNames(kv.Value)
		}
	}
	if !keyForm.MatchString(out.key) {
		return nil
	}
	return []saidKey{out}
}

// keyOfAssignment reads reason.Key, reason.Args = "key", args.
func keyOfAssignment(files *token.FileSet, n *ast.AssignStmt) []saidKey {
	out := saidKey{known: true, where: files.Position(n.Pos()).String()}
	for i, l := range n.Lhs {
		s, ok := l.(*ast.SelectorExpr)
		if !ok || i >= len(n.Rhs) {
			continue
		}
		switch s.Sel.Name {
		case "Key":
			out.key, _ = literal(n.Rhs[i])
		case "Args":
			out.args, out.known = argNames(n.Rhs[i])
		}
	}
	if !keyForm.MatchString(out.key) {
		return nil
	}
	return []saidKey{out}
}

// argNames reads message.Args("name", value, …) and map[string]any{"name": value, …}.
func argNames(e ast.Expr) ([]string, bool) {
	switch e := e.(type) {
	case *ast.CallExpr:
		if f, ok := e.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Args" && !e.Ellipsis.IsValid() {
			return names(e.Args), true
		}
	case *ast.CompositeLit:
		var out []string
		for _, x := range e.Elts {
			if kv, ok := x.(*ast.KeyValueExpr); ok {
				name, _ := literal(kv.Key)
				out = append(out, name)
			}
		}
		return out, true
	}
	return nil, false
}

func names(list []ast.Expr) []string {
	var out []string
	for i := 0; i < len(list); i += 2 {
		name, _ := literal(list[i])
		out = append(out, name)
	}
	return out
}

func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(l.Value)
	return s, err == nil
}

var placeholders = regexp.MustCompile(`\{([a-z_]+)\}`)

func TestEveryKeyHasItsSentence(t *testing.T) {
	used := keysOfSource(t)
	if len(used) < 100 {
		t.Fatalf("only %d keys found in the source: the search is broken", len(used))
	}
	reasons := 0
	for _, u := range used {
		keys := []string{u.key}
		if u.reason {
			reasons++
			if u.key != "rule.failed" { // never met
				keys = append(keys, u.key+".ok")
			}
		}
		for _, key := range keys {
			if u.reason && key == u.key+".ok" && strings.HasPrefix(key, "request.none") || key == "request.waiting.ok" {
				continue // request.none is only ever unmet, request.waiting only ever met
			}
			if !message.Has(key) {
				t.Errorf("%s: the catalogue has no %s", u.where, key)
				continue
			}
			for _, lang := range message.Languages {
				for _, m := range placeholders.FindAllStringSubmatch(message.Text(lang, key, nil), -1) {
					if u.known && !slices.Contains(u.args, m[1]) {
						t.Errorf("%s: %s (%s) wants {%s}, given are %v", u.where, key, lang, m[1], u.args)
					}
				}
			}
		}
	}
	if reasons < 15 {
		t.Errorf("only %d reasons found in the source: the search is broken", reasons)
	}
}

func TestEverySentenceIsUsed(t *testing.T) {
	var used []string
	for _, u := range keysOfSource(t) {
		used = append(used, u.key, u.key+".ok")
	}
	source, err := os.ReadFile("message/en/engine.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(source)), "\n") {
		key, _, _ := strings.Cut(line, ":")
		if !strings.HasPrefix(key, "#") && !slices.Contains(used, key) {
			t.Errorf("nothing says %s", key)
		}
	}
}
