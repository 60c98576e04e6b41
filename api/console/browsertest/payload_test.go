package browsertest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"bihuan/engine"
)

// payload breaks out of attributes, text areas and scripts, if anything lets it: it then leaves an element behind or
// opens a dialog.
const payload = `'"></textarea></select></title><img src=x class=injected onerror=alert(1)><script class=injected>alert(2)</script>{{.}}${7*7}`

// stuff fills every control of a form in which people write, and returns how many those are. What is chosen or dated
// is left to the caller.
func (p *person) stuff(form string) int {
	p.t.Helper()
	var n int
	p.eval(`(() => {
		let n = 0;
		for (const el of document.querySelectorAll(`+quote(form)+`)) for (const c of el.querySelectorAll('textarea, input:not([type]), input[type=text], input[type=search]')) {
			c.removeAttribute('maxlength');
			c.value = `+quote(payload)+`;
			n++;
		}
		return n;
	})()`, &n)
	return n
}

// injected is what a page has made of what people wrote: "" if it has left it text.
func (p *person) injected() (got string) {
	p.t.Helper()
	p.eval(`Array.from(document.querySelectorAll('.injected, [onerror], img[src=x]')).map(el => el.outerHTML).join()`, &got)
	return got
}

func (p *person) clean() {
	p.t.Helper()
	if got := p.injected(); got != "" {
		p.t.Errorf("%s holds %s", p.at(), got)
	}
}

// write carries out an act with the payload in every field, and the values for the rest.
func (p *person) write(id string, fields ...string) {
	p.t.Helper()
	form := "#" + id
	if !p.has(form) {
		p.t.Fatalf("at %s, nothing offers %s:\n%s", p.at(), id, p.text("#gate"))
	}
	if !p.has(form + "[open]") {
		p.press(form + " > summary")
	}
	p.stuff(form)
	p.complete(form, fields...)
	p.follow(form + " button[type=submit]")
	if p.sent != 200 || !p.has(".said") {
		p.t.Fatalf("%s answers %d: %s", id, p.sent, p.text("#main"))
	}
	p.clean()
}

// TestPayloads writes HTML and script into every field of the loop, takes that project through every stage that shows
// it, and then looks at all pages with it.
func TestPayloads(t *testing.T) {
	h := open(t, false)
	supervisor, owner, checker := h.enter("zhang"), h.enter("zhou"), h.enter(verifier)
	supervisor.open("/new")
	supervisor.stuff("#main form")
	supervisor.complete("#main form", "unit", string(h.unit("it")), "owner", string(h.users["zhou"].ID),
		"sponsor", string(h.users["li"].ID), "deadline", h.day(30), "list", `"><b class=injected>`)
	supervisor.follow("#main form button[type=submit]")
	if supervisor.sent != 200 || !supervisor.has(".said") {
		t.Fatalf("a new project answers %d: %s", supervisor.sent, supervisor.text(".errsum"))
	}
	project, _, _ := strings.Cut(supervisor.at(), "?")
	id := strings.TrimPrefix(project, "/projects/")
	supervisor.wants("#pt", "<img src=x class=injected")
	supervisor.clean()
	next := func(p *person) { p.open(project); p.clean() }

	next(owner)
	owner.write("do-submit-deploy")
	next(supervisor)
	supervisor.write("do-approve")
	next(owner)
	owner.act("do-acknowledge")
	owner.write("do-milestones", "due", h.day(10))
	owner.write("do-milestones", "due", h.day(12))
	owner.press(".change > summary") // the table of milestones is a form, too
	owner.stuff(".change form")
	owner.follow(".change form button[type=submit]")
	owner.clean()
	owner.write("do-submit-advance")
	supervisor.open("/todo")
	supervisor.clean()
	supervisor.stuff("#a-" + id)
	supervisor.press("#a-" + id + " [value=approve]")
	supervisor.until(`document.querySelector(".done-row") !== null`)
	supervisor.clean()
	next(owner)
	owner.write("do-report", "percent", "100")
	owner.write("do-tick")
	owner.write("do-tick")
	file := filepath.Join(t.TempDir(), `<img src=x class=injected onerror=alert(3)>.txt`)
	if err := os.WriteFile(file, []byte("<script>alert(4)</script>"), 0o600); err != nil {
		t.Fatal(err)
	}
	owner.write("do-evidence", "file", file)
	owner.wants("#evidence", "injected onerror=alert(3)>.txt")
	next(supervisor)
	supervisor.write("do-urge")
	next(owner)
	owner.write("do-submit-track")
	next(supervisor)
	supervisor.write("do-approve")
	next(checker)
	checker.write("do-verify", "passed", "yes")
	next(supervisor)
	supervisor.write("do-survey", "very_satisfied", "30")
	supervisor.write("do-object")
	next(owner)
	owner.write("do-answer")
	h.pass(6)
	supervisor.signIn("zhang")
	owner.signIn("zhou")
	next(owner)
	owner.write("do-extend", "deadline", h.day(40))
	next(supervisor)
	supervisor.write("do-return")
	next(owner)
	owner.write("do-submit-effect")
	next(supervisor)
	supervisor.write("do-approve")
	next(owner)
	owner.write("do-summarize")
	owner.write("do-submit-close")
	next(supervisor)

	// Everybody who may see it looks at all pages; then every form there is refuses or takes the payload, and
	// shows it again as text.
	x := team{h, map[string]*person{"zhang": supervisor, "zhou": owner}}
	forms := map[string]bool{}
	sights := x.sights()
	slices.SortStableFunc(sights, func(a, b sight) int { // what the people served write comes first: the forms on the item end its poll
		return order(a) - order(b)
	})
	for _, s := range sights {
		p := x.see(s)
		p.clean()
		p.reflect(s, forms)
	}
	for _, want := range []string{"/sign-in", "/new", "/ledger", "/trail"} {
		if !forms[want] {
			t.Errorf("no form with a field to write in leads to %s: %v", want, forms)
		}
	}
	h.intact()
}

// reflect sends each form of the page with the payload in it, as it stands otherwise.
func (p *person) reflect(s sight, done map[string]bool) {
	p.t.Helper()
	var forms []struct {
		Index  int
		Action string
	}
	p.eval(`Array.from(document.forms).map((f, i) => ({Index: i, Action: f.getAttribute('action') || location.pathname,
		n: f.querySelectorAll('textarea, input:not([type]), input[type=text], input[type=search]').length})).filter(f => f.n)`, &forms)
	for _, f := range forms {
		kind := f.Action
		if id, rest, ok := cutID(kind); ok {
			kind = strings.Replace(kind, id, "ID", 1) + map[bool]string{true: "?"}[rest == ""]
		}
		if done[kind] {
			continue // the same form on another project
		}
		done[kind] = true
		p.load(chromedp.Navigate(p.url + s.path))
		var marked bool
		p.eval(fmt.Sprintf(`(document.forms[%d] || document.body).setAttribute('data-tried', '1'), document.querySelector('form[data-tried]') !== null`, f.Index), &marked)
		if !marked {
			continue // what was sent before has changed the page
		}
		p.stuff("form[data-tried]")
		// The form is sent as it is without script, so that the answer is a page.
		p.load(chromedp.Evaluate(`(() => { const f = document.querySelector('form[data-tried]'), b = f.querySelector('button[name]');
			if (b) { const h = document.createElement('input'); h.type = 'hidden'; h.name = b.name; h.value = b.value; f.append(h); }
			HTMLFormElement.prototype.submit.call(f); })()`, nil))
		if p.sent >= 500 {
			p.t.Errorf("%s answers %d", f.Action, p.sent)
		}
		p.clean()
	}
}

// cutID finds the id of a project in an address.
func cutID(path string) (id, rest string, ok bool) {
	_, after, found := strings.Cut(path, "/projects/")
	if !found {
		if _, after, found = strings.Cut(path, "/todo/"); !found {
			return "", "", false
		}
	}
	id, rest, _ = strings.Cut(after, "/")
	return id, rest, len(id) == len(engine.ProjectID("00000000-0000-0000-0000-000000000000"))
}

func order(s sight) int {
	if strings.HasPrefix(s.path, "/r/") {
		return 0
	}
	return 1
}
