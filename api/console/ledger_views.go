package console

import (
	"context"
	"net/http"
	"net/url"

	"bihuan/engine"
)

// Views keeps the ledger views that people save for themselves; storage implements it. They are preferences: no rule
// reads them and no entry tells of them.
type Views interface {
	// Views returns the views of a person, oldest first.
	Views(ctx context.Context, user engine.UserID) ([]engine.SavedView, error)
	// SaveView stores a view in place of one of the same name; an *engine.Error of kind Invalid says that there are too many.
	SaveView(ctx context.Context, v engine.SavedView) error
	// RemoveView forgets a view; one that is not there is no error.
	RemoveView(ctx context.Context, user engine.UserID, name string) error
}

// viewTab is a view of the ledger.
type viewTab struct {
	Href, Title string
	Count       string // "" where it is not known yet
	Current     bool
	Own         bool // saved by the person
}

// viewTabs are the standing views, then the person's own; counts is nil while the numbers are not known.
func (c *Console) viewTabs(v *visit, f ledgerFilter, counts map[string]int) ([]viewTab, error) {
	var own []engine.SavedView
	if c.Views != nil {
		var err error
		if own, err = c.Views.Views(v.ctx, v.user.ID); err != nil {
			return nil, err
		}
	}
	var out []viewTab
	here, found := f.query.Encode(), false
	for _, s := range own {
		current := s.Query == here
		found = found || current
		out = append(out, viewTab{Href: address("/ledger", s.Query), Title: s.Name, Current: current, Own: true})
	}
	var standing []viewTab
	for _, name := range views {
		tab := viewTab{Href: f.address("/ledger", "view", name, "sort", ""), Title: v.t("console.view." + name), Current: f.view == name && !found}
		if name == "open" {
			tab.Href = f.address("/ledger", "view", "", "sort", "")
		}
		if n, ok := counts[name]; ok {
			tab.Count = v.t("console.number", "n", n)
		}
		standing = append(standing, tab)
	}
	return append(standing, out...), nil
}

func address(path, query string) string {
	if query == "" {
		return path
	}
	return path + "?" + query
}

// ledgerCounts answers with the tabs and their numbers. It is fetched after the page, because counting a large
// ledger takes longer than showing a part of it.
func (c *Console) ledgerCounts(v *visit) error {
	f, err := c.ledgerFilter(v, v.g.Request.URL.Query())
	if err != nil {
		return err
	}
	plain, err := c.throughNoView(v, f)
	if err != nil {
		return err
	}
	count := func(change func(*engine.Filter)) (engine.Counts, error) {
		x := plain
		change(&x)
		return c.Engine.Counts(v.ctx, v.actor, x)
	}
	n, err := count(func(*engine.Filter) {})
	if err != nil {
		return err
	}
	waiting, err := count(func(x *engine.Filter) { x.Waiting = v.roles() })
	if err != nil {
		return err
	}
	list, err := count(func(x *engine.Filter) {
		if x.Kept = true; x.List == "" {
			x.List = periodOf(c.today()).Number
		}
	})
	if err != nil {
		return err
	}
	closed := n.ByStage[engine.Closed]
	if f.query.Has("stage") {
		closed = n.Total // the address says which stages
	}
	alarm := n.ByLight[engine.Red] + n.ByLight[engine.Orange] + n.ByLight[engine.Yellow]
	if f.query.Has("light") {
		alarm = n.Total - n.ByStage[engine.Closed] - n.ByStage[engine.Cancelled]
	}
	tabs, err := c.viewTabs(v, f, map[string]int{"all": n.Total, "open": n.Total - n.ByStage[engine.Closed] - n.ByStage[engine.Cancelled],
		"alarm": alarm, "closed": closed, "waiting": waiting.Total, "list": list.Total})
	if err != nil {
		return err
	}
	return c.fragment(v, http.StatusOK, "ledger", "views", ledgerView{Views: tabs})
}

// saveView keeps the filters of an address under a name.
func (c *Console) saveView(v *visit) error {
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	x := v.g.Request.PostForm
	q, err := url.ParseQuery(x.Get("query"))
	if err != nil {
		return invalid("query", "console.ledger.bad_filter")
	}
	f, err := c.ledgerFilter(v, q)
	if err != nil {
		return err
	}
	view, err := engine.NewView(v.user.ID, x.Get("name"), f.query.Encode(), c.Now())
	if err == nil && c.Views == nil {
		err = notFound()
	}
	if err == nil {
		err = c.Views.SaveView(v.ctx, view)
	}
	if engine.KindOf(err) == engine.Invalid {
		return c.showLedger(v, f, http.StatusUnprocessableEntity, &saveForm{Name: x.Get("name"), Error: asError(err).In(v.lang)})
	}
	if err != nil {
		return err
	}
	v.redirect(f.address("/ledger", "done", "view_saved"))
	return nil
}

// removeView forgets a view of the person.
func (c *Console) removeView(v *visit) error {
	if c.Views == nil {
		return notFound()
	}
	if err := c.Views.RemoveView(v.ctx, v.user.ID, v.g.PostForm("name")); err != nil {
		return err
	}
	v.redirect("/ledger?done=view_removed")
	return nil
}
