package layout

import (
	"slices"
	"strings"

	"bihuan/engine"
	"bihuan/engine/message"
	"bihuan/engine/workbook"
)

// field is something that a layout can show.
type field struct {
	id, zh string // what templates may write; both mean the same
	each   func(r *row) any
	report bool // it is read from the last report
}

// once are the fields of the whole.
var once = []struct{ id, zh string }{
	{"title", "标题"}, {"organisation", "组织"}, {"unit", "单位"}, {"date", "日期"}, {"year", "年度"}, {"kind", "类型"}, {"list", "清单"},
	{"number", "期号"}, {"period", "期间"}, {"filter", "筛选"}, {"count", "项数"}, {"closed", "已销号数"}, {"overdue", "逾期数"}, {"person", "制表人"},
}

// moreName is the column that stands for the columns of imported ledgers that have no field.
const moreName = "其他栏"

// extraPrefix begins the name of one such column: {{其他:备注}}.
const extraPrefix = "其他:"

// eaches are the fields of an item.
var eaches = []field{
	{id: "no", zh: "序号", each: func(r *row) any { return r.no }},
	{id: "code", zh: "台账编号", each: func(r *row) any { return r.p.Number }},
	{id: "item_kind", zh: "事项类型", each: func(r *row) any { return r.w.Name.In(r.lang) }},
	{id: "category", zh: "类别", each: func(r *row) any { return r.p.Category }},
	{id: "item", zh: "事项名称", each: func(r *row) any { return r.p.Title }},
	{id: "need", zh: "需求", each: func(r *row) any { return r.p.Need }},
	{id: "target", zh: "预期成效", each: func(r *row) any { return r.p.Target }},
	{id: "measures", zh: "工作举措", each: func(r *row) any { return r.p.Measures }},
	{id: "milestones", zh: "里程碑", each: func(r *row) any { return milestones(r.p) }},
	{id: "sponsor", zh: "领办领导", each: func(r *row) any { return r.user(r.p.Sponsor) }},
	{id: "lead", zh: "牵头单位", each: func(r *row) any { return r.unit(r.p.UnitID) }},
	{id: "assisting", zh: "协办单位", each: func(r *row) any { return strings.Join(r.p.Assisting, "、") }},
	{id: "owner", zh: "承办人", each: func(r *row) any { return r.user(r.p.Owner) }},
	{id: "assistants", zh: "协办人", each: func(r *row) any {
		names := make([]string, len(r.p.Assistants))
		for i, id := range r.p.Assistants {
			names[i] = r.user(id)
		}
		return strings.Join(names, "、")
	}},
	{id: "original", zh: "原定时限", each: func(r *row) any {
		if r.p.OriginalDeadline.IsZero() {
			return r.p.Deadline
		}
		return r.p.OriginalDeadline
	}},
	{id: "deadline", zh: "办结时限", each: func(r *row) any { return r.p.Deadline }},
	{id: "extensions", zh: "延期次数", each: func(r *row) any { return some(r.p.Extensions) }},
	{id: "stage", zh: "当前阶段", each: func(r *row) any { return r.w.StageName(r.p.Stage).In(r.lang) }},
	{id: "light", zh: "亮灯", each: func(r *row) any { return r.light() }},
	{id: "percent", zh: "完成比例", each: func(r *row) any { return workbook.Percent(r.p.Progress) }},
	{id: "progress", zh: "进展情况", report: true, each: func(r *row) any { return r.report.Done }},
	{id: "next", zh: "下一步", report: true, each: func(r *row) any { return r.report.Next }},
	{id: "problems", zh: "存在问题", report: true, each: func(r *row) any { return r.report.Problems }},
	{id: "reported", zh: "上报日期", each: func(r *row) any { return r.day(r.p.ReportedAt) }},
	{id: "outcome", zh: "成效", each: func(r *row) any { return r.p.Summary }},
	{id: "lasting", zh: "长效机制", each: func(r *row) any { return r.p.Lasting }},
	{id: "rating", zh: "满意率", each: func(r *row) any {
		n := r.p.Survey.Votes()
		if n == 0 {
			return nil
		}
		return workbook.Share(float64((r.p.Survey.VerySatisfied+r.p.Survey.Satisfied+r.p.Survey.Basic)*1000/n) / 1000)
	}},
	{id: "votes", zh: "票数", each: func(r *row) any { return some(r.p.Survey.Votes()) }},
	{id: "closed_on", zh: "销号日期", each: func(r *row) any { return r.day(r.p.ClosedAt) }},
	{id: "ever", zh: "曾逾期", each: func(r *row) any {
		if r.p.EverOverdue {
			return r.t("layout.yes")
		}
		return nil
	}},
	{id: "urges", zh: "催办次数", each: func(r *row) any { return some(r.p.Urges) }},
	{id: "on_list", zh: "清单期号", each: func(r *row) any { return r.p.List }},
	{id: "reckoned", zh: "对账结果", each: func(r *row) any {
		if r.line == nil {
			return nil
		}
		return r.line.Outcome.In(r.lang)
	}},
	{id: "carried", zh: "结转说明", each: func(r *row) any {
		if r.line == nil {
			return nil
		}
		return r.line.Item.Note
	}},
}

// some is a number, with nothing for none.
func some(n int) any {
	if n == 0 {
		return nil
	}
	return n
}

// milestones are the 时间表 in one cell, as ledgers have it: "1.2026年4月30日前：…".
func milestones(p *engine.Project) string {
	list := make([]engine.Milestone, 0, len(p.Milestones))
	for _, m := range p.Milestones {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b engine.Milestone) int {
		if n := a.Due.Compare(b.Due); n != 0 {
			return n
		}
		return strings.Compare(a.Title, b.Title)
	})
	var b strings.Builder
	for i, m := range list {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(workbook.Text(i + 1))
		b.WriteByte('.')
		b.WriteString(workbook.Text(m.Due.Year()) + "年" + workbook.Text(int(m.Due.Month())) + "月" + workbook.Text(m.Due.Day()) + "日前：")
		b.WriteString(strings.TrimRight(m.Title, "。；;"))
		b.WriteString("。")
	}
	return b.String()
}

// light is the item's light in words.
func (r *row) light() string {
	if r.p.Stage.Resting() {
		return r.t("console.light." + string(r.p.Stage))
	}
	return r.t("console.light." + string(r.p.Light(r.now)))
}

func (r *row) t(key string) string { return message.Text(r.lang, key, nil) }
