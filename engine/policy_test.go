package engine_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bihuan/engine"
)

// Every action that the source asks a role for has its row, with that role, and every row is asked for.
func TestEveryActionHasItsRow(t *testing.T) {
	rows := map[string][]engine.Role{}
	for _, p := range engine.Policies() {
		rows[p.Action] = p.Roles
	}
	asked := map[string]bool{}
	calls := regexp.MustCompile(`(?:requires\(ctx, who, (\w+)|managed\(ctx, who, \w+|changeGrants\(ctx, who, user, unit, role), "(\w+)"`)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range calls.FindAllStringSubmatch(string(source), -1) {
			role, action := engine.Role(strings.ToLower(m[1])), m[2]
			asked[action] = true
			if got := rows[action]; len(got) != 1 || role != "" && got[0] != role {
				t.Errorf("%s asks the %s for %s, the policy says %v", name, role, action, got)
			}
		}
	}
	for _, must := range []string{"add_unit", "move_unit", "add_user", "grant", "revoke", "disable", "leave", "publish"} {
		if !asked[must] {
			t.Errorf("nothing asks for %s: the search is broken", must)
		}
	}
}

// No role is a superuser: of the three offices (三员) none does another's, and none decides anything about a project. The
// inspector reads, and takes the trail away.
func TestNoRoleIsASuperuser(t *testing.T) {
	offices := map[engine.Role]int{}
	for _, p := range engine.Policies() {
		if strings.HasSuffix(p.Action, "erasure") || p.Action == "erase" { // which takes two of them
			continue
		}
		for _, r := range p.Roles {
			if slices.Contains([]engine.Role{engine.Admin, engine.Security, engine.Inspector}, r) {
				offices[r]++
				if len(p.Roles) > 1 {
					t.Errorf("%s is the %s's and somebody else's: %v", p.Action, r, p.Roles)
				}
			}
		}
	}
	if offices[engine.Admin] == 0 || offices[engine.Security] != 2 || offices[engine.Inspector] != 1 {
		t.Errorf("actions by office: %v", offices)
	}
}
