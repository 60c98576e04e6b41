package console

import (
	"fmt"
	"slices"

	"bihuan/engine"
)

// diagram is a definition drawn as boxes on a line: the way forward in the middle, the ways back above, the ways
// out below. It is drawn here, because a browser's script would have to be brought along for it.
type diagram struct {
	Width, Height int
	Nodes         []node
	Edges         []edge
	Label         string
}

type node struct {
	X, Y, W, H, TextX, TextY, SubY int
	Class, Name, Sub               string
}

type edge struct {
	Class, Path, Text string
	TextX, TextY      int
}

// Measures of the drawing, in its own units.
const (
	boxW, boxH, boxGap = 104, 50, 56
	rowForward         = 96
	rowOut             = 230
)

// diagram draws a definition.
func (c *Console) diagram(v *visit, w *engine.Workflow) diagram {
	at := map[engine.StageID]int{}
	d := diagram{Height: 300}
	add := func(id engine.StageID, x, y int, class, name, sub string) {
		d.Nodes = append(d.Nodes, node{X: x, Y: y, W: boxW, H: boxH, TextX: x + boxW/2, TextY: y + 22, SubY: y + 39, Class: class, Name: name, Sub: sub})
		if sub == "" {
			d.Nodes[len(d.Nodes)-1].TextY = y + 30
		}
		at[id] = x
	}
	x := 16
	for _, s := range w.Stages {
		add(s.ID, x, rowForward, "", s.Name.In(v.lang), v.limit(s.Limit))
		x += boxW + boxGap
	}
	add(engine.Closed, x, rowForward, "end", w.StageName(engine.Closed).In(v.lang), "")
	d.Width = x + boxW + 16
	last := len(w.Stages) - 1
	for i, id := range []engine.StageID{engine.Shelved, engine.Cancelled} {
		if slices.ContainsFunc(w.Transitions, func(t engine.Transition) bool { return t.To == id }) {
			add(id, 16+(boxW+boxGap)*(2+2*i), rowOut, "alt", w.StageName(id).In(v.lang), v.t("workflow.graph.any_stage"))
		}
	}
	lanes := 0
	for _, t := range w.Transitions {
		for _, from := range t.From {
			a, okA := at[from]
			b, okB := at[t.To]
			if !okA || !okB || from.Resting() || t.To == engine.Shelved || t.To == engine.Cancelled {
				continue
			}
			if b > a {
				d.Edges = append(d.Edges, forward(a, b, t.Name.In(v.lang)))
				continue
			}
			lanes++
			d.Edges = append(d.Edges, back(a, b, t.Name.In(v.lang), lanes))
		}
	}
	// 退回 leads from any stage to any earlier one; one line stands for all of them.
	if last > 0 && slices.ContainsFunc(w.Stages, func(s engine.Stage) bool { return len(s.ReturnTo) > 0 }) {
		d.Edges = append(d.Edges, back(at[w.Stages[last].ID], at[w.Stages[0].ID], v.t("workflow.graph.return_any"), lanes+1))
	}
	mid := rowForward + boxH
	for _, id := range []engine.StageID{engine.Shelved, engine.Cancelled} {
		if to, ok := at[id]; ok {
			d.Edges = append(d.Edges, edge{Class: "ed out", Path: fmt.Sprintf("M%d %dV%d", to+boxW/2, mid+16, rowOut-6)})
			if id == engine.Shelved && len(w.From(engine.Shelved)) > 0 {
				d.Edges = append(d.Edges, edge{Class: "ed back", Path: fmt.Sprintf("M%d %dV%d", to+boxW/2+26, rowOut, mid+22), Text: w.From(engine.Shelved)[0].Name.In(v.lang),
					TextX: to + boxW/2 + 32, TextY: mid + 44})
			}
		}
	}
	d.Edges = append(d.Edges, edge{Class: "ed line", Path: fmt.Sprintf("M16 %dH%d", mid+16, at[w.Stages[last].ID]+boxW)})
	d.Label = v.t("console.diagram.label", "name", w.Name)
	return d
}

// forward draws an arrow to a stage further on; one that skips stages passes above them.
func forward(a, b int, name string) edge {
	y := rowForward + boxH/2
	if b-a <= boxW+boxGap {
		return edge{Class: "ed", Path: fmt.Sprintf("M%d %dH%d", a+boxW, y, b-5), Text: name, TextX: a + boxW + boxGap/2, TextY: y - 8}
	}
	return edge{Class: "ed", Path: fmt.Sprintf("M%d %dV%dH%dV%d", a+boxW-24, rowForward, rowForward-18, b+24, rowForward-5), Text: name, TextX: (a + b + boxW) / 2, TextY: rowForward - 22}
}

// back draws an arrow to an earlier stage, in a lane of its own above the boxes.
func back(a, b int, name string, lane int) edge {
	y := rowForward - 18 - 20*(lane-1)
	return edge{Class: "ed back", Path: fmt.Sprintf("M%d %dV%dH%dV%d", a+boxW/2-6*lane, rowForward, y, b+boxW/2+6*lane, rowForward-5), Text: name,
		TextX: (a + b + boxW) / 2, TextY: y - 4}
}
