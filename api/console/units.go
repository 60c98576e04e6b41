package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"bihuan/engine"
)

// unitsView is the organisation as a tree, or what a search found in it.
type unitsView struct {
	Query string
	Sub   string
	Way   []crumb // above what is shown, where it is a part
	Rows  []nodeRow
	Found bool // by a search: each with the way to it
	Roots []crumb
	More  string
	First string
	Clear string
	Empty *emptyView
}

type nodeRow struct {
	ID, Code, Name string
	Depth          int // 0…8
	Way            string
	Below          int    // units under it
	Inside         string // address of the tree under it, where that is not shown
	Closed         bool
}

// treePage is how many units of a tree stand on one page, and maxDepth how deep it is indented.
const (
	treePage = 200
	maxDepth = 8
)

func (c *Console) units(v *visit) error {
	all, err := c.Engine.UnitsSeen(v.ctx, v.actor)
	if err != nil {
		return err
	}
	q := v.g.Request.URL.Query()
	view := unitsView{Query: strings.TrimSpace(q.Get("q")), Sub: v.t("console.units.sub", "n", len(all))}
	known := byID(all)
	kept := url.Values{}
	if view.Query != "" {
		kept.Set("q", view.Query)
		view.Found, view.Clear = true, "/units"
		all = found(all, view.Query)
	} else if root := known[engine.UnitID(q.Get("under"))]; root.ID != "" {
		kept.Set("under", string(root.ID))
		view.Way = append(way(root, known, func(u engine.Unit) string { return "/units?under=" + string(u.ID) }), crumb{"/units/" + string(root.ID), root.Name})
		var part []engine.Unit
		for _, u := range all {
			if engine.Under(u.Path, root.Path) {
				part = append(part, u)
			}
		}
		all = part
	}
	rows := tree(all, view.Found)
	from, err := strconv.Atoi(q.Get("from"))
	if err != nil || from < 0 || from >= len(rows) {
		from = 0
	}
	if from > 0 {
		view.First = "/units?" + kept.Encode()
	}
	end := min(from+treePage, len(rows))
	if end < len(rows) {
		kept.Set("from", strconv.Itoa(end))
		view.More = "/units?" + kept.Encode()
	}
	view.Rows = rows[from:end]
	if view.Found {
		for i := range view.Rows {
			var names []string
			for _, x := range way(known[engine.UnitID(view.Rows[i].ID)], known, func(engine.Unit) string { return "" }) {
				names = append(names, x.Name)
			}
			view.Rows[i].Way = strings.Join(names, " / ")
		}
	}
	if len(view.Rows) == 0 {
		view.Empty = &emptyView{Title: v.t("console.units.none"), Why: v.t("console.units.none_why", "q", view.Query), Href: "/units", Do: v.t("console.ledger.clear")}
	}
	return c.render(v, http.StatusOK, "units", v.t("console.nav.units"), view)
}

// found are the units in whose name or code a text stands.
func found(all []engine.Unit, text string) []engine.Unit {
	var out []engine.Unit
	for _, u := range all {
		if strings.Contains(strings.ToLower(u.Name), strings.ToLower(text)) || strings.Contains(strings.ToLower(u.Code), strings.ToLower(text)) {
			out = append(out, u)
		}
	}
	return out
}

// tree makes rows of units in the order of their paths, which is that of a tree. A tree too large for a page is shown
// to the depth that fits one; what lies deeper is behind a link. flat leaves nothing out.
func tree(all []engine.Unit, flat bool) []nodeRow {
	below := map[engine.UnitID]int{}
	atDepth := map[int]int{}
	depth := make([]int, len(all))
	least := -1
	for i, u := range all {
		depth[i] = strings.Count(u.Path, "/") - 2
		if least < 0 || depth[i] < least {
			least = depth[i]
		}
		ids := strings.Split(strings.Trim(u.Path, "/"), "/")
		for _, id := range ids[:len(ids)-1] {
			below[engine.UnitID(id)]++
		}
	}
	for _, d := range depth {
		atDepth[d]++
	}
	deepest, sum := least, 0
	for d := least; atDepth[d] > 0; d++ {
		if sum += atDepth[d]; sum > treePage && d > least+1 {
			break
		}
		deepest = d
	}
	var out []nodeRow
	for i, u := range all {
		if !flat && depth[i] > deepest {
			continue
		}
		row := nodeRow{ID: string(u.ID), Code: u.Code, Name: u.Name, Depth: min(maxDepth, max(0, depth[i]-least)), Below: below[u.ID], Closed: u.ClosedAt != nil}
		if flat {
			row.Depth = 0
		} else if depth[i] == deepest && row.Below > 0 {
			row.Inside = "/units?under=" + row.ID
		}
		out = append(out, row)
	}
	return out
}
