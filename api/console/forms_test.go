package console

import (
	"bytes"
	"fmt"
	"html"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"bihuan/engine"
)

// at is a form's version of a project.
func at(p engine.Project, more ...string) url.Values {
	x := url.Values{"version": {fmt.Sprint(p.Version)}}
	for i := 0; i+1 < len(more); i += 2 {
		x.Add(more[i], more[i+1])
	}
	return x
}

func (w *world) fresh(t *testing.T, id engine.ProjectID) engine.Project {
	t.Helper()
	p, err := w.engine.Project(t.Context(), engine.Operator(), id)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSignInAndOut(t *testing.T) {
	w := readWorld(t)
	for _, tt := range []struct {
		name, login, password, next string
		want                        int
		to                          string
	}{
		{"right", "zhang", "right", "/ledger", http.StatusSeeOther, "/ledger"},
		{"never to another site", "zhang", "right", "//evil.example/", http.StatusSeeOther, "/"},
		{"wrong password", "zhang", "wrong", "/ledger", http.StatusUnprocessableEntity, ""},
		{"nobody", "nobody", "right", "", http.StatusUnprocessableEntity, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.ask(t, "", "/sign-in", url.Values{"login": {tt.login}, "password": {tt.password}, "next": {tt.next}})
			if a.Code != tt.want || a.Header().Get("Location") != tt.to {
				t.Fatalf("%d to %q, want %d to %q", a.Code, a.Header().Get("Location"), tt.want, tt.to)
			}
			cookie := a.Header().Get("Set-Cookie")
			if entered := strings.Contains(cookie, session+"="+tt.login); entered != (tt.want == http.StatusSeeOther) {
				t.Errorf("cookie %q", cookie)
			}
			if tt.want == http.StatusSeeOther && (!strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax")) {
				t.Errorf("cookie %q lacks its guards", cookie)
			}
			if tt.want != http.StatusSeeOther {
				if !strings.Contains(a.body, `value="`+tt.login+`"`) || strings.Contains(a.body, tt.password+`"`) {
					t.Error("the name is not kept, or the password is")
				}
				checkPage(t, "/sign-in", a)
			}
		})
	}
	if a := w.ask(t, "zhang", "/sign-out", url.Values{}); a.Code != http.StatusSeeOther || !strings.Contains(a.Header().Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("sign-out answers %d, cookie %q", a.Code, a.Header().Get("Set-Cookie"))
	}
}

func TestSettingsAreKeptInCookies(t *testing.T) {
	w := readWorld(t)
	for _, tt := range []struct{ field, value, cookie string }{{"lang", "en", langCookie + "=en"}, {"theme", "dark", themeCookie + "=dark"},
		{"size", "large", sizeCookie + "=large"}, {"lang", "<b>", ""}} {
		a := w.ask(t, "zhang", "/settings", url.Values{tt.field: {tt.value}, "back": {"/todo"}})
		if a.Header().Get("Location") != "/todo" || !strings.HasPrefix(a.Header().Get("Set-Cookie"), tt.cookie) || tt.cookie == "" && a.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s=%s: to %q with %q", tt.field, tt.value, a.Header().Get("Location"), a.Header().Get("Set-Cookie"))
		}
	}
	dark := w.ask(t, "zhang", "/todo", nil, "Cookie", themeCookie+"=dark; "+sizeCookie+"=large; "+langCookie+"=en")
	for _, s := range []string{`data-theme="dark"`, `data-size="lg"`, `lang="en"`, "My to-do"} {
		if !strings.Contains(dark.body, s) {
			t.Errorf("the page lacks %s", s)
		}
	}
}

// TestOtherSitesCannotPost sends what a browser would send for another site's form.
func TestOtherSitesCannotPost(t *testing.T) {
	w := readWorld(t)
	for _, r := range routes {
		if r.Method != http.MethodPost {
			continue
		}
		path := strings.NewReplacer(":id", string(w.items[0].ID), ":act", "urge").Replace(r.Path)
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader("version=1"))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		req.AddCookie(&http.Cookie{Name: session, Value: "zhang"})
		rec := httptest.NewRecorder()
		w.router.ServeHTTP(rec, req)
		if rec.Code != http.StatusForbidden {
			t.Errorf("%s answers %d to another site, want 403", path, rec.Code)
		}
	}
}

// TestLoop takes a new project through the forms of several people, from proposal to the start of its work, with
// markup in every text.
func TestLoop(t *testing.T) {
	w := ownWorld(t)
	unit, err := w.engine.Unit(t.Context(), "csxy")
	if err != nil {
		t.Fatal(err)
	}
	text := func(s string) string { return s + hostile }
	made := w.ask(t, "zhang", "/new", url.Values{"kind": {"shishi"}, "unit": {string(unit.ID)}, "title": {text("题目")}, "category": {text("类别")},
		"need": {text("需求")}, "target": {text("成效")}, "measures": {text("举措")}, "owner": {string(w.people["zhou"].ID)},
		"sponsor": {string(w.people["li"].ID)}, "assisting": {text("单位")}, "list": {"2025-6"}, "deadline": {"2025-12-30"}})
	if made.Code != http.StatusSeeOther {
		t.Fatalf("create answers %d: %s", made.Code, made.body)
	}
	path, _, _ := strings.Cut(made.Header().Get("Location"), "?")
	id := engine.ProjectID(strings.TrimPrefix(path, "/projects/"))
	do := func(as, act string, more ...string) answer {
		t.Helper()
		a := w.ask(t, as, path+"/do/"+act, at(w.fresh(t, id), more...))
		if a.Code != http.StatusSeeOther {
			t.Fatalf("%s by %s answers %d: %s", act, as, a.Code, problemOf(a.body))
		}
		return a
	}
	do("zhou", "submit", "transition", "deploy", "note", text("请批准"))
	if a := w.ask(t, "zhang", "/todo", nil); !strings.Contains(a.body, html.EscapeString(text("请批准"))) {
		t.Error("the supervisor's list does not show the request and its note")
	}
	done := w.ask(t, "zhang", "/todo/"+string(id), at(w.fresh(t, id), "decision", "approve", "note", text("同意")), "HX-Request", "true")
	if done.Code != http.StatusOK || !strings.Contains(done.body, "done-row") || strings.Contains(done.body, "<html") || done.Header().Get("HX-Trigger") == "" {
		t.Fatalf("approve in place answers %d: %s", done.Code, done.body)
	}
	do("zhou", "acknowledge")
	if a := do("zhou", "milestones", "title", text("里程碑"), "due", "2025-12-01", "who", text("责任人")); !strings.Contains(a.Header().Get("Location"), "open=milestones") {
		t.Errorf("the form for the next milestone is not open: %q", a.Header().Get("Location"))
	}
	do("zhou", "edit_milestone", "milestone", "m1", "title", text("改过"), "due", "2025-12-02")
	do("zhou", "submit", "transition", "advance")
	do("zhang", "approve")
	do("zhou", "report", "percent", "30", "done", text("做了"), "next", text("下一步"), "problems", text("问题"), "support", text("支持"))
	do("zhou", "tick", "milestone", "m1", "note", text("完成"))
	do("zhang", "urge", "note", text("请抓紧"))
	if got := w.upload(t, "zhou", w.fresh(t, id), "材料<img src=x>.txt", "第一份材料"); got.Code != http.StatusSeeOther {
		t.Fatalf("upload answers %d: %s", got.Code, problemOf(got.body))
	}
	for _, as := range []string{"zhou", "zhang", "li", "wang"} {
		for _, page := range []string{path, "/ledger?view=all", "/trail?project=" + string(id), "/overview", "/todo"} {
			a := w.ask(t, as, page, nil)
			checkPage(t, page, a)
			if strings.Contains(a.body, "<script>alert") || strings.Contains(a.body, "<img src=x") {
				t.Errorf("%s: what somebody wrote became markup", page)
			}
		}
	}
	page := w.ask(t, "zhou", path, nil)
	for _, s := range []string{"题目", "需求", "改过", "做了", "问题", "支持", "请抓紧"} {
		if !strings.Contains(page.body, html.EscapeString(text(s))) {
			t.Errorf("the page does not show %q as it was written", s)
		}
	}
	href := regexp.MustCompile(`/projects/[0-9a-f-]+/evidence/[0-9a-f-]+`).FindString(page.body)
	file := w.ask(t, "wang", href, nil)
	if file.body != "第一份材料" || !strings.HasPrefix(file.Header().Get("Content-Disposition"), "attachment") {
		t.Errorf("the file comes back as %q, %q", file.body, file.Header().Get("Content-Disposition"))
	}
	if a := w.ask(t, "chen", href, nil); a.Code != http.StatusNotFound {
		t.Errorf("somebody without a part gets %d, want 404", a.Code)
	}
	csv := w.ask(t, "zhang", "/ledger.csv?view=all", nil)
	if !strings.Contains(csv.body, "题目") {
		t.Error("the export lacks the project")
	}
}

// upload sends a file as a browser does: the fields first.
func (w *world) upload(t *testing.T, as string, p engine.Project, name, content string) answer {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for _, f := range [][2]string{{"version", fmt.Sprint(p.Version)}, {"milestone", ""}, {"note", "说明" + hostile}} {
		if err := m.WriteField(f[0], f[1]); err != nil {
			t.Fatal(err)
		}
	}
	part, err := m.CreateFormFile("file", name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/projects/"+string(p.ID)+"/evidence", &b)
	r.Header.Set("Content-Type", m.FormDataContentType())
	r.AddCookie(&http.Cookie{Name: session, Value: as})
	rec := httptest.NewRecorder()
	w.router.ServeHTTP(rec, r)
	return answer{rec, rec.Body.String()}
}

// problemOf is the part of a page that says what is wrong.
func problemOf(body string) string {
	_, s, _ := strings.Cut(body, `class="errsum`)
	s, _, _ = strings.Cut(s, "</div>")
	return s
}

// TestRefusalsKeepWhatWasTyped sends forms that are refused, each for another reason.
func TestRefusalsKeepWhatWasTyped(t *testing.T) {
	w := ownWorld(t)
	working := w.item(t, func(p *engine.Project) bool {
		return p.Stage == "advance" && p.Request == nil && p.LookBacksFailed == 0 && p.Owner == w.people["zhou"].ID
	})
	asked := w.item(t, func(p *engine.Project) bool { return p.Stage == "effect" && p.Request != nil })
	const typed = "写了很久的一段话"
	for _, tt := range []struct {
		name, as, act string
		p             engine.Project
		form          []string
		want          int
		says          string
	}{
		{"a percentage that is none", "zhou", "report", working, []string{"percent", "lots", "done", typed}, 422, "应为整数"},
		{"one that is too large", "zhou", "report", working, []string{"percent", "101", "done", typed}, 422, "0 到 100"},
		{"a missing field", "zhou", "report", working, []string{"percent", "50", "next", typed}, 422, "必须填写"},
		{"a date that is none", "zhou", "milestones", working, []string{"title", typed, "due", "soon"}, 422, "2026-11-30"},
		{"a reason that is too short", "zhang", "urge", working, []string{"note", "急"}, 422, "至少 4 个字"},
		{"conditions that do not hold", "zhou", "submit", working, []string{"transition", "track", "note", typed}, 409, "还不能"},
		{"a return without a reason", "li", "return", asked, []string{"note", "不"}, 422, "至少 4 个字"},
		{"what is not theirs", "wang", "urge", working, []string{"note", typed}, 403, "只有"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.ask(t, tt.as, "/projects/"+string(tt.p.ID)+"/do/"+tt.act, at(tt.p, tt.form...))
			if a.Code != tt.want || !strings.Contains(a.body, tt.says) {
				t.Fatalf("%d, want %d with %q; it says %s", a.Code, tt.want, tt.says, problemOf(a.body))
			}
			if tt.want != http.StatusForbidden && !strings.Contains(a.body, tt.form[len(tt.form)-1]) {
				t.Error("what was typed is lost")
			}
			checkPage(t, tt.act, a)
			if got := w.fresh(t, tt.p.ID).Version; got != tt.p.Version {
				t.Errorf("the project moved to version %d", got)
			}
		})
	}
	t.Run("without a version", func(t *testing.T) {
		if a := w.ask(t, "zhou", "/projects/"+string(working.ID)+"/do/report", url.Values{"percent": {"50"}, "done": {typed}}); a.Code != http.StatusPreconditionRequired {
			t.Errorf("%d, want 428", a.Code)
		}
	})
	t.Run("an act that does not exist", func(t *testing.T) {
		if a := w.ask(t, "zhou", "/projects/"+string(working.ID)+"/do/steal", at(working)); a.Code != http.StatusNotFound {
			t.Errorf("%d, want 404", a.Code)
		}
	})
	t.Run("a file of a kind that is not taken", func(t *testing.T) {
		a := w.upload(t, "zhou", working, "程序.exe", "MZ")
		if a.Code != http.StatusUnprocessableEntity || !strings.Contains(a.body, "说明") {
			t.Errorf("%d, want 422 with the note kept", a.Code)
		}
	})
	t.Run("a return in the list without a reason", func(t *testing.T) {
		a := w.ask(t, "li", "/todo/"+string(asked.ID), at(asked, "decision", "return", "note", "不行"), "HX-Request", "true")
		if a.Code != http.StatusUnprocessableEntity || !strings.Contains(a.body, `value="不行"`) || strings.Contains(a.body, "<html") {
			t.Errorf("%d: %s", a.Code, a.body)
		}
		whole := w.ask(t, "li", "/todo/"+string(asked.ID), at(asked, "decision", "return", "note", "不行"))
		if whole.Code != http.StatusUnprocessableEntity || !strings.Contains(whole.body, `value="不行"`) || !strings.Contains(whole.body, "<html") {
			t.Errorf("without script: %d", whole.Code)
		}
	})
}

// TestConflictShowsBothAndLosesNothing lets one person write while another is typing.
func TestConflictShowsBothAndLosesNothing(t *testing.T) {
	w := ownWorld(t)
	draft := w.item(t, func(p *engine.Project) bool { return p.Stage == "plan" && p.Request == nil })
	path := "/projects/" + string(draft.ID)
	edit := func(title string) url.Values {
		return at(draft, "title", title, "need", "需求", "owner", string(draft.Owner), "deadline", draft.Deadline.String())
	}
	if a := w.ask(t, "zhang", path+"/edit", edit("先改的题目")); a.Code != http.StatusSeeOther {
		t.Fatalf("the first edit answers %d: %s", a.Code, problemOf(a.body))
	}
	second := w.ask(t, "zhang", path+"/edit", edit("后改的题目"))
	if second.Code != http.StatusConflict {
		t.Fatalf("the second edit answers %d, want 409", second.Code)
	}
	checkPage(t, path, second)
	for _, s := range []string{draft.Title, "先改的题目", "后改的题目", "张岚", fmt.Sprintf(`name="version" value="%d"`, draft.Version+1)} {
		if !strings.Contains(second.body, s) {
			t.Errorf("the conflict does not show %q", s)
		}
	}
	if got := w.fresh(t, draft.ID).Title; got != "先改的题目" {
		t.Errorf("the title is %q", got)
	}
	again := edit("后改的题目")
	again.Set("version", fmt.Sprint(draft.Version+1))
	if a := w.ask(t, "zhang", path+"/edit", again); a.Code != http.StatusSeeOther || w.fresh(t, draft.ID).Title != "后改的题目" {
		t.Errorf("sent again it answers %d", a.Code)
	}

	working := w.item(t, func(p *engine.Project) bool {
		return p.Stage == "advance" && p.Request == nil && p.Owner == w.people["zhou"].ID
	})
	path = "/projects/" + string(working.ID)
	if a := w.ask(t, "zhang", path+"/do/urge", at(working, "note", "请尽快报送")); a.Code != http.StatusSeeOther {
		t.Fatalf("urge answers %d", a.Code)
	}
	late := w.ask(t, "zhou", path+"/do/report", at(working, "percent", "88", "done", "报告里写的话"))
	for _, s := range []string{"报告里写的话", "请尽快报送", `value="88"`} {
		if late.Code != http.StatusConflict || !strings.Contains(late.body, s) {
			t.Errorf("a report on an old version answers %d and lacks %q", late.Code, s)
		}
	}
}

// TestSeats changes the chair in the demo; elsewhere there is no such thing.
func TestSeats(t *testing.T) {
	w := ownWorld(t)
	if a := w.ask(t, "", "/sign-in", nil); !strings.Contains(a.body, "周启航") {
		t.Error("the door of the demo does not list the seats")
	}
	if a := w.ask(t, "zhang", "/seat", url.Values{"login": {"zhou"}, "next": {"/todo"}}); a.Header().Get("Location") != "/todo" || !strings.Contains(a.Header().Get("Set-Cookie"), "=zhou") {
		t.Errorf("sitting down leads to %q", a.Header().Get("Location"))
	}
	if a := w.ask(t, "zhang", "/seat", url.Values{"login": {"qian"}}); a.Code != http.StatusForbidden {
		t.Errorf("a seat that is not offered answers %d, want 403", a.Code)
	}
	if a := readWorld(t).ask(t, "zhang", "/seat", url.Values{"login": {"zhou"}}); a.Code != http.StatusNotFound {
		t.Errorf("outside the demo it answers %d, want 404", a.Code)
	}
}
