package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"bihuan/engine"
)

// needOf is the play's need with the title.
func (w *world) needOf(t *testing.T, title string) engine.Need {
	t.Helper()
	page, err := w.engine.Needs(t.Context(), engine.Operator(), engine.NeedFilter{Text: title})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%d needs, %v", len(page.Items), err)
	}
	return page.Items[0]
}

func TestNeedPages(t *testing.T) {
	w := readWorld(t)
	_, next := w.lists(t)
	jobs, stop, lab := w.needOf(t, "校地合作"), w.needOf(t, "公交站"), w.needOf(t, "周末不开放")
	for _, tt := range []struct {
		name, as, path string
		want           int
		has            string
	}{
		{"all needs", "zhang", "/needs", http.StatusOK, "自习室插座不够用"},
		{"of one list", "zhang", "/needs?number=" + next.Number + "&unit=" + string(next.UnitID), http.StatusOK, "征集的诉求"},
		{"that wait for an answer", "zhang", "/needs?show=open", http.StatusOK, "自习室插座不够用"},
		{"whose people are to be told", "zhang", "/needs?show=untold", http.StatusOK, "实习岗位太少"},
		{"a form for a new one", "wu", "/needs/new", http.StatusOK, "姓名和联系方式"},
		{"not for an inspector", "wang", "/needs/new", http.StatusForbidden, "只有支部书记"},
		{"one that an item takes up", "zhang", "/needs/" + string(jobs.ID), http.StatusOK, "新签协议都含实习岗位"},
		{"with those merged into it", "zhang", "/needs/" + string(jobs.ID), http.StatusOK, "实习岗位太少"},
		{"its proposer sees it", "chen", "/needs/" + string(jobs.ID), http.StatusOK, "系统已把结果发给陈晓"},
		{"one that was answered and told", "zhang", "/needs/" + string(stop.ID), http.StatusOK, "当面告知本人"},
		{"the secretary's own", "wu", "/needs/" + string(lab.ID), http.StatusOK, "修改诉求"},
		{"the supervisor answers it", "he", "/needs/" + string(lab.ID), http.StatusOK, "不采纳，答复理由"},
		{"nobody else's", "zhou", "/needs/" + string(lab.ID), http.StatusNotFound, "没有这条诉求"},
		{"no such need", "zhang", "/needs/1", http.StatusNotFound, ""},
		{"the list being drawn up leads to them", "zhang", "/lists/" + string(next.ID), http.StatusOK, "还没有采纳或答复"},
		{"and so does the item", "zhang", "/projects/" + string(jobs.ProjectID), http.StatusOK, "回应的诉求"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.ask(t, tt.as, tt.path, nil)
			if a.Code != tt.want || !strings.Contains(a.body, tt.has) {
				t.Fatalf("%s answers %d, want %d with %q", tt.path, a.Code, tt.want, tt.has)
			}
			checkPage(t, tt.path, a)
		})
	}
	if a := w.ask(t, "wang", "/needs/"+string(stop.ID), nil); strings.Contains(a.body, "刘老师") || strings.Contains(a.body, "/do/") {
		t.Error("an inspector sees a contact, or is offered a change")
	}
	if a := w.ask(t, "zhang", "/needs/"+string(stop.ID), nil); !strings.Contains(a.body, "刘老师") {
		t.Error("who answers does not see whom")
	}
}

// The whole life of a need by its forms; what is refused is shown beside what was typed.
func TestNeedForms(t *testing.T) {
	w := ownWorld(t)
	unit := string(w.needOf(t, "周末不开放").UnitID)
	x := url.Values{"unit": {unit}, "title": {""}, "text": {"走廊灯坏了三个月"}, "source": {"visit"}, "times": {"2"}, "number": {"2025-6"}, "who": {"教师"}}
	if a := w.ask(t, "wu", "/needs/new", x); a.Code != http.StatusUnprocessableEntity || !strings.Contains(a.body, "走廊灯坏了三个月") {
		t.Fatalf("without a title: %d", a.Code)
	}
	x.Set("title", "走廊灯坏了")
	x.Set("times", "often")
	if a := w.ask(t, "wu", "/needs/new", x); a.Code != http.StatusUnprocessableEntity || !strings.Contains(a.body, "提出次数要在") {
		t.Fatalf("times that are no number: %d", a.Code)
	}
	x.Set("times", "2")
	if a := w.ask(t, "wu", "/needs/new", x); a.Code != http.StatusSeeOther {
		t.Fatalf("answers %d", a.Code)
	}
	n := w.needOf(t, "走廊灯坏了")
	path := "/needs/" + string(n.ID) + "/do/"
	if a := w.ask(t, "he", path+"decline", url.Values{"version": {"1"}, "note": {"不"}}); a.Code != http.StatusUnprocessableEntity {
		t.Errorf("an answer without a reason: %d", a.Code)
	}
	if a := w.ask(t, "he", path+"accept_into", url.Values{"version": {"1"}, "project": {"SS-0"}}); a.Code != http.StatusUnprocessableEntity || !strings.Contains(a.body, "SS-0") {
		t.Errorf("an item that is none: %d", a.Code)
	}
	if a := w.ask(t, "he", path+"accept", url.Values{"version": {"9"}, "kind": {"shishi"}, "unit": {unit}}); a.Code != http.StatusPreconditionFailed && a.Code != http.StatusConflict {
		t.Errorf("an older version: %d", a.Code)
	}
	if n = w.needOf(t, "走廊灯坏了"); n.Version != 1 {
		t.Fatalf("what was refused changed it: %+v", n)
	}
	if a := w.ask(t, "he", path+"accept", url.Values{"version": {"1"}, "kind": {"shishi"}, "unit": {unit}, "note": {"本周更换"}}); a.Code != http.StatusSeeOther {
		t.Fatalf("accepting: %d", a.Code)
	}
	n = w.needOf(t, "走廊灯坏了")
	p, err := w.db.Project(t.Context(), n.ProjectID)
	if err != nil || p.Title != "走廊灯坏了" || p.Need != "走廊灯坏了三个月" || p.List != "2025-6" {
		t.Errorf("the item: %+v (%v)", p, err)
	}
}
