package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestImportOfUnitsAndPeople takes two tables over by the command line, each after a dry run that changes nothing.
func TestImportOfUnitsAndPeople(t *testing.T) {
	dsn := fresh(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	units := file("units.csv", "代码,名称,上级单位\nkc,课程党委,\nkc-1,第一支部,kc\n")
	people := file("people.csv", "用户名,姓名,角色,单位\nlisi,李四,督导员,kc\nlisi,李四,支部书记,课程党委/第一支部\nwangwu,王五,,\n")
	bad := file("bad.csv", "代码,名称,上级单位\nok,好,kc\nx,,kc\n")
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"unit", "import", units, "--dry-run"}, exitOK, "还没有导入"},
		{[]string{"user", "import", people, "--dry-run"}, exitFailed, "没有“kc”这个单位"},
		{[]string{"unit", "import", units}, exitOK, "新增 2 个"},
		{[]string{"unit", "import", units}, exitOK, "已有 2 个"},
		{[]string{"unit", "import", bad}, exitFailed, "第 3 行"},
		{[]string{"user", "import", people}, exitOK, "授予角色 2 项"},
		{[]string{"unit", "list"}, exitOK, "kc-1"},
		{[]string{"user", "list"}, exitOK, "督导员@kc"},
	} {
		a := call(t, nil, append(tt.args, "--db", dsn)...)
		if a.code != tt.code || !strings.Contains(a.out+a.err, tt.says) {
			t.Errorf("%v: exit %d, want %d with %q: %s%s", tt.args, a.code, tt.code, tt.says, a.out, a.err)
		}
		if strings.Contains(a.out, "ok") && strings.Contains(a.out, "好") && tt.args[1] == "list" {
			t.Error("a row of a refused table was taken over")
		}
	}
	var report rosterReport
	if err := json.Unmarshal([]byte(must(t, "user", "import", people, "--json", "--db", dsn)), &report); err != nil || report.Known != 2 || len(report.Items) != 3 {
		t.Errorf("%v: %+v", err, report)
	}
	must(t, "audit", "verify", "--db", dsn)
}
