package main

import (
	"context"

	"bihuan/engine"
)

type workflowMigrateCmd struct {
	database
	ID     string `arg:"" name:"id"`
	DryRun bool
}

// Help returns the examples.
func (workflowMigrateCmd) Help() string {
	return "bihuan workflow migrate shishi --dry-run --db sqlite:bihuan.db\nbihuan workflow migrate shishi --db sqlite:bihuan.db"
}

// Run moves the open projects of a workflow to its newest version, or tells what that would mean for each.
func (x *workflowMigrateCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		newest, err := e.Workflow(x.ID)
		if err != nil {
			return err
		}
		moved, refused := 0, 0
		for after, more := "", true; more; {
			page, err := e.List(ctx, engine.Operator(), engine.Filter{Kind: x.ID, Open: true, After: after, Limit: engine.MaxPage})
			if err != nil {
				return err
			}
			for _, p := range page.Items {
				if p.Definition == newest.Digest {
					continue
				}
				ok, err := x.move(ctx, s, e, p)
				if err != nil {
					return err
				}
				if ok {
					moved++
				} else {
					refused++
				}
			}
			after, more = page.Next, page.Next != ""
		}
		key := "workflow.migrated"
		if x.DryRun {
			key = "workflow.would_migrate"
		}
		s.say(key, "id", x.ID, "version", newest.Version, "moved", moved, "refused", refused)
		if refused > 0 && !x.DryRun {
			return failure{code: exitFailed}
		}
		return nil
	})
}

// move shows what the newest version means for one project and, unless it is a dry run, moves it. It reports
// whether the project can move.
func (x *workflowMigrateCmd) move(ctx context.Context, s *session, e *engine.Engine, p engine.Project) (bool, error) {
	r, err := e.Preview(ctx, p)
	if err != nil {
		return false, err
	}
	s.say("workflow.project", "number", p.Number, "title", p.Title, "from", r.From.Version, "to", r.To.Version, "stage", r.From.StageName(p.Stage))
	if r.Refused == nil && !x.DryRun {
		_, r.Refused = e.Repin(ctx, engine.Operator(), p.ID)
		if r.Refused != nil && engine.KindOf(r.Refused) == 0 {
			return false, r.Refused // a fault, not a refusal
		}
	}
	if r.Refused != nil {
		s.print("  ✗ " + s.explain(r.Refused))
		return false, nil //nolint:nilerr // the refusal has been told; the other projects go on
	}
	for _, d := range []struct {
		key           string
		before, after string
	}{
		{"workflow.stage_due", whenever(e, r.Before.StageDue), whenever(e, r.After.StageDue)},
		{"workflow.next", whenever(e, r.Before.NextAt), whenever(e, r.After.NextAt)},
	} {
		if d.before != d.after {
			s.print("  " + s.text(d.key, "before", d.before, "after", d.after))
		}
	}
	known := map[string]bool{}
	for _, q := range r.UnmetBefore {
		known[q.ID] = true
	}
	for _, q := range r.UnmetAfter {
		if !known[q.ID] {
			s.print("  " + s.text("workflow.newly_unmet", "id", q.ID, "why", q.In(s.lang)))
		}
		delete(known, q.ID)
	}
	for _, q := range r.UnmetBefore {
		if known[q.ID] {
			s.print("  " + s.text("workflow.no_longer", "id", q.ID))
		}
	}
	return true, nil
}
