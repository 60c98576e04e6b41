package browsertest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bihuan/engine"
)

// TestWithoutScript does the main forms in a browser that runs no script: sign in, new project, submit, approve,
// acknowledge, report, upload.
func TestWithoutScript(t *testing.T) {
	h := open(t, false)
	plain := func(login string) *person {
		p := visitor(t, h.url)
		p.noScript()
		p.signIn(login)
		if p.knows("htmx") {
			t.Fatal("script runs all the same")
		}
		return p
	}
	supervisor, owner := plain("zhang"), plain("zhou")
	supervisor.open("/new")
	supervisor.complete("#main form", "unit", string(h.unit("it")), "title", "图书馆延时开放", "owner", string(h.users["zhou"].ID),
		"sponsor", string(h.users["li"].ID), "need", "自习座位不足", "target", "开放到二十三点", "measures", "增加值班", "list", "2025-6", "deadline", h.day(30))
	supervisor.follow("#main form button[type=submit]")
	project, _, _ := strings.Cut(supervisor.at(), "?")
	id := strings.TrimPrefix(project, "/projects/")

	secretary := plain("wu") // of several kinds one is chosen, and its own fields are there
	secretary.open("/new")
	secretary.follow(`.kinds a[href="/new?kind=shuji"]`)
	if !secretary.has(`#main form [name=year]`) || !secretary.has(`#main form [name=kind][value=shuji]`) {
		t.Error("without a script no other kind can be chosen")
	}

	// The new form again, wrong: what was typed comes back with the reason.
	supervisor.open("/new")
	supervisor.complete("#main form", "need", "只写了需求")
	supervisor.follow("#main form button[type=submit]")
	var kept string
	supervisor.eval(`document.querySelector("#main form [name=need]").value`, &kept)
	if supervisor.sent != 422 || kept != "只写了需求" || !supervisor.has(".errsum") {
		t.Errorf("a form without a title answers %d and keeps %q", supervisor.sent, kept)
	}

	owner.open(project)
	owner.act("do-submit-deploy", "note", "请审批")
	decide := func(note string) {
		t.Helper()
		supervisor.open("/todo")
		supervisor.fill("#a-"+id+" [name=note]", note)
		supervisor.follow("#a-" + id + " [value=approve]")
		if supervisor.sent != 200 || !supervisor.has(".said") {
			t.Fatalf("approving answers %d: %s", supervisor.sent, supervisor.text("#main"))
		}
	}
	decide("同意交办")
	owner.open(project)
	owner.act("do-acknowledge")
	owner.act("do-milestones", "title", "排出值班表", "due", h.day(10))
	owner.act("do-submit-advance")
	decide("同意启动")
	owner.open(project)
	owner.act("do-report", "percent", "40", "done", "值班表已经排出")
	file := filepath.Join(t.TempDir(), "值班表.txt")
	if err := os.WriteFile(file, []byte("周一 张\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	owner.act("do-evidence", "file", file)
	owner.wants("#evidence", "值班表.txt", "值班表已经排出")
	p, err := h.engine.Project(t.Context(), engine.Operator(), engine.ProjectID(id))
	if err != nil || p.Stage != "advance" || p.Progress != 40 {
		t.Errorf("%v: %s at %d %%", err, p.Stage, p.Progress)
	}
	owner.follow("form[action='/settings'] [name=lang]") // settings are forms, too
	owner.wants("#main", "40 % done", "Audit trail")
	h.intact()
}
