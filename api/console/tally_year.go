package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"bihuan/engine"
)

// tallyYearView is the page of what one member did in one year.
type tallyYearView struct {
	Name, Sub, Back string
	Tally           string
	Struck          string
	Count           tallyMember
	Categories      []string
	Records         []tallyRow
	Forms           []form
	Problem         string
	Entries         []entryView
}

type tallyRow struct {
	Category, Day, Hours, Note, By, Decided, Reason string
	State                                           tagView
}

var tallyClass = map[engine.TallyState]string{engine.TallyEntered: "y", engine.TallyConfirmed: "g", engine.TallyDeclined: "r", engine.TallyWithdrawn: ""}

// theTallyYear reads the member's year of the address, and its rule.
func (c *Console) theTallyYear(v *visit) (engine.TallyYear, engine.Tally, error) {
	id := v.g.Param("id")
	if !engine.IsID(id) {
		return engine.TallyYear{}, engine.Tally{}, &engine.Error{Kind: engine.NotFound, Key: "tally.unknown_year"}
	}
	y, err := c.Engine.TheTallyYear(v.ctx, v.actor, engine.TallyYearID(id))
	if err != nil {
		return y, engine.Tally{}, err
	}
	t, err := c.Engine.TheTally(v.ctx, y.Tally)
	return y, t, err
}

func (c *Console) tallyYear(v *visit) error {
	y, t, err := c.theTallyYear(v)
	if err != nil {
		return err
	}
	return c.showTallyYear(v, http.StatusOK, &y, &t, c.tallyYearForms(v, &y, &t), nil)
}

// recordIDs are the ids of a year's records, the newest day first.
func recordIDs(y *engine.TallyYear) []string {
	ids := make([]string, 0, len(y.Records))
	for id := range y.Records {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int {
		if d := y.Records[b].Day.Compare(y.Records[a].Day); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return ids
}

func (c *Console) showTallyYear(v *visit, status int, y *engine.TallyYear, t *engine.Tally, forms []form, why *engine.Error) error {
	count := c.tallyMember(v, t, y)
	view := tallyYearView{Name: count.Name, Tally: t.Name.In(v.lang), Sub: count.Unit + " · " + strconv.Itoa(y.Year), Back: tallyAt(t.ID, y.Year, ""),
		Struck: y.Struck, Count: count, Forms: forms}
	if why != nil {
		view.Problem = why.In(v.lang)
	}
	for _, x := range t.Categories {
		view.Categories = append(view.Categories, x.Name.In(v.lang))
	}
	for _, id := range recordIDs(y) {
		r := y.Records[id]
		row := tallyRow{Category: c.categoryName(v, t, r.Category), Day: shortDate(r.Day, c.today()), Hours: engine.Hours(r.Minutes), Note: r.Note,
			By: c.names.user(v, r.By) + " · " + c.moment(r.At), Reason: r.Reason, State: tagView{tallyClass[r.State], r.State.In(v.lang)}}
		if r.DecidedAt != nil {
			row.Decided = c.names.user(v, r.DecidedBy) + " · " + c.moment(*r.DecidedAt)
		}
		view.Records = append(view.Records, row)
	}
	page, err := c.Engine.Trail(v.ctx, v.actor, engine.EntryFilter{Subject: y.Subject(), Limit: engine.MaxPage})
	if err != nil {
		return err
	}
	for i := range page.Items {
		view.Entries = append(view.Entries, c.entryView(v, &page.Items[i], nil))
	}
	return c.render(v, status, "tally_year", view.Name, view)
}

// categoryName names a category, or shows the id of one that the rule does not have any more.
func (c *Console) categoryName(v *visit, t *engine.Tally, id string) string {
	if x, ok := t.Category(id); ok {
		return x.Name.In(v.lang)
	}
	return id
}

// tallyYearForms are what the person can do about the year now.
func (c *Console) tallyYearForms(v *visit, y *engine.TallyYear, t *engine.Tally) []form {
	var out []form
	add := func(act, icon string, fields ...field) {
		f := form{ID: "do-" + act, Action: "/tally/" + string(y.ID) + "/do/" + act, Icon: icon, Version: y.Version,
			Title: v.t("console.tally.do." + act), Submit: v.t("console.tally.do." + act), Danger: act == "strike"}
		for _, x := range fields {
			x.ID = f.ID + "-" + x.Name
			f.Fields = append(f.Fields, x)
		}
		out = append(out, f)
	}
	if y.Struck != "" {
		return nil
	}
	if c.Engine.MayEnterHours(v.actor, t, y) {
		category := field{Name: "category", Kind: "select", Label: v.t("console.tally.category"), Required: true}
		for _, x := range t.Categories {
			category.Choices = append(category.Choices, choice{Value: x.ID, Text: x.Name.In(v.lang)})
		}
		add("enter", "plus", category, field{Name: "day", Kind: "date", Label: v.t("console.tally.day"), Max: c.today().String(), Required: true},
			field{Name: "hours", Kind: "text", Label: v.t("console.tally.hours"), Hint: v.t("console.tally.hours_hint"), Required: true},
			field{Name: "note", Kind: "area", Label: v.t("console.tally.note"), Hint: v.t("console.tally.note_hint")})
	}
	var waiting, standing []choice
	for _, id := range recordIDs(y) {
		r := y.Records[id]
		said := choice{Value: id, Text: strings.Join([]string{r.Day.String(), c.categoryName(v, t, r.Category), v.t("tally.n_hours", "hours", engine.Hours(r.Minutes))}, " · ")}
		if r.Note != "" {
			said.Text += " · " + r.Note
		}
		if c.Engine.MayDecideHours(v.actor, y, id) {
			waiting = append(waiting, said)
		}
		if c.Engine.MayWithdrawHours(v.actor, y, id) {
			standing = append(standing, said)
		}
	}
	why := field{Name: "note", Kind: "area", Label: v.t("console.tally.reason"), Required: true}
	which := field{Name: "record", Kind: "select", Label: v.t("console.tally.record"), Required: true}
	if len(waiting) > 0 {
		all := slices.Clone(waiting)
		for i := range all {
			all[i].Selected = true
		}
		add("confirm", "check", field{Name: "records", Kind: "people", Label: v.t("console.tally.records"), Choices: all, Required: true})
		which.Choices = waiting
		add("decline", "arrow-back-up", which, why)
	}
	if len(standing) > 0 {
		which.Choices = standing
		add("withdraw", "arrow-back-up", which, why)
	}
	if c.Engine.MayTally(v.actor, "strike_member", y.UnitPath) {
		add("strike", "x", why)
	}
	return out
}

// tallyYearAct carries out an act on a member's year. A refusal is shown in the form that it was asked with.
func (c *Console) tallyYearAct(v *visit) error {
	y, t, err := c.theTallyYear(v)
	if err != nil {
		return err
	}
	x, base, err := posted(v)
	if err != nil {
		return err
	}
	act := v.g.Param("act")
	if err = c.doTallyYear(v, &y, act, base, x); err == nil {
		v.redirect("/tally/" + string(y.ID) + "?done=tally_" + act)
		return nil
	}
	return again(err, func(status int, refusal *engine.Error) error {
		forms := c.tallyYearForms(v, &y, &t)
		return c.showTallyYear(v, status, &y, &t, forms, blameIn(v, forms, act, x, refusal))
	})
}

func (c *Console) doTallyYear(v *visit, y *engine.TallyYear, act string, base int64, x url.Values) error {
	var err error
	switch note := x.Get("note"); act {
	case "enter":
		d := engine.TallyDraft{Category: x.Get("category"), Note: note}
		if d.Day, err = date(x, "day"); err != nil {
			return err
		}
		if d.Minutes, err = engine.ParseHours(x.Get("hours")); err != nil {
			return err
		}
		_, err = c.Engine.EnterHours(v.ctx, v.actor, y.ID, base, d)
	case "confirm":
		_, err = c.Engine.ConfirmHours(v.ctx, v.actor, y.ID, base, x["records"]...)
	case "decline":
		_, err = c.Engine.DeclineHours(v.ctx, v.actor, y.ID, base, x.Get("record"), note)
	case "withdraw":
		_, err = c.Engine.WithdrawHours(v.ctx, v.actor, y.ID, base, x.Get("record"), note)
	case "strike":
		_, err = c.Engine.StrikeMember(v.ctx, v.actor, y.ID, base, note)
	default:
		return notFound()
	}
	return err
}
