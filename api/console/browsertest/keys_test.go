package browsertest

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"bihuan/engine"
)

// tab walks with the Tab key until the focus is where it shall be, and wants to see it there.
func (p *person) tab(selector string) {
	p.t.Helper()
	for range 150 {
		p.do(chromedp.KeyEvent(kb.Tab))
		var here, seen bool
		p.eval(`document.activeElement.matches(`+quote(selector)+`)`, &here)
		if !here {
			continue
		}
		p.eval(`(() => {
			const el = document.activeElement, s = getComputedStyle(el), r = el.getBoundingClientRect();
			return (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0 || s.boxShadow !== 'none') && r.bottom > 0 && r.top < innerHeight;
		})()`, &seen)
		if !seen {
			p.t.Errorf("at %s, the focus on %s cannot be seen", p.at(), selector)
		}
		return
	}
	p.t.Fatalf("at %s, Tab never comes to %s", p.at(), selector)
}

func (p *person) keys(keys string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(keys))
}

// TestKeyboard signs in, finds an item, opens it and approves it, and answers another in the list, without a mouse.
func TestKeyboard(t *testing.T) {
	h := open(t, false)
	late := h.item(func(p *engine.Project) bool {
		return p.Kind == "shishi" && p.Stage == "advance" && p.Request == nil && p.Extensions == 0 && !p.EverOverdue
	})
	if _, err := h.engine.Do(t.Context(), h.actor(late.Owner), late.ID, late.Version, engine.Extend{Deadline: late.Deadline.AddDays(14), Note: "设备晚到两周"}); err != nil {
		t.Fatal(err)
	}
	p := visitor(t, h.url)
	p.open("/sign-in")
	p.tab("#login")
	p.keys("zhang")
	p.tab("#password")
	p.do(chromedp.SendKeys("#password", password, chromedp.ByQuery))
	p.load(chromedp.KeyEvent(kb.Enter))
	if !strings.HasPrefix(p.at(), "/overview") {
		t.Fatalf("Enter leads to %s", p.at())
	}
	p.tab("a.skip")
	p.keys(kb.Enter)
	var inside bool
	p.eval(`document.querySelector('#main').contains(document.activeElement)`, &inside)
	if !inside {
		t.Error("the first link does not skip to what the page is about")
	}

	waiting := h.item(func(p *engine.Project) bool { return p.Request != nil && strings.Contains(p.Waiting, "supervisor") })
	p.load(chromedp.KeyEvent("g"), chromedp.KeyEvent("i"))
	if p.at() != "/todo" {
		t.Fatalf("g i leads to %s", p.at())
	}
	p.tab("h3 a[href='/projects/" + string(waiting.ID) + "']")
	p.load(chromedp.KeyEvent(kb.Enter))
	p.tab("#do-approve textarea")
	p.do(chromedp.SendKeys("#do-approve textarea", "同意", chromedp.ByQuery))
	p.tab("#do-approve button[type=submit]")
	p.load(chromedp.KeyEvent(kb.Enter))
	p.wants(".said", "批准")
	now, err := h.engine.Project(t.Context(), engine.Operator(), waiting.ID)
	if err != nil || now.Version == waiting.Version {
		t.Errorf("%v: the request still waits", err)
	}

	// In the list, j takes the first row and a approves it; Enter in the opinion alone does not.
	p.open("/todo")
	p.keys("j")
	p.until(`document.querySelector('.appr.cur') !== null`)
	p.keys("r")
	p.do(chromedp.KeyEvent("ok"), chromedp.KeyEvent(kb.Enter))
	if p.has(".done-row") {
		t.Error("Enter in the opinion answers")
	}
	p.eval(`document.activeElement.blur()`, nil)
	p.keys("a")
	p.until(`document.querySelector('.done-row') !== null`)
	h.intact()
}
