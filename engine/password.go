package engine

import (
	"context"
	"errors"
	"strings"
	"time"

	"bihuan/engine/audit"
)

// Anonymous stands in entries for somebody who has not proved who they are.
const Anonymous UserID = "anonymous"

// Password is what is kept of a user's password.
type Password struct {
	UserID     UserID    `json:"-" gorm:"primaryKey"`
	PHC        string    `json:"-"` // argon2id, as a PHC string; never in an entry, an answer or a log
	ChangedAt  time.Time `json:"-"`
	MustChange bool      `json:"-"` // somebody else knows it: good for nothing but setting another
}

// Session is a signed-in browser. It holds only as long as its user stays at UserVersion: a change of roles, a new
// password and the end of the account are all new versions, so they end it without anybody looking for it.
type Session struct {
	UserID      UserID     `json:"user_id"`
	Hash        []byte     `json:"-" gorm:"primaryKey"` // SHA-256 of the secret in the browser's cookie
	Device      []byte     `json:"-"`                   // SHA-256 of what the browser shows later to be known again
	UserVersion int64      `json:"-"`
	CreatedAt   time.Time  `json:"created_at" gorm:"autoCreateTime:false"`
	SeenAt      time.Time  `json:"seen_at"`
	ExpiresAt   time.Time  `json:"expires_at"` // however busy it is
	EndedAt     *time.Time `json:"ended_at,omitempty"`
	Via         string     `json:"via"`
	Method      string     `json:"method"`    // how its user was identified: password, or the id of another way in
	Pending     bool       `json:"-"`         // the one-time code is still missing; good for nothing but giving it
	ProvedAt    time.Time  `json:"proved_at"` // when its user last proved who they are
	Agent       string     `json:"agent"`     // the browser, in its own words
	Address     string     `json:"address"`   // from where it began
	Ticket      []byte     `json:"-"`         // SHA-256 of the ticket by which an identity system may end it; empty for none
}

// Attempt is one try to sign in, which counts from before it is evaluated until it succeeds or grows old.
type Attempt struct {
	ID      string `gorm:"primaryKey"`
	Account []byte // SHA-256 that stands for the login as typed, whether or not there is such an account
	Device  []byte // of a session that the account's owner had, empty for strangers
	Address string // "" if unknown
	At      time.Time
}

// AttemptLimits say how many attempts count within Window before the next is refused.
type AttemptLimits struct {
	Window  time.Duration
	Account int // by strangers against one account, and by each known device
	Address int // from which number on an address is busy
	Busy    int // by strangers from a busy address against one account; more than 0, so that nobody is locked out
}

// Setup is the one-time token that makes the first administrator.
type Setup struct {
	Hash      []byte // SHA-256 of the token
	CreatedAt time.Time
	ExpiresAt time.Time
}

// phcPrefix is how every stored password begins: the engine cannot judge a hash, but it can keep plain text out.
const phcPrefix = "$argon2id$"

// SetPassword gives a user, named by id or login, another password; phc is its argon2id hash. Users set their own,
// the operator anybody's. An administrator resets the password of whoever holds roles only within the administrator's
// units and none of the separated offices (三员), so that nobody comes to sit in a higher chair or in the security
// administrator's that way; it must then be changed before it is good for anything else. Every session of the user
// ends.
func (e *Engine) SetPassword(ctx context.Context, who Actor, user, phc string, mustChange bool) (User, error) {
	u, err := e.User(ctx, user)
	if !who.system && (err != nil || who.ID != u.ID) {
		if err := e.mayReset(ctx, who, u); err != nil {
			return User{}, err
		}
		mustChange = true
	}
	if err != nil {
		return User{}, err
	}
	if u.Disabled {
		return User{}, blocked("user.disabled")
	}
	if !strings.HasPrefix(phc, phcPrefix) {
		return User{}, errors.New("engine: a password is stored as an argon2id hash only")
	}
	next := u
	next.Version++
	err = e.record(ctx, who, SubjectUser+"/"+string(u.ID), "set_password", u, func(r *Record) (any, map[string]any) {
		r.User = &next
		r.Password = &Password{UserID: u.ID, PHC: phc, ChangedAt: e.now(), MustChange: mustChange}
		return next, map[string]any{"must_change": mustChange}
	})
	return next, conflict(err)
}

// mayReset refuses whoever may not set the password of somebody else.
func (e *Engine) mayReset(ctx context.Context, who Actor, u User) error {
	if err := e.requires(ctx, who, Admin, "set_password"); err != nil {
		return err
	}
	return e.Manages(ctx, who, u, "set_password")
}

// NoteAbout records something that was done to a person, or in a person's name, on that person's chain: a failed
// sign-in of somebody unknown, the end of their sessions.
func (e *Engine) NoteAbout(ctx context.Context, who Actor, user UserID, action string, data map[string]any) error {
	return e.record(ctx, who, SubjectActor+"/"+string(user), action, nil, func(*Record) (any, map[string]any) {
		return nil, data
	})
}

// FirstSteps is what an empty installation is set up with.
type FirstSteps struct {
	Token              []byte // SHA-256 of the set-up token
	Login, Name        string // of the first administrator
	PHC                string
	UnitCode, UnitName string // of the root unit
	Via                string
}

// SetUp makes the root unit and the first administrator (系统管理员) in an installation without users, and uses the
// token up in the same transaction as the account. The other separated offices are not filled here: whoever held
// the token would hold them all. The operator names the security administrator (安全管理员) on the command line.
func (e *Engine) SetUp(ctx context.Context, s FirstSteps) (User, Unit, error) {
	if !codeForm.MatchString(s.Login) {
		return User{}, Unit{}, invalid("login", "user.bad_login", "login", s.Login)
	}
	name, err := text("name", s.Name, 60)
	if err == nil && name == "" {
		err = invalid("name", "field.empty")
	}
	if err == nil && !strings.HasPrefix(s.PHC, phcPrefix) {
		err = errors.New("engine: a password is stored as an argon2id hash only")
	}
	if err != nil {
		return User{}, Unit{}, err
	}
	// Whoever has the token has read it on the server.
	who := Actor{ID: Operator().ID, Via: s.Via, system: true}
	root, err := e.root(ctx, who, s.UnitCode, s.UnitName)
	if err != nil {
		return User{}, Unit{}, err
	}
	salt, now := audit.NewSalt(), e.now()
	u := User{ID: UserID(e.NewID()), Login: s.Login, Name: name, Personal: Personal(salt, s.Login, name).String(), CreatedAt: now, Version: 1,
		Grants: []Grant{{Role: Admin, UnitID: root.ID, Path: root.Path}}}
	err = e.record(ctx, who, SubjectUser+"/"+string(u.ID), "set_up", nil, func(r *Record) (any, map[string]any) {
		r.User, r.Salt, r.Setup, r.Entry.Unit = &u, salt, s.Token, string(root.ID)
		r.Password = &Password{UserID: u.ID, PHC: s.PHC, ChangedAt: now}
		return u, nil
	})
	if errors.Is(err, ErrConflict) {
		return User{}, Unit{}, denied("setup.invalid")
	}
	return u, root, err
}

// root returns the root unit with the code, which an earlier try may have made.
func (e *Engine) root(ctx context.Context, who Actor, code, name string) (Unit, error) {
	u, err := e.Store.Unit(ctx, code)
	switch {
	case errors.Is(err, ErrNotFound):
		return e.AddUnit(ctx, who, "", code, name)
	case err == nil && (u.Code != code || u.ParentID != ""):
		return Unit{}, &Error{Kind: Conflict, Field: "code", Key: "unit.code_taken", Args: map[string]any{"code": code}}
	}
	return u, err
}
