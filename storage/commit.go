package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"gorm.io/gorm"

	"bihuan/engine"
	"bihuan/engine/audit"
)

// What of a project's row never changes once it exists. Naming it in an UPDATE would make SQLite rewrite the
// indexes over it.
var projectUpdate = projects.without("id", "number", "kind", "source_key", "created_by", "created_at")

// change is an engine.Change with everything that is stored of it, ready for the driver: nothing can go wrong with it any
// more but what the database says.
type change struct {
	project string // id
	entry   string // id
	create  bool
	insert  []any // the project's row and the guard; nil for an update
	update  []any // the project's row, id, base and the guard; nil for a creation
	trail   []any // the entry's row
	rows    []row // what else is inserted, in order
	shape   shape
}

// row is one row to insert.
type row struct {
	insert string // statement
	values []any
}

// shape is what the text of a statement depends on.
type shape struct {
	create              bool
	evidence, reminders int
	remark, forget, key bool
}

// Commit writes changes in one transaction and answers for each; see engine.Store. An error of ctx leaves open
// whether PostgreSQL carried the changes out; on SQLite none was. When the connection breaks before the answer
// came, the changes are sent again on a new one: what the first attempt had done is recognised by its entry, so
// nothing happens twice and what was done is not reported as failed.
func (db *DB) Commit(ctx context.Context, list ...engine.Change) []error {
	errs := make([]error, len(list))
	ready := make([]*change, len(list))
	for i := range list {
		ready[i], errs[i] = prepare(&list[i])
	}
	if db.Backend() == SQLite {
		db.commitSQLite(ctx, ready, errs)
	} else {
		db.commitPostgres(ctx, ready, errs)
	}
	return errs
}

// prepare checks that the parts of a change belong together and turns them into rows.
func prepare(c *engine.Change) (*change, error) {
	p := &c.Project
	switch {
	case c.Entry.Subject != p.Subject() || c.Entry.Seq != c.Base+1 || c.Entry.Version != c.Base+1 || p.Version != c.Base+1:
		return nil, fmt.Errorf("storage: change of %s: base %d, version %d and entry %s %d do not belong together",
			p.Subject(), c.Base, p.Version, c.Entry.Subject, c.Entry.Seq)
	case p.Head != audit.HashEntry(c.Bytes):
		return nil, fmt.Errorf("storage: change of %s: the head is not the entry's hash", p.Subject())
	}
	out := &change{project: string(p.ID), entry: c.Entry.ID, create: c.Base == 0}
	var err error
	if out.create {
		if out.insert, err = projects.values(p); err != nil {
			return nil, err
		}
		out.insert = append(out.insert, guardArgs(c.Guard)...)
	} else {
		if out.update, err = projectUpdate.values(p); err != nil {
			return nil, err
		}
		out.update = append(append(out.update, out.project, c.Base), guardArgs(c.Guard)...)
	}
	if out.trail, err = entries.values(newEntryRow(c.Entry, c.Bytes, p.Head)); err != nil {
		return nil, err
	}
	add := func(t *table, insert string, v any) {
		if err == nil {
			var values []any
			values, err = t.values(v)
			out.rows = append(out.rows, row{insert, values})
		}
	}
	for i := range c.Evidence {
		add(&evidence, insertEvidence, &c.Evidence[i])
	}
	for i := range c.Reminders {
		add(&reminders, insertReminder, &c.Reminders[i])
	}
	if c.Remark != nil {
		add(&remarks, insertRemark, c.Remark)
	}
	if c.Forget != "" {
		for _, text := range forgetRemark {
			out.rows = append(out.rows, row{text, []any{out.project, c.Forget}})
		}
	}
	if k := c.Key; k != nil {
		add(&keys, insertKey, &keyRow{ActorID: k.Actor, Key: k.Key, Request: k.Request, ProjectID: p.ID, CreatedAt: c.Entry.At})
	}
	out.shape = shape{out.create, len(c.Evidence), len(c.Reminders), c.Remark != nil, c.Forget != "", c.Key != nil}
	return out, err
}

func newEntryRow(e audit.Entry, bytes []byte, hash audit.Digest) *entryRow {
	return &entryRow{
		ID: e.ID, Log: e.Log, At: e.At, Subject: e.Subject, Seq: e.Seq, Prev: e.Prev, Hash: hash,
		ActorID: e.Actor.ID, ActorRole: e.Actor.Role, Action: e.Action, UnitID: e.Unit,
		FromStage: e.From, ToStage: e.To, Version: e.Version, Bytes: bytes,
	}
}

// Statements of SQLite.
var (
	sqliteCreate   = projects.insertIf(guarded)
	sqliteUpdate   = projectUpdate.update() + " AND " + guarded
	insertEntry    = entries.insert()
	insertEvidence = evidence.insert()
	insertReminder = reminders.insert()
	insertRemark   = remarks.insert()
	insertKey      = keys.insert()
)

// commitSQLite writes the changes that are ready, sharing a transaction with whoever waits for the writer too.
func (db *DB) commitSQLite(ctx context.Context, ready []*change, errs []error) {
	jobs := make([]*job, 0, len(ready))
	at := make([]int, 0, len(ready))
	for i, c := range ready {
		if errs[i] == nil {
			jobs = append(jobs, &job{do: func(tx *gorm.DB) error { return db.writeSQLite(tx, c) }})
			at = append(at, i)
		}
	}
	db.queue.do(ctx, db.write, jobs)
	for i, j := range jobs {
		errs[at[i]] = j.err
	}
}

func (db *DB) writeSQLite(tx *gorm.DB, c *change) error {
	if c.create {
		result := tx.Exec(sqliteCreate, c.insert...)
		if err := result.Error; err != nil {
			var n int64
			if taken, _ := db.dialect.duplicate(err); taken &&
				tx.Raw("SELECT count(*) FROM projects WHERE id = ?", c.project).Scan(&n).Error == nil && n > 0 {
				return errStale
			}
			return db.taken(err)
		}
		if result.RowsAffected == 0 {
			return engine.ErrConflict
		}
	} else {
		result := tx.Exec(sqliteUpdate, c.update...)
		if result.Error != nil {
			return db.taken(result.Error)
		}
		if result.RowsAffected == 0 {
			return engine.ErrConflict
		}
	}
	if err := tx.Exec(insertEntry, c.trail...).Error; err != nil {
		return db.taken(err)
	}
	for _, r := range c.rows {
		if err := tx.Exec(r.insert, r.values...).Error; err != nil {
			return db.taken(err)
		}
	}
	return nil
}

// taken turns the violation of a unique value into the engine's words. The project's own id is taken when
// somebody created the same project before: its version is not 0 any more.
func (db *DB) taken(err error) error {
	switch taken, exists := db.dialect.duplicate(err); {
	case exists:
		return fmt.Errorf("%w: %w", engine.ErrConflict, err)
	case taken:
		return fmt.Errorf("%w: %w", engine.ErrDuplicate, err)
	}
	return err
}

// attempts bounds how often changes are sent when the server gives up the transaction or the connection breaks.
const attempts = 3

// commitPostgres writes each change with one statement. Several share a transaction, which stands or falls as one,
// so that one whose change violates a constraint is run again with savepoints.
func (db *DB) commitPostgres(ctx context.Context, ready []*change, errs []error) {
	var order []int
	for i := range ready {
		if errs[i] == nil {
			order = append(order, i)
		}
	}
	// Everybody locks rows in the same order, so that two batches never wait for each other. Changes of one
	// project keep theirs.
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(ready[a].project, ready[b].project) })
	again := false // an earlier attempt may have been carried out
	for attempt := 1; ; attempt++ {
		err := db.sendPostgres(ctx, ready, errs, order)
		switch {
		case err == nil:
			if again {
				db.recognise(ctx, ready, errs, order)
			}
			return
		case attempt < attempts && serialization(err):
		case attempt < attempts && db.dialect.lost(err):
			again = true
		default:
			for _, i := range order {
				errs[i] = err
			}
			return
		}
	}
}

// sendPostgres makes one attempt. It sets the answer of every change, or returns an error that concerns all.
func (db *DB) sendPostgres(ctx context.Context, ready []*change, errs []error, order []int) error {
	handle := db.write.WithContext(ctx)
	if len(order) == 1 {
		i := order[0]
		errs[i] = db.writePostgres(handle, ready[i])
		return db.shared(errs[i])
	}
	err := handle.Transaction(func(tx *gorm.DB) error {
		for _, i := range order {
			errs[i] = db.writePostgres(tx, ready[i])
			if errs[i] != nil && !errors.Is(errs[i], errStale) { // the transaction is dead
				return errs[i]
			}
		}
		return nil
	})
	if err == nil || db.shared(err) != nil {
		return err
	}
	return handle.Transaction(func(tx *gorm.DB) error {
		for _, i := range order {
			errs[i] = tx.Transaction(func(tx *gorm.DB) error { return db.writePostgres(tx, ready[i]) }) // a savepoint
			if err := db.shared(errs[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// errStale is the conflict that leaves the transaction alive: no row had the version.
var errStale = fmt.Errorf("%w", engine.ErrConflict)

// writePostgres writes one change with one statement, and so in one round trip.
func (db *DB) writePostgres(tx *gorm.DB, c *change) error {
	var written int64
	if err := tx.Raw(c.shape.statement(), c.args()...).Row().Scan(&written); err != nil {
		return db.taken(err)
	}
	if written == 0 {
		return errStale
	}
	return nil
}

// args are the arguments of the one statement.
func (c *change) args() []any {
	args := slices.Concat(c.insert, c.update, c.trail)
	for _, r := range c.rows {
		args = append(args, r.values...)
	}
	return args
}

var statements sync.Map // shape → text; pgx keeps the prepared statement by text

// statement writes the project, and what belongs to it only if the project was written. A second writer of the
// same project waits for the row, then finds another version.
func (s shape) statement() string {
	if text, ok := statements.Load(s); ok {
		return text.(string)
	}
	var b strings.Builder
	if s.create {
		b.WriteString("WITH p AS (" + projects.insertIf(guarded) + " RETURNING id)")
	} else {
		b.WriteString("WITH p AS (" + projectUpdate.update() + " AND " + guarded + " RETURNING id)")
	}
	n := 0
	with := func(text string) {
		b.WriteString(", r" + strconv.Itoa(n) + " AS (" + text + ")")
		n++
	}
	add := func(t *table) { with(t.insertFrom("p")) }
	add(&entries)
	for range s.evidence {
		add(&evidence)
	}
	for range s.reminders {
		add(&reminders)
	}
	if s.remark {
		add(&remarks)
	}
	if s.forget {
		for _, text := range forgetRemark {
			with(text + " AND EXISTS (SELECT 1 FROM p)")
		}
	}
	if s.key {
		add(&keys)
	}
	b.WriteString(" SELECT count(*) FROM p")
	text, _ := statements.LoadOrStore(s, b.String())
	return text.(string)
}

// shared returns err if it concerns the whole attempt and not one change: the connection, the caller's giving up,
// or a deadlock.
func (db *DB) shared(err error) error {
	switch {
	case err == nil, errors.Is(err, engine.ErrConflict), errors.Is(err, engine.ErrDuplicate):
		return nil
	case db.dialect.lost(err), serialization(err), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return nil
}

// recognise finds the changes that an attempt without an answer had carried out: whoever tries again finds the
// version or a unique value taken, by the entry with the very id that this change has.
func (db *DB) recognise(ctx context.Context, ready []*change, errs []error, order []int) {
	for _, i := range order {
		if errs[i] == nil {
			continue
		}
		done, err := db.hasEntry(ctx, ready[i].entry)
		switch {
		case err != nil:
			errs[i] = errors.Join(errs[i], err)
		case done:
			errs[i] = nil
		}
	}
}

func (db *DB) hasEntry(ctx context.Context, id string) (bool, error) {
	var n int64
	err := db.write.WithContext(ctx).Raw("SELECT count(*) FROM entries WHERE id = ?", id).Scan(&n).Error
	return n > 0, err
}
