package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"bihuan/engine"
)

// The 路线图 of a 书记项目 shows each step once and says who is missing; the check that looks at it names its own words,
// and changing a step keeps what it comes after.
func TestRouteOfASecretarysProject(t *testing.T) {
	w := ownWorld(t)
	p := w.item(t, func(p *engine.Project) bool { return p.Kind == "shuji" })
	page := "/projects/" + string(p.ID)
	first, last := "", ""
	for id, m := range p.Milestones {
		if len(m.After) == 0 {
			first = id
		} else {
			last = id
		}
	}
	route := func() string {
		t.Helper()
		_, rest, _ := strings.Cut(w.ask(t, "wu", page, nil).body, `id="route"`)
		out, _, _ := strings.Cut(rest, "</section>")
		return out
	}
	steps := route()
	if n := strings.Count(steps, "<span>"+p.Milestones[last].Title+"</span>"); n != 1 {
		t.Errorf("a step stands %d times in the route: %s", n, steps)
	}
	if !strings.Contains(steps, "在“"+p.Milestones[first].Title+"”之后") {
		t.Errorf("the route does not say what the step comes after: %s", steps)
	}
	form := w.ask(t, "wu", page, nil).body
	if !strings.Contains(form, `name="after" value="`+first+`" checked`) {
		t.Error("who changes a step does not see what it comes after")
	}
	change := url.Values{"milestone": {last}, "title": {"换个说法"}, "due": {p.Milestones[last].Due.String()}, "who": {""}, "after": {first},
		"version": {strconv.FormatInt(p.Version, 10)}}
	if a := w.ask(t, "wu", page+"/do/edit_milestone", change); a.Code != http.StatusSeeOther {
		t.Fatalf("changing a step: %d %s", a.Code, a.body)
	}
	if steps = route(); !strings.Contains(steps, "换个说法") || !strings.Contains(steps, "在“"+p.Milestones[first].Title+"”之后") || !strings.Contains(steps, "还没有写明谁来做") {
		t.Errorf("after the change: %s", steps)
	}
}

// The check of 跟踪 speaks the definition's words, 中期检查 of a 书记项目 as 核查 of others.
func TestVerificationIsNamedByTheDefinition(t *testing.T) {
	w := readWorld(t)
	p := w.item(t, func(p *engine.Project) bool { return p.Stage == "track" })
	flow, err := w.engine.Pinned(t.Context(), &p)
	if err != nil {
		t.Fatal(err)
	}
	x, ok := flow.Transition("feedback")
	if _, gate, _ := strings.Cut(w.ask(t, "zhang", "/projects/"+string(p.ID), nil).body, `id="gate"`); !ok || !strings.Contains(strings.SplitN(gate, "</section>", 2)[0], x.Name.ZH) {
		t.Errorf("the gate does not say %q", x.Name.ZH)
	}
}
