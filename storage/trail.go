package storage

import (
	"context"
	"io"

	"bihuan/engine"
	"bihuan/engine/audit/merkle"
)

// Trail is the log as those need it who answer requests about it.
type Trail struct{ DB *DB }

// Log returns the installation's id and epoch as "id/epoch".
func (x Trail) Log(ctx context.Context) (string, error) { return x.DB.Log(ctx) }

// Checkpoint returns the newest signed checkpoint, nil if there is none yet.
func (x Trail) Checkpoint(ctx context.Context) ([]byte, error) {
	c, err := x.DB.LastCheckpoint(ctx)
	if err != nil || c == nil {
		return nil, err
	}
	return c.Note, nil
}

// Keys returns the public keys that the trail tells of, the oldest first.
func (x Trail) Keys(ctx context.Context) ([]string, error) { return x.DB.KnownKeys(ctx) }

// Leaves returns the places of entries by their ids; one that has not been sealed yet is missing.
func (x Trail) Leaves(ctx context.Context, ids []string) (map[string]int64, error) {
	return x.DB.Leaves(ctx, ids)
}

// Inclusion proves that the entry at a place stands in the log with size entries.
func (x Trail) Inclusion(ctx context.Context, size, index int64) (merkle.Proof, error) {
	return merkle.Inclusion(ctx, x.DB.Hashes(ctx), size, index)
}

// Bundle writes a part of the trail, and in a part of it what proves that it continues the known checkpoints.
func (x Trail) Bundle(ctx context.Context, w io.Writer, part engine.Part, known []merkle.Checkpoint) error {
	_, err := x.DB.Export(ctx, w, ExportOptions{Project: part.Project, Unit: part.Unit, Known: known})
	return err
}

// Tile returns the first width hashes of a tile of the log, or engine.ErrNotFound where the log is not that large.
func (x Trail) Tile(ctx context.Context, level int, n int64, width int) ([]byte, error) {
	size, err := x.DB.LogSize(ctx)
	if err != nil {
		return nil, err
	}
	if n > size>>merkle.Height || n*merkle.Width+int64(width) > size>>(merkle.Height*level) {
		return nil, engine.ErrNotFound
	}
	return merkle.Tile(ctx, x.DB.Hashes(ctx), level, n, width)
}
