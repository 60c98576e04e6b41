package console

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"bihuan/engine"
	"bihuan/engine/message"
)

// nameLife is how long a name may be out of date on another replica, and maxNames how many are kept.
const (
	nameLife = 5 * time.Minute
	maxNames = 20_000
)

// names finds the names behind ids, so that a page of projects costs no query for each person on it.
type names struct {
	reader engine.Reader
	now    func() time.Time

	mu    sync.Mutex
	known map[string]named // by "kind/id"
}

type named struct {
	name  string
	until time.Time
}

func newNames(r engine.Reader, now func() time.Time) *names {
	return &names{reader: r, now: now, known: map[string]named{}}
}

// user names a person, "" for nobody. The actors that are nobody's account have names in the catalogue.
func (n *names) user(v *visit, id engine.UserID) string {
	if id == "" {
		return ""
	}
	if key := "actor." + string(id); message.Has(key) {
		return v.t(key)
	}
	name := n.find(v, "user/"+string(id), func() (string, error) {
		u, err := n.reader.User(v.ctx, string(id))
		return u.Name, err
	})
	if name == "" { // which only those have whose name was erased
		return v.t("user.erased")
	}
	return name
}

// users names several people.
func (n *names) users(v *visit, ids []engine.UserID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = n.user(v, id)
	}
	return out
}

// unit names a unit.
func (n *names) unit(v *visit, id engine.UnitID) string {
	return n.find(v, "unit/"+string(id), func() (string, error) {
		u, err := n.reader.Unit(v.ctx, string(id))
		return u.Name, err
	})
}

// find returns a known name or reads it. One that cannot be read is left out: the page is about something else.
func (n *names) find(v *visit, key string, read func() (string, error)) string {
	now := n.now()
	n.mu.Lock()
	x, ok := n.known[key]
	n.mu.Unlock()
	if ok && now.Before(x.until) {
		return x.name
	}
	name, err := read()
	if err != nil {
		v.info.Log.WarnContext(v.ctx, "name not found", slog.String("request", v.info.ID), slog.String("subject", key), slog.Any("error", err))
		return "—"
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.known) >= maxNames {
		clear(n.known)
	}
	n.known[key] = named{name, now.Add(nameLife)}
	return name
}

// forget drops a name that was just changed here; another replica learns it within nameLife.
func (n *names) forget(key string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.known, key)
}

// Option of a list to choose from.
type choice struct {
	Value, Text string
	Selected    bool
}

// scoped reports whether a unit lies within what the person reads.
func (v *visit) scoped(path string) bool {
	return v.actor.Covers(path)
}

// unitChoices lists the units within the person's scope, children indented under their parents.
func (c *Console) unitChoices(v *visit, selected engine.UnitID) ([]choice, error) {
	return c.unitsUnder(v, selected, v.actor.Scope()...)
}

// indent shows how deep a unit lies.
func indent(path string) string {
	depth := -2
	for _, r := range path {
		if r == '/' {
			depth++
		}
	}
	out := ""
	for range max(0, depth) {
		out += "　"
	}
	return out
}

// peopleChoices lists the active people whom the person may name: those who hold a role within the scope, those
// who hold none anywhere (an owner needs no role), and whoever is selected already. Logins stay out of it.
func (c *Console) peopleChoices(v *visit, selected ...engine.UserID) ([]choice, error) {
	all, err := c.Reader.Users(v.ctx)
	if err != nil {
		return nil, err
	}
	var out []choice
	for _, u := range all {
		chosen := slices.Contains(selected, u.ID)
		inScope := len(v.actor.Grants) > 0 && len(u.Grants) == 0 || u.ID == v.user.ID ||
			slices.ContainsFunc(u.Grants, func(g engine.Grant) bool { return v.scoped(g.Path) })
		if chosen || inScope && !u.Disabled {
			name, _ := v.called(&u)
			out = append(out, choice{string(u.ID), name, chosen})
		}
	}
	return out, nil
}
