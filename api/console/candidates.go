package console

import (
	"strings"

	"bihuan/engine"
	"bihuan/engine/score"
)

// candidateGroup is the candidates for 评先评优 of one kind of units, by score.
type candidateGroup struct {
	Name string
	Rows []candidateRow
}

// candidateRow is a unit that the score suggests, with what stands behind it.
type candidateRow struct {
	Name, Href, Total, Rank string
	OnTime                  []itemLink // closed out on time
	Marks                   []candidateMark
}

type itemLink struct{ Number, Title, Href string }

// candidateMark is a 推广 or 评先 that an item of the unit was given in the period.
type candidateMark struct {
	itemLink
	Kind tagView
}

// candidates are the units that a table suggests, by their kinds, each with its items on time and the marks that they
// were given in the period and still have.
func (c *Console) candidates(v *visit, t *score.Table, address string) ([]candidateGroup, error) {
	list := t.Candidates()
	if len(list) == 0 {
		return nil, nil
	}
	given, err := c.Engine.Distinctions(v.ctx, v.actor, 0, "")
	if err != nil {
		return nil, err
	}
	var out []candidateGroup
	for _, u := range list {
		row := candidateRow{Name: u.Name, Href: "/scores/" + string(u.ID) + "?" + address, Total: u.Total.String(), Rank: v.t("console.scores.rank_of", "rank", u.Rank, "of", u.Of)}
		for _, l := range linesOf(t.Sheet, u, score.OnTime) {
			if l.Item != nil {
				row.OnTime = append(row.OnTime, itemLink{l.Item.Number, l.Item.Title, "/projects/" + string(l.Item.ID)})
			}
		}
		for _, x := range marksOf(t, u, given) {
			row.Marks = append(row.Marks, candidateMark{itemLink{x.Project.Number, x.Project.Title, "/projects/" + string(x.Project.ID)}, tagView{markClass[x.Mark.Kind], x.Mark.Kind.In(v.lang)}})
		}
		name := unitKind(v.lang, t.Sheet, u)
		if n := len(out); n == 0 || out[n-1].Name != name {
			out = append(out, candidateGroup{Name: name})
		}
		g := &out[len(out)-1]
		g.Rows = append(g.Rows, row)
	}
	return out, nil
}

// marksOf are those of the marks given that items of a unit got in the period of a table.
func marksOf(t *score.Table, u *score.Unit, given []engine.Distinction) []*engine.Distinction {
	start := t.Book.From.Start(t.Book.Location)
	var out []*engine.Distinction
	for i := range given {
		x := &given[i]
		if !x.Mark.At.Before(start) && x.Mark.At.Before(t.Book.Until) && engine.Under(x.Project.UnitPath, u.Path) {
			out = append(out, x)
		}
	}
	return out
}

// unitKind names those among whom a unit is ranked: a class of the sheet, or the units of its level.
func unitKind(lang string, s *score.Sheet, u *score.Unit) string {
	for _, c := range s.Classes {
		if c.ID == u.Class {
			return c.Name.In(lang)
		}
	}
	return say(lang, "console.scores.level", "n", u.Level())
}

// linesOf are the lines that an event gave a unit.
func linesOf(s *score.Sheet, u *score.Unit, e score.Event) []*score.Line {
	rows := map[string]bool{}
	for _, r := range s.Rules {
		rows[r.ID] = r.Event == e
	}
	var out []*score.Line
	for i := range u.Lines {
		if rows[u.Lines[i].Row] {
			out = append(out, &u.Lines[i])
		}
	}
	return out
}

// numbersOf are the numbers of the items behind lines, one on each.
func numbersOf(lines []*score.Line) string {
	var out []string
	for _, l := range lines {
		if l.Item != nil {
			out = append(out, strings.TrimSpace(l.Item.Number+" "+l.Item.Title))
		}
	}
	return strings.Join(out, "\n")
}
