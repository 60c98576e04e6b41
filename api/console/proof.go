package console

import (
	"fmt"
	"strings"

	"bihuan/api/proof"
	"bihuan/api/upload"
	"bihuan/engine"
	"bihuan/engine/workbook"
)

// placeView tells where an entry stands in the Merkle log, and what covers it.
type placeView struct {
	Text  string
	Class string // g covered by the newest checkpoint, y not yet, r never by one that does not hold
	Proof string // address of what proves it; "" while nothing does
}

// checkpointView is the newest checkpoint.
type checkpointView struct {
	Text string // size, time and key in one sentence, or that it does not hold
	Note string // as it is stored
	Bad  bool   // no key of the installation signed it
}

// proofView is the panel that says what proves what a page shows, and lets it be taken away.
type proofView struct {
	Checkpoint *checkpointView // nil if nothing was signed yet
	Covered    string          // how much of the page it covers
	Class      string          // g, y or r, of Covered
	Offline    bool            // there is a page to save that verifies bundles
	Place      *placeView      // of a project's newest entry
	Part       *partForm       // nil for whoever may not take it away
	Why        string          // they may not
}

// partForm asks which part of the trail is to be taken away.
type partForm struct {
	Action string
	Units  []choice // nil where the part is the page's own
}

// placed fills in where the entries of a page stand, and returns the panel about them; nil if there is no log.
func (c *Console) placed(v *visit, rows []entryView) (*proofView, error) {
	if c.Trail == nil {
		return nil, nil //nolint:nilnil // no panel is an answer
	}
	newest, err := proof.NewestOf(v.ctx, c.Trail)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(rows))
	for i := range rows {
		ids[i] = rows[i].ID
	}
	places, err := c.Trail.Leaves(v.ctx, ids)
	if err != nil {
		return nil, err
	}
	covered := 0
	for i := range rows {
		rows[i].Place = v.placeView(rows[i].ID, places, newest)
		if rows[i].Place.Proof != "" {
			covered++
		}
	}
	view := &proofView{Class: "g", Offline: c.Offline, Covered: v.t("console.proof.page", "n", covered, "all", len(rows))}
	switch {
	case newest != nil && !newest.Holds():
		view.Class = "r"
	case covered < len(rows):
		view.Class = "y"
	}
	view.Checkpoint = c.checkpointView(v, newest)
	return view, nil
}

// placeView says where an entry stands, out of the places of several.
func (v *visit) placeView(id string, places map[string]int64, newest *proof.Newest) *placeView {
	index, sealed := places[id]
	switch {
	case newest != nil && !newest.Holds():
		return &placeView{Text: v.t("proof.unsigned"), Class: "r"}
	case !sealed:
		return &placeView{Text: v.t("console.proof.unsealed"), Class: "y"}
	case !newest.Covers(index):
		return &placeView{Text: v.t("console.proof.uncovered", "index", index), Class: "y"}
	}
	return &placeView{Text: v.t("console.proof.covered", "index", index, "size", newest.Size), Class: "g", Proof: "/trail/proof.json?entry=" + id}
}

func (c *Console) checkpointView(v *visit, newest *proof.Newest) *checkpointView {
	if newest == nil {
		return nil
	}
	if !newest.Holds() {
		return &checkpointView{Note: string(newest.Note), Bad: true, Text: v.t("proof.unsigned")}
	}
	return &checkpointView{Note: string(newest.Note), Text: v.t("console.proof.checkpoint", "size", newest.Size,
		"at", newest.Time.In(c.Engine.Site.Location).Format("2006-01-02 15:04:05"), "key", newest.By)}
}

// offerPart completes a panel by the form with which its part of the trail is taken away, or by why it is not.
func (c *Console) offerPart(v *visit, view *proofView, part engine.Part, f partForm) error {
	if view == nil {
		return nil
	}
	if err := c.Engine.Inspects(v.actor); err != nil {
		view.Why = asError(err).In(v.lang)
		return nil
	}
	may, err := c.Engine.Exports(v.ctx, v.actor, part)
	if err != nil {
		return err
	}
	if f.Units != nil && !may { // not everything, so one of the units
		may = len(f.Units) > 0
	} else if f.Units != nil {
		f.Units = append([]choice{{"", v.t("console.proof.everything"), true}}, f.Units...)
	}
	if may {
		view.Part = &f
	} else {
		view.Why = v.t("trail.beyond_office")
	}
	return nil
}

// proveProject says what proves a project's newest entry, and the others that its page shows.
func (c *Console) proveProject(v *visit, p *engine.Project, view *projectView) error {
	panel, err := c.placed(v, view.Entries)
	if err != nil || panel == nil {
		return err
	}
	if len(view.Entries) > 0 {
		panel.Place = view.Entries[0].Place
	}
	view.Proof = panel
	return c.offerPart(v, panel, engine.Part{Project: p.ID}, partForm{Action: "/projects/" + string(p.ID) + "/bundle.zip"})
}

// inspectedUnits are the units that the person inspects, to choose from.
func (c *Console) inspectedUnits(v *visit) ([]choice, error) {
	units, err := c.Reader.Units(v.ctx)
	if err != nil {
		return nil, err
	}
	out := []choice{}
	for _, u := range units {
		if _, ok := v.actor.Has(engine.Inspector, u.Path); ok {
			out = append(out, choice{Value: u.Code, Text: indent(u.Path) + u.Name})
		}
	}
	return out, nil
}

// trailProof sends what proves that one entry stands in the signed log.
func (c *Console) trailProof(v *visit) error {
	e, err := proof.Entry(v.ctx, c.Engine, v.actor, v.g.Query("entry"))
	if err != nil {
		return err
	}
	p, err := proof.Of(v.ctx, c.Trail, &e)
	if err != nil {
		return err
	}
	b, err := proof.JSON(p)
	if err != nil {
		return err
	}
	_, err = upload.Attach(v.g.Writer, "application/json", fmt.Sprintf("proof-%d.json", p.Index)).Write(b)
	return err
}

// trailCheckpoint sends the newest checkpoint as a file to keep.
func (c *Console) trailCheckpoint(v *visit) error {
	newest, err := proof.NewestOf(v.ctx, c.Trail)
	if err != nil {
		return err
	}
	if newest == nil {
		return &engine.Error{Kind: engine.NotFound, Key: "proof.no_checkpoint"}
	}
	if !newest.Holds() {
		return proof.Unsigned()
	}
	_, err = upload.Attach(v.g.Writer, "text/plain; charset=utf-8", "checkpoint-"+newest.Time.In(c.Engine.Site.Location).Format("20060102-150405")+".txt").Write(newest.Note)
	return err
}

// trailBundle sends everything, or one unit with what is under it, as a file that verifies by itself.
func (c *Console) trailBundle(v *visit) error {
	part, name := engine.Part{}, "trail"
	if code := strings.TrimSpace(v.g.Query("unit")); code != "" {
		part.Unit, name = engine.UnitID(code), "unit-"+code
	}
	return c.sendBundle(v, part, name)
}

// projectBundle sends one project's entries with their proofs.
func (c *Console) projectBundle(v *visit) error {
	p, err := c.seen(v)
	if err != nil {
		return err
	}
	return c.sendBundle(v, engine.Part{Project: p.ID}, p.Number)
}

func (c *Console) sendBundle(v *visit, part engine.Part, name string) error {
	known, err := proof.Known(v.g.Query("known"))
	if err != nil {
		return err
	}
	if part, err = proof.Begin(v.ctx, c.Trail, c.Engine, v.actor, part); err != nil {
		return err
	}
	return proof.Bundle(v.ctx, c.Trail, upload.Attach(v.g.Writer, "application/zip", proof.FileName(name, c.Now().In(c.Engine.Site.Location))), part, known)
}

// WriteCheckpoint adds a sheet with the newest checkpoint to a workbook, a line of it in each row: copied out as they are,
// they are the file that "audit verify --known" takes, which takes the whole workbook, too. Without a note it adds none.
func WriteCheckpoint(b *workbook.Book, lang string, note []byte) error {
	if len(note) == 0 {
		return nil
	}
	t, err := b.Sheet(workbook.Sheet{Name: say(lang, "console.proof.sheet"), Columns: []workbook.Column{{Head: say(lang, "console.proof.sheet_why"), Width: 110}}})
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(note)) {
		if err := t.Row(strings.TrimSuffix(line, "\n")); err != nil {
			return err
		}
	}
	return nil
}

// note is the newest checkpoint as it was signed, nil if there is none.
func (c *Console) note(v *visit) ([]byte, error) {
	if c.Trail == nil {
		return nil, nil
	}
	return c.Trail.Checkpoint(v.ctx)
}
