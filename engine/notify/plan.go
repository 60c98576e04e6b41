package notify

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

const (
	planPage = 200
	// late is how long after its moment a reminder is no longer news but caught up with; settle is how long such
	// ones are gathered, so that people get one message about all that they missed.
	late   = 10 * time.Minute
	settle = time.Minute
	// digestAfter is how long after the moment at which the day's rungs fall due the morning's messages go out.
	digestAfter = 10 * time.Minute
	// overlap is how far back entries are looked for again: what was decided first may be committed last, but not
	// longer after than the store's time limits.
	overlap = 5 * time.Minute
	// Most entries are committed at once: a short look back each time, the long one now and then.
	shortOverlap = 10 * time.Second
	longEvery    = 20 * time.Second
	maxLag       = 7 * 24 * time.Hour // of a webhook that was switched off
	weekName     = "week|"
)

// Plan turns reminders into notices and deliveries, and entries into messages for programs. It returns how many of
// both there were.
func (n *Notifier) Plan(ctx context.Context) (int, error) {
	done := 0
	for {
		got, err := n.planReminders(ctx)
		done += got
		if err != nil || got < planPage {
			if err != nil {
				return done, err
			}
			break
		}
	}
	got, err := n.planNeeds(ctx)
	done += got
	if err != nil {
		return done, err
	}
	channels, err := n.Engine.Store.Channels(ctx)
	if err != nil {
		return done, err
	}
	cursors, err := n.Queue.ToldUntil(ctx)
	if err != nil {
		return done, err
	}
	back := n.lookBack()
	for i := range channels {
		if c := &channels[i]; c.Kind == engine.Webhook && !c.Disabled {
			got, err := n.planEntries(ctx, c, cursors[c.ID].Add(-back))
			done += got
			if err != nil {
				return done, err
			}
		}
	}
	return done, nil
}

// house is everything that planning needs to know of the site at one moment.
type house struct {
	now      time.Time
	cal      *calendar.Calendar
	site     engine.Site
	users    map[engine.UserID]engine.User
	settings map[engine.UserID]engine.NotifySettings
	paths    map[engine.UnitID]string
	channels []engine.Channel
	projects map[engine.ProjectID]engine.Project
	newID    func() string
}

func (n *Notifier) house(ctx context.Context) (*house, error) {
	h := &house{now: n.now(), cal: n.Engine.Working(), site: n.Engine.Site, users: map[engine.UserID]engine.User{},
		settings: map[engine.UserID]engine.NotifySettings{}, paths: map[engine.UnitID]string{}, projects: map[engine.ProjectID]engine.Project{}, newID: n.Engine.NewID}
	users, err := n.Engine.Store.Users(ctx)
	if err != nil {
		return nil, err
	}
	for _, u := range users {
		if !u.Disabled {
			h.users[u.ID] = u
		}
	}
	if err := n.lend(ctx, h); err != nil {
		return nil, err
	}
	settings, err := n.Engine.Store.AllSettings(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range settings {
		h.settings[s.ID] = s
	}
	units, err := n.Engine.Store.Units(ctx)
	if err != nil {
		return nil, err
	}
	for _, u := range units {
		h.paths[u.ID] = u.Path
	}
	h.channels, err = n.Engine.Store.Channels(ctx)
	return h, err
}

// lend gives people the roles that are lent to them now.
func (n *Notifier) lend(ctx context.Context, h *house) error {
	list, err := n.Engine.Store.Delegations(ctx, "")
	if err != nil {
		return err
	}
	for _, d := range list {
		u, ok := h.users[d.To]
		if !ok || !d.Holds(h.now) {
			continue
		}
		a, err := n.Engine.ActorOf(ctx, string(u.ID), "", "")
		if err != nil {
			return err
		}
		u.Grants = a.Grants
		h.users[u.ID] = u
	}
	return nil
}

// planReminders plans one page of reminders.
func (n *Notifier) planReminders(ctx context.Context) (int, error) {
	list, err := n.Queue.Unplanned(ctx, planPage)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	h, err := n.house(ctx)
	if err != nil {
		return 0, err
	}
	var entries []string
	for _, r := range list {
		entries = append(entries, r.Entry)
		if _, ok := h.projects[r.ProjectID]; !ok {
			p, err := n.Engine.Store.Project(ctx, r.ProjectID)
			if err != nil {
				return 0, err
			}
			h.projects[p.ID] = p
		}
	}
	notes, err := n.Queue.Notes(ctx, entries)
	if err != nil {
		return 0, err
	}
	plan := engine.Plan{At: h.now}
	var nobody []string
	for i := range list {
		r := &list[i]
		plan.Reminders = append(plan.Reminders, r.ID)
		people := h.addressees(r)
		if len(people) == 0 {
			nobody = append(nobody, r.ID)
		}
		h.plan(&plan, r, people, notes[r.Entry])
	}
	told, err := n.Queue.Plan(ctx, plan)
	if err != nil {
		return 0, err
	}
	n.told(told)
	if len(nobody) > 0 {
		n.metrics.unaddressed.Add(int64(len(nobody)))
		n.Log.InfoContext(ctx, "nobody to tell", slog.Int("reminders", len(nobody)), slog.String("first", nobody[0]))
	}
	return len(list), nil
}

// addressees resolves a reminder's role: a relation to the person who has it, a role to everybody who holds it at
// the project's unit or above.
func (h *house) addressees(r *engine.Reminder) []engine.UserID {
	var out []engine.UserID
	add := func(id engine.UserID) {
		if _, ok := h.users[id]; ok && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	p := h.projects[r.ProjectID]
	switch {
	case r.UserID != "":
		add(r.UserID)
	case r.Role == engine.Assistant:
		for _, id := range p.Assistants {
			add(id)
		}
	case r.Role.Granted():
		for id, u := range h.users {
			for _, g := range u.Grants {
				if g.Role == r.Role && engine.Under(p.UnitPath, g.Path) {
					add(id)
				}
			}
		}
		slices.Sort(out)
	}
	return out
}

// plan adds what follows from one reminder.
func (h *house) plan(plan *engine.Plan, r *engine.Reminder, people []engine.UserID, note string) {
	p := h.projects[r.ProjectID]
	// The key without the role: who is told as owner is not told again as supervisor.
	thing := strings.TrimSuffix(r.DedupeKey, "|"+string(r.Role))
	missed := h.now.Sub(r.DueAt) > late
	for _, id := range people {
		notice := engine.Notice{ID: h.newID(), UserID: id, ProjectID: r.ProjectID, ReminderID: r.ID, Kind: r.Kind, Timer: r.Timer, Role: r.Role,
			Deadline: r.Deadline, Text: note, DueAt: r.DueAt, CreatedAt: h.now, DedupeKey: thing + "|" + string(id)}
		if slices.ContainsFunc(plan.Notices, func(x engine.Notice) bool { return x.DedupeKey == notice.DedupeKey }) {
			continue
		}
		plan.Notices = append(plan.Notices, notice)
		h.mail(plan, &notice, p.UnitPath, h.when(h.settings[id], urgent[r.Kind], missed))
	}
	for i := range h.channels {
		c := &h.channels[i]
		if !c.Kind.Group() || !c.Wants(r.Kind) || !engine.Under(p.UnitPath, h.paths[c.UnitID]) {
			continue
		}
		h.send(plan, c, "", engine.AboutReminders, h.when(engine.NotifySettings{}, urgent[r.Kind], missed), urgent[r.Kind],
			engine.PlannedItem{Reminder: r.ID, DeliveryItem: engine.DeliveryItem{DedupeKey: thing + "|" + string(c.ID), Ref: r.ID}})
	}
}

// mail adds a notice to what its person gets by mail at a moment, if they want mail and there is a channel for the path.
func (h *house) mail(plan *engine.Plan, notice *engine.Notice, path string, at time.Time) {
	if h.settings[notice.UserID].Mail == "" {
		return
	}
	if c := h.nearest(path); c != nil {
		h.send(plan, c, notice.UserID, engine.AboutNotices, at, urgent[notice.Kind],
			engine.PlannedItem{Reminder: notice.ReminderID, DeliveryItem: engine.DeliveryItem{DedupeKey: notice.DedupeKey + "|" + string(c.ID), Ref: notice.ID}})
	}
}

// nearest returns the mail channel whose unit is the closest at or above the path.
func (h *house) nearest(path string) *engine.Channel {
	return h.nearestOf(path, func(*engine.Channel) bool { return true })
}

// nearestOf is nearest among the channels that are like this.
func (h *house) nearestOf(path string, like func(c *engine.Channel) bool) *engine.Channel {
	var best *engine.Channel
	for i := range h.channels {
		c := &h.channels[i]
		if c.Kind == engine.Mail && !c.Disabled && like(c) && engine.Under(path, h.paths[c.UnitID]) && (best == nil || len(h.paths[c.UnitID]) > len(h.paths[best.UnitID])) {
			best = c
		}
	}
	return best
}

// send adds an item to the plan's message to the same recipient, or to a new one.
func (h *house) send(plan *engine.Plan, c *engine.Channel, user engine.UserID, about string, at time.Time, isUrgent bool, item engine.PlannedItem) {
	for i := range plan.Sends {
		s := &plan.Sends[i]
		if s.Delivery.ChannelID == c.ID && s.Delivery.UserID == user && s.Delivery.About == about && about != engine.AboutEntry {
			if at.Before(s.Delivery.NextAt) {
				s.Delivery.NextAt = at
			}
			s.Delivery.Urgent = s.Delivery.Urgent || isUrgent
			s.Items = append(s.Items, item)
			return
		}
	}
	plan.Sends = append(plan.Sends, engine.Send{Items: []engine.PlannedItem{item}, Delivery: engine.Delivery{ID: h.newID(), ChannelID: c.ID,
		UnitID: c.UnitID, UserID: user, About: about, State: engine.DeliveryWaiting, Urgent: isUrgent, NextAt: at, CreatedAt: h.now}})
}

// when is the moment at which a message may go out.
func (h *house) when(s engine.NotifySettings, isUrgent, missed bool) time.Time {
	at := h.now
	if missed {
		at = at.Add(settle)
	}
	if isUrgent {
		return at
	}
	if !s.AtOnce {
		at = h.morning(at)
	}
	return h.afterQuiet(s, at)
}

// morning is the next moment on a working day at which the day's messages go out.
func (h *house) morning(from time.Time) time.Time {
	day := calendar.DateOf(from, h.site.Location)
	for range 40 { // the longest holiday has ten days
		at := day.At(h.site.RemindHour, h.site.RemindMin, h.site.Location).Add(digestAfter).UTC()
		if work, _ := h.cal.Workday(day); work && !at.Before(from) {
			return at
		}
		day = day.AddDays(1)
	}
	return from
}

// afterQuiet moves a moment out of a person's quiet hours.
func (h *house) afterQuiet(s engine.NotifySettings, at time.Time) time.Time {
	if s.QuietFrom == "" {
		return at
	}
	local := at.In(h.site.Location)
	now := local.Format("15:04")
	day := calendar.DateOf(at, h.site.Location)
	quiet := now >= s.QuietFrom && now < s.QuietTo
	if s.QuietFrom > s.QuietTo { // over midnight
		quiet = now >= s.QuietFrom || now < s.QuietTo
		if quiet && now >= s.QuietFrom {
			day = day.AddDays(1)
		}
	}
	if !quiet {
		return at
	}
	end, err := time.Parse("15:04", s.QuietTo)
	if err != nil {
		return at // settings were checked when they were saved
	}
	return day.At(end.Hour(), end.Minute(), h.site.Location).UTC()
}

// lookBack is how far before the cursors this planning looks.
func (n *Notifier) lookBack() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	if now := n.now(); now.Sub(n.lookedBack) >= longEvery {
		n.lookedBack = now
		return overlap
	}
	return shortOverlap
}

// planEntries plans the entries since a moment that a program has not been told.
func (n *Notifier) planEntries(ctx context.Context, c *engine.Channel, from time.Time) (int, error) {
	now := n.now()
	// A clock that was ahead, and has been put right, has left its mark ahead.
	if earliest := now.Add(-maxLag); from.Before(earliest) || from.After(now) {
		from = earliest
	}
	if from.Before(c.CreatedAt) { // what happened before is not its business
		from = c.CreatedAt
	}
	rows, err := n.Queue.Untold(ctx, *c, from, planPage)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	plan := engine.Plan{At: now, Told: c.ID, Until: rows[len(rows)-1].At}
	for _, row := range rows {
		plan.Sends = append(plan.Sends, engine.Send{
			Delivery: engine.Delivery{ID: n.Engine.NewID(), ChannelID: c.ID, UnitID: c.UnitID, About: engine.AboutEntry, State: engine.DeliveryWaiting, NextAt: now, CreatedAt: now},
			Items:    []engine.PlannedItem{{DeliveryItem: engine.DeliveryItem{DedupeKey: row.ID + "|" + string(c.ID), Ref: row.ID}}},
		})
	}
	_, err = n.Queue.Plan(ctx, plan)
	return len(rows), err
}
