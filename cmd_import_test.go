package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/xuri/excelize/v2"
)

const published = "engine/ledger/testdata/"

// imported runs an import with --json and returns its exit code and report.
func imported(t *testing.T, dsn, file string, more ...string) (int, importReport) {
	t.Helper()
	a := call(t, nil, append([]string{"import", "--db", dsn, "--kind", "shishi", "--unit", "dw", "--json", file}, more...)...)
	var r importReport
	if err := json.Unmarshal([]byte(a.out), &r); err != nil {
		t.Fatalf("exit %d, no report: %v\n%s%s", a.code, err, a.out, a.err)
	}
	return a.code, r
}

// TestImportTwice imports published ledgers: everything the first time, nothing the second.
func TestImportTwice(t *testing.T) {
	tests := []struct {
		file string
		rows int
	}{
		{"dazhu_2016_minsheng.csv", 11},
		{"csuft_2017_03_duban_unfinished.csv", 8},
		{"dgut_2015_minsheng_progress.csv", 7},
		{"linan_2022_minsheng_plan.csv", 3},
		{"linan_2022_minsheng_progress_sept.csv", 11},
		{"shuji_projects_2024_2025_vocational_college.csv", 8},
		{"suzhou_city_university_2021_14_tasks.csv", 14},
		{"university_2022_ten_minsheng.csv", 10},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			dsn := fresh(t)
			code, dry := imported(t, dsn, published+tt.file, "--dry-run")
			if code != 0 || dry.Rows != tt.rows || dry.Projects != tt.rows || dry.Known != 0 || !dry.DryRun {
				t.Fatalf("dry run: exit %d, %d rows, %d projects, %d known, problems %v", code, dry.Rows, dry.Projects, dry.Known, dry.Problems)
			}
			code, first := imported(t, dsn, published+tt.file)
			if code != 0 || first.Rows != tt.rows || first.Projects != tt.rows || first.Known != 0 || len(first.Items) != tt.rows {
				t.Fatalf("first: exit %d, %d rows, %d projects, %d known, %d items", code, first.Rows, first.Projects, first.Known, len(first.Items))
			}
			numbers := map[string]bool{}
			for _, i := range first.Items {
				numbers[i.Number] = true
			}
			if len(numbers) != tt.rows || numbers[""] {
				t.Errorf("numbers %v", numbers)
			}
			code, second := imported(t, dsn, published+tt.file)
			if code != 0 || second.Rows != tt.rows || second.Projects != 0 || second.Known != tt.rows || len(second.Items) != 0 {
				t.Errorf("second: exit %d, %d rows, %d projects, %d known", code, second.Rows, second.Projects, second.Known)
			}
			if a := call(t, nil, "audit", "verify", "--db", dsn); a.code != verifyIntact {
				t.Errorf("verify: exit %d\n%s", a.code, a.out)
			}
		})
	}
}

// TestImportReport reads one ledger closely: what became of deadlines, units and people.
func TestImportReport(t *testing.T) {
	dsn := fresh(t)
	must(t, "unit", "add", "zj", "县住建局", "--parent", "dw", "--db", dsn)
	must(t, "unit", "add", "sw", "县水务局", "--parent", "dw", "--db", dsn)
	must(t, "user", "add", "li", "李四", "--db", dsn)
	must(t, "user", "add", "wang1", "王五", "--db", dsn)
	must(t, "user", "add", "wang2", "王五", "--db", dsn)
	text := "序号,实事项目,责任单位,配合单位,责任领导,负责人,完成时限,监督电话,资金来源\n" +
		"1,新建2座人行天桥,县住建局,县交通局、县公安局，团县委,李四,王五,12月底前,123,县财政\n" +
		"2,治理东柳河,县水务局、县护城河指挥部,,赵六,,3-4月,,\n" +
		"3,启动县图书馆,县文体局,,,,2099-06-30,,\n"
	code, r := imported(t, dsn, file(t, "2016.csv", text), "--list", "2016-1")
	if code != 0 || r.Projects != 3 || r.Year != 2016 || r.Unit != "dw" {
		t.Fatalf("exit %d: %+v", code, r)
	}
	want := []struct{ deadline, reading string }{{"2016-12-31", "12月底前"}, {"2016-04-30", "3-4月"}, {"2099-06-30", "2099-06-30"}}
	for i, w := range want {
		if got := r.Items[i]; got.Deadline.String() != w.deadline || got.Row != i+2 {
			t.Errorf("item %d: row %d, deadline %s, want %s", i, got.Row, got.Deadline, w.deadline)
		}
		contains(t, r.Items[i].Reading, w.reading, w.deadline)
	}
	notes := map[string][]int{}
	for _, n := range r.Notes {
		notes[n.Key] = append(notes[n.Key], n.Row)
	}
	for key, rows := range map[string][]int{
		"intake.past": {2, 3}, "intake.unit_kept": {4}, "intake.person_kept": {3}, "intake.person_ambiguous": {2},
	} {
		if len(notes[key]) != len(rows) || notes[key][0] != rows[0] {
			t.Errorf("note %s at rows %v, want %v", key, notes[key], rows)
		}
	}

	var unknown []string
	for _, u := range r.Unknown {
		unknown = append(unknown, fmt.Sprint(u.Row, " ", u.Name))
	}
	if want := []string{"2 县交通局", "2 县公安局", "2 团县委", "3 县护城河指挥部", "4 县文体局"}; !slices.Equal(unknown, want) {
		t.Errorf("unknown units %q, want %q", unknown, want)
	}
	if near := r.Unknown[0].Near; len(near) != 2 || near[0].Code != "zj" && near[0].Code != "sw" {
		t.Errorf("near 县交通局: %v", near)
	}

	// What the trail keeps of the row is what the projects are made of.
	out := must(t, "audit", "list", "--db", dsn, "--action", "import", "--json")
	var list struct {
		Entries []struct {
			Entry struct {
				Unit string
				Data struct {
					Source map[string]string
					Set    struct {
						Title, List, Sponsor, Owner string
						Assisting                   []string
						Extra                       map[string]string
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	bridge, river := list.Entries[2].Entry, list.Entries[1].Entry // newest first
	if s := bridge.Data.Source; s["file"] != "2016.csv" || s["row"] != "2" || s["deadline"] != "12月底前" || s["rule"] == "" || s["reading"] == "" || len(s["sha256"]) != 64 {
		t.Errorf("source %v", s)
	}
	set := bridge.Data.Set
	if set.Title != "新建2座人行天桥" || set.List != "2016-1" || set.Sponsor == "" || set.Owner != "" || len(set.Assisting) != 3 {
		t.Errorf("bridge %+v", set)
	}
	for column, text := range map[string]string{"负责人": "王五", "监督电话": "123", "资金来源": "县财政", "序号": "1"} {
		if set.Extra[column] != text {
			t.Errorf("extra %s = %q, want %q", column, set.Extra[column], text)
		}
	}
	if set.Extra["责任领导"] != "" || set.Extra["责任单位"] != "" {
		t.Errorf("what was understood is kept as well: %v", set.Extra)
	}
	if got := river.Data.Set.Assisting; len(got) != 1 || got[0] != "县护城河指挥部" {
		t.Errorf("the units behind the first assist, got %v", got)
	}
	if bridge.Unit == river.Unit {
		t.Error("both units of the ledger lead in one place")
	}
}

// TestImportRefused: a file with anything wrong imports nothing, and each mistake is named with its row.
func TestImportRefused(t *testing.T) {
	workbook := func(rows ...[]any) string {
		f := excelize.NewFile()
		for i, row := range rows {
			cell, err := excelize.CoordinatesToCellName(1, i+1)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.SetSheetRow("Sheet1", cell, &row); err != nil {
				t.Fatal(err)
			}
		}
		var b bytes.Buffer
		if err := f.Write(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	sound := workbook([]any{"序号", "实事项目", "完成时限"}, []any{1, "修路", "2026年12月底前"})
	long := make([]rune, 2000)
	for i := range long {
		long[i] = '长'
	}
	type problem struct {
		row int
		key string
	}
	tests := []struct {
		name, file, data string
		want             []problem
	}{
		{"empty", "a.csv", "", []problem{{0, "ledger.empty"}}},
		{"no header", "a.csv", "甲,乙\n1,2\n", []problem{{1, "ledger.no_header"}}},
		{"header only", "a.csv", "序号,实事项目\n", []problem{{1, "ledger.no_rows"}}},
		{"quote never closed", "a.csv", "序号,实事项目\n1,\"修路\n2,架桥\n", []problem{{2, "ledger.quote_unclosed"}}},
		{"not a workbook", "a.xlsx", "PK\x03\x04 nonsense", []problem{{0, "ledger.bad_workbook"}}},
		{"workbook cut short", "a.xlsx", sound[:len(sound)/2], []problem{{0, "ledger.bad_workbook"}}},
		{"old Excel", "a.xls", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old", []problem{{0, "ledger.old_excel"}}},
		{"deadlines that nobody can read", "2026.csv", "序号,实事项目,完成时限\n1,修路,12月底前\n2,架桥,长期坚持\n3,植树,2月30日\n",
			[]problem{{3, "ledger.deadline_unreadable"}, {4, "ledger.deadline_invalid"}}},
		{"the engine's limits and the reader's, together", "2026.csv", "序号,实事项目,完成时限,工作措施\n1,修路,改天,\n2,架桥,12月,\"" + string(long) + "\"\n",
			[]problem{{2, "ledger.deadline_unreadable"}, {3, "field.too_long"}}},
		{"the same item twice", "2026.csv", "序号,实事项目,完成时限\n1,修路,12月\n1,修路,12月\n", []problem{{3, "import.same_row"}}},
	}
	dsn := fresh(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, r := imported(t, dsn, file(t, tt.file, tt.data))
			if code != exitFailed || r.Projects != 0 || len(r.Items) != 0 {
				t.Errorf("exit %d, %d projects, %d items", code, r.Projects, len(r.Items))
			}
			var got []problem
			for _, p := range r.Problems {
				got = append(got, problem{p.Row, p.Key})
				if p.Message == "" || p.Message == p.Key {
					t.Errorf("row %d: no sentence for %s", p.Row, p.Key)
				}
			}
			if len(got) != len(tt.want) {
				t.Fatalf("problems %v, want %v", got, tt.want)
			}
			for i, w := range tt.want {
				if got[i] != w {
					t.Errorf("problem %d is %v, want %v", i, got[i], w)
				}
			}
			contains(t, call(t, nil, "import", "--db", dsn, "--kind", "shishi", "--unit", "dw", file(t, tt.file, tt.data)).out, "没有导入任何一项")
		})
	}
	if out := must(t, "audit", "list", "--db", dsn, "--action", "import", "--json"); !bytes.Contains([]byte(out), []byte(`"entries": []`)) {
		t.Errorf("something was imported: %s", out)
	}
}

// TestImportMisdirected: what is wrong with the command rather than the file.
func TestImportMisdirected(t *testing.T) {
	dsn := fresh(t)
	ledger := published + "dazhu_2016_minsheng.csv"
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"no such file", []string{"--kind", "shishi", "--unit", "dw", filepath.Join(t.TempDir(), "none.csv")}, "none.csv"},
		{"a folder", []string{"--kind", "shishi", "--unit", "dw", t.TempDir()}, "directory"},
		{"no such unit", []string{"--kind", "shishi", "--unit", "xx", ledger}, "xx"},
		{"no such workflow", []string{"--kind", "xx", "--unit", "dw", ledger}, "xx"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := call(t, nil, append([]string{"import", "--db", dsn}, tt.args...)...)
			if a.code != exitFailed || a.out != "" {
				t.Errorf("exit %d, stdout %q", a.code, a.out)
			}
			contains(t, a.err, tt.want)
		})
	}
	if _, err := os.Stat("bihuan.db"); err == nil {
		t.Error("a database was made in the working directory")
	}
}
