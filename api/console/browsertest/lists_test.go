package browsertest

import (
	"testing"

	"bihuan/engine"
)

// TestListIsClosed closes a list in the dialog that shows the pre-flight: while items are open it says which and lets
// nobody through; when each is accounted for, the leader closes it and the list can only be read.
func TestListIsClosed(t *testing.T) {
	h := open(t, false)
	running, next := h.lists()
	page := "/lists/" + string(running.ID)
	supervisor := h.enter("zhang")
	supervisor.open(page)
	supervisor.press("a[href='" + page + "/close']")
	supervisor.until(`document.querySelector("#dlg[open] .check") !== null`)
	supervisor.wants("#dlg", "没有交代", "去处置")
	if !supervisor.has("#dlg button[type=submit][disabled]") {
		t.Fatal("a list with open items can be closed")
	}
	supervisor.readable("closing, open items")

	r, err := h.engine.Reconcile(t.Context(), h.actor(h.users["zhang"].ID), running.ID)
	if err != nil || r.Open == 0 {
		t.Fatalf("%d open items, %v", r.Open, err)
	}
	first := true
	for _, line := range r.Lines {
		if !line.Outcome.Open() {
			continue
		}
		if first { // one by its form, as people do
			first = false
			supervisor.open(page + "/carry/" + string(line.ID))
			supervisor.complete("#main form", "note", "下一期继续办理")
			supervisor.follow("#main form button[type=submit]")
			supervisor.wants(".said", "已经结转")
			continue
		}
		if _, err := h.engine.CarryOver(t.Context(), h.actor(h.users["zhang"].ID), running.ID, 0, line.ID, next.ID, "下一期继续办理"); err != nil {
			t.Fatal(err)
		}
	}

	leader := h.enter("li")
	leader.open(page)
	leader.press("a[href='" + page + "/close']")
	leader.until(`document.querySelector("#dlg[open] button[type=submit]:not([disabled])") !== null`)
	leader.wants("#dlg", "每一项都有了交代")
	leader.fill("#dlg [name=note]", "逐项核对，同意关账")
	leader.follow("#dlg button[type=submit]")
	leader.wants("#main", "关账归档", "李明川")
	if leader.has("#main form[action*='/do/']") {
		t.Error("a closed list can be changed")
	}
	l, err := h.engine.TheList(t.Context(), engine.Operator(), running.ID)
	if err != nil || l.State != engine.ListArchived || l.ClosedBy != h.users["li"].ID {
		t.Errorf("%+v (%v)", l, err)
	}
	h.intact()
}

// TestRatingFromAPhone rates an item behind its link on a phone, without an account: a bad mark with words becomes an
// objection, which the supervisor answers.
func TestRatingFromAPhone(t *testing.T) {
	h := open(t, false)
	asked := h.item(unpolled)
	link := h.link(asked)
	somebody := visitor(t, h.url)
	somebody.look(phone)
	somebody.open(link)
	somebody.fits("rate", phone)
	somebody.press("#main input[name=level][value='2']")
	somebody.fill("#rc", "晚上还是没有灯")
	somebody.follow("#main button[type=submit]")
	somebody.wants("#main", "谢谢")
	somebody.open(link) // they may think again
	if !somebody.has("#main input[name=level][value='2']:checked") {
		t.Error("the page does not remember the device's mark")
	}
	rated := h.item(func(p *engine.Project) bool { return p.ID == asked.ID })
	tally, err := h.engine.Votes(t.Context(), &rated)
	if err != nil || tally.Votes() != 1 || tally.Dissatisfied != 1 {
		t.Errorf("counted %+v (%v)", tally, err)
	}
	words, err := h.engine.Words(t.Context(), &rated) // they stand apart from the trail
	if err != nil {
		t.Fatal(err)
	}
	id := ""
	for k, text := range words {
		if text == "晚上还是没有灯" {
			id = k
		}
	}
	if id == "" {
		t.Fatalf("objections %+v", rated.Objections)
	}
	supervisor := h.enter("zhang")
	supervisor.open("/projects/" + string(rated.ID))
	supervisor.act("do-answer", "objection", id, "text", "已经更换灯具，欢迎再看")
	supervisor.wants("#main", "晚上还是没有灯", "已经更换灯具，欢迎再看")
	h.intact()
}
