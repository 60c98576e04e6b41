package browsertest

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	page "bihuan/api/verifier"
	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/audit/bundle"
	"bihuan/engine/audit/merkle"
	"bihuan/storage"
)

// bundled seals the house's trail, signs it, and writes into dir what an inspector takes away: trail.zip, its public key,
// and the checkpoint.
func (h *house) bundled(dir string) {
	h.t.Helper()
	ctx := h.t.Context()
	must := func(err error) {
		h.t.Helper()
		if err != nil {
			h.t.Fatal(err)
		}
	}
	log, err := h.db.Log(ctx)
	must(err)
	signer, _, err := merkle.OpenSigner(filepath.Join(dir, "signing"), log, false)
	must(err)
	must(h.engine.Note(ctx, engine.Operator(), engine.ActionCheckpointKey, map[string]any{"key": signer.Public()}))
	_, err = h.db.NewSealer(h.clock.Now).Seal(ctx)
	must(err)
	note, err := h.db.Checkpoint(ctx, func(ctx context.Context, hashes merkle.Hashes, size int64, _ bool) ([]byte, error) {
		return signer.Sign(ctx, hashes, log, size, h.clock.Now())
	})
	must(err)
	var b bytes.Buffer
	_, err = h.db.Export(ctx, &b, storage.ExportOptions{Now: h.clock.Now})
	must(err)
	must(os.WriteFile(filepath.Join(dir, "trail.zip"), b.Bytes(), 0o600))
	must(os.WriteFile(filepath.Join(dir, "checkpoint.pub"), []byte(signer.Public()+"\n"), 0o600))
	must(os.WriteFile(filepath.Join(dir, "kept.txt"), note, 0o600))
}

// rewritten copies a bundle with one member changed, as somebody does who knows what a zip is.
func rewritten(t *testing.T, from, to, member string, change func([]byte) []byte) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	in, err := zip.OpenReader(from)
	must(err)
	defer in.Close()
	var b bytes.Buffer
	out := zip.NewWriter(&b)
	for _, f := range in.File {
		r, err := f.Open()
		must(err)
		content, err := io.ReadAll(r)
		must(err)
		must(r.Close())
		if f.Name == member {
			content = change(content)
		}
		w, err := out.Create(f.Name)
		must(err)
		_, err = w.Write(content)
		must(err)
	}
	must(out.Close())
	must(os.WriteFile(to, b.Bytes(), 0o600))
}

// reported is what `bihuan audit verify` finds in a bundle.
func (h *house) reported(file, key, kept string) []audit.Finding {
	h.t.Helper()
	read := func(name string) []byte {
		b, err := os.ReadFile(name)
		if err != nil {
			h.t.Fatal(err)
		}
		return b
	}
	keys, err := merkle.ParseKeys(string(read(key)))
	if err != nil {
		h.t.Fatal(err)
	}
	known, err := merkle.Keep(filepath.Base(kept), read(kept))
	if err != nil {
		h.t.Fatal(err)
	}
	b := read(file)
	r, err := bundle.Verify(bytes.NewReader(b), int64(len(b)), bundle.Options{Keys: keys, Known: []merkle.Kept{known}})
	if err != nil || len(r.Findings) == 0 {
		h.t.Fatalf("%v, %+v", err, r.Findings)
	}
	return r.Findings
}

// TestOfflineVerifier opens the saved page from the disk, without a server, and gives it bundles.
func TestOfflineVerifier(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "run", "bihuan/api/verifier/build", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the verifier: %v\n%s", err, out)
	}
	saved, err := page.Compose(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, page.Name), saved, 0o600); err != nil {
		t.Fatal(err)
	}
	h := open(t, false)
	h.bundled(dir)
	name := func(file string) string { return filepath.Join(dir, file) }
	rewritten(t, name("trail.zip"), name("flipped.zip"), "entries.ndjson", func(b []byte) []byte {
		b[bytes.Index(b, []byte(`"seq":2`))+len(`"seq":`)] ^= 1
		return b
	})
	rewritten(t, name("trail.zip"), name("poor.zip"), "checkpoint", func([]byte) []byte { return nil })
	b, err := os.ReadFile(name("trail.zip"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name("torn.zip"), b[:len(b)/2], 0o600); err != nil {
		t.Fatal(err)
	}

	p := visitor(t, "file://"+dir)
	p.load(chromedp.Navigate("file://" + name(page.Name)))
	p.wants("h1", "审计材料离线核验")
	p.press("#form [type=submit]")
	p.until(`document.querySelector("#out .banner.y") !== null`)
	p.wants("#out", "请先选择审计材料")
	ask := func(bundle, verdict string, words ...string) {
		t.Helper()
		p.attach("#bundle", name(bundle))
		p.press("#form [type=submit]")
		p.until(`document.querySelector("#out").dataset.verdict !== undefined && !document.querySelector("#form [type=submit]").disabled`)
		var got string
		p.eval(`document.querySelector("#out").dataset.verdict`, &got)
		if got != verdict {
			t.Errorf("%s is %s, want %s:\n%s", bundle, got, verdict, p.text("#out"))
		}
		p.wants("#out", words...)
	}
	ask("trail.zip", "intact", "完好", "没有提供公钥", "姓名、公众意见承诺")
	p.attach("#key", name("checkpoint.pub"))
	p.attach("#known", name("kept.txt"))
	ask("trail.zip", "intact", "完好", "全部记录", "外部留存的检查点")
	if strings.Contains(p.text("#out"), "没有提供公钥") {
		t.Error("it does not know that it has been given a key")
	}
	// Words that look like a checkpoint decide nothing, beside one that a key confirms and alone.
	note, err := os.ReadFile(name("kept.txt"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(note), "\n")
	forged := strings.Replace(string(note), lines[2], strings.Repeat("A", 43)+"=", 1)
	for file, text := range map[string]string{"mixed.txt": forged + string(note), "forged.txt": forged} {
		if err := os.WriteFile(name(file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.attach("#known", name("mixed.txt"))
	ask("trail.zip", "intact", "提醒：mixed.txt", "不是所用公钥签的")
	p.attach("#known", name("forged.txt"))
	ask("trail.zip", "undecided", "forged.txt", "不能据此判断")
	p.attach("#known", name("kept.txt"))
	ask("flipped.zip", "tampered", "被改动", "第 2 条记录", "记录断链")
	for _, f := range h.reported(name("flipped.zip"), name("checkpoint.pub"), name("kept.txt")) { // it says what the command line says
		p.wants("#out", f.Subject, f.Detail)
	}
	ask("poor.zip", "undecided", "无法判断", "has no checkpoint")
	ask("torn.zip", "undecided", "无法判断", "其余部分没能读完")
	p.press("#language")
	p.wants("#out", "Cannot decide", "The rest could not be read")
	ask("flipped.zip", "tampered", "Tampered", "entry 2", "The chain is broken")
	p.attach("#key", name("trail.zip"))
	p.press("#form [type=submit]")
	p.until(`document.querySelector("#out").innerText.includes("cannot be used")`)
}
