package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"bihuan/api/auth"
	"bihuan/engine"
)

// Sittings are somebody's own sessions; auth.Door implements it.
type Sittings interface {
	// Sittings lists those that let the user in, last used first.
	Sittings(ctx context.Context, cookie string) ([]auth.Sitting, error)
	// EndSitting ends one of the user's own; engine.ErrNotFound for any other.
	EndSitting(ctx context.Context, cookie, id string) error
	// EndOthers ends all but the one that asks.
	EndOthers(ctx context.Context, cookie string) (int, error)
}

// mineView is the page of one's own account.
type mineView struct {
	Sessions []sittingRow
	Others   bool // there are sessions besides this one
	Codes    bool // signs in with one-time codes besides
	Ways     []wayView
	Linked   []linkedRow
	Tokens   []tokenRow
	Token    string // one that was just made, shown this once
	Make     form
}

type linkedRow struct{ Name, Issuer, Subject, Since string }

type sittingRow struct {
	ID, Device, Address, Since, Seen string
	Current                          bool
}

type tokenRow struct {
	ID, Name, Scope, Until, Used string
	State                        tagView
	Holds                        bool
}

func (c *Console) account(v *visit) error {
	f := c.tokenForm(v)
	return c.showMine(v, http.StatusOK, &f, "")
}

func (c *Console) showMine(v *visit, status int, f *form, token string) error {
	view := mineView{Codes: v.user.TwoFactor, Make: *f, Token: token}
	list, err := c.Door.Sittings(v.ctx, auth.Cookie(v.g.Request))
	if err != nil {
		return err
	}
	for _, s := range list {
		view.Others = view.Others || !s.Current
		view.Sessions = append(view.Sessions, sittingRow{ID: s.ID, Device: v.device(s.Agent), Address: s.Address, Since: c.moment(s.CreatedAt),
			Seen: c.moment(s.SeenAt), Current: s.Current})
	}
	known, err := c.Reader.Identities(v.ctx, v.user.ID)
	if err != nil {
		return err
	}
	view.Ways = c.wayViews(v, "/account/link/", "")
	for _, x := range known {
		view.Linked = append(view.Linked, linkedRow{Name: v.t("console.way." + x.Way), Issuer: x.Issuer, Subject: x.Subject, Since: c.moment(x.LinkedAt)})
	}
	tokens, err := c.Engine.Tokens(v.ctx, v.actor)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		row := tokenRow{ID: string(t.ID), Name: t.Name, Scope: v.t("console.mine.scopes." + scopeWord(t.Scope)), Until: c.moment(t.ExpiresAt),
			Used: c.moments(t.UsedAt), State: tagView{"g", v.t("console.mine.holds")}, Holds: true}
		switch {
		case t.RevokedAt != nil:
			row.State, row.Holds = tagView{"", v.t("console.mine.revoked")}, false
		case !c.Now().Before(t.ExpiresAt):
			row.State, row.Holds = tagView{"", v.t("console.mine.expired")}, false
		}
		if row.Used == "" {
			row.Used = v.t("console.mine.never")
		}
		view.Tokens = append(view.Tokens, row)
	}
	return c.render(v, status, "mine", v.t("console.mine.title"), view)
}

// scopeWord names a scope in forms and sentences, where "" would be no answer.
func scopeWord(s engine.TokenScope) string {
	if s == engine.TokenAll {
		return "all"
	}
	return string(s)
}

// tokenDays is what is offered as the life of a token.
const tokenDays = 90

func (c *Console) tokenForm(v *visit) form {
	f := form{ID: "token-form", Action: "/account/tokens", Submit: v.t("console.mine.make"), Open: true, Fields: []field{
		{ID: "name", Name: "name", Kind: "text", Label: v.t("console.mine.token_name"), Hint: v.t("console.mine.token_name_hint"), Required: true},
		{ID: "scope", Name: "scope", Kind: "select", Label: v.t("console.mine.scope"), Required: true},
		{ID: "life", Name: "life", Kind: "number", Label: v.t("console.mine.days"), Hint: v.t("console.mine.days_hint"), Value: strconv.Itoa(tokenDays), Min: "1", Max: "366", Required: true}}}
	for _, s := range engine.TokenScopes {
		f.Fields[1].Choices = append(f.Fields[1].Choices, choice{scopeWord(s), v.t("console.mine.scopes." + scopeWord(s)), false})
	}
	return f
}

// issueToken makes a token and shows it in the answer, the one time that it can be.
func (c *Console) issueToken(v *visit) error {
	if ok, err := c.fresh(v, "/account"); !ok {
		return err
	}
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	x := v.g.Request.PostForm
	token, err := c.makeToken(v, x)
	f := c.tokenForm(v)
	if e, ok := errors.AsType[*engine.Error](err); ok && e.Kind == engine.Invalid {
		f.keep(x)
		f.blame(v, e)
		return c.showMine(v, statuses[e.Kind], &f, "")
	}
	if err != nil {
		return err
	}
	return c.showMine(v, http.StatusOK, &f, token)
}

func (c *Console) makeToken(v *visit, x url.Values) (string, error) {
	name := strings.TrimSpace(x.Get("name"))
	if name == "" {
		return "", invalid("name", "field.empty")
	}
	i := slices.IndexFunc(engine.TokenScopes, func(s engine.TokenScope) bool { return scopeWord(s) == x.Get("scope") })
	if i < 0 {
		return "", invalid("scope", "token.scope")
	}
	days, err := strconv.Atoi(x.Get("life"))
	if err != nil || days > 366 { // more would overflow
		days = 0 // which the engine refuses
	}
	token, _, err := c.Engine.IssueScopedToken(v.ctx, v.actor, string(v.user.ID), name, engine.TokenScopes[i], time.Duration(days)*24*time.Hour)
	return token, err
}

func (c *Console) revokeToken(v *visit) error {
	tokens, err := c.Engine.Tokens(v.ctx, v.actor)
	if err != nil {
		return err
	}
	id := v.g.PostForm("id")
	i := slices.IndexFunc(tokens, func(t engine.Token) bool { return string(t.ID) == id })
	if i < 0 {
		return &engine.Error{Kind: engine.NotFound, Key: "console.error.no_page"}
	}
	if tokens[i].RevokedAt == nil {
		if err := c.Engine.RevokeToken(v.ctx, v.actor, tokens[i]); err != nil {
			return err
		}
	}
	v.redirect("/account?done=token_revoked")
	return nil
}

// endSitting ends one of the reader's sessions, or all others.
func (c *Console) endSitting(v *visit) error {
	cookie := auth.Cookie(v.g.Request)
	if v.g.PostForm("others") != "" {
		if _, err := c.Door.EndOthers(v.ctx, cookie); err != nil {
			return err
		}
		v.redirect("/account?done=sessions_ended")
		return nil
	}
	err := c.Door.EndSitting(v.ctx, cookie, v.g.PostForm("id"))
	if err != nil && !errors.Is(err, engine.ErrNotFound) { // one that has ended meanwhile is what was wanted
		return err
	}
	v.redirect("/account?done=session_ended")
	return nil
}

// Browsers and systems by the words in which browsers name them. A browser also names those that it is like, so that
// the order matters.
var (
	browsers = [][2]string{{"MicroMessenger", "微信"}, {"DingTalk", "钉钉"}, {"Lark", "飞书"}, {"QQBrowser", "QQ"}, {"Edg", "Edge"}, {"OPR", "Opera"}, {"Firefox", "Firefox"}, {"Chrome", "Chrome"}, {"Safari", "Safari"}}
	systems  = [][2]string{{"HarmonyOS", "HarmonyOS"}, {"OpenHarmony", "HarmonyOS"}, {"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"}}
)

// device says in a few words what a browser calls itself.
func (v *visit) device(agent string) string {
	var words []string
	for _, list := range [][][2]string{browsers, systems} {
		for _, x := range list {
			if strings.Contains(agent, x[0]) {
				words = append(words, x[1])
				break
			}
		}
	}
	if len(words) == 0 {
		return v.t("console.mine.unknown")
	}
	return strings.Join(words, " · ")
}
