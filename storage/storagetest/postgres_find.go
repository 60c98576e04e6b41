package storagetest

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// debianFolders is where Debian keeps each version's programs; they are not in PATH there.
const debianFolders = "/usr/lib/postgresql/*/bin"

// oldest is the first version that can drop a database in use.
const oldest = 13

// findPostgres returns the first folder whose initdb and postgres run under the account.
func findPostgres(who account) (bin string, err error) {
	for _, dir := range candidates(debianFolders, os.Getenv("PATH")) {
		if who.works(dir) {
			return dir, nil
		}
	}
	return "", errNotFound{"no working initdb and postgres in " + debianFolders + " or PATH"}
}

// candidates lists the folders to look in: those of the pattern, newest version first, then those of the search
// path that have an initdb, with links followed, because postgres must lie beside the real one.
func candidates(pattern, searchPath string) []string {
	found, err := filepath.Glob(pattern)
	if err != nil {
		panic(err) // the pattern is a constant
	}
	slices.SortStableFunc(found, func(a, b string) int { return cmp.Compare(folderVersion(b), folderVersion(a)) })
	for _, dir := range filepath.SplitList(searchPath) {
		if target, err := filepath.EvalSymlinks(filepath.Join(dir, "initdb")); err == nil && filepath.IsAbs(target) {
			found = append(found, filepath.Dir(target))
		}
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(found, func(dir string) bool {
		again := seen[dir]
		seen[dir] = true
		return again
	})
}

// folderVersion reads the 15 of …/15/bin, and 0 from anything else.
func folderVersion(bin string) float64 {
	v, err := strconv.ParseFloat(filepath.Base(filepath.Dir(bin)), 64)
	if err != nil {
		return 0
	}
	return v
}

var versionLine = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// works reports whether both programs say the same, recent enough version. A wrapper that only passes calls on to
// somewhere else gives itself away here or by the missing neighbour.
func (a account) works(bin string) bool {
	var versions []string
	for _, program := range []string{"initdb", "postgres"} {
		out, err := a.run("/", filepath.Join(bin, program), "--version")
		if err != nil {
			return false
		}
		m := versionLine.FindSubmatch(out)
		if m == nil {
			return false
		}
		versions = append(versions, string(m[1]))
	}
	major, err := strconv.Atoi(versions[0])
	return err == nil && major >= oldest && versions[0] == versions[1]
}
