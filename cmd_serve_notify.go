package main

import (
	"context"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"bihuan/config"
	"bihuan/engine/notify"
	"bihuan/engine/secret"
	"bihuan/storage"
)

// newBox makes what seals secrets, nil without a key.
func newBox(c config.Config) (*secret.Box, error) {
	if c.SecretKey == "" {
		return nil, nil //nolint:nilnil // no key is a good set-up; what needs one says so
	}
	return secret.New(c.SecretKey)
}

// newNotifier makes what tells people.
func (sv *server) newNotifier() (*notify.Notifier, error) {
	network, err := notify.NewNetwork(sv.config.Notify.Networks)
	if err != nil {
		return nil, err
	}
	sv.hub = new(notify.Hub)
	return notify.New(notify.Config{Told: sv.hub.Tell, Engine: sv.engine, Queue: sv.db, Network: network, PublicURL: sv.config.PublicURL,
		Language: sv.config.Language, Log: sv.log, Checkpoint: sv.lastCheckpoint}), nil
}

// lastCheckpoint is what mails carry of the trail: whoever keeps one can prove later what the trail was.
func (sv *server) lastCheckpoint(ctx context.Context) (string, error) {
	note, err := storage.Trail{DB: sv.db}.Checkpoint(ctx)
	return string(note), err
}

// startNotifier lets the notifier run, and returns what stops it: no new attempts are begun, those under way end.
func (sv *server) startNotifier(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		var both sync.WaitGroup
		both.Go(func() {
			sv.db.Listen(ctx, sv.hub.Tell, func(err error) { sv.log.WarnContext(ctx, "other replicas are not heard", slog.Any("error", err)) })
		})
		sv.notifier.Run(ctx)
		both.Wait()
	}()
	return func() { cancel(); <-done }
}

// bulletins writes the week's bulletins when their moment has come.
func (sv *server) bulletins(ctx context.Context) error {
	_, err := sv.notifier.Bulletins(ctx)
	return err
}

// copies sends the checkpoint of the hour that is over to whoever keeps copies.
func (sv *server) copies(ctx context.Context) error {
	_, err := sv.notifier.Copies(ctx)
	return err
}

// archive moves messages that came to an end long ago out of the way.
func (sv *server) archive(ctx context.Context) error {
	days := sv.config.Notify.KeepDays
	if days == 0 {
		return nil
	}
	n, err := sv.engine.ArchiveDeliveries(ctx, sv.engine.Now().AddDate(0, 0, -days))
	if n > 0 {
		sv.archived.Add(float64(n))
		sv.log.InfoContext(ctx, "messages archived", slog.Int("done", n))
	}
	return err
}

// notifyMetrics shows Prometheus what the notifier has done.
type notifyMetrics struct{ notifier *notify.Notifier }

var (
	noticesDesc     = prometheus.NewDesc("bihuan_notices_total", "Notices written into inboxes.", nil, nil)
	unaddressedDesc = prometheus.NewDesc("bihuan_reminders_unaddressed_total", "Reminders that nobody was there to get; look into the log.", nil, nil)
	deliveriesDesc  = prometheus.NewDesc("bihuan_deliveries_total", "Attempts to deliver, by kind of channel and outcome: sent, failed (to be tried again), dead (given up).", []string{"kind", "outcome"}, nil)
	tookDesc        = prometheus.NewDesc("bihuan_delivery_seconds_total", "Time that attempts took, by kind of channel.", []string{"kind"}, nil)
)

// Describe implements prometheus.Collector.
func (notifyMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{noticesDesc, unaddressedDesc, deliveriesDesc, tookDesc} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m notifyMetrics) Collect(out chan<- prometheus.Metric) {
	f := m.notifier.Figures()
	count := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	count(noticesDesc, float64(f.Notices))
	count(unaddressedDesc, float64(f.Unaddressed))
	for k, v := range f.Attempts {
		count(deliveriesDesc, float64(v), string(k.Kind), k.State)
	}
	for k, v := range f.Took {
		count(tookDesc, v.Seconds(), string(k))
	}
}
