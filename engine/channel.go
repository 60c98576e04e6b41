package engine

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/mail"
	"net/url"
	"slices"
	"strings"

	"bihuan/engine/message"
	"bihuan/engine/secret"
)

// Limits of channels.
const (
	maxChannelName = 60
	maxTarget      = 1000
	minWebhookKey  = 24 // bytes, as Standard Webhooks asks for
	maxWebhookKey  = 64
	maxReplay      = 500
)

// webhookKeyPrefix marks a webhook's key, as Standard Webhooks 1.0 writes it.
const webhookKeyPrefix = "whsec_"

// Channels lists the channels at units where the actor is administrator.
func (e *Engine) Channels(ctx context.Context, who Actor) ([]Channel, error) {
	if err := only(who, Admin); err != nil {
		return nil, err
	}
	all, err := e.Store.Channels(ctx)
	if err != nil {
		return nil, err
	}
	units, err := e.unitPaths(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(c Channel) bool { return !who.oversees(units[c.UnitID]) }), nil
}

// oversees reports whether the actor is administrator at the unit with the path.
func (a Actor) oversees(path string) bool {
	_, ok := a.Has(Admin, path)
	return ok || a.system
}

func (e *Engine) unitPaths(ctx context.Context) (map[UnitID]string, error) {
	units, err := e.Store.Units(ctx)
	out := make(map[UnitID]string, len(units))
	for _, u := range units {
		out[u.ID] = u.Path
	}
	return out, err
}

// Channel returns a channel that the actor administers; any other is as absent as one that does not exist.
func (e *Engine) Channel(ctx context.Context, who Actor, id ChannelID) (Channel, error) {
	list, err := e.Channels(ctx, who)
	if err != nil && KindOf(err) != Denied {
		return Channel{}, err
	}
	for _, c := range list {
		if c.ID == id {
			return c, nil
		}
	}
	return Channel{}, notFound("channel.unknown")
}

// SaveChannel adds a channel (c.ID "") or changes one, on the version c.Version that the caller saw. What of the
// secret is empty stays as it is. A webhook without a key gets one; rotate gives it a new key, and the old one signs
// beside it until the next rotation or until it is changed. The secret comes back as it is stored.
func (e *Engine) SaveChannel(ctx context.Context, who Actor, c Channel, s ChannelSecret, rotate bool) (Channel, ChannelSecret, error) {
	none := ChannelSecret{}
	var old Channel
	if c.ID != "" {
		var err error
		if old, err = e.Channel(ctx, who, c.ID); err != nil {
			return c, none, err
		}
	}
	if err := e.requires(ctx, who, Admin, "channel"); err != nil {
		return c, none, err
	}
	unit, err := e.Unit(ctx, string(c.UnitID))
	if err != nil {
		return c, none, err
	}
	if err := e.administers(ctx, who, "channel", unit.Path, unit); err != nil {
		return c, none, err
	}
	c.UnitID = unit.ID
	var before any
	action := "add_channel"
	now := e.now()
	if c.ID == "" {
		c.ID, c.CreatedAt, c.Version = ChannelID(e.NewID()), now, 0
	} else {
		if old.Version != c.Version {
			return c, none, &Error{Kind: Conflict, Key: "record.conflict"}
		}
		known, err := e.OpenChannel(&old)
		if err != nil {
			return c, none, err
		}
		s = s.over(known)
		c.Kind, c.CreatedAt = old.Kind, old.CreatedAt
		before, action = old, "change_channel"
	}
	if rotate && c.Kind == Webhook {
		s.OldKey, s.Key = s.Key, ""
	}
	if err := c.check(&s); err != nil {
		return c, none, err
	}
	c.Version++
	if c.Sealed, err = e.sealChannel(c.ID, s); err != nil {
		return c, none, err
	}
	err = e.record(ctx, who, SubjectChannel+"/"+string(c.ID), action, before, func(r *Record) (any, map[string]any) {
		r.Channel, r.Entry.Unit = &c, string(unit.ID)
		return c, nil
	})
	return c, s, conflict(err)
}

// over fills what is empty from the old secret.
func (s ChannelSecret) over(old ChannelSecret) ChannelSecret {
	for _, x := range []struct{ now, was *string }{
		{&s.URL, &old.URL}, {&s.Key, &old.Key}, {&s.OldKey, &old.OldKey}, {&s.Addr, &old.Addr},
		{&s.Security, &old.Security}, {&s.User, &old.User}, {&s.Password, &old.Password},
	} {
		if *x.now == "" {
			*x.now = *x.was
		}
	}
	return s
}

// check validates a channel and completes what follows from its secret.
func (c *Channel) check(s *ChannelSecret) error {
	var err error
	if c.Name, err = text("name", c.Name, maxChannelName); err != nil {
		return err
	}
	if c.Name == "" {
		return invalid("name", "field.empty")
	}
	if !c.Kind.Known() {
		return invalid("kind", "channel.kind", "kind", string(c.Kind))
	}
	if c.Kind == Mail {
		return c.checkMail(s)
	}
	c.Settings.From = ""
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || len(s.URL) > maxTarget || strings.ContainsAny(s.URL, "\r\n\t ") {
		return invalid("url", "channel.url")
	}
	c.Settings.Host = u.Host
	if c.Kind != Webhook {
		return nil
	}
	if s.Key == "" {
		s.Key = webhookKeyPrefix + secret.NewKey()
	}
	for field, key := range map[string]string{"key": s.Key, "old_key": s.OldKey} {
		if key == "" {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(key, webhookKeyPrefix))
		if err != nil || len(raw) < minWebhookKey || len(raw) > maxWebhookKey {
			return invalid(field, "channel.webhook_key", "least", minWebhookKey, "most", maxWebhookKey)
		}
	}
	return nil
}

func (c *Channel) checkMail(s *ChannelSecret) error {
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil || host == "" || port == "" || len(s.Addr) > maxTarget {
		return invalid("addr", "channel.addr")
	}
	if s.Security == "" {
		s.Security = "starttls"
	}
	if s.Security != "starttls" && s.Security != "tls" {
		return invalid("security", "channel.security")
	}
	from, err := mail.ParseAddress(c.Settings.From)
	if err != nil {
		return invalid("from", "channel.from")
	}
	c.Settings.From = from.String()
	c.Settings.Host, c.Settings.Kinds = host, nil
	return nil
}

func (e *Engine) sealChannel(id ChannelID, s ChannelSecret) ([]byte, error) {
	if e.Secrets == nil {
		return nil, &Error{Kind: Blocked, Key: "channel.no_key"}
	}
	b, err := json.Marshal(s) //nolint:gosec // it is sealed before anybody sees it
	if err != nil {
		return nil, err
	}
	return e.Secrets.Seal(SubjectChannel+"/"+string(id), b), nil
}

// OpenChannel returns what is sealed of a channel.
func (e *Engine) OpenChannel(c *Channel) (ChannelSecret, error) {
	var s ChannelSecret
	if e.Secrets == nil {
		return s, &Error{Kind: Blocked, Key: "channel.no_key"}
	}
	b, err := e.Secrets.Open(SubjectChannel+"/"+string(c.ID), c.Sealed)
	if err != nil {
		return s, &Error{Kind: Blocked, Key: "channel.other_key", Args: message.Args("name", c.Name), Err: err}
	}
	return s, json.Unmarshal(b, &s)
}

// Replay puts deliveries that were given up back into the queue; it is an act with an entry.
func (e *Engine) Replay(ctx context.Context, who Actor, ids []string) error {
	if err := e.requires(ctx, who, Admin, "replay"); err != nil {
		return err
	}
	if len(ids) == 0 || len(ids) > maxReplay {
		return invalid("id", "delivery.choose", "limit", maxReplay)
	}
	units, err := e.unitPaths(ctx)
	if err != nil {
		return err
	}
	byUnit := map[UnitID][]string{}
	for _, id := range ids {
		d, err := e.Store.Delivery(ctx, id)
		if errors.Is(err, ErrNotFound) || err == nil && !who.oversees(units[d.UnitID]) {
			return notFound("delivery.unknown")
		}
		if err != nil {
			return err
		}
		if d.State != DeliveryDead {
			return blocked("delivery.not_dead")
		}
		byUnit[d.UnitID] = append(byUnit[d.UnitID], id)
	}
	for unit, list := range byUnit {
		err := e.record(ctx, who, SubjectDelivery+"/"+list[0], "replay", nil, func(r *Record) (any, map[string]any) {
			r.Replay, r.Entry.Unit = list, string(unit)
			return nil, map[string]any{"deliveries": list}
		})
		if errors.Is(err, ErrConflict) {
			return blocked("delivery.not_dead")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Told is one thing that a delivery told.
type Told struct {
	Kind    string  // of the reminder; to a program, the action of the entry
	Project Project // the zero value for what is about none, or none that the reader sees
}

// Told lists what a delivery of the log told, in the order in which it was owed.
func (e *Engine) Told(ctx context.Context, who Actor, d *Delivery) ([]Told, error) {
	var out []Told
	add := func(kind string, id ProjectID) error {
		t := Told{Kind: kind}
		if id != "" {
			p, err := e.Project(ctx, who, id)
			switch {
			case err == nil:
				t.Project = p
			case KindOf(err) != NotFound:
				return err
			}
		}
		out = append(out, t)
		return nil
	}
	var err error
	switch d.About {
	case AboutCheckpoint:
		err = add(AboutCheckpoint, "")
	case AboutNotices:
		list, readErr := e.Store.DeliveryNotices(ctx, d.ID)
		err = readErr
		for i := 0; i < len(list) && err == nil; i++ {
			err = add(list[i].Kind, list[i].ProjectID)
		}
	case AboutReminders:
		list, readErr := e.Store.DeliveryReminders(ctx, d.ID)
		err = readErr
		for i := 0; i < len(list) && err == nil; i++ {
			err = add(list[i].Kind, list[i].ProjectID)
		}
	case AboutEntry:
		list, readErr := e.Store.DeliveryEntries(ctx, d.ID)
		err = readErr
		for i := 0; i < len(list) && err == nil; i++ {
			id := ProjectID("")
			if list[i].Kind() == SubjectProject {
				id = ProjectID(list[i].SubjectID())
			}
			err = add(list[i].Action, id)
		}
	}
	return out, err
}

// Deliveries selects deliveries over channels that the actor administers or inspects.
func (e *Engine) Deliveries(ctx context.Context, who Actor, f DeliveryFilter) (Page[Delivery], error) {
	var paths []string
	for _, g := range who.Grants {
		if g.Role == Admin || g.Role == Inspector {
			paths = append(paths, g.Path)
		}
	}
	if len(paths) == 0 && !who.system {
		return Page[Delivery]{}, denied("act.role", "roles", roleNameList{Admin, Inspector})
	}
	if !who.system {
		f.Scope = &Scope{Paths: paths}
	}
	return e.Store.Deliveries(ctx, f)
}
