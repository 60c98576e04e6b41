package bundle

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"bihuan/engine/audit"
	"bihuan/engine/audit/merkle"
)

// ProofFormat is the version of the format of a proof.
const ProofFormat = "bihuan-proof/1"

// Proof shows that one entry stands in the log that a checkpoint signs. It is a file of its own, as JSON.
type Proof struct {
	Format     string         `json:"format"`
	Entry      string         `json:"entry"`      // the exact bytes that are hashed
	Leaf       audit.Digest   `json:"leaf"`       // their hash, as audit.HashEntry has it
	Index      int64          `json:"index"`      // place in the log, from 0
	Proof      []audit.Digest `json:"proof"`      // inclusion, as RFC 6962 has it
	Checkpoint string         `json:"checkpoint"` // the signed note
	Keys       []string       `json:"keys"`       // the public keys that the trail tells of
}

// VerifyFile verifies a bundle, or a proof of a single entry: that one is JSON, and a bundle is none.
func VerifyFile(r io.ReaderAt, size int64, opt Options) (Report, error) {
	var first [1]byte
	if _, err := r.ReadAt(first[:], 0); err != nil || first[0] != '{' || size > maxProof {
		return Verify(r, size, opt)
	}
	b, err := io.ReadAll(io.NewSectionReader(r, 0, size))
	if err != nil {
		return Report{}, err
	}
	return VerifyProof(b, opt)
}

// VerifyProof verifies a proof as Verify does a bundle: its manifest says Entry.
func VerifyProof(b []byte, opt Options) (Report, error) {
	var p Proof
	r := Report{Findings: []audit.Finding{}}
	if err := json.Unmarshal(b, &p); err != nil {
		return r, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if p.Format != ProofFormat || len(p.Keys) > maxKeys {
		return r, ErrFormat
	}
	note := func(subject, check, format string, args ...any) {
		r.add(audit.Finding{Subject: subject, Check: check, Detail: fmt.Sprintf(format, args...)})
	}
	r.Checked = Checked{Entries: 1, Subjects: 1, Proofs: 1, Checkpoints: 1}
	named, err := merkle.ParseKeys(strings.Join(p.Keys, "\n"))
	keys := opt.Keys
	if r.OwnKeys = len(keys) == 0; r.OwnKeys {
		if keys = named; err != nil {
			note(merkle.Subject, merkle.CheckSignature, "%v", err)
		}
	}
	e, err := audit.Parse([]byte(p.Entry))
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	r.Manifest = Manifest{Format: p.Format, Log: e.Log, Scope: OneEntry, ID: e.ID, Entries: 1}
	c, err := merkle.Parse([]byte(p.Checkpoint), keys)
	if err != nil {
		note(merkle.Subject, merkle.CheckSignature, "the checkpoint: %v", err)
		return r, nil
	}
	r.Checkpoint, r.Manifest.Size = &c, c.Size
	leaf := audit.HashEntry([]byte(p.Entry))
	if installation, _ := merkle.SplitLog(e.Log); installation != c.Installation() {
		note(e.Subject, CheckProof, "the checkpoint belongs to the log %s, the entry to %s", c.Log, e.Log)
	} else if leaf != p.Leaf || p.Index < 0 || p.Index >= c.Size || !merkle.CheckInclusion(p.Proof, c.Size, c.Root, p.Index, leaf) {
		note(e.Subject, CheckProof, "nothing proves that the entry stands at the place %d of the signed log", p.Index)
	}
	known, err := r.believe(opt.Known, append(named, keys...), c.Log)
	if err != nil {
		return r, err
	}
	for _, k := range known {
		switch {
		case k.Size == c.Size && k.Root != c.Root:
			note(merkle.Subject, merkle.CheckRoot, "%s: %s", k.Name, k.Unlike(c.Size, c.Root))
		case k.Size != c.Size:
			r.Undecided = append(r.Undecided, fmt.Sprintf("a proof of one entry does not say whether its checkpoint continues %s: take a bundle", k.Name))
		}
	}
	return r, nil
}
