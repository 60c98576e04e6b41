package storage

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"gorm.io/gorm"

	"bihuan/engine/audit/merkle"
)

// sealLock is PostgreSQL's advisory lock for whoever writes the log. Waiting for it is useless: whoever holds it does
// the same work.
const sealLock = 0x626968_75616e_07

// sealAtOnce bounds how many entries one transaction seals, and so how long it lasts.
const sealAtOnce = 8192

// Sealer gives entries their place in the Merkle log, after they were committed and apart from the commits, which so
// never queue on it. Any number of replicas may have one: a lock lets one of them write at a time.
//
// It seals what has no leaf. Entries become visible in another order than the one in which they were decided, so
// "newer than the last one sealed" would leave some out for ever. What keeps it from looking at the whole trail each
// time is floor: everything that arrived before it was seen to be sealed, and nothing can arrive before it any more.
// On PostgreSQL arrival is the writing transaction, and the floor the oldest that is still running; on SQLite, which
// has one writer, it is the row's number. Each process begins by looking at everything, and begins anew where the numbers
// no longer mean what they meant: a standby that takes over and a database that was put back count on from before.
type Sealer struct {
	db  *DB
	now func() time.Time

	mu    sync.Mutex
	done  sight // everything that arrived before it is sealed
	asked sight // of the last look
}

// sight is a moment of the trail: nothing can arrive before horizon any more.
type sight struct {
	place   string // whose numbers these are
	horizon int64
	seen    string // what had arrived, beyond horizon too; "" for none
	at      time.Time
}

// continues tells whether numbers that were learned at the earlier sight mean the same at this one.
func (x sight) continues(earlier sight) bool {
	return earlier.horizon == 0 || x.place == earlier.place && x.horizon >= earlier.horizon
}

// NewSealer returns a sealer that has looked at nothing. A nil now is time.Now.
func (db *DB) NewSealer(now func() time.Time) *Sealer {
	if now == nil {
		now = time.Now
	}
	return &Sealer{db: db, now: now, done: sight{at: now()}}
}

// arrival tells what the databases have in place of an order of commits.
type arrival struct {
	sight  string // expressions for the fields of sight: place, horizon, seen
	column string // of entries e
	bound  string // the parameter that is compared with column
	arg    func(floor int64) any
	old    string // condition for entries e: they had arrived at the sight whose seen is the parameter
	none   string // a seen of nothing
}

func (db *DB) arrival() arrival {
	if db.Backend() == Postgres {
		return arrival{
			sight: `concat(pg_postmaster_start_time(), ' ', CAST(CAST('entries' AS regclass) AS oid)),
				CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint), CAST(pg_current_snapshot() AS text)`,
			column: "e.xid", bound: "CAST(CAST(? AS text) AS xid8)",
			arg: func(floor int64) any { return strconv.FormatInt(floor, 10) },
			old: "pg_visible_in_snapshot(e.xid, CAST(CAST(? AS text) AS pg_snapshot))", none: "1:1:",
		}
	}
	const next = "(SELECT coalesce(max(rowid), 0) + 1 FROM entries)"
	return arrival{
		sight: "'', " + next + ", CAST(" + next + " AS text)", column: "e.rowid", bound: "?",
		arg: func(floor int64) any { return floor },
		old: "e.rowid < CAST(? AS integer)", none: "0",
	}
}

// waiting is the condition for entries e that have no leaf, with the floor as its parameter.
func (a arrival) waiting() string {
	return a.column + " >= " + a.bound + " AND NOT EXISTS (SELECT 1 FROM log_leaves l WHERE l.entry_id = e.id)"
}

// Age returns for how long it is not known that every entry was sealed. It grows when sealing fails, when it cannot
// keep up, and when nobody calls Seal.
func (s *Sealer) Age() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now().Sub(s.done.at)
}

// Seal seals what waits when it begins, in short transactions, and returns how many entries it sealed. What comes
// meanwhile is left to the next call: to chase it would end in a transaction for every few entries. It returns early,
// without an error, if another replica is sealing.
func (s *Sealer) Seal(ctx context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left, err := s.look(ctx)
	var total int64
	for err == nil && left {
		var n int64
		n, left, err = s.seal(ctx)
		total += n
	}
	if err != nil {
		return total, fmt.Errorf("seal: %w", err)
	}
	return total, nil
}

// look tells whether an entry waits, and learns how far others have sealed: while they do, something waits at every look,
// but nothing that waited at the one before.
func (s *Sealer) look(ctx context.Context) (left bool, err error) {
	a := s.db.arrival()
	now := sight{at: s.now()}
	var old bool
	row := s.db.reader(ctx).Raw("SELECT "+a.sight+", EXISTS (SELECT 1 FROM entries e WHERE "+a.waiting()+"), EXISTS (SELECT 1 FROM entries e WHERE "+a.waiting()+" AND "+a.old+")",
		a.arg(s.done.horizon), a.arg(s.done.horizon), cmp.Or(s.asked.seen, a.none)).Row()
	if err := row.Scan(&now.place, &now.horizon, &now.seen, &left, &old); err != nil {
		return false, err
	}
	if !now.continues(s.done) || !now.continues(s.asked) {
		s.done, s.asked = sight{at: s.done.at}, sight{}
		return s.look(ctx)
	}
	switch {
	case !left:
		s.done = now
	case !old && s.asked.seen != "":
		s.done = s.asked
	}
	s.asked = now
	return left, nil
}

// seal is one transaction: leaves for the entries that arrived first, and the nodes that they complete. It tells whether
// it left any.
func (s *Sealer) seal(ctx context.Context) (n int64, left bool, err error) {
	a := s.db.arrival()
	now := sight{at: s.now()}
	turn := false
	err = s.db.alone(ctx, func(tx *gorm.DB) error {
		n, left, turn = 0, false, false
		free, err := s.db.lockLog(tx)
		if err != nil || !free {
			return err
		}
		// Only now: what the one before has sealed is visible to statements that begin under the lock. What arrived before
		// the horizon is visible to all that follow.
		var size int64
		if err := tx.Raw("SELECT ("+treeSize+"), "+a.sight).Row().Scan(&size, &now.place, &now.horizon, &now.seen); err != nil {
			return err
		}
		floor := s.done.horizon
		if !now.continues(s.done) {
			floor = 0
		}
		turn = true
		result := tx.Exec(`INSERT INTO log_leaves (idx, entry_id, hash)
			SELECT CAST(? AS bigint) + row_number() OVER (ORDER BY w.arrived, w.id) - 1, w.id, w.hash FROM (
				SELECT e.id, e.hash, `+a.column+` AS arrived FROM entries e WHERE `+a.waiting()+`
				ORDER BY `+a.column+`, e.id LIMIT `+fmt.Sprint(sealAtOnce)+`) w`, size, a.arg(floor))
		if result.Error != nil {
			return result.Error
		}
		n, left = result.RowsAffected, result.RowsAffected == sealAtOnce
		nodes, err := merkle.Grow(ctx, hashes{tx}, size, size+n)
		if err != nil {
			return err
		}
		for _, node := range nodes {
			values, err := logNodes.values(&nodeRow{Level: int64(node.Level), N: node.N, Hash: node.Hash})
			if err != nil {
				return err
			}
			if err := tx.Exec(insertNode, values...).Error; err != nil {
				return err
			}
		}
		return nil
	}, func() (bool, error) { return false, nil }) // what a lost reply leaves open, the next look sees
	if err == nil && turn && !left {
		s.done = now
	}
	return n, left, err
}

var insertNode = logNodes.insert()

// lockLog takes the right to write the log until the transaction ends, and tells whether it was free. A transaction
// on SQLite has it already.
func (db *DB) lockLog(tx *gorm.DB) (free bool, err error) {
	if db.Backend() == SQLite {
		return true, nil
	}
	err = tx.Raw("SELECT pg_try_advisory_xact_lock(?)", int64(sealLock)).Row().Scan(&free)
	return free, err
}
