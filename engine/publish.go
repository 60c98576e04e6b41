package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bihuan/engine/audit"
	"bihuan/engine/calendar"
	"bihuan/engine/message"
)

// Publish makes a definition the current version of its workflow. The same source twice is no change; another
// source under a version that exists, or an older version, is refused.
func (e *Engine) Publish(ctx context.Context, who Actor, source []byte) (*Workflow, error) {
	if err := e.requires(ctx, who, Admin, "publish"); err != nil {
		return nil, err
	}
	w, err := e.Compile(source)
	if err != nil {
		return nil, err
	}
	if old, err := e.Workflow(w.ID); err == nil {
		if old.Digest == w.Digest {
			return old, nil
		}
		if w.Version <= old.Version {
			return nil, &Error{Kind: Conflict, Field: "version", Key: "workflow.version_taken",
				Args: map[string]any{"id": w.ID, "version": w.Version, "current": old.Version}}
		}
	}
	d := Definition{Digest: w.Digest, ID: w.ID, Version: w.Version, Source: source, PublishedBy: who.ID, PublishedAt: e.now()}
	err = e.record(ctx, who, SubjectWorkflow+"/"+w.ID, "publish", nil, func(r *Record) (any, map[string]any) {
		r.Definition, r.Entry.Definition = &d, w.Digest
		return nil, map[string]any{"version": w.Version, "digest": w.Digest, "size": len(source)}
	})
	if err != nil {
		if errors.Is(err, ErrDuplicate) { // another replica published the same at this moment
			return w, e.Reload(ctx)
		}
		return nil, err
	}
	return w, e.Reload(ctx)
}

// Versions lists the published versions of a workflow, newest first and without their sources.
func (e *Engine) Versions(ctx context.Context, id string) ([]Definition, error) {
	all, err := e.Store.Definitions(ctx)
	if err != nil {
		return nil, err
	}
	out := slices.DeleteFunc(all, func(d Definition) bool { return d.ID != id })
	if len(out) == 0 {
		return nil, notFound("workflow.unknown", "id", id)
	}
	return out, nil
}

// Version returns one published version of a workflow.
func (e *Engine) Version(ctx context.Context, id string, version int) (*Workflow, error) {
	list, err := e.Versions(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, d := range list {
		if d.Version == version {
			return e.byDigest(ctx, d.Digest)
		}
	}
	return nil, notFound("workflow.no_version", "id", id, "version", version)
}

// wrongDays is what is wrong with a list of days, for a sentence.
type wrongDays struct{ err error }

// In returns the mistakes in the given language.
func (w wrongDays) In(lang string) string {
	var out []string
	for _, m := range calendar.Mistakes(w.err) {
		out = append(out, m.In(lang))
	}
	if len(out) == 0 {
		return w.err.Error()
	}
	return strings.Join(out, message.Text(lang, "list.semicolon", nil))
}

// LoadCalendar adds the holiday lists of the years that occur in days, replacing what was loaded for them, and
// recomputes the projects that waited for one. It returns how many projects changed.
func (e *Engine) LoadCalendar(ctx context.Context, who Actor, days []calendar.Day) (int, error) {
	if err := e.requires(ctx, who, Admin, "load_calendar"); err != nil {
		return 0, err
	}
	// A notice can reach back over New Year; the older year's own days must not be lost by that.
	days = e.Working().Join(days)
	if _, err := e.Working().With(days); err != nil {
		return 0, &Error{Kind: Invalid, Key: "calendar.bad", Args: map[string]any{"why": wrongDays{err}}, Err: err}
	}
	years := map[int][]calendar.Day{}
	for _, d := range days {
		years[d.Date.Year()] = append(years[d.Date.Year()], d)
	}
	for _, year := range sortedKeys(years) {
		list := years[year]
		err := e.record(ctx, who, SubjectCalendar+"/"+strconv.Itoa(year), "load_calendar", nil, func(r *Record) (any, map[string]any) {
			r.Days = list
			return nil, map[string]any{"days": len(list), "digest": audit.HashContent(state(list))}
		})
		if err != nil {
			return 0, err
		}
	}
	if err := e.Reload(ctx); err != nil {
		return 0, err
	}
	return e.Reschedule(ctx)
}

func sortedKeys[V any](m map[int]V) []int {
	keys := make([]int, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Repin moves a project to the newest version of its workflow.
func (e *Engine) Repin(ctx context.Context, who Actor, id ProjectID) (Project, error) {
	if err := e.requires(ctx, who, Admin, "repin"); err != nil {
		return Project{}, err
	}
	p, err := e.visible(ctx, who, id)
	if err != nil {
		return p, err
	}
	w, err := e.Workflow(p.Kind)
	if err != nil {
		return p, err
	}
	if w.Digest == p.Definition {
		return p, nil
	}
	change, err := e.repinned(ctx, w, who, p)
	if err != nil {
		return p, err
	}
	if err := e.Store.Commit(ctx, change)[0]; err != nil {
		if taken := e.takenYear(ctx, w, &change.Project, err); taken != nil {
			return p, taken
		}
		return p, e.commitError(ctx, who, id, p.Version, err)
	}
	return change.Project, nil
}

// repinned decides what the project becomes under another version, which may have one item for each year where the old one
// had several.
func (e *Engine) repinned(ctx context.Context, w *Workflow, who Actor, p Project) (Change, error) {
	change, err := decide(e.moment(w, who), p, repin{})
	if err == nil {
		err = e.free(ctx, w, &change.Project, false)
	}
	return change, err
}

// Preview tells what the newest version of its workflow would mean for a project: the options before and after,
// and the dates. Nothing is written.
func (e *Engine) Preview(ctx context.Context, p Project) (Repinning, error) {
	old, err := e.Pinned(ctx, &p)
	if err != nil {
		return Repinning{}, err
	}
	w, err := e.Workflow(p.Kind)
	if err != nil {
		return Repinning{}, err
	}
	out := Repinning{From: old, To: w, Before: p, Same: old.Digest == w.Digest}
	if out.Same {
		return out, nil
	}
	change, err := e.repinned(ctx, w, Operator(), p)
	if err != nil {
		out.Refused = err
		return out, nil //nolint:nilerr // the refusal is the answer
	}
	out.After = change.Project
	for _, t := range old.From(p.Stage) {
		out.UnmetBefore = append(out.UnmetBefore, e.unmet(old, &p, t)...)
	}
	for _, t := range w.From(p.Stage) {
		out.UnmetAfter = append(out.UnmetAfter, e.unmet(w, &p, t)...)
	}
	return out, nil
}

// Repinning is what Preview found.
type Repinning struct {
	From, To                *Workflow
	Same                    bool
	Refused                 error // why the project cannot move, if it cannot
	Before, After           Project
	UnmetBefore, UnmetAfter []Reason // requirements of the transitions that leave its stage
}

func (e *Engine) unmet(w *Workflow, p *Project, t Transition) []Reason {
	var out []Reason
	for _, r := range e.moment(w, Operator()).unwritten(p, t) {
		if !r.Met && !r.Note {
			r.ID = fmt.Sprintf("%s.%s", t.ID, r.ID)
			out = append(out, r)
		}
	}
	return out
}
