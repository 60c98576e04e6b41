package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"bihuan/workflows"
)

// variant returns shishi's source with replacements: old, new, old, new.
func variant(t *testing.T, pairs ...string) string {
	t.Helper()
	source, ok := workflows.Source("shishi")
	if !ok {
		t.Fatal("no source of shishi")
	}
	text := string(source)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("shishi does not say %q", pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return text
}

func TestWorkflowCheck(t *testing.T) {
	good := file(t, "good.yaml", variant(t))
	broken := file(t, "broken.yaml", "id: x\n\tversion: 1\n")
	wrong := file(t, "wrong.yaml", variant(t, "version: 1", "version: one", "id: shishi", "id: shishi\ncolour: red"))
	tests := []struct {
		name     string
		args     []string
		code     int
		out, err []string
	}{
		{name: "sound", args: []string{good}, code: 0, out: []string{good + "：没有错误（shishi 第 1 版）"}},
		{name: "broken YAML", args: []string{broken}, code: 1, err: []string{broken + ":2: "}},
		{name: "every mistake of every file", args: []string{broken, good, wrong}, code: 1, out: []string{good},
			err: []string{broken + ":2: ", wrong + ":"}},
		{name: "no such file", args: []string{good + ".no"}, code: 1, err: []string{good + ".no"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := call(t, nil, append([]string{"workflow", "check"}, tt.args...)...)
			if a.code != tt.code {
				t.Errorf("exit %d, want %d", a.code, tt.code)
			}
			contains(t, a.out, tt.out...)
			contains(t, a.err, tt.err...)
		})
	}
	a := call(t, nil, "workflow", "check", wrong)
	if n := strings.Count(a.err, wrong+":"); n != 2 || n != strings.Count(a.err, "\n") {
		t.Errorf("%d mistakes on %d lines, want 2 of each\n%s", n, strings.Count(a.err, "\n"), a.err)
	}
}

func TestWorkflowShow(t *testing.T) {
	own := file(t, "own.yaml", variant(t, "id: shishi", "id: own", "number: SS", "number: OW"))
	env := map[string]string{"BIHUAN_WORKFLOWS": filepath.Dir(own)}
	tests := []struct {
		name string
		args string
		want []string
	}{
		{"graph", "graph shishi", []string{"stateDiagram-v2", "谋划"}},
		{"graph in English", "graph shishi --lang en", []string{"stateDiagram-v2", "plan"}},
		{"graph of a file", "graph " + own, []string{"stateDiagram-v2"}},
		{"graph from the site's folder", "graph own", []string{"stateDiagram-v2"}},
		{"list", "list", []string{"shishi", "shuji", "own", own, "程序自带"}},
		{"show", "show shuji --lang en", []string{"Stages", "Transitions", "approves: "}},
		{"source", "show own --source", []string{variant(t, "id: shishi", "id: own", "number: SS", "number: OW")}},
		{"diff", "diff shishi own", []string{"- shishi\n", "+ own\n", "- SS\n", "+ OW\n"}},
		{"no diff", "diff shishi shishi", []string{"没有差别"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := call(t, env, append([]string{"workflow"}, strings.Fields(tt.args)...)...)
			if a.code != exitOK || a.err != "" {
				t.Errorf("exit %d: %s", a.code, a.err)
			}
			contains(t, a.out, tt.want...)
		})
	}
	if a := call(t, env, "workflow", "graph", "nothing", "--lang", "en"); a.code != exitFailed || !strings.Contains(a.err, "shishi, shuji, xingdong, own") {
		t.Errorf("unknown id: exit %d: %s", a.code, a.err)
	}
	var d struct{ Differences []workflows.Difference }
	a := call(t, env, "workflow", "diff", "shishi", "own", "--json")
	if err := json.Unmarshal([]byte(a.out), &d); err != nil || len(d.Differences) != 2 {
		t.Errorf("diff --json: %v\n%s", err, a.out)
	}
}

// TestWorkflowMigrate moves imported projects to a newer version: the dry run tells, the run does.
func TestWorkflowMigrate(t *testing.T) {
	dsn := fresh(t)
	must(t, "import", "--db", dsn, "--kind", "shishi", "--unit", "dw", published+"linan_2022_minsheng_plan.csv")
	limit := regexp.MustCompile(`limit: \d+wd`).FindString(variant(t)) // of 谋划, the first stage
	newer := file(t, "newer.yaml", variant(t, "version: 1", "version: 2", limit, "limit: 99wd"))
	contains(t, must(t, "workflow", "migrate", "shishi", "--dry-run", "--db", dsn), "第 1 版：可以改用 0 个项目")
	contains(t, must(t, "workflow", "publish", newer, "--db", dsn), "已发布 shishi 第 2 版")
	contains(t, must(t, "workflow", "publish", newer, "--db", dsn), "没有变化")
	listed := strings.Join(strings.Fields(must(t, "workflow", "list", "--published", "--db", dsn)), " ")
	contains(t, listed, "shishi 2", "shishi 1")

	dry := must(t, "workflow", "migrate", "shishi", "--dry-run", "--db", dsn)
	contains(t, dry, "第 1 版 → 第 2 版", "本阶段到期：", "可以改用 3 个项目，不能改用 0 个")
	if again := must(t, "workflow", "migrate", "shishi", "--dry-run", "--db", dsn); again != dry {
		t.Errorf("the dry run changed something:\n%s", again)
	}
	contains(t, must(t, "workflow", "migrate", "shishi", "--db", dsn), "改用 3 个项目，不能改用 0 个")
	contains(t, must(t, "workflow", "migrate", "shishi", "--db", dsn), "改用 0 个项目")
	must(t, "audit", "verify", "--db", dsn)

	// An older version and another text of a version that is in force are refused, and so is a broken file.
	for name, text := range map[string]string{
		"older":  variant(t),
		"other":  variant(t, "version: 1", "version: 2"),
		"broken": "id: [",
	} {
		a := call(t, nil, "workflow", "publish", file(t, name+".yaml", text), "--db", dsn)
		if a.code != exitFailed || a.err == "" {
			t.Errorf("%s: exit %d: %s", name, a.code, a.err)
		}
	}
	if a := call(t, nil, "workflow", "migrate", "nothing", "--db", dsn); a.code != exitFailed {
		t.Errorf("unknown workflow: exit %d", a.code)
	}
}

func TestSimulate(t *testing.T) {
	tests := []struct {
		name     string
		args     string
		unknown  []int
		first    string // date of the first occurrence
		contains []string
	}{
		{name: "within the embedded years", args: "--workflow shishi --start 2026-09-24 --deadline 2026-11-30", first: "2026-09-24",
			contains: []string{"2026-11-30  周一", "办结时限", "2026-12-01  周二", "记为逾期", "亮黄灯", "亮红灯", "通报"}},
		{name: "in English", args: "--workflow shuji --start 2026-03-02 --deadline 2026-06-30 --lang en", first: "2026-03-02",
			contains: []string{"2026-06-30", "deadline", "recorded as overdue"}},
		{name: "across into a year whose list is not loaded", args: "--workflow shishi --start 2026-11-24 --deadline 2027-01-20", first: "2026-11-24",
			unknown: []int{2027}, contains: []string{"2027 年的节假日安排还没有载入", "2027-01-20*"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"simulate"}, strings.Fields(tt.args)...)
			text := must(t, args...)
			contains(t, text, tt.contains...)
			if warned := strings.Count(text, "还没有载入"); warned != len(tt.unknown) {
				t.Errorf("%d lines about unknown years, want %d", warned, len(tt.unknown))
			}
			var sim simulation
			if err := json.Unmarshal([]byte(must(t, append(args, "--json")...)), &sim); err != nil {
				t.Fatal(err)
			}
			if len(sim.UnknownYears) != len(tt.unknown) {
				t.Errorf("unknown years %v, want %v", sim.UnknownYears, tt.unknown)
			}
			kinds := map[string]int{}
			for i, o := range sim.Occurrences {
				kinds[o.Kind]++
				if i > 0 && o.At.Before(sim.Occurrences[i-1].At) {
					t.Errorf("line %d is earlier than the one before", i)
				}
			}
			if sim.Occurrences[0].Date.String() != tt.first {
				t.Errorf("begins on %s", sim.Occurrences[0].Date)
			}
			if kinds["stage"] != 6 || kinds["deadline"] != 1 || kinds["overdue"] != 1 || kinds["rung"] == 0 || kinds["light"] == 0 {
				t.Errorf("kinds %v", kinds)
			}
		})
	}
	for name, args := range map[string]string{
		"deadline before start": "--workflow shishi --start 2026-11-30 --deadline 2026-09-24",
		"unknown workflow":      "--workflow nothing --start 2026-09-24 --deadline 2026-11-30",
		"no such file":          "--workflow ./none.yaml --start 2026-09-24 --deadline 2026-11-30",
	} {
		if a := call(t, nil, append([]string{"simulate"}, strings.Fields(args)...)...); a.code != exitFailed || a.out != "" || a.err == "" {
			t.Errorf("%s: exit %d: %s%s", name, a.code, a.out, a.err)
		}
	}
}

// nextYear is a whole list of a year that the program does not carry, made up for the test.
const nextYear = "日期,节日,类型,国办通知\n2027-01-01,元旦,放假,\n2027-02-06,春节,放假,\n2027-02-20,春节,调休上班,\n2027-10-01,国庆节,放假,\n"

func TestCalendar(t *testing.T) {
	dsn := fresh(t)
	good := file(t, "2027.csv", nextYear)
	contains(t, must(t, "calendar", "show", "2026"), "2026-02-14", "调休上班")
	if a := call(t, nil, "calendar", "show", "2027", "--db", dsn); a.code != exitFailed || !strings.Contains(a.err, "2027 年的节假日安排还没有载入") {
		t.Errorf("unknown year: exit %d: %s", a.code, a.err)
	}
	contains(t, must(t, "calendar", "load", good, "--db", dsn), "已载入 2027 年的安排（4 天）")
	contains(t, must(t, "calendar", "load", good, "--db", dsn), "没有变化")
	contains(t, must(t, "calendar", "show", "2027", "--db", dsn), "2027-02-20", "春节")
	if a := call(t, nil, "calendar", "show", "2027"); a.code != exitFailed {
		t.Error("what one database has loaded is known everywhere")
	}
	env := map[string]string{"BIHUAN_CALENDAR": filepath.Dir(good)}
	contains(t, call(t, env, "calendar", "show", "2027").out, "2027-02-20")
	if a := call(t, env, "simulate", "--workflow", "shishi", "--start", "2026-11-24", "--deadline", "2027-01-20"); strings.Contains(a.out, "*") {
		t.Errorf("the set-up's calendar is not used:\n%s", a.out)
	}

	before := must(t, "calendar", "show", "2027", "--db", dsn)
	for _, tt := range []struct{ name, text, line string }{
		{"header", "date,name\n", ":1: "},
		{"date", strings.Replace(nextYear, "2027-02-06", "6.2.2027", 1), ":3: "},
		{"kind", strings.Replace(nextYear, "调休上班", "加班", 1), ":4: "},
		{"quotes", nextYear + "2027-10-02,\"国庆节,放假,\n", ":6: "},
		{"not whole", "日期,节日,类型,国办通知\n2028-01-01,元旦,放假,\n", "2028"},
		{"nothing", "", ":1: "},
	} {
		path := file(t, "bad.csv", tt.text)
		a := call(t, nil, "calendar", "load", path, "--db", dsn)
		if a.code != exitFailed || !strings.Contains(a.err, tt.line) {
			t.Errorf("%s: exit %d: %s", tt.name, a.code, a.err)
		}
	}
	if after := must(t, "calendar", "show", "2027", "--db", dsn); after != before {
		t.Errorf("a refused list changed something:\n%s", after)
	}
}

func TestConfigCheck(t *testing.T) {
	bad := file(t, "bad.yaml", "db: postgres://u:hunter2@/d\nworkers: 4\nlog: {level: loud}\n")
	a := call(t, map[string]string{"BIHUAN_ADDR": "here", "BIHUAN_CLOCK_SWEEP": "0 0 30 2 *"}, "config", "check", "--config", bad)
	if a.code != exitFailed || a.out != "" {
		t.Errorf("exit %d: %s", a.code, a.out)
	}
	contains(t, a.err, bad+":1: db: ", bad+":2: workers: ", bad+":3: log.level: ", "BIHUAN_ADDR: addr: ", "BIHUAN_CLOCK_SWEEP: clock.sweep: ")
	if n := strings.Count(a.err, "\n"); n != 5 {
		t.Errorf("%d lines for 5 mistakes:\n%s", n, a.err)
	}
	good := file(t, "good.yaml", "db: postgres://u:hunter2@h/d\nlanguage: en\n")
	a = call(t, map[string]string{"BIHUAN_CONFIG": good, "BIHUAN_LOG_LEVEL": "warn"}, "config", "check")
	if a.code != exitOK || a.err != "" {
		t.Errorf("exit %d: %s", a.code, a.err)
	}
	contains(t, a.out, "level: warn", "db: postgres://u:xxxxx@h/d")
	if strings.Contains(a.out, "hunter2") {
		t.Error("the password is shown")
	}
	if _, err := os.Stat("bihuan.db"); err == nil {
		t.Error("a database was made in the working directory")
	}
}

// TestWorkflowSwitch switches a kind on and off: only then can it be imported.
func TestWorkflowSwitch(t *testing.T) {
	dsn := fresh(t)
	ledger := published + "linan_2022_minsheng_plan.csv"
	taken := func() answer {
		return call(t, nil, "import", "--db", dsn, "--kind", "jiedui", "--unit", "dw", ledger)
	}
	if a := taken(); a.code != exitFailed || !strings.Contains(a.err, "“助学结对”没有启用") {
		t.Errorf("imported though it is off: %d %s", a.code, a.err)
	}
	contains(t, must(t, "workflow", "list", "--published", "--db", dsn), "未启用")
	contains(t, must(t, "workflow", "enable", "jiedui", "--db", dsn), "“助学结对”已启用")
	if a := taken(); a.code != exitOK {
		t.Errorf("cannot be imported though it is on: %d %s", a.code, a.err)
	}
	contains(t, must(t, "workflow", "disable", "jiedui", "--db", dsn), "“助学结对”已停用")
	if a := call(t, nil, "workflow", "enable", "nothing", "--db", dsn); a.code != exitFailed {
		t.Errorf("a kind that there is not: %d %s", a.code, a.err)
	}
	contains(t, must(t, "audit", "verify", "--json", "--db", dsn), `"kinds"`)
}
