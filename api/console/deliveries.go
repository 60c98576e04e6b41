package console

import (
	"net/http"
	"net/url"
	"slices"

	"bihuan/engine"
)

// deliveriesView is who was told what, when, through which channel, and whether it arrived.
type deliveriesView struct {
	States   []choice
	Channels []choice
	People   []choice
	From, To string
	Project  string
	Archive  bool // shows what was archived
	Rows     []deliveryRow
	Dead     int  // on this page
	Replay   bool // the reader may replay
	More     string
	First    string
	Clear    string
	Empty    *emptyView
}

type deliveryRow struct {
	ID, At, Exact, Channel, To string
	State, Class, When, Answer string
	Attempts                   int
	Dead                       bool
	Items                      []deliveredItem
}

type deliveredItem struct{ Kind, Number, Title, Href string }

var deliveryClass = map[string]string{engine.DeliverySent: "g", engine.DeliveryDead: "r", engine.DeliveryWaiting: "y"}

func (c *Console) deliveries(v *visit) error {
	q := v.g.Request.URL.Query()
	f := engine.DeliveryFilter{Channel: engine.ChannelID(q.Get("channel")), User: engine.UserID(q.Get("user")), Archive: q.Get("archive") != "", After: q.Get("after")}
	if s := q.Get("state"); deliveryClass[s] != "" {
		f.State = s
	}
	from, err := date(q, "from")
	if err != nil {
		return err
	}
	to, err := date(q, "to")
	if err != nil {
		return err
	}
	loc := c.Engine.Site.Location
	if !from.IsZero() {
		f.From = from.Start(loc)
	}
	if !to.IsZero() {
		f.To = to.AddDays(1).Start(loc)
	}
	view := deliveriesView{From: from.String(), To: to.String(), Project: q.Get("project"), Archive: f.Archive}
	if view.Project != "" {
		f.Project = "none"
		page, err := c.Engine.List(v.ctx, v.actor, engine.Filter{Text: view.Project, Limit: 2})
		if err != nil {
			return err
		}
		for _, p := range page.Items {
			if p.Number == view.Project || len(page.Items) == 1 {
				f.Project = p.ID
			}
		}
	}
	page, err := c.Engine.Deliveries(v.ctx, v.actor, f)
	if err != nil {
		return err
	}
	all, err := c.Engine.Store.Channels(v.ctx)
	if err != nil {
		return err
	}
	channels := map[engine.ChannelID]engine.Channel{}
	for _, x := range all {
		channels[x.ID] = x
		if v.scopedUnit(c, x.UnitID) {
			view.Channels = append(view.Channels, choice{string(x.ID), x.Name, x.ID == f.Channel})
		}
	}
	for _, s := range []string{engine.DeliveryWaiting, engine.DeliverySent, engine.DeliveryDead} {
		view.States = append(view.States, choice{s, v.t("console.delivery." + s), s == f.State})
	}
	if view.People, err = c.peopleChoices(v, f.User); err != nil {
		return err
	}
	view.Replay = !f.Archive && slices.ContainsFunc(v.actor.Grants, func(g engine.Grant) bool { return g.Role == engine.Admin })
	for i := range page.Items {
		row, err := c.deliveryRow(v, &page.Items[i], channels)
		if err != nil {
			return err
		}
		if row.Dead {
			view.Dead++
		}
		view.Rows = append(view.Rows, row)
	}
	kept := url.Values{}
	for _, name := range []string{"state", "channel", "user", "project", "from", "to", "archive"} {
		if s := q.Get(name); s != "" {
			kept.Set(name, s)
		}
	}
	if len(kept) > 0 {
		view.Clear = "/deliveries"
	}
	if f.After != "" {
		view.First = "/deliveries?" + kept.Encode()
	}
	if page.Next != "" {
		kept.Set("after", page.Next)
		view.More = "/deliveries?" + kept.Encode()
	}
	if len(view.Rows) == 0 {
		view.Empty = &emptyView{Title: v.t("console.deliveries.none"), Why: v.t("console.deliveries.none_why"), Href: view.Clear, Do: v.t("console.ledger.clear")}
	}
	return c.render(v, http.StatusOK, "deliveries", v.t("console.nav.deliveries"), view)
}

// scopedUnit reports whether a unit lies within what the person reads.
func (v *visit) scopedUnit(c *Console, id engine.UnitID) bool {
	u, err := c.Reader.Unit(v.ctx, string(id))
	return err == nil && v.scoped(u.Path)
}

func (c *Console) deliveryRow(v *visit, d *engine.Delivery, channels map[engine.ChannelID]engine.Channel) (deliveryRow, error) {
	x := channels[d.ChannelID]
	row := deliveryRow{ID: d.ID, At: c.moment(d.CreatedAt), Channel: x.Name + " · " + v.channelKind(x.Kind), To: c.names.user(v, d.UserID), State: v.t("console.delivery." + d.State),
		Class: deliveryClass[d.State], Answer: d.Answer, Attempts: d.Attempts, Dead: d.State == engine.DeliveryDead}
	if row.To == "" {
		row.To = x.Settings.Host
	}
	row.When = c.moment(d.NextAt)
	if d.FinishedAt != nil {
		row.When = c.moment(*d.FinishedAt)
	}
	told, err := c.Engine.Told(v.ctx, v.actor, d)
	for i := range told {
		item := deliveredItem{Kind: v.t("notify.say.kind." + told[i].Kind)}
		if d.About == engine.AboutEntry {
			item.Kind = v.actionName(told[i].Kind)
		}
		if p := &told[i].Project; p.ID != "" {
			item.Number, item.Title, item.Href = p.Number, p.Title, "/projects/"+string(p.ID)
		}
		row.Items = append(row.Items, item)
	}
	return row, err
}

// replay puts dead deliveries back into the queue.
func (c *Console) replay(v *visit) error {
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	if err := c.Engine.Replay(v.ctx, v.actor, v.g.Request.PostForm["id"]); err != nil {
		return err
	}
	v.redirect("/deliveries?done=replay")
	return nil
}
