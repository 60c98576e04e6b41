package browsertest

import (
	"strings"
	"testing"

	"bihuan/engine"
	"bihuan/workflows"
)

// TestManyKinds switches every kind on and looks at the pages that part by kind on a phone: each name stands on one
// line, none is cut, and one is chosen without losing what was typed.
func TestManyKinds(t *testing.T) {
	h := open(t, false)
	for _, w := range workflows.Embedded() {
		source, _ := workflows.Source(w.ID)
		if _, err := h.engine.Publish(t.Context(), engine.Operator(), source); err != nil {
			t.Fatal(err)
		}
		if err := h.engine.EnableKind(t.Context(), engine.Operator(), w.ID); err != nil {
			t.Fatal(err)
		}
	}
	p := h.enter("wu")
	p.look(screen{390, 844})
	for path, nav := range map[string]string{"/overview": ".seg", "/yearly": ".tabs", "/new": ".kinds"} {
		p.open(path)
		p.fits(path, screen{390, 844})
		var cut []string
		p.eval(`[...document.querySelectorAll("#main `+nav+` a")].filter(a => a.getClientRects().length !== 1 || a.scrollHeight > a.clientHeight + 1 ||
			a.offsetHeight > 50).map(a => a.textContent)`, &cut)
		if len(cut) > 0 {
			t.Errorf("%s: cut or broken: %s", path, strings.Join(cut, ", "))
		}
	}
	p.open("/new")
	p.fill("#main form [name=title]", "食堂排队有多久")
	p.press(`.kinds a[href="/new?kind=keti"]`)
	p.until(`document.querySelector("#main form [name='own.focus']") !== null`)
	var title string
	p.eval(`document.querySelector("#main form [name=title]").value`, &title)
	if title != "食堂排队有多久" || p.at() != "/new?kind=keti" {
		t.Errorf("at %s the title is %q", p.at(), title)
	}
}
