package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"bihuan/engine/audit"
	"bihuan/engine/audit/merkle"
)

// entries walks entries, their places and, beside them, how each subject stands.
func (v *verifier) entries() error {
	if v.whole() {
		if v.report.Manifest.Size > v.report.Manifest.Entries {
			v.note(merkle.Subject, CheckBundle, "the log has %d entries, the bundle %d", v.report.Manifest.Size, v.report.Manifest.Entries)
		}
	}
	entries, err := v.open(entriesName)
	if err != nil {
		return err
	}
	defer entries.file.Close()
	places, err := v.open(placesName)
	if err != nil {
		return err
	}
	defer places.file.Close()
	subjects, err := v.open(subjectsName)
	if err != nil {
		return err
	}
	defer subjects.file.Close()

	var chain *audit.Chain
	var subject string
	var attached map[string]json.RawMessage
	end := func() error {
		if chain == nil {
			return nil
		}
		v.report.Checked.Subjects++
		return errors.Join(v.stands(chain, subject, subjects), v.attachments(subject, attached))
	}
	for {
		line, err := entries.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%s: %w", entriesName, err)
		}
		v.report.Checked.Entries++
		at := fmt.Sprintf("entry %d of the bundle", v.report.Checked.Entries)
		place, err := places.next()
		if err != nil {
			return fmt.Errorf("%s: %w: fewer than entries", placesName, ErrFormat)
		}
		e, parseErr := audit.Parse(line)
		if parseErr == nil && (chain == nil || e.Subject != subject) {
			if err := end(); err != nil {
				return err
			}
			chain, subject, attached = audit.NewChain(e.Subject), e.Subject, map[string]json.RawMessage{}
		}
		if chain == nil {
			v.note(merkle.Subject, audit.CheckBytes, "%s: %v", at, parseErr)
			continue
		}
		hash := audit.HashEntry(line)
		v.found(chain.Add(audit.Row{Bytes: line, Hash: hash, NoColumns: true})...)
		if parseErr == nil {
			v.promises(e, attached)
		}
		if err := v.place(e, subject, hash, place); err != nil {
			return err
		}
	}
	if err := end(); err != nil {
		return err
	}
	if _, err := places.next(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w: more than entries", placesName, ErrFormat)
	}
	for {
		line, err := subjects.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		var s Subject
		if err := strict(line, &s); err != nil {
			return fmt.Errorf("%s: %w: %w", subjectsName, ErrFormat, err)
		}
		v.note(s.Subject, CheckBundle, "there is a subject without entries")
	}
	if n := v.report.Checked.Entries; n != v.report.Manifest.Entries {
		v.note(merkle.Subject, CheckBundle, "the manifest tells of %d entries, the bundle has %d", v.report.Manifest.Entries, n)
	}
	return nil
}

// stands compares a chain with how its subject stands.
func (v *verifier) stands(chain *audit.Chain, subject string, subjects *lines) error {
	line, err := subjects.next()
	if errors.Is(err, io.EOF) {
		v.note(subject, CheckBundle, "the bundle does not say how it stands")
		return nil
	}
	if err != nil {
		return err
	}
	var s Subject
	if err := strict(line, &s); err != nil {
		return fmt.Errorf("%s: %w: %w", subjectsName, ErrFormat, err)
	}
	if s.Subject != subject {
		v.note(subject, CheckBundle, "the bundle says how %s stands in its place", s.Subject)
		return nil
	}
	if s.Seq != chain.Seq() {
		v.note(subject, audit.CheckHead, "the newest entry should have seq %d, the entries end with seq %d", s.Seq, chain.Seq())
	}
	if s.State != nil {
		v.report.Checked.States++
	}
	v.found(chain.Close(s.Head, s.Version, s.State)...)
	return nil
}

// place takes up where an entry stands, and has it proved in a part of a trail.
func (v *verifier) place(e audit.Entry, subject string, hash audit.Digest, line []byte) error {
	var p *Place
	if err := strict(line, &p); err != nil {
		return fmt.Errorf("%s: %w: %w", placesName, ErrFormat, err)
	}
	note := func(check, format string, args ...any) {
		v.found(audit.Finding{Subject: subject, Seq: e.Seq, Entry: e.ID, Check: check, Detail: fmt.Sprintf(format, args...)})
	}
	if p == nil {
		v.report.Checked.Unsealed++
		if why := v.dates.Missing(e.At); why != "" && !e.At.IsZero() {
			note(audit.CheckTime, "%s", why)
		}
		return nil
	}
	if p.Index < 0 || p.Index >= v.report.Manifest.Size {
		note(merkle.CheckLeaf, "it stands at place %d of a log with %d entries", p.Index, v.report.Manifest.Size)
		return nil
	}
	if !e.At.IsZero() {
		if why := v.dates.Backdated(p.Index, e.At); why != "" {
			note(audit.CheckTime, "%s", why)
		}
	}
	if v.whole() {
		for int64(len(v.leaves)) <= p.Index { // grows with the entries that there are, whatever the manifest says
			if int64(len(v.leaves)) > v.report.Manifest.Entries {
				note(merkle.CheckLeaf, "it stands at place %d, but there are only %d entries", p.Index, v.report.Manifest.Entries)
				return nil
			}
			v.leaves, v.filled = append(v.leaves, audit.Digest{}), append(v.filled, false)
		}
		if v.filled[p.Index] {
			note(merkle.CheckLeaf, "the place %d is taken by another entry", p.Index)
		}
		v.leaves[p.Index], v.filled[p.Index] = hash, true
		return nil
	}
	signed := v.report.Checkpoint
	switch {
	case signed == nil:
	case p.Index >= signed.Size:
		v.report.Checked.Unsealed++
	case !merkle.CheckInclusion(p.Proof, signed.Size, signed.Root, p.Index, hash):
		note(CheckProof, "nothing proves that it stands at place %d of the signed log", p.Index)
	default:
		v.report.Checked.Proofs++
	}
	return nil
}

// promises collects what an entry says about rows that are not its subject's own.
func (v *verifier) promises(e audit.Entry, attached map[string]json.RawMessage) {
	var data struct {
		Evidence json.RawMessage `json:"evidence"`
		Version  int             `json:"version"`
		Digest   string          `json:"digest"`
		Set      struct {
			Personal   string `json:"personal"`
			Objections map[string]struct {
				Sealed string `json:"sealed"`
			} `json:"objections"`
		} `json:"set"`
	}
	if len(e.Data) == 0 || json.Unmarshal(e.Data, &data) != nil {
		return // an entry of a kind that we do not know
	}
	if e.Kind() == "workflow" && data.Digest != "" {
		v.published[publication(e.SubjectID(), data.Version, data.Digest)] = true
	}
	if e.Kind() == "user" && data.Set.Personal != "" {
		v.sealed[sealing{e.Subject, ""}] = data.Set.Personal
	}
	if e.Kind() == "project" {
		for id, o := range data.Set.Objections {
			if o.Sealed != "" {
				v.sealed[sealing{e.Subject, id}] = o.Sealed
			}
		}
	}
	if x := e.Erased(); x != nil {
		v.report.Erased = append(v.report.Erased, *x)
	}
	var row struct{ ID string }
	if strings.HasPrefix(string(data.Evidence), "{") && json.Unmarshal(data.Evidence, &row) == nil {
		attached[row.ID] = data.Evidence
	}
}

// attachments compares a subject's rows of evidence with what its entries say was added.
func (v *verifier) attachments(subject string, attached map[string]json.RawMessage) error {
	for id, row := range v.evidence[subject] {
		said, ok := attached[id]
		delete(attached, id)
		switch {
		case !ok:
			v.note(subject, CheckEvidence, "no entry tells of evidence %s", id)
		case !audit.Equal(row, said):
			v.note(subject, CheckEvidence, "the row of evidence %s is %s, by its entry %s", id, row, said)
		}
	}
	for id := range attached {
		v.note(subject, CheckEvidence, "the row of evidence %s is gone", id)
	}
	delete(v.evidence, subject)
	return nil
}
