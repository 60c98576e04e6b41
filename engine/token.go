package engine

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// TokenPrefix marks bearer tokens, so that scanners recognise a leaked one.
const TokenPrefix = "bh_"

// maxTokenLife bounds how long a token can live.
const maxTokenLife = 366 * 24 * time.Hour

// TokenScope is how much of its owner's rights a token carries. It never carries more than its owner holds at the
// moment of use.
type TokenScope string

// The scopes, each with what the one before it allows.
const (
	TokenRead     TokenScope = "read"     // looks, and changes nothing
	TokenProjects TokenScope = "projects" // acts on projects
	TokenAll      TokenScope = ""         // people, units, roles and settings too
)

// TokenScopes are the scopes that people choose from, the narrowest first.
var TokenScopes = []TokenScope{TokenRead, TokenProjects, TokenAll}

// allows reports whether a scope includes another.
func (s TokenScope) allows(what TokenScope) bool {
	return slices.Index(TokenScopes, s) >= slices.Index(TokenScopes, what)
}

// Allows refuses what goes beyond the token that the actor came with, if any.
func (a Actor) Allows(what TokenScope) error {
	if !a.Limit.allows(what) {
		return denied("token.read_only")
	}
	return nil
}

// IssueToken makes a bearer token with all of its owner's rights; see IssueScopedToken.
func (e *Engine) IssueToken(ctx context.Context, who Actor, user, name string, life time.Duration) (string, Token, error) {
	return e.IssueScopedToken(ctx, who, user, name, TokenAll, life)
}

// IssueScopedToken makes a bearer token of 256 random bits for a user and returns it once; only its hash is kept.
func (e *Engine) IssueScopedToken(ctx context.Context, who Actor, user, name string, scope TokenScope, life time.Duration) (string, Token, error) {
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
	if !slices.Contains(TokenScopes, scope) {
		return "", Token{}, invalid("scope", "token.scope")
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
	t := Token{ID: TokenID(e.NewID()), UserID: u.ID, Name: name, Hash: TokenHash(secret), CreatedAt: now, ExpiresAt: now.Add(life), Scope: scope, Version: 1}
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
	a, err := e.Actor(ctx, u, via, requestID)
	if err != nil {
		return Actor{}, User{}, err
	}
	a.Limit = t.Scope
	if now := e.now(); t.UsedAt == nil || now.Sub(*t.UsedAt) >= tokenTouch {
		if err := e.Store.TouchToken(ctx, t.ID, now); err != nil { // when it was used is nice to know, no more
			e.Log.WarnContext(ctx, "use of a token not noted", slog.Any("error", err), slog.String("token", string(t.ID)))
		}
	}
	return a, u, nil
}

// tokenTouch is how exact the last use of a token is.
const tokenTouch = time.Minute

// Tokens lists a person's own tokens, newest first, those that hold no more too.
func (e *Engine) Tokens(ctx context.Context, who Actor) ([]Token, error) {
	return e.Store.Tokens(ctx, who.ID)
}
