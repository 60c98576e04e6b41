// Package secret encrypts what has to be stored and read back: keys of channels, passwords of mail servers, seeds of
// one-time codes. It imports nothing of ours.
//
// What must always hold: a sealed value opens only with the key that sealed it and only for the purpose that it was
// sealed for, so that whoever can write the database cannot move one row's secret into another. A key that has been
// replaced still opens what it sealed, for as long as it is listed.
package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// KeySize is the length of a key in bytes (AES-256).
const KeySize = 32

// version is the first byte of everything sealed: AES-256-GCM, four bytes that name the key, a random nonce.
const version = 1

const nameSize = 4

// Errors of New and Open.
var (
	ErrKey    = errors.New("secret: a key is 32 bytes in base64; make one with: openssl rand -base64 32")
	ErrSealed = errors.New("secret: the value cannot be opened with any key that this process has")
)

// Box seals and opens. It is safe for concurrent use.
type Box struct {
	first string                 // name of the key that seals
	keys  map[string]cipher.AEAD // by name
}

// New makes a box from keys in base64, parted by white space or commas. The first seals; the others only open what
// they sealed before they were replaced.
func New(keys string) (*Box, error) {
	b := &Box{keys: map[string]cipher.AEAD{}}
	for _, text := range strings.FieldsFunc(keys, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' }) {
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(key) != KeySize {
			return nil, ErrKey // which never shows the key
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, ErrKey
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("secret: %w", err)
		}
		digest := sha256.Sum256(append([]byte("bihuan key name\n"), key...))
		name := string(digest[:nameSize])
		if b.first == "" {
			b.first = name
		}
		b.keys[name] = aead
	}
	if b.first == "" {
		return nil, ErrKey
	}
	return b, nil
}

// NewKey returns a fresh key in base64.
func NewKey() string {
	key := make([]byte, KeySize)
	_, _ = rand.Read(key) // never fails
	return base64.StdEncoding.EncodeToString(key)
}

// Seal encrypts plain for a purpose such as "channel/" and the row's id.
func (b *Box) Seal(purpose string, plain []byte) []byte {
	out := append([]byte{version}, b.first...)
	return b.keys[b.first].Seal(out, nil, plain, []byte(purpose)) //nolint:gosec // this AEAD draws its nonce itself
}

// Open decrypts what Seal returned for the same purpose, or answers ErrSealed.
func (b *Box) Open(purpose string, sealed []byte) ([]byte, error) {
	if len(sealed) < 1+nameSize || sealed[0] != version {
		return nil, ErrSealed
	}
	aead := b.keys[string(sealed[1:1+nameSize])]
	if aead == nil {
		return nil, ErrSealed
	}
	plain, err := aead.Open(nil, nil, sealed[1+nameSize:], []byte(purpose))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}
