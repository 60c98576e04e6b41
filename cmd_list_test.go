package main

import (
	"strings"
	"testing"
)

// TestList draws up a list for an imported ledger and reconciles it.
func TestList(t *testing.T) {
	dsn := fresh(t)
	ledger := file(t, "ledger.csv", "序号,实事项目,责任单位,完成时限\n1,修路灯,校党委,2099-12-01\n2,修水管,校党委,2099-11-20\n")
	must(t, "import", ledger, "--kind", "shishi", "--unit", "dw", "--list", "2099-6", "--db", dsn)
	steps := []struct {
		name string
		args []string
		code int
		out  string
		err  string
	}{
		{"nothing yet", []string{"list", "show", "2099-6", "--unit", "dw"}, 1, "", "没有编号为 2099-6 的清单"},
		{"drawn up", []string{"list", "draw", "2099-6", "双月实事清单", "--unit", "dw", "--from", "2099-11-01", "--to", "2099-12-31"}, 0, "已为 dw 编制清单 2099-6", ""},
		{"twice", []string{"list", "draw", "2099-6", "双月实事清单", "--unit", "dw", "--from", "2099-11-01", "--to", "2099-12-31"}, 1, "", "2099-6"},
		{"backwards", []string{"list", "draw", "2099-5", "双月实事清单", "--unit", "dw", "--from", "2099-11-01", "--to", "2099-10-31"}, 1, "", "结束日期"},
		{"at no unit", []string{"list", "draw", "2099-5", "清单", "--unit", "none", "--from", "2099-11-01", "--to", "2099-12-31"}, 1, "", "none"},
		{"the rows that name it", []string{"list", "put", "2099-6", "--unit", "dw"}, 0, "列入 2 项", ""},
		{"once", []string{"list", "put", "2099-6", "--unit", "dw"}, 0, "列入 0 项，清单 2099-6 现有 2 项", ""},
		{"reconciled", []string{"list", "show", "2099-6", "--unit", "dw"}, 0, "共 2 项，未到期 2", ""},
		{"with what is missing, for programs", []string{"list", "show", "2099-6", "--unit", "dw", "--json"}, 0, `"outcome": "running"`, ""},
		{"all lists", []string{"list", "all"}, 0, "2099-11-01—2099-12-31", ""},
		{"all lists for programs", []string{"list", "all", "--unit", "dw", "--json"}, 0, `"state": "draft"`, ""},
		{"the trail is whole", []string{"audit", "verify"}, 0, "完好", ""},
	}
	for _, tt := range steps {
		t.Run(tt.name, func(t *testing.T) {
			a := call(t, nil, append(tt.args, "--db", dsn)...)
			if a.code != tt.code || !strings.Contains(a.out, tt.out) || !strings.Contains(a.err, tt.err) {
				t.Errorf("exit %d, want %d\n%s%s", a.code, tt.code, a.out, a.err)
			}
		})
	}
}
