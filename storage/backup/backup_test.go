package backup_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/storage"
	"bihuan/storage/backup"
	"bihuan/storage/files"
	"bihuan/storage/storagetest"
)

func TestMain(m *testing.M) { os.Exit(storagetest.Run(m)) }

var now = time.Date(2026, 11, 26, 1, 2, 3, 0, time.UTC)

// house is an installation with two files of evidence.
type house struct {
	t        *testing.T
	db       *storage.DB
	dir      string
	evidence *files.Files
	digests  []audit.Digest
}

func newHouse(t *testing.T, db *storage.DB) *house {
	t.Helper()
	h := &house{t: t, db: db, dir: filepath.Join(t.TempDir(), "evidence")}
	var err error
	if h.evidence, err = files.Open(h.dir); err != nil {
		t.Fatal(err)
	}
	unit, project := uuid.Must(uuid.NewV7()).String(), uuid.Must(uuid.NewV7()).String()
	hash := strings.Repeat("ab", 32)
	blob := func(hex string) string {
		if db.Backend() == storage.Postgres {
			return `'\x` + hex + "'"
		}
		return "x'" + hex + "'"
	}
	at := "'2026-11-26 01:02:03+00:00'"
	h.exec("INSERT INTO units (id, path, code, name, created_at, version) VALUES ('" + unit + "', '/" + unit + "/', 'dw', '党委', " + at + ", 1)")
	h.exec(`INSERT INTO projects (id, number, serial, kind, definition, unit_id, title, category, need, target, measures, owner_id, sponsor_id, list, source_key, extensions,
		stage, stage_since, resume, returns, round, progress, reports, evidence_count, summary, lasting, urges, ever_overdue, waiting, calendar_unknown, created_by, created_at, updated_at, version, head)
		VALUES ('` + project + "', 'SS2026-0001', 1, 'shishi', '', '" + unit + "', '安装充电桩', '', '', '', '', '', '', '', '', 0, 'plan', " + at + ", '', 0, 0, 0, 0, 2, '', '', 0, false, '', false, '', " + at + ", " + at + ", 1, " + blob(hash) + ")")
	for _, text := range []string{"%PDF-1.4\n一\n%%EOF\n", "%PDF-1.4\n" + strings.Repeat("二", 5000) + "\n%%EOF\n"} {
		e, err := h.evidence.Put(t.Context(), "验收单.pdf", strings.NewReader(text), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		h.digests = append(h.digests, e.SHA256)
		for range 2 { // two rows may name one file
			h.exec("INSERT INTO evidence (id, project_id, name, type, size, sha256, milestone, note, by_id, at) VALUES ('" + uuid.Must(uuid.NewV7()).String() + "', '" + project +
				"', '验收单.pdf', 'application/pdf', 1, " + blob(e.SHA256.String()) + ", '', '', '', " + at + ")")
		}
	}
	return h
}

func (h *house) exec(text string) {
	h.t.Helper()
	if _, err := h.db.SQL().ExecContext(h.t.Context(), text); err != nil {
		h.t.Fatalf("%s: %v", text, err)
	}
}

// file is where a file of evidence lies.
func (h *house) file(i int) string {
	s := h.digests[i].String()
	return filepath.Join(h.dir, s[:2], s[2:])
}

func (h *house) backUp() (string, backup.Manifest) {
	h.t.Helper()
	path := filepath.Join(h.t.TempDir(), "a.zip")
	m, err := backup.Write(h.t.Context(), h.db, h.evidence, path, "test", now)
	if err != nil {
		h.t.Fatal(err)
	}
	h.alone(path)
	return path, m
}

// alone holds that nothing lies beside a file.
func (h *house) alone(path string) {
	h.t.Helper()
	if list, err := os.ReadDir(filepath.Dir(path)); err != nil || len(list) != 1 {
		h.t.Errorf("beside the archive: %v, %v", list, err)
	}
}

// check opens an archive and reads it whole.
func check(t *testing.T, path string) (backup.Manifest, error) {
	t.Helper()
	a, err := backup.Open(path)
	if err != nil {
		return backup.Manifest{}, err
	}
	return a.Manifest, errors.Join(a.Check(t.Context()), a.Close())
}

// restore restores into a fresh place.
func restore(t *testing.T, path, backend string) (dsn string, evidence *files.Files, err error) {
	t.Helper()
	dsn = storagetest.DSN(t, backend)
	a, err := backup.Open(path)
	if err != nil {
		return dsn, nil, err
	}
	err = a.Restore(t.Context(), dsn, func() (*files.Files, error) {
		evidence, err = files.Open(filepath.Join(t.TempDir(), "evidence"))
		return evidence, err
	})
	return dsn, evidence, errors.Join(err, a.Close())
}

// lacks lists the evidence that the rows of a database name and the folder does not have.
func lacks(t *testing.T, db *storage.DB, evidence *files.Files) (list []audit.Digest, err error) {
	t.Helper()
	all, err := db.Attachments(t.Context())
	for _, a := range all {
		r, _, getErr := evidence.Get(a.SHA256)
		if getErr != nil {
			list = append(list, a.SHA256)
		} else if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	return list, err
}

func TestBackup(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := newHouse(t, db)
		path, m := h.backUp()
		if n, size := m.Evidence(); n != 2 || size < 15000 || len(m.Missing) != 0 || !m.MadeAt.Equal(now) || m.Program != "test" || m.Database.Backend != db.Backend() {
			t.Errorf("%d files, %d bytes: %+v", n, size, m)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("others can read it: %v, %v", info.Mode(), err)
		}
		got, err := check(t, path)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := json.Marshal(m)
		if b, _ := json.Marshal(got); !bytes.Equal(a, b) {
			t.Errorf("read back %s, want %s", b, a)
		}
		dsn, evidence, err := restore(t, path, db.Backend())
		if err != nil {
			t.Fatal(err)
		}
		copied := storagetest.At(t, dsn)
		if list, err := lacks(t, copied, evidence); err != nil || len(list) != 0 {
			t.Errorf("lacks %v, %v", list, err)
		}
		for i, d := range h.digests {
			r, _, err := evidence.Get(d)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			want, wantErr := os.ReadFile(h.file(i))
			if err = errors.Join(err, wantErr, r.Close()); err != nil || !bytes.Equal(got, want) {
				t.Errorf("evidence %s: %q, %v", d, got, err)
			}
		}
		// Once is enough, here and there.
		if _, err := backup.Write(t.Context(), db, h.evidence, path, "test", now); !errors.Is(err, fs.ErrExist) || engine.KindOf(err) != engine.Conflict {
			t.Errorf("over the former one: %v", err)
		}
		h.alone(path)
		open, err := backup.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = open.Close() }()
		err = open.Restore(t.Context(), dsn, func() (*files.Files, error) { t.Error("evidence is written"); return evidence, nil })
		if engine.KindOf(err) != engine.Conflict {
			t.Errorf("into what is not empty: %v", err)
		}
	})
}

// Evidence that is gone or altered keeps nothing else from being saved, and does not pass for what was handed in.
func TestMissingEvidence(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := newHouse(t, db)
		if err := errors.Join(os.Remove(h.file(0)), os.Chmod(h.file(1), 0o600), os.WriteFile(h.file(1), []byte("%PDF-1.4 better"), 0o600)); err != nil {
			t.Fatal(err)
		}
		path, m := h.backUp()
		want := map[audit.Digest]bool{h.digests[0]: false, h.digests[1]: true}
		if len(m.Missing) != 2 {
			t.Errorf("missing: %+v", m.Missing)
		}
		for _, x := range m.Missing {
			if altered, ok := want[x.SHA256]; !ok || altered != x.Altered {
				t.Errorf("missing: %+v", x)
			}
		}
		dsn, evidence, err := restore(t, path, db.Backend())
		if err != nil {
			t.Fatal(err)
		}
		if list, err := lacks(t, storagetest.At(t, dsn), evidence); err != nil || len(list) != 2 {
			t.Errorf("lacks %v, %v", list, err)
		}
	})
}

// Any byte that is changed is noticed, or changes nothing of what the archive holds.
func TestFlippedBytes(t *testing.T) {
	h := newHouse(t, storagetest.Open(t, storage.SQLite))
	path, m := h.backUp()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := json.Marshal(m)
	random := rand.New(rand.NewPCG(1, 2))
	bad := filepath.Join(t.TempDir(), "bad.zip")
	refused := 0
	const flips = 500
	for range flips {
		b := bytes.Clone(whole)
		b[random.IntN(len(b))] ^= 1 << random.IntN(8)
		if err := os.WriteFile(bad, b, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := check(t, bad)
		if err != nil {
			refused++
			continue
		}
		if x, _ := json.Marshal(got); !bytes.Equal(x, want) { // the parts are what the manifest says
			t.Fatalf("accepted as %s", x)
		}
	}
	if refused < flips*8/10 {
		t.Errorf("only %d of %d were refused: the rest should be times and names that nobody reads", refused, flips)
	}
	for _, n := range []int{0, 1, 100, len(whole) / 2, len(whole) - 1} {
		if err := os.WriteFile(bad, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := check(t, bad); !errors.Is(err, backup.ErrDamaged) {
			t.Errorf("cut off after %d of %d bytes: %v", n, len(whole), err)
		}
	}
}

// member is one of a forged archive.
type member struct {
	name string
	data []byte
}

func unpack(t *testing.T, path string) (list []member) {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = z.Close() }()
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		list = append(list, member{f.Name, b})
	}
	return list
}

func pack(t *testing.T, list []member) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "forged.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for _, m := range list {
		w, err := z.Create(m.name)
		if err == nil {
			_, err = w.Write(m.data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// An archive that was put together anew by hand is held against its manifest, and the manifest against the database.
func TestForgedArchives(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := newHouse(t, db)
		path, _ := h.backUp()
		edit := func(change func(m *backup.Manifest)) func([]member) []member {
			return func(list []member) []member {
				last := &list[len(list)-1]
				var m backup.Manifest
				if err := json.Unmarshal(last.data, &m); err != nil {
					t.Fatal(err)
				}
				change(&m)
				var err error
				if last.data, err = json.Marshal(m); err != nil {
					t.Fatal(err)
				}
				return list
			}
		}
		for name, c := range map[string]struct {
			change func([]member) []member
			key    string
		}{
			"as it was":          {func(l []member) []member { return l }, ""},
			"no manifest":        {func(l []member) []member { return l[:len(l)-1] }, "backup.no_backup"},
			"somebody else's":    {edit(func(m *backup.Manifest) { m.Kind = "x" }), "backup.no_backup"},
			"a later format":     {edit(func(m *backup.Manifest) { m.Format++ }), "backup.format"},
			"a newer schema":     {edit(func(m *backup.Manifest) { m.Database.Schema = 10000 }), "storage.restore_schema"},
			"no schema":          {edit(func(m *backup.Manifest) { m.Database.Schema = 0 }), "storage.restore_schema"},
			"other heads":        {edit(func(m *backup.Manifest) { m.Database.Heads = h.digests[0] }), "storage.restore_not_whole"},
			"fewer entries":      {edit(func(m *backup.Manifest) { m.Database.Entries++ }), "storage.restore_not_whole"},
			"other installation": {edit(func(m *backup.Manifest) { m.Database.Log = "x/1" }), "storage.restore_not_whole"},
			"a part too many":    {func(l []member) []member { return append([]member{{"database/x.copy", nil}}, l...) }, "backup.damaged"},
			"a part twice":       {func(l []member) []member { return append([]member{l[0]}, l...) }, "backup.damaged"},
			"a part too few":     {func(l []member) []member { return l[1:] }, "backup.damaged"},
			"out of its folder":  {func(l []member) []member { l[len(l)-2].name = "evidence/../../x"; return l }, "backup."},
			"another byte": {func(l []member) []member {
				l[0].data = append([]byte("!"), l[0].data[min(1, len(l[0].data)):]...)
				return l
			}, "backup.damaged"},
			"other evidence": {func(l []member) []member { l[len(l)-2].data[3] ^= 1; return l }, "backup.damaged"},
			"evidence renamed in both": {func(l []member) []member {
				old := l[len(l)-2].name
				l[len(l)-2].name = strings.Replace(old, old[:12], "evidence/zz/", 1)
				l[len(l)-1].data = bytes.ReplaceAll(l[len(l)-1].data, []byte(old), []byte(l[len(l)-2].name))
				return l
			}, "backup.damaged"},
		} {
			t.Run(name, func(t *testing.T) {
				dsn, evidence, err := restore(t, pack(t, c.change(unpack(t, path))), db.Backend())
				if c.key == "" {
					if err != nil {
						t.Fatal(err)
					}
					return
				}
				if e, ok := errors.AsType[*engine.Error](err); !ok || !strings.HasPrefix(e.Key, c.key) {
					t.Fatalf("%v, want %s", err, c.key)
				}
				if evidence != nil && c.key != "storage.restore_not_whole" {
					t.Error("evidence was written")
				}
				if file, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
					if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
						t.Errorf("there is a database: %v", err)
					}
				}
			})
		}
	})
}

// What cannot be written leaves nothing behind.
func TestUnwritable(t *testing.T) {
	h := newHouse(t, storagetest.Open(t, storage.SQLite))
	dir := t.TempDir()
	path := filepath.Join(dir, "nowhere", "a.zip")
	if _, err := backup.Write(t.Context(), h.db, h.evidence, path, "test", now); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	for _, odd := range []string{"带 空格?#%41&x=1.zip", "a:b.zip", "-x.zip", "'\".zip"} {
		if _, err := backup.Write(t.Context(), h.db, h.evidence, filepath.Join(dir, odd), "test", now); err != nil {
			t.Errorf("%s: %v", odd, err)
		}
		if _, err := check(t, filepath.Join(dir, odd)); err != nil {
			t.Errorf("%s: %v", odd, err)
		}
	}
	if os.Geteuid() == 0 {
		return // who may write everywhere
	}
	closed := filepath.Join(dir, "closed")
	if err := os.Mkdir(closed, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Write(t.Context(), h.db, h.evidence, filepath.Join(closed, "a.zip"), "test", now); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("no permission: %v", err)
	}
}
