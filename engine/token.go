package engine

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"time"
)

// TokenPrefix marks bearer tokens, so that scanners recognise a leaked one.
const TokenPrefix = "bh_"

// maxTokenLife bounds how long a token can live.
const maxTokenLife = 366 * 24 * time.Hour

// IssueToken makes a bearer token of 256 random bits for a user and returns it once; only its hash is kept.
func (e *Engine) IssueToken(ctx context.Context, who Actor, user, name string, life time.Duration) (string, Token, error) {
	u, err := e.User(ctx, user)
	if err != nil {
		return "", Token{}, err
	}
	if !who.system && who.ID != u.ID {
		return "", Token{}, e.deny(ctx, who, "issue_token", SubjectUser+"/"+string(u.ID), denied("token.own_only"))
	}
	if u.Disabled {
		return "", Token{}, blocked("user.disabled")
	}
	if life <= 0 || life > maxTokenLife {
		return "", Token{}, invalid("life", "token.life", "limit", int(maxTokenLife.Hours()/24))
	}
	if name, err = text("name", name, 60); err != nil {
		return "", Token{}, err
	}
	raw := make([]byte, 32)
	rand.Read(raw) // never fails (crypto/rand)
	secret := TokenPrefix + base64.RawURLEncoding.EncodeToString(raw)
	now := e.now()
	t := Token{ID: TokenID(e.NewID()), UserID: u.ID, Name: name, Hash: TokenHash(secret), CreatedAt: now, ExpiresAt: now.Add(life), Version: 1}
	err = e.record(ctx, who, SubjectToken+"/"+string(t.ID), "issue_token", nil, func(r *Record) (any, map[string]any) {
		r.Token = &t
		return t, nil
	})
	return secret, t, err
}

// TokenHash is how a token's secret is stored and looked up.
func TokenHash(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}

// RevokeToken ends a token.
func (e *Engine) RevokeToken(ctx context.Context, who Actor, t Token) error {
	if !who.system && who.ID != t.UserID {
		return e.deny(ctx, who, "revoke_token", SubjectToken+"/"+string(t.ID), denied("token.own_only"))
	}
	next := t
	next.RevokedAt = at(e.now())
	next.Version++
	return conflict(e.record(ctx, who, SubjectToken+"/"+string(t.ID), "revoke_token", t, func(r *Record) (any, map[string]any) {
		r.Token = &next
		return next, nil
	}))
}

// Bearer returns the actor of a token, or Denied for one that does not hold (any more): the same answer for
// every reason.
func (e *Engine) Bearer(ctx context.Context, secret, via, requestID string) (Actor, User, error) {
	refuse := denied("token.invalid")
	if !strings.HasPrefix(secret, TokenPrefix) {
		return Actor{}, User{}, refuse
	}
	t, u, err := e.Store.TokenUser(ctx, TokenHash(secret))
	if errors.Is(err, ErrNotFound) {
		return Actor{}, User{}, refuse
	}
	if err != nil {
		return Actor{}, User{}, err
	}
	if u.Disabled || t.RevokedAt != nil || !e.now().Before(t.ExpiresAt) {
		return Actor{}, User{}, refuse
	}
	return Actor{ID: u.ID, Grants: u.Grants, Via: via, RequestID: requestID}, u, nil
}
