package v1

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"bihuan/api/request"
	"bihuan/engine"
)

// Notifier tries channels out; package notify implements it.
type Notifier interface {
	// Test sends a message over a channel and returns the receiver's answer as it came.
	Test(ctx context.Context, who engine.Actor, id engine.ChannelID, to, lang string) (answer string, err error)
}

// registerChannels adds the operations on the ways to reach people, and on what went over them.
func (h *handlers) registerChannels(api huma.API, op func(method, path, id, summary string) huma.Operation) {
	const get, post, put = http.MethodGet, http.MethodPost, http.MethodPut
	const one = "/channels/{id}"
	huma.Register(api, op(get, "/channels", "list-channels", "渠道 Ways to reach people, groups and programs"), h.channels)
	add := op(post, "/channels", "add-channel", "添加渠道 Add a channel")
	add.DefaultStatus = http.StatusCreated
	huma.Register(api, add, h.addChannel)
	huma.Register(api, op(get, one, "get-channel", "一个渠道 One channel"), h.channel)
	huma.Register(api, op(put, one, "edit-channel", "修改渠道 Change a channel"), h.editChannel)
	huma.Register(api, op(post, one+"/rotation", "rotate-channel", "更换密钥 Give a webhook a new key; the old one signs beside it"), h.rotateChannel)
	huma.Register(api, op(post, one+"/tests", "test-channel", "测试渠道 Send a test message, and see the receiver's answer"), h.testChannel)
	huma.Register(api, op(get, "/deliveries", "list-deliveries", "投递记录 Who was told what, through which channel, and whether it arrived"), h.deliveries)
	huma.Register(api, op(post, "/deliveries/replays", "replay-deliveries", "重新投递 Try dead deliveries again"), h.replayDeliveries)
}

// ChannelView is a way to reach people, groups or programs. What is secret about it never comes back.
type ChannelView struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind" enum:"mail,wecom,dingtalk,feishu,webhook"`
	Name      string    `json:"name"`
	Unit      Ref       `json:"unit" doc:"It serves this unit and everything under it."`
	Host      string    `json:"host" doc:"Where it leads, without what is secret."`
	From      string    `json:"from,omitempty" doc:"Sender of mails."`
	Kinds     []string  `json:"kinds" doc:"Kinds of reminders, to programs actions, that it is for; empty for all."`
	Hourly    bool      `json:"hourly" doc:"The newest checkpoint goes over it each hour: mail to the inspectors, else to the target."`
	Disabled  bool      `json:"disabled"`
	CreatedAt time.Time `json:"created_at"`
	Version   int64     `json:"version"`
}

// ChannelAnswer is the answer of every operation on one channel.
type ChannelAnswer struct {
	ETag     string `header:"ETag" doc:"The channel's version, for If-Match."`
	Location string `header:"Location" doc:"Of a new channel: its address."`
	Body     struct {
		ChannelView
		Key string `json:"key,omitempty" doc:"The signing key of a webhook, shown when it is new and never again."`
	} `nameHint:"OneChannel"`
}

// ChannelsAnswer is the list of channels.
type ChannelsAnswer struct {
	Body struct {
		Items []ChannelView `json:"items"`
	} `nameHint:"Channels"`
}

func (h *handlers) showChannel(ctx context.Context, c *engine.Channel) ChannelView {
	v := ChannelView{ID: string(c.ID), Kind: string(c.Kind), Name: c.Name, Unit: h.names.unit(ctx, c.UnitID), Host: c.Settings.Host, From: c.Settings.From,
		Kinds: c.Settings.Kinds, Hourly: c.Settings.Hourly, Disabled: c.Disabled, CreatedAt: c.CreatedAt, Version: c.Version}
	if v.Kinds == nil {
		v.Kinds = []string{}
	}
	return v
}

func (h *handlers) channelAnswer(ctx context.Context, c *engine.Channel, key string) *ChannelAnswer {
	out := &ChannelAnswer{ETag: etag(c.Version)}
	out.Body.ChannelView, out.Body.Key = h.showChannel(ctx, c), key
	return out
}

func (h *handlers) channels(ctx context.Context, _ *struct{}) (*ChannelsAnswer, error) {
	list, err := h.Engine.Channels(ctx, request.From(ctx).Actor)
	if err != nil {
		return nil, err
	}
	out := &ChannelsAnswer{}
	out.Body.Items = showAll(ctx, list, h.showChannel)
	return out, nil
}

// OneChannel is a request about one channel.
type OneChannel struct {
	ID string `path:"id" doc:"Id of the channel."`
}

func (h *handlers) channel(ctx context.Context, in *OneChannel) (*ChannelAnswer, error) {
	c, err := h.Engine.Channel(ctx, request.From(ctx).Actor, engine.ChannelID(in.ID))
	if err != nil {
		return nil, err
	}
	return h.channelAnswer(ctx, &c, ""), nil
}

// ChannelBody is what people say about a channel. What is secret and left empty stays as it is.
type ChannelBody struct {
	Name     string   `json:"name"`
	Unit     string   `json:"unit" doc:"Id or code."`
	From     string   `json:"from,omitempty" doc:"Mail: the sender." example:"闭环 <loop@example.edu.cn>"`
	Kinds    []string `json:"kinds,omitempty" maxItems:"100"`
	Hourly   bool     `json:"hourly,omitempty" doc:"Send the newest checkpoint over it each hour."`
	Disabled bool     `json:"disabled,omitempty"`
	URL      string   `json:"url,omitempty" doc:"Robots and webhooks: the address, with the key that the platform put into it."`
	Key      string   `json:"key,omitempty" doc:"钉钉, 飞书: the key of signatures. Webhooks: whsec_…; made if there is none."`
	Addr     string   `json:"addr,omitempty" doc:"Mail: host:port."`
	Security string   `json:"security,omitempty" enum:",starttls,tls" doc:"Mail: starttls if left out."`
	User     string   `json:"user,omitempty"`
	Password string   `json:"password,omitempty"`
}

func (b *ChannelBody) secret() engine.ChannelSecret {
	return engine.ChannelSecret{URL: b.URL, Key: b.Key, Addr: b.Addr, Security: b.Security, User: b.User, Password: b.Password}
}

// save carries out a change of a channel.
func (h *handlers) saveChannel(ctx context.Context, c engine.Channel, b *ChannelBody, rotate bool) (*ChannelAnswer, error) {
	who := request.From(ctx).Actor
	unit, err := h.unit(ctx, who, "unit", b.Unit)
	if err != nil {
		return nil, err
	}
	c.Name, c.UnitID, c.Disabled = b.Name, unit.ID, b.Disabled
	c.Settings = engine.ChannelSettings{From: b.From, Kinds: b.Kinds, Hourly: b.Hourly}
	fresh := c.ID == "" || rotate
	c, secret, err := h.Engine.SaveChannel(ctx, who, c, b.secret(), rotate)
	if err != nil {
		return nil, err
	}
	key := ""
	if fresh && c.Kind == engine.Webhook {
		key = secret.Key
	}
	return h.channelAnswer(ctx, &c, key), nil
}

// AddChannel is the request for a new channel.
type AddChannel struct {
	Body struct {
		Kind string `json:"kind" enum:"mail,wecom,dingtalk,feishu,webhook"`
		ChannelBody
	} `nameHint:"NewChannel"`
}

func (h *handlers) addChannel(ctx context.Context, in *AddChannel) (*ChannelAnswer, error) {
	out, err := h.saveChannel(ctx, engine.Channel{Kind: engine.ChannelKind(in.Body.Kind)}, &in.Body.ChannelBody, false)
	if err == nil {
		out.Location = prefix + "/channels/" + out.Body.ID
	}
	return out, err
}

// ChannelChange is what every request that changes a channel carries.
type ChannelChange struct {
	OneChannel
	IfMatch string `header:"If-Match" doc:"The version that the change is based on, as ETag gave it, in quotes." example:"\"1\""`
}

// on returns the channel on the version that the caller saw.
func (h *handlers) on(ctx context.Context, in *ChannelChange) (engine.Channel, error) {
	base, err := ifMatch(in.IfMatch)
	if err != nil {
		return engine.Channel{}, err
	}
	c, err := h.Engine.Channel(ctx, request.From(ctx).Actor, engine.ChannelID(in.ID))
	c.Version = base
	return c, err
}

// EditChannel is the request that changes a channel.
type EditChannel struct {
	ChannelChange
	Body ChannelBody
}

func (h *handlers) editChannel(ctx context.Context, in *EditChannel) (*ChannelAnswer, error) {
	c, err := h.on(ctx, &in.ChannelChange)
	if err != nil {
		return nil, err
	}
	return h.saveChannel(ctx, c, &in.Body, false)
}

func (h *handlers) rotateChannel(ctx context.Context, in *ChannelChange) (*ChannelAnswer, error) {
	c, err := h.on(ctx, in)
	if err != nil {
		return nil, err
	}
	if c.Kind != engine.Webhook {
		return nil, &engine.Error{Kind: engine.Blocked, Key: "channel.no_rotation"}
	}
	return h.saveChannel(ctx, c, &ChannelBody{Name: c.Name, Unit: string(c.UnitID), Kinds: c.Settings.Kinds, Hourly: c.Settings.Hourly, Disabled: c.Disabled}, true)
}

// TestChannel is the request that tries a channel out.
type TestChannel struct {
	OneChannel
	Body struct {
		To string `json:"to,omitempty" doc:"Mail: the address that gets the test."`
	} `nameHint:"ChannelTest"`
}

// TestAnswer is what the receiver said.
type TestAnswer struct {
	Body struct {
		OK     bool   `json:"ok"`
		Answer string `json:"answer" doc:"As it came."`
		Why    string `json:"why,omitempty" doc:"Why it did not arrive."`
	} `nameHint:"ChannelTestResult"`
}

func (h *handlers) testChannel(ctx context.Context, in *TestChannel) (*TestAnswer, error) {
	info := request.From(ctx)
	if h.Notifier == nil {
		return nil, &engine.Error{Kind: engine.NotFound, Key: "channel.unknown"}
	}
	out := &TestAnswer{}
	answer, err := h.Notifier.Test(ctx, info.Actor, engine.ChannelID(in.ID), in.Body.To, info.Lang)
	if e, ok := errors.AsType[*engine.Error](err); ok && e.Key == "channel.test_failed" {
		out.Body.Why, err = e.In(info.Lang), nil
	}
	out.Body.OK, out.Body.Answer = err == nil && out.Body.Why == "", answer
	return out, err
}
