// Package proof hands out what proves the trail elsewhere, for the JSON API and the pages alike: where entries stand in
// the Merkle log, the newest checkpoint that covers them, inclusion proofs, and parts of the trail as bundles.
package proof

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"bihuan/api/upload"
	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/audit/bundle"
	"bihuan/engine/audit/merkle"
)

// Log is the Merkle log as answers need it.
type Log interface {
	// Log returns the installation's id and epoch, as entries have them.
	Log(ctx context.Context) (string, error)
	// Checkpoint returns the newest signed checkpoint, nil if there is none yet.
	Checkpoint(ctx context.Context) ([]byte, error)
	// Keys returns the public keys, the oldest first.
	Keys(ctx context.Context) ([]string, error)
	// Leaves returns the places of entries by their ids; one that has not been sealed yet is missing.
	Leaves(ctx context.Context, ids []string) (map[string]int64, error)
	// Inclusion proves that the entry at a place stands in the log with size entries.
	Inclusion(ctx context.Context, size, index int64) (merkle.Proof, error)
	// Bundle writes a part of the trail as a file that verifies by itself, and in a part of it what proves that it
	// continues the known checkpoints. It reads one consistent state.
	Bundle(ctx context.Context, w io.Writer, part engine.Part, known []merkle.Checkpoint) error
}

// Newest is the newest checkpoint. What nobody signed says nothing: then By is empty and so is the checkpoint.
type Newest struct {
	merkle.Checkpoint
	Note []byte   // as it is stored
	By   string   // name and hash of the installation's key that signed it, the last if there are several
	Keys []string // the installation's public keys; what the trail tells of beside them signed nothing
}

// NewestOf returns the newest checkpoint, nil if there is no log or nothing was signed yet. One that none of the keys signed
// that the trail tells of, or that belongs to another installation, is returned as one that does not hold.
func NewestOf(ctx context.Context, log Log) (*Newest, error) {
	if log == nil {
		return nil, nil //nolint:nilnil // none is an answer
	}
	note, err := log.Checkpoint(ctx)
	if err != nil || note == nil {
		return nil, err
	}
	own, err := log.Log(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := log.Keys(ctx)
	if err != nil {
		return nil, err
	}
	n := &Newest{Note: note, Keys: []string{}}
	installation, _ := merkle.SplitLog(own)
	for _, key := range keys {
		known, err := merkle.ParseKeys(key)
		if err != nil {
			continue // it signed nothing; a verification names it
		}
		known = known.Of(own)
		if len(known) > 0 {
			n.Keys = append(n.Keys, key)
		}
		for _, k := range known {
			if c, err := merkle.Parse(note, merkle.Keys{k}); err == nil && c.Installation() == installation {
				n.Checkpoint, n.By = c, fmt.Sprintf("%s+%08x", k.Name(), k.KeyHash())
			}
		}
	}
	return n, nil
}

// Holds tells whether one of the installation's keys signed the checkpoint.
func (n *Newest) Holds() bool { return n != nil && n.By != "" }

// Covers tells whether the checkpoint covers the entry at a place of the log.
func (n *Newest) Covers(index int64) bool { return n.Holds() && index < n.Size }

// Unsigned is the error about a checkpoint that does not hold.
func Unsigned() error { return &engine.Error{Kind: engine.Damaged, Key: "proof.unsigned"} }

// Of proves that an entry stands in the log that the newest checkpoint signs. What it returns verifies, as a file and with
// nothing else. An error of kind Damaged says that what is stored proves nothing: the checkpoint does not hold, the entry
// is not the one that was sealed, or the log is not whole.
func Of(ctx context.Context, log Log, e *engine.EntryRow) (*bundle.Proof, error) {
	newest, err := NewestOf(ctx, log)
	if err != nil {
		return nil, err
	}
	uncovered := &engine.Error{Kind: engine.Blocked, Key: "proof.uncovered"}
	if newest == nil {
		return nil, uncovered
	}
	if !newest.Holds() {
		return nil, Unsigned()
	}
	places, err := log.Leaves(ctx, []string{e.ID})
	if err != nil {
		return nil, err
	}
	index, sealed := places[e.ID]
	if !sealed || !newest.Covers(index) {
		return nil, uncovered
	}
	hashes, err := log.Inclusion(ctx, newest.Size, index)
	if errors.Is(err, merkle.ErrIncomplete) {
		return nil, damaged(err)
	}
	if err != nil {
		return nil, err
	}
	p := &bundle.Proof{Format: bundle.ProofFormat, Entry: string(e.Bytes), Leaf: audit.HashEntry(e.Bytes), Index: index, Proof: hashes, Checkpoint: string(newest.Note), Keys: newest.Keys}
	b, err := JSON(p)
	if err != nil {
		return nil, err
	}
	if r, err := bundle.VerifyProof(b, bundle.Options{}); err != nil || len(r.Findings) > 0 {
		return nil, damaged(err)
	}
	return p, nil
}

func damaged(err error) error {
	return &engine.Error{Kind: engine.Damaged, Key: "proof.damaged", Err: err}
}

// JSON is a proof as a file.
func JSON(p *bundle.Proof) ([]byte, error) {
	b, err := json.MarshalIndent(p, "", "  ")
	return append(b, '\n'), err
}

// Entry returns the entry with an id within the actor's scope; any other is as absent as one that does not exist.
func Entry(ctx context.Context, e *engine.Engine, who engine.Actor, id string) (engine.EntryRow, error) {
	page, err := e.Trail(ctx, who, engine.EntryFilter{ID: id, Limit: 1})
	if err != nil {
		return engine.EntryRow{}, err
	}
	if id == "" || len(page.Items) != 1 {
		return engine.EntryRow{}, &engine.Error{Kind: engine.NotFound, Key: "proof.unknown"}
	}
	return page.Items[0], nil
}

// Known reads the checkpoints that somebody kept and sends along; a text without any is refused.
func Known(text string) ([]merkle.Checkpoint, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	kept, err := merkle.Keep("", []byte(text))
	claims := kept.Claims()
	if err != nil || kept.Missed > 0 || len(claims) != len(kept.Notes) || len(claims) > maxKnown {
		return nil, &engine.Error{Kind: engine.Invalid, Field: "known", Key: "proof.not_known", Args: map[string]any{"limit": maxKnown}, Err: err}
	}
	return claims, nil
}

// maxKnown is how many kept checkpoints one bundle is proved against.
const maxKnown = 20

// FileName names the bundle of a part that is called name. What is no letter, digit or dash of ASCII is left out of it.
func FileName(name string, at time.Time) string {
	name = strings.Map(func(r rune) rune {
		if r == '-' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, name)
	return "audit-" + name + "-" + at.Format("20060102-1504") + ".zip"
}

// Begin lets the actor take a part of the trail away, if they may: it decides, and records the export, which so is an
// entry before its first byte leaves. It returns the part as Log.Bundle takes it.
func Begin(ctx context.Context, log Log, e *engine.Engine, who engine.Actor, part engine.Part) (engine.Part, error) {
	part, err := e.MayExportTrail(ctx, who, part)
	if err != nil {
		return part, err
	}
	if log == nil {
		return part, &engine.Error{Kind: engine.NotFound, Key: "proof.unknown"}
	}
	said := map[string]any{"scope": bundle.Everything}
	switch {
	case part.Project != "":
		said["scope"], said["project"] = bundle.OneProject, part.Project
	case part.Unit != "":
		said["scope"], said["unit"] = bundle.OneUnit, part.Unit
	}
	return part, e.Note(ctx, who, "export_trail_bundle", said)
}

// bundles are the turns of sending a bundle: each holds a connection to the database until it is sent.
var bundles = make(upload.Turns, 2)

// Bundle writes a part of the trail, which Begin let the actor take away. Few are written at once; the others wait.
func Bundle(ctx context.Context, log Log, w io.Writer, part engine.Part, known []merkle.Checkpoint) error {
	done, err := bundles.Take(ctx)
	if err != nil {
		return err
	}
	defer done()
	return log.Bundle(ctx, w, part, known)
}
