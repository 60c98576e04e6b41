package workflows

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"bihuan/engine"
	"bihuan/engine/audit"
)

// MaxSize is the largest definition file that is read, in bytes. A definition of a hundred stages has a tenth of
// it.
const MaxSize = 256 << 10

// Parse reads one definition. name is what mistakes call the file. The error is a Mistakes with everything that
// is wrong; there is no workflow then.
func Parse(name string, source []byte) (*engine.Workflow, error) {
	w, r := parse(name, source)
	if len(r.out) > 0 {
		return nil, r.out
	}
	return w, nil
}

// Compile is Parse for a definition that is in no file but published, or about to be: it is engine.Config's Compile.
func Compile(source []byte) (*engine.Workflow, error) { return Parse("definition", source) }

func parse(name string, source []byte) (*engine.Workflow, *reader) {
	r := newReader(name)
	root := r.document(source)
	if root == nil {
		return nil, r
	}
	w := r.workflow(root)
	w.Digest = audit.HashContent(source).String()
	r.check(w)
	r.out.sort()
	return w, r
}

// document returns the one document of a file, or nil after saying why not.
func (r *reader) document(source []byte) *yaml.Node {
	fail := func(line int, key string, args ...any) *yaml.Node {
		r.add(&yaml.Node{Line: line}, "", key, args...)
		return nil
	}
	if len(source) > MaxSize {
		return fail(1, "workflow.too_large", "limit", MaxSize>>10)
	}
	var doc, rest yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(source))
	err := decoder.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return fail(1, "workflow.empty")
	}
	if err == nil {
		if err = decoder.Decode(&rest); err == nil {
			return fail(rest.Content[0].Line, "workflow.one_document")
		}
	}
	if !errors.Is(err, io.EOF) {
		line, key, args := yamlMistake(source, err)
		return fail(line, key, args...)
	}
	return doc.Content[0]
}

var (
	yamlLine   = regexp.MustCompile(`^(?:line (\d+): )?(.*)$`)
	yamlAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
	// Of these the library gives the line counted from 0.
	yamlFromZero = regexp.MustCompile(`^(did not find expected (key|'-' indicator|',' or|node content|<)|found (undefined tag handle|duplicate %|incompatible YAML))`)
)

// yamlMistake turns the library's error into a mistake. Where it gives no line, the first one stands for it.
func yamlMistake(source []byte, err error) (line int, key string, args []any) {
	text, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "yaml: "), "\n")
	m := yamlLine.FindStringSubmatch(text)
	line, _ = strconv.Atoi(m[1]) // none: 0
	cause := m[2]
	if a := yamlAnchor.FindStringSubmatch(cause); a != nil {
		before, _, _ := bytes.Cut(source, []byte("*"+a[1]))
		return bytes.Count(before, []byte("\n")) + 1, "workflow.alias", []any{"name", a[1]}
	}
	if yamlFromZero.MatchString(cause) {
		line++
	}
	return max(line, 1), "workflow.broken_yaml", []any{"cause", cause}
}

// graphKeys are the mistakes of the graph as a whole.
var graphKeys = map[string]bool{
	"workflow.unreachable": true, "workflow.dead_end": true, "workflow.no_way_to_close": true,
	"workflow.stage_cannot_close": true, "workflow.shelved_for_ever": true,
}

// follows names, for mistakes that are reported on a whole value, the member whose unreadable content causes them.
var follows = map[string]string{
	"workflow.no_from": ".from", "workflow.auto_without_rule": ".require", "workflow.timer_needs_stage": ".stage",
	"workflow.bad_extension": "",
	"workflow.bad_look_back": "",
}

// check reports what engine.Workflow.Validate finds, at the line it stands on, and leaves out what merely
// follows from a value that could not be read.
func (r *reader) check(w *engine.Workflow) {
	report := func(p engine.Problem) {
		r.out = append(r.out, Mistake{File: r.file, Line: r.line(p.Path), Key: p.Key, Args: p.Args})
	}
	stages := r.spoiltLike(stagePath)
	for _, p := range w.Validate() {
		member, follow := follows[p.Key]
		switch {
		case graphKeys[p.Key], r.spoilt(p.Path), follow && r.spoiltWithin(p.Path+member):
		case stages && (p.Key == "workflow.unknown_stage" || p.Key == "workflow.return_not_earlier"):
		default:
			report(p)
		}
	}
	// The graph is judged whenever stages and their connections are sound, whatever else is wrong.
	if stages || r.spoiltLike(connectionPath) {
		return
	}
	problems := skeleton(w).Validate()
	for _, p := range problems {
		if !graphKeys[p.Key] {
			return
		}
	}
	for _, p := range problems {
		report(p)
	}
}

// spoiltWithin reports whether the value at path or anything inside it could not be read.
func (r *reader) spoiltWithin(path string) bool {
	for p := range r.broken {
		if p == path || strings.HasPrefix(p, path+".") || strings.HasPrefix(p, path+"[") {
			return true
		}
	}
	return false
}

// The paths of what makes up the graph.
var (
	stagePath      = regexp.MustCompile(`^stages(\[\d+\](\.id)?)?$`)
	connectionPath = regexp.MustCompile(`^transitions(\[\d+\](\.(from|to)(\[\d+\])?)?)?$`)
)

// spoiltLike reports whether any value with such a path could not be read.
func (r *reader) spoiltLike(path *regexp.Regexp) bool {
	for p := range r.broken {
		if path.MatchString(p) {
			return true
		}
	}
	return false
}

// skeleton keeps the stages and connections of a definition and nothing that could be wrong besides.
func skeleton(w *engine.Workflow) *engine.Workflow {
	name := engine.Text{ZH: "?"}
	s := &engine.Workflow{ID: "skeleton", Version: 1, Name: name, Prefix: "S", Create: []engine.Role{engine.Secretary}}
	for _, stage := range w.Stages {
		s.Stages = append(s.Stages, engine.Stage{ID: stage.ID, Name: name})
	}
	for i, t := range w.Transitions {
		s.Transitions = append(s.Transitions, engine.Transition{ID: engine.TransitionID("t" + strconv.Itoa(i)), Name: name,
			From: t.From, To: t.To, Trigger: engine.OnSubmit, Submit: []engine.Role{engine.Owner}})
	}
	return s
}
