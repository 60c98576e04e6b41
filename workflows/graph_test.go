package workflows

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"bihuan/engine"
)

func TestGraph(t *testing.T) {
	for _, c := range []struct{ id, lang, file string }{
		{"shishi", "zh-CN", "shishi.mmd"}, {"shishi", "en", "shishi.en.mmd"},
		{"shuji", "zh-CN", "shuji.mmd"}, {"shuji", "en", "shuji.en.mmd"},
	} {
		t.Run(c.file, func(t *testing.T) {
			golden(t, c.file, Graph(embeddedWorkflow(t, c.id), c.lang))
		})
	}
}

// Every stage and transition is drawn, once per stage it leaves, or once from the node that stands for all.
func TestGraphIsComplete(t *testing.T) {
	for _, w := range Embedded() {
		text := Graph(w, "zh-CN")
		for _, s := range w.Stages {
			if n := strings.Count(text, ` as `+node(s.ID)+"\n"); n != 1 {
				t.Errorf("%s: stage %s is named %d times", w.ID, s.ID, n)
			}
		}
		for _, x := range w.Transitions {
			want := len(x.From)
			if want >= len(w.Stages) {
				want -= len(w.Stages) - 1
			}
			if n := strings.Count(text, " : "+x.Name.ZH+"<br/>"); n != want {
				t.Errorf("%s: transition %s is drawn %d times, want %d", w.ID, x.ID, n, want)
			}
		}
	}
}

// A name cannot break out of its label, whatever a site writes into it.
func TestGraphEscapesNames(t *testing.T) {
	line := regexp.MustCompile(`^    (direction TB|state "[^"\n]*" as [a-z_0-9]+|(s_[a-z_0-9]+|any_stage) : [^"<>;\[\]{}]*|\S+ --> \S+( : ([^"<>\[\]{}]|<br/>)*)?)$`)
	shishi := embeddedWorkflow(t, "shishi")
	rapid.Check(t, func(t *rapid.T) {
		nasty := rapid.StringOf(rapid.OneOf(rapid.Rune(), rapid.SampledFrom([]rune("\"#;:<>{}[]()|%&\\`*_~$\n\r\t\u2028- ")))).Draw(t, "name")
		w := *shishi
		w.Stages = append([]engine.Stage(nil), w.Stages...)
		w.Transitions = append([]engine.Transition(nil), w.Transitions...)
		w.Stages[0].Name.ZH, w.Transitions[0].Name.ZH = nasty, nasty
		text := Graph(&w, "zh-CN")
		if got, want := strings.Count(text, "\n"), strings.Count(Graph(shishi, "zh-CN"), "\n"); got != want {
			t.Fatalf("%d lines, want %d", got, want)
		}
		for i, l := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
			if l = entity.ReplaceAllString(l, ""); i > 0 && !line.MatchString(l) {
				t.Fatalf("line %d: %q", i+1, l)
			}
		}
	})
}

var entity = regexp.MustCompile(`#[0-9]+;`)

// Stages whose ids are words of Mermaid's, an automatic transition, steps that are asked together.
func TestGraphOfUnusualDefinitions(t *testing.T) {
	w := &engine.Workflow{ID: "x", Name: engine.Text{ZH: "怪"}, Create: []engine.Role{engine.Secretary},
		Stages: []engine.Stage{{ID: "end", Name: engine.Text{ZH: "一"}}, {ID: "note", Name: engine.Text{ZH: "二"}, ReturnTo: []engine.StageID{"end"}}},
		Transitions: []engine.Transition{
			{ID: "a", Name: engine.Text{ZH: "走"}, From: []engine.StageID{"end"}, To: "note", Trigger: engine.OnSubmit, Submit: []engine.Role{engine.Owner},
				Approve: engine.Approvals{Steps: []engine.ApprovalStep{{Roles: []engine.Role{engine.Supervisor}, Count: 2}, {Roles: []engine.Role{engine.Leader}, Count: 1, At: engine.Top}}}},
			{ID: "b", Name: engine.Text{ZH: "完"}, From: []engine.StageID{"note"}, To: engine.Closed, Trigger: engine.OnRule},
		}}
	want := `stateDiagram-v2
    direction TB
    state "一" as s_end
    state "二" as s_note
    state "已销号" as s_closed
    [*] --> s_end : 支部书记提出
    s_end --> s_note : 走<br/>承办人申请<br/>督导员 ×2 + 党委领导（最高一级）批准
    s_note --> s_closed : 完<br/>条件满足自动转
    s_note --> s_end : 退回
    s_closed --> [*]
`
	if got := Graph(w, "zh-CN"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
