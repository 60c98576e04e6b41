package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"bihuan/engine/audit"
)

// Identity is how somebody is known elsewhere, such as at an organisation's identity system (统一身份认证). The issuer and
// its subject together are one person; nothing else is, least of all a mail address.
type Identity struct {
	Issuer   string    `json:"-" gorm:"primaryKey"`
	Subject  string    `json:"-" gorm:"primaryKey"`
	UserID   UserID    `json:"-"`
	Way      string    `json:"-"` // the way in: oidc or cas
	LinkedAt time.Time `json:"-"`
}

// IdentityChange links an identity with an account or parts them. It comes with the user, whose version it changes, so
// that every session ends.
type IdentityChange struct {
	Identity
	Unlink bool
}

// Federation is the actor of what an identity system says of people: that somebody is new, and which roles they hold.
func Federation() Actor { return Actor{ID: "federation", Via: ViaConsole, system: true} }

// Standing is a role at a unit, named by its code, as an identity system gives it.
type Standing struct {
	Role Role
	Unit string
}

// Everywhere stands for the unit of a role that an identity system governs wherever somebody holds it.
const Everywhere = "*"

// maxIdentity bounds the parts of an identity, in bytes.
const maxIdentity = 500

func (id *Identity) check() error {
	if id.Issuer == "" || id.Subject == "" || len(id.Issuer) > maxIdentity || len(id.Subject) > maxIdentity {
		return invalid("subject", "identity.malformed")
	}
	return nil
}

// Link lets somebody sign in by an identity besides: oneself, and whoever may reset the user's password. An identity
// that is linked with another account is a conflict. What the identity says of names or mail never links it.
func (e *Engine) Link(ctx context.Context, who Actor, user string, id Identity) (User, error) {
	u, err := e.linkable(ctx, who, user, "link_identity")
	if err != nil {
		return User{}, err
	}
	if err := id.check(); err != nil {
		return User{}, err
	}
	id.UserID, id.LinkedAt = u.ID, e.now()
	return e.changeIdentity(ctx, who, u, "link_identity", IdentityChange{Identity: id})
}

// Unlink takes a way in away again; see Link. One that is not the user's is absent.
func (e *Engine) Unlink(ctx context.Context, who Actor, user string, id Identity) (User, error) {
	u, err := e.linkable(ctx, who, user, "unlink_identity")
	if err != nil {
		return User{}, err
	}
	list, err := e.Store.Identities(ctx, u.ID)
	if err != nil {
		return User{}, err
	}
	if !slices.ContainsFunc(list, func(x Identity) bool { return x.Issuer == id.Issuer && x.Subject == id.Subject }) {
		return User{}, notFound("identity.unknown")
	}
	return e.changeIdentity(ctx, who, u, "unlink_identity", IdentityChange{Identity: id, Unlink: true})
}

func (e *Engine) linkable(ctx context.Context, who Actor, user, action string) (User, error) {
	u, err := e.User(ctx, user)
	if !who.system && (err != nil || who.ID != u.ID) {
		u, err = e.managed(ctx, who, user, action)
	}
	if err == nil && u.Disabled {
		err = blocked("user.disabled")
	}
	return u, err
}

func (e *Engine) changeIdentity(ctx context.Context, who Actor, u User, action string, c IdentityChange) (User, error) {
	next := u
	next.Version++
	err := e.record(ctx, who, SubjectUser+"/"+string(u.ID), action, u, func(r *Record) (any, map[string]any) {
		r.User, r.Identity = &next, &c
		// The subject is personal data, often a staff number: it stays out of what is kept for ever.
		return next, map[string]any{"way": c.Way, "issuer": c.Issuer}
	})
	return next, conflict(duplicate(err, "subject", "identity.taken"))
}

// Provision makes an account for somebody whom an identity system vouches for, linked with that identity, in one
// transaction. A login that is taken is a conflict: whoever has it may be somebody else.
func (e *Engine) Provision(ctx context.Context, login, name string, id Identity) (User, error) {
	if err := id.check(); err != nil {
		return User{}, err
	}
	if !codeForm.MatchString(login) {
		return User{}, invalid("login", "user.bad_login", "login", login)
	}
	name, err := text("name", name, 60)
	if err == nil && name == "" {
		err = invalid("name", "field.empty")
	}
	if err != nil {
		return User{}, err
	}
	salt, now := audit.NewSalt(), e.now()
	u := User{ID: UserID(e.NewID()), Login: login, Name: name, Personal: Personal(salt, login, name).String(), CreatedAt: now, Version: 1}
	id.UserID, id.LinkedAt = u.ID, now
	err = e.record(ctx, Federation(), SubjectUser+"/"+string(u.ID), "add_user", nil, func(r *Record) (any, map[string]any) {
		r.User, r.Salt, r.Identity = &u, salt, &IdentityChange{Identity: id}
		return u, map[string]any{"way": id.Way, "issuer": id.Issuer}
	})
	return u, duplicate(err, "login", "user.login_taken", "login", login)
}

// Adopt gives a user the roles that an identity system says they hold, and takes away those that it governs and does
// not say. Roles that it does not govern, given here by the security administrator, stay. None of the separated
// offices (三员) can be had this way. Each change is an entry like any grant.
func (e *Engine) Adopt(ctx context.Context, u User, says, governs []Standing) (User, error) {
	for _, s := range says {
		if slices.Contains(exclusive, s.Role) {
			return User{}, errors.New("engine: an identity system gives none of the separated offices")
		}
	}
	said := map[Standing]bool{} // by ids of units
	for _, s := range says {
		at, err := e.Store.Unit(ctx, s.Unit)
		if err == nil {
			said[Standing{s.Role, string(at.ID)}] = true
		} else if !errors.Is(err, ErrNotFound) {
			return User{}, err
		}
	}
	for _, s := range governs {
		if s.Unit == Everywhere {
			for _, g := range u.Grants {
				if g.Role != s.Role || said[Standing{g.Role, string(g.UnitID)}] {
					continue
				}
				var err error
				if u, err = e.Revoke(ctx, Federation(), string(u.ID), string(g.UnitID), g.Role); err != nil {
					return User{}, err
				}
			}
			continue
		}
		at, err := e.Store.Unit(ctx, s.Unit)
		if errors.Is(err, ErrNotFound) {
			continue // a unit that is not here yet, or no more
		}
		if err != nil {
			return User{}, err
		}
		holds := slices.ContainsFunc(u.Grants, func(g Grant) bool { return g.Role == s.Role && g.UnitID == at.ID })
		wants := said[Standing{s.Role, string(at.ID)}]
		switch {
		case wants && !holds && at.ClosedAt == nil: // at a unit that was closed there are no roles
			u, err = e.Grant(ctx, Federation(), string(u.ID), string(at.ID), s.Role)
		case holds && !wants:
			u, err = e.Revoke(ctx, Federation(), string(u.ID), string(at.ID), s.Role)
		}
		if err != nil {
			return User{}, err
		}
	}
	return u, nil
}
