package v1

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"bihuan/api/request"
	"bihuan/engine"
)

// registerNeeds adds the operations on 诉求.
func (h *handlers) registerNeeds(api huma.API, op func(method, path, id, summary string) huma.Operation) {
	const get, post, put = http.MethodGet, http.MethodPost, http.MethodPut
	const one = "/needs/{id}"
	collect := op(post, "/needs", "collect-need", "登记诉求 Write down what people ask for")
	collect.DefaultStatus = http.StatusCreated
	huma.Register(api, collect, h.collect)
	huma.Register(api, op(get, "/needs", "list-needs", "诉求 Needs, the newest first"), h.needs)
	huma.Register(api, op(get, one, "get-need", "一条诉求 One need"), h.oneNeed)
	huma.Register(api, op(put, one, "edit-need", "修改诉求 Change what is written about a need that is open"), h.editNeed)
	huma.Register(api, op(post, one+"/acceptance", "accept-need", "采纳诉求 Take a need up, in a new item or one that exists"), h.acceptNeed)
	huma.Register(api, op(post, one+"/answer", "decline-need", "答复诉求 Answer a need that is not taken up, with the reason"), h.declineNeed)
	huma.Register(api, op(post, one+"/merge", "merge-need", "合并诉求 Merge a need into another that says the same"), h.mergeNeed)
	huma.Register(api, op(post, one+"/telling", "tell-need", "告知提出人 Record that somebody without an account was told"), h.tellNeed)
}

// NeedBody is one need.
type NeedBody struct {
	ID        string     `json:"id"`
	Unit      Ref        `json:"unit"`
	Number    string     `json:"number" doc:"期号 of the list that it is meant for."`
	Title     string     `json:"title"`
	Text      string     `json:"text,omitempty"`
	Source    Ref        `json:"source" doc:"survey 大调研, visit 大走访, meeting 座谈会, letter 来信来访, hotline 热线, motion 提案, other 其他."`
	Who       string     `json:"who,omitempty" doc:"What kind of people ask."`
	Times     int        `json:"times" doc:"How often it was raised, with those merged into it."`
	Proposer  *Ref       `json:"proposer,omitempty" doc:"Who asked, if they have an account; the system tells them."`
	Contact   string     `json:"contact,omitempty" doc:"How to reach somebody without one; only for those who answer."`
	State     Ref        `json:"state" doc:"open 待办理, accepted 已采纳, declined 已答复, merged 已合并."`
	Project   string     `json:"project,omitempty" doc:"Id of the item that does something about it."`
	Into      string     `json:"into,omitempty" doc:"Id of the need that it was merged into."`
	Answer    string     `json:"answer,omitempty"`
	SettledAt *time.Time `json:"settled_at,omitempty"`
	SettledBy *Ref       `json:"settled_by,omitempty"`
	ToldAt    *time.Time `json:"told_at,omitempty"`
	ToldBy    *Ref       `json:"told_by,omitempty"`
	ToldHow   string     `json:"told_how,omitempty"`
	CreatedAt time.Time  `json:"created_at"`
	CreatedBy *Ref       `json:"created_by,omitempty"`
	Version   int64      `json:"version"`
}

// NeedAnswer is the answer of every operation on one need.
type NeedAnswer struct {
	ETag     string `header:"ETag" doc:"The need's version, for If-Match."`
	Location string `header:"Location" doc:"Of a new need: its address."`
	Body     NeedBody
}

// NeedsAnswer is a page of needs.
type NeedsAnswer struct {
	Body struct {
		Items []NeedBody `json:"items"`
		Next  string     `json:"next" doc:"Cursor of the following page; empty at the end."`
	} `nameHint:"Needs"`
}

func (h *handlers) needBody(ctx context.Context, n *engine.Need) NeedBody {
	lang := request.From(ctx).Lang
	return NeedBody{ID: string(n.ID), Unit: h.names.unit(ctx, n.UnitID), Number: n.Number, Title: n.Title, Text: n.Text,
		Source: Ref{ID: string(n.Source), Name: n.Source.In(lang)}, Who: n.Who, Times: n.Times, Proposer: h.names.maybe(ctx, n.Proposer), Contact: n.Contact,
		State: Ref{ID: string(n.State), Name: n.State.In(lang)}, Project: string(n.ProjectID), Into: string(n.Into), Answer: n.Answer,
		SettledAt: n.SettledAt, SettledBy: h.names.maybe(ctx, n.SettledBy), ToldAt: n.ToldAt, ToldBy: h.names.maybe(ctx, n.ToldBy), ToldHow: n.ToldHow,
		CreatedAt: n.CreatedAt, CreatedBy: h.names.maybe(ctx, n.CreatedBy), Version: n.Version}
}

// needAnswer shows a need after a change or a reading.
func (h *handlers) needAnswer(ctx context.Context, id engine.NeedID) (*NeedAnswer, error) {
	n, err := h.Engine.TheNeed(ctx, request.From(ctx).Actor, id)
	if err != nil {
		return nil, err
	}
	return &NeedAnswer{ETag: etag(n.Version), Body: h.needBody(ctx, &n)}, nil
}

// NeedWords are what people write about a need.
type NeedWords struct {
	Number   string `json:"number" doc:"期号 of the list that it is meant for." example:"2026-6"`
	Title    string `json:"title" doc:"In a few words."`
	Text     string `json:"text,omitempty"`
	Source   string `json:"source" enum:"survey,visit,meeting,letter,hotline,motion,other"`
	Who      string `json:"who,omitempty" doc:"What kind of people ask; nobody's name." example:"学生"`
	Times    int    `json:"times,omitempty" doc:"How often it was raised; once if left out."`
	Proposer string `json:"proposer,omitempty" doc:"Id or login of who asked, if they have an account."`
	Contact  string `json:"contact,omitempty" doc:"Name and number of somebody without an account. It stands in no entry of the trail."`
}

func (h *handlers) needDraft(ctx context.Context, in *NeedWords) (engine.NeedDraft, error) {
	d := engine.NeedDraft{Number: in.Number, Title: in.Title, Text: in.Text, Source: engine.NeedSource(in.Source), Who: in.Who, Times: in.Times, Contact: in.Contact}
	var err error
	d.Proposer, err = h.person(ctx, "proposer", in.Proposer)
	return d, err
}

// CollectNeed is the request that writes a need down.
type CollectNeed struct {
	Body struct {
		Unit string `json:"unit" doc:"Id or code of the unit whose list it is meant for."`
		NeedWords
	} `nameHint:"NewNeed"`
}

func (h *handlers) collect(ctx context.Context, in *CollectNeed) (*NeedAnswer, error) {
	who := request.From(ctx).Actor
	unit, err := h.unit(ctx, who, "unit", in.Body.Unit)
	if err != nil {
		return nil, err
	}
	d, err := h.needDraft(ctx, &in.Body.NeedWords)
	if err != nil {
		return nil, err
	}
	n, err := h.Engine.Collect(ctx, who, unit, d)
	if err != nil {
		return nil, err
	}
	out, err := h.needAnswer(ctx, n.ID)
	if err == nil {
		out.Location = prefix + "/needs/" + string(n.ID)
	}
	return out, err
}

// Needs is the request for needs.
type Needs struct {
	Unit   string   `query:"unit" maxLength:"40" doc:"Id or code of the unit whose needs they are."`
	Number string   `query:"number" maxLength:"40" doc:"期号"`
	State  []string `query:"state" maxItems:"4" enum:"open,accepted,declined,merged" doc:"States, with commas."`
	Text   string   `query:"q" maxLength:"100" doc:"In the title or the text."`
	Untold bool     `query:"untold" doc:"Settled, and somebody without an account waits to be told."`
	Page
}

func (h *handlers) needs(ctx context.Context, in *Needs) (*NeedsAnswer, error) {
	who := request.From(ctx).Actor
	for field, s := range map[string]string{"number": in.Number, "q": in.Text} {
		if !plain(s) {
			return nil, invalid(field, "field.not_text")
		}
	}
	f := engine.NeedFilter{Number: in.Number, Text: in.Text, Untold: in.Untold, After: in.Cursor, Limit: in.Limit}
	for _, s := range in.State {
		f.State = append(f.State, engine.NeedState(s))
	}
	var err error
	if f.Unit, err = h.unitAsked(ctx, in.Unit); err != nil {
		return nil, err
	}
	page, err := h.Engine.Needs(ctx, who, f)
	if err != nil {
		return nil, aboutCursor(err)
	}
	out := &NeedsAnswer{}
	out.Body.Items, out.Body.Next = showAll(ctx, page.Items, h.needBody), page.Next
	return out, nil
}

// OneNeed is a request about one need.
type OneNeed struct {
	ID string `path:"id" doc:"Id of the need."`
}

// needID is the id of a need.
func needID(s string) (engine.NeedID, error) {
	return idOf[engine.NeedID](s, "needs.unknown")
}

func (h *handlers) oneNeed(ctx context.Context, in *OneNeed) (*NeedAnswer, error) {
	id, err := needID(in.ID)
	if err != nil {
		return nil, err
	}
	return h.needAnswer(ctx, id)
}

// NeedChange is what every request that changes a need carries.
type NeedChange struct {
	OneNeed
	Match
}

// onNeed carries out an act on a need and shows the need after it.
func (h *handlers) onNeed(ctx context.Context, in *NeedChange, act func(who engine.Actor, id engine.NeedID, base int64) (engine.Need, error)) (*NeedAnswer, error) {
	n, err := changed(ctx, needID, in.ID, in.Match, act)
	if err != nil {
		return nil, err
	}
	return h.needAnswer(ctx, n.ID)
}

// EditNeed is the request that changes a need's words.
type EditNeed struct {
	NeedChange
	Body NeedWords
}

func (h *handlers) editNeed(ctx context.Context, in *EditNeed) (*NeedAnswer, error) {
	d, err := h.needDraft(ctx, &in.Body)
	if err != nil {
		return nil, err
	}
	return h.onNeed(ctx, &in.NeedChange, func(who engine.Actor, id engine.NeedID, base int64) (engine.Need, error) {
		return h.Engine.EditNeed(ctx, who, id, base, d)
	})
}

// AcceptNeed is the request that takes a need up.
type AcceptNeed struct {
	NeedChange
	Body struct {
		Project string `json:"project,omitempty" doc:"Id of an item that does something about it; or kind and unit of a new one:"`
		Kind    string `json:"kind,omitempty" doc:"Id of the workflow." example:"shishi"`
		Unit    string `json:"unit,omitempty" doc:"Id or code of the leading unit."`
		Note    string `json:"note,omitempty" doc:"What the proposer is told besides."`
	} `nameHint:"AcceptNeedBody"`
}

func (h *handlers) acceptNeed(ctx context.Context, in *AcceptNeed) (*NeedAnswer, error) {
	item := engine.NeedItem{Kind: in.Body.Kind}
	var err error
	if in.Body.Project != "" {
		if item.Project, err = projectID(in.Body.Project); err != nil {
			return nil, asInvalid(err, "project")
		}
	} else if item.Unit, err = h.unit(ctx, request.From(ctx).Actor, "unit", in.Body.Unit); err != nil {
		return nil, err
	}
	return h.onNeed(ctx, &in.NeedChange, func(who engine.Actor, id engine.NeedID, base int64) (engine.Need, error) {
		n, err := h.Engine.AcceptNeed(ctx, who, id, base, item, in.Body.Note)
		if engine.KindOf(err) == engine.NotFound && n.ID != "" { // the need is there; the workflow is not
			err = asInvalid(err, "kind")
		}
		return n, err
	})
}

// NeedNote is a request with words alone.
type NeedNote struct {
	NeedChange
	Body struct {
		Note string `json:"note"`
	} `nameHint:"NeedNote"`
}

func (h *handlers) declineNeed(ctx context.Context, in *NeedNote) (*NeedAnswer, error) {
	return h.onNeed(ctx, &in.NeedChange, func(who engine.Actor, id engine.NeedID, base int64) (engine.Need, error) {
		return h.Engine.DeclineNeed(ctx, who, id, base, in.Body.Note)
	})
}

func (h *handlers) tellNeed(ctx context.Context, in *NeedNote) (*NeedAnswer, error) {
	return h.onNeed(ctx, &in.NeedChange, func(who engine.Actor, id engine.NeedID, base int64) (engine.Need, error) {
		return h.Engine.TellNeed(ctx, who, id, base, in.Body.Note)
	})
}

// MergeNeed is the request that merges a need into another.
type MergeNeed struct {
	NeedChange
	Body struct {
		Into string `json:"into" doc:"Id of the need that goes on for both."`
	} `nameHint:"MergeNeedBody"`
}

func (h *handlers) mergeNeed(ctx context.Context, in *MergeNeed) (*NeedAnswer, error) {
	into, err := needID(in.Body.Into)
	if err != nil {
		return nil, asInvalid(err, "into")
	}
	return h.onNeed(ctx, &in.NeedChange, func(who engine.Actor, id engine.NeedID, base int64) (engine.Need, error) {
		return h.Engine.MergeNeed(ctx, who, id, base, into)
	})
}
