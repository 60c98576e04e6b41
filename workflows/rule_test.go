package workflows

import (
	"runtime"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"

	"bihuan/engine"
)

func scalar(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Line: 1}
}

func TestRules(t *testing.T) {
	f := engine.Facts{Title: "修路", Evidence: 3, Milestones: 4, MilestonesDone: 3, Note: "  四个字啊 ", Category: "民生", DaysLeft: -2}
	for rule, want := range map[string]bool{
		"Evidence >= 3 && !Overdue":                            true,
		"Evidence > 3 or Overdue":                              false,
		"len(trim(Note)) == 4":                                 true, // characters, not bytes
		`Category in ["民生", "党建"]`:                             true,
		`Category not in ["民生", "党建"]`:                         false,
		`Title startsWith "修"`:                                 true,
		"100 * MilestonesDone / Milestones >= 75":              true,
		"Milestones > 0 ? Milestones == MilestonesDone : true": false,
		"abs(DaysLeft) <= 2 and max(Evidence, 5) == 5":         true,
		"DaysLeft < 0":                                         true,
	} {
		program, problems := compile(rule)
		if program == nil {
			t.Errorf("%s: %v", rule, problems)
			continue
		}
		r := reader{lines: map[string]int{}, broken: map[string]bool{}}
		var q engine.Requirement
		r.rule(scalar(rule), "rule", &q)
		if got, err := q.Met(f); got != want || err != nil {
			t.Errorf("%s: %v, %v; want %v", rule, got, err, want)
		}
	}
}

// A rule cannot loop, grow, look at the clock or reach outside the facts: such rules are refused when they are
// read, so the cost of those that remain is their nodes times the longest text.
func TestHostileRulesAreRefused(t *testing.T) {
	for name, rule := range map[string]string{
		"a loop":                 "all(1..1000000, all(1..1000000, # > 0))",
		"a range":                "5 in 1..1000000000",
		"a constant range":       "len(1..100000000) > 1",
		"texts that double":      "let a = Note + Note; let b = a + a; let c = b + b; len(c) > 4",
		"texts put together":     "len(Note + Note + Note) > 4",
		"repetition":             `len(repeat("x", 1000000000)) > 1`,
		"a pattern":              `Note matches "(a{1000}){50}"`,
		"the clock":              "now().Year() > 2020",
		"the whole environment":  `$env["Note"] == ""`,
		"a member":               `Note.Length > 3`,
		"a call":                 `Note.String() == ""`,
		"a pipe into a loop":     `[1, 2, 3] | map(# * 2) | sum() > 3`,
		"text as json":           `fromJSON(Note) == 1`,
		"a slice of text":        `Note[0:2] == "ab"`,
		"a map":                  `{"a": 1}.a == 1`,
		"too many nodes":         strings.Repeat("!", 200) + "Overdue",
		"deep parentheses":       strings.Repeat("(", 240) + "Overdue" + strings.Repeat(")", 240) + strings.Repeat(" ", 100),
		"a sequence":             "Overdue; Overdue",
		"a function of our own?": `system("id") == 0`,
	} {
		t.Run(name, func(t *testing.T) {
			if program, problems := compile(rule); program != nil || len(problems) == 0 {
				t.Errorf("%s was taken", rule)
			}
		})
	}
}

// The most that a rule which is taken can allocate is bounded by its nodes times the longest text.
func TestCostOfTheWorstRule(t *testing.T) {
	nested := "Note"
	for range 40 {
		nested = "upper(" + nested + ")"
	}
	for name, rule := range map[string]string{
		"nested functions": `len(` + nested + `) > 4`,
		"many functions":   strings.TrimSuffix(strings.Repeat("len(upper(Note)) > 4 && ", 19), " && "),
		"many searches":    strings.TrimSuffix(strings.Repeat(`!(Note contains "b") && `, 19), " && "),
	} {
		t.Run(name, func(t *testing.T) {
			if program, problems := compile(rule); program == nil {
				t.Fatalf("%s: %v", rule, problems)
			}
			r := reader{lines: map[string]int{}, broken: map[string]bool{}}
			var q engine.Requirement
			r.rule(scalar(rule), "rule", &q)
			facts := engine.Facts{Note: strings.Repeat("a", 1<<16)}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if got, err := q.Met(facts); !got || err != nil {
				t.Errorf("%v, %v", got, err)
			}
			runtime.ReadMemStats(&after)
			if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(maxNodes*len(facts.Note)*2); got > limit {
				t.Errorf("allocated %d bytes, limit %d", got, limit)
			}
		})
	}
}

func TestRulesAreSafeForConcurrentUse(t *testing.T) {
	x, _ := embeddedWorkflow(t, "shishi").Transition("effect")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 200 {
				for _, q := range x.Require {
					want := q.ID == "objections" || i%2 == 0
					if got, err := q.Met(engine.Facts{WorkdaysInStage: 5, Votes: 20, SatisfiedRate: 85}); i%2 == 0 && (got != want || err != nil) {
						t.Errorf("%s: %v, %v", q.ID, got, err)
					}
					if got, err := q.Met(engine.Facts{}); i%2 == 1 && (got != want || err != nil) {
						t.Errorf("%s: %v, %v", q.ID, got, err)
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestNearest(t *testing.T) {
	for name, want := range map[string]string{
		"Milestone": "Milestones", "evidence": "Evidence", "Acknowledge": "Acknowledged", "Weather": "", "x": "", "": "",
		"MilestoneDone": "MilestonesDone",
	} {
		if got := nearest(name); got != want {
			t.Errorf("nearest(%s) = %q, want %q", name, got, want)
		}
	}
}

func TestSteady(t *testing.T) {
	for rule, want := range map[string]bool{
		`Need != ""`:                         true,
		`Votes >= 20 && SatisfiedRate >= 85`: true,
		`WorkdaysInStage >= 5`:               false,
		`!HasDeadline || DaysLeft > 0`:       false,
		`Note contains "WorkdaysInStage"`:    true,
	} {
		r := newReader("")
		var q engine.Requirement
		if r.rule(scalar(rule), "rule", &q); q.Steady != want {
			t.Errorf("%s: steady %v, want %v", rule, q.Steady, want)
		}
	}
}
