package main

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"bihuan/engine/secret"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// elsewhere names an empty database of the same kind.
func elsewhere(t *testing.T, dsn string) string {
	t.Helper()
	if strings.HasPrefix(dsn, "sqlite:") {
		return storagetest.DSN(t, storage.SQLite)
	}
	return storagetest.DSN(t, storage.Postgres)
}

// What is backed up is restored and then verified, and the trail tells of both.
func TestBackupRestore(t *testing.T) {
	databases(t, func(t *testing.T, dsn string) {
		key := secret.NewKey()
		env := map[string]string{"BIHUAN_SECRET_KEY": key, "BIHUAN_FILES": filepath.Join(t.TempDir(), "evidence")}
		must(t, "import", "--db", dsn, "--kind", "shishi", "--unit", "dw", published+"linan_2022_minsheng_plan.csv")
		must(t, "user", "add", "zhang", "张三", "--db", dsn)
		dir := t.TempDir()
		a := call(t, env, "backup", dir, "--db", dsn)
		if a.code != exitOK || a.err != "" {
			t.Fatalf("exit %d\n%s%s", a.code, a.out, a.err)
		}
		made, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || len(made) != 1 || !regexp.MustCompile(`^bihuan-\d{8}-\d{6}Z\.zip$`).MatchString(filepath.Base(made[0])) {
			t.Fatalf("made %v, %v", made, err)
		}
		contains(t, a.out, made[0], "密钥不在备份里")
		if a := call(t, env, "backup", made[0], "--db", dsn); a.code != exitFailed || !strings.Contains(a.err, "不会覆盖") {
			t.Errorf("over the former: exit %d\n%s%s", a.code, a.out, a.err)
		}
		if a := call(t, env, "restore", made[0], "--check"); a.code != exitOK || !strings.Contains(a.out, "备份完整") {
			t.Errorf("check: exit %d\n%s%s", a.code, a.out, a.err)
		}

		// The same key and folder, as on a new machine that has the old set-up.
		to := elsewhere(t, dsn)
		env["BIHUAN_FILES"] = filepath.Join(t.TempDir(), "restored")
		a = call(t, env, "restore", made[0], "--db", to)
		if a.code != verifyIntact || a.err != "" {
			t.Fatalf("restore: exit %d\n%s%s", a.code, a.out, a.err)
		}
		contains(t, a.out, "已恢复 "+made[0], "结论：完好", "项目 3")
		contains(t, must(t, "user", "list", "--db", to), "张三")
		want, got := trail(t, dsn, "--limit", "1000"), trail(t, to, "--limit", "1000")
		for _, e := range want.Entries[1:] { // the second, refused back-up came later
			if !strings.Contains(asText(t, got), e.Hash) {
				t.Errorf("the entry %s %s is lost", e.Entry.Action, e.Entry.ID)
			}
		}
		if len(got.Entries) != len(want.Entries) || got.Entries[0].Entry.Action != "restore" || got.Entries[1].Entry.Action != "back_up" {
			t.Errorf("%d entries, want %d; the newest are %+v", len(got.Entries), len(want.Entries), got.Entries[:2])
		}
		if a := call(t, nil, "audit", "verify", "--db", to); a.code != verifyIntact {
			t.Errorf("verify: exit %d\n%s", a.code, a.out)
		}
		for name, args := range map[string][]string{
			"into what is not empty": {made[0], "--db", dsn}, "no such file": {"none.zip", "--db", to}, "no such flag": {made[0], "--force"},
			"into the other kind": {made[0], "--db", map[bool]string{true: "postgres://nobody@127.0.0.1:1/none", false: "sqlite:" + filepath.Join(t.TempDir(), "x.db")}[strings.HasPrefix(dsn, "sqlite:")]},
			"no archive":          {file(t, "a.zip", "PK"), "--db", elsewhere(t, dsn)},
		} {
			if a := call(t, env, append([]string{"restore"}, args...)...); a.code != restoreRefused || a.out != "" || a.err == "" {
				t.Errorf("%s: exit %d\n%s%s", name, a.code, a.out, a.err)
			}
		}
		if after := trail(t, dsn, "--limit", "1000"); len(after.Entries) != len(want.Entries) {
			t.Errorf("a refused restore wrote %d entries", len(after.Entries)-len(want.Entries))
		}

		// Whoever rewrites the trail before the backup is made is found out after it is restored.
		tamper(t, dsn, "UPDATE entries SET action = 'add_unit' WHERE id = '"+firstEntry(t, dsn, "add_user")+"'")
		forged := filepath.Join(t.TempDir(), "forged.zip")
		must(t, "backup", forged, "--db", dsn)
		a = call(t, env, "restore", forged, "--db", elsewhere(t, dsn))
		if a.code != verifyTampered || !strings.Contains(a.out, "结论：被改动") {
			t.Errorf("tampered: exit %d\n%s%s", a.code, a.out, a.err)
		}
	})
}

func asText(t *testing.T, l listedTrail) string {
	t.Helper()
	var b strings.Builder
	for _, e := range l.Entries {
		b.WriteString(e.Hash + "\n")
	}
	return b.String()
}

// A demo has everything: evidence, sealed channels, and a key file beside the database. Keys never get into a backup, in
// no spelling, and evidence that was swapped is named.
func TestBackupLeavesKeysOut(t *testing.T) {
	dir := t.TempDir()
	must(t, "demo", "--dir", dir, "--exit")
	dsn := "sqlite:" + filepath.Join(dir, "bihuan.db")
	text, err := os.ReadFile(filepath.Join(dir, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	key := strings.TrimSpace(string(text))
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(raw) != 32 {
		t.Fatalf("the key: %d bytes, %v", len(raw), err)
	}
	for _, name := range []string{"signing.key", "evidence/signing.key", "evidence/incoming/x", "config.yaml"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("PRIVATE+KEY+loop "+key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "a.zip")
	said := must(t, "backup", path, "--db", dsn)
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = z.Close() }()
	pieces := 0
	for _, f := range z.File {
		if strings.HasPrefix(f.Name, "evidence/") {
			pieces++
		}
	}
	if pieces == 0 {
		t.Fatal("the demo's evidence is not in the backup")
	}
	contains(t, said, fmt.Sprintf("佐证材料 %d 件", pieces))
	allowed := regexp.MustCompile(`^(manifest\.json|database/bihuan\.db|evidence/[0-9a-f]{2}/[0-9a-f]{62})$`)
	for _, f := range z.File {
		if !allowed.MatchString(f.Name) {
			t.Errorf("%s has no place in a backup", f.Name)
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		for _, spelling := range [][]byte{raw, []byte(key), []byte(hex.EncodeToString(raw)), []byte(base64.RawURLEncoding.EncodeToString(raw)), []byte("PRIVATE+KEY")} {
			if bytes.Contains(b, spelling) {
				t.Errorf("%s holds the key", f.Name)
			}
		}
	}

	// Swapped evidence.
	var victim string
	for _, f := range z.File {
		if rest, ok := strings.CutPrefix(f.Name, "evidence/"); ok {
			victim = filepath.Join(dir, "evidence", rest)
		}
	}
	if err := errors.Join(os.Chmod(victim, 0o600), os.WriteFile(victim, []byte("%PDF-1.4 better"), 0o600)); err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(t.TempDir(), "b.zip")
	a := call(t, nil, "backup", second, "--db", dsn)
	digest := filepath.Base(filepath.Dir(victim)) + filepath.Base(victim)
	if a.code != exitFailed || !strings.Contains(a.out, "被改动　"+digest) || !strings.Contains(a.err, "1 件") {
		t.Errorf("altered evidence: exit %d\n%s%s", a.code, a.out, a.err)
	}
	a = call(t, nil, "restore", second, "--db", "sqlite:"+filepath.Join(t.TempDir(), "x.db"))
	if a.code != verifyTampered || !strings.Contains(a.out, digest) || !strings.Contains(a.out, "结论：被改动，发现 1 处") {
		t.Errorf("restored without it: exit %d\n%s%s", a.code, a.out, a.err)
	}
}
