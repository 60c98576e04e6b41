package storage

import (
	"context"

	"bihuan/engine"
)

var sheetVersions = tableOf(&engine.SheetVersion{})

// SheetVersions returns every score sheet that was proposed, the newest first and without sources.
func (db *DB) SheetVersions(ctx context.Context) ([]engine.SheetVersion, error) {
	var out []engine.SheetVersion
	t := sheetVersions.without("source")
	err := db.reader(ctx).Raw("SELECT " + t.quoted("") + " FROM " + t.name + " ORDER BY proposed_at DESC, id DESC").Scan(&out).Error
	return out, err
}

// SheetSource returns the exact bytes of a proposed score sheet, or engine.ErrNotFound.
func (db *DB) SheetSource(ctx context.Context, id engine.SheetID) ([]byte, error) {
	var s engine.SheetVersion
	if !engine.IsID(string(id)) {
		return nil, engine.ErrNotFound
	}
	err := one(db.reader(ctx).Raw("SELECT source FROM "+sheetVersions.name+" WHERE id = ?", string(id)).Scan(&s))
	return s.Source, err
}
