package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"bihuan/engine"
)

// A yearly count from nothing to one that a member has met, on the pages alone.
func TestTallyPages(t *testing.T) {
	w := ownWorld(t)
	shows := func(as, path, text string, want bool) {
		t.Helper()
		a := w.ask(t, as, path, nil)
		checkPage(t, path, a)
		if a.Code != http.StatusOK || strings.Contains(a.body, text) != want {
			t.Errorf("%s as %s: %d, %q is there: %v", path, as, a.Code, text, !want)
		}
	}
	posts := func(as, path string, want int, pairs ...string) string {
		t.Helper()
		form := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			form.Add(pairs[i], pairs[i+1])
		}
		a := w.ask(t, as, path, form)
		if a.Code != want {
			t.Fatalf("%s %v as %s: %d, want %d: %s", path, pairs, as, a.Code, want, a.body)
		}
		return a.body
	}
	shows("wu", "/overview", `href="/tally"`, false)
	shows("zhao", "/tally", "启用“四个一”", true)
	posts("wu", "/tally", http.StatusForbidden, "act", "enable", "tally", "sigeyi")
	posts("zhao", "/tally", http.StatusSeeOther, "act", "enable", "tally", "sigeyi")
	shows("wu", "/overview", `href="/tally"`, true)
	unit, err := w.engine.Unit(t.Context(), "jsj-1")
	if err != nil {
		t.Fatal(err)
	}
	year := strconv.Itoa(w.console.today().Year())
	enrol := []string{"act", "enrol", "tally", "sigeyi", "user", string(w.people["chen"].ID), "unit", string(unit.ID), "year", year}
	posts("wu", "/tally", http.StatusSeeOther, enrol...)
	if body := posts("wu", "/tally", http.StatusConflict, enrol...); !strings.Contains(body, "已在") {
		t.Error("nothing says that the member is on the roll")
	}
	mine := func() engine.TallyYear {
		t.Helper()
		all, err := w.engine.AllTallyYears(t.Context(), engine.Operator(), engine.TallyFilter{User: w.people["chen"].ID})
		if err != nil || len(all) != 1 {
			t.Fatalf("%d years, %v", len(all), err)
		}
		return all[0]
	}
	page := "/tally/" + string(mine().ID)
	do := func(as, act string, want int, pairs ...string) string {
		t.Helper()
		return posts(as, page+"/do/"+act, want, append(pairs, "version", strconv.FormatInt(mine().Version, 10))...)
	}
	shows("chen", "/tally", page, true)
	shows("chen", page, "录入一条", true)
	shows("chen", page, `id="tt"`, false) // members do not read the trail: no card without anything in it
	shows("wu", page, `id="tt"`, true)
	shows("chen", "/tally", "全年至少：授课 1 次、志愿服务 1 次、义务劳动 1 次、宿舍结对 1 次、20 小时", true)
	day := w.console.today().String()
	if body := do("chen", "enter", http.StatusUnprocessableEntity, "category", "lecture", "day", day, "hours", "两小时"); !strings.Contains(body, "不是可用的时长") {
		t.Error("nothing says what is wrong with the hours")
	}
	for i, category := range []string{"lecture", "volunteering", "labour", "dormitory"} {
		do("chen", "enter", http.StatusSeeOther, "category", category, "day", day, "hours", []string{"5", "5.5", "5", "4:30"}[i], "note", "三号楼")
	}
	shows("chen", page, "20 小时", true)
	shows("chen", page, "/do/confirm", false)
	shows("wu", "/tally", "4 条待确认", true)
	shows("wu", page, "/do/confirm", true)
	do("wu", "decline", http.StatusUnprocessableEntity, "record", "r1", "note", "")
	do("wu", "confirm", http.StatusSeeOther, "records", "r1", "records", "r2", "records", "r3", "records", "r4")
	shows("chen", page, "已达到", true)
	do("chen", "withdraw", http.StatusSeeOther, "record", "r2", "note", "记错了日期")
	shows("wu", "/tally?unit="+string(unit.ID), "志愿服务 1 次、5.5 小时", true)
	if a := w.ask(t, "zhou", page, nil); a.Code != http.StatusNotFound {
		t.Errorf("somebody else's year: %d", a.Code)
	}
	do("wu", "strike", http.StatusSeeOther, "note", "转出组织关系")
	shows("chen", page, "已除名", true)
	shows("zhao", "/trail", "录入时长", true)
	posts("zhao", "/tally", http.StatusSeeOther, "act", "disable", "tally", "sigeyi")
}
