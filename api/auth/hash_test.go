package auth_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/alexedwards/argon2id"

	"bihuan/api/auth"
)

// Line 2: what a hash costs whoever has stolen it.
func TestHashParameters(t *testing.T) {
	one, err := auth.Hash(t.Context(), right)
	if err != nil {
		t.Fatal(err)
	}
	two, err := auth.Hash(t.Context(), right)
	if err != nil || one == two {
		t.Errorf("the same password has the same hash twice: %v", err)
	}
	p, salt, hash, err := argon2id.DecodeHash(one)
	if err != nil {
		t.Fatal(err)
	}
	if p.Memory < 19*1024 || p.Iterations < 2 || p.Parallelism < 1 || len(salt) < 16 || len(hash) < 32 || !strings.HasPrefix(one, "$argon2id$v=19$") {
		t.Errorf("%s: want at least 19 MiB, 2 passes, 128 bits of salt and 256 of hash", one)
	}
	if strings.Contains(one, right) {
		t.Error("the hash shows the password")
	}
}

// fill takes every slot there is, until the function returned is called.
func fill(t *testing.T) (release func()) {
	t.Helper()
	var entered, done sync.WaitGroup
	end := make(chan struct{})
	for range auth.MaxHashes {
		entered.Add(1)
		done.Go(func() {
			if err := auth.WithSlot(context.Background(), func() { entered.Done(); <-end }); err != nil {
				t.Error(err)
			}
		})
	}
	entered.Wait()
	return func() { close(end); done.Wait() }
}

// Line 2: at most four hashes at a time, whether made or compared; who waits gives up when the caller does.
func TestAtMostFourHashes(t *testing.T) {
	if auth.MaxHashes != 4 {
		t.Fatalf("%d at a time", auth.MaxHashes)
	}
	release := fill(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := auth.WithSlot(gone, func() { t.Error("a fifth") }); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if phc, err := auth.Hash(gone, right); phc != "" || !errors.Is(err, context.Canceled) {
		t.Errorf("a fifth hash was made: %v", err)
	}
	release()
	ran := false
	if err := auth.WithSlot(t.Context(), func() { ran = true }); err != nil || !ran {
		t.Errorf("after the others have ended: %v", err)
	}
}
