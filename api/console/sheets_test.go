package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"bihuan/engine"
	"bihuan/workflows"
)

// An administrator proposes a changed score sheet, mistakes are shown line by line without losing what was typed, the
// leader sees it beside the present one and adopts it.
func TestSheetsByForms(t *testing.T) {
	w := ownWorld(t)
	source, _ := workflows.SheetSource("default")
	next := strings.NewReplacer("version: 1\n", "version: 2\n", "base: 100", "base: 90").Replace(string(source))
	const page = "/scores/sheets"
	if a := w.ask(t, "li", page, nil); a.Code != http.StatusOK || strings.Contains(a.body, `id="propose"`) {
		t.Errorf("a leader: %d, or is offered to propose", a.Code)
	}
	a := w.ask(t, "zhao", page, nil)
	checkPage(t, page, a)
	if !strings.Contains(a.body, `id="propose"`) || !strings.Contains(a.body, "base: 100") {
		t.Fatal("the administrator is offered no form with the present sheet")
	}
	from := w.engine.Now().AddDate(0, 1, 0).Format("2006-01-02")
	propose := func(who, source string) answer {
		return w.ask(t, who, page, url.Values{"source": {source}, "from": {from}, "note": {"基础分偏高"}})
	}
	if a := propose("li", next); a.Code != http.StatusForbidden {
		t.Errorf("a leader proposes: %d", a.Code)
	}
	a = propose("zhao", strings.Replace(next, "base: 90", "bass: 90", 1))
	checkPage(t, page, a)
	if a.Code != http.StatusUnprocessableEntity || !strings.Contains(a.body, "sheet:8: 不认识的键“bass”") || !strings.Contains(a.body, "bass: 90") {
		t.Errorf("a mistake: %d", a.Code)
	}
	a = propose("zhao", strings.Replace(next, "version: 2", "version: 1", 1))
	if a.Code != http.StatusConflict || !strings.Contains(a.body, "版本号要大于 1") {
		t.Errorf("a version that is taken: %d", a.Code)
	}
	if a := propose("zhao", next); a.Code != http.StatusSeeOther {
		t.Fatalf("proposing answers %d", a.Code)
	}
	all, err := w.db.SheetVersions(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("%d proposals (%v)", len(all), err)
	}
	one := page + "/" + string(all[0].ID)
	a = w.ask(t, "li", one, nil)
	checkPage(t, one, a)
	for _, want := range []string{"base: 100", "base: 90", `id="adopt"`, `id="reject"`, "/scores/compare?with=" + string(all[0].ID)} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the proposal does not show %q", want)
		}
	}
	a = w.ask(t, "li", "/scores/compare?with="+string(all[0].ID), nil)
	checkPage(t, "/scores/compare", a)
	if !strings.Contains(a.body, "−10") || !strings.Contains(a.body, "提案：default 第 2 版") {
		t.Error("the comparison does not show what would change")
	}
	if a := w.ask(t, "zhao", one+"/adopt", url.Values{"version": {"1"}}); a.Code != http.StatusForbidden {
		t.Errorf("the administrator adopts: %d", a.Code)
	}
	if a := w.ask(t, "li", one+"/adopt", url.Values{"version": {"1"}, "note": {"同意"}}); a.Code != http.StatusSeeOther {
		t.Fatalf("adopting answers %d", a.Code)
	}
	all, err = w.db.SheetVersions(t.Context())
	if err != nil || all[0].State != engine.SheetAdopted {
		t.Fatalf("%+v (%v)", all, err)
	}
	if a := w.ask(t, "wang", page, nil); !strings.Contains(a.body, "已批准") || !strings.Contains(a.body, "基础分偏高") || !strings.Contains(a.body, "通用口径（第 1 版）") {
		t.Error("the page does not tell what was adopted, and what holds until then")
	}
	for path, want := range map[string]int{page + "/default@1": 200, page + "/none": 404, one + "/burn": 404} {
		if a := w.ask(t, "wang", path, nil); a.Code != want {
			t.Errorf("%s answers %d, want %d", path, a.Code, want)
		}
	}
}
