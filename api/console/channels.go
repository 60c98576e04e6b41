package console

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"bihuan/engine"
	"bihuan/engine/notify"
)

// Notifier tries channels out and shows messages as they would go out; package notify implements it.
type Notifier interface {
	// Test sends a message over a channel and returns the receiver's answer as it came.
	Test(ctx context.Context, who engine.Actor, id engine.ChannelID, to, lang string) (answer string, err error)
	// Preview composes a message about a project, with some sentences, by key, in other words.
	Preview(ctx context.Context, lang string, own map[string]string, kind string, p engine.Project) (subject, text string, err error)
}

// channelsView lists the ways to reach people.
type channelsView struct {
	Rows  []channelRow
	Kinds []choice
	NoKey string // why none can be stored
}

type channelRow struct {
	ID, Name, Kind, Unit, Host, For string
	Off                             bool
}

// channelView is one of them, or a new one.
type channelView struct {
	Title string
	Form  form
	Test  *channelTest // nil for one that has not been stored
	Key   string       // of a webhook, shown once
}

type channelTest struct {
	ID     string
	Mail   bool // it needs an address
	To     string
	Answer string // as it came
	Error  string
}

func (v *visit) channelKind(k engine.ChannelKind) string {
	return v.t("console.channel.kind." + string(k))
}

func (c *Console) channels(v *visit) error {
	list, err := c.Engine.Channels(v.ctx, v.actor)
	if err != nil {
		return err
	}
	view := channelsView{}
	if c.Engine.Secrets == nil {
		view.NoKey = v.t("channel.no_key")
	}
	for _, x := range list {
		row := channelRow{ID: string(x.ID), Name: x.Name, Kind: v.channelKind(x.Kind), Unit: c.names.unit(v, x.UnitID), Host: x.Settings.Host, Off: x.Disabled,
			For: v.t("console.channel.everything")}
		if len(x.Settings.Kinds) > 0 {
			var kinds []string
			for _, k := range x.Settings.Kinds {
				if x.Kind == engine.Webhook {
					kinds = append(kinds, v.actionName(k))
				} else {
					kinds = append(kinds, v.t("notify.say.kind."+k))
				}
			}
			row.For = strings.Join(kinds, v.t("list.comma"))
		}
		view.Rows = append(view.Rows, row)
	}
	for _, k := range engine.ChannelKinds {
		view.Kinds = append(view.Kinds, choice{Value: string(k), Text: v.channelKind(k)})
	}
	return c.render(v, http.StatusOK, "channels", v.t("console.nav.channels"), view)
}

// channelForm asks for what the kind needs. What is secret is never shown again: left empty it stays as it is.
func (c *Console) channelForm(v *visit, x engine.Channel) (form, error) {
	f := form{ID: "channel", Action: "/channels", Submit: v.t("console.save"), Version: x.Version, Hidden: []field{{Name: "kind", Value: string(x.Kind)}}}
	known := x.ID != ""
	if known {
		f.Action += "/" + string(x.ID)
	}
	add := func(x field) {
		x.ID = "c-" + x.Name
		f.Fields = append(f.Fields, x)
	}
	secretHint := ""
	if known {
		secretHint = v.t("console.channel.kept")
	}
	add(field{Name: "name", Kind: "text", Label: v.t("console.channel.name"), Value: x.Name, Required: true})
	all, err := c.unitChoices(v, x.UnitID)
	if err != nil {
		return f, err
	}
	add(field{Name: "unit", Kind: "select", Label: v.t("console.channel.unit"), Hint: v.t("console.channel.unit_hint"), Choices: all, Required: true})
	if x.Kind == engine.Mail {
		add(field{Name: "addr", Kind: "text", Label: v.t("console.channel.addr"), Hint: v.t("console.channel.addr_hint") + secretHint, Required: !known})
		add(field{Name: "security", Kind: "select", Label: v.t("console.channel.security"), Choices: []choice{
			{"", v.t("console.channel.unchanged"), known}, {"starttls", "STARTTLS", !known}, {"tls", "TLS", false}}})
		add(field{Name: "from", Kind: "text", Label: v.t("console.channel.from"), Value: x.Settings.From, Required: true})
		add(field{Name: "user", Kind: "text", Label: v.t("console.channel.user"), Hint: secretHint})
		add(field{Name: "password", Kind: "password", Autocomplete: "new-password", Label: v.t("console.channel.password"), Hint: secretHint})
	} else {
		add(field{Name: "url", Kind: "text", Label: v.t("console.channel.url"), Hint: v.t("console.channel.url_hint") + secretHint, Required: !known})
	}
	switch x.Kind {
	case engine.DingTalk, engine.Feishu:
		add(field{Name: "key", Kind: "password", Autocomplete: "new-password", Label: v.t("console.channel.key"), Hint: v.t("console.channel.key_hint") + secretHint})
	case engine.Webhook:
		if known {
			add(field{Name: "rotate", Kind: "select", Label: v.t("console.channel.rotate"), Hint: v.t("console.channel.rotate_hint"), Choices: []choice{
				{"", v.t("console.channel.unchanged"), true}, {"yes", v.t("console.channel.rotate_now"), false}}})
		}
	}
	if x.Kind != engine.Mail {
		var kinds []choice
		if x.Kind == engine.Webhook {
			for _, a := range actions {
				kinds = append(kinds, choice{a, v.actionName(a), contains(x.Settings.Kinds, a)})
			}
		} else {
			for _, k := range notify.Kinds {
				kinds = append(kinds, choice{k, v.t("notify.say.kind." + k), contains(x.Settings.Kinds, k)})
			}
		}
		add(field{Name: "kinds", Kind: "people", Label: v.t("console.channel.for"), Hint: v.t("console.channel.for_hint"), Choices: kinds})
	}
	hint := "console.channel.hourly_target"
	if x.Kind == engine.Mail {
		hint = "console.channel.hourly_mail"
	}
	add(field{Name: "hourly", Kind: "select", Label: v.t("console.channel.hourly"), Hint: v.t(hint), Choices: []choice{
		{"", v.t("console.channel.hourly_no"), !x.Settings.Hourly}, {"yes", v.t("console.channel.hourly_yes"), x.Settings.Hourly}}})
	if known {
		add(field{Name: "state", Kind: "select", Label: v.t("console.channel.state"), Choices: []choice{
			{"on", v.t("console.channel.on"), !x.Disabled}, {"off", v.t("console.channel.off"), x.Disabled}}})
	}
	return f, nil
}

func (c *Console) newChannel(v *visit) error {
	kind := engine.ChannelKind(v.g.Query("kind"))
	if !kind.Known() {
		return &engine.Error{Kind: engine.NotFound, Key: "channel.unknown"}
	}
	if _, err := c.Engine.Channels(v.ctx, v.actor); err != nil { // administrators alone
		return err
	}
	f, err := c.channelForm(v, engine.Channel{Kind: kind})
	if err != nil {
		return err
	}
	return c.showChannel(v, http.StatusOK, channelView{Title: v.t("console.channel.new", "kind", v.channelKind(kind)), Form: f})
}

func (c *Console) showChannel(v *visit, status int, view channelView) error {
	return c.render(v, status, "channel", view.Title, view)
}

func (c *Console) channel(v *visit) error {
	x, err := c.Engine.Channel(v.ctx, v.actor, engine.ChannelID(v.g.Param("id")))
	if err != nil {
		return err
	}
	f, err := c.channelForm(v, x)
	if err != nil {
		return err
	}
	return c.showChannel(v, http.StatusOK, channelView{Title: x.Name, Form: f, Test: &channelTest{ID: string(x.ID), Mail: x.Kind == engine.Mail}})
}

// saveChannel adds a channel or changes one.
func (c *Console) saveChannel(v *visit) error {
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	q := v.g.Request.PostForm
	base, err := version(q)
	if err != nil && v.g.Param("id") != "" {
		return err
	}
	x := engine.Channel{ID: engine.ChannelID(v.g.Param("id")), Kind: engine.ChannelKind(q.Get("kind")), Name: q.Get("name"), UnitID: engine.UnitID(q.Get("unit")),
		Disabled: q.Get("state") == "off", Version: base, Settings: engine.ChannelSettings{From: q.Get("from"), Kinds: q["kinds"], Hourly: q.Get("hourly") == "yes"}}
	s := engine.ChannelSecret{URL: strings.TrimSpace(q.Get("url")), Key: strings.TrimSpace(q.Get("key")), Addr: strings.TrimSpace(q.Get("addr")), Security: q.Get("security"),
		User: q.Get("user"), Password: q.Get("password")}
	saved, secret, err := c.Engine.SaveChannel(v.ctx, v.actor, x, s, q.Get("rotate") == "yes")
	if err != nil {
		return c.unsavedChannel(v, x, q, err)
	}
	if saved.Kind == engine.Webhook && (x.ID == "" || q.Get("rotate") == "yes") { // the only time that the key is seen
		f, err := c.channelForm(v, saved)
		if err != nil {
			return err
		}
		return c.showChannel(v, http.StatusOK, channelView{Title: saved.Name, Form: f, Key: secret.Key, Test: &channelTest{ID: string(saved.ID)}})
	}
	v.redirect("/channels/" + string(saved.ID) + "?done=channel")
	return nil
}

// unsavedChannel shows the form again with what was typed, but for what is secret.
func (c *Console) unsavedChannel(v *visit, x engine.Channel, q url.Values, err error) error {
	kind := engine.KindOf(err)
	if kind != engine.Invalid && kind != engine.Conflict && kind != engine.Blocked || !x.Kind.Known() {
		return err
	}
	f, formErr := c.channelForm(v, x)
	if formErr != nil {
		return formErr
	}
	for _, name := range []string{"password", "key"} {
		q.Del(name)
	}
	f.keep(q)
	f.blame(v, asError(err))
	title := x.Name
	if x.ID == "" {
		title = v.t("console.channel.new", "kind", v.channelKind(x.Kind))
	}
	return c.showChannel(v, statuses[kind], channelView{Title: title, Form: f})
}

// testChannel sends a message and shows the whole answer.
func (c *Console) testChannel(v *visit) error {
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	x, err := c.Engine.Channel(v.ctx, v.actor, engine.ChannelID(v.g.Param("id")))
	if err != nil {
		return err
	}
	f, err := c.channelForm(v, x)
	if err != nil {
		return err
	}
	test := &channelTest{ID: string(x.ID), Mail: x.Kind == engine.Mail, To: v.g.Request.PostForm.Get("to")}
	test.Answer, err = c.Notifier.Test(v.ctx, v.actor, x.ID, test.To, v.lang)
	status := http.StatusOK
	if err != nil {
		if engine.KindOf(err) != engine.Blocked {
			return err
		}
		status, test.Error = http.StatusConflict, asError(err).In(v.lang)
	}
	return c.showChannel(v, status, channelView{Title: x.Name, Form: f, Test: test})
}
