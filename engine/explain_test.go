package engine_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"bihuan/engine"
)

// checkExplain compares what a person is told about every option with what happens when they try it.
func (s *story) checkExplain(who engine.Actor) {
	s.t.Helper()
	options := engine.ExplainCase(s.moment(who), &s.p)
	offered := map[string]bool{}
	for _, o := range options {
		if offered[o.Act+string(o.Transition)] {
			s.t.Fatalf("%s %s is offered twice", o.Act, o.Transition)
		}
		offered[o.Act+string(o.Transition)] = true
		for _, r := range o.Reasons {
			for _, lang := range []string{"zh-CN", "en"} {
				if text := r.In(lang); text == "" || text == r.Key || strings.ContainsAny(text, "{}") {
					s.t.Fatalf("%s %s: reason %s (%s) reads %q", o.Act, o.Transition, r.ID, r.Key, text)
				}
			}
		}
		s.checkOption(who, o)
	}
	for _, act := range engine.Acts {
		if !offered[string(act)] {
			s.mustRefuse(who, sensible(s, who, act))
		}
	}
	for _, t := range s.w.Transitions {
		if !offered["submit"+string(t.ID)] {
			s.mustRefuse(who, engine.Submit{Transition: t.ID, Note: "请予审批"})
		}
	}
	for _, act := range []engine.Command{engine.Approve{}, engine.Withdraw{}} {
		if s.p.Request == nil {
			s.mustRefuse(who, act)
		}
	}
}

// would tries a command without taking it over.
func (s *story) would(who engine.Actor, cmd engine.Command) error {
	ids := s.ids
	_, err := engine.Decide(s.moment(who), s.p, s.whole(who, cmd))
	s.ids = ids
	return err
}

func (s *story) mustRefuse(who engine.Actor, cmd engine.Command) {
	s.t.Helper()
	if err := s.would(who, cmd); err == nil {
		s.t.Fatalf("%s: %+v by %s is accepted, but was not offered", s.p.Stage, cmd, who.ID)
	}
}

func (s *story) checkOption(who engine.Actor, o engine.Option) {
	s.t.Helper()
	var cmd engine.Command
	switch o.Act {
	case "submit":
		cmd = engine.Submit{Transition: o.Transition, Note: "请予审批"}
	case "approve":
		cmd = engine.Approve{}
	case "withdraw":
		cmd = engine.Withdraw{}
	case "return":
		to := engine.StageID("")
		if stage, ok := s.w.Stage(s.p.Stage); ok && s.p.Request == nil {
			to = stage.ReturnTo[0]
		}
		cmd = engine.Return{To: to, Note: "重新来过"}
	default:
		cmd = sensible(s, who, engine.Act(o.Act))
	}
	err := s.would(who, cmd)
	if (err == nil) != o.Allowed {
		s.t.Fatalf("%s: %s %s by %s: told allowed %v, decided %v\n%+v", s.p.Stage, o.Act, o.Transition, who.ID, o.Allowed, err, o.Reasons)
	}
	if err == nil {
		return
	}
	var e *engine.Error
	if !errors.As(err, &e) {
		s.t.Fatalf("%s: %v", o.Act, err)
	}
	first := slices.IndexFunc(o.Reasons, func(r engine.Reason) bool { return !r.Met && !r.Note })
	if first < 0 {
		if o.Trigger == engine.OnVerifyPassed || o.Trigger == engine.OnVerifyFailed || o.Trigger == engine.OnRule {
			return // nobody asks for it
		}
		s.t.Fatalf("%s: %s %s is not allowed for no reason", s.p.Stage, o.Act, o.Transition)
	}
	told := o.Reasons[first]
	for _, lang := range []string{"zh-CN", "en"} {
		said := e.In(lang)
		if e.Key == "transition.unmet" {
			i := slices.IndexFunc(e.Reasons, func(r engine.Reason) bool { return !r.Met })
			said = e.Reasons[i].In(lang)
		}
		if o.Trigger == "" || o.Trigger == engine.OnSubmit {
			if said != told.In(lang) {
				s.t.Fatalf("%s: %s %s by %s: told %q, refused with %q", s.p.Stage, o.Act, o.Transition, who.ID, told.In(lang), said)
			}
		}
	}
}

func TestExplainAgreesWithDecide(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"shishi", "shuji"} {
		for _, stage := range []engine.StageID{"plan", "deploy", "advance", "track", "feedback", "effect", engine.Closed} {
			t.Run(kind+" "+string(stage), func(t *testing.T) {
				s := tell(t, embedded(t, kind), "2026-09-24 10:00", draft()).advanceTo(stage)
				look := func() {
					t.Helper()
					for _, who := range []engine.Actor{owner, assistant, sponsor, secretary, supervisor, second, leader, inspector, everything(owner), engine.Operator()} {
						s.checkExplain(who)
					}
				}
				look()
				if stage == engine.Closed {
					return
				}
				s.ready()
				look()
				s.does(owner, evidence())
				s.does(owner, engine.Submit{Transition: "shelve", Note: "经费未到位"})
				look()
				s.approved()
				look()
				s.does(owner, engine.Submit{Transition: "resume"})
				look()
			})
		}
	}
}

func TestExplainSaysWhatOnlyTheNoteMisses(t *testing.T) {
	s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", draft())
	s.does(owner, evidence())
	for _, o := range engine.ExplainCase(s.moment(owner), &s.p) {
		if o.Transition != "shelve" {
			continue
		}
		for _, r := range o.Reasons {
			if r.Note != (r.ID == "reason") || r.Met == r.Note {
				t.Errorf("%s: met %v, waits for the note %v", r.ID, r.Met, r.Note)
			}
		}
		if !o.Allowed {
			t.Error("shelving is not offered, although only the note is missing")
		}
	}
}
