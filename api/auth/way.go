package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"bihuan/engine"
)

// A Way is a way in besides the password: an identity system (统一身份认证) that vouches for people.
type Way interface {
	// ID is the word in addresses and entries: oidc or cas.
	ID() string
	// Begin returns the address at which the person proves who they are. back is where they come back to, and f is what
	// their browser keeps meanwhile.
	Begin(ctx context.Context, back string, f Flow) (to string, err error)
	// Finish returns whom the identity system vouches for, from the query that it sent the browser back with.
	Finish(ctx context.Context, back string, f Flow, query url.Values) (Vouched, error)
}

// Vouched is what an identity system says of somebody.
type Vouched struct {
	Issuer, Subject string
	Claims          map[string][]string
	Ticket          string // by which the identity system may end the session; "" for none
}

// Federated is a way in with what its claims mean here.
type Federated struct {
	Way
	Name      string  // on the button; "" for the catalogue's
	Mapping   Mapping // what its claims mean
	Provision bool    // whoever is new gets an account
	Strong    bool    // it asks for a second factor itself, so that one-time codes are not asked for besides
}

// Mapping says what claims mean.
type Mapping struct {
	Login, Name, Unit string            // the claims with these; "" for none
	Units             map[string]string // codes of units by what the claim Unit says; others are codes already
	Roles             []RoleRule
}

// RoleRule gives a role to whoever has a claim with a value.
type RoleRule struct {
	Claim, Value string
	Role         engine.Role
	Unit         string // the code of a unit; "*" is the person's own
}

// one is the first value of a claim.
func (w *Vouched) one(claim string) string {
	if v := w.Claims[claim]; claim != "" && len(v) > 0 {
		return strings.TrimSpace(v[0])
	}
	return ""
}

// standings are the roles that somebody is said to hold, and all that the identity system governs for them. What a rule
// gives at people's own unit it governs wherever they hold it: claims may name any unit.
func (m *Mapping) standings(w Vouched) (says, governs []engine.Standing) {
	own := w.one(m.Unit)
	if code, ok := m.Units[own]; ok {
		own = code
	}
	add := func(list []engine.Standing, s engine.Standing) []engine.Standing {
		if slices.Contains(list, s) {
			return list
		}
		return append(list, s)
	}
	for _, r := range m.Roles {
		unit := r.Unit
		if unit == engine.Everywhere {
			governs = add(governs, engine.Standing{Role: r.Role, Unit: engine.Everywhere})
			unit = own
		}
		if unit == "" {
			continue
		}
		s := engine.Standing{Role: r.Role, Unit: unit}
		governs = add(governs, s)
		if slices.Contains(w.Claims[r.Claim], r.Value) {
			says = add(says, s)
		}
	}
	return says, governs
}

// Flow is what a browser keeps between leaving for an identity system and coming back. It proves that the one who
// comes back is the one who left.
type Flow struct {
	Way, State, Nonce, Verifier string
	Next                        string // where the person wanted to go
	Link                        bool   // to link the identity with the account that is signed in
	Until                       time.Time
}

// flowLife is how long somebody may take at the identity system.
const flowLife = 10 * time.Minute

// String is the flow as a cookie holds it.
func (f Flow) String() string {
	b, err := json.Marshal(f)
	if err != nil {
		panic(err) // strings, a bool and a time
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// stray is the answer to whoever comes back without having left, or too late.
func stray() error { return &engine.Error{Kind: engine.Invalid, Key: "way.stray"} }

func (d *Door) way(id string) (*Federated, error) {
	for i := range d.Ways {
		if d.Ways[i].ID() == id {
			return &d.Ways[i], nil
		}
	}
	return nil, &engine.Error{Kind: engine.NotFound, Key: "way.unknown"}
}

// back is where an identity system sends browsers back to.
func (d *Door) back(id string) string {
	return strings.TrimSuffix(d.PublicURL, "/") + "/sign-in/" + id + "/callback"
}

// Leave sends somebody to an identity system, to sign in or to link their identity there with the account that they
// are signed in with. flow is what the browser keeps for Return.
func (d *Door) Leave(ctx context.Context, id, next string, link bool) (to, flow string, err error) {
	w, err := d.way(id)
	if err != nil {
		return "", "", err
	}
	f := Flow{Way: id, State: newSecret(), Nonce: newSecret(), Verifier: newSecret(), Next: next, Link: link, Until: d.now().Add(flowLife)}
	if to, err = w.Begin(ctx, d.back(id), f); err != nil {
		return "", "", d.away(ctx, id, err)
	}
	return to, f.String(), nil
}

// away is the answer when an identity system cannot be reached or answers nonsense. The reason is for the log alone.
func (d *Door) away(ctx context.Context, id string, err error) error {
	if _, ok := errors.AsType[*engine.Error](err); ok || errors.Is(err, context.Canceled) {
		return err
	}
	d.Log.ErrorContext(ctx, "identity system", slog.String("way", id), slog.Any("error", err))
	return &engine.Error{Kind: engine.Unavailable, Key: "way.away", Err: err}
}

// Return lets somebody in whom an identity system vouches for, and returns the cookie of a session and where they
// wanted to go. One who left to link their identity stays signed in: session is the cookie that they left with, and
// takes the place of the one returned.
func (d *Door) Return(ctx context.Context, id, flow string, query url.Values, session, addr string) (cookie, next string, err error) {
	w, err := d.way(id)
	if err != nil {
		return "", "", err
	}
	var f Flow
	raw, err := base64.RawURLEncoding.DecodeString(flow)
	if err != nil || json.Unmarshal(raw, &f) != nil || f.Way != id || !d.now().Before(f.Until) || f.State == "" || query.Get("state") != f.State {
		return "", "", stray()
	}
	v, err := w.Finish(ctx, d.back(id), f, query)
	if err != nil {
		return "", "", d.away(ctx, id, err)
	}
	ctx = context.WithoutCancel(ctx) // what the identity system gave is used up
	if f.Link {
		cookie, err = d.link(ctx, w, session, v)
		return cookie, "/account?done=linked", err
	}
	cookie, err = d.arrive(ctx, w, v, addr)
	return cookie, f.Next, err
}

func (d *Door) link(ctx context.Context, w *Federated, session string, v Vouched) (string, error) {
	s, u, err := d.fresh(ctx, session)
	if err != nil {
		return "", err
	}
	after, err := d.Engine.Link(ctx, d.actor(ctx, u), string(u.ID), engine.Identity{Issuer: v.Issuer, Subject: v.Subject, Way: w.ID()})
	if err != nil {
		return "", err
	}
	return d.reopen(ctx, s, after)
}

// arrive finds the account of somebody who is vouched for, makes one where that is wanted, and lets them in. Neither a
// login nor a mail address ever links an identity with an account.
func (d *Door) arrive(ctx context.Context, w *Federated, v Vouched, addr string) (string, error) {
	u, err := d.Store.IdentityUser(ctx, v.Issuer, v.Subject)
	if errors.Is(err, engine.ErrNotFound) && w.Provision {
		id := engine.Identity{Issuer: v.Issuer, Subject: v.Subject, Way: w.ID()}
		u, err = d.Engine.Provision(ctx, v.one(w.Mapping.Login), v.one(w.Mapping.Name), id)
		if engine.KindOf(err) == engine.Conflict { // the same person in another window, or somebody else's login
			if other, again := d.Store.IdentityUser(ctx, v.Issuer, v.Subject); again == nil {
				u, err = other, nil
			}
		}
	}
	if err == nil && u.Disabled {
		d.noted(ctx, d.Engine.NoteAbout(ctx, stranger(ctx), u.ID, "sign_in_failed", map[string]any{"why": "disabled", "method": w.ID()}))
		return "", &engine.Error{Kind: engine.Denied, Key: "way.disabled"}
	}
	if err == nil {
		says, governs := w.Mapping.standings(v)
		u, err = d.Engine.Adopt(ctx, u, says, governs)
	}
	if errors.Is(err, engine.ErrNotFound) {
		err = &engine.Error{Kind: engine.Denied, Key: "way.unlinked"}
	}
	if err != nil {
		if e, ok := errors.AsType[*engine.Error](err); ok {
			d.aggregate(ctx, "way\n"+w.ID(), engine.Anonymous, "sign_in_failed", map[string]any{"why": e.Key, "method": w.ID()})
		}
		return "", err
	}
	a := arrival{method: w.ID(), address: place(addr), pending: u.TwoFactor && !w.Strong}
	if v.Ticket != "" {
		a.ticket = ticketHash(v.Ticket)
	}
	return d.admit(ctx, u, a, map[string]any{"method": w.ID()})
}

func ticketHash(ticket string) []byte {
	h := sha256.Sum256([]byte("ticket\n" + ticket))
	return h[:]
}

// strong tells whether a session began by a way that asks for a second factor itself.
func (d *Door) strong(s engine.Session) bool {
	w, err := d.way(s.Method)
	return err == nil && w.Strong
}

// WayName is a way in for a button; Name may be "".
type WayName struct{ ID, Name string }

// WayNames lists the ways in besides the password.
func (d *Door) WayNames() []WayName {
	var out []WayName
	for _, w := range d.Ways {
		out = append(out, WayName{w.ID(), w.Name})
	}
	return out
}

// wayTimeout is how long an identity system may take for an answer, and wayLimit how long that may be, in bytes.
const (
	wayTimeout = 10 * time.Second
	wayLimit   = 1 << 20
)

// wayClient asks identity systems. It follows no redirect: an address that has moved is the operator's to set.
var wayClient = &http.Client{Timeout: wayTimeout, Transport: limited{http.DefaultTransport},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// limited cuts answers off that are too long to be honest.
type limited struct{ http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	a, err := l.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	a.Body = http.MaxBytesReader(nil, a.Body, wayLimit)
	return a, nil
}

// claims flattens what an identity system says into lists of words.
func claims(raw map[string]any) map[string][]string {
	out := map[string][]string{}
	for name, value := range raw {
		switch v := value.(type) {
		case []any:
			for _, x := range v {
				out[name] = append(out[name], fmt.Sprint(x))
			}
		case map[string]any, nil:
		default:
			out[name] = []string{fmt.Sprint(v)}
		}
	}
	return out
}
