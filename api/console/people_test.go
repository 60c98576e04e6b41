package console

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"bihuan/engine"
)

func init() {
	maps.Copy(emptyViews, map[string]any{"units": unitsView{Empty: &emptyView{}}, "unit": unitView{}, "people": peopleView{Empty: &emptyView{}},
		"person_new": newPersonView{}, "person": personView{}, "leaving": leavingView{}, "roles": rolesView{}, "delegations": delegationsView{Empty: &emptyView{}}})
}

func (w *world) account(t *testing.T, login string) engine.User {
	t.Helper()
	u, err := w.engine.User(t.Context(), login)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (w *world) unitOf(t *testing.T, code string) engine.Unit {
	t.Helper()
	u, err := w.engine.Unit(t.Context(), code)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// seenAt is a form's version with further fields.
func seenAt(version int64, more ...string) url.Values {
	x := url.Values{"version": {fmt.Sprint(version)}}
	for i := 0; i+1 < len(more); i += 2 {
		x.Set(more[i], more[i+1])
	}
	return x
}

// TestUnitPages takes a unit through its life: added, renamed, moved, closed, opened again, each by the administrator
// alone and on what they saw.
func TestUnitPages(t *testing.T) {
	w := ownWorld(t)
	root := w.unitOf(t, "csxy")
	at := func(u engine.Unit, act string) string { return "/units/" + string(u.ID) + "/" + act }
	post := func(as, path string, form url.Values, want int, says string) {
		t.Helper()
		a := w.ask(t, as, path, form)
		if a.Code != want || !strings.Contains(a.body, says) {
			t.Errorf("%s as %s: %d without %q, want %d: %s", path, as, a.Code, says, want, errorText(a.body))
		}
		if a.Code != http.StatusSeeOther && strings.Contains(a.body, "<html") {
			checkPage(t, path, a)
		}
	}
	post("zhao", at(root, "add"), seenAt(root.Version, "code", "xin", "name", "新单位<b>"), http.StatusSeeOther, "")
	post("zhao", at(root, "add"), seenAt(root.Version, "code", "xin", "name", "又一个"), http.StatusConflict, "已经用过")
	post("zhao", at(root, "add"), seenAt(root.Version, "code", "a b", "name", "留着这个名称"), http.StatusUnprocessableEntity, `value="留着这个名称"`)
	made := w.unitOf(t, "xin")
	for _, who := range []string{"qian", "wang"} {
		post(who, at(made, "rename"), seenAt(made.Version, "code", "x2", "name", "改"), http.StatusForbidden, "系统管理员")
		post(who, at(made, "move"), seenAt(made.Version, "parent", string(root.ID)), http.StatusForbidden, "系统管理员")
	}
	post("zhang", at(made, "rename"), seenAt(made.Version, "code", "x2", "name", "改"), http.StatusNotFound, "")
	post("zhao", at(made, "rename"), seenAt(made.Version, "code", "x2", "name", "改过的单位"), http.StatusSeeOther, "")
	post("zhao", at(made, "rename"), seenAt(made.Version, "code", "x3", "name", "别人已经改过"), http.StatusConflict, "已被更新")
	made = w.unitOf(t, "x2")
	branch := engine.Unit{}
	all, err := w.db.Units(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range all {
		if u.ParentID == root.ID && u.ID != made.ID {
			branch = u
		}
	}
	post("zhao", at(made, "move"), seenAt(made.Version, "parent", ""), http.StatusUnprocessableEntity, "")
	post("zhao", at(made, "move"), seenAt(made.Version, "parent", "no-such"), http.StatusUnprocessableEntity, "no-such")
	post("zhao", at(branch, "move"), seenAt(branch.Version, "parent", string(branch.ID)), http.StatusConflict, "")
	post("zhao", at(made, "move"), seenAt(made.Version, "parent", string(branch.ID)), http.StatusSeeOther, "")
	post("zhao", at(root, "close"), seenAt(root.Version, "note", "机构改革"), http.StatusConflict, "还有")
	made = w.unitOf(t, "x2")
	if made.ParentID != branch.ID {
		t.Errorf("it lies under %s", made.ParentID)
	}
	post("zhao", at(made, "close"), seenAt(made.Version, "note", "撤"), http.StatusUnprocessableEntity, "")
	post("zhao", at(made, "close"), seenAt(made.Version, "note", "机构改革"), http.StatusSeeOther, "")
	made = w.unitOf(t, "x2")
	page := w.ask(t, "wang", "/units/"+string(made.ID), nil)
	checkPage(t, "/units/:unit", page)
	for _, s := range []string{"已撤销", "新单位&lt;b&gt;", "改过的单位", "机构改革", "单位更名", "单位调整"} {
		if !strings.Contains(page.body, s) {
			t.Errorf("the history of the unit lacks %q", s)
		}
	}
	post("zhao", at(made, "add"), seenAt(made.Version, "code", "y", "name", "下属"), http.StatusConflict, "已经撤销")
	if _, err := w.engine.Grant(t.Context(), engine.Operator(), "zhou", "x2", engine.Supervisor); engine.KindOf(err) != engine.Blocked {
		t.Errorf("a role at a closed unit: %v", err)
	}
	post("zhao", at(made, "reopen"), seenAt(made.Version, "note", "恢复设置"), http.StatusSeeOther, "")
	if w.unitOf(t, "x2").ClosedAt != nil {
		t.Error("it is still closed")
	}
}

// errorText is what a page says went wrong, for the failure of a test.
func errorText(body string) string {
	if i := strings.Index(body, `role="alert"`); i >= 0 {
		return body[i:min(len(body), i+300)]
	}
	return body[:min(len(body), 120)]
}

// TestPersonPages takes an account through its life: made by the administrator, given roles by the security
// administrator, who is told why not, and handed over at the end.
func TestPersonPages(t *testing.T) {
	w := ownWorld(t)
	root := w.unitOf(t, "csxy")
	unit := string(root.ID)
	ask := func(as, path string, form url.Values, want int, says ...string) answer {
		t.Helper()
		a := w.ask(t, as, path, form)
		for _, s := range says {
			if a.Code != want || !strings.Contains(a.body, s) {
				t.Errorf("%s as %s: %d without %q, want %d: %s", path, as, a.Code, s, want, errorText(a.body))
			}
		}
		if strings.Contains(a.body, "<html") {
			checkPage(t, path, a)
		}
		return a
	}
	ask("qian", "/people/new", url.Values{"login": {"xin"}, "name": {"新人"}}, http.StatusForbidden, "系统管理员")
	ask("zhao", "/people/new", url.Values{"login": {"zhou"}, "name": {"同名"}}, http.StatusConflict, `value="同名"`)
	ask("zhao", "/people/new", url.Values{"login": {"xin"}, "name": {`李"<b>新`}}, http.StatusSeeOther, "")
	u := w.account(t, "xin")
	path := "/people/" + string(u.ID)
	ask("zhang", path, nil, http.StatusNotFound, "")
	page := ask("zhao", path, nil, http.StatusOK, "签发一次性密码", "没有角色")
	if strings.Contains(page.body, "/grant") {
		t.Error("the administrator is offered to grant roles")
	}
	page = ask("qian", path, nil, http.StatusOK, "授予角色", "只有系统管理员")
	if strings.Contains(page.body, path+"/disable") || !strings.Contains(page.body, path+"/grant") {
		t.Error("the security administrator is offered the wrong things")
	}
	role := func(version int64, r engine.Role) url.Values { return seenAt(version, "unit", unit, "role", string(r)) }
	ask("zhao", path+"/grant", role(u.Version, engine.Supervisor), http.StatusForbidden, "安全管理员")
	ask("qian", path+"/grant", role(u.Version, engine.Inspector), http.StatusSeeOther, "")
	ask("qian", path+"/grant", role(u.Version, engine.Leader), http.StatusConflict, "已被更新")
	u = w.account(t, "xin")
	ask("qian", path, nil, http.StatusOK, "不能由同一个人担任", "已经是该单位的督查员")
	ask("qian", path+"/grant", role(u.Version, engine.Admin), http.StatusConflict, "不能由同一个人担任")
	ask("qian", path+"/grant", role(u.Version, "king"), http.StatusUnprocessableEntity, "没有办理")
	ask("zhao", path, nil, http.StatusOK, "三员分立")
	ask("zhao", path+"/password", seenAt(u.Version), http.StatusForbidden, "三员分立")
	ask("qian", path+"/revoke", role(u.Version, engine.Inspector), http.StatusSeeOther, "")
	u = w.account(t, "xin")
	if len(u.Grants) != 0 {
		t.Errorf("it still holds %v", u.Grants)
	}
	self := w.account(t, "qian")
	ask("qian", "/people/"+string(self.ID)+"/grant", role(self.Version, engine.Leader), http.StatusForbidden, "不能给自己")
	// A unit that a security administrator does not see is not named to them.
	part, err := w.engine.AddUnit(t.Context(), engine.Operator(), "csxy", "fenyuan", "分院")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.engine.AddUnit(t.Context(), engine.Operator(), "csxy", "bieyuan", "看不见的别院"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.engine.AddUser(t.Context(), engine.Operator(), "fenan", "分安"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.engine.Grant(t.Context(), engine.Operator(), "fenan", string(part.ID), engine.Security); err != nil {
		t.Fatal(err)
	}
	for _, act := range []string{"/grant", "/revoke"} {
		a := ask("fenan", path+act, seenAt(u.Version, "unit", "bieyuan", "role", "leader"), http.StatusNotFound, "“bieyuan”")
		if strings.Contains(a.body, "看不见的别院") {
			t.Errorf("%s names a unit that the reader does not see", act)
		}
		ask("fenan", path+act, seenAt(u.Version, "unit", "none", "role", "leader"), http.StatusNotFound, "“none”")
	}
	ask("zhao", path+"/password", seenAt(u.Version-1), http.StatusConflict, "已被更新")
	ask("zhao", path+"/password", seenAt(u.Version), http.StatusOK, "K7P2-M9QX-4T6W", "只显示这一次")
	u = w.account(t, "xin")
	ask("zhao", path+"/sessions", seenAt(u.Version), http.StatusSeeOther, "")
	if page := ask("zhao", path, nil, http.StatusOK, "结束全部登录"); strings.Contains(page.body, path+"/codes") {
		t.Error("turning codes off is offered where there are none")
	}
	if _, err := w.engine.NewSeed(t.Context(), engine.Actor{ID: u.ID, Via: engine.ViaConsole}, []byte("12345678901234567890"), 1, [][]byte{bytes.Repeat([]byte{1}, 32)}); err != nil {
		t.Fatal(err)
	}
	u = w.account(t, "xin")
	ask("zhao", path, nil, http.StatusOK, `action="`+path+`/codes"`, "停用动态口令")
	ask("qian", path+"/codes", seenAt(u.Version), http.StatusForbidden)
	ask("zhao", path+"/codes", seenAt(u.Version), http.StatusSeeOther, "")
	if u = w.account(t, "xin"); u.TwoFactor {
		t.Error("codes are still asked for")
	}
	ask("zhao", path+"/disable", seenAt(u.Version), http.StatusSeeOther, "")
	ask("zhao", path, nil, http.StatusOK, "恢复账号")
	if u = w.account(t, "xin"); !u.Disabled {
		t.Error("the account is open")
	}
	ask("qian", path, nil, http.StatusOK, "停用")
	ask("zhao", path+"/enable", seenAt(u.Version), http.StatusSeeOther, "")
	u = w.account(t, "xin")
	ask("qian", path+"/grant", role(u.Version, engine.Leader), http.StatusSeeOther, "")
	u = w.account(t, "xin")
	page = ask("zhao", path, nil, http.StatusOK, "停用账号")
	if strings.Contains(page.body, "/erasure") {
		t.Error("erasing an open account is offered")
	}
	ask("zhao", path+"/disable", seenAt(u.Version), http.StatusSeeOther, "")

	// Erased by two offices.
	u = w.account(t, "xin")
	ask("zhao", path, nil, http.StatusOK, `action="`+path+`/erasure"`, "申请删除")
	ask("zhao", path+"/erasure", seenAt(u.Version, "note", "李\"<b>新 离任"), http.StatusUnprocessableEntity, "不能写本人的姓名")
	ask("zhao", path+"/erasure", seenAt(u.Version-1, "note", "离任满五年"), http.StatusConflict, "已被更新")
	ask("zhao", path+"/erasure", seenAt(u.Version, "note", "离任满五年"), http.StatusSeeOther, "")
	u = w.account(t, "xin")
	page = ask("zhao", path, nil, http.StatusOK, "理由：离任满五年", "不能批准自己提出的申请", "撤回或不同意")
	if strings.Contains(page.body, path+`/erase"`) {
		t.Error("the approval is offered to who asked")
	}
	ask("zhao", path+"/erase", seenAt(u.Version), http.StatusForbidden, "不能批准自己")
	ask("qian", path+"/erasure-end", seenAt(u.Version), http.StatusSeeOther, "")
	u = w.account(t, "xin")
	ask("qian", path+"/erasure", seenAt(u.Version, "note", "离任满五年"), http.StatusSeeOther, "")
	u = w.account(t, "xin")
	ask("zhao", path, nil, http.StatusOK, "批准删除", "理由：离任满五年")
	ask("zhao", path+"/erase", seenAt(u.Version), http.StatusSeeOther, "")
	for _, who := range []string{"zhao", "qian"} {
		page = ask(who, path, nil, http.StatusOK, "已按规定删除：由", "删除个人信息")
		if strings.Contains(page.body, "新&lt;/b&gt;") || strings.Contains(page.body, "李&#34;") {
			t.Errorf("%s is still shown the name", who)
		}
	}
	ask("zhao", "/people?state=disabled", nil, http.StatusOK, "已按规定删除")
	if page = ask("zhao", "/units/"+unit, nil, http.StatusOK, "已按规定删除"); strings.Contains(page.body, "~"+string(u.ID)) {
		t.Error("among those with a role at the unit stands what has taken the place of a login")
	}
}

// TestLeavingPage hands the work of an owner over.
func TestLeavingPage(t *testing.T) {
	w := ownWorld(t)
	zhou := w.account(t, "zhou")
	path := "/people/" + string(zhou.ID) + "/leave"
	work, err := w.engine.OpenWork(t.Context(), engine.Operator(), "zhou")
	if err != nil || len(work.Projects) == 0 {
		t.Fatalf("%v: %d open projects", err, len(work.Projects))
	}
	page := w.ask(t, "zhao", path, nil)
	checkPage(t, path, page)
	for _, p := range work.Projects {
		if !strings.Contains(page.body, p.Number) {
			t.Errorf("the page lacks %s", p.Number)
		}
	}
	for _, who := range []string{"qian", "wang"} {
		if a := w.ask(t, who, path, nil); a.Code != http.StatusForbidden {
			t.Errorf("%s is answered %d", who, a.Code)
		}
	}
	for _, tt := range []struct {
		heir, note string
		version    int64
		want       int
	}{
		{"", "调离本单位", zhou.Version, http.StatusUnprocessableEntity},
		{"no-such", "调离本单位", zhou.Version, http.StatusUnprocessableEntity},
		{"zhou", "调离本单位", zhou.Version, http.StatusUnprocessableEntity},
		{"xin", "走", zhou.Version, http.StatusUnprocessableEntity},
		{"xin", "调离本单位", zhou.Version + 1, http.StatusConflict},
		{"xin", "调离本单位", zhou.Version, http.StatusSeeOther},
	} {
		if tt.heir == "xin" && tt.want == http.StatusUnprocessableEntity {
			if _, err := w.engine.AddUser(t.Context(), engine.Operator(), "xin", "新人"); err != nil {
				t.Fatal(err)
			}
		}
		a := w.ask(t, "zhao", path, seenAt(tt.version, "heir", tt.heir, "note", tt.note))
		if a.Code != tt.want {
			t.Errorf("%+v: answered %d: %s", tt, a.Code, errorText(a.body))
		}
		if a.Code != http.StatusSeeOther && !strings.Contains(a.body, tt.note+"</textarea>") {
			t.Errorf("%+v: the reason that was typed is lost", tt)
		}
	}
	if u := w.account(t, "zhou"); !u.Disabled {
		t.Error("the account is open")
	}
	if p := w.fresh(t, work.Projects[0].ID); p.Has(zhou.ID) {
		t.Errorf("%s is still theirs", p.Number)
	}
}

// TestDelegationPage lends a role and takes it back; a security administrator sees it, others do not.
func TestDelegationPage(t *testing.T) {
	w := ownWorld(t)
	unit := string(w.unitOf(t, "csxy").ID)
	day := func(n int) string { return w.console.today().AddDays(n).String() }
	form := func(to, role, starts, ends string) url.Values {
		return url.Values{"to": {to}, "role": {role}, "unit": {unit}, "starts": {starts}, "ends": {ends}, "note": {"外出学习"}}
	}
	for _, tt := range []struct {
		as   string
		form url.Values
		want int
	}{
		{"zhou", form("zhang", "leader", day(0), day(3)), http.StatusForbidden},
		{"qian", form("zhang", "security", day(0), day(3)), http.StatusUnprocessableEntity},
		{"li", form("li", "leader", day(0), day(3)), http.StatusUnprocessableEntity},
		{"li", form("no-such", "leader", day(0), day(3)), http.StatusUnprocessableEntity},
		{"li", form("wang", "leader", day(0), day(3)), http.StatusConflict}, // an inspector
		{"li", form("chen", "leader", day(3), day(0)), http.StatusUnprocessableEntity},
		{"li", form("chen", "leader", day(0), ""), http.StatusUnprocessableEntity},
		{"li", form("chen", "leader", day(0), day(3)), http.StatusSeeOther},
	} {
		if a := w.ask(t, tt.as, "/delegations", tt.form); a.Code != tt.want {
			t.Errorf("%s %v: answered %d, want %d: %s", tt.as, tt.form, a.Code, tt.want, errorText(a.body))
		}
	}
	list, err := w.db.Delegations(t.Context(), "")
	if err != nil || len(list) != 1 {
		t.Fatalf("%v: %d delegations", err, len(list))
	}
	end := "/delegations/" + string(list[0].ID) + "/end"
	for who, sees := range map[string]bool{"li": true, "chen": true, "qian": true, "zhao": false, "zhang": false} {
		a := w.ask(t, who, "/delegations", nil)
		checkPage(t, "/delegations", a)
		if strings.Contains(a.body, end) != sees {
			t.Errorf("%s sees it: %v, want %v", who, !sees, sees)
		}
		if !sees {
			if a := w.ask(t, who, end, url.Values{}); a.Code != http.StatusNotFound {
				t.Errorf("%s ends it: %d", who, a.Code)
			}
		}
	}
	may := w.ask(t, "qian", "/roles?act=shishi.close.1&unit="+unit, nil)
	checkPage(t, "/roles", may)
	if a := w.ask(t, "qian", end, url.Values{}); a.Code != http.StatusSeeOther {
		t.Errorf("the security administrator ends it: %d", a.Code)
	}
}

// TestRolesPage asks who may do a thing, and finds those who hold the role there or above, and nobody else.
func TestRolesPage(t *testing.T) {
	w := readWorld(t)
	unit := string(w.unitOf(t, "csxy").ID)
	for act, names := range map[string][]string{"grant": {"钱安"}, "add_unit": {"赵工"}, "verify": {w.people["zhang"].Name}} {
		a := w.ask(t, "wang", "/roles?act="+act+"&unit="+unit, nil)
		checkPage(t, "/roles", a)
		_, found, ok := strings.Cut(a.body, `role="status"`)
		found, _, _ = strings.Cut(found, "</section>")
		if !ok || strings.Contains(found, "王建平") {
			t.Errorf("%s: the inspector is named among those who may", act)
		}
		for _, n := range names {
			if !strings.Contains(found, n) {
				t.Errorf("%s: %s is not named in %s", act, n, found)
			}
		}
	}
	for path, want := range map[string]int{"/roles?act=nothing&unit=" + unit: http.StatusUnprocessableEntity, "/roles?act=grant&unit=none": http.StatusNotFound} {
		if a := w.ask(t, "wang", path, nil); a.Code != want {
			t.Errorf("%s answers %d, want %d", path, a.Code, want)
		}
	}
}
