package notify

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"bihuan/engine"
)

// kindCheckpoint is the kind of a copy of the checkpoint.
const kindCheckpoint = "checkpoint"

// Copies sends the newest checkpoint to where the channels lead that are to carry it: mail to the inspectors, robots and
// webhooks to their target. It may be called as often as anybody likes, by any number of replicas: what is owed is one copy
// for each hour in which a checkpoint was signed, once the hour is over, and of hours that were missed only the last.
func (n *Notifier) Copies(ctx context.Context) (int, error) {
	now := n.now()
	signed, err := n.Queue.SignedBefore(ctx, now.Truncate(time.Hour))
	if err != nil || signed.IsZero() {
		return 0, err
	}
	name := kindCheckpoint + "|" + signed.UTC().Truncate(time.Hour).Format("2006-01-02T15") + "|"
	n.mu.Lock()
	done := n.copied == name
	n.mu.Unlock()
	if done {
		return 0, nil
	}
	h, err := n.house(ctx)
	if err != nil {
		return 0, err
	}
	plan := engine.Plan{At: now}
	send := func(c *engine.Channel, user engine.UserID, at time.Time, key string) {
		h.send(&plan, c, user, engine.AboutCheckpoint, at, false, engine.PlannedItem{DeliveryItem: engine.DeliveryItem{DedupeKey: name + key, Ref: h.newID()}})
	}
	for i := range h.channels {
		if c := &h.channels[i]; c.Settings.Hourly && !c.Disabled && c.Kind != engine.Mail {
			send(c, "", now, string(c.ID))
		}
	}
	for id, u := range h.users {
		s := h.settings[id]
		if s.Mail == "" {
			continue
		}
		if c := h.keeps(&u); c != nil {
			send(c, id, h.afterQuiet(s, now), string(id))
		}
	}
	slices.SortFunc(plan.Sends, func(a, b engine.Send) int { // replicas write in one order, so that none waits for another in a circle
		if a.Items[0].DedupeKey < b.Items[0].DedupeKey {
			return -1
		}
		return 1
	})
	if _, err = n.Queue.Plan(ctx, plan); err != nil {
		return 0, err
	}
	n.mu.Lock()
	n.copied = name
	n.mu.Unlock()
	return len(plan.Sends), nil
}

// keeps returns the mail channel over which an inspector gets copies, nil for everybody else.
func (h *house) keeps(u *engine.User) *engine.Channel {
	for _, g := range u.Grants {
		if g.Role != engine.Inspector {
			continue
		}
		if c := h.nearestOf(g.Path, func(c *engine.Channel) bool { return c.Settings.Hourly }); c != nil {
			return c
		}
	}
	return nil
}

// copyOf makes the message of a copy: what stands in it is the newest checkpoint at the moment of sending.
func (n *Notifier) copyOf(ctx context.Context, v voice, m *Message) error {
	note := n.checkpoint(ctx)
	if note == "" {
		return &Refusal{Why: "there is no checkpoint to send"}
	}
	at := m.At.In(n.Engine.Site.Location).Format("2006-01-02 15:04")
	m.Subject = v.say("notify.say.checkpoint_subject", "at", at)
	m.Text = v.say("notify.say.checkpoint_copy", "checkpoint", note)
	var err error
	m.Payload, err = json.Marshal(map[string]any{"type": kindCheckpoint, "timestamp": m.At, "data": map[string]string{"checkpoint": note + "\n"}})
	return err
}
