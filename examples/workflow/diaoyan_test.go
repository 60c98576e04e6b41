package workflow

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"bihuan/engine"
	"bihuan/workflows"
)

// The example loads with everything else in its folder, each of its stages can be reached and leads to 销号, and
// it shows what its description promises.
func TestDiaoyan(t *testing.T) {
	list, err := workflows.Load(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].ID != "diaoyan" {
		t.Fatalf("definitions: %v", list)
	}
	w := list[0]
	reached := walk(w, w.Initial())
	for _, s := range w.Stages {
		if !reached[s.ID] {
			t.Errorf("%s cannot be reached", s.ID)
		}
		if !walk(w, s.ID)[engine.Closed] {
			t.Errorf("no way from %s to 销号", s.ID)
		}
	}
	i := slices.IndexFunc(w.Transitions, func(x engine.Transition) bool { return x.To == engine.Closed })
	closing := w.Transitions[i]
	if closing.Trigger != engine.OnRule {
		t.Errorf("closed by %s, want the rule", closing.Trigger)
	}
	good := engine.Facts{WorkdaysInStage: 5, Summary: "摘要", Verified: true}
	for name, c := range map[string]struct {
		facts engine.Facts
		want  bool
	}{
		"all holds":         {good, true},
		"public for 4 days": {with(good, func(f *engine.Facts) { f.WorkdaysInStage = 4 }), false},
		"open objection":    {with(good, func(f *engine.Facts) { f.OpenObjections = 1 }), false},
		"no summary":        {with(good, func(f *engine.Facts) { f.Summary = "" }), false},
	} {
		holds := true
		for _, q := range closing.Require {
			met, err := q.Met(c.facts)
			if err != nil {
				t.Fatal(err)
			}
			holds = holds && met
		}
		if holds != c.want {
			t.Errorf("%s: closed out is %v, want %v", name, holds, c.want)
		}
	}
}

// The list of names in the README is the vocabulary, no more and no less.
func TestReadmeNamesEveryFact(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(readme), "names that rules may use: `")
	names, _, _ := strings.Cut(after, "`")
	var want []string
	for f := range reflect.TypeFor[engine.Facts]().NumField() {
		want = append(want, reflect.TypeFor[engine.Facts]().Field(f).Name)
	}
	if got := strings.Fields(names); !slices.Equal(got, want) {
		t.Errorf("README lists %v, facts are %v", got, want)
	}
}

func with(f engine.Facts, change func(*engine.Facts)) engine.Facts {
	change(&f)
	return f
}

func walk(w *engine.Workflow, from engine.StageID) map[engine.StageID]bool {
	seen := map[engine.StageID]bool{from: true}
	for todo := []engine.StageID{from}; len(todo) > 0; todo = todo[1:] {
		for _, x := range w.From(todo[0]) {
			if x.To != engine.Previous && !seen[x.To] {
				seen[x.To] = true
				todo = append(todo, x.To)
			}
		}
	}
	return seen
}
