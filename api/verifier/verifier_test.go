package verifier_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"bihuan/api/verifier"
)

var (
	policy = regexp.MustCompile(`http-equiv="Content-Security-Policy" content="([^"]*)"`)
	inline = regexp.MustCompile(`(?s)<(?:script|style)>(.*?)</(?:script|style)>`)
)

// TestCompose wants a page that names each of its scripts and styles by hash, and nothing that leads elsewhere.
func TestCompose(t *testing.T) {
	page, err := verifier.Compose(fstest.MapFS{"verifier.wasm.gz": {Data: []byte("wasm")}, "wasm_exec.js": {Data: []byte("\"use strict\";\nlet glue = '<&>';\n")}})
	if err != nil {
		t.Fatal(err)
	}
	m := policy.FindSubmatch(page)
	if m == nil || !bytes.HasPrefix(m[1], []byte("default-src 'none'; ")) {
		t.Fatalf("no policy in %.500s", page)
	}
	parts := inline.FindAllSubmatch(page, -1)
	if len(parts) != 3 {
		t.Fatalf("%d inline scripts and styles, want 3", len(parts))
	}
	for _, p := range parts {
		sum := sha256.Sum256(p[1])
		if hash := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(string(m[1]), hash) {
			t.Errorf("the policy %s does not allow %.80s", m[1], p[1])
		}
	}
	for _, no := range []string{"http://", "https://", "src=", "url(", "{{", "connect-src", "unsafe-inline", "'unsafe-eval'"} {
		if bytes.Contains(page, []byte(no)) {
			t.Errorf("the page has %s", no)
		}
	}
	for _, want := range []string{"审计材料离线核验", "Verify a bundle offline", "d2FzbQ=="} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

func TestComposeRefuses(t *testing.T) {
	if _, err := verifier.Compose(fstest.MapFS{}); !errors.Is(err, verifier.ErrMissing) {
		t.Errorf("without the program: %v", err)
	}
	if _, err := verifier.Compose(fstest.MapFS{"verifier.wasm.gz": {}}); err == nil {
		t.Error("without what starts it, a page was made")
	}
	if _, err := verifier.Compose(fstest.MapFS{"verifier.wasm.gz": {}, "wasm_exec.js": {Data: []byte("'</SCRIPT>'")}}); err == nil {
		t.Error("a script that ends early was taken")
	}
}
