package workflows

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"bihuan/engine"
	"bihuan/engine/message"
)

// form is what a value of the file should be. Its name is shown to people.
type form string

const (
	aText   form = "text"
	aNumber form = "number"
	aFlag   form = "flag"
	aList   form = "list"
	aMap    form = "map"
	nothing form = "nothing"
	tagged  form = "tagged" // a type of the writer's own
)

// In returns the name in the given language.
func (f form) In(lang string) string { return message.Text(lang, "workflow.form."+string(f), nil) }

// formOf tells what a node is.
func formOf(n *yaml.Node) form {
	switch n.ShortTag() {
	case "!!map":
		return aMap
	case "!!seq":
		return aList
	case "!!int", "!!float":
		return aNumber
	case "!!bool":
		return aFlag
	case "!!null":
		return nothing
	}
	if n.Kind == yaml.ScalarNode && (n.ShortTag() == "!!str" || n.ShortTag() == "!!timestamp") {
		return aText
	}
	return tagged
}

// reader walks a YAML tree. It notes where each value stands, in the words of engine.Problem, and collects every
// mistake instead of stopping at the first.
type reader struct {
	file   string
	lines  map[string]int
	broken map[string]bool // paths whose value could not be read; what they would cause is not reported again
	out    Mistakes
}

func newReader(file string) *reader {
	return &reader{file: file, lines: map[string]int{}, broken: map[string]bool{}}
}

func (r *reader) add(n *yaml.Node, path, key string, args ...any) {
	r.broken[path] = true
	r.out = append(r.out, Mistake{File: r.file, Line: n.Line, Key: key, Args: message.Args(args...)})
}

// is notes the node's place and reports whether it has the form wanted.
func (r *reader) is(n *yaml.Node, path string, want form) bool {
	r.lines[path] = n.Line
	if n.Kind == yaml.AliasNode {
		// An alias makes a short file mean a long one, and a reader of one line look for another.
		r.add(n, path, "workflow.alias", "name", n.Value)
		return false
	}
	if got := formOf(n); got != want {
		r.add(n, path, "workflow.wrong_type", "want", want, "got", got)
		return false
	}
	return true
}

// members says what to do with the value of each key of a mapping.
type members map[string]func(n *yaml.Node, path string)

// object reads a mapping in the order of the file. Every key must be a member, once; required ones must be there.
func (r *reader) object(n *yaml.Node, path string, m members, required ...string) {
	if !r.is(n, path, aMap) {
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		read, known := m[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || !known:
			r.add(key, join(path, "?"+key.Value), "workflow.unknown_key", "key", key.Value, "known", sortedKeys(m))
		case seen[key.Value] > 0:
			r.add(key, join(path, "?"+key.Value), "workflow.duplicate_key", "key", key.Value, "line", seen[key.Value])
		default:
			seen[key.Value] = key.Line
			read(value, join(path, key.Value))
			r.lines[join(path, key.Value)] = key.Line // a block starts below its key; people look for the key
		}
	}
	for _, key := range required {
		if seen[key] == 0 {
			r.add(n, join(path, key), "workflow.missing_key", "key", key)
		}
	}
}

func sortedKeys(m members) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// list reads each item of a sequence.
func (r *reader) list(n *yaml.Node, path string, item func(n *yaml.Node, path string)) {
	if !r.is(n, path, aList) {
		return
	}
	for i, c := range n.Content {
		item(c, index(path, i))
	}
}

func (r *reader) text(n *yaml.Node, path string) string {
	if !r.is(n, path, aText) {
		return ""
	}
	return strings.TrimSpace(n.Value)
}

var wholeNumber = regexp.MustCompile(`^-?[0-9]{1,9}$`)

func (r *reader) number(n *yaml.Node, path string) int {
	if !r.is(n, path, aNumber) {
		return 0
	}
	if !wholeNumber.MatchString(n.Value) { // 0x1F, 1_000 and numbers beyond any meaning
		r.add(n, path, "workflow.bad_number", "text", n.Value)
		return 0
	}
	v, _ := strconv.Atoi(n.Value) // the pattern leaves nothing that could fail
	return v
}

func (r *reader) flag(n *yaml.Node, path string) bool {
	return r.is(n, path, aFlag) && strings.EqualFold(n.Value, "true")
}

// words reads a list of words.
func words[T ~string](r *reader, n *yaml.Node, path string) []T {
	var out []T
	r.list(n, path, func(n *yaml.Node, path string) {
		out = append(out, T(r.text(n, path))) // also what could not be read, so that the others keep their index
	})
	return out
}

// wordOrWords reads one word or a list of them; the word stands at index 0.
func wordOrWords[T ~string](r *reader, n *yaml.Node, path string) []T {
	if n.Kind == yaml.ScalarNode && formOf(n) == aText {
		r.lines[path] = n.Line
		return []T{T(r.text(n, index(path, 0)))}
	}
	return words[T](r, n, path)
}

// translated reads {zh, en}. What cannot be read is filled in, so that one mistake is not reported as two.
func (r *reader) translated(n *yaml.Node, path string) engine.Text {
	var t engine.Text
	r.object(n, path, members{
		"zh": func(n *yaml.Node, path string) { t.ZH = r.text(n, path) },
		"en": func(n *yaml.Node, path string) { t.EN = r.text(n, path) },
	})
	if t.ZH == "" && (r.broken[path] || r.broken[join(path, "zh")]) {
		t.ZH = "?"
	}
	return t
}

// line finds where a path stands, or else the nearest thing around it.
func (r *reader) line(path string) int {
	for path != "" {
		if n, ok := r.lines[path]; ok {
			return n
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 1
}

// spoilt reports whether the value at path, or anything around it, could not be read.
func (r *reader) spoilt(path string) bool {
	for path != "" {
		if r.broken[path] {
			return true
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return r.broken[""]
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
