package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestImportOfUnitsAndPeople takes two tables over by the command line, each after a dry run that changes nothing.
func TestImportOfUnitsAndPeople(t *testing.T) {
	dsn := fresh(t)
	units := file(t, "units.csv", "代码,名称,上级单位\nkc,课程党委,\nkc-1,第一支部,kc\n")
	people := file(t, "people.csv", "用户名,姓名,角色,单位\nlisi,李四,督导员,kc\nlisi,李四,支部书记,课程党委/第一支部\nwangwu,王五,,\n")
	bad := file(t, "bad.csv", "代码,名称,上级单位\nok,好,kc\nx,,kc\n")
	calls(t, dsn, []command{
		{[]string{"unit", "import", units, "--dry-run"}, exitOK, "还没有导入"},
		{[]string{"user", "import", people, "--dry-run"}, exitFailed, "没有“kc”这个单位"},
		{[]string{"unit", "import", units}, exitOK, "新增 2 个"},
		{[]string{"unit", "import", units}, exitOK, "已有 2 个"},
		{[]string{"unit", "import", bad}, exitFailed, "第 3 行"},
		{[]string{"user", "import", people}, exitOK, "授予角色 2 项"},
		{[]string{"unit", "list"}, exitOK, "kc-1"},
		{[]string{"user", "list"}, exitOK, "督导员@kc"},
	})
	if out := must(t, "unit", "list", "--db", dsn); strings.Contains(out, "好") {
		t.Errorf("a row of a refused table was taken over:\n%s", out)
	}
	var report rosterReport
	if err := json.Unmarshal([]byte(must(t, "user", "import", people, "--json", "--db", dsn)), &report); err != nil || report.Known != 2 || len(report.Items) != 3 {
		t.Errorf("%v: %+v", err, report)
	}
	must(t, "audit", "verify", "--db", dsn)
}
