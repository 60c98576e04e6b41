package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"bihuan/api/request"
	"bihuan/engine"
)

// wrong is the one answer for a name or password that is not right, for an account that has been closed, has no
// password or does not exist.
func wrong() error { return &engine.Error{Kind: engine.Denied, Key: "sign_in.wrong"} }

// attempt is somebody trying a password.
type attempt struct {
	engine.Attempt
	user     engine.User     // the zero value if there is no such account
	password engine.Password // likewise
}

// SignIn opens a session and returns the value for its cookie. addr is where the request comes from, with or without
// a port. The answer to a wrong password is Denied and to too many of them Busy, for accounts that exist as for those
// that don't. What WithDevice put into ctx tells a known browser from a stranger's.
func (d *Door) SignIn(ctx context.Context, login, password, addr string) (cookie string, user engine.User, err error) {
	t, err := d.begin(ctx, strings.TrimSpace(login), addr)
	if err != nil {
		return "", engine.User{}, err
	}
	current, err := d.evaluate(ctx, t, password)
	// From here on nothing that is known is lost because the caller has hung up.
	ctx = context.WithoutCancel(ctx)
	if err != nil {
		if engine.KindOf(err) == engine.Denied {
			d.failed(ctx, t)
		}
		return "", engine.User{}, err
	}
	data := map[string]any{"method": "password"}
	if !current {
		if err := d.rehash(ctx, t, password); err != nil {
			d.Log.WarnContext(ctx, "password not rehashed", slog.Any("error", err), slog.String("user", string(t.user.ID)))
		} else {
			data["rehashed"] = true
		}
	}
	// The codes come second: whoever does not know the password learns nothing of them.
	a := arrival{method: "password", address: t.Address, pending: t.user.TwoFactor}
	if cookie, err = d.admit(ctx, t.user, a, data); err != nil {
		return "", engine.User{}, err
	}
	return cookie, t.user, nil
}

// Admit opens a session for somebody whom the caller has identified by another method than a password, whose word
// goes into the entry: "seat" for the chairs of a demo. A closed account is refused like a wrong password.
func (d *Door) Admit(ctx context.Context, login, method string) (cookie string, user engine.User, err error) {
	u, err := d.Engine.Store.User(ctx, login)
	if errors.Is(err, engine.ErrNotFound) || err == nil && (u.Login != login || u.Disabled) {
		return "", engine.User{}, wrong()
	}
	if err != nil {
		return "", engine.User{}, err
	}
	if cookie, err = d.admit(ctx, u, arrival{method: method}, map[string]any{"method": method}); err != nil {
		return "", engine.User{}, err
	}
	return cookie, u, nil
}

// admit lets somebody in, or, where the second step is missing, up to it. The entry comes first: nobody is in of whom
// the trail does not know.
func (d *Door) admit(ctx context.Context, u engine.User, a arrival, data map[string]any) (string, error) {
	action := "sign_in"
	if a.pending {
		action = "sign_in_begun"
	}
	if err := d.Engine.Note(ctx, d.actor(ctx, u), action, data); err != nil {
		return "", err
	}
	return d.open(ctx, u, a)
}

// begin looks the account up and the device, without letting anybody see what it found.
func (d *Door) begin(ctx context.Context, login, addr string) (*attempt, error) {
	account := engine.AccountDigest(login)
	t := &attempt{Attempt: engine.Attempt{ID: uuid.Must(uuid.NewV7()).String(), Account: account, Address: place(addr), At: d.now()}}
	u, err := d.Engine.Store.User(ctx, login)
	if errors.Is(err, engine.ErrNotFound) || err == nil && u.Login != login { // by id, which would have attempts of its own
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	t.user = u
	if t.password, err = d.Store.Password(ctx, u.ID); err != nil && !errors.Is(err, engine.ErrNotFound) {
		return nil, err
	}
	return t, d.device(ctx, t)
}

// device gives the attempt the browser's device, if the user has signed in with it before.
func (d *Door) device(ctx context.Context, t *attempt) error {
	device, ok := ctx.Value(deviceKey{}).(string)
	if !ok || digest(device) == nil {
		return nil
	}
	known, err := d.Store.KnownDevice(ctx, t.user.ID, digest(device), t.At.Add(-DeviceKnown))
	if err == nil && known {
		t.Device = digest(device)
	}
	return err
}

// count counts an attempt before it is evaluated, or refuses it because too many were made before.
func (d *Door) count(ctx context.Context, t *attempt, limits engine.AttemptLimits) error {
	until, err := d.Store.Attempt(ctx, t.Attempt, limits)
	if err != nil || until.IsZero() {
		return err
	}
	d.throttled(context.WithoutCancel(ctx), t)
	minutes := int((until.Sub(t.At) + time.Minute - 1) / time.Minute)
	return &engine.Error{Kind: engine.Busy, Key: "sign_in.throttled", Args: map[string]any{"minutes": max(1, minutes)}}
}

// evaluate compares the password, unless too many were tried before. It computes one hash whatever there is to
// compare with. current tells whether the stored hash has the parameters of today.
func (d *Door) evaluate(ctx context.Context, t *attempt, password string) (current bool, err error) {
	if err := d.count(ctx, t, limits); err != nil {
		return false, err
	}
	phc := t.password.PHC
	if phc == "" {
		if phc, err = nobody(); err != nil {
			return false, err
		}
	}
	fits := utf8.RuneCountInString(normal(password)) <= maxPassword
	if !fits {
		password = "" // no password is that long, and none is empty
	}
	var match bool
	waited := withSlot(ctx, func() { match, current, err = d.check(password, phc) })
	if waited != nil || err != nil {
		return false, errors.Join(waited, err, d.Store.Withdraw(context.WithoutCancel(ctx), t.ID))
	}
	if !match || !fits || t.password.PHC == "" || t.user.ID == "" || t.user.Disabled {
		return false, wrong()
	}
	return current, d.Store.Withdraw(context.WithoutCancel(ctx), t.ID)
}

func (d *Door) rehash(ctx context.Context, t *attempt, password string) error {
	phc, err := Hash(ctx, password)
	if err != nil {
		return err
	}
	return d.Store.Rehash(ctx, t.user.ID, t.password.PHC, phc)
}

// failed records an attempt that did not succeed: on the account's chain, or, where there is no account, at most
// once a minute for each address.
func (d *Door) failed(ctx context.Context, t *attempt) {
	if t.user.ID == "" {
		d.aggregate(ctx, "address\n"+t.Address, engine.Anonymous, "sign_in_failed", map[string]any{"why": "unknown"})
		return
	}
	why := "password"
	switch {
	case t.user.Disabled:
		why = "disabled"
	case t.password.PHC == "":
		why = "no_password"
	}
	d.noted(ctx, d.Engine.NoteAbout(ctx, stranger(ctx), t.user.ID, "sign_in_failed", map[string]any{"why": why}))
}

// throttled records that attempts are refused without being evaluated, at most once a minute.
func (d *Door) throttled(ctx context.Context, t *attempt) {
	key, about := "address\n"+t.Address, engine.Anonymous
	if t.user.ID != "" {
		key, about = "account\n"+string(t.user.ID), t.user.ID
	}
	d.aggregate(ctx, key, about, "sign_in_refused", map[string]any{"why": "throttled"})
}

// aggregate writes an entry about what may come in floods, with the number of those left out since the last.
func (d *Door) aggregate(ctx context.Context, key string, about engine.UserID, action string, data map[string]any) {
	k := sha256.Sum256([]byte(key))
	due, skipped, err := d.Store.Noted(ctx, k[:], d.now(), noteEvery)
	if err == nil && due {
		if skipped > 0 {
			data["skipped"] = skipped
		}
		err = d.Engine.NoteAbout(ctx, stranger(ctx), about, action, data)
	}
	d.noted(ctx, err)
}

// stranger is somebody who has not proved who they are. Addresses stay out of the trail, which is for ever.
func stranger(ctx context.Context) engine.Actor {
	return engine.Actor{ID: engine.Anonymous, Via: engine.ViaConsole, RequestID: request.From(ctx).ID}
}

// place is an address as attempts are counted by it: without the port, and for IPv6 the network that one subscriber
// has. What is no address counts as one place.
func place(addr string) string {
	if p, err := netip.ParseAddrPort(addr); err == nil {
		addr = p.Addr().String()
	}
	ip, err := netip.ParseAddr(strings.Trim(addr, "[]"))
	if err != nil {
		return "?"
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if network, err := ip.Prefix(64); err == nil {
			return network.String()
		}
	}
	return ip.String()
}

// ChangePassword lets somebody who is signed in choose another password, having shown the present one. All of the
// user's sessions end, this one too; the answer is the cookie of a new one.
func (d *Door) ChangePassword(ctx context.Context, cookie, present, next string) (string, error) {
	s, u, err := d.whole(ctx, cookie)
	if err != nil {
		return "", err
	}
	if err := d.Policy.Check(next, u.Login, u.Name); err != nil {
		return "", err
	}
	if normal(next) == normal(present) {
		return "", refuse("password.same")
	}
	if _, err := d.ownPassword(ctx, s, u, present, "set_password"); err != nil {
		return "", err
	}
	phc, err := Hash(ctx, next)
	if err != nil {
		return "", err
	}
	after, err := d.Engine.SetPassword(ctx, d.actor(ctx, u), string(u.ID), phc, false)
	if err != nil {
		return "", err
	}
	return d.reopen(ctx, s, after)
}

// ownPassword compares the present password of somebody who is signed in, for what they want to do with it. A wrong
// one is Invalid about the field "present", and an entry.
func (d *Door) ownPassword(ctx context.Context, s engine.Session, u engine.User, present, what string) (current bool, err error) {
	account := engine.AccountDigest(u.Login)
	t := &attempt{Attempt: engine.Attempt{ID: uuid.Must(uuid.NewV7()).String(), Account: account, Device: s.Device, At: d.now()}, user: u}
	if t.password, err = d.Store.Password(ctx, u.ID); err != nil && !errors.Is(err, engine.ErrNotFound) {
		return false, err
	}
	current, err = d.evaluate(ctx, t, present)
	if engine.KindOf(err) == engine.Denied {
		d.noted(ctx, d.Engine.Note(context.WithoutCancel(ctx), d.actor(ctx, u), "refused",
			map[string]any{"command": what, "subject": engine.SubjectUser + "/" + string(u.ID), "why": "password.present"}))
		return false, &engine.Error{Kind: engine.Invalid, Field: "present", Key: "password.present"}
	}
	return current, err
}
