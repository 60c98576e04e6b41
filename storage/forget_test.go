package storage_test

import (
	"slices"
	"testing"

	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// Whoever adds a table about people says what becomes of it when somebody is erased: something goes away, or it stays
// for the reason here.
func TestForgetKnowsEveryTable(t *testing.T) {
	stays := map[string]string{
		"tokens":      "names of tokens are in the trail; a closed account's open nothing",
		"delegations": "in the trail, by ids",
		"notices":     "about projects; the person by id",
		"tally_years": "in the trail, by ids",
	}
	db := storagetest.Open(t, storage.SQLite)
	tables := column(t, db, "SELECT DISTINCT m.name FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table' AND f.\"table\" = 'users'")
	if len(tables) < 6 {
		t.Fatalf("the search is broken: %v", tables)
	}
	for _, name := range tables {
		if stays[name] == "" && !slices.Contains(storage.Personal(), name) {
			t.Errorf("what becomes of %s when somebody is erased?", name)
		}
	}
}
