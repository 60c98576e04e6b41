package console

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"bihuan/engine"
	"bihuan/engine/audit/bundle"
	"bihuan/engine/audit/merkle"
)

// keys are the public keys of the world's signer, as an inspector was given them.
func (w *world) keys(t *testing.T) merkle.Keys {
	t.Helper()
	keys, err := merkle.ReadKeys(w.signing)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// bundleOf verifies a bundle that a page sent.
func (w *world) bundleOf(t *testing.T, login, path string, opt bundle.Options) bundle.Report {
	t.Helper()
	a := w.ask(t, login, path, nil)
	if a.Code != http.StatusOK || a.Header().Get("Content-Type") != "application/zip" || !strings.Contains(a.Header().Get("Content-Disposition"), ".zip") {
		t.Fatalf("%s answers %s with %d %v", path, login, a.Code, a.Header())
	}
	r, err := bundle.Verify(strings.NewReader(a.body), int64(len(a.body)), opt)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return r
}

// TestProofFromThePage: pages say where entries stand and what covers them, and what they hand out verifies without the
// server: with the public key, and against a checkpoint that was kept before.
func TestProofFromThePage(t *testing.T) {
	w := ownWorld(t)
	ctx := t.Context()
	p := w.items[0]
	kept := w.ask(t, "zhang", "/trail/checkpoint.txt", nil)
	if _, err := merkle.Parse([]byte(kept.body), w.keys(t)); kept.Code != http.StatusOK || err != nil {
		t.Fatalf("the checkpoint to keep: %d, %v", kept.Code, err)
	}
	for _, path := range []string{"/trail", "/projects/" + string(p.ID)} {
		a := w.ask(t, "wang", path, nil)
		checkPage(t, path, a)
		for _, want := range []string{"校验证明", "条的检查点覆盖", "检查点：日志共", "密钥 bihuan/", "保存检查点", "导出审计材料", "/trail/proof.json?entry="} {
			if !strings.Contains(a.body, want) {
				t.Errorf("%s does not say %q", path, want)
			}
		}
		if strings.Contains(a.body, "尚未封入日志") {
			t.Errorf("%s: an entry that was sealed is said not to be", path)
		}
	}
	if a := w.ask(t, "zhou", "/trail", nil); strings.Contains(a.body, "/trail/bundle.zip") || !strings.Contains(a.body, "督查员") {
		t.Error("who is no inspector is offered to take the trail away, or not told why not")
	}

	proofOf := func(id string) answer { return w.ask(t, "wang", "/trail/proof.json?entry="+id, nil) }
	trail, err := w.engine.Trail(ctx, engine.Operator(), engine.EntryFilter{Subject: p.Subject(), Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	a := proofOf(trail.Items[0].ID)
	r, err := bundle.VerifyProof([]byte(a.body), bundle.Options{Keys: w.keys(t)})
	if err != nil || len(r.Findings) > 0 || r.Checked.Proofs != 1 {
		t.Errorf("the proof of an entry: %d %+v, %v", a.Code, r, err)
	}
	var changed bundle.Proof
	if err := json.Unmarshal([]byte(a.body), &changed); err != nil {
		t.Fatal(err)
	}
	changed.Entry = strings.Replace(changed.Entry, `"seq":`, `"seq":1`, 1)
	b, err := json.Marshal(changed)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := bundle.VerifyProof(b, bundle.Options{Keys: w.keys(t)}); err != nil || len(r.Findings) != 1 || r.Findings[0].Check != bundle.CheckProof {
		t.Errorf("a proof of something else: %+v, %v", r, err)
	}
	for _, id := range []string{"", "none", "0190c2f0-0000-7000-8000-000000000001"} {
		if a := proofOf(id); a.Code != http.StatusNotFound {
			t.Errorf("the proof of %q: %d", id, a.Code)
		}
	}

	// What comes later is not covered yet, and says so; then it is, and what is taken away continues what was kept.
	if err := w.engine.Note(ctx, engine.Actor{ID: w.people["wang"].ID, Grants: w.people["wang"].Grants, Via: engine.ViaConsole}, "export", map[string]any{"what": "ledger"}); err != nil {
		t.Fatal(err)
	}
	late, err := w.engine.Trail(ctx, engine.Operator(), engine.EntryFilter{Actions: []string{"export"}, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if a := w.ask(t, "wang", "/trail?action=export", nil); !strings.Contains(a.body, "尚未封入日志") {
		t.Error("an entry that is not sealed is not said to be so")
	}
	if a := proofOf(late.Items[0].ID); a.Code != http.StatusConflict {
		t.Errorf("the proof of what is not covered: %d", a.Code)
	}
	if _, err := w.sign(ctx); err != nil {
		t.Fatal(err)
	}
	known := "&known=" + url.QueryEscape("留存：\r\n"+strings.ReplaceAll(kept.body, "\n", "\r\n"))
	opt := bundle.Options{Keys: w.keys(t), Known: []merkle.Kept{{Name: "kept", Notes: [][]byte{[]byte(kept.body)}}}}
	// There is another body beside the college, which its inspector does not inspect: everything is not hers to take.
	if a := w.ask(t, "wang", "/trail/bundle.zip", nil); a.Code != http.StatusForbidden || !strings.Contains(a.body, "督查范围") {
		t.Errorf("an inspector of a part takes everything: %d", a.Code)
	}
	if a := w.ask(t, "wang", "/trail/bundle.zip?unit=dz", nil); a.Code != http.StatusNotFound {
		t.Errorf("an inspector takes another body's: %d", a.Code)
	}
	if _, err := w.engine.Grant(ctx, engine.Operator(), "wang", "dz", engine.Inspector); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/trail/bundle.zip?unit=": bundle.Everything, "/projects/" + string(p.ID) + "/bundle.zip?": bundle.OneProject,
		"/trail/bundle.zip?unit=csxy": bundle.OneUnit} {
		r := w.bundleOf(t, "wang", path+known, opt)
		if len(r.Findings) > 0 || len(r.Undecided) > 0 || r.Manifest.Scope != want || r.Checked.Entries == 0 || r.Checked.Known != 1 {
			t.Errorf("%s: %+v", path, r)
		}
		if got := w.said(t, "wang"); got[0] != "export_trail_bundle" {
			t.Errorf("%s is not in the trail: %v", path, got)
		}
	}
	if r := w.bundleOf(t, "wang", "/projects/"+string(p.ID)+"/bundle.zip", opt); len(r.Undecided) != 1 {
		t.Errorf("a part that was not asked to continue what was kept: %+v", r)
	}
	if a := w.ask(t, "wang", "/trail/bundle.zip?known=nonsense", nil); a.Code != http.StatusUnprocessableEntity {
		t.Errorf("nonsense instead of a checkpoint: %d", a.Code)
	}
	for _, login := range []string{"zhang", "zhou", "zhao"} {
		if a := w.ask(t, login, "/trail/bundle.zip", nil); a.Code != http.StatusForbidden || !slices.Contains(w.said(t, login), "refused") {
			t.Errorf("%s takes the trail away: %d", login, a.Code)
		}
	}
	if a := w.ask(t, "wang", "/trail/verify", url.Values{}); !strings.Contains(a.body, "由谁") || !strings.Contains(a.body, w.people["wang"].Name) || !strings.Contains(a.body, "/trail?action=verify_trail") {
		t.Error("the report does not say who had it made, or where the earlier ones are")
	}
}

// TestNothingProvedByWhatWasChanged: an entry that was changed behind the product's back is not handed out as proved, and a
// checkpoint that no key signed covers nothing on any page, which says so.
func TestNothingProvedByWhatWasChanged(t *testing.T) {
	w := ownWorld(t)
	w.unguard(t)
	w.exec(t, "DROP TRIGGER checkpoints_no_update")
	at := slices.IndexFunc(w.items, func(p engine.Project) bool { return p.Stage == engine.Closed })
	p := w.items[at]
	trail, err := w.engine.Trail(t.Context(), engine.Operator(), engine.EntryFilter{Subject: p.Subject(), Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	id := trail.Items[0].ID
	w.exec(t, "UPDATE entries SET bytes = CAST(replace(CAST(bytes AS TEXT), '\"seq\":', '\"seq\":1') AS BLOB) WHERE id = ?", id)
	if a := w.ask(t, "wang", "/trail/proof.json?entry="+id, nil); a.Code != http.StatusInternalServerError || !strings.Contains(a.body, "与封入日志的不一致") {
		t.Errorf("the proof of an entry that was changed: %d", a.Code)
	}

	w.exec(t, "UPDATE checkpoints SET note = CAST(replace(CAST(note AS TEXT), 'time 20', 'time 19') AS BLOB)")
	for _, path := range []string{"/trail", "/projects/" + string(p.ID), "/projects/" + string(p.ID) + "/certificate"} {
		a := w.ask(t, "wang", path, nil)
		checkPage(t, path, a)
		if !strings.Contains(a.body, "没有本系统密钥的有效签名") {
			t.Errorf("%s does not say that the checkpoint does not hold", path)
		}
		for _, not := range []string{"条的检查点覆盖", "/trail/proof.json?entry=", "/trail/checkpoint.txt", `class="qr"`} {
			if strings.Contains(a.body, not) {
				t.Errorf("%s still says %q", path, not)
			}
		}
	}
	if a := w.ask(t, "wang", "/trail/checkpoint.txt", nil); a.Code != http.StatusInternalServerError {
		t.Errorf("a checkpoint that does not hold is handed out to keep: %d", a.Code)
	}
}

// TestCheckpointOnWorkbooks: every workbook that leaves has the newest checkpoint on a sheet of its own, whose lines, copied
// out, are the note that was signed.
func TestCheckpointOnWorkbooks(t *testing.T) {
	w := readWorld(t)
	note := []byte(w.ask(t, "wang", "/trail/checkpoint.txt", nil).body)
	running, err := w.engine.Lists(t.Context(), engine.Operator(), engine.ListFilter{State: []engine.ListState{engine.ListArchived}})
	if err != nil {
		t.Fatal(err)
	}
	for lang, sheet := range map[string]string{"zh-CN": "审计检查点", "en": "Checkpoint"} {
		for _, path := range []string{"/ledger.xlsx", "/trail.xlsx?action=approve", "/scores.xlsx", "/marks.xlsx", "/lists/" + string(running.Items[0].ID) + "/bulletin.xlsx"} {
			a := w.ask(t, "wang", path, nil, "Cookie", langCookie+"="+lang)
			f, err := excelize.OpenReader(strings.NewReader(a.body))
			if err != nil {
				t.Fatalf("%s: %d, %v", path, a.Code, err)
			}
			if wide, err := f.GetColWidth(sheet, "A"); err != nil || wide > 110 { // what A4 holds on its side; a single column is not shrunk by every program
				t.Errorf("%s: the sheet is %.0f wide, %v", path, wide, err)
			}
			rows, err := f.GetRows(sheet)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			var copied strings.Builder
			for _, r := range rows {
				copied.WriteString(strings.Join(r, "\t") + "\r\n")
			}
			if got, _ := merkle.Cut([]byte(copied.String())); len(got) != 1 || !bytes.Equal(got[0], note) {
				t.Errorf("%s: the sheet says %q", path, copied.String())
			}
		}
	}
}
