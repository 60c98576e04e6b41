package api

import (
	"container/list"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxBuckets bounds how many callers are remembered at a time. The one who was quiet longest is forgotten first,
// and starts with a full bucket when coming back; that takes longer than a bucket needs to fill.
const maxBuckets = 10_000

// limiter holds one token bucket for each principal. It is for people, never for addresses: a whole campus sits
// behind one of those.
type limiter struct {
	rate  rate.Limit
	burst int
	now   func() time.Time

	mu      sync.Mutex
	buckets map[string]*list.Element
	recent  *list.List // of *bucket, the most recent first
}

type bucket struct {
	who string
	*rate.Limiter
}

// newLimiter allows perSecond requests a second for each principal, and twice as many at once. Zero allows
// everything.
func newLimiter(perSecond float64, now func() time.Time) *limiter {
	return &limiter{rate: rate.Limit(perSecond), burst: max(1, int(math.Ceil(2*perSecond))), now: now,
		buckets: map[string]*list.Element{}, recent: list.New()}
}

// allow takes a token from who's bucket, or says how long to wait for the next one.
func (l *limiter) allow(who string) (wait time.Duration, ok bool) {
	if l.rate <= 0 {
		return 0, true
	}
	now := l.now()
	r := l.bucket(who).ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return wait, false
	}
	return 0, true
}

func (l *limiter) bucket(who string) *bucket {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.buckets[who]; ok {
		l.recent.MoveToFront(e)
		return e.Value.(*bucket)
	}
	if l.recent.Len() >= maxBuckets {
		last := l.recent.Back()
		delete(l.buckets, l.recent.Remove(last).(*bucket).who)
	}
	b := &bucket{who, rate.NewLimiter(l.rate, l.burst)}
	l.buckets[who] = l.recent.PushFront(b)
	return b
}
