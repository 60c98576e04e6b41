package storage

import (
	"context"
	"fmt"

	"bihuan/engine"
)

var sourceMappings = tableOf(&engine.SourceMapping{})

// SourceMappings returns what is remembered about the columns of ledgers; see engine.Sources.
func (db *DB) SourceMappings(ctx context.Context, unit engine.UnitID) ([]engine.SourceMapping, error) {
	query, args := "SELECT "+sourceMappings.quoted("")+" FROM source_mappings", []any{}
	if unit != "" {
		if !engine.IsID(string(unit)) {
			return nil, nil
		}
		query, args = query+" WHERE unit_id = ?", []any{string(unit)}
	}
	var out []engine.SourceMapping
	if err := db.reader(ctx).Raw(query+" ORDER BY saved_at DESC, id", args...).Scan(&out).Error; err != nil {
		return nil, fmt.Errorf("source mappings: %w", err)
	}
	return out, nil
}
