package intake_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"bihuan/engine"
	"bihuan/engine/intake"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// registry is a house with two units, a branch beside them, and the offices at the root.
type registry struct {
	t *testing.T
	e *engine.Engine
}

func openRegistry(t *testing.T, db *storage.DB) *registry {
	t.Helper()
	e, err := engine.New(t.Context(), engine.Config{Store: db})
	if err != nil {
		t.Fatal(err)
	}
	o := &registry{t, e}
	for _, u := range [][3]string{{"", "dw", "党委"}, {"dw", "z", "总支"}, {"z", "b", "支部"}, {"dw", "zz", "另一总支"}} {
		_, err := e.AddUnit(t.Context(), engine.Operator(), u[0], u[1], u[2])
		o.must(err)
	}
	for login, at := range map[string]engine.Grant{"admin": {Role: engine.Admin, UnitID: "dw"}, "security": {Role: engine.Security, UnitID: "dw"}, "inspector": {Role: engine.Inspector, UnitID: "dw"},
		"branchadmin": {Role: engine.Admin, UnitID: "z"}, "branchsecurity": {Role: engine.Security, UnitID: "z"}, "leader": {Role: engine.Leader, UnitID: "dw"}} {
		_, err := e.AddUser(t.Context(), engine.Operator(), login, "某"+login)
		o.must(err)
		_, err = e.Grant(t.Context(), engine.Operator(), login, string(at.UnitID), at.Role)
		o.must(err)
	}
	return o
}

func (o *registry) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *registry) as(login string) engine.Actor {
	o.t.Helper()
	if login == "" {
		return engine.Operator()
	}
	a, err := o.e.ActorOf(o.t.Context(), login, engine.ViaConsole, "")
	o.must(err)
	return a
}

// keys are the keys of a roster's problems with their rows.
func keys(list []intake.Remark) []string {
	var out []string
	for _, r := range list {
		out = append(out, fmt.Sprintf("%d %s", r.Row, r.Key))
	}
	return out
}

// TestTakeUnits takes tables of units over, by whoever administers the units above; one bad row keeps every other out.
func TestTakeUnits(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		o := openRegistry(t, db)
		count := func() int { all, err := db.Units(t.Context()); o.must(err); return len(all) }
		for _, tt := range []struct {
			name, as, file string
			want           []string
		}{
			{"not an administrator", "security", "代码,名称,上级\nn,新,dw\n", []string{"act.role"}},
			{"above the scope", "branchadmin", "代码,名称,上级\nok,好,z\nn,新,dw\n", []string{"3 grant.above_scope"}},
			{"a root", "admin", "代码,名称\nroot2,另一个根\n", []string{"2 grant.above_scope"}},
			{"many mistakes", "admin", "代码,名称,上级\na b,新,dw\nn,,dw\nm,新,没有\nz,另一个名字,dw\nok,好,dw\nok,又一个,dw\n",
				[]string{"2 unit.bad_code", "3 field.empty", "4 unit.unknown", "5 unit.code_taken", "7 unit.code_taken"}},
			{"no header", "admin", "甲,乙\n1,2\n", []string{"0 ledger.no_table_header"}},
			{"nothing under it", "admin", "代码,名称\n", []string{"1 ledger.no_rows"}},
			{"a picture", "admin", "%PDF-1.7", []string{"0 ledger.not_a_table"}},
		} {
			before := count()
			r, err := intake.TakeUnits(t.Context(), o.e, o.as(tt.as), "units.csv", []byte(tt.file), false)
			var got []string
			if err != nil {
				got = []string{err.(*engine.Error).Key}
			} else {
				got = keys(r.Problems)
			}
			if !slices.Equal(got, tt.want) || count() != before {
				t.Errorf("%s: %v, want %v; %d units, were %d", tt.name, got, tt.want, count(), before)
			}
		}
		good := "代码,名称,上级单位\nn1,新总支,党委\nn2,新支部,党委/新总支\nn3,第二支部,n1\nb,支部,总支\n"
		for _, dry := range []bool{true, false} {
			r, err := intake.TakeUnits(t.Context(), o.e, o.as("admin"), "units.csv", []byte(good), dry)
			o.must(err)
			if len(r.Problems) > 0 || len(r.New) != 3 || len(r.Known) != 1 || count() != map[bool]int{true: 4, false: 7}[dry] {
				t.Errorf("dry %v: %v, %d new, %d known, %d units", dry, keys(r.Problems), len(r.New), len(r.Known), count())
			}
		}
		u, err := db.Unit(t.Context(), "n3")
		o.must(err)
		up, err := db.Unit(t.Context(), "n1")
		if err != nil || u.ParentID != up.ID || !engine.Under(u.Path, up.Path) {
			t.Errorf("%v: %+v", err, u)
		}
		if r, err := intake.TakeUnits(t.Context(), o.e, o.as("admin"), "units.csv", []byte(good), false); err != nil || len(r.New) != 0 || len(r.Known) != 4 {
			t.Errorf("a second time: %v, %+v", err, r)
		}
		report, err := db.Verify(t.Context(), storage.VerifyOptions{})
		if err != nil || len(report.Findings) > 0 {
			t.Errorf("%v: %v", err, report.Findings)
		}
	})
}

// TestTakePeople takes tables of people over: accounts by the administrator, who leaves the roles to the security
// administrator, bounded as by hand; both by the operator.
func TestTakePeople(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		o := openRegistry(t, db)
		state := func() string {
			all, err := db.Users(t.Context())
			o.must(err)
			return fmt.Sprint(len(all), all)
		}
		const head = "用户名,姓名,角色,单位\n"
		for _, tt := range []struct {
			name, as, file string
			want           []string
		}{
			{"an inspector", "inspector", head + "n,新人,,\n", []string{"act.role"}},
			{"accounts by security", "security", head + "n,新人,督导员,z\n", []string{"2 user.unknown"}},
			{"oneself", "security", head + "security,某security,党委领导,dw\n", []string{"2 grant.self"}},
			{"above the scope", "branchsecurity", head + "leader,某leader,督导员,b\nleader,某leader,督导员,dw\n", []string{"3 grant.above_scope"}},
			{"beside the scope", "branchsecurity", head + "leader,某leader,督导员,zz\n", []string{"2 grant.above_scope"}},
			{"three offices in one", "security", head + "inspector,某inspector,系统管理员,dw\n", []string{"2 grant.exclusive"}},
			{"and over two rows", "", head + "n,新人,督查员,dw\nn,新人,安全管理员,z\n", []string{"3 grant.exclusive"}},
			{"mistakes", "", head + "a b,甲,,\nn,,,\nadmin,别人,,\nn,新人,国王,dw\nm,新人,督导员,没有\nm,新人,督导员,\n",
				[]string{"2 user.bad_login", "3 field.empty", "4 user.login_taken", "5 role.unknown", "6 unit.unknown", "7 field.empty"}},
			{"a formula", "", head + "=1+1,甲,,\n", []string{"2 user.bad_login"}},
		} {
			before := state()
			r, err := intake.TakePeople(t.Context(), o.e, o.as(tt.as), "people.csv", []byte(tt.file), false)
			var got []string
			if err != nil {
				got = []string{err.(*engine.Error).Key}
			} else {
				got = keys(r.Problems)
			}
			if !slices.Equal(got, tt.want) || state() != before {
				t.Errorf("%s: %v, want %v; changed: %v", tt.name, got, tt.want, state() != before)
			}
		}
		book := excelize.NewFile()
		for i, row := range [][]any{{"人员名单"}, {"登录名", "姓名", "角色", "单位"}, {"x1", "张三", "督导员", "党委/总支"}, {"x1", "张三", "支部书记", "b"}, {"x2", "李四"}} {
			o.must(book.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row))
		}
		var data bytes.Buffer
		o.must(book.Write(&data))
		take := func(as string, dry bool) *intake.Roster {
			t.Helper()
			r, err := intake.TakePeople(t.Context(), o.e, o.as(as), "people.xlsx", data.Bytes(), dry)
			if err != nil || len(r.Problems) > 0 {
				t.Fatalf("%v: %v", err, keys(r.Problems))
			}
			return r
		}
		before := state()
		if r := take("admin", true); len(r.New) != 2 || state() != before {
			t.Errorf("a preview made %d, or changed something", len(r.New))
		}
		if r := take("admin", false); len(r.New) != 2 || len(r.Grants) != 0 || !slices.Equal(keys(r.Notes), []string{"3 roster.role_proposed", "4 roster.role_proposed"}) {
			t.Errorf("by the administrator: %+v", r)
		}
		if u, err := db.User(t.Context(), "x1"); err != nil || len(u.Grants) != 0 {
			t.Errorf("%v: the administrator gave %v", err, u.Grants)
		}
		if r := take("security", false); len(r.New) != 0 || len(r.Grants) != 2 {
			t.Errorf("by security: %+v", r)
		}
		if u, err := db.User(t.Context(), "x1"); err != nil || len(u.Grants) != 2 || u.Version != 3 {
			t.Errorf("%v: %+v", err, u)
		}
		if r := take("security", false); len(r.Grants) != 0 {
			t.Errorf("a second time: %+v", r)
		}
		if r, err := intake.TakePeople(t.Context(), o.e, engine.Operator(), "p.csv", []byte(head+"y,王五,督查员,dw\n"), false); err != nil || len(r.New) != 1 || len(r.Grants) != 1 {
			t.Errorf("by the operator: %v %+v", err, r)
		}
		many := head + strings.Repeat("x,甲,,\n", 10_001)
		if r, err := intake.TakePeople(t.Context(), o.e, engine.Operator(), "p.csv", []byte(many), false); err != nil || !slices.Equal(keys(r.Problems), []string{"0 ledger.too_many_rows"}) {
			t.Errorf("too many rows: %v %v", err, keys(r.Problems))
		}
		report, err := db.Verify(t.Context(), storage.VerifyOptions{})
		if err != nil || len(report.Findings) > 0 {
			t.Errorf("%v: %v", err, report.Findings)
		}
	})
}
