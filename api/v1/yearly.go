package v1

import (
	"context"

	"bihuan/api/request"
)

// YearAsked selects a year of a yearly kind.
type YearAsked struct {
	Workflow string `path:"workflow" maxLength:"40" doc:"Id of a yearly kind." example:"shuji"`
	Year     int    `path:"year" minimum:"2000" maximum:"2100"`
	Unit     string `query:"unit" maxLength:"60" doc:"The unit and everything under it: id or code. Left out: all that you may read."`
}

// YearRow says what a unit has of a yearly kind in a year.
type YearRow struct {
	Unit    Ref  `json:"unit"`
	Project *Row `json:"project,omitempty" doc:"Its project of the year; left out: none yet."`
	Grade   *Ref `json:"grade,omitempty" doc:"The grade that it ended with."`
	Owing   *Ref `json:"owing,omitempty" doc:"A missed project of an earlier year whose 书面说明 is owed: id and number."`
}

// YearAnswer is the answer.
type YearAnswer struct {
	Body struct {
		Items   []YearRow `json:"items" doc:"Units at which somebody may propose the kind, and those that have one."`
		Missing int       `json:"missing" doc:"How many have none."`
	}
}

func (h *handlers) year(ctx context.Context, in *YearAsked) (*YearAnswer, error) {
	who := request.From(ctx)
	root, err := h.unitAsked(ctx, in.Unit)
	if err != nil {
		return nil, err
	}
	rows, err := h.Engine.Year(ctx, who.Actor, in.Workflow, in.Year, root)
	if err != nil {
		return nil, err
	}
	out := &YearAnswer{}
	out.Body.Items = make([]YearRow, 0, len(rows))
	for _, r := range rows {
		row := YearRow{Unit: Ref{ID: string(r.Unit.ID), Name: r.Unit.Name}}
		if p := r.Project; p != nil {
			shown, err := h.row(ctx, p, h.names)
			if err != nil {
				return nil, err
			}
			row.Project = &shown
			if p.Grade != "" {
				w, err := h.Engine.Pinned(ctx, p)
				if err != nil {
					return nil, err
				}
				row.Grade = &Ref{ID: p.Grade, Name: w.GradeName(p.Grade).In(who.Lang)}
			}
		} else {
			out.Body.Missing++
		}
		if p := r.Owing; p != nil {
			row.Owing = &Ref{ID: string(p.ID), Name: p.Number}
		}
		out.Body.Items = append(out.Body.Items, row)
	}
	return out, nil
}
