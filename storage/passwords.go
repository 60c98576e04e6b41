package storage

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"gorm.io/gorm"

	"bihuan/engine"
)

// Rows of local sign-in that the engine has no struct for, or one of another name. None of them begins with bytes:
// right behind a parenthesis gorm takes those for a list of values.
type (
	attemptRow struct {
		engine.Attempt `gorm:"embedded"`
	}
	noteRow struct {
		Key     []byte `gorm:"primaryKey"`
		At      time.Time
		Skipped int64
	}
	setupRow struct {
		OnlyOne      int64 `gorm:"primaryKey"`
		engine.Setup `gorm:"embedded"`
		UsedAt       *time.Time
	}
)

func (attemptRow) TableName() string { return "sign_in_failures" }
func (noteRow) TableName() string    { return "sign_in_notes" }
func (setupRow) TableName() string   { return "setup" }

var (
	passwords = tableOf(&engine.Password{})
	failures  = tableOf(&attemptRow{})
)

// passwordStep sets a user's password within a record.
func passwordStep(p *engine.Password) (step, error) {
	args, err := passwords.values(p)
	return step{text: passwords.insert() + ` ON CONFLICT (user_id) DO UPDATE
		SET phc = excluded.phc, changed_at = excluded.changed_at, must_change = excluded.must_change`, args: args}, err
}

// setupStep uses the set-up token up within the record that makes the first user.
func setupStep(hash []byte, now time.Time) step {
	return step{text: "UPDATE setup SET used_at = ? WHERE hash = ? AND used_at IS NULL AND expires_at > ? AND NOT EXISTS (SELECT 1 FROM users)",
		args: []any{micro(now), hash, micro(now)}, mustHit: true}
}

// Password returns what is kept of a user's password, or engine.ErrNotFound.
func (db *DB) Password(ctx context.Context, user engine.UserID) (engine.Password, error) {
	var p engine.Password
	if !engine.IsID(string(user)) {
		return p, engine.ErrNotFound
	}
	err := one(db.reader(ctx).Raw("SELECT "+passwords.quoted("")+" FROM passwords WHERE user_id = ?", string(user)).Scan(&p))
	return p, err
}

// Rehash puts another hash of the same password in the place of old. A password that has been changed meanwhile
// stays as it is.
func (db *DB) Rehash(ctx context.Context, user engine.UserID, old, phc string) error {
	return db.alone(ctx, func(tx *gorm.DB) error {
		return tx.Exec("UPDATE passwords SET phc = ? WHERE user_id = ? AND phc = ?", phc, string(user), old).Error
	}, func() (bool, error) { return false, nil }) // once more is no harm
}

// Attempt counts an attempt to sign in before it is evaluated, so that replicas cannot evaluate more than the
// limits allow, however many come at once. If they are reached nothing is counted, and the answer is the moment
// from which the account takes another attempt; else it is the zero time.
func (db *DB) Attempt(ctx context.Context, a engine.Attempt, limits engine.AttemptLimits) (until time.Time, err error) {
	a.Device = present(a.Device)
	// Floods are refused without a lock and without writing.
	if until, err = fullUntil(db.reader(ctx), a, limits); err != nil || !until.IsZero() {
		return until, err
	}
	insert, err := insertStep(&failures, &attemptRow{a})
	if err != nil {
		return until, err
	}
	err = db.alone(ctx, func(tx *gorm.DB) error {
		if db.Backend() == Postgres { // on SQLite there is one writer
			if err := tx.Exec("SELECT pg_advisory_xact_lock(?)", int64(binary.BigEndian.Uint64(a.Account))).Error; err != nil {
				return err
			}
		}
		if err := tx.Exec("DELETE FROM sign_in_failures WHERE at <= ?", micro(a.At.Add(-limits.Window))).Error; err != nil {
			return err
		}
		var err error
		if until, err = fullUntil(tx, a, limits); err != nil || !until.IsZero() {
			return err
		}
		return tx.Exec(insert.text+" ON CONFLICT (id) DO NOTHING", insert.args...).Error
	}, func() (bool, error) { return false, nil }) // again is the same: the id is counted once
	if err != nil {
		return time.Time{}, fmt.Errorf("count attempt: %w", err)
	}
	return until, nil
}

// fullUntil returns the moment from which the limits allow the attempt, zero if they do now.
func fullUntil(tx *gorm.DB, a engine.Attempt, limits engine.AttemptLimits) (until time.Time, err error) {
	since := micro(a.At.Add(-limits.Window))
	full := func(limit int, where string, args ...any) error {
		var at []time.Time
		args = append(args, a.ID, since)
		err := tx.Raw("SELECT at FROM sign_in_failures WHERE "+where+" AND id <> ? AND at > ? ORDER BY at", args...).Scan(&at).Error
		if err == nil && len(at) >= limit {
			if end := at[len(at)-limit].Add(limits.Window); end.After(until) {
				until = end.UTC()
			}
		}
		return err
	}
	stranger := len(a.Device) == 0
	if err := full(limits.Account, "account = ? AND device = ?", a.Account, a.Device); err != nil || !stranger || a.Address == "" {
		return until, err
	}
	var n int
	err = tx.Raw("SELECT count(*) FROM sign_in_failures WHERE address = ? AND id <> ? AND at > ?", a.Address, a.ID, since).Scan(&n).Error
	if err != nil || n < limits.Address {
		return until, err
	}
	return until, full(limits.Busy, "account = ? AND device = ? AND address = ?", a.Account, a.Device, a.Address)
}

// present makes no bytes an empty value rather than NULL.
func present(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Withdraw takes an attempt back that succeeded or was not evaluated.
func (db *DB) Withdraw(ctx context.Context, attempt string) error {
	return db.alone(ctx, func(tx *gorm.DB) error {
		return tx.Exec("DELETE FROM sign_in_failures WHERE id = ?", attempt).Error
	}, func() (bool, error) { return false, nil })
}

// noteMemory is for how long it is known when something was last noted.
const noteMemory = 24 * time.Hour

// Noted tells whether what the key stands for is due to be written to the trail, which it is once in the given
// time on all replicas together, and how often it came since it last was.
func (db *DB) Noted(ctx context.Context, key []byte, now time.Time, every time.Duration) (due bool, skipped int64, err error) {
	err = db.alone(ctx, func(tx *gorm.DB) error {
		due, skipped = false, 0
		if err := tx.Exec("DELETE FROM sign_in_notes WHERE at < ?", micro(now.Add(-noteMemory))).Error; err != nil {
			return err
		}
		first := tx.Exec("INSERT INTO sign_in_notes (at, key, skipped) VALUES (?, ?, 0) ON CONFLICT (key) DO NOTHING", micro(now), key)
		if first.Error != nil || first.RowsAffected > 0 {
			due = first.Error == nil
			return first.Error
		}
		var row noteRow
		if err := one(tx.Raw("SELECT key, at, skipped FROM sign_in_notes WHERE key = ?", key).Scan(&row)); err != nil {
			return err
		}
		if !now.Before(row.At.Add(every)) {
			turn := tx.Exec("UPDATE sign_in_notes SET at = ?, skipped = 0 WHERE key = ? AND at = ?", micro(now), key, micro(row.At))
			if turn.Error != nil || turn.RowsAffected > 0 {
				due, skipped = turn.Error == nil, row.Skipped
				return turn.Error
			}
		}
		return tx.Exec("UPDATE sign_in_notes SET skipped = skipped + 1 WHERE key = ?", key).Error
	}, func() (bool, error) { return false, nil }) // a lost answer leaves one out, or counts it twice
	return due, skipped, err
}

// AnyUser tells whether there is an account.
func (db *DB) AnyUser(ctx context.Context) (bool, error) {
	var any bool
	return any, db.reader(ctx).Raw("SELECT EXISTS (SELECT 1 FROM users)").Scan(&any).Error
}

// OfferSetup makes a set-up token the one that holds, and reports false if there are users already.
func (db *DB) OfferSetup(ctx context.Context, s engine.Setup) (offered bool, err error) {
	err = db.alone(ctx, func(tx *gorm.DB) error {
		result := tx.Exec(`INSERT INTO setup (only_one, hash, created_at, expires_at) SELECT 1, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM users)
			ON CONFLICT (only_one) DO UPDATE SET hash = excluded.hash, created_at = excluded.created_at, expires_at = excluded.expires_at, used_at = NULL`,
			s.Hash, micro(s.CreatedAt), micro(s.ExpiresAt))
		offered = result.RowsAffected > 0
		return result.Error
	}, func() (bool, error) { return false, nil })
	return offered, err
}

// SetupOpen tells whether the token with the hash could make the first administrator now.
func (db *DB) SetupOpen(ctx context.Context, hash []byte, now time.Time) (bool, error) {
	var n int
	err := db.reader(ctx).Raw(`SELECT count(*) FROM setup WHERE hash = ? AND used_at IS NULL AND expires_at > ?
		AND NOT EXISTS (SELECT 1 FROM users)`, hash, micro(now)).Scan(&n).Error
	return n > 0, err
}
