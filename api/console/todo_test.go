package console

import (
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"bihuan/engine"
)

// TestTodoShowsWhatSpeaksForAndAgainst looks at a request as its approver sees it.
func TestTodoShowsWhatSpeaksForAndAgainst(t *testing.T) {
	w := readWorld(t)
	checked, evidence := 0, 0
	for _, login := range []string{"zhang", "he", "li"} {
		a := w.ask(t, login, "/todo", nil)
		checkPage(t, "/todo", a)
		rows := regexp.MustCompile(`(?s)<article class="appr".*?</article>`).FindAllString(a.body, -1)
		who := engine.Actor{ID: w.people[login].ID, Grants: w.people[login].Grants}
		for _, row := range rows {
			id := regexp.MustCompile(`name="item" value="([^:"]+):(\d+)" form="batch"`).FindStringSubmatch(row)
			if id == nil {
				t.Fatalf("a request cannot be picked: %s", row)
			}
			p := w.fresh(t, engine.ProjectID(id[1]))
			if fmt.Sprint(p.Version) != id[2] || !strings.Contains(row, fmt.Sprintf(`name="version" value="%d"`, p.Version)) {
				t.Errorf("%s: the row is not of version %d", p.Number, p.Version)
			}
			options, err := w.engine.Explain(t.Context(), who, &p)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range options {
				for _, r := range o.Reasons {
					if o.Act != "approve" || !required(r) {
						continue
					}
					checked++
					mark := map[bool]string{true: "已满足", false: "未满足"}[r.Met]
					if !regexp.MustCompile(mark + `</span> <span>` + regexp.QuoteMeta(html.EscapeString(r.In("zh-CN")))).MatchString(row) {
						t.Errorf("%s: it is not said that %q is %s", p.Number, r.In("zh-CN"), mark)
					}
				}
			}
			files, err := w.db.Evidence(t.Context(), p.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files[:min(len(files), 6)] {
				if evidence++; !strings.Contains(row, html.EscapeString(f.Name)) {
					t.Errorf("%s: the evidence %s is missing", p.Number, f.Name)
				}
			}
		}
		if login == "zhang" && !strings.Contains(a.body, "我最近办理的") {
			t.Error("what was decided lately is missing")
		}
	}
	if checked == 0 || evidence == 0 {
		t.Errorf("%d requirements and %d files were looked for", checked, evidence)
	}
}

// TestAcknowledgeInPlace takes an assignment over from the list, with and without script.
func TestAcknowledgeInPlace(t *testing.T) {
	for _, partial := range []bool{true, false} {
		w := ownWorld(t)
		var p engine.Project
		for i := range w.items {
			if x := w.fresh(t, w.items[i].ID); x.Stage == "deploy" && x.AcknowledgedAt == nil {
				p = x
			}
		}
		if p.ID == "" { // everybody has acknowledged by the end of the play; hand another one out
			p = w.handOut(t)
		}
		owner := ""
		for login, u := range w.people {
			if u.ID == p.Owner {
				owner = login
			}
		}
		page := w.ask(t, owner, "/todo", nil)
		checkPage(t, "/todo", page)
		if !strings.Contains(page.body, `id="o-`+string(p.ID)+`"`) || !strings.Contains(page.body, `value="acknowledge"`) {
			t.Fatalf("%s does not see what to acknowledge", owner)
		}
		var headers []string
		if partial {
			headers = []string{"HX-Request", "true"}
		}
		a := w.ask(t, owner, "/todo/"+string(p.ID), at(p, "decision", "acknowledge"), headers...)
		if partial && (a.Code != http.StatusOK || !strings.Contains(a.body, `<li class="done-row"`) || strings.Contains(a.body, "<html")) ||
			!partial && (a.Code != http.StatusSeeOther || a.Header().Get("Location") != "/todo?done=acknowledge") {
			t.Errorf("partial %v: answers %d to %q: %s", partial, a.Code, a.Header().Get("Location"), a.body)
		}
		if w.fresh(t, p.ID).AcknowledgedAt == nil {
			t.Errorf("partial %v: it is not acknowledged", partial)
		}
		again := w.ask(t, owner, "/todo/"+string(p.ID), at(p, "decision", "acknowledge"), headers...)
		if again.Code != http.StatusConflict {
			t.Errorf("partial %v: on the old version it answers %d, want a conflict", partial, again.Code)
		}
	}
}

// handOut takes a new project to 部署, where its owner has to acknowledge it.
func (w *world) handOut(t *testing.T) engine.Project {
	t.Helper()
	unit, err := w.engine.Unit(t.Context(), "csxy")
	if err != nil {
		t.Fatal(err)
	}
	actor := func(login string) engine.Actor {
		u := w.people[login]
		return engine.Actor{ID: u.ID, Grants: u.Grants, Via: engine.ViaConsole}
	}
	p := w.fresh(t, w.items[0].ID)
	d := engine.Draft{Title: "交办一件", Need: "需求写得清楚明白", Target: "成效写得清楚明白", Measures: "举措写得清楚明白", Owner: w.people["zhou"].ID, Sponsor: w.people["li"].ID,
		List: "2025-6", Deadline: p.Deadline.AddDays(60)}
	p, err = w.engine.Create(t.Context(), actor("zhang"), "shishi", unit, d)
	if err == nil {
		p, err = w.engine.Do(t.Context(), actor("zhou"), p.ID, p.Version, engine.Submit{Transition: "deploy", Note: "请批准"})
	}
	if err == nil {
		p, err = w.engine.Do(t.Context(), actor("zhang"), p.ID, p.Version, engine.Approve{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestReturnFromTheListKeepsWhatWasTyped sends a reason that is too short, and one on a version that is gone.
func TestReturnFromTheListKeepsWhatWasTyped(t *testing.T) {
	w := ownWorld(t)
	p := w.handOut(t)
	acting := func(login string) engine.Actor {
		return engine.Actor{ID: w.people[login].ID, Grants: w.people[login].Grants, Via: engine.ViaConsole}
	}
	p, err := w.engine.Do(t.Context(), acting("zhou"), p.ID, p.Version, engine.Acknowledge{})
	if err != nil {
		t.Fatal(err)
	}
	p, err = w.engine.Do(t.Context(), acting("zhou"), p.ID, p.Version, engine.LayMilestones{Milestones: []engine.Milestone{{Title: "第一步", Due: p.Deadline.AddDays(-9)}}})
	if err != nil {
		t.Fatal(err)
	}
	if p, err = w.engine.Do(t.Context(), acting("zhou"), p.ID, p.Version, engine.Submit{Transition: "advance"}); err != nil {
		t.Fatal(err)
	}
	for _, headers := range [][]string{nil, {"HX-Request", "true"}} {
		short := w.ask(t, "zhang", "/todo/"+string(p.ID), at(p, "decision", "return", "note", "不行"), headers...)
		if short.Code != http.StatusUnprocessableEntity || !strings.Contains(short.body, `value="不行"`) || !strings.Contains(short.body, "aria-invalid") {
			t.Errorf("%v: a reason that is too short answers %d, or is lost", headers, short.Code)
		}
	}
	old := p
	if _, err = w.engine.Do(t.Context(), acting("zhou"), p.ID, p.Version, engine.Withdraw{}); err != nil {
		t.Fatal(err)
	}
	const typed = "里程碑太少，请补充后再报"
	late := w.ask(t, "zhang", "/todo/"+string(p.ID), at(old, "decision", "return", "note", typed), "HX-Request", "true")
	if late.Code != http.StatusConflict || !strings.Contains(late.body, typed) || late.Header().Get("HX-Retarget") != "#main" {
		t.Errorf("on a version that is gone it answers %d, to %q, or loses what was typed", late.Code, late.Header().Get("HX-Retarget"))
	}
}
