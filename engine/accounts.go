package engine

import (
	"context"
	"errors"
	"regexp"
	"slices"

	"bihuan/engine/audit"
	"bihuan/engine/message"
)

var codeForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$`)

// duplicate says which field was taken when the store finds that something was.
func duplicate(err error, field, key string, args ...any) error {
	if errors.Is(err, ErrDuplicate) {
		return &Error{Kind: Conflict, Field: field, Key: key, Args: message.Args(args...), Err: err}
	}
	return err
}

// User finds a user by id or login.
func (e *Engine) User(ctx context.Context, idOrLogin string) (User, error) {
	u, err := e.Store.User(ctx, idOrLogin)
	if errors.Is(err, ErrNotFound) {
		return u, notFound("user.unknown", "id", idOrLogin)
	}
	return u, err
}

// AddUser adds an account. Login and name go into the trail as a commitment only.
func (e *Engine) AddUser(ctx context.Context, who Actor, login, name string) (User, error) {
	if err := e.requires(ctx, who, Admin, "add_user"); err != nil {
		return User{}, err
	}
	if !codeForm.MatchString(login) {
		return User{}, invalid("login", "user.bad_login", "login", login)
	}
	name, err := text("name", name, 60)
	if err != nil {
		return User{}, err
	}
	if name == "" {
		return User{}, invalid("name", "field.empty")
	}
	salt := audit.NewSalt()
	u := User{ID: UserID(e.NewID()), Login: login, Name: name, Personal: Personal(salt, login, name).String(), CreatedAt: e.now(), Version: 1}
	err = e.record(ctx, who, SubjectUser+"/"+string(u.ID), "add_user", nil, func(r *Record) (any, map[string]any) {
		r.User, r.Salt = &u, salt
		return u, nil
	})
	return u, duplicate(err, "login", "user.login_taken", "login", login)
}

// Personal is the commitment to a user's personal data. The line break keeps ("ab", "c") apart from ("a", "bc");
// neither may contain one.
func Personal(salt []byte, login, name string) audit.Digest {
	return audit.Commit(salt, PersonalText(login, name))
}

// PersonalText is what Personal commits to, for those who open the commitment.
func PersonalText(login, name string) string { return login + "\n" + name }

// exclusive are the roles of the separated administrators (三员): nobody holds two of them.
var exclusive = []Role{Admin, Security, Inspector}

// Grant gives a user a role at a unit. Nobody grants to themselves.
func (e *Engine) Grant(ctx context.Context, who Actor, user, unit string, role Role) (User, error) {
	return e.changeGrants(ctx, who, user, unit, role, "grant", given)
}

// given returns what somebody holds who is given one more role.
func given(u User, at Unit, role Role) ([]Grant, error) {
	for _, h := range u.Grants {
		if h.Role == role && h.UnitID == at.ID {
			return nil, &Error{Kind: Conflict, Key: "grant.held", Args: map[string]any{"role": role}}
		}
		if h.Role != role && slices.Contains(exclusive, h.Role) && slices.Contains(exclusive, role) {
			return nil, blocked("grant.exclusive", "role", role, "other", h.Role)
		}
	}
	if u.Disabled {
		return nil, blocked("user.disabled")
	}
	if err := open(at); err != nil {
		return nil, err
	}
	return append(slices.Clone(u.Grants), Grant{Role: role, UnitID: at.ID, Path: at.Path}), nil
}

// Revoke takes a role at a unit away.
func (e *Engine) Revoke(ctx context.Context, who Actor, user, unit string, role Role) (User, error) {
	return e.changeGrants(ctx, who, user, unit, role, "revoke", func(u User, at Unit, role Role) ([]Grant, error) {
		i := slices.IndexFunc(u.Grants, func(h Grant) bool { return h.Role == role && h.UnitID == at.ID })
		if i < 0 {
			return nil, notFound("grant.none", "role", role)
		}
		return slices.Delete(slices.Clone(u.Grants), i, i+1), nil
	})
}

// MayGrant tells why a person may not give somebody a role at a unit now, nil if they may. Asking leaves no entry.
func (e *Engine) MayGrant(who Actor, u User, at Unit, role Role) error {
	if err := e.MayRevoke(who, u, at); err != nil {
		return err
	}
	_, err := given(u, at, role)
	return err
}

// MayRevoke tells why a person may not take a role at a unit from somebody, nil if they may. Asking leaves no entry.
func (e *Engine) MayRevoke(who Actor, u User, at Unit) error {
	if err := only(who, Security); err != nil {
		return err
	}
	return grantsAt(who, u, at)
}

// grantsAt refuses whoever gives themselves a role, and whoever is no security administrator above the unit.
func grantsAt(who Actor, u User, at Unit) error {
	if u.ID == who.ID {
		return denied("grant.self")
	}
	if _, ok := who.Has(Security, at.Path); !ok && !who.system {
		return denied("grant.above_scope", "unit", at.Name)
	}
	return nil
}

func (e *Engine) changeGrants(ctx context.Context, who Actor, user, unit string, role Role, action string, change func(User, Unit, Role) ([]Grant, error)) (User, error) {
	if err := e.requires(ctx, who, Security, action); err != nil {
		return User{}, err
	}
	if !role.Granted() {
		return User{}, invalid("role", "role.unknown", "role", string(role))
	}
	u, err := e.User(ctx, user)
	if err != nil {
		return User{}, err
	}
	at, err := e.Unit(ctx, unit)
	if err != nil {
		return User{}, err
	}
	if err := grantsAt(who, u, at); err != nil {
		subject := SubjectUnit + "/" + string(at.ID)
		if u.ID == who.ID {
			subject = SubjectUser + "/" + string(u.ID)
		}
		return User{}, e.deny(ctx, who, action, subject, err)
	}
	next := u
	if next.Grants, err = change(u, at, role); err != nil {
		return User{}, err
	}
	next.Version++
	err = e.record(ctx, who, SubjectUser+"/"+string(u.ID), action, u, func(r *Record) (any, map[string]any) {
		r.User, r.Entry.Unit = &next, string(at.ID)
		r.Guard.Unit, r.Guard.Path, r.Guard.Open = at.ID, at.Path, action == "grant"
		return next, map[string]any{"role": role, "unit": at.ID}
	})
	return next, conflict(err)
}

// Disable closes an account at once; its tokens and sessions stop working. Its open work stays where it is: Leave
// hands that over in the same act.
func (e *Engine) Disable(ctx context.Context, who Actor, user string) (User, error) {
	u, err := e.managed(ctx, who, user, "disable")
	if err != nil {
		return User{}, err
	}
	next := u
	next.Disabled = true
	next.Version++
	err = e.record(ctx, who, SubjectUser+"/"+string(u.ID), "disable", u, func(r *Record) (any, map[string]any) {
		r.User = &next
		return next, nil
	})
	return next, conflict(err)
}

// Enable opens a closed account again, with the roles that it had.
func (e *Engine) Enable(ctx context.Context, who Actor, user string) (User, error) {
	u, err := e.managed(ctx, who, user, "enable")
	if err != nil {
		return User{}, err
	}
	if u.Erased() {
		return User{}, blocked("erase.done")
	}
	if !u.Disabled {
		return u, nil
	}
	next := u
	next.Disabled = false
	next.Version++
	err = e.record(ctx, who, SubjectUser+"/"+string(u.ID), "enable", u, func(r *Record) (any, map[string]any) {
		r.User = &next
		return next, nil
	})
	return next, conflict(err)
}

// managed returns a user whose account the administrator may close, reset or hand over: nobody's who holds a role, their
// own or lent, beyond the administrator's units or one of the separated offices (三员), so that nobody gets rid of who
// watches them or comes to sit in a higher chair; and not one's own.
func (e *Engine) managed(ctx context.Context, who Actor, user, what string) (User, error) {
	if err := e.requires(ctx, who, Admin, what); err != nil {
		return User{}, err
	}
	u, err := e.User(ctx, user)
	if err != nil {
		return User{}, err
	}
	return u, e.Manages(ctx, who, u, what)
}

// Manages refuses whoever may not do what to somebody's account; see managed. The refusal is recorded.
func (e *Engine) Manages(ctx context.Context, who Actor, u User, what string) error {
	err := e.manages(ctx, who, u)
	if KindOf(err) == Denied {
		return e.deny(ctx, who, what, SubjectUser+"/"+string(u.ID), err)
	}
	return err
}

// MayManage tells why a person may not close, reset or hand over somebody's account, nil if they may. Asking leaves no
// entry.
func (e *Engine) MayManage(ctx context.Context, who Actor, u User) error {
	if err := only(who, Admin); err != nil {
		return err
	}
	return e.manages(ctx, who, u)
}

func (e *Engine) manages(ctx context.Context, who Actor, u User) error {
	if who.system {
		return nil
	}
	if u.ID == who.ID {
		return denied("account.self")
	}
	for _, g := range u.Grants {
		if slices.Contains(exclusive, g.Role) {
			return denied("account.separated", "role", g.Role)
		}
		if _, ok := who.Has(Admin, g.Path); !ok {
			return denied("account.above_scope")
		}
	}
	return e.borrows(ctx, who, u)
}

// borrows refuses to manage somebody to whom a role beyond the administrator's units is lent, now or later: whoever sets
// their password would sit in the lender's chair.
func (e *Engine) borrows(ctx context.Context, who Actor, u User) error {
	lent, err := e.Store.Delegations(ctx, u.ID)
	if err != nil {
		return err
	}
	for _, d := range lent {
		if d.To != u.ID || d.RevokedAt != nil || !e.now().Before(d.EndsAt) {
			continue
		}
		at, err := e.Store.Unit(ctx, string(d.UnitID))
		if err != nil {
			return err
		}
		if _, ok := who.Has(Admin, at.Path); !ok {
			return denied("account.above_scope")
		}
	}
	return nil
}

func conflict(err error) error {
	if errors.Is(err, ErrConflict) && KindOf(err) == 0 {
		return &Error{Kind: Conflict, Key: "record.conflict", Err: err}
	}
	return err
}

// only lets the operator through, and whoever holds the role at some unit.
func only(who Actor, role Role) error {
	if who.system || slices.ContainsFunc(who.Grants, func(g Grant) bool { return g.Role == role }) {
		return nil
	}
	return denied("act.role", "roles", roleNameList{role})
}

// requires is only for a change; another's attempt at it is recorded. The role is the one that the policy's row for the
// action says; an action without a row is refused.
func (e *Engine) requires(ctx context.Context, who Actor, role Role, what string) error {
	err := only(who, role)
	if officePolicy[what] != role {
		err = denied("act.no_row", "action", what)
	}
	if err != nil {
		return e.deny(ctx, who, what, "", err)
	}
	return nil
}

// HoldsTop tells whether the actor holds a role at a root of the tree.
func (a Actor) HoldsTop(role Role) bool {
	return slices.ContainsFunc(a.Grants, func(g Grant) bool { return g.Role == role && Top.Covers(g.Path, g.Path) })
}

// requiresTop is requires for what holds for everybody: the office must be held at a root of the tree.
func (e *Engine) requiresTop(ctx context.Context, who Actor, role Role, what string) error {
	if err := e.requires(ctx, who, role, what); err != nil || who.system {
		return err
	}
	if who.HoldsTop(role) {
		return nil
	}
	return e.deny(ctx, who, what, "", denied("sheet.top", "roles", roleNameList{role}))
}

// deny records the refusal and returns it.
func (e *Engine) deny(ctx context.Context, who Actor, what, subject string, why error) error {
	e.refused(ctx, who, what, subject, who.home(), why)
	return why
}
