package console

import (
	"net/url"

	"bihuan/engine"
)

// erasureView is what an account's page says about erasing the person's data.
type erasureView struct {
	Done  string // by whom and when
	Asked string // by whom and when, not answered yet
	Why   string // the reason that was given
	Ask   *field // for the reason of a request
	Erase bool   // the reader may approve
	End   bool   // the reader may take it back, or refuse
	Not   string // why the reader may not ask or approve
}

// erasure is nil for those who have no say, and for accounts that are open and about which nothing was asked.
func (c *Console) erasure(v *visit, u *engine.User) *erasureView {
	e := u.Erasure
	if !v.holds([]engine.Role{engine.Admin, engine.Security}) && !u.Erased() || !u.Disabled && e == nil {
		return nil
	}
	view := &erasureView{}
	switch {
	case u.Erased():
		view.Why = e.Why
		view.Done = v.t("console.erasure.done", "asked", c.names.user(v, e.AskedBy), "by", c.names.user(v, e.DoneBy), "at", c.moment(*e.DoneAt))
		c.Names.Forget("user/" + string(u.ID))
	case e != nil:
		view.Why, view.Asked = e.Why, v.t("console.erasure.asked", "by", c.names.user(v, e.AskedBy), "at", c.moment(e.AskedAt))
		view.End = c.Engine.MayErase(v.actor, *u, "end_erasure") == nil
		if why := c.Engine.MayErase(v.actor, *u, "erase"); why == nil {
			view.Erase = true
		} else {
			view.Not = asError(why).In(v.lang)
		}
	default:
		if why := c.Engine.MayErase(v.actor, *u, "ask_erasure"); why == nil {
			view.Ask = &field{ID: "erasure-note", Name: "note", Kind: "area", Label: v.t("console.erasure.why"), Hint: v.t("console.erasure.why_hint"), Required: true}
		} else {
			view.Not = asError(why).In(v.lang)
		}
	}
	return view
}

// changeErasure is changePerson for what two offices do together.
func (c *Console) changeErasure(v *visit, what, done string, do func(u engine.User, x url.Values) error) error {
	return c.changePerson(v, done, func(u engine.User, _ url.Values) error { return c.Engine.MayErase(v.actor, u, what) }, do)
}

func (c *Console) askErasure(v *visit) error {
	return c.changeErasure(v, "ask_erasure", "person_erasure", func(u engine.User, x url.Values) error {
		_, err := c.Engine.AskErasure(v.ctx, v.actor, string(u.ID), u.Version, x.Get("note"))
		return err
	})
}

func (c *Console) endErasure(v *visit) error {
	return c.changeErasure(v, "end_erasure", "person_erasure_end", func(u engine.User, _ url.Values) error {
		_, err := c.Engine.EndErasure(v.ctx, v.actor, string(u.ID), u.Version)
		return err
	})
}

func (c *Console) erasePerson(v *visit) error {
	return c.changeErasure(v, "erase", "person_erase", func(u engine.User, _ url.Values) error {
		_, err := c.Engine.Erase(v.ctx, v.actor, string(u.ID), u.Version)
		return err
	})
}
