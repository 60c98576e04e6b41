package storage

import (
	"context"
	"errors"
	"fmt"

	"bihuan/engine"
)

// personal are the statements that take away what is kept of a person beside the row in users, each with the person's id
// as its argument. A test holds every table that refers to users against them.
var personal = []struct{ table, text string }{
	{"passwords", "DELETE FROM passwords WHERE user_id = ?"},
	{"sessions", "DELETE FROM sessions WHERE user_id = ?"},
	{"saved_views", "DELETE FROM saved_views WHERE user_id = ?"},
	{"second_factors", "DELETE FROM second_factors WHERE user_id = ?"},
	{"identities", "DELETE FROM identities WHERE user_id = ?"},
	{"recovery_codes", "DELETE FROM recovery_codes WHERE user_id = ?"},
	{"needs", "UPDATE needs SET contact = '' WHERE proposer_id = ? AND contact <> ''"},
	{"notify_settings", "UPDATE notify_settings SET mail = '', feed = '' WHERE id = ?"},
	{"deliveries", "UPDATE deliveries SET answer = '' WHERE user_id = ? AND answer <> ''"}, // mail servers repeat the address
	{"archived_deliveries", "UPDATE archived_deliveries SET answer = '' WHERE user_id = ? AND answer <> ''"},
}

// forgetSteps erases what is kept of a person beside the row in users.
func forgetSteps(f *engine.Forget) []step {
	steps := []step{{text: "DELETE FROM sign_in_failures WHERE account = ?", args: []any{f.Account}}}
	for _, p := range personal {
		steps = append(steps, step{text: p.text, args: []any{string(f.User)}})
	}
	return steps
}

// Scrub rewrites the tables from which something was erased, so that what was deleted or overwritten does not stay in
// free space; see engine.Store. Writers wait meanwhile. Neither backups nor PostgreSQL's own archive of changes are
// reached.
func (db *DB) Scrub(ctx context.Context) error {
	if db.Backend() == SQLite {
		pool := db.SQL()
		if _, err := pool.ExecContext(ctx, "VACUUM"); err != nil {
			return fmt.Errorf("scrub: %w", err)
		}
		if err := emptyJournal(ctx, pool); err != nil {
			return fmt.Errorf("scrub: %w", err)
		}
		return nil
	}
	pool, err := db.admin(ctx)
	if err != nil {
		return err
	}
	tables := "users, sign_in_failures, remarks, votes"
	for _, p := range personal {
		tables += ", " + p.table
	}
	_, err = pool.ExecContext(ctx, "VACUUM (FULL, ANALYZE) "+tables)
	return errors.Join(err, pool.Close())
}
