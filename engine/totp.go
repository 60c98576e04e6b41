package engine

import (
	"context"
	"time"
)

// SecondFactor is what is kept of somebody's one-time codes (动态口令; TOTP, RFC 6238).
type SecondFactor struct {
	UserID    UserID    `json:"-" gorm:"primaryKey"`
	Sealed    []byte    `json:"-"` // the seed, as secret.Box seals it for the user alone
	LastStep  int64     `json:"-"` // the newest period of 30 s since 1970 whose code was used
	CreatedAt time.Time `json:"-" gorm:"autoCreateTime:false"`
}

// RecoveryCode lets its owner in once without the device that makes the codes.
type RecoveryCode struct {
	UserID UserID
	Hash   []byte `gorm:"primaryKey"` // SHA-256 of the code, which has too many bits to be guessed
	UsedAt *time.Time
}

// FactorChange replaces what somebody gives besides a password. It comes with the user, whose version it changes, so
// that every session ends.
type FactorChange struct {
	Factor   *SecondFactor // nil keeps the seed; with User.TwoFactor false there is none any more
	Recovery [][]byte      // hashes of the recovery codes, in the place of all former ones
}

// seedPurpose is what a seed is sealed for.
func seedPurpose(user UserID) string { return "totp/" + string(user) }

// NewSeed makes one-time codes a condition of every sign-in of who, from now on. step is that of the code by which they
// showed that their device knows the seed; it is good for nothing more. Every session ends.
func (e *Engine) NewSeed(ctx context.Context, who Actor, seed []byte, step int64, recovery [][]byte) (User, error) {
	if e.Secrets == nil {
		return User{}, blocked("totp.no_key")
	}
	u, err := e.User(ctx, string(who.ID))
	if err != nil {
		return User{}, err
	}
	f := SecondFactor{UserID: u.ID, Sealed: e.Secrets.Seal(seedPurpose(u.ID), seed), LastStep: step, CreatedAt: e.now()}
	return e.changeFactor(ctx, who, u, "enrol_totp", true, FactorChange{Factor: &f, Recovery: recovery}, map[string]any{"recovery": len(recovery)})
}

// NewRecovery puts other recovery codes in the place of who's. Every session ends.
func (e *Engine) NewRecovery(ctx context.Context, who Actor, recovery [][]byte) (User, error) {
	u, err := e.User(ctx, string(who.ID))
	if err != nil {
		return User{}, err
	}
	if !u.TwoFactor {
		return User{}, blocked("totp.none")
	}
	return e.changeFactor(ctx, who, u, "renew_recovery", true, FactorChange{Recovery: recovery}, map[string]any{"recovery": len(recovery)})
}

// RemoveSeed lets a user, named by id or login, sign in without one-time codes again: oneself, and whoever may reset
// the user's password, for somebody who has lost the device and the recovery codes. Every session ends.
func (e *Engine) RemoveSeed(ctx context.Context, who Actor, user string) (User, error) {
	u, err := e.User(ctx, user)
	if !who.system && (err != nil || who.ID != u.ID) {
		u, err = e.managed(ctx, who, user, "remove_totp")
	}
	if err != nil {
		return User{}, err
	}
	if !u.TwoFactor {
		return User{}, blocked("totp.none")
	}
	return e.changeFactor(ctx, who, u, "remove_totp", false, FactorChange{}, nil)
}

func (e *Engine) changeFactor(ctx context.Context, who Actor, u User, action string, on bool, c FactorChange, data map[string]any) (User, error) {
	if u.Disabled {
		return User{}, blocked("user.disabled")
	}
	next := u
	next.Version++
	next.TwoFactor = on
	err := e.record(ctx, who, SubjectUser+"/"+string(u.ID), action, u, func(r *Record) (any, map[string]any) {
		r.User, r.Factor = &next, &c
		return next, data
	})
	return next, conflict(err)
}

// Seed opens the seed of a second factor.
func (e *Engine) Seed(f SecondFactor) ([]byte, error) {
	if e.Secrets == nil {
		return nil, blocked("totp.no_key")
	}
	return e.Secrets.Open(seedPurpose(f.UserID), f.Sealed)
}
