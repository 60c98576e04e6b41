package auth

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

	"bihuan/api/request"
	"bihuan/engine"
)

// ErrMustChange is within the error of Actor for somebody who is signed in and has to choose another password first.
var ErrMustChange = errors.New("the password must be changed first")

// over is the answer for every session that does not hold, whatever the reason.
func over() error { return &engine.Error{Kind: engine.Denied, Key: "session.over"} }

// secretSize is the length of a session's secret in bytes: 256 bits.
const secretSize = 32

// newSecret returns a secret as it stands in a cookie or is read out on the server's console.
func newSecret() string {
	raw := make([]byte, secretSize)
	rand.Read(raw) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// digest is how a secret is stored and looked up; nil for what cannot be one.
func digest(secret string) []byte {
	if raw, err := base64.RawURLEncoding.Strict().DecodeString(secret); err != nil || len(raw) != secretSize {
		return nil
	}
	h := sha256.Sum256([]byte(secret))
	return h[:]
}

// Device returns what the browser with the session keeps, apart from the session, to be known again. It follows from
// the session's secret, and nothing about the secret follows from it.
func Device(cookie string) string {
	h := sha256.Sum256([]byte("device\n" + cookie))
	return base64.RawURLEncoding.EncodeToString(h[:])
}

type deviceKey struct{}

// WithDevice tells SignIn what the browser showed of an earlier session's Device, "" for nothing.
func WithDevice(ctx context.Context, device string) context.Context {
	return context.WithValue(ctx, deviceKey{}, device)
}

type agentKey struct{}

// WithAgent tells what the browser calls itself, so that people know their sessions from one another.
func WithAgent(ctx context.Context, agent string) context.Context {
	return context.WithValue(ctx, agentKey{}, agent)
}

// maxAgent is how much is kept of what a browser calls itself, in characters.
const maxAgent = 250

func agent(ctx context.Context) string {
	s, _ := ctx.Value(agentKey{}).(string)
	r := []rune(strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), ""))
	return string(r[:min(len(r), maxAgent)])
}

// arrival is how somebody came in.
type arrival struct {
	method  string // how they were identified
	address string // from where, as place writes it
	agent   string // "": what ctx says
	pending bool   // the one-time code is missing
	ticket  []byte // see engine.Session
}

// open makes a session with an id of its own and returns its cookie.
func (d *Door) open(ctx context.Context, u engine.User, a arrival) (string, error) {
	cookie, now := newSecret(), d.now()
	s := engine.Session{Hash: digest(cookie), Device: digest(Device(cookie)), UserID: u.ID, UserVersion: u.Version,
		CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(Longest), Via: engine.ViaConsole, Method: a.method, Pending: a.pending, ProvedAt: now,
		Agent: a.agent, Address: a.address, Ticket: a.ticket}
	if s.Agent == "" {
		s.Agent = agent(ctx)
	}
	if a.pending {
		s.ExpiresAt = now.Add(pendingLife)
	}
	if err := d.Store.OpenSession(ctx, s, now.Add(-DeviceKnown)); err != nil {
		return "", err
	}
	return cookie, nil
}

// reopen makes a session in the place of one that an act of its user has ended, all others with it.
func (d *Door) reopen(ctx context.Context, s engine.Session, after engine.User) (string, error) {
	return d.open(ctx, after, arrival{method: s.Method, address: s.Address, agent: s.Agent, ticket: s.Ticket})
}

// session returns the session of a cookie if it holds, with its user.
func (d *Door) session(ctx context.Context, cookie string) (engine.Session, engine.User, engine.Password, error) {
	hash := digest(cookie)
	if hash == nil {
		return engine.Session{}, engine.User{}, engine.Password{}, over()
	}
	s, u, p, err := d.Store.Session(ctx, hash)
	if errors.Is(err, engine.ErrNotFound) || err == nil && !holds(s, u, d.now()) {
		return engine.Session{}, engine.User{}, engine.Password{}, over()
	}
	return s, u, p, err
}

// holds tells whether a session lets its user in. Roles, the password and the end of the account all raise the
// user's version.
func holds(s engine.Session, u engine.User, now time.Time) bool {
	return s.EndedAt == nil && s.UserVersion == u.Version && !u.Disabled && now.Before(s.ExpiresAt) && now.Before(s.SeenAt.Add(Idle))
}

// Actor tells who holds the session. A session that does not hold (any more) is Denied. Somebody who has to choose
// another password first, give a one-time code or set those up is a user without being an actor: the error wraps
// ErrMustChange, ErrCode or ErrEnrol.
func (d *Door) Actor(ctx context.Context, cookie string) (engine.Actor, engine.User, error) {
	s, u, p, err := d.session(ctx, cookie)
	if err != nil {
		return engine.Actor{}, engine.User{}, err
	}
	if s.Pending {
		return engine.Actor{}, u, &engine.Error{Kind: engine.Required, Key: "totp.needed", Err: ErrCode}
	}
	now := d.now()
	if !now.Before(s.SeenAt.Add(touchEvery)) {
		if err := d.Store.TouchSession(ctx, s.Hash, now); err != nil { // it ends too early rather than too late
			d.Log.WarnContext(ctx, "session not touched", slog.Any("error", err), slog.String("user", string(u.ID)))
		}
	}
	if _, err := d.way(s.Method); err != nil && d.Policy.expired(p, now) { // whoever came by another way needs no password
		return engine.Actor{}, u, &engine.Error{Kind: engine.Required, Key: "password.must_change", Err: ErrMustChange}
	}
	a, err := d.Engine.Actor(ctx, u, engine.ViaConsole, request.From(ctx).ID)
	if err == nil && !u.TwoFactor && !d.strong(s) && slices.ContainsFunc(a.Grants, func(g engine.Grant) bool { return slices.Contains(d.SecondFactor, g.Role) }) {
		return engine.Actor{}, u, &engine.Error{Kind: engine.Required, Key: "totp.enrol_first", Err: ErrEnrol}
	}
	return a, u, err
}

// actor is the user as entries name them.
func (d *Door) actor(ctx context.Context, u engine.User) engine.Actor {
	return engine.Actor{ID: u.ID, Grants: u.Grants, Via: engine.ViaConsole, RequestID: request.From(ctx).ID}
}

// SignOut ends the session on every replica; one that is over already is no error.
func (d *Door) SignOut(ctx context.Context, cookie string) error {
	s, u, _, err := d.session(ctx, cookie)
	if engine.KindOf(err) == engine.Denied {
		return nil
	}
	if err != nil {
		return err
	}
	n, err := d.Store.EndSessions(ctx, u.ID, s.Hash, d.now())
	if err != nil || n == 0 {
		return err
	}
	return d.Engine.Note(ctx, d.actor(ctx, u), "sign_out", nil)
}

// EndAll ends every session of a user, on every replica, and returns how many there were. People end their own, the
// operator anybody's, administrators those of whoever they may manage.
func (d *Door) EndAll(ctx context.Context, who engine.Actor, user engine.UserID) (int, error) {
	if who.ID != user && who.ID != engine.Operator().ID {
		if !administers(who) {
			err := &engine.Error{Kind: engine.Denied, Key: "session.own_only"}
			d.noted(ctx, d.Engine.Note(ctx, who, "refused", map[string]any{"command": "end_sessions", "subject": engine.SubjectUser + "/" + string(user), "why": err.Key}))
			return 0, err
		}
		u, err := d.Engine.User(ctx, string(user))
		if err != nil {
			return 0, err
		}
		if err := d.Engine.Manages(ctx, who, u, "end_sessions"); err != nil {
			return 0, err
		}
	}
	n, err := d.Store.EndSessions(ctx, user, nil, d.now())
	if err != nil || n == 0 {
		return 0, err
	}
	return int(n), d.Engine.NoteAbout(ctx, who, user, "end_sessions", map[string]any{"count": n})
}

func administers(who engine.Actor) bool {
	for _, g := range who.Grants {
		if g.Role == engine.Admin {
			return true
		}
	}
	return false
}

// noted logs that a refusal could not be recorded, which does not change the refusal.
func (d *Door) noted(ctx context.Context, err error) {
	if err != nil {
		d.Log.ErrorContext(ctx, "refusal not recorded", slog.Any("error", err))
	}
}
