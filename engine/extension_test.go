package engine_test

import (
	"testing"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

func TestExtensionInTime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, when string
		want       string // "" accepted
	}{
		{"well before", "2026-10-20 10:00", ""},
		{"the day before", "2026-11-29 23:59", ""},
		{"on the day", "2026-11-30 09:00", ""},
		{"the last minute of the day", "2026-11-30 23:59", ""},
		{"midnight after", "2026-12-01 00:00", "extension.too_late"},
		{"a week late", "2026-12-07 10:00", "extension.too_late"},
	} {
		for _, swept := range []bool{true, false} {
			t.Run(c.name, func(t *testing.T) {
				s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", draft()).advanceTo("advance")
				if swept {
					s.runTo(clockTime(c.when))
				}
				s.at(c.when)
				ask := engine.Extend{Deadline: day("2026-12-31"), Note: "施工方停工"}
				if c.want != "" {
					s.refused(owner, ask, engine.Blocked, c.want)
					return
				}
				s.does(owner, ask)
				s.does(supervisor, engine.Approve{})
				if s.p.Deadline != day("2026-12-31") || s.p.OriginalDeadline != day("2026-11-30") || s.p.Extensions != 1 || s.p.EverOverdue {
					t.Errorf("deadline %s, original %s, extensions %d, ever overdue %v", s.p.Deadline, s.p.OriginalDeadline, s.p.Extensions, s.p.EverOverdue)
				}
			})
		}
	}
}

func TestExtensionLimits(t *testing.T) {
	t.Parallel()
	extend := func(date string) engine.Command { return engine.Extend{Deadline: day(date), Note: "施工方停工"} }
	for _, c := range []struct {
		name     string
		deadline string
		granted  []string // before this one
		ask      engine.Command
		kind     engine.Kind
		key      string // "" accepted
	}{
		{"three months to the day", "2026-11-15", nil, extend("2027-02-15"), 0, ""},
		{"three months and a day", "2026-11-15", nil, extend("2027-02-16"), engine.Invalid, "extension.too_far"},
		{"the end of a longer month", "2026-11-30", nil, extend("2027-02-28"), 0, ""},
		{"past the end of a shorter month", "2026-11-30", nil, extend("2027-03-01"), engine.Invalid, "extension.too_far"},
		{"into a leap year", "2027-11-30", nil, extend("2028-02-29"), 0, ""},
		{"the second counts from the original", "2026-11-15", []string{"2026-12-31"}, extend("2027-02-16"), engine.Invalid, "extension.too_far"},
		{"the second up to three months in all", "2026-11-15", []string{"2026-12-31"}, extend("2027-02-15"), 0, ""},
		{"a third", "2026-11-15", []string{"2026-12-01", "2026-12-20"}, extend("2026-12-30"), engine.Blocked, "extension.too_many"},
		{"nothing left of the three months", "2026-11-15", []string{"2027-02-15"}, extend("2027-02-20"), engine.Blocked, "extension.too_far"},
		{"the same day", "2026-11-15", nil, extend("2026-11-15"), engine.Invalid, "extension.not_later"},
		{"an earlier day", "2026-11-15", nil, extend("2026-11-10"), engine.Invalid, "extension.not_later"},
		{"a day gone by", "2026-11-15", nil, extend("2026-09-01"), engine.Invalid, "deadline.past"},
		{"no day", "2026-11-15", nil, engine.Extend{Note: "施工方停工"}, engine.Invalid, "field.empty"},
		{"no reason", "2026-11-15", nil, engine.Extend{Deadline: day("2026-12-31")}, engine.Invalid, "note.too_short"},
		{"blanks for a reason", "2026-11-15", nil, engine.Extend{Deadline: day("2026-12-31"), Note: "        "}, engine.Invalid, "note.too_short"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := draft()
			d.Deadline = day(c.deadline)
			s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", d).advanceTo("advance")
			for _, g := range c.granted {
				s.does(owner, extend(g))
				s.approved()
			}
			if c.key != "" {
				s.refused(owner, c.ask, c.kind, c.key)
				return
			}
			s.does(owner, c.ask)
			s.approved()
		})
	}
}

func TestWhoGrantsAnExtension(t *testing.T) {
	s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", draft()).advanceTo("advance")
	s.does(owner, engine.Extend{Deadline: day("2026-12-15"), Note: "施工方停工"})
	s.refused(leader, engine.Approve{}, engine.Denied, "approval.role")
	s.does(supervisor, engine.Approve{})
	s.does(assistant, engine.Extend{Deadline: day("2026-12-31"), Note: "又停工了"})
	s.refused(supervisor, engine.Approve{}, engine.Denied, "approval.role")
	s.does(leader, engine.Approve{})
	if s.p.Extensions != 2 || s.p.Deadline != day("2026-12-31") || s.p.OriginalDeadline != day("2026-11-30") {
		t.Errorf("extensions %d, deadline %s, original %s", s.p.Extensions, s.p.Deadline, s.p.OriginalDeadline)
	}

	returned := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", draft()).advanceTo("advance")
	returned.does(owner, engine.Extend{Deadline: day("2026-12-15"), Note: "施工方停工"})
	returned.does(supervisor, engine.Return{Note: "理由不足"})
	if returned.p.Extensions != 0 || returned.p.Deadline != day("2026-11-30") || returned.p.Stage != "advance" {
		t.Errorf("a refused extension left %d, %s, %s", returned.p.Extensions, returned.p.Deadline, returned.p.Stage)
	}
	returned.does(owner, engine.Extend{Deadline: day("2026-12-15"), Note: "施工方真的停工"})
	returned.does(supervisor, engine.Approve{})
}

func TestExtensionBeforeTheDeadlineIsApproved(t *testing.T) {
	w := small(func(w *engine.Workflow) { w.Stages[0].Acts = engine.Acts })
	s := tell(t, w, "2026-09-24 10:00", draft())
	s.refused(owner, engine.Extend{Deadline: day("2026-12-31"), Note: "施工方停工"}, engine.Blocked, "extension.no_deadline")
}

// An extension that was asked for in time and granted late ends the present 逾期, and keeps the mark.
func TestLateMarkIsKept(t *testing.T) {
	for _, swept := range []bool{true, false} {
		s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", draft()).advanceTo("advance")
		s.at("2026-11-30 10:00").sweep()
		s.does(owner, engine.Extend{Deadline: day("2026-12-31"), Note: "施工方停工"})
		s.at("2026-12-02 10:00")
		if swept {
			s.sweep()
			if s.p.OverdueAt == nil {
				t.Fatal("not overdue after the deadline")
			}
		}
		s.does(supervisor, engine.Approve{})
		if s.p.OverdueAt != nil || !s.p.EverOverdue {
			t.Errorf("swept %v: overdue at %v, ever overdue %v, want no and yes", swept, s.p.OverdueAt, s.p.EverOverdue)
		}
		s.at("2026-12-20 10:00").sweep()
		if s.p.OverdueAt != nil {
			t.Errorf("swept %v: overdue under the new deadline", swept)
		}
		s.at("2027-01-01 00:00").sweep()
		if s.p.OverdueAt == nil {
			t.Errorf("swept %v: not overdue after the new deadline", swept)
		}
	}
}

// However long the clock was away, who closes late is marked late.
func TestClosingLateBeforeAnySweep(t *testing.T) {
	for _, c := range []struct {
		name, when string
		want       bool
	}{
		{"on the day", "2026-11-30 23:59", false},
		{"a minute past midnight", "2026-12-01 00:01", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", draft()).advanceTo("effect")
			s.ready()
			s.does(owner, engine.Submit{Transition: "close"})
			s.does(supervisor, engine.Approve{})
			s.at(c.when).does(leader, engine.Approve{})
			if s.p.Stage != engine.Closed || s.p.EverOverdue != c.want {
				t.Errorf("%s, ever overdue %v, want %v", s.p.Stage, s.p.EverOverdue, c.want)
			}
		})
	}
}

func TestDeadlineEditedInPlan(t *testing.T) {
	s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", draft())
	edit := func(date string) engine.Edit {
		d := engine.DraftOf(&s.p)
		d.Deadline = day(date)
		return engine.Edit{Draft: d}
	}
	s.refused(owner, edit("2026-09-23"), engine.Invalid, "deadline.past")
	s.refused(owner, edit("2047-01-01"), engine.Invalid, "deadline.too_far")
	s.does(owner, edit("2026-12-15"))
	if !s.p.OriginalDeadline.IsZero() {
		t.Error("a deadline that nobody approved counts as the original one")
	}
	s.advanceTo("deploy")
	if s.p.OriginalDeadline != day("2026-12-15") {
		t.Errorf("original deadline %s", s.p.OriginalDeadline)
	}
	s.refused(owner, edit("2026-12-31"), engine.Blocked, "act.stage")
	// Sent back to 谋划 it can be edited, which every later step sees beside the original.
	s.does(supervisor, engine.Return{To: "plan", Note: "时限要重排"})
	s.does(owner, edit("2026-12-20"))
	s.advanceTo("deploy")
	if s.p.OriginalDeadline != day("2026-12-15") || s.p.Deadline != day("2026-12-20") {
		t.Errorf("original %s, deadline %s", s.p.OriginalDeadline, s.p.Deadline)
	}
}

// Sending an item back to 谋划 is no way round the limits of extensions; an item that is late there is not stuck.
func TestDeadlineEditedAfterItWasSentBack(t *testing.T) {
	t.Parallel()
	s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", draft()).advanceTo("advance")
	edit := func(d engine.Draft) engine.Edit { return engine.Edit{Draft: d} }
	until := func(date string) engine.Edit {
		d := engine.DraftOf(&s.p)
		d.Deadline = day(date)
		return edit(d)
	}
	s.does(owner, engine.Extend{Deadline: day("2026-12-31"), Note: "施工方停工"})
	s.does(supervisor, engine.Approve{})
	s.runTo(clockTime("2027-01-05 10:00"))
	s.does(supervisor, engine.Return{To: "plan", Note: "时限要重排"})
	none := engine.DraftOf(&s.p)
	none.Deadline = calendar.Date{}
	s.refused(owner, edit(none), engine.Invalid, "field.empty")
	s.refused(owner, until("2027-03-01"), engine.Invalid, "extension.too_far")
	s.does(owner, until("2027-02-28")) // three months after 2026-11-30
	s.ask("deploy")
	if s.p.OriginalDeadline != day("2026-11-30") || !s.p.EverOverdue || s.p.Extensions != 1 {
		t.Errorf("original %s, ever overdue %v, extensions %d", s.p.OriginalDeadline, s.p.EverOverdue, s.p.Extensions)
	}
	s.runTo(clockTime("2027-06-01 10:00"))
	s.does(supervisor, engine.Return{To: "plan", Note: "还要重排"})
	s.refused(owner, until("2027-06-30"), engine.Invalid, "extension.too_far")
	s.ask("deploy")
	if s.p.Stage != "deploy" || s.p.Deadline != day("2027-02-28") || s.p.OverdueAt == nil {
		t.Errorf("%s, deadline %s, overdue at %v", s.p.Stage, s.p.Deadline, s.p.OverdueAt)
	}
}

// What the owner before has acknowledged binds nobody else.
func TestNewOwnerAcknowledgesAnew(t *testing.T) {
	s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", draft()).advanceTo("advance")
	s.does(supervisor, engine.Return{To: "plan", Note: "承办人要换"})
	same := engine.DraftOf(&s.p)
	same.Need = "灯太暗"
	s.does(owner, engine.Edit{Draft: same})
	if s.p.AcknowledgedAt == nil {
		t.Error("the same owner has to acknowledge again")
	}
	other := engine.DraftOf(&s.p)
	other.Owner, other.Assistants = nobody.ID, nil
	s.does(owner, engine.Edit{Draft: other})
	if s.p.AcknowledgedAt != nil {
		t.Error("the new owner has acknowledged without having been asked")
	}
	s.does(nobody, engine.Submit{Transition: "deploy"})
	s.approved()
	s.refused(nobody, engine.Submit{Transition: "advance"}, engine.Blocked, "transition.unmet")
	s.does(nobody, engine.Acknowledge{})
	s.does(nobody, engine.Submit{Transition: "advance"})
}

// An extension that waited until its own date had passed can only be returned.
func TestExtensionAnsweredTooLate(t *testing.T) {
	t.Parallel()
	s := tell(t, embedded(t, "shishi"), "2026-09-24 10:00", draft()).advanceTo("advance")
	s.at("2026-11-27 10:00")
	s.does(owner, engine.Extend{Deadline: day("2026-12-04"), Note: "施工方停工"})
	s.at("2026-12-07 09:00")
	s.refused(supervisor, engine.Approve{}, engine.Blocked, "extension.date_gone")
	s.does(supervisor, engine.Return{Note: "日期已过"})
	if s.p.Request != nil || s.p.Deadline != day("2026-11-30") {
		t.Errorf("request %v, deadline %s", s.p.Request, s.p.Deadline)
	}
}
