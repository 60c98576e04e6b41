package console

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"bihuan/api/upload"
	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/intake"
	"bihuan/engine/ledger"
)

// importView is the page on which a ledger is chosen.
type importView struct {
	Form    form
	Steps   []string
	Sources []sourceView // whose columns are remembered
}

func (c *Console) importPage(v *visit) error {
	f, err := c.importForm(v, v.g.Request.URL.Query())
	if err != nil {
		return err
	}
	return c.showImport(v, http.StatusOK, f)
}

func (c *Console) showImport(v *visit, status int, f form) error {
	view := importView{Form: f}
	for _, k := range []string{"console.import.step1", "console.import.step_columns", "console.import.step2", "console.import.step3"} {
		view.Steps = append(view.Steps, v.t(k))
	}
	var err error
	if view.Sources, err = c.sourceViews(v); err != nil {
		return err
	}
	return c.render(v, status, "import", v.t("console.import.title"), view)
}

// importForm asks for a ledger and for where its rows belong. Who may create nothing is refused.
func (c *Console) importForm(v *visit, typed url.Values) (form, error) {
	f := form{ID: "import", Action: "/import", Submit: v.t("console.import.next"), Icon: "arrow-right", Open: true, Multipart: true, Busy: v.t("console.import.reading")}
	place, err := c.ledgerFields(v, typed)
	if err != nil {
		return f, err
	}
	file := field{ID: "import-file", Name: "file", Kind: "file", Label: v.t("console.field.file"), Required: true, Accept: ".csv,.xlsx,.txt",
		Hint: v.t("console.import.file_hint", "limit", ledger.MaxFile>>20)}
	f.Fields = append(place, file)
	for _, k := range mappingKeys { // what was said before the file was gone
		if s := typed.Get(k); s != "" {
			f.Hidden = append(f.Hidden, field{Name: k, Value: s})
		}
	}
	return f, nil
}

// ledgerFields are the controls for what a ledger does not say itself.
func (c *Console) ledgerFields(v *visit, typed url.Values) ([]field, error) {
	out, err := c.placeFields(v, typed)
	if err != nil {
		return nil, err
	}
	return append(out,
		field{ID: "import-year", Name: "year", Kind: "number", Label: v.t("console.import.year"), Min: "1990", Max: "2100", Value: typed.Get("year"), Hint: v.t("console.import.year_hint")},
		field{ID: "import-list", Name: "list", Kind: "text", Label: v.t("console.field.list"), Value: typed.Get("list"), Hint: v.t("console.hint.list")}), nil
}

// importUpload sets the ledger aside and leads to its columns and on to its preview, which have addresses of their own:
// they can be reloaded, leafed through and read again under another year.
func (c *Console) importUpload(v *visit) error {
	if _, err := c.importForm(v, nil); err != nil { // refused before a byte of the file is kept
		return err
	}
	upload.GiveTime(v.g.Writer)
	parts, err := v.g.Request.MultipartReader()
	if err != nil {
		return &engine.Error{Kind: engine.Invalid, Key: "api.multipart", Err: err}
	}
	x := url.Values{}
	name, data := "", []byte(nil)
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return upload.Broken(err)
		}
		if part.FormName() == "file" {
			name = part.FileName()
			if data, err = io.ReadAll(io.LimitReader(part, ledger.MaxFile+1)); err != nil {
				return upload.Broken(err)
			}
			continue
		}
		s, err := upload.Text(part)
		if err != nil {
			return err
		}
		x.Set(part.FormName(), s)
	}
	ticket := ""
	_, err = c.ledgerOf(v, x)
	switch {
	case err != nil:
	case name == "":
		err = invalid("file", "field.empty")
	case len(data) > ledger.MaxFile:
		err = invalid("file", ledger.KeyFileTooLarge, "limit", ledger.MaxFile>>20)
	default:
		ticket, err = c.Tray.SetAside(v.ctx, string(v.user.ID), name, data)
	}
	if err == nil {
		v.redirect(columnsAddress(ticket, x))
		return nil
	}
	return c.importAgain(v, x, err)
}

// importAddress is where the preview of a ledger is.
func importAddress(ticket string, x url.Values, more ...string) string {
	return "/import/" + url.PathEscape(ticket) + "?" + importQuery(x, more...)
}

// importKeys are what an address says about a ledger.
var importKeys = append([]string{"kind", "unit", "year", "list"}, mappingKeys...)

func importQuery(x url.Values, more ...string) string {
	q := url.Values{}
	for _, k := range importKeys {
		if s := x.Get(k); s != "" {
			q.Set(k, s)
		}
	}
	for i := 0; i+1 < len(more); i += 2 {
		if more[i+1] != "" {
			q.Set(more[i], more[i+1])
		}
	}
	return q.Encode()
}

// ledgerOf reads what the person says about a ledger. Whether they may import it is the engine's to say.
func (c *Console) ledgerOf(v *visit, x url.Values) (intake.Ledger, error) {
	out := intake.Ledger{Kind: x.Get("kind"), List: strings.TrimSpace(x.Get("list"))}
	if _, err := c.Engine.Offered(out.Kind); err != nil {
		e := asError(err)
		return out, &engine.Error{Kind: engine.Invalid, Field: "kind", Key: e.Key, Args: e.Args}
	}
	if !engine.IsID(x.Get("unit")) {
		return out, invalid("unit", "field.empty")
	}
	var err error
	if out.Unit, err = c.Engine.Unit(v.ctx, x.Get("unit")); err != nil {
		return out, err
	}
	if s := strings.TrimSpace(x.Get("year")); s != "" {
		if out.Year, err = strconv.Atoi(s); err != nil || out.Year < 1990 || out.Year > 2100 {
			return out, invalid("year", "console.import.bad_year")
		}
	}
	return out, nil
}

// waiting returns the ledger behind the address's ticket, with what was said about its columns.
func (c *Console) waiting(v *visit, x url.Values) (intake.Ledger, error) {
	l, err := c.waitingFor(v, x)
	if err == nil {
		l.Mapping, err = mappingOf(x)
	}
	return l, err
}

// waitingFor returns the ledger behind the address's ticket. One that waited too long is asked for again.
func (c *Console) waitingFor(v *visit, x url.Values) (intake.Ledger, error) {
	file, data, err := c.Tray.Aside(string(v.user.ID), v.g.Param("ticket"))
	if errors.Is(err, engine.ErrNotFound) {
		return intake.Ledger{}, &engine.Error{Kind: engine.NotFound, Field: "file", Key: "console.import.gone"}
	}
	if err != nil {
		return intake.Ledger{}, err
	}
	l, err := c.ledgerOf(v, x)
	l.File, l.Data = file, data
	return l, err
}

// read lets few read ledgers at once; the others wait their turn.
func (c *Console) read(v *visit, do func() (*intake.Report, error)) (*intake.Report, error) {
	done, err := upload.Ledgers.Take(v.ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	_ = http.NewResponseController(v.g.Writer).SetWriteDeadline(time.Now().Add(exportTime)) // without it the server's own limit holds
	return do()
}

// again shows the form when what the address says cannot be read.
func (c *Console) importAgain(v *visit, x url.Values, err error) error {
	kind := engine.KindOf(err)
	if kind != engine.Invalid && kind != engine.NotFound {
		return err
	}
	f, formErr := c.importForm(v, x)
	if formErr != nil {
		return formErr
	}
	f.blame(v, asError(err))
	return c.showImport(v, statuses[kind], f)
}

func (c *Console) importPreview(v *visit) error {
	x := v.g.Request.URL.Query()
	l, err := c.waiting(v, x)
	if err != nil {
		return c.importAgain(v, x, err)
	}
	r, err := c.read(v, func() (*intake.Report, error) { return intake.Preview(v.ctx, c.Engine, v.actor, l) })
	if err != nil {
		return err
	}
	return c.showPreview(v, http.StatusOK, l, r, x, "")
}

// importConfirm imports what the preview showed. The rows are read again from the file: nothing that a browser
// says about them counts but the digest of what it was shown.
func (c *Console) importConfirm(v *visit) error {
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	x := v.g.Request.PostForm
	l, err := c.waiting(v, x)
	if err != nil {
		return c.importAgain(v, x, err)
	}
	var plan audit.Digest
	if err := plan.UnmarshalText([]byte(x.Get("plan"))); err != nil || plan.IsZero() {
		return &engine.Error{Kind: engine.Invalid, Key: "console.import.no_plan", Err: err}
	}
	r, err := c.read(v, func() (*intake.Report, error) { return intake.Take(v.ctx, c.Engine, v.actor, l, plan) })
	switch {
	case errors.Is(err, intake.ErrChanged):
		return c.showPreview(v, http.StatusConflict, l, r, x, v.t("console.import.changed"))
	case err != nil:
		return err
	case len(r.Problems) > 0:
		return c.showPreview(v, http.StatusUnprocessableEntity, l, r, x, "")
	}
	v.redirect(importAddress(v.g.Param("ticket"), x, "done", "import"))
	return nil
}
