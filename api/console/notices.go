package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"

	"bihuan/engine"
	"bihuan/engine/message"
)

// noticesView is the inbox.
type noticesView struct {
	Unread int
	Only   bool // shows what has not been read alone
	Rows   []noticeRow
	More   string
	First  string
	Empty  *emptyView
}

type noticeRow struct {
	ID, Kind, Class string
	Number, Title   string
	Href            string
	Text, At, Exact string
	Role            string
	Read            string // when, "" for not yet
}

// noticeClass grades the tone of a notice's mark.
var noticeClass = map[string]string{"urge": "y", "supervise": "r", "talk": "r", "overdue": "r", "bulletin": "y", "submit": "blue"}

func (c *Console) notices(v *visit) error {
	f := engine.NoticeFilter{Unread: v.g.Query("unread") != "", After: v.g.Query("after")}
	page, err := c.Engine.Inbox(v.ctx, v.actor, f)
	if err != nil {
		return err
	}
	view := noticesView{Only: f.Unread}
	if view.Unread, err = c.Engine.Unread(v.ctx, v.actor); err != nil {
		return err
	}
	for _, n := range page.Items {
		row := noticeRow{ID: n.ID, Kind: v.t("notify.say.kind." + n.Kind), Class: noticeClass[n.Kind], Text: n.Text, At: c.moment(n.DueAt), Exact: v.t("console.notices.told", "at", c.moment(n.CreatedAt)),
			Role: n.Role.In(v.lang), Read: c.moments(n.ReadAt)}
		if n.ProjectID != "" {
			p, err := c.Engine.Project(v.ctx, v.actor, n.ProjectID)
			switch {
			case engine.KindOf(err) == engine.NotFound: // the person has no part in it any more
			case err != nil:
				return err
			default:
				row.Number, row.Title, row.Href = p.Number, p.Title, "/projects/"+string(p.ID)
			}
		}
		view.Rows = append(view.Rows, row)
	}
	q := url.Values{}
	if f.Unread {
		q.Set("unread", "1")
	}
	if page.Next != "" {
		more := url.Values{"after": {page.Next}}
		if f.Unread {
			more.Set("unread", "1")
		}
		view.More = "/notices?" + more.Encode()
	}
	if f.After != "" {
		view.First = "/notices?" + q.Encode()
	}
	if len(view.Rows) == 0 {
		view.Empty = &emptyView{Title: v.t("console.notices.none"), Why: v.t("console.notices.none_why"), Href: "/todo", Do: v.t("console.nav.todo")}
	}
	return c.render(v, http.StatusOK, "notices", v.t("console.nav.notices"), view)
}

// readNotices marks notices as read: those named, or all.
func (c *Console) readNotices(v *visit) error {
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	if err := c.Engine.MarkRead(v.ctx, v.actor, v.g.Request.PostForm["id"]); err != nil {
		return err
	}
	v.redirect(local(v.g.Request.PostForm.Get("next"), "/notices"))
	return nil
}

// unread answers with the number of notices that have not been read, for the mark in the navigation.
func (c *Console) unread(v *visit) error {
	n, err := c.Engine.Unread(v.ctx, v.actor)
	if err != nil {
		return err
	}
	return c.fragment(v, http.StatusOK, "notices", "unread", n)
}

// mySettingsView is how I want to be told.
type mySettingsView struct {
	Form form
	Feed string // the address, shown once
	On   bool   // there is an address
}

func (c *Console) mySettings(v *visit) error {
	s, err := c.Engine.Store.Settings(v.ctx, v.actor.ID)
	if err != nil {
		return err
	}
	return c.showSettings(v, http.StatusOK, mySettingsView{Form: c.settingsForm(v, s), On: s.Feed != ""})
}

func (c *Console) showSettings(v *visit, status int, view mySettingsView) error {
	return c.render(v, status, "notice_settings", v.t("console.notices.settings"), view)
}

func (c *Console) settingsForm(v *visit, s engine.NotifySettings) form {
	f := form{ID: "settings", Action: "/notices/settings", Submit: v.t("console.save"), Version: s.Version}
	add := func(x field) {
		x.ID = "s-" + x.Name
		f.Fields = append(f.Fields, x)
	}
	pace := "digest"
	if s.AtOnce {
		pace = "at_once"
	}
	add(field{Name: "mail", Kind: "text", Label: v.t("console.settings.mail"), Hint: v.t("console.settings.mail_hint"), Value: s.Mail})
	add(field{Name: "pace", Kind: "select", Label: v.t("console.settings.pace"), Hint: v.t("console.settings.pace_hint"), Choices: []choice{
		{"digest", v.t("console.settings.digest"), pace == "digest"}, {"at_once", v.t("console.settings.at_once"), pace == "at_once"}}})
	add(field{Name: "quiet_from", Kind: "text", Label: v.t("console.settings.quiet_from"), Hint: v.t("console.settings.quiet_hint"), Value: s.QuietFrom})
	add(field{Name: "quiet_to", Kind: "text", Label: v.t("console.settings.quiet_to"), Value: s.QuietTo})
	add(field{Name: "language", Kind: "select", Label: v.t("console.settings.language"), Choices: []choice{
		{"", v.t("console.settings.site"), s.Language == ""}, {"zh-CN", "中文", s.Language == "zh-CN"}, {"en", "English", s.Language == "en"}}})
	leads := false
	for _, g := range v.actor.Grants {
		leads = leads || g.Role == engine.Leader
	}
	if leads {
		add(field{Name: "bulletin", Kind: "select", Label: v.t("console.settings.bulletin"), Choices: []choice{
			{"yes", v.t("console.settings.bulletin_yes"), !s.NoBulletin}, {"no", v.t("console.settings.bulletin_no"), s.NoBulletin}}})
	}
	return f
}

func (c *Console) saveMySettings(v *visit) error {
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	x := v.g.Request.PostForm
	base, err := strconv.ParseInt(x.Get("version"), 10, 64) // 0 of whoever never chose
	if err != nil {
		return invalid("version", "console.error.no_version")
	}
	s := engine.NotifySettings{ID: v.actor.ID, Version: base, Mail: x.Get("mail"), AtOnce: x.Get("pace") == "at_once", QuietFrom: strings.TrimSpace(x.Get("quiet_from")),
		QuietTo: strings.TrimSpace(x.Get("quiet_to")), Language: x.Get("language"), NoBulletin: x.Get("bulletin") == "no"}
	if _, err := c.Engine.SaveSettings(v.ctx, v.actor, s); err != nil {
		if kind := engine.KindOf(err); kind != engine.Invalid && kind != engine.Conflict {
			return err
		}
		f := c.settingsForm(v, s)
		f.keep(x)
		f.blame(v, asError(err))
		return c.showSettings(v, statuses[engine.KindOf(err)], mySettingsView{Form: f})
	}
	v.redirect("/notices/settings?done=settings")
	return nil
}

// changeFeed gives my calendar a new address, shown once, or ends it.
func (c *Console) changeFeed(v *visit) error {
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	switch v.g.Request.PostForm.Get("feed") {
	case "new":
	case "end":
		if err := c.Engine.EndFeed(v.ctx, v.actor); err != nil {
			return err
		}
		v.redirect("/notices/settings?done=feed_ended")
		return nil
	default:
		return invalid("feed", "field.empty")
	}
	token, err := c.Engine.NewFeed(v.ctx, v.actor)
	if err != nil {
		return err
	}
	s, err := c.Engine.Store.Settings(v.ctx, v.actor.ID)
	if err != nil {
		return err
	}
	base := strings.TrimSuffix(c.PublicURL, "/")
	if base == "" {
		scheme := "http"
		if v.g.Request.TLS != nil {
			scheme = "https"
		}
		base = scheme + "://" + v.g.Request.Host
	}
	return c.showSettings(v, http.StatusOK, mySettingsView{Form: c.settingsForm(v, s), On: true, Feed: base + "/feeds/" + token + "/deadlines.ics"})
}

// feedEvents bounds a calendar.
const feedEvents = 500

// feed is a person's deadlines as a calendar, for whoever has the address. It opens nothing else.
func (c *Console) feed(v *visit) error {
	actor, user, err := c.Engine.FeedOf(v.ctx, v.g.Param("token"))
	if err != nil {
		return err
	}
	s, err := c.Engine.Store.Settings(v.ctx, user.ID)
	if err != nil {
		return err
	}
	if v.lang = s.Language; v.lang == "" {
		v.lang = message.Languages[0]
	}
	cal := ics.NewCalendarFor("bihuan")
	cal.SetMethod(ics.MethodPublish)
	cal.SetXWRCalName(v.t("console.feed.name"))
	cal.SetXPublishedTTL("PT1H")
	n := 0
	for after := ""; n < feedEvents; {
		page, err := c.Engine.List(v.ctx, actor, engine.Filter{Owner: user.ID, Open: true, Sort: engine.ByDeadline, After: after, Limit: engine.MaxPage})
		if err != nil {
			return err
		}
		for i := range page.Items {
			if p := &page.Items[i]; !p.Deadline.IsZero() && n < feedEvents {
				c.feedEvent(v, cal, p)
				n++
			}
		}
		if after = page.Next; after == "" {
			break
		}
	}
	v.g.Header("Referrer-Policy", "no-referrer")
	v.g.Data(http.StatusOK, "text/calendar; charset=utf-8", []byte(cal.Serialize()))
	return nil
}

func (c *Console) feedEvent(v *visit, cal *ics.Calendar, p *engine.Project) {
	day := time.Date(p.Deadline.Year(), p.Deadline.Month(), p.Deadline.Day(), 0, 0, 0, 0, time.UTC)
	e := cal.AddEvent(string(p.ID) + "@bihuan")
	e.SetDtStampTime(p.UpdatedAt)
	e.SetLastModifiedAt(p.UpdatedAt)
	e.SetSequence(int(p.Version))
	e.SetAllDayStartAt(day)
	e.SetAllDayEndAt(day.AddDate(0, 0, 1))
	e.SetSummary(v.t("console.feed.deadline", "number", p.Number, "title", p.Title))
	if c.PublicURL != "" {
		e.SetURL(strings.TrimSuffix(c.PublicURL, "/") + "/projects/" + string(p.ID))
	}
}
