package storage

import (
	"fmt"
	"strings"

	"gorm.io/gorm"

	"bihuan/engine"
	"bihuan/engine/audit"
)

// standing is a kind of subject that has a row of its own, which is what its entries make of it. Projects are another,
// whose row names their newest entry as well. Verifying and exporting go by this list alone.
type standing struct {
	kind string
	what string // in findings
	one  func(tx *gorm.DB, id string) (stand, error)
	rows func(v *verifier, size int) standingRows
}

// stand is how a subject stands.
type stand struct {
	id      string
	version int64
	state   any
}

// standingRows are the rows of one kind in the order of their subjects.
type standingRows interface {
	// until names every row before the one of a subject as one without entries, and returns that one, nil if there is
	// none. The subject "" stands for the end.
	until(subject string) (*stand, error)
	end() // without another row
}

// standings are in the order in which rows without entries are named.
var standings = []standing{
	standingOf(engine.SubjectUnit, "unit", units, true, func(c *Checked) *int64 { return &c.Units }, nil,
		func(u *engine.Unit) stand { return stand{string(u.ID), u.Version, u} }),
	standingOf(engine.SubjectUser, "user", users, true, func(c *Checked) *int64 { return &c.Users }, (*verifier).commitment,
		func(u *userRow) stand { return stand{string(u.ID), u.Version, u.User} }),
	standingOf(engine.SubjectToken, "token", tokens, true, func(c *Checked) *int64 { return &c.Tokens }, nil,
		func(t *engine.Token) stand { return stand{string(t.ID), t.Version, t} }),
	standingOf(engine.SubjectDelegation, "delegation", delegations, true, func(c *Checked) *int64 { return &c.Delegations }, nil,
		func(d *engine.Delegation) stand { return stand{string(d.ID), d.Version, d} }),
	standingOf(engine.SubjectList, "list", lists, true, func(c *Checked) *int64 { return &c.Lists }, nil,
		func(l *engine.List) stand { return stand{string(l.ID), l.Version, l} }),
	standingOf(engine.SubjectNeed, "need", needs, true, func(c *Checked) *int64 { return &c.Needs }, nil,
		func(n *engine.Need) stand { return stand{string(n.ID), n.Version, n} }),
	standingOf(engine.SubjectSheet, "score sheet", sheetVersions, true, func(c *Checked) *int64 { return &c.Sheets }, (*verifier).sheetSource,
		func(s *engine.SheetVersion) stand { return stand{string(s.ID), s.Version, s} }),
	standingOf(engine.SubjectKind, "kind", kinds, false, func(c *Checked) *int64 { return &c.Kinds }, nil,
		func(k *engine.KindSwitch) stand { return stand{k.ID, k.Version, k} }),
	standingOf(engine.SubjectTally, "yearly count", tallies, false, func(c *Checked) *int64 { return &c.Tallies }, nil,
		func(t *engine.Tally) stand { return stand{t.ID, t.Version, t} }),
	standingOf(engine.SubjectTallyYear, "member's year", tallyYears, true, func(c *Checked) *int64 { return &c.TallyYears }, nil,
		func(y *engine.TallyYear) stand { return stand{string(y.ID), y.Version, y} }),
	// What is sealed or hashed in these, addresses, keys and the secret of a feed, is in no entry and so not compared.
	standingOf(engine.SubjectChannel, "channel", channels, true, func(c *Checked) *int64 { return &c.Channels }, nil,
		func(x *engine.Channel) stand { return stand{string(x.ID), x.Version, x} }),
	standingOf(engine.SubjectSettings, "setting", settings, true, func(c *Checked) *int64 { return &c.Settings }, nil,
		func(s *engine.NotifySettings) stand { return stand{string(s.ID), s.Version, s} }),
	standingOf(engine.SubjectWording, "wording", wordings, false, func(c *Checked) *int64 { return &c.Wordings }, nil,
		func(w *engine.Wording) stand { return stand{w.ID, w.Version, w} }),
	standingOf(engine.SubjectMapping, "source", sourceMappings, true, func(c *Checked) *int64 { return &c.Mappings }, nil,
		func(m *engine.SourceMapping) stand { return stand{string(m.ID), m.Version, m} }),
}

// standingOf describes a kind. Its ids are UUIDs, or words. more looks at what of a row is not part of its state; it may
// be nil.
func standingOf[T any](kind, what string, t table, uuids bool, count func(*Checked) *int64, more func(*verifier, string, *T), look func(*T) stand) standing {
	s := standing{kind: kind, what: what}
	s.one = func(tx *gorm.DB, id string) (stand, error) {
		row, err := rowOf[T](tx, t, id)
		if err != nil {
			return stand{}, err
		}
		return look(row), nil
	}
	s.rows = func(v *verifier, size int) standingRows {
		r := &rowsOf[T]{v: v, what: what, count: count(&v.report.Checked), more: more, look: look}
		least := ""
		if uuids {
			least = leastID
		}
		r.stream = stream[T]{tx: v.tx, turn: &v.turn, size: size, after: []any{least},
			query:   fmt.Sprintf("SELECT %s FROM %s WHERE id > ? ORDER BY id LIMIT %d", t.quoted(""), t.name, size),
			subject: func(row *T) string { return kind + "/" + look(row).id },
			next:    func(row *T) []any { return []any{look(row).id} }}
		return r
	}
	return s
}

// leastID sorts before every id.
const leastID = "00000000-0000-0000-0000-000000000000"

type rowsOf[T any] struct {
	stream[T]
	v     *verifier
	what  string
	count *int64
	more  func(*verifier, string, *T)
	look  func(*T) stand
}

func (r *rowsOf[T]) end() { r.done = true }

func (r *rowsOf[T]) until(subject string) (*stand, error) {
	row, err := r.stream.until(subject, func(lone *T) { r.v.lone(r.subject(lone), r.what) })
	if err != nil || row == nil {
		return nil, err
	}
	*r.count++
	if r.more != nil {
		r.more(r.v, subject, row)
	}
	s := r.look(row)
	return &s, nil
}

// beginStandings begins reading every kind.
func (v *verifier) beginStandings(size int) {
	v.stands = make(map[string]standingRows, len(standings))
	for _, s := range standings {
		v.stands[s.kind] = s.rows(v, size)
	}
}

// sheetSource compares the source of a score sheet with what its entries say of it.
func (v *verifier) sheetSource(subject string, row *engine.SheetVersion) {
	if got := audit.HashContent(row.Source).String(); got != row.Digest {
		v.note(subject, CheckDefinition, "the score sheet has the digest %s, its source %s", row.Digest, got)
	}
}

// standOf reads how a subject stands that has a row of its own, nil if it is of no such kind.
func standOf(tx *gorm.DB, subject string) (*stand, error) {
	kind, id, _ := strings.Cut(subject, "/")
	for _, s := range standings {
		if s.kind == kind {
			row, err := s.one(tx, id)
			return &row, err
		}
	}
	return nil, nil //nolint:nilnil // none is an answer
}
