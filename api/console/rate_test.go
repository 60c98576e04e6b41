package console

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

// TestRateBehindALink opens a poll by the form, rates from a device, and is refused what must be.
func TestRateBehindALink(t *testing.T) {
	w := ownWorld(t)
	p := w.item(t, func(p *engine.Project) bool { return p.Stage == "feedback" && p.Poll == nil })
	page := "/projects/" + string(p.ID)
	if a := w.ask(t, "zhang", page, nil); !strings.Contains(a.body, `id="do-open_poll"`) {
		t.Fatal("a supervisor is not offered a poll")
	}
	if a := w.ask(t, "chen", page, nil); strings.Contains(a.body, `id="do-open_poll"`) {
		t.Error("an owner is offered to judge the own work")
	}
	version := url.Values{"version": {strconv.FormatInt(p.Version, 10)}, "closes": {"2020-01-01"}}
	if a := w.ask(t, "zhang", page+"/poll", version); a.Code != http.StatusUnprocessableEntity || !strings.Contains(a.body, "已经过去") {
		t.Errorf("a poll that closes in the past answers %d", a.Code)
	}
	version.Set("closes", w.now.AddDate(0, 0, 5).Format(time.DateOnly))
	a := w.ask(t, "zhang", page+"/poll", version)
	m := regexp.MustCompile(`https?://[^<]*(/r/[A-Za-z0-9_-]{22})<`).FindStringSubmatch(a.body)
	if a.Code != http.StatusOK || m == nil || !strings.Contains(a.body, `class="qr"`) {
		t.Fatalf("no link in an answer %d", a.Code)
	}
	checkPage(t, page+"/poll", a)
	path := m[1]
	first := w.ask(t, "", path, nil)
	if first.Code != http.StatusOK || !strings.Contains(first.body, p.Title) {
		t.Fatalf("the page behind the link answers %d", first.Code)
	}
	checkPage(t, path, first)
	for _, name := range []string{"周启航", "陈晓"} {
		if strings.Contains(first.body, name) {
			t.Errorf("the page names %s", name)
		}
	}
	cookie := first.Result().Cookies()[0]
	rate := func(level, comment string, headers ...string) answer {
		t.Helper()
		return w.ask(t, "", path, url.Values{"level": {level}, "comment": {comment}}, headers...)
	}
	device := []string{"Cookie", cookie.Name + "=" + cookie.Value}
	if a := rate("5", ""); a.Code != http.StatusUnprocessableEntity || !strings.Contains(a.body, "Cookie") {
		t.Errorf("a vote without a device answers %d", a.Code)
	}
	if a := rate("", "", device...); a.Code != http.StatusUnprocessableEntity || !strings.Contains(a.body, "请选择一项") {
		t.Errorf("a vote without a mark answers %d", a.Code)
	}
	if a := rate("1", strings.Repeat("长", 201), device...); a.Code != http.StatusUnprocessableEntity {
		t.Errorf("too long a remark answers %d", a.Code)
	}
	if a := rate("1", strings.Repeat("x", 10<<20), device...); a.Code != http.StatusUnprocessableEntity {
		t.Errorf("ten megabytes answer %d", a.Code)
	}
	if a := w.ask(t, "", "/r/AAAAAAAAAAAAAAAAAAAAAA", nil); a.Code != http.StatusNotFound || !strings.Contains(a.body, "无效") {
		t.Errorf("a forged link answers %d", a.Code)
	}
	for _, level := range []string{"5", "1"} { // the second takes the place of the first
		if a := rate(level, "示范课时间冲突", device...); a.Code != http.StatusSeeOther {
			t.Fatalf("a vote answers %d", a.Code)
		}
	}
	if a := w.ask(t, "", path+"?done=vote", nil, device...); !strings.Contains(a.body, "谢谢") || !strings.Contains(a.body, `value="1" checked`) {
		t.Error("the page does not show the device's own vote")
	}
	q := w.project(t, p.ID)
	if n := len(q.Objections) - len(p.Objections); n != 1 {
		t.Errorf("%d objections from one device", n)
	}
	tally, err := w.db.Tally(t.Context(), q.Poll.ID)
	if err != nil || tally.Votes() != 1 || tally.VeryDissatisfied != 1 {
		t.Errorf("counted %+v (%v)", tally, err)
	}
}

func (w *world) project(t *testing.T, id engine.ProjectID) engine.Project {
	t.Helper()
	p, err := w.db.Project(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestBoard: off unless the site switches it on; then for everybody, without drafts and without names.
func TestBoard(t *testing.T) {
	w := readWorld(t)
	running, next := w.lists(t)
	if a := w.ask(t, "", "/board", nil); a.Code != http.StatusNotFound {
		t.Errorf("the board answers %d though nobody switched it on", a.Code)
	}
	w.console.Board = true
	defer func() { w.console.Board = false }()
	a := w.ask(t, "", "/board", nil)
	if a.Code != http.StatusOK || !strings.Contains(a.body, running.Name) || strings.Contains(a.body, next.Name) {
		t.Errorf("the board answers %d, or shows a draft", a.Code)
	}
	checkPage(t, "/board", a)
	unit := w.ask(t, "", "/board?unit="+string(running.UnitID), nil)
	checkPage(t, "/board?unit=…", unit)
	if unit.Code != http.StatusOK || !strings.Contains(unit.body, running.Name) || !strings.Contains(unit.body, "看全部单位") {
		t.Errorf("the unit's board answers %d", unit.Code)
	}
	for _, id := range []string{"x", "01a20acd-0000-7000-8000-000000000000"} {
		if a := w.ask(t, "", "/board?unit="+id, nil); a.Code != http.StatusNotFound {
			t.Errorf("the board of a unit that is none answers %d", a.Code)
		}
	}
	if a := w.ask(t, "zhang", "/lists", nil); !strings.Contains(a.body, `href="/board"`) {
		t.Error("nothing leads to the board")
	}
	a = w.ask(t, "zhang", "/board/"+string(running.ID), nil)
	checkPage(t, "/board/…", a)
	if a.Code != http.StatusOK || !strings.Contains(a.body, "逾期") {
		t.Errorf("the list answers %d", a.Code)
	}
	for _, name := range []string{"周启航", "陈晓", "张岚", "换座位"} {
		if strings.Contains(a.body, name) {
			t.Errorf("the board shows %s", name)
		}
	}
	if a := w.ask(t, "", "/board/"+string(next.ID), nil); a.Code != http.StatusNotFound {
		t.Errorf("a draft answers %d", a.Code)
	}
	kept := len(w.console.shown.pages)
	for i := range 20 { // whoever asks for what is not there pushes nothing out
		id := fmt.Sprintf("01a20acd-0000-7000-8000-%012d", i)
		w.ask(t, "", "/board/"+id, nil)
		w.ask(t, "", "/board?unit="+id, nil)
	}
	if n := len(w.console.shown.pages); n != kept {
		t.Errorf("%d pages are kept where there were %d", n, kept)
	}
	if w.console.shown.pages["zh-CN /board/"+string(next.ID)+" "] != nil {
		t.Error("a page is kept of a draft")
	}
	start := time.Now()
	const n = 2000
	for range n {
		if a := w.ask(t, "", "/board/"+string(running.ID), nil, "Accept-Encoding", "gzip"); a.Code != http.StatusOK {
			t.Fatal(a.Code)
		}
	}
	t.Logf("%d requests of the board in %v", n, time.Since(start))
}

// TestErasingWords: what somebody without an account wrote is erased on the project's page by two offices, after which
// every page says who did it and when.
func TestErasingWords(t *testing.T) {
	w := ownWorld(t)
	p := w.item(t, func(p *engine.Project) bool { return p.Stage == "feedback" && p.Poll == nil })
	page := "/projects/" + string(p.ID)
	zhang := engine.Actor{ID: w.people["zhang"].ID, Grants: w.people["zhang"].Grants, Via: engine.ViaConsole}
	_, token, err := w.engine.OpenPoll(t.Context(), zhang, p.ID, p.Version, calendar.DateOf(w.now.AddDate(0, 0, 5), time.UTC))
	if err == nil {
		err = w.engine.Cast(t.Context(), token, strings.Repeat("d", 22), 1, "座位不够，请打 13800138000")
	}
	if err != nil {
		t.Fatal(err)
	}
	q := w.project(t, p.ID)
	var of string
	for id, o := range q.Objections {
		if o.Sealed != "" {
			of = id
		}
	}
	ask := func(who, path string, body url.Values, code int, contains ...string) answer {
		t.Helper()
		a := w.ask(t, who, path, body)
		for _, s := range contains {
			if !strings.Contains(a.body, s) {
				t.Errorf("%s %s: no %q", who, path, s)
			}
		}
		if a.Code != code {
			t.Errorf("%s %s answers %d", who, path, a.Code)
		}
		if body == nil {
			checkPage(t, path, a)
		}
		return a
	}
	form := func(more ...string) url.Values {
		return seenAt(w.project(t, p.ID).Version, append(more, "objection", of)...)
	}
	if a := ask("chen", page, nil, http.StatusOK, "13800138000"); strings.Contains(a.body, "/do/ask_erasure") {
		t.Error("an owner is offered to erase")
	}
	ask("zhao", page, nil, http.StatusOK, "13800138000", page+"/do/ask_erasure", "删除这段话的原文")
	ask("zhao", page+"/do/ask_erasure", form("note", "13800138000 要求"), http.StatusUnprocessableEntity, "不能写本人的姓名")
	ask("zhao", page+"/do/ask_erasure", form("note", "本人来电要求"), http.StatusSeeOther)
	ask("zhao", page, nil, http.StatusOK, "13800138000", "不能批准自己提出的申请", page+"/do/end_erasure")
	ask("zhao", page+"/do/erase", form(), http.StatusForbidden, "不能批准自己")
	ask("qian", page, nil, http.StatusOK, page+"/do/erase", "理由：本人来电要求")
	ask("qian", page+"/do/erase", form(), http.StatusSeeOther)
	for _, who := range []string{"zhao", "chen", "zhang"} {
		if a := ask(who, page, nil, http.StatusOK, "已按规定删除：由"); strings.Contains(a.body, "13800138000") {
			t.Errorf("%s is still shown the words", who)
		}
	}
	ask("zhang", page+"?open=answer", nil, http.StatusOK, `<option value="`+of+`">已按规定删除`)
	ask("wang", "/trail/verify", url.Values{}, http.StatusOK, "完好", "已按规定删除："+p.Number, "公众意见原文")
}
