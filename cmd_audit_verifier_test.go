package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"bihuan/api/verifier"
)

// TestAuditVerifier writes the page for browsers, and replaces no file. A program that was compiled without it says how
// to get it.
func TestAuditVerifier(t *testing.T) {
	name := filepath.Join(t.TempDir(), verifier.Name)
	write := func() (code int, stderr string) {
		var out, errs bytes.Buffer
		code = run(t.Context(), []string{"audit", "verifier", "--out", name, "--lang", "en"}, &out, &errs, func(string) string { return "" })
		return code, errs.String()
	}
	code, said := write()
	got, readErr := os.ReadFile(name)
	want, err := verifier.Page()
	if err != nil {
		if code == 0 || !os.IsNotExist(readErr) || !bytes.Contains([]byte(said), []byte("go run ./api/verifier/build")) {
			t.Errorf("without the page: %d, %v, %s", code, readErr, said)
		}
		return
	}
	if code != 0 || !bytes.Equal(got, want) {
		t.Errorf("%d, %s: %d bytes of %d", code, said, len(got), len(want))
	}
	if code, said := write(); code == 0 {
		t.Errorf("the file was replaced: %s", said)
	}
}
