package engine_test

import (
	"testing"

	"bihuan/engine"
	"bihuan/engine/audit"
)

// line is what an entry of a step must say.
type line struct {
	when string
	who  engine.Actor
	cmd  engine.Command
	want string // action from→to role@unit
}

func (s *story) play(t *testing.T, lines []line) {
	t.Helper()
	for i, l := range lines {
		if l.when != "" {
			s.runTo(clockTime(l.when))
		}
		e := s.does(l.who, l.cmd)
		if got := said(e); got != l.want {
			t.Errorf("step %d (%T): entry %q, want %q", i+1, l.cmd, got, l.want)
		}
	}
}

func said(e audit.Entry) string {
	out := e.Action
	if e.From != "" || e.To != "" {
		out += " " + e.From + "→" + e.To
	}
	if e.Actor.Role != "" {
		out += " " + e.Actor.Role
	}
	if e.Actor.Unit != "" {
		out += "@" + e.Actor.Unit
	}
	return out
}

func TestLoopOfShishi(t *testing.T) {
	s := untold(t, embedded(t, "shishi"), clockTime("2026-09-24 10:00"))
	s.play(t, []line{
		{"", supervisor, create(engine.Draft{Title: "改造图书馆照明", Owner: owner.ID}), "create →plan supervisor@z"},
		{"2026-09-24 11:00", owner, engine.Edit{Draft: draft(), Note: "补齐"}, "edit owner"},
		{"2026-09-28 09:30", owner, engine.Submit{Transition: "deploy", Note: "请交办"}, "submit plan→deploy owner"},
		{"2026-09-28 10:00", supervisor, engine.Return{Note: "举措写得太粗"}, "return supervisor@z"},
		{"2026-09-28 11:00", assistant, engine.Submit{Transition: "deploy"}, "submit plan→deploy assistant"},
		{"2026-09-28 12:00", supervisor, engine.Approve{}, "approve plan→deploy supervisor@z"},
		{"2026-09-29 09:30", owner, engine.Acknowledge{}, "acknowledge owner"},
		{"2026-09-29 10:00", owner, engine.LayMilestones{Milestones: []engine.Milestone{
			{Title: "采购", Due: day("2026-10-20"), Who: "后勤处"}, {Title: "安装", Due: day("2026-11-20")}}}, "lay_milestones owner"},
		{"2026-09-29 10:10", owner, engine.EditMilestone{ID: "m2", Milestone: engine.Milestone{Title: "安装调试", Due: day("2026-11-25")}}, "edit_milestone owner"},
		{"2026-09-29 10:20", assistant, engine.LayMilestones{Milestones: []engine.Milestone{{Title: "多余", Due: day("2026-11-20")}}}, "lay_milestones assistant"},
		{"2026-09-29 10:30", assistant, engine.RemoveMilestone{ID: "m3"}, "remove_milestone assistant"},
		{"2026-09-29 11:00", owner, engine.Submit{Transition: "advance"}, "submit deploy→advance owner"},
		{"2026-09-29 12:00", second, engine.Approve{}, "approve deploy→advance supervisor@p"},
		{"2026-10-12 09:30", owner, engine.Report{Percent: 40, Done: "灯具到货", Next: "安装", Problems: "无", Support: "无"}, "report owner"},
		{"2026-10-12 10:00", leader, engine.Urge{Note: "请抓紧办理"}, "urge leader@p"},
		{"2026-10-13 10:00", owner, engine.Tick{ID: "m1", Note: "已到货"}, "tick owner"},
		{"2026-11-02 10:00", owner, engine.Extend{Deadline: day("2026-12-31"), Note: "施工方停工"}, "extend owner"},
		{"2026-11-03 10:00", supervisor, engine.Approve{Note: "属实"}, "approve supervisor@z"},
		{"2026-12-01 10:00", assistant, engine.Tick{ID: "m2"}, "tick assistant"},
		{"2026-12-01 10:10", sponsor, evidence(), "evidence sponsor"},
		{"2026-12-01 10:20", assistant, engine.Report{Percent: 100, Done: "全部完成"}, "report assistant"},
		{"2026-12-01 11:00", owner, engine.Submit{Transition: "track"}, "submit advance→track owner"},
		{"2026-12-01 12:00", owner, engine.Withdraw{Note: "还有一处没擦"}, "withdraw owner"},
		{"2026-12-01 13:00", owner, engine.Submit{Transition: "track"}, "submit advance→track owner"},
		{"2026-12-01 14:00", supervisor, engine.Approve{}, "approve advance→track supervisor@z"},
		{"2026-12-02 10:00", supervisor, engine.Verify{Note: "三楼还是暗"}, "verify track→advance supervisor@z"},
		{"2026-12-03 10:00", owner, engine.Submit{Transition: "track", Note: "已整改"}, "submit advance→track owner"},
		{"2026-12-03 11:00", supervisor, engine.Approve{}, "approve advance→track supervisor@z"},
		{"2026-12-04 10:00", second, engine.Verify{Passed: true, Note: "现场照度达标"}, "verify track→feedback supervisor@p"},
		{"2026-12-07 10:00", secretary, engine.Object{Text: "西侧阅览室没有换"}, "object secretary@b"},
		{"2026-12-08 10:00", owner, engine.Answer{ID: "o4", Text: "西侧属二期工程"}, "answer owner"},
		{"2026-12-11 10:00", supervisor, engine.RecordSurvey{Survey: engine.Survey{VerySatisfied: 10, Satisfied: 9, Basic: 1}, Note: "纸质问卷20份"}, "survey supervisor@z"},
		{"2026-12-14 10:00", owner, engine.Submit{Transition: "effect"}, "submit feedback→effect owner"},
		{"2026-12-14 11:00", supervisor, engine.Approve{}, "approve feedback→effect supervisor@z"},
		{"2026-12-15 10:00", owner, engine.Summarize{Summary: "全馆照度达标", Lasting: "每学期检修一次"}, "summarize owner"},
		{"2026-12-15 11:00", owner, engine.Submit{Transition: "close"}, "submit effect→closed owner"},
		{"2026-12-16 10:00", supervisor, engine.Approve{Note: "验收合格"}, "approve supervisor@z"},
		{"2026-12-16 11:00", leader, engine.Approve{Note: "同意销号"}, "approve effect→closed leader@p"},
	})
	p := s.p
	if p.Stage != engine.Closed || p.ClosedAt == nil || !p.ClosedAt.Equal(clockTime("2026-12-16 11:00")) {
		t.Errorf("ends in %s, closed at %v", p.Stage, p.ClosedAt)
	}
	if p.OriginalDeadline != day("2026-11-30") || p.Deadline != day("2026-12-31") || p.Extensions != 1 {
		t.Errorf("original deadline %s, deadline %s, extensions %d", p.OriginalDeadline, p.Deadline, p.Extensions)
	}
	if p.Round != 1 || p.Returns != 1 || p.Reports != 2 || p.EvidenceCount != 1 || p.Urges != 1 || p.EverOverdue {
		t.Errorf("round %d, returns %d, reports %d, evidence %d, urges %d, ever overdue %v",
			p.Round, p.Returns, p.Reports, p.EvidenceCount, p.Urges, p.EverOverdue)
	}
	if p.StartedAt == nil || !p.StartedAt.Equal(clockTime("2026-09-28 12:00")) {
		t.Errorf("started at %v", p.StartedAt)
	}
	if late := s.runTo(clockTime("2027-12-31 10:00")); actions(late) != "look_back_due" {
		t.Errorf("after 销号 the clock does %q, want the look-back alone", actions(late))
	}
}

func TestLoopOfShuji(t *testing.T) {
	s := untold(t, embedded(t, "shuji"), clockTime("2026-03-02 10:00"))
	d := draft()
	d.Deadline = day("2026-11-30")
	s.play(t, []line{
		{"", secretary, create(d), "create →plan secretary@b"},
		{"2026-03-02 11:00", owner, engine.Submit{Transition: "deploy"}, "submit plan→deploy owner"},
	})
	s.refused(second, engine.Approve{}, engine.Denied, "approval.role") // the 党委's supervisor is not the near one
	s.refused(leader, engine.Approve{}, engine.Denied, "approval.role") // nor is it the leader's turn yet
	s.play(t, []line{
		{"2026-03-03 10:00", supervisor, engine.Approve{}, "approve supervisor@z"},
	})
	s.refused(supervisor, engine.Approve{}, engine.Denied, "approval.role") // the second tier is the 党委's
	s.play(t, []line{
		{"2026-03-04 10:00", second, engine.Approve{}, "approve plan→deploy supervisor@p"},
		{"2026-03-05 10:00", owner, engine.LayMilestones{Milestones: []engine.Milestone{{Title: "试点", Due: day("2026-06-30"), Who: "支部"}}}, "lay_milestones owner"},
		{"2026-03-05 11:00", secretary, engine.Submit{Transition: "advance"}, "submit deploy→advance secretary@b"},
		{"2026-03-06 10:00", supervisor, engine.Approve{}, "approve supervisor@z"},
		{"2026-03-06 11:00", leader, engine.Approve{}, "approve deploy→advance leader@p"},
		{"2026-06-30 10:00", owner, engine.Tick{ID: "m1"}, "tick owner"},
		{"2026-06-30 10:10", owner, engine.Report{Percent: 100, Done: "完成"}, "report owner"},
		{"2026-06-30 10:20", owner, evidence(), "evidence owner"},
		{"2026-06-30 10:30", owner, engine.Submit{Transition: "track"}, "submit advance→track owner"},
		{"2026-07-01 10:00", supervisor, engine.Approve{}, "approve supervisor@z"},
		{"2026-07-01 11:00", leader, engine.Return{To: "deploy", Note: "时间表要重排"}, "return advance→deploy leader@p"},
		{"2026-07-02 11:00", owner, engine.Submit{Transition: "advance"}, "submit deploy→advance owner"},
		{"2026-07-03 10:00", supervisor, engine.Approve{}, "approve supervisor@z"},
		{"2026-07-03 11:00", leader, engine.Approve{}, "approve deploy→advance leader@p"},
		{"2026-07-06 10:30", owner, engine.Submit{Transition: "track"}, "submit advance→track owner"},
		{"2026-07-07 10:00", supervisor, engine.Approve{}, "approve supervisor@z"},
		{"2026-07-07 11:00", leader, engine.Approve{}, "approve advance→track leader@p"},
		{"2026-07-08 10:00", supervisor, engine.Verify{Passed: true, Note: "中期检查通过"}, "verify track→feedback supervisor@z"},
		{"2026-07-09 10:00", supervisor, engine.RecordSurvey{Survey: engine.Survey{Satisfied: 9, Dissatisfied: 1}, Note: "述职评议"}, "survey supervisor@z"},
		{"2026-07-09 11:00", owner, engine.Summarize{Summary: "述职报告"}, "summarize owner"},
		{"2026-07-10 10:00", owner, engine.Submit{Transition: "effect"}, "submit feedback→effect owner"},
		{"2026-07-10 11:00", supervisor, engine.Approve{}, "approve supervisor@z"},
		{"2026-07-10 12:00", second, engine.Approve{}, "approve feedback→effect supervisor@p"},
		{"2026-07-13 10:00", owner, engine.Summarize{Summary: "述职报告", Lasting: "写入支部工作手册"}, "summarize owner"},
		{"2026-07-13 11:00", owner, engine.Submit{Transition: "close"}, "submit effect→closed owner"},
		{"2026-07-14 10:00", supervisor, engine.Approve{}, "approve supervisor@z"},
	})
	s.refused(second, engine.Approve{}, engine.Denied, "approval.role") // 销号 is the leader's
	s.play(t, []line{{"2026-07-15 10:00", leader, engine.Approve{}, "approve effect→closed leader@p"}})
	if s.p.Returns != 1 || s.p.Stage != engine.Closed {
		t.Errorf("returns %d, stage %s", s.p.Returns, s.p.Stage)
	}
}
