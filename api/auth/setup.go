package auth

import (
	"context"
	"strings"
	"time"

	"bihuan/engine"
)

// SetupToken makes the one-time token with which the first administrator is made, for the server to show on its
// console: 256 bits, good until the moment returned, once. It takes the place of an earlier one. In an installation
// that has users there is none: the token is "".
func (d *Door) SetupToken(ctx context.Context) (token string, until time.Time, err error) {
	token, now := newSecret(), d.now()
	until = now.Add(SetupLife)
	offered, err := d.Store.OfferSetup(ctx, engine.Setup{Hash: digest(token), CreatedAt: now, ExpiresAt: until})
	if err != nil || !offered {
		return "", time.Time{}, err
	}
	return token, until, d.Engine.Note(ctx, engine.Operator(), "offer_set_up", map[string]any{"until": until.Format(time.RFC3339)})
}

// Fresh tells whether nobody has an account yet, so that the first administrator is to be made.
func (d *Door) Fresh(ctx context.Context) (bool, error) {
	if d.settled.Load() {
		return false, nil
	}
	any, err := d.Store.AnyUser(ctx)
	if err == nil && any {
		d.settled.Store(true)
	}
	return err == nil && !any, err
}

// First is what the first administrator fills in.
type First struct {
	Token              string
	Login, Name        string
	Password           string
	UnitCode, UnitName string // of the root unit, such as dw and 学校党委
}

// SetUp makes the root unit and the first administrator (系统管理员), who then signs in like everybody.
//
// It fills none of the other separated offices (三员): whoever holds the token would hold them all. Roles are granted by
// a security administrator (安全管理员), whom the operator names on the server with "bihuan user add", "user grant" and
// "user password --generate"; the sentence setup.next of the catalogue says so.
func (d *Door) SetUp(ctx context.Context, f First) (engine.User, engine.Unit, error) {
	invalid := &engine.Error{Kind: engine.Denied, Key: "setup.invalid"}
	hash := digest(strings.TrimSpace(f.Token))
	open := false
	if hash != nil {
		var err error
		if open, err = d.Store.SetupOpen(ctx, hash, d.now()); err != nil {
			return engine.User{}, engine.Unit{}, err
		}
	}
	if !open {
		d.aggregate(ctx, "setup\n", engine.Anonymous, "set_up_refused", map[string]any{"why": invalid.Key})
		return engine.User{}, engine.Unit{}, invalid
	}
	f.Login = strings.TrimSpace(f.Login)
	if err := d.Policy.Check(f.Password, f.Login, f.Name); err != nil {
		return engine.User{}, engine.Unit{}, err
	}
	phc, err := Hash(ctx, f.Password)
	if err != nil {
		return engine.User{}, engine.Unit{}, err
	}
	return d.Engine.SetUp(ctx, engine.FirstSteps{Token: hash, Login: f.Login, Name: f.Name, PHC: phc,
		UnitCode: strings.TrimSpace(f.UnitCode), UnitName: f.UnitName, Via: engine.ViaConsole})
}
