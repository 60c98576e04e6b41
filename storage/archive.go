package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"bihuan/engine"
)

// Rows of the archive of deliveries.
type (
	archivedRow struct {
		engine.Delivery
		ArchivedAt time.Time
	}
	archivedItem struct{ engine.DeliveryItem }
)

func (archivedRow) TableName() string  { return "archived_deliveries" }
func (archivedItem) TableName() string { return "archived_delivery_items" }

var (
	archived      = tableOf(&archivedRow{})
	archivedItems = tableOf(&archivedItem{})
)

// itemTables are where the items of deliveries stand.
var itemTables = []string{deliveryItems.name, archivedItems.name}

// Finished returns what can be archived; see engine.Outbox.
func (db *DB) Finished(ctx context.Context, before time.Time, limit int) ([]engine.Send, error) {
	var list []engine.Delivery
	err := db.reader(ctx).Raw("SELECT "+deliveries.quoted("")+" FROM deliveries WHERE state <> 'waiting' AND created_at < ? ORDER BY created_at, id LIMIT ?", micro(before), limit).Scan(&list).Error
	if err != nil || len(list) == 0 {
		return nil, err
	}
	out, at := make([]engine.Send, len(list)), make(map[string]int, len(list))
	ids := make([]string, len(list))
	for i := range list {
		out[i].Delivery, ids[i], at[list[i].ID] = list[i], list[i].ID, i
	}
	for batch := range slices.Chunk(ids, planBatch) {
		var items []engine.DeliveryItem
		if err := db.reader(ctx).Raw("SELECT "+deliveryItems.quoted("")+" FROM delivery_items WHERE delivery_id IN ? ORDER BY delivery_id, dedupe_key", batch).Scan(&items).Error; err != nil {
			return nil, fmt.Errorf("archive: %w", err)
		}
		for _, x := range items {
			s := &out[at[x.DeliveryID]]
			s.Items = append(s.Items, engine.PlannedItem{DeliveryItem: x})
		}
	}
	return out, nil
}

// archiveSteps move deliveries within the record that says so, all of them or none.
func archiveSteps(ids []string, at time.Time) []step {
	columns, items := deliveries.quoted(""), deliveryItems.quoted("")
	into := func(t *table) string { return "INSERT INTO " + t.name + " (" + strings.Join(t.columns, ", ") + ") " }
	n := int64(len(ids))
	return []step{
		{text: into(&archived) + "SELECT " + columns + ", ? FROM deliveries WHERE id IN ? AND state <> 'waiting'", args: []any{micro(at), ids}, hits: n},
		{text: into(&archivedItems) + "SELECT " + items + " FROM delivery_items WHERE delivery_id IN ?", args: []any{ids}, mustHit: true},
		{text: "DELETE FROM delivery_items WHERE delivery_id IN ?", args: []any{ids}, mustHit: true},
		{text: "DELETE FROM deliveries WHERE id IN ? AND state <> 'waiting'", args: []any{ids}, hits: n},
	}
}
