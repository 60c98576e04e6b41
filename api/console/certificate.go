package console

import (
	"net/http"
	"strings"

	"bihuan/api/proof"
	"bihuan/engine"
)

// certificateView is the 销号单: what was checked before an item was struck off, by whom, and on what evidence.
type certificateView struct {
	ID, Number, Title, Kind, List string
	Facts                         []pair
	Checks                        []string
	Signed                        []signature
	Rule                          string // when the rule itself closed it
	Survey                        *surveyView
	Evidence                      []evidenceView
	Marks                         []string
	Definition, Entry             hashView
	Closed                        string
	LookBack                      string
	Proof                         *certificateProof // nil while nothing was signed
}

// certificateProof binds the certificate to the trail: whoever has the paper has a checkpoint.
type certificateProof struct {
	Place      *placeView // of the entry that closed the project
	Checkpoint *checkpointView
	QR         string // path of an SVG: the checkpoint as it was signed; "" for one that does not hold
	Size       int    // of its side, in modules
}

// signature is somebody's part in the closing.
type signature struct{ What, Who, Role, At, Note string }

// certificate shows the newest 销号 of a project that rests closed. Everything on it is taken from the trail.
func (c *Console) certificate(v *visit) error {
	p, err := c.seen(v)
	if err != nil {
		return err
	}
	if p.Stage != engine.Closed {
		return &engine.Error{Kind: engine.NotFound, Key: "console.certificate.none"}
	}
	w, err := c.Engine.Pinned(v.ctx, &p)
	if err != nil {
		return err
	}
	past, err := c.history(v, &p, 0)
	if err != nil {
		return err
	}
	view := certificateView{ID: string(p.ID), Number: p.Number, Title: p.Title, Kind: w.Name.In(v.lang), List: p.List, Definition: hashOf(p.Definition),
		Closed: c.moments(p.ClosedAt)}
	at := len(past.entries) - 1
	for ; at >= 0 && past.entries[at].To != string(engine.Closed); at-- {
	}
	if at < 0 {
		return &engine.Error{Kind: engine.NotFound, Key: "console.certificate.none"}
	}
	last := &past.entries[at]
	view.Entry = hashOf(last.Hash.String())
	for i := 0; i <= at; i++ {
		c.sign(v, &past.entries[i], i == at, &view)
	}
	if last.Action == "auto" {
		view.Rule = v.t("console.certificate.rule")
	}
	for _, t := range w.Transitions {
		if t.To == engine.Closed {
			for _, r := range t.Require {
				view.Checks = append(view.Checks, engine.Reason{Met: true, Name: r.Name, Text: r.Message}.In(v.lang))
			}
			break
		}
	}
	var page projectView
	c.describeProject(v, &p, w, &page)
	view.Facts, view.Survey, view.Marks = append(page.Meta, page.Facts...), page.Survey, page.Marks
	if view.Evidence, err = c.evidenceViews(v, &p, w); err != nil {
		return err
	}
	if view.Proof, err = c.certify(v, last); err != nil {
		return err
	}
	return c.render(v, http.StatusOK, "certificate", v.t("console.certificate.title", "number", p.Number), view)
}

// sign collects who verified the item and who said yes to its closing; whoever asked for it begins anew.
func (c *Console) sign(v *visit, e *engine.EntryRow, last bool, view *certificateView) {
	add := func(what string) {
		view.Signed = append(view.Signed, signature{v.t(what), c.names.user(v, engine.UserID(e.Actor.ID)), engine.Role(e.Actor.Role).In(v.lang), c.moment(e.At), e.Note})
	}
	switch {
	case e.Action == "verify":
		view.Signed = nil // what came before a newer verification no longer carries the closing
		add("console.certificate.verified")
	case e.Action == "submit" && e.To == string(engine.Closed):
		add("console.certificate.asked")
	case e.Action == "approve" && strings.Contains(string(e.Data), `"transition":"close"`) && !last:
		add("console.certificate.accepted")
	case last:
		add("console.certificate.signed")
	}
}

// verdict says in a word whether something passed.
func (v *visit) verdict(passed bool) string {
	if passed {
		return v.t("console.passed")
	}
	return v.t("console.failed")
}

// lookedBack tells of a confirmed look-back in one line.
func (c *Console) lookedBack(v *visit, l *engine.LookBack) string {
	lasting := v.t("console.look_back.lapsed")
	if l.Lasting {
		lasting = v.t("console.look_back.lasts")
	}
	return v.t("console.look_back.found", "date", c.day(l.At), "who", c.names.user(v, l.By), "result", v.verdict(l.Passed), "lasting", lasting, "note", l.Note)
}

// certify says where the entry that closed a project stands, and draws the newest checkpoint.
func (c *Console) certify(v *visit, last *engine.EntryRow) (*certificateProof, error) {
	newest, err := proof.NewestOf(v.ctx, c.Trail)
	if err != nil || newest == nil {
		return nil, err
	}
	places, err := c.Trail.Leaves(v.ctx, []string{last.ID})
	if err != nil {
		return nil, err
	}
	out := &certificateProof{Place: v.placeView(last.ID, places, newest), Checkpoint: c.checkpointView(v, newest)}
	if out.Checkpoint.Bad {
		return out, nil
	}
	out.QR, out.Size, err = qrPath(string(newest.Note))
	return out, err
}
