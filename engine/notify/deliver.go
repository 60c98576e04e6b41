package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"bihuan/engine"
)

const (
	// poll is how often a notifier looks by itself whether there is something to do.
	poll = time.Second
	// breath parts one look from the next, so that many answers at once make one look.
	breath = 40 * time.Millisecond

	workers  = 96 // attempts at a time in one process
	troubled = 48 // of those, over channels that failed last time
	each     = 4  // at a time over one channel that works; over any other, one

	// fresh is how many attempts may be younger than freshFor. What is not urgent to a tenth of a second waits in the
	// database instead of at the receivers' doors: whatever is under way when a process is killed is sent once more.
	fresh    = 8
	freshFor = 250 * time.Millisecond

	// robotPause parts messages of one robot: the platforms take 20 a minute.
	robotPause = 3 * time.Second
)

// schedule is when the next attempt follows the n-th that failed: that of Standard Webhooks 1.0.
var schedule = []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour}

// Attempts is after how many a delivery is given up.
var Attempts = len(schedule) + 1

// health is what a process knows of a channel. One that has not been tried gets one worker until the first success, so
// that a restart does not send all workers to a receiver that hangs.
type health struct {
	well bool // worked last time
	ill  bool // failed last time
	busy int
	next time.Time // not before
}

// lease is how long a delivery belongs to whoever attempts it: longer than any attempt takes, so that only the death of
// the worker lets a second one begin.
func (n *Notifier) lease() time.Duration { return 2*n.Timeout + 10*time.Second }

// Run plans and delivers until ctx ends, then waits for the attempts under way.
func (n *Notifier) Run(ctx context.Context) {
	var under sync.WaitGroup
	under.Go(func() {
		n.every(ctx, func() {
			if _, err := n.Plan(ctx); err != nil && ctx.Err() == nil {
				n.Log.ErrorContext(ctx, "planning failed", slog.Any("error", err))
			}
			n.Wake()
		}, nil)
	})
	n.every(ctx, func() {
		if err := n.dispatch(ctx, &under); err != nil && ctx.Err() == nil {
			n.Log.ErrorContext(ctx, "deliveries not claimed", slog.Any("error", err))
		}
	}, n.wake)
	under.Wait()
}

func (n *Notifier) every(ctx context.Context, do func(), wake <-chan struct{}) {
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		do()
		pause.Reset(breath)
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-wake:
		}
	}
}

// Deliver attempts everything that is due now and returns how many attempts that were. It is Run's work once, for
// tests and the command line.
func (n *Notifier) Deliver(ctx context.Context) (int, error) {
	done := 0
	for {
		var under sync.WaitGroup
		before := n.metrics.attempts.Load()
		if err := n.dispatch(ctx, &under); err != nil {
			return done, err
		}
		under.Wait()
		got := int(n.metrics.attempts.Load() - before)
		done += got
		if got == 0 {
			return done, nil
		}
	}
}

// dispatch claims what is due for every channel that has a free worker, and starts the attempts.
func (n *Notifier) dispatch(ctx context.Context, under *sync.WaitGroup) error {
	now := n.now()
	due, err := n.Queue.DueChannels(ctx, now)
	if err != nil || len(due) == 0 {
		return err
	}
	all, err := n.Engine.Store.Channels(ctx)
	if err != nil {
		return err
	}
	byID := make(map[engine.ChannelID]*engine.Channel, len(all))
	for i := range all {
		byID[all[i].ID] = &all[i]
	}
	// Nobody is always first.
	rand.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] }) //nolint:gosec // fairness, not secrecy
	var errs []error
	for _, id := range due {
		c := byID[id]
		if c == nil || c.Disabled {
			continue
		}
		free := n.take(c, now)
		if free == 0 {
			continue
		}
		list, err := n.Queue.Claim(ctx, engine.Claim{Channel: id, Now: now, Until: now.Add(n.lease()), Token: n.token, Limit: free})
		if err != nil {
			n.giveBack(c, free)
			errs = append(errs, err)
			continue
		}
		n.giveBack(c, free-len(list))
		for _, d := range list {
			over := n.ageing()
			under.Go(func() {
				n.attempt(ctx, c, d)
				over()
				n.Wake()
			})
		}
	}
	return errors.Join(errs...)
}

// take reserves workers for a channel and returns how many.
func (n *Notifier) take(c *engine.Channel, now time.Time) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.healths[c.ID]
	if h == nil {
		h = &health{}
		n.healths[c.ID] = h
	}
	all, bad := 0, 0
	for _, x := range n.healths {
		all += x.busy
		if x.ill {
			bad += x.busy
		}
	}
	limit := 1
	if h.well && !c.Kind.Group() {
		limit = each
	}
	free := min(limit-h.busy, workers-all, fresh-n.fresh)
	if h.ill {
		free = min(free, troubled-bad)
	}
	if free <= 0 || now.Before(h.next) {
		return 0
	}
	h.busy += free
	n.fresh += free
	return free
}

// ageing counts an attempt as fresh until it is over, which the caller says, or for freshFor.
func (n *Notifier) ageing() (over func()) {
	age := sync.OnceFunc(func() {
		n.mu.Lock()
		n.fresh--
		n.mu.Unlock()
	})
	timer := time.AfterFunc(freshFor, func() { age(); n.Wake() })
	return func() {
		timer.Stop()
		age()
	}
}

func (n *Notifier) giveBack(c *engine.Channel, unused int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.healths[c.ID].busy -= unused
	n.fresh -= unused
}

// attempt sends one delivery and writes what became of it. The process may be told to stop meanwhile: the receiver
// has perhaps got the message, so the attempt is finished all the same.
func (n *Notifier) attempt(ctx context.Context, c *engine.Channel, d engine.Delivery) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), n.Timeout)
	defer cancel()
	began := n.Engine.Now()
	n.metrics.attempts.Add(1)
	answer, err := n.send(ctx, c, &d)
	took := max(0, n.Engine.Now().Sub(began)) // the clock may have been set back meanwhile
	if errors.Is(err, errLeaseOver) {
		n.mu.Lock()
		n.healths[c.ID].busy--
		n.mu.Unlock()
		n.Log.Warn("delivery left to the next", slog.String("delivery", d.ID))
		return
	}
	n.conclude(&d, answer, err)

	finish, done := context.WithTimeout(context.WithoutCancel(ctx), n.lease()-n.Timeout)
	defer done()
	mine, finishErr := n.Queue.Finish(finish, d)
	n.metrics.observe(c.Kind, d.State, err == nil, took)
	n.mu.Lock()
	h := n.healths[c.ID]
	h.busy--
	h.well = err == nil && took < n.Timeout/2
	h.ill = !h.well
	if c.Kind.Group() {
		h.next = n.now().Add(robotPause)
	}
	n.mu.Unlock()
	switch {
	case finishErr != nil:
		n.Log.Error("delivery not finished", slog.String("delivery", d.ID), slog.Any("error", finishErr))
	case !mine:
		n.Log.Warn("delivery finished by another", slog.String("delivery", d.ID))
	case d.State == engine.DeliveryDead:
		n.Log.Warn("delivery given up", slog.String("delivery", d.ID), slog.String("channel", string(c.ID)), slog.Int("attempts", d.Attempts), slog.String("why", d.Answer))
	}
}

// conclude sets what follows from an attempt.
func (n *Notifier) conclude(d *engine.Delivery, answer string, err error) {
	now := n.now()
	if err == nil {
		d.State, d.FinishedAt, d.Answer = engine.DeliverySent, &now, cut(answer, keptAnswer)
		return
	}
	d.Answer = cut(n.reasonOf(err), keptAnswer)
	r := refusalOf(err)
	if r.Never || d.Attempts >= Attempts {
		d.State, d.FinishedAt = engine.DeliveryDead, &now
		return
	}
	pause := schedule[max(0, d.Attempts-1)]
	// What failed together does not come back together.
	pause += time.Duration(rand.Int64N(int64(pause)/5 + 1)) //nolint:gosec // as above
	d.NextAt = now.Add(max(pause, r.After))
}

// reasonOf is what the log says of a failure.
func (n *Notifier) reasonOf(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer within " + n.Timeout.String()
	}
	if e, ok := errors.AsType[*engine.Error](err); ok {
		return e.Error()
	}
	return shown([]byte(err.Error()))
}

// send composes a delivery's message and sends it.
func (n *Notifier) send(ctx context.Context, c *engine.Channel, d *engine.Delivery) (string, error) {
	s, err := n.sender(c)
	if err != nil {
		return "", err
	}
	m, err := n.message(ctx, d)
	if err != nil {
		return "", err
	}
	// A process that was held up since it claimed must not begin what another may begin at the same time.
	if d.LeaseUntil != nil && n.now().After(d.LeaseUntil.Add(-n.Timeout)) {
		return "", errLeaseOver
	}
	return s.Send(ctx, m)
}

// errLeaseOver says that the lease will not last for an attempt.
var errLeaseOver = errors.New("the lease is over")

// message composes a delivery.
func (n *Notifier) message(ctx context.Context, d *engine.Delivery) (Message, error) {
	m := Message{ID: d.ID, At: n.now()}
	if d.About == engine.AboutEntry {
		rows, err := n.Engine.Store.DeliveryEntries(ctx, d.ID)
		if err != nil {
			return m, err
		}
		if len(rows) != 1 {
			return m, &Refusal{Why: "the entry is gone", Never: true}
		}
		m.Payload, err = payload(rows[0])
		return m, err
	}
	words, err := n.voices(ctx)
	if err != nil {
		return m, err
	}
	var settings engine.NotifySettings // a group has none
	if d.UserID != "" {
		u, err := n.Engine.User(ctx, string(d.UserID))
		if err != nil {
			return m, err
		}
		if settings, err = n.Engine.Store.Settings(ctx, d.UserID); err != nil {
			return m, err
		}
		if u.Disabled || settings.Mail == "" {
			return m, &Refusal{Why: "the person has no address any more", Never: true}
		}
		m.To = settings.Mail
	}
	if d.About == engine.AboutCheckpoint {
		err = n.copyOf(ctx, n.voice(words, &settings), &m)
		return m, err
	}
	things, err := n.things(ctx, d)
	if err != nil {
		return m, err
	}
	m.Subject, m.Text, err = n.compose(ctx, n.voice(words, &settings), things, d.UserID != "")
	return m, err
}

func tlsOf(roots *x509.CertPool) *tls.Config {
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}
