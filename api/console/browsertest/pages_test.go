package browsertest

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"bihuan/api/console"
	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/workflows"
)

// sight is a page that somebody looks at; again is one that has been seen in another state already.
type sight struct {
	name, login, path string
	again             bool
}

// notPages are addresses that answer with something else: files, parts of pages, and the way to the first page. The
// second step of a sign-in is there for whoever has taken the first; TestSignInWithOneTimeCode looks at it, and
// identity systems have tests of their own. An
// address with a dot is a file's in any case.
var notPages = []string{"/", "/sign-in/code", "/sign-in/:way", "/sign-in/:way/callback", "/account/link/:way", "/assets/:file", "/todo/count", "/ledger/counts", "/notices/count", "/events", "/projects/:id/evidence/:evidence",
	"/projects/:id/evidence/:evidence/picture", "/trail/verify/progress"}

// watchers sees each page that is not named below; it is the first of them whom the page lets in.
var watchers = []string{"zhang", "zhao", "qian", "wang"}

// examples fill in what stands for many things in an address.
func (x *team) examples() map[string]string {
	h := x.h
	busy := h.item(unpolled)
	first := x.member(watchers[0])
	first.upload(h, "台账.csv", goodLedger)
	running, next := h.lists()
	list := "/lists/" + string(running.ID)
	return map[string]string{"/import/:ticket": first.at(), "/import/:ticket/columns": strings.Replace(first.at(), "?", "/columns?", 1), "/channels/new": "/channels/new?kind=webhook", "/channels/:id": "/channels/" + h.channel(), "/projects/:id/certificate": "/projects/" + string(h.closed().ID) + "/certificate", "/projects/:id": "/projects/" + string(busy.ID), "/projects/:id/edit": "/projects/" + string(h.planned().ID) + "/edit",
		"/lists/:id": list, "/lists/:id/edit": "/lists/" + string(next.ID) + "/edit", "/lists/:id/close": list + "/close", "/lists/:id/bulletin": list + "/bulletin",
		"/lists/:id/carry/:project": list + "/carry/" + string(running.Order()[0]), "/workflows/:workflow": "/workflows/shishi",
		"/scores/:unit": "/scores/" + string(h.unit("csxy")), "/scores/sheets/:sheet": "/scores/sheets/" + h.proposal(),
		"/units/:unit": "/units/" + string(h.unit("csxy")), "/people/:user": "/people/" + string(h.users["zhou"].ID), "/people/:user/leave": "/people/" + string(h.users["zhou"].ID) + "/leave",
		"/needs/:id": "/needs/" + h.need(), "/tally/:id": "/tally/" + h.tallied(), "/board/:id": "/board/" + string(running.ID), "/r/:token": h.link(busy)}
}

// lists are the college's: the one that is being reconciled, and the next.
func (h *house) lists() (running, next engine.List) {
	h.t.Helper()
	page, err := h.engine.Lists(context.Background(), engine.Operator(), engine.ListFilter{Unit: h.unit("csxy")})
	if err != nil || len(page.Items) != 2 {
		h.t.Fatalf("%d lists, %v", len(page.Items), err)
	}
	return page.Items[1], page.Items[0]
}

// archived is the list of the 党总支, which is closed.
func (h *house) archived() engine.List {
	h.t.Helper()
	page, err := h.engine.Lists(context.Background(), engine.Operator(), engine.ListFilter{State: []engine.ListState{engine.ListArchived}})
	if err != nil || len(page.Items) != 1 {
		h.t.Fatalf("%d archived lists, %v", len(page.Items), err)
	}
	return page.Items[0]
}

// need is the id of one that waits for an answer.
func (h *house) need() string {
	h.t.Helper()
	page, err := h.engine.Needs(context.Background(), engine.Operator(), engine.NeedFilter{State: []engine.NeedState{engine.NeedOpen}})
	if err != nil || len(page.Items) == 0 {
		h.t.Fatalf("%d needs, %v", len(page.Items), err)
	}
	return string(page.Items[0].ID)
}

// tallied is the id of a member's year under a yearly count, with a record that waits to be confirmed.
func (h *house) tallied() string {
	h.t.Helper()
	ctx, rule := context.Background(), workflows.Tallies()[0]
	if err := h.engine.EnableTally(ctx, engine.Operator(), rule); err != nil {
		h.t.Fatal(err)
	}
	unit, err := h.engine.Unit(ctx, "jsj-1")
	if err != nil {
		h.t.Fatal(err)
	}
	today := calendar.DateOf(h.engine.Now(), h.engine.Site.Location)
	y, err := h.engine.EnrolMember(ctx, h.actor(h.users["wu"].ID), rule.ID, unit, h.users["chen"].ID, today.Year())
	if err != nil {
		h.t.Fatal(err)
	}
	if y, err = h.engine.EnterHours(ctx, h.actor(h.users["chen"].ID), y.ID, y.Version, engine.TallyDraft{Category: "lecture", Day: today, Minutes: 90, Note: "三号楼"}); err != nil {
		h.t.Fatal(err)
	}
	return string(y.ID)
}

// settled is the id of one that an item takes up, with another merged into it.
func (h *house) settled() string {
	h.t.Helper()
	page, err := h.engine.Needs(context.Background(), engine.Operator(), engine.NeedFilter{State: []engine.NeedState{engine.NeedAccepted}})
	if err != nil || len(page.Items) == 0 {
		h.t.Fatalf("%d needs, %v", len(page.Items), err)
	}
	return string(page.Items[0].ID)
}

// channel is the id of a webhook, which is made for whoever looks at it.
func (h *house) channel() string {
	h.t.Helper()
	c, _, err := h.engine.SaveChannel(context.Background(), h.actor(h.users["zhao"].ID), engine.Channel{Kind: engine.Webhook, Name: "数据中台", UnitID: h.unit("csxy")},
		engine.ChannelSecret{URL: "https://example.edu/hook"}, false)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(c.ID)
}

// proposal is the id of a score sheet that waits for a leader.
func (h *house) proposal() string {
	h.t.Helper()
	source, _ := workflows.SheetSource("jiamusi")
	s, err := h.engine.ProposeSheet(context.Background(), h.actor(h.users["zhao"].ID), engine.NewSheet{Sheet: "jiamusi", Number: 1, Source: source,
		From: calendar.MustDate("2026-01-01"), Note: "按件计分"})
	if err != nil {
		h.t.Fatal(err)
	}
	return string(s.ID)
}

// closed is a project that has been struck off.
func (h *house) closed() engine.Project {
	return h.item(func(p *engine.Project) bool { return p.Stage == engine.Closed })
}

// planned is a project whose draft may still be changed.
func (h *house) planned() engine.Project {
	return h.item(func(p *engine.Project) bool { return p.Stage == "plan" && p.Owner != "" && p.Request == nil })
}

// sights are all pages, taken from the console's own table of routes so that none is forgotten, and then those that
// look different for somebody else or in another state.
func (x *team) sights() []sight {
	t, h := x.h.t, x.h
	t.Helper()
	filled := x.examples()
	var out []sight
	for _, r := range console.Routes() {
		if r.Method != http.MethodGet || slices.Contains(notPages, r.Path) || strings.Contains(r.Path, ".") || r.Path == "/set-up" {
			continue // the set-up's page is there before there is anybody; TestSetUp looks at it
		}
		path := r.Path
		if filled[r.Path] != "" {
			path = filled[r.Path]
		} else if strings.Contains(path, ":") {
			t.Errorf("no example of %s: add one to examples, or name it in notPages", r.Path)
			continue
		}
		login := ""
		if r.Path == "/sign-in" {
			login = "nobody"
		}
		out = append(out, sight{strings.Trim(strings.NewReplacer("/:", "-", "/", "-").Replace(r.Path), "-"), login, path, false})
	}
	again := func(name, login, path string) { out = append(out, sight{name, login, path, true}) }
	project := func(name, login string, like func(*engine.Project) bool) {
		again("project-"+name, login, "/projects/"+string(h.item(like).ID))
	}
	project("overdue", "chen", func(p *engine.Project) bool { return p.EverOverdue })
	project("asked", "zhang", func(p *engine.Project) bool { return p.Request != nil && strings.Contains(p.Waiting, "supervisor") })
	project("assigned", "zhou", func(p *engine.Project) bool { return p.Stage == "deploy" })
	project("advance", "zhang", func(p *engine.Project) bool {
		return p.Stage == "advance" && p.Kind == "shishi" && len(p.Milestones) > 0
	})
	project("closed", "wang", func(p *engine.Project) bool { return p.Stage == engine.Closed })
	project("shelved", "li", func(p *engine.Project) bool { return p.Stage == engine.Shelved })
	project("polled", "he", func(p *engine.Project) bool { return p.Poll != nil })
	project("reopened", "li", func(p *engine.Project) bool { return p.LookBacksFailed > 0 })
	project("secretary", "wu", func(p *engine.Project) bool { return p.Kind == "shuji" })
	again("need-settled", "zhang", "/needs/"+h.settled())
	_, draft := h.lists()
	again("needs-of-list", "zhang", "/needs?number="+draft.Number+"&unit="+string(draft.UnitID))
	for _, s := range []sight{{name: "list-draft", login: "zhang", path: "/lists/" + string(draft.ID)}, {name: "list-archived", login: "he", path: "/lists/" + string(h.archived().ID)},
		{name: "person-security", login: "qian", path: "/people/" + string(h.users["wang"].ID)}, {name: "unit-security", login: "qian", path: "/units/" + string(h.unit("csxy"))},
		{name: "roles-answer", login: "qian", path: "/roles?act=shishi.deploy.0&unit=" + string(h.unit("csxy"))}, {name: "units-search", login: "zhao", path: "/units?q=%E5%AD%A6%E9%99%A2"},
		{name: "todo-owner", login: "zhou", path: "/todo"}, {name: "todo-nothing", login: "wang", path: "/todo"}, {name: "overview-owner", login: "zhou", path: "/overview"},
		{name: "ledger-all", login: "wang", path: "/ledger?view=all"}, {name: "ledger-red", login: "wang", path: "/ledger?light=red"},
		{name: "ledger-nothing", login: "wang", path: "/ledger?q=%E6%B2%A1%E6%9C%89"}, {name: "trail-nothing", login: "wang", path: "/trail?from=2030-01-01"},
		{name: "workflow-shuji", login: "zhang", path: "/workflows/shuji"}, {name: "not-found", login: "zhang", path: "/nowhere"}, {name: "forbidden", login: "zhou", path: "/new"}} {
		again(s.name, s.login, s.path)
	}
	return out
}

// team lets people in once and keeps them.
type team struct {
	h      *house
	people map[string]*person
}

func (x *team) member(login string) *person {
	x.h.t.Helper()
	p := x.people[login]
	if p == nil {
		if p = visitor(x.h.t, x.h.url); login != "nobody" {
			p.signIn(login)
		}
		x.people[login] = p
	}
	return p
}

// see opens a page as whoever is to see it.
func (x *team) see(s sight) *person {
	x.h.t.Helper()
	candidates := []string{s.login}
	if s.login == "" {
		candidates = watchers
	}
	var p *person
	for _, login := range candidates {
		p = x.member(login)
		p.load(chromedp.Navigate(p.url + s.path))
		if p.sent == 200 {
			return p
		}
	}
	if want := map[string]int64{"not-found": 404, "forbidden": 403}[s.name]; p.sent != want {
		x.h.t.Errorf("%s answers %d", s.path, p.sent)
	}
	return p
}

// sideways is what reaches out of a page of the given width: the page may not move sideways, only what stands in a
// box of its own.
const sideways = `((width) => {
	if (document.scrollingElement.scrollWidth <= width) return [];
	const out = [];
	for (const el of document.body.querySelectorAll('*')) {
		const r = el.getBoundingClientRect();
		if (r.right > width + 0.5 && r.width > 0) out.push(el.tagName + '.' + el.className + ' to ' + Math.round(r.right) + ': ' + (el.textContent || '').trim().slice(0, 30));
	}
	return out.concat('the page is ' + document.scrollingElement.scrollWidth + ' wide').slice(-6);
})(%d)`

// wide is what makes the page wider than the screen.
func (p *person) wide(s screen) (out []string) {
	p.t.Helper()
	p.eval(fmt.Sprintf(sideways, s.width), &out)
	return out
}

func (p *person) fits(name string, s screen) {
	p.t.Helper()
	if out := p.wide(s); len(out) > 0 {
		p.t.Errorf("%s scrolls sideways at %d: %s", name, s.width, strings.Join(out, "; "))
	}
}

var axe = sync.OnceValues(func() (string, error) {
	f, err := os.Open("testdata/axe-core/axe.min.js.gz")
	if err != nil {
		return "", err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(z)
	return string(b), err
})

// examine lets axe-core look at the page, with all rules or with some, and returns what it finds serious.
func (p *person) examine(rules ...string) (serious []string) {
	p.t.Helper()
	script, err := axe()
	if err != nil {
		p.t.Fatal(err)
	}
	if len(rules) == 0 {
		rules = []string{"wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"}
	}
	options := map[string]any{"resultTypes": []string{"violations"}, "runOnly": rules}
	with, err := json.Marshal(options)
	if err != nil {
		p.t.Fatal(err)
	}
	if !p.knows("axe") {
		p.do(chromedp.Evaluate(script+";0", nil))
	}
	var found []struct {
		Rule, Impact, Help string
		Nodes              []string
	}
	p.do(chromedp.Evaluate(`axe.run(document, `+string(with)+`).then(r => r.violations.map(v => ({Rule: v.id, Impact: v.impact, Help: v.help,
		Nodes: v.nodes.slice(0, 3).map(n => n.html.slice(0, 160) + ' -- ' + (n.any.concat(n.all, n.none)[0] || {}).message)})))`, &found,
		func(e *cdpruntime.EvaluateParams) *cdpruntime.EvaluateParams { return e.WithAwaitPromise(true) }))
	for _, v := range found {
		if v.Impact == "serious" || v.Impact == "critical" {
			serious = append(serious, fmt.Sprintf("axe %s (%s): %s\n\t%s", v.Rule, v.Impact, v.Help, strings.Join(v.Nodes, "\n\t")))
		}
	}
	return serious
}

// readable wants axe-core to find nothing serious.
func (p *person) readable(name string, rules ...string) {
	p.t.Helper()
	for _, v := range p.examine(rules...) {
		p.t.Errorf("%s: %s", name, v)
	}
}

// colours are the rules that depend on light or dark; finger is that on how large something is that one touches.
var (
	colours = []string{"color-contrast", "link-in-text-block"}
	finger  = "target-size"
)

// TestPages looks at every page with real data: on a desk and on a phone, light and dark, in both languages and in
// 大字. No page moves sideways on a phone, and axe-core finds nothing serious. A page in another state is looked at
// in fewer lights.
func TestPages(t *testing.T) {
	h := open(t, false)
	x := team{h, map[string]*person{}}
	for _, s := range x.sights() {
		p := x.see(s)
		p.choose("light")
		p.readable(s.name + ", desk, light")
		p.choose("dark")
		if !s.again {
			p.readable(s.name+", desk, dark", colours...)
		}
		p.look(phone)
		p.fits(s.name, phone)
		p.readable(s.name+", phone, dark", append(colours, finger)...)
		p.choose("light")
		if !s.again {
			p.readable(s.name + ", phone, light")
		}
		large, english := network.SetCookie("bihuan_size", "large").WithURL(h.url), network.SetCookie("bihuan_lang", "en").WithURL(h.url)
		p.do(large)
		p.load(chromedp.Reload())
		p.fits(s.name+", large", phone)
		p.do(english) // the widest of all
		p.load(chromedp.Reload())
		p.fits(s.name+", large and English", phone)
		p.do(network.DeleteCookies("bihuan_size").WithURL(h.url))
		if !s.again {
			p.load(chromedp.Reload())
			p.fits(s.name+", English", phone)
		}
		p.do(network.DeleteCookies("bihuan_lang").WithURL(h.url))
		p.look(desktop)
	}
}
