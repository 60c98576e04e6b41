package merkle

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bihuan/engine/audit"
)

var update = flag.Bool("update", false, "write testdata/log.json if it does not exist")

// vectors fix the log by example: the same entries have these roots, proofs and checkpoint for ever. The second
// implementation computes them too (testdata/check_bundle.py).
type vectors struct {
	About       []string      `json:"about"`
	Entries     []string      `json:"entries"`
	Roots       []rootVector  `json:"roots"`
	Inclusion   []proofVector `json:"inclusion"`
	Consistency []proofVector `json:"consistency"`
	Log         string        `json:"log"`
	Key         string        `json:"key"`
	Checkpoint  string        `json:"checkpoint"`
}

type rootVector struct {
	Size int64        `json:"size"`
	Root audit.Digest `json:"root"`
}

type proofVector struct {
	Index int64 `json:"index"`
	Old   int64 `json:"old"`
	Size  int64 `json:"size"`
	Proof Proof `json:"proof"`
}

// A key that everybody knows, for vectors alone.
const (
	vectorPrivate = "PRIVATE+KEY+bihuan/0190c2f0-0000-7000-8000-000000000001+478d8499+AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
	vectorFile    = "../testdata/log.json"
)

// compute makes the vectors of some entries.
func compute(t *testing.T, entries []string) vectors {
	t.Helper()
	m := &memory{levels: [][]audit.Digest{nil}}
	for _, e := range entries {
		m.levels[0] = append(m.levels[0], audit.HashEntry([]byte(e)))
	}
	v := vectors{Entries: entries, Log: testLog, About: []string{
		"Golden vectors of the Merkle log: leaves are the hashes of these entries, in this order.",
		"Proofs are those of RFC 6962, the checkpoint is a signed note; the key is no secret."}}
	size := int64(len(entries))
	ctx := context.Background()
	for n := range size + 1 {
		root, err := RootAt(ctx, m, n)
		if err != nil {
			t.Fatal(err)
		}
		v.Roots = append(v.Roots, rootVector{n, root})
	}
	for _, n := range []int64{1, 2, 7, size} {
		for _, index := range []int64{0, n / 2, n - 1} {
			p, err := Inclusion(ctx, m, n, index)
			if err != nil {
				t.Fatal(err)
			}
			v.Inclusion = append(v.Inclusion, proofVector{Index: index, Size: n, Proof: p})
		}
	}
	for _, old := range []int64{1, 4, 6, size - 1, size} {
		p, err := Consistency(ctx, m, size, old)
		if err != nil {
			t.Fatal(err)
		}
		v.Consistency = append(v.Consistency, proofVector{Old: old, Size: size, Proof: p})
	}
	s := &Signer{dir: t.TempDir(), installation: strings.TrimSuffix(testLog, "/1")}
	if err := os.WriteFile(s.path(keyFile), []byte(vectorPrivate), 0o600); err != nil {
		t.Fatal(err)
	}
	msg, err := s.Sign(ctx, m, testLog, size, time.Date(2026, 11, 26, 1, 2, 3, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	v.Key, v.Checkpoint = s.Public(), string(msg)
	return v
}

func TestVectors(t *testing.T) {
	b, err := os.ReadFile(vectorFile)
	if os.IsNotExist(err) && *update {
		var source struct {
			Entries []struct {
				Bytes string `json:"bytes"`
			} `json:"entries"`
			Chain []struct {
				Bytes string `json:"bytes"`
			} `json:"chain"`
		}
		raw, err := os.ReadFile("../testdata/vectors.json")
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &source); err != nil {
			t.Fatal(err)
		}
		var entries []string
		for _, e := range append(source.Entries, source.Chain...) {
			entries = append(entries, e.Bytes)
		}
		var out bytes.Buffer
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(compute(t, entries)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorFile, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		b = out.Bytes()
	} else if err != nil {
		t.Fatal(err)
	}
	var want vectors
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	if len(want.Entries) < 12 {
		t.Fatalf("%d entries", len(want.Entries))
	}
	got := compute(t, want.Entries)
	if fmt.Sprint(got.Roots, got.Inclusion, got.Consistency, got.Key, got.Checkpoint) != fmt.Sprint(want.Roots, want.Inclusion, want.Consistency, want.Key, want.Checkpoint) {
		t.Errorf("computed\n%+v\nthe file has\n%+v", got, want)
	}
	keys, err := ParseKeys(want.Key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := Parse([]byte(want.Checkpoint), keys); err != nil || c.Root != want.Roots[len(want.Roots)-1].Root {
		t.Errorf("checkpoint %+v: %v", c, err)
	}
}

// The second implementation must agree with the vectors, and must not agree with anything.
func TestVectorsInPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("BIHUAN_TEST_PYTHON") == "required" {
			t.Fatal("BIHUAN_TEST_PYTHON=required, but there is no python3")
		}
		t.Skip("no python3: the second implementation of the log was not run")
	}
	b, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	root := strings.Index(string(b), `"root": "`) + len(`"root": "`) + 1
	for name, tt := range map[string]struct {
		text string
		want int
	}{
		"as they are":         {string(b), 0},
		"spoilt root":         {string(b[:root]) + "0" + string(b[root+1:]), 1},
		"spoilt entry":        {strings.Replace(string(b), "supervisor", "Supervisor", 1), 1},
		"another signature":   {strings.Replace(string(b), "time 2026", "time 2025", 1), 1},
		"an exchanged proof":  {strings.Replace(string(b), `"index": 3`, `"index": 2`, 1), 1},
		"an exchanged origin": {strings.Replace(string(b), `"log": "0190`, `"log": "0191`, 1), 1},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "log.json")
			if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), python, "-I", "-B", filepath.Join("..", "testdata", "check_bundle.py"), file)
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState == nil {
				t.Fatal(err)
			}
			if code := cmd.ProcessState.ExitCode(); code != tt.want {
				t.Errorf("check_bundle.py answers %d, want %d:\n%s", code, tt.want, out)
			}
		})
	}
}
