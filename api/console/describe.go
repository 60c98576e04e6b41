package console

import (
	"encoding/json"
	"fmt"
	"strings"

	"bihuan/engine"
	"bihuan/engine/audit"
)

// entryView is an audit entry as people read it.
type entryView struct {
	ID, At, Exact   string
	Who, Role, Via  string
	Action, Class   string
	Subject, Number string // the project's id, and its number where it is known
	Title           string
	What            string
	Note            string
	Hash, Prev      hashView
	Seq             int64
	Sound           bool // its hash was recomputed from its bytes just now
	Data            string
	Place           *placeView // in the Merkle log; nil where no page asks
}

// told is what entries say beyond the state, as far as a sentence needs it.
type told struct {
	Report struct {
		Percent                       int
		Done, Next, Problems, Support string
	}
	Evidence  struct{ Name string }
	Rung      engine.Rung
	To        json.RawMessage
	From      json.RawMessage
	Deadline  string
	Passed    *bool
	What      string
	Command   string
	Why       string
	Set       map[string]json.RawMessage
	Milestone string
	Role      json.RawMessage // of a grant
	Unit      json.RawMessage
}

// entryView reads an entry. Names of stages come from w, which may be nil.
func (c *Console) entryView(v *visit, e *engine.EntryRow, w *engine.Workflow) entryView {
	out := entryView{ID: e.ID, At: c.moment(e.At), Exact: e.At.In(c.Engine.Site.Location).Format("2006-01-02 15:04:05"),
		Who: c.names.user(v, engine.UserID(e.Actor.ID)), Via: v.via(e.Actor.Via), Action: v.actionName(e.Action), Class: actionClass(e.Action),
		Note: e.Note, Hash: hashOf(e.Hash.String()), Prev: hashOf(e.Prev.String()), Seq: e.Seq,
		Sound: audit.HashEntry(e.Bytes) == e.Hash, Data: string(e.Data)}
	if e.Actor.Role != "" {
		out.Role = engine.Role(e.Actor.Role).In(v.lang)
	}
	if e.Kind() == engine.SubjectProject {
		out.Subject = e.SubjectID()
	}
	out.What = c.what(v, e, w)
	return out
}

func (v *visit) via(door string) string {
	key := "console.via." + door
	if s := v.t(key); s != key {
		return s
	}
	return door
}

// what says in a few words what an entry is about. An entry that cannot be read says nothing, and its bytes are
// shown anyhow.
func (c *Console) what(v *visit, e *engine.EntryRow, w *engine.Workflow) string {
	var d told
	if len(e.Data) > 0 && json.Unmarshal(e.Data, &d) != nil {
		d = told{}
	}
	var parts []string
	if e.From != "" && e.To != "" && e.From != e.To {
		from, to := c.stateOf(v, w, e)
		parts = append(parts, from+" → "+to)
	}
	switch e.Action {
	case "report":
		parts = append(parts, fmt.Sprintf("%d%%", d.Report.Percent), d.Report.Done)
	case "evidence":
		parts = append(parts, d.Evidence.Name)
	case "rung":
		parts = append(parts, d.Rung.In(v.lang))
	case "extend":
		parts = append(parts, text(d.From)+" → "+text(d.To))
	case "verify":
		if d.Passed != nil {
			parts = append(parts, v.t(map[bool]string{true: "console.passed", false: "console.failed"}[*d.Passed]))
		}
	case "refused":
		parts = append(parts, d.Why)
	case "export":
		parts = append(parts, d.What)
	case "add_unit", "rename_unit":
		parts = append(parts, text(d.Set["name"]), text(d.Set["code"]))
	case "move_unit":
		parts = append(parts, c.lastUnit(v, text(d.From))+" → "+c.lastUnit(v, text(d.To)))
	case "grant", "revoke":
		if e.Kind() == engine.SubjectUser {
			parts = append(parts, c.names.user(v, engine.UserID(e.SubjectID())))
		}
		parts = append(parts, engine.Role(text(d.Role)).In(v.lang)+" @ "+c.names.unit(v, engine.UnitID(text(d.Unit))))
	case "lay_milestones", "tick", "edit_milestone":
		parts = append(parts, milestoneTitles(d.Set)...)
	}
	var said []string
	for _, s := range parts {
		if s != "" {
			said = append(said, s)
		}
	}
	return strings.Join(said, " · ")
}

// stateOf names the states that an entry leads from and to, as its kind of subject calls them.
func (c *Console) stateOf(v *visit, w *engine.Workflow, e *engine.EntryRow) (from, to string) {
	switch e.Kind() {
	case engine.SubjectList:
		return engine.ListState(e.From).In(v.lang), engine.ListState(e.To).In(v.lang)
	case engine.SubjectNeed:
		return engine.NeedState(e.From).In(v.lang), engine.NeedState(e.To).In(v.lang)
	}
	return c.stageIn(v, w, e.From), c.stageIn(v, w, e.To)
}

// lastUnit names the unit at the end of a path.
func (c *Console) lastUnit(v *visit, path string) string {
	ids := strings.Split(strings.Trim(path, "/"), "/")
	if ids[len(ids)-1] == "" {
		return v.t("console.unit.top")
	}
	return c.names.unit(v, engine.UnitID(ids[len(ids)-1]))
}

// stageIn names a stage by its workflow, or as any workflow names it.
func (c *Console) stageIn(v *visit, w *engine.Workflow, id string) string {
	if w != nil {
		if s := w.StageName(engine.StageID(id)).In(v.lang); s != "" {
			return s
		}
	}
	return c.stageName(v, engine.StageID(id))
}

// text is a JSON string without its quotes, or the JSON.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// milestoneTitles are the titles in a patch's milestones.
func milestoneTitles(set map[string]json.RawMessage) []string {
	var list map[string]struct{ Title string }
	if json.Unmarshal(set["milestones"], &list) != nil {
		return nil
	}
	var out []string
	for _, m := range list {
		if m.Title != "" {
			out = append(out, m.Title)
		}
	}
	if len(out) > 3 {
		return []string{fmt.Sprintf("%d", len(out))}
	}
	return out
}

// history is a project's whole trail, oldest first, with what checking it found.
type history struct {
	entries []engine.EntryRow
	whole   bool // all of it was read
	sound   bool // every hash was recomputed, the links hold, and the fold equals the stored project
	then    json.RawMessage
}

// historyLimit bounds how much of a trail a page reads; hardly any project has as many entries.
const historyLimit = 1000

// history reads and checks a project's trail. base is the version whose state is wanted beside it, 0 for none.
func (c *Console) history(v *visit, p *engine.Project, base int64) (history, error) {
	h := history{sound: true}
	chain := audit.NewChain(p.Subject())
	after := ""
	for len(h.entries) < historyLimit {
		page, err := c.Engine.Trail(v.ctx, v.actor, engine.EntryFilter{Subject: p.Subject(), OldestFirst: true, After: after, Limit: engine.MaxPage})
		if err != nil {
			return h, err
		}
		for _, e := range page.Items {
			if len(chain.Add(audit.Row{Bytes: e.Bytes, Hash: e.Hash, NoColumns: true})) > 0 {
				h.sound = false
			}
			if e.Seq == base {
				h.then = chain.State()
			}
			h.entries = append(h.entries, e)
		}
		if after = page.Next; after == "" {
			h.whole = true
			break
		}
	}
	if h.whole && len(chain.Close(p.Head, p.Version, p.State())) > 0 {
		h.sound = false
	}
	return h, nil
}
