package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestWriteFile: what could not be written whole is not left behind, and what must not exist is not touched.
func TestWriteFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x")
	text := func(s string) func(*os.File) error {
		return func(f *os.File) error { _, err := f.WriteString(s); return err }
	}
	is := func(want string) {
		t.Helper()
		if b, err := os.ReadFile(name); err != nil || string(b) != want {
			t.Errorf("%q, %v, want %q", b, err, want)
		}
	}
	if err := writeFile(name, os.O_EXCL, text("first")); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(name, os.O_EXCL, text("second")); !errors.Is(err, os.ErrExist) {
		t.Errorf("over another: %v", err)
	}
	is("first")
	if err := writeFile(name, os.O_TRUNC, text("new")); err != nil {
		t.Error(err)
	}
	is("new")
	full := errors.New("full")
	if err := writeFile(name, os.O_TRUNC, func(f *os.File) error { return errors.Join(text("half")(f), full) }); !errors.Is(err, full) {
		t.Errorf("half of it: %v", err)
	}
	if _, err := os.Stat(name); !os.IsNotExist(err) {
		t.Errorf("half of it is left: %v", err)
	}
}
