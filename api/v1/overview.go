package v1

import (
	"context"

	"bihuan/api/request"
	"bihuan/engine/message"
)

// Task is something that waits for the caller.
type Task struct {
	Why     string `json:"why" enum:"approve,verify,acknowledge,own"`
	Name    string `json:"name" doc:"why in words."`
	Project Row    `json:"project"`
}

// TodoAnswer is a to-do list.
type TodoAnswer struct {
	Body struct {
		Items []Task `json:"items"`
	} `nameHint:"TodoList"`
}

func (h *handlers) todo(ctx context.Context, _ *struct{}) (*TodoAnswer, error) {
	info := request.From(ctx)
	tasks, err := h.Engine.Todo(ctx, info.Actor)
	if err != nil {
		return nil, err
	}
	out := &TodoAnswer{}
	out.Body.Items = make([]Task, 0, len(tasks))
	for i := range tasks {
		row, err := h.row(ctx, &tasks[i].Project, h.names)
		if err != nil {
			return nil, err
		}
		out.Body.Items = append(out.Body.Items, Task{Why: tasks[i].Why, Name: message.Text(info.Lang, "todo."+tasks[i].Why, nil), Project: row})
	}
	return out, nil
}

// SummaryAnswer is counts of projects.
type SummaryAnswer struct {
	Body struct {
		Total   int            `json:"total"`
		ByStage map[string]int `json:"by_stage"`
		ByLight map[string]int `json:"by_light"`
		Overdue int            `json:"overdue"`
		Waiting int            `json:"waiting" doc:"With a pending request."`
		OnTime  int            `json:"on_time" doc:"Closed out and never overdue."`
		ByUnit  []UnitCount    `json:"by_unit"`
	} `nameHint:"Summary"`
}

// UnitCount is the sum for one leading unit.
type UnitCount struct {
	Unit    Ref `json:"unit"`
	Total   int `json:"total"`
	Closed  int `json:"closed"`
	Overdue int `json:"overdue"`
}

func (h *handlers) summary(ctx context.Context, in *Chosen) (*SummaryAnswer, error) {
	f, err := h.filter(ctx, in)
	if err != nil {
		return nil, err
	}
	n, err := h.Engine.Counts(ctx, request.From(ctx).Actor, f)
	if err != nil {
		return nil, err
	}
	out := &SummaryAnswer{}
	b := &out.Body
	b.Total, b.Overdue, b.Waiting, b.OnTime = n.Total, n.Overdue, n.Waiting, n.OnTime
	b.ByStage, b.ByLight, b.ByUnit = map[string]int{}, map[string]int{}, make([]UnitCount, 0, len(n.ByUnit))
	for id, count := range n.ByStage {
		b.ByStage[string(id)] = count
	}
	for l, count := range n.ByLight {
		b.ByLight[string(l)] = count
	}
	for _, u := range n.ByUnit {
		b.ByUnit = append(b.ByUnit, UnitCount{Unit: h.names.unit(ctx, u.UnitID), Total: u.Total, Closed: u.Closed, Overdue: u.Overdue})
	}
	return out, nil
}
