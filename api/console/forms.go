package console

import (
	"net/url"
	"slices"

	"bihuan/engine"
	"bihuan/engine/calendar"
)

// field is one control of a form with its words, its value as typed, and what is wrong with it.
type field struct {
	ID, Name, Label, Hint string
	Kind                  string // text, password, area, date, number, select, people, file, radio, hidden
	Value                 string
	Choices               []choice
	Required              bool
	Min, Max              string
	Autocomplete          string // of a password or a code
	Accept                string // of a file: the kinds to offer
	Error                 string
}

// form is a form of fields that is sent as a plain POST.
type form struct {
	ID, Action, Title string
	Icon              string
	Submit            string
	Danger            bool
	Multipart         bool
	Busy              string // said while it takes longer than a moment
	Open              bool   // shown unfolded
	Version           int64
	Hidden            []field
	Fields            []field
	Problem           string   // what is wrong with the whole
	Summary           []fault  // every field that is wrong, for the box above the form
	Checks            []string // what was found missing when it was sent
}

// fault is one line of an error summary: a sentence with the control that it is about.
type fault struct{ Href, Text string }

// keep fills the form with what was typed.
func (f *form) keep(values url.Values) {
	for i := range f.Fields {
		x := &f.Fields[i]
		typed, ok := values[x.Name]
		if !ok || x.Kind == "file" || x.Kind == "password" {
			continue
		}
		x.Value = typed[0]
		for j := range x.Choices {
			x.Choices[j].Selected = contains(typed, x.Choices[j].Value)
		}
	}
}

// blame puts an error beside the control that it is about, or above the form.
func (f *form) blame(v *visit, e *engine.Error) {
	f.Open = true
	for i := range f.Fields {
		x := &f.Fields[i]
		if e.Field != "" && (x.Name == e.Field || x.Name == tail(e.Field)) {
			x.Error = e.In(v.lang)
			f.Summary = append(f.Summary, fault{"#" + x.ID, x.Label + v.t("list.colon") + x.Error})
			return
		}
	}
	f.Problem = e.In(v.lang)
	if len(e.Reasons) > 0 {
		plain := *e
		plain.Reasons = nil
		f.Problem = plain.In(v.lang)
		for _, r := range e.Reasons {
			if !r.Met {
				f.Checks = append(f.Checks, r.In(v.lang))
			}
		}
	}
}

// blameIn shows a refusal in the form of the act that was asked, with what was typed. It returns what no form shows.
func blameIn(v *visit, forms []form, act string, x url.Values, refusal *engine.Error) *engine.Error {
	i := slices.IndexFunc(forms, func(f form) bool { return f.ID == "do-"+act })
	if i < 0 {
		return refusal
	}
	forms[i].keep(x)
	forms[i].blame(v, refusal)
	return nil
}

// again answers an act that was refused with its page, which show shows with the refusal on it. What is no refusal, and
// what is not there, has no page to be shown on.
func again(err error, show func(status int, refusal *engine.Error) error) error {
	kind := engine.KindOf(err)
	if kind == 0 || kind == engine.NotFound {
		return err
	}
	return show(statuses[kind], asError(err))
}

// tail is the last part of a field's path: "due" of "milestones[0].due".
func tail(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '.' {
			return path[i+1:]
		}
	}
	return path
}

// invalid refuses a field of a form.
func invalid(name, key string, args ...any) error {
	e := &engine.Error{Kind: engine.Invalid, Field: name, Key: key}
	if len(args) > 0 {
		e.Args = map[string]any{}
		for i := 0; i+1 < len(args); i += 2 {
			e.Args[args[i].(string)] = args[i+1]
		}
	}
	return e
}

// date reads a day as browsers send it; "" is no date.
func date(values url.Values, name string) (calendar.Date, error) {
	s := values.Get(name)
	if s == "" {
		return calendar.Date{}, nil
	}
	d, err := calendar.ParseDate(s)
	if err != nil {
		return d, invalid(name, "api.date")
	}
	return d, nil
}
