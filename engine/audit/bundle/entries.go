package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"bihuan/engine/audit"
	"bihuan/engine/audit/merkle"
)

// walk goes through the entries by subject, and beside them through whatever else a bundle says of each subject.
type walk struct {
	*verifier
	places   *lines
	subjects *rows[Subject]
	evidence *rows[Evidence]
	openings *rows[Opening]
	sources  *rows[Source]

	chain    *audit.Chain
	subject  string
	attached map[string]json.RawMessage // evidence by id, as the subject's entries describe it
	sealed   map[string]string          // commitments, as the subject's entries say: of an objection, or "" of a user
	erased   map[string]bool            // those that nobody can open any more
	bytes    int                        // of all these
}

// entries walks entries, their places and, beside them, how each subject stands.
func (v *verifier) entries() error {
	if m := v.report.Manifest; v.whole() && m.Size > m.Entries {
		v.note(merkle.Subject, CheckBundle, "the log has %d entries, the bundle %d", m.Size, m.Entries)
	}
	w := &walk{verifier: v}
	var e [6]error
	var entries *lines
	entries, e[0] = v.archive.lines(entriesName, audit.MaxEntry)
	w.places, e[1] = v.archive.lines(placesName, maxRow)
	w.subjects, e[2] = openRows[Subject](v.archive, subjectsName, maxStateRow)
	w.evidence, e[3] = openRows[Evidence](v.archive, evidenceName, maxRow)
	w.openings, e[4] = openRows[Opening](v.archive, openingsName, maxRow)
	w.sources, e[5] = openRows[Source](v.archive, sourcesName, maxSource)
	if err := errors.Join(e[:]...); err != nil {
		return err
	}
	if err := w.run(entries); err != nil {
		return err
	}
	if n := v.report.Checked.Entries; n != v.report.Manifest.Entries {
		v.note(merkle.Subject, CheckBundle, "the manifest tells of %d entries, the bundle has %d", v.report.Manifest.Entries, n)
	}
	return errors.Join(entries.file.Close(), w.places.file.Close(), w.subjects.file.Close(), w.evidence.file.Close(), w.openings.file.Close(), w.sources.file.Close())
}

func (w *walk) run(entries *lines) error {
	for {
		line, err := entries.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, errLong) {
			w.note(merkle.Subject, audit.CheckBytes, "entry %d of the bundle is larger than an entry can be", w.report.Checked.Entries+1)
		}
		if err == nil {
			err = w.report.full()
		}
		if err == nil {
			err = w.entry(line)
		}
		if err != nil {
			return err
		}
	}
	if err := w.end(""); err != nil {
		return err
	}
	if _, err := w.places.next(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w: more than entries", placesName, ErrFormat)
	}
	return nil
}

// entry takes the next entry with its place.
func (w *walk) entry(line []byte) error {
	w.report.Checked.Entries++
	place, err := w.places.next()
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%s: %w: fewer than entries", placesName, ErrFormat)
	}
	if err != nil {
		return err
	}
	e, parseErr := audit.Parse(line)
	if parseErr == nil && (w.chain == nil || e.Subject != w.subject) {
		if err := w.end(e.Subject); err != nil {
			return err
		}
		w.chain, w.subject, w.bytes = audit.NewChain(e.Subject), e.Subject, 0
		w.attached, w.sealed, w.erased = map[string]json.RawMessage{}, map[string]string{}, map[string]bool{}
	}
	if w.chain == nil {
		w.note(merkle.Subject, audit.CheckBytes, "entry %d of the bundle: %v", w.report.Checked.Entries, parseErr)
		return nil
	}
	hash, moved := audit.HashEntry(line), w.chain.Moved()
	w.found(w.chain.Add(audit.Row{Bytes: line, Hash: hash, NoColumns: true})...)
	w.moves -= w.chain.Moved() - moved
	if w.moves < 0 || w.chain.Size() > maxState {
		return fmt.Errorf("%w: what its entries make of %.80s is too large", ErrFormat, w.subject)
	}
	if parseErr == nil {
		if err := w.promises(e); err != nil {
			return err
		}
	}
	return w.place(e, w.subject, hash, place)
}

// end compares the chain that has come to its end with what the bundle says of its subject, before that of the next; ""
// stands for the end of all.
func (w *walk) end(next string) error {
	if w.chain != nil {
		w.report.Checked.Subjects++
		if err := errors.Join(w.stands(w.subject), w.attachments(w.subject), w.opens(w.subject), w.source(w.subject)); err != nil {
			return err
		}
	}
	if next != "" {
		return nil
	}
	return errors.Join(w.stands(""), w.attachments(""), w.opens(""), w.source(""))
}

// stands compares the chain with how its subject stands.
func (w *walk) stands(subject string) error {
	s, err := w.subjects.until(subject, func(s *Subject) string { return s.Subject }, func(s *Subject) error {
		w.note(s.Subject, CheckBundle, "there is a subject without entries")
		return w.report.full()
	})
	if err != nil || subject == "" {
		return err
	}
	if s == nil {
		w.note(subject, CheckBundle, "the bundle does not say how it stands")
		return nil
	}
	if s.Seq != w.chain.Seq() {
		w.note(subject, audit.CheckHead, "the newest entry should have seq %d, the entries end with seq %d", s.Seq, w.chain.Seq())
	}
	switch kind, _, _ := strings.Cut(subject, "/"); {
	case s.State != nil:
		w.report.Checked.States++
	case w.report.Manifest.Format != format1 && slices.Contains(Standing, kind):
		w.note(subject, CheckBundle, "the bundle does not say how it stands but for its newest entry")
	}
	w.found(w.chain.Close(s.Head, s.Version, s.State)...)
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
	m := v.report.Manifest
	if p.Index < 0 || p.Index >= m.Size {
		note(merkle.CheckLeaf, "it stands at place %d of a log with %d entries", p.Index, m.Size)
		return nil
	}
	if !e.At.IsZero() {
		if why := v.dates.Backdated(p.Index, e.At); why != "" {
			note(audit.CheckTime, "%s", why)
		}
	}
	if v.whole() {
		if p.Index >= m.Entries {
			note(merkle.CheckLeaf, "it stands at place %d, but there are only %d entries", p.Index, m.Entries)
			return nil
		}
		if v.leaves == nil {
			n := min(m.Size, m.Entries)
			v.leaves, v.filled = make([]audit.Digest, n), make([]bool, n)
		}
		if v.filled[p.Index] {
			note(merkle.CheckLeaf, "the place %d is taken by another entry", p.Index)
		}
		v.leaves[p.Index], v.filled[p.Index] = hash, true
		v.taken = max(v.taken, p.Index+1)
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
func (w *walk) promises(e audit.Entry) error {
	if x := e.Erased(); x != nil {
		w.erased[x.Of] = true
		w.bytes += len(x.Of)
		if len(w.report.Erased) < maxListed {
			w.report.Erased = append(w.report.Erased, *x)
		}
	}
	kind := e.Kind()
	if kind != "workflow" && kind != "user" && !bytes.Contains(e.Data, []byte(`"evidence":{`)) && !bytes.Contains(e.Data, []byte(`"sealed":`)) {
		return nil
	}
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
		return nil //nolint:nilerr // an entry of a kind that we do not know
	}
	if kind == "workflow" && data.Digest != "" {
		key := publication(e.SubjectID(), data.Version, data.Digest)
		w.published[key] = true
		if w.defined += len(key); w.defined > maxDefined {
			return fmt.Errorf("%w: more definitions than anybody publishes", ErrFormat)
		}
	}
	seal := func(of, commitment string) {
		if commitment != "" {
			w.sealed[of] = commitment
			w.bytes += len(of) + len(commitment)
		}
	}
	if kind == "user" {
		seal("", data.Set.Personal)
	}
	if kind == "project" {
		for id, o := range data.Set.Objections {
			seal(id, o.Sealed)
		}
	}
	var row struct{ ID string }
	if bytes.HasPrefix(data.Evidence, []byte("{")) && json.Unmarshal(data.Evidence, &row) == nil {
		w.attached[row.ID] = data.Evidence
		w.bytes += len(data.Evidence)
	}
	if w.bytes > maxAttached {
		return fmt.Errorf("%w: more is attached to %.80s than anybody attaches", ErrFormat, e.Subject)
	}
	return nil
}

// attachments compares the subject's rows of evidence with what its entries say was added.
func (w *walk) attachments(subject string) error {
	for {
		e, err := w.evidence.until(subject, func(e *Evidence) string { return e.Subject }, func(e *Evidence) error {
			w.note(e.Subject, CheckEvidence, "there are rows of evidence without entries")
			return w.report.full()
		})
		if err != nil {
			return err
		}
		if e == nil {
			break
		}
		w.report.Checked.Evidence++
		var row struct{ ID string }
		if json.Unmarshal(e.Row, &row) != nil || row.ID == "" {
			w.note(subject, CheckEvidence, "a row of evidence has no id")
			continue
		}
		said, ok := w.attached[row.ID]
		delete(w.attached, row.ID)
		switch {
		case !ok:
			w.note(subject, CheckEvidence, "no entry tells of evidence %s", row.ID)
		case !audit.Equal(e.Row, said):
			w.note(subject, CheckEvidence, "the row of evidence %s is %s, by its entry %s", row.ID, e.Row, said)
		}
		if err := w.report.full(); err != nil {
			return err
		}
	}
	if subject != "" {
		for id := range w.attached {
			w.note(subject, CheckEvidence, "the row of evidence %s is gone", id)
		}
		w.attached = nil
	}
	return nil
}

// opens opens the commitments to the subject's personal data.
func (w *walk) opens(subject string) error {
	wrong := func(o *Opening, format string) error {
		what := "login and name"
		if o.Of != "" {
			what = "the words of objection " + o.Of
		}
		w.note(o.Subject, CheckCommitment, format, what)
		return w.report.full()
	}
	const other = "%s are not those that were committed to"
	for {
		o, err := w.openings.until(subject, func(o *Opening) string { return o.Subject }, func(o *Opening) error {
			w.report.Checked.Commitments++
			return wrong(o, other)
		})
		if err != nil || o == nil {
			return err
		}
		w.report.Checked.Commitments++
		switch {
		case w.erased[o.Of]:
			err = wrong(o, "%s are there, and were erased")
		case audit.Commit(o.Salt, o.Value).String() != w.sealed[o.Of]:
			err = wrong(o, other)
		}
		if err != nil {
			return err
		}
	}
}

// source compares the source of a score sheet with what its entries say of it.
func (w *walk) source(subject string) error {
	s, err := w.sources.until(subject, func(s *Source) string { return s.Subject }, func(s *Source) error {
		w.note(s.Subject, CheckDefinition, "no entry tells of this source")
		return w.report.full()
	})
	if err != nil {
		return err
	}
	if s == nil {
		if w.whole() && w.report.Manifest.Format != format1 && strings.HasPrefix(subject, "sheet/") {
			w.note(subject, CheckDefinition, "the bundle does not hold its source")
		}
		return nil
	}
	w.report.Checked.Sources++
	var state struct {
		Digest string `json:"digest"`
	}
	if got := audit.HashContent([]byte(s.Source)).String(); json.Unmarshal(w.chain.State(), &state) != nil || got != state.Digest {
		w.note(subject, CheckDefinition, "by its entries it has the digest %.80s, its source %s", state.Digest, got)
	}
	return nil
}
