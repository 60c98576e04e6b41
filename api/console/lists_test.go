package console

import (
	"bytes"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"bihuan/engine"
)

// lists returns the college's lists by number: the one being reconciled, then the next.
func (w *world) lists(t *testing.T) (running, next engine.List) {
	t.Helper()
	page, err := w.engine.Lists(t.Context(), engine.Operator(), engine.ListFilter{Unit: w.unitOf(t, "csxy").ID})
	if err != nil || len(page.Items) != 2 {
		t.Fatalf("%d lists, %v", len(page.Items), err)
	}
	return page.Items[1], page.Items[0]
}

func (w *world) newest(t *testing.T, id engine.ListID) engine.List {
	t.Helper()
	l, err := w.db.List(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestListPages(t *testing.T) {
	w := readWorld(t)
	running, next := w.lists(t)
	for _, tt := range []struct {
		name, as, path string
		want           int
		has            string
	}{
		{"all lists", "zhang", "/lists", http.StatusOK, "对账"},
		{"a keeper may draw one up", "zhang", "/lists", http.StatusOK, `href="/lists/new"`},
		{"an inspector reads it", "wang", "/lists/" + string(running.ID), http.StatusOK, "场地方案要到下一期"},
		{"with what is missing", "zhang", "/lists/" + string(running.ID), http.StatusOK, "销号还差"},
		{"one part of it", "zhang", "/lists/" + string(running.ID) + "?show=closed", http.StatusOK, "曾逾期"},
		{"a draft can be ordered", "zhang", "/lists/" + string(next.ID), http.StatusOK, "/do/place"},
		{"but not by an inspector", "wang", "/lists/" + string(next.ID), http.StatusOK, "编制"},
		{"a secretary below does not see a draft", "wu", "/lists/" + string(next.ID), http.StatusNotFound, "没有这份清单"},
		{"but sees what is published", "wu", "/lists/" + string(running.ID), http.StatusOK, running.Name},
		{"somebody without a role sees none", "zhou", "/lists/" + string(running.ID), http.StatusNotFound, ""},
		{"nobody draws up without the role", "wang", "/lists/new", http.StatusForbidden, "督导员和党委领导"},
		{"the pre-flight tells what is missing", "li", "/lists/" + string(running.ID) + "/close", http.StatusOK, "没有交代"},
		{"and that it is not an inspector's to close", "wang", "/lists/" + string(running.ID) + "/close", http.StatusOK, "只有本单位的"},
		{"no such item to carry over", "zhang", "/lists/" + string(running.ID) + "/carry/1", http.StatusNotFound, ""},
		{"the bulletin", "li", "/lists/" + string(running.ID) + "/bulletin", http.StatusOK, "分单位情况"},
		{"no such list", "li", "/lists/1", http.StatusNotFound, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.ask(t, tt.as, tt.path, nil)
			if a.Code != tt.want || !strings.Contains(a.body, tt.has) {
				t.Fatalf("%s answers %d, want %d with %q", tt.path, a.Code, tt.want, tt.has)
			}
			if strings.Contains(a.body, "<html") {
				checkPage(t, tt.path, a)
			}
		})
	}
	if a := w.ask(t, "wang", "/lists/"+string(next.ID), nil); strings.Contains(a.body, "/do/") {
		t.Error("an inspector is offered a change")
	}
}

// TestBulletinWorkbook reads the workbook back: the same rows as the page, every cell a text or a number.
func TestBulletinWorkbook(t *testing.T) {
	w := readWorld(t)
	running, _ := w.lists(t)
	a := w.ask(t, "li", "/lists/"+string(running.ID)+"/bulletin.xlsx", nil)
	if a.Code != http.StatusOK || !strings.Contains(a.Header().Get("Content-Disposition"), ".xlsx") {
		t.Fatalf("answers %d, %v", a.Code, a.Header())
	}
	f, err := excelize.OpenReader(bytes.NewReader([]byte(a.body)))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := f.GetRows("逐项情况")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(rows), 4+len(running.Items); got != want || !strings.Contains(rows[0][0], running.Name) || rows[3][2] != "项目" && rows[3][0] != "序号" {
		t.Errorf("%d rows, want %d: %q", got, want, rows[:4])
	}
	sums, err := f.GetRows("分单位情况")
	if err != nil {
		t.Fatal(err)
	}
	all := 0
	for _, r := range sums[2:] {
		n, err := strconv.Atoi(r[1])
		if err != nil {
			t.Fatal(err)
		}
		all += n
	}
	if all != len(running.Items) {
		t.Errorf("the units' sums make %d, want %d", all, len(running.Items))
	}
	for _, name := range f.GetSheetList() {
		for r := 1; r <= len(rows); r++ {
			for c := 1; c <= 11; c++ {
				at, err := excelize.CoordinatesToCellName(c, r)
				if err != nil {
					t.Fatal(err)
				}
				if formula, err := f.GetCellFormula(name, at); err != nil || formula != "" {
					t.Errorf("%s %s holds the formula %q (%v)", name, at, formula, err)
				}
			}
		}
	}
}

// TestListByForms draws up, orders, publishes, reconciles and closes a list with nothing but plain forms.
func TestListByForms(t *testing.T) {
	w := ownWorld(t)
	post := func(as, path string, want int, form url.Values) answer {
		t.Helper()
		a := w.ask(t, as, path, form)
		if a.Code != want {
			t.Fatalf("%s answers %d, want %d: %s", path, a.Code, want, regexp.MustCompile(`(?s)errsum.*?</ul>`).FindString(a.body))
		}
		return a
	}
	running, next := w.lists(t)
	id := string(w.people["zhang"].Grants[0].UnitID)
	a := post("zhang", "/lists/new", http.StatusUnprocessableEntity, url.Values{"unit": {id}, "number": {"2026-1"}, "name": {"第一期"}, "from": {"2026-02-01"}, "to": {"2026-01-01"}})
	if !strings.Contains(a.body, "结束日期不能早于开始日期") || !strings.Contains(a.body, `value="2026-1"`) {
		t.Error("what was typed is lost or nothing says what is wrong")
	}
	post("zhang", "/lists/new", http.StatusConflict, url.Values{"unit": {id}, "number": {next.Number}, "name": {"又一期"}, "from": {"2026-01-01"}, "to": {"2026-02-28"}})
	post("wang", "/lists/new", http.StatusForbidden, url.Values{"unit": {id}, "number": {"2026-1"}, "name": {"第一期"}, "from": {"2026-01-01"}, "to": {"2026-02-28"}})
	a = post("zhang", "/lists/new", http.StatusSeeOther, url.Values{"unit": {id}, "number": {"2026-1"}, "name": {"第一期"}, "from": {"2026-01-01"}, "to": {"2026-02-28"}})
	path, _, _ := strings.Cut(a.Header().Get("Location"), "?")
	list := engine.ListID(strings.TrimPrefix(path, "/lists/"))
	version := func() string { return strconv.FormatInt(w.newest(t, list).Version, 10) }
	if a := post("zhang", path+"/do/publish", http.StatusConflict, url.Values{"version": {version()}}); !strings.Contains(a.body, "是空的，不能公布") {
		t.Error("nothing says that the list is empty")
	}
	free := w.item(t, func(p *engine.Project) bool { return p.ListID == "" && p.Stage == "advance" })
	post("zhang", path+"/do/put", http.StatusUnprocessableEntity, url.Values{"version": {version()}, "number": {"SS0000-0000"}})
	post("zhang", path+"/do/put", http.StatusSeeOther, url.Values{"version": {version()}, "number": {free.Number}})
	if l := w.newest(t, list); l.Items[free.ID].No != 1 {
		t.Fatalf("items %+v", l.Items)
	}
	post("zhang", path+"/do/put", http.StatusConflict, url.Values{"version": {"1"}, "number": {free.Number}})
	post("zhang", path+"/edit", http.StatusSeeOther, url.Values{"version": {version()}, "name": {"第一期清单"}, "from": {"2026-01-01"}, "to": {"2026-02-28"}})
	post("li", path+"/do/publish", http.StatusSeeOther, url.Values{"version": {version()}})
	post("li", path+"/do/reconcile", http.StatusSeeOther, url.Values{"version": {version()}})
	if a := post("li", path+"/do/close", http.StatusConflict, url.Values{"version": {version()}}); !strings.Contains(a.body, "没有交代") {
		t.Error("nothing says what is not accounted for")
	}
	// The play's own list: everything that is open is carried over, then it can be closed.
	path = "/lists/" + string(running.ID)
	list = running.ID
	r, err := w.engine.Reconcile(t.Context(), engine.Operator(), running.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range r.Lines {
		if !line.Outcome.Open() {
			continue
		}
		carry := path + "/carry/" + string(line.ID)
		if a := w.ask(t, "zhang", carry, nil); a.Code != http.StatusOK || !strings.Contains(a.body, next.Number) {
			t.Fatalf("%s answers %d", carry, a.Code)
		}
		post("zhang", carry, http.StatusUnprocessableEntity, url.Values{"version": {version()}, "to": {string(next.ID)}, "note": {"无"}})
		post("zhang", carry, http.StatusSeeOther, url.Values{"version": {version()}, "to": {string(next.ID)}, "note": {"下一期继续办理"}})
	}
	path, list = "/lists/"+string(next.ID), next.ID // what came over stays there, whatever else is taken off
	next = w.newest(t, list)
	own, came := 0, engine.ProjectID("")
	for id, item := range next.Items {
		if item.From == "" {
			own++
		} else {
			came = id
		}
	}
	if a := w.ask(t, "zhang", path, nil); strings.Count(a.body, "/do/take") != own {
		t.Errorf("%d items are offered to be taken off, want %d", strings.Count(a.body, "/do/take"), own)
	}
	if a := post("zhang", path+"/do/take", http.StatusConflict, url.Values{"version": {version()}, "project": {string(came)}}); !strings.Contains(a.body, "是结转过来的") {
		t.Error("nothing says why it cannot be taken off")
	}
	path, list = "/lists/"+string(running.ID), running.ID
	if a := w.ask(t, "li", path+"/close", nil); strings.Contains(a.body, "disabled") || !strings.Contains(a.body, "每一项都有了交代") {
		t.Error("the pre-flight does not let the list be closed")
	}
	post("li", path+"/do/close", http.StatusSeeOther, url.Values{"version": {version()}, "note": {"按期关账"}})
	if a := w.ask(t, "wang", path, nil); !strings.Contains(a.body, "李明川 于") || !strings.Contains(a.body, "已经归档，只读") {
		t.Error("the page does not say who closed the list")
	}
}
