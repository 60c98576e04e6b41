package engine_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

// people is everybody who takes part in random stories: one of each kind, and some who have more than one hat.
var people = []engine.Actor{
	owner, assistant, sponsor, secretary, supervisor, second, leader, inspector, admin, security, nobody,
	holds("u-near", engine.Supervisor, branch), holds("u-leader2", engine.Leader, general), holds("u-cousin", engine.Supervisor, cousin),
	holds("u-both", engine.Supervisor, branch, engine.Leader, committee),
	everything(owner), everything(assistant), everything(secretary), everything(supervisor), everything(nobody),
}

// deputies is a definition with what the embedded ones lack: several of several, asked together, rules by the clock.
func deputies() *engine.Workflow {
	return small(func(w *engine.Workflow) {
		name := engine.Text{ZH: "试", EN: "try"}
		w.Stages[1].Restart = true
		w.Stages[1].Limit = engine.Limit{UntilDeadline: true}
		w.Stages = append(w.Stages, engine.Stage{ID: "rest", Name: name, Limit: engine.Limit{Workdays: 3},
			Acts: []engine.Act{engine.ActReport, engine.ActVerify, engine.ActExtend}, ReturnTo: []engine.StageID{"plan", "work"}})
		w.Transitions[1].Approve.Steps = []engine.ApprovalStep{
			{Roles: []engine.Role{engine.Supervisor}, Count: 2}, {Roles: []engine.Role{engine.Leader, engine.Secretary}, Count: 1}}
		counted := rule("days", func(f engine.Facts) bool { return f.WorkdaysInStage >= 4 })
		counted.Rule = "WorkdaysInStage >= 4"
		w.Transitions = append(w.Transitions,
			engine.Transition{ID: "rest", Name: name, From: []engine.StageID{"work"}, To: "rest", Trigger: engine.OnRule, Require: []engine.Requirement{
				counted, steady("reported", func(f engine.Facts) bool { return f.Progress >= 50 })}},
			engine.Transition{ID: "back", Name: name, From: []engine.StageID{"rest"}, To: "work", Trigger: engine.OnRule, Require: []engine.Requirement{counted}},
			engine.Transition{ID: "done", Name: name, From: []engine.StageID{"rest"}, To: engine.Closed, Trigger: engine.OnVerifyPassed},
			engine.Transition{ID: "failed", Name: name, From: []engine.StageID{"rest"}, To: "plan", Trigger: engine.OnVerifyFailed},
			engine.Transition{ID: "shelve", Name: name, From: []engine.StageID{"work", "rest"}, To: engine.Shelved, Trigger: engine.OnSubmit, Submit: []engine.Role{engine.Supervisor}},
			engine.Transition{ID: "resume", Name: name, From: []engine.StageID{engine.Shelved}, To: engine.Previous, Trigger: engine.OnSubmit, Submit: []engine.Role{engine.Owner}},
			engine.Transition{ID: "reopen", Name: name, From: []engine.StageID{engine.Closed}, To: "work", Trigger: engine.OnSubmit, Submit: []engine.Role{engine.Supervisor}},
		)
		timer := func(id engine.TimerID, stage engine.StageID, a engine.Anchor, o engine.Offset, when *engine.Requirement) {
			w.Timers = append(w.Timers, engine.Timer{ID: id, Stage: stage, Anchor: a, Offset: o, When: when, Rung: engine.Remind,
				To: []engine.Role{engine.Owner, engine.Supervisor}})
		}
		slow := rule("slow", func(f engine.Facts) bool { return f.Progress < 20 && f.DaysLeft < 10 })
		timer("before", "", engine.AtDeadline, engine.Offset{Workdays: -3}, nil)
		timer("after", "", engine.AtDeadline, engine.Offset{Days: 2}, nil)
		timer("entered", "work", engine.AtEntered, engine.Offset{Days: 1}, &slow)
		timer("due", "", engine.AtStageDue, engine.Offset{Workdays: -1}, nil)
		timer("asked", "", engine.AtSubmitted, engine.Offset{Workdays: 2}, nil)
		w.Lights = engine.Lights{Yellow: engine.Threshold{Left: 40, Behind: 15}, Orange: engine.Threshold{Left: 20}, Red: engine.Threshold{Behind: 35}}
	})
}

// anyCommand draws a command, mostly one that could make sense.
func anyCommand(t *rapid.T, s *story, who engine.Actor) engine.Command {
	note := rapid.SampledFrom([]string{"", "请予审批", "好", "理由 <充分> & \"属实\"\n第二行"}).Draw(t, "note")
	anyOf := func(keys []string) string { return rapid.SampledFrom(append(keys, "x9")).Draw(t, "id") }
	date := func() calendar.Date {
		return calendar.DateOf(s.now, shanghai).AddDays(rapid.IntRange(-20, 120).Draw(t, "days"))
	}
	switch kind := rapid.SampledFrom([]string{"submit", "submit", "approve", "approve", "return", "withdraw", "extend", "edit", "milestone",
		"act", "act", "act", "act", "survey", "verify", "report"}).Draw(t, "kind"); kind {
	case "submit":
		from := s.w.From(s.p.Stage)
		if len(from) == 0 || rapid.IntRange(0, 9).Draw(t, "any") == 0 {
			from = s.w.Transitions
		}
		return engine.Submit{Transition: rapid.SampledFrom(from).Draw(t, "transition").ID, Note: note}
	case "approve":
		return engine.Approve{Note: note}
	case "return":
		to := engine.StageID("")
		if rapid.Bool().Draw(t, "back") {
			to = rapid.SampledFrom(s.w.Stages).Draw(t, "to").ID
		}
		return engine.Return{To: to, Note: note}
	case "withdraw":
		return engine.Withdraw{Note: note}
	case "extend":
		return engine.Extend{Deadline: date(), Note: note}
	case "edit":
		d := engine.DraftOf(&s.p)
		d.Deadline = date()
		d.Need = rapid.StringN(0, 40, -1).Draw(t, "need")
		d.Owner = rapid.SampledFrom([]engine.UserID{owner.ID, supervisor.ID, ""}).Draw(t, "owner")
		return engine.Edit{Draft: d, Note: note}
	case "milestone":
		id := anyOf(slices.Sorted(maps.Keys(s.p.Milestones)))
		return rapid.SampledFrom([]engine.Command{engine.Tick{ID: id, Note: note}, engine.RemoveMilestone{ID: id},
			engine.EditMilestone{ID: id, Milestone: engine.Milestone{Title: "改", Due: date()}},
			engine.LayMilestones{Milestones: []engine.Milestone{{Title: "一", Due: date()}, {Title: "二", Due: date()}}}}).Draw(t, "milestone")
	case "survey":
		n := rapid.IntRange(-1, 30)
		return engine.RecordSurvey{Survey: engine.Survey{VerySatisfied: n.Draw(t, "very"), Dissatisfied: n.Draw(t, "dissatisfied")}, Note: note}
	case "verify":
		return engine.Verify{Passed: rapid.Bool().Draw(t, "passed"), Note: note}
	case "report":
		return engine.Report{Percent: rapid.IntRange(-1, 101).Draw(t, "percent"), Done: note, Problems: note}
	default:
		return sensible(s, who, rapid.SampledFrom(engine.Acts).Draw(t, "act"))
	}
}

// forward does what ordinarily comes next, as far as it is possible, so that random stories get somewhere.
func (s *story) forward() {
	for _, act := range []engine.Act{engine.ActAcknowledge, engine.ActTick, engine.ActReport, engine.ActEvidence, engine.ActSummarize, engine.ActSurvey, engine.ActAnswer, engine.ActVerify} {
		for _, who := range []engine.Actor{owner, second} {
			_, _ = s.try(who, sensible(s, who, act)) // not everything is possible
		}
	}
	if len(s.p.Milestones) == 0 {
		_, _ = s.try(owner, sensible(s, owner, engine.ActMilestones))
	}
	for _, t := range s.w.From(s.p.Stage) {
		if s.p.Request == nil && !t.To.Resting() {
			_, _ = s.try(owner, engine.Submit{Transition: t.ID, Note: "请予审批"})
		}
	}
	for _, who := range []engine.Actor{supervisor, second, leader} {
		_, _ = s.try(who, engine.Approve{})
	}
}

func TestRandomStories(t *testing.T) {
	definitions := map[string]*engine.Workflow{"shishi": embedded(t, "shishi"), "shuji": embedded(t, "shuji"), "deputies": deputies()}
	if bad := definitions["deputies"].Validate(); len(bad) > 0 {
		t.Fatalf("%+v", bad)
	}
	for name, w := range definitions {
		t.Run(name, func(t *testing.T) {
			rounds(t, 8)
			var closed, late, extended int
			rapid.Check(t, func(t *rapid.T) {
				d := draft()
				start := day("2026-01-05").AddDays(rapid.IntRange(0, 330).Draw(t, "start"))
				d.Deadline = start.AddDays(rapid.IntRange(1, 200).Draw(t, "days"))
				s := tell(t, w, start.String()+" 10:00", d)
				if w.ID != "small" { // random steps alone seldom get far
					s.advanceTo(rapid.SampledFrom([]engine.StageID{"plan", "deploy", "advance", "track", "feedback", "effect"}).Draw(t, "from"))
				}
				fired := map[string]bool{}
				t.Repeat(map[string]func(*rapid.T){
					"command": func(t *rapid.T) {
						who := rapid.SampledFrom(people).Draw(t, "who")
						_, _ = s.try(who, anyCommand(t, s, who)) // try checks either outcome
					},
					"forward": func(t *rapid.T) { s.forward() },
					"extend": func(t *rapid.T) {
						if s.p.Request != nil || rapid.Bool().Draw(t, "not now") {
							return
						}
						_, _ = s.try(owner, engine.Extend{Deadline: s.p.Deadline.AddDays(rapid.IntRange(1, 40).Draw(t, "days")), Note: "等材料到货"})
					},
					"time": func(t *rapid.T) {
						s.now = s.now.Add(time.Duration(rapid.IntRange(0, 240*60).Draw(t, "minutes")) * time.Minute)
					},
					"sweep": func(t *rapid.T) {
						for _, e := range s.sweep() {
							if e.Action != "rung" {
								continue
							}
							key := fmt.Sprintf("%s %s", clockLine(t, e), s.p.Deadline)
							if fired[key] {
								t.Fatalf("%s is recorded twice", key)
							}
							fired[key] = true
						}
					},
					"explain": func(t *rapid.T) { s.checkExplain(rapid.SampledFrom(people).Draw(t, "who")) },
				})
				if s.p.Stage == engine.Closed {
					closed++
				}
				if s.p.EverOverdue {
					late++
				}
				extended += s.p.Extensions
			})
			t.Logf("%d closed, %d late, %d extensions", closed, late, extended)
		})
	}
}
