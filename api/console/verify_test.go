package console

import (
	"bytes"
	"context"
	"encoding/csv"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"bihuan/engine"
)

func init() { emptyViews["verify"] = verifyView{} }

// exec changes the database behind the product's back, as somebody who holds the file can.
func (w *world) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	if _, err := w.db.SQL().ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

// unguard takes the triggers away.
func (w *world) unguard(t *testing.T) {
	t.Helper()
	for _, trigger := range []string{"entries_no_update", "entries_no_delete", "entries_no_replace"} {
		w.exec(t, "DROP TRIGGER "+trigger)
	}
}

// said returns the actions of the newest entries of a person, newest first.
func (w *world) said(t *testing.T, login string) []string {
	t.Helper()
	page, err := w.engine.Trail(t.Context(), engine.Operator(), engine.EntryFilter{Subject: engine.SubjectActor + "/" + string(w.people[login].ID), Limit: 5})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range page.Items {
		out = append(out, e.Action)
	}
	return out
}

func TestVerifyFromThePage(t *testing.T) {
	w := ownWorld(t)
	none := url.Values{}
	page := w.ask(t, "wang", "/trail/verify", nil)
	checkPage(t, "/trail/verify", page)
	if !strings.Contains(page.body, "校验全部记录") {
		t.Error("an inspector is not offered to verify")
	}
	sound := w.ask(t, "wang", "/trail/verify", none)
	checkPage(t, "intact", sound)
	for _, want := range []string{"完好", "没有发现任何改动", "记录", "佐证材料", "流程定义", "用时"} {
		if sound.Code != http.StatusOK || !strings.Contains(sound.body, want) {
			t.Errorf("an intact trail answers %d without %q", sound.Code, want)
		}
	}
	if got := w.said(t, "wang"); len(got) == 0 || got[0] != "verify_trail" {
		t.Errorf("that it was verified is not in the trail: %v", got)
	}
	for _, login := range []string{"zhang", "zhou", "zhao"} {
		if a := w.ask(t, login, "/trail/verify", nil); strings.Contains(a.body, "校验全部记录") || !strings.Contains(a.body, "督查员") {
			t.Errorf("%s is offered to verify everything, or not told why not", login)
		}
		if a := w.ask(t, login, "/trail/verify", none); a.Code != http.StatusForbidden {
			t.Errorf("%s verifies everything: %d", login, a.Code)
		}
		if got := w.said(t, login); len(got) == 0 || got[0] != "refused" {
			t.Errorf("the refusal of %s is not in the trail: %v", login, got)
		}
		if a := w.ask(t, login, "/trail/verify/progress", nil); a.Code != http.StatusForbidden {
			t.Errorf("%s asks how far it is: %d", login, a.Code)
		}
	}
}

func TestVerifyShowsTampering(t *testing.T) {
	w := ownWorld(t)
	w.unguard(t)
	p := w.item(t, func(p *engine.Project) bool { return p.Owner == w.people["zhou"].ID && p.Stage == "advance" })
	q := w.item(t, func(q *engine.Project) bool { return q.ID != p.ID && q.UnitID == p.UnitID })
	root, err := w.engine.AddUnit(t.Context(), engine.Operator(), "", "else", "别家党委")
	if err != nil {
		t.Fatal(err)
	}
	secret, err := w.engine.Create(t.Context(), engine.Operator(), "shishi", root, engine.Draft{Title: "别家的事"})
	if err != nil {
		t.Fatal(err)
	}
	w.exec(t, "UPDATE entries SET action = 'edit' WHERE subject = ? AND seq = 1", q.Subject())
	w.exec(t, "UPDATE projects SET progress = 99 WHERE id = ?", string(p.ID))
	w.exec(t, "UPDATE projects SET progress = 98 WHERE id = ?", string(secret.ID))

	whole := w.ask(t, "wang", "/trail/verify", url.Values{})
	checkPage(t, "tampered", whole)
	for _, want := range []string{"与写入时不一致", p.Number, "现状不是由记录得出的", "/progress is 99 in the row", q.Number, "记录的某一列与内容不符", "第 1 条记录", "另有 1 处"} {
		if !strings.Contains(whole.body, want) {
			t.Errorf("the verdict does not say %q", want)
		}
	}
	if strings.Contains(whole.body, string(secret.ID)) || strings.Contains(whole.body, "别家的事") || strings.Contains(whole.body, "98 in the row") {
		t.Error("the verdict tells about a project that the inspector does not see")
	}
	one := w.ask(t, "zhou", "/projects/"+string(p.ID)+"/verify", url.Values{})
	checkPage(t, "one", one)
	if one.Code != http.StatusOK || !strings.Contains(one.body, "与写入时不一致") || !strings.Contains(one.body, "/progress is 99 in the row") {
		t.Errorf("the owner's verification answers %d", one.Code)
	}
	untouched := w.item(t, func(x *engine.Project) bool { return x.ID != p.ID && x.ID != q.ID && x.UnitID == p.UnitID })
	if sound := w.ask(t, "wang", "/projects/"+string(untouched.ID)+"/verify", url.Values{}); !strings.Contains(sound.body, "没有发现任何改动") {
		t.Errorf("a project that nobody touched is blamed: %d", sound.Code)
	}
	if a := w.ask(t, "zhang", "/projects/"+string(secret.ID)+"/verify", url.Values{}); a.Code != http.StatusNotFound {
		t.Errorf("a project that is not to be seen is verified: %d", a.Code)
	}
	unit, err := w.engine.Unit(t.Context(), "csxy")
	if err != nil {
		t.Fatal(err)
	}
	gone, err := w.engine.Create(t.Context(), engine.Operator(), "shishi", unit, engine.Draft{Title: "要消失的事"})
	if err != nil {
		t.Fatal(err)
	}
	w.exec(t, "DELETE FROM projects WHERE id = ?", string(gone.ID))
	if a := w.ask(t, "wang", "/trail/verify", url.Values{}); !strings.Contains(a.body, "the project is gone") || !strings.Contains(a.body, string(gone.ID)) {
		t.Error("a project that is gone is not named")
	}
}

func TestOneVerificationAtATime(t *testing.T) {
	w := ownWorld(t)
	started, finish := make(chan struct{}), make(chan struct{})
	w.console.Verify = func(_ context.Context, _ engine.ProjectID, progress func(int64)) (Verification, error) {
		progress(4200)
		close(started)
		<-finish
		return Verification{}, nil
	}
	first := make(chan int)
	go func() { first <- w.ask(t, "wang", "/trail/verify", url.Values{}).Code }()
	select {
	case <-started:
	case code := <-first:
		t.Fatalf("the first answers %d without verifying", code)
	}
	if a := w.ask(t, "wang", "/trail/verify", url.Values{}); a.Code != http.StatusTooManyRequests || !strings.Contains(a.body, "同一时间只能进行一次") {
		t.Errorf("a second verification answers %d", a.Code)
	}
	if a := w.ask(t, "wang", "/trail/verify/progress", nil); !strings.Contains(a.body, "4200") {
		t.Errorf("how far it is: %q", a.body)
	}
	if a := w.ask(t, "wang", "/trail/verify", nil); !strings.Contains(a.body, "4200") {
		t.Error("the page does not say that one is under way")
	}
	close(finish)
	if code := <-first; code != http.StatusOK {
		t.Errorf("the first answers %d", code)
	}
	if a := w.ask(t, "wang", "/trail/verify/progress", nil); a.body != "" {
		t.Errorf("afterwards: %q", a.body)
	}
}

func TestTrailAsTimelineAndFiles(t *testing.T) {
	w := readWorld(t)
	const filter = "?action=approve&order=oldest"
	line := w.ask(t, "wang", "/trail"+filter+"&as=timeline", nil)
	checkPage(t, "timeline", line)
	if !strings.Contains(line.body, `<ol class="tl">`) || strings.Contains(line.body, "<tbody>") {
		t.Error("no timeline")
	}
	table := w.ask(t, "wang", "/trail"+filter, nil)
	if a, b := strings.Count(line.body, `<span class="tm num"`), strings.Count(table.body, `title="SHA-256 `); a == 0 || a != b {
		t.Errorf("%d entries on the timeline, %d in the table", a, b)
	}

	plain := w.ask(t, "wang", "/trail.csv"+filter, nil)
	want, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(plain.body, "\ufeff"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	book := w.ask(t, "wang", "/trail.xlsx"+filter, nil)
	if got := book.Header().Get("Content-Disposition"); !strings.Contains(got, ".xlsx") {
		t.Errorf("Content-Disposition %q", got)
	}
	f, err := excelize.OpenReader(bytes.NewReader([]byte(book.body)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.GetRows(f.GetSheetName(0))
	if err != nil {
		t.Fatal(err)
	}
	if len(want) < 5 || len(got) != len(want) {
		t.Fatalf("%d rows in the workbook, %d in CSV", len(got), len(want))
	}
	for i := range want {
		for len(got[i]) < len(want[i]) { // a workbook drops what is empty at the end
			got[i] = append(got[i], "")
		}
		if !slices.Equal(got[i], want[i]) {
			t.Errorf("row %d: %v in the workbook, %v in CSV", i, got[i], want[i])
		}
	}
	if said := w.said(t, "wang"); len(said) < 2 || said[0] != "export" || said[1] != "export" {
		t.Errorf("the exports are not in the trail: %v", said)
	}
}
