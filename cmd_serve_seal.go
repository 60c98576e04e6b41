package main

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"bihuan/storage"
)

const (
	// sealEvery is how often entries are sealed into the Merkle log: an entry waits at most about that long.
	sealEvery = 500 * time.Millisecond
	// sealLate is from when on a log that lags behind is worth a warning.
	sealLate = 10 * time.Second
	// sealTimeout bounds one round, so that a hung database is noticed.
	sealTimeout = 30 * time.Second
)

// seals is the part of a server that keeps the Merkle log.
type seals struct {
	sealer *storage.Sealer
	log    *slog.Logger
	sealed atomic.Int64
	failed atomic.Int64
}

func newSeals(db *storage.DB, log *slog.Logger) *seals {
	return &seals{sealer: db.NewSealer(nil), log: log}
}

// start seals until the returned function is called, and then once more what has come meanwhile.
func (x *seals) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(sealEvery)
		defer ticker.Stop()
		for {
			x.round(ctx)
			select {
			case <-ctx.Done():
				x.round(context.WithoutCancel(ctx))
				return
			case <-ticker.C:
			}
		}
	}()
	return func() { cancel(); <-done }
}

// round seals what waits. An error is logged when it begins and not again until it is over.
func (x *seals) round(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, sealTimeout)
	defer cancel()
	n, err := x.sealer.Seal(ctx)
	x.sealed.Add(n)
	switch {
	case err == nil:
		if x.failed.Swap(0) > 0 {
			x.log.InfoContext(ctx, "entries are sealed again")
		}
	case !errors.Is(err, context.Canceled):
		if x.failed.Add(1) == 1 {
			x.log.ErrorContext(ctx, "entries are not sealed", slog.Any("error", err))
		}
	}
}

// warnings says what is not well though requests can be answered.
func (x *seals) warnings() []string {
	if x.sealer.Age() > sealLate {
		return []string{"audit_log_behind"}
	}
	return nil
}

var (
	sealedDesc  = prometheus.NewDesc("bihuan_log_sealed_total", "Entries that this process sealed into the Merkle log.", nil, nil)
	sealAgeDesc = prometheus.NewDesc("bihuan_log_age_seconds", "For how long it is not known that every entry was sealed; alarm beyond 10.", nil, nil)
)

// Describe implements prometheus.Collector.
func (x *seals) Describe(out chan<- *prometheus.Desc) {
	out <- sealedDesc
	out <- sealAgeDesc
}

// Collect implements prometheus.Collector.
func (x *seals) Collect(out chan<- prometheus.Metric) {
	out <- prometheus.MustNewConstMetric(sealedDesc, prometheus.CounterValue, float64(x.sealed.Load()))
	out <- prometheus.MustNewConstMetric(sealAgeDesc, prometheus.GaugeValue, x.sealer.Age().Seconds())
}
