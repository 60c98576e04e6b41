package browsertest

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"bihuan/engine"
)

// TestWeight weighs the first page that somebody opens with an empty cache, as it comes over the line: the page, its
// styles, scripts and icons.
func TestWeight(t *testing.T) {
	h := open(t, false)
	p := visitor(t, h.url)
	var bytes, files atomic.Int64
	chromedp.ListenTarget(p.ctx, func(ev any) {
		if ev, ok := ev.(*network.EventLoadingFinished); ok {
			bytes.Add(int64(ev.EncodedDataLength))
			files.Add(1)
		}
	})
	p.do(network.SetCacheDisabled(true))
	p.signIn("zhang") // the sign-in page and the overview, both with an empty cache
	p.until(`document.querySelector(".cnt-slot .cnt") !== null`)
	if files.Load() < 6 {
		t.Fatalf("%d files were counted", files.Load())
	}
	if n := bytes.Load() / 2; n > 300<<10 {
		t.Errorf("a first page weighs %d bytes", n)
	}
}

// TestOffline answers a request while the line is down: the page says so, keeps the opinion, and sends it when the
// line is back.
func TestOffline(t *testing.T) {
	h := open(t, false)
	p := h.enter("zhang")
	waiting := h.item(func(p *engine.Project) bool {
		return p.Request != nil && strings.Contains(p.Waiting, "supervisor") && p.Kind == "shishi"
	})
	row := "#a-" + string(waiting.ID)
	p.open("/todo")
	p.fill(row+" [name=note]", "同意，抓紧办")
	line := func(down bool) {
		t.Helper()
		p.do(chromedp.ActionFunc(func(ctx context.Context) error {
			_, err := network.EmulateNetworkConditionsByRule(down, []*network.Conditions{{DownloadThroughput: -1, UploadThroughput: -1}}).Do(ctx)
			return err
		}))
	}
	line(true)
	p.press(row + " [value=approve]")
	p.until(`document.querySelector("#toasts .toast") !== null`)
	p.wants("#toasts", "连不上")
	for _, f := range p.forget() {
		if !strings.Contains(f, "htmx:") { // which says on the console, too, that the line is down
			t.Error(f)
		}
	}
	var kept string
	p.eval(`document.querySelector("`+row+` [name=note]").value`, &kept)
	if kept != "同意，抓紧办" {
		t.Errorf("the opinion is %q now", kept)
	}
	line(false)
	p.press(row + " [value=approve]")
	p.until(`document.querySelector("` + row + `.done-row") !== null`)
}

// TestPrint prints what is pinned to walls: paper shows no navigation, nothing to click, and fits.
func TestPrint(t *testing.T) {
	h := open(t, false)
	p := h.enter("zhang")
	running, _ := h.lists()
	list := "/lists/" + string(running.ID)
	for _, path := range []string{"/ledger?view=all", list, list + "/bulletin", "/projects/" + string(h.planned().ID)} {
		p.open(path)
		p.do(emulation.SetEmulatedMedia().WithMedia("print"))
		paper := screen{718, 1047} // A4 at 96 dots an inch, less 10 mm on each side
		if p.has(".wide-print") {
			paper = screen{1039, 710} // lying
		}
		p.look(paper)
		var shown []string
		p.eval(`Array.from(document.querySelectorAll('.side, .top, .tabbar, .btn, .filters, .decide, .noprint')).filter(el => el.getClientRects().length).map(el => el.className)`, &shown)
		if len(shown) > 0 {
			t.Errorf("%s prints %q", path, shown)
		}
		p.fits(path+" on paper", paper)
		if !p.has("h1") || p.text("h1") == "" {
			t.Errorf("%s prints no heading", path)
		}
		p.do(emulation.SetEmulatedMedia())
		p.look(desktop)
	}
}
