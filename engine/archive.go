package engine

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"time"

	"bihuan/engine/audit"
)

// archiveBatch is how many deliveries move with one entry.
const archiveBatch = 400

// ArchiveDeliveries moves deliveries that came to an end and are older than a moment out of the way of the daily work,
// and returns how many. They stay readable, and each entry has the digest of what moved with it.
func (e *Engine) ArchiveDeliveries(ctx context.Context, before time.Time) (int, error) {
	done := 0
	for {
		list, err := e.Store.Finished(ctx, before, archiveBatch)
		if err != nil || len(list) == 0 {
			return done, err
		}
		unit, n := list[0].Delivery.UnitID, 1
		for n < len(list) && list[n].Delivery.UnitID == unit { // an entry belongs to one unit
			n++
		}
		list = list[:n]
		digest, err := ArchiveDigest(list)
		if err != nil {
			return done, err
		}
		ids := make([]string, n)
		for i := range list {
			ids[i] = list[i].Delivery.ID
		}
		err = e.record(ctx, clockActor(), SubjectDelivery+"/"+ids[0], "archive", nil, func(r *Record) (any, map[string]any) {
			r.Archive, r.Entry.Unit = ids, string(unit)
			return nil, map[string]any{"deliveries": n, "from": list[0].Delivery.CreatedAt, "to": list[n-1].Delivery.CreatedAt, "digest": digest.String()}
		})
		if errors.Is(err, ErrConflict) { // another replica is at it, or somebody had one delivered again
			return done, nil
		}
		if err != nil {
			return done, err
		}
		done += n
	}
}

// ArchiveDigest is SHA-256 over the deliveries, each as a line of JSON with the keys of what it told in their order.
func ArchiveDigest(list []Send) (audit.Digest, error) {
	h := sha256.New()
	lines := json.NewEncoder(h)
	for i := range list {
		row := struct {
			Delivery
			Told []string `json:"told"`
		}{Delivery: list[i].Delivery, Told: []string{}}
		for _, item := range list[i].Items {
			row.Told = append(row.Told, item.DedupeKey)
		}
		if err := lines.Encode(row); err != nil {
			return audit.Digest{}, err
		}
	}
	return audit.Digest(h.Sum(nil)), nil
}
