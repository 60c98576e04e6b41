package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"bihuan/engine"
	"bihuan/workflows"
)

type workflowCmd struct {
	Check   workflowCheckCmd   `cmd:""`
	Graph   workflowGraphCmd   `cmd:""`
	List    workflowListCmd    `cmd:""`
	Show    workflowShowCmd    `cmd:""`
	Publish workflowPublishCmd `cmd:""`
	Diff    workflowDiffCmd    `cmd:""`
	Migrate workflowMigrateCmd `cmd:""`
	Enable  workflowEnableCmd  `cmd:""`
	Disable workflowDisableCmd `cmd:""`
}

// findDefinition finds a definition by the name of a file, or by its id: in the site's folder, where the newest
// version counts, else among the embedded ones.
func (s *session) findDefinition(f setup, name string) (definition, error) {
	if ext := filepath.Ext(name); ext == ".yaml" || ext == ".yml" || strings.ContainsRune(name, filepath.Separator) {
		return readDefinition(name)
	}
	list, err := s.definitions(f)
	if err != nil {
		return definition{}, err
	}
	var ids []string
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].ID == name {
			return list[i], nil
		}
		ids = append([]string{list[i].ID}, ids...)
	}
	return definition{}, line("workflow.unknown", "id", name, "ids", ids)
}

// definitions lists the embedded definitions and those of the site's folder, the newest of an id last.
func (s *session) definitions(f setup) ([]definition, error) {
	c, err := s.config(f, nil)
	if err != nil {
		return nil, err
	}
	list, err := embeddedDefinitions()
	if err != nil {
		return nil, err
	}
	own, err := siteDefinitions(c.Workflows)
	return append(list, own...), err
}

type workflowCheckCmd struct {
	File []string `arg:""`
}

// Help returns the examples.
func (workflowCheckCmd) Help() string { return "bihuan workflow check my-workflow.yaml other.yaml" }

// Run reports every mistake of every file as file:line: sentence.
func (x *workflowCheckCmd) Run(s *session) error {
	bad := false
	for _, file := range x.File {
		d, err := readDefinition(file)
		if err != nil {
			bad = true
			_, _ = fmt.Fprintln(s.err, s.explain(err))
			continue
		}
		s.say("workflow.ok", "file", file, "id", d.ID, "version", d.Version)
	}
	if bad {
		return failure{code: exitFailed}
	}
	return nil
}

type workflowGraphCmd struct {
	setup
	ID string `arg:"" name:"id"`
}

// Help returns the examples.
func (workflowGraphCmd) Help() string {
	return "bihuan workflow graph shishi\nbihuan workflow graph my-workflow.yaml --lang en"
}

// Run draws a definition as a Mermaid diagram.
func (x *workflowGraphCmd) Run(s *session) error {
	d, err := s.findDefinition(x.setup, x.ID)
	if err != nil {
		return err
	}
	_, err = io.WriteString(s.out, strings.TrimRight(workflows.Graph(d.Workflow, s.lang), "\n")+"\n")
	return err
}

type workflowListCmd struct {
	database
	Published bool
}

// Help returns the examples.
func (workflowListCmd) Help() string {
	return "bihuan workflow list\nbihuan workflow list --db sqlite:bihuan.db"
}

// Run lists what could be published, or with a database what is.
func (x *workflowListCmd) Run(ctx context.Context, s *session) error {
	rows := [][]string{{s.text("workflow.id"), s.text("workflow.version"), s.text("workflow.name"), s.text("workflow.digest"), ""}}
	if !x.Published && x.DB == "" {
		list, err := s.definitions(x.setup)
		if err != nil {
			return err
		}
		for _, d := range list {
			from := d.file
			if from == "" {
				from = s.text("workflow.embedded")
			}
			rows = append(rows, []string{d.ID, strconv.Itoa(d.Version), d.Name.In(s.lang), d.Digest[:12], from})
		}
		s.table(rows)
		return nil
	}
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		list, err := e.Store.Definitions(ctx)
		if err != nil {
			return err
		}
		for _, d := range list {
			name := ""
			if w, err := e.Workflow(d.ID); err == nil {
				name = w.Name.In(s.lang)
			}
			row := []string{d.ID, strconv.Itoa(d.Version), name, d.Digest[:12], when(e, d.PublishedAt)}
			if !e.IsOn(d.ID) {
				row = append(row, s.text("workflow.off"))
			}
			rows = append(rows, row)
		}
		s.table(rows)
		return nil
	})
}

type workflowPublishCmd struct {
	database
	File string `arg:""`
}

// Help returns the examples.
func (workflowPublishCmd) Help() string {
	return "bihuan workflow publish my-workflow.yaml --db sqlite:bihuan.db"
}

// Run makes a file the version in force; projects stay with the version they started with.
func (x *workflowPublishCmd) Run(ctx context.Context, s *session) error {
	d, err := readDefinition(x.File)
	if err != nil {
		return err
	}
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		if now, err := e.Workflow(d.ID); err == nil && now.Digest == d.Digest {
			s.say("workflow.unchanged", "id", d.ID, "version", d.Version)
			return nil
		}
		if _, err := e.Publish(ctx, engine.Operator(), d.source); err != nil {
			return err
		}
		s.say("workflow.published", "id", d.ID, "version", d.Version, "digest", d.Digest)
		return nil
	})
}

type workflowDiffCmd struct {
	setup
	Old  string `arg:""`
	New  string `arg:""`
	JSON bool   `name:"json"`
}

// Help returns the examples.
func (workflowDiffCmd) Help() string {
	return "bihuan workflow diff shishi my-shishi.yaml\nbihuan workflow diff v1.yaml v2.yaml --json"
}

// Run lists what two definitions say differently.
func (x *workflowDiffCmd) Run(s *session) error {
	before, err := s.findDefinition(x.setup, x.Old)
	after, errAfter := s.findDefinition(x.setup, x.New)
	if err := errors.Join(err, errAfter); err != nil {
		return err
	}
	list := workflows.Compare(before.Workflow, after.Workflow)
	if x.JSON {
		return s.json(map[string]any{"differences": append([]workflows.Difference{}, list...)})
	}
	if len(list) == 0 {
		s.say("workflow.same")
	}
	for _, d := range list {
		s.print(d.Path)
		if d.Old != "" {
			s.print("  - " + d.Old)
		}
		if d.New != "" {
			s.print("  + " + d.New)
		}
	}
	return nil
}

type workflowShowCmd struct {
	setup
	ID     string `arg:"" name:"id"`
	Source bool
}

// Help returns the examples.
func (workflowShowCmd) Help() string {
	return "bihuan workflow show shishi\nbihuan workflow show shishi --source > my-shishi.yaml"
}

// Run shows a definition as people read it, or its source.
func (x *workflowShowCmd) Run(s *session) error {
	d, err := s.findDefinition(x.setup, x.ID)
	if err != nil {
		return err
	}
	if x.Source {
		_, err := s.out.Write(d.source)
		return err
	}
	s.showWorkflow(d.Workflow)
	return nil
}

// showWorkflow writes stages, transitions with their conditions, and timers.
func (s *session) showWorkflow(w *engine.Workflow) {
	s.say("workflow.title", "name", w.Name, "id", w.ID, "version", w.Version, "digest", w.Digest)
	s.print("\n" + s.text("workflow.stages"))
	var rows [][]string
	for _, st := range w.Stages {
		limit := ""
		switch {
		case st.Limit.UntilDeadline:
			limit = s.text("workflow.until_deadline")
		case st.Limit.Workdays > 0:
			limit = s.text("workflow.workdays", "n", st.Limit.Workdays)
		}
		rows = append(rows, []string{"  " + string(st.ID), st.Name.In(s.lang), limit})
	}
	s.table(rows)
	s.print("\n" + s.text("workflow.transitions"))
	for _, t := range w.Transitions {
		var from []string
		for _, id := range t.From {
			from = append(from, w.StageName(id).In(s.lang))
		}
		s.print(fmt.Sprintf("  %s %s: %s → %s", t.ID, t.Name.In(s.lang), strings.Join(from, "、"), w.StageName(t.To).In(s.lang)))
		if len(t.Submit) > 0 {
			s.print("    " + s.text("workflow.asks", "roles", s.roles(t.Submit)))
		}
		for _, step := range t.Approve.Steps {
			s.print("    " + s.text("workflow.approves", "roles", s.roles(step.Roles), "n", step.Count))
		}
		for _, r := range t.Require {
			s.print("    " + s.text("workflow.requires", "rule", r.Rule, "why", r.Message))
		}
	}
	if len(w.Timers) == 0 {
		return
	}
	s.print("\n" + s.text("workflow.timers"))
	rows = nil
	for _, t := range w.Timers {
		rows = append(rows, []string{"  " + string(t.ID), string(t.Anchor) + " " + t.Offset.String(), t.Rung.In(s.lang), "→ " + s.roles(t.To)})
	}
	s.table(rows)
}

// roles names roles for people.
func (s *session) roles(list []engine.Role) string {
	names := make([]string, len(list))
	for i, r := range list {
		names[i] = r.In(s.lang)
	}
	return strings.Join(names, s.comma())
}
