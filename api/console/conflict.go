package console

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"bihuan/engine"
	"bihuan/engine/audit"
)

// conflictView says that somebody else changed the project meanwhile: who, when, what; and keeps what was typed.
type conflictView struct {
	ID, Number, Title string
	Entries           []entryView
	Rows              []conflictRow
	Form              *form    // what was typed, ready to be sent on the present version
	Typed             []pair   // the same as text, where the act is not possible any more
	Why               []string // why it is not
}

// conflictRow is one fact: as it was when the person opened the page, as it is, and as it was typed.
type conflictRow struct{ Label, Then, Now, Typed string }

// conflict answers a form that was filled in on a version that is no longer the newest.
func (c *Console) conflict(v *visit, id engine.ProjectID, base int64, a attempt) error {
	p, err := c.Engine.Project(v.ctx, v.actor, id)
	if err != nil {
		return err
	}
	w, err := c.Engine.Pinned(v.ctx, &p)
	if err != nil {
		return err
	}
	past, err := c.history(v, &p, base)
	if err != nil {
		return err
	}
	view := conflictView{ID: string(p.ID), Number: p.Number, Title: p.Title}
	for i := range past.entries {
		if past.entries[i].Seq > base {
			view.Entries = append(view.Entries, c.entryView(v, &past.entries[i], w))
		}
	}
	slices.Reverse(view.Entries)
	if view.Rows, err = c.differences(v, w, past.then, p.State(), a); err != nil {
		return err
	}
	if err := c.again(v, &p, w, a, &view); err != nil {
		return err
	}
	return c.render(v, http.StatusConflict, "conflict", v.t("console.conflict.title"), view)
}

// again prepares the typed form for another try on the present version.
func (c *Console) again(v *visit, p *engine.Project, w *engine.Workflow, a attempt, view *conflictView) error {
	if a.act == "edit" {
		f, err := c.draftForm(v, w, engine.DraftOf(p), "/projects/"+string(p.ID)+"/edit")
		if err != nil {
			return err
		}
		f.keep(a.values)
		f.Version, f.Submit = p.Version, v.t("console.conflict.again")
		view.Form = &f
		return nil
	}
	options, err := c.Engine.Explain(v.ctx, v.actor, p)
	if err != nil {
		return err
	}
	words, err := c.Engine.Words(v.ctx, p)
	if err != nil {
		return err
	}
	for _, o := range options {
		if o.Act != a.act || o.Act == "submit" && string(o.Transition) != a.values.Get("transition") {
			continue
		}
		f := c.actionForm(v, p, w, o, words)
		f.keep(a.values)
		if o.Allowed {
			f.Submit = v.t("console.conflict.again")
			view.Form = &f
			return nil
		}
		view.Why = c.blocked(v, o).Why
		for _, x := range f.Fields {
			if x.Value != "" && x.Kind != "select" && x.Kind != "radio" {
				view.Typed = append(view.Typed, pair{x.Label, x.Value})
			}
		}
		return nil
	}
	view.Typed = c.typed(v, a)
	return nil
}

// typed is what people wrote into a form that is not on the page any more.
func (c *Console) typed(v *visit, a attempt) []pair {
	var out []pair
	for _, name := range []string{"title", "due", "who", "note", "text", "done", "next", "problems", "support", "summary", "lasting"} {
		if s := a.values.Get(name); s != "" {
			out = append(out, pair{v.t("console.field." + name), s})
		}
	}
	return out
}

// tellable are the members of a project's state that people know by a name, in the order in which they are shown.
var tellable = []string{"title", "category", "need", "target", "measures", "owner", "sponsor", "list", "deadline", "stage", "progress", "extensions",
	"returns", "evidence_count", "reports", "summary", "lasting"}

// differences compares the state that the person saw with the present one.
func (c *Console) differences(v *visit, w *engine.Workflow, then, now json.RawMessage, a attempt) ([]conflictRow, error) {
	if then == nil {
		return nil, nil // the base was never a version of this project, or lies too far back
	}
	var before, after map[string]json.RawMessage
	if err := json.Unmarshal(then, &before); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(now, &after); err != nil {
		return nil, err
	}
	var out []conflictRow
	for _, name := range tellable {
		typed, sent := a.values[name]
		changed := !audit.Equal(orNull(before[name]), orNull(after[name]))
		mine := sent && a.act == "edit" && typed[0] != text(orEmpty(before[name]))
		if !changed && !mine {
			continue
		}
		row := conflictRow{Label: v.t("console.field." + name), Then: c.valueOf(v, w, name, before[name]), Now: c.valueOf(v, w, name, after[name])}
		if sent {
			row.Typed = c.valueOf(v, w, name, quoted(typed[0]))
		}
		out = append(out, row)
	}
	return out, nil
}

func orNull(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return json.RawMessage("null")
	}
	return raw
}

func orEmpty(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return json.RawMessage(`""`)
	}
	return raw
}

func quoted(s string) json.RawMessage { return json.RawMessage(strconv.Quote(s)) }

// valueOf shows a fact in words.
func (c *Console) valueOf(v *visit, w *engine.Workflow, name string, raw json.RawMessage) string {
	if raw == nil {
		return "—"
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return string(raw)
	}
	switch {
	case s == "":
		return "—"
	case name == "owner" || name == "sponsor":
		return c.names.user(v, engine.UserID(s))
	case name == "stage":
		return w.StageName(engine.StageID(s)).In(v.lang)
	}
	return s
}
