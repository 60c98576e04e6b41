package console

import (
	"net/http"
	"net/url"
	"strconv"

	"bihuan/engine"
	"bihuan/engine/score"
)

// sheetsView is the score sheets: which holds, which was proposed, and by whom it was adopted.
type sheetsView struct {
	Holds  string
	Digest hashView
	Source string // address of its definition
	Built  []sheetLink
	Rows   []sheetRow
	Form   *form    // of those who may propose one
	Wrong  []string // mistakes of a file that was sent
}

type sheetLink struct{ Name, Href, Compare string }

// sheetRow is a proposal and what became of it.
type sheetRow struct {
	Name, From, Note     string
	State                tagView
	By, At               string
	Decision, Decided    string
	Digest               hashView
	Href, Compare        string
	Forms                []form
	Waits                bool
	Source, Present, Old string // of one proposal: both definitions, and the name of the present one
}

var sheetClass = map[engine.SheetState]string{engine.SheetProposed: "y", engine.SheetAdopted: "g", engine.SheetRejected: "r"}

// sheetChoices are what a score can be computed by; the first is whatever was in force then.
func (c *Console) sheetChoices(v *visit, chosen string) ([]choice, error) {
	out := []choice{{"", v.t("console.sheets.in_force"), chosen == ""}}
	list, err := c.Scores.Sheets(v.ctx)
	for _, s := range list {
		key := sheetKey(s)
		out = append(out, choice{key, v.sheetName(s), chosen == key || chosen == s.ID})
	}
	return out, err
}

// withChoices are what the present sheet can be compared with: those that there are, and the proposal that waits.
func (c *Console) withChoices(v *visit, other *score.Sheet) ([]choice, error) {
	list, err := c.Scores.Sheets(v.ctx)
	if err != nil {
		return nil, err
	}
	same := func(digest string) bool { return other != nil && digest == other.Digest }
	var out []choice
	for _, s := range list {
		out = append(out, choice{sheetKey(s), v.sheetName(s), same(s.Digest)})
	}
	all, err := c.Reader.SheetVersions(v.ctx)
	for _, s := range all {
		if s.State == engine.SheetProposed || same(s.Digest) && s.State != engine.SheetAdopted {
			out = append(out, choice{string(s.ID), v.t("console.sheets.proposal", "id", s.Sheet, "version", s.Number), same(s.Digest)})
		}
	}
	return out, err
}

func sheetKey(s *score.Sheet) string { return s.ID + "@" + strconv.Itoa(s.Version) }

func (v *visit) sheetName(s *score.Sheet) string {
	return v.t("console.scores.sheet_version", "name", s.Name, "version", s.Version)
}

func (c *Console) sheets(v *visit) error { return c.showSheets(v, http.StatusOK, nil, nil) }

// showSheets renders the page, with a proposal that was refused kept as it was typed.
func (c *Console) showSheets(v *visit, status int, typed url.Values, refusal error) error {
	list, err := c.Scores.Sheets(v.ctx)
	if err != nil {
		return err
	}
	view := sheetsView{Holds: v.sheetName(list[0]), Digest: hashOf(list[0].Digest), Source: "/scores/sheets/" + sheetKey(list[0])}
	for _, s := range list[1:] {
		view.Built = append(view.Built, sheetLink{v.sheetName(s), "/scores/sheets/" + sheetKey(s), "/scores/compare?with=" + url.QueryEscape(sheetKey(s))})
	}
	all, err := c.Reader.SheetVersions(v.ctx)
	if err != nil {
		return err
	}
	waits := false
	for i := range all {
		row := c.sheetRow(v, &all[i])
		waits = waits || row.Waits
		view.Rows = append(view.Rows, row)
	}
	if v.actor.HoldsTop(engine.Admin) && (!waits || refusal != nil) {
		base := list[0]
		if key := v.g.Query("base"); key != "" {
			if base, err = c.Scores.Sheet(v.ctx, key); err != nil {
				return err
			}
		}
		view.Form = c.sheetForm(v, base)
		view.Form.keep(typed)
		view.Form.Open = v.g.Query("base") != ""
	}
	if refusal != nil && view.Form != nil {
		view.Form.Open = true
		if view.Wrong = v.mistakes(refusal); len(view.Wrong) == 0 {
			view.Form.blame(v, asError(refusal))
		}
	}
	return c.render(v, status, "sheets", v.t("console.sheets.title"), view)
}

func (c *Console) sheetForm(v *visit, base *score.Sheet) *form {
	f := form{ID: "propose", Action: "/scores/sheets", Title: v.t("console.sheets.propose"), Submit: v.t("console.sheets.send"), Icon: "upload", Multipart: true}
	f.Fields = []field{
		{Name: "source", Kind: "code", Label: v.t("console.field.sheet_source"), Hint: v.t("console.hint.sheet_source"), Value: string(base.Source), Required: true},
		{Name: "file", Kind: "file", Label: v.t("console.field.sheet_file"), Accept: ".yaml,.yml"},
		{Name: "from", Kind: "date", Label: v.t("console.field.sheet_from"), Hint: v.t("console.hint.sheet_from"), Value: c.today().AddDays(1).String(), Required: true},
		{Name: "note", Kind: "area", Label: v.t("console.field.reason"), Required: true},
	}
	for i := range f.Fields {
		f.Fields[i].ID = f.ID + "-" + f.Fields[i].Name
	}
	return &f
}

func (c *Console) sheetRow(v *visit, s *engine.SheetVersion) sheetRow {
	row := sheetRow{Name: v.t("console.sheets.version", "id", s.Sheet, "version", s.Number), From: s.From.String(), Note: s.Note, State: tagView{sheetClass[s.State], v.t("console.sheets.state." + string(s.State))},
		By: c.names.user(v, s.ProposedBy), At: c.moment(s.ProposedAt), Digest: hashOf(s.Digest), Href: "/scores/sheets/" + string(s.ID), Compare: "/scores/compare?with=" + string(s.ID),
		Decision: s.Decision, Waits: s.State == engine.SheetProposed}
	if s.DecidedAt != nil {
		row.Decided = v.t("console.sheets.decided", "who", c.names.user(v, s.DecidedBy), "at", c.moment(*s.DecidedAt))
	}
	if !row.Waits {
		return row
	}
	act := func(name, icon string, danger bool) {
		f := form{ID: name, Action: "/scores/sheets/" + string(s.ID) + "/" + name, Title: v.t("console.sheets." + name), Submit: v.t("console.sheets." + name), Icon: icon, Danger: danger, Version: s.Version}
		f.Fields = []field{{ID: name + "-note", Name: "note", Kind: "area", Label: v.t("console.field.opinion"), Required: name == "reject"}}
		row.Forms = append(row.Forms, f)
	}
	if v.actor.HoldsTop(engine.Leader) && v.actor.ID != s.ProposedBy {
		act("adopt", "check", false)
		act("reject", "arrow-back-up", true)
	}
	if v.actor.HoldsTop(engine.Admin) {
		act("withdraw", "arrow-forward-up", true)
	}
	return row
}

// proposeSheet takes a definition that was typed, or a file instead.
func (c *Console) proposeSheet(v *visit) error {
	_, source, err := v.sheetFile()
	values := v.g.Request.PostForm
	if values == nil {
		return &engine.Error{Kind: engine.Invalid, Key: "api.multipart", Err: err}
	}
	if len(source) == 0 {
		source = []byte(values.Get("source"))
	}
	from, err := date(values, "from")
	if err == nil {
		_, err = c.Scores.Propose(v.ctx, v.actor, source, from, values.Get("note"))
	}
	switch kind := engine.KindOf(err); kind {
	case engine.Invalid, engine.Blocked, engine.Conflict:
		values.Set("source", string(source))
		return c.showSheets(v, statuses[kind], values, err)
	}
	if err != nil {
		return err
	}
	v.redirect("/scores/sheets?done=propose_sheet")
	return nil
}

// decideSheet adopts, rejects or withdraws a proposal.
func (c *Console) decideSheet(v *visit) error {
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	values, id, act := v.g.Request.PostForm, engine.SheetID(v.g.Param("sheet")), v.g.Param("act")
	base, err := version(values)
	if err != nil {
		return err
	}
	note := values.Get("note")
	switch act {
	case "adopt", "reject":
		_, err = c.Engine.DecideSheet(v.ctx, v.actor, id, base, act == "adopt", note)
	case "withdraw":
		_, err = c.Engine.WithdrawSheet(v.ctx, v.actor, id, base, note)
	default:
		return &engine.Error{Kind: engine.NotFound, Key: "console.error.no_page"}
	}
	if err != nil {
		return err
	}
	v.redirect("/scores/sheets?done=" + act + "_sheet")
	return nil
}

// sheetSource shows a definition; that of a proposal beside the present one.
func (c *Console) sheetSource(v *visit) error {
	key := v.g.Param("sheet")
	s, err := c.Scores.Sheet(v.ctx, key)
	if err != nil {
		return err
	}
	row := sheetRow{Name: v.sheetName(s), Digest: hashOf(s.Digest), Source: string(s.Source), Compare: "/scores/compare?with=" + url.QueryEscape(key)}
	if engine.IsID(key) {
		holds, err := c.Scores.Sheet(v.ctx, "")
		if err != nil {
			return err
		}
		p, err := c.Engine.SheetVersion(v.ctx, engine.SheetID(key))
		if err != nil {
			return err
		}
		row = c.sheetRow(v, &p)
		row.Name, row.Source, row.Present, row.Old = v.sheetName(s), string(s.Source), string(holds.Source), v.sheetName(holds)
	}
	return c.render(v, http.StatusOK, "sheet", row.Name, row)
}
