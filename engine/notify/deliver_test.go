package notify_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// A failure is tried again by the schedule under the same id, then given up, seen, and replayed as an act with an entry.
func TestRetryDeadReplay(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		x := receive(t, nil, func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError); says("out of order")(w) })
		c := h.channel(engine.Webhook, "z", engine.ChannelSecret{URL: x.URL}, "create")
		h.project("改造照明", "2026-11-30")
		h.plan()
		var waits []time.Duration
		for range 10 {
			if n := h.deliver(); n != 1 {
				t.Fatalf("attempt %d: %d attempts at once", len(waits), n)
			}
			d := h.deliveries()[0]
			if d.State == engine.DeliveryDead {
				break
			}
			waits = append(waits, d.NextAt.Sub(h.now()))
			h.clock.Store(d.NextAt.UnixMicro() - 1)
			if n := h.deliver(); n != 0 {
				t.Fatal("tried again before its time")
			}
			h.clock.Store(d.NextAt.UnixMicro())
		}
		for i, want := range []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour} {
			if i >= len(waits) || waits[i] < want || waits[i] > want+want/5+time.Second {
				t.Fatalf("waited %v, want about %v at %d", waits, want, i)
			}
		}
		d := h.deliveries()[0]
		if d.State != engine.DeliveryDead || d.Attempts != 10 || !strings.Contains(d.Answer, "500") || !strings.Contains(d.Answer, "out of order") || d.FinishedAt == nil {
			t.Errorf("given up: %+v", d)
		}
		_, ids, _ := x.got()
		for _, id := range ids {
			if id != d.ID {
				t.Errorf("an attempt under the id %s, want %s", id, d.ID)
			}
		}
		if err := h.e.Replay(t.Context(), h.people["supervisor"], []string{d.ID}); engine.KindOf(err) != engine.Denied {
			t.Errorf("a supervisor replays: %v", err)
		}
		h.person("stranger")
		if _, err := h.e.Deliveries(t.Context(), h.people["stranger"], engine.DeliveryFilter{}); engine.KindOf(err) != engine.Denied {
			t.Errorf("a stranger reads the log: %v", err)
		}
		for _, scope := range []engine.TokenScope{engine.TokenRead, engine.TokenProjects} {
			limited := h.people["zadmin"]
			limited.Limit = scope
			if err := h.e.Replay(t.Context(), limited, []string{d.ID}); engine.KindOf(err) != engine.Denied {
				t.Errorf("replayed by a token for %s: %v", scope, err)
			}
		}
		if err := h.e.Replay(t.Context(), h.people["zadmin"], []string{d.ID}); err != nil {
			t.Fatal(err)
		}
		if err := h.e.Replay(t.Context(), h.people["zadmin"], []string{d.ID}); engine.KindOf(err) != engine.Blocked {
			t.Errorf("replayed twice: %v", err)
		}
		x.mu.Lock()
		x.answer = says("ok")
		x.mu.Unlock()
		h.deliver()
		if d := h.deliveries()[0]; d.State != engine.DeliverySent || d.Attempts != 1 {
			t.Errorf("after the replay: %+v", d)
		}
		page, err := h.e.Trail(t.Context(), engine.Operator(), engine.EntryFilter{Actions: []string{"replay"}})
		if err != nil || len(page.Items) != 1 || page.Items[0].Actor.ID != string(h.people["zadmin"].ID) {
			t.Errorf("%d entries of the replay (%v)", len(page.Items), err)
		}
		if _, err := h.e.Channel(t.Context(), h.people["zadmin"], c.ID); err != nil {
			t.Error(err)
		}
		top := h.channel(engine.Webhook, "p", engine.ChannelSecret{URL: x.URL})
		if _, err := h.e.Channel(t.Context(), h.people["zadmin"], top.ID); engine.KindOf(err) != engine.NotFound {
			t.Errorf("a channel above one's own unit: %v", err)
		}
	})
}

// Receivers that hang cost the others nothing, not even right after a start.
func TestHangingReceivers(t *testing.T) {
	db := storagetest.Open(t, storage.SQLite)
	h := settle(t, db, "2026-09-24 10:00")
	release := make(chan struct{})
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer hang.Close()
	defer close(release)
	var mu sync.Mutex
	arrived := 0
	done := make(chan struct{})
	good := receive(t, nil, func(w http.ResponseWriter) {
		mu.Lock()
		defer mu.Unlock()
		if arrived++; arrived == 3*8 {
			close(done)
		}
		says("ok")(w)
	})
	for range 60 { // more than the workers that such may have
		h.channel(engine.Webhook, "b", engine.ChannelSecret{URL: hang.URL}, "create")
	}
	for range 3 {
		h.channel(engine.Webhook, "b", engine.ChannelSecret{URL: good.URL}, "create")
	}
	for range 8 {
		h.project("改造照明", "2026-11-30")
	}
	h.plan()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { h.n.Run(ctx) })
	select {
	case <-done:
	case <-time.After(8 * time.Second): // less than the time that a hanging receiver is given
		mu.Lock()
		t.Errorf("%d of 24 messages arrived beside receivers that hang", arrived)
		mu.Unlock()
	}
	cancel()
	hang.CloseClientConnections()
	running.Wait()
}

// A worker that dies leaves its deliveries to the next, after the lease; one that comes back late changes nothing.
func TestLease(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		x := receive(t, nil, says("ok"))
		c := h.channel(engine.Webhook, "z", engine.ChannelSecret{URL: x.URL}, "create")
		for range 3 {
			h.project("改造照明", "2026-11-30")
		}
		h.plan()
		now := h.now().UTC()
		claim := func(token string, at time.Time, limit int) []engine.Delivery {
			t.Helper()
			list, err := db.Claim(t.Context(), engine.Claim{Channel: c.ID, Now: at, Until: at.Add(30 * time.Second), Token: token, Limit: limit})
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		first := claim("one", now, 2)
		if len(first) != 2 || len(claim("two", now, 5)) != 1 || len(claim("two", now.Add(29*time.Second), 5)) != 0 {
			t.Fatal("a lease was not kept")
		}
		again := claim("two", now.Add(31*time.Second), 5)
		if len(again) != 3 || again[0].Attempts != 2 {
			t.Fatalf("%d deliveries after the lease, attempts %d", len(again), again[0].Attempts)
		}
		late := first[0]
		late.State, late.Answer = engine.DeliverySent, "late"
		if ok, err := db.Finish(t.Context(), late); ok || err != nil {
			t.Errorf("a lost lease finished: %v (%v)", ok, err)
		}
		mine := again[0]
		mine.State, mine.FinishedAt = engine.DeliverySent, &now
		if ok, err := db.Finish(t.Context(), mine); !ok || err != nil {
			t.Errorf("a lease did not finish: %v (%v)", ok, err)
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		seen := map[string]int{}
		for range 8 {
			wg.Go(func() {
				list, err := db.Claim(t.Context(), engine.Claim{Channel: c.ID, Now: now.Add(time.Hour), Until: now.Add(2 * time.Hour), Token: "many", Limit: 1})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				for _, d := range list {
					seen[d.ID]++
				}
			})
		}
		wg.Wait()
		if len(seen) != 2 {
			t.Errorf("claimed %v, want the two that were left, once each", seen)
		}
	})
}
