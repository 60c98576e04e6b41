package secret_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"bihuan/engine/secret"
)

func box(t *testing.T, keys ...string) *secret.Box {
	t.Helper()
	b, err := secret.New(strings.Join(keys, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSealAndOpen(t *testing.T) {
	key, other := secret.NewKey(), secret.NewKey()
	b := box(t, key)
	plain := []byte("SEC-机器人的密钥")
	sealed := b.Seal("channel/1", plain)
	if bytes.Contains(sealed, plain) || bytes.Equal(sealed, b.Seal("channel/1", plain)) {
		t.Error("the sealed value shows the plain one or is the same twice")
	}
	if got, err := b.Open("channel/1", sealed); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("opened %q (%v)", got, err)
	}
	if got, err := box(t, other, key).Open("channel/1", sealed); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("a replaced key opened %q (%v)", got, err)
	}
	fresh := box(t, other, key).Seal("channel/1", plain)
	if _, err := b.Open("channel/1", fresh); !errors.Is(err, secret.ErrSealed) {
		t.Errorf("the old key still seals: %v", err)
	}
	for name, bad := range map[string]func() ([]byte, error){
		"another purpose": func() ([]byte, error) { return b.Open("channel/2", sealed) },
		"another key":     func() ([]byte, error) { return box(t, other).Open("channel/1", sealed) },
		"cut short":       func() ([]byte, error) { return b.Open("channel/1", sealed[:len(sealed)-1]) },
		"nothing":         func() ([]byte, error) { return b.Open("channel/1", nil) },
		"another version": func() ([]byte, error) { return b.Open("channel/1", append([]byte{2}, sealed[1:]...)) },
	} {
		if got, err := bad(); !errors.Is(err, secret.ErrSealed) || got != nil {
			t.Errorf("%s: opened %q (%v)", name, got, err)
		}
	}
	for i := range sealed {
		bent := bytes.Clone(sealed)
		bent[i] ^= 1
		if _, err := b.Open("channel/1", bent); !errors.Is(err, secret.ErrSealed) {
			t.Errorf("byte %d bent: %v", i, err)
		}
	}
}

func TestKeys(t *testing.T) {
	for _, bad := range []string{"", " \n", "abc", base64.StdEncoding.EncodeToString(make([]byte, 31)), secret.NewKey() + " x", strings.Repeat("A", 44)} {
		if _, err := secret.New(bad); !errors.Is(err, secret.ErrKey) {
			t.Errorf("key %q: %v", bad, err)
		} else if bad != "" && len(bad) > 3 && strings.Contains(err.Error(), bad) {
			t.Errorf("the error shows the key: %v", err)
		}
	}
	if a := secret.NewKey(); a == secret.NewKey() {
		t.Error("two fresh keys are the same")
	}
}
