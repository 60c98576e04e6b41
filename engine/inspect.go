package engine

import "context"

// Inspects tells why somebody may not have the whole trail verified; nil if they may. It is for showing what can be
// done: MayVerify decides, and records.
func (e *Engine) Inspects(who Actor) error { return e.only(who, Inspector) }

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
