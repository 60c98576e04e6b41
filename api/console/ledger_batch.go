package console

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"bihuan/engine"
)

// batchActs are what can be done to several projects at once.
var batchActs = []string{"approve", "urge"}

// batchView says what will be done to which projects, and to which not and why; then the same of what was done.
type batchView struct {
	Act      string
	Title    string
	Lead     string
	Finished bool
	Ready    []batchRow // what will be done, or was
	Left     []batchRow // what will not be done, or was not
	Form     *form      // nil when nothing can be done, or all is
	Back     string
}

// batchRow is a project of a batch.
type batchRow struct {
	ID, Number, Title string
	Light             lightView
	What              string // what is asked for, or what came of it
	Why               string // why it is left out
}

// picked is a project as the person saw it.
type picked struct {
	id      engine.ProjectID
	version int64
}

// pickedOf reads the ticked rows: "id:version".
func pickedOf(values []string) ([]picked, error) {
	if len(values) == 0 {
		return nil, invalid("item", "console.batch.none")
	}
	if len(values) > engine.MaxPage {
		return nil, invalid("item", "console.batch.too_many", "limit", engine.MaxPage)
	}
	var out []picked
	seen := map[string]bool{}
	for _, s := range values {
		id, version, _ := strings.Cut(s, ":")
		n, err := strconv.ParseInt(version, 10, 64)
		if err != nil || n < 1 {
			return nil, &engine.Error{Kind: engine.Required, Key: "console.error.no_version", Err: err}
		}
		if !seen[id] {
			seen[id] = true
			out = append(out, picked{engine.ProjectID(id), n})
		}
	}
	return out, nil
}

// batchable tells whether the person may approve or urge the project now.
func (c *Console) batchable(v *visit, p *engine.Project) (approve, urge bool, err error) {
	options, err := c.Engine.Explain(v.ctx, v.actor, p)
	for _, o := range options {
		approve = approve || o.Act == "approve" && o.Allowed
		urge = urge || o.Act == "urge" && o.Allowed
	}
	return approve, urge, err
}

// batch shows what an act would do to the ticked projects, and carries it out when that is confirmed. Each project is
// a command of its own on the version that the person saw, so that one that was changed meanwhile is left alone.
func (c *Console) batch(v *visit) error {
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	x := v.g.Request.PostForm
	act := x.Get("act")
	if !contains(batchActs, act) {
		return invalid("act", "field.empty")
	}
	items, err := pickedOf(x["item"])
	if err != nil {
		return err
	}
	view := batchView{Act: act, Title: v.t("console.batch." + act), Back: local(x.Get("back"), "/ledger")}
	if x.Get("step") == "do" {
		return c.carryOut(v, items, x, view)
	}
	return c.preview(v, items, x, view, nil)
}

// preview says what would be done; refused is why the note was not accepted.
func (c *Console) preview(v *visit, items []picked, x url.Values, view batchView, refused *engine.Error) error {
	f := form{ID: "batch", Action: "/ledger/batch", Icon: actionIcons[view.Act], Hidden: []field{{Name: "act", Value: view.Act}, {Name: "step", Value: "do"}, {Name: "back", Value: view.Back}}}
	for _, item := range items {
		row, ready, err := c.foresee(v, item, view.Act)
		if err != nil {
			return err
		}
		if !ready {
			view.Left = append(view.Left, row)
			continue
		}
		view.Ready = append(view.Ready, row)
		f.Hidden = append(f.Hidden, field{Name: "item", Value: string(item.id) + ":" + strconv.FormatInt(item.version, 10)})
	}
	view.Lead = v.t("console.batch.lead", "ready", len(view.Ready), "left", len(view.Left))
	if len(view.Ready) > 0 {
		note := field{ID: "batch-note", Name: "note", Kind: "area", Label: v.t("console.field.opinion"), Value: x.Get("note")}
		if view.Act == "urge" {
			note.Label, note.Required = v.t("console.field.urge_note"), true
		}
		f.Fields, f.Submit = []field{note}, v.t("console.batch.do."+view.Act, "n", len(view.Ready))
		view.Form = &f
	}
	status := http.StatusOK
	if refused != nil {
		status = statuses[refused.Kind]
		f.blame(v, refused)
	}
	return c.render(v, status, "batch", view.Title, view)
}

// foresee says whether the act can be done to the project, and if not why.
func (c *Console) foresee(v *visit, item picked, act string) (row batchRow, ready bool, err error) {
	p, err := c.Engine.Project(v.ctx, v.actor, item.id)
	if engine.KindOf(err) == engine.NotFound {
		return batchRow{Number: "—", Title: "—", Why: asError(err).In(v.lang)}, false, nil
	}
	if err != nil {
		return row, false, err
	}
	w, err := c.Engine.Pinned(v.ctx, &p)
	if err != nil {
		return row, false, err
	}
	row = c.batchRow(v, &p)
	if act == "approve" && p.Request != nil {
		asked := c.pending(v, &p, w)
		row.What = asked.What
		if asked.To != "" {
			row.What += v.t("list.colon") + asked.From + " → " + asked.To
		}
	}
	if p.Version != item.version {
		row.Why = v.t("console.batch.changed")
		return row, false, nil
	}
	options, err := c.Engine.Explain(v.ctx, v.actor, &p)
	if err != nil {
		return row, false, err
	}
	row.Why = v.t("console.batch.not_now." + act)
	for _, o := range options {
		if o.Act != act {
			continue
		}
		if o.Allowed && len(o.Criteria)+len(o.Grades) > 0 { // nobody confirms several items with one tick
			row.Why = v.t("console.batch.one_by_one")
			return row, false, nil
		}
		if o.Allowed {
			row.Why = ""
			return row, true, nil
		}
		row.Why = strings.Join(c.blocked(v, o).Why, v.t("list.semicolon"))
	}
	return row, false, nil
}

func (c *Console) batchRow(v *visit, p *engine.Project) batchRow {
	return batchRow{ID: string(p.ID), Number: p.Number, Title: p.Title, Light: v.lightOf(p, c.Now())}
}

// carryOut does it, one project after the other, and says of each what came of it.
func (c *Console) carryOut(v *visit, items []picked, x url.Values, view batchView) error {
	cmd, err := command(view.Act, x)
	if err != nil {
		return err
	}
	view.Finished = true
	for _, item := range items {
		before, err := c.Engine.Project(v.ctx, v.actor, item.id)
		var after engine.Project
		if err == nil {
			after, err = c.Engine.Do(v.ctx, v.actor, item.id, item.version, cmd)
		}
		var e *engine.Error
		switch {
		case err == nil:
			row := c.batchRow(v, &after)
			row.What = v.t("console.done." + view.Act)
			if after.Stage != before.Stage {
				row.What += v.t("list.colon") + c.stageName(v, before.Stage) + " → " + c.stageName(v, after.Stage)
			}
			view.Ready = append(view.Ready, row)
			continue
		case errors.As(err, &e) && e.Kind == engine.Invalid && len(view.Ready) == 0 && len(view.Left) == 0:
			return c.preview(v, items, x, view.unfinished(), e) // the note is wrong, and so for all
		case errors.As(err, &e) && e.Kind == engine.NotFound:
			view.Left = append(view.Left, batchRow{Number: "—", Title: "—", Why: e.In(v.lang)})
			continue
		case errors.As(err, &e) && statuses[e.Kind] != 0:
			row := c.batchRow(v, &before)
			if row.Why = e.In(v.lang); e.Kind == engine.Stale || e.Kind == engine.Conflict {
				row.Why = v.t("console.batch.changed")
			}
			view.Left = append(view.Left, row)
			continue
		case errors.Is(err, context.Canceled) && v.ctx.Err() != nil:
			return err // nobody reads the answer
		}
		// What was done stays done and must be said, whatever happened to this one.
		c.Log.ErrorContext(v.ctx, "batch", slog.String("request", v.info.ID), slog.String("project", string(item.id)), slog.Any("error", err))
		row := batchRow{ID: string(item.id), Number: "—", Title: "—", Why: v.t("api.internal", "request", v.info.ID)}
		if before.ID != "" {
			row = c.batchRow(v, &before)
			row.Why = v.t("api.internal", "request", v.info.ID)
		}
		view.Left = append(view.Left, row)
	}
	view.Lead = v.t("console.batch.result", "done", len(view.Ready), "left", len(view.Left))
	return c.render(v, http.StatusOK, "batch", view.Title, view)
}

func (b batchView) unfinished() batchView {
	b.Finished = false
	return b
}
