// Package auth lets people in and out: with a password and a one-time code, by sessions kept on the server.
//
// What must always hold:
//
//   - There is no default account. The first one is made with a one-time token that only the server's console shows.
//   - A password is stored as an argon2id hash and nowhere else; a session's secret as its SHA-256. Neither stands
//     in an entry, a log or an error.
//   - An attempt counts before it is evaluated, in the database, so that replicas together evaluate no more than
//     the limits allow. An account that does not exist answers like one that does, and costs the same hash.
//   - Strangers can make an account's owner wait on a new device, for minutes; never on one that the owner knows,
//     and never everybody behind an address.
//   - Whether a session holds is looked up with every request. What ends it on one replica ends it on all.
//   - A one-time code and a recovery code are used up in the database before they let anybody in: each works once, on
//     one replica. Until then the session is good for nothing else.
//   - Whoever was let in stands in the trail, or is not let in.
package auth

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"bihuan/engine"
)

// How long things last.
const (
	Idle        = 30 * time.Minute    // a session nobody uses
	Longest     = 12 * time.Hour      // a session, however busy
	DeviceKnown = 30 * 24 * time.Hour // a browser after the last sign-in with it
	SetupLife   = 24 * time.Hour      // the set-up token
	touchEvery  = time.Minute
	noteEvery   = time.Minute // entries about the same anonymous source
)

// Limits of attempts to sign in. A busy address, such as the one that a whole campus sits behind, is never refused:
// strangers there get fewer attempts at each account, which is what makes trying one password on many accounts slow.
var limits = engine.AttemptLimits{Window: 15 * time.Minute, Account: 10, Address: 100, Busy: 3}

// Sessions keeps who is signed in; storage implements it.
type Sessions interface {
	// OpenSession stores a new session and forgets those that began before a moment.
	OpenSession(ctx context.Context, s engine.Session, forget time.Time) error
	// Session returns a session, whether or not it holds, or engine.ErrNotFound.
	Session(ctx context.Context, hash []byte) (engine.Session, engine.User, engine.Password, error)
	TouchSession(ctx context.Context, hash []byte, seen time.Time) error
	// EndSessions ends all of the user's sessions, or the one with the hash, and returns how many it ended.
	EndSessions(ctx context.Context, user engine.UserID, hash []byte, at time.Time) (int64, error)
	// EndOtherSessions ends all of the user's sessions but the one to keep.
	EndOtherSessions(ctx context.Context, user engine.UserID, keep []byte, at time.Time) (int64, error)
	// SessionsOf returns those that have not ended, last used first.
	SessionsOf(ctx context.Context, user engine.UserID) ([]engine.Session, error)
	KnownDevice(ctx context.Context, user engine.UserID, device []byte, since time.Time) (bool, error)
	// ProveSession notes that its user has proved again who they are.
	ProveSession(ctx context.Context, hash []byte, at time.Time) error
}

// Factors keeps what people give besides a password; storage implements it. Seeds are set through the engine.
type Factors interface {
	// SecondFactor returns engine.ErrNotFound for somebody without one-time codes; left is of recovery codes.
	SecondFactor(ctx context.Context, user engine.UserID) (f engine.SecondFactor, left int, err error)
	// UseStep and UseRecovery use a code up, and tell whether it was still good.
	UseStep(ctx context.Context, user engine.UserID, step int64) (bool, error)
	UseRecovery(ctx context.Context, user engine.UserID, hash []byte, at time.Time) (bool, error)
}

// Identities keeps how people are known at identity systems; storage implements it. They are linked by the engine.
type Identities interface {
	// IdentityUser returns engine.ErrNotFound for an identity that is linked with no account.
	IdentityUser(ctx context.Context, issuer, subject string) (engine.User, error)
	// EndTicket ends the session that was opened with a ticket, and returns whose it was, "" for none.
	EndTicket(ctx context.Context, ticket []byte, at time.Time) (engine.UserID, error)
}

// Passwords keeps what signing in needs; storage implements it. Passwords are set through the engine.
type Passwords interface {
	// Password returns engine.ErrNotFound for somebody who has none.
	Password(ctx context.Context, user engine.UserID) (engine.Password, error)
	Rehash(ctx context.Context, user engine.UserID, old, phc string) error
	// Attempt counts an attempt, or says from when on the next may be made.
	Attempt(ctx context.Context, a engine.Attempt, limits engine.AttemptLimits) (until time.Time, err error)
	Withdraw(ctx context.Context, attempt string) error
	// Noted tells whether an entry about the key is due, and how many were left out before.
	Noted(ctx context.Context, key []byte, now time.Time, every time.Duration) (due bool, skipped int64, err error)
	// AnyUser tells whether there is an account.
	AnyUser(ctx context.Context) (bool, error)
	// OfferSetup reports false if there are users.
	OfferSetup(ctx context.Context, s engine.Setup) (bool, error)
	SetupOpen(ctx context.Context, hash []byte, now time.Time) (bool, error)
}

// Store is all of them.
type Store interface {
	Sessions
	Passwords
	Factors
	Identities
}

// Config is what a Door is made of.
type Config struct {
	Engine    *engine.Engine
	Store     Store
	Policy    Policy      // the zero value is Standard
	Issuer    string      // what authenticator apps show beside an account; "": 闭环
	Ways      []Federated // ways in besides the password
	PublicURL string      // where browsers reach this program; needed by Ways
	// SecondFactor are the roles whose holders need one-time codes; others may have them.
	SecondFactor []engine.Role
	Now          func() time.Time // nil: the engine's
	Log          *slog.Logger     // nil: discarded
}

// Door signs people in and out. It is safe for concurrent use; replicas over one database need not know of each
// other.
type Door struct {
	Config
	settled atomic.Bool                                                 // there are users, and users are never deleted
	check   func(password, phc string) (match, current bool, err error) // verify, but for tests
}

// New makes a door.
func New(c Config) (*Door, error) {
	if c.Engine == nil || c.Store == nil {
		return nil, errors.New("auth: Engine and Store are needed")
	}
	if c.Now == nil {
		c.Now = c.Engine.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Issuer == "" {
		c.Issuer = "闭环"
	}
	if len(c.Ways) > 0 && c.PublicURL == "" {
		return nil, errors.New("auth: ways in need a PublicURL to come back to")
	}
	return &Door{Config: c, check: verify}, nil
}

// now is the present moment as databases keep it.
func (d *Door) now() time.Time { return d.Now().UTC().Truncate(time.Microsecond) }
