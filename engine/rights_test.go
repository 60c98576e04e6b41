package engine_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"bihuan/engine"
)

// sensible is a command for an act that nothing but rights and stage could stand against.
func sensible(s *story, who engine.Actor, act engine.Act) engine.Command {
	switch act {
	case engine.ActEdit:
		return engine.Edit{Draft: engine.DraftOf(&s.p), Note: "改一改"}
	case engine.ActAcknowledge:
		return engine.Acknowledge{}
	case engine.ActMilestones:
		return engine.LayMilestones{Milestones: []engine.Milestone{{Title: "再加一步", Due: s.p.Deadline}}}
	case engine.ActTick:
		for _, id := range slices.Sorted(maps.Keys(s.p.Milestones)) {
			if s.p.Milestones[id].DoneAt == nil {
				return engine.Tick{ID: id, Note: "做完了"}
			}
		}
		return engine.Tick{ID: "m0"}
	case engine.ActReport:
		return engine.Report{Percent: 50, Done: "做了一半"}
	case engine.ActEvidence:
		return evidence()
	case engine.ActExtend:
		return engine.Extend{Deadline: s.p.Deadline.AddDays(1), Note: "等材料到货"}
	case engine.ActUrge:
		return engine.Urge{Note: "请抓紧办理"}
	case engine.ActVerify:
		return engine.Verify{Passed: true, Note: "现场看过了"}
	case engine.ActSurvey:
		return engine.RecordSurvey{Survey: engine.Survey{Satisfied: 30}, Note: "纸质问卷"}
	case engine.ActObject:
		return engine.Object{Text: "还没有做完"}
	case engine.ActAnswer:
		for _, id := range slices.Sorted(maps.Keys(s.p.Objections)) {
			if o := s.p.Objections[id]; o.AnsweredAt == nil && o.By != who.ID {
				return engine.Answer{ID: id, Text: "已经做完了"}
			}
		}
		return engine.Answer{ID: "o0", Text: "已经做完了"}
	case engine.ActSummarize:
		return engine.Summarize{Summary: "亮了", Lasting: "每学期检修"}
	}
	if act == engine.ActStatement {
		return engine.GiveStatement{Text: "材料到货晚了两周，没有提前申请延期，今后按月检查进度。"}
	}
	if act == "look_back" {
		return engine.InspectAgain{Passed: true, Lasting: true, Note: "抽查正常"}
	}
	if act == "mark" {
		kind := engine.MarkPromote
		if left := s.p.Markable(); len(left) > 0 {
			kind = left[0]
		}
		return engine.Proven(engine.MarkAs{Kind: kind, Note: "值得推广"})
	}
	if act == "unmark" {
		for id, m := range s.p.Marks {
			if m.RevokedAt == nil {
				return engine.RevokeMark{ID: id, Note: "材料有误"}
			}
		}
		return engine.RevokeMark{ID: "k0", Note: "材料有误"}
	}
	if act == "find_false" {
		return engine.Proved(engine.FindFalse{Note: "照片是去年的"})
	}
	if act == "lift_finding" {
		for id, f := range s.p.Findings {
			if f.LiftedAt == nil {
				return engine.LiftFinding{ID: id, Note: "照片日期属实"}
			}
		}
		return engine.LiftFinding{ID: "f0", Note: "照片日期属实"}
	}
	panic("no command for " + string(act))
}

// cast is one person of each kind.
var cast = map[string]engine.Actor{
	"owner": owner, "assistant": assistant, "sponsor": sponsor, "secretary": secretary, "supervisor": supervisor,
	"leader": leader, "inspector": inspector, "admin": admin, "security": security, "nobody": nobody,
	"operator": engine.Operator(), "clock": engine.ClockActor(),
}

// mayAct says who may do what: the inspector and the two administrators decide nothing and change
// nothing, the people of the project do the work, supervisors and leaders watch over it.
var mayAct = map[engine.Act][]string{
	engine.ActEdit:        {"owner", "assistant", "secretary", "supervisor"},
	engine.ActAcknowledge: {"owner"},
	engine.ActMilestones:  {"owner", "assistant"},
	engine.ActTick:        {"owner", "assistant"},
	engine.ActReport:      {"owner", "assistant"},
	engine.ActEvidence:    {"owner", "assistant", "sponsor", "supervisor"},
	engine.ActExtend:      {"owner", "assistant"},
	engine.ActUrge:        {"supervisor", "leader", "sponsor"},
	engine.ActVerify:      {"supervisor"},
	engine.ActSurvey:      {"supervisor"},
	engine.ActObject:      {"owner", "assistant", "sponsor", "secretary", "supervisor", "leader"},
	engine.ActAnswer:      {"owner", "assistant", "supervisor"},
	engine.ActSummarize:   {"owner", "assistant"},
	engine.ActStatement:   {"owner", "secretary"},
}

// timeFor says in which stages of a 实事项目 an act has its time.
var timeFor = map[engine.Act][]engine.StageID{
	engine.ActEdit:        {"plan"},
	engine.ActAcknowledge: {"deploy"},
	engine.ActMilestones:  {"deploy", "advance"},
	engine.ActTick:        {"advance"},
	engine.ActReport:      {"advance", "track", "feedback"},
	engine.ActEvidence:    {"plan", "deploy", "advance", "track", "feedback", "effect"},
	engine.ActExtend:      {"deploy", "advance", "track", "feedback", "effect"},
	engine.ActUrge:        {"deploy", "advance", "track", "feedback", "effect"},
	engine.ActVerify:      {"track"},
	engine.ActSurvey:      {"feedback"},
	engine.ActObject:      {"feedback", "effect"},
	engine.ActAnswer:      {"feedback", "effect"},
	engine.ActSummarize:   {"effect"},
	engine.ActStatement:   {}, // 书记项目 alone asks for one
}

func TestEveryActByEverybodyInEveryStage(t *testing.T) {
	t.Parallel()
	w := embedded(t, "shishi")
	for _, stage := range []engine.StageID{"plan", "deploy", "advance", "track", "feedback", "effect", engine.Closed, engine.Shelved, engine.Cancelled} {
		s := tell(t, w, "2026-09-24 10:00", draft())
		switch stage {
		case engine.Shelved, engine.Cancelled:
			s.advanceTo("deploy")
			s.does(owner, evidence())
			s.ask(map[engine.StageID]engine.TransitionID{engine.Shelved: "shelve", engine.Cancelled: "cancel"}[stage])
		default:
			s.advanceTo(stage)
		}
		switch stage {
		case "advance":
			s.does(owner, engine.LayMilestones{Milestones: []engine.Milestone{{Title: "还有一步", Due: day("2026-11-20")}}})
		case "feedback", "effect":
			s.does(also(nobody, engine.Leader, committee), engine.Object{Text: "还没有做完"})
		}
		for _, act := range engine.Acts {
			for name, who := range cast {
				t.Run(fmt.Sprintf("%s %s %s", stage, act, name), func(t *testing.T) {
					_, err := engine.Decide(s.moment(who), s.p, sensible(s, who, act))
					mayEver, now := slices.Contains(mayAct[act], name), slices.Contains(timeFor[act], stage)
					want := engine.Kind(0)
					switch {
					case !mayEver:
						want = engine.Denied
					case !now:
						want = engine.Blocked
					}
					if got := engine.KindOf(err); got != want || err == nil != (want == 0) {
						t.Errorf("kind %d (%v), want %d", got, err, want)
					}
				})
			}
		}
	}
}

func TestWhoMayAskForWhat(t *testing.T) {
	ask := map[engine.TransitionID][]string{
		"deploy":  {"owner", "assistant", "secretary"},
		"advance": {"owner", "assistant"},
		"track":   {"owner", "assistant"},
		"effect":  {"owner", "assistant"},
		"close":   {"owner", "assistant"},
		"redo":    {"supervisor"},
		"shelve":  {"owner", "assistant", "secretary", "supervisor"},
		"cancel":  {"owner", "assistant", "secretary", "supervisor"},
	}
	s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", draft())
	for _, stage := range []engine.StageID{"plan", "deploy", "advance", "track", "feedback", "effect"} {
		s.advanceTo(stage)
		s.ready()
		s.does(owner, evidence())
		if stage == "feedback" {
			s.does(secretary, engine.Object{Text: "没有做完"}) // what a redo is asked for on
		}
		for _, tr := range s.w.From(stage) {
			for name, who := range cast {
				if stage == "feedback" && tr.ID == "effect" {
					continue // the objection stands in its way
				}
				_, err := engine.Decide(s.moment(who), s.p, engine.Submit{Transition: tr.ID, Note: "请予审批"})
				want := slices.Contains(ask[tr.ID], name)
				if tr.Trigger != engine.OnSubmit {
					want = false
				}
				if (err == nil) != want {
					t.Errorf("%s: %s asks for %s: %v, want allowed %v", stage, name, tr.ID, err, want)
				}
			}
		}
		if stage == "feedback" {
			for id := range s.p.Objections {
				s.does(supervisor, engine.Answer{ID: id, Text: "已经做完"})
			}
		}
	}
}

func TestRolesHoldForTheUnitAndEverythingUnderIt(t *testing.T) {
	s := working(t, small(nil))
	for _, c := range []struct {
		name string
		unit engine.Unit
		want bool
	}{
		{"the unit itself", branch, true}, {"its parent", general, true}, {"the root", committee, true},
		{"a unit below", below, false}, {"a cousin whose id begins alike", cousin, false},
		{"a sibling of the parent", sibling, false}, {"another root whose id begins alike", stranger, false},
		{"a grant whose unit is gone", engine.Unit{ID: "x"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			who := holds("u-x", engine.Supervisor, c.unit)
			_, err := engine.Decide(s.moment(who), s.p, engine.Urge{Note: "请抓紧办理"})
			if (err == nil) != c.want || who.Sees(&s.p) != c.want {
				t.Errorf("urge: %v, sees: %v, want %v", err, who.Sees(&s.p), c.want)
			}
			if err != nil && engine.KindOf(err) != engine.Denied {
				t.Errorf("refused with %v, want Denied", err)
			}
			_, err = engine.Decide(untold(t, s.w, s.now).moment(who), engine.Project{}, create(draft()))
			if (err == nil) != c.want {
				t.Errorf("create: %v, want allowed %v", err, c.want)
			}
		})
	}
}

func TestWhoMayPropose(t *testing.T) {
	for kind, want := range map[string][]string{
		"shishi": {"supervisor", "secretary", "operator", "clock"}, // the operator imports; the clock never asks
		"shuji":  {"secretary", "operator", "clock"},
	} {
		for name, who := range cast {
			s := untold(t, embedded(t, kind), clockTime("2026-09-24 10:00"))
			_, err := engine.Decide(s.moment(who), engine.Project{}, create(draft()))
			if (err == nil) != slices.Contains(want, name) {
				t.Errorf("%s by %s: %v", kind, name, err)
			}
		}
	}
}

func TestScope(t *testing.T) {
	for _, c := range []struct {
		name string
		who  engine.Actor
		want []string
	}{
		{"nothing", nobody, nil},
		{"covered by the root", holds("u", engine.Leader, branch, engine.Supervisor, committee, engine.Secretary, general), []string{"/p/"}},
		{"two branches", holds("u", engine.Leader, sibling, engine.Supervisor, general), []string{"/p/z/", "/p/zz/"}},
		{"twice the same", holds("u", engine.Leader, branch, engine.Supervisor, branch), []string{"/p/z/b/"}},
		{"alike is not under", holds("u", engine.Leader, committee, engine.Supervisor, stranger), []string{"/p/", "/pp/"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.who.Scope(); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestPartInAProjectLetsOneSeeIt(t *testing.T) {
	s := working(t, small(nil))
	for _, who := range []engine.Actor{owner, assistant, sponsor} {
		if !who.Sees(&s.p) {
			t.Errorf("%s does not see their own project", who.ID)
		}
	}
	if nobody.Sees(&s.p) || (engine.Actor{}).Sees(&s.p) || (engine.Actor{}).Sees(&engine.Project{}) {
		t.Error("a stranger sees the project")
	}
}
