package merkle

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bihuan/engine/audit"
)

const testLog = "0190c2f0-0000-7000-8000-000000000001/1"

var signedAt = time.Date(2026, 11, 26, 1, 2, 3, 999, time.FixedZone("CST", 8*3600))

// openSigner opens a folder whose key is known to exist, or makes one.
func openSigner(t *testing.T, dir string) *Signer {
	t.Helper()
	_, missing := os.Stat(filepath.Join(dir, keyFile))
	s, fresh, err := OpenSigner(dir, testLog, missing == nil)
	if err != nil || fresh != (missing != nil) {
		t.Fatalf("fresh: %v, %v", fresh, err)
	}
	return s
}

func sign(t *testing.T, s *Signer, m *memory) ([]byte, Checkpoint) {
	t.Helper()
	msg, err := s.Sign(t.Context(), m, testLog, int64(len(m.levels[0])), signedAt)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ParseKeys(s.Public())
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse(msg, keys)
	if err != nil {
		t.Fatal(err)
	}
	return msg, c
}

func TestSign(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "signing")
	s := openSigner(t, dir)
	m := new(memory)
	m.grow(t, 300)
	msg, c := sign(t, s, m)
	if want := (Checkpoint{testLog, 300, Root(m.levels[0]), time.Date(2026, 11, 25, 17, 2, 3, 0, time.UTC)}); c != want {
		t.Errorf("signed %+v, want %+v", c, want)
	}
	if c.Epoch() != 1 || c.Installation()+"/1" != testLog {
		t.Errorf("installation %s, epoch %d", c.Installation(), c.Epoch())
	}
	info, err := os.Stat(filepath.Join(dir, keyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key has mode %v (%v)", info.Mode(), err)
	}
	if last, next, err := s.Next(); err != nil || last != c || next != 2 {
		t.Errorf("remembered %+v (%v), next %d", last, err, next)
	}
	if kept, err := ReadLast(dir); err != nil || !bytes.Equal(kept, msg) {
		t.Errorf("the file holds %q (%v)", kept, err)
	}
	// A later process with the same folder goes on.
	m.grow(t, 1)
	sign(t, openSigner(t, dir), m)
}

// Any changed bit of a signed checkpoint is noticed.
func TestParseEveryBit(t *testing.T) {
	s := openSigner(t, t.TempDir())
	m := new(memory)
	m.grow(t, 5)
	msg, _ := sign(t, s, m)
	keys, err := ParseKeys(s.Public())
	if err != nil {
		t.Fatal(err)
	}
	for i := range msg {
		for bit := range 8 {
			flipped := bytes.Clone(msg)
			flipped[i] ^= 1 << bit
			if c, err := Parse(flipped, keys); err == nil {
				t.Errorf("bit %d of byte %d: accepted as %+v: %q", bit, i, c, flipped)
			}
		}
	}
	for name, other := range map[string][]byte{"nothing": nil, "cut": msg[:len(msg)-1], "longer": append(bytes.Clone(msg), '\n'),
		"huge": append(bytes.Clone(msg), bytes.Repeat([]byte("x"), MaxNote)...), "Windows": bytes.ReplaceAll(msg, []byte("\n"), []byte("\r\n"))} {
		if _, err := Parse(other, keys); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	stranger := openSigner(t, t.TempDir())
	others, err := ParseKeys(stranger.Public())
	if err != nil {
		t.Fatal(err)
	}
	if c, err := Parse(msg, others); !errors.Is(err, ErrSignature) || c.Size != 5 {
		t.Errorf("a stranger's key: %+v, %v, want what it says and ErrSignature", c, err)
	}
}

func TestSignRefuses(t *testing.T) {
	whole, fork, other := new(memory), new(memory), new(memory)
	whole.grow(t, 300)
	fork.grow(t, 300)
	fork.levels[0][7] = audit.HashContent([]byte("rewritten"))
	var tree Tree
	for _, h := range fork.levels[0][:Width] {
		tree.Add(h)
	}
	fork.levels[1][0] = tree.Root()
	other.grow(t, 301)
	other.levels[0][299] = audit.HashContent([]byte("rewritten"))
	for _, tt := range []struct {
		name string
		h    *memory
		log  string
		size int64
		want error
	}{
		{"the same again", whole, testLog, 300, nil},
		{"rollback", whole, testLog, 299, ErrRollback},
		{"same size, other root", fork, testLog, 300, ErrFork},
		{"larger, but not a continuation", other, testLog, 301, ErrFork},
		{"an epoch that nobody declared", whole, strings.TrimSuffix(testLog, "1") + "2", 300, ErrEpoch},
		{"another installation", whole, "x/1", 300, ErrFork},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			s := openSigner(t, dir)
			before, _ := sign(t, s, whole)
			for _, signer := range []*Signer{s, openSigner(t, dir)} { // and after a restart
				_, err := signer.Sign(t.Context(), tt.h, tt.log, tt.size, signedAt)
				if !errors.Is(err, tt.want) {
					t.Errorf("%v, want %v", err, tt.want)
				}
			}
			if kept, err := ReadLast(dir); err != nil || !bytes.Equal(kept, before) {
				t.Errorf("what was signed is forgotten: %q (%v)", kept, err)
			}
		})
	}
}

// An epoch that was declared may begin with less, and only that epoch may.
func TestDeclare(t *testing.T) {
	dir := t.TempDir()
	s := openSigner(t, dir)
	if c, err := s.Declare(); err == nil {
		t.Errorf("declared the end of nothing: %+v", c)
	}
	m := new(memory)
	m.grow(t, 20)
	_, c := sign(t, s, m)
	if ended, err := s.Declare(); err != nil || ended != c {
		t.Fatalf("ended %+v (%v), want %+v", ended, err, c)
	}
	if last, epoch, err := s.Next(); err != nil || last.Size != 0 || epoch != 2 {
		t.Errorf("remembered %+v (%v), next %d", last, err, epoch)
	}
	next := strings.TrimSuffix(testLog, "1") + "2"
	for log, want := range map[string]error{testLog: ErrEpoch, strings.TrimSuffix(testLog, "1") + "3": ErrEpoch} {
		if _, err := s.Sign(t.Context(), m, log, 10, signedAt); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", log, err, want)
		}
	}
	if _, err := s.Sign(t.Context(), m, next, 10, signedAt); err != nil {
		t.Error(err)
	}
}

func TestRotate(t *testing.T) {
	dir := t.TempDir()
	s := openSigner(t, dir)
	m := new(memory)
	m.grow(t, 3)
	before := s.Public()
	old, _ := sign(t, s, m)
	// While no entry tells of a new key nobody signs with it, a running server that reads the folder included.
	running := openSigner(t, dir)
	failed := errors.New("no entry")
	if public, err := s.Rotate(func(string) error { return failed }); !errors.Is(err, failed) || public != "" {
		t.Errorf("rotated to %s (%v) without an entry", public, err)
	}
	recorded := ""
	after, err := s.Rotate(func(public string) error {
		recorded = public
		m.grow(t, 1)
		msg, _ := sign(t, running, m)
		former, err := ParseKeys(before)
		if err != nil {
			return err
		}
		_, err = Parse(msg, former)
		return err
	})
	if recorded != after {
		t.Errorf("recorded %s, rotated to %s", recorded, after)
	}
	if err != nil || after == before || s.Public() != after {
		t.Fatalf("rotated from %s to %s (%v)", before, after, err)
	}
	m.grow(t, 1)
	msg, _ := sign(t, openSigner(t, dir), m) // continues what the former key signed
	keys, err := ReadKeys(dir)
	if err != nil || len(keys) != 2 {
		t.Fatalf("%d keys (%v), want 2", len(keys), err)
	}
	for _, n := range [][]byte{old, msg} {
		if _, err := Parse(n, keys); err != nil {
			t.Errorf("%q: %v", n, err)
		}
	}
	if _, err := Parse(msg, keys[1:]); !errors.Is(err, ErrSignature) {
		t.Errorf("the former key signed too: %v", err)
	}
}

// A key that is gone is never replaced in silence.
func TestOpenSignerRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := OpenSigner(dir, testLog, true); !errors.Is(err, ErrNoKey) {
		t.Errorf("a known key that is not there: %v", err)
	}
	openSigner(t, dir)
	if _, _, err := OpenSigner(dir, "other/1", true); err == nil || strings.Contains(err.Error(), "PRIVATE") {
		t.Errorf("another installation's key: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, keyFile)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := OpenSigner(dir, testLog, false); !errors.Is(err, ErrNoKey) {
		t.Errorf("a key whose public half is there: %v", err)
	}
}
