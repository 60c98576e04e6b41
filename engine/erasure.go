package engine

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"strings"
	"time"

	"bihuan/engine/audit"
)

// Erasure is what has become of a wish to erase somebody's personal data: asked for in one of two offices, and done by
// somebody else in the other. It stands on what is erased (a user, an objection of the public) and in the trail, and
// names nobody but by id.
type Erasure struct {
	AskedBy UserID     `json:"asked_by"`
	Office  Role       `json:"office,omitempty"` // in which it was asked for; "" at the command line
	AskedAt time.Time  `json:"asked_at"`
	Why     string     `json:"why"`
	DoneBy  UserID     `json:"done_by,omitempty"`
	DoneAt  *time.Time `json:"done_at,omitempty"`
}

// The steps of an erasure, and the actions of the entries that tell of them.
const (
	eraseAsk = "ask_erasure"
	eraseEnd = "end_erasure"
	eraseDo  = audit.ActionErase
)

// Done reports whether the erasure has been carried out; nil was never asked for.
func (x *Erasure) Done() bool { return x != nil && x.DoneAt != nil }

// step returns what becomes of an erasure by what somebody does in an office. what is one of the steps, which mayErase
// has allowed; secrets are what the reason, which stays, must not hold.
func (x *Erasure) step(what string, who UserID, office Role, why string, now time.Time, secrets []string) (*Erasure, error) {
	switch what {
	case eraseAsk:
		why, err := reason(why)
		if err != nil {
			return nil, err
		}
		for _, s := range secrets {
			if s != "" && strings.Contains(strings.ToLower(why), strings.ToLower(s)) {
				return nil, invalid("note", "erase.names_person")
			}
		}
		return &Erasure{AskedBy: who, Office: office, AskedAt: now, Why: why}, nil
	case eraseDo:
		done := *x
		done.DoneBy, done.DoneAt = who, &now
		return &done, nil
	}
	return nil, nil
}

// Erased reports whether the user's personal data are gone. Login and Name are then no person's any more.
func (u *User) Erased() bool { return u.Erasure.Done() }

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
	return e.stepErasure(ctx, who, user, base, eraseAsk, why)
}

// ErasureOf returns the user with what has become of a wish to erase them, for those who may have a say in it.
func (e *Engine) ErasureOf(ctx context.Context, who Actor, user string) (User, error) {
	u, err := e.Person(ctx, who, user)
	if err != nil {
		return User{}, err
	}
	return u, anyOf(who, eraseDo)
}

// EndErasure takes back, or refuses, an erasure that has been asked for.
func (e *Engine) EndErasure(ctx context.Context, who Actor, user string, base int64) (User, error) {
	return e.stepErasure(ctx, who, user, base, eraseEnd, "")
}

// Erase erases a closed account's personal data, as somebody else in the other office has asked for: login, name,
// address, password, sessions, saved views, and the salt without which nobody can tell any more what the trail was
// promised. The trail stays valid, and tells who asked and who did it.
func (e *Engine) Erase(ctx context.Context, who Actor, user string, base int64) (User, error) {
	u, err := e.stepErasure(ctx, who, user, base, eraseDo, "")
	if err == nil {
		e.scrub(ctx)
	}
	return u, err
}

// scrub does away with what of erased rows is left in free pages. A failure does not undo the erasure.
func (e *Engine) scrub(ctx context.Context) {
	if err := e.Store.Scrub(context.WithoutCancel(ctx)); err != nil {
		e.Log.WarnContext(ctx, "freed pages not scrubbed", slog.Any("error", err))
	}
}

// stepErasure does a step of the erasure of a user.
func (e *Engine) stepErasure(ctx context.Context, who Actor, user string, base int64, what, why string) (User, error) {
	u, office, err := e.erasableUser(ctx, who, user, base, what)
	if err != nil {
		return User{}, err
	}
	next := u
	if next.Erasure, err = u.Erasure.step(what, who.ID, office, why, e.now(), []string{u.Login, u.Name}); err != nil {
		return User{}, err
	}
	var forget *Forget
	if what == eraseDo {
		next.Login, next.Name, forget = erasedLogin(u.ID), "", &Forget{User: u.ID, Account: AccountDigest(u.Login)}
	}
	return e.changeErasure(ctx, who, what, u, next, forget)
}

func (e *Engine) changeErasure(ctx context.Context, who Actor, action string, u, next User, forget *Forget) (User, error) {
	next.Version++
	err := e.record(ctx, who, SubjectUser+"/"+string(u.ID), action, u, func(r *Record) (any, map[string]any) {
		r.User, r.Forget, r.Entry.Unit = &next, forget, string(who.home())
		return next, nil
	})
	return next, conflict(err)
}

// erasableUser returns the user, and the office in which who may do what about erasing them now. Refusals for lack of
// rights are recorded.
func (e *Engine) erasableUser(ctx context.Context, who Actor, user string, base int64, what string) (User, Role, error) {
	u, err := e.Person(ctx, who, user)
	if err != nil {
		return u, "", err
	}
	if err := anyOf(who, what); err != nil {
		return u, "", e.deny(ctx, who, what, "", err)
	}
	if base != 0 && base != u.Version {
		return u, "", &Error{Kind: Stale, Key: "erase.stale"}
	}
	office, err := mayErase(who, u.erasable(), what)
	if KindOf(err) == Denied && !who.system {
		err = e.deny(ctx, who, what, SubjectUser+"/"+string(u.ID), err)
	}
	return u, office, err
}

// MayErase tells why a person may not do what (ask_erasure, erase, end_erasure) about an account now, nil if they may.
// Asking leaves no entry.
func (e *Engine) MayErase(who Actor, u User, what string) error {
	_, err := mayErase(who, u.erasable(), what)
	return err
}

// erasable is what the rules of erasing ask about that which shall be erased.
type erasable struct {
	erasure *Erasure
	paths   []string // of units: an office has a say only where it reaches over all of them
	about   UserID   // whose data they are; "" where that is nobody with an account
	inUse   string   // key of why it cannot be erased yet, "" if it can
}

func (u *User) erasable() erasable {
	x := erasable{erasure: u.Erasure, about: u.ID}
	for _, g := range u.Grants {
		x.paths = append(x.paths, g.Path)
	}
	if !u.Disabled {
		x.inUse = "erase.open_account"
	}
	return x
}

// mayErase returns the office in which who may do what about an erasure now, or why not.
func mayErase(who Actor, x erasable, what string) (Role, error) {
	office, err := erasureOffice(who, x, what)
	switch {
	case err != nil:
		return "", err
	case x.erasure.Done():
		return "", blocked("erase.done")
	case what == eraseAsk && x.erasure != nil:
		return "", &Error{Kind: Conflict, Key: "erase.asked"}
	case what != eraseAsk && x.erasure == nil:
		return "", blocked("erase.not_asked")
	case what == eraseEnd:
		return office, nil
	case what == eraseDo && who.system: // who has no office, and no second pair of eyes
		return "", denied("erase.operator")
	case what == eraseDo && who.same(x.erasure.AskedBy):
		return "", denied("erase.own_request")
	case what == eraseDo && office == x.erasure.Office:
		return "", denied("erase.other_office", "role", office)
	case x.inUse != "":
		return "", blocked(x.inUse)
	}
	return office, nil
}

// erasureOffice returns the office in which who may have a say: one that reaches over every unit that it is about.
// Nobody has a say in their own.
func erasureOffice(who Actor, x erasable, what string) (Role, error) {
	if who.system {
		return "", nil
	}
	if err := anyOf(who, what); err != nil {
		return "", err
	}
	if who.same(x.about) {
		return "", denied("erase.self")
	}
	for _, office := range sharedPolicy[what] {
		reaches := only(who, office) == nil
		for _, path := range x.paths {
			_, ok := who.Has(office, path)
			reaches = reaches && ok
		}
		if reaches {
			return office, nil
		}
	}
	return "", denied("account.above_scope")
}

// anyOf is only for what several offices may do.
func anyOf(who Actor, what string) error {
	roles := sharedPolicy[what]
	for _, r := range roles {
		if only(who, r) == nil {
			return nil
		}
	}
	if len(roles) == 0 {
		return denied("act.no_row", "action", what)
	}
	return denied("act.role", "roles", roleNameList(roles))
}
