package storage_test

import (
	"errors"
	"testing"

	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// A tile that the log is too small for is not there, even where the leaves under it are more than a number can say.
func TestTilesBeyondTheLog(t *testing.T) {
	w := newWorld(t, storagetest.Open(t, storage.SQLite))
	w.exec("INSERT INTO log_leaves VALUES (65535, '01a217bc-545e-7677-b598-4d95e86f5402', zeroblob(32))") // the last of a large log
	for _, x := range []struct {
		level int
		n     int64
	}{{1, 1}, {3, 0}, {6, 255}, {7, 0}} {
		if b, err := (storage.Trail{DB: w.db}).Tile(t.Context(), x.level, x.n, 256); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("tile %d/%d: %x, %v", x.level, x.n, b, err)
		}
	}
}
