package engine_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/calendar"
	"bihuan/workflows"
)

// tester is what both *testing.T and *rapid.T are.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

var shanghai = func() *time.Location {
	loc, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		panic(err)
	}
	return loc
}()

var site = engine.Site{Location: shanghai, RemindHour: 9}

// day and clockTime are the civil times that tests are written in.
func day(s string) calendar.Date { return calendar.MustDate(s) }

func clockTime(s string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", s, shanghai)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

func civil(t time.Time) string { return t.In(shanghai).Format("2006-01-02 15:04") }

// The organisation of the tests: a 党委, two 党总支 under it, a branch under the first, and a stranger whose id
// begins like the first one's.
var (
	committee = engine.Unit{ID: "p", Path: "/p/", Name: "党委"}
	general   = engine.Unit{ID: "z", Path: "/p/z/", Name: "第一党总支"}
	branch    = engine.Unit{ID: "b", Path: "/p/z/b/", Name: "第一支部"}
	below     = engine.Unit{ID: "g", Path: "/p/z/b/g/", Name: "党小组"}
	sibling   = engine.Unit{ID: "zz", Path: "/p/zz/", Name: "第二党总支"}
	cousin    = engine.Unit{ID: "bb", Path: "/p/z/bb/", Name: "第二支部"}
	stranger  = engine.Unit{ID: "pp", Path: "/pp/", Name: "别家党委"}
)

func holds(id string, roles ...any) engine.Actor {
	a := engine.Actor{ID: engine.UserID(id), Via: engine.ViaAPI}
	for i := 0; i < len(roles); i += 2 {
		u := roles[i+1].(engine.Unit)
		a.Grants = append(a.Grants, engine.Grant{Role: roles[i].(engine.Role), UnitID: u.ID, Path: u.Path})
	}
	return a
}

// The people of the tests.
var (
	owner      = holds("u-owner")
	assistant  = holds("u-assistant")
	sponsor    = holds("u-sponsor")
	secretary  = holds("u-secretary", engine.Secretary, branch)
	supervisor = holds("u-supervisor", engine.Supervisor, general)
	second     = holds("u-second", engine.Supervisor, committee)
	leader     = holds("u-leader", engine.Leader, committee)
	inspector  = holds("u-inspector", engine.Inspector, committee)
	admin      = holds("u-admin", engine.Admin, committee)
	security   = holds("u-security", engine.Security, committee)
	nobody     = holds("u-nobody")
)

func embedded(t tester, id string) *engine.Workflow {
	t.Helper()
	for _, w := range workflows.Embedded() {
		if w.ID == id {
			return w
		}
	}
	t.Fatalf("no embedded definition %s", id)
	return nil
}

func draft() engine.Draft {
	return engine.Draft{
		Title: "改造图书馆照明", Need: "阅览座位太暗", Target: "照度达到300勒克斯", Measures: "更换灯具", List: "2026-5",
		Owner: owner.ID, Assistants: []engine.UserID{assistant.ID}, Sponsor: sponsor.ID, Deadline: day("2026-11-30"),
	}
}

// story is the life of one project: every step goes through decide and is checked against everything that must
// always hold.
type story struct {
	t         tester
	w         *engine.Workflow
	cal       *calendar.Calendar
	now       time.Time
	p         engine.Project
	chain     *audit.Chain
	entries   []audit.Entry
	reminders []engine.Reminder
	dedupe    map[string]bool
	ids       int
	free      bool // Waiting and NextAt are not followed up, for cases that decide thousands of times
}

// tell begins a story with a project that the supervisor proposed.
func tell(t tester, w *engine.Workflow, start string, d engine.Draft) *story {
	t.Helper()
	s := untold(t, w, clockTime(start))
	who := secretary
	if slices.Contains(w.Create, engine.Supervisor) {
		who = supervisor
	}
	s.does(who, create(d))
	return s
}

func untold(t tester, w *engine.Workflow, now time.Time) *story {
	return &story{t: t, w: w, cal: calendar.Embedded(), now: now, dedupe: map[string]bool{}}
}

func create(d engine.Draft) engine.Create {
	return engine.Create{ID: "0001", Number: "SS2026-0001", Unit: branch, Draft: d}
}

func (s *story) moment(who engine.Actor) *engine.Case {
	return &engine.Case{Workflow: s.w, Calendar: s.cal, Site: site, Now: s.now, Who: who, Log: "test/1", NewID: s.id}
}

func (s *story) id() string {
	s.ids++
	return fmt.Sprintf("id-%06d", s.ids)
}

// try decides and, when it is accepted, takes the change over after checking it. A refusal must leave no trace.
func (s *story) try(who engine.Actor, cmd engine.Command) (engine.Change, error) {
	s.t.Helper()
	cmd = s.whole(who, cmd)
	before, ids := s.p, s.ids
	state := s.stateOf(before)
	change, err := engine.Decide(s.moment(who), s.p, cmd)
	if got := s.stateOf(before); !bytes.Equal(got, state) {
		s.t.Fatalf("decide changed its input:\n got %s\nwant %s", got, state)
	}
	if err != nil {
		return change, err
	}
	if s.ids%3 == 0 { // often enough; deciding is most of what stories cost
		last := s.ids
		s.ids = ids
		again, err := engine.Decide(s.moment(who), s.p, cmd)
		if err != nil || !bytes.Equal(again.Bytes, change.Bytes) || s.ids != last {
			s.t.Fatalf("the same case decided differently: %v\n%s\n%s", err, change.Bytes, again.Bytes)
		}
	}
	s.take(who, change)
	return change, nil
}

// whole completes a yes that leaves open what has to be confirmed and graded with it: stories are rarely about that.
func (s *story) whole(who engine.Actor, cmd engine.Command) engine.Command {
	yes, ok := cmd.(engine.Approve)
	if !ok || yes.Criteria != nil || s.p.Request == nil {
		return cmd
	}
	for _, o := range engine.ExplainCase(s.moment(who), &s.p) {
		if o.Act == "approve" {
			for _, c := range o.Criteria {
				yes.Criteria = append(yes.Criteria, c.ID)
			}
			if len(o.Grades) > 0 {
				yes.Grade = o.Grades[0].ID
			}
		}
	}
	return yes
}

func (s *story) stateOf(p engine.Project) []byte {
	if p.Version == 0 {
		return nil
	}
	return append(p.State(), p.Head.String()...)
}

// does is try for what must be accepted.
func (s *story) does(who engine.Actor, cmd engine.Command) audit.Entry {
	s.t.Helper()
	change, err := s.try(who, cmd)
	if err != nil {
		s.t.Fatalf("%s at %s: %T by %s: %v", s.p.Stage, civil(s.now), cmd, who.ID, err)
	}
	return change.Entry
}

// refused is try for what must not be accepted, for the reason with the key.
func (s *story) refused(who engine.Actor, cmd engine.Command, kind engine.Kind, key string) {
	s.t.Helper()
	_, err := s.try(who, cmd)
	var e *engine.Error
	switch {
	case err == nil:
		s.t.Fatalf("%s: %T by %s was accepted, want %s", s.p.Stage, cmd, who.ID, key)
	case !errors.As(err, &e):
		s.t.Fatalf("%T by %s: %v is not an engine.Error", cmd, who.ID, err)
	case e.Kind != kind || e.Key != key:
		s.t.Errorf("%s: %T by %s: kind %d %s (%v), want kind %d %s", s.p.Stage, cmd, who.ID, e.Kind, e.Key, e, kind, key)
	}
}

// sweep does everything that the clock owes now and returns the entries.
func (s *story) sweep() []audit.Entry {
	s.t.Helper()
	first := len(s.entries)
	for range 9 {
		changes := engine.OwedTo(s.w, s.cal, site, s.now, "test/1", s.id, s.p)
		if len(changes) == 0 {
			if _, err := s.try(engine.ClockActor(), engine.OnClock); !errors.Is(err, engine.NothingOwed) {
				s.t.Fatalf("after a sweep the clock finds more: %v", err)
			}
			return s.entries[first:]
		}
		for _, change := range changes {
			s.take(engine.ClockActor(), change)
		}
	}
	s.t.Fatalf("the clock finds no end at %s", civil(s.now))
	return nil
}

// runTo lets time pass to a moment, sweeping whenever something is owed.
func (s *story) runTo(until time.Time) []audit.Entry {
	s.t.Helper()
	first := len(s.entries)
	for s.p.NextAt != nil && !s.p.NextAt.After(until) {
		if s.now.Before(*s.p.NextAt) {
			s.now = *s.p.NextAt
		}
		if len(s.sweep()) == 0 {
			s.t.Fatalf("next_at is %s, but nothing is owed then", s.p.NextAt)
		}
	}
	s.now = until
	return s.entries[first:]
}

// at moves the clock without sweeping.
func (s *story) at(when string) *story {
	s.now = clockTime(when)
	return s
}

// advanceTo brings a 实事项目 into a stage by the ordinary way, taking no time.
func (s *story) advanceTo(stage engine.StageID) *story {
	s.t.Helper()
	for s.p.Stage != stage {
		s.step()
	}
	return s
}

// step takes the ordinary next stage.
func (s *story) step() {
	s.t.Helper()
	s.ready()
	switch s.p.Stage {
	case "plan":
		s.ask("deploy")
	case "deploy":
		s.ask("advance")
	case "advance":
		s.ask("track")
	case "track":
		s.does(supervisor, engine.Verify{Passed: true, Note: "现场看过了"})
	case "feedback":
		s.ask("effect")
	case "effect":
		s.ask("close")
	default:
		s.t.Fatalf("no ordinary way out of %s", s.p.Stage)
	}
}

// ready does the work of the present stage, so that its ordinary transition can be asked for.
func (s *story) ready() {
	s.t.Helper()
	switch s.p.Stage {
	case "deploy":
		if s.p.AcknowledgedAt == nil && s.w.ID == "shishi" {
			s.does(owner, engine.Acknowledge{})
		}
		if len(s.p.Milestones) == 0 {
			s.does(owner, engine.LayMilestones{Milestones: []engine.Milestone{{Title: "安装完成", Due: s.p.Deadline, Who: "后勤处"}}})
		}
	case "advance":
		if s.p.MilestonesDone() == 0 {
			s.does(owner, engine.Tick{ID: "m1", Note: "装好了"})
		}
		s.does(owner, evidence())
		s.does(owner, engine.Report{Percent: 100, Done: "全部完成"})
	case "feedback":
		s.does(supervisor, engine.RecordSurvey{Survey: engine.Survey{VerySatisfied: 20}, Note: "纸质问卷"})
		if s.w.ID == "shishi" {
			s.now = later(s.now, s.p.StageSince.AddDate(0, 0, 21))
			s.sweep()
		} else {
			s.does(owner, engine.Summarize{Summary: "亮了", Lasting: "每学期检修"})
		}
	case "effect":
		s.does(owner, engine.Summarize{Summary: "亮了", Lasting: "每学期检修"})
	}
}

// ask submits as the owner and gets every approval that the transition needs.
func (s *story) ask(t engine.TransitionID) {
	s.t.Helper()
	s.does(owner, engine.Submit{Transition: t, Note: "请予审批"})
	s.approved()
}

// approved gives the pending request every yes that it needs.
func (s *story) approved() {
	s.t.Helper()
	for range 9 {
		if s.p.Request == nil {
			return
		}
		done := false
		for _, who := range []engine.Actor{supervisor, second, leader} {
			if _, err := s.try(who, engine.Approve{Note: "同意"}); err == nil {
				done = true
				break
			}
		}
		if !done {
			break
		}
	}
	if s.p.Request != nil {
		s.t.Fatalf("nobody can approve %+v", s.p.Request)
	}
}

func evidence() engine.AddEvidence {
	return engine.AddEvidence{Name: "照片.jpg", Type: "image/jpeg", Size: 3, SHA256: audit.HashContent([]byte("abc"))}
}

// rounds sets how often the properties of a test are tried, unless the command line says so.
func rounds(t *testing.T, n int) {
	t.Helper()
	f := flag.Lookup("rapid.checks")
	if f.Value.String() != f.DefValue {
		return
	}
	if err := f.Value.Set(strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Value.Set(f.DefValue) })
}

func actions(list []audit.Entry) string {
	var out []string
	for _, e := range list {
		out = append(out, e.Action)
	}
	return strings.Join(out, " ")
}

func TestFixturesAreWhatTheySay(t *testing.T) {
	if engine.Under(stranger.Path, committee.Path) || !engine.Under(branch.Path, general.Path) {
		t.Fatal("the units of the tests lie elsewhere than their comments say")
	}
}
