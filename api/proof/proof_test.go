package proof_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"bihuan/api/proof"
	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/audit/bundle"
	"bihuan/engine/audit/merkle"
)

// log is a log of one leaf, with whatever checkpoint and keys somebody put beside it.
type log struct {
	name string
	note []byte
	keys []string

	broken error // instead of a proof

	inside chan struct{} // takes one from each bundle that is being written, and
	leave  chan struct{} // lets it end
}

func (l log) Log(context.Context) (string, error)        { return l.name, nil }
func (l log) Checkpoint(context.Context) ([]byte, error) { return l.note, nil }
func (l log) Keys(context.Context) ([]string, error)     { return l.keys, nil }
func (l log) Leaves(context.Context, []string) (map[string]int64, error) {
	return map[string]int64{"e": 0}, nil
}
func (l log) Inclusion(context.Context, int64, int64) (merkle.Proof, error) { return nil, l.broken }
func (l log) Bundle(context.Context, io.Writer, engine.Part, []merkle.Checkpoint) error {
	l.inside <- struct{}{}
	<-l.leave
	return nil
}

// TestNewestHolds: a checkpoint counts that a key of this installation signed, which the trail tells of; no other covers
// anything, and no proof is handed out with it. Nor is one for an entry that is not the one that was sealed.
func TestNewestHolds(t *testing.T) {
	const own, other = "0190c2f0-0000-7000-8000-000000000001", "0190c2f0-0000-7000-8000-000000000002"
	entryOf := func(name, action string) engine.EntryRow {
		e := audit.Entry{V: audit.Format, Log: name, ID: "e", At: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), Actor: audit.Actor{ID: "operator", Via: audit.ViaCLI}, Action: action, Subject: "project/p", Seq: 1, Version: 1,
			Note: "<b>&</b>\u2028"}
		b, err := e.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return engine.EntryRow{Entry: e, Bytes: b}
	}
	entry := entryOf(own+"/1", "create")
	key := func(installation string) (note.Signer, string) {
		private, public, err := note.GenerateKey(nil, "bihuan/"+installation)
		if err != nil {
			t.Fatal(err)
		}
		s, err := note.NewSigner(private)
		if err != nil {
			t.Fatal(err)
		}
		return s, public
	}
	sign := func(s note.Signer, name string) []byte {
		c := merkle.Checkpoint{Log: name, Size: 1, Root: audit.HashEntry(entry.Bytes), Time: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
		b, err := note.Sign(&note.Note{Text: c.Text()}, s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	ours, public := key(own)
	unknown, _ := key(own)
	theirs, foreign := key(other)
	good := sign(ours, own+"/1")
	for name, x := range map[string]struct {
		note  []byte
		keys  []string
		holds bool
	}{
		"ours":                               {good, []string{public}, true},
		"ours, of an earlier epoch":          {sign(ours, own), []string{public}, true},
		"ours, beside keys that are none":    {good, []string{"x", "", foreign, public}, true},
		"no key that the trail tells of":     {sign(unknown, own+"/1"), []string{public}, false},
		"no keys at all":                     {good, nil, false},
		"other words under our signature":    {[]byte(strings.Replace(string(good), "\n1\n", "\n2\n", 1)), []string{public}, false},
		"another installation's":             {sign(theirs, other+"/1"), []string{public}, false},
		"another's, whose key is known here": {sign(theirs, other+"/1"), []string{public, foreign}, false},
		"another's words, signed by our key": {sign(ours, other+"/1"), []string{public}, false},
		"no checkpoint":                      {[]byte("x"), []string{public}, false},
	} {
		l := log{name: own + "/1", note: x.note, keys: x.keys}
		n, err := proof.NewestOf(t.Context(), l)
		if err != nil || n.Holds() != x.holds || n.Covers(0) != x.holds || n.Covers(1) || string(n.Note) != string(x.note) {
			t.Errorf("%s: %+v, %v", name, n, err)
		}
		if x.holds && (!strings.HasPrefix(public, n.By+"+") || n.Size != 1) {
			t.Errorf("%s: signed by %q, the key is %q", name, n.By, public)
		}
		p, err := proof.Of(t.Context(), l, &entry)
		if x.holds && (err != nil || p.Leaf != audit.HashEntry(entry.Bytes)) || !x.holds && engine.KindOf(err) != engine.Damaged {
			t.Errorf("%s: the proof is %+v, %v", name, p, err)
		}
		if x.holds { // on a copy that knows nothing else
			b, err := proof.JSON(p)
			if err != nil {
				t.Fatal(err)
			}
			v := bundle.Judge(bundle.VerifyFile(bytes.NewReader(b), int64(len(b)), bundle.Options{}))
			if v.Verdict != bundle.Intact || !v.OwnKeys {
				t.Errorf("%s: what is handed out is %+v", name, v)
			}
		}
	}
	if p, err := proof.Of(t.Context(), log{name: own + "/1", note: good, keys: []string{public}, broken: fmt.Errorf("%w: a leaf is gone", merkle.ErrIncomplete)}, &entry); engine.KindOf(err) != engine.Damaged {
		t.Errorf("an entry of a log that is not whole is proved by %+v, %v", p, err)
	}
	l := log{name: own + "/1", note: good, keys: []string{public}}
	for name, changed := range map[string]engine.EntryRow{
		"changed":                entryOf(own+"/1", "edit"),
		"another installation's": entryOf(other+"/1", "create"),
		"no entry":               {Entry: entry.Entry, Bytes: []byte("as it was never sealed")},
	} {
		if p, err := proof.Of(t.Context(), l, &changed); engine.KindOf(err) != engine.Damaged {
			t.Errorf("%s: an entry is proved by %+v, %v", name, p, err)
		}
	}
	if n, err := proof.NewestOf(t.Context(), nil); n.Holds() || n.Covers(0) || err != nil {
		t.Error("what is not there covers something")
	}
}

// TestBundlesWait: two bundles are written at once, whoever asked; the next waits, and goes when its reader does.
func TestBundlesWait(t *testing.T) {
	l := log{inside: make(chan struct{}), leave: make(chan struct{})}
	done := make(chan error)
	write := func(ctx context.Context) { done <- proof.Bundle(ctx, l, io.Discard, engine.Part{}, nil) }
	for range 2 {
		go write(t.Context())
		<-l.inside
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	go write(gone)
	select {
	case <-l.inside:
		t.Fatal("a third bundle is written beside two")
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("whoever gave up waiting is told %v", err)
		}
	}
	go write(t.Context())
	l.leave <- struct{}{}
	<-l.inside // in the turn that was given back
	for range 2 {
		l.leave <- struct{}{}
	}
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
