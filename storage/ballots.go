package storage

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"bihuan/engine"
)

var votes = tableOf(&engine.Vote{})

// ByPoll returns the project whose poll's link has the token with this hash, or engine.ErrNotFound.
func (db *DB) ByPoll(ctx context.Context, hash string) (engine.Project, error) {
	var p engine.Project
	if hash == "" || !storable(hash) {
		return p, engine.ErrNotFound
	}
	err := one(db.reader(ctx).Raw(selectProject+" WHERE p.poll_hash = ? AND p.poll_hash <> ''", hash).Find(&p))
	return p, err
}

// castVote writes a vote if the poll is open, so that the row that says so is looked at in the same statement.
// PostgreSQL gives the parameters of a SELECT list no type of their own.
func (db *DB) castVote() string {
	marks := "?, ?, ?, ?, ?"
	if db.Backend() == Postgres {
		marks = "?::uuid, ?::bytea, ?::bigint, ?::text, ?::timestamptz"
	}
	return "INSERT INTO votes (" + votes.quoted("") + ") SELECT " + marks + ` FROM projects WHERE id = ? AND poll_hash <> ''
		ON CONFLICT (poll, device) DO UPDATE SET level = excluded.level, comment = excluded.comment, at = excluded.at`
}

// Cast counts a device's vote once; see engine.Ballots.
func (db *DB) Cast(ctx context.Context, project engine.ProjectID, v engine.Vote) (engine.Vote, error) {
	before, err := db.VoteOf(ctx, v.Poll, v.Device)
	if err != nil && !errors.Is(err, engine.ErrNotFound) {
		return before, err
	}
	values, err := votes.values(&v)
	if err != nil {
		return before, err
	}
	return before, db.alone(ctx, func(tx *gorm.DB) error {
		result := tx.Exec(db.castVote(), append(values, string(project))...)
		if result.Error == nil && result.RowsAffected == 0 {
			return engine.ErrNotFound
		}
		return result.Error
	}, func() (bool, error) { return false, nil }) // once more is no harm
}

// VoteOf returns what a device said, or engine.ErrNotFound.
func (db *DB) VoteOf(ctx context.Context, poll string, device []byte) (engine.Vote, error) {
	var v engine.Vote
	if !engine.IsID(poll) {
		return v, engine.ErrNotFound
	}
	err := one(db.reader(ctx).Raw("SELECT "+votes.quoted("")+" FROM votes WHERE poll = ? AND device = ?", poll, device).Scan(&v))
	return v, err
}

// Tally counts the votes of a poll.
func (db *DB) Tally(ctx context.Context, poll string) (engine.Survey, error) {
	var s engine.Survey
	if !engine.IsID(poll) {
		return s, nil
	}
	var rows []struct {
		Level int
		N     int
	}
	// On the handle that writes: a replica that lags must not lose votes.
	if err := db.write.WithContext(ctx).Raw("SELECT level, count(*) AS n FROM votes WHERE poll = ? GROUP BY level", poll).Scan(&rows).Error; err != nil {
		return s, fmt.Errorf("votes of %s: %w", poll, err)
	}
	for _, r := range rows {
		*[]*int{&s.VeryDissatisfied, &s.Dissatisfied, &s.Basic, &s.Satisfied, &s.VerySatisfied}[r.Level-1] = r.N
	}
	return s, nil
}
