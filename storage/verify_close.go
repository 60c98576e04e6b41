package storage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"bihuan/engine"
	"bihuan/engine/audit"
)

// closeChain compares the chain that has come to its end with the subject's rows.
func (v *verifier) closeChain() error {
	if v.chain == nil {
		return nil
	}
	c, subject := v.chain, v.subject
	v.chain = nil
	kind, _, _ := strings.Cut(subject, "/")
	if kind == engine.SubjectProject {
		return v.closeProject(c, subject)
	}
	head, err := v.heads.until(subject, v.loneHead)
	if err != nil {
		return err
	}
	if head == nil {
		v.note(subject, CheckOrphan, "there are entries up to seq %d, but nothing says which is the newest", c.Seq())
		head = &subjectRow{Seq: c.Seq(), Head: c.Head()}
	}
	if head.Seq != c.Seq() {
		v.note(subject, audit.CheckHead, "the newest entry should have seq %d, the entries end with seq %d", head.Seq, c.Seq())
	}
	rows, ok := v.stands[kind]
	if !ok {
		v.found(c.Close(head.Head, -1, nil)...)
		if kind == engine.SubjectCalendar {
			return v.closeCalendar(c)
		}
		return nil
	}
	row, err := rows.until(subject)
	if err != nil {
		return err
	}
	if row == nil {
		v.note(subject, CheckOrphan, "there are entries, but the row is gone")
		v.found(c.Close(head.Head, -1, nil)...)
		return nil
	}
	b, err := json.Marshal(row.state)
	if err != nil {
		return err
	}
	v.found(c.Close(head.Head, row.version, b)...)
	return nil
}

func (v *verifier) closeProject(c *audit.Chain, subject string) error {
	p, err := v.projects.until(subject, v.loneProject)
	if err != nil {
		return err
	}
	if p == nil {
		v.note(subject, CheckOrphan, "there are entries up to seq %d, but the project is gone", c.Seq())
		return nil
	}
	v.report.Checked.Projects++
	v.found(c.Close(p.Head, p.Version, p.State())...)
	return errors.Join(v.closeEvidence(subject), v.closeRemarks(subject, p))
}

// closeRemarks opens what the trail holds of the words of people without an account: what was not erased must be there,
// and nothing else.
func (v *verifier) closeRemarks(subject string, p *engine.Project) error {
	kept := map[string]bool{}
	for {
		r, err := v.remarks.until(subject, v.loneRemark)
		if err != nil {
			return err
		}
		if r == nil {
			break
		}
		o := p.Objections[r.ID]
		switch kept[r.ID] = true; {
		case o.Sealed == "":
			v.loneRemark(r)
		case o.Erased():
			v.note(subject, CheckCommitment, "the words of objection %s are there, and were erased", r.ID)
		case r.Commitment() != o.Sealed:
			v.note(subject, CheckCommitment, "the words of objection %s are not those that were committed to", r.ID)
		}
	}
	for id, o := range p.Objections {
		switch {
		case o.Sealed == "":
		case o.Erased():
			v.report.Checked.Erased++
		default:
			v.report.Checked.Commitments++
			if !kept[id] {
				v.note(subject, CheckCommitment, "the words of objection %s are gone, and no entry tells that they were erased", id)
			}
		}
	}
	return nil
}

// closeEvidence compares a project's rows of evidence with what its entries say was added.
func (v *verifier) closeEvidence(subject string) error {
	for {
		e, err := v.evidence.until(subject, v.loneEvidence)
		if err != nil {
			return err
		}
		if e == nil {
			break
		}
		v.report.Checked.Evidence++
		said, ok := v.attached[e.ID]
		delete(v.attached, e.ID)
		if !ok {
			v.loneEvidence(e)
			continue
		}
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if !audit.Equal(b, said) {
			v.note(subject, CheckEvidence, "the row of evidence %s is %s, by its entry %s", e.ID, b, said)
		}
		if err := v.file(subject, e, said); err != nil {
			return err
		}
	}
	for id := range v.attached {
		v.note(subject, CheckEvidence, "the row of evidence %s is gone", id)
	}
	return nil
}

// file reads a file of evidence and compares it with what its entry says.
func (v *verifier) file(subject string, e *engine.Evidence, said json.RawMessage) error {
	var entry struct {
		SHA256 audit.Digest `json:"sha256"`
	}
	if v.opt.Files == nil || json.Unmarshal(said, &entry) != nil || v.files[entry.SHA256] {
		return nil //nolint:nilerr // an entry that cannot be read is another check's finding
	}
	v.files[entry.SHA256] = true
	f, err := v.opt.Files(entry.SHA256)
	if errors.Is(err, fs.ErrNotExist) {
		v.note(subject, CheckEvidence, "the file of evidence %s with the digest %s is gone", e.ID, entry.SHA256)
		return nil
	}
	if err != nil {
		return fmt.Errorf("evidence %s: %w", e.ID, err)
	}
	v.report.Checked.Files++
	got, err := audit.HashReader(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("evidence %s: %w", e.ID, err)
	}
	if got != entry.SHA256 {
		v.note(subject, CheckEvidence, "the file of evidence %s has the digest %s, by its entry %s", e.ID, got, entry.SHA256)
	}
	return nil
}

// commitment opens what the trail holds of a user's personal data. Once it has been erased nothing can be opened, and
// nothing may have come back; as long as no entry tells of that, it must be possible.
func (v *verifier) commitment(subject string, u *userRow) {
	if u.Erased() {
		v.report.Checked.Erased++
		if len(u.Salt) > 0 || !u.Forgotten() {
			v.note(subject, CheckCommitment, "login and name are there, and were erased")
		}
		return
	}
	v.report.Checked.Commitments++
	if engine.Personal(u.Salt, u.Login, u.Name).String() != u.Personal {
		v.note(subject, CheckCommitment, "login and name are not those that were committed to")
	}
}

func (v *verifier) lone(subject, what string) {
	v.note(subject, CheckOrphan, "the %s has no entries", what)
}

func (v *verifier) loneProject(p *engine.Project) { v.lone(p.Subject(), "project") }
func (v *verifier) loneHead(s *subjectRow)        { v.lone(s.Subject, "subject") }
func (v *verifier) loneEvidence(e *engine.Evidence) {
	v.note(engine.SubjectProject+"/"+string(e.ProjectID), CheckEvidence, "no entry tells of evidence %s", e.ID)
}

func (v *verifier) loneRemark(r *engine.Remark) {
	v.note(engine.SubjectProject+"/"+string(r.ProjectID), CheckCommitment, "no entry tells of words of objection %s", r.ID)
}

// rest looks at the rows behind the last subject of their kind.
func (v *verifier) rest() error {
	if _, err := v.projects.until("", v.loneProject); err != nil {
		return err
	}
	for _, s := range standings {
		if _, err := v.stands[s.kind].until(""); err != nil {
			return err
		}
	}
	if _, err := v.heads.until("", v.loneHead); err != nil {
		return err
	}
	for year := range v.years {
		v.lone(engine.SubjectCalendar+"/"+year, "calendar")
	}
	_, err := v.evidence.until("", v.loneEvidence)
	_, remarkErr := v.remarks.until("", v.loneRemark)
	return errors.Join(err, remarkErr)
}

// definitions compares every published definition with what the trail says was published.
func (v *verifier) definitions() error {
	var list []engine.Definition
	if err := v.tx.Raw("SELECT " + definitions.quoted("") + " FROM definitions ORDER BY workflow_id, version").Scan(&list).Error; err != nil {
		return err
	}
	for _, d := range list {
		v.report.Checked.Definitions++
		subject := engine.SubjectWorkflow + "/" + d.ID
		if got := audit.HashContent(d.Source).String(); got != d.Digest {
			v.note(subject, CheckDefinition, "version %d has the digest %s, its source %s", d.Version, d.Digest, got)
		}
		key := publication(d.ID, d.Version, d.Digest)
		if !v.published[key] {
			v.note(subject, CheckDefinition, "no entry tells that version %d with digest %s was published", d.Version, d.Digest)
		}
		delete(v.published, key)
	}
	for key := range v.published {
		name, rest, _ := strings.Cut(key, " ")
		v.note(engine.SubjectWorkflow+"/"+name, CheckDefinition, "what was published is gone: version and digest %s", rest)
	}
	return nil
}
