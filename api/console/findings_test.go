package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"bihuan/engine"
)

// The inspector finds evidence false by a form that lists it, the leader confirms, and the item, its marks and its
// unit's score say so until the same two lift it.
func TestFalseEvidenceByForms(t *testing.T) {
	w := ownWorld(t)
	p := w.item(t, func(p *engine.Project) bool { return p.Stage == engine.Closed && p.EvidenceCount > 0 })
	page, do := "/projects/"+string(p.ID), "/projects/"+string(p.ID)+"/do/"
	files, err := w.db.Evidence(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	if a := w.ask(t, "li", page, nil); strings.Contains(a.body, `id="do-find_false"`) {
		t.Error("a leader is offered to find evidence false")
	}
	a := w.ask(t, "wang", page, nil)
	checkPage(t, page, a)
	if !strings.Contains(a.body, `id="do-find_false"`) || !strings.Contains(a.body, files[0].Name+" · ") {
		t.Fatal("the inspector is not offered the evidence")
	}
	version := func() url.Values {
		q, err := w.db.Project(t.Context(), p.ID)
		if err != nil {
			t.Fatal(err)
		}
		return url.Values{"version": {strconv.FormatInt(q.Version, 10)}}
	}
	with := func(pairs ...string) url.Values {
		x := version()
		for i := 0; i < len(pairs); i += 2 {
			x.Set(pairs[i], pairs[i+1])
		}
		return x
	}
	for _, step := range []struct {
		who, act string
		values   url.Values
		status   int
	}{
		{"wang", "find_false", with("note", "照片是去年的"), http.StatusUnprocessableEntity},
		{"wang", "find_false", with("note", "照片是去年的", "evidence", files[0].ID), http.StatusSeeOther},
	} {
		if a := w.ask(t, step.who, do+step.act, step.values); a.Code != step.status {
			t.Fatalf("%s by %s answers %d", step.act, step.who, a.Code)
		}
	}
	if a := w.ask(t, "li", page, nil); !strings.Contains(a.body, "认定佐证弄虚作假") || !strings.Contains(a.body, "照片是去年的") {
		t.Error("the leader does not see what is asked")
	}
	if a := w.ask(t, "li", do+"approve", with("note", "属实")); a.Code != http.StatusSeeOther {
		t.Fatalf("confirming answers %d", a.Code)
	}
	a = w.ask(t, "wang", page, nil)
	checkPage(t, page, a)
	for _, want := range []string{`id="findings"`, ">弄虚作假</span>", "照片是去年的", `id="do-lift_finding"`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the item does not say %q", want)
		}
	}
	q, err := w.db.Project(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	for id := range q.Findings {
		if a := w.ask(t, "wang", do+"lift_finding", with("finding", id, "note", "相机时钟没有校准")); a.Code != http.StatusSeeOther {
			t.Fatalf("asking to lift it answers %d", a.Code)
		}
	}
	if a := w.ask(t, "li", do+"approve", with("note", "同意撤销")); a.Code != http.StatusSeeOther {
		t.Fatalf("lifting answers %d", a.Code)
	}
	if a := w.ask(t, "wang", page, nil); strings.Contains(a.body, ">弄虚作假</span>") || !strings.Contains(a.body, "相机时钟没有校准") {
		t.Error("the item does not say that it was lifted, and why")
	}
}
