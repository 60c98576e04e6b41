package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"bihuan/engine"
)

// A kind that is switched off is on the page of workflows alone. The administrator switches it on; then it is proposed
// with its own fields, its materials are uploaded by name, and switched off again it goes on.
func TestKindIsSwitchedOnAndUsed(t *testing.T) {
	w := ownWorld(t)
	seen := func(as, path, text string, want bool) string {
		t.Helper()
		a := w.ask(t, as, path, nil)
		checkPage(t, path, a)
		if strings.Contains(a.body, text) != want {
			t.Errorf("%s as %s: %q is there: %v", path, as, text, !want)
		}
		return a.body
	}
	everywhere := func(want bool) {
		t.Helper()
		for _, path := range []string{"/new", "/ledger", "/import", "/overview"} {
			seen("zhang", path, "调研课题", want)
		}
	}
	everywhere(false)
	seen("zhang", "/workflows", "未启用", true)
	seen("zhang", "/workflows/keti", "启用以后才能提出", true)
	if strings.Contains(w.ask(t, "zhang", "/workflows/keti", nil).body, `method="post" action="/workflows/keti"`) {
		t.Error("somebody who may not switch is offered to")
	}
	if a := w.ask(t, "zhang", "/workflows/keti", url.Values{"on": {"1"}}); a.Code != http.StatusForbidden {
		t.Errorf("switched on by a supervisor: %d", a.Code)
	}
	unit, err := w.engine.Unit(t.Context(), "jsj-1")
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"kind": {"keti"}, "unit": {string(unit.ID)}, "title": {"食堂排队有多久"}, "need": {"午间排队"}, "own.focus": {"后勤处"},
		"own.method": {"问卷\n座谈"}, "owner": {string(w.people["wu"].ID)}, "deadline": {w.console.today().AddDays(60).String()}}
	if a := w.ask(t, "wu", "/new", form); a.Code != http.StatusUnprocessableEntity || !strings.Contains(a.body, "没有启用") {
		t.Errorf("proposed though it is off: %d", a.Code)
	}
	seen("zhao", "/workflows/keti", `method="post" action="/workflows/keti"`, true)
	if a := w.ask(t, "zhao", "/workflows/keti", url.Values{"on": {"1"}}); a.Code != http.StatusSeeOther {
		t.Fatalf("switching on: %d %s", a.Code, a.body)
	}
	everywhere(true)
	seen("wu", "/new", `href="/new?kind=keti"`, true) // each kind that may be proposed is there to be chosen, without a script too
	seen("wu", "/new", "联系单位或重点任务", false)
	seen("wu", "/new?kind=keti", "联系单位或重点任务", true)
	// Choosing another kind half way keeps what was typed, and fills in what the new kind knows.
	half := url.Values{"kind": {"shishi"}, "choose": {"keti"}, "title": {"打了一半的题目"}, "owner": {""}}
	if a := w.ask(t, "wu", "/new", half); a.Code != http.StatusOK || !strings.Contains(a.body, `name="kind" value="keti"`) ||
		!strings.Contains(a.body, `value="打了一半的题目"`) || !strings.Contains(a.body, "联系单位或重点任务") || strings.Contains(a.body, "errsum") {
		t.Errorf("choosing another kind: %d %s", a.Code, a.body)
	}
	half.Set("choose", "shuji")
	if a := w.ask(t, "wu", "/new", half); !strings.Contains(a.body, `value="`+string(w.people["wu"].ID)+`" selected`) ||
		strings.Contains(a.body, "联系单位或重点任务") || !strings.Contains(a.body, "督导员（本级）") {
		t.Errorf("a 书记项目 is not offered to its secretary, or what follows is not its own: %s", a.body)
	}
	a := w.ask(t, "wu", "/new", form)
	if a.Code != http.StatusSeeOther {
		t.Fatalf("proposing: %d %s", a.Code, a.body)
	}
	page, _, _ := strings.Cut(a.Header().Get("Location"), "?")
	for _, text := range []string{"联系单位或重点任务", "后勤处", "这是哪一份材料", "调研报告"} {
		seen("wu", page, text, true)
	}
	p, err := w.engine.Project(t.Context(), engine.Operator(), engine.ProjectID(page[len("/projects/"):]))
	if err != nil {
		t.Fatal(err)
	}
	form.Del("own.method")
	form.Set("own.focus", "")
	form.Set("version", strconv.FormatInt(p.Version, 10))
	seen("wu", page+"/edit", `name="own.focus" value="后勤处"`, true)
	if a := w.ask(t, "wu", page+"/edit", form); a.Code != http.StatusSeeOther {
		t.Fatalf("editing: %d %s", a.Code, a.body)
	}
	if p, err = w.engine.Project(t.Context(), engine.Operator(), p.ID); err != nil || len(p.Extra) != 1 || p.Extra["调研方式"] != "问卷\n座谈" {
		t.Errorf("own fields %v, %v", p.Extra, err)
	}
	// What a rule misses in a field of the kind's own leads to where it is filled in.
	_, row, _ := strings.Cut(seen("wu", page, "还没有填写联系单位或重点任务", true), "还没有填写联系单位或重点任务")
	if row, _, _ = strings.Cut(row, "</li>"); !strings.Contains(row, `href="`+page+`/edit"`) {
		t.Errorf("the missing field leads nowhere: %s", row)
	}
	seen("wu", page, "现在没有需要您办理的事", false)  // whoever may still edit it has something to do
	seen("wu", "/yearly", "<h1>书记项目", true) // which the menu names, whatever else is switched on
	w.attach(t, "wu", p, "调研报告.txt", []byte("午间最长排队12分钟。"), "material", "report")
	seen("wu", page, "<b>调研报告</b>", true)
	if a := w.ask(t, "zhao", "/workflows/keti", url.Values{}); a.Code != http.StatusSeeOther {
		t.Fatalf("switching off: %d", a.Code)
	}
	// Nothing new of it, and what runs is still found where items are looked for.
	for path, want := range map[string]bool{"/new": false, "/import": false, "/ledger": true, "/overview": true, "/yearly": true} {
		seen("zhang", path, "调研课题", want)
	}
	seen("zhou", "/ledger", "调研课题", false) // who sees none of them is not asked about them
	seen("wu", page, "食堂排队有多久", true)
	seen("zhang", "/ledger?kind=keti", "食堂排队有多久", true)
}
