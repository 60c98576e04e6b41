package engine

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"bihuan/engine/calendar"
)

// ListState is where a 双月实事清单 stands.
type ListState string

// The states of a list, in order.
const (
	ListDraft       ListState = "draft"       // 编制: items are put on, taken off and ordered
	ListPublished   ListState = "published"   // 公布: what stands on it stays; later additions are marked
	ListReconciling ListState = "reconciling" // 对账: every item is to be accounted for
	ListArchived    ListState = "archived"    // 归档: read only
)

var listStateNames = map[ListState]Text{
	ListDraft: {"编制", "being drawn up"}, ListPublished: {"公布", "published"},
	ListReconciling: {"对账", "reconciling"}, ListArchived: {"归档", "archived"},
}

// In returns the state's name in the given language.
func (s ListState) In(lang string) string { return listStateNames[s].In(lang) }

// Events of a list's machine, and the actions of the entries that tell of them.
const (
	listPublish   = "publish"
	listReconcile = "reconcile"
	listClose     = "close"
)

// listMoves is the machine of a list: 编制 → 公布 → 对账 → 归档.
var listMoves = []move{
	{listPublish, string(ListDraft), string(ListPublished)},
	{listReconcile, string(ListPublished), string(ListReconciling)},
	{listClose, string(ListReconciling), string(ListArchived)},
}

// List is one 双月实事清单: what a unit promises for a period, struck off item by item. Its json form is the state
// that its entries carry patches of.
type List struct {
	ID       ListID        `json:"id" gorm:"primaryKey"`
	UnitID   UnitID        `json:"unit_id"`
	UnitPath string        `json:"-" gorm:"->"` // from the unit's row
	Number   string        `json:"number"`      // 期号 such as "2026-6": what projects name in their field list; unique within the unit
	Name     string        `json:"name"`
	From     calendar.Date `json:"from" gorm:"column:period_from"`
	To       calendar.Date `json:"to" gorm:"column:period_to"` // last day of the period
	State    ListState     `json:"state"`
	// Items are a map, because a merge patch would repeat an array whole.
	Items map[ProjectID]ListItem `json:"items,omitempty" gorm:"serializer:json"`

	CreatedBy     UserID     `json:"created_by"`
	CreatedAt     time.Time  `json:"created_at" gorm:"autoCreateTime:false"`
	PublishedBy   UserID     `json:"published_by,omitempty"`
	PublishedAt   *time.Time `json:"published_at,omitempty"`
	ReconcilingAt *time.Time `json:"reconciling_at,omitempty"`
	ClosedBy      UserID     `json:"closed_by,omitempty"`
	ClosedAt      *time.Time `json:"closed_at,omitempty"`
	Version       int64      `json:"version"` // equals the seq of the newest entry
}

// ListItem is an item's place on a list, and in the end what became of it.
type ListItem struct {
	No      int     `json:"no"`                // 序号, from 1
	Late    bool    `json:"late,omitempty"`    // put on after publishing
	From    ListID  `json:"from,omitempty"`    // the list that it was carried over from
	Times   int     `json:"times,omitempty"`   // how often it has been carried over by then
	To      ListID  `json:"to,omitempty"`      // the list that it was carried over to
	Note    string  `json:"note,omitempty"`    // why it was carried over
	Outcome Outcome `json:"outcome,omitempty"` // set when it is carried over or the list is closed
	Seq     int64   `json:"seq,omitempty"`     // the project's version at that moment, to fold its trail up to
}

// MaxItems is how many items one list can have.
const MaxItems = 500

// itemsPerEntry bounds how many items one entry tells of, so that it stays well under audit.MaxEntry.
const itemsPerEntry = 100

// Subject names the list in entries.
func (l *List) Subject() string { return SubjectList + "/" + string(l.ID) }

// JSON returns the state that the fold of the entries must equal.
func (l *List) JSON() json.RawMessage { return state(l) }

// Order returns the items' projects by number.
func (l *List) Order() []ProjectID {
	return slices.SortedFunc(maps.Keys(l.Items), func(a, b ProjectID) int { return l.Items[a].No - l.Items[b].No })
}

// clone copies what an act may change in place.
func (l List) clone() List {
	l.Items = maps.Clone(l.Items)
	return l
}

// step moves the list over an event of its machine.
func (l *List) step(event string) error {
	to, ok := nextState(string(l.State), event, listMoves)
	if !ok {
		return l.notNow()
	}
	l.State = ListState(to)
	return nil
}

func (l *List) notNow() error {
	return blocked("lists.not_now", "number", l.Number, "state", l.State)
}

// allows refuses an act that the list's state is not the time for.
func (l *List) allows(states ...ListState) error {
	if !slices.Contains(states, l.State) {
		return l.notNow()
	}
	return nil
}

// put adds an item behind the others.
func (l *List) put(id ProjectID, item ListItem) error {
	if _, ok := l.Items[id]; ok {
		return blocked("lists.item_twice", "number", l.Number)
	}
	if len(l.Items) >= MaxItems {
		return invalid("projects", "lists.too_many_items", "limit", MaxItems)
	}
	last := 0
	for _, i := range l.Items {
		last = max(last, i.No)
	}
	item.No = last + 1
	item.Late = l.State != ListDraft
	if l.Items == nil {
		l.Items = map[ProjectID]ListItem{}
	}
	l.Items[id] = item
	return nil
}

// item returns what stands on the list, or that it does not.
func (l *List) item(id ProjectID) (ListItem, error) {
	item, ok := l.Items[id]
	if !ok {
		return item, notFound("lists.item_unknown", "number", l.Number)
	}
	return item, nil
}

// take removes an item and closes the gap in the numbers. Nobody has seen them yet. What was carried over stays: the
// list that it came from accounts for it by naming this one.
func (l *List) take(id ProjectID) error {
	if err := l.allows(ListDraft); err != nil {
		return err
	}
	item, err := l.item(id)
	if err != nil {
		return err
	}
	if item.From != "" {
		return blocked("lists.carried_in", "no", item.No)
	}
	delete(l.Items, id)
	l.number(l.Order())
	return nil
}

// place moves an item to a number; those between move up or down.
func (l *List) place(id ProjectID, no int) error {
	if err := l.allows(ListDraft); err != nil {
		return err
	}
	if _, err := l.item(id); err != nil {
		return err
	}
	if no < 1 || no > len(l.Items) {
		return invalid("no", "lists.bad_place", "last", len(l.Items))
	}
	order := slices.DeleteFunc(l.Order(), func(x ProjectID) bool { return x == id })
	l.number(slices.Insert(order, no-1, id))
	return nil
}

func (l *List) number(order []ProjectID) {
	for i, id := range order {
		item := l.Items[id]
		item.No = i + 1
		l.Items[id] = item
	}
}

// publish fixes the list. An empty one promises nothing.
func (l *List) publish(who UserID, now time.Time) error {
	if err := l.step(listPublish); err != nil {
		return err
	}
	if len(l.Items) == 0 {
		return blocked("lists.empty", "number", l.Number)
	}
	l.PublishedBy, l.PublishedAt = who, &now
	return nil
}

// ListFilter selects lists. The zero value selects all that the scope allows, newest period first.
type ListFilter struct {
	Scope  *Scope        // nil: everything
	Unit   UnitID        // the unit itself
	Number string        // 期号
	State  []ListState   //
	Ended  calendar.Date // whose period ended before this day
	After  string
	Limit  int // 1…MaxPage; 0 = 50
}

// Reads reports whether the actor may read the list: by a role at its unit or above, and once it is published by
// any role below. What stands on it is published with it.
func (a Actor) Reads(l *List) bool {
	if a.system {
		return true
	}
	return slices.ContainsFunc(a.Grants, func(g Grant) bool {
		return Under(l.UnitPath, g.Path) || l.State != ListDraft && Under(g.Path, l.UnitPath)
	})
}

// enlist is the project's side of being put on a list.
type enlist struct {
	list   ListID
	number string
	carry  bool
	note   string
}

func (x enlist) apply(_ *Case, p *Project) (outcome, error) {
	if p.Stage == Closed || p.Stage == Cancelled {
		return outcome{}, blocked("lists.item_over", "project", p.Number)
	}
	data := map[string]any{"list": x.list, "number": x.number}
	if p.ListID != "" {
		data["before"] = p.ListID
	}
	p.ListID, p.List = x.list, x.number
	if x.carry {
		p.Carried++
		return outcome{action: "carry_over", note: x.note, data: data}, nil
	}
	return outcome{action: "enlist", data: data}, nil
}

// delist is the project's side of being taken off a list that is still being drawn up.
type delist struct{ list ListID }

func (x delist) apply(_ *Case, p *Project) (outcome, error) {
	if p.ListID == x.list {
		p.ListID, p.List = "", ""
	}
	return outcome{action: "delist", data: map[string]any{"list": x.list}}, nil
}
