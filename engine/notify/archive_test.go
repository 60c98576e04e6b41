package notify_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// What came to an end long ago moves to the archive with an entry that has its digest: nothing is lost, nothing that
// waits is moved, nothing is told again, and the log still finds it.
func TestArchive(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		good := receive(t, nil, says("ok"))
		bad := receive(t, nil, func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) })
		gone := receive(t, nil, func(w http.ResponseWriter) { w.WriteHeader(http.StatusGone) })
		for i, x := range []*receiver{good, bad, gone} {
			h.channel(engine.Webhook, []string{"z", "z", "b"}[i], engine.ChannelSecret{URL: x.URL}, "create")
		}
		p := h.project("改造照明", "2026-11-30")
		h.project("改造二楼照明", "2026-11-30")
		h.plan()
		h.deliver()
		before := h.deliveries()
		if len(before) != 6 {
			t.Fatalf("%d deliveries", len(before))
		}
		old := map[string]engine.Delivery{}
		sends, err := db.Finished(t.Context(), h.now().Add(time.Hour), 100)
		if err != nil || len(sends) != 4 {
			t.Fatalf("%d can be archived (%v), want 4", len(sends), err)
		}
		for _, s := range sends {
			old[s.Delivery.ID] = s.Delivery
		}
		if n, err := h.e.ArchiveDeliveries(t.Context(), h.now().Add(-time.Hour)); n != 0 || err != nil {
			t.Errorf("%d were archived before their time (%v)", n, err)
		}
		later := h.now().AddDate(0, 0, 1)
		for want := 4; want >= 0; want -= 4 { // the second time there is nothing left
			if n, err := h.e.ArchiveDeliveries(t.Context(), later); n != want || err != nil {
				t.Errorf("%d archived, want %d (%v)", n, want, err)
			}
		}
		if left := h.deliveries(); len(left) != 2 || left[0].State != engine.DeliveryWaiting || left[1].State != engine.DeliveryWaiting {
			t.Errorf("left: %+v", left)
		}
		page, err := h.e.Deliveries(t.Context(), h.people["zadmin"], engine.DeliveryFilter{Archive: true, Project: p.ID, Limit: engine.MaxPage})
		if err != nil || len(page.Items) != 2 {
			t.Fatalf("%d of the project in the archive (%v), want 2", len(page.Items), err)
		}
		for i := range page.Items {
			d := &page.Items[i]
			was := old[d.ID]
			if d.State != was.State || d.Answer != was.Answer || d.Attempts != was.Attempts || !d.FinishedAt.Equal(*was.FinishedAt) || !d.CreatedAt.Equal(was.CreatedAt) {
				t.Errorf("%+v, was %+v", d, was)
			}
			told, err := h.e.Told(t.Context(), h.people["supervisor"], d)
			if err != nil || len(told) != 1 || told[0].Kind != "create" || told[0].Project.ID != p.ID {
				t.Errorf("told %+v (%v)", told, err)
			}
		}
		if page, err = h.e.Deliveries(t.Context(), h.people["zadmin"], engine.DeliveryFilter{Archive: true, State: engine.DeliveryDead}); err != nil || len(page.Items) != 2 {
			t.Errorf("%d dead in the archive (%v), want 2", len(page.Items), err)
		}
		if err := h.e.Replay(t.Context(), h.people["admin"], []string{page.Items[0].ID}); engine.KindOf(err) != engine.NotFound {
			t.Errorf("an archived one is replayed: %v", err)
		}

		// Each entry has the digest of what moved with it, for whoever reads the archive later.
		digests := map[string]bool{}
		trail, err := db.Entries(t.Context(), engine.EntryFilter{Actions: []string{"archive"}, Limit: engine.MaxPage})
		if err != nil {
			t.Fatal(err)
		}
		moved := 0
		for _, row := range trail.Items {
			var data struct {
				Deliveries int
				Digest     string
			}
			if err := json.Unmarshal(row.Data, &data); err != nil || row.Actor.Via != engine.ViaClock || row.Unit == "" {
				t.Errorf("%v %+v", err, row.Entry)
			}
			moved, digests[data.Digest] = moved+data.Deliveries, true
		}
		for rest := sends; len(rest) > 0; {
			n := slices.IndexFunc(rest, func(s engine.Send) bool { return s.Delivery.UnitID != rest[0].Delivery.UnitID })
			if n < 0 {
				n = len(rest)
			}
			if digest, err := engine.ArchiveDigest(rest[:n]); err != nil || !digests[digest.String()] {
				t.Errorf("the digest %s of %d stands in no entry (%v)", digest, n, err)
			}
			rest = rest[n:]
		}
		if moved != 4 {
			t.Errorf("entries tell of %d", moved)
		}

		h.plan()
		h.deliver()
		if bodies, _, _ := good.got(); len(bodies) != 2 {
			t.Errorf("%d messages, want the two from before", len(bodies))
		}
		report, err := db.Verify(t.Context(), storage.VerifyOptions{})
		if err != nil || !report.Intact() {
			t.Errorf("%v %+v", err, report.Findings)
		}
	})
}
