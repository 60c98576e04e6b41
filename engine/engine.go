package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"bihuan/engine/calendar"
	"bihuan/engine/secret"
)

// Config is what an Engine is made of.
type Config struct {
	Store    Store
	Compile  func(source []byte) (*Workflow, error) // workflows.Parse, which engine cannot import
	Calendar *calendar.Calendar                     // nil: the embedded one; days loaded on the site are added
	Site     Site                                   // zero: Asia/Shanghai, 09:00
	Now      func() time.Time                       // nil: time.Now
	NewID    func() string                          // nil: UUIDv7
	Log      *slog.Logger                           // nil: discarded
	Secrets  *secret.Box                            // seals what is stored and read back; nil: neither channels nor one-time codes
}

// Engine carries out commands. It is safe for concurrent use; replicas over one database need not know of each
// other.
type Engine struct {
	Config
	log string // installation and epoch, for entries

	mu        sync.RWMutex
	workflows map[string]*Workflow  // by digest; published versions never change
	current   map[string]*Workflow  // newest version by id
	kinds     map[string]KindSwitch // what was switched on or off, by id of the workflow
	loaded    *calendar.Calendar

	objecting sync.Mutex // one vote with an objection at a time, so that they neither push each other out nor count twice
}

// New makes an engine over a migrated store and loads the published definitions and calendar.
func New(ctx context.Context, c Config) (*Engine, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.NewID == nil {
		c.NewID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Calendar == nil {
		c.Calendar = calendar.Embedded()
	}
	if c.Site.Location == nil {
		loc, err := time.LoadLocation("Asia/Shanghai")
		if err != nil {
			return nil, fmt.Errorf("engine: %w", err)
		}
		c.Site = Site{Location: loc, RemindHour: 9}
	}
	e := &Engine{Config: c, workflows: map[string]*Workflow{}, current: map[string]*Workflow{}, loaded: c.Calendar}
	var err error
	if e.log, err = c.Store.Log(ctx); err != nil {
		return nil, err
	}
	if err := e.Reload(ctx); err != nil {
		return nil, err
	}
	return e, nil
}

// IsID reports whether s is an id as the engine makes them: a UUID in lower case. PostgreSQL refuses
// anything else with an error and takes other spellings of the same UUID; asking first makes both databases answer alike.
func IsID(s string) bool {
	u, err := uuid.Parse(s)
	return err == nil && u.String() == s
}

// now is the engine's present moment: UTC and whole microseconds, which is what every database keeps.
func (e *Engine) now() time.Time { return e.Now().UTC().Truncate(time.Microsecond) }

func (e *Engine) today() calendar.Date { return calendar.DateOf(e.now(), e.Site.Location) }

// Reload reads the published definitions and the loaded calendar days again. Replicas call it with every sweep.
func (e *Engine) Reload(ctx context.Context) error {
	defs, err := e.Store.Definitions(ctx)
	if err != nil {
		return err
	}
	days, err := e.Store.Days(ctx)
	if err != nil {
		return err
	}
	cal, err := e.Calendar.With(days)
	if err != nil {
		return fmt.Errorf("stored calendar: %w", err)
	}
	kinds, err := e.loadKinds(ctx)
	if err != nil {
		return err
	}
	current := map[string]*Workflow{}
	for _, d := range defs {
		w, err := e.byDigest(ctx, d.Digest)
		if err != nil {
			return err
		}
		if old := current[w.ID]; old == nil || w.Version > old.Version {
			current[w.ID] = w
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.current, e.kinds, e.loaded = current, kinds, cal
	return nil
}

// Working returns the calendar with the days that the site loaded.
func (e *Engine) Working() *calendar.Calendar {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.loaded
}

// Workflow returns the newest published version of a workflow.
func (e *Engine) Workflow(id string) (*Workflow, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if w := e.current[id]; w != nil {
		return w, nil
	}
	return nil, notFound("workflow.unknown", "id", id)
}

// Pinned returns the version that a project is pinned to.
func (e *Engine) Pinned(ctx context.Context, p *Project) (*Workflow, error) {
	return e.byDigest(ctx, p.Definition)
}

func (e *Engine) byDigest(ctx context.Context, digest string) (*Workflow, error) {
	e.mu.RLock()
	w := e.workflows[digest]
	e.mu.RUnlock()
	if w != nil {
		return w, nil
	}
	d, err := e.Store.Source(ctx, digest)
	if err != nil {
		return nil, fmt.Errorf("definition %s: %w", digest, err)
	}
	if w, err = e.Compile(d.Source); err != nil {
		return nil, fmt.Errorf("definition %s: %w", digest, err)
	}
	if w.Digest != digest {
		return nil, fmt.Errorf("definition %s: the stored source has digest %s", digest, w.Digest)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.workflows[digest] = w
	return w, nil
}

// moment is the case of who acting under w now.
func (e *Engine) moment(w *Workflow, who Actor) *Case {
	return &Case{Workflow: w, Calendar: e.Working(), Site: e.Site, Now: e.now(), Who: who, Log: e.log, NewID: e.NewID}
}

// Do carries out one command on a project. base is the version that the caller saw: if the project has moved on,
// nothing happens and the answer is Stale. A refusal for lack of rights is itself recorded.
func (e *Engine) Do(ctx context.Context, who Actor, id ProjectID, base int64, cmd Command) (Project, error) {
	p, err := e.visible(ctx, who, id)
	if err != nil {
		return Project{}, err
	}
	if p.Version != base {
		if q, ok, err := e.Answered(ctx, who); ok || err != nil { // it was this very request that moved it on
			return q, err
		}
		return p, stale(base, p.Version)
	}
	w, err := e.Pinned(ctx, &p)
	if err != nil {
		return Project{}, err
	}
	if err := e.checkPeople(ctx, w, &p, cmd); err != nil {
		return Project{}, err
	}
	if cmd, err = e.looked(ctx, &p, cmd); err != nil {
		return p, err
	}
	change, err := decide(e.moment(w, who), p, cmd)
	if err != nil {
		if KindOf(err) == Denied {
			e.refused(ctx, who, fmt.Sprintf("%T", cmd), p.Subject(), p.UnitID, err)
		}
		if x, ok := cmd.(Extend); ok && errorKey(err) == "extension.too_late" {
			p = e.countLate(ctx, w, who, p, x)
		}
		return p, err
	}
	if change.Project.Year != p.Year {
		if err := e.free(ctx, w, &change.Project, true); err != nil {
			return p, err
		}
	}
	if err := e.Store.Commit(ctx, change)[0]; err != nil {
		if taken := e.takenYear(ctx, w, &change.Project, err); taken != nil {
			return p, taken
		}
		if errors.Is(err, ErrDuplicate) || errors.Is(err, ErrConflict) { // perhaps the same request arrived twice at once
			if q, ok, keyErr := e.Answered(ctx, who); ok || keyErr != nil {
				return q, keyErr
			}
		}
		return p, e.commitError(ctx, who, id, base, err)
	}
	if change.Forget != "" {
		e.scrub(ctx)
	}
	return change.Project, nil
}

// countLate records that an extension was asked for too late, and returns the project as it then is. The refusal
// stands whether or not that succeeds.
func (e *Engine) countLate(ctx context.Context, w *Workflow, who Actor, p Project, x Extend) Project {
	who.Key = nil // the request was refused, so a repeat of it is no repeat
	change, err := decide(e.moment(w, who), p, askedLate{x})
	if err == nil {
		err = e.Store.Commit(ctx, change)[0]
	}
	switch {
	case err == nil:
		return change.Project
	case !errors.Is(err, ErrConflict):
		e.Log.ErrorContext(ctx, "late request not counted", slog.String("project", string(p.ID)), slog.Any("error", err))
	}
	return p
}

// Answered looks whether the actor's idempotency key was carried out before, and returns the project that it
// changed, as it is now. Another request under the same key is refused.
func (e *Engine) Answered(ctx context.Context, who Actor) (Project, bool, error) {
	if who.Key == nil {
		return Project{}, false, nil
	}
	k, err := e.Store.Answered(ctx, who.ID, who.Key.Key)
	if errors.Is(err, ErrNotFound) {
		return Project{}, false, nil
	}
	if err != nil {
		return Project{}, false, err
	}
	if k.Request != who.Key.Request {
		return Project{}, false, invalid("Idempotency-Key", "request.other_under_key")
	}
	p, err := e.visible(ctx, who, k.Project)
	return p, err == nil, err
}

func stale(base, version int64) error {
	return &Error{Kind: Stale, Key: "project.stale", Args: map[string]any{"base": base, "version": version}}
}

// commitError turns what the store says into what the caller should hear.
func (e *Engine) commitError(ctx context.Context, who Actor, id ProjectID, base int64, err error) error {
	if mine := e.outdated(ctx, who, err); KindOf(mine) != 0 {
		return mine
	}
	switch {
	case errors.Is(err, ErrConflict):
		if p, readErr := e.Store.Project(ctx, id); readErr == nil && p.Version != base {
			return &Error{Kind: Conflict, Key: "project.conflict", Args: map[string]any{"version": p.Version}, Err: err}
		}
		return &Error{Kind: Conflict, Key: "project.conflict", Args: map[string]any{"version": "?"}, Err: err}
	case errors.Is(err, ErrDuplicate):
		return &Error{Kind: Conflict, Key: "request.repeated", Err: err}
	}
	return err
}

// visible reads a project; one that the actor may not see is as absent as one that does not exist.
func (e *Engine) visible(ctx context.Context, who Actor, id ProjectID) (Project, error) {
	p, err := e.Store.Project(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && !who.Sees(&p) {
		return Project{}, notFound("project.unknown", "id", id)
	}
	return p, err
}

// Project returns a project that the actor may see.
func (e *Engine) Project(ctx context.Context, who Actor, id ProjectID) (Project, error) {
	return e.visible(ctx, who, id)
}

// Explain answers "why not?": every option of the project for the person asking, each with its checklist.
func (e *Engine) Explain(ctx context.Context, who Actor, p *Project) ([]Option, error) {
	w, err := e.Pinned(ctx, p)
	if err != nil {
		return nil, err
	}
	return e.moment(w, who).explain(p), nil
}

// Coming lists what the clock owes the project from now on if nothing else happens, soonest first.
func (e *Engine) Coming(ctx context.Context, p *Project) ([]Occurrence, error) {
	w, err := e.Pinned(ctx, p)
	if err != nil {
		return nil, err
	}
	return e.moment(w, Actor{}).coming(p), nil
}

// Create proposes a project of a kind at a unit.
func (e *Engine) Create(ctx context.Context, who Actor, kind string, unit Unit, d Draft) (Project, error) {
	w, err := e.Offered(kind)
	if err != nil {
		return Project{}, err
	}
	if err := e.checkPeople(ctx, w, &Project{UnitPath: unit.Path}, Edit{Draft: d}); err != nil {
		return Project{}, err
	}
	c := e.moment(w, who)
	cmd := Create{ID: ProjectID(e.NewID()), Unit: unit, Draft: d}
	// Decide once before a number is taken: a refusal must not leave a hole in the numbers.
	first, err := decide(c, Project{}, cmd)
	if err != nil {
		if KindOf(err) == Denied {
			e.refused(ctx, who, "create", SubjectUnit+"/"+string(unit.ID), unit.ID, err)
		}
		return Project{}, err
	}
	if err := e.free(ctx, w, &first.Project, true); err != nil {
		if q, ok, keyErr := e.Answered(ctx, who); ok || keyErr != nil { // it was this very request that took the year
			return q, keyErr
		}
		return Project{}, err
	}
	numbers, err := e.numbers(ctx, c, 1)
	if err != nil {
		return Project{}, err
	}
	cmd.Number = numbers[0]
	change, err := decide(c, Project{}, cmd)
	if err != nil {
		return Project{}, err
	}
	if err := e.Store.Commit(ctx, change)[0]; err != nil {
		if errors.Is(err, ErrDuplicate) {
			if q, ok, keyErr := e.Answered(ctx, who); ok || keyErr != nil {
				return q, keyErr
			}
		}
		if taken := e.takenYear(ctx, w, &change.Project, err); taken != nil {
			return Project{}, taken
		}
		return Project{}, e.commitError(ctx, who, cmd.ID, 0, err)
	}
	return change.Project, nil
}

// numbers reserves n 编号 of the case's workflow: prefix, year, and a number that starts anew each year.
func (e *Engine) numbers(ctx context.Context, c *Case, n int) ([]string, error) {
	series := fmt.Sprintf("%s%d", c.Workflow.Prefix, c.today().Year())
	first, err := e.Store.Numbers(ctx, series, n)
	if err != nil {
		return nil, err
	}
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s-%04d", series, first+int64(i))
	}
	return out, nil
}

// checkPeople makes sure that the people a command names exist and can sign in, and that a new owner holds at the unit of
// the project, which is as it was, one of the roles that the definition wants an owner to hold.
func (e *Engine) checkPeople(ctx context.Context, w *Workflow, p *Project, cmd Command) error {
	edit, ok := cmd.(Edit)
	if !ok {
		return nil
	}
	return edit.Draft.named(func(id UserID) (User, error) { return e.Store.User(ctx, string(id)) }, w, p)
}

// named is checkPeople for a draft. find is how the store finds a person.
func (d *Draft) named(find func(id UserID) (User, error), w *Workflow, p *Project) error {
	for _, x := range []struct {
		field string
		ids   []UserID
	}{{"owner", []UserID{d.Owner}}, {"sponsor", []UserID{d.Sponsor}}, {"assistants", d.Assistants}} {
		for _, id := range x.ids {
			if id == "" {
				continue
			}
			u, err := find(id)
			if errors.Is(err, ErrNotFound) || err == nil && u.Disabled {
				return invalid(x.field, "user.unknown", "id", id)
			}
			if err != nil {
				return err
			}
			if x.field == "owner" && id != p.Owner && !w.mayOwn(&u, p.UnitPath) { // who leaves may have handed it to anybody
				return invalid("owner", "owner.role", "kind", w.Name, "roles", roleNameList(w.Owner))
			}
		}
	}
	return nil
}

// mayOwn reports whether a project of the kind at the unit may be given to the user.
func (w *Workflow) mayOwn(u *User, unit string) bool {
	return len(w.Owner) == 0 || slices.ContainsFunc(u.Grants, func(g Grant) bool { return slices.Contains(w.Owner, g.Role) && Under(unit, g.Path) })
}
