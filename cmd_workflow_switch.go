package main

import (
	"context"

	"bihuan/engine"
)

// workflowSwitch switches a kind of projects on or off.
type workflowSwitch struct {
	database
	ID string `arg:"" name:"id"`
}

func (x *workflowSwitch) run(ctx context.Context, s *session, key string, act func(*engine.Engine) error) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		if err := act(e); err != nil {
			return err
		}
		w, err := e.Workflow(x.ID)
		if err == nil {
			s.say(key, "name", w.Name)
		}
		return err
	})
}

type workflowEnableCmd struct{ workflowSwitch }

// Help returns the examples.
func (workflowEnableCmd) Help() string { return "bihuan workflow enable keti --db sqlite:bihuan.db" }

// Run makes the kind one that can be proposed.
func (x *workflowEnableCmd) Run(ctx context.Context, s *session) error {
	return x.run(ctx, s, "workflow.enabled", func(e *engine.Engine) error {
		return e.EnableKind(ctx, engine.Operator(), x.ID)
	})
}

type workflowDisableCmd struct{ workflowSwitch }

// Help returns the examples.
func (workflowDisableCmd) Help() string { return "bihuan workflow disable keti --db sqlite:bihuan.db" }

// Run keeps new items of the kind from being proposed.
func (x *workflowDisableCmd) Run(ctx context.Context, s *session) error {
	return x.run(ctx, s, "workflow.disabled", func(e *engine.Engine) error {
		return e.DisableKind(ctx, engine.Operator(), x.ID)
	})
}
