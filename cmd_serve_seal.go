package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"bihuan/engine"
	"bihuan/engine/audit/merkle"
	"bihuan/storage"
)

const (
	// sealEvery is how often entries are sealed into the Merkle log: an entry waits at most about that long.
	sealEvery = 500 * time.Millisecond
	// sealLate is from when on a log that lags behind is worth a warning.
	sealLate = 10 * time.Second
	// checkpointEvery is how old the last checkpoint may become while the log grows.
	checkpointEvery = time.Minute
	// sealTimeout bounds one round, so that a hung database is noticed.
	sealTimeout = 30 * time.Second
)

// seals is the part of a server that keeps the Merkle log: it seals entries and has checkpoints signed.
type seals struct {
	db     *storage.DB
	engine *engine.Engine
	dir    string // of the signer
	sealer *storage.Sealer
	log    *slog.Logger
	now    func() time.Time

	signer *merkle.Signer // nil until it could be opened
	signed time.Time      // when a checkpoint was last looked for

	sealed   atomic.Int64
	failed   atomic.Int64 // rounds that did not seal, one after the other
	unsigned atomic.Int64 // and that could not have the log looked at by the signer
	refused  atomic.Bool  // the signer refuses to go on
	keyless  atomic.Bool  // this installation has a key, but not here
}

func newSeals(db *storage.DB, e *engine.Engine, dir string, log *slog.Logger) *seals {
	return &seals{db: db, engine: e, dir: dir, sealer: db.NewSealer(nil), log: log, now: time.Now}
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
				x.finish(context.WithoutCancel(ctx))
				return
			case <-ticker.C:
			}
		}
	}()
	return func() { cancel(); <-done }
}

// round seals what waits, and once a minute has the log signed.
func (x *seals) round(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, sealTimeout)
	defer cancel()
	n, err := x.sealer.Seal(ctx)
	x.sealed.Add(n)
	x.tell(ctx, err, &x.failed, "entries are not sealed", "entries are sealed again")
	if err == nil && x.now().Sub(x.signed) >= checkpointEvery {
		x.tell(ctx, x.checkpoint(ctx), &x.unsigned, "checkpoints are not signed", "checkpoints are signed again")
	}
}

// tell counts rounds that ended with an error, and logs it when it begins and not again until it is over.
func (x *seals) tell(ctx context.Context, err error, failed *atomic.Int64, begins, over string) {
	switch {
	case err == nil:
		if failed.Swap(0) > 0 {
			x.log.InfoContext(ctx, over)
		}
	case !errors.Is(err, context.Canceled):
		if failed.Add(1) == 1 {
			x.log.ErrorContext(ctx, begins, slog.Any("error", err))
		}
	}
}

// finish seals and signs what has come since the last round.
func (x *seals) finish(ctx context.Context) {
	x.signed = time.Time{}
	x.round(ctx)
}

// checkpoint has the log signed. What the signer refuses is an alarm, not an error: sealing goes on.
func (x *seals) checkpoint(ctx context.Context) error {
	if x.signer == nil {
		switch err := x.open(ctx); {
		case errors.Is(err, merkle.ErrNoKey):
			if !x.keyless.Swap(true) {
				x.log.ErrorContext(ctx, "checkpoints are not signed here: "+err.Error(), slog.String("folder", x.dir))
			}
			x.signed = x.now()
			return nil
		case err != nil:
			return err
		}
		x.keyless.Store(false)
	}
	log, err := x.db.Log(ctx)
	if err != nil {
		return err
	}
	_, err = x.db.Checkpoint(ctx, func(ctx context.Context, h merkle.Hashes, size int64, grown bool) ([]byte, error) {
		if !grown {
			return nil, x.signer.Check(ctx, h, log, size)
		}
		return x.signer.Sign(ctx, h, log, size, x.now())
	})
	if !errors.Is(err, merkle.ErrRollback) && !errors.Is(err, merkle.ErrFork) && !errors.Is(err, merkle.ErrEpoch) {
		if err == nil {
			x.signed = x.now()
			x.refused.Store(false)
		}
		return err
	}
	x.signed = x.now()
	if !x.refused.Swap(true) {
		x.log.ErrorContext(ctx, "ALARM: the trail does not continue what was signed", slog.Any("error", err))
		return x.engine.Note(ctx, engine.Operator(), "alarm", map[string]any{"what": "checkpoint", "found": err.Error()})
	}
	return nil
}

// open opens the signer, and makes the key of an installation that has none. A new key is an entry, so that nobody can
// slip another in.
func (x *seals) open(ctx context.Context) error {
	log, err := x.db.Log(ctx)
	if err != nil {
		return err
	}
	known, err := x.db.KnownKeys(ctx)
	if err != nil {
		return err
	}
	signer, _, err := merkle.OpenSigner(x.dir, log, len(known) > 0)
	if err != nil {
		return err
	}
	if !slices.Contains(known, signer.Public()) {
		if err := x.engine.Note(ctx, engine.Operator(), engine.ActionCheckpointKey, map[string]any{"key": signer.Public()}); err != nil {
			return err
		}
	}
	x.signer = signer
	return nil
}

// warnings says what is not well though requests can be answered.
func (x *seals) warnings() []string {
	var out []string
	if x.sealer.Age() > sealLate {
		out = append(out, "audit_log_behind")
	}
	if x.refused.Load() {
		out = append(out, "audit_checkpoint_refused")
	}
	if x.keyless.Load() {
		out = append(out, "audit_checkpoint_key_missing")
	}
	if x.unsigned.Load() > 0 {
		out = append(out, "audit_checkpoint_unsigned")
	}
	return out
}

var (
	sealedDesc   = prometheus.NewDesc("bihuan_log_sealed_total", "Entries that this process sealed into the Merkle log.", nil, nil)
	sealAgeDesc  = prometheus.NewDesc("bihuan_log_age_seconds", "For how long it is not known that every entry was sealed; alarm beyond 10.", nil, nil)
	unsignedDesc = prometheus.NewDesc("bihuan_checkpoint_unsigned", "1 while this process can sign no checkpoints: its key is not there, or its folder or the database fails.", nil, nil)
	refusedDesc  = prometheus.NewDesc("bihuan_checkpoint_refused", "1 while the trail does not continue what was signed: alarm.", nil, nil)
)

// Describe implements prometheus.Collector.
func (x *seals) Describe(out chan<- *prometheus.Desc) {
	out <- sealedDesc
	out <- sealAgeDesc
	out <- unsignedDesc
	out <- refusedDesc
}

// Collect implements prometheus.Collector.
func (x *seals) Collect(out chan<- prometheus.Metric) {
	out <- prometheus.MustNewConstMetric(sealedDesc, prometheus.CounterValue, float64(x.sealed.Load()))
	out <- prometheus.MustNewConstMetric(sealAgeDesc, prometheus.GaugeValue, x.sealer.Age().Seconds())
	flag := func(desc *prometheus.Desc, is bool) {
		v := 0.0
		if is {
			v = 1
		}
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v)
	}
	flag(unsignedDesc, x.keyless.Load() || x.unsigned.Load() > 0)
	flag(refusedDesc, x.refused.Load())
}
