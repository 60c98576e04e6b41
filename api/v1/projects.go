package v1

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"bihuan/api/request"
	"bihuan/engine"
)

// Draft is what people write about a project while it is in 谋划.
type Draft struct {
	Title      *string           `json:"title,omitempty"`
	Category   *string           `json:"category,omitempty" doc:"类别"`
	Need       *string           `json:"need,omitempty" doc:"需求"`
	Target     *string           `json:"target,omitempty" doc:"预期成效"`
	Measures   *string           `json:"measures,omitempty" doc:"举措"`
	Owner      *string           `json:"owner,omitempty" doc:"承办人: id or login."`
	Assistants []string          `json:"assistants,omitempty" doc:"Ids or logins."`
	Sponsor    *string           `json:"sponsor,omitempty" doc:"领办领导: id or login."`
	Assisting  []string          `json:"assisting,omitempty" doc:"协办单位, names as people write them."`
	List       *string           `json:"list,omitempty" doc:"双月清单, e.g. 2026-6."`
	Deadline   *Date             `json:"deadline,omitempty" doc:"办结时限, a day as YYYY-MM-DD; empty for none." example:"2026-12-31"`
	Year       *int              `json:"year,omitempty" doc:"年度 of a yearly kind such as 书记项目; left out, the present one."`
	Extra      map[string]string `json:"extra,omitempty"`
}

// onto writes the members that are given over a draft.
func (h *handlers) onto(ctx context.Context, d engine.Draft, in *Draft) (engine.Draft, error) {
	text := func(dst, src *string) {
		if src != nil {
			*dst = *src
		}
	}
	text(&d.Title, in.Title)
	text(&d.Category, in.Category)
	text(&d.Need, in.Need)
	text(&d.Target, in.Target)
	text(&d.Measures, in.Measures)
	text(&d.List, in.List)
	var err error
	if in.Owner != nil {
		if d.Owner, err = h.person(ctx, "owner", *in.Owner); err != nil {
			return d, err
		}
	}
	if in.Sponsor != nil {
		if d.Sponsor, err = h.person(ctx, "sponsor", *in.Sponsor); err != nil {
			return d, err
		}
	}
	if in.Assistants != nil {
		d.Assistants = nil
		for _, a := range in.Assistants {
			id, err := h.person(ctx, "assistants", a)
			if err != nil {
				return d, err
			}
			d.Assistants = append(d.Assistants, id)
		}
	}
	if in.Assisting != nil {
		d.Assisting = append([]string(nil), in.Assisting...)
	}
	if in.Extra != nil {
		d.Extra = in.Extra
	}
	if in.Year != nil {
		d.Year = *in.Year
	}
	if in.Deadline != nil {
		if d.Deadline, err = in.Deadline.parse("deadline"); err != nil {
			return d, err
		}
	}
	return d, nil
}

// maxPeople is how many people one body may name before each of them costs a query.
const maxPeople = 40

// person turns an id or login into an id. The engine checks ids; only logins are looked up here.
func (h *handlers) person(ctx context.Context, field, idOrLogin string) (engine.UserID, error) {
	if idOrLogin == "" || engine.IsID(idOrLogin) {
		return engine.UserID(idOrLogin), nil
	}
	unknown := invalid(field, "user.unknown", "id", idOrLogin)
	if len(idOrLogin) > 40 || strings.ContainsFunc(idOrLogin, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", unknown
	}
	u, err := h.Engine.User(ctx, idOrLogin)
	if engine.KindOf(err) == engine.NotFound {
		return "", unknown
	}
	return u.ID, err
}

// CreateBody is a new project.
type CreateBody struct {
	Kind string `json:"kind" doc:"Id of the workflow." example:"shishi"`
	Unit string `json:"unit" doc:"牵头单位: id or code."`
	Draft
}

// Create is the request that proposes a project.
type Create struct {
	Key
	Body CreateBody
}

func (h *handlers) create(ctx context.Context, in *Create) (*ProjectAnswer, error) {
	who, err := actor(ctx, in.IdempotencyKey, &in.Body)
	if err != nil {
		return nil, err
	}
	if out, err := h.replay(ctx, who); out != nil || err != nil {
		return out, err
	}
	if _, err := h.Engine.Offered(in.Body.Kind); err != nil {
		return nil, asInvalid(err, "kind")
	}
	unit, err := h.unit(ctx, who, "unit", in.Body.Unit)
	if err != nil {
		return nil, err
	}
	if len(in.Body.Assistants) > maxPeople {
		return nil, invalid("assistants", "field.too_many")
	}
	d, err := h.onto(ctx, engine.Draft{}, &in.Body.Draft)
	if err != nil {
		return nil, err
	}
	p, err := h.Engine.Create(ctx, who, in.Body.Kind, unit, d)
	if err != nil {
		return nil, err
	}
	out, err := h.answer(ctx, &p, false)
	if err != nil {
		return nil, err
	}
	out.Location = prefix + "/projects/" + string(p.ID)
	return out, nil
}

// unit finds a unit that the caller's body or query names. One outside the caller's units is as unknown as one
// that does not exist.
func (h *handlers) unit(ctx context.Context, who engine.Actor, field, idOrCode string) (engine.Unit, error) {
	unknown := invalid(field, "unit.unknown", "unit", idOrCode)
	if idOrCode == "" || len(idOrCode) > 40 || strings.ContainsFunc(idOrCode, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return engine.Unit{}, unknown
	}
	u, err := h.Engine.Unit(ctx, idOrCode)
	if err != nil {
		if engine.KindOf(err) == engine.NotFound {
			err = unknown
		}
		return u, err
	}
	if !who.Covers(u.Path) {
		return engine.Unit{}, unknown
	}
	return u, nil
}

// unitAsked is the id of the unit that a query asks for, "" if it asks for none.
func (h *handlers) unitAsked(ctx context.Context, idOrCode string) (engine.UnitID, error) {
	if idOrCode == "" {
		return "", nil
	}
	u, err := h.unit(ctx, request.From(ctx).Actor, "unit", idOrCode)
	return u.ID, err
}

// asInvalid makes "there is no such thing" about a member of the body a fault of that member: 404 is about the
// address alone.
func asInvalid(err error, field string) error {
	if e, ok := errors.AsType[*engine.Error](err); ok && e.Kind == engine.NotFound {
		return &engine.Error{Kind: engine.Invalid, Field: field, Key: e.Key, Args: e.Args}
	}
	return err
}

// EditBody is a change of the draft.
type EditBody struct {
	Draft
	Note string `json:"note,omitempty"`
}

// Edit is the request that changes the draft.
type Edit struct {
	Change
	Body EditBody
}

func (in *Edit) payload() any { return &in.Body }

func (h *handlers) edit(ctx context.Context, in *Edit) (*ProjectAnswer, error) {
	return h.do(ctx, in, func() (engine.Command, error) {
		id, _, err := in.target()
		if err != nil {
			return nil, err
		}
		if len(in.Body.Assistants) > maxPeople {
			return nil, invalid("assistants", "field.too_many")
		}
		p, err := h.Engine.Project(ctx, request.From(ctx).Actor, id)
		if err != nil {
			return nil, err
		}
		d, err := h.onto(ctx, engine.DraftOf(&p), &in.Body.Draft)
		return engine.Edit{Draft: d, Note: in.Body.Note}, err
	})
}

// One is a request about one project.
type One struct {
	ID string `path:"id" doc:"Id of the project."`
}

// read returns the project if the caller may see it.
func (h *handlers) read(ctx context.Context, in *One) (engine.Project, error) {
	id, err := projectID(in.ID)
	if err != nil {
		return engine.Project{}, err
	}
	return h.Engine.Project(ctx, request.From(ctx).Actor, id)
}

func (h *handlers) get(ctx context.Context, in *One) (*ProjectAnswer, error) {
	p, err := h.read(ctx, in)
	if err != nil {
		return nil, err
	}
	view, err := h.project(ctx, &p, h.names)
	if err != nil {
		return nil, err
	}
	info := request.From(ctx)
	list, err := h.Engine.Explain(ctx, info.Actor, &p)
	if err != nil {
		return nil, err
	}
	view.Options = options(list, info.Lang)
	w, err := h.Engine.Pinned(ctx, &p)
	if err != nil {
		return nil, err
	}
	coming, err := h.Engine.Coming(ctx, &p)
	if err != nil {
		return nil, err
	}
	view.Coming = occurrences(w, coming, info.Lang)
	return &ProjectAnswer{ETag: etag(p.Version), Body: view}, nil
}

// Page is how a longer list is read.
type Page struct {
	Cursor string `query:"cursor" maxLength:"500" doc:"next of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

// showAll shows each thing of a list, in its order; of none, a list of none.
func showAll[T, V any](ctx context.Context, list []T, show func(context.Context, *T) V) []V {
	out := make([]V, len(list))
	for i := range list {
		out[i] = show(ctx, &list[i])
	}
	return out
}

// Chosen is what selects projects, for lists and for counts.
type Chosen struct {
	Kind    string   `query:"kind" maxLength:"32" doc:"Id of the workflow."`
	Unit    string   `query:"unit" maxLength:"40" doc:"Id or code: the unit and everything under it."`
	Stage   []string `query:"stage" maxItems:"20" doc:"Stages, by id, with commas."`
	Light   []string `query:"light" maxItems:"5" enum:"green,yellow,orange,red,none" doc:"Lights, with commas."`
	Owner   string   `query:"owner" maxLength:"40" doc:"Id or login of the 承办人, or me."`
	List    string   `query:"list" maxLength:"40" doc:"双月清单"`
	Text    string   `query:"q" maxLength:"100" doc:"In the number or title."`
	Overdue string   `query:"overdue" enum:"true,false" doc:"With, or without, recorded 逾期 under the present deadline."`
	Waiting []string `query:"waiting" maxItems:"9" enum:"secretary,supervisor,leader,inspector,admin,security,owner,assistant,sponsor" doc:"Waits for one of these roles."`
	Open    bool     `query:"open" doc:"Neither 已销号 nor 撤项."`
}

// filter checks what was chosen.
func (h *handlers) filter(ctx context.Context, in *Chosen) (engine.Filter, error) {
	f := engine.Filter{Kind: in.Kind, List: in.List, Text: in.Text, Open: in.Open}
	for _, x := range []struct{ field, value string }{{"kind", in.Kind}, {"list", in.List}, {"q", in.Text}} {
		if !plain(x.value) {
			return f, invalid(x.field, "field.not_text")
		}
	}
	var err error
	if f.Unit, err = h.unitAsked(ctx, in.Unit); err != nil {
		return f, err
	}
	for _, s := range in.Stage {
		if !plain(s) {
			return f, invalid("stage", "field.not_text")
		}
		f.Stage = append(f.Stage, engine.StageID(s))
	}
	for _, l := range in.Light {
		f.Light = append(f.Light, engine.Light(l))
	}
	for _, r := range in.Waiting {
		f.Waiting = append(f.Waiting, engine.Role(r))
	}
	if in.Overdue != "" {
		overdue := in.Overdue == "true"
		f.Overdue = &overdue
	}
	if f.Owner, err = h.someone(ctx, "owner", in.Owner); err != nil {
		return f, err
	}
	return f, nil
}

// someone is person, or the caller for "me".
func (h *handlers) someone(ctx context.Context, field, s string) (engine.UserID, error) {
	if s == "me" {
		return request.From(ctx).User.ID, nil
	}
	return h.person(ctx, field, s)
}

// plain reports whether a database can take s as text.
func plain(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// List is the request for a list of projects.
type List struct {
	Chosen
	Sort string `query:"sort" enum:"newest,deadline,updated" default:"newest"`
	Page
}

// Rows is a page of projects.
type Rows struct {
	Items []Row  `json:"items"`
	Next  string `json:"next" doc:"Cursor of the following page; empty at the end."`
}

// RowsAnswer is the answer with a page of projects.
type RowsAnswer struct{ Body Rows }

func (h *handlers) list(ctx context.Context, in *List) (*RowsAnswer, error) {
	f, err := h.filter(ctx, &in.Chosen)
	if err != nil {
		return nil, err
	}
	f.Sort, f.After, f.Limit = engine.Sort(in.Sort), in.Cursor, in.Limit
	page, err := h.Engine.List(ctx, request.From(ctx).Actor, f)
	if err != nil {
		return nil, aboutCursor(err)
	}
	out := &RowsAnswer{Body: Rows{Items: make([]Row, 0, len(page.Items)), Next: page.Next}}
	for i := range page.Items {
		row, err := h.row(ctx, &page.Items[i], h.names)
		if err != nil {
			return nil, err
		}
		out.Body.Items = append(out.Body.Items, row)
	}
	return out, nil
}

// aboutCursor names the parameter that the store calls after.
func aboutCursor(err error) error {
	if e, ok := errors.AsType[*engine.Error](err); ok && e.Field == "after" {
		e.Field = "cursor"
	}
	return err
}
