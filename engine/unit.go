package engine

import (
	"context"
	"errors"
)

// AddUnit adds a unit under parent, or a root when parent is "".
func (e *Engine) AddUnit(ctx context.Context, who Actor, parent, code, name string) (Unit, error) {
	if err := e.requires(ctx, who, Admin, "add_unit"); err != nil {
		return Unit{}, err
	}
	name, err := unitWords(code, name)
	if err != nil {
		return Unit{}, err
	}
	u := Unit{ID: UnitID(e.NewID()), Code: code, Name: name, CreatedAt: e.now(), Version: 1}
	u.Path = "/" + string(u.ID) + "/"
	var up Unit
	if parent != "" {
		if up, err = e.Unit(ctx, parent); err != nil {
			return Unit{}, err
		}
		if err := open(up); err != nil {
			return Unit{}, err
		}
		u.ParentID, u.Path = up.ID, up.Path+string(u.ID)+"/"
	}
	// A role holds for its unit and what is under it; a root is under nobody and is the operator's to add.
	if _, ok := who.Has(Admin, u.Path); !ok && !who.system {
		return Unit{}, e.deny(ctx, who, "add_unit", SubjectUnit+"/"+string(u.ParentID), denied("grant.above_scope", "unit", name))
	}
	err = e.record(ctx, who, SubjectUnit+"/"+string(u.ID), "add_unit", nil, func(r *Record) (any, map[string]any) {
		r.Unit, r.Entry.Unit = &u, string(u.ID)
		r.Guard.Unit, r.Guard.Path, r.Guard.Open = up.ID, up.Path, true
		return u, nil
	})
	return u, conflict(duplicate(err, "code", "unit.code_taken", "code", code))
}

// unitWords checks a unit's code and returns its name trimmed.
func unitWords(code, name string) (string, error) {
	if !codeForm.MatchString(code) {
		return "", invalid("code", "unit.bad_code", "code", code)
	}
	name, err := text("name", name, maxTitle)
	if err == nil && name == "" {
		err = invalid("name", "field.empty")
	}
	return name, err
}

// RenameUnit gives a unit another code and name. What was written under the old ones stays in the trail.
func (e *Engine) RenameUnit(ctx context.Context, who Actor, unit, code, name string) (Unit, error) {
	if err := e.requires(ctx, who, Admin, "rename_unit"); err != nil {
		return Unit{}, err
	}
	name, err := unitWords(code, name)
	if err != nil {
		return Unit{}, err
	}
	u, err := e.Unit(ctx, unit)
	if err != nil {
		return Unit{}, err
	}
	if err := e.administers(ctx, who, "rename_unit", u.Path, u); err != nil {
		return Unit{}, err
	}
	next := u
	next.Code, next.Name = code, name
	next.Version++
	err = e.record(ctx, who, SubjectUnit+"/"+string(u.ID), "rename_unit", u, func(r *Record) (any, map[string]any) {
		r.Unit, r.Entry.Unit = &next, string(u.ID)
		r.Guard.Unit, r.Guard.Path = u.ID, u.Path
		return next, nil
	})
	return next, conflict(duplicate(err, "code", "unit.code_taken", "code", code))
}

// administers refuses whoever is not an administrator above path.
func (e *Engine) administers(ctx context.Context, who Actor, what, path string, u Unit) error {
	if _, ok := who.Has(Admin, path); ok || who.system {
		return nil
	}
	return e.deny(ctx, who, what, SubjectUnit+"/"+string(u.ID), denied("grant.above_scope", "unit", u.Name))
}

// MoveUnit puts a unit with everything under it under another parent, or makes it a root when parent is "", which is
// the operator's to do. The paths of the whole subtree change in one transaction, and each of the units has an entry
// that says so; roles and projects follow their units. It needs an administrator of where the unit leaves and of
// where it goes.
func (e *Engine) MoveUnit(ctx context.Context, who Actor, unit, parent string) (Unit, error) {
	if err := e.requires(ctx, who, Admin, "move_unit"); err != nil {
		return Unit{}, err
	}
	u, err := e.Unit(ctx, unit)
	if err != nil {
		return Unit{}, err
	}
	to := Unit{Path: "/"}
	if parent != "" {
		if to, err = e.Unit(ctx, parent); err != nil {
			return Unit{}, err
		}
	}
	// Where it leaves: the part of the path above the unit.
	above := u.Path[:len(u.Path)-len(u.ID)-1]
	for _, path := range []string{above, to.Path} {
		if err := e.administers(ctx, who, "move_unit", path, u); err != nil {
			return Unit{}, err
		}
	}
	switch {
	case to.ID == u.ParentID:
		return Unit{}, blocked("unit.there_already", "unit", u.Name)
	case Under(to.Path, u.Path):
		return Unit{}, blocked("unit.cycle", "unit", u.Name, "parent", to.Name)
	}
	if err := open(to); err != nil {
		return Unit{}, err
	}
	all, err := e.Store.Units(ctx)
	if err != nil {
		return Unit{}, err
	}
	var records []Record
	var moved Unit
	for _, x := range all {
		if !Under(x.Path, u.Path) {
			continue
		}
		next := x
		next.Path = to.Path + x.Path[len(above):]
		next.Version++
		data := map[string]any{"moved": u.ID, "from": above, "to": to.Path}
		if x.ID == u.ID {
			next.ParentID = to.ID
			moved = next
		}
		r, err := e.seal(ctx, who, SubjectUnit+"/"+string(x.ID), "move_unit", x, func(r *Record) (any, map[string]any) {
			r.Unit, r.Entry.Unit = &next, string(x.ID)
			if x.ID == u.ID {
				r.Guard.Unit, r.Guard.Path, r.Guard.Open = to.ID, to.Path, true
				r.Vacated = u.Path // nobody has added a unit under it meanwhile
			}
			return next, data
		})
		if err != nil {
			return Unit{}, conflict(err)
		}
		records = append(records, r)
	}
	if len(records) == 0 {
		return Unit{}, conflict(ErrConflict) // it was moved between the two looks
	}
	return moved, e.act(ctx, who, records, nil)
}

// Unit finds a unit by id or code.
func (e *Engine) Unit(ctx context.Context, idOrCode string) (Unit, error) {
	u, err := e.Store.Unit(ctx, idOrCode)
	if errors.Is(err, ErrNotFound) {
		return u, notFound("unit.unknown", "unit", idOrCode)
	}
	return u, err
}

// MayChangeUnit tells why a person may not rename, move, close or add to a unit, nil if they may. Asking leaves no entry.
func (e *Engine) MayChangeUnit(who Actor, u Unit) error {
	if err := only(who, Admin); err != nil {
		return err
	}
	if _, ok := who.Has(Admin, u.Path); !ok && !who.system {
		return denied("grant.above_scope", "unit", u.Name)
	}
	return nil
}
