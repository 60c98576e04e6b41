package v1

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"bihuan/api/request"
	"bihuan/api/upload"
	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/intake"
	"bihuan/engine/ledger"
	"bihuan/engine/message"
)

// The operations whose body is a ledger.
const (
	recogniseID = "recognise-ledger"
	importID    = "import-ledger"
)

// maxMapping is the largest part "mapping" in bytes.
const maxMapping = 48 << 10

// registerImports adds the operations on ledgers that are handed in.
func (h *handlers) registerImports(api huma.API, op func(method, path, id, summary string) huma.Operation) {
	huma.Register(api, op(http.MethodPost, "/imports/recognition", recogniseID, "识别台账 What a ledger's columns are taken for, with samples; writes nothing"), h.recognise)
	huma.Register(api, op(http.MethodPost, "/imports", importID, "导入台账 Import a ledger: all of its rows or none"), h.importLedger)
	huma.Register(api, op(http.MethodGet, "/mappings", "list-mappings", "记住的来源 What is remembered about the columns of ledgers"), h.mappings)
	forget := op(http.MethodDelete, "/mappings/{mapping}", "forget-mapping", "忘记来源 Forget what a source's columns are")
	forget.DefaultStatus = http.StatusNoContent
	huma.Register(api, forget, h.forgetMapping)
}

// LedgerAsked is what every request about a ledger says beside the file.
type LedgerAsked struct {
	Kind  string `query:"kind" required:"true" maxLength:"40" doc:"Id of the workflow." example:"shishi"`
	Unit  string `query:"unit" required:"true" maxLength:"40" doc:"Id or code of the unit that leads where a row names none under it."`
	Year  int    `query:"year" minimum:"0" maximum:"2100" doc:"In which bare months are read; left out: inferred."`
	Fresh bool   `query:"fresh" doc:"Leave what is remembered of the source aside."`
	Parts
}

// ledgerPart is what a mapping looks like on the wire.
type ledgerPart struct {
	Sheet   string `json:"sheet"`
	Head    int    `json:"head"`
	Columns []struct {
		Column string `json:"column"`
		Field  string `json:"field"`
	} `json:"columns"`
}

// handedIn reads the ledger of a request. Who may import nothing there is refused before a byte is read.
func (h *handlers) handedIn(ctx context.Context, in *LedgerAsked) (intake.Ledger, error) {
	who := request.From(ctx).Actor
	out := intake.Ledger{Kind: in.Kind, Year: in.Year, Fresh: in.Fresh}
	if in.Year != 0 && in.Year < 1990 {
		return out, invalid("year", "console.import.bad_year")
	}
	var err error
	if out.Unit, err = h.unit(ctx, who, "unit", in.Unit); err != nil {
		return out, err
	}
	if err := h.Engine.MayImport(ctx, who, in.Kind, out.Unit); err != nil {
		return out, asInvalid(err, "kind")
	}
	err = in.each(func(part *multipart.Part) error {
		name, limit := part.FormName(), int64(maxMapping)
		if name == "file" {
			limit = ledger.MaxFile
		}
		data, err := io.ReadAll(io.LimitReader(part, limit+1))
		switch {
		case err != nil:
			return upload.Broken(err)
		case name == "file":
			out.File, out.Data = part.FileName(), data
		case name != "mapping":
			return invalid(field(name), "api.unknown_field")
		case int64(len(data)) > limit:
			return invalid("mapping", "field.too_long", "limit", limit)
		default:
			out.Mapping, err = readMapping(data)
		}
		return err
	})
	return out, err
}

// readMapping reads the part "mapping". That it can be applied is the reader's to say.
func readMapping(data []byte) (*ledger.Mapping, error) {
	var in ledgerPart
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil || len(in.Columns) == 0 {
		return nil, &engine.Error{Kind: engine.Invalid, Field: "mapping", Key: "api.mapping", Err: err}
	}
	out := &ledger.Mapping{Sheet: in.Sheet, Head: max(0, in.Head)}
	for _, c := range in.Columns {
		if c.Column == "" {
			return nil, invalid("mapping", "api.mapping")
		}
		out.Columns = append(out.Columns, ledger.MappedColumn{Header: c.Column, Field: ledger.Field(c.Field)})
	}
	return out, nil
}

// readLedger lets few ledgers be read at once; the others wait their turn.
func readLedger(ctx context.Context, do func() error) error {
	done, err := upload.Ledgers.Take(ctx)
	if err != nil {
		return err
	}
	defer done()
	return do()
}

// Recognise is the request that asks what a ledger's columns are taken for.
type Recognise struct {
	LedgerAsked
	Sheet string `query:"sheet" maxLength:"100" doc:"The sheet to look at; left out: the first that looks like a ledger."`
	Head  int    `query:"head" minimum:"0" maximum:"1048576" doc:"The row in which the head begins; left out: it is found."`
}

// RecognisedColumn is a column with what it is taken for.
type RecognisedColumn struct {
	Column  string   `json:"column" doc:"Its header, or a label where it has none or another has the same."`
	Field   string   `json:"field" doc:"A field of items, keep (its texts stay as they were written) or ignore (not imported)."`
	Why     Ref      `json:"why" doc:"given, remembered, name, weak, form, instead, taken, unknown or unnamed, with a sentence."`
	Sure    bool     `json:"sure" doc:"Nobody has to look at it."`
	Samples []string `json:"samples" doc:"The first texts under the header, shortened."`
	Filled  int      `json:"filled" doc:"How many cells have a text."`
}

// HeadRow is a row that may be the head.
type HeadRow struct {
	Row  int    `json:"row"`
	Text string `json:"text"`
}

// Remembered is what is remembered of a source.
type Remembered struct {
	ID      string             `json:"id"`
	Unit    Ref                `json:"unit"`
	File    string             `json:"file" doc:"Name of the ledger with which it was confirmed."`
	By      Ref                `json:"by"`
	At      time.Time          `json:"at"`
	Columns []RememberedColumn `json:"columns"`
}

// RememberedColumn is a column of a remembered source.
type RememberedColumn struct {
	Column string `json:"column"`
	Field  string `json:"field"`
}

// Recognised is the answer. Sheet, head and columns, with the columns' column and field alone, are a mapping.
type Recognised struct {
	Body struct {
		Sheet     string             `json:"sheet"`
		Head      int                `json:"head" doc:"Row in which the head begins."`
		Columns   []RecognisedColumn `json:"columns"`
		Certain   bool               `json:"certain" doc:"The head was recognised; false: it is only the likeliest row."`
		From      *Remembered        `json:"from,omitempty" doc:"What was remembered of the source, if the columns are by it."`
		Sheets    []string           `json:"sheets" doc:"The visible sheets; none for CSV."`
		Rows      []HeadRow          `json:"rows" doc:"The first rows, of which one may be the head."`
		Year      int                `json:"year" doc:"In which bare months would be read; 0 while no column is the title."`
		NeedsYear bool               `json:"needs_year" doc:"Some deadline is a bare month whose year nothing in the file tells."`
	} `nameHint:"Recognition"`
}

func (h *handlers) recognise(ctx context.Context, in *Recognise) (*Recognised, error) {
	l, err := h.handedIn(ctx, &in.LedgerAsked)
	if err != nil {
		return nil, err
	}
	who := request.From(ctx)
	var r *intake.Recognition
	err = readLedger(ctx, func() error {
		r, err = intake.Recognise(ctx, h.Engine, who.Actor, l, in.Sheet, in.Head)
		return err
	})
	if bad, ok := errors.AsType[*ledger.Error](err); ok {
		return nil, refusedLedger(bad)
	}
	if err != nil {
		return nil, err
	}
	out := &Recognised{}
	b := &out.Body
	b.Sheet, b.Head, b.Certain, b.Year, b.NeedsYear = r.Sheet, r.Head, r.Certain, r.Year, r.NeedsYear
	b.Sheets, b.Rows, b.Columns = append([]string{}, r.Sheets...), []HeadRow{}, []RecognisedColumn{}
	for _, row := range r.Rows {
		b.Rows = append(b.Rows, HeadRow{row.Number, row.Text})
	}
	for i, c := range r.Columns {
		b.Columns = append(b.Columns, RecognisedColumn{Column: c.Header, Field: string(c.Field), Why: Ref{ID: string(c.Why), Name: message.Text(who.Lang, "ledger.why."+string(c.Why), nil)},
			Sure: c.Why.Sure(), Samples: append([]string{}, r.Samples[i]...), Filled: r.Filled[i]})
	}
	if r.From != nil {
		from := h.rememberedView(ctx, r.From)
		b.From = &from
	}
	return out, nil
}

// refusedLedger is a refusal of the reader's, about the part of the request that it is about.
func refusedLedger(e *ledger.Error) error {
	about := "file"
	switch e.Key {
	case ledger.KeyNoSheet:
		about = "sheet"
	case ledger.KeyNoHeadRow:
		about = "head"
	case ledger.KeyUnknownField, ledger.KeyFieldTwice, ledger.KeyTitleMissing, ledger.KeyNoSuchColumn:
		about = "mapping"
	}
	return &engine.Error{Kind: engine.Invalid, Field: about, Key: e.Key, Args: e.Args, Err: e}
}

// ImportLedger is the request that imports a ledger.
type ImportLedger struct {
	LedgerAsked
	List   string `query:"list" maxLength:"40" doc:"期号 of the list that the items belong to." example:"2026-6"`
	DryRun bool   `query:"dry_run" doc:"Only say what would become of the rows."`
	Plan   string `query:"plan" maxLength:"64" doc:"The plan that a dry run answered: import what it showed, or nothing (409)."`
}

// ImportRemark is a problem or a note.
type ImportRemark struct {
	Row     int    `json:"row" doc:"0 when it is about the file as a whole."`
	Column  string `json:"column,omitempty"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Text    string `json:"text,omitempty" doc:"What stands in the cell, shortened."`
}

// ImportedItem is what a row becomes.
type ImportedItem struct {
	Row      int    `json:"row"`
	State    string `json:"state" enum:"new,known,refused"`
	Project  string `json:"project,omitempty" doc:"Id of the project that it is."`
	Number   string `json:"number,omitempty" doc:"编号, of a project that was made just now."`
	Title    string `json:"title"`
	Unit     Ref    `json:"unit"`
	Deadline string `json:"deadline,omitempty"`
	Reading  string `json:"reading,omitempty" doc:"How the deadline was read."`
}

// Imported is the report of an import.
type Imported struct {
	Body struct {
		File     string             `json:"file"`
		Sheet    string             `json:"sheet"`
		Year     int                `json:"year" doc:"In which bare months were read."`
		DryRun   bool               `json:"dry_run"`
		Imported bool               `json:"imported" doc:"The rows are projects now. False after a dry run, and with problems, with which nothing is imported."`
		New      int                `json:"new" doc:"Projects that were made, or would be."`
		Known    int                `json:"known" doc:"Rows that were imported before."`
		Plan     string             `json:"plan" doc:"Digest of what the rows become."`
		Columns  []RememberedColumn `json:"columns" doc:"How the columns were read."`
		Problems []ImportRemark     `json:"problems"`
		Notes    []ImportRemark     `json:"notes"`
		Items    []ImportedItem     `json:"items"`
	} `nameHint:"ImportReport"`
}

func (h *handlers) importLedger(ctx context.Context, in *ImportLedger) (*Imported, error) {
	var plan audit.Digest
	if in.Plan != "" {
		if err := plan.UnmarshalText([]byte(in.Plan)); err != nil {
			return nil, invalid("plan", "console.import.no_plan")
		}
	}
	l, err := h.handedIn(ctx, &in.LedgerAsked)
	if err != nil {
		return nil, err
	}
	who := request.From(ctx)
	l.List = in.List
	var r *intake.Report
	err = readLedger(ctx, func() error {
		if in.DryRun {
			r, err = intake.Preview(ctx, h.Engine, who.Actor, l)
		} else {
			r, err = intake.Take(ctx, h.Engine, who.Actor, l, plan)
		}
		return err
	})
	if errors.Is(err, intake.ErrChanged) {
		return nil, &engine.Error{Kind: engine.Conflict, Key: "console.import.changed", Err: err}
	}
	if err != nil {
		return nil, err
	}
	out := &Imported{}
	b := &out.Body
	b.File, b.Sheet, b.Year, b.DryRun, b.Imported = r.File, r.Sheet, r.Year, in.DryRun, !in.DryRun && len(r.Problems) == 0
	b.New, b.Known, b.Plan = r.New(), r.Known(), r.Plan.String()
	b.Columns, b.Items = []RememberedColumn{}, []ImportedItem{}
	b.Problems, b.Notes = remarks(r.Problems, who.Lang), remarks(r.Notes, who.Lang)
	for _, c := range r.Columns {
		b.Columns = append(b.Columns, RememberedColumn{c.Header, string(c.Means())})
	}
	for i := range r.Items {
		b.Items = append(b.Items, h.importedItem(ctx, &r.Items[i]))
	}
	return out, nil
}

func (h *handlers) importedItem(ctx context.Context, x *intake.Item) ImportedItem {
	out := ImportedItem{Row: x.Row, State: "new", Project: string(x.Project), Number: x.Number, Title: x.Draft.Title, Unit: h.names.unit(ctx, x.Unit.ID), Reading: x.Deadline.Reading}
	if !x.Draft.Deadline.IsZero() {
		out.Deadline = x.Draft.Deadline.String()
	}
	switch {
	case x.Known:
		out.State = "known"
		// A project that has since moved to units that the person does not see stays unnamed.
		if _, err := h.Engine.Project(ctx, request.From(ctx).Actor, x.Project); err != nil {
			out.Project = ""
		}
	case x.Refused:
		out.State = "refused"
	}
	return out
}

func remarks(list []intake.Remark, lang string) []ImportRemark {
	out := make([]ImportRemark, len(list))
	for i, r := range list {
		out[i] = ImportRemark{Row: r.Row, Column: r.Column, Code: r.Key, Message: r.In(lang), Text: r.Text}
	}
	return out
}

// Mappings is the request for what is remembered.
type Mappings struct {
	Unit string `query:"unit" maxLength:"40" doc:"Id or code of the unit; left out: all for which you may import."`
}

// MappingsAnswer is the answer.
type MappingsAnswer struct {
	Body struct {
		Items []Remembered `json:"items" doc:"The last confirmed first."`
	} `nameHint:"Mappings"`
}

func (h *handlers) mappings(ctx context.Context, in *Mappings) (*MappingsAnswer, error) {
	unit, err := h.unitAsked(ctx, in.Unit)
	if err != nil {
		return nil, err
	}
	list, err := h.Engine.SourceMappings(ctx, request.From(ctx).Actor, unit)
	if err != nil {
		return nil, err
	}
	out := &MappingsAnswer{}
	out.Body.Items = showAll(ctx, list, h.rememberedView)
	return out, nil
}

func (h *handlers) rememberedView(ctx context.Context, m *engine.SourceMapping) Remembered {
	out := Remembered{ID: string(m.ID), Unit: h.names.unit(ctx, m.UnitID), File: m.File, By: h.names.user(ctx, m.SavedBy), At: m.SavedAt, Columns: []RememberedColumn{}}
	for _, c := range m.Columns {
		out.Columns = append(out.Columns, RememberedColumn{c.Header, c.Field})
	}
	return out
}

// OneMapping is a request about what is remembered of one source.
type OneMapping struct {
	Mapping string `path:"mapping" maxLength:"36" doc:"Its id."`
}

func (h *handlers) forgetMapping(ctx context.Context, in *OneMapping) (*struct{}, error) {
	return nil, h.Engine.ForgetMapping(ctx, request.From(ctx).Actor, engine.MappingID(in.Mapping))
}

// ledgerBody describes the multipart body of both operations on a ledger.
func ledgerBody(mapping bool) *huma.RequestBody {
	s := &huma.Schema{Type: huma.TypeObject, Required: []string{"file"}, AdditionalProperties: false, Properties: map[string]*huma.Schema{
		"file": {Type: huma.TypeString, Format: "binary", Description: "The ledger, XLSX or CSV, with its name."},
	}}
	if mapping {
		s.Properties["mapping"] = &huma.Schema{Type: huma.TypeString, Description: `What the columns are, as JSON: {"sheet":"…","head":4,"columns":[{"column":"要办啥","field":"title"}]}. ` +
			"Left out: as remembered or recognised. An import remembers it."}
	}
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"multipart/form-data": {Schema: s}}}
}
