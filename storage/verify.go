package storage

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/audit/merkle"
	"bihuan/engine/calendar"
)

// What a finding is about, beside the checks of package audit.
const (
	CheckCommitment = "commitment" // a user's login and name, or the words of an objection, are not what the trail was promised
	CheckEvidence   = "evidence"   // a row of evidence is not what its entry says, or one of the two is missing
	CheckDefinition = "definition" // a definition's source is not what was published
	CheckOrphan     = "orphan"     // a row that no entry explains, or entries whose row is gone
)

// VerifyOptions bounds a verification. The zero value is the usual one.
type VerifyOptions struct {
	Project  engine.ProjectID    // only this project's chain, row and evidence; "" = everything
	Batch    int                 // entries read at a time; 0 = 2000
	Keys     merkle.Keys         // whose checkpoints are believed; empty: those that the trail itself tells of
	Known    []merkle.Kept       // what somebody kept outside
	Files    OpenFile            // reads evidence; nil: files are not looked at
	Findings int                 // at most so many are listed, the others are counted; 0 = 1000
	Progress func(entries int64) // called after each batch, if given
	Now      func() time.Time    // nil: time.Now
}

// OpenFile opens the file with a digest; an error that is fs.ErrNotExist says that it is gone.
type OpenFile func(digest audit.Digest) (io.ReadCloser, error)

// Checked counts what was looked at.
type Checked struct {
	Checkpoints int64 `json:"checkpoints"`
	Known       int64 `json:"known"`    // checkpoints from outside
	Leaves      int64 `json:"leaves"`   // entries in the Merkle log
	Nodes       int64 `json:"nodes"`    // of the log that are stored
	Unsealed    int64 `json:"unsealed"` // entries that are not in the log yet
	Subjects    int64 `json:"subjects"`
	Entries     int64 `json:"entries"`
	Projects    int64 `json:"projects"`
	Units       int64 `json:"units"`
	Users       int64 `json:"users"`
	Tokens      int64 `json:"tokens"`
	Delegations int64 `json:"delegations"`
	Lists       int64 `json:"lists"`
	Needs       int64 `json:"needs"`
	Sheets      int64 `json:"sheets"`
	Commitments int64 `json:"commitments"` // opened
	Erased      int64 `json:"erased"`      // commitments that nobody can open any more, as entries tell
	Evidence    int64 `json:"evidence"`
	Files       int64 `json:"files"` // of evidence, read and hashed
	Definitions int64 `json:"definitions"`
	Kinds       int64 `json:"kinds"`       // switched on or off
	Tallies     int64 `json:"tallies"`     // definitions of yearly counts
	TallyYears  int64 `json:"tally_years"` // what members did in a year
	Channels    int64 `json:"channels"`
	Settings    int64 `json:"settings"`  // how people want to be told
	Wordings    int64 `json:"wordings"`  // of messages, in the site's own words
	Mappings    int64 `json:"mappings"`  // of the columns of ledgers
	Calendars   int64 `json:"calendars"` // years whose days were loaded
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
	Log      string          `json:"log"`  // installation and epoch
	Root     audit.Digest    `json:"root"` // of the Merkle log with Checked.Leaves entries; "" for one project
	Started  time.Time       `json:"started"`
	Finished time.Time       `json:"finished"`
	Checked  Checked         `json:"checked"`
	Findings []audit.Finding `json:"findings"`
	More     int             `json:"more"`                     // findings that are not listed
	Erased   []audit.Erased  `json:"erased,omitempty"`         // what nobody can read any more, and who did it: no finding
	Oldest   *time.Time      `json:"unsealed_since,omitempty"` // time of the oldest entry that is not in the log yet
	Lost     []Lost          `json:"lost,omitempty"`           // what a declared restore lost: no finding
	Doubts   []merkle.Doubt  `json:"doubts,omitempty"`         // what was kept outside, and not believed: no finding
}

// Intact reports whether nothing was found.
func (r *Report) Intact() bool { return len(r.Findings) == 0 }

// Verify reads the whole trail and compares it with itself and with every row that it explains: the signatures of
// checkpoints, the Merkle log under them; each entry's hash, columns, place in its chain and in the log; each project and every other row of standings with the
// fold of its entries; commitments, evidence, the calendar and definitions. It reads one consistent state, writes nothing, and keeps no more in memory than a batch,
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
		return v.run(ctx)
	}, begin...)
	r.Finished = opt.Now().UTC()
	return r, err
}

// verifier walks the entries in the order of subject and seq, and beside them the rows of each kind of subject in
// the order of their ids, which is the same.
type verifier struct {
	tx     *gorm.DB
	turn   sync.Mutex // of tx: entries are read ahead while rows are compared
	opt    VerifyOptions
	report *Report

	projects stream[engine.Project]
	stands   map[string]standingRows // by kind
	heads    stream[subjectRow]
	evidence stream[engine.Evidence]
	remarks  stream[engine.Remark]
	years    map[string][]calendar.Day // that were loaded and not yet compared

	log       logVerifier
	files     map[audit.Digest]bool // read already
	chain     *audit.Chain
	subject   string
	attached  map[string]json.RawMessage // evidence by id, as the subject's entries describe it
	published map[string]bool            // "workflow version digest", as entries say
}

func newVerifier(tx *gorm.DB, opt VerifyOptions, r *Report) *verifier {
	size := max(opt.Batch/8, 1) // rows are wider than entries
	v := &verifier{tx: tx, opt: opt, report: r, published: map[string]bool{}, files: map[audit.Digest]bool{}}
	v.projects = stream[engine.Project]{tx: tx, turn: &v.turn, after: []any{leastID}, size: size,
		query:   fmt.Sprintf("SELECT %s FROM %s WHERE id > ? ORDER BY id LIMIT %d", projects.quoted(""), projects.name, size),
		subject: func(p *engine.Project) string { return p.Subject() }, next: func(p *engine.Project) []any { return []any{string(p.ID)} }}
	v.beginStandings(size)
	v.heads = stream[subjectRow]{tx: tx, turn: &v.turn, query: "SELECT subject, seq, head FROM subjects WHERE subject > ? ORDER BY subject LIMIT " + strconv.Itoa(size), after: []any{""}, size: size,
		subject: func(s *subjectRow) string { return s.Subject }, next: func(s *subjectRow) []any { return []any{s.Subject} }}
	v.evidence = stream[engine.Evidence]{tx: tx, turn: &v.turn, query: "SELECT " + evidence.quoted("") + " FROM evidence WHERE (project_id, id) > (?, ?) ORDER BY project_id, id LIMIT " + strconv.Itoa(size),
		after: []any{leastID, leastID}, size: size,
		subject: func(e *engine.Evidence) string { return engine.SubjectProject + "/" + string(e.ProjectID) },
		next:    func(e *engine.Evidence) []any { return []any{string(e.ProjectID), e.ID} }}
	v.remarks = stream[engine.Remark]{tx: tx, turn: &v.turn, query: "SELECT " + remarks.quoted("") + " FROM remarks WHERE (project_id, id) > (?, ?) ORDER BY project_id, id LIMIT " + strconv.Itoa(size),
		after: []any{leastID, ""}, size: size,
		subject: func(r *engine.Remark) string { return engine.SubjectProject + "/" + string(r.ProjectID) },
		next:    func(r *engine.Remark) []any { return []any{string(r.ProjectID), r.ID} }}
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
	v.remarks.query = strings.Replace(v.remarks.query, " ORDER BY", " AND project_id = ? ORDER BY", 1)
	v.remarks.only = []any{string(id)}
	v.heads.done = true
	for _, rows := range v.stands {
		rows.end()
	}
}

func (v *verifier) found(list ...audit.Finding) {
	var more int
	v.report.Findings, more = audit.Collect(v.report.Findings, v.opt.Findings, list...)
	v.report.More += more
}

func (v *verifier) note(subject, check, format string, args ...any) {
	v.found(audit.Finding{Subject: subject, Check: check, Detail: fmt.Sprintf(format, args...)})
}

func (v *verifier) run(ctx context.Context) error {
	steps := []func() error{
		func() error { return v.checkpoints(ctx) },
		func() error { return v.leaves(ctx) },
		func() (err error) { v.years, err = calendarDays(v.tx); return err },
		v.entries,
		v.orphans,
		v.rest,
		v.definitions,
	}
	if v.opt.Project != "" {
		steps = []func() error{func() error { return v.checkpoints(ctx) }, func() error { return v.prove(ctx) }, v.entries, v.rest}
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// entries reads the trail batch by batch. The id in the order matters only where somebody dropped the constraint
// that a seq exists once.
func (v *verifier) entries() error {
	one, only := "", []any(nil)
	if v.opt.Project != "" {
		one, only = " AND e.subject = ?", []any{engine.SubjectProject + "/" + string(v.opt.Project)}
	}
	query := "SELECT " + entries.quoted("e.") + ", l.idx, l.hash FROM entries e LEFT JOIN log_leaves l ON l.entry_id = e.id WHERE (e.subject, e.seq, e.id) > (?, ?, ?)" + one +
		" ORDER BY e.subject, e.seq, e.id LIMIT " + strconv.Itoa(v.opt.Batch)
	ahead, stop := v.readAhead(query, only)
	defer stop()
	for b := range ahead {
		if b.err != nil {
			return fmt.Errorf("read entries: %w", b.err)
		}
		for i := range b.entries {
			if err := v.entry(&b.entries[i]); err != nil {
				return err
			}
		}
		v.report.Checked.Entries += int64(len(b.entries))
		if v.opt.Progress != nil {
			v.opt.Progress(v.report.Checked.Entries)
		}
	}
	return v.closeChain()
}

// batch is what was read at once.
type batch struct {
	entries []placedEntry
	err     error
}

// readAhead reads batch after batch while the one before is being verified: reading takes one core and verifying
// another. stop waits until the transaction is no longer used.
func (v *verifier) readAhead(query string, only []any) (ahead <-chan batch, stop func()) {
	out, enough, ended := make(chan batch), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer close(out)
		after := []any{"", int64(0), leastID}
		for {
			var b batch
			b.entries, b.err = v.batch(query, append(after, only...))
			select {
			case out <- b:
			case <-enough:
				return
			}
			if b.err != nil || len(b.entries) < v.opt.Batch {
				return
			}
			last := &b.entries[len(b.entries)-1]
			after = []any{last.Subject, last.Seq, last.ID}
		}
	}()
	return out, func() { close(enough); <-ended }
}

// placedEntry is an entry with its place in the log, if it has one.
type placedEntry struct {
	entryRow
	idx  *int64
	leaf []byte
}

// batch scans by hand: it is most of the time that verifying takes.
func (v *verifier) batch(query string, after []any) (out []placedEntry, err error) {
	v.turn.Lock()
	defer v.turn.Unlock()
	rows, err := v.tx.Raw(query, after...).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out = make([]placedEntry, 0, v.opt.Batch)
	for rows.Next() {
		var e placedEntry
		if err := rows.Scan(&e.ID, &e.Log, &e.At, &e.Subject, &e.Seq, &e.Prev, &e.Hash, &e.ActorID, &e.ActorRole,
			&e.Action, &e.UnitID, &e.FromStage, &e.ToStage, &e.Version, &e.Bytes, &e.idx, &e.leaf); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

func (v *verifier) entry(p *placedEntry) error {
	e := &p.entryRow
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
	parsed, err := v.chain.Entry()
	v.columns(e, &parsed, err)
	v.place(e, p.idx, p.leaf, v.chain.Hashed())
	if err == nil { // if not, that was found
		v.promises(strings.HasPrefix(e.Subject, engine.SubjectWorkflow+"/"), &parsed)
		if x := parsed.Erased(); x != nil && len(v.report.Erased) < v.opt.Findings {
			v.report.Erased = append(v.report.Erased, *x)
		}
	}
	return nil
}

// columns compares the columns that audit does not. Where the bytes are no entry, what can be found in them counts.
func (v *verifier) columns(e *entryRow, parsed *audit.Entry, err error) {
	log, role, version := e.Log == parsed.Log, e.ActorRole == parsed.Actor.Role, e.Version == parsed.Version
	if err != nil {
		log = bytes.Contains(e.Bytes, says("log", e.Log))
		role = e.ActorRole == "" || bytes.Contains(e.Bytes, says("role", e.ActorRole))
		version = bytes.HasSuffix(e.Bytes, fmt.Appendf(nil, `"version":%d}`, e.Version)) // the last member
	}
	for _, c := range [...]struct {
		name string
		same bool
	}{{"log", log}, {"actor_role", role}, {"version", version}} {
		if !c.same {
			v.found(audit.Finding{Subject: e.Subject, Seq: e.Seq, Entry: e.ID, Check: audit.CheckColumns,
				Detail: "the column " + c.name + " is not what the bytes say"})
		}
	}
}

// says returns how an entry's bytes say name: value. Within a text a quote is escaped, so nothing else looks like it.
func says(name, value string) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // a string
	}
	return []byte(`"` + name + `":` + string(text))
}

// promises collects what an entry says about rows that are not its subject's own.
func (v *verifier) promises(isWorkflow bool, e *audit.Entry) {
	if !isWorkflow && !bytes.Contains(e.Data, []byte(`"evidence":{`)) {
		return
	}
	var data struct {
		Evidence json.RawMessage `json:"evidence"`
		Version  int             `json:"version"`
		Digest   string          `json:"digest"`
	}
	if json.Unmarshal(e.Data, &data) != nil {
		return // an entry of a kind that we do not know
	}
	if isWorkflow && data.Digest != "" {
		v.published[publication(e.SubjectID(), data.Version, data.Digest)] = true
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
