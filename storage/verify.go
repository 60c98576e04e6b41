package storage

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"bihuan/engine"
	"bihuan/engine/audit"
)

// What a finding is about, beside the checks of package audit.
const (
	CheckCommitment = "commitment" // a user's login and name are not what the trail was promised
	CheckEvidence   = "evidence"   // a row of evidence is not what its entry says, or one of the two is missing
	CheckDefinition = "definition" // a definition's source is not what was published
	CheckOrphan     = "orphan"     // a row that no entry explains, or entries whose row is gone
)

// VerifyOptions bounds a verification. The zero value is the usual one.
type VerifyOptions struct {
	Project  engine.ProjectID    // only this project's chain, row and evidence; "" = everything
	Batch    int                 // entries read at a time; 0 = 2000
	Findings int                 // at most so many are listed, the others are counted; 0 = 1000
	Progress func(entries int64) // called after each batch, if given
	Now      func() time.Time    // nil: time.Now
}

// Checked counts what was looked at.
type Checked struct {
	Subjects    int64 `json:"subjects"`
	Entries     int64 `json:"entries"`
	Projects    int64 `json:"projects"`
	Units       int64 `json:"units"`
	Users       int64 `json:"users"`
	Tokens      int64 `json:"tokens"`
	Delegations int64 `json:"delegations"`
	Lists       int64 `json:"lists"`
	Commitments int64 `json:"commitments"` // opened; the others have been erased
	Evidence    int64 `json:"evidence"`
	Definitions int64 `json:"definitions"`
}

// Each names what was counted, in the words of its JSON and in their order.
func (c Checked) Each(yield func(what string, n int64) bool) {
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		if !yield(v.Type().Field(i).Tag.Get("json"), v.Field(i).Int()) {
			return
		}
	}
}

// Report is what a verification found.
type Report struct {
	Log      string          `json:"log"` // installation and epoch
	Started  time.Time       `json:"started"`
	Finished time.Time       `json:"finished"`
	Checked  Checked         `json:"checked"`
	Findings []audit.Finding `json:"findings"`
	More     int             `json:"more"` // findings that are not listed
}

// Intact reports whether nothing was found.
func (r *Report) Intact() bool { return len(r.Findings) == 0 }

// Verify reads the whole trail and compares it with itself and with every row that it explains: each entry's hash,
// columns and place in its chain; each project, unit, user, token and list with the fold of its entries; commitments,
// evidence and definitions. It reads one consistent state, writes nothing, and keeps no more in memory than a batch,
// one subject's chain and the heads of definitions. An error says that it could not decide.
func (db *DB) Verify(ctx context.Context, opt VerifyOptions) (Report, error) {
	if opt.Batch <= 0 {
		opt.Batch = 2000
	}
	if opt.Findings <= 0 {
		opt.Findings = 1000
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	r := Report{Started: opt.Now().UTC(), Findings: []audit.Finding{}}
	if err := db.Check(ctx); err != nil {
		return r, err
	}
	var err error
	if r.Log, err = db.Log(ctx); err != nil {
		return r, err
	}
	var begin []*sql.TxOptions
	if db.Backend() == Postgres {
		begin = append(begin, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	}
	err = db.reader(ctx).Transaction(func(tx *gorm.DB) error {
		v := newVerifier(tx, opt, &r)
		return v.run()
	}, begin...)
	r.Finished = opt.Now().UTC()
	return r, err
}

// verifier walks the entries in the order of subject and seq, and beside them the rows of each kind of subject in
// the order of their ids, which is the same.
type verifier struct {
	tx     *gorm.DB
	opt    VerifyOptions
	report *Report

	projects stream[engine.Project]
	units    stream[engine.Unit]
	users    stream[userRow]
	tokens   stream[engine.Token]
	lent     stream[engine.Delegation]
	lists    stream[engine.List]
	heads    stream[subjectRow]
	evidence stream[engine.Evidence]

	chain     *audit.Chain
	subject   string
	attached  map[string]json.RawMessage // evidence by id, as the subject's entries describe it
	published map[string]bool            // "workflow version digest", as entries say

	members map[[2]string][]byte // kept by member
	scratch [32]byte
}

func newVerifier(tx *gorm.DB, opt VerifyOptions, r *Report) *verifier {
	size := max(opt.Batch/8, 1) // rows are wider than entries
	v := &verifier{tx: tx, opt: opt, report: r, published: map[string]bool{}, members: map[[2]string][]byte{}}
	id := "SELECT %s FROM %s WHERE id > ? ORDER BY id LIMIT " + strconv.Itoa(size)
	const least = "00000000-0000-0000-0000-000000000000"
	v.projects = stream[engine.Project]{tx: tx, query: fmt.Sprintf(id, projects.quoted(""), projects.name), after: []any{least}, size: size,
		subject: func(p *engine.Project) string { return p.Subject() }, next: func(p *engine.Project) []any { return []any{string(p.ID)} }}
	v.units = stream[engine.Unit]{tx: tx, query: fmt.Sprintf(id, units.quoted(""), units.name), after: []any{least}, size: size,
		subject: func(u *engine.Unit) string { return engine.SubjectUnit + "/" + string(u.ID) }, next: func(u *engine.Unit) []any { return []any{string(u.ID)} }}
	v.users = stream[userRow]{tx: tx, query: fmt.Sprintf(id, users.quoted(""), users.name), after: []any{least}, size: size,
		subject: func(u *userRow) string { return engine.SubjectUser + "/" + string(u.ID) }, next: func(u *userRow) []any { return []any{string(u.ID)} }}
	v.tokens = stream[engine.Token]{tx: tx, query: fmt.Sprintf(id, tokens.quoted(""), tokens.name), after: []any{least}, size: size,
		subject: func(t *engine.Token) string { return engine.SubjectToken + "/" + string(t.ID) }, next: func(t *engine.Token) []any { return []any{string(t.ID)} }}
	v.lent = stream[engine.Delegation]{tx: tx, query: fmt.Sprintf(id, delegations.quoted(""), delegations.name), after: []any{least}, size: size,
		subject: func(d *engine.Delegation) string { return engine.SubjectDelegation + "/" + string(d.ID) }, next: func(d *engine.Delegation) []any { return []any{string(d.ID)} }}
	v.lists = stream[engine.List]{tx: tx, query: fmt.Sprintf(id, lists.quoted(""), lists.name), after: []any{least}, size: size,
		subject: func(l *engine.List) string { return l.Subject() }, next: func(l *engine.List) []any { return []any{string(l.ID)} }}
	v.heads = stream[subjectRow]{tx: tx, query: "SELECT subject, seq, head FROM subjects WHERE subject > ? ORDER BY subject LIMIT " + strconv.Itoa(size), after: []any{""}, size: size,
		subject: func(s *subjectRow) string { return s.Subject }, next: func(s *subjectRow) []any { return []any{s.Subject} }}
	v.evidence = stream[engine.Evidence]{tx: tx, query: "SELECT " + evidence.quoted("") + " FROM evidence WHERE (project_id, id) > (?, ?) ORDER BY project_id, id LIMIT " + strconv.Itoa(size),
		after: []any{least, least}, size: size,
		subject: func(e *engine.Evidence) string { return engine.SubjectProject + "/" + string(e.ProjectID) },
		next:    func(e *engine.Evidence) []any { return []any{string(e.ProjectID), e.ID} }}
	if opt.Project != "" {
		v.narrow(opt.Project)
	}
	return v
}

// narrow leaves of every stream but what belongs to one project.
func (v *verifier) narrow(id engine.ProjectID) {
	v.projects.query = fmt.Sprintf("SELECT %s FROM %s WHERE id > ? AND id = ? LIMIT 2", projects.quoted(""), projects.name)
	v.projects.only, v.projects.size = []any{string(id)}, 2
	v.evidence.query = strings.Replace(v.evidence.query, " ORDER BY", " AND project_id = ? ORDER BY", 1)
	v.evidence.only = []any{string(id)}
	v.units.done, v.users.done, v.tokens.done, v.lent.done, v.lists.done, v.heads.done = true, true, true, true, true, true
}

func (v *verifier) found(list ...audit.Finding) {
	for _, f := range list {
		if len(v.report.Findings) < v.opt.Findings {
			v.report.Findings = append(v.report.Findings, f)
		} else {
			v.report.More++
		}
	}
}

func (v *verifier) note(subject, check, format string, args ...any) {
	v.found(audit.Finding{Subject: subject, Check: check, Detail: fmt.Sprintf(format, args...)})
}

func (v *verifier) run() error {
	if err := v.entries(); err != nil {
		return err
	}
	if err := v.rest(); err != nil {
		return err
	}
	if v.opt.Project != "" {
		return nil
	}
	return v.definitions()
}

// entries reads the trail batch by batch. The id in the order matters only where somebody dropped the constraint
// that a seq exists once.
func (v *verifier) entries() error {
	one, only := "", []any(nil)
	if v.opt.Project != "" {
		one, only = " AND subject = ?", []any{engine.SubjectProject + "/" + string(v.opt.Project)}
	}
	query := "SELECT " + entries.quoted("") + " FROM entries WHERE (subject, seq, id) > (?, ?, ?)" + one + " ORDER BY subject, seq, id LIMIT " + strconv.Itoa(v.opt.Batch)
	after := []any{"", int64(0), "00000000-0000-0000-0000-000000000000"}
	for {
		batch, err := v.batch(query, append(after, only...))
		if err != nil {
			return fmt.Errorf("read entries: %w", err)
		}
		for i := range batch {
			if err := v.entry(&batch[i]); err != nil {
				return err
			}
		}
		v.report.Checked.Entries += int64(len(batch))
		if v.opt.Progress != nil {
			v.opt.Progress(v.report.Checked.Entries)
		}
		if len(batch) < v.opt.Batch {
			return v.closeChain()
		}
		last := &batch[len(batch)-1]
		after = []any{last.Subject, last.Seq, last.ID}
	}
}

// batch scans by hand: it is most of the time that verifying takes.
func (v *verifier) batch(query string, after []any) (out []entryRow, err error) {
	rows, err := v.tx.Raw(query, after...).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out = make([]entryRow, 0, v.opt.Batch)
	for rows.Next() {
		var e entryRow
		if err := rows.Scan(&e.ID, &e.Log, &e.At, &e.Subject, &e.Seq, &e.Prev, &e.Hash, &e.ActorID, &e.ActorRole,
			&e.Action, &e.UnitID, &e.FromStage, &e.ToStage, &e.Version, &e.Bytes); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

func (v *verifier) entry(e *entryRow) error {
	if v.chain == nil || e.Subject != v.subject {
		if err := v.closeChain(); err != nil {
			return err
		}
		v.chain, v.subject, v.attached = audit.NewChain(e.Subject), e.Subject, nil
		v.report.Checked.Subjects++
	}
	v.found(v.chain.Add(audit.Row{
		Bytes: e.Bytes, Hash: e.Hash, ID: e.ID, Subject: e.Subject, Seq: e.Seq, At: e.At, ActorID: e.ActorID,
		Action: e.Action, Unit: e.UnitID, From: e.FromStage, To: e.ToStage, Prev: e.Prev,
	})...)
	// The columns that audit does not compare.
	for _, c := range []struct {
		name string
		same bool
	}{
		{"log", bytes.Contains(e.Bytes, v.member("log", e.Log))},
		{"actor_role", e.ActorRole == "" || bytes.Contains(e.Bytes, v.member("role", e.ActorRole))},
		{"version", bytes.HasSuffix(e.Bytes, fmt.Appendf(v.scratch[:0], `"version":%d}`, e.Version))}, // the last member
	} {
		if !c.same {
			v.found(audit.Finding{Subject: e.Subject, Seq: e.Seq, Entry: e.ID, Check: audit.CheckColumns,
				Detail: "the column " + c.name + " is not what the bytes say"})
		}
	}
	v.promises(e)
	return nil
}

// member returns how an entry's bytes say name: value. Within a text a quote is escaped, so nothing else looks
// like it. There are few values, and each comes often.
func (v *verifier) member(name, value string) []byte {
	key := [2]string{name, value}
	if b, ok := v.members[key]; ok {
		return b
	}
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // a string
	}
	b := []byte(`"` + name + `":` + string(text))
	if len(v.members) < 1000 {
		v.members[key] = b
	}
	return b
}

// promises collects what an entry says about rows that are not its subject's own.
func (v *verifier) promises(e *entryRow) {
	isWorkflow := strings.HasPrefix(e.Subject, engine.SubjectWorkflow+"/")
	if !isWorkflow && !bytes.Contains(e.Bytes, []byte(`"evidence":{`)) {
		return
	}
	parsed, err := audit.Parse(e.Bytes)
	if err != nil {
		return // already found
	}
	var data struct {
		Evidence json.RawMessage `json:"evidence"`
		Version  int             `json:"version"`
		Digest   string          `json:"digest"`
	}
	if json.Unmarshal(parsed.Data, &data) != nil {
		return // an entry of a kind that we do not know
	}
	if isWorkflow && data.Digest != "" {
		v.published[publication(parsed.SubjectID(), data.Version, data.Digest)] = true
	}
	var row struct{ ID string }
	if len(data.Evidence) > 0 && json.Unmarshal(data.Evidence, &row) == nil {
		if v.attached == nil {
			v.attached = map[string]json.RawMessage{}
		}
		v.attached[row.ID] = data.Evidence
	}
}

func publication(workflow string, version int, digest string) string {
	return fmt.Sprintf("%s %d %s", workflow, version, digest)
}

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
	switch kind {
	case engine.SubjectUnit:
		row, err := v.units.until(subject, func(u *engine.Unit) { v.loneUnit(u) })
		return v.closeRow(c, head, row == nil, err, func() (int64, any) { v.report.Checked.Units++; return row.Version, row })
	case engine.SubjectToken:
		row, err := v.tokens.until(subject, func(t *engine.Token) { v.loneToken(t) })
		return v.closeRow(c, head, row == nil, err, func() (int64, any) { v.report.Checked.Tokens++; return row.Version, row })
	case engine.SubjectDelegation:
		row, err := v.lent.until(subject, func(d *engine.Delegation) { v.loneDelegation(d) })
		return v.closeRow(c, head, row == nil, err, func() (int64, any) { v.report.Checked.Delegations++; return row.Version, row })
	case engine.SubjectList:
		row, err := v.lists.until(subject, func(l *engine.List) { v.loneList(l) })
		return v.closeRow(c, head, row == nil, err, func() (int64, any) { v.report.Checked.Lists++; return row.Version, row })
	case engine.SubjectUser:
		row, err := v.users.until(subject, func(u *userRow) { v.loneUser(u) })
		return v.closeRow(c, head, row == nil, err, func() (int64, any) {
			v.report.Checked.Users++
			v.commitment(subject, row)
			return row.Version, row.User
		})
	}
	v.found(c.Close(head.Head, -1, nil)...)
	return nil
}

func (v *verifier) closeRow(c *audit.Chain, head *subjectRow, missing bool, err error, row func() (int64, any)) error {
	if err != nil {
		return err
	}
	if missing {
		v.note(v.subject, CheckOrphan, "there are entries, but the row is gone")
		v.found(c.Close(head.Head, -1, nil)...)
		return nil
	}
	version, state := row()
	b, err := json.Marshal(state)
	if err != nil {
		return err
	}
	v.found(c.Close(head.Head, version, b)...)
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
	return v.closeEvidence(subject)
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
	}
	for id := range v.attached {
		v.note(subject, CheckEvidence, "the row of evidence %s is gone", id)
	}
	return nil
}

// commitment opens what the trail holds of a user's personal data. Both are empty once they have been erased.
func (v *verifier) commitment(subject string, u *userRow) {
	if len(u.Salt) == 0 && u.Name == "" {
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
func (v *verifier) loneUnit(u *engine.Unit)       { v.lone(engine.SubjectUnit+"/"+string(u.ID), "unit") }
func (v *verifier) loneUser(u *userRow)           { v.lone(engine.SubjectUser+"/"+string(u.ID), "user") }
func (v *verifier) loneToken(t *engine.Token)     { v.lone(engine.SubjectToken+"/"+string(t.ID), "token") }
func (v *verifier) loneDelegation(d *engine.Delegation) {
	v.lone(engine.SubjectDelegation+"/"+string(d.ID), "delegation")
}
func (v *verifier) loneHead(s *subjectRow)  { v.lone(s.Subject, "subject") }
func (v *verifier) loneList(l *engine.List) { v.lone(l.Subject(), "list") }
func (v *verifier) loneEvidence(e *engine.Evidence) {
	v.note(engine.SubjectProject+"/"+string(e.ProjectID), CheckEvidence, "no entry tells of evidence %s", e.ID)
}

// rest looks at the rows behind the last subject of their kind.
func (v *verifier) rest() error {
	if _, err := v.projects.until("", v.loneProject); err != nil {
		return err
	}
	if _, err := v.units.until("", v.loneUnit); err != nil {
		return err
	}
	if _, err := v.users.until("", v.loneUser); err != nil {
		return err
	}
	if _, err := v.tokens.until("", v.loneToken); err != nil {
		return err
	}
	if _, err := v.lent.until("", v.loneDelegation); err != nil {
		return err
	}
	if _, err := v.lists.until("", v.loneList); err != nil {
		return err
	}
	if _, err := v.heads.until("", v.loneHead); err != nil {
		return err
	}
	_, err := v.evidence.until("", v.loneEvidence)
	return err
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
