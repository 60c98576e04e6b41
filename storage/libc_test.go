package storage_test

import (
	"os/exec"
	"strings"
	"testing"
)

// modernc.org/sqlite is translated for one very version of modernc.org/libc; with another it has been seen to
// crash. Raising a module must not part the two.
func TestLibcIsTheOneThatSQLiteNames(t *testing.T) {
	list := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), "go", append([]string{"list", "-m"}, args...)...).Output()
		if err != nil {
			t.Fatalf("go list -m %v: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	mod := list("-f", "{{.GoMod}}", "modernc.org/sqlite")
	out, err := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json", mod).Output()
	if err != nil {
		t.Fatal(err)
	}
	have := list("-f", "{{.Version}}", "modernc.org/libc")
	if !strings.Contains(string(out), `"Path": "modernc.org/libc",`+"\n\t\t\t"+`"Version": "`+have+`"`) {
		t.Errorf("modernc.org/libc is %s, which is not what modernc.org/sqlite asks for", have)
	}
}
