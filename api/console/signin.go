package console

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"bihuan/api/auth"
	"bihuan/engine"
)

// signInView is the page at the door.
type signInView struct {
	Site   string
	Next   string // where the person wanted to go
	Login  string
	Error  string
	Said   string    // what was just done
	Ways   []wayView // identity systems that vouch for people
	Seats  []seatView
	Demo   bool
	Stages []ringStage
	Lang   string
	Large  bool
	Theme  string
}

// ringStage is one of the six stages on the ring of the sign-in page.
type ringStage struct{ Class, Name string }

// home sends people to what needs attention now.
func (c *Console) home(v *visit) error {
	v.redirect("/overview")
	return nil
}

// askToSignIn sends somebody without a session to the door, with the way back;
// and somebody from whom something is wanted first to where it is done.
func (c *Console) askToSignIn(v *visit) {
	switch {
	case errors.Is(v.lacks, auth.ErrMustChange):
		c.leave(v, "/password")
		return
	case errors.Is(v.lacks, auth.ErrEnrol):
		c.leave(v, codesPath)
		return
	}
	next := "/"
	if v.g.Request.Method == http.MethodGet && !v.partial() {
		next = local(v.g.Request.URL.RequestURI(), "/")
	}
	to := "/sign-in"
	if errors.Is(v.lacks, auth.ErrCode) {
		to = "/sign-in/code"
	}
	if next != "/" {
		to += "?next=" + url.QueryEscape(next)
	}
	c.leave(v, to)
}

// leave sends somebody who may not see the page that was asked for to another; htmx is told to load it whole.
func (c *Console) leave(v *visit, to string) {
	if v.partial() {
		v.g.Header("HX-Redirect", to)
		v.g.Status(http.StatusUnauthorized)
		return
	}
	v.redirect(to)
}

func (c *Console) signInPage(v *visit) error {
	if v.user.ID != "" && c.Seats == nil {
		v.redirect(local(v.g.Query("next"), "/"))
		return nil
	}
	fresh, err := c.Door.Fresh(v.ctx)
	if err != nil {
		return err
	}
	if fresh {
		v.redirect("/set-up")
		return nil
	}
	return c.showSignIn(v, http.StatusOK, signInView{Next: local(v.g.Query("next"), "/"), Said: v.said()})
}

func (c *Console) showSignIn(v *visit, status int, view signInView) error {
	view.Site, view.Seats, view.Demo, view.Lang, view.Large, view.Theme = c.Site, c.seatViews(v), c.Seats != nil, v.lang, v.large, v.theme
	query := ""
	if view.Next != "/" && view.Next != "" {
		query = "?next=" + url.QueryEscape(view.Next)
	}
	view.Ways = c.wayViews(v, "/sign-in/", query)
	for i, id := range []string{"plan", "deploy", "advance", "track", "feedback", "effect"} {
		view.Stages = append(view.Stages, ringStage{"p" + string(rune('1'+i)), v.t("console.stage." + id)})
	}
	return c.render(v, status, "sign_in", v.t("console.sign_in"), view)
}

// signIn opens a session. Whatever is wrong, the password is not sent back.
func (c *Console) signIn(v *visit) error {
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	login, next := strings.TrimSpace(v.g.PostForm("login")), local(v.g.PostForm("next"), "/")
	cookie, _, err := c.Door.SignIn(v.browser(), login, v.g.PostForm("password"), v.g.ClientIP())
	if err != nil {
		status, refused := statuses[engine.KindOf(err)]
		if !refused || status >= http.StatusInternalServerError {
			return err
		}
		if status == http.StatusForbidden || status == http.StatusNotFound {
			status = http.StatusUnprocessableEntity // what was typed is wrong, not where it was typed
		}
		view := signInView{Next: next, Login: login, Error: v.t("console.sign_in.refused")}
		if e, ok := err.(*engine.Error); ok { //nolint:errorlint // a Door's own refusal, not one deep inside
			view.Error = e.In(v.lang)
		}
		return c.showSignIn(v, status, view)
	}
	auth.SetCookie(v.g.Writer, v.g.Request, cookie)
	v.redirect(next)
	return nil
}

func (c *Console) signOut(v *visit) error {
	if cookie := auth.Cookie(v.g.Request); cookie != "" {
		if err := c.Door.SignOut(v.ctx, cookie); err != nil {
			return err
		}
	}
	auth.ClearCookie(v.g.Writer, v.g.Request)
	v.redirect("/sign-in")
	return nil
}

// sit changes the seat or lets days go by, in the demo alone.
func (c *Console) sit(v *visit) error {
	if c.Seats == nil {
		return &engine.Error{Kind: engine.NotFound, Key: "console.error.no_page"}
	}
	if days, ok := v.g.GetPostForm("days"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 1 || n > 7 {
			return invalid("days", "api.bad_value")
		}
		if err := c.Seats.Pass(v.ctx, n); err != nil {
			return err
		}
		v.redirect(local(v.g.PostForm("next"), "/"))
		return nil
	}
	cookie, err := c.Seats.Sit(v.ctx, v.g.PostForm("login"), v.g.ClientIP())
	if err != nil {
		return err
	}
	if old := auth.Cookie(v.g.Request); old != "" {
		if err := c.Door.SignOut(v.ctx, old); err != nil {
			return err
		}
	}
	auth.SetCookie(v.g.Writer, v.g.Request, cookie)
	v.redirect(local(v.g.PostForm("next"), "/"))
	return nil
}

// seatViews lists the demo's seats, none elsewhere.
func (c *Console) seatViews(v *visit) []seatView {
	if c.Seats == nil {
		return nil
	}
	var out []seatView
	for _, s := range c.Seats.Seats() {
		out = append(out, seatView{Login: s.Login, Name: s.Name, Title: s.Title.In(v.lang), Initial: initial(s.Name), Current: v.user.ID != "" && v.user.Login == s.Login})
	}
	return out
}

// settingsLife is how long a reader's settings are kept, in seconds: a year.
const settingsLife = 365 * 24 * 3600

// settings keeps language, colours and size of letters in cookies.
func (c *Console) settings(v *visit) error {
	set := func(field, cookie string, allowed ...string) {
		value, ok := v.g.GetPostForm(field)
		if ok && contains(allowed, value) {
			v.remember(cookie, value)
		}
	}
	set("lang", langCookie, "zh-CN", "en")
	set("theme", themeCookie, "light", "dark", "auto")
	set("size", sizeCookie, "large", "normal")
	v.redirect(local(v.g.PostForm("back"), "/"))
	return nil
}
