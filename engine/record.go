package engine

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"time"

	"bihuan/engine/audit"
)

// record seals an entry about something that is not a project and writes it with its row. fill gets the record
// when seq is known and sets the row and entry data; before is the row's former state. A chain that grew at the
// same moment is tried again.
func (e *Engine) record(ctx context.Context, who Actor, subject, action string, before any, fill func(r *Record) (after any, data map[string]any)) error {
	for attempt := 0; ; attempt++ {
		r, err := e.seal(ctx, who, subject, action, before, fill)
		if err != nil {
			return err
		}
		err = e.Store.Record(ctx, r)
		if errors.Is(err, ErrConflict) && before == nil && attempt < 5 {
			continue // nothing but the chain's own end was in the way
		}
		return e.outdated(ctx, who, err)
	}
}

// tail is the end of a subject's chain, which the next entry is tied to.
type tail struct {
	seq  int64
	head audit.Digest
	at   time.Time
}

func (e *Engine) tail(ctx context.Context, subject string) (tail, error) {
	last, err := e.Store.Entries(ctx, EntryFilter{Subject: subject, Limit: 1})
	if err != nil || len(last.Items) == 0 {
		return tail{}, err
	}
	return tail{last.Items[0].Seq, last.Items[0].Hash, last.Items[0].At}, nil
}

// seal makes the record without writing it.
func (e *Engine) seal(ctx context.Context, who Actor, subject, action string, before any, fill func(r *Record) (after any, data map[string]any)) (Record, error) {
	end, err := e.tail(ctx, subject)
	if err != nil {
		return Record{}, err
	}
	return e.sealAfter(who, &end, subject, action, before, fill)
}

// sealAfter makes the record that follows the end of a chain, and moves the end on, so that an act can have several
// entries about one subject.
func (e *Engine) sealAfter(who Actor, end *tail, subject, action string, before any, fill func(r *Record) (after any, data map[string]any)) (Record, error) {
	now := e.now()
	if now.Before(end.at) { // another replica's clock is ahead; a chain's time never runs backwards
		now = end.at
	}
	r := Record{Base: end.seq}
	after, data := fill(&r)
	if r.changes() {
		if err := who.Allows(TokenAll); err != nil {
			return Record{}, err
		}
		r.Guard.Actor, r.Guard.Version = who.ID, who.Version
	}
	if v := r.version(); v != 0 && v != end.seq+1 { // the row was read before the chain grew
		return Record{}, ErrConflict
	}
	var err error
	all := map[string]any{}
	for k, v := range data {
		all[k] = v
	}
	if after != nil {
		var old json.RawMessage
		if before != nil {
			old = state(before)
		}
		if all["set"], err = audit.Diff(old, state(after)); err != nil {
			return Record{}, err
		}
	}
	r.Entry.V, r.Entry.Log, r.Entry.ID, r.Entry.At = audit.Format, e.log, e.NewID(), now
	r.Entry.Actor.ID, r.Entry.Actor.Via = string(who.ID), who.Via
	r.Entry.Action, r.Entry.Subject, r.Entry.Seq, r.Entry.Prev, r.Entry.Version = action, subject, end.seq+1, end.head, end.seq+1
	r.Entry.Request = who.request()
	if len(all) > 0 {
		r.Entry.Data = state(all)
	}
	if r.Bytes, err = r.Entry.Bytes(); err != nil {
		return Record{}, err
	}
	r.Head = audit.HashEntry(r.Bytes)
	*end = tail{r.Entry.Seq, r.Head, now}
	return r, nil
}

// under notes at which unit an act is, and by which right, so that the write looks for both again. It returns the data
// of the entry, with whose right it is where that was lent.
func (r *Record) under(as authority, unit UnitID, path string, data map[string]any) map[string]any {
	r.Entry.Unit, r.Entry.Actor.Role, r.Entry.Actor.Unit = string(unit), string(as.role), string(as.unit)
	r.Guard.Unit, r.Guard.Path = unit, path
	if as.by != "" {
		data = maps.Clone(data)
		if data == nil {
			data = map[string]any{}
		}
		data["for"] = as.by
	}
	return data
}

// act writes what was sealed and decided, all or none.
func (e *Engine) act(ctx context.Context, who Actor, records []Record, changes []Change) error {
	return conflict(e.outdated(ctx, who, e.Store.Act(ctx, records, changes)))
}

// outdated tells the conflict of somebody whose rights have changed meanwhile from all others.
func (e *Engine) outdated(ctx context.Context, who Actor, err error) error {
	if !errors.Is(err, ErrConflict) || who.Version == 0 {
		return err
	}
	if u, readErr := e.Store.User(ctx, string(who.ID)); readErr == nil && u.Version != who.Version {
		return &Error{Kind: Conflict, Key: "actor.changed", Err: err}
	}
	return err
}

// changes reports whether the record is more than the note of an event.
func (r *Record) changes() bool {
	return r.version() != 0 || r.Definition != nil || len(r.Days) > 0 || len(r.Replay) > 0
}

// version is that of the row in the record, 0 if rows of its kind have none.
func (r *Record) version() int64 {
	switch {
	case r.Unit != nil:
		return r.Unit.Version
	case r.User != nil:
		return r.User.Version
	case r.Token != nil:
		return r.Token.Version
	case r.Delegation != nil:
		return r.Delegation.Version
	case r.List != nil:
		return r.List.Version
	case r.Need != nil:
		return r.Need.Version
	case r.Switch != nil:
		return r.Switch.Version
	case r.Tally != nil:
		return r.Tally.Version
	case r.TallyYear != nil:
		return r.TallyYear.Version
	case r.Channel != nil:
		return r.Channel.Version
	case r.Settings != nil:
		return r.Settings.Version
	case r.Sheet != nil:
		return r.Sheet.Version
	case r.Wording != nil:
		return r.Wording.Version
	case r.Mapping != nil:
		return r.Mapping.Version
	}
	return 0
}

// refused records that a signed-in person was refused, on that person's own chain, at the unit that it was about so
// that its inspectors find it. Failing to record does not change the refusal.
func (e *Engine) refused(ctx context.Context, who Actor, what, subject string, unit UnitID, why error) {
	err := e.note(ctx, who, unit, "refused", map[string]any{"command": what, "subject": subject, "why": errorKey(why)})
	if err != nil {
		e.Log.ErrorContext(ctx, "refusal not recorded", slog.Any("error", err), slog.String("actor", string(who.ID)))
	}
}

func errorKey(err error) string {
	if x, ok := errors.AsType[*Error](err); ok {
		return x.Key
	}
	return "error"
}

// Actions of entries about the trail itself, which verification looks for.
const (
	ActionCheckpointKey = "checkpoint_key" // data.key: a public key that signs checkpoints from now on
	ActionEpoch         = "epoch"          // data: what a restore lost, and who approved going on
)

// Note records something that a person did without changing anything: a refusal, an export, a sign-in. It belongs
// to the unit of the person's first role, if they have one.
func (e *Engine) Note(ctx context.Context, who Actor, action string, data map[string]any) error {
	return e.note(ctx, who, who.home(), action, data)
}

func (e *Engine) note(ctx context.Context, who Actor, unit UnitID, action string, data map[string]any) error {
	return e.record(ctx, who, SubjectActor+"/"+string(who.ID), action, nil, func(r *Record) (any, map[string]any) {
		r.Entry.Unit = string(unit)
		return nil, data
	})
}
