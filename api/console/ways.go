package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"bihuan/api/auth"
	"bihuan/engine"
)

// Ways are the ways in besides the password; auth.Door implements it.
type Ways interface {
	WayNames() []auth.WayName
	// Leave returns where an identity system asks the person who they are, and what the browser keeps meanwhile.
	Leave(ctx context.Context, id, next string, link bool) (to, flow string, err error)
	// Return lets in whom it sends back. With link, session is the one that the person left with.
	Return(ctx context.Context, id, flow string, query url.Values, session, addr string) (cookie, next string, err error)
	// SignedOut ends the session that an identity system says is over there.
	SignedOut(ctx context.Context, id, request string) error
}

type wayView struct{ Href, Name string }

// wayViews are the buttons of the ways in, each leading to base and the way's word.
func (c *Console) wayViews(v *visit, base, query string) []wayView {
	var out []wayView
	for _, w := range c.Door.WayNames() {
		name := w.Name
		if name == "" {
			name = v.t("console.way." + w.ID)
		}
		out = append(out, wayView{base + w.ID + query, name})
	}
	return out
}

// leaveFor sends somebody to an identity system. It is no more than a link, because the policy of our pages lets no form
// lead to another site; nothing changes here by it.
func (c *Console) leaveFor(v *visit) error {
	return c.leaveTo(v, local(v.g.Query("next"), "/"), false)
}

func (c *Console) leaveTo(v *visit, next string, link bool) error {
	to, flow, err := c.Door.Leave(v.ctx, v.g.Param("way"), next, link)
	if err != nil {
		return err
	}
	auth.SetFlow(v.g.Writer, v.g.Request, flow)
	v.g.Redirect(http.StatusSeeOther, to) // another site's address, which the set-up names
	return nil
}

// comeBack lets somebody in whom an identity system sends back.
func (c *Console) comeBack(v *visit) error {
	flow := auth.FlowOf(v.g.Request)
	auth.SetFlow(v.g.Writer, v.g.Request, "") // good for one return
	cookie, next, err := c.Door.Return(v.browser(), v.g.Param("way"), flow, v.g.Request.URL.Query(), auth.Cookie(v.g.Request), v.g.ClientIP())
	if errors.Is(err, auth.ErrProve) {
		v.redirect("/prove?next=" + url.QueryEscape("/account"))
		return nil
	}
	if e, ok := errors.AsType[*engine.Error](err); ok && v.user.ID == "" && e.Kind != engine.NotFound {
		status := statuses[e.Kind]
		return c.showSignIn(v, status, signInView{Next: "/", Error: e.In(v.lang)})
	}
	if err != nil {
		return err
	}
	auth.SetCookie(v.g.Writer, v.g.Request, cookie)
	v.redirect(local(next, "/"))
	return nil
}

// signedOut hears from an identity system that somebody has signed out there.
func (c *Console) signedOut(v *visit) error {
	if err := c.Door.SignedOut(v.ctx, v.g.Param("way"), v.g.PostForm("logoutRequest")); err != nil {
		return err
	}
	v.g.Status(http.StatusNoContent)
	return nil
}

// linkWay sends somebody who is signed in to an identity system, to link who they are there with their account.
func (c *Console) linkWay(v *visit) error {
	if ok, err := c.fresh(v, "/account"); !ok {
		return err
	}
	return c.leaveTo(v, "/account", true)
}

// unlinkWay takes a way in away from somebody's own account.
func (c *Console) unlinkWay(v *visit) error {
	if ok, err := c.fresh(v, "/account"); !ok {
		return err
	}
	id := engine.Identity{Issuer: v.g.PostForm("issuer"), Subject: v.g.PostForm("subject")}
	list, err := c.Reader.Identities(v.ctx, v.user.ID)
	if err != nil {
		return err
	}
	for _, x := range list {
		if x.Issuer == id.Issuer && x.Subject == id.Subject {
			id.Way = x.Way
		}
	}
	if by, err := c.Door.ProvesBy(v.ctx, v.user); err != nil {
		return err
	} else if by == "" && len(list) == 1 { // nothing would be left to sign in with
		return &engine.Error{Kind: engine.Blocked, Key: "identity.last"}
	}
	if _, err := c.Engine.Unlink(v.ctx, v.actor, string(v.user.ID), id); err != nil {
		return err
	}
	v.redirect("/sign-in?done=unlinked") // every session has ended
	return nil
}
