package auth

import (
	"context"
	"crypto/rand"
	"sync"

	"github.com/alexedwards/argon2id"
	"golang.org/x/text/unicode/norm"
)

// parameters of new hashes: 19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet, argon2id).
var parameters = &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// maxHashes is how many hashes are computed at a time in this process: a flood of sign-ins must not eat its memory.
const maxHashes = 4

var slots = make(chan struct{}, maxHashes)

// withSlot runs f when fewer than maxHashes others are running. It gives up with ctx.
func withSlot(ctx context.Context, f func()) error {
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-slots }()
	f()
	return nil
}

// Hash returns the argon2id hash of a password as a PHC string. Whether the password is good enough is Policy's to
// say. It waits for its turn as long as ctx allows.
func Hash(ctx context.Context, password string) (phc string, err error) {
	if waited := withSlot(ctx, func() { phc, err = argon2id.CreateHash(normal(password), parameters) }); waited != nil {
		return "", waited
	}
	return phc, err
}

// verify tells whether the password belongs to the hash, and whether that has the parameters of today.
func verify(password, phc string) (match, current bool, err error) {
	match, p, err := argon2id.CheckHash(normal(password), phc)
	return match, err == nil && *p == *parameters, err
}

// normal is the form in which a password is judged, hashed and compared, so that it does not matter whether an
// input method wrote ａ or a.
func normal(password string) string { return norm.NFKC.String(password) }

// nobody is the hash that a password is compared with where there is no account: of a password that nobody knows.
var nobody = sync.OnceValues(func() (string, error) { return argon2id.CreateHash(rand.Text(), parameters) })
