package storage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"bihuan/engine"
)

var (
	channels      = tableOf(&engine.Channel{})
	settings      = tableOf(&engine.NotifySettings{})
	wordings      = tableOf(&engine.Wording{})
	notices       = tableOf(&engine.Notice{})
	deliveries    = tableOf(&engine.Delivery{})
	deliveryItems = tableOf(&engine.DeliveryItem{})
)

// cursorRow is how far the trail has been told to a program.
type cursorRow struct {
	ChannelID engine.ChannelID `gorm:"primaryKey"`
	ToldUntil time.Time
}

func (cursorRow) TableName() string { return "channel_cursors" }

// Unplanned returns reminders that nobody has turned into notices yet, in the order in which they were recorded.
func (db *DB) Unplanned(ctx context.Context, limit int) ([]engine.Reminder, error) {
	var out []engine.Reminder
	err := db.reader(ctx).Raw("SELECT "+reminders.quoted("")+" FROM reminders WHERE planned_at IS NULL ORDER BY id LIMIT ?", limit).Scan(&out).Error
	return out, err
}

// planBatch keeps a statement's parameters below what both databases take.
const planBatch = 500

// Plan writes who will be told what, in one transaction. Reminders that another replica has planned meanwhile, and
// items that exist, are left out, so that planning twice does nothing the second time. It returns the people who got
// a notice.
func (db *DB) Plan(ctx context.Context, p engine.Plan) ([]engine.UserID, error) {
	var told []engine.UserID
	err := db.alone(ctx, func(tx *gorm.DB) error {
		told = told[:0]
		if p.Told != "" { // first, because it makes the other replicas wait for their turn at this channel
			// A mark that lies ahead of the clock was set by one that was wrong.
			err := tx.Exec(`INSERT INTO channel_cursors (channel_id, told_until) VALUES (?, ?) ON CONFLICT (channel_id) DO UPDATE
				SET told_until = excluded.told_until WHERE channel_cursors.told_until < excluded.told_until OR channel_cursors.told_until > ?`,
				string(p.Told), micro(p.Until), micro(p.At.Add(time.Hour))).Error
			if err != nil {
				return err
			}
		}
		won := map[string]bool{"": true}
		for batch := range slices.Chunk(p.Reminders, planBatch) {
			var ids []string
			if err := tx.Raw("UPDATE reminders SET planned_at = ? WHERE planned_at IS NULL AND id IN ? RETURNING id", micro(p.At), batch).Scan(&ids).Error; err != nil {
				return err
			}
			for _, id := range ids {
				won[id] = true
			}
		}
		insert := notices.insert() + " ON CONFLICT DO NOTHING"
		for i := range p.Notices {
			n := &p.Notices[i]
			if !won[n.ReminderID] {
				continue
			}
			args, err := notices.values(n)
			if err != nil {
				return err
			}
			result := tx.Exec(insert, args...)
			if result.Error != nil {
				return result.Error
			}
			if result.RowsAffected > 0 && !slices.Contains(told, n.UserID) {
				told = append(told, n.UserID)
			}
		}
		for i := range p.Sends {
			if err := db.planSend(tx, &p.Sends[i], won); err != nil {
				return err
			}
		}
		return db.sayTold(tx, told)
	}, func() (bool, error) { return false, nil }) // the next planning finds what is left
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	return told, nil
}

// planSend writes a delivery with those of its items that are new, or adds them to one that still waits.
func (db *DB) planSend(tx *gorm.DB, s *engine.Send, won map[string]bool) error {
	var keys []string
	for _, item := range s.Items {
		if won[item.Reminder] {
			keys = append(keys, item.DedupeKey)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	var known []string
	for batch := range slices.Chunk(keys, planBatch) {
		for _, items := range itemTables {
			var some []string
			if err := tx.Raw("SELECT dedupe_key FROM "+items+" WHERE dedupe_key IN ?", batch).Scan(&some).Error; err != nil {
				return err
			}
			known = append(known, some...)
		}
	}
	if len(known) == len(keys) {
		return nil
	}
	d := s.Delivery
	var open []engine.Delivery
	if d.About != engine.AboutEntry { // programs get one message for each entry
		query := "SELECT " + deliveries.quoted("") + ` FROM deliveries WHERE state = 'waiting' AND attempts = 0 AND channel_id = ? AND user_id = ?
			AND about = ? ORDER BY id LIMIT 1`
		if db.Backend() == Postgres {
			query += " FOR UPDATE" // a worker that claims it at this moment skips it
		}
		if err := tx.Raw(query, string(d.ChannelID), string(d.UserID), d.About).Scan(&open).Error; err != nil {
			return err
		}
	}
	if len(open) > 0 {
		if first := open[0]; d.NextAt.Before(first.NextAt) || d.Urgent && !first.Urgent {
			next := first.NextAt
			if d.NextAt.Before(next) {
				next = d.NextAt
			}
			if err := tx.Exec("UPDATE deliveries SET next_at = ?, urgent = ? WHERE id = ?", micro(next), first.Urgent || d.Urgent, first.ID).Error; err != nil {
				return err
			}
		}
		d.ID = open[0].ID
	} else {
		args, err := deliveries.values(&d)
		if err != nil {
			return err
		}
		if err := tx.Exec(deliveries.insert(), args...).Error; err != nil {
			return err
		}
	}
	insert := deliveryItems.insert() + " ON CONFLICT DO NOTHING"
	added := int64(0)
	for _, item := range s.Items {
		if !won[item.Reminder] {
			continue
		}
		result := tx.Exec(insert, item.DedupeKey, d.ID, item.Ref)
		if result.Error != nil {
			return result.Error
		}
		added += result.RowsAffected
	}
	if added == 0 && len(open) == 0 { // another replica planned the same at this very moment; nobody has seen this row
		return tx.Exec("DELETE FROM deliveries WHERE id = ?", d.ID).Error
	}
	return nil
}

const dueDelivery = "state = 'waiting' AND next_at <= ? AND (lease_until IS NULL OR lease_until < ?)"

// DueChannels returns the channels that have something to deliver now.
func (db *DB) DueChannels(ctx context.Context, now time.Time) ([]engine.ChannelID, error) {
	var out []engine.ChannelID
	err := db.reader(ctx).Raw("SELECT c.id FROM channels c WHERE EXISTS (SELECT 1 FROM deliveries WHERE channel_id = c.id AND "+dueDelivery+") ORDER BY c.id",
		micro(now), micro(now)).Scan(&out).Error
	return out, err
}

// briefly runs one statement of the queue. On PostgreSQL it is its own transaction, of one round trip instead of three,
// whose condition must hold withoutWaiting: what the server loses of the queue when its machine dies is delivered once
// more, as is promised, and every moment between a receiver's answer and its being written down is one in which a
// worker that is killed leaves a double.
func (db *DB) briefly(ctx context.Context, do func(tx *gorm.DB) error) error {
	done := func() (bool, error) { return false, nil }
	if db.Backend() == SQLite {
		return db.alone(ctx, do, done)
	}
	return db.patiently(func() error { return do(db.write.WithContext(ctx)) }, done)
}

// withoutWaiting is a condition that is always true, and lets the transaction end before it lies on the disk.
func (db *DB) withoutWaiting() string {
	if db.Backend() == SQLite {
		return ""
	}
	return " AND set_config('synchronous_commit', 'off', true) = 'off'"
}

// Claim leases deliveries that are due to a worker, earliest first, and counts the attempt. Nobody else gets them
// before the lease ends.
func (db *DB) Claim(ctx context.Context, c engine.Claim) ([]engine.Delivery, error) {
	skip := ""
	if db.Backend() == Postgres {
		skip = " FOR UPDATE SKIP LOCKED"
	}
	var out []engine.Delivery
	err := db.briefly(ctx, func(tx *gorm.DB) error { // what a lost answer leased comes back when the lease ends
		out = nil
		// By a name of its own the list is made once; within the condition PostgreSQL may make it anew for every row.
		return tx.Raw("WITH due AS (SELECT id FROM deliveries WHERE channel_id = ? AND "+dueDelivery+" ORDER BY next_at, id LIMIT ?"+skip+
			") UPDATE deliveries SET lease_token = ?, lease_until = ?, attempts = attempts + 1 WHERE id IN (SELECT id FROM due)"+db.withoutWaiting()+
			" RETURNING "+deliveries.quoted(""),
			string(c.Channel), micro(c.Now), micro(c.Now), c.Limit, c.Token, micro(c.Until)).Scan(&out).Error
	})
	if err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	return out, nil
}

// Finish writes what became of an attempt, and reports false when the lease was lost to somebody else.
func (db *DB) Finish(ctx context.Context, d engine.Delivery) (bool, error) {
	ok := false
	err := db.briefly(ctx, func(tx *gorm.DB) error {
		result := tx.Exec(`UPDATE deliveries SET state = ?, next_at = ?, finished_at = ?, answer = ?, lease_token = '', lease_until = NULL
			WHERE id = ? AND lease_token = ? AND state = 'waiting'`+db.withoutWaiting(),
			d.State, micro(d.NextAt), timeOrNull(d.FinishedAt), d.Answer, d.ID, d.LeaseToken)
		ok = result.RowsAffected > 0
		return result.Error
	})
	return ok, err
}

func timeOrNull(t *time.Time) any {
	if t == nil {
		return nil
	}
	return micro(*t)
}

// replayStep puts dead deliveries back within the record that says who did. Their attempts begin anew.
func replayStep(ids []string, at time.Time) step {
	return step{text: `UPDATE deliveries SET state = 'waiting', attempts = 0, next_at = ?, finished_at = NULL, lease_token = '', lease_until = NULL
		WHERE id IN ? AND state = 'dead'`, args: []any{micro(at), ids}, mustHit: true}
}

func told[T any](ctx context.Context, db *DB, t *table, delivery string) ([]T, error) {
	var out []T
	ref := "i.ref"
	if db.Backend() == Postgres {
		ref = "CAST(i.ref AS uuid)" // so that the index over x.id serves
	}
	for _, items := range itemTables {
		err := db.reader(ctx).Raw("SELECT "+t.quoted("x.")+" FROM "+items+" i JOIN "+t.name+" x ON x.id = "+ref+" WHERE i.delivery_id = ? ORDER BY x.id", delivery).Scan(&out).Error
		if err != nil || len(out) > 0 {
			return out, err
		}
	}
	return out, nil
}

// DeliveryNotices returns what a delivery to a person tells, in the order in which it was owed.
func (db *DB) DeliveryNotices(ctx context.Context, delivery string) ([]engine.Notice, error) {
	return told[engine.Notice](ctx, db, &notices, delivery)
}

// DeliveryReminders returns what a delivery to a group tells.
func (db *DB) DeliveryReminders(ctx context.Context, delivery string) ([]engine.Reminder, error) {
	return told[engine.Reminder](ctx, db, &reminders, delivery)
}

// DeliveryEntries returns what a delivery to a program tells.
func (db *DB) DeliveryEntries(ctx context.Context, delivery string) ([]engine.EntryRow, error) {
	rows, err := told[entryRow](ctx, db, &entries, delivery)
	return entriesOf(rows), err
}

// Untold returns entries at a unit and under it, from a moment on, that have not been planned for the channel, oldest
// first. Entries that belong to no unit are told to channels of a root.
func (db *DB) Untold(ctx context.Context, c engine.Channel, from time.Time, limit int) ([]engine.EntryRow, error) {
	path, err := db.unitPath(ctx, c.UnitID)
	if err != nil || path == "" {
		return nil, err
	}
	s, err := db.resolve(ctx, path)
	if err != nil {
		return nil, err
	}
	var w where
	w.and("e.at >= ?", micro(from))
	if !s.every() {
		condition, args := db.within(s, "e.unit_id", "CAST(id AS text)")
		w.and(condition, args...)
	}
	if len(c.Settings.Kinds) > 0 {
		w.and("e.action IN ?", c.Settings.Kinds)
	}
	for _, items := range itemTables {
		w.and("NOT EXISTS (SELECT 1 FROM "+items+" i WHERE i.dedupe_key = CAST(e.id AS text) || ?)", "|"+string(c.ID))
	}
	var rows []entryRow
	err = db.reader(ctx).Raw("SELECT "+entries.quoted("e.")+" FROM entries e WHERE "+w.String()+" ORDER BY e.at, e.id LIMIT ?", append(w.args, limit)...).Scan(&rows).Error
	return entriesOf(rows), err
}

// ToldUntil returns how far the trail has been told over each channel that it was told over.
func (db *DB) ToldUntil(ctx context.Context) (map[engine.ChannelID]time.Time, error) {
	var rows []cursorRow
	err := db.reader(ctx).Raw("SELECT channel_id, told_until FROM channel_cursors").Scan(&rows).Error
	out := make(map[engine.ChannelID]time.Time, len(rows))
	for _, r := range rows {
		out[r.ChannelID] = r.ToldUntil
	}
	return out, err
}

// Notes returns what people wrote with entries, by the entry's id.
func (db *DB) Notes(ctx context.Context, list []string) (map[string]string, error) {
	out := map[string]string{}
	for batch := range slices.Chunk(list, planBatch) {
		var rows []entryRow
		if err := db.reader(ctx).Raw("SELECT "+entries.quoted("")+" FROM entries WHERE id IN ?", batch).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("notes: %w", err)
		}
		for i := range rows {
			if e := rows[i].entry(); e.Note != "" {
				out[e.ID] = e.Note
			}
		}
	}
	return out, nil
}
