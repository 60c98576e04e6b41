package engine_test

import (
	"fmt"
	"strings"

	"bihuan/engine"
)

// branchYear is one branch's 书记项目 in the half year, with its fate and what that is worth by §8 of the domain.
type branchYear struct {
	engine.Project
	branch, fate string
	worth        worth
	counts       counts
}

// worth is what an item counts for.
type worth struct {
	onTime, late, urged, never, sentBack, falsified int
	yes, votes                                      int
}

// yearlyFates are what becomes of the branches' projects, by the branch's number; the others are done on time and graded 合格.
var yearlyFates = map[int]string{
	3: "returned", 23: "returned", 5: "criteria", 7: "late", 27: "late", 11: "urged", 13: "missed", 33: "missed", 17: "silent",
	19: "failed check", 29: "rated badly", 31: "extended", 37: "shelved", 41: "cancelled", 43: "promoted", 47: "promoted",
	2: "false", 22: "false", 26: "lifted", 53: "failed",
}

// worths are what the fates are worth by the default sheet's rules; every project that ends has 12 votes, all satisfied.
var worths = map[string]worth{
	"": {onTime: 1}, "returned": {onTime: 1, sentBack: 1}, "criteria": {onTime: 1, sentBack: 1}, "late": {late: 1}, "urged": {urged: 1},
	"missed": {never: 1}, "silent": {never: 1}, "failed check": {onTime: 1, sentBack: 1}, "rated badly": {onTime: 1, sentBack: 1},
	"extended": {onTime: 1}, "shelved": {}, "cancelled": {}, "promoted": {onTime: 1}, "false": {onTime: 1, falsified: 1}, "lifted": {onTime: 1}, "failed": {onTime: 1},
}

const (
	branchDeadline  = "2026-05-15"
	branchStatement = "对口学校的机房搬迁，设备到货晚了两周，没有提前申请延期，今后按月检查。"
)

// branches gives every branch its secretary and its project of the year, and plans what becomes of it.
func (h *halfYear) branches() {
	h.t.Helper()
	var near []any
	for i := range 20 {
		near = append(near, fmt.Sprintf("u%02d", i), engine.Supervisor)
	}
	h.person("dean", near...) // 党总支书记 of all twenty
	ctx := h.t.Context()
	for i := range 60 {
		b := &branchYear{branch: fmt.Sprintf("u%02d-%d", i/3, i%3), fate: yearlyFates[i]}
		b.worth = worths[b.fate]
		who := h.person("sec-"+b.branch, b.branch, engine.Secretary)
		d := h.draft()
		d.Title, d.List, d.Deadline, d.Owner, d.Assistants = "书记项目 "+b.branch, "", day(branchDeadline), who.ID, nil
		p, err := h.e.Create(ctx, who, "shuji", h.units[b.branch], d)
		if err != nil {
			h.t.Fatal(err)
		}
		b.Project = p
		h.ofYear = append(h.ofYear, b)
		if i == 0 {
			_, err := h.e.Create(ctx, who, "shuji", h.units[b.branch], d)
			if engine.KindOf(err) != engine.Blocked || !strings.Contains(err.Error(), p.Number) {
				h.t.Errorf("§4 one per branch and year: a second was answered %v", err)
			}
		}
	}
	for _, x := range []struct {
		date string
		do   func(b *branchYear)
	}{
		{"2026-01-08", h.adopted}, {"2026-01-20", h.routed}, {"2026-03-10", h.halfDone}, {"2026-03-20", h.checkedHalf},
		{"2026-04-15", h.reviewed}, {"2026-05-06", h.graded}, {"2026-05-18", h.late}, {"2026-05-27", h.statements}, {"2026-06-05", h.judged}, {"2026-06-12", h.appealed},
	} {
		h.planned[day(x.date)] = func() {
			for _, b := range h.ofYear {
				h.fresh(b)
				x.do(b)
			}
		}
	}
}

// fresh reads the project as the clock has left it.
func (h *halfYear) fresh(b *branchYear) {
	h.t.Helper()
	p, err := h.db.Project(h.t.Context(), b.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	b.Project = p
}

func (h *halfYear) own(b *branchYear, cmds ...engine.Command) {
	h.t.Helper()
	for _, c := range cmds {
		h.does("sec-"+b.branch, &b.Project, c)
	}
}

// tiers asks for a transition and lets both tiers say yes.
func (h *halfYear) tiers(b *branchYear, t engine.TransitionID, near, top engine.Approve) {
	h.t.Helper()
	h.own(b, engine.Submit{Transition: t, Note: "请予审批办理"})
	h.does("dean", &b.Project, near)
	h.does("leader", &b.Project, top)
}

var criteria = engine.Approve{Note: "同意立项", Criteria: []string{"small", "doable", "spreadable", "solving"}}

// adopted is 立项: both tiers confirm every criterion, or send it back.
func (h *halfYear) adopted(b *branchYear) {
	if b.fate == "criteria" {
		h.own(b, engine.Submit{Transition: "deploy"})
		h.does("dean", &b.Project, criteria)
		_, err := h.e.Do(h.t.Context(), h.people["leader"], b.ID, b.Version, engine.Approve{Criteria: criteria.Criteria[:3]})
		if engine.KindOf(err) != engine.Blocked {
			h.t.Errorf("§4 立项 is checked against all four criteria: three were answered %v", err)
		}
		h.does("leader", &b.Project, engine.Return{Note: "不属于解决问题类，请重新选题"})
		d := engine.DraftOf(&b.Project)
		d.Measures = "逐户走访，列出问题清单，逐条解决"
		h.own(b, engine.Edit{Draft: d})
	}
	h.tiers(b, "deploy", criteria, criteria)
}

// routed lays 时间表 and 路线图, without which nothing leaves 部署.
func (h *halfYear) routed(b *branchYear) {
	h.own(b, engine.LayMilestones{Milestones: []engine.Milestone{{Title: "摸底", Due: day("2026-03-10"), Who: "支部委员"}, {Title: "办完", Due: day("2026-04-30"), Who: "全体党员"}}})
	if _, err := h.e.Do(h.t.Context(), h.people["sec-"+b.branch], b.ID, b.Version, engine.Submit{Transition: "advance"}); engine.KindOf(err) != engine.Blocked {
		h.t.Errorf("§4 the 路线图 is required to leave 部署: %s was answered %v", b.branch, err)
	}
	m := b.Milestones["m2"]
	m.After = []string{"m1"}
	h.own(b, engine.EditMilestone{ID: "m2", Milestone: m})
	h.tiers(b, "advance", engine.Approve{}, engine.Approve{})
}

// halfDone reports, and asks for the mid-term check.
func (h *halfYear) halfDone(b *branchYear) {
	if b.fate == "silent" || b.fate == "missed" {
		return
	}
	h.own(b, engine.Tick{ID: "m1", Note: "走访完毕"}, evidence(), engine.Report{Percent: 50, Done: "摸底完成"})
	switch b.fate {
	case "shelved", "cancelled":
		way := engine.TransitionID(strings.TrimSuffix(b.fate, "led"))
		if b.fate == "shelved" {
			way = "shelve"
		}
		h.tiers(b, way, engine.Approve{}, engine.Approve{})
		return
	case "returned":
		h.own(b, engine.Submit{Transition: "track"})
		h.does("dean", &b.Project, engine.Return{Note: "进展写得太简单，补充后再报"})
	case "extended":
		h.own(b, engine.Extend{Deadline: day("2026-06-10"), Note: "暑期前才能安装"})
		h.does("dean", &b.Project, engine.Approve{})
	}
	h.tiers(b, "track", engine.Approve{}, engine.Approve{})
}

// working tells whether the project goes on in the ordinary way.
func (b *branchYear) working() bool {
	switch b.fate {
	case "silent", "missed", "shelved", "cancelled":
		return false
	}
	return true
}

// checkedHalf is the mid-term check by somebody who does not do the work.
func (h *halfYear) checkedHalf(b *branchYear) {
	if !b.working() {
		return
	}
	if b.fate == "failed check" {
		h.does("dean", &b.Project, engine.Verify{Note: "走访记录对不上"})
		h.own(b, engine.Report{Percent: 50, Done: "重新走访"})
		h.tiers(b, "track", engine.Approve{}, engine.Approve{})
	}
	h.does("dean", &b.Project, engine.Verify{Passed: true, Note: "查看记录属实"})
}

// reviewed is 述职评议.
func (h *halfYear) reviewed(b *branchYear) {
	if !b.working() || b.fate == "late" || b.fate == "urged" {
		return
	}
	h.marked(b)
	h.tiers(b, "effect", engine.Approve{}, engine.Approve{})
}

// marked is the report on the outcome and the marks of those who heard it.
func (h *halfYear) marked(b *branchYear) {
	h.own(b, engine.Tick{ID: "m2", Note: "办完了"}, engine.Report{Percent: 100, Done: "全部办完"}, engine.Summarize{Summary: "问题清单全部销号", Lasting: "每学期走访一次"})
	if b.fate == "rated badly" {
		h.does("dean", &b.Project, engine.RecordSurvey{Survey: engine.Survey{Satisfied: 6, Dissatisfied: 6}, Note: "述职会现场评议"})
		h.does("dean", &b.Project, engine.Submit{Transition: "redo", Note: "满意率只有一半，发回重办"})
		h.own(b, engine.Report{Percent: 100, Done: "整改完毕"})
		h.tiers(b, "track", engine.Approve{}, engine.Approve{})
		h.does("dean", &b.Project, engine.Verify{Passed: true, Note: "整改属实"})
	}
	h.does("dean", &b.Project, engine.RecordSurvey{Survey: engine.Survey{VerySatisfied: 12}, Note: "述职会现场评议"})
	b.worth.yes, b.worth.votes = 12, 12
}

// graded is 销号 with a grade, by the last of the two tiers.
func (h *halfYear) graded(b *branchYear) {
	if !b.working() || b.fate == "late" || b.fate == "urged" {
		return
	}
	h.struckOffWith(b)
}

func (h *halfYear) struckOffWith(b *branchYear) {
	grade := map[string]string{"promoted": "excellent", "failed": "failed"}[b.fate]
	if grade == "" {
		grade = "passed"
	}
	h.tiers(b, "close", engine.Approve{Note: "验收通过"}, engine.Approve{Note: "同意销号", Grade: grade})
}

// late is the first working day after the deadline: done late, with a statement.
func (h *halfYear) late(b *branchYear) {
	if b.fate == "late" {
		h.finishLate(b)
	}
}

func (h *halfYear) finishLate(b *branchYear) {
	h.marked(b)
	h.own(b, engine.GiveStatement{Text: branchStatement})
	h.tiers(b, "effect", engine.Approve{}, engine.Approve{})
	h.struckOffWith(b)
}

// statements are owed by those who missed their term.
func (h *halfYear) statements(b *branchYear) {
	if b.fate == "missed" {
		h.own(b, engine.GiveStatement{Text: branchStatement})
	}
}

// judged are what comes after the work: 推广, and false evidence.
func (h *halfYear) judged(b *branchYear) {
	switch b.fate {
	case "urged":
		h.finishLate(b)
	case "promoted":
		h.does("leader", &b.Project, engine.MarkAs{Kind: engine.MarkPromote, Note: "做法简单，各支部都可以照着办"})
	case "false", "lifted":
		files, err := h.db.Evidence(h.t.Context(), b.ID)
		if err != nil || len(files) == 0 {
			h.t.Fatalf("%d pieces of evidence (%v)", len(files), err)
		}
		h.does("inspector", &b.Project, engine.FindFalse{Evidence: []string{files[0].ID}, Note: "照片是去年拍的"})
		h.does("leader", &b.Project, engine.Approve{Note: "属实"})
	}
}

// appealed lifts a finding that was wrong.
func (h *halfYear) appealed(b *branchYear) {
	if b.fate == "lifted" {
		for id := range b.Findings {
			h.does("inspector", &b.Project, engine.LiftFinding{ID: id, Note: "相机时钟没有校准，照片属实"})
		}
		h.does("leader", &b.Project, engine.Approve{Note: "同意撤销"})
	}
}

// yearlyRules are what the half year was to show of 书记项目.
func (h *halfYear) yearlyRules() []shown {
	by := map[string]*engine.Project{}
	for _, b := range h.ofYear {
		h.fresh(b)
		by[b.fate] = &b.Project
	}
	rows, err := h.e.Year(h.t.Context(), h.people["leader"], "shuji", 2026, "")
	if err != nil {
		h.t.Fatal(err)
	}
	having, closed := 0, 0
	for _, r := range rows {
		if r.Project != nil {
			having++
			if r.Project.Stage == engine.Closed {
				closed++
			}
		}
	}
	return []shown{
		{"§4 the page of the year shows every branch: 59 have a project, one was cancelled, the house's own branch has none", len(rows) == 61 && having == 59 && closed == 55},
		{"§4 the last of two tiers gives the grade", by[""].Grade == "passed" && by["promoted"].Grade == "excellent" && by["failed"].Grade == "failed"},
		{"§4 what is worth it is marked for 推广", by["promoted"].Distinctions == ",promote,"},
		{"§4 a missed term needs a written statement", by["late"].Statement != "" && by["urged"].Statement != "" && by["missed"].Statement != "" && by["silent"].Statement == ""},
		{"§4 who missed it without a statement owes it", by["silent"].EverOverdue && by["silent"].Stage == "advance"},
		{"§8 false evidence stands, and one that was wrong is lifted", by["false"].Convicted() && !by["lifted"].Convicted() && len(by["lifted"].Findings) == 1},
		{"§4 a failed check and a bad mark send back", by["failed check"].Round == 1 && by["rated badly"].Round == 1},
	}
}
