package main

import (
	"encoding/json"
	"strings"
	"testing"
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
