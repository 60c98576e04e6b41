package engine

import (
	"context"
	"slices"
	"time"
)

// SubjectKind is the kind of subject in the trail of what was switched on or off; id: the workflow's word.
const SubjectKind = "kind"

// KindSwitch says whether items of a kind can be proposed. One without a row is as its definition says: off if that has
// off: true, else on. Its json form is the state that its entries carry patches of.
type KindSwitch struct {
	ID      string    `json:"id" gorm:"primaryKey"` // of the workflow
	On      bool      `json:"on"`
	By      UserID    `json:"by" gorm:"column:by_id"` // who switched it last, and when
	At      time.Time `json:"at"`
	Version int64     `json:"version"` // equals the seq of the newest entry
}

// Subject names the kind in entries.
func (k *KindSwitch) Subject() string { return SubjectKind + "/" + k.ID }

// IsOn reports whether items of the kind can be proposed.
func (e *Engine) IsOn(id string) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.isOn(id)
}

// isOn is IsOn for callers that hold the lock.
func (e *Engine) isOn(id string) bool {
	if k, ok := e.kinds[id]; ok {
		return k.On
	}
	w := e.current[id]
	return w != nil && !w.Off
}

// Switched returns when a kind was switched on or off last, and by whom; ok is false for one that never was.
func (e *Engine) Switched(id string) (k KindSwitch, ok bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	k, ok = e.kinds[id]
	return k, ok
}

// Offered returns the newest published version of a workflow by which something new can be proposed: one that is
// switched off is refused.
func (e *Engine) Offered(id string) (*Workflow, error) {
	w, err := e.Workflow(id)
	if err == nil && !e.IsOn(id) {
		return nil, &Error{Kind: Blocked, Field: "kind", Key: "kind.off", Args: map[string]any{"kind": w.Name}}
	}
	return w, err
}

// EnableKind switches a kind on, so that items of it can be proposed. One that is on stays so, without an entry.
func (e *Engine) EnableKind(ctx context.Context, who Actor, id string) error {
	return e.switchKind(ctx, who, id, "enable_workflow", true)
}

// DisableKind switches a kind off: nothing new can be proposed, and what runs goes on to its end.
func (e *Engine) DisableKind(ctx context.Context, who Actor, id string) error {
	return e.switchKind(ctx, who, id, "disable_workflow", false)
}

func (e *Engine) switchKind(ctx context.Context, who Actor, id, action string, on bool) error {
	if err := e.requires(ctx, who, Admin, action); err != nil {
		return err
	}
	if err := e.Reload(ctx); err != nil { // another replica may have switched it
		return err
	}
	w, err := e.Workflow(id)
	if err != nil || e.IsOn(id) == on {
		return err
	}
	old, known := e.Switched(id)
	next := KindSwitch{ID: id, On: on, By: who.ID, At: e.now(), Version: old.Version + 1}
	var before any
	if known {
		before = old
	}
	err = e.record(ctx, who, next.Subject(), action, before, func(r *Record) (any, map[string]any) {
		r.Switch, r.Entry.Definition = &next, w.Digest
		return next, nil
	})
	if err := conflict(err); err != nil {
		return err
	}
	return e.Reload(ctx)
}

// Workflows returns the newest published version of every workflow that is switched on.
func (e *Engine) Workflows() []*Workflow {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var out []*Workflow
	for id, w := range e.current {
		if e.isOn(id) {
			out = append(out, w)
		}
	}
	return out
}

// Published returns the newest published version of every workflow, whether switched on or off.
func (e *Engine) Published() []*Workflow {
	e.mu.RLock()
	defer e.mu.RUnlock()
	out := make([]*Workflow, 0, len(e.current))
	for _, w := range e.current {
		out = append(out, w)
	}
	return out
}

// Field is something that a kind asks for besides what every item has. What people write stands on the project under
// the field's Chinese name, as a column of a ledger that has no field of its own does, so that a ledger with such a
// column fills it in.
type Field struct {
	ID   string
	Name Text
	Hint Text
	Long bool // several lines
}

// Value returns what stands on the project in the field.
func (f Field) Value(p *Project) string { return p.Extra[f.Name.ZH] }

// fields are the values of the workflow's own fields by id, for rules.
func (w *Workflow) fields(p *Project) map[string]string {
	out := make(map[string]string, len(w.Fields))
	for _, f := range w.Fields {
		out[f.ID] = f.Value(p)
	}
	return out
}

// MaterialName names a piece of evidence that the definition asks for.
func (w *Workflow) MaterialName(id string) Text {
	if i := slices.IndexFunc(w.Materials, func(m Choice) bool { return m.ID == id }); i >= 0 {
		return w.Materials[i].Name
	}
	return Text{}
}

// material checks the word by which a piece of evidence is said to be one that the definition asks for.
func (c *Case) material(id string) error {
	if id != "" && c.Workflow.MaterialName(id).ZH == "" {
		return invalid("material", "evidence.material", "id", id)
	}
	return nil
}

// loadKinds reads what was switched.
func (e *Engine) loadKinds(ctx context.Context) (map[string]KindSwitch, error) {
	list, err := e.Store.Kinds(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[string]KindSwitch, len(list))
	for _, k := range list {
		out[k.ID] = k
	}
	return out, nil
}
