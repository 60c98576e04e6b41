package v1

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"bihuan/api/problem"
	"bihuan/api/request"
	"bihuan/api/upload"
	"bihuan/engine"
	"bihuan/engine/layout"
)

// Format is the kind of file of an export.
type Format struct {
	Format string `query:"format" enum:"xlsx,csv" default:"xlsx" doc:"Kind of the file."`
}

// LedgerExport is the request for the ledger as a file.
type LedgerExport struct {
	Chosen
	Sort string `query:"sort" enum:"newest,oldest,deadline,updated" default:"newest"`
	Format
}

// ListExport is the request for a list as a file.
type ListExport struct {
	ID string `path:"id" maxLength:"36" doc:"Id of the list."`
	Format
}

// UnitExport is the request for a unit's year as a file.
type UnitExport struct {
	Unit string `path:"unit" maxLength:"40" doc:"Id or code of a unit."`
	Year int    `query:"year" doc:"Which year; this one if left out." example:"2026"`
	Format
}

// exportOperation describes the answer, which is a file.
func exportOperation(op huma.Operation) huma.Operation {
	file := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	op.Responses = map[string]*huma.Response{"200": {Description: "The file, in the layout of the site. Taking it out is an entry of the trail.",
		Content: map[string]*huma.MediaType{"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": file, "text/csv": file}}}
	return op
}

// asked is how the caller wants it.
func asked(ctx context.Context, f Format) layout.Asked {
	r := request.From(ctx)
	return layout.Asked{Who: r.Actor, Name: r.User.Name, Lang: r.Lang, Format: f.Format}
}

// file answers with an export.
func (h *handlers) file(x *layout.Export, err error) (*Download, error) {
	if err != nil {
		return nil, err
	}
	return h.attach(x.Type, x.Name, x.Write), nil
}

// attach answers with a file as it is written. What fails before its first byte is answered as any other failure.
func (h *handlers) attach(mediaType, name string, write func(context.Context, io.Writer) error) *Download {
	return &Download{Body: func(hc huma.Context) {
		ctx, c := hc.Context(), humagin.Unwrap(hc)
		err := write(ctx, upload.Attach(c.Writer, mediaType, name))
		switch {
		case err == nil:
		case !c.Writer.Written():
			problem.Write(c.Writer, c.Request, err)
		default:
			h.Log.ErrorContext(ctx, "export broken off", slog.String("name", name), slog.Any("error", err))
			panic(http.ErrAbortHandler) // so that half a file does not pass for a whole one
		}
	}}
}

func (h *handlers) exportLedger(ctx context.Context, in *LedgerExport) (*Download, error) {
	f, err := h.filter(ctx, &in.Chosen)
	if err != nil {
		return nil, err
	}
	f.Sort = engine.Sort(in.Sort)
	return h.file(h.Exports.Ledger(ctx, asked(ctx, in.Format), layout.Query{Filter: f, Text: in.query()}))
}

func (h *handlers) exportList(ctx context.Context, in *ListExport) (*Download, error) {
	return h.file(h.Exports.List(ctx, asked(ctx, in.Format), engine.ListID(in.ID)))
}

func (h *handlers) exportUnit(ctx context.Context, in *UnitExport) (*Download, error) {
	if in.Year == 0 {
		in.Year = h.Now().In(h.Engine.Site.Location).Year()
	}
	return h.file(h.Exports.Unit(ctx, asked(ctx, in.Format), in.Unit, in.Year))
}

// query is what was chosen, as an address has it.
func (in *Chosen) query() string {
	q := url.Values{}
	for name, s := range map[string]string{"kind": in.Kind, "unit": in.Unit, "stage": strings.Join(in.Stage, ","), "light": strings.Join(in.Light, ","),
		"owner": in.Owner, "list": in.List, "q": in.Text, "overdue": in.Overdue, "waiting": strings.Join(in.Waiting, ",")} {
		if s != "" {
			q.Set(name, s)
		}
	}
	if in.Open {
		q.Set("open", strconv.FormatBool(in.Open))
	}
	return q.Encode()
}
