package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"bihuan/engine"
	"bihuan/engine/audit"
)

// Record writes a change of something that is not a project; see engine.Store. As with Commit, a reply that was
// lost is looked up.
func (db *DB) Record(ctx context.Context, r engine.Record) error {
	do, err := db.recorder(&r)
	if err != nil {
		return err
	}
	return db.alone(ctx, do, func() (bool, error) { return db.hasEntry(ctx, r.Entry.ID) })
}

// alone runs do in a transaction. done tells whether an attempt whose answer was lost had been carried out.
func (db *DB) alone(ctx context.Context, do func(tx *gorm.DB) error, done func() (bool, error)) error {
	if db.Backend() == SQLite {
		j := &job{do: do}
		db.queue.do(ctx, db.write, []*job{j})
		return j.err
	}
	return db.patiently(func() error { return db.write.WithContext(ctx).Transaction(do) }, done)
}

// patiently tries again what failed for the sake of another transaction, or whose answer was lost.
func (db *DB) patiently(do func() error, done func() (bool, error)) error {
	again := false
	for attempt := 1; ; attempt++ {
		err := do()
		if err != nil && attempt < attempts && (serialization(err) || db.shared(err) != nil && db.dialect.lost(err)) {
			again = again || !serialization(err)
			continue
		}
		if err != nil && again {
			if ok, doneErr := done(); doneErr != nil {
				return errors.Join(err, doneErr)
			} else if ok {
				return nil
			}
		}
		return err
	}
}

// recorder prepares what Record writes.
func (db *DB) recorder(r *engine.Record) (func(tx *gorm.DB) error, error) {
	e := r.Entry
	switch {
	case strings.HasPrefix(e.Subject, engine.SubjectProject+"/"):
		return nil, fmt.Errorf("storage: %s is changed by Commit", e.Subject)
	case e.Seq != r.Base+1 || r.Head != audit.HashEntry(r.Bytes):
		return nil, fmt.Errorf("storage: record of %s: base %d, entry %d and head do not belong together", e.Subject, r.Base, e.Seq)
	}
	trail, err := entries.values(newEntryRow(e, r.Bytes, r.Head))
	if err != nil {
		return nil, err
	}
	var steps []step
	add := func(s step, prepareErr error) {
		steps = append(steps, s)
		err = errors.Join(err, prepareErr)
	}
	if r.Unit != nil {
		add(rowStep(&units, r.Unit, string(r.Unit.ID), r.Base))
	}
	if len(r.Setup) > 0 {
		add(setupStep(r.Setup, e.At), nil)
	}
	if r.User != nil {
		row := &userRow{User: *r.User, Salt: r.Salt}
		if r.Forget != nil {
			row.Salt = []byte{}
		}
		if r.Base > 0 && row.Salt == nil { // personal data stays as it is, and with it what opens the commitment
			t := users.without("salt")
			add(rowStep(&t, row, string(r.User.ID), r.Base))
		} else {
			add(rowStep(&users, row, string(r.User.ID), r.Base))
		}
	}
	if r.Forget != nil {
		steps = append(steps, forgetSteps(r.Forget)...)
	}
	if r.Password != nil {
		add(passwordStep(r.Password))
	}
	if r.Factor != nil && r.User != nil {
		factor, factorErr := factorSteps(r.User, r.Factor)
		steps, err = append(steps, factor...), errors.Join(err, factorErr)
	}
	if r.Identity != nil && r.User != nil {
		add(identityStep(r.Identity))
	}
	if r.Token != nil {
		t := tokens
		if r.Base > 0 { // when it was last used is not the token's change
			t = tokens.without("used_at")
		}
		add(rowStep(&t, r.Token, string(r.Token.ID), r.Base))
	}
	if r.Delegation != nil {
		add(rowStep(&delegations, r.Delegation, string(r.Delegation.ID), r.Base))
	}
	if r.List != nil {
		add(rowStep(&lists, r.List, string(r.List.ID), r.Base))
	}
	if r.Need != nil {
		add(rowStep(&needs, r.Need, string(r.Need.ID), r.Base))
	}
	if r.Switch != nil {
		add(rowStep(&kinds, r.Switch, r.Switch.ID, r.Base))
	}
	if r.Tally != nil {
		add(rowStep(&tallies, r.Tally, r.Tally.ID, r.Base))
	}
	if r.TallyYear != nil {
		add(rowStep(&tallyYears, r.TallyYear, string(r.TallyYear.ID), r.Base))
	}
	if r.Definition != nil {
		add(insertStep(&definitions, r.Definition))
	}
	if r.Sheet != nil {
		t := sheetVersions
		if r.Base > 0 { // what it says never changes, only what becomes of it
			t = sheetVersions.without("source")
		}
		add(rowStep(&t, r.Sheet, string(r.Sheet.ID), r.Base))
	}
	if c := r.Channel; c != nil {
		t := channels
		if r.Base > 0 && c.Sealed == nil {
			t = channels.without("sealed")
		}
		add(rowStep(&t, c, string(c.ID), r.Base))
	}
	if r.Settings != nil {
		add(rowStep(&settings, r.Settings, string(r.Settings.ID), r.Base))
	}
	if r.Wording != nil {
		add(rowStep(&wordings, r.Wording, r.Wording.ID, r.Base))
	}
	if r.Mapping != nil {
		add(rowStep(&sourceMappings, r.Mapping, string(r.Mapping.ID), r.Base))
	}
	if len(r.Replay) > 0 {
		add(replayStep(r.Replay, e.At), nil)
	}
	if len(r.Archive) > 0 {
		steps = append(steps, archiveSteps(r.Archive, e.At)...)
	}
	years := map[int]bool{}
	for _, d := range r.Days {
		if y := d.Date.Year(); !years[y] {
			years[y] = true
			add(step{text: "DELETE FROM calendar_days WHERE date BETWEEN ? AND ?",
				args: []any{fmt.Sprintf("%04d-01-01", y), fmt.Sprintf("%04d-12-31", y)}}, nil)
		}
	}
	for _, d := range r.Days {
		add(insertStep(&days, &dayRow{Date: d.Date, Name: d.Name, Off: d.Off, Notice: d.Notice}))
	}
	if err != nil {
		return nil, err
	}
	head, err := r.Head.Value()
	if err != nil {
		return nil, err
	}
	chain := step{text: "UPDATE subjects SET seq = ?, head = ? WHERE subject = ? AND seq = ?",
		args: []any{e.Seq, head, e.Subject, r.Base}, mustHit: true}
	if r.Base == 0 {
		chain = step{text: "INSERT INTO subjects (seq, head, subject) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
			args: []any{e.Seq, head, e.Subject}, mustHit: true}
	}
	// The chain comes first: whoever is too late learns that, not which value is taken.
	steps = append([]step{chain}, append(steps, step{text: insertEntry, args: trail})...)
	guard, idle := r.Guard, r.Idle
	return func(tx *gorm.DB) error {
		if err := db.guard(tx, guard); err != nil {
			return err
		}
		for _, s := range steps {
			result := tx.Exec(s.text, s.args...)
			if result.Error != nil {
				return db.taken(result.Error)
			}
			if s.mustHit && result.RowsAffected == 0 || s.hits > 0 && result.RowsAffected != s.hits {
				return errStale
			}
		}
		return db.idle(tx, idle)
	}, nil
}

// step is one statement of a record.
type step struct {
	text    string
	args    []any
	mustHit bool  // no row means that somebody else was faster
	hits    int64 // so does any other number of rows than this, unless it is 0
}

// rowStep writes the row of a subject: an insert on base 0, else an update that expects the version base.
func rowStep(t *table, row any, id string, base int64) (step, error) {
	if base == 0 {
		return insertStep(t, row)
	}
	u := t.without("id")
	args, err := u.values(row)
	return step{text: u.update(), args: append(args, id, base), mustHit: true}, err
}

func insertStep(t *table, row any) (step, error) {
	args, err := t.values(row)
	return step{text: t.insert(), args: args}, err
}

// Numbers reserves n numbers of a series and returns the first; see engine.Store.
func (db *DB) Numbers(ctx context.Context, series string, n int) (int64, error) {
	if n < 1 {
		return 0, fmt.Errorf("storage: %d numbers cannot be reserved", n)
	}
	var last int64
	err := db.alone(ctx, func(tx *gorm.DB) error {
		return tx.Raw(`INSERT INTO counters (series, last) VALUES (?, ?)
			ON CONFLICT (series) DO UPDATE SET last = counters.last + excluded.last RETURNING last`, series, n).Scan(&last).Error
	}, func() (bool, error) { return false, nil }) // numbers whose reservation was lost stay unused
	if err != nil {
		return 0, fmt.Errorf("numbers of %s: %w", series, err)
	}
	return last - int64(n) + 1, nil
}
