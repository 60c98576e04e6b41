package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"bihuan/engine"
	"bihuan/engine/audit/bundle"
	"bihuan/engine/audit/merkle"
)

// ExportOptions say what of the trail goes into a bundle. The zero value is everything.
type ExportOptions struct {
	Project engine.ProjectID    // only this one
	Unit    engine.UnitID       // only the projects of this unit and of those below it, and the units themselves
	Known   []merkle.Checkpoint // what the bundle of a part has to prove that it continues
	Now     func() time.Time    // nil: time.Now
}

// Export writes a bundle that verifies by itself; see package bundle. It reads one consistent state and keeps no more
// in memory than a batch and the inner nodes of the log.
func (db *DB) Export(ctx context.Context, w io.Writer, opt ExportOptions) (m bundle.Manifest, err error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if err := db.Check(ctx); err != nil {
		return m, err
	}
	log, err := db.Log(ctx)
	if err != nil {
		return m, err
	}
	keys, err := db.KnownKeys(ctx)
	if err != nil {
		return m, err
	}
	var begin []*sql.TxOptions
	if db.Backend() == Postgres {
		begin = append(begin, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	}
	err = db.reader(ctx).Transaction(func(tx *gorm.DB) error {
		x := &exporter{db: db, tx: tx, opt: opt, out: bundle.NewWriter(w)}
		m = bundle.Manifest{Format: bundle.Format, Log: log, Scope: bundle.Everything, Made: opt.Now().UTC().Truncate(time.Second)}
		if err := x.choose(&m); err != nil {
			return err
		}
		if err := tx.Raw(treeSize).Scan(&m.Size).Error; err != nil {
			return err
		}
		if err := tx.Raw("SELECT count(*) FROM entries e WHERE "+x.only, x.args...).Scan(&m.Entries).Error; err != nil {
			return err
		}
		return errors.Join(x.run(ctx, m, keys), x.out.Close())
	}, begin...)
	return m, err
}

type exporter struct {
	db  *DB
	tx  *gorm.DB
	opt ExportOptions
	out *bundle.Writer

	only   string // condition on entries e
	args   []any
	whole  bool
	signed merkle.Checkpoint // size 0 if there is none
}

// choose makes the condition of what was asked for.
func (x *exporter) choose(m *bundle.Manifest) error {
	switch {
	case x.opt.Project != "":
		m.Scope, m.ID = bundle.OneProject, string(x.opt.Project)
		x.only, x.args = "e.subject = ?", []any{engine.SubjectProject + "/" + string(x.opt.Project)}
	case x.opt.Unit != "":
		m.Scope, m.ID = bundle.OneUnit, string(x.opt.Unit)
		var path []string
		if err := x.tx.Raw("SELECT path FROM units WHERE id = ?", string(x.opt.Unit)).Scan(&path).Error; err != nil {
			return err
		}
		if len(path) == 0 {
			return engine.ErrNotFound
		}
		x.only = "(e.subject IN (SELECT 'project/' || CAST(p.id AS text) FROM projects p JOIN units u ON u.id = p.unit_id WHERE u.path LIKE ?)" +
			" OR e.subject IN (SELECT 'unit/' || CAST(u.id AS text) FROM units u WHERE u.path LIKE ?))"
		x.args = []any{path[0] + "%", path[0] + "%"} // ids and slashes only
	default:
		x.only, x.whole = "1 = 1", true
	}
	return nil
}

func (x *exporter) run(ctx context.Context, m bundle.Manifest, keys []string) error {
	if err := errors.Join(x.out.Manifest(m), x.out.Keys(keys), x.checkpoints()); err != nil {
		return err
	}
	h := merkle.Cached(hashes{x.tx}, m.Size)
	err := x.each(func(e *entryRow, _ *int64) error { return x.out.Entry(e.Bytes) })
	if err == nil {
		err = x.each(func(_ *entryRow, idx *int64) error { return x.place(ctx, h, idx) })
	}
	if err == nil && !x.whole && x.signed.Size > 0 {
		err = x.consistency(ctx, h)
	}
	if err == nil {
		err = x.subjects()
	}
	if err == nil {
		err = x.evidence()
	}
	if err == nil && x.whole {
		err = errors.Join(x.openings(), x.definitions(), x.sources())
	}
	return err
}

// checkpoints writes the newest one, and all of them where everything is asked for.
func (x *exporter) checkpoints() error {
	var rows []checkpointRow
	order := "ORDER BY n DESC LIMIT 1"
	if x.whole {
		order = "ORDER BY n"
	}
	if err := x.tx.Raw("SELECT n, size, at, note FROM checkpoints " + order).Scan(&rows).Error; err != nil {
		return err
	}
	if len(rows) == 0 {
		return nil
	}
	last := rows[len(rows)-1]
	c, err := merkle.Parse(last.Note, nil)
	if !errors.Is(err, merkle.ErrSignature) {
		return fmt.Errorf("checkpoint %d: %w", last.N, err)
	}
	x.signed = c
	if err := x.out.Signed(last.Note); err != nil {
		return err
	}
	for _, r := range rows {
		if x.whole {
			if err := x.out.Checkpoint(bundle.Checkpoint{N: r.N, Note: string(r.Note)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// each reads the chosen entries by subject and seq, with their places.
func (x *exporter) each(do func(*entryRow, *int64) error) error {
	const size = 1000
	query := "SELECT e.id, e.subject, e.seq, e.bytes, l.idx FROM entries e LEFT JOIN log_leaves l ON l.entry_id = e.id WHERE (e.subject, e.seq, e.id) > (?, ?, ?) AND " +
		x.only + " ORDER BY e.subject, e.seq, e.id LIMIT " + strconv.Itoa(size)
	after := []any{"", int64(0), leastID}
	for {
		var e entryRow
		rows, err := x.tx.Raw(query, append(after[:3:3], x.args...)...).Rows()
		if err != nil {
			return err
		}
		batch, err := readPlaced(rows)
		if err != nil {
			return err
		}
		for i := range batch {
			if err := do(&batch[i].entryRow, batch[i].idx); err != nil {
				return err
			}
			e = batch[i].entryRow
		}
		if len(batch) < size {
			return nil
		}
		after = []any{e.Subject, e.Seq, e.ID}
	}
}

// placed is an entry with its place in the log.
type placed struct {
	entryRow
	idx *int64
}

func readPlaced(rows *sql.Rows) ([]placed, error) {
	defer rows.Close()
	var out []placed
	for rows.Next() {
		var p placed
		if err := rows.Scan(&p.ID, &p.Subject, &p.Seq, &p.Bytes, &p.idx); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, rows.Err()
}

// place writes where an entry stands, with its proof in a part of the trail.
func (x *exporter) place(ctx context.Context, h merkle.Hashes, idx *int64) error {
	if idx == nil {
		return x.out.Place(nil)
	}
	p := bundle.Place{Index: *idx}
	if !x.whole && *idx < x.signed.Size {
		proof, err := merkle.Inclusion(ctx, h, x.signed.Size, *idx)
		if err != nil {
			return err
		}
		p.Proof = proof
	}
	return x.out.Place(&p)
}

func (x *exporter) consistency(ctx context.Context, h merkle.Hashes) error {
	for _, k := range x.opt.Known {
		if k.Size >= x.signed.Size {
			continue
		}
		proof, err := merkle.Consistency(ctx, h, x.signed.Size, k.Size)
		if err != nil {
			return err
		}
		if err := x.out.Consistency(bundle.Consistency{Size: k.Size, Proof: proof}); err != nil {
			return err
		}
	}
	return nil
}

// subjects writes how everything stands whose entries are in the bundle, in the order of the entries.
func (x *exporter) subjects() error {
	for after := ""; ; {
		var names []string
		if err := x.tx.Raw("SELECT DISTINCT e.subject FROM entries e WHERE e.subject > ? AND "+x.only+" ORDER BY e.subject LIMIT 500", append([]any{after}, x.args...)...).Scan(&names).Error; err != nil {
			return err
		}
		for _, name := range names {
			s, err := x.subject(name)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if err := x.out.Subject(s); err != nil {
				return err
			}
		}
		if len(names) < 500 {
			return nil
		}
		after = names[len(names)-1]
	}
}

// rowOf reads the row of a subject.
func rowOf[T any](tx *gorm.DB, t table, id string) (*T, error) {
	var found []T
	if err := tx.Raw("SELECT "+t.quoted("")+" FROM "+t.name+" WHERE id = ?", id).Scan(&found).Error; err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errGone
	}
	return &found[0], nil
}

var errGone = errors.New("there are entries, but the row is gone: verify the database before exporting from it")

func (x *exporter) subject(name string) (bundle.Subject, error) {
	s := bundle.Subject{Subject: name, Version: -1}
	kind, id, _ := strings.Cut(name, "/")
	if kind == engine.SubjectProject {
		p, err := rowOf[engine.Project](x.tx, projects, id)
		if err != nil {
			return s, err
		}
		s.Seq, s.Head, s.Version, s.State = p.Version, p.Head, p.Version, p.State()
		return s, nil
	}
	var heads []subjectRow
	if err := x.tx.Raw("SELECT subject, seq, head FROM subjects WHERE subject = ?", name).Scan(&heads).Error; err != nil {
		return s, err
	}
	if len(heads) == 0 {
		return s, errGone
	}
	s.Seq, s.Head = heads[0].Seq, heads[0].Head
	row, err := standOf(x.tx, name)
	if err != nil || row == nil {
		return s, err
	}
	s.Version = row.version
	s.State, err = json.Marshal(row.state)
	return s, err
}

func (x *exporter) evidence() error {
	var rows []engine.Evidence
	condition := "EXISTS (SELECT 1 FROM entries e WHERE e.subject = 'project/' || CAST(evidence.project_id AS text) AND " + x.only + ")"
	if err := x.tx.Raw("SELECT "+evidence.quoted("")+" FROM evidence WHERE "+condition+" ORDER BY project_id, id", x.args...).Scan(&rows).Error; err != nil {
		return err
	}
	for i := range rows {
		b, err := json.Marshal(&rows[i])
		if err != nil {
			return err
		}
		if err := x.out.Evidence(bundle.Evidence{Subject: engine.SubjectProject + "/" + string(rows[i].ProjectID), Row: b}); err != nil {
			return err
		}
	}
	return nil
}

// openings writes what opens commitments that have not been erased, in the order of subjects.
func (x *exporter) openings() error {
	for after := []any{leastID, ""}; ; {
		var list []engine.Remark
		if err := x.tx.Raw("SELECT "+remarks.quoted("")+" FROM remarks WHERE (project_id, id) > (?, ?) ORDER BY project_id, id LIMIT 1000", after...).Scan(&list).Error; err != nil {
			return err
		}
		for _, r := range list {
			if err := x.out.Opening(bundle.Opening{Subject: engine.SubjectProject + "/" + string(r.ProjectID), Of: r.ID, Salt: r.Salt, Value: r.Text}); err != nil {
				return err
			}
			after = []any{string(r.ProjectID), r.ID}
		}
		if len(list) == 0 {
			break
		}
	}
	var rows []userRow
	if err := x.tx.Raw("SELECT " + users.quoted("") + " FROM users ORDER BY id").Scan(&rows).Error; err != nil {
		return err
	}
	for _, u := range rows {
		if len(u.Salt) == 0 {
			continue
		}
		if err := x.out.Opening(bundle.Opening{Subject: engine.SubjectUser + "/" + string(u.ID), Salt: u.Salt, Value: engine.PersonalText(u.Login, u.Name)}); err != nil {
			return err
		}
	}
	return nil
}

func (x *exporter) definitions() error {
	var list []engine.Definition
	if err := x.tx.Raw("SELECT " + definitions.quoted("") + " FROM definitions ORDER BY workflow_id, version").Scan(&list).Error; err != nil {
		return err
	}
	for _, d := range list {
		if err := x.out.Definition(bundle.Definition{Workflow: d.ID, Version: d.Version, Digest: d.Digest, Source: string(d.Source)}); err != nil {
			return err
		}
	}
	return nil
}

// sources writes the sources of score sheets that entries tell of.
func (x *exporter) sources() error {
	rows, err := x.tx.Raw("SELECT CAST(id AS text), source FROM sheet_versions s WHERE EXISTS (SELECT 1 FROM entries e WHERE e.subject = '" + engine.SubjectSheet + "/' || CAST(s.id AS text)) ORDER BY id").Rows()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var source []byte
		if err := rows.Scan(&id, &source); err != nil {
			return err
		}
		if err := x.out.Source(bundle.Source{Subject: engine.SubjectSheet + "/" + id, Source: string(source)}); err != nil {
			return err
		}
	}
	return rows.Err()
}
