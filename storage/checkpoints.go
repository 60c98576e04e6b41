package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"bihuan/engine"
	"bihuan/engine/audit/merkle"
)

// Sign looks whether the log with size leaves continues what was signed before and, if it grew since the last stored
// checkpoint, signs it; see merkle.Signer.
type Sign func(ctx context.Context, h merkle.Hashes, size int64, grown bool) ([]byte, error)

// Checkpoint has the log looked at by sign, and keeps what that signed. It returns nil if nothing was signed, or if
// another replica is writing the log. The error of sign is returned as it is.
func (db *DB) Checkpoint(ctx context.Context, sign Sign) (signed []byte, err error) {
	err = db.alone(ctx, func(tx *gorm.DB) error {
		signed = nil
		free, err := db.lockLog(tx)
		if err != nil || !free {
			return err
		}
		var size int64
		if err := tx.Raw(treeSize).Scan(&size).Error; err != nil {
			return err
		}
		var last checkpointRow
		if err := tx.Raw("SELECT n, size FROM checkpoints ORDER BY n DESC LIMIT 1").Scan(&last).Error; err != nil {
			return err
		}
		if size == 0 && last.Size == 0 {
			return nil
		}
		if signed, err = sign(ctx, hashes{tx}, size, size > last.Size); err != nil || signed == nil {
			return err
		}
		c, err := merkle.Parse(signed, nil)
		if !errors.Is(err, merkle.ErrSignature) { // by no key of ours here, and whole
			return fmt.Errorf("checkpoint: %w", err)
		}
		values, err := checkpoints.values(&checkpointRow{N: last.N + 1, Size: c.Size, At: c.Time, Note: signed})
		if err != nil {
			return err
		}
		return tx.Exec(insertCheckpoint, values...).Error
	}, func() (bool, error) { return false, nil }) // the signer has remembered it; the next round stores it again
	if err != nil {
		return nil, err
	}
	return signed, nil
}

var insertCheckpoint = checkpoints.insert()

// StoredCheckpoint is a checkpoint that the database keeps: the signed note, and what it says.
type StoredCheckpoint struct {
	N    int64 // 1, 2, 3 …
	Size int64
	At   time.Time
	Note []byte
}

func (db *DB) checkpoint(ctx context.Context, condition string, args ...any) (*StoredCheckpoint, error) {
	var found []checkpointRow
	if err := db.reader(ctx).Raw("SELECT n, size, at, note FROM checkpoints "+condition+" LIMIT 1", args...).Scan(&found).Error; err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if len(found) == 0 {
		return nil, nil //nolint:nilnil // none is an answer
	}
	c := StoredCheckpoint(found[0])
	return &c, nil
}

// LastCheckpoint returns the newest checkpoint, nil if there is none.
func (db *DB) LastCheckpoint(ctx context.Context) (*StoredCheckpoint, error) {
	return db.checkpoint(ctx, "ORDER BY n DESC")
}

// SignedBefore returns when the newest checkpoint before a moment was signed; the zero time if there is none.
func (db *DB) SignedBefore(ctx context.Context, at time.Time) (time.Time, error) {
	c, err := db.checkpoint(ctx, "WHERE at < ? ORDER BY n DESC", micro(at))
	if err != nil || c == nil {
		return time.Time{}, err
	}
	return c.At, nil
}

// KnownKeys returns the public keys that the trail says were made for its checkpoints, the oldest first.
func (db *DB) KnownKeys(ctx context.Context) ([]string, error) {
	var rows []entryRow
	if err := db.reader(ctx).Raw("SELECT "+entries.quoted("")+" FROM entries WHERE action = ? ORDER BY at, id", engine.ActionCheckpointKey).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("checkpoint keys: %w", err)
	}
	var out []string
	for i := range rows {
		var data struct {
			Key string `json:"key"`
		}
		if e := rows[i].entry(); json.Unmarshal(e.Data, &data) == nil && data.Key != "" {
			out = append(out, data.Key)
		}
	}
	return out, nil
}
