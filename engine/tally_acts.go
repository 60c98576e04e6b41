package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Tallies lists the yearly counts that were ever switched on, by id.
func (e *Engine) Tallies(ctx context.Context) ([]Tally, error) { return e.Store.Tallies(ctx) }

// TheTally finds a yearly count that was switched on once.
func (e *Engine) TheTally(ctx context.Context, id string) (Tally, error) {
	all, err := e.Store.Tallies(ctx)
	if err != nil {
		return Tally{}, err
	}
	for _, t := range all {
		if t.ID == id {
			return t, nil
		}
	}
	return Tally{}, notFound("tally.unknown", "id", id)
}

// EnableTally switches a yearly count on by a definition. One that is on by the same stays so, without an entry; another
// definition under the same id takes its place, from then on for every year.
func (e *Engine) EnableTally(ctx context.Context, who Actor, t Tally) error {
	if err := e.requires(ctx, who, Admin, "enable_tally"); err != nil {
		return err
	}
	if err := t.Validate(); err != nil {
		return err
	}
	old, err := e.TheTally(ctx, t.ID)
	if KindOf(err) == NotFound {
		old, err = Tally{}, nil
	}
	if err != nil {
		return err
	}
	t.On = true
	return e.switchTally(ctx, who, "enable_tally", old, t)
}

// DisableTally switches a yearly count off: nobody is put on a roll and nothing entered, and what was entered can still
// be confirmed.
func (e *Engine) DisableTally(ctx context.Context, who Actor, id string) error {
	if err := e.requires(ctx, who, Admin, "disable_tally"); err != nil {
		return err
	}
	old, err := e.TheTally(ctx, id)
	if err != nil {
		return err
	}
	next := old
	next.On = false
	return e.switchTally(ctx, who, "disable_tally", old, next)
}

func (e *Engine) switchTally(ctx context.Context, who Actor, action string, old, next Tally) error {
	next.By, next.At, next.Version = old.By, old.At, old.Version
	if string(state(old)) == string(state(next)) {
		return nil
	}
	next.By, next.At, next.Version = who.ID, e.now(), old.Version+1
	var before any
	if old.Version > 0 {
		before = old
	}
	return conflict(e.record(ctx, who, next.Subject(), action, before, func(r *Record) (any, map[string]any) {
		r.Tally = &next
		return next, nil
	}))
}

// TallyYears selects members' years within what the actor may read.
func (e *Engine) TallyYears(ctx context.Context, who Actor, f TallyFilter) (Page[TallyYear], error) {
	f.Scope = who.scope()
	return e.Store.TallyYears(ctx, f)
}

// AllTallyYears is TallyYears without pages.
func (e *Engine) AllTallyYears(ctx context.Context, who Actor, f TallyFilter) ([]TallyYear, error) {
	var out []TallyYear
	for f.Limit = MaxPage; ; {
		page, err := e.TallyYears(ctx, who, f)
		if err != nil {
			return nil, err
		}
		out = append(out, page.Items...)
		if f.After = page.Next; f.After == "" {
			return out, nil
		}
	}
}

// TheTallyYear returns a member's year that the actor may read.
func (e *Engine) TheTallyYear(ctx context.Context, who Actor, id TallyYearID) (TallyYear, error) {
	y, err := e.Store.TallyYear(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && !who.ReadsTally(&y) {
		return TallyYear{}, notFound("tally.unknown_year")
	}
	return y, err
}

// MayTally tells whether the actor may do something about the yearly counts of a unit's members by a role.
func (e *Engine) MayTally(who Actor, action, path string) bool {
	_, err := authorityAt(who, path, tallyPolicy[action])
	return err == nil
}

// mayEnter finds by what right the actor enters what a member did.
func (t *Tally) mayEnter(who Actor, y *TallyYear) (authority, error) {
	var roles []Role
	for _, r := range t.Enter {
		if r == Member && who.ID != "" && who.ID == y.UserID {
			return authority{role: Member, unit: y.UnitID}, nil
		}
		if r != Member {
			roles = append(roles, r)
		}
	}
	if who.system { // an operator brings in what was counted elsewhere
		return authority{}, nil
	}
	return authorityAt(who, y.UnitPath, roles)
}

// MayEnterHours tells whether the actor may enter what a member did.
func (e *Engine) MayEnterHours(who Actor, t *Tally, y *TallyYear) bool {
	_, err := t.mayEnter(who, y)
	return err == nil && t.On && y.Struck == ""
}

// MayDecideHours tells whether the actor may confirm or decline a record: by a role, and with other eyes than those of
// the member and of who entered it.
func (e *Engine) MayDecideHours(who Actor, y *TallyYear, id string) bool {
	r := y.Records[id]
	return r.State == TallyEntered && y.decides(who, &r) == nil && e.MayTally(who, tallyConfirm, y.UnitPath)
}

// MayWithdrawHours tells whether the actor may take a record back.
func (e *Engine) MayWithdrawHours(who Actor, y *TallyYear, id string) bool {
	r := y.Records[id]
	_, err := y.mayWithdraw(who, &r)
	return err == nil && r.stands()
}

func (y *TallyYear) decides(who Actor, r *TallyRecord) error {
	if who.same(r.By) || who.same(r.For) || who.same(y.UserID) {
		return denied("tally.four_eyes")
	}
	return nil
}

func (y *TallyYear) mayWithdraw(who Actor, r *TallyRecord) (authority, error) {
	if who.ID != "" && (who.ID == y.UserID || who.ID == r.By) && who.ReadsTally(y) {
		return authority{role: Member, unit: y.UnitID}, nil
	}
	return authorityAt(who, y.UnitPath, tallyPolicy[tallyWithdraw])
}

// EnrolMember puts somebody on a branch's roll for a year, so that what they do is counted and what they lack is shown.
// Somebody who was struck off a roll of that year goes on with what they had.
func (e *Engine) EnrolMember(ctx context.Context, who Actor, tally string, unit Unit, user UserID, year int) (TallyYear, error) {
	t, err := e.TheTally(ctx, tally)
	if err != nil {
		return TallyYear{}, err
	}
	as, err := e.enrols(who, unit.Path)
	if err != nil {
		e.refused(ctx, who, "enrol_member", SubjectUnit+"/"+string(unit.ID), unit.ID, err)
		return TallyYear{}, err
	}
	if u, userErr := e.Store.User(ctx, string(user)); errors.Is(userErr, ErrNotFound) || userErr == nil && u.Disabled {
		return TallyYear{}, invalid("user", "user.unknown", "id", user)
	} else if userErr != nil {
		return TallyYear{}, userErr
	}
	a := tallyAct{e: e, who: who}
	before, err := a.load(ctx, &t, user, year)
	if err != nil {
		return TallyYear{}, err
	}
	next, err := a.enrol(as, &t, before, unit, user, year, nil)
	if err != nil {
		return TallyYear{}, err
	}
	return next, duplicate(a.commit(ctx), "user", "tally.enrolled", "year", year)
}

// enrols finds by what right the actor keeps a branch's roll.
func (e *Engine) enrols(who Actor, path string) (authority, error) {
	as, err := authorityAt(who, path, tallyPolicy["enrol_member"])
	if who.system {
		err = nil
	}
	return as, err
}

// StrikeMember takes a member off a branch's roll, with the reason: they left, or were never in it.
func (e *Engine) StrikeMember(ctx context.Context, who Actor, id TallyYearID, base int64, note string) (TallyYear, error) {
	return e.onTallyYear(ctx, who, id, base, "strike_member", note, func(y *TallyYear) (authority, map[string]any, error) {
		as, err := authorityAt(who, y.UnitPath, tallyPolicy["strike_member"])
		if err != nil {
			return as, nil, err
		}
		y.Struck, err = reason(note)
		return as, nil, err
	})
}

// EnterHours enters things that a member did. They count once somebody else has confirmed them.
func (e *Engine) EnterHours(ctx context.Context, who Actor, id TallyYearID, base int64, drafts ...TallyDraft) (TallyYear, error) {
	return e.onTallyYear(ctx, who, id, base, "enter_hours", "", func(y *TallyYear) (authority, map[string]any, error) {
		t, err := e.TheTally(ctx, y.Tally)
		if err != nil {
			return authority{}, nil, err
		}
		as, err := t.mayEnter(who, y)
		switch {
		case err != nil:
			return as, nil, err
		case !t.On:
			return as, nil, blocked("tally.off", "tally", t.Name)
		case len(drafts) == 0:
			return as, nil, invalid("records", "field.empty")
		}
		ids, err := e.enter(&t, y, who, as, drafts)
		return as, map[string]any{"records": ids}, err
	})
}

// enter adds records to the year, and returns their ids.
func (e *Engine) enter(t *Tally, y *TallyYear, who Actor, as authority, drafts []TallyDraft) ([]string, error) {
	var ids []string
	for _, d := range drafts {
		r, err := y.record(t, d, e.today())
		if err != nil {
			return nil, err
		}
		r.By, r.For, r.At = who.ID, as.by, e.now()
		y.Serial++
		id := fmt.Sprintf("r%d", y.Serial)
		y.Records[id] = r
		ids = append(ids, id)
	}
	return ids, nil
}

// ConfirmHours says that records of a member are true: neither by the member nor by who entered them.
func (e *Engine) ConfirmHours(ctx context.Context, who Actor, id TallyYearID, base int64, records ...string) (TallyYear, error) {
	return e.decideHours(ctx, who, id, base, tallyConfirm, records, "")
}

// DeclineHours says that a record is wrong, with the reason.
func (e *Engine) DeclineHours(ctx context.Context, who Actor, id TallyYearID, base int64, record, note string) (TallyYear, error) {
	return e.decideHours(ctx, who, id, base, tallyDecline, []string{record}, note)
}

// WithdrawHours takes a record back with the reason, even one that was confirmed: the member, who entered it, or who
// may confirm.
func (e *Engine) WithdrawHours(ctx context.Context, who Actor, id TallyYearID, base int64, record, note string) (TallyYear, error) {
	return e.decideHours(ctx, who, id, base, tallyWithdraw, []string{record}, note)
}

func (e *Engine) decideHours(ctx context.Context, who Actor, id TallyYearID, base int64, action string, records []string, note string) (TallyYear, error) {
	return e.onTallyYear(ctx, who, id, base, action, note, func(y *TallyYear) (authority, map[string]any, error) {
		var as authority
		var err error
		if len(records) == 0 {
			if _, err = y.mayMove(who, &TallyRecord{}, action); err == nil {
				err = invalid("records", "field.empty")
			}
			return as, nil, err
		}
		said := note
		for _, id := range slices.Compact(slices.Sorted(slices.Values(records))) {
			r, ok := y.Records[id]
			if as, err = y.mayMove(who, &r, action); err != nil {
				return as, nil, err
			}
			if !ok {
				return as, nil, invalid("record", "tally.unknown_record", "id", id)
			}
			if action != tallyConfirm {
				if said, err = reason(note); err != nil {
					return as, nil, err
				}
			}
			if err = r.step(action); err != nil {
				return as, nil, err
			}
			r.Reason, r.DecidedBy, r.DecidedAt = said, who.ID, at(e.now())
			y.Records[id] = r
		}
		return as, map[string]any{"records": records}, nil
	})
}

// mayMove finds by what right the actor does something about a record.
func (y *TallyYear) mayMove(who Actor, r *TallyRecord, action string) (authority, error) {
	if action == tallyWithdraw {
		return y.mayWithdraw(who, r)
	}
	as, err := authorityAt(who, y.UnitPath, tallyPolicy[action])
	if err == nil {
		err = y.decides(who, r)
	}
	return as, err
}

// step moves the record over an event of its machine.
func (r *TallyRecord) step(event string) error {
	to, ok := nextState(string(r.State), event, tallyMoves)
	if !ok {
		return blocked("tally.not_now", "state", r.State)
	}
	r.State = TallyState(to)
	return nil
}

// onTallyYear carries out an act on a member's year at the version that the actor saw.
func (e *Engine) onTallyYear(ctx context.Context, who Actor, id TallyYearID, base int64, action, note string, do func(y *TallyYear) (authority, map[string]any, error)) (TallyYear, error) {
	before, err := e.TheTallyYear(ctx, who, id)
	if err != nil {
		return TallyYear{}, err
	}
	a := tallyAct{e: e, who: who, note: strings.TrimSpace(note)}
	if a.end, err = e.tail(ctx, before.Subject()); err != nil {
		return before, err
	}
	next := before.clone()
	as, data, err := do(&next)
	switch {
	case KindOf(err) == Denied: // before anything that only who may act needs to know
		e.refused(ctx, who, action, before.Subject(), before.UnitID, err)
	case base != before.Version:
		err = &Error{Kind: Stale, Key: "tally.stale", Args: map[string]any{"base": base, "version": before.Version}}
	case err == nil && before.Struck != "":
		err = blocked("tally.struck")
	}
	if err != nil {
		return before, err
	}
	if err := a.step(as, action, &before, &next, data); err != nil {
		return before, err
	}
	return next, a.commit(ctx)
}
