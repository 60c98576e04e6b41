package api_test

import (
	"bytes"
	"encoding/csv"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"bihuan/api"
	"bihuan/engine"
	"bihuan/engine/layout"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// taken are the rows of an export as CSV, by heading.
func (h *house) taken(who, path string) []map[string]string {
	h.t.Helper()
	a := h.want(200, "", who, "GET", path, nil, "Accept-Language", "zh-CN")
	if kind := a.header.Get("Content-Type"); kind != "text/csv; charset=utf-8" || !strings.HasPrefix(a.header.Get("Content-Disposition"), `attachment; filename="`) {
		h.t.Errorf("%s answers %q, %q", path, kind, a.header.Get("Content-Disposition"))
	}
	all, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(a.body, "\ufeff"))).ReadAll()
	if err != nil || len(all) == 0 {
		h.t.Fatalf("%s: %v in %q", path, err, a.body)
	}
	out := []map[string]string{}
	for _, cells := range all[1:] {
		row := map[string]string{}
		for i, s := range cells {
			if s != "" {
				row[all[0][i]] = s
			}
		}
		out = append(out, row)
	}
	return out
}

// TestExports takes the ledger, a list and a unit's year out, as people with different rights.
func TestExports(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.advance()
		h.act(&p, "owner", "POST /reports", map[string]any{"percent": 40, "done": "完成两层", "next": "继续"})
		h.act(&p, "owner", "POST /reports", map[string]any{"percent": 60, "done": "=完成四层", "next": "验收"})
		other := h.create()
		want := []map[string]string{
			{"序号": "1", "台账编号": other.Number, "事项名称": "改造图书馆照明", "预期成效": "照度达到300勒克斯", "工作举措": "更换灯具", "领办领导": "赵领办", "牵头单位": "第一支部", "承办人": "王承办",
				"原定时限": "2026-11-30", "办结时限": "2026-11-30", "当前阶段": "谋划", "亮灯": "绿灯", "完成比例": "0%"},
			{"序号": "2", "台账编号": p.Number, "事项名称": "改造图书馆照明", "预期成效": "照度达到300勒克斯", "工作举措": "更换灯具", "里程碑": "1.2026年11月20日前：安装。", "领办领导": "赵领办", "牵头单位": "第一支部",
				"承办人": "王承办", "原定时限": "2026-11-30", "办结时限": "2026-11-30", "当前阶段": "推进", "亮灯": "绿灯", "完成比例": "60%", "进展情况": "'=完成四层"},
		}
		const ledger = "/api/v1/exports/ledger?format=csv"
		for _, who := range []string{"leader", "inspector", "owner"} {
			if diff := cmp.Diff(want, h.taken(who, ledger)); diff != "" {
				t.Errorf("the ledger of %s (-want +got):\n%s", who, diff)
			}
		}
		if got := h.taken("leader", ledger+"&stage=advance&open=true"); len(got) != 1 || got[0]["台账编号"] != p.Number {
			t.Errorf("filtered: %v", got)
		}
		if got := h.taken("stranger", ledger); len(got) != 0 {
			t.Errorf("a stranger takes %v out", got)
		}

		a := h.want(200, "", "leader", "GET", "/api/v1/exports/ledger", nil, "Accept-Language", "zh-CN")
		book, err := excelize.OpenReader(strings.NewReader(a.body))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = book.Close() }()
		for at, want := range map[string]string{"A1": "校党委2026年事项台账", "A2": "单位：校党委　　日期：2026-09-24　　共2项，已销号0项，逾期0项", "M4": "办结时限", "M6": "2026-11-30", "R6": "=完成四层"} {
			if got, err := book.GetCellValue("台账", at); err != nil || strings.TrimSpace(got) != want {
				t.Errorf("%s holds %q (%v), want %q", at, got, err, want)
			}
		}
		if f, err := book.GetCellFormula("台账", "R6"); err != nil || f != "" {
			t.Errorf("what somebody wrote is the formula %q, %v", f, err)
		}

		var l twoMonths
		h.want(201, "", "second", "POST", "/api/v1/lists", period("2026-5", "2026-09-01", "2026-10-31")).into(t, &l)
		h.onList(&l, "second", "POST", "/items", map[string]any{"projects": []string{p.ID, other.ID}})
		got := h.taken("leader", "/api/v1/exports/lists/"+l.ID+"?format=csv")
		if len(got) != 2 || got[0]["台账编号"] != p.Number || got[0]["对账结果"] != "未到期" || got[0]["进展情况"] != "'=完成四层" || got[1]["序号"] != "2" {
			t.Errorf("the list is %v", got)
		}
		got = h.taken("leader", "/api/v1/exports/units/zz1?format=csv&year=2026")
		if len(got) != 2 || got[0]["事项类型"] != "实事项目" {
			t.Errorf("the unit's year is %v", got)
		}
		if got := h.taken("leader", "/api/v1/exports/units/zz1?format=csv&year=2025"); len(got) != 0 {
			t.Errorf("another year holds %v", got)
		}
		for _, tt := range []struct {
			who, path, key string
			status         int
		}{
			{"stranger", "/api/v1/exports/units/zz1?year=2026", "unit.unknown", 404}, {"leader", "/api/v1/exports/units/none?year=2026", "unit.unknown", 404},
			{"leader", "/api/v1/exports/units/zz1?year=26", "layout.year", 422}, {"stranger", "/api/v1/exports/lists/" + l.ID, "lists.unknown", 404},
			{"leader", "/api/v1/exports/ledger?unit=none", "unit.unknown", 422}, {"leader", "/api/v1/exports/ledger?format=doc", "", 422},
		} {
			h.want(tt.status, tt.key, tt.who, "GET", tt.path, nil)
		}
		page, err := h.engine.Trail(t.Context(), engine.Operator(), engine.EntryFilter{Actions: []string{"export"}, Actor: h.users["leader"].ID, Limit: engine.MaxPage})
		if err != nil || len(page.Items) != 6 || !strings.Contains(string(page.Items[4].Data), `"filter":"open=true&stage=advance"`) {
			t.Errorf("%d entries tell of the leader's 6 exports (%v)", len(page.Items), err)
		}
	})
}

// TestExportInTheSitesLayout fills a template that an office designed.
func TestExportInTheSitesLayout(t *testing.T) {
	f := excelize.NewFile()
	defer func() { _ = f.Close() }()
	red, err := f.NewStyle(&excelize.Style{Font: &excelize.Font{Color: "FF0000", Size: 20}})
	if err != nil {
		t.Fatal(err)
	}
	sum := []error{f.SetCellStyle("Sheet1", "A1", "D1", red), f.MergeCell("Sheet1", "A1", "D1"), f.MergeCell("Sheet1", "A5", "B5"), f.SetColWidth("Sheet1", "B", "B", 44),
		f.SetDefinedName(&excelize.DefinedName{Name: "_xlnm.Print_Area", RefersTo: "Sheet1!$A$1:$D$5", Scope: "Sheet1"})}
	for at, text := range map[string]string{"A1": "{{组织}}{{年度}}年督查台账", "A2": "序", "B2": "事项", "C2": "时限", "D2": "{{其他栏}}",
		"A3": "{{序号}}", "B3": "{{事项名称}}（{{承办人}}）", "C3": "{{办结时限}}", "D3": "{{其他栏}}", "A5": "制表：{{制表人}}"} {
		sum = append(sum, f.SetCellStr("Sheet1", at, text))
	}
	for _, err := range sum {
		if err != nil {
			t.Fatal(err)
		}
	}
	var file bytes.Buffer
	if err := f.Write(&file); err != nil {
		t.Fatal(err)
	}
	var folder fs.FS = fstest.MapFS{"台账.xlsx": {Data: file.Bytes()}}
	layouts, err := layout.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := newHouse(t, db, func(o *api.Options) { o.Layouts, o.Site = layouts, "示例大学" })
		unit := h.units["b1"]
		for _, extra := range []map[string]string{{"监督电话": "8888"}, {"备注": "@重点", "监督电话": "9999"}, nil} {
			if _, err := h.engine.Create(t.Context(), engine.Operator(), "shishi", unit, engine.Draft{Title: "甲", Extra: extra}); err != nil {
				t.Fatal(err)
			}
		}
		a := h.want(200, "", "leader", "GET", "/api/v1/exports/ledger?sort=oldest", nil)
		book, err := excelize.OpenReader(strings.NewReader(a.body))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = book.Close() }()
		rows, err := book.GetRows("Sheet1")
		want := [][]string{{"示例大学2026年督查台账"}, {"序", "事项", "时限", "备注", "监督电话"}, {"1", "甲（）", "", "", "8888"}, {"2", "甲（）", "", "@重点", "9999"}, {"3", "甲（）"}, {}, {"制表：吴领导"}}
		if diff := cmp.Diff(want, rows, cmp.Transformer("joined", func(s []string) string { return strings.Join(s, "|") })); diff != "" || err != nil {
			t.Errorf("%v, -want +got:\n%s", err, diff)
		}
		var merged []string
		cells, err := book.GetMergeCells("Sheet1")
		for _, m := range cells {
			merged = append(merged, m.GetStartAxis()+":"+m.GetEndAxis())
		}
		if slices.Sort(merged); err != nil || !slices.Equal(merged, []string{"A1:E1", "A7:B7"}) {
			t.Errorf("merged %v, %v", merged, err)
		}
		if w, err := book.GetColWidth("Sheet1", "B"); err != nil || w != 44 {
			t.Errorf("column B is %v wide, %v", w, err)
		}
		if names := book.GetDefinedName(); len(names) != 1 || names[0].RefersTo != "'Sheet1'!$A$1:$E$7" {
			t.Errorf("printed is %+v", names)
		}
		if id, err := book.GetCellStyle("Sheet1", "A1"); err != nil || id == 0 {
			t.Errorf("the title lost its style: %d, %v", id, err)
		}
	})
}
