package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"sync"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"bihuan/engine"
)

// OIDC is a way in by OpenID Connect: authorization code with PKCE, state and nonce. People are known by issuer and
// subject.
type OIDC struct {
	Issuer       string // as its tokens name it
	ClientID     string
	ClientSecret string   // "" for a public client
	Scopes       []string // openid is always asked for

	mu       sync.Mutex
	provider *oidc.Provider // nil until it was reached
}

// ID is the way's word.
func (*OIDC) ID() string { return "oidc" }

// reach returns the provider. It is looked up when first needed, so that this program starts without it.
func (o *OIDC) reach(ctx context.Context) (context.Context, *oidc.Provider, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	ctx = oidc.ClientContext(ctx, wayClient)
	if o.provider == nil {
		// The provider outlives the request: it fetches keys again when they have changed.
		p, err := oidc.NewProvider(context.WithoutCancel(ctx), o.Issuer)
		if err != nil {
			return ctx, nil, fmt.Errorf("discover %s: %w", o.Issuer, err)
		}
		o.provider = p
	}
	return ctx, o.provider, nil
}

func (o *OIDC) config(p *oidc.Provider, back string) *oauth2.Config {
	return &oauth2.Config{ClientID: o.ClientID, ClientSecret: o.ClientSecret, Endpoint: p.Endpoint(), RedirectURL: back,
		Scopes: append([]string{oidc.ScopeOpenID}, o.Scopes...)}
}

// Begin returns the address of the provider's page.
func (o *OIDC) Begin(ctx context.Context, back string, f Flow) (string, error) {
	_, p, err := o.reach(ctx)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)}
	if f.Link { // whoever links must not be somebody who forgot to sign out there
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"))
	}
	return o.config(p, back).AuthCodeURL(f.State, options...), nil
}

// Finish exchanges the code and verifies the token: its signature, issuer, audience, times and nonce.
func (o *OIDC) Finish(ctx context.Context, back string, f Flow, query url.Values) (Vouched, error) {
	if e := query.Get("error"); e != "" { // the person said no, or the provider did
		return Vouched{}, &engine.Error{Kind: engine.Denied, Key: "way.refused"}
	}
	ctx, p, err := o.reach(ctx)
	if err != nil {
		return Vouched{}, err
	}
	token, err := o.config(p, back).Exchange(ctx, query.Get("code"), oauth2.VerifierOption(f.Verifier))
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.Response != nil && refused.Response.StatusCode < http.StatusInternalServerError {
		return Vouched{}, &engine.Error{Kind: engine.Denied, Key: "way.refused", Err: err}
	}
	if err != nil {
		return Vouched{}, fmt.Errorf("exchange: %w", err)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return Vouched{}, errors.New("there is no id_token")
	}
	id, err := p.Verifier(&oidc.Config{ClientID: o.ClientID}).Verify(ctx, raw)
	if err != nil {
		return Vouched{}, err
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.Nonce)) != 1 {
		return Vouched{}, errors.New("the token answers another request: nonce")
	}
	all := map[string]any{}
	if p.UserInfoEndpoint() != "" {
		info, err := p.UserInfo(ctx, oauth2.StaticTokenSource(token))
		if err != nil {
			return Vouched{}, fmt.Errorf("userinfo: %w", err)
		}
		if info.Subject != id.Subject {
			return Vouched{}, errors.New("userinfo is about somebody else")
		}
		if err := info.Claims(&all); err != nil {
			return Vouched{}, err
		}
	}
	signed := map[string]any{}
	if err := id.Claims(&signed); err != nil {
		return Vouched{}, err
	}
	maps.Copy(all, signed) // what is signed goes before
	return Vouched{Issuer: id.Issuer, Subject: id.Subject, Claims: claims(all)}, nil
}
