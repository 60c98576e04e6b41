package console

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"bihuan/api/auth"
	"bihuan/api/request"
	"bihuan/engine"
	"bihuan/engine/message"
)

// Cookies that keep a reader's settings. The session's own are auth's.
const (
	langCookie  = "bihuan_lang"
	themeCookie = "bihuan_theme"
	sizeCookie  = "bihuan_size"
)

// policy forbids a page everything but its own files.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// visit is one request of one person.
type visit struct {
	g     *gin.Context
	ctx   context.Context
	info  *request.Info
	lang  string // one of message.Languages
	theme string // light, dark, or "" for what the reader's system wants
	large bool   // 大字
	actor engine.Actor
	user  engine.User

	half  engine.User // somebody who is signed in and has to do something first,
	lacks error       // namely this: auth.ErrMustChange, auth.ErrCode or auth.ErrEnrol
}

// browser is the context with what the door wants to know of the browser.
func (v *visit) browser() context.Context {
	return auth.WithAgent(auth.WithDevice(v.ctx, auth.KnownDevice(v.g.Request)), v.g.Request.UserAgent())
}

// visit begins an answer: nothing of it may be stored, framed or taken for something else.
func (c *Console) visit(g *gin.Context) *visit {
	v := &visit{g: g, ctx: g.Request.Context(), info: request.From(g.Request.Context())}
	v.lang = v.info.Lang
	if s := v.cookie(langCookie); s != "" {
		v.lang = message.Match(s)
		v.info.Lang = v.lang // answers of the middleware speak the same language
	}
	if s := v.cookie(themeCookie); s == "light" || s == "dark" {
		v.theme = s
	}
	v.large = v.cookie(sizeCookie) == "large"
	h := g.Writer.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	return v
}

func (v *visit) cookie(name string) string {
	k, err := v.g.Request.Cookie(name)
	if err != nil {
		return ""
	}
	return k.Value
}

// remember keeps a setting in a cookie for a year.
func (v *visit) remember(name, value string) {
	http.SetCookie(v.g.Writer, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: settingsLife,
		HttpOnly: true, Secure: !auth.Plain(v.g.Request), SameSite: http.SameSiteLaxMode})
}

// recognise finds out who is asking. A session that is over is the same as none.
func (c *Console) recognise(v *visit) error {
	cookie := auth.Cookie(v.g.Request)
	if cookie == "" {
		return nil
	}
	actor, user, err := c.Door.Actor(v.ctx, cookie)
	switch {
	case engine.KindOf(err) == engine.Denied, errors.Is(err, engine.ErrNotFound):
		return nil
	case engine.KindOf(err) == engine.Required:
		for _, first := range []error{auth.ErrMustChange, auth.ErrCode, auth.ErrEnrol} {
			if errors.Is(err, first) {
				v.half, v.lacks = user, first
				return nil
			}
		}
		return err
	case err != nil:
		return err
	}
	actor.Via, actor.RequestID = engine.ViaConsole, v.info.ID
	v.actor, v.user = actor, user
	v.info.Actor, v.info.User = actor, user
	return nil
}

// t is a sentence of the catalogue in the reader's language; args are name, value, name, value.
func (v *visit) t(key string, args ...any) string { return say(v.lang, key, args...) }

func say(lang, key string, args ...any) string {
	if len(args) == 0 {
		return message.Text(lang, key, nil)
	}
	m := make(map[string]any, len(args)/2)
	for i := 0; i+1 < len(args); i += 2 {
		m[args[i].(string)] = args[i+1]
	}
	return message.Text(lang, key, m)
}

// partial reports whether htmx asks for a part of a page.
func (v *visit) partial() bool {
	return v.g.GetHeader("HX-Request") == "true" && v.g.GetHeader("HX-History-Restore-Request") != "true"
}

// redirect sends the reader to a local address after a change.
func (v *visit) redirect(to string) {
	v.g.Redirect(http.StatusSeeOther, to)
}

// local returns where to go back to: a path on this site, or fallback. Anything that a browser could read as
// another host is refused.
func local(path, fallback string) string {
	u, err := url.Parse(path)
	if err != nil || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") ||
		u.Host != "" || u.Scheme != "" {
		return fallback
	}
	return path
}

// statuses answers each kind of the engine's refusals. A page that somebody else changed meanwhile is a conflict.
var statuses = map[engine.Kind]int{
	engine.Invalid: http.StatusUnprocessableEntity, engine.Blocked: http.StatusConflict, engine.Conflict: http.StatusConflict,
	engine.Stale: http.StatusConflict, engine.Denied: http.StatusForbidden, engine.NotFound: http.StatusNotFound,
	engine.Required: http.StatusPreconditionRequired, engine.Busy: http.StatusTooManyRequests,
	engine.Unavailable: http.StatusServiceUnavailable, engine.Damaged: http.StatusInternalServerError,
}

// errorView is a page that says why there is no other.
type errorView struct {
	Status  int
	Title   string
	Detail  string
	Request string // the request id, to quote when asking for help
	Home    bool   // offer the way back to work
}

// fail answers with the error as a page. What is not a refusal is logged and says nothing but the request id.
func (c *Console) fail(v *visit, err error) {
	if v.g.Writer.Written() {
		c.Log.ErrorContext(v.ctx, "answer broken off", slog.String("request", v.info.ID), slog.Any("error", err))
		panic(http.ErrAbortHandler)
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		err = &engine.Error{Kind: engine.Invalid, Key: "api.too_large", Args: map[string]any{"limit": tooLarge.Limit >> 10}}
	}
	view := errorView{Status: http.StatusInternalServerError, Request: v.info.ID, Home: v.user.ID != "",
		Detail: v.t("api.internal", "request", v.info.ID)}
	if e, ok := errors.AsType[*engine.Error](err); ok && statuses[e.Kind] != 0 {
		view.Status, view.Detail = statuses[e.Kind], e.In(v.lang)
		if e.Kind == engine.Damaged {
			view.Title = v.t("problem.damaged")
		}
	} else if errors.Is(err, context.Canceled) && v.ctx.Err() != nil {
		return // nobody reads the answer
	} else if errors.Is(err, context.DeadlineExceeded) {
		view.Status, view.Detail = http.StatusServiceUnavailable, v.t("api.unavailable")
	}
	if view.Status >= http.StatusInternalServerError {
		c.Log.ErrorContext(v.ctx, "page failed", slog.String("request", v.info.ID), slog.Any("error", err))
	}
	if view.Title == "" {
		view.Title = v.t(errorTitle(view.Status))
	}
	if renderErr := c.render(v, view.Status, "error", view.Title, view); renderErr != nil {
		c.Log.ErrorContext(v.ctx, "error page failed", slog.String("request", v.info.ID), slog.Any("error", renderErr))
		v.g.String(view.Status, "%s", view.Detail)
	}
}

func errorTitle(status int) string {
	switch status {
	case http.StatusForbidden:
		return "console.error.forbidden"
	case http.StatusNotFound:
		return "console.error.not_found"
	case http.StatusConflict:
		return "console.error.conflict"
	case http.StatusUnprocessableEntity:
		return "console.error.invalid"
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return "console.error.busy"
	}
	return "console.error.internal"
}
