package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestRuns(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "run", "-tags", "nomsgpack", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"教学楼每层装直饮水机 plan", "✗", "create "} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the output does not say %q:\n%s", want, out)
		}
	}
}

func TestIsShort(t *testing.T) {
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(source, []byte("\n")); n > 60 {
		t.Errorf("main.go has %d lines, want at most 60", n)
	}
}
