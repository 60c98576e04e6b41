package browsertest

import (
	"strings"
	"testing"

	"bihuan/engine"
)

// TestConflict lets somebody type while somebody else saves: the page says who changed what, keeps every word, and
// sends it on the new version when asked to.
func TestConflict(t *testing.T) {
	h := open(t, false)
	x := h.planned()
	project := "/projects/" + string(x.ID)
	slow, quick := h.enter("zhang"), h.enter(verifier)
	slow.open(project + "/edit")
	quick.open(project + "/edit")
	quick.complete("#main form", "target", "结对一百对，每月谈心两次")
	quick.follow("#main form button[type=submit]")
	quick.wants(".said", "保存")

	slow.complete("#main form", "need", "结对要有实效，不走过场", "category", "关爱")
	slow.follow("#main form button[type=submit]")
	if slow.sent != 409 {
		t.Fatalf("the second save answers %d", slow.sent)
	}
	slow.wants("#main", "孙平", "结对一百对，每月谈心两次", "结对要有实效，不走过场")
	slow.readable("conflict, desk")
	slow.look(phone)
	slow.fits("conflict", phone)
	var kept string
	slow.eval(`document.querySelector("#main form [name=need]").value`, &kept)
	if kept != "结对要有实效，不走过场" {
		t.Errorf("what was typed is %q now", kept)
	}
	slow.follow("#main form button[type=submit]")
	slow.wants("#main", "结对要有实效，不走过场")
	if slow.sent != 200 || !strings.HasPrefix(slow.at(), project) {
		t.Errorf("sending it again answers %d at %s", slow.sent, slow.at())
	}
	p, err := h.engine.Project(t.Context(), engine.Operator(), x.ID)
	if err != nil {
		t.Fatal(err)
	}
	if p.Need != "结对要有实效，不走过场" || p.Category != "关爱" {
		t.Errorf("stored is %q, %q", p.Need, p.Category)
	}
}

// TestConflictInTheList answers a request that its owner has just taken back: the row gives way to the page that says
// so, and the opinion is not lost.
func TestConflictInTheList(t *testing.T) {
	h := open(t, false)
	x := h.item(func(p *engine.Project) bool {
		return p.Request != nil && p.Request.By == h.users["zhou"].ID && strings.Contains(p.Waiting, "supervisor")
	})
	supervisor, owner := h.enter("zhang"), h.enter("zhou")
	supervisor.open("/todo")
	owner.open("/projects/" + string(x.ID))
	owner.act("do-withdraw", "note", "还要补材料")
	row := "#a-" + string(x.ID)
	supervisor.fill(row+" [name=note]", "同意，抓紧办")
	supervisor.press(row + " [value=approve]")
	supervisor.until(`document.querySelector("#main .banner.y") !== null`)
	supervisor.wants("#main", "同意，抓紧办", "还要补材料", "周启航")
}
