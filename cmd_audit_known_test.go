package main

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bihuan/engine/message"
)

// TestVerifyKnown: an inspector's copy of a checkpoint is what finds a database that was rolled back as a whole, its
// signer's folder included.
func TestVerifyKnown(t *testing.T) {
	dsn := fresh(t)
	dir := filepath.Dir(strings.TrimPrefix(dsn, "sqlite:"))
	beside := map[string]string{"BIHUAN_SIGNING": ""}
	checkpoint := func() string {
		t.Helper()
		s := serve(t, dsn, beside)
		defer s.end()
		for {
			if code, note := fetch(t, "http://"+s.addr+"/audit/checkpoint"); code == 200 {
				return note
			}
		}
	}
	checkpoint()
	backup := t.TempDir()
	if err := os.CopyFS(backup, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	public := filepath.Join(backup, "signing", "checkpoint.pub")

	must(t, "unit", "add", "sx", "双校区", "--db", dsn)
	serve(t, dsn, beside).end() // signs at its end
	kept := file(t, "kept.txt", checkpoint())
	out := must(t, "audit", "verify", "--db", dsn, "--known", kept, "--key", public, "--lang", "en")
	contains(t, out, "verdict: intact", "Merkle log:")

	rolled := "sqlite:" + filepath.Join(backup, filepath.Base(strings.TrimPrefix(dsn, "sqlite:")))
	if a := call(t, nil, "audit", "verify", "--db", rolled); a.code != verifyIntact {
		t.Errorf("the copy by itself: exit %d\n%s%s", a.code, a.out, a.err)
	}
	a := call(t, nil, "audit", "verify", "--db", rolled, "--known", kept, "--lang", "en")
	if a.code != verifyTampered {
		t.Errorf("the copy against what the inspector kept: exit %d\n%s", a.code, a.out)
	}
	contains(t, a.out, "the rest is gone", "kept.txt")

	// The other database's last checkpoint against the folder of this one's signer.
	if a := call(t, map[string]string{"BIHUAN_SIGNING": filepath.Join(dir, "signing")}, "audit", "verify", "--db", rolled); a.code != verifyTampered {
		t.Errorf("against what the signer remembers: exit %d\n%s", a.code, a.out)
	}
	for name, text := range map[string]string{"nonsense": "nonsense", "another installation": func() string {
		other := fresh(t)
		s := serve(t, other, nil)
		defer s.end()
		for {
			if code, note := fetch(t, "http://"+s.addr+"/audit/checkpoint"); code == 200 {
				return note
			}
		}
	}()} {
		if a := call(t, nil, "audit", "verify", "--db", dsn, "--known", file(t, "x.txt", text)); a.code != verifyUsage || a.err == "" {
			t.Errorf("%s: exit %d\n%s%s", name, a.code, a.out, a.err)
		}
	}
	for _, args := range [][]string{{"--known", "nowhere.txt"}, {"--key", "nowhere.pub"}, {"--key", file(t, "empty.pub", "\n")}, {"--files", "nowhere"}} {
		if a := call(t, nil, append([]string{"audit", "verify", "--db", dsn}, args...)...); a.code != verifyUsage {
			t.Errorf("%v: exit %d\n%s%s", args, a.code, a.out, a.err)
		}
	}
}

// TestBundles: what export writes, verify believes with nothing but a public key, and nobody may change.
func TestBundles(t *testing.T) {
	databases(t, func(t *testing.T, dsn string) {
		env := map[string]string{"BIHUAN_SIGNING": signing(t, dsn)}
		serve(t, dsn, env).end()
		public := filepath.Join(signing(t, dsn), "checkpoint.pub")
		dir := t.TempDir()
		for name, args := range map[string][]string{"all.zip": nil, "unit.zip": {"--unit", "dw"}} {
			out := filepath.Join(dir, name)
			must(t, append([]string{"audit", "export", "--db", dsn, "--out", out}, args...)...)
			own := message.Text("en", "verifier.own_keys", nil)
			said := must(t, "audit", "verify", "--key", public, "--lang", "en", out)
			contains(t, said, "verdict: intact")
			if strings.Contains(said, own) {
				t.Errorf("with a key it is said that there is none:\n%s", said)
			}
			contains(t, must(t, "audit", "verify", "--lang", "en", out), "verdict: intact", own, message.Text("en", "verifier.scope."+map[string]string{"all.zip": "everything", "unit.zip": "unit"}[name], nil))
			contains(t, must(t, "audit", "verify", "--json", out), `"verdict": "intact"`, `"own_keys": true`)
			contains(t, must(t, "audit", "verify", "--json", "--key", public, out), `"own_keys": false`)
			if a := call(t, nil, append([]string{"audit", "export", "--db", dsn, "--out", out}, args...)...); a.code == 0 {
				t.Errorf("%s was written over", name)
			}
		}
		all := filepath.Join(dir, "all.zip")
		b, err := os.ReadFile(all)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]int{file(t, "x.zip", "nonsense"): verifyUnknown, file(t, "cut.zip", string(b[:len(b)/2])): verifyUnknown, "nowhere.zip": verifyUsage} {
			if a := call(t, nil, "audit", "verify", name); a.code != want {
				t.Errorf("%s: exit %d\n%s%s", name, a.code, a.out, a.err)
			}
		}
		other := fresh(t)
		serve(t, other, nil).end()
		stranger := filepath.Join(signing(t, other), "checkpoint.pub")
		if a := call(t, nil, "audit", "verify", "--key", stranger, all); a.code != verifyTampered {
			t.Errorf("with a stranger's key: exit %d\n%s", a.code, a.out)
		}
		if l := trail(t, dsn, "--action", "export_trail_bundle"); len(l.Entries) != 2 {
			t.Errorf("%d exports in the trail", len(l.Entries))
		}
	})
}

// TestEpoch: after a restore that lost entries the signer refuses until the loss is declared, with two approvers; then
// the trail verifies again, and what an inspector kept says what was lost instead of that somebody tampered.
func TestEpoch(t *testing.T) {
	dsn := fresh(t)
	path := strings.TrimPrefix(dsn, "sqlite:")
	beside := map[string]string{"BIHUAN_SIGNING": ""}
	for _, login := range []string{"wang", "zhao"} {
		must(t, "user", "add", login, login, "--db", dsn)
	}
	serve(t, dsn, beside).end()
	backup := filepath.Join(t.TempDir(), "backup.db")
	copyDatabase(t, path, backup)
	must(t, "unit", "add", "sx", "双校区", "--db", dsn)
	serve(t, dsn, beside).end()
	note, err := os.ReadFile(filepath.Join(filepath.Dir(path), "signing", "checkpoint.last"))
	if err != nil {
		t.Fatal(err)
	}
	kept := file(t, "kept.txt", string(note))
	epoch := func(more ...string) answer {
		return call(t, nil, append([]string{"audit", "epoch", "--db", dsn, "--note", "磁盘损坏", "--lang", "en"}, more...)...)
	}
	if a := epoch("--approved", "wang", "--approved", "zhao"); a.code == 0 || !strings.Contains(a.err, "nothing was lost") {
		t.Errorf("without a loss: exit %d\n%s%s", a.code, a.out, a.err)
	}

	copyDatabase(t, backup, path)
	if a := call(t, nil, "audit", "verify", "--db", dsn, "--known", kept); a.code != verifyTampered {
		t.Errorf("a restore that nobody declared: exit %d\n%s", a.code, a.out)
	}
	if a := epoch("--approved", "wang", "--approved", "wang"); a.code != exitUsage {
		t.Errorf("one approver twice: exit %d\n%s%s", a.code, a.out, a.err)
	}
	if a := epoch("--approved", "wang", "--approved", "zhao"); a.code != 0 {
		t.Fatalf("exit %d\n%s%s", a.code, a.out, a.err)
	}
	serve(t, dsn, beside).end()
	out := must(t, "audit", "verify", "--db", dsn, "--known", kept, "--lang", "en")
	contains(t, out, "verdict: intact", "declared loss", "epoch 2")
	if l := trail(t, dsn, "--action", "epoch"); len(l.Entries) != 1 {
		t.Errorf("%d epochs in the trail", len(l.Entries))
	}
	if l := trail(t, dsn, "--action", "alarm"); len(l.Entries) != 0 {
		t.Errorf("%d alarms after the loss was declared", len(l.Entries))
	}

	// The same copy once more, from before the epoch that was declared: that one was lost whole.
	must(t, "unit", "add", "sx", "双校区", "--db", dsn)
	serve(t, dsn, beside).end()
	if note, err = os.ReadFile(filepath.Join(filepath.Dir(path), "signing", "checkpoint.last")); err != nil {
		t.Fatal(err)
	}
	second := file(t, "second.txt", string(note))
	copyDatabase(t, backup, path)
	if a := epoch("--approved", "wang", "--approved", "zhao"); a.code != 0 {
		t.Fatalf("the same copy once more: exit %d\n%s%s", a.code, a.out, a.err)
	}
	if a := epoch("--approved", "wang", "--approved", "zhao"); a.code == 0 || !strings.Contains(a.err, "nothing was lost") {
		t.Errorf("twice: exit %d\n%s%s", a.code, a.out, a.err)
	}
	copyDatabase(t, backup, path) // and again, before anything was signed in the epoch that began
	if a := epoch("--approved", "wang", "--approved", "zhao"); a.code != 0 {
		t.Fatalf("a third time: exit %d\n%s%s", a.code, a.out, a.err)
	}
	serve(t, dsn, beside).end()
	out = must(t, "audit", "verify", "--db", dsn, "--known", kept, "--known", second, "--lang", "en")
	contains(t, out, "verdict: intact", "declared loss", "epoch 3")

	// Broken off between the beginning of an epoch and the entry that says so.
	copyDatabase(t, backup, path)
	pool, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = pool.ExecContext(t.Context(), "UPDATE installation SET epoch = 4"); errors.Join(err, pool.Close()) != nil {
		t.Fatal(err)
	}
	if a := epoch("--approved", "wang", "--approved", "zhao"); a.code != 0 {
		t.Fatalf("broken off: exit %d\n%s%s", a.code, a.out, a.err)
	}
	serve(t, dsn, beside).end()
	if l := trail(t, dsn, "--action", "epoch"); len(l.Entries) != 1 {
		t.Errorf("%d epochs in the trail", len(l.Entries))
	}
}

// copyDatabase copies an SQLite database that nobody has open, with its journal, over another.
func copyDatabase(t *testing.T, from, to string) {
	t.Helper()
	for _, more := range []string{"", "-wal", "-shm"} {
		if err := os.RemoveAll(to + more); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(from + more)
		if os.IsNotExist(err) {
			continue
		}
		if err == nil {
			err = os.WriteFile(to+more, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
