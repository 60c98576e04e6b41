package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

// A table of what members did goes in after a dry run, once and no more, and the list says who is short.
func TestTallyByTheCommandLine(t *testing.T) {
	dsn := fresh(t)
	units := file(t, "units.csv", "代码,名称,上级单位\nkc,课程党委,\nkc-1,第一支部,kc\n")
	people := file(t, "people.csv", "用户名,姓名\nlisi,李四\nwangwu,王五\n")
	hours := file(t, "hours.csv", "工号,支部,类别,日期,时长,活动内容\nlisi,kc-1,授课,2026年3月5日,1.5,党课\nlisi,,志愿服务,2026/4/1,2:20,\nwangwu,第一支部,,,,\n")
	more := file(t, "more.csv", "工号,支部,类别,日期,时长,活动内容\nlisi,kc-1,授课,2026-03-05,1.5,党课\nlisi,,义务劳动,2026.4.2,3,扫雪\n")
	bad := file(t, "bad.csv", "工号,支部,类别,日期,时长\nlisi,kc,授课,2026-03-06,1\nnobody,kc-1,授课,2026-03-06,1\nwangwu,,唱歌,2026-03-06,1\nwangwu,,授课,三月,1\nwangwu,,授课,2026-03-06,两小时\n")
	own := file(t, "own.yaml", "id: own\nname: {zh: 读书会}\ncategories: [{id: book, name: {zh: 读书}, min: 2}]\nenter: [secretary]\n")
	wrong := file(t, "wrong.yaml", "id: own\nname: {zh: 读书会}\ncategories:\n  - {id: book, name: {zh: 读书}, min: 999}\nenter: [secretary]\n")
	calls(t, dsn, []command{
		{[]string{"unit", "import", units}, exitOK, ""},
		{[]string{"user", "import", people}, exitOK, ""},
		{[]string{"tally", "import", hours, "--year", "2026"}, exitFailed, "--tally"},
		{[]string{"tally", "enable", "nothing"}, exitFailed, "nothing"},
		{[]string{"tally", "enable", "sigeyi"}, exitOK, "四个一"},
		{[]string{"tally", "import", hours, "--year", "2026", "--dry-run"}, exitOK, "还没有导入"},
		{[]string{"tally", "list", "--unit", "kc", "--year", "2026"}, exitOK, "0 名党员"},
		{[]string{"tally", "import", bad, "--year", "2026"}, exitFailed, "没有导入任何内容"},
		{[]string{"tally", "import", hours, "--year", "2026"}, exitOK, "新增 2 条"},
		{[]string{"tally", "import", hours, "--year", "2026"}, exitOK, "新增 0 条，已有 3 条"},
		{[]string{"tally", "import", more}, exitOK, "新增 1 条，已有 1 条"},
		{[]string{"tally", "list", "--unit", "kc-1", "--year", "2026"}, exitOK, "2 名党员，2 名还没有达到"},
		{[]string{"tally", "list", "--unit", "kc-1", "--year", "2026"}, exitOK, "义务劳动 1 次、宿舍结对 1 次、20 小时"},
		{[]string{"tally", "enable", wrong}, exitFailed, "wrong.yaml:4"},
		{[]string{"tally", "enable", own}, exitOK, "读书会"},
		{[]string{"tally", "list", "--unit", "kc-1", "--year", "2026"}, exitFailed, "--tally"},
		{[]string{"tally", "disable", "own"}, exitOK, "读书会"},
		{[]string{"audit", "verify"}, exitOK, ""},
	})
	refused := call(t, nil, "tally", "import", bad, "--json", "--db", dsn)
	for _, key := range []string{"user.unknown", "tally.elsewhere", "tally.category", "tally.day", "tally.hours"} {
		if !strings.Contains(refused.out, `"`+key+`"`) {
			t.Errorf("nothing says %s: %s", key, refused.out)
		}
	}
	var r tallyReport
	if err := json.Unmarshal([]byte(must(t, "tally", "list", "--unit", "kc", "--year", "2026", "--json", "--db", dsn)), &r); err != nil || len(r.Members) != 2 || r.Short != 2 {
		t.Fatalf("%v: %+v", err, r)
	}
	if m := r.Members[0]; m.Member != "lisi" || m.Unit != "kc-1" || m.Waiting != 3 || m.Minutes != 0 || m.ShortMinutes != 1200 || m.ShortTimes["labour"] != 1 {
		t.Errorf("%+v", m)
	}
}

// A table as an office keeps it goes in: a merged title, cells merged over a member's rows, dates and hours as the
// numbers that a spreadsheet stores.
func TestTallyOutOfAWorkbook(t *testing.T) {
	dsn := fresh(t)
	people := file(t, "people.csv", "用户名,姓名\n20240001,李四\n20240002,王五\n")
	calls(t, dsn, []command{
		{[]string{"unit", "import", file(t, "units.csv", "代码,名称,上级单位\nkc,课程党委,\nkc-1,第一支部,kc\n")}, exitOK, ""},
		{[]string{"user", "import", people}, exitOK, ""},
		{[]string{"tally", "enable", "sigeyi"}, exitOK, ""},
	})
	book := excelize.NewFile()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	style := func(s excelize.Style) int {
		t.Helper()
		id, err := book.NewStyle(&s)
		check(err)
		return id
	}
	chinese, clock := `yyyy"年"m"月"d"日";@`, `[h]:mm`
	for i, row := range [][]any{
		{"2026年党员“四个一”活动登记表"},
		{"填报单位：课程党委", nil, nil, nil, "2026年7月"},
		{"序号", "工号", "支部", "类别", "日期", "时长（小时）", "活动内容"},
		{1, 20240001, "第一支部", "授课", 46086, 1.5, "党课"},
		{2, nil, nil, "志愿服务", 46087, 0.0972222222222222, "护路"},
		{3, nil, nil, "义务劳动", 46088.604166666664, 1.5, "扫雪"},
		{4, "20240002", "第一支部", "授课", 46089, "2小时", nil},
		{5, 20240002, "kc-1", "志愿服务", "2026.3.10", 3, nil},
	} {
		cell, err := excelize.CoordinatesToCellName(1, i+1)
		check(err)
		check(book.SetSheetRow("Sheet1", cell, &row))
	}
	check(book.SetCellFormula("Sheet1", "F6", "1+0.5"))
	for _, area := range [][2]string{{"A1", "G1"}, {"A2", "D2"}, {"B4", "B6"}, {"C4", "C6"}} {
		check(book.MergeCell("Sheet1", area[0], area[1]))
	}
	head := style(excelize.Style{Font: &excelize.Font{Bold: true, Size: 16}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"#D9E1F2"}}})
	check(book.SetCellStyle("Sheet1", "A1", "G3", head))
	check(book.SetCellStyle("Sheet1", "E4", "E4", style(excelize.Style{CustomNumFmt: &chinese})))
	check(book.SetCellStyle("Sheet1", "E5", "E5", style(excelize.Style{NumFmt: 31})))
	check(book.SetCellStyle("Sheet1", "E6", "E6", style(excelize.Style{NumFmt: 22})))
	check(book.SetCellStyle("Sheet1", "F5", "F5", style(excelize.Style{CustomNumFmt: &clock})))
	path := filepath.Join(t.TempDir(), "四个一.xlsx")
	take := func(want int) (r rosterReport) {
		t.Helper()
		check(book.SaveAs(path))
		a := call(t, nil, "tally", "import", path, "--json", "--db", dsn)
		if err := json.Unmarshal([]byte(a.out), &r); err != nil || a.code != want {
			t.Fatalf("exit %d, %v\n%s%s", a.code, err, a.out, a.err)
		}
		return r
	}
	// A number that nothing shows as a date is not guessed to be one, nor are hours over several rows counted for each.
	check(book.SetCellValue("Sheet1", "F8", nil))
	check(book.MergeCell("Sheet1", "F7", "F8"))
	r := take(exitFailed)
	if len(r.Problems) != 2 || r.Problems[0].Key != "tally.day_number" || r.Problems[1].Key != "tally.hours" || r.Problems[1].Row != 8 {
		t.Errorf("problems %+v", r.Problems)
	}
	check(book.UnmergeCell("Sheet1", "F7", "F8"))
	check(book.SetCellValue("Sheet1", "F8", 3))
	check(book.SetCellStyle("Sheet1", "E7", "E7", style(excelize.Style{NumFmt: 14})))
	r = take(exitOK)
	var got []string
	for _, x := range r.Items {
		got = append(got, x.Key+" "+x.Unit+" "+x.Name)
	}
	want := []string{"20240001 第一支部 2026-03-05 授课 1.5", "20240001 第一支部 2026-03-06 志愿服务 2:20", "20240001 第一支部 2026-03-07 14:30 义务劳动 1.5",
		"20240002 第一支部 2026-03-08 授课 2小时", "20240002 kc-1 2026.3.10 志愿服务 3"}
	if r.New != 5 || !slices.Equal(got, want) {
		t.Errorf("%d new of\n%s", r.New, strings.Join(got, "\n"))
	}
	if len(r.Notes) != 2 || r.Notes[0].Key != "ledger.filled_down" || r.Notes[1].Row != 5 {
		t.Errorf("notes %+v", r.Notes)
	}
	if r = take(exitOK); r.New != 0 {
		t.Errorf("again: %d new", r.New)
	}
}
