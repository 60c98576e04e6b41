package storage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/audit/merkle"
)

// Rows of the Merkle log.
type (
	leafRow struct {
		Idx     int64 `gorm:"primaryKey;autoIncrement:false"`
		EntryID string
		Hash    audit.Digest
	}
	nodeRow struct {
		Level int64 `gorm:"primaryKey;autoIncrement:false"`
		N     int64 `gorm:"primaryKey;autoIncrement:false"`
		Hash  audit.Digest
	}
	// checkpointRow keeps a signed note; size and at repeat what it says.
	checkpointRow struct {
		N    int64 `gorm:"primaryKey;autoIncrement:false"`
		Size int64
		At   time.Time
		Note []byte
	}
)

func (leafRow) TableName() string       { return "log_leaves" }
func (nodeRow) TableName() string       { return "log_nodes" }
func (checkpointRow) TableName() string { return "checkpoints" }

var (
	logNodes    = tableOf(&nodeRow{})
	checkpoints = tableOf(&checkpointRow{})
)

// treeSize is the number of leaves that the log has.
const treeSize = "SELECT coalesce(max(idx) + 1, 0) FROM log_leaves"

// hashes is the log as one transaction, or whoever reads, sees it.
type hashes struct{ db *gorm.DB }

var _ merkle.Hashes = hashes{}

// Nodes implements merkle.Hashes.
func (h hashes) Nodes(ctx context.Context, level int, from, to int64) ([]audit.Digest, error) {
	if from >= to {
		return nil, nil
	}
	query, args := "SELECT hash FROM log_leaves WHERE idx >= ? AND idx < ? ORDER BY idx", []any{from, to}
	if level > 0 {
		query, args = "SELECT hash FROM log_nodes WHERE level = ? AND n >= ? AND n < ? ORDER BY n", []any{level, from, to}
	}
	var out []audit.Digest
	if err := h.db.WithContext(ctx).Raw(query, args...).Scan(&out).Error; err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	if int64(len(out)) != to-from {
		return nil, fmt.Errorf("%w: level %d has %d hashes from %d to %d", merkle.ErrIncomplete, level, len(out), from, to-1)
	}
	return out, nil
}

// Hashes returns the Merkle log for proofs.
func (db *DB) Hashes(ctx context.Context) merkle.Hashes { return hashes{db.reader(ctx)} }

// LogSize returns the number of entries that have been sealed.
func (db *DB) LogSize(ctx context.Context) (size int64, err error) {
	if err := db.reader(ctx).Raw(treeSize).Scan(&size).Error; err != nil {
		return 0, fmt.Errorf("log: %w", err)
	}
	return size, nil
}

// Leaves returns the places of entries in the log by their ids; an entry that has not been sealed yet is missing.
func (db *DB) Leaves(ctx context.Context, ids []string) (map[string]int64, error) {
	out := make(map[string]int64, len(ids))
	for batch := range slices.Chunk(ids, planBatch) {
		var rows []leafRow
		if err := db.reader(ctx).Raw("SELECT idx, entry_id FROM log_leaves WHERE entry_id IN ?", batch).Scan(&rows).Error; err != nil {
			return nil, fmt.Errorf("log: %w", err)
		}
		for _, r := range rows {
			out[r.EntryID] = r.Idx
		}
	}
	return out, nil
}

// LeafOf returns the place of an entry in the log, -1 if it has not been sealed yet.
func (db *DB) LeafOf(ctx context.Context, entry string) (int64, error) {
	if !engine.IsID(entry) {
		return -1, nil
	}
	found, err := db.Leaves(ctx, []string{entry})
	if err != nil {
		return 0, err
	}
	if idx, ok := found[entry]; ok {
		return idx, nil
	}
	return -1, nil
}
