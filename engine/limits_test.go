package engine_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
)

func milestones(n int, title string) engine.LayMilestones {
	var cmd engine.LayMilestones
	for i := range n {
		cmd.Milestones = append(cmd.Milestones, engine.Milestone{Title: fmt.Sprintf("%s%d", title, i), Due: day("2026-11-01")})
	}
	return cmd
}

func TestBadInputIsRefused(t *testing.T) {
	long := func(n int) string { return strings.Repeat("长", n) }
	with := func(change func(*engine.Draft)) engine.Command {
		d := draft()
		change(&d)
		return engine.Edit{Draft: d}
	}
	many := func(n int) map[string]string {
		m := map[string]string{}
		for i := range n {
			m[fmt.Sprint(i)] = "值"
		}
		return m
	}
	for _, c := range []struct {
		name  string
		who   engine.Actor
		cmd   engine.Command
		kind  engine.Kind
		key   string
		field string
	}{
		{"no title", owner, with(func(d *engine.Draft) { d.Title = " \t " }), engine.Invalid, "field.empty", "title"},
		{"a long title", owner, with(func(d *engine.Draft) { d.Title = long(201) }), engine.Invalid, "field.too_long", "title"},
		{"a long need", owner, with(func(d *engine.Draft) { d.Need = long(1501) }), engine.Invalid, "field.too_long", "need"},
		{"broken UTF-8", owner, with(func(d *engine.Draft) { d.Need = "\xff\xfe需求" }), engine.Invalid, "field.not_text", "need"},
		{"a NUL", owner, with(func(d *engine.Draft) { d.Target = "照\x00度" }), engine.Invalid, "field.not_text", "target"},
		{"an escape sequence", owner, with(func(d *engine.Draft) { d.Measures = "\x1b[31m红" }), engine.Invalid, "field.not_text", "measures"},
		{"a NUL in a column", owner, with(func(d *engine.Draft) { d.Extra = map[string]string{"备注": "a\x00"} }), engine.Invalid, "field.not_text", "extra"},
		{"broken UTF-8 in a column's name", owner, with(func(d *engine.Draft) { d.Extra = map[string]string{"\xff": "a"} }), engine.Invalid, "field.not_text", "extra"},
		{"a long column", owner, with(func(d *engine.Draft) { d.Extra = map[string]string{"备注": long(1501)} }), engine.Invalid, "field.too_long", "extra"},
		{"too many columns", owner, with(func(d *engine.Draft) { d.Extra = many(41) }), engine.Invalid, "field.too_many", "extra"},
		{"a NUL in an assisting unit", owner, with(func(d *engine.Draft) { d.Assisting = []string{"后勤\x00处"} }), engine.Invalid, "field.not_text", "assisting"},
		{"too many assisting units", owner, with(func(d *engine.Draft) { d.Assisting = make([]string, 41) }), engine.Invalid, "field.too_many", "assisting"},
		{"too many assistants", owner, with(func(d *engine.Draft) { d.Assistants = make([]engine.UserID, 21) }), engine.Invalid, "field.too_many", "assistants"},
		{"the owner assists", owner, with(func(d *engine.Draft) { d.Assistants = []engine.UserID{owner.ID} }), engine.Invalid, "assistants.owner", "assistants"},
		{"a deadline gone by", owner, with(func(d *engine.Draft) { d.Deadline = day("2026-09-01") }), engine.Invalid, "deadline.past", "deadline"},
		{"a slip in the year", owner, with(func(d *engine.Draft) { d.Deadline = day("2206-11-30") }), engine.Invalid, "deadline.too_far", "deadline"},
		{"a transition that does not exist", owner, engine.Submit{Transition: "fly"}, engine.Invalid, "transition.unknown", "transition"},
		{"a transition from elsewhere", owner, engine.Submit{Transition: "close"}, engine.Blocked, "transition.not_from_here", ""},
		{"a transition that nobody asks for", owner, engine.Submit{Transition: "feedback"}, engine.Blocked, "transition.not_from_here", ""},
		{"a long note", owner, engine.Submit{Transition: "deploy", Note: long(1001)}, engine.Invalid, "field.too_long", "note"},
		{"an answer to nothing", supervisor, engine.Approve{}, engine.Blocked, "request.none", ""},
		{"a withdrawal of nothing", owner, engine.Withdraw{}, engine.Blocked, "request.none", ""},
		{"empty evidence", owner, engine.AddEvidence{Name: "a.jpg"}, engine.Invalid, "evidence.empty", "file"},
		{"evidence without a size", owner, engine.AddEvidence{Name: "a.jpg", SHA256: audit.HashContent(nil)}, engine.Invalid, "evidence.empty", "file"},
		{"evidence without a name", owner, engine.AddEvidence{Size: 1, SHA256: audit.HashContent(nil)}, engine.Invalid, "field.empty", "name"},
		{"evidence of a strange type", owner, engine.AddEvidence{Name: "a", Type: "\x00", Size: 1, SHA256: audit.HashContent(nil)}, engine.Invalid, "field.not_text", "type"},
		{"evidence for no milestone", owner, engine.AddEvidence{Name: "a.jpg", Size: 1, SHA256: audit.HashContent(nil), Milestone: "m9"}, engine.Invalid, "milestone.unknown", "milestone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", draft())
			s.refused(c.who, c.cmd, c.kind, c.key)
			_, err := engine.Decide(s.moment(c.who), s.p, c.cmd)
			if e := asError(t, err); e.Field != c.field {
				t.Errorf("field %q, want %q", e.Field, c.field)
			}
		})
	}
}

func asError(t tester, err error) *engine.Error {
	t.Helper()
	e, ok := err.(*engine.Error)
	if !ok {
		t.Fatalf("%v is not an engine.Error", err)
	}
	return e
}

func TestBadInputAtWork(t *testing.T) {
	t.Parallel()
	open := "o1"
	for _, c := range []struct {
		name string
		who  engine.Actor
		cmd  engine.Command
		kind engine.Kind
		key  string
	}{
		{"less than nothing", owner, engine.Report{Percent: -1, Done: "做了"}, engine.Invalid, "report.percent"},
		{"more than all", owner, engine.Report{Percent: 101, Done: "做了"}, engine.Invalid, "report.percent"},
		{"nothing done", owner, engine.Report{Percent: 50, Next: "再说"}, engine.Invalid, "field.empty"},
		{"no milestones", owner, engine.LayMilestones{}, engine.Invalid, "field.empty"},
		{"a milestone without a day", owner, engine.LayMilestones{Milestones: []engine.Milestone{{Title: "采购"}}}, engine.Invalid, "field.empty"},
		{"a milestone without a title", owner, engine.LayMilestones{Milestones: []engine.Milestone{{Due: day("2026-11-01")}}}, engine.Invalid, "field.empty"},
		{"61 milestones", owner, milestones(61, "步"), engine.Invalid, "milestones.too_many"},
		{"60 wordy milestones at once", owner, milestones(60, strings.Repeat("长", 190)), engine.Invalid, "entry.too_large"},
		{"an unknown milestone ticked", owner, engine.Tick{ID: "m9"}, engine.Blocked, "milestone.none_open"},
		{"an unknown milestone edited", owner, engine.EditMilestone{ID: "m9"}, engine.NotFound, "milestone.unknown"},
		{"an unknown milestone removed", owner, engine.RemoveMilestone{ID: "m9"}, engine.NotFound, "milestone.unknown"},
		{"urging without a reason", supervisor, engine.Urge{Note: "快"}, engine.Invalid, "note.too_short"},
		{"verifying without a word", supervisor, engine.Verify{Passed: true}, engine.Invalid, "note.too_short"},
		{"a survey without votes", supervisor, engine.RecordSurvey{Note: "纸质问卷"}, engine.Invalid, "survey.counts"},
		{"a survey with negative votes", supervisor, engine.RecordSurvey{Survey: engine.Survey{Satisfied: 9, Basic: -1}, Note: "纸质问卷"}, engine.Invalid, "survey.counts"},
		{"a survey of more people than live here", supervisor, engine.RecordSurvey{Survey: engine.Survey{Satisfied: 1_000_001}, Note: "纸质问卷"}, engine.Invalid, "survey.counts"},
		{"a short objection", secretary, engine.Object{Text: "差"}, engine.Invalid, "note.too_short"},
		{"an answer to an unknown objection", owner, engine.Answer{ID: "o9", Text: "做完了的"}, engine.NotFound, "objection.unknown"},
		{"a short answer", owner, engine.Answer{ID: open, Text: "好"}, engine.Invalid, "note.too_short"},
		{"no summary", owner, engine.Summarize{Lasting: "每学期检修"}, engine.Invalid, "field.empty"},
		{"a return without a reason", supervisor, engine.Return{To: "plan"}, engine.Invalid, "note.too_short"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := working(t, small(nil))
			s.does(secretary, engine.Object{Text: "没有做完"})
			s.refused(c.who, c.cmd, c.kind, c.key)
		})
	}
}

func TestDoneIsDone(t *testing.T) {
	s := working(t, small(nil))
	s.does(owner, milestones(2, "步"))
	s.does(owner, engine.Tick{ID: "m1"})
	s.refused(owner, engine.Tick{ID: "m1"}, engine.Blocked, "milestone.done")
	s.refused(owner, engine.EditMilestone{ID: "m1", Milestone: engine.Milestone{Title: "改", Due: day("2026-11-02")}}, engine.Blocked, "milestone.done")
	s.refused(owner, engine.RemoveMilestone{ID: "m1"}, engine.Blocked, "milestone.done")
	s.does(owner, engine.LayMilestones{Milestones: []engine.Milestone{{Title: "早就做完", Due: day("2026-11-02"), DoneAt: &s.now, DoneNote: "真的"}}})
	if s.p.MilestonesDone() != 1 {
		t.Error("a milestone was laid as done")
	}
	s.does(owner, engine.RemoveMilestone{ID: "m2"})
	s.does(owner, milestones(1, "新"))
	if _, ok := s.p.Milestones["m2"]; ok {
		t.Error("a number was given twice")
	}
	s.does(secretary, engine.Object{Text: "没有做完"})
	s.does(owner, engine.Answer{ID: "o5", Text: "做完了的"})
	s.does(secretary, engine.Object{Text: "还有一处"})
	s.refused(owner, engine.Answer{ID: "o5", Text: "真做完了"}, engine.Blocked, "objection.answered")
	s.does(owner, engine.Acknowledge{})
	s.refused(owner, engine.Acknowledge{}, engine.Blocked, "acknowledge.already")
}

func TestUrgingOnceAWorkingDay(t *testing.T) {
	s := working(t, small(nil))
	s.at("2026-10-09 23:00").does(supervisor, engine.Urge{Note: "请抓紧办理"})
	s.at("2026-10-09 23:59").refused(leader, engine.Urge{Note: "请抓紧办理"}, engine.Blocked, "urge.already_today")
	s.at("2026-10-10 00:00").does(leader, engine.Urge{Note: "请抓紧办理"})
	// The Saturday was a working day by the list; the Sunday is not, and belongs to it.
	s.at("2026-10-11 09:00").refused(leader, engine.Urge{Note: "请抓紧办理"}, engine.Blocked, "urge.already_today")
	s.at("2026-10-12 00:00").does(leader, engine.Urge{Note: "请抓紧办理"})
	if s.p.Urges != 3 {
		t.Errorf("%d urges", s.p.Urges)
	}
}

func TestImportedLedgersKeepTheirPast(t *testing.T) {
	d := draft()
	d.Deadline = day("2026-03-31")
	s := untold(t, embedded(t, "shishi"), clockTime("2026-09-24 10:00"))
	s.refused(supervisor, create(d), engine.Invalid, "deadline.past")
	cmd := create(d)
	cmd.SourceKey, cmd.Source = "row", map[string]any{"source": map[string]string{"row": "7"}}
	if e := s.does(engine.Operator(), cmd); e.Action != "import" {
		t.Errorf("action %s", e.Action)
	}
	equalLines(t, "rungs", clockLines(t, s.at("2026-10-20 10:00").sweep()), []string{"2026-04-01 00:00 overdue", "2026-10-13 09:00 rung plan_late"})
	s.does(owner, engine.Edit{Draft: engine.DraftOf(&s.p)}) // an unchanged date is nobody's slip
	s.refused(owner, engine.Submit{Transition: "deploy"}, engine.Blocked, "transition.unmet")
}

// A replica whose clock is slow, or a clock that was set back, must not make the trail run backwards.
func TestTimeNeverRunsBackwards(t *testing.T) {
	s := working(t, small(nil))
	before := s.p.UpdatedAt
	change, err := engine.Decide(func() *engine.Case { c := s.moment(owner); c.Now = before.Add(-time.Second); return c }(), s.p,
		engine.Report{Percent: 1, Done: "做了"})
	if err != nil || !change.Entry.At.Equal(before) || !change.Project.UpdatedAt.Equal(before) || !change.Project.ReportedAt.Equal(before) {
		t.Errorf("%v: entry at %s, updated at %s, want %s", err, change.Entry.At, change.Project.UpdatedAt, before)
	}
	s.take(owner, change)
}

func TestFacts(t *testing.T) {
	var seen engine.Facts
	w := small(func(w *engine.Workflow) {
		w.Transitions[1].Require = []engine.Requirement{rule("look", func(f engine.Facts) bool { seen = f; return true })}
	})
	s := working(t, w)
	s.does(owner, milestones(2, "步"))
	s.does(owner, engine.LayMilestones{Milestones: []engine.Milestone{{Title: "晚", Due: day("2026-12-01")}}})
	s.does(owner, engine.Tick{ID: "m2"})
	s.does(supervisor, engine.RecordSurvey{Survey: engine.Survey{VerySatisfied: 1, Satisfied: 1, Basic: 1, Dissatisfied: 3, VeryDissatisfied: 1}, Note: "纸质问卷"})
	s.does(secretary, engine.Object{Text: "没有做完"})
	s.at("2026-10-12 10:00").does(owner, engine.Submit{Transition: "close", Note: "请批"})
	want := engine.Facts{
		Title: "改造图书馆照明", Need: "阅览座位太暗", Target: "照度达到300勒克斯", Measures: "更换灯具", List: "2026-5", HasOwner: true, HasSponsor: true, Started: true,
		HasDeadline: true, DaysLeft: 49, Milestones: 3, MilestonesDone: 1, RouteGaps: 3, MilestonesLate: 1, WorkdaysInStage: 6,
		Votes: 7, SatisfiedRate: 42, HighlySatisfiedRate: 28, OpenObjections: 1, ObjectionsLate: 1, Note: "请批", Fields: map[string]string{},
	}
	if !reflect.DeepEqual(seen, want) {
		t.Errorf("got  %+v\nwant %+v", seen, want)
	}
	if d := (calendar.Date{}); d.DaysUntil(day("2026-10-12")) != 0 {
		t.Error("no date is some days away")
	}
}
