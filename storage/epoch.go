package storage

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// BeginEpoch makes the log's next epoch begin: entries and checkpoints are named after it from now on. It expects the
// present one, so that it never happens twice; whoever calls it records why. Other processes learn it when they start.
func (db *DB) BeginEpoch(ctx context.Context, present int64) error {
	err := db.alone(ctx, func(tx *gorm.DB) error {
		result := tx.Exec("UPDATE installation SET epoch = epoch + 1 WHERE epoch = ?", present)
		if result.Error == nil && result.RowsAffected == 0 {
			return errStale
		}
		return result.Error
	}, func() (bool, error) {
		var epoch int64
		err := db.write.WithContext(ctx).Raw("SELECT epoch FROM installation").Scan(&epoch).Error
		return epoch == present+1, err
	})
	if err != nil {
		return fmt.Errorf("epoch: %w", err)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.log = ""
	return nil
}
