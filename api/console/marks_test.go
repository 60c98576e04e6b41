package console

import (
	"bytes"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"bihuan/engine"
)

// The leader marks what was closed out, the year's list and its workbook name what stands behind it, and a mark that
// was taken back leaves the list and stays on the item.
func TestMarksByForms(t *testing.T) {
	w := ownWorld(t)
	p := w.item(t, func(p *engine.Project) bool { return p.Stage == engine.Closed })
	page, do := "/projects/"+string(p.ID), "/projects/"+string(p.ID)+"/do/"
	if a := w.ask(t, "zhang", page, nil); strings.Contains(a.body, `id="do-mark"`) {
		t.Error("a supervisor is offered marks")
	}
	a := w.ask(t, "li", page, nil)
	if !strings.Contains(a.body, `id="do-mark"`) || !strings.Contains(a.body, "推广") {
		t.Fatal("the leader is offered no mark")
	}
	version := url.Values{"version": {strconv.FormatInt(p.Version, 10)}, "kind": {"promote"}, "note": {"好"}}
	if a := w.ask(t, "li", do+"mark", version); a.Code != http.StatusUnprocessableEntity {
		t.Errorf("without a reason: %d", a.Code)
	}
	version.Set("note", "做法简单，各学院都用得上")
	if a := w.ask(t, "li", do+"mark", version); a.Code != http.StatusSeeOther {
		t.Fatalf("marking answers %d", a.Code)
	}
	marks := w.ask(t, "wang", "/marks", nil)
	checkPage(t, "/marks", marks)
	for _, want := range []string{p.Number, "做法简单", "第 " + strconv.FormatInt(p.Version, 10) + " 条记录"} {
		if !strings.Contains(marks.body, want) {
			t.Errorf("the year's list does not say %q", want)
		}
	}
	if a := w.ask(t, "wang", "/marks?kind=commend", nil); strings.Contains(a.body, p.Number) {
		t.Error("listed under another kind")
	}
	if a := w.ask(t, "wang", "/marks?year=2019", nil); a.Code != http.StatusOK || strings.Contains(a.body, p.Number) {
		t.Error("listed in another year")
	}
	if a := w.ask(t, "wang", "/marks?year=soon", nil); a.Code != http.StatusUnprocessableEntity {
		t.Errorf("a year that is none: %d", a.Code)
	}
	if a := w.ask(t, "tang", "/marks", nil); strings.Contains(a.body, p.Number) {
		t.Error("another body sees it")
	}
	book := w.ask(t, "wang", "/marks.xlsx", nil)
	f, err := excelize.OpenReader(bytes.NewReader([]byte(book.body)))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := f.GetRows("推广和评先")
	// Two lines of titles, then the newest first: this one, and the one that was marked in the play.
	if err != nil || len(rows) != 4 || rows[2][1] != p.Number || !strings.Contains(rows[2][8], p.Head.String()) {
		t.Fatalf("the workbook has %q (%v)", rows, err)
	}
	q, err := w.db.Project(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	for id := range q.Marks {
		back := url.Values{"version": {strconv.FormatInt(q.Version, 10)}, "mark": {id}, "note": {"材料有误，撤销推广"}}
		if a := w.ask(t, "li", do+"unmark", back); a.Code != http.StatusSeeOther {
			t.Fatalf("revoking answers %d", a.Code)
		}
	}
	if a := w.ask(t, "wang", "/marks", nil); strings.Contains(a.body, p.Number) {
		t.Error("still listed after it was revoked")
	}
	if a := w.ask(t, "wang", page, nil); !strings.Contains(a.body, "材料有误，撤销推广") {
		t.Error("the item does not say why it was revoked")
	}
}
