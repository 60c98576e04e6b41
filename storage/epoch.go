package storage

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// BeginEpoch makes a later epoch of the log begin: entries and checkpoints are named after it from now on. It expects the
// present one, so that it never happens twice; whoever calls it records why. Other processes learn it when they start.
func (db *DB) BeginEpoch(ctx context.Context, present, next int64) error {
	err := db.alone(ctx, func(tx *gorm.DB) error {
		result := tx.Exec("UPDATE installation SET epoch = ? WHERE epoch = ? AND epoch < ?", next, present, next)
		if result.Error == nil && result.RowsAffected == 0 {
			return errStale
		}
		return result.Error
	}, func() (bool, error) {
		var epoch int64
		err := db.write.WithContext(ctx).Raw("SELECT epoch FROM installation").Scan(&epoch).Error
		return epoch == next, err
	})
	if err != nil {
		return fmt.Errorf("epoch: %w", err)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.log = ""
	return nil
}

// Epochs returns the epochs that the trail tells of, the oldest first.
func (db *DB) Epochs(ctx context.Context) ([]Epoch, error) {
	_, epochs, err := (&verifier{tx: db.reader(ctx)}).declared()
	return epochs, err
}
