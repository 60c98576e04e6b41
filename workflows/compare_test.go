package workflows

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bihuan/engine"
)

func TestCompare(t *testing.T) {
	base, _ := Source("shishi")
	for _, c := range []struct {
		name, old, new string
		want           []Difference
	}{
		{"nothing", "version: 1", "version: 2", nil},
		{"a comment", "create:", "# who may\ncreate:", nil},
		{"a limit", "limit: 5wd", "limit: deadline", []Difference{{"stages.deploy.limit", "5wd", "deadline"}}},
		{"a limit less", "    limit: 5wd\n", "", []Difference{{"stages.deploy.limit", "5wd", ""}}},
		{"approvers in order", "approve: [supervisor]", "approve: {in_order: true, steps: [supervisor, {roles: [leader], count: 2, at: top}]}",
			[]Difference{{"transitions.deploy.approve", "supervisor", "supervisor → leader ×2 at top"}}},
		{"a rule", "WorkdaysInStage >= 5", "WorkdaysInStage >= 7", []Difference{{"transitions.effect.require.publicity",
			"WorkdaysInStage >= 5 (公示还不满5个工作日 / It has not been public for 5 working days yet)",
			"WorkdaysInStage >= 7 (公示还不满5个工作日 / It has not been public for 5 working days yet)"}}},
		{"a timer less", "  - {id: unanswered, anchor: submitted, offset: 3wd, rung: remind, to: [asked]}\n", "",
			[]Difference{{"timers.unanswered", "submitted 3wd: remind → asked", ""}}},
		{"a stage more", "  - id: track\n    name: {zh: 跟踪", "  - id: rest\n    name: {zh: 歇}\n    limit: 2wd\n    return_to: [plan]\n  - id: track\n    name: {zh: 跟踪",
			[]Difference{
				{"stages", "plan, deploy, advance, track, feedback, effect", "plan, deploy, advance, rest, track, feedback, effect"},
				{"stages.rest", "", "歇"},
			}},
		{"lights", "red: {behind: 30}", "red: {behind: 40}", []Difference{{"lights.red.behind", "30%", "40%"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := strings.Replace(string(base), c.old, c.new, 1)
			if source == string(base) {
				t.Fatal("nothing was replaced")
			}
			// The graph may be unsound: only the reading matters here.
			w, _ := parse("x.yaml", []byte(source))
			if diff := cmp.Diff(c.want, Compare(embeddedWorkflow(t, "shishi"), w)); diff != "" {
				t.Errorf("differences (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever member of a definition changes, at any depth, Compare says so: a member added to engine.Workflow and
// forgotten in describe fails here.
func TestCompareSeesEveryMember(t *testing.T) {
	full := func() *engine.Workflow {
		w := &engine.Workflow{}
		fill(reflect.ValueOf(w).Elem())
		return w
	}
	ignored := []string{"Version", "Digest", "Transitions[0].Require[0].Met", "Transitions[0].Require[0].Steady", "Timers[0].When.Steady", "Transitions[0].Require[0].Uses[0]", "Timers[0].When.Uses[0]",
		"Timers[0].When.ID", "Timers[0].When.Met",
		"Timers[0].When.Name.ZH", "Timers[0].When.Name.EN", "Timers[0].When.Message.ZH", "Timers[0].When.Message.EN"}
	n := 0
	old := full()
	old.Stages[0].Limit.UntilDeadline = false
	leaves(reflect.ValueOf(old).Elem(), "", func(path string, _ reflect.Value) {
		changed := full()
		changed.Stages[0].Limit.UntilDeadline = false // a limit is one or the other
		leaves(reflect.ValueOf(changed).Elem(), "", func(p string, v reflect.Value) {
			if p == path {
				change(v)
			}
		})
		got := Compare(old, changed)
		n++
		if ignore := slices.Contains(ignored, strings.TrimPrefix(path, ".")); ignore != (len(got) == 0) {
			t.Errorf("%s changed: %v", path, got)
		}
	})
	if n < 40 {
		t.Errorf("only %d members looked at", n)
	}
}

// fill gives every member a value that is not zero, one item in each list.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	default:
		change(v)
	}
}

func leaves(v reflect.Value, path string, visit func(path string, v reflect.Value)) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			// An offset has one sort of day.
			if name := v.Type().Field(i).Name; name != "Days" {
				leaves(v.Field(i), path+"."+name, visit)
			}
		}
	case reflect.Slice:
		leaves(v.Index(0), path+"[0]", visit)
	case reflect.Pointer:
		leaves(v.Elem(), path, visit)
	default:
		visit(path, v)
	}
}

func change(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Int:
		v.SetInt(v.Int() + 1)
	case reflect.Bool:
		if v.CanSet() {
			v.SetBool(!v.Bool())
		}
	case reflect.Func:
	default:
		panic("a kind of member that Compare does not know: " + v.Kind().String())
	}
}
