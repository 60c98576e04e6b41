package v1

import (
	"cmp"
	"context"
	"slices"
	"time"

	"bihuan/api/request"
	"bihuan/engine"
	"bihuan/engine/calendar"
	"bihuan/engine/message"
)

// WorkflowRow is a workflow as the list shows it.
type WorkflowRow struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version int    `json:"version"`
	Digest  string `json:"digest" doc:"SHA-256 of the published source."`
	On      bool   `json:"on" doc:"Items of it can be proposed."`
}

// Workflow is a definition.
type Workflow struct {
	WorkflowRow
	Prefix      string           `json:"prefix" doc:"Of 编号."`
	Create      []Ref            `json:"create" doc:"Who may propose one."`
	Stages      []WorkflowStage  `json:"stages"`
	Transitions []WorkflowChange `json:"transitions"`
	Timers      []WorkflowTimer  `json:"timers" doc:"The escalation ladder."`
	Lights      WorkflowLights   `json:"lights"`
	Extension   WorkflowExtend   `json:"extension"`
	Fields      []WorkflowField  `json:"fields" doc:"What it asks for besides what every item has; an item carries it in extra, under the Chinese name."`
	Materials   []Ref            `json:"materials" doc:"Pieces of evidence that it asks for by name."`
	Graph       string           `json:"graph" doc:"The definition as a Mermaid state diagram."`
}

// WorkflowField is a field of a definition's own.
type WorkflowField struct {
	Ref
	Column string `json:"column" doc:"Its name in extra, and of a column of a ledger that fills it in."`
	Hint   string `json:"hint,omitempty"`
	Long   bool   `json:"long,omitempty" doc:"Several lines."`
}

// WorkflowStage is a stage of a definition.
type WorkflowStage struct {
	Ref
	Workdays      int      `json:"workdays,omitempty" doc:"Limit in working days."`
	UntilDeadline bool     `json:"until_deadline,omitempty" doc:"It may take until the project's deadline."`
	Acts          []Ref    `json:"acts"`
	ReturnTo      []string `json:"return_to"`
}

// WorkflowChange is a transition of a definition.
type WorkflowChange struct {
	Ref
	From    []string              `json:"from"`
	To      string                `json:"to"`
	Trigger string                `json:"trigger"`
	Submit  []Ref                 `json:"submit" doc:"Who may ask."`
	InOrder bool                  `json:"in_order" doc:"Each approval step waits for the one before."`
	Approve []WorkflowApproval    `json:"approve"`
	Require []WorkflowRequirement `json:"require"`
}

// WorkflowApproval is an approval step.
type WorkflowApproval struct {
	Roles []Ref  `json:"roles"`
	Count int    `json:"count"`
	At    string `json:"at,omitempty" doc:"near: at the unit or its parent; top: at the root."`
}

// WorkflowRequirement is a condition of a transition.
type WorkflowRequirement struct {
	ID   string `json:"id"`
	Rule string `json:"rule"`
	Text string `json:"text" doc:"What people read when it is not met."`
}

// WorkflowTimer is a timer of a definition.
type WorkflowTimer struct {
	ID     string `json:"id"`
	Stage  string `json:"stage,omitempty" doc:"Only in this stage."`
	Anchor string `json:"anchor"`
	Offset string `json:"offset" doc:"Days (d) or working days (wd) from the anchor."`
	When   string `json:"when,omitempty" doc:"Only if this rule holds then."`
	Rung   Ref    `json:"rung"`
	To     []Ref  `json:"to"`
}

// WorkflowLights are the thresholds of the lights.
type WorkflowLights struct {
	Yellow WorkflowThreshold `json:"yellow"`
	Orange WorkflowThreshold `json:"orange"`
	Red    WorkflowThreshold `json:"red"`
}

// WorkflowThreshold is when a light changes; 0 switches a part off.
type WorkflowThreshold struct {
	Left   int `json:"left" doc:"Percent of the time that is left."`
	Behind int `json:"behind" doc:"Percentage points by which progress lags."`
}

// WorkflowExtend bounds extensions.
type WorkflowExtend struct {
	Max     int                `json:"max"`
	Months  int                `json:"months" doc:"In all, beyond the original deadline."`
	Approve []WorkflowApproval `json:"approve" doc:"Of the first, the second …; the last one repeats."`
}

// WorkflowsAnswer is the list of workflows.
type WorkflowsAnswer struct {
	Body struct {
		Items []WorkflowRow `json:"items"`
	} `nameHint:"WorkflowList"`
}

func (h *handlers) workflowRow(w *engine.Workflow, lang string) WorkflowRow {
	return WorkflowRow{ID: w.ID, On: h.Engine.IsOn(w.ID), Name: w.Name.In(lang), Version: w.Version, Digest: w.Digest}
}

// ListWorkflows is the request for workflows.
type ListWorkflows struct {
	All bool `query:"all" doc:"Those that are switched off too."`
}

func (h *handlers) workflows(ctx context.Context, in *ListWorkflows) (*WorkflowsAnswer, error) {
	lang := request.From(ctx).Lang
	out := &WorkflowsAnswer{}
	out.Body.Items = []WorkflowRow{}
	list := h.Engine.Workflows()
	if in.All {
		list = h.Engine.Published()
	}
	for _, w := range list {
		out.Body.Items = append(out.Body.Items, h.workflowRow(w, lang))
	}
	slices.SortFunc(out.Body.Items, func(a, b WorkflowRow) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

// OneWorkflow is a request about one workflow.
type OneWorkflow struct {
	Workflow string `path:"workflow" maxLength:"32" doc:"Id of the workflow."`
}

// WorkflowAnswer is a definition.
type WorkflowAnswer struct{ Body Workflow }

func (h *handlers) workflow(ctx context.Context, in *OneWorkflow) (*WorkflowAnswer, error) {
	w, err := h.Engine.Workflow(in.Workflow)
	if err != nil {
		return nil, err
	}
	lang := request.From(ctx).Lang
	v := Workflow{Fields: []WorkflowField{}, Materials: choices(w.Materials, lang), WorkflowRow: h.workflowRow(w, lang), Prefix: w.Prefix, Create: roles(w.Create, lang), Graph: h.Graph(w, lang),
		Stages: []WorkflowStage{}, Transitions: []WorkflowChange{}, Timers: []WorkflowTimer{},
		Lights:    WorkflowLights{threshold(w.Lights.Yellow), threshold(w.Lights.Orange), threshold(w.Lights.Red)},
		Extension: WorkflowExtend{Max: w.Extension.Max, Months: w.Extension.Months, Approve: steps(w.Extension.Approve, lang)}}
	for _, f := range w.Fields {
		v.Fields = append(v.Fields, WorkflowField{Ref: Ref{ID: f.ID, Name: f.Name.In(lang)}, Column: f.Name.ZH, Hint: f.Hint.In(lang), Long: f.Long})
	}
	for _, s := range w.Stages {
		stage := WorkflowStage{Ref: Ref{ID: string(s.ID), Name: s.Name.In(lang)}, Workdays: s.Limit.Workdays,
			UntilDeadline: s.Limit.UntilDeadline, Acts: []Ref{}, ReturnTo: words(s.ReturnTo)}
		for _, a := range s.Acts {
			stage.Acts = append(stage.Acts, Ref{ID: string(a), Name: message.Text(lang, "do."+string(a), nil)})
		}
		v.Stages = append(v.Stages, stage)
	}
	for _, t := range w.Transitions {
		change := WorkflowChange{Ref: Ref{ID: string(t.ID), Name: t.Name.In(lang)}, From: words(t.From), To: string(t.To),
			Trigger: string(t.Trigger), Submit: roles(t.Submit, lang), InOrder: t.Approve.InOrder,
			Approve: steps(t.Approve.Steps, lang), Require: []WorkflowRequirement{}}
		for _, r := range t.Require {
			change.Require = append(change.Require, WorkflowRequirement{ID: r.ID, Rule: r.Rule, Text: r.Message.In(lang)})
		}
		v.Transitions = append(v.Transitions, change)
	}
	for _, t := range w.Timers {
		timer := WorkflowTimer{ID: string(t.ID), Stage: string(t.Stage), Anchor: string(t.Anchor), Offset: t.Offset.String(),
			Rung: Ref{ID: string(t.Rung), Name: t.Rung.In(lang)}, To: roles(t.To, lang)}
		if t.When != nil {
			timer.When = t.When.Rule
		}
		v.Timers = append(v.Timers, timer)
	}
	return &WorkflowAnswer{Body: v}, nil
}

// SwitchWorkflow is the request that switches a kind on or off.
type SwitchWorkflow struct {
	OneWorkflow
	Body struct {
		On bool `json:"on" doc:"Items of it can be proposed. Switched off, what runs goes on to its end."`
	} `nameHint:"WorkflowSwitch"`
}

// SwitchAnswer is the workflow as it is switched now.
type SwitchAnswer struct{ Body WorkflowRow }

func (h *handlers) switchWorkflow(ctx context.Context, in *SwitchWorkflow) (*SwitchAnswer, error) {
	act := h.Engine.DisableKind
	if in.Body.On {
		act = h.Engine.EnableKind
	}
	if err := act(ctx, request.From(ctx).Actor, in.Workflow); err != nil {
		return nil, err
	}
	w, err := h.Engine.Workflow(in.Workflow)
	if err != nil {
		return nil, err
	}
	return &SwitchAnswer{Body: h.workflowRow(w, request.From(ctx).Lang)}, nil
}

func threshold(t engine.Threshold) WorkflowThreshold { return WorkflowThreshold{t.Left, t.Behind} }

func steps(list []engine.ApprovalStep, lang string) []WorkflowApproval {
	out := make([]WorkflowApproval, 0, len(list))
	for _, s := range list {
		out = append(out, WorkflowApproval{Roles: roles(s.Roles, lang), Count: s.Count, At: string(s.At)})
	}
	return out
}

func words[T ~string](list []T) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		out = append(out, string(s))
	}
	return out
}

// Simulate is the request for a simulation.
type Simulate struct {
	OneWorkflow
	Start    Date `query:"start" maxLength:"10" doc:"A day as YYYY-MM-DD; today if left out." example:"2026-09-24"`
	Deadline Date `query:"deadline" required:"true" maxLength:"10" doc:"A day as YYYY-MM-DD." example:"2026-11-30"`
}

// Occurrence is one thing that the clock does.
type Occurrence struct {
	At      time.Time `json:"at"`
	Kind    string    `json:"kind" enum:"stage,light,rung,overdue,auto,deadline,look_back,poll"`
	Name    string    `json:"name" doc:"The kind in words."`
	Stage   *Ref      `json:"stage,omitempty"`
	Timer   string    `json:"timer,omitempty"`
	Rung    *Ref      `json:"rung,omitempty"`
	To      []Ref     `json:"to,omitempty"`
	Light   string    `json:"light,omitempty"`
	Unknown bool      `json:"unknown,omitempty" doc:"The date depends on a year whose holiday list is not loaded."`
}

// SimulationAnswer is what the clock would do.
type SimulationAnswer struct {
	Body struct {
		Workflow WorkflowRow  `json:"workflow"`
		Start    string       `json:"start"`
		Deadline string       `json:"deadline"`
		Items    []Occurrence `json:"items"`
	} `nameHint:"Simulation"`
}

func (h *handlers) simulation(ctx context.Context, in *Simulate) (*SimulationAnswer, error) {
	w, err := h.Engine.Workflow(in.Workflow)
	if err != nil {
		return nil, err
	}
	start, err := in.Start.parse("start")
	if err != nil {
		return nil, err
	}
	if start.IsZero() {
		start = calendar.DateOf(h.Now(), h.Engine.Site.Location)
	}
	deadline, err := in.Deadline.parse("deadline")
	if err != nil {
		return nil, err
	}
	list, err := engine.Simulate(w, h.Engine.Working(), h.Engine.Site, start, deadline)
	if err != nil {
		return nil, err
	}
	lang := request.From(ctx).Lang
	out := &SimulationAnswer{}
	out.Body.Workflow, out.Body.Start, out.Body.Deadline = h.workflowRow(w, lang), start.String(), deadline.String()
	out.Body.Items = occurrences(w, list, lang)
	return out, nil
}

// occurrences shows what the clock does.
func occurrences(w *engine.Workflow, list []engine.Occurrence, lang string) []Occurrence {
	out := make([]Occurrence, 0, len(list))
	for _, o := range list {
		v := Occurrence{At: o.At, Kind: o.Kind, Name: message.Text(lang, "occurrence."+o.Kind, nil), Timer: string(o.Timer),
			Light: string(o.Light), Unknown: o.Unknown}
		if o.Stage != "" {
			s := stage(w, o.Stage, lang)
			v.Stage = &s
		}
		if o.Rung != "" {
			v.Rung = &Ref{ID: string(o.Rung), Name: o.Rung.In(lang)}
		}
		if len(o.To) > 0 {
			v.To = roles(o.To, lang)
		}
		out = append(out, v)
	}
	return out
}
