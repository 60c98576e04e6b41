package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"bihuan/engine"
	"bihuan/engine/workbook"
)

// marksView is the page of the distinctions of a year.
type marksView struct {
	Year     string
	Tabs     []viewTab
	Units    []choice
	Kinds    []choice
	Rows     []markRow
	Sums     []numberView
	Failed   bool // one of them has a failed look-back
	XLSX     string
	Previous string
	Next     string
	Empty    *emptyView
}

// markRow is a distinction with what stands behind it.
type markRow struct {
	ID, Href, Number, Title, Unit, Owner string
	Kind                                 tagView
	By, At, Note                         string
	Entry                                hashView // the entry that the item stood at
	Seq                                  int64
	Proofs                               []hashView
	Failed, False                        bool   // a look-back failed; a finding of false evidence stands
	Revoked                              string // by whom, when and why
}

var markClass = map[engine.MarkKind]string{engine.MarkPromote: "blue", engine.MarkCommend: "g"}

func (c *Console) markRow(v *visit, p *engine.Project, id string, m engine.Mark) markRow {
	row := markRow{ID: id, Href: "/projects/" + string(p.ID), Number: p.Number, Title: p.Title, Unit: c.names.unit(v, p.UnitID), Owner: c.names.user(v, p.Owner),
		Kind: tagView{markClass[m.Kind], m.Kind.In(v.lang)}, By: c.names.user(v, m.By), At: c.moment(m.At), Note: m.Note, Entry: hashOf(m.Head), Seq: m.Seq, Failed: p.LookBacksFailed > 0, False: p.Convicted()}
	for _, x := range m.Evidence {
		row.Proofs = append(row.Proofs, hashOf(x.SHA256.String()))
	}
	if m.RevokedAt != nil {
		row.Revoked = v.t("console.mark.revoked_by", "who", c.names.user(v, m.RevokedBy), "at", c.moment(*m.RevokedAt), "note", m.Revoked)
	}
	return row
}

// marksOf reads what the address asks for.
func (c *Console) marksOf(v *visit) (year int, unit engine.UnitID, kind engine.MarkKind, list []engine.Distinction, err error) {
	q := v.g.Request.URL.Query()
	year = c.today().Year()
	if s := q.Get("year"); s != "" {
		if year, err = strconv.Atoi(s); err != nil || year < 1 || year > 9999 {
			return 0, "", "", nil, invalid("year", "api.integer")
		}
	}
	if engine.IsID(q.Get("unit")) {
		unit = engine.UnitID(q.Get("unit"))
	}
	kind = engine.MarkKind(q.Get("kind"))
	all, err := c.Engine.Distinctions(v.ctx, v.actor, year, unit)
	for _, x := range all {
		if kind == "" || x.Mark.Kind == kind {
			list = append(list, x)
		}
	}
	return year, unit, kind, list, err
}

func (c *Console) marks(v *visit) error {
	year, unit, kind, list, err := c.marksOf(v)
	if err != nil {
		return err
	}
	address := func(path string, year int) string {
		q := url.Values{"year": {strconv.Itoa(year)}}
		if unit != "" {
			q.Set("unit", string(unit))
		}
		if kind != "" {
			q.Set("kind", string(kind))
		}
		return path + "?" + q.Encode()
	}
	view := marksView{Year: strconv.Itoa(year), XLSX: address("/marks.xlsx", year), Previous: address("/marks", year-1), Kinds: []choice{{"", v.t("console.marks.any"), kind == ""}}}
	if year < c.today().Year() {
		view.Next = address("/marks", year+1)
	}
	for _, k := range engine.MarkKinds {
		view.Kinds = append(view.Kinds, choice{string(k), k.In(v.lang), k == kind})
	}
	units, err := c.unitChoices(v, unit)
	if err != nil {
		return err
	}
	view.Units = append([]choice{{"", v.t("console.marks.all_units"), unit == ""}}, units...)
	byUnit := map[string]int{}
	var order []string
	for i := range list {
		row := c.markRow(v, &list[i].Project, list[i].ID, list[i].Mark)
		view.Rows = append(view.Rows, row)
		view.Failed = view.Failed || row.Failed
		if byUnit[row.Unit]++; byUnit[row.Unit] == 1 {
			order = append(order, row.Unit)
		}
	}
	for _, name := range order {
		view.Sums = append(view.Sums, numberView{Name: name, Value: strconv.Itoa(byUnit[name])})
	}
	if len(view.Rows) == 0 {
		view.Empty = &emptyView{Title: v.t("console.marks.none"), Why: v.t("console.marks.none_why")}
	}
	return c.render(v, http.StatusOK, "marks", v.t("console.nav.marks"), view)
}

// marksXLSX is the same list as a workbook to print; taking it out is an entry.
func (c *Console) marksXLSX(v *visit) error {
	year, _, _, list, err := c.marksOf(v)
	if err != nil {
		return err
	}
	if err := c.Engine.Note(v.ctx, v.actor, "export", map[string]any{"what": "marks", "format": "xlsx", "rows": len(list), "year": year}); err != nil {
		return err
	}
	return c.book(v, fmt.Sprintf("marks-%d", year), func(b *workbook.Book) error {
		t, err := b.Sheet(workbook.Sheet{Name: v.t("console.nav.marks"), Title: v.t("console.marks.title", "year", year), Footer: v.t("console.export.page"),
			Columns: []workbook.Column{{Head: v.t("console.col.unit"), Width: 24}, {Head: v.t("console.col.number"), Width: 15}, {Head: v.t("console.col.title"), Width: 38},
				{Head: v.t("console.col.owner"), Width: 12}, {Head: v.t("console.marks.kind"), Width: 8, Center: true}, {Head: v.t("console.marks.by"), Width: 12}, {Head: v.t("console.marks.at"), Width: 14},
				{Head: v.t("console.marks.why"), Width: 40}, {Head: v.t("console.marks.entry"), Width: 24}, {Head: v.t("console.marks.evidence"), Width: 40}}})
		if err != nil {
			return err
		}
		for i := range list {
			x := &list[i]
			row := c.markRow(v, &x.Project, x.ID, x.Mark)
			proofs := ""
			for _, p := range row.Proofs {
				proofs += p.Whole + "\n"
			}
			if err := t.Row(row.Unit, row.Number, row.Title, row.Owner, row.Kind.Text, row.By, row.At, row.Note, strconv.FormatInt(row.Seq, 10)+" "+row.Entry.Whole, proofs); err != nil {
				return err
			}
		}
		return nil
	})
}
