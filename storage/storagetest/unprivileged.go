package storagetest

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Unprivileged runs f as somebody whom file permissions bind: where the tests run as root, t runs once more in a
// process of another account, from a copy of the test's program that it can reach. t must have no parent.
func Unprivileged(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	if os.Geteuid() != 0 {
		f(t)
		return
	}
	who, err := unprivileged()
	if err != nil {
		t.Skip(err)
	}
	dir, err := who.mkdir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	program := filepath.Join(dir, "test")
	if err := errors.Join(copyProgram(program), who.own(program)); err != nil {
		t.Fatal(err)
	}
	out, err := who.run(dir, "/usr/bin/env", "TMPDIR="+dir, program, "-test.run=^"+t.Name()+"$", "-test.v")
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()+" ") {
		t.Errorf("as another than root: %v\n%s", err, out)
	}
}

// copyProgram copies the running program.
func copyProgram(to string) (err error) {
	path, err := os.Executable()
	if err != nil {
		return err
	}
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, from)
	return err
}
