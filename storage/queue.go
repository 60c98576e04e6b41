package storage

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"gorm.io/gorm"
)

// maxGroup bounds how many jobs share a transaction, and so how long the first of them waits for the others.
const maxGroup = 64

// job is a write that stands or falls alone, though it may share a transaction with others.
type job struct {
	do  func(tx *gorm.DB) error
	err error
}

// call is what one caller waits for: its jobs in order.
type call struct {
	jobs []*job
	done chan struct{} // closed when every job has its answer
}

// queue lets writers that wait for SQLite's one writer share a transaction, because what costs time is not the
// statements but making the transaction durable. Whoever gets the turn carries out what has queued up by then,
// their own call included, and leaves the turn to the next.
type queue struct {
	turn chan struct{} // holds a token while someone writes

	mu      sync.Mutex
	waiting []*call
}

func newQueue() queue { return queue{turn: make(chan struct{}, 1)} }

// do carries out the jobs, together with those of others, and answers for each: its own error, or that of the
// transaction. With an error of ctx none of them was carried out.
func (q *queue) do(ctx context.Context, db *gorm.DB, jobs []*job) {
	c := &call{jobs: jobs, done: make(chan struct{})}
	q.mu.Lock()
	q.waiting = append(q.waiting, c)
	q.mu.Unlock()
	// More than once only for a call that did not fit into the group before.
	for !c.answered() {
		select {
		case <-c.done:
		case <-ctx.Done():
			q.giveUp(ctx, c)
			return
		case q.turn <- struct{}{}:
			group := q.take() // empty if the one before took this call along
			// Not under ctx: whoever gives up must not take the others along.
			write(context.WithoutCancel(ctx), db, group)
			for _, g := range group {
				close(g.done)
			}
			<-q.turn
		}
	}
}

func (c *call) answered() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// take removes the calls that come next, as many as may share a transaction but at least one.
func (q *queue) take() []*call {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, jobs := 0, 0
	for n < len(q.waiting) {
		jobs += len(q.waiting[n].jobs)
		if n > 0 && jobs > maxGroup {
			break
		}
		n++
	}
	group := slices.Clone(q.waiting[:n])
	q.waiting = slices.Delete(q.waiting, 0, n)
	return group
}

// giveUp removes a call that nobody has begun; one that has been begun is waited for.
func (q *queue) giveUp(ctx context.Context, c *call) {
	q.mu.Lock()
	i := slices.Index(q.waiting, c)
	if i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
	q.mu.Unlock()
	if i < 0 {
		<-c.done
		return
	}
	for _, j := range c.jobs {
		j.err = ctx.Err()
	}
}

// write carries out the calls' jobs in one transaction.
func write(ctx context.Context, db *gorm.DB, group []*call) {
	var jobs []*job
	for _, c := range group {
		jobs = append(jobs, c.jobs...)
	}
	if len(jobs) == 0 {
		return
	}
	err := db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if len(jobs) == 1 {
			return jobs[0].run(tx)
		}
		for _, j := range jobs {
			if err := tx.Exec("SAVEPOINT job").Error; err != nil {
				return err
			}
			end := "RELEASE job"
			if j.err = j.run(tx); j.err != nil {
				end = "ROLLBACK TO job"
			}
			if err := tx.Exec(end).Error; err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		return
	}
	for _, j := range jobs {
		if j.err == nil {
			j.err = err
		}
	}
}

// run carries out one job; a panic is its own failure and nobody else's.
func (j *job) run(tx *gorm.DB) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("storage: panic while writing: %v", p)
		}
	}()
	return j.do(tx)
}
