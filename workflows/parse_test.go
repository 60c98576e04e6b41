package workflows

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/message"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares got with a file of testdata, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), write it with -update if the change is meant:\n%s", path, diff)
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mistakes(t testing.TB, err error) Mistakes {
	t.Helper()
	ms, ok := errors.AsType[Mistakes](err)
	if !ok {
		t.Fatalf("error is %T (%v), want Mistakes", err, err)
	}
	return ms
}

type place struct {
	Line int
	Key  string
}

// Every bad file says itself, in comments "#! key…", what is wrong in which line. All of that must be found, and
// nothing else; the golden files show the sentences.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d bad files, %v", len(files), err)
	}
	said := map[string]*strings.Builder{}
	for _, lang := range message.Languages {
		said[lang] = &strings.Builder{}
	}
	for _, path := range files {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			source := readFile(t, path)
			w, err := Parse(name, source)
			if w != nil || err == nil {
				t.Fatal("it was taken")
			}
			ms := mistakes(t, err)
			var got, want []place
			for _, m := range ms {
				got = append(got, place{m.Line, m.Key})
				if !message.Has(m.Key) {
					t.Errorf("no sentence for %s", m.Key)
				}
				for lang, b := range said {
					b.WriteString(m.In(lang) + "\n")
				}
			}
			for i, line := range bytes.Split(source, []byte("\n")) {
				if _, keys, ok := strings.Cut(string(line), "#! "); ok {
					for _, key := range strings.Fields(keys) {
						want = append(want, place{i + 1, key})
					}
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("mistakes (-want +got):\n%s\n%v", diff, err)
			}
		})
	}
	for lang, b := range said {
		golden(t, "bad."+lang+".golden", b.String())
		if placeholder.MatchString(b.String()) {
			t.Errorf("%s: a placeholder was not filled in:\n%s", lang, placeholder.FindString(b.String()))
		}
	}
}

var placeholder = regexp.MustCompile(`.*\{[a-z_]+\}.*`)

func TestFiveMistakesAreFive(t *testing.T) {
	_, err := Parse("five.yaml", readFile(t, "testdata/bad/five_mistakes.yaml"))
	if ms := mistakes(t, err); len(ms) != 5 || len(ms.Unwrap()) != 5 || strings.Count(ms.Error(), "\n") != 4 {
		t.Errorf("%d mistakes, want 5:\n%v", len(ms), err)
	}
}

func TestHostileFiles(t *testing.T) {
	small := string(readFile(t, "testdata/good/small.yaml"))
	var bomb strings.Builder // a billion items if aliases were followed
	bomb.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 10; i++ {
		p, n := string(rune('0'+i-1)), string(rune('0'+i))
		bomb.WriteString("a" + n + ": &a" + n + " [" + strings.Repeat("*a"+p+", ", 9) + "*a" + p + "]\n")
	}
	for name, c := range map[string]struct{ source, key string }{
		"empty":                {"", "workflow.empty"},
		"only a comment":       {"# nothing\n", "workflow.empty"},
		"null":                 {"~\n", "workflow.wrong_type"},
		"larger than 256 KiB":  {small + strings.Repeat("# filler\n", MaxSize/9), "workflow.too_large"},
		"alias bomb":           {bomb.String() + small, "workflow.unknown_key"},
		"alias bomb in a list": {bomb.String() + strings.Replace(small, "[secretary]", "[*a9]", 1), "workflow.alias"},
		"merge key":            {strings.Replace(small, "number: XS", "<<: {number: XS}", 1), "workflow.unknown_key"},
		"deep nesting":         {"id: " + strings.Repeat("[", MaxSize-10), "workflow.broken_yaml"},
		"control character":    {"id: \x00\n", "workflow.broken_yaml"},
		"not UTF-8":            {"id: \xff\xfe\n", "workflow.broken_yaml"},
		"a list as key":        {"[a, b]: 1\n" + small, "workflow.unknown_key"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("x.yaml", []byte(c.source))
			found := false
			for _, m := range mistakes(t, err) {
				found = found || m.Key == c.key
				if m.Line < 1 || m.File != "x.yaml" {
					t.Errorf("place %s:%d", m.File, m.Line)
				}
			}
			if !found {
				t.Errorf("want %s, got\n%v", c.key, err)
			}
		})
	}
}

// What is broken in one place is not reported again where it is used.
func TestOneSlipOneMistake(t *testing.T) {
	small := string(readFile(t, "testdata/good/small.yaml"))
	for _, c := range []struct{ name, old, new, key string }{
		{"a number as prefix", "number: XS", "number: 5", "workflow.wrong_type"},
		{"a prefix with a space", "number: XS", "number: X S", "workflow.bad_prefix"},
		{"a prefix of two lines", "number: XS", `number: "X\nS"`, "workflow.bad_prefix"},
		{"a prefix that a spreadsheet would calculate", "number: XS", "number: =XS", "workflow.bad_prefix"},
		{"a list as name", "name: {zh: 小流程, en: small}", "name: [小流程]", "workflow.wrong_type"},
		{"a name without form", "{zh: 小流程, en: small}", "{zh: [小], en: small}", "workflow.wrong_type"},
		{"a stage that is a word", "  - id: plan\n    name: {zh: 谋划, en: plan}\n    limit: 10wd\n    acts: [edit]\n", "  - plan\n", "workflow.wrong_type"},
		{"a word where roles are listed", "submit: [owner]", "submit: owner", "workflow.wrong_type"},
		{"a word among the requirements", "    require:\n", "    require:\n      - nothing\n", "workflow.wrong_type"},
		{"a map where stages are listed", "stages:\n", "stages: {}\nignored:\n", "workflow.wrong_type"},
		{"no rule", "rule: 'Evidence >= 1', ", "", "workflow.missing_key"},
		{"a message that is a word", "{zh: 还没有佐证材料, en: There is no evidence}", "材料", "workflow.wrong_type"},
		{"no target stage", "    to: work\n", "", "workflow.missing_key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := strings.Replace(small, c.old, c.new, 1)
			if source == small {
				t.Fatal("nothing was replaced")
			}
			_, err := Parse("x.yaml", []byte(source))
			ms := mistakes(t, err)
			if ms[0].Key != c.key {
				t.Errorf("first mistake: %v", ms[0])
			}
			for _, m := range ms[1:] {
				if m.Key != "workflow.unknown_key" { // "ignored", which the case itself brings in
					t.Errorf("a second mistake for one slip: %v", m)
				}
			}
		})
	}
}

func TestParse(t *testing.T) {
	source := readFile(t, "testdata/good/small.yaml")
	w, err := Parse("small.yaml", source)
	if err != nil {
		t.Fatal(err)
	}
	if want := audit.HashContent(source).String(); w.Digest != want {
		t.Errorf("digest %s, want %s", w.Digest, want)
	}
	met := w.Transitions[1].Require[0].Met
	w.Transitions[1].Require[0].Met = nil
	want := &engine.Workflow{ID: "small", Version: 1, Digest: w.Digest, Name: engine.Text{ZH: "小流程", EN: "small"}, Prefix: "XS",
		Create: []engine.Role{engine.Secretary},
		Stages: []engine.Stage{
			{ID: "plan", Name: engine.Text{ZH: "谋划", EN: "plan"}, Limit: engine.Limit{Workdays: 10}, Acts: []engine.Act{engine.ActEdit}},
			{ID: "work", Name: engine.Text{ZH: "推进", EN: "work"}, Limit: engine.Limit{UntilDeadline: true},
				Acts: []engine.Act{engine.ActReport, engine.ActEvidence}, ReturnTo: []engine.StageID{"plan"}},
		},
		Transitions: []engine.Transition{
			{ID: "start", Name: engine.Text{ZH: "启动", EN: "start"}, From: []engine.StageID{"plan"}, To: "work", Trigger: engine.OnSubmit,
				Submit:  []engine.Role{engine.Owner},
				Approve: engine.Approvals{Steps: []engine.ApprovalStep{{Roles: []engine.Role{engine.Supervisor}, Count: 1}}}},
			{ID: "close", Name: engine.Text{ZH: "销号", EN: "close out"}, From: []engine.StageID{"work"}, To: engine.Closed, Trigger: engine.OnSubmit,
				Submit:  []engine.Role{engine.Owner},
				Approve: engine.Approvals{Steps: []engine.ApprovalStep{{Roles: []engine.Role{engine.Supervisor}, Count: 1}}},
				Require: []engine.Requirement{{ID: "evidence", Rule: "Evidence >= 1",
					Message: engine.Text{ZH: "还没有佐证材料", EN: "There is no evidence"}, Steady: true}}},
		}}
	if diff := cmp.Diff(want, w); diff != "" {
		t.Errorf("workflow (-want +got):\n%s", diff)
	}
	for evidence, want := range map[int]bool{0: false, 1: true} {
		if got, err := met(engine.Facts{Evidence: evidence}); got != want || err != nil {
			t.Errorf("rule with %d pieces: %v, %v", evidence, got, err)
		}
	}
}

func TestLoad(t *testing.T) {
	small := readFile(t, "testdata/good/small.yaml")
	second := bytes.Replace(small, []byte("version: 1"), []byte("version: 2"), 1)
	list, err := Load(fstest.MapFS{"b.yaml": {Data: small}, "a.yml": {Data: second}, "README.md": {Data: []byte("#")}, "d/c.yaml": {Data: []byte(":")}})
	if err != nil || len(list) != 2 || list[0].Version != 1 || list[1].Version != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	broken := bytes.Replace(second, []byte("10wd"), []byte("soon"), 1)
	list, err = Load(fstest.MapFS{"a.yaml": {Data: broken}, "b.yaml": {Data: small}, "c.yaml": {Data: small}, "d.yaml": {Data: nil},
		"e.yaml": {Data: bytes.Repeat([]byte("#\n"), MaxSize)}})
	if list != nil {
		t.Error("half of it was loaded")
	}
	want := `a.yaml:9: a stage's limit is written “10wd” (working days, from 1) or “deadline”
c.yaml:1: version 1 of small is already defined in b.yaml
d.yaml:1: the file is empty
e.yaml:1: the file is larger than 256 KiB`
	if diff := cmp.Diff(want, mistakes(t, err).Error()); diff != "" {
		t.Errorf("mistakes (-want +got):\n%s", diff)
	}
	if _, err := Load(os.DirFS(filepath.Join(t.TempDir(), "absent"))); err == nil {
		t.Error("a folder that does not exist was loaded")
	}
}

// Whatever happens to a definition on its way, reading it answers: a workflow that is valid, or mistakes with
// places in the file and sentences.
func TestParseSurvivesMutations(t *testing.T) {
	base, _ := Source("shishi")
	lines := bytes.SplitAfter(base, []byte("\n"))
	scraps := []string{"", "*a", "&a", "!!int", "[", "]", "{", "}", ":", "- ", "? ", "|", ">", "'", "\"", "\t", "\x00", "\xff", "~", "9999999999",
		"-1", "closed", "previous", "plan", "Note + Note", "now()", "<<: ", "---\n", "...\n", "%YAML 9.9\n", "\n", "zh", "# "}
	rapid.Check(t, func(t *rapid.T) {
		source := bytes.Clone(base)
		for range rapid.IntRange(1, 6).Draw(t, "mutations") {
			at := rapid.IntRange(0, len(source)).Draw(t, "at")
			to := min(len(source), at+rapid.IntRange(0, 40).Draw(t, "cut"))
			scrap := []byte(rapid.SampledFrom(scraps).Draw(t, "scrap"))
			if rapid.Bool().Draw(t, "line") {
				scrap = rapid.SampledFrom(lines).Draw(t, "line text")
			}
			source = bytes.Join([][]byte{source[:at], scrap, source[to:]}, nil)
		}
		w, err := Parse("x.yaml", source)
		if err == nil {
			if problems := w.Validate(); len(problems) > 0 {
				t.Fatalf("taken with %v", problems)
			}
			return
		}
		last := bytes.Count(source, []byte("\n")) + 1
		ms, ok := errors.AsType[Mistakes](err)
		if !ok {
			t.Fatalf("error is %T", err)
		}
		for _, m := range ms {
			if m.Line < 1 || m.Line > last+1 || !message.Has(m.Key) { // YAML reports an unfinished end one line on
				t.Fatalf("%+v in %d lines", m, last)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, id := range []string{"shishi", "shuji"} {
		b, _ := Source(id)
		f.Add(b)
	}
	bad, _ := filepath.Glob("testdata/bad/*.yaml")
	for _, path := range bad {
		f.Add(readFile(f, path))
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		if w, err := Parse("x.yaml", source); (w == nil) == (err == nil) {
			t.Fatalf("%v and %v", w, err)
		}
	})
}

// Every sentence that validation can need is in the catalogue, and this package's too.
func TestEveryKeyHasASentence(t *testing.T) {
	key := regexp.MustCompile(`"(workflow\.[a-z_.]*[a-z])"`)
	own, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, path := range append(own, filepath.Join("..", "engine", "validate.go")) {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		for _, m := range key.FindAllSubmatch(readFile(t, path), -1) {
			n++
			if !message.Has(string(m[1])) {
				t.Errorf("%s: no sentence for %s", path, m[1])
			}
		}
	}
	if n < 60 {
		t.Errorf("only %d keys found", n)
	}
	for _, f := range []form{aText, aNumber, aFlag, aList, aMap, nothing, tagged} {
		if !message.Has("workflow.form." + string(f)) {
			t.Errorf("no name for %s", f)
		}
	}
	for _, trigger := range []engine.Trigger{engine.OnVerifyPassed, engine.OnVerifyFailed, engine.OnRule} {
		if !message.Has("workflow.graph.trigger." + string(trigger)) {
			t.Errorf("no label for %s", trigger)
		}
	}
}

// The sentences about unknown words list the words that there are.
func TestSentencesListTheWords(t *testing.T) {
	words := map[string][]string{
		"workflow.unknown_trigger": {string(engine.OnSubmit), string(engine.OnVerifyPassed), string(engine.OnVerifyFailed), string(engine.OnRule)},
		"workflow.unknown_anchor":  {string(engine.AtDeadline), string(engine.AtEntered), string(engine.AtStageDue), string(engine.AtSubmitted)},
		"workflow.unknown_level":   {string(engine.Near), string(engine.Top)},
	}
	for _, a := range engine.Acts {
		words["workflow.unknown_act"] = append(words["workflow.unknown_act"], string(a))
	}
	for _, r := range engine.Rungs {
		words["workflow.unknown_rung"] = append(words["workflow.unknown_rung"], string(r))
	}
	for _, r := range append(engine.Relations[:len(engine.Relations):len(engine.Relations)], engine.Secretary, engine.Supervisor, engine.Leader) {
		words["workflow.unknown_role"] = append(words["workflow.unknown_role"], string(r))
	}
	for key, list := range words {
		for _, lang := range message.Languages {
			for _, w := range list {
				if s := message.Text(lang, key, nil); !strings.Contains(s, w) {
					t.Errorf("%s in %s does not name %s: %s", key, lang, w, s)
				}
			}
		}
	}
}
