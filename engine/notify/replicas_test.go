package notify_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/engine/notify"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// A page that is open on one replica hears of what another one planned, and hears again after the connection between
// them broke.
func TestReplicasHear(t *testing.T) {
	dsn := storagetest.DSN(t, storage.Postgres)
	here, there := storagetest.At(t, dsn), storagetest.At(t, dsn)
	if err := here.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := settle(t, here, "2026-09-24 10:00")
	var hub notify.Hub
	var broken atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan bool)
	go func() { ended <- there.Listen(ctx, hub.Tell, func(error) { broken.Add(1) }) }()
	signals, leave := hub.Open(h.people["owner"].ID)
	defer leave()
	others, leaveOthers := hub.Open(h.people["second"].ID)
	defer leaveOthers()

	n := 0
	hear := func() {
		t.Helper()
		for range 120 { // until the other replica listens
			n++
			p := h.project(fmt.Sprintf("第%d项", n), "2026-11-30")
			h.plan()
			for len(others) > 0 {
				<-others // they approve
			}
			h.do("supervisor", p, engine.Urge{Note: "请抓紧办理"})
			h.plan()
			select {
			case <-signals:
				return
			case <-time.After(250 * time.Millisecond):
			}
		}
		t.Fatal("the other replica heard nothing")
	}
	hear()
	if _, err := here.SQL().ExecContext(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %' AND datname = current_database()"); err != nil {
		t.Fatal(err)
	}
	for broken.Load() == 0 {
		<-time.After(20 * time.Millisecond)
	}
	for len(signals) > 0 {
		<-signals
	}
	hear()
	cancel()
	if !<-ended {
		t.Error("PostgreSQL was not listened to")
	}
	if storagetest.Open(t, storage.SQLite).Listen(t.Context(), hub.Tell, func(error) {}) {
		t.Error("SQLite, which has one process, was listened to")
	}
}
