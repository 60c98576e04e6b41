package notify

import (
	"context"
	"errors"
	"time"

	"bihuan/engine"
)

const (
	// kindNeed is the kind of the notice that tells people what became of their 诉求.
	kindNeed = "need"
	// needsBack is how long ago a need may have been settled and still be told of: longer than any stop of the system.
	needsBack = 90 * 24 * time.Hour
)

// planNeeds tells people with an account what became of the needs that they raised. The notice itself is the mark that
// they were told, so whatever was missed is found the next time.
func (n *Notifier) planNeeds(ctx context.Context) (int, error) {
	list, err := n.Engine.Store.UntoldNeeds(ctx, n.now().Add(-needsBack), planPage)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	h, err := n.house(ctx)
	if err != nil {
		return 0, err
	}
	words, err := n.voices(ctx)
	if err != nil {
		return 0, err
	}
	plan := engine.Plan{At: h.now}
	for i := range list {
		x := &list[i]
		s := h.settings[x.Proposer]
		text, err := n.needText(ctx, n.voice(words, &s), x)
		if err != nil {
			return 0, err
		}
		notice := engine.Notice{ID: h.newID(), UserID: x.Proposer, Kind: kindNeed, Text: text, DueAt: *x.SettledAt, CreatedAt: h.now, DedupeKey: x.ToldKey()}
		plan.Notices = append(plan.Notices, notice)
		h.mail(&plan, &notice, x.UnitPath, h.when(s, false, false))
	}
	told, err := n.Queue.Plan(ctx, plan)
	n.told(told)
	return len(list), err
}

// needText says what became of a need.
func (n *Notifier) needText(ctx context.Context, v voice, x *engine.Need) (string, error) {
	text := v.say("notify.say.need.declined", "title", x.Title, "answer", x.Answer)
	if x.ProjectID != "" {
		p, err := n.Engine.Store.Project(ctx, x.ProjectID)
		if err != nil && !errors.Is(err, engine.ErrNotFound) {
			return "", err
		}
		text = v.say("notify.say.need.accepted", "title", x.Title, "number", p.Number, "project", p.Title)
		if x.Answer != "" {
			text += "\n" + v.say("notify.say.note", "note", x.Answer)
		}
	}
	if x.Into != "" {
		text = v.say("notify.say.need.merged") + text
	}
	return text, nil
}
