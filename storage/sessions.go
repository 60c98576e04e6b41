package storage

import (
	"context"
	"time"

	"gorm.io/gorm"

	"bihuan/engine"
)

var sessions = tableOf(&engine.Session{})

// OpenSession stores a new session, and forgets those that began before a moment, ended or not.
func (db *DB) OpenSession(ctx context.Context, s engine.Session, forget time.Time) error {
	s.Ticket = present(s.Ticket)
	insert, err := insertStep(&sessions, &s)
	if err != nil {
		return err
	}
	return db.alone(ctx, func(tx *gorm.DB) error {
		if err := tx.Exec("DELETE FROM sessions WHERE created_at < ?", micro(forget)).Error; err != nil {
			return err
		}
		return tx.Exec(insert.text, insert.args...).Error
	}, func() (bool, error) {
		var n int
		err := db.write.WithContext(ctx).Raw("SELECT count(*) FROM sessions WHERE hash = ?", s.Hash).Scan(&n).Error
		return n > 0, err
	})
}

// Session returns the session with the hash, whether or not it still holds, with its user and the user's password,
// which is empty for somebody who has none; or engine.ErrNotFound. Every request of a signed-in browser asks, so it
// is one query.
func (db *DB) Session(ctx context.Context, hash []byte) (engine.Session, engine.User, engine.Password, error) {
	var row struct {
		Session    engine.Session `gorm:"embedded;embeddedPrefix:session_"`
		User       person         `gorm:"embedded"`
		ChangedAt  *time.Time
		MustChange *bool
	}
	err := one(db.reader(ctx).Raw("SELECT "+sessions.aliased("s.", "session_")+", "+userColumns.quoted("u.")+", "+db.dialect.grantPaths+
		` AS paths, p.changed_at, p.must_change FROM sessions s JOIN users u ON u.id = s.user_id
		LEFT JOIN passwords p ON p.user_id = s.user_id WHERE s.hash = ?`, hash).Scan(&row))
	if err != nil {
		return engine.Session{}, engine.User{}, engine.Password{}, err
	}
	if len(row.Session.Ticket) == 0 { // as SQLite has it
		row.Session.Ticket = nil
	}
	u, err := row.User.user()
	p := engine.Password{UserID: u.ID}
	if row.ChangedAt != nil {
		p.ChangedAt = *row.ChangedAt
	}
	if row.MustChange != nil {
		p.MustChange = *row.MustChange
	}
	return row.Session, u, p, err
}

// TouchSession notes that a session was in use at a moment.
func (db *DB) TouchSession(ctx context.Context, hash []byte, seen time.Time) error {
	return db.alone(ctx, func(tx *gorm.DB) error {
		return tx.Exec("UPDATE sessions SET seen_at = ? WHERE hash = ? AND seen_at < ?", micro(seen), hash, micro(seen)).Error
	}, func() (bool, error) { return false, nil })
}

// ProveSession notes that the user of a session has proved who they are at a moment.
func (db *DB) ProveSession(ctx context.Context, hash []byte, at time.Time) error {
	return db.alone(ctx, func(tx *gorm.DB) error {
		return tx.Exec("UPDATE sessions SET proved_at = ? WHERE hash = ? AND NOT pending", micro(at), hash).Error
	}, func() (bool, error) { return false, nil })
}

// EndSessions ends the user's sessions that have not ended, or the one with the hash if one is given, and returns
// how many those were.
func (db *DB) EndSessions(ctx context.Context, user engine.UserID, hash []byte, at time.Time) (n int64, err error) {
	if !engine.IsID(string(user)) {
		return 0, nil
	}
	query, args := "UPDATE sessions SET ended_at = ? WHERE user_id = ? AND ended_at IS NULL", []any{micro(at), string(user)}
	if hash != nil {
		query, args = query+" AND hash = ?", append(args, hash)
	}
	err = db.alone(ctx, func(tx *gorm.DB) error {
		result := tx.Exec(query, args...)
		n = result.RowsAffected
		return result.Error
	}, func() (bool, error) { return false, nil })
	return n, err
}

// EndOtherSessions ends the user's sessions that have not ended but the one to keep, and returns how many those were.
func (db *DB) EndOtherSessions(ctx context.Context, user engine.UserID, keep []byte, at time.Time) (n int64, err error) {
	err = db.alone(ctx, func(tx *gorm.DB) error {
		result := tx.Exec("UPDATE sessions SET ended_at = ? WHERE user_id = ? AND ended_at IS NULL AND hash <> ?", micro(at), string(user), keep)
		n = result.RowsAffected
		return result.Error
	}, func() (bool, error) { return false, nil })
	return n, err
}

// SessionsOf returns the user's sessions that have not ended, last used first; some of them may hold no more.
func (db *DB) SessionsOf(ctx context.Context, user engine.UserID) ([]engine.Session, error) {
	var out []engine.Session
	if !engine.IsID(string(user)) {
		return out, nil
	}
	err := db.reader(ctx).Raw("SELECT "+sessions.quoted("")+" FROM sessions WHERE user_id = ? AND ended_at IS NULL ORDER BY seen_at DESC, created_at DESC",
		string(user)).Scan(&out).Error
	return out, err
}

// KnownDevice tells whether the user has had a session on the device since a moment.
func (db *DB) KnownDevice(ctx context.Context, user engine.UserID, device []byte, since time.Time) (bool, error) {
	var n int
	if !engine.IsID(string(user)) {
		return false, nil
	}
	err := db.reader(ctx).Raw("SELECT count(*) FROM sessions WHERE device = ? AND user_id = ? AND created_at >= ? AND NOT pending",
		device, string(user), micro(since)).Scan(&n).Error
	return n > 0, err
}
