package console

import (
	"errors"
	"net/http"

	"bihuan/api/auth"
	"bihuan/engine"
)

// accountView is a page with one form, for somebody who is not at work yet or leaves it for a moment: the first
// administrator, or whoever chooses another password.
type accountView struct {
	Title, Lead string
	Alone       bool // without the frame of somebody who is signed in
	Form        *form
	Out         bool     // offer to sign out instead
	Next        []string // what to do on the server after set-up, line by line
}

// password is a field that is never filled in again.
func (v *visit) password(name, autocomplete string) field {
	return field{ID: name, Name: name, Kind: "password", Label: v.t("console.account." + name), Required: true, Autocomplete: autocomplete}
}

// passwordForm asks for the present password and twice for the next.
func (c *Console) passwordForm(v *visit) form {
	f := form{ID: "password-form", Action: "/password", Submit: v.t("console.password.submit"), Open: true, Fields: []field{
		v.password("present", "current-password"), v.password("password", "new-password"), v.password("again", "new-password")}}
	f.Fields[1].Hint = v.t("console.password.hint")
	return f
}

func (c *Console) passwordPage(v *visit) error {
	if v.user.ID == "" && !errors.Is(v.lacks, auth.ErrMustChange) {
		c.askToSignIn(v)
		return nil
	}
	return c.showPassword(v, http.StatusOK, c.passwordForm(v))
}

func (c *Console) showPassword(v *visit, status int, f form) error {
	view := accountView{Title: v.t("console.password.title"), Lead: v.t("console.password.lead"), Alone: v.user.ID == "", Form: &f}
	if view.Alone {
		view.Lead = v.t("console.password.due", "login", v.half.Login)
	}
	return c.render(v, status, "account", view.Title, view)
}

// changePassword is open to whoever shows a session, even one whose password is due.
func (c *Console) changePassword(v *visit) error {
	if v.user.ID == "" && !errors.Is(v.lacks, auth.ErrMustChange) {
		c.askToSignIn(v)
		return nil
	}
	next := v.g.PostForm("password")
	var cookie string
	err := twice(next, v.g.PostForm("again"))
	if err == nil {
		cookie, err = c.Door.ChangePassword(v.ctx, auth.Cookie(v.g.Request), v.g.PostForm("present"), next)
	}
	if e, ok := errors.AsType[*engine.Error](err); ok && (e.Kind == engine.Invalid || e.Kind == engine.Busy) {
		f := c.passwordForm(v)
		f.blame(v, e)
		return c.showPassword(v, statuses[e.Kind], f)
	}
	if err != nil {
		return err
	}
	auth.SetCookie(v.g.Writer, v.g.Request, cookie)
	v.redirect("/overview?done=password")
	return nil
}

// twice refuses a new password that was typed differently the second time.
func twice(next, again string) error {
	if next != again {
		return invalid("again", "console.account.differs")
	}
	return nil
}

// setUpForm is what the first administrator fills in.
func (c *Console) setUpForm(v *visit) form {
	text := func(name string, hint bool) field {
		f := field{ID: name, Name: name, Kind: "text", Label: v.t("console.account." + name), Required: true}
		if hint {
			f.Hint = v.t("console.set_up.hint." + name)
		}
		return f
	}
	f := form{ID: "set-up-form", Action: "/set-up", Submit: v.t("console.set_up.submit"), Open: true, Fields: []field{
		text("token", true), text("unit_name", true), text("unit_code", true), text("name", false), text("login", true),
		v.password("password", "new-password"), v.password("again", "new-password")}}
	f.Fields[5].Hint = v.t("console.password.hint")
	return f
}

// unlessSettled says that there is nothing to set up any more, once there are users.
func (c *Console) unlessSettled(v *visit) error {
	fresh, err := c.Door.Fresh(v.ctx)
	if err == nil && !fresh {
		return &engine.Error{Kind: engine.NotFound, Key: "console.error.no_page"}
	}
	return err
}

func (c *Console) setUpPage(v *visit) error {
	if err := c.unlessSettled(v); err != nil {
		return err
	}
	f := c.setUpForm(v)
	return c.showSetUp(v, http.StatusOK, accountView{Lead: v.t("console.set_up.lead"), Form: &f})
}

func (c *Console) showSetUp(v *visit, status int, view accountView) error {
	view.Title, view.Alone = v.t("console.set_up.title"), true
	return c.render(v, status, "account", view.Title, view)
}

func (c *Console) setUp(v *visit) error {
	if err := c.unlessSettled(v); err != nil {
		return err
	}
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	post := v.g.PostForm
	err := twice(post("password"), post("again"))
	var user engine.User
	var unit engine.Unit
	if err == nil {
		user, unit, err = c.Door.SetUp(v.ctx, auth.First{Token: post("token"), Login: post("login"), Name: post("name"),
			Password: post("password"), UnitCode: post("unit_code"), UnitName: post("unit_name")})
	}
	if e, ok := errors.AsType[*engine.Error](err); ok && statuses[e.Kind] < http.StatusInternalServerError {
		f := c.setUpForm(v)
		f.keep(v.g.Request.PostForm)
		status := statuses[e.Kind]
		if e.Kind == engine.Denied { // only a token can be refused here
			status = http.StatusUnprocessableEntity
			e = &engine.Error{Kind: engine.Invalid, Field: "token", Key: e.Key, Args: e.Args}
		}
		f.blame(v, e)
		return c.showSetUp(v, status, accountView{Lead: v.t("console.set_up.lead"), Form: &f})
	}
	if err != nil {
		return err
	}
	return c.showSetUp(v, http.StatusOK, accountView{Lead: v.t("console.set_up.made", "login", user.Login),
		Next: lines(v.t("setup.next", "login", v.t("console.set_up.security"), "unit", unit.Code))})
}
