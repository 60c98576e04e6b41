package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"bihuan/engine"
)

// Channels returns every channel in the order of their names.
func (db *DB) Channels(ctx context.Context) ([]engine.Channel, error) {
	var out []engine.Channel
	err := db.reader(ctx).Raw("SELECT " + channels.quoted("") + " FROM channels ORDER BY name, id").Scan(&out).Error
	return out, err
}

// Settings returns how a person wants to be told; see engine.Outbox.
func (db *DB) Settings(ctx context.Context, user engine.UserID) (engine.NotifySettings, error) {
	out := engine.NotifySettings{ID: user}
	if !engine.IsID(string(user)) {
		return out, nil
	}
	err := db.reader(ctx).Raw("SELECT "+settings.quoted("")+" FROM notify_settings WHERE id = ?", string(user)).Scan(&out).Error
	return out, err
}

// AllSettings returns the settings of everybody who chose any.
func (db *DB) AllSettings(ctx context.Context) ([]engine.NotifySettings, error) {
	var out []engine.NotifySettings
	err := db.reader(ctx).Raw("SELECT " + settings.quoted("") + " FROM notify_settings").Scan(&out).Error
	return out, err
}

// FeedUser tells whose calendar has the address with the hash, or engine.ErrNotFound.
func (db *DB) FeedUser(ctx context.Context, hash string) (engine.UserID, error) {
	var id string
	if hash == "" || !storable(hash) {
		return "", engine.ErrNotFound
	}
	err := one(db.reader(ctx).Raw("SELECT id FROM notify_settings WHERE feed = ?", hash).Scan(&id))
	return engine.UserID(id), err
}

// Wordings returns every sentence that the site says, or once said, in its own words.
func (db *DB) Wordings(ctx context.Context) ([]engine.Wording, error) {
	var out []engine.Wording
	err := db.reader(ctx).Raw("SELECT " + wordings.quoted("") + " FROM wordings ORDER BY id").Scan(&out).Error
	return out, err
}

// Notices returns a page of a person's notices, newest first.
func (db *DB) Notices(ctx context.Context, f engine.NoticeFilter) (engine.Page[engine.Notice], error) {
	var page engine.Page[engine.Notice]
	if !engine.IsID(string(f.User)) {
		return page, nil
	}
	var w where
	w.and("user_id = ?", string(f.User))
	if f.Unread {
		w.and("read_at IS NULL")
	}
	if f.After != "" {
		c, err := parseCursor(f.After, "")
		if err != nil {
			return page, err
		}
		w.and("id < ?", c.ID)
	}
	size := pageSize(f.Limit)
	err := db.reader(ctx).Raw("SELECT "+notices.quoted("")+" FROM notices WHERE "+w.String()+" ORDER BY id DESC LIMIT ?", append(w.args, size+1)...).Scan(&page.Items).Error
	if err != nil {
		return page, fmt.Errorf("notices: %w", err)
	}
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		page.Next = cursor{ID: page.Items[size-1].ID}.String()
	}
	return page, nil
}

// Unread counts the notices that a person has not read.
func (db *DB) Unread(ctx context.Context, user engine.UserID) (int, error) {
	var n int
	if !engine.IsID(string(user)) {
		return 0, nil
	}
	err := db.reader(ctx).Raw("SELECT count(*) FROM notices WHERE user_id = ? AND read_at IS NULL", string(user)).Scan(&n).Error
	return n, err
}

// MarkRead notes that a person has read notices; see engine.Outbox.
func (db *DB) MarkRead(ctx context.Context, user engine.UserID, ids []string, at time.Time) (n int64, err error) {
	if !engine.IsID(string(user)) {
		return 0, nil
	}
	query, args := "UPDATE notices SET read_at = ? WHERE user_id = ? AND read_at IS NULL", []any{micro(at), string(user)}
	if len(ids) > 0 {
		for _, id := range ids {
			if !engine.IsID(id) {
				return 0, engine.ErrNotFound
			}
		}
		query, args = query+" AND id IN ?", append(args, ids)
	}
	err = db.alone(ctx, func(tx *gorm.DB) error {
		result := tx.Exec(query, args...)
		n = result.RowsAffected
		return result.Error
	}, func() (bool, error) { return false, nil })
	return n, err
}

// Delivery returns a delivery, or engine.ErrNotFound.
func (db *DB) Delivery(ctx context.Context, id string) (engine.Delivery, error) {
	var d engine.Delivery
	if !engine.IsID(id) {
		return d, engine.ErrNotFound
	}
	err := one(db.reader(ctx).Raw("SELECT "+deliveries.quoted("")+" FROM deliveries WHERE id = ?", id).Scan(&d))
	return d, err
}

// byCreated is the order of the delivery log, as cursors name it.
const byCreated = "created_at"

// Deliveries returns a page of the delivery log, newest first.
func (db *DB) Deliveries(ctx context.Context, f engine.DeliveryFilter) (engine.Page[engine.Delivery], error) {
	var page engine.Page[engine.Delivery]
	from, items := deliveries.name, deliveryItems.name
	if f.Archive {
		from, items = archived.name, archivedItems.name
	}
	var w where
	if f.Scope != nil {
		s, err := db.resolve(ctx, f.Scope.Paths...)
		if err != nil {
			return page, err
		}
		condition, args := db.within(s, "d.unit_id", "CAST(id AS text)")
		w.and(condition, args...)
	}
	for _, x := range []struct{ column, value string }{{"channel_id", string(f.Channel)}, {"user_id", string(f.User)}} {
		if x.value != "" && !engine.IsID(x.value) {
			return page, nil
		}
		if x.value != "" {
			w.and("d."+x.column+" = ?", x.value)
		}
	}
	if f.State != "" {
		w.and("d.state = ?", f.State)
	}
	if f.Project != "" {
		if !engine.IsID(string(f.Project)) {
			return page, nil
		}
		id := string(f.Project)
		w.and(`d.id IN (SELECT i.delivery_id FROM `+items+` i WHERE i.ref IN (SELECT CAST(id AS text) FROM notices WHERE project_id = ?
			UNION ALL SELECT CAST(id AS text) FROM reminders WHERE project_id = ?
			UNION ALL SELECT CAST(id AS text) FROM entries WHERE subject = ?))`, id, id, engine.SubjectProject+"/"+id)
	}
	if !f.From.IsZero() {
		w.and("d.created_at >= ?", micro(f.From))
	}
	if !f.To.IsZero() {
		w.and("d.created_at < ?", micro(f.To))
	}
	if f.After != "" {
		c, err := parseCursor(f.After, byCreated)
		if err != nil {
			return page, err
		}
		at, err := c.arg(true)
		if err != nil {
			return page, err
		}
		w.and("(d.created_at, d.id) < (?, ?)", at, c.ID)
	}
	size := pageSize(f.Limit)
	err := db.reader(ctx).Raw("SELECT "+deliveries.quoted("d.")+" FROM "+from+" d WHERE "+w.String()+" ORDER BY d.created_at DESC, d.id DESC LIMIT ?",
		append(w.args, size+1)...).Scan(&page.Items).Error
	if err != nil {
		return page, fmt.Errorf("deliveries: %w", err)
	}
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		last := page.Items[size-1]
		page.Next = cursor{Order: byCreated, At: last.CreatedAt.Format(cursorTime), ID: last.ID}.String()
	}
	return page, nil
}
