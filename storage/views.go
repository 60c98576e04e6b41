package storage

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"bihuan/engine"
)

var savedViews = tableOf(&engine.SavedView{})

// Views returns the views that a person saved, oldest first.
func (db *DB) Views(ctx context.Context, user engine.UserID) ([]engine.SavedView, error) {
	if !engine.IsID(string(user)) {
		return nil, nil
	}
	var out []engine.SavedView
	err := db.reader(ctx).Raw("SELECT "+savedViews.quoted("")+" FROM saved_views WHERE user_id = ? ORDER BY created_at, name", string(user)).Scan(&out).Error
	if err != nil {
		return nil, fmt.Errorf("saved views: %w", err)
	}
	return out, nil
}

// SaveView stores a view; one of the same name of the same person is replaced in its place. A person who has
// engine.MaxViews others is refused.
func (db *DB) SaveView(ctx context.Context, v engine.SavedView) error {
	return db.alone(ctx, func(tx *gorm.DB) error {
		var others int
		if err := tx.Raw("SELECT count(*) FROM saved_views WHERE user_id = ? AND name <> ?", string(v.UserID), v.Name).Scan(&others).Error; err != nil {
			return err
		}
		if others >= engine.MaxViews {
			return &engine.Error{Kind: engine.Invalid, Field: "name", Key: "view.too_many", Args: map[string]any{"limit": engine.MaxViews}}
		}
		values, err := savedViews.values(&v)
		if err != nil {
			return err
		}
		return tx.Exec(savedViews.insert()+" ON CONFLICT (user_id, name) DO UPDATE SET query = excluded.query", values...).Error
	}, func() (bool, error) { return false, nil })
}

// RemoveView forgets a view; one that is not there is no error.
func (db *DB) RemoveView(ctx context.Context, user engine.UserID, name string) error {
	if !engine.IsID(string(user)) || !storable(name) {
		return nil
	}
	return db.alone(ctx, func(tx *gorm.DB) error {
		return tx.Exec("DELETE FROM saved_views WHERE user_id = ? AND name = ?", string(user), name).Error
	}, func() (bool, error) { return false, nil })
}
