package v1

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"bihuan/api/request"
	"bihuan/engine"
)

// registerLists adds the operations on 双月实事清单.
func (h *handlers) registerLists(api huma.API, op func(method, path, id, summary string) huma.Operation) {
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	const one = "/lists/{id}"
	const item = one + "/items/{project}"
	draw := op(post, "/lists", "draw-up-list", "编制清单 Begin a two-monthly list of a unit")
	draw.DefaultStatus = http.StatusCreated
	huma.Register(api, draw, h.drawUp)
	huma.Register(api, op(get, "/lists", "list-lists", "清单 Lists, the newest period first"), h.lists)
	huma.Register(api, op(get, one, "get-list", "对账 One list, held against what its items have come to"), h.oneList)
	huma.Register(api, op(put, one, "edit-list", "修改清单 Change the name and period of a list that is being drawn up"), h.editList)
	huma.Register(api, op(post, one+"/items", "put-on-list", "列入清单 Put projects on a list, behind the others"), h.putOn)
	huma.Register(api, op(put, item, "place-on-list", "调整序号 Move an item of a list that is being drawn up"), h.place)
	huma.Register(api, op(del, item, "take-off-list", "移出清单 Take an item off a list that is being drawn up"), h.takeOff)
	huma.Register(api, op(post, item+"/carry-over", "carry-over", "结转 Carry an item over into the next list"), h.carryOver)
	huma.Register(api, op(post, one+"/publication", "publish-list", "公布 Publish a list: its items are fixed"), h.publishList)
	huma.Register(api, op(post, one+"/reconciliation", "reconcile-list", "对账 Begin the reconciliation before the period is over"), h.startReconciling)
	huma.Register(api, op(post, one+"/closing", "close-list", "关账归档 Close a list of which every item is accounted for"), h.closeList)
}

// ListRow is a list as lists of lists show it.
type ListRow struct {
	ID            string     `json:"id"`
	Number        string     `json:"number" doc:"期号"`
	Name          string     `json:"name"`
	Unit          Ref        `json:"unit"`
	From          string     `json:"from" doc:"First day of the period."`
	To            string     `json:"to" doc:"Last day of the period."`
	State         Ref        `json:"state" doc:"draft 编制, published 公布, reconciling 对账, archived 归档."`
	Size          int        `json:"size" doc:"Number of items."`
	PublishedAt   *time.Time `json:"published_at,omitempty"`
	PublishedBy   *Ref       `json:"published_by,omitempty"`
	ReconcilingAt *time.Time `json:"reconciling_at,omitempty"`
	ClosedAt      *time.Time `json:"closed_at,omitempty"`
	ClosedBy      *Ref       `json:"closed_by,omitempty"`
	Version       int64      `json:"version"`
}

// ListItem is an item of a list with what it has come to.
type ListItem struct {
	No       int     `json:"no" doc:"序号"`
	Project  Ref     `json:"project" doc:"Id and title."`
	Number   string  `json:"number" doc:"编号"`
	Unit     Ref     `json:"unit"`
	Stage    Ref     `json:"stage"`
	Deadline string  `json:"deadline,omitempty"`
	Original string  `json:"original_deadline,omitempty"`
	Light    string  `json:"light"`
	Outcome  Ref     `json:"outcome" doc:"closed 已销号, running 未到期, overdue 逾期, shelved 挂账, carried 结转, cancelled 撤项."`
	Open     bool    `json:"open" doc:"Still to be accounted for."`
	Late     bool    `json:"late" doc:"Put on after the list was published."`
	Ever     bool    `json:"ever_overdue" doc:"曾逾期"`
	Carried  int     `json:"carried" doc:"Times carried over, up to this list."`
	From     string  `json:"from,omitempty" doc:"Id of the list that it was carried over from."`
	To       string  `json:"to,omitempty" doc:"Id of the list that it was carried over to."`
	Note     string  `json:"note,omitempty" doc:"Why it was carried over."`
	Reported bool    `json:"reported" doc:"自报"`
	Verified bool    `json:"verified" doc:"核验"`
	Rated    bool    `json:"rated" doc:"评价"`
	Missing  []Check `json:"missing" doc:"What is missing for 销号."`
}

// ListBody is one list with its reconciliation.
type ListBody struct {
	ListRow
	Items []ListItem     `json:"items"`
	Count map[string]int `json:"count" doc:"Items by outcome."`
	Open  int            `json:"open" doc:"Items that are not accounted for."`
	Check []Check        `json:"check" doc:"What stands between the list and its closing."`
}

// ListAnswer is the answer of every operation on one list.
type ListAnswer struct {
	ETag     string `header:"ETag" doc:"The list's version, for If-Match."`
	Location string `header:"Location" doc:"Of a new list: its address."`
	Body     ListBody
}

// ListsAnswer is a page of lists.
type ListsAnswer struct {
	Body struct {
		Items []ListRow `json:"items"`
		Next  string    `json:"next" doc:"Cursor of the following page; empty at the end."`
	} `nameHint:"Lists"`
}

func (h *handlers) listRow(ctx context.Context, l *engine.List) ListRow {
	return ListRow{ID: string(l.ID), Number: l.Number, Name: l.Name, Unit: h.names.unit(ctx, l.UnitID), From: l.From.String(), To: l.To.String(),
		State: Ref{ID: string(l.State), Name: l.State.In(request.From(ctx).Lang)}, Size: len(l.Items), PublishedAt: l.PublishedAt,
		PublishedBy: h.names.maybe(ctx, l.PublishedBy), ReconcilingAt: l.ReconcilingAt, ClosedAt: l.ClosedAt,
		ClosedBy: h.names.maybe(ctx, l.ClosedBy), Version: l.Version}
}

// listAnswer shows a list after a change or a reading.
func (h *handlers) listAnswer(ctx context.Context, id engine.ListID) (*ListAnswer, error) {
	info := request.From(ctx)
	r, err := h.Engine.Reconcile(ctx, info.Actor, id)
	if err != nil {
		return nil, err
	}
	out := &ListAnswer{ETag: etag(r.List.Version), Body: ListBody{ListRow: h.listRow(ctx, &r.List), Items: make([]ListItem, 0, len(r.Lines)),
		Count: map[string]int{}, Open: r.Open, Check: checks(r.Check(), info.Lang)}}
	for o, n := range r.Count {
		out.Body.Count[string(o)] = n
	}
	now := h.Now()
	for i := range r.Lines {
		l := &r.Lines[i]
		p := &l.Project
		w, err := h.Engine.Pinned(ctx, p)
		if err != nil {
			return nil, err
		}
		out.Body.Items = append(out.Body.Items, ListItem{No: l.Item.No, Project: Ref{ID: string(p.ID), Name: p.Title}, Number: p.Number,
			Unit: h.names.unit(ctx, p.UnitID), Stage: Ref{ID: string(p.Stage), Name: w.StageName(p.Stage).In(info.Lang)},
			Deadline: p.Deadline.String(), Original: p.OriginalDeadline.String(), Light: string(p.Light(now)),
			Outcome: Ref{ID: string(l.Outcome), Name: l.Outcome.In(info.Lang)}, Open: l.Outcome.Open(), Late: l.Item.Late, Ever: l.Late,
			Carried: l.Item.Times, From: string(l.Item.From), To: string(l.Item.To), Note: l.Item.Note,
			Reported: l.Reported, Verified: l.Verified, Rated: l.Rated, Missing: checks(l.Missing, info.Lang)})
	}
	return out, nil
}

// Header is what people write about a list.
type Header struct {
	Name string `json:"name"`
	From Date   `json:"from" doc:"First day of the period." example:"2026-11-01"`
	To   Date   `json:"to" doc:"Last day of the period." example:"2026-12-31"`
}

func (in *Header) header(number string) (engine.ListHeader, error) {
	out := engine.ListHeader{Number: number, Name: in.Name}
	var err error
	if out.From, err = in.From.parse("from"); err != nil {
		return out, err
	}
	out.To, err = in.To.parse("to")
	return out, err
}

// DrawUp is the request for a new list.
type DrawUp struct {
	Body struct {
		Unit   string `json:"unit" doc:"Id or code."`
		Number string `json:"number" doc:"期号, which projects name; unique within the unit." example:"2026-6"`
		Header
	} `nameHint:"NewList"`
}

func (h *handlers) drawUp(ctx context.Context, in *DrawUp) (*ListAnswer, error) {
	who := request.From(ctx).Actor
	unit, err := h.unit(ctx, who, "unit", in.Body.Unit)
	if err != nil {
		return nil, err
	}
	header, err := in.Body.header(in.Body.Number)
	if err != nil {
		return nil, err
	}
	l, err := h.Engine.DrawUp(ctx, who, unit, header)
	if err != nil {
		return nil, err
	}
	out, err := h.listAnswer(ctx, l.ID)
	if err == nil {
		out.Location = prefix + "/lists/" + string(l.ID)
	}
	return out, err
}

// Lists is the request for lists.
type Lists struct {
	Unit   string   `query:"unit" maxLength:"40" doc:"Id or code of the unit whose lists they are."`
	Number string   `query:"number" maxLength:"40" doc:"期号"`
	State  []string `query:"state" maxItems:"4" enum:"draft,published,reconciling,archived" doc:"States, with commas."`
	Page
}

func (h *handlers) lists(ctx context.Context, in *Lists) (*ListsAnswer, error) {
	who := request.From(ctx).Actor
	if !plain(in.Number) {
		return nil, invalid("number", "field.not_text")
	}
	f := engine.ListFilter{Number: in.Number, After: in.Cursor, Limit: in.Limit}
	for _, s := range in.State {
		f.State = append(f.State, engine.ListState(s))
	}
	var err error
	if f.Unit, err = h.unitAsked(ctx, in.Unit); err != nil {
		return nil, err
	}
	page, err := h.Engine.Lists(ctx, who, f)
	if err != nil {
		return nil, aboutCursor(err)
	}
	out := &ListsAnswer{}
	out.Body.Items, out.Body.Next = showAll(ctx, page.Items, h.listRow), page.Next
	return out, nil
}

// OneList is a request about one list.
type OneList struct {
	ID string `path:"id" doc:"Id of the list."`
}

// listID is the id of a list.
func listID(s string) (engine.ListID, error) {
	return idOf[engine.ListID](s, "lists.unknown")
}

func (h *handlers) oneList(ctx context.Context, in *OneList) (*ListAnswer, error) {
	id, err := listID(in.ID)
	if err != nil {
		return nil, err
	}
	return h.listAnswer(ctx, id)
}

// ListChange is what every request that changes a list carries.
type ListChange struct {
	OneList
	Match
}

// onList carries out an act on a list and shows the list after it.
func (h *handlers) onList(ctx context.Context, in *ListChange, act func(who engine.Actor, id engine.ListID, base int64) (engine.List, error)) (*ListAnswer, error) {
	l, err := changed(ctx, listID, in.ID, in.Match, act)
	if err != nil {
		return nil, err
	}
	return h.listAnswer(ctx, l.ID)
}

// EditList is the request that changes a list's header.
type EditList struct {
	ListChange
	Body Header
}

func (h *handlers) editList(ctx context.Context, in *EditList) (*ListAnswer, error) {
	header, err := in.Body.header("")
	if err != nil {
		return nil, err
	}
	return h.onList(ctx, &in.ListChange, func(who engine.Actor, id engine.ListID, base int64) (engine.List, error) {
		return h.Engine.EditList(ctx, who, id, base, header)
	})
}

// PutOn is the request that puts projects on a list.
type PutOn struct {
	ListChange
	Body struct {
		Projects []string `json:"projects" maxItems:"500" doc:"Ids, in the order in which they shall stand."`
	} `nameHint:"PutOnList"`
}

func (h *handlers) putOn(ctx context.Context, in *PutOn) (*ListAnswer, error) {
	projects := make([]engine.ProjectID, 0, len(in.Body.Projects))
	for _, s := range in.Body.Projects {
		id, err := projectID(s)
		if err != nil {
			return nil, asInvalid(err, "projects")
		}
		projects = append(projects, id)
	}
	return h.onList(ctx, &in.ListChange, func(who engine.Actor, id engine.ListID, base int64) (engine.List, error) {
		l, err := h.Engine.PutOn(ctx, who, id, base, projects)
		if e := engine.KindOf(err); e == engine.NotFound && l.ID != "" { // the list is there; a project is not
			err = asInvalid(err, "projects")
		}
		return l, err
	})
}

// ListedProject is a change of one item.
type ListedProject struct {
	ListChange
	Project string `path:"project" doc:"Id of the project."`
}

// PlaceOnList is the request that moves an item.
type PlaceOnList struct {
	ListedProject
	Body struct {
		No int `json:"no" doc:"序号 that it shall have; those between move."`
	} `nameHint:"Place"`
}

func (h *handlers) place(ctx context.Context, in *PlaceOnList) (*ListAnswer, error) {
	return h.onList(ctx, &in.ListChange, func(who engine.Actor, id engine.ListID, base int64) (engine.List, error) {
		return h.Engine.Place(ctx, who, id, base, engine.ProjectID(in.Project), in.Body.No)
	})
}

func (h *handlers) takeOff(ctx context.Context, in *ListedProject) (*ListAnswer, error) {
	return h.onList(ctx, &in.ListChange, func(who engine.Actor, id engine.ListID, base int64) (engine.List, error) {
		return h.Engine.TakeOff(ctx, who, id, base, engine.ProjectID(in.Project))
	})
}

// CarryOver is the request that carries an item over.
type CarryOver struct {
	ListedProject
	Body struct {
		To   string `json:"to" doc:"Id of the list that takes it over."`
		Note string `json:"note" doc:"Why."`
	} `nameHint:"CarryOverBody"`
}

func (h *handlers) carryOver(ctx context.Context, in *CarryOver) (*ListAnswer, error) {
	to, err := listID(in.Body.To)
	if err != nil {
		return nil, asInvalid(err, "to")
	}
	return h.onList(ctx, &in.ListChange, func(who engine.Actor, id engine.ListID, base int64) (engine.List, error) {
		return h.Engine.CarryOver(ctx, who, id, base, engine.ProjectID(in.Project), to, in.Body.Note)
	})
}

func (h *handlers) publishList(ctx context.Context, in *ListChange) (*ListAnswer, error) {
	return h.onList(ctx, in, func(who engine.Actor, id engine.ListID, base int64) (engine.List, error) {
		return h.Engine.PublishList(ctx, who, id, base)
	})
}

func (h *handlers) startReconciling(ctx context.Context, in *ListChange) (*ListAnswer, error) {
	return h.onList(ctx, in, func(who engine.Actor, id engine.ListID, base int64) (engine.List, error) {
		return h.Engine.StartReconciling(ctx, who, id, base)
	})
}

// CloseList is the request that closes a list.
type CloseList struct {
	ListChange
	Body *struct {
		Note string `json:"note,omitempty"`
	} `nameHint:"Closing"`
}

func (h *handlers) closeList(ctx context.Context, in *CloseList) (*ListAnswer, error) {
	note := ""
	if in.Body != nil {
		note = in.Body.Note
	}
	return h.onList(ctx, &in.ListChange, func(who engine.Actor, id engine.ListID, base int64) (engine.List, error) {
		return h.Engine.CloseList(ctx, who, id, base, note)
	})
}
