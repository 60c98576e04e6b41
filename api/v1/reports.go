package v1

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"bihuan/api/request"
	"bihuan/engine"
)

// ReportBody is a progress report.
type ReportBody struct {
	Percent  int    `json:"percent" doc:"Of the whole work, 0 to 100."`
	Done     string `json:"done" doc:"已做"`
	Next     string `json:"next,omitempty" doc:"下一步"`
	Problems string `json:"problems,omitempty" doc:"问题"`
	Support  string `json:"support,omitempty" doc:"需要的支持"`
}

// Report is the request that reports progress.
type Report struct {
	Change
	Body ReportBody
}

func (in *Report) payload() any { return &in.Body }

func (in *Report) command() (engine.Command, error) {
	b := in.Body
	return engine.Report{Percent: b.Percent, Done: b.Done, Next: b.Next, Problems: b.Problems, Support: b.Support}, nil
}

// ReportView is a report that was made.
type ReportView struct {
	ReportBody
	Entry string    `json:"entry" doc:"Id of the audit entry that holds it."`
	By    Ref       `json:"by"`
	At    time.Time `json:"at"`
}

// ReportsAnswer is the answer with a page of reports.
type ReportsAnswer struct {
	Body struct {
		Items []ReportView `json:"items"`
		Next  string       `json:"next"`
	} `nameHint:"ReportPage"`
}

// OnePage is a request for a page of what belongs to one project.
type OnePage struct {
	One
	Page
}

func (h *handlers) reports(ctx context.Context, in *OnePage) (*ReportsAnswer, error) {
	p, err := h.read(ctx, &in.One)
	if err != nil {
		return nil, err
	}
	page, err := h.Engine.Trail(ctx, request.From(ctx).Actor,
		engine.EntryFilter{Subject: p.Subject(), Actions: []string{"report"}, After: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, aboutCursor(err)
	}
	out := &ReportsAnswer{}
	out.Body.Next, out.Body.Items = page.Next, make([]ReportView, 0, len(page.Items))
	for _, e := range page.Items {
		var data struct {
			Report ReportBody `json:"report"`
		}
		if err := json.Unmarshal(e.Data, &data); err != nil {
			return nil, fmt.Errorf("report entry %s: %w", e.ID, err)
		}
		out.Body.Items = append(out.Body.Items, ReportView{ReportBody: data.Report, Entry: e.ID,
			By: h.names.user(ctx, engine.UserID(e.Actor.ID)), At: e.At})
	}
	return out, nil
}
