package audit

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "fill in what is empty in testdata/vectors.json")

// vectors are the golden vectors. Texts are compared, never recomputed by the code under test.
type vectors struct {
	About       []string           `json:"about"`
	Entries     []entryVector      `json:"entries"`
	Chain       []chainVector      `json:"chain"`
	Patches     []patchVector      `json:"patches"`
	Commitments []commitmentVector `json:"commitments"`
}

type entryVector struct {
	Name  string          `json:"name"`
	Entry json.RawMessage `json:"entry"`
	Bytes string          `json:"bytes"`
	Hash  string          `json:"hash"`
}

type chainVector struct {
	Entry json.RawMessage `json:"entry"`
	Bytes string          `json:"bytes"`
	Hash  string          `json:"hash"`
	State string          `json:"state"`
}

type patchVector struct {
	Name  string `json:"name"`
	Old   string `json:"old"`
	New   string `json:"new"`
	Patch string `json:"patch"`
}

type commitmentVector struct {
	Name   string `json:"name"`
	Salt   string `json:"salt"`
	Value  string `json:"value"`
	Digest string `json:"digest"`
}

var vectorsFile = filepath.Join("testdata", "vectors.json")

func readVectors(t testing.TB) *vectors {
	t.Helper()
	b, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	v := new(vectors)
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		t.Fatal(err)
	}
	return v
}

func writeVectors(t *testing.T, v *vectors) {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorsFile, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// golden compares got with a vector, and with -update fills in an empty one. It never replaces one: the format is
// frozen.
func golden(t *testing.T, what string, vector *string, got string) {
	t.Helper()
	if *update && *vector == "" {
		*vector = got
	}
	if got != *vector {
		t.Errorf("%s:\n got %s\nwant %s", what, got, *vector)
	}
}

// input reads an entry as a vector writes it: any order, any escapes.
func input(t *testing.T, raw json.RawMessage) Entry {
	t.Helper()
	var e Entry
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		t.Fatal(err)
	}
	return e
}

// writes checks an entry's bytes and hash against a vector, and that Parse reads back the entry.
func writes(t *testing.T, e Entry, wantBytes, wantHash *string) {
	t.Helper()
	b, err := e.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "bytes", wantBytes, string(b))
	golden(t, "hash", wantHash, HashEntry(b).String())
	got, err := Parse([]byte(*wantBytes))
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Data) > 0 { // the only field with more than one spelling
		data, err := canonical(e.Data)
		if err != nil {
			t.Fatal(err)
		}
		e.Data = json.RawMessage(data)
	}
	if d := cmp.Diff(e, got); d != "" {
		t.Errorf("Parse(Bytes(e)) differs from e (-want +got):\n%s", d)
	}
}

func TestVectors(t *testing.T) {
	v := readVectors(t)
	if len(v.Entries) < 12 || len(v.Chain) < 5 || len(v.Patches) == 0 || len(v.Commitments) == 0 {
		t.Fatalf("vectors are missing: %d entries, %d in the chain, %d patches, %d commitments",
			len(v.Entries), len(v.Chain), len(v.Patches), len(v.Commitments))
	}
	for i := range v.Entries {
		v := &v.Entries[i]
		t.Run(v.Name, func(t *testing.T) { writes(t, input(t, v.Entry), &v.Bytes, &v.Hash) })
	}
	t.Run("chain", func(t *testing.T) {
		c := NewChain(input(t, v.Chain[0].Entry).Subject)
		for i := range v.Chain {
			v := &v.Chain[i]
			e := input(t, v.Entry)
			e.Prev = c.Head()
			writes(t, e, &v.Bytes, &v.Hash)
			row, err := e.Row()
			if err != nil {
				t.Fatal(err)
			}
			if found := c.Add(row); found != nil {
				t.Errorf("seq %d: %v", e.Seq, found)
			}
			golden(t, "state", &v.State, string(c.State()))
		}
	})
	for i := range v.Patches {
		v := &v.Patches[i]
		t.Run("patch: "+v.Name, func(t *testing.T) {
			got, err := Diff(json.RawMessage(v.Old), json.RawMessage(v.New))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "patch", &v.Patch, string(got))
		})
	}
	for i := range v.Commitments {
		v := &v.Commitments[i]
		t.Run("commitment: "+v.Name, func(t *testing.T) {
			salt, err := hex.DecodeString(v.Salt)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "digest", &v.Digest, Commit(salt, v.Value).String())
		})
	}
	if *update && !t.Failed() {
		writeVectors(t, v)
	}
}

// The second implementation must agree with the vectors, and must not agree with anything.
func TestVectorsInPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("BIHUAN_TEST_PYTHON") == "required" {
			t.Fatal("BIHUAN_TEST_PYTHON=required, but there is no python3")
		}
		t.Skip("no python3: the second implementation of the entry format was not run")
	}
	run := func(t *testing.T, args ...string) (out string, code int) {
		t.Helper()
		cmd := exec.Command(python, append([]string{"-I", "-B", filepath.Join("testdata", "check.py")}, args...)...)
		b, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return string(b), cmd.ProcessState.ExitCode()
	}
	t.Run("vectors", func(t *testing.T) {
		if out, code := run(t); code != 0 {
			t.Errorf("check.py answers %d:\n%s", code, out)
		}
	})

	spoil := map[string]func(v *vectors){
		"hash":       func(v *vectors) { v.Entries[0].Hash = strings.Repeat("0", 64) },
		"bytes":      func(v *vectors) { v.Entries[1].Bytes = strings.Replace(v.Entries[1].Bytes, `,"`, `, "`, 1) },
		"order":      func(v *vectors) { v.Chain[1], v.Chain[2] = v.Chain[2], v.Chain[1] },
		"state":      func(v *vectors) { v.Chain[3].State = v.Chain[2].State },
		"patch":      func(v *vectors) { v.Patches[1].Patch = "{}" },
		"commitment": func(v *vectors) { v.Commitments[1].Value += " " },
	}
	for name, change := range spoil {
		t.Run("spoilt "+name, func(t *testing.T) {
			v := readVectors(t)
			change(v)
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "vectors.json")
			if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, code := run(t, file); code != 1 || !strings.Contains(out, "computed") {
				t.Errorf("check.py answers %d, want 1 and the difference:\n%s", code, out)
			}
		})
	}
}
