package browsertest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"bihuan/engine"
)

// goodLedger is a ledger as offices keep them: a title line, words for the deadline, a column that nobody knows.
const goodLedger = "2025年度民生实事台账,,,\n序号,实事项目,责任单位,完成时限,联系电话\n1,东门加装两盏路灯,信息化中心,12月底前,8801\n2,操场雨后两小时可用,后勤保障处,11月30日前,8802\n"

// upload hands a ledger in at the import page, takes its columns as they are recognised, and ends at its preview.
func (p *person) upload(h *house, name, text string) {
	p.t.Helper()
	p.hand(h, name, []byte(text), "2025")
	p.follow(chosen)
	if p.sent != 200 || !strings.HasPrefix(p.at(), "/import/") || strings.Contains(p.at(), "/columns") {
		p.t.Fatalf("the columns answer %d at %s: %s", p.sent, p.at(), p.text("#main"))
	}
}

// chosen is the button that says that the columns are chosen.
const chosen = "#main form.columns button.pri"

// hand hands a ledger in at the import page and ends where its columns are chosen.
func (p *person) hand(h *house, name string, data []byte, year string) {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), name)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.open("/import")
	p.complete("#main form", "kind", "shishi", "unit", string(h.unit("csxy")), "year", year, "list", "2025-6", "file", file)
	p.follow("#main form button[type=submit]")
	if p.sent != 200 || !strings.Contains(p.at(), "/columns?") {
		p.t.Fatalf("the ledger answers %d at %s: %s", p.sent, p.at(), p.text("#main"))
	}
}

// TestImport takes a ledger over through its preview: nothing is written before it is confirmed, a ledger with a row
// that cannot be read is not taken at all, and what the preview promised is what then stands in the ledger.
func TestImport(t *testing.T) {
	h := open(t, false)
	count := func() int64 {
		t.Helper()
		r, err := h.engine.List(t.Context(), engine.Operator(), engine.Filter{Limit: engine.MaxPage})
		if err != nil {
			t.Fatal(err)
		}
		return int64(len(r.Items))
	}
	before := count()
	p := h.enter("zhang")
	p.upload(h, "坏台账.csv", "实事项目,责任单位,完成时限\n,信息化中心,12月底前\n好的一行,信息化中心,昨天的昨天\n")
	if p.has("#main .banner form[method=post]") {
		t.Errorf("a ledger with a row without a title may be imported: %s", p.text("#main .banner"))
	}
	p.upload(h, "民生实事.csv", goodLedger)
	p.wants("#main", "东门加装两盏路灯", "2025-12-31", "操场雨后两小时可用", "2025-11-30", "联系电话")
	p.readable("import preview")
	if n := count(); n != before {
		t.Errorf("the preview has made %d projects", n-before)
	}
	p.follow("#main .banner form[method=post] button[type=submit]")
	if p.sent != 200 || !p.has(".said") {
		t.Fatalf("the import answers %d: %s", p.sent, p.text("#main"))
	}
	if n := count(); n != before+2 {
		t.Errorf("%d projects were made, want 2", n-before)
	}
	p.follow("#main td a.mono")
	p.wants("#main", "8801", "信息化中心")
	h.intact()
}

// strange is a workbook that nothing recognises: two sheets, the head in row 4, columns with names of their own.
func strange(t *testing.T, month string, rows ...[]any) []byte {
	t.Helper()
	f := excelize.NewFile()
	put := func(sheet string, rows [][]any) {
		for i, row := range rows {
			at, err := excelize.CoordinatesToCellName(1, i+1)
			if err == nil {
				err = f.SetSheetRow(sheet, at, &row)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := f.SetSheetName("Sheet1", "通讯录"); err != nil {
		t.Fatal(err)
	}
	put("通讯录", [][]any{{"谁", "哪儿"}, {"老周", "三楼"}, {"老李", "五楼"}})
	if _, err := f.NewSheet("干活"); err != nil {
		t.Fatal(err)
	}
	put("干活", append([][]any{{"办事一览（" + month + "）"}, {"各处按月填"}, {"不要改表头"},
		{"#", "要办啥", "谁牵头", "到哪天", "咋弄", month + "弄到哪了", "内部编码"}}, rows...))
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestImportUnfamiliar maps a ledger that nothing recognises, imports it, and finds what was said remembered with the
// next month's, until it is forgotten.
func TestImportUnfamiliar(t *testing.T) {
	h := open(t, false)
	p := h.enter("zhang")
	p.hand(h, "10月.xlsx", strange(t, "10月", []any{1, "修东门", "后勤保障处", "12月底前", "换两扇门", "在量尺寸", "X-1"},
		[]any{2, "补路灯", "没有的处", "11月30日前", "加六盏", "", "X-2"}), "")
	p.wants("#main", "没有认出表头", "通讯录", "老周")
	p.readable("columns, guessed")
	p.shot("columns-guessed")
	p.complete("form.columns", "sheet", "干活")
	p.follow("form.columns button[formmethod=get]")
	p.wants("#main .k-columns", "要办啥", "修东门", "没有识别", "共 2 格有内容")

	// Nothing is the title: refused, and what was chosen stays.
	p.complete("form.columns", "c3", "deadline", "c4", "measures", "c6", "ignore")
	p.follow(chosen)
	if p.sent != 422 || !p.has(".errsum") {
		t.Fatalf("columns without a title answer %d", p.sent)
	}
	p.wants(".errsum", "事项名称")
	stays := func(name, want string) {
		t.Helper()
		var got string
		if p.eval("document.querySelector('form.columns [name="+name+"]').value", &got); got != want {
			t.Errorf("%s is %q, and was chosen as %q", name, got, want)
		}
	}
	stays("c3", "deadline")
	stays("c6", "ignore")
	// Two titles: the second is named, and the summary leads to its control.
	p.complete("form.columns", "c0", "number", "c1", "title", "c2", "title")
	p.follow(chosen)
	p.wants(".errsum", "谁牵头", "要办啥")
	if !p.has("#im-c2[aria-invalid=true]") {
		t.Error("the control of the second title is not marked")
	}
	p.readable("columns, refused")
	p.onPhone("columns-refused")
	// A bare month whose year nothing tells.
	p.complete("form.columns", "c2", "unit", "c5", "progress")
	p.follow(chosen)
	p.wants(".errsum", "年度")
	stays("c2", "unit")
	p.complete("form.columns", "year", "2025")
	p.follow(chosen)
	if p.sent != 200 || strings.Contains(p.at(), "/columns") {
		t.Fatalf("the columns answer %d at %s: %s", p.sent, p.at(), p.text("#main"))
	}
	p.wants("#main", "修东门", "2025-12-31", "没有的处")
	p.wants("section[aria-labelledby=if]", "内部编码：按要求不导入这一栏")
	p.wants("section[aria-labelledby=ic]", "进展情况")
	p.shot("columns-preview")
	p.follow("#main .banner form[method=post] button[type=submit]")
	if p.sent != 200 || !p.has(".said") {
		t.Fatalf("the import answers %d: %s", p.sent, p.text("#main"))
	}
	p.follow("#main td a.mono")
	p.wants("#main", "修东门", "换两扇门")

	// The next month everything is chosen already, and by whom.
	p.hand(h, "11月.xlsx", strange(t, "11月", []any{3, "清雨沟", "后勤保障处", "2025-12-20", "掏沟", "", "X-3"}), "")
	p.wants("#main .banner", "张岚", "10月.xlsx", "忘记")
	for name, want := range map[string]string{"c0": "number", "c1": "title", "c2": "unit", "c3": "deadline", "c4": "measures", "c5": "progress", "c6": "ignore"} {
		stays(name, want)
	}
	p.readable("columns, remembered")
	p.shot("columns-remembered")
	p.onPhone("columns-remembered")
	p.follow(chosen)
	p.wants("#main", "清雨沟", "将新建 1 项")
	p.follow("#main .banner form[method=post] button[type=submit]")

	p.open("/import")
	p.wants("#main", "记住的来源", "10月.xlsx", "忘记")
	p.readable("remembered sources")
	p.onPhone("remembered-sources")
	p.follow("#main .sources form button")
	if p.has("#main .sources") {
		t.Errorf("after it was forgotten: %s", p.text("#main"))
	}
	h.intact()
}
