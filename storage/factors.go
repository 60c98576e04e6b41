package storage

import (
	"context"
	"time"

	"gorm.io/gorm"

	"bihuan/engine"
)

var (
	secondFactors = tableOf(&engine.SecondFactor{})
	recoveryCodes = tableOf(&engine.RecoveryCode{})
)

// factorSteps replaces what a user gives besides a password, within the record that changes the user.
func factorSteps(u *engine.User, c *engine.FactorChange) ([]step, error) {
	id := string(u.ID)
	steps := []step{{text: "DELETE FROM recovery_codes WHERE user_id = ?", args: []any{id}}}
	if !u.TwoFactor || c.Factor != nil {
		steps = append(steps, step{text: "DELETE FROM second_factors WHERE user_id = ?", args: []any{id}})
	}
	if c.Factor != nil {
		s, err := insertStep(&secondFactors, c.Factor)
		if err != nil {
			return nil, err
		}
		steps = append(steps, s)
	}
	for _, hash := range c.Recovery {
		s, err := insertStep(&recoveryCodes, &engine.RecoveryCode{UserID: u.ID, Hash: hash})
		if err != nil {
			return nil, err
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// SecondFactor returns what is kept of a user's one-time codes, and how many recovery codes are left; or
// engine.ErrNotFound.
func (db *DB) SecondFactor(ctx context.Context, user engine.UserID) (engine.SecondFactor, int, error) {
	var row struct {
		engine.SecondFactor `gorm:"embedded"`
		Remaining           int
	}
	if !engine.IsID(string(user)) {
		return row.SecondFactor, 0, engine.ErrNotFound
	}
	err := one(db.reader(ctx).Raw("SELECT "+secondFactors.quoted("f.")+`, (SELECT count(*) FROM recovery_codes r
		WHERE r.user_id = f.user_id AND r.used_at IS NULL) AS remaining FROM second_factors f WHERE f.user_id = ?`, string(user)).Scan(&row))
	return row.SecondFactor, row.Remaining, err
}

// UseStep uses the code of a period up, and tells whether it was still good: one code lets one request in, whatever
// the replica. Codes of earlier periods are used up with it.
func (db *DB) UseStep(ctx context.Context, user engine.UserID, step int64) (used bool, err error) {
	err = db.alone(ctx, func(tx *gorm.DB) error {
		result := tx.Exec("UPDATE second_factors SET last_step = ? WHERE user_id = ? AND last_step < ?", step, string(user), step)
		used = result.RowsAffected > 0
		return result.Error
	}, func() (bool, error) { return false, nil }) // an answer that was lost leaves the code used up: the next one is near
	return used, err
}

// UseRecovery uses a recovery code up and tells whether it was still good.
func (db *DB) UseRecovery(ctx context.Context, user engine.UserID, hash []byte, at time.Time) (used bool, err error) {
	err = db.alone(ctx, func(tx *gorm.DB) error {
		result := tx.Exec("UPDATE recovery_codes SET used_at = ? WHERE user_id = ? AND hash = ? AND used_at IS NULL", micro(at), string(user), hash)
		used = result.RowsAffected > 0
		return result.Error
	}, func() (bool, error) { return false, nil }) // likewise
	return used, err
}
