package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// person is somebody at a browser of their own: a tab with its own cookies, and what went wrong in it.
type person struct {
	t    *testing.T
	url  string // of the house
	ctx  context.Context
	sent int64 // status of the last page

	mu     sync.Mutex
	faults []string
	trusts string // another address that pages may lead to; "" for none
}

// Sizes of a screen.
var (
	desktop = screen{1440, 900}
	phone   = screen{390, 844}
)

type screen struct{ width, height int64 }

// visitor opens a tab of its own.
func visitor(t *testing.T, url string) *person {
	t.Helper()
	// A set of cookies of its own needs a window of its own, which chromedp.WithNewBrowserContext does not ask for.
	boss := cdp.WithExecutor(browser, chromedp.FromContext(browser).Browser)
	cookies, err := target.CreateBrowserContext().Do(boss)
	if err != nil {
		t.Fatal(err)
	}
	window, err := target.CreateTarget("about:blank").WithBrowserContextID(cookies).WithNewWindow(true).Do(boss)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithTargetID(window))
	p := &person{t: t, url: url, ctx: ctx}
	p.watch()
	if err := chromedp.Run(ctx, cdplog.Enable(), emulation.SetFocusEmulationEnabled(true)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := target.DisposeBrowserContext(cookies).Do(boss); err != nil {
			t.Error(err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, f := range p.faults {
			t.Error(f)
		}
	})
	p.look(desktop)
	return p
}

// enter opens a tab for somebody and signs in through the page.
func (h *house) enter(login string) *person {
	h.t.Helper()
	p := visitor(h.t, h.url)
	p.signIn(login)
	return p
}

func (p *person) signIn(login string) {
	p.t.Helper()
	p.open("/sign-in")
	if p.has(".seats") { // in a demo
		p.follow(".seats button[value='" + login + "']")
		return
	}
	if p.has("#main details") { // beside an identity system
		p.press("#main details summary")
	}
	p.fill("#login", login)
	p.fill("#password", password)
	p.follow("form[action='/sign-in'] button[type=submit]")
	if at := p.at(); strings.HasPrefix(at, "/sign-in") {
		p.t.Fatalf("%s is not let in: %s", login, p.text("#main"))
	}
}

// watch notes what must not happen on any page.
func (p *person) watch() {
	chromedp.ListenTarget(p.ctx, func(ev any) {
		switch ev := ev.(type) {
		case *network.EventRequestWillBeSent:
			u := ev.Request.URL
			if p.trusts != "" && strings.HasPrefix(u, p.trusts) {
				break
			}
			if !strings.HasPrefix(u, p.url+"/") && !strings.HasPrefix(u, "data:") && u != "about:blank" {
				p.fault("a request to %s", u)
			}
		case *cdplog.EventEntryAdded:
			if ev.Entry.Source == cdplog.SourceSecurity || strings.Contains(ev.Entry.Text, "Content Security Policy") {
				p.fault("on %s: %s", ev.Entry.URL, ev.Entry.Text)
			}
		case *runtime.EventExceptionThrown:
			p.fault("a script failed: %s", ev.ExceptionDetails.Error())
		case *runtime.EventConsoleAPICalled:
			if ev.Type == runtime.APITypeError {
				p.fault("a script complains: %s", said(ev.Args))
			}
		case *page.EventJavascriptDialogOpening:
			p.fault("a dialog opened: %s", ev.Message)
			go func() { _ = chromedp.Run(p.ctx, page.HandleJavaScriptDialog(true)) }() // the page stands still until then
		}
	})
}

func said(args []*runtime.RemoteObject) string {
	var words []string
	for _, a := range args {
		words = append(words, string(a.Value)+a.Description)
	}
	return strings.Join(words, " ")
}

func (p *person) fault(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := fmt.Sprintf(format, args...); !slices.Contains(p.faults, s) {
		p.faults = append(p.faults, s)
	}
}

// do carries out actions in the tab.
func (p *person) do(actions ...chromedp.Action) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		p.t.Fatalf("at %s: %v", p.at(), err)
	}
}

// load carries out what leads to another page, waits for that, and keeps its status.
func (p *person) load(actions ...chromedp.Action) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	r, err := chromedp.RunResponse(ctx, actions...)
	if err != nil {
		p.t.Fatalf("at %s: %v", p.at(), err)
	}
	if r != nil {
		p.sent = r.Status
	}
}

// open goes to an address of the house and wants a page.
func (p *person) open(path string) {
	p.t.Helper()
	p.load(chromedp.Navigate(p.url + path))
	if p.sent != 200 {
		p.t.Fatalf("%s answers %d: %s", path, p.sent, p.text("#main"))
	}
}

// eval asks the page; it works with the page's own script switched off, too.
func (p *person) eval(js string, out any) {
	p.t.Helper()
	p.do(chromedp.Evaluate(js, out))
}

// at is the path and query where the tab is.
func (p *person) at() string {
	var at string
	if err := chromedp.Run(p.ctx, chromedp.Evaluate(`location.pathname + location.search`, &at)); err != nil {
		return err.Error()
	}
	return at
}

// text is what stands to read in the first element of a selector, "" without one.
func (p *person) text(selector string) string {
	p.t.Helper()
	var s string
	p.eval(`(document.querySelector(`+quote(selector)+`) || {}).innerText || ""`, &s)
	return s
}

// has tells whether there is such an element.
func (p *person) has(selector string) bool {
	p.t.Helper()
	var yes bool
	p.eval(`!!document.querySelector(`+quote(selector)+`)`, &yes)
	return yes
}

// knows tells whether a script has left something of that name on the page.
func (p *person) knows(name string) bool {
	p.t.Helper()
	var yes bool
	p.eval(`typeof window[`+quote(name)+`] !== "undefined"`, &yes)
	return yes
}

// wants fails unless the element shows the words.
func (p *person) wants(selector string, words ...string) {
	p.t.Helper()
	got := p.text(selector)
	for _, w := range words {
		if !strings.Contains(got, w) {
			p.t.Fatalf("at %s, %s does not say %q:\n%s", p.at(), selector, w, got)
		}
	}
}

// until waits for something that a script on the page brings about.
func (p *person) until(js string) {
	p.t.Helper()
	p.do(chromedp.Poll(js, nil, chromedp.WithPollingTimeout(patience)))
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string
	}
	return string(b)
}

// reach brings an element before the eyes and says where its middle is. What lies under something else, or is not
// drawn, cannot be clicked.
const reach = `(() => {
	const el = document.querySelector(%s);
	if (!el) return {why: 'is not there'};
	el.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
	const r = el.getClientRects()[0];
	if (!r || !r.width || !r.height) return {why: 'is not drawn'};
	const x = r.left + r.width / 2, y = r.top + r.height / 2, top = document.elementFromPoint(x, y);
	if (!top || !(el.contains(top) || top.contains(el))) return {why: 'lies under ' + (top ? top.outerHTML.slice(0, 120) : 'nothing')};
	return {x: x, y: y};
})()`

// point is the middle of what a selector finds, on the screen.
func (p *person) point(selector string) (x, y float64) {
	p.t.Helper()
	var got struct {
		X, Y float64
		Why  string
	}
	p.eval(fmt.Sprintf(reach, quote(selector)), &got)
	if got.Why != "" {
		p.t.Fatalf("at %s, %s %s\n%s", p.at(), selector, got.Why, p.text("#main"))
	}
	return got.X, got.Y
}

// press clicks something that stays on the page.
func (p *person) press(selector string) {
	p.t.Helper()
	x, y := p.point(selector)
	p.do(chromedp.MouseClickXY(x, y))
}

// follow clicks something that leads to another page.
func (p *person) follow(selector string) {
	p.t.Helper()
	x, y := p.point(selector)
	p.load(chromedp.MouseClickXY(x, y))
}

// fill puts a value into a control, in place of what it holds: typed where one types, chosen where one chooses.
func (p *person) fill(selector, value string) {
	p.t.Helper()
	var kind string
	p.eval(`(() => {
		const el = document.querySelector(`+quote(selector)+`), v = `+quote(value)+`;
		if (!el) return 'missing';
		el.scrollIntoView({block: 'center', behavior: 'instant'});
		el.focus();
		if (el.tagName === 'SELECT' || el.type === 'date' || el.type === 'datetime-local') {
			el.value = v;
			el.dispatchEvent(new Event('input', {bubbles: true}));
			el.dispatchEvent(new Event('change', {bubbles: true}));
			return el.value === v ? 'chosen' : 'no such choice';
		}
		el.select();
		return document.activeElement === el ? 'typed' : 'out of reach';
	})()`, &kind)
	switch kind {
	case "chosen":
	case "typed":
		p.do(input.InsertText(value))
	default:
		p.t.Fatalf("at %s, %s: %s", p.at(), selector, kind)
	}
}

// attach chooses a file for an upload.
func (p *person) attach(selector, path string) {
	p.t.Helper()
	p.do(chromedp.SetUploadFiles(selector, []string{path}, chromedp.ByQuery))
}

// look changes the size of the screen; a phone is touched.
func (p *person) look(s screen) {
	p.t.Helper()
	small := s.width < 600
	p.do(emulation.SetDeviceMetricsOverride(s.width, s.height, 1, small), emulation.SetTouchEmulationEnabled(small))
}

// choose says what the person's system prefers: light or dark.
func (p *person) choose(scheme string) {
	p.t.Helper()
	p.do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
}

// noScript switches the pages' own script off.
func (p *person) noScript() {
	p.t.Helper()
	p.do(emulation.SetScriptExecutionDisabled(true))
}

// forget takes the faults so far, for a test that is about them.
func (p *person) forget() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	got := p.faults
	p.faults = nil
	return got
}
