package storagetest

import (
	"context"
	"time"

	"bihuan/engine/audit/merkle"
	"bihuan/storage"
)

// Sign seals what has come and has it signed at a moment, by a signer in a folder of its own. tell writes the entry about
// a key that was made for it. It returns the checkpoint, nil if nothing came since the last one.
func Sign(ctx context.Context, db *storage.DB, dir string, at time.Time, tell func(key string) error) ([]byte, error) {
	log, err := db.Log(ctx)
	if err != nil {
		return nil, err
	}
	known, err := db.KnownKeys(ctx)
	if err != nil {
		return nil, err
	}
	signer, fresh, err := merkle.OpenSigner(dir, log, len(known) > 0)
	if err != nil {
		return nil, err
	}
	if fresh {
		if err := tell(signer.Public()); err != nil {
			return nil, err
		}
	}
	if _, err := db.NewSealer(nil).Seal(ctx); err != nil {
		return nil, err
	}
	return db.Checkpoint(ctx, func(ctx context.Context, h merkle.Hashes, size int64, grown bool) ([]byte, error) {
		if !grown {
			return nil, signer.Check(ctx, h, log, size)
		}
		return signer.Sign(ctx, h, log, size, at)
	})
}
