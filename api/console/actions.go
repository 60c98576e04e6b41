package console

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"bihuan/engine"
)

// actionIcons are the marks of what people do.
var actionIcons = map[string]string{
	"submit": "arrow-right", "approve": "check", "return": "arrow-back-up", "withdraw": "arrow-forward-up", "edit": "pencil",
	"acknowledge": "writing-sign", "milestones": "calendar", "tick": "circle-check", "report": "pencil", "evidence": "upload",
	"extend": "calendar-plus", "urge": "bell-ringing", "verify": "shield-check", "survey": "chart-bar", "object": "alert-circle",
	"answer": "arrow-back-up", "summarize": "file-text", "look_back": "eye", "statement": "file-text",
	"mark": "bookmark-plus", "unmark": "x", "find_false": "alert-circle", "lift_finding": "x",
}

// actionForm is the form for an option that the engine allows. What it asks for is all that it knows; whether it
// may be sent is the engine's to say.
func (c *Console) actionForm(v *visit, p *engine.Project, w *engine.Workflow, o engine.Option, words map[string]string) form {
	base := "/projects/" + string(p.ID)
	f := form{ID: "do-" + o.Act, Action: base + "/do/" + o.Act, Title: v.t("do." + o.Act), Icon: actionIcons[o.Act], Version: p.Version}
	add := func(x field) {
		x.ID = f.ID + "-" + x.Name
		f.Fields = append(f.Fields, x)
	}
	area := func(name, label, value string, required bool) {
		add(field{Name: name, Kind: "area", Label: v.t("console.field." + label), Value: value, Required: required})
	}
	f.Submit = f.Title
	switch o.Act {
	case "submit":
		f.ID = "do-submit-" + string(o.Transition)
		f.Hidden = []field{{Name: "transition", Value: string(o.Transition)}}
		f.Title = v.t("console.submit.title", "name", o.Name, "stage", o.ToName)
		f.Submit = v.t("console.submit.button", "name", o.Name)
		note := slices.ContainsFunc(o.Reasons, func(r engine.Reason) bool { return r.Note })
		f.Danger = o.To == engine.Shelved || o.To == engine.Cancelled
		area("note", "note", "", note)
		if o.To == engine.Shelved || o.To == engine.Cancelled || note {
			f.Icon = "player-pause"
		}
	case "approve":
		if len(o.Criteria) > 0 {
			add(field{Name: "criteria", Kind: "people", Label: v.t("console.field.criteria"), Hint: v.t("console.hint.criteria"), Choices: v.choicesOf(o.Criteria), Required: true})
		}
		if len(o.Grades) > 0 {
			add(field{Name: "grade", Kind: "radio", Label: v.t("console.field.grade"), Choices: v.choicesOf(o.Grades), Required: true})
		}
		area("note", "opinion", "", false)
	case "return":
		f.Danger = true
		add(field{Name: "to", Kind: "select", Label: v.t("console.field.return_to"), Choices: c.returnChoices(v, p, w), Required: p.Request == nil})
		area("note", "reason", "", true)
	case "withdraw":
		area("note", "note", "", false)
	case "milestones":
		add(field{Name: "title", Kind: "text", Label: v.t("console.field.milestone"), Required: true})
		add(field{Name: "due", Kind: "date", Label: v.t("console.field.due"), Required: true, Max: p.Deadline.String(), Hint: v.t("console.hint.due", "date", p.Deadline)})
		add(field{Name: "who", Kind: "text", Label: v.t("console.field.who")})
		if before := milestoneChoices(p, false); len(before) > 0 {
			add(field{Name: "after", Kind: "people", Label: v.t("console.field.after"), Choices: before})
		}
	case "tick":
		add(field{Name: "milestone", Kind: "select", Label: v.t("console.field.milestone"), Choices: milestoneChoices(p, true), Required: true})
		area("note", "done_note", "", false)
	case "report":
		add(field{Name: "percent", Kind: "number", Label: v.t("console.field.percent"), Value: strconv.Itoa(p.Progress), Min: "0", Max: "100",
			Hint: v.t("console.hint.percent", "percent", p.Progress), Required: true})
		area("done", "done", "", true)
		area("next", "next", "", false)
		area("problems", "problems", "", false)
		area("support", "support", "", false)
	case "evidence":
		f.Action, f.Multipart = base+"/evidence", true
		if len(w.Materials) > 0 {
			add(field{Name: "material", Kind: "select", Label: v.t("console.field.material"), Choices: append(v.choicesOf(w.Materials), choice{"", v.t("console.material.other"), false})})
		}
		add(field{Name: "milestone", Kind: "select", Label: v.t("console.field.proves"), Choices: append([]choice{{"", v.t("console.proves_all"), false}}, milestoneChoices(p, false)...)})
		add(field{Name: "note", Kind: "text", Label: v.t("console.field.evidence_note")})
		add(field{Name: "file", Kind: "file", Label: v.t("console.field.file"), Hint: v.t("console.hint.file", "limit", size(c.Upload)), Required: true})
	case "extend":
		add(field{Name: "deadline", Kind: "date", Label: v.t("console.field.new_deadline"), Hint: v.t("console.hint.extend", "date", p.Deadline), Required: true})
		area("note", "reason", "", true)
	case "urge":
		area("note", "urge_note", "", true)
	case "verify":
		add(field{Name: "passed", Kind: "radio", Label: v.t("console.field.passed"), Choices: []choice{{"yes", v.t("console.passed"), false}, {"no", v.t("console.failed"), false}}, Required: true})
		area("note", "verify_note", "", true)
	case "look_back":
		add(field{Name: "passed", Kind: "radio", Label: v.t("console.field.look_back_passed"), Choices: []choice{{"yes", v.t("console.passed"), false}, {"no", v.t("console.failed"), false}}, Required: true})
		add(field{Name: "lasting", Kind: "radio", Label: v.t("console.field.look_back_lasting"), Hint: p.Lasting, Choices: []choice{{"yes", v.t("console.yes"), false}, {"no", v.t("console.no"), false}}, Required: true})
		add(field{Name: "deadline", Kind: "date", Label: v.t("console.field.look_back_deadline"), Hint: v.t("console.hint.look_back_deadline")})
		area("note", "look_back_note", "", true)
	case "survey":
		for _, level := range surveyLevels {
			add(field{Name: level, Kind: "number", Label: v.t("console.survey." + level), Value: "0", Min: "0", Required: true})
		}
		area("note", "survey_note", "", true)
	case "object":
		area("text", "objection", "", true)
	case "answer":
		add(field{Name: "objection", Kind: "select", Label: v.t("console.field.objection"), Choices: objectionChoices(v, p, words), Required: true})
		area("text", "answer", "", true)
	case "mark":
		kinds := field{Name: "kind", Kind: "radio", Label: v.t("console.marks.kind"), Required: true}
		for _, k := range p.Markable() {
			kinds.Choices = append(kinds.Choices, choice{string(k), k.In(v.lang), false})
		}
		add(kinds)
		area("note", "mark_note", "", true)
	case "unmark":
		f.Danger = true
		given := field{Name: "mark", Kind: "select", Label: v.t("console.marks.kind"), Required: true}
		for _, k := range engine.MarkKinds {
			for id, m := range p.Marks {
				if m.Kind == k && m.RevokedAt == nil {
					given.Choices = append(given.Choices, choice{id, k.In(v.lang), false})
				}
			}
		}
		add(given)
		area("note", "reason", "", true)
	case "find_false", "lift_finding":
		f.Danger = o.Act == "find_false"
		for _, x := range c.findingFields(v, p, w, o.Act) {
			add(x)
		}
	case "summarize":
		area("summary", "summary", p.Summary, true)
		area("lasting", "lasting", p.Lasting, false)
	case "statement":
		f.Fields = append(f.Fields, field{ID: f.ID + "-text", Name: "text", Kind: "area", Label: v.t("console.field.statement"), Hint: v.t("console.hint.statement"), Value: p.Statement, Required: true})
	}
	return f
}

// choicesOf are the things that an approver confirms or chooses from.
func (v *visit) choicesOf(list []engine.Choice) []choice {
	out := make([]choice, len(list))
	for i, c := range list {
		out[i] = choice{c.ID, c.Name.In(v.lang), false}
	}
	return out
}

// surveyLevels are the five levels of 好差评, best first.
var surveyLevels = []string{"very_satisfied", "satisfied", "basic", "dissatisfied", "very_dissatisfied"}

func (c *Console) returnChoices(v *visit, p *engine.Project, w *engine.Workflow) []choice {
	var out []choice
	if p.Request != nil {
		out = append(out, choice{"", v.t("console.return.stay", "stage", w.StageName(p.Stage)), true})
	}
	stage, _ := w.Stage(p.Stage)
	for i := len(stage.ReturnTo) - 1; i >= 0; i-- { // the nearest first
		id := stage.ReturnTo[i]
		out = append(out, choice{string(id), v.t("console.return.to", "stage", w.StageName(id)), false})
	}
	return out
}

// milestoneIDs are the ids in the order of the dates.
func milestoneIDs(p *engine.Project) []string {
	ids := slices.Collect(maps.Keys(p.Milestones))
	slices.SortFunc(ids, func(a, b string) int {
		if d := p.Milestones[a].Due.Compare(p.Milestones[b].Due); d != 0 {
			return d
		}
		if len(a) != len(b) { // m2 before m10
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return ids
}

func milestoneChoices(p *engine.Project, open bool) []choice {
	var out []choice
	for _, id := range milestoneIDs(p) {
		if m := p.Milestones[id]; !open || m.DoneAt == nil {
			out = append(out, choice{id, m.Title + " · " + m.Due.String(), false})
		}
	}
	return out
}

func objectionChoices(v *visit, p *engine.Project, words map[string]string) []choice {
	var out []choice
	for _, id := range slices.Sorted(maps.Keys(p.Objections)) {
		if o := p.Objections[id]; o.AnsweredAt == nil {
			out = append(out, choice{id, clip(cmp.Or(words[id], v.t("user.erased")), 40), false})
		}
	}
	return out
}

// clip shortens a text to n characters.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n]) + "…"
}

// command reads a form into the engine's command. An error is about a field that cannot be read at all; everything
// else is checked by the engine.
func command(act string, x url.Values) (engine.Command, error) {
	switch act {
	case "submit":
		return engine.Submit{Transition: engine.TransitionID(x.Get("transition")), Note: x.Get("note")}, nil
	case "approve":
		return engine.Approve{Note: x.Get("note"), Criteria: x["criteria"], Grade: x.Get("grade")}, nil
	case "return":
		return engine.Return{To: engine.StageID(x.Get("to")), Note: x.Get("note")}, nil
	case "withdraw":
		return engine.Withdraw{Note: x.Get("note")}, nil
	case "acknowledge":
		return engine.Acknowledge{}, nil
	case "milestones":
		m, err := milestone(x)
		return engine.LayMilestones{Milestones: []engine.Milestone{m}}, err
	case "edit_milestone":
		m, err := milestone(x)
		return engine.EditMilestone{ID: x.Get("milestone"), Milestone: m}, err
	case "remove_milestone":
		return engine.RemoveMilestone{ID: x.Get("milestone")}, nil
	case "tick":
		return engine.Tick{ID: x.Get("milestone"), Note: x.Get("note")}, nil
	case "report":
		n, err := number(x, "percent")
		return engine.Report{Percent: n, Done: x.Get("done"), Next: x.Get("next"), Problems: x.Get("problems"), Support: x.Get("support")}, err
	case "extend":
		d, err := date(x, "deadline")
		return engine.Extend{Deadline: d, Note: x.Get("note")}, err
	case "urge":
		return engine.Urge{Note: x.Get("note")}, nil
	case "verify":
		switch x.Get("passed") {
		case "yes", "no":
			return engine.Verify{Passed: x.Get("passed") == "yes", Note: x.Get("note")}, nil
		}
		return nil, invalid("passed", "field.empty")
	case "look_back":
		return lookBack(x)
	case "mark":
		return engine.MarkAs{Kind: engine.MarkKind(x.Get("kind")), Note: x.Get("note")}, nil
	case "unmark":
		return engine.RevokeMark{ID: x.Get("mark"), Note: x.Get("note")}, nil
	case "find_false":
		d, err := date(x, "deadline")
		return engine.FindFalse{Evidence: x["evidence"], Note: x.Get("note"), Deadline: d}, err
	case "lift_finding":
		return engine.LiftFinding{ID: x.Get("finding"), Note: x.Get("note")}, nil
	case "close_poll":
		return engine.ClosePoll{}, nil
	case "survey":
		return survey(x)
	case "object":
		return engine.Object{Text: x.Get("text")}, nil
	case "answer":
		return engine.Answer{ID: x.Get("objection"), Text: x.Get("text")}, nil
	case "summarize":
		return engine.Summarize{Summary: x.Get("summary"), Lasting: x.Get("lasting")}, nil
	case "ask_erasure", "end_erasure", "erase":
		return engine.EraseWords{Objection: x.Get("objection"), Step: act, Note: x.Get("note")}, nil
	case "statement":
		return engine.GiveStatement{Text: x.Get("text")}, nil
	}
	return nil, &engine.Error{Kind: engine.NotFound, Key: "console.error.no_page"}
}

func milestone(x url.Values) (engine.Milestone, error) {
	d, err := date(x, "due")
	return engine.Milestone{Title: x.Get("title"), Due: d, Who: x.Get("who"), After: x["after"]}, err
}

func lookBack(x url.Values) (engine.Command, error) {
	for _, name := range []string{"passed", "lasting"} {
		if s := x.Get(name); s != "yes" && s != "no" {
			return nil, invalid(name, "field.empty")
		}
	}
	d, err := date(x, "deadline")
	return engine.InspectAgain{Passed: x.Get("passed") == "yes", Lasting: x.Get("lasting") == "yes", Deadline: d, Note: x.Get("note")}, err
}

func survey(x url.Values) (engine.Command, error) {
	var n [5]int
	for i, level := range surveyLevels {
		var err error
		if n[i], err = number(x, level); err != nil {
			return nil, err
		}
	}
	return engine.RecordSurvey{Note: x.Get("note"), Survey: engine.Survey{VerySatisfied: n[0], Satisfied: n[1], Basic: n[2], Dissatisfied: n[3], VeryDissatisfied: n[4]}}, nil
}

// number reads a whole number.
func number(x url.Values, name string) (int, error) {
	n, err := strconv.Atoi(x.Get(name))
	if err != nil {
		return 0, invalid(name, "api.integer")
	}
	return n, nil
}

// version reads the version that the form was filled in on.
func version(x url.Values) (int64, error) {
	n, err := strconv.ParseInt(x.Get("version"), 10, 64)
	if err != nil || n < 1 {
		return 0, &engine.Error{Kind: engine.Required, Key: "console.error.no_version", Err: fmt.Errorf("version %q", x.Get("version"))}
	}
	return n, nil
}

// act carries out what a form asks for.
func (c *Console) act(v *visit) error {
	p, err := c.seen(v)
	if err != nil {
		return err
	}
	if err := v.g.Request.ParseForm(); err != nil {
		return err
	}
	values, act := v.g.Request.PostForm, v.g.Param("act")
	base, err := version(values)
	if err != nil {
		return err
	}
	cmd, err := command(act, values)
	if engine.KindOf(err) == engine.NotFound {
		return err
	}
	if err == nil {
		_, err = c.Engine.Do(v.ctx, v.actor, p.ID, base, cmd)
	}
	if err != nil {
		return c.refused(v, &p, base, attempt{act: act, values: values}, err)
	}
	to := "/projects/" + string(p.ID) + "?done=" + act
	if act == "milestones" { // usually several follow one another
		to += "&open=milestones#do-milestones"
	}
	v.redirect(to)
	return nil
}

// attempt is a form that was sent and refused.
type attempt struct {
	act    string
	values url.Values
	err    *engine.Error
}

// id is the form's id on the project page.
func (a attempt) id() string {
	if a.act == "submit" {
		return "do-submit-" + a.values.Get("transition")
	}
	return "do-" + a.act
}

// refused shows a refusal without losing what was typed: a conflict on a page of its own, everything else beside
// the form.
func (c *Console) refused(v *visit, p *engine.Project, base int64, a attempt, err error) error {
	kind := engine.KindOf(err)
	switch kind {
	case engine.Stale, engine.Conflict:
		return c.conflict(v, p.ID, base, a)
	case engine.Invalid, engine.Blocked, engine.Denied:
		a.err = asError(err)
		return c.showProject(v, p, statuses[kind], &a)
	}
	return err
}
