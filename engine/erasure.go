package engine

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"strings"
	"time"
)

// Erasure is what has become of a wish to erase somebody's personal data: asked for in one of two offices, and done by
// somebody else in the other. It stands on the user and in the trail, and names nobody but by id.
type Erasure struct {
	AskedBy UserID     `json:"asked_by"`
	Office  Role       `json:"office,omitempty"` // in which it was asked for; "" at the command line
	AskedAt time.Time  `json:"asked_at"`
	Why     string     `json:"why"`
	DoneBy  UserID     `json:"done_by,omitempty"`
	DoneAt  *time.Time `json:"done_at,omitempty"`
}

// Erased reports whether the user's personal data are gone. Login and Name are then no person's any more.
func (u *User) Erased() bool { return u.Erasure != nil && u.Erasure.DoneAt != nil }

// erasedLogin stands where the login of somebody erased stood. Nobody can have chosen it: logins begin with a letter
// or digit.
func erasedLogin(id UserID) string { return "~" + string(id) }

// Forgotten reports whether the row of a user holds nothing personal any more.
func (u *User) Forgotten() bool { return u.Name == "" && u.Login == erasedLogin(u.ID) }

// AccountDigest stands for a login, as typed, wherever attempts to sign in are counted.
func AccountDigest(login string) []byte {
	d := sha256.Sum256([]byte("account\n" + login))
	return d[:]
}

// AskErasure asks for a closed account's personal data to be erased; an administrator or a security administrator asks
// and somebody in the other office answers. The reason must not name the person, because it stays. base is the version of
// the user that the caller saw, 0 for any; so an approval never answers another request than the one that was read.
func (e *Engine) AskErasure(ctx context.Context, who Actor, user string, base int64, why string) (User, error) {
	u, office, err := e.erasable(ctx, who, user, base, "ask_erasure")
	if err != nil {
		return User{}, err
	}
	if why, err = reason(why); err != nil {
		return User{}, err
	}
	if strings.Contains(strings.ToLower(why), strings.ToLower(u.Login)) || strings.Contains(why, u.Name) {
		return User{}, invalid("note", "erase.names_person")
	}
	next := u
	next.Erasure = &Erasure{AskedBy: who.ID, Office: office, AskedAt: e.now(), Why: why}
	return e.changeErasure(ctx, who, "ask_erasure", u, next, nil)
}

// ErasureOf returns the user with what has become of a wish to erase them, for those who may have a say in it.
func (e *Engine) ErasureOf(ctx context.Context, who Actor, user string) (User, error) {
	u, err := e.Person(ctx, who, user)
	if err != nil {
		return User{}, err
	}
	return u, e.anyOf(who, "erase")
}

// EndErasure takes back, or refuses, an erasure that has been asked for.
func (e *Engine) EndErasure(ctx context.Context, who Actor, user string, base int64) (User, error) {
	u, _, err := e.erasable(ctx, who, user, base, "end_erasure")
	if err != nil {
		return User{}, err
	}
	next := u
	next.Erasure = nil
	return e.changeErasure(ctx, who, "end_erasure", u, next, nil)
}

// Erase erases a closed account's personal data, as somebody else in the other office has asked for: login, name,
// address, password, sessions, saved views, and the salt without which nobody can tell any more what the trail was
// promised. The trail stays valid, and tells who asked and who did it.
func (e *Engine) Erase(ctx context.Context, who Actor, user string, base int64) (User, error) {
	u, _, err := e.erasable(ctx, who, user, base, "erase")
	if err != nil {
		return User{}, err
	}
	at := e.now()
	done := *u.Erasure
	done.DoneBy, done.DoneAt = who.ID, &at
	next := u
	next.Login, next.Name, next.Erasure = erasedLogin(u.ID), "", &done
	next, err = e.changeErasure(ctx, who, "erase", u, next, &Forget{User: u.ID, Account: AccountDigest(u.Login)})
	if err == nil {
		// The rows are gone. What of them is left in free pages goes away with this; a failure does not undo anything.
		if err := e.Store.Scrub(context.WithoutCancel(ctx)); err != nil {
			e.Log.WarnContext(ctx, "freed pages not scrubbed", slog.Any("error", err))
		}
	}
	return next, err
}

func (e *Engine) changeErasure(ctx context.Context, who Actor, action string, u, next User, forget *Forget) (User, error) {
	next.Version++
	err := e.record(ctx, who, SubjectUser+"/"+string(u.ID), action, u, func(r *Record) (any, map[string]any) {
		r.User, r.Forget, r.Entry.Unit = &next, forget, string(who.home())
		return next, nil
	})
	return next, conflict(err)
}

// erasable returns the user, and the office in which who may do what about erasing them now. Refusals for lack of rights
// are recorded.
func (e *Engine) erasable(ctx context.Context, who Actor, user string, base int64, what string) (User, Role, error) {
	u, err := e.Person(ctx, who, user)
	if err != nil {
		return u, "", err
	}
	if err := e.anyOf(who, what); err != nil {
		return u, "", e.deny(ctx, who, what, "", err)
	}
	if base != 0 && base != u.Version {
		return u, "", &Error{Kind: Stale, Key: "erase.stale"}
	}
	office, err := e.mayErase(who, &u, what)
	if KindOf(err) == Denied && !who.system {
		err = e.deny(ctx, who, what, SubjectUser+"/"+string(u.ID), err)
	}
	return u, office, err
}

// MayErase tells why a person may not do what (ask_erasure, erase, end_erasure) about an account now, nil if they may.
// Asking leaves no entry.
func (e *Engine) MayErase(who Actor, u User, what string) error {
	_, err := e.mayErase(who, &u, what)
	return err
}

func (e *Engine) mayErase(who Actor, u *User, what string) (Role, error) {
	office, err := e.erasureOffice(who, u, what)
	switch {
	case err != nil:
		return "", err
	case u.Erased():
		return "", blocked("erase.done")
	case what == "ask_erasure" && u.Erasure != nil:
		return "", &Error{Kind: Conflict, Key: "erase.asked"}
	case what != "ask_erasure" && u.Erasure == nil:
		return "", blocked("erase.not_asked")
	case what == "end_erasure":
		return office, nil
	case what == "erase" && who.system: // who has no office, and no second pair of eyes
		return "", denied("erase.operator")
	case what == "erase" && who.same(u.Erasure.AskedBy):
		return "", denied("erase.own_request")
	case what == "erase" && office == u.Erasure.Office:
		return "", denied("erase.other_office", "role", office)
	case !u.Disabled:
		return "", blocked("erase.open_account")
	}
	return office, nil
}

// erasureOffice returns the office in which who may have a say in erasing the user: one that reaches over every unit at
// which the user holds a role. Nobody has a say in their own.
func (e *Engine) erasureOffice(who Actor, u *User, what string) (Role, error) {
	if who.system {
		return "", nil
	}
	if err := e.anyOf(who, what); err != nil {
		return "", err
	}
	if who.same(u.ID) {
		return "", denied("erase.self")
	}
	for _, office := range sharedPolicy[what] {
		reaches := e.only(who, office) == nil
		for _, g := range u.Grants {
			_, ok := who.Has(office, g.Path)
			reaches = reaches && ok
		}
		if reaches {
			return office, nil
		}
	}
	return "", denied("account.above_scope")
}

// anyOf is only for what several offices may do.
func (e *Engine) anyOf(who Actor, what string) error {
	roles := sharedPolicy[what]
	for _, r := range roles {
		if e.only(who, r) == nil {
			return nil
		}
	}
	if len(roles) == 0 {
		return denied("act.no_row", "action", what)
	}
	return denied("act.role", "roles", roleNameList(roles))
}
