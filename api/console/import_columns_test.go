package console

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const strangeText = "某处办事一览,,,\n#,要办啥,到哪天,咋弄\n1,修东门,11月底前,换门\n2,补路灯,12月底前,加灯\n"

// TestImportColumns covers what a browser cannot be made to send: addresses and forms of somebody's own making.
func TestImportColumns(t *testing.T) {
	w := ownWorld(t)
	unit, err := w.engine.Unit(t.Context(), "csxy")
	if err != nil {
		t.Fatal(err)
	}
	before := w.total(t)
	to := w.columnsOf(t, "zhang", "a.csv", strangeText, map[string]string{"kind": "shishi", "unit": string(unit.ID), "list": "2025-6"})
	path, query, _ := strings.Cut(to, "?")
	page := w.ask(t, "zhang", to, nil)
	checkPage(t, to, page)
	form := chosen(t, page.body, path)
	with := func(changes ...string) url.Values {
		x := without(form)
		for i := 0; i+1 < len(changes); i += 2 {
			x.Set(changes[i], changes[i+1])
		}
		return x
	}
	good := []string{"c0", "number", "c1", "title", "c2", "deadline", "c3", "measures", "year", "2030"}
	for _, tt := range []struct {
		name, says string
		x          url.Values
	}{
		{"nothing is the title", "事项名称", with()},
		{"an unknown field", "颜色", with(append(good, "c3", "颜色")...)},
		{"two deadlines", "咋弄", with(append(good, "c3", "deadline")...)},
		{"a field with points", "<b>", with(append(good, "c3", "x.<b>.y")...)},
		{"a column that is not there", "第78列", with(append(good, "c77", "keep")...)},
		{"a year that is none", "1990", with(append(good, "year", "20300")...)},
		{"no year where one is needed", "年度", with(append(good, "year", "")...)},
		{"a row that is empty", "第 99 行", with(append(good, "head", "99", "shown", "/99")...)},
		{"a row that is none", "表头", with(append(good, "head", "x")...)},
		{"no columns at all", "事项名称", url.Values{"kind": form["kind"], "unit": form["unit"]}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.ask(t, "zhang", path, tt.x)
			checkPage(t, tt.name, a)
			_, sum, _ := strings.Cut(a.body, `class="errsum"`)
			sum, _, _ = strings.Cut(sum, "</ul>")
			if a.Code != http.StatusUnprocessableEntity || !strings.Contains(html.UnescapeString(sum), tt.says) {
				t.Errorf("answers %d, %s", a.Code, sum)
			}
			if tt.x.Get("c0") == "number" && !strings.Contains(a.body, `value="number" selected`) && !strings.HasPrefix(tt.x.Get("shown"), "/99") {
				t.Error("what was chosen is lost")
			}
			if tt.x.Get("list") != "" && !strings.Contains(a.body, `value="2025-6"`) {
				t.Error("the list that was typed is lost")
			}
		})
	}
	t.Run("another head than was shown", func(t *testing.T) {
		a := w.ask(t, "zhang", path, with(append(good, "head", "3")...))
		if at := a.Header().Get("Location"); a.Code != http.StatusSeeOther || !strings.Contains(at, "/columns?") || !strings.Contains(at, "head=3") {
			t.Errorf("answers %d, %s", a.Code, at)
		}
	})
	t.Run("somebody else's", func(t *testing.T) {
		for _, login := range []string{"he", "zhao"} {
			if a := w.ask(t, login, to, nil); a.Code < 400 || strings.Contains(a.body, "修东门") {
				t.Errorf("%s gets the columns: %d", login, a.Code)
			}
			if a := w.ask(t, login, path, with(good...)); a.Code < 400 || strings.Contains(a.body, "修东门") {
				t.Errorf("%s chooses the columns: %d", login, a.Code)
			}
		}
	})
	t.Run("a file that is gone", func(t *testing.T) {
		gone := "/import/" + strings.Repeat("0", 16) + "-" + strings.Repeat("0", 64) + "/columns"
		a := w.ask(t, "zhang", gone, with(good...))
		if a.Code != http.StatusNotFound || !strings.Contains(a.body, `name="cols" value="number.title.deadline.measures"`) || !strings.Contains(a.body, `value="2025-6"`) {
			t.Errorf("answers %d, and what was said of the columns is lost", a.Code)
		}
		// The file handed in again finds what was said of it.
		fields := map[string]string{"kind": "shishi", "unit": string(unit.ID), "cols": "number.title.deadline.measures", "head": "2"}
		again := w.ask(t, "zhang", w.columnsOf(t, "zhang", "b.csv", strangeText+"3,清沟,,\n", fields), nil)
		if n := strings.Count(again.body, " selected>"); again.Code != http.StatusOK || !strings.Contains(again.body, `value="title" selected`) || n < 5 {
			t.Errorf("answers %d with %d choices", again.Code, n)
		}
	})
	t.Run("an address that names what is not there", func(t *testing.T) {
		for _, more := range []string{"&head=77", "&sheet=无", "&head=x", "&cols=title.title.title.title"} {
			a := w.ask(t, "zhang", path+"?"+query+more, nil)
			checkPage(t, more, a)
			if a.Code != http.StatusOK && a.Code != http.StatusUnprocessableEntity {
				t.Errorf("%s answers %d", more, a.Code)
			}
			preview, _ := strings.CutSuffix(path, "/columns")
			if a := w.ask(t, "zhang", preview+"?"+query+more, nil); a.Code >= 500 {
				t.Errorf("the preview with %s answers %d", more, a.Code)
			}
		}
	})
	if n := w.total(t); n != before {
		t.Errorf("%d projects were made on the way", n-before)
	}
	a := w.ask(t, "zhang", "/import/forget", url.Values{"id": {"none"}})
	if a.Code != http.StatusNotFound {
		t.Errorf("forgetting what is not remembered answers %d", a.Code)
	}
}
