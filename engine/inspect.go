package engine

import "context"

// Inspects tells why somebody may not have the whole trail verified; nil if they may. It is for showing what can be
// done: MayVerify decides, and records.
func (e *Engine) Inspects(who Actor) error { return only(who, Inspector) }

// MayVerify decides who may have the trail verified: an inspector all of it, and whoever sees a project what belongs
// to that project ("" is the whole). A refusal of the whole is recorded; a project that the actor does not see is as
// absent as one that does not exist.
func (e *Engine) MayVerify(ctx context.Context, who Actor, project ProjectID) error {
	if project != "" {
		_, err := e.visible(ctx, who, project)
		return err
	}
	if err := e.Inspects(who); err != nil {
		return e.deny(ctx, who, "verify_trail", "", err)
	}
	return nil
}

// Part is a part of the trail: one project, one unit with everything under it, or (the zero value) everything.
type Part struct {
	Project ProjectID
	Unit    UnitID
}

// MayExportTrail decides who may take a part of the trail away as a bundle that proves itself elsewhere: the inspector
// whose office covers it. Everything is covered by an office at every unit that is under none. A refusal is recorded;
// what the actor does not see at all is as absent as what does not exist. The unit may be named by its code: what is
// returned names it by its id.
func (e *Engine) MayExportTrail(ctx context.Context, who Actor, part Part) (Part, error) {
	if part.Project != "" { // what may not be seen is absent before anything else is said
		if _, err := e.visible(ctx, who, part.Project); err != nil {
			return part, err
		}
	}
	if err := e.requires(ctx, who, Inspector, "export_trail_bundle"); err != nil {
		return part, err
	}
	if part.Project == "" && part.Unit != "" {
		u, err := e.UnitSeen(ctx, who, string(part.Unit))
		if err != nil {
			return part, err
		}
		part.Unit = u.ID
	}
	covers, err := e.Exports(ctx, who, part)
	if err != nil || covers {
		return part, err
	}
	return part, e.deny(ctx, who, "export_trail_bundle", "", denied("trail.beyond_office"))
}

// Exports tells whether the actor's office as inspector covers a part of the trail. It is for showing what can be done:
// MayExportTrail decides.
func (e *Engine) Exports(ctx context.Context, who Actor, part Part) (bool, error) {
	var paths []string
	switch {
	case part.Project != "":
		p, err := e.visible(ctx, who, part.Project)
		if err != nil {
			return false, err
		}
		paths = []string{p.UnitPath}
	case part.Unit != "":
		u, err := e.UnitSeen(ctx, who, string(part.Unit))
		if err != nil {
			return false, err
		}
		paths = []string{u.Path}
	default:
		units, err := e.Store.Units(ctx)
		if err != nil {
			return false, err
		}
		for _, u := range units {
			if u.ParentID == "" {
				paths = append(paths, u.Path)
			}
		}
	}
	for _, path := range paths {
		if _, ok := who.Has(Inspector, path); !ok && !who.system {
			return false, nil
		}
	}
	return len(paths) > 0, nil
}
