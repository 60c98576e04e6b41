package notify

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/engine/message"
)

const (
	bulletinDays  = 3 // how long after its moment a bulletin is still worth sending
	bulletinUnits = 5 // units that it names
)

// Bulletins writes the week's bulletin to every leader, once, on the first working day of the week. It may be called
// as often as anybody likes.
func (n *Notifier) Bulletins(ctx context.Context) (int, error) {
	now := n.now()
	today := calendar.DateOf(now, n.Engine.Site.Location)
	monday := today.AddDays(-(int(today.Weekday()) + 6) % 7)
	h := &house{now: now, cal: n.Engine.Working(), site: n.Engine.Site}
	at := h.morning(monday.Start(h.site.Location))
	if now.Before(at) || now.After(at.Add(bulletinDays*24*time.Hour)) {
		return 0, nil
	}
	h, err := n.house(ctx)
	if err != nil {
		return 0, err
	}
	year, week := monday.Start(time.UTC).ISOWeek()
	name := weekName + strconv.Itoa(year) + "-" + strconv.Itoa(week)
	words, err := n.voices(ctx)
	if err != nil {
		return 0, err
	}
	plan := engine.Plan{At: now}
	for _, u := range h.users {
		s := h.settings[u.ID]
		leads := slices.DeleteFunc(slices.Clone(u.Grants), func(g engine.Grant) bool { return g.Role != engine.Leader })
		if len(leads) == 0 || s.NoBulletin {
			continue
		}
		text, err := n.bulletin(ctx, n.voice(words, &s), engine.Actor{ID: u.ID, Grants: leads})
		if err != nil {
			return 0, err
		}
		key := name + "|" + string(u.ID)
		notice := engine.Notice{ID: uuid.NewSHA1(uuid.NameSpaceOID, []byte(key)).String(), UserID: u.ID, Kind: kindWeek, Role: engine.Leader, Text: text,
			DueAt: at, CreatedAt: now, DedupeKey: key}
		plan.Notices = append(plan.Notices, notice)
		h.mail(&plan, &notice, leads[0].Path, h.afterQuiet(s, now))
	}
	told, err := n.Queue.Plan(ctx, plan)
	n.told(told)
	return len(told), err
}

// bulletin says how the week stands for one leader.
func (n *Notifier) bulletin(ctx context.Context, v voice, who engine.Actor) (string, error) {
	c, err := n.Engine.Counts(ctx, who, engine.Filter{})
	if err != nil {
		return "", err
	}
	resting := c.ByStage[engine.Closed] + c.ByStage[engine.Cancelled]
	lines := []string{v.say("notify.say.week", "open", c.Total-resting, "overdue", c.Overdue, "red", c.ByLight[engine.Red],
		"yellow", c.ByLight[engine.Yellow], "waiting", c.Waiting, "closed", c.ByStage[engine.Closed])}
	units := slices.DeleteFunc(slices.Clone(c.ByUnit), func(u engine.UnitCount) bool { return u.Overdue == 0 })
	slices.SortFunc(units, func(a, b engine.UnitCount) int {
		if a.Overdue != b.Overdue {
			return b.Overdue - a.Overdue
		}
		return strings.Compare(string(a.UnitID), string(b.UnitID))
	})
	for _, x := range units[:min(len(units), bulletinUnits)] {
		u, err := n.Engine.Unit(ctx, string(x.UnitID))
		if err != nil {
			return "", err
		}
		lines = append(lines, v.say("notify.say.week_unit", "unit", u.Name, "overdue", x.Overdue))
	}
	return strings.Join(lines, "\n"), nil
}

// Preview composes a message about a project as it would go out, with some sentences in other words, for whoever words
// them anew.
func (n *Notifier) Preview(ctx context.Context, lang string, own map[string]string, kind string, p engine.Project) (subject, text string, err error) {
	words, err := n.voices(ctx)
	if err != nil {
		return "", "", err
	}
	for key, s := range own {
		words[message.Match(lang)+"/"+key] = s
	}
	return n.compose(ctx, voice{message.Match(lang), words}, []thing{{kind: kind, project: p}}, true)
}
