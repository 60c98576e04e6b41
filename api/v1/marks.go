package v1

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"bihuan/api/request"
	"bihuan/engine"
)

// registerMarks adds the operations on 推广 and 评先.
func (h *handlers) registerMarks(api huma.API, op func(method, path, id, summary string) huma.Operation) {
	const one = "/projects/{id}/marks"
	change(h, api, op(http.MethodPost, one, "mark-project", "标记推广、评先 Give an item a distinction"), (*MarkAs).command)
	change(h, api, op(http.MethodPost, one+"/{mark}/revocation", "revoke-mark", "撤销标记 Take a distinction back, with the reason"), (*RevokeMark).command)
	huma.Register(api, op(http.MethodGet, "/marks", "list-marks", "推广和评先 Distinctions that hold, by unit and year"), h.marks)
}

// Mark is a distinction with what stands behind it.
type Mark struct {
	ID        string     `json:"id"`
	Kind      Ref        `json:"kind" doc:"promote 推广, commend 评先."`
	By        Ref        `json:"by"`
	At        time.Time  `json:"at"`
	Note      string     `json:"note"`
	Seq       int64      `json:"seq" doc:"The item's newest entry at that moment:"`
	Head      string     `json:"head" doc:"its hash."`
	Evidence  []Proof    `json:"evidence"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
	RevokedBy *Ref       `json:"revoked_by,omitempty"`
	Revoked   string     `json:"revoked,omitempty" doc:"Why."`
}

// Proof is a piece of evidence behind a distinction.
type Proof struct {
	ID     string `json:"id"`
	SHA256 string `json:"sha256"`
}

func showMark(ctx context.Context, id string, m engine.Mark, people refs) Mark {
	return Mark{ID: id, Kind: Ref{ID: string(m.Kind), Name: m.Kind.In(request.From(ctx).Lang)}, By: people.user(ctx, m.By), At: m.At, Note: m.Note, Seq: m.Seq, Head: m.Head,
		Evidence: showProofs(m.Evidence), RevokedAt: m.RevokedAt, RevokedBy: people.maybe(ctx, m.RevokedBy), Revoked: m.Revoked}
}

func showMarks(ctx context.Context, p *engine.Project, people refs) []Mark {
	out := []Mark{}
	for id, m := range p.Marks {
		out = append(out, showMark(ctx, id, m, people))
	}
	slices.SortFunc(out, func(a, b Mark) int { return byNumber(a.ID, b.ID) })
	return out
}

// MarkBody is a new distinction.
type MarkBody struct {
	Kind     string   `json:"kind" enum:"promote,commend"`
	Note     string   `json:"note" doc:"Why."`
	Evidence []string `json:"evidence,omitempty" maxItems:"40" doc:"Ids of the evidence behind it; all that the item has, if left out."`
}

// MarkAs is the request that gives a distinction.
type MarkAs struct {
	Change
	Body MarkBody
}

func (in *MarkAs) payload() any { return &in.Body }

func (in *MarkAs) command() (engine.Command, error) {
	return engine.MarkAs{Kind: engine.MarkKind(in.Body.Kind), Note: in.Body.Note, Evidence: in.Body.Evidence}, nil
}

// RevokeMark is the request that takes a distinction back.
type RevokeMark struct {
	Change
	Mark string `path:"mark" doc:"Id of the mark."`
	Body struct {
		Note string `json:"note" doc:"Why."`
	} `nameHint:"RevokeMarkBody"`
}

func (in *RevokeMark) payload() any { return &in.Body }

func (in *RevokeMark) command() (engine.Command, error) {
	return engine.RevokeMark{ID: in.Mark, Note: in.Body.Note}, nil
}

// Marks is the request for distinctions.
type Marks struct {
	Unit string `query:"unit" maxLength:"40" doc:"Id or code: the unit and everything under it."`
	Year int    `query:"year" minimum:"0" maximum:"9999" doc:"In which they were given; 0 for all."`
	Kind string `query:"kind" enum:"promote,commend"`
}

// MarkRow is a distinction in the list.
type MarkRow struct {
	Mark
	Project Ref    `json:"project" doc:"Id and title."`
	Number  string `json:"number" doc:"编号"`
	Unit    Ref    `json:"unit"`
	Failed  bool   `json:"look_back_failed" doc:"A look-back of the item failed."`
	False   bool   `json:"false_evidence" doc:"A finding of false evidence about the item stands."`
}

// MarksAnswer is a list of distinctions.
type MarksAnswer struct {
	Body struct {
		Items []MarkRow `json:"items"`
	} `nameHint:"Marks"`
}

func (h *handlers) marks(ctx context.Context, in *Marks) (*MarksAnswer, error) {
	unit, err := h.unitAsked(ctx, in.Unit)
	if err != nil {
		return nil, err
	}
	list, err := h.Engine.Distinctions(ctx, request.From(ctx).Actor, in.Year, unit)
	if err != nil {
		return nil, err
	}
	out := &MarksAnswer{}
	out.Body.Items = []MarkRow{}
	for i := range list {
		x := &list[i]
		if in.Kind != "" && in.Kind != string(x.Mark.Kind) {
			continue
		}
		out.Body.Items = append(out.Body.Items, MarkRow{Mark: showMark(ctx, x.ID, x.Mark, h.names), Project: Ref{ID: string(x.Project.ID), Name: x.Project.Title},
			Number: x.Project.Number, Unit: h.names.unit(ctx, x.Project.UnitID), Failed: x.Project.LookBacksFailed > 0, False: x.Project.Convicted()})
	}
	return out, nil
}
