package notify

import (
	"sync"
	"sync/atomic"
	"time"

	"bihuan/engine"
)

// Metrics are a process's counters since it started.
type Metrics struct {
	notices, attempts, unaddressed atomic.Int64

	mu    sync.Mutex
	count map[Outcome]int64
	took  map[engine.ChannelKind]time.Duration
}

// Outcome is what became of attempts over one kind of channel: sent, failed or dead.
type Outcome struct {
	Kind  engine.ChannelKind
	State string
}

func (m *Metrics) observe(kind engine.ChannelKind, state string, ok bool, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.count == nil {
		m.count, m.took = map[Outcome]int64{}, map[engine.ChannelKind]time.Duration{}
	}
	if !ok && state == engine.DeliveryWaiting {
		state = "failed"
	}
	m.count[Outcome{kind, state}]++
	m.took[kind] += took
}

// Figures are the counters at one moment.
type Figures struct {
	Notices     int64                                // written into inboxes
	Unaddressed int64                                // reminders that nobody was there to get
	Attempts    map[Outcome]int64                    // by kind of channel and outcome
	Took        map[engine.ChannelKind]time.Duration // all attempts together
}

// Figures returns the counters.
func (n *Notifier) Figures() Figures {
	m := &n.metrics
	m.mu.Lock()
	defer m.mu.Unlock()
	f := Figures{Notices: m.notices.Load(), Unaddressed: m.unaddressed.Load(), Attempts: map[Outcome]int64{}, Took: map[engine.ChannelKind]time.Duration{}}
	for k, v := range m.count {
		f.Attempts[k] = v
	}
	for k, v := range m.took {
		f.Took[k] = v
	}
	return f
}
