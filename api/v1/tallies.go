package v1

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"bihuan/api/request"
	"bihuan/engine"
	"bihuan/engine/calendar"
)

// registerTallies adds the operations on yearly counts.
func (h *handlers) registerTallies(api huma.API, op func(method, path, id, summary string) huma.Operation) {
	const get, post = http.MethodGet, http.MethodPost
	const all, one = "/tally-years", "/tally-years/{id}"
	enrol := op(post, all, "enrol-member", "列入名册 Put somebody on a branch's roll for a year")
	enrol.DefaultStatus = http.StatusCreated
	huma.Register(api, op(get, "/tallies", "list-tallies", "年度计数 Yearly counts, such as 四个一"), h.tallies)
	huma.Register(api, enrol, h.enrolMember)
	huma.Register(api, op(get, all, "list-tally-years", "党员年度记录 What members did in a year, and what they lack"), h.tallyYears)
	huma.Register(api, op(get, one, "get-tally-year", "一名党员的一年 One member's year"), h.oneTallyYear)
	huma.Register(api, op(post, one+"/records", "enter-hours", "录入 Enter something that a member did"), h.enterHours)
	huma.Register(api, op(post, one+"/confirmation", "confirm-hours", "确认 Confirm records that somebody else entered"), h.confirmHours)
	huma.Register(api, op(post, one+"/rejection", "decline-hours", "退回 Decline a record, with the reason"), h.declineHours)
	huma.Register(api, op(post, one+"/withdrawal", "withdraw-hours", "撤回 Take a record back, with the reason"), h.withdrawHours)
	huma.Register(api, op(post, one+"/striking", "strike-member", "从名册除名 Take a member off the roll, with the reason"), h.strikeMember)
}

// TallyBody is the rule of a yearly count.
type TallyBody struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	On         bool            `json:"on"`
	Minutes    int             `json:"minutes" doc:"At least, in a year and over all categories."`
	Categories []TallyCategory `json:"categories"`
}

// TallyCategory is one sort of what is counted.
type TallyCategory struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Min  int    `json:"min" doc:"How often in a year, at least."`
}

// TalliesAnswer are the yearly counts that were ever switched on.
type TalliesAnswer struct {
	Body struct {
		Items []TallyBody `json:"items"`
	} `nameHint:"Tallies"`
}

func (h *handlers) tallies(ctx context.Context, _ *struct{}) (*TalliesAnswer, error) {
	list, err := h.Engine.Tallies(ctx)
	if err != nil {
		return nil, err
	}
	lang := request.From(ctx).Lang
	out := &TalliesAnswer{}
	out.Body.Items = []TallyBody{}
	for _, t := range list {
		b := TallyBody{ID: t.ID, Name: t.Name.In(lang), On: t.On, Minutes: t.Minutes}
		for _, c := range t.Categories {
			b.Categories = append(b.Categories, TallyCategory{c.ID, c.Name.In(lang), c.Min})
		}
		out.Body.Items = append(out.Body.Items, b)
	}
	return out, nil
}

// TallyYearBody is what one member did in one year.
type TallyYearBody struct {
	ID      string                     `json:"id"`
	Tally   string                     `json:"tally"`
	Member  *Ref                       `json:"member"`
	Unit    Ref                        `json:"unit"`
	Year    int                        `json:"year"`
	Struck  string                     `json:"struck,omitempty" doc:"Why the member is not on the roll any more."`
	Records map[string]TallyRecordBody `json:"records"`
	Times   map[string]int             `json:"times" doc:"Confirmed records, by category."`
	Minutes int                        `json:"minutes" doc:"Of all confirmed records."`
	Waiting int                        `json:"waiting" doc:"Records that wait to be confirmed."`

	ShortTimes   map[string]int `json:"short_times" doc:"How many are missing, by category."`
	ShortMinutes int            `json:"short_minutes"`
	Version      int64          `json:"version"`
}

// TallyRecordBody is one thing that a member did.
type TallyRecordBody struct {
	Category  string        `json:"category"`
	Day       calendar.Date `json:"day"`
	Minutes   int           `json:"minutes"`
	Note      string        `json:"note,omitempty"`
	State     Ref           `json:"state" doc:"entered 待确认, confirmed 已确认, declined 已退回, withdrawn 已撤回."`
	By        *Ref          `json:"by,omitempty"`
	At        time.Time     `json:"at"`
	DecidedBy *Ref          `json:"decided_by,omitempty"`
	DecidedAt *time.Time    `json:"decided_at,omitempty"`
	Reason    string        `json:"reason,omitempty"`
}

// TallyYearAnswer is the answer of every operation on one member's year.
type TallyYearAnswer struct {
	ETag     string `header:"ETag" doc:"The year's version, for If-Match."`
	Location string `header:"Location" doc:"Of a new one: its address."`
	Body     TallyYearBody
}

// TallyYearsAnswer is a page of members' years.
type TallyYearsAnswer struct {
	Body struct {
		Items []TallyYearBody `json:"items"`
		Next  string          `json:"next" doc:"Cursor of the following page; empty at the end."`
	} `nameHint:"TallyYears"`
}

func (h *handlers) tallyYearBody(ctx context.Context, t *engine.Tally, y *engine.TallyYear) TallyYearBody {
	c, lang := t.Count(y), request.From(ctx).Lang
	b := TallyYearBody{ID: string(y.ID), Tally: y.Tally, Member: h.names.maybe(ctx, y.UserID), Unit: h.names.unit(ctx, y.UnitID), Year: y.Year, Struck: y.Struck,
		Records: map[string]TallyRecordBody{}, Times: c.Times, Minutes: c.Minutes, Waiting: c.Waiting, ShortTimes: c.ShortTimes, ShortMinutes: c.ShortMinutes, Version: y.Version}
	for id, r := range y.Records {
		b.Records[id] = TallyRecordBody{Category: r.Category, Day: r.Day, Minutes: r.Minutes, Note: r.Note, State: Ref{ID: string(r.State), Name: r.State.In(lang)},
			By: h.names.maybe(ctx, r.By), At: r.At, DecidedBy: h.names.maybe(ctx, r.DecidedBy), DecidedAt: r.DecidedAt, Reason: r.Reason}
	}
	return b
}

func (h *handlers) tallyYearAnswer(ctx context.Context, y *engine.TallyYear) (*TallyYearAnswer, error) {
	t, err := h.Engine.TheTally(ctx, y.Tally)
	if err != nil {
		return nil, err
	}
	return &TallyYearAnswer{ETag: etag(y.Version), Body: h.tallyYearBody(ctx, &t, y)}, nil
}

// TallyYears is the request for members' years.
type TallyYears struct {
	Tally string `query:"tally" required:"true" maxLength:"30" doc:"Id of the yearly count."`
	Year  int    `query:"year" doc:"All years if left out."`
	Unit  string `query:"unit" maxLength:"40" doc:"Id or code of a unit; those under it count too."`
	Page
}

func (h *handlers) tallyYears(ctx context.Context, in *TallyYears) (*TallyYearsAnswer, error) {
	t, err := h.Engine.TheTally(ctx, in.Tally)
	if err != nil {
		return nil, err
	}
	f := engine.TallyFilter{Tally: t.ID, Year: in.Year, After: in.Cursor, Limit: in.Limit}
	if f.Unit, err = h.unitAsked(ctx, in.Unit); err != nil {
		return nil, err
	}
	page, err := h.Engine.TallyYears(ctx, request.From(ctx).Actor, f)
	if err != nil {
		return nil, aboutCursor(err)
	}
	out := &TallyYearsAnswer{}
	out.Body.Next = page.Next
	out.Body.Items = showAll(ctx, page.Items, func(ctx context.Context, y *engine.TallyYear) TallyYearBody { return h.tallyYearBody(ctx, &t, y) })
	return out, nil
}

// EnrolMember is the request that puts somebody on a roll.
type EnrolMember struct {
	Body struct {
		Tally  string `json:"tally" doc:"Id of the yearly count." example:"sigeyi"`
		Member string `json:"member" doc:"Id or login."`
		Unit   string `json:"unit" doc:"Id or code of the branch."`
		Year   int    `json:"year" example:"2026"`
	} `nameHint:"NewMember"`
}

func (h *handlers) enrolMember(ctx context.Context, in *EnrolMember) (*TallyYearAnswer, error) {
	who := request.From(ctx).Actor
	unit, err := h.unit(ctx, who, "unit", in.Body.Unit)
	if err != nil {
		return nil, err
	}
	member, err := h.person(ctx, "member", in.Body.Member)
	if err != nil {
		return nil, err
	}
	y, err := h.Engine.EnrolMember(ctx, who, in.Body.Tally, unit, member, in.Body.Year)
	if err != nil {
		return nil, err
	}
	out, err := h.tallyYearAnswer(ctx, &y)
	if err == nil {
		out.Location = prefix + "/tally-years/" + string(y.ID)
	}
	return out, err
}

// OneTallyYear is a request about one member's year.
type OneTallyYear struct {
	ID string `path:"id" doc:"Id of the member's year."`
}

// tallyYearID is the id of a member's year.
func tallyYearID(s string) (engine.TallyYearID, error) {
	return idOf[engine.TallyYearID](s, "tally.unknown_year")
}

func (h *handlers) oneTallyYear(ctx context.Context, in *OneTallyYear) (*TallyYearAnswer, error) {
	id, err := tallyYearID(in.ID)
	if err != nil {
		return nil, err
	}
	y, err := h.Engine.TheTallyYear(ctx, request.From(ctx).Actor, id)
	if err != nil {
		return nil, err
	}
	return h.tallyYearAnswer(ctx, &y)
}

// TallyChange is what every request that changes a member's year carries.
type TallyChange struct {
	OneTallyYear
	Match
}

// onTally carries out an act on a member's year and shows the year after it.
func (h *handlers) onTally(ctx context.Context, in *TallyChange, act func(who engine.Actor, id engine.TallyYearID, base int64) (engine.TallyYear, error)) (*TallyYearAnswer, error) {
	y, err := changed(ctx, tallyYearID, in.ID, in.Match, act)
	if err != nil {
		return nil, err
	}
	return h.tallyYearAnswer(ctx, &y)
}

// EnterHours is the request that enters something that a member did.
type EnterHours struct {
	TallyChange
	Body struct {
		Category string        `json:"category" doc:"Id or name of a category of the yearly count."`
		Day      calendar.Date `json:"day"`
		Minutes  int           `json:"minutes" doc:"How long it took."`
		Note     string        `json:"note,omitempty" doc:"What was done and where; nobody else's name."`
	} `nameHint:"NewTallyRecord"`
}

func (h *handlers) enterHours(ctx context.Context, in *EnterHours) (*TallyYearAnswer, error) {
	return h.onTally(ctx, &in.TallyChange, func(who engine.Actor, id engine.TallyYearID, base int64) (engine.TallyYear, error) {
		b := in.Body
		return h.Engine.EnterHours(ctx, who, id, base, engine.TallyDraft{Category: b.Category, Day: b.Day, Minutes: b.Minutes, Note: b.Note})
	})
}

// ConfirmHours is the request that confirms records.
type ConfirmHours struct {
	TallyChange
	Body struct {
		Records []string `json:"records" doc:"Ids of the records." example:"[\"r1\"]"`
	} `nameHint:"ConfirmedRecords"`
}

func (h *handlers) confirmHours(ctx context.Context, in *ConfirmHours) (*TallyYearAnswer, error) {
	return h.onTally(ctx, &in.TallyChange, func(who engine.Actor, id engine.TallyYearID, base int64) (engine.TallyYear, error) {
		return h.Engine.ConfirmHours(ctx, who, id, base, in.Body.Records...)
	})
}

// WrongHours is the request that ends a record, with the reason.
type WrongHours struct {
	TallyChange
	Body struct {
		Record string `json:"record" doc:"Id of the record." example:"r1"`
		Note   string `json:"note" doc:"Why."`
	} `nameHint:"WrongTallyRecord"`
}

func (h *handlers) declineHours(ctx context.Context, in *WrongHours) (*TallyYearAnswer, error) {
	return h.onTally(ctx, &in.TallyChange, func(who engine.Actor, id engine.TallyYearID, base int64) (engine.TallyYear, error) {
		return h.Engine.DeclineHours(ctx, who, id, base, in.Body.Record, in.Body.Note)
	})
}

func (h *handlers) withdrawHours(ctx context.Context, in *WrongHours) (*TallyYearAnswer, error) {
	return h.onTally(ctx, &in.TallyChange, func(who engine.Actor, id engine.TallyYearID, base int64) (engine.TallyYear, error) {
		return h.Engine.WithdrawHours(ctx, who, id, base, in.Body.Record, in.Body.Note)
	})
}

// StrikeMember is the request that takes a member off the roll.
type StrikeMember struct {
	TallyChange
	Body struct {
		Note string `json:"note" doc:"Why."`
	} `nameHint:"StruckMember"`
}

func (h *handlers) strikeMember(ctx context.Context, in *StrikeMember) (*TallyYearAnswer, error) {
	return h.onTally(ctx, &in.TallyChange, func(who engine.Actor, id engine.TallyYearID, base int64) (engine.TallyYear, error) {
		return h.Engine.StrikeMember(ctx, who, id, base, in.Body.Note)
	})
}
