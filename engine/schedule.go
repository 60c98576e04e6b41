package engine

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"bihuan/engine/message"

	"github.com/robfig/cron/v3"
)

// Job is something that a clock calls. Run must be safe to call late, twice, and on several replicas.
type Job struct {
	Name string
	Spec string // cron expression in the site's time zone, or "@every 1m"
	Run  func(context.Context) error
}

// jobTimeout bounds one run, so that a hung database cannot hold a job for ever.
const jobTimeout = 10 * time.Minute

// heartbeat keeps the clock from oversleeping: robfig/cron sleeps until its next entry, and if the system clock
// was set back meanwhile that can be hours.
const heartbeat = "@every 30s"

// Scheduler wakes jobs. It decides nothing.
type Scheduler struct{ cron *cron.Cron }

// NewScheduler makes a scheduler that is not yet running. Every specification is checked, also for one that can
// never fire.
func NewScheduler(loc *time.Location, now time.Time, log *slog.Logger, jobs ...Job) (*Scheduler, error) {
	logger := cronLog{log}
	// Recover stands inside SkipIfStillRunning: the other way round a panic would leave the job marked as
	// running for ever.
	c := cron.New(cron.WithLocation(loc), cron.WithLogger(logger),
		cron.WithChain(cron.SkipIfStillRunning(logger), cron.Recover(logger)))
	ctx := context.Background()
	for _, j := range jobs {
		s, err := ParseSpec(j.Spec, now.In(loc))
		if err != nil {
			return nil, fmt.Errorf("job %s: %w", j.Name, err)
		}
		c.Schedule(s, cron.FuncJob(func() {
			ctx, cancel := context.WithTimeout(ctx, jobTimeout)
			defer cancel()
			if err := j.Run(ctx); err != nil {
				log.ErrorContext(ctx, "job failed", slog.String("job", j.Name), slog.Any("error", err))
			}
		}))
	}
	if _, err := c.AddFunc(heartbeat, func() {}); err != nil {
		return nil, err
	}
	return &Scheduler{c}, nil
}

// Start wakes the jobs from now on.
func (s *Scheduler) Start() { s.cron.Start() }

// Stop ends the waking and returns a context that is done when the running jobs are.
func (s *Scheduler) Stop() context.Context { return s.cron.Stop() }

// ParseSpec parses a cron expression of five fields or a descriptor. One that never fires, such as 30 February,
// is refused; so is a time zone inside the expression, which belongs to the site (and "TZ=" alone makes the
// parser panic).
func ParseSpec(spec string, now time.Time) (cron.Schedule, error) {
	if strings.Contains(spec, "TZ=") {
		return nil, invalid("spec", "cron.time_zone", "spec", spec)
	}
	s, err := cron.ParseStandard(spec)
	if err != nil {
		return nil, &Error{Kind: Invalid, Field: "spec", Key: "cron.bad", Args: message.Args("spec", spec), Err: err}
	}
	if s.Next(now).IsZero() {
		return nil, invalid("spec", "cron.never", "spec", spec)
	}
	return s, nil
}

// cronLog sends cron's own messages to the structured log; its routine chatter is debug.
type cronLog struct{ log *slog.Logger }

func (l cronLog) Info(msg string, kv ...any) { l.log.Debug("cron: "+msg, kv...) }

func (l cronLog) Error(err error, msg string, kv ...any) {
	l.log.Error("cron: "+msg, append(kv, slog.Any("error", err))...)
}
