package browsertest

import (
	"encoding/base64"
	"path/filepath"
	"strings"
	"testing"

	"bihuan/engine"
	"bihuan/engine/audit/bundle"
	"bihuan/engine/audit/merkle"
	"bihuan/storage/storagetest"
)

// TestProofPanel lets an inspector look at what proves the trail and a project, on a desk and on a phone, keep the
// checkpoint, and take a unit away with a form that continues it.
func TestProofPanel(t *testing.T) {
	h := open(t, false)
	signing := filepath.Join(t.TempDir(), "signing")
	note, err := storagetest.Sign(t.Context(), h.db, signing, h.clock.Now(), func(key string) error {
		return h.engine.Note(t.Context(), engine.Operator(), engine.ActionCheckpointKey, map[string]any{"key": key})
	})
	if err != nil || note == nil {
		t.Fatalf("%q, %v", note, err)
	}
	keys, err := merkle.ReadKeys(signing)
	if err != nil {
		t.Fatal(err)
	}
	w := h.enter("wang")
	for _, path := range []string{"/projects/" + string(h.closed().ID), "/trail"} {
		w.look(desktop)
		w.open(path)
		w.wants("#proof", "检查点：日志共", "密钥 bihuan/", "已被检查点覆盖", "导出审计材料")
		w.readable("proof of " + path)
		w.look(phone)
		w.fits("proof of "+path, phone)
	}
	certificate := "/projects/" + string(h.closed().ID) + "/certificate"
	w.open(certificate)
	w.wants(".sealed", "检查点：日志共", "密钥 bihuan/")
	w.fits(certificate, phone)
	w.open("/trail")
	w.eval(`document.querySelector("#proof form details").open = true`, nil)
	w.fill("#part-known", string(note))
	w.eval(`fetch("/trail/checkpoint.txt").then(a => a.text()).then(s => window.kept = s), 0`, nil)
	w.until("window.kept !== undefined")
	var kept string
	w.eval("window.kept", &kept)
	if kept != string(note) {
		t.Errorf("kept is %q", kept)
	}
	w.eval(`{ const f = document.querySelector("#proof form");
		fetch(f.action + "?" + new URLSearchParams(new FormData(f))).then(a => a.arrayBuffer()).then(b => {
			let s = ""; for (const c of new Uint8Array(b)) s += String.fromCharCode(c); window.taken = btoa(s) }), 0 }`, nil)
	w.until("window.taken !== undefined")
	var text string
	w.eval("window.taken", &text)
	taken, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	r, err := bundle.Verify(strings.NewReader(string(taken)), int64(len(taken)), bundle.Options{Keys: keys, Known: []merkle.Kept{{Name: "kept", Notes: [][]byte{note}}}})
	if err != nil || len(r.Findings)+len(r.Undecided) > 0 || r.Manifest.Scope != bundle.OneUnit || r.Checked.Entries == 0 {
		t.Errorf("taken away: %+v, %v: %.200q", r, err, text)
	}
}
