package files

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"bihuan/engine"
)

func TestAside(t *testing.T) {
	dir := t.TempDir()
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	put := func(owner, name, data string) string {
		t.Helper()
		ticket, err := f.SetAside(t.Context(), owner, name, []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		return ticket
	}
	gone := func(why, owner, ticket string) {
		t.Helper()
		if name, data, err := f.Aside(owner, ticket); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("%s: %q %q, %v", why, name, data, err)
		}
	}
	age := func(ticket string, by time.Duration) {
		t.Helper()
		at := time.Now().Add(-by)
		if err := os.Chtimes(filepath.Join(dir, aside, ticket), at, at); err != nil {
			t.Fatal(err)
		}
	}

	ticket := put("chen", `C:\台账\2026.csv`, "a,b\nc\n")
	name, data, err := f.Aside("chen", ticket)
	if err != nil || name != "2026.csv" || string(data) != "a,b\nc\n" {
		t.Fatalf("%q %q, %v", name, data, err)
	}
	if again := put("chen", "2026.csv", "a,b\nc\n"); again != ticket {
		t.Errorf("the same file again has the ticket %s, not %s", again, ticket)
	}
	gone("somebody else's", "wang", ticket)
	for _, bad := range []string{"", "..", "../incoming", ticket[:20], ticket + "0", "/etc/passwd"} {
		gone("no ticket", "chen", bad)
	}
	if err := os.WriteFile(filepath.Join(dir, aside, ticket), []byte("2026.csv\nz"), 0o600); err != nil {
		t.Fatal(err)
	}
	gone("altered", "chen", ticket)

	old := put("chen", "old.csv", "x")
	age(old, AsideLife+time.Minute)
	gone("too old", "chen", old)
	put("wang", "new.csv", "y")
	if _, err := os.Stat(filepath.Join(dir, aside, old)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what is too old still lies there: %v", err)
	}

	var tickets []string
	for i := range asideEach + 1 {
		tickets = append(tickets, put("li", fmt.Sprintf("%d.csv", i), "z"))
		age(tickets[i], time.Duration(asideEach+1-i)*time.Minute)
	}
	gone("the oldest of too many", "li", tickets[0])
	for _, ticket := range tickets[1:] {
		if _, _, err := f.Aside("li", ticket); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := f.Aside("wang", put("wang", "new.csv", "y")); err != nil {
		t.Errorf("others make no room: %v", err)
	}
}
