package workflows

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bihuan/engine"
)

func embeddedWorkflow(t testing.TB, id string) *engine.Workflow {
	t.Helper()
	for _, w := range Embedded() {
		if w.ID == id {
			return w
		}
	}
	t.Fatalf("no definition %s", id)
	return nil
}

func TestEmbedded(t *testing.T) {
	var ids []string
	for _, w := range Embedded() {
		ids = append(ids, w.ID)
		if core := w.ID == "shishi" || w.ID == "shuji"; w.Off == core {
			t.Errorf("%s: off is %v", w.ID, w.Off)
		}
		source, ok := Source(w.ID)
		again, err := Parse(w.ID+".yaml", source)
		if !ok || err != nil || again.Digest != w.Digest {
			t.Errorf("%s: source %v, %v", w.ID, ok, err)
		}
	}
	if want := []string{"banzhuren", "jiedui", "keti", "pinpai", "shifan", "shishi", "shuji", "xingdong"}; !slices.Equal(ids, want) {
		t.Errorf("embedded %v, want %v", ids, want)
	}
	if _, ok := Source("absent"); ok {
		t.Error("there is a source for a definition that does not exist")
	}
}

// From each stage, and from 挂账, there is a way to 销号 without being sent back; the six stages are those of the
// domain, in their order; whoever reads a definition in English finds everything named.
func TestEmbeddedLoops(t *testing.T) {
	for _, w := range Embedded() {
		t.Run(w.ID, func(t *testing.T) {
			var stages []engine.StageID
			for i, s := range w.Stages {
				stages = append(stages, s.ID)
				if s.Name.ZH == "" || s.Name.EN == "" || s.Limit == (engine.Limit{}) {
					t.Errorf("%s: name %v, limit %v", s.ID, s.Name, s.Limit)
				}
				if len(s.ReturnTo) != i {
					t.Errorf("%s can be returned to %v, want all %d earlier stages", s.ID, s.ReturnTo, i)
				}
				if !slices.Contains(s.Acts, engine.ActEvidence) {
					t.Errorf("%s: 挂账 needs evidence, which cannot be added there", s.ID)
				}
				if !reaches(w, s.ID, engine.Closed) {
					t.Errorf("no way from %s to 销号", s.ID)
				}
				for _, beside := range []engine.StageID{engine.Shelved, engine.Cancelled} {
					if !slices.ContainsFunc(w.From(s.ID), func(x engine.Transition) bool { return x.To == beside }) {
						t.Errorf("no way from %s to %s", s.ID, beside)
					}
				}
			}
			if want := []engine.StageID{"plan", "deploy", "advance", "track", "feedback", "effect"}; !slices.Equal(stages, want) {
				t.Errorf("stages %v, want %v", stages, want)
			}
			for _, x := range w.Transitions {
				if x.Name.EN == "" {
					t.Errorf("%s has no English name", x.ID)
				}
				for _, q := range x.Require {
					if q.Message.EN == "" || q.Name.ZH == "" || q.Name.EN == "" {
						t.Errorf("%s.%s lacks a sentence: %v, %v", x.ID, q.ID, q.Name, q.Message)
					}
				}
			}
		})
	}
}

// reaches walks forward transitions; previous leads wherever 挂账 can be entered from.
func reaches(w *engine.Workflow, from, to engine.StageID) bool {
	seen := map[engine.StageID]bool{from: true}
	for todo := []engine.StageID{from}; len(todo) > 0; todo = todo[1:] {
		if todo[0] == to {
			return true
		}
		for _, x := range w.From(todo[0]) {
			if !x.To.Resting() && x.To != engine.Previous || x.To == to {
				if !seen[x.To] {
					seen[x.To] = true
					todo = append(todo, x.To)
				}
			}
		}
	}
	return false
}

type row struct{ From, To, Trigger, Submit, Approve string }

const everyStage = "plan, deploy, advance, track, feedback, effect"

// Who asks for each transition and who approves it.
func TestEmbeddedRoles(t *testing.T) {
	const (
		work  = "owner, assistant"
		all   = "owner, assistant, secretary, supervisor"
		tiers = "supervisor at near → supervisor/leader at top"
		top   = "supervisor at near → leader at top"
	)
	for id, want := range map[string]map[string]row{
		"shishi": {
			"deploy":   {"plan", "deploy", "submit", "owner, assistant, secretary", "supervisor"},
			"advance":  {"deploy", "advance", "submit", work, "supervisor"},
			"track":    {"advance", "track", "submit", work, "supervisor"},
			"feedback": {"track", "feedback", "verify_passed", "", ""},
			"rework":   {"track", "advance", "verify_failed", "", ""},
			"effect":   {"feedback", "effect", "submit", work, "supervisor"},
			"redo":     {"feedback", "advance", "submit", "supervisor", ""},
			"close":    {"effect", "closed", "submit", work, "supervisor → leader"},
			"shelve":   {everyStage, "shelved", "submit", all, "leader"},
			"resume":   {"shelved", "previous", "submit", all, "leader"},
			"cancel":   {everyStage + ", shelved", "cancelled", "submit", all, "leader"},
		},
		"shuji": {
			"deploy":   {"plan", "deploy", "submit", "owner, secretary", tiers},
			"advance":  {"deploy", "advance", "submit", "owner, secretary", tiers},
			"track":    {"advance", "track", "submit", "owner, secretary", tiers},
			"feedback": {"track", "feedback", "verify_passed", "", ""},
			"rework":   {"track", "advance", "verify_failed", "", ""},
			"effect":   {"feedback", "effect", "submit", "owner, secretary", tiers},
			"redo":     {"feedback", "advance", "submit", "supervisor", ""},
			"close":    {"effect", "closed", "submit", "owner, secretary", top},
			"shelve":   {everyStage, "shelved", "submit", "owner, secretary, supervisor", top},
			"resume":   {"shelved", "previous", "submit", "owner, secretary, supervisor", "leader at top"},
			"cancel":   {everyStage + ", shelved", "cancelled", "submit", "owner, secretary, supervisor", top},
		},
	} {
		t.Run(id, func(t *testing.T) {
			got := map[string]row{}
			for _, x := range embeddedWorkflow(t, id).Transitions {
				between := " + "
				if x.Approve.InOrder {
					between = " → "
				}
				got[string(x.ID)] = row{list(x.From), string(x.To), string(x.Trigger), list(x.Submit), steps(x.Approve.Steps, between)}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("transitions (-want +got):\n%s", diff)
			}
		})
	}
}

// Each requirement stands for one thing: with everything in order all hold, and taking one thing away leaves
// exactly the requirement about it unmet.
func TestEmbeddedRequirements(t *testing.T) {
	good := map[string]engine.Facts{
		"deploy":  {Need: "n", Target: "t", Measures: "m", HasOwner: true, HasSponsor: true, HasDeadline: true, DaysLeft: 60, List: "2026-6"},
		"advance": {Acknowledged: true, Milestones: 2},
		"track":   {Milestones: 2, MilestonesDone: 2, Evidence: 1, Reports: 1},
		"effect":  {Milestones: 2, MilestonesDone: 2, WorkdaysInStage: 5, Votes: 20, SatisfiedRate: 85, Summary: "s"},
		"redo":    {Votes: 20, SatisfiedRate: 84, Note: "评议没有通过"},
		"close":   {Summary: "s", Lasting: "l", Verified: true, Evidence: 1, Votes: 20, SatisfiedRate: 85},
		"shelve":  {Note: "等待拨款", Evidence: 1},
		"cancel":  {Note: "政策变化", Evidence: 1},
	}
	for _, c := range []struct {
		name, workflow, transition string
		spoil                      func(*engine.Facts)
		unmet                      string
	}{
		{"no need", "shishi", "deploy", func(f *engine.Facts) { f.Need = "" }, "need"},
		{"no target", "shishi", "deploy", func(f *engine.Facts) { f.Target = "" }, "target"},
		{"no measures", "shishi", "deploy", func(f *engine.Facts) { f.Measures = "" }, "measures"},
		{"no owner", "shishi", "deploy", func(f *engine.Facts) { f.HasOwner = false }, "owner"},
		{"no sponsor", "shishi", "deploy", func(f *engine.Facts) { f.HasSponsor = false }, "sponsor"},
		{"no deadline", "shishi", "deploy", func(f *engine.Facts) { f.HasDeadline, f.DaysLeft = false, 0 }, "deadline"},
		{"deadline today", "shishi", "deploy", func(f *engine.Facts) { f.DaysLeft = 0 }, "ahead"},
		{"deadline past", "shishi", "deploy", func(f *engine.Facts) { f.DaysLeft = -3 }, "ahead"},
		{"sent back after its deadline", "shishi", "deploy", func(f *engine.Facts) { f.Started, f.DaysLeft = true, -3 }, ""},
		{"on no list", "shishi", "deploy", func(f *engine.Facts) { f.List = "" }, "list"},
		{"not acknowledged", "shishi", "advance", func(f *engine.Facts) { f.Acknowledged = false }, "acknowledged"},
		{"no milestone", "shishi", "advance", func(f *engine.Facts) { f.Milestones = 0 }, "milestones"},
		{"a milestone after the deadline", "shishi", "advance", func(f *engine.Facts) { f.MilestonesLate = 1 }, "milestones_in_time"},
		{"one milestone open", "shishi", "track", func(f *engine.Facts) { f.MilestonesDone = 1 }, "milestones_done"},
		{"milestones deleted", "shishi", "track", func(f *engine.Facts) { f.Milestones, f.MilestonesDone = 0, 0 }, "milestones_done"},
		{"no evidence", "shishi", "track", func(f *engine.Facts) { f.Evidence = 0 }, "evidence"},
		{"public for four days", "shishi", "effect", func(f *engine.Facts) { f.WorkdaysInStage = 4 }, "publicity"},
		{"an open objection", "shishi", "effect", func(f *engine.Facts) { f.OpenObjections = 1 }, "objections"},
		{"nineteen votes", "shishi", "effect", func(f *engine.Facts) { f.Votes = 19 }, "votes"},
		{"84 percent", "shishi", "effect", func(f *engine.Facts) { f.SatisfiedRate = 84 }, "satisfaction"},
		{"redo of what passed", "shishi", "redo", func(f *engine.Facts) { f.SatisfiedRate = 85 }, "gate_failed"},
		{"redo with too few votes to tell", "shishi", "redo", func(f *engine.Facts) { f.Votes = 19 }, "gate_failed"},
		{"redo without a reason", "shishi", "redo", func(f *engine.Facts) { f.Note = " 不行   " }, "reason"},
		{"close without summary", "shishi", "close", func(f *engine.Facts) { f.Summary = "" }, "summary"},
		{"close without what lasts", "shishi", "close", func(f *engine.Facts) { f.Lasting = "" }, ""},
		{"close unverified", "shishi", "close", func(f *engine.Facts) { f.Verified = false }, "verified"},
		{"close with an objection", "shishi", "close", func(f *engine.Facts) { f.OpenObjections = 2 }, "objections"},
		{"close unsatisfied", "shishi", "close", func(f *engine.Facts) { f.SatisfiedRate = 84 }, "satisfaction"},
		{"close without evidence", "shishi", "close", func(f *engine.Facts) { f.Evidence = 0 }, "evidence"},
		{"shelve with three characters", "shishi", "shelve", func(f *engine.Facts) { f.Note = "等拨款" }, "reason"},
		{"shelve without evidence", "shishi", "shelve", func(f *engine.Facts) { f.Evidence = 0 }, "evidence"},
		{"cancel without a reason", "shishi", "cancel", func(f *engine.Facts) { f.Note = "" }, "reason"},
		{"cancel without evidence", "shishi", "cancel", func(f *engine.Facts) { f.Evidence = 0 }, "evidence"},
		{"书记项目 is on no list", "shuji", "deploy", func(f *engine.Facts) { f.List, f.HasSponsor = "", false }, ""},
		{"no timetable", "shuji", "advance", func(f *engine.Facts) { f.Milestones = 0 }, "milestones route"},
		{"nothing to acknowledge", "shuji", "advance", func(f *engine.Facts) { f.Acknowledged = false }, ""},
		{"no report", "shuji", "track", func(f *engine.Facts) { f.Reports = 0 }, "reported"},
		{"述职 without a text", "shuji", "effect", func(f *engine.Facts) { f.Summary = "" }, "summary"},
		{"nine marks", "shuji", "effect", func(f *engine.Facts) { f.Votes = 9 }, "votes"},
		{"no way said in the route", "shuji", "advance", func(f *engine.Facts) { f.RouteGaps = 1 }, "route"},
		{"not half way at the mid-term check", "shuji", "track", func(f *engine.Facts) { f.Milestones, f.MilestonesDone = 3, 1 }, "half"},
		{"half way is enough for it", "shuji", "track", func(f *engine.Facts) { f.Milestones, f.MilestonesDone = 2, 1 }, ""},
		{"述职 before all is done", "shuji", "effect", func(f *engine.Facts) { f.Milestones, f.MilestonesDone = 2, 1 }, "milestones_done"},
		{"missed and not explained", "shuji", "close", func(f *engine.Facts) { f.EverOverdue = true }, "statement"},
		{"missed and explained", "shuji", "close", func(f *engine.Facts) { f.EverOverdue, f.Statement = true, "晚了" }, ""},
		{"ends without what lasts", "shuji", "close", func(f *engine.Facts) { f.Lasting = "" }, "lasting"},
	} {
		t.Run(c.workflow+" "+c.name, func(t *testing.T) {
			x, ok := embeddedWorkflow(t, c.workflow).Transition(engine.TransitionID(c.transition))
			if !ok {
				t.Fatalf("no transition %s", c.transition)
			}
			facts := good[c.transition]
			if got := unmet(t, x, facts); got != "" {
				t.Errorf("with everything in order %s is unmet", got)
			}
			c.spoil(&facts)
			if got := unmet(t, x, facts); got != c.unmet {
				t.Errorf("unmet %q, want %q", got, c.unmet)
			}
		})
	}
}

func unmet(t *testing.T, x engine.Transition, f engine.Facts) string {
	t.Helper()
	var out []string
	for _, q := range x.Require {
		met, err := q.Met(f)
		if err != nil {
			t.Fatal(err)
		}
		if !met {
			out = append(out, q.ID)
		}
	}
	return strings.Join(out, " ")
}

// The ladder and the two days for 签收.
func TestEmbeddedTimers(t *testing.T) {
	ladder := []string{
		"before3 deadline -3wd remind owner", "before1 deadline -1d remind owner", "after1 deadline 1d urge owner, supervisor",
		"after3 deadline 3wd supervise supervisor, sponsor", "after6 deadline 6wd bulletin leader",
	}
	for _, w := range Embedded() {
		ladder := ladder
		if w.ID == "shuji" { // 书面说明 for a missed term
			ladder = append(slices.Clone(ladder), "statement deadline 5wd urge owner, secretary")
		}
		var got []string
		for _, x := range w.Timers {
			if x.Anchor == engine.AtDeadline {
				got = append(got, strings.Join([]string{string(x.ID), string(x.Anchor), x.Offset.String(), string(x.Rung), list(x.To)}, " "))
			}
		}
		if diff := cmp.Diff(ladder, got); diff != "" {
			t.Errorf("%s: ladder (-want +got):\n%s", w.ID, diff)
		}
		if want := (engine.Lights{Yellow: engine.Threshold{Left: 30, Behind: 10}, Red: engine.Threshold{Behind: 30}}); w.Lights != want {
			t.Errorf("%s: lights %+v, want %+v", w.ID, w.Lights, want)
		}
	}
	timers := embeddedWorkflow(t, "shishi").Timers
	i := slices.IndexFunc(timers, func(x engine.Timer) bool { return x.ID == "acknowledge" })
	if i < 0 || timers[i].Stage != "deploy" || timers[i].Offset != (engine.Offset{Workdays: 2}) {
		t.Fatalf("签收: %+v", timers)
	}
	for acknowledged, want := range map[bool]bool{false: true, true: false} {
		if got, err := timers[i].When.Met(engine.Facts{Acknowledged: acknowledged}); got != want || err != nil {
			t.Errorf("reminded when acknowledged is %v: %v, %v", acknowledged, got, err)
		}
	}
}
