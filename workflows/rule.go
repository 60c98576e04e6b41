package workflows

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
	"go.yaml.in/yaml/v3"

	"bihuan/engine"
	"bihuan/engine/message"
)

// Bounds of one rule. Without loops, declarations and growing texts, the cost of evaluating a rule is its nodes
// times the longest text of the facts.
const (
	maxRule  = 500 // bytes
	maxNodes = 120
)

// What rules may use. Everything else that the language offers is left out: loops and ranges because their cost
// is unbounded, patterns because theirs is pattern × text, now() because a rule must answer the same for the
// same facts, declarations because they allow texts that double at each step.
var (
	functions = []string{"len", "trim", "lower", "upper", "abs", "min", "max"}
	operators = []string{
		"==", "!=", "<", "<=", ">", ">=", "&&", "and", "||", "or", "!", "not", "+", "-", "*", "/", "%",
		"in", "contains", "startsWith", "endsWith",
	}
)

// facts are the names that rules may use.
var facts = func() []string {
	t := reflect.TypeFor[engine.Facts]()
	names := make([]string, t.NumField())
	for i := range names {
		names[i] = t.Field(i).Name
	}
	return names
}()

// rule compiles the rule in n into q. It reports what is wrong and then leaves a rule that never holds.
func (r *reader) rule(n *yaml.Node, path string, q *engine.Requirement) {
	q.Met = func(engine.Facts) (bool, error) { return false, nil }
	source := r.text(n, path)
	q.Rule = source
	if r.broken[path] {
		return
	}
	program, problems := compile(source)
	for _, p := range problems {
		r.broken[path] = true
		r.out = append(r.out, Mistake{File: r.file, Line: n.Line, Key: p.Key, Args: p.Args})
	}
	if program == nil {
		return
	}
	q.Steady, q.Uses = steady(program), uses(program)
	q.Met = func(f engine.Facts) (bool, error) {
		v, err := vm.Run(program, f)
		if err != nil {
			return false, fmt.Errorf("rule %q: %s", source, cause(err))
		}
		holds, ok := v.(bool)
		if !ok {
			return false, fmt.Errorf("rule %q: %T is not a bool", source, v)
		}
		return holds, nil
	}
	// A rule that fails for a project with nothing in it would block the very first one.
	if _, err := q.Met(engine.Facts{}); err != nil {
		r.add(n, path, "workflow.rule_fails", "cause", strings.TrimPrefix(err.Error(), fmt.Sprintf("rule %q: ", source)))
	}
}

// steady reports whether a rule names no fact that time alone changes.
func steady(program *vm.Program) bool {
	found := named{}
	root := program.Node()
	ast.Walk(&root, found)
	return !slices.ContainsFunc(engine.TimedFacts, func(fact string) bool { return found[fact] })
}

// uses lists the members of the facts that differ with the definition, each once: "Fields.class".
func uses(program *vm.Program) []string {
	var found asked
	root := program.Node()
	ast.Walk(&root, &found)
	return found
}

// asked collects members.
type asked []string

// Visit looks at one node.
func (a *asked) Visit(node *ast.Node) {
	if name, ok := member(*node); ok && !slices.Contains(*a, name) {
		*a = append(*a, name)
	}
}

// member returns what stands behind the dot of Fields and Materials, with what stands before it.
func member(node ast.Node) (string, bool) {
	m, ok := node.(*ast.MemberNode)
	if !ok {
		return "", false
	}
	of, ok := m.Node.(*ast.IdentifierNode)
	if !ok || of.Value != "Fields" && of.Value != "Materials" {
		return "", false
	}
	id, ok := m.Property.(*ast.StringNode)
	if !ok {
		return "", false
	}
	return of.Value + "." + id.Value, true
}

// named collects the names in a rule.
type named map[string]bool

// Visit looks at one node.
func (f named) Visit(node *ast.Node) {
	if n, ok := (*node).(*ast.IdentifierNode); ok {
		f[n.Value] = true
	}
}

// compile type-checks a rule against engine.Facts. Names and constructs that do not exist are all reported;
// types are looked at once those are right.
func compile(source string) (*vm.Program, []engine.Problem) {
	problem := func(key string, args ...any) []engine.Problem {
		return []engine.Problem{{Key: key, Args: message.Args(args...)}}
	}
	if source == "" {
		return nil, problem("workflow.rule_empty")
	}
	if len(source) > maxRule {
		return nil, problem("workflow.rule_too_long", "limit", maxRule)
	}
	config := conf.CreateNew()
	config.MaxNodes = maxNodes
	tree, err := parser.ParseWithConfig(source, config)
	if err != nil {
		return nil, problem("workflow.rule_syntax", "cause", cause(err))
	}
	v := vocabulary{}
	ast.Walk(&tree.Node, &v)
	if len(v.refused) > 0 {
		v.add("workflow.rule_not_allowed", "what", v.refused)
	}
	if len(v.out) > 0 {
		return nil, v.out
	}
	options := []expr.Option{expr.Env(engine.Facts{}), expr.DisableAllBuiltins(), expr.MaxNodes(maxNodes), expr.Optimize(false)}
	for _, f := range functions {
		options = append(options, expr.EnableBuiltin(f))
	}
	program, err := expr.Compile(source, options...)
	if err != nil {
		return nil, problem("workflow.rule_types", "cause", cause(err))
	}
	root := program.Node()
	if t := root.Type(); t == nil || t.Kind() != reflect.Bool {
		return nil, problem("workflow.rule_not_bool", "type", fmt.Sprint(t))
	}
	g := growth{}
	ast.Walk(&root, &g)
	if g.found {
		return nil, problem("workflow.rule_not_allowed", "what", []string{"text + text"})
	}
	return program, nil
}

// cause is the first line of the library's message, without the position that repeats it.
func cause(err error) string {
	if e, ok := errors.AsType[*file.Error](err); ok {
		return e.Message
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}

// vocabulary finds names and constructs that rules may not use.
type vocabulary struct {
	out     []engine.Problem
	refused []string
}

func (v *vocabulary) add(key string, args ...any) {
	v.out = append(v.out, engine.Problem{Key: key, Args: message.Args(args...)})
}

// Visit looks at one node; the library walks children first.
func (v *vocabulary) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if slices.Contains(facts, n.Value) {
			return
		}
		if near := nearest(n.Value); near != "" {
			v.add("workflow.rule_unknown_name_near", "name", n.Value, "near", near)
		} else {
			v.add("workflow.rule_unknown_name", "name", n.Value)
		}
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode, *ast.ConditionalNode, *ast.ArrayNode:
	case *ast.MemberNode:
		if _, ok := member(n); !ok {
			v.refused = append(v.refused, (*node).String())
		}
	case *ast.UnaryNode:
		v.allowed(operators, n.Operator)
	case *ast.BinaryNode:
		v.allowed(operators, n.Operator)
	case *ast.BuiltinNode:
		v.allowed(functions, n.Name)
	case *ast.CallNode, *ast.PredicateNode, *ast.PointerNode: // the name called, or the loop around them, is reported
	default:
		v.refused = append(v.refused, (*node).String())
	}
}

func (v *vocabulary) allowed(list []string, name string) {
	if !slices.Contains(list, name) && !slices.Contains(v.refused, name) {
		v.refused = append(v.refused, name)
	}
}

// growth finds texts that are put together.
type growth struct{ found bool }

// Visit looks at one typed node.
func (g *growth) Visit(node *ast.Node) {
	if n, ok := (*node).(*ast.BinaryNode); ok && n.Operator == "+" && n.Type() != nil && n.Type().Kind() == reflect.String {
		g.found = true
	}
}

// nearest returns the fact that somebody who wrote name most likely meant, or "".
func nearest(name string) string {
	best, least := "", 3 // more than two slips is another word
	for _, f := range facts {
		if strings.EqualFold(f, name) {
			return f
		}
		if d := distance(strings.ToLower(f), strings.ToLower(name), least); d < least {
			best, least = f, d
		}
	}
	return best
}

// distance is the edit distance of two words, or limit where it is not below.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			next := diagonal
			if a[i] != b[j] {
				next = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return min(row[len(b)], limit)
}
