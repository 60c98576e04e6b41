package engine

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// sweepPage is how many projects a sweep reads and commits at a time.
const sweepPage = 100

// Sweep does everything that the clock owes at this moment and returns how many things that was. It takes what
// is due in pages, so its cost follows what is due, not what exists. Several replicas may sweep at once: the
// version decides, the loser skips. A project that fails is logged and does not block the others. What was
// missed while the system was down is caught up in the order in which it fell due.
func (e *Engine) Sweep(ctx context.Context) (int, error) {
	if err := e.Reload(ctx); err != nil {
		return 0, err
	}
	// What falls due during the sweep is for the next one; otherwise projects whose automatic transitions run in a
	// circle would keep this one busy for ever.
	now := e.now()
	done, after := 0, ""
	for {
		page, err := e.Store.Due(ctx, now, after, sweepPage)
		if err != nil {
			return done, err
		}
		var changes []Change
		for _, p := range page.Items {
			changes = append(changes, e.owedTo(ctx, p)...)
		}
		n, err := e.commitAll(ctx, changes)
		done += n
		if err != nil {
			return done, err
		}
		if page.Next == "" {
			break
		}
		after = page.Next
	}
	n, err := e.sweepLists(ctx, now)
	return done + n, err
}

// owedTo decides, one after the other, everything that the clock owes a project now.
func (e *Engine) owedTo(ctx context.Context, p Project) []Change {
	w, err := e.Pinned(ctx, &p)
	if err != nil {
		e.Log.ErrorContext(ctx, "sweep: definition", slog.String("project", string(p.ID)), slog.Any("error", err))
		return nil
	}
	c := e.moment(w, clockActor())
	var out []Change
	// Each occurrence fires once under its anchor, so the loop ends; the bound guards a definition whose
	// automatic transitions run in a circle.
	since := p.UpdatedAt
	for range len(w.Timers) + 2*len(w.Stages) + 2 {
		tick := onClock{since: since}
		if o, ok := c.pollOwed(&p); ok && !o.at.After(c.Now) {
			tally, err := e.Store.Tally(ctx, p.Poll.ID)
			if err != nil {
				e.Log.ErrorContext(ctx, "sweep: votes", slog.String("project", string(p.ID)), slog.Any("error", err))
				return out
			}
			tick.tally = &tally
		}
		change, err := decide(c, p, tick)
		if errors.Is(err, nothingOwed) {
			if len(out) == 0 && p.NextAt != nil { // the calendar changed under it, or a rule looked ahead too far
				if change, err = decide(c, p, reschedule{}); err == nil && !sameTime(change.Project.NextAt, p.NextAt) {
					out = append(out, change)
				}
			}
			return out
		}
		if err != nil {
			e.Log.ErrorContext(ctx, "sweep: decide", slog.String("project", string(p.ID)), slog.Any("error", err))
			return out
		}
		out = append(out, change)
		if p.Stage != change.Project.Stage { // a new stage has facts of its own
			since = change.Project.StageSince
		}
		p = change.Project
	}
	return out
}

// commitAll commits the changes of a sweep. A conflict means that a person or another replica was faster; the
// next sweep sees what is still owed.
func (e *Engine) commitAll(ctx context.Context, changes []Change) (int, error) {
	done := 0
	if len(changes) == 0 {
		return 0, nil
	}
	for i, err := range e.Store.Commit(ctx, changes...) {
		switch {
		case err == nil:
			done++
		case errors.Is(err, ErrConflict), errors.Is(err, ErrDuplicate):
		case ctx.Err() != nil:
			return done, ctx.Err()
		default:
			e.Log.ErrorContext(ctx, "sweep: commit", slog.String("subject", changes[i].Entry.Subject), slog.Any("error", err))
		}
	}
	return done, nil
}

// Reschedule recomputes the dates of the projects that depend on a year whose holiday list was not loaded, after
// one was. It returns how many changed.
func (e *Engine) Reschedule(ctx context.Context) (int, error) {
	done, after := 0, ""
	for {
		page, err := e.Store.Projects(ctx, Filter{Unknown: true, Open: true, After: after, Limit: MaxPage, Now: e.now()})
		if err != nil {
			return done, err
		}
		var changes []Change
		for _, p := range page.Items {
			w, err := e.Pinned(ctx, &p)
			if err != nil {
				return done, err
			}
			change, err := decide(e.moment(w, clockActor()), p, reschedule{})
			if err != nil {
				return done, err
			}
			q := change.Project
			if q.CalendarUnknown != p.CalendarUnknown || !sameTime(q.NextAt, p.NextAt) || !sameTime(q.StageDue, p.StageDue) {
				changes = append(changes, change)
			}
		}
		n, err := e.commitAll(ctx, changes)
		done += n
		if err != nil || page.Next == "" {
			return done, err
		}
		after = page.Next
	}
}

func sameTime(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
}
