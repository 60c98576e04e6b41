package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"bihuan/engine"
)

// maxSkew is how far a replica's clock may be from the database's before somebody has to be told.
const maxSkew = 2 * time.Second

// hourly is when the self-checks run.
const hourly = "@every 1h"

// clock is what happens by itself while the server runs.
type clock struct {
	scheduler *engine.Scheduler
	first     []func(context.Context) error // at once, in this order
	life      context.Context               // ends when the jobs have to
	end       context.CancelFunc
	started   sync.WaitGroup
	log       *slog.Logger
}

// newClock makes the clock of the server, which is not yet running.
func (sv *server) newClock(ctx context.Context) (*clock, error) {
	c := &clock{log: sv.log}
	// Jobs outlive ctx: a sweep that is writing when the signal comes may finish.
	c.life, c.end = context.WithCancel(context.WithoutCancel(ctx))
	jobs := []engine.Job{
		{Name: "sweep", Spec: sv.config.Clock.Sweep, Run: sv.sweep},
		{Name: "bulletins", Spec: "@every 10m", Run: sv.bulletins},
		{Name: "copies", Spec: "@every 1m", Run: sv.copies},
		{Name: "archive", Spec: "@every 6h", Run: sv.archive},
		{Name: "guards", Spec: hourly, Run: sv.checkGuards},
		{Name: "clock", Spec: hourly, Run: sv.checkClock},
	}
	for i, j := range jobs {
		jobs[i].Run = c.bound(j.Run)
		c.first = append(c.first, jobs[i].Run)
	}
	var err error
	c.scheduler, err = engine.NewScheduler(sv.engine.Site.Location, time.Now(), sv.log, jobs...)
	return c, err
}

// bound ends a job's context when the clock has to stop.
func (c *clock) bound(run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(c.life, cancel)()
		return run(ctx)
	}
}

// start runs every job once, which catches up what fell due while nothing ran, and then by schedule.
func (c *clock) start() {
	c.started.Go(func() {
		for _, run := range c.first {
			if err := run(c.life); err != nil {
				c.log.Error("job failed", slog.Any("error", err))
			}
		}
	})
	c.scheduler.Start()
}

// stop wakes no more jobs, gives those that run some time, and ends them.
func (c *clock) stop(grace time.Duration) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		<-c.scheduler.Stop().Done()
		c.started.Wait()
	}()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
	c.end()
	<-done
}

// sweep does what the clock owes.
func (sv *server) sweep(ctx context.Context) error {
	began := time.Now()
	n, err := sv.engine.Sweep(ctx)
	sv.api.Swept(n, time.Since(began), err)
	if n > 0 {
		sv.log.Info("sweep", slog.Int("done", n))
	}
	return err
}

// alarms are what the self-checks found, for Prometheus. They do not make the server unready: whoever drops a
// trigger must not be able to stop every replica by that.
type alarms struct {
	guards prometheus.Gauge
	skew   prometheus.Gauge
	raised *atomic.Bool // the guards' alarm has been recorded
}

func newAlarms() alarms {
	return alarms{
		guards: prometheus.NewGauge(prometheus.GaugeOpts{Name: "bihuan_audit_guards_changed",
			Help: "How many triggers that protect the audit trail are missing or altered; alarm when it is not 0."}),
		skew: prometheus.NewGauge(prometheus.GaugeOpts{Name: "bihuan_clock_skew_seconds",
			Help: "How far the database's clock is ahead of this machine's; alarm beyond 2."}),
		raised: new(atomic.Bool),
	}
}

func (a alarms) collectors() []prometheus.Collector { return []prometheus.Collector{a.guards, a.skew} }

// checkGuards compares the triggers that protect the trail with what they should be. A difference is an entry of
// its own, so that it stands in the trail even if somebody repairs it.
func (sv *server) checkGuards(ctx context.Context) error {
	found, err := sv.db.CheckGuards(ctx)
	if err != nil {
		return err
	}
	sv.alarms.guards.Set(float64(len(found)))
	if len(found) == 0 {
		if sv.alarms.raised.Swap(false) {
			sv.log.Warn("the guards of the audit trail are whole again")
		}
		return nil
	}
	if !sv.alarms.raised.Swap(true) {
		if err := sv.engine.Note(ctx, engine.Operator(), "alarm", map[string]any{"what": "guards", "found": found}); err != nil {
			sv.log.Error("alarm not recorded", slog.Any("error", err))
		}
	}
	return fmt.Errorf("ALARM: the guards of the audit trail have been changed: %s", strings.Join(found, "; "))
}

// checkClock compares this machine's clock with the database's, which all replicas share.
func (sv *server) checkClock(ctx context.Context) error {
	skew, err := sv.db.ClockSkew(ctx, time.Now())
	if err != nil {
		return err
	}
	sv.alarms.skew.Set(skew.Seconds())
	if skew.Abs() > maxSkew {
		return fmt.Errorf("ALARM: this machine's clock and the database's differ by %s", skew.Round(time.Millisecond))
	}
	return nil
}
