package notify_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bihuan/engine/notify"
)

// Signatures are those that the platforms and the specification publish; testdata/signatures.json says where.
func TestSignatures(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "signatures.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			Name, Scheme, Origin, Source, Key, ID, Payload, Signature string
			Timestamp                                                 int64
		}
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, v := range file.Vectors {
		var got string
		var err error
		switch v.Scheme {
		case "webhook":
			got, err = notify.SignWebhook(v.Key, v.ID, time.Unix(v.Timestamp, 0), []byte(v.Payload))
		case "dingtalk":
			got = notify.SignDingTalk(v.Key, v.Timestamp)
		case "feishu":
			got = notify.SignFeishu(v.Key, v.Timestamp)
		case "mac":
			got = notify.Mac(v.Key, v.Payload)
		}
		if got != v.Signature || err != nil || v.Source == "" || v.Origin != "published" && v.Origin != "computed" {
			t.Errorf("%s: %q (%v), want %q", v.Name, got, err, v.Signature)
		}
		seen[v.Scheme]++
	}
	for _, scheme := range []string{"webhook", "dingtalk", "feishu", "mac"} {
		if seen[scheme] == 0 {
			t.Errorf("no vector of %s", scheme)
		}
	}
}

// What is not published as a number is computed by another program along the platforms' sample code.
func TestSignaturesInPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("BIHUAN_TEST_PYTHON") == "required" {
			t.Fatal("BIHUAN_TEST_PYTHON=required, but there is no python3")
		}
		t.Skip("no python3: the signatures were not computed a second time")
	}
	check := func(args ...string) (string, int) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), python, append([]string{"-I", "-B", filepath.Join("testdata", "check.py")}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	if out, code := check(); code != 0 {
		t.Errorf("check.py answers %d: %s", code, out)
	}
	b, err := os.ReadFile(filepath.Join("testdata", "signatures.json"))
	if err != nil {
		t.Fatal(err)
	}
	spoilt := filepath.Join(t.TempDir(), "spoilt.json")
	if err := os.WriteFile(spoilt, []byte(strings.Replace(string(b), "1599360473", "1599360474", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := check(spoilt); code != 1 {
		t.Errorf("check.py takes a wrong vector for right: %d %s", code, out)
	}
}
