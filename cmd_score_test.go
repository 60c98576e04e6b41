package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bihuan/workflows"
)

// TestSheetCommands checks, proposes, lists and withdraws a score sheet.
func TestSheetCommands(t *testing.T) {
	dsn := fresh(t)
	source, _ := workflows.SheetSource("default")
	next := strings.Replace(string(source), "version: 1\n", "version: 2\n", 1)
	good, wrong, taken := file(t, "next.yaml", next), file(t, "wrong.yaml", strings.Replace(next, "base: 100", "bass: 100", 1)), file(t, "taken.yaml", strings.Replace(string(source), "base: 100", "base: 90", 1))
	for _, tt := range []struct {
		name     string
		args     []string
		code     int
		out, err string
	}{
		{"checked", []string{"check", good}, 0, "default 第 2 版没有错误", ""},
		{"checked and wrong", []string{"check", good, wrong}, 1, "没有错误", "wrong.yaml:8: 不认识的键“bass”"},
		{"what holds", []string{"list", "--db", dsn}, 0, "现行：default 第 1 版 通用口径", ""},
		{"nothing to withdraw", []string{"withdraw", "--db", dsn}, 1, "", "没有等待批准的口径"},
		{"a wrong one", []string{"propose", wrong, "--from", "2099-01-01", "--note", "基础分偏高", "--db", dsn}, 1, "", "wrong.yaml:8"},
		{"a version that is taken", []string{"propose", taken, "--from", "2099-01-01", "--note", "基础分偏高", "--db", dsn}, 1, "", "版本号要大于 1"},
		{"for a day that is over", []string{"propose", good, "--from", "2020-01-01", "--note", "基础分偏高", "--db", dsn}, 1, "", "要在今天之后"},
		{"proposed", []string{"propose", good, "--from", "2099-01-01", "--note", "基础分偏高", "--db", dsn}, 0, "2099-01-01 起生效，等党委领导批准", ""},
		{"listed", []string{"list", "--db", dsn}, 0, "default 第 2 版，2099-01-01 起", ""},
		{"withdrawn", []string{"withdraw", "--db", dsn}, 0, "default 第 2 版的提案已撤回", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := call(t, nil, append([]string{"sheet"}, tt.args...)...)
			if a.code != tt.code || !strings.Contains(a.out, tt.out) || !strings.Contains(a.err, tt.err) {
				t.Errorf("exit %d, want %d\n%s%s", a.code, tt.code, a.out, a.err)
			}
		})
	}
}

// TestScore computes scores of an imported ledger, of which everything is still to be done.
func TestScore(t *testing.T) {
	dsn := fresh(t)
	ledger := file(t, "ledger.csv", "序号,实事项目,责任单位,完成时限\n1,修路灯,校党委,2020-12-01\n2,修水管,校党委,2020-11-20\n3,修门窗,校党委,2099-11-20\n")
	must(t, "import", ledger, "--kind", "shishi", "--unit", "dw", "--db", dsn)
	source, _ := workflows.SheetSource("default")
	mine := file(t, "mine.yaml", strings.Replace(string(source), "base: 100", "base: 90", 1))
	wrong := file(t, "wrong.yaml", strings.Replace(string(source), "base: 100", "bass: 100", 1))
	book := filepath.Join(t.TempDir(), "scores.xlsx")
	for _, tt := range []struct {
		name string
		args []string
		code int
		out  string
		err  string
	}{
		{"this year", nil, 0, "不排名 学校党委（dw） 计入 2 项，总分 98，—", ""},
		{"line by line", []string{"--unit", "dw"}, 0, "修路灯 依据 1 条记录", ""},
		{"for programs", []string{"--json"}, 0, `"row": "late"`, ""},
		{"by another sheet", []string{"--sheet", "jiamusi"}, 0, "总分 -2", ""},
		{"by a file, beside the present one", []string{"--beside", mine}, 0, "学校党委（dw） 98 → 88（-10）", ""},
		{"as a workbook", []string{"--xlsx", book}, 0, "已写入 " + book, ""},
		{"by a wrong file", []string{"--sheet", wrong}, 1, "", "wrong.yaml:8: 不认识的键“bass”"},
		{"by no file", []string{"--sheet", "none.yaml"}, 1, "", "none.yaml"},
		{"of no unit", []string{"--unit", "none"}, 1, "", "none"},
		{"of no period", []string{"--from", "2026-06-01", "--to", "2026-05-01"}, 1, "", "止日不能早于起日"},
		{"of what is to come", []string{"--from", "2099-01-01"}, 1, "", "才开始"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := call(t, nil, append(append([]string{"score"}, tt.args...), "--db", dsn)...)
			if a.code != tt.code || !strings.Contains(a.out, tt.out) || !strings.Contains(a.err, tt.err) {
				t.Errorf("exit %d, want %d\n%s%s", a.code, tt.code, a.out, a.err)
			}
		})
	}
	if info, err := os.Stat(book); err != nil || info.Size() < 1000 {
		t.Errorf("the workbook: %v", err)
	}
}
