package storage

import (
	"context"
	"time"

	"gorm.io/gorm"

	"bihuan/engine"
)

var identities = tableOf(&engine.Identity{})

// identityStep links an identity with an account, or parts them, within the record that changes the user.
func identityStep(c *engine.IdentityChange) (step, error) {
	if c.Unlink {
		return step{text: "DELETE FROM identities WHERE issuer = ? AND subject = ?", args: []any{c.Issuer, c.Subject}, mustHit: true}, nil
	}
	return insertStep(&identities, &c.Identity)
}

// Identities returns how a user is known elsewhere, the first linked first.
func (db *DB) Identities(ctx context.Context, user engine.UserID) ([]engine.Identity, error) {
	var out []engine.Identity
	if !engine.IsID(string(user)) {
		return out, nil
	}
	err := db.reader(ctx).Raw("SELECT "+identities.quoted("")+" FROM identities WHERE user_id = ? ORDER BY linked_at, issuer, subject", string(user)).Scan(&out).Error
	return out, err
}

// IdentityUser returns whose account an identity is linked with, or engine.ErrNotFound.
func (db *DB) IdentityUser(ctx context.Context, issuer, subject string) (engine.User, error) {
	var p person
	if !storable(issuer) || !storable(subject) {
		return p.User, engine.ErrNotFound
	}
	err := one(db.reader(ctx).Raw("SELECT "+userColumns.quoted("u.")+", "+db.dialect.grantPaths+
		" AS paths FROM identities i JOIN users u ON u.id = i.user_id WHERE i.issuer = ? AND i.subject = ?", issuer, subject).Scan(&p))
	if err != nil {
		return engine.User{}, err
	}
	return p.user()
}

// EndTicket ends the session that was opened with the ticket of an identity system, and returns whose it was; no
// session is "".
func (db *DB) EndTicket(ctx context.Context, ticket []byte, at time.Time) (user engine.UserID, err error) {
	if len(ticket) == 0 {
		return "", nil
	}
	err = db.alone(ctx, func(tx *gorm.DB) error {
		return tx.Raw("UPDATE sessions SET ended_at = ? WHERE ticket = ? AND ended_at IS NULL RETURNING user_id", micro(at), ticket).Scan(&user).Error
	}, func() (bool, error) { return false, nil })
	return user, err
}
