package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"bihuan/api/auth"
	"bihuan/engine"
)

// Codes are the one-time codes (动态口令) that people sign in with besides, and what a fresh proof of who somebody is
// takes; auth.Door implements it. Changing them ends all of the user's sessions and returns the cookie of a new one.
type Codes interface {
	// SecondStep lets somebody in whose session waits for a code. A wrong code is Invalid about the field "code".
	SecondStep(ctx context.Context, cookie, code, addr string) (next string, user engine.User, err error)
	// Proved is nil for somebody who has just proved who they are; auth.ErrProve is within the error for others.
	Proved(ctx context.Context, cookie string) error
	// ProvesBy says how a user can prove it again: "code", "password", or "" if only by signing in.
	ProvesBy(ctx context.Context, u engine.User) (string, error)
	// Prove takes that proof. A wrong one is Invalid about the field "proof".
	Prove(ctx context.Context, cookie, proof, addr string) error
	OfferSeed(ctx context.Context, cookie string) (auth.Offer, error)
	OpenOffer(ctx context.Context, cookie, sealed string) (auth.Offer, error)
	Enrol(ctx context.Context, cookie, sealed, code string) (next string, recovery []string, err error)
	RenewRecovery(ctx context.Context, cookie string) (next string, recovery []string, err error)
	RemoveSeed(ctx context.Context, cookie string) (next string, err error)
	RecoveryLeft(ctx context.Context, u engine.User) (int, error)
}

// codesPath is where people set their one-time codes up.
const codesPath = "/account/totp"

// codeField is one for a code that an app shows.
func (v *visit) codeField(name string) field {
	return field{ID: name, Name: name, Kind: "text", Label: v.t("console.totp.code"), Required: true, Autocomplete: "one-time-code"}
}

// codePage asks for the second step of a sign-in.
func (c *Console) codePage(v *visit) error {
	next := local(v.g.Query("next"), "/")
	if !errors.Is(v.lacks, auth.ErrCode) {
		if v.user.ID == "" {
			next = "/sign-in"
		}
		v.redirect(next)
		return nil
	}
	return c.showCode(v, http.StatusOK, c.codeForm(v, next))
}

func (c *Console) codeForm(v *visit, next string) form {
	f := form{ID: "code-form", Action: "/sign-in/code", Submit: v.t("console.sign_in"), Open: true, Fields: []field{v.codeField("code")},
		Hidden: []field{{Name: "next", Value: next}}}
	f.Fields[0].Hint = v.t("console.totp.code_hint")
	return f
}

func (c *Console) showCode(v *visit, status int, f form) error {
	title := v.t("console.totp.second")
	return c.render(v, status, "account", title, accountView{Title: title, Lead: v.t("console.totp.second_lead", "login", v.half.Login), Alone: true, Form: &f, Out: true})
}

// giveCode is the second step of a sign-in.
func (c *Console) giveCode(v *visit) error {
	next := local(v.g.PostForm("next"), "/")
	if !errors.Is(v.lacks, auth.ErrCode) {
		v.redirect("/sign-in")
		return nil
	}
	cookie, _, err := c.Door.SecondStep(v.browser(), auth.Cookie(v.g.Request), v.g.PostForm("code"), v.g.ClientIP())
	if e, ok := errors.AsType[*engine.Error](err); ok && (e.Kind == engine.Invalid || e.Kind == engine.Busy) {
		f := c.codeForm(v, next)
		f.blame(v, e)
		return c.showCode(v, statuses[e.Kind], f)
	}
	if engine.KindOf(err) == engine.Denied { // the first step was too long ago
		v.redirect("/sign-in")
		return nil
	}
	if err != nil {
		return err
	}
	auth.SetCookie(v.g.Writer, v.g.Request, cookie)
	v.redirect(next)
	return nil
}

// person is who is signed in, also where something comes before everything else.
func (v *visit) person() engine.User {
	if v.user.ID != "" {
		return v.user
	}
	return v.half
}

// fresh lets on whoever has just proved who they are, and sends others to do so and back to the address. next is where
// the page of the act lies: what was typed is not kept.
func (c *Console) fresh(v *visit, next string) (bool, error) {
	if v.user.ID == "" && !errors.Is(v.lacks, auth.ErrEnrol) {
		c.askToSignIn(v)
		return false, nil
	}
	err := c.Door.Proved(v.ctx, auth.Cookie(v.g.Request))
	if errors.Is(err, auth.ErrProve) {
		c.leave(v, "/prove?next="+url.QueryEscape(next))
		return false, nil
	}
	return err == nil, err
}

// provePage asks somebody who is signed in to prove again who they are.
func (c *Console) provePage(v *visit) error {
	return c.showProof(v, http.StatusOK, local(v.g.Query("next"), "/"), nil)
}

func (c *Console) showProof(v *visit, status int, next string, why *engine.Error) error {
	if v.user.ID == "" && !errors.Is(v.lacks, auth.ErrEnrol) {
		c.askToSignIn(v)
		return nil
	}
	by, err := c.Door.ProvesBy(v.ctx, v.person())
	if err != nil {
		return err
	}
	view := accountView{Title: v.t("console.prove.title"), Lead: v.t("console.prove.lead"), Alone: v.user.ID == ""}
	if by == "" {
		view.Lead, view.Out = v.t("console.prove.by_signing_in"), true
		return c.render(v, status, "account", view.Title, view)
	}
	x := v.codeField("proof")
	if by == "password" {
		x = v.password("proof", "current-password")
		x.Label = v.t("console.account.present")
	}
	f := form{ID: "proof-form", Action: "/prove", Submit: v.t("console.prove.submit"), Open: true, Fields: []field{x}, Hidden: []field{{Name: "next", Value: next}}}
	if why != nil {
		f.blame(v, why)
	}
	view.Form = &f
	return c.render(v, status, "account", view.Title, view)
}

func (c *Console) prove(v *visit) error {
	next := local(v.g.PostForm("next"), "/")
	if v.user.ID == "" && !errors.Is(v.lacks, auth.ErrEnrol) {
		c.askToSignIn(v)
		return nil
	}
	err := c.Door.Prove(v.browser(), auth.Cookie(v.g.Request), v.g.PostForm("proof"), v.g.ClientIP())
	if e, ok := errors.AsType[*engine.Error](err); ok && (e.Kind == engine.Invalid || e.Kind == engine.Busy) {
		return c.showProof(v, statuses[e.Kind], next, e)
	}
	if err != nil {
		return err
	}
	v.redirect(next)
	return nil
}

// totpView is the page of somebody's one-time codes: what there is, an offer, or recovery codes that were just made.
type totpView struct {
	Alone         bool // without the frame of somebody at work: the codes come first
	On            bool
	Left          string // how many recovery codes are left
	QR            string // path of an SVG
	Size          int
	Secret        string
	Form          *form
	Renew, Remove *form
	Again         string   // leads to an offer that replaces what there is
	Codes         []string // shown this once
	Home          string
}

func (c *Console) totpPage(v *visit) error {
	again := v.g.Query("again") == "yes"
	self := codesPath
	if again {
		self += "?again=yes"
	}
	if ok, err := c.fresh(v, self); !ok {
		return err
	}
	u := v.person()
	if !u.TwoFactor || again {
		o, err := c.Door.OfferSeed(v.ctx, auth.Cookie(v.g.Request))
		if err != nil {
			return err
		}
		return c.showOffer(v, http.StatusOK, o, nil)
	}
	left, err := c.Door.RecoveryLeft(v.ctx, u)
	if err != nil {
		return err
	}
	view := totpView{Alone: v.user.ID == "", On: true, Left: v.t("console.totp.left", "n", left), Again: codesPath + "?again=yes",
		Renew:  &form{ID: "renew-form", Action: codesPath + "/codes", Submit: v.t("console.totp.renew")},
		Remove: &form{ID: "remove-form", Action: codesPath + "/remove", Submit: v.t("console.totp.remove"), Danger: true}}
	return c.render(v, http.StatusOK, "totp", v.t("console.totp.title"), view)
}

func (c *Console) showOffer(v *visit, status int, o auth.Offer, why *engine.Error) error {
	path, size, err := qrPath(o.URI)
	if err != nil {
		return err
	}
	f := form{ID: "totp-form", Action: codesPath, Submit: v.t("console.totp.enrol"), Open: true, Fields: []field{v.codeField("code")},
		Hidden: []field{{Name: "offer", Value: o.Sealed}}}
	if why != nil {
		f.blame(v, why)
	}
	var parts []string
	for part := range slices.Chunk([]byte(o.Secret), 4) {
		parts = append(parts, string(part))
	}
	view := totpView{Alone: v.user.ID == "", QR: path, Size: size, Secret: strings.Join(parts, " "), Form: &f}
	return c.render(v, status, "totp", v.t("console.totp.title"), view)
}

// enrol takes an offer up and shows the recovery codes.
func (c *Console) enrol(v *visit) error {
	if ok, err := c.fresh(v, codesPath); !ok {
		return err
	}
	cookie, offer := auth.Cookie(v.g.Request), v.g.PostForm("offer")
	next, codes, err := c.Door.Enrol(v.browser(), cookie, offer, v.g.PostForm("code"))
	if e, ok := errors.AsType[*engine.Error](err); ok && e.Kind == engine.Invalid && e.Field == "code" {
		o, openErr := c.Door.OpenOffer(v.ctx, cookie, offer)
		if openErr != nil {
			return openErr
		}
		return c.showOffer(v, http.StatusUnprocessableEntity, o, e)
	}
	return c.showCodes(v, next, codes, err)
}

// showCodes shows recovery codes the one time that it can be done, in the answer to the change that made them.
func (c *Console) showCodes(v *visit, cookie string, codes []string, err error) error {
	if err != nil {
		return err
	}
	auth.SetCookie(v.g.Writer, v.g.Request, cookie)
	view := totpView{Alone: v.user.ID == "", Codes: codes, Home: "/overview"}
	return c.render(v, http.StatusOK, "totp", v.t("console.totp.codes"), view)
}

func (c *Console) renewRecovery(v *visit) error {
	if ok, err := c.fresh(v, codesPath); !ok {
		return err
	}
	next, codes, err := c.Door.RenewRecovery(v.browser(), auth.Cookie(v.g.Request))
	return c.showCodes(v, next, codes, err)
}

func (c *Console) removeSeed(v *visit) error {
	if ok, err := c.fresh(v, codesPath); !ok {
		return err
	}
	next, err := c.Door.RemoveSeed(v.browser(), auth.Cookie(v.g.Request))
	if err != nil {
		return err
	}
	auth.SetCookie(v.g.Writer, v.g.Request, next)
	v.redirect("/overview?done=totp_removed")
	return nil
}
