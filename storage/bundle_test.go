package storage_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/audit/bundle"
	"bihuan/engine/audit/merkle"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// export makes a bundle and returns its bytes.
func (x *vault) export(opt storage.ExportOptions) []byte {
	x.t.Helper()
	opt.Now = func() time.Time { return x.now }
	var b bytes.Buffer
	_, err := x.db.Export(x.t.Context(), &b, opt)
	x.must(err)
	return b.Bytes()
}

// point is what the inspector kept says.
func (x *vault) point() merkle.Checkpoint {
	x.t.Helper()
	return x.known.Claims()[0]
}

// signs signs a checkpoint as nobody does who keeps to the rules: with the installation's key, whatever the log says.
func (x *vault) signs(c merkle.Checkpoint) []byte {
	x.t.Helper()
	private, err := os.ReadFile(filepath.Join(x.signing, "checkpoint.key"))
	x.must(err)
	s, err := note.NewSigner(strings.TrimSpace(string(private)))
	x.must(err)
	b, err := note.Sign(&note.Note{Text: c.Text()}, s)
	x.must(err)
	return b
}

func (x *vault) check(b []byte, known ...merkle.Kept) bundle.Report {
	x.t.Helper()
	keys, err := merkle.ReadKeys(x.signing)
	x.must(err)
	r, err := bundle.Verify(bytes.NewReader(b), int64(len(b)), bundle.Options{Keys: keys, Known: known})
	x.must(err)
	return r
}

func TestExport(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		x := newVault(t, db)
		kept, point := x.known, x.point()
		whole := x.verify(true).Checked
		for _, test := range []struct {
			name string
			opt  storage.ExportOptions
			want bundle.Checked
		}{
			{"everything", storage.ExportOptions{}, bundle.Checked{Entries: whole.Entries, Subjects: whole.Subjects, States: whole.Projects + whole.Units + whole.Users + whole.Tokens,
				Leaves: whole.Entries, Checkpoints: whole.Checkpoints + 1, Known: 1, Evidence: 1, Commitments: 2, Definitions: 1}},
			{"one project", storage.ExportOptions{Project: x.p.ID, Known: []merkle.Checkpoint{point}},
				bundle.Checked{Entries: x.p.Version, Subjects: 1, States: 1, Proofs: x.p.Version, Checkpoints: 1, Known: 1, Evidence: 1}},
			{"one unit", storage.ExportOptions{Unit: x.unit.ID, Known: []merkle.Checkpoint{point}},
				bundle.Checked{Entries: x.p.Version + 1, Subjects: 2, States: 2, Proofs: x.p.Version + 1, Checkpoints: 1, Known: 1, Evidence: 1}},
			{"the root's unit", storage.ExportOptions{Unit: x.units["root"].ID, Known: []merkle.Checkpoint{point}},
				bundle.Checked{Entries: x.p.Version + x.q.Version + 2, Subjects: 4, States: 4, Proofs: x.p.Version + x.q.Version + 2, Checkpoints: 1, Known: 1, Evidence: 1}},
		} {
			t.Run(test.name, func(t *testing.T) {
				b := x.export(test.opt)
				r := x.check(b, kept)
				if len(r.Findings) > 0 || len(r.Undecided) > 0 {
					t.Errorf("found %+v, undecided %v", r.Findings, r.Undecided)
				}
				if r.Checked != test.want {
					t.Errorf("checked %+v, want %+v", r.Checked, test.want)
				}
				// A checkpoint of a log that was rewritten since.
				other := point
				other.Root[0] ^= 1
				if r := x.check(b, merkle.Kept{Name: "kept.txt", Notes: [][]byte{x.signs(other)}}); !slices.ContainsFunc(r.Findings, func(f audit.Finding) bool { return f.Check == merkle.CheckRoot }) {
					t.Errorf("a log that does not continue what was kept: found %+v", r.Findings)
				}
				python(t, b, x.signing, 0)
			})
		}
		if r := x.check(x.export(storage.ExportOptions{Project: x.p.ID}), kept); len(r.Findings) > 0 || len(r.Undecided) != 1 {
			t.Errorf("a bundle that was not made with what was kept: found %+v, undecided %v", r.Findings, r.Undecided)
		}
		if _, err := db.Export(t.Context(), io.Discard, storage.ExportOptions{Unit: "0190c2f0-0000-7000-8000-000000000000"}); err == nil {
			t.Error("a unit that does not exist was exported")
		}
	})
}

// python has a bundle verified by the second implementation, which answers 0 for one that is intact and 1 otherwise.
func python(t *testing.T, b []byte, signing string, want int) {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("BIHUAN_TEST_PYTHON") == "required" {
			t.Fatal("BIHUAN_TEST_PYTHON=required, but there is no python3")
		}
		return // TestVectorsInPython says that it was not run
	}
	name := filepath.Join(t.TempDir(), "bundle.zip")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "-I", "-B", filepath.Join("..", "engine", "audit", "testdata", "check_bundle.py"), name, filepath.Join(signing, "checkpoint.pub"))
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if code := cmd.ProcessState.ExitCode(); code != want {
		t.Errorf("check_bundle.py answers %d, want %d:\n%s", code, want, out)
	}
}

// edited returns a bundle with one member changed.
func edited(t *testing.T, b []byte, name string, edit func([]byte) []byte) []byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name == name {
			content = edit(content)
		}
		m, err := w.Create(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestBundleFlips flips bits of everything that a bundle says, and asks for a finding or a refusal each time.
func TestBundleFlips(t *testing.T) {
	db := storagetest.Open(t, storage.SQLite)
	x := newVault(t, db)
	keys, err := merkle.ReadKeys(x.signing)
	x.must(err)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 8))
	for scope, b := range map[string][]byte{"everything": x.export(storage.ExportOptions{}), "project": x.export(storage.ExportOptions{Project: x.p.ID})} {
		for _, name := range []string{"checkpoint", "checkpoints.ndjson", "entries.ndjson", "places.ndjson", "subjects.ndjson", "evidence.ndjson", "openings.ndjson", "definitions.ndjson"} {
			for range 12 {
				at, changed := 0, false
				bad := edited(t, b, name, func(content []byte) []byte {
					if len(content) > 0 {
						at, changed = random.IntN(len(content)), true
						content[at] ^= 1 << random.IntN(7)
					}
					return content
				})
				if !changed {
					continue
				}
				r, err := bundle.Verify(bytes.NewReader(bad), int64(len(bad)), bundle.Options{Keys: keys})
				if err == nil && len(r.Findings) == 0 {
					t.Errorf("seed %d: %s: byte %d of %s was changed, and nothing found", seed, scope, at, name)
				}
			}
		}
	}
	whole := x.export(storage.ExportOptions{})
	for name, bad := range map[string][]byte{
		"swapped words of the public": edited(t, whole, "openings.ndjson", func(b []byte) []byte {
			return []byte(strings.Replace(string(b), "灯不亮", "灯很亮", 1))
		}),
		"an entry less": edited(t, whole, "entries.ndjson", func(b []byte) []byte { return b[bytes.IndexByte(b, '\n')+1:] }),
		"an edited entry": edited(t, whole, "entries.ndjson", func(b []byte) []byte {
			return []byte(strings.Replace(string(b), `"progress":20`, `"progress":95`, 1))
		}),
	} {
		if r, err := bundle.Verify(bytes.NewReader(bad), int64(len(bad)), bundle.Options{Keys: keys}); err == nil && len(r.Findings) == 0 {
			t.Errorf("%s: nothing found", name)
		}
		python(t, bad, x.signing, 1)
	}
	if _, err := bundle.Verify(strings.NewReader("PK"), 2, bundle.Options{}); err == nil {
		t.Error("nonsense is a bundle")
	}
}

// TestInventedEntriesAreNotIntact: an entry that nothing proves is found where a checkpoint should have covered it, and a
// part of a trail in which nothing is proved says that it cannot decide.
func TestInventedEntriesAreNotIntact(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		x := newVault(t, db)
		keys, err := merkle.ReadKeys(x.signing)
		x.must(err)
		x.now = x.now.Add(2 * time.Hour)
		x.q = x.update(x.q, func(p *engine.Project) { p.Progress = 3 })
		x.seal()
		x.checkpoint()
		part := x.export(storage.ExportOptions{Project: x.p.ID})
		unproved := edited(t, part, "places.ndjson", func(b []byte) []byte { return bytes.Repeat([]byte("null\n"), bytes.Count(b, []byte("\n"))) })
		r, err := bundle.Verify(bytes.NewReader(unproved), int64(len(unproved)), bundle.Options{Keys: keys})
		x.must(err)
		if len(r.Undecided) != 1 || len(r.Findings) != int(r.Checked.Entries) || r.Findings[0].Check != audit.CheckTime {
			t.Errorf("undecided %v, findings %v", r.Undecided, r.Findings)
		}
		python(t, unproved, x.signing, 1)
		other := edited(t, part, "manifest.json", func(b []byte) []byte { return bytes.Replace(b, []byte(`"project"`), []byte(`"nonsense"`), 1) })
		if _, err := bundle.Verify(bytes.NewReader(other), int64(len(other)), bundle.Options{Keys: keys}); !errors.Is(err, bundle.ErrFormat) {
			t.Errorf("a scope that there is not: %v", err)
		}

		// Appended with a date before the newest checkpoint, and not sealed yet.
		now := x.now
		x.now = now.Add(-time.Hour)
		x.p = x.update(x.p, func(p *engine.Project) { p.Progress = 99 })
		x.now = now
		found := x.verify(true).Findings
		for _, o := range []storage.ExportOptions{{}, {Project: x.p.ID}} {
			b := x.export(o)
			r, err := bundle.Verify(bytes.NewReader(b), int64(len(b)), bundle.Options{Keys: keys})
			x.must(err)
			if len(r.Findings) != 1 || r.Findings[0].Check != audit.CheckTime || len(found) != 1 || found[0].Check != audit.CheckTime {
				t.Errorf("live: %v; bundle: %v", found, r.Findings)
			}
			python(t, b, x.signing, 1)
		}
	})
}
