package console

import (
	"net/url"

	"bihuan/engine"
)

// erasureView is what the page of an account, or of a project with words of somebody without one, says about erasing them.
type erasureView struct {
	Version            int64  // that the forms are about
	Of                 string // the objection, if it is about one
	AskTo, DoTo, EndTo string // addresses of the forms
	Means              string // what goes away, and what stays
	Done               string // by whom and when
	Asked              string // by whom and when, not answered yet
	Why                string // the reason that was given
	Ask                *field // for the reason of a request
	Erase              bool   // the reader may approve
	End                bool   // the reader may take it back, or refuse
	Not                string // why the reader may not ask or approve
}

// erasure is nil for those who have no say, and for accounts that are open and about which nothing was asked.
func (c *Console) erasure(v *visit, u *engine.User) *erasureView {
	if !u.Disabled && u.Erasure == nil {
		return nil
	}
	if u.Erased() {
		c.Names.Forget("user/" + string(u.ID))
	}
	base := "/people/" + string(u.ID)
	return c.erasing(v, u.Erasure, func(step string) error { return c.Engine.MayErase(v.actor, *u, step) },
		erasureView{Version: u.Version, AskTo: base + "/erasure", DoTo: base + "/erase", EndTo: base + "/erasure-end", Means: v.t("console.erasure.means")})
}

// wordsErasure is nil for those who have no say, and for words that stand in entries.
func (c *Console) wordsErasure(v *visit, p *engine.Project, objection string) *erasureView {
	o := p.Objections[objection]
	if o.Sealed == "" {
		return nil
	}
	base := "/projects/" + string(p.ID) + "/do/"
	return c.erasing(v, o.Erasure, func(step string) error { return c.Engine.MayEraseWords(v.actor, p, objection, step) },
		erasureView{Version: p.Version, Of: objection, AskTo: base + "ask_erasure", DoTo: base + "erase", EndTo: base + "end_erasure", Means: v.t("console.erasure.words_mean")})
}

// erasing says how far an erasure is and what the reader may do about it.
func (c *Console) erasing(v *visit, e *engine.Erasure, may func(step string) error, view erasureView) *erasureView {
	if !v.holds([]engine.Role{engine.Admin, engine.Security}) && !e.Done() {
		return nil
	}
	switch {
	case e.Done():
		view.Why = e.Why
		view.Done = v.t("console.erasure.done", "asked", c.names.user(v, e.AskedBy), "by", c.names.user(v, e.DoneBy), "at", c.moment(*e.DoneAt))
	case e != nil:
		view.Why, view.Asked = e.Why, v.t("console.erasure.asked", "by", c.names.user(v, e.AskedBy), "at", c.moment(e.AskedAt))
		view.End = may("end_erasure") == nil
		if why := may("erase"); why == nil {
			view.Erase = true
		} else {
			view.Not = asError(why).In(v.lang)
		}
	default:
		if why := may("ask_erasure"); why == nil {
			view.Ask = &field{ID: "erasure-note" + view.Of, Name: "note", Kind: "area", Label: v.t("console.erasure.why"), Hint: v.t("console.erasure.why_hint"), Required: true}
		} else {
			view.Not = asError(why).In(v.lang)
		}
	}
	return &view
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
