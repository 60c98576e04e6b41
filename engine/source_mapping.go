package engine

import (
	"context"
	"slices"
	"time"
)

// SubjectMapping is the kind of subject of what people said about a source's columns.
const SubjectMapping = "mapping"

// MappingID names a remembered mapping.
type MappingID string

// SourceMapping is what the columns of ledgers from one source are, as a person last confirmed it. A source is the
// shape of a ledger's head at the unit for which it is imported. Its json form is the state that its entries carry
// patches of.
type SourceMapping struct {
	ID        MappingID      `json:"id" gorm:"primaryKey"`
	UnitID    UnitID         `json:"unit_id"`
	Shape     string         `json:"shape"` // digest of the head
	File      string         `json:"file"`  // name of the ledger with which it was confirmed
	Columns   []SourceColumn `json:"columns" gorm:"serializer:json"`
	SavedBy   UserID         `json:"saved_by"`
	SavedAt   time.Time      `json:"saved_at"`
	Forgotten bool           `json:"forgotten,omitempty"` // nobody is offered it any more
	Version   int64          `json:"version"`
}

// SourceColumn is one column of a source.
type SourceColumn struct {
	Index  int    `json:"index"` // 0-based, from the left edge of the sheet
	Header string `json:"header"`
	Field  string `json:"field"` // as package ledger names it
}

// Sources reads what people said about the columns of ledgers.
type Sources interface {
	// SourceMappings returns those of a unit, or all for "", the last confirmed first, those that are forgotten too.
	SourceMappings(ctx context.Context, unit UnitID) ([]SourceMapping, error)
}

// maxSourceColumns bounds what is remembered of one source.
const maxSourceColumns = 1000

// KeepMapping remembers what the columns of a source are, for the next ledger with the same head; whoever may import
// projects of the kind at the unit may say so. What is remembered already is left as it is, with the date of then.
func (e *Engine) KeepMapping(ctx context.Context, who Actor, kind string, unit Unit, m SourceMapping) error {
	if err := e.MayImport(ctx, who, kind, unit); err != nil {
		return err
	}
	if len(m.Columns) > maxSourceColumns {
		return invalid("columns", "mapping.too_many", "limit", maxSourceColumns)
	}
	var err error
	if m.File, err = text("file", m.File, maxTitle); err != nil {
		m.File = ""
	}
	known, err := e.Store.SourceMappings(ctx, unit.ID)
	if err != nil {
		return err
	}
	m.ID, m.UnitID, m.SavedBy, m.SavedAt, m.Version, m.Forgotten = MappingID(e.NewID()), unit.ID, who.ID, e.now(), 1, false
	var before any
	if i := slices.IndexFunc(known, func(old SourceMapping) bool { return old.Shape == m.Shape }); i >= 0 {
		old := known[i]
		// The header may say another month.
		same := func(a, b SourceColumn) bool { return a.Index == b.Index && a.Field == b.Field }
		if !old.Forgotten && slices.EqualFunc(old.Columns, m.Columns, same) {
			return nil
		}
		m.ID, m.Version, before = old.ID, old.Version+1, old
	}
	return conflict(e.recordMapping(ctx, who, "keep_mapping", before, m))
}

// MayImport refuses, and records it, whoever may not import projects of the kind at a unit.
func (e *Engine) MayImport(ctx context.Context, who Actor, kind string, unit Unit) error {
	w, err := e.Workflow(kind)
	if err != nil {
		return err
	}
	if _, err := e.moment(w, who).mayCreate(unit); err != nil {
		return e.deny(ctx, who, "import", SubjectUnit+"/"+string(unit.ID), err)
	}
	return nil
}

func (e *Engine) recordMapping(ctx context.Context, who Actor, action string, before any, m SourceMapping) error {
	return e.record(ctx, who, SubjectMapping+"/"+string(m.ID), action, before, func(r *Record) (any, map[string]any) {
		r.Mapping, r.Entry.Unit = &m, string(m.UnitID)
		return m, nil
	})
}

// SourceMappings lists what is remembered about the columns of ledgers, of one unit or ("") of all units for which the
// person may import, the last confirmed first.
func (e *Engine) SourceMappings(ctx context.Context, who Actor, unit UnitID) ([]SourceMapping, error) {
	all, err := e.Store.SourceMappings(ctx, unit)
	if err != nil {
		return nil, err
	}
	units, err := e.Store.Units(ctx)
	if err != nil {
		return nil, err
	}
	mine := map[UnitID]bool{}
	for _, u := range units {
		mine[u.ID] = e.importsAt(who, u)
	}
	return slices.DeleteFunc(all, func(m SourceMapping) bool { return m.Forgotten || !mine[m.UnitID] }), nil
}

// importsAt reports whether the person may create projects of any kind at a unit.
func (e *Engine) importsAt(who Actor, u Unit) bool {
	return slices.ContainsFunc(e.Workflows(), func(w *Workflow) bool {
		_, err := e.moment(w, who).mayCreate(u)
		return err == nil
	})
}

// ForgetMapping forgets what was said about a source; whoever may import for its unit may. One that the person cannot
// see is as absent as one that does not exist.
func (e *Engine) ForgetMapping(ctx context.Context, who Actor, id MappingID) error {
	all, err := e.SourceMappings(ctx, who, "")
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(m SourceMapping) bool { return m.ID == id })
	if i < 0 {
		return notFound("mapping.unknown")
	}
	m := all[i]
	m.Forgotten, m.Version = true, m.Version+1
	return conflict(e.recordMapping(ctx, who, "forget_mapping", all[i], m))
}
