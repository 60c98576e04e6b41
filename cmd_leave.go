package main

import (
	"context"
	"strconv"

	"bihuan/engine"
)

type unitMoveCmd struct {
	database
	Code   string `arg:""`
	Parent string `placeholder:"CODE"`
}

// Help returns the examples.
func (unitMoveCmd) Help() string { return "bihuan unit move js-1 --parent xx --db sqlite:bihuan.db" }

// Run moves a unit with everything under it; without a parent it becomes a root.
func (x *unitMoveCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		u, err := e.MoveUnit(ctx, engine.Operator(), x.Code, x.Parent)
		if err != nil {
			return err
		}
		s.say("unit.moved", "code", u.Code, "name", u.Name)
		return nil
	})
}

type unitRenameCmd struct {
	database
	Code    string `arg:""`
	NewCode string `arg:""`
	Name    string `arg:""`
}

// Help returns the examples.
func (unitRenameCmd) Help() string {
	return "bihuan unit rename js-1 rj-1 软件工程系第一支部 --db sqlite:bihuan.db"
}

// Run gives a unit another code and name.
func (x *unitRenameCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		u, err := e.RenameUnit(ctx, engine.Operator(), x.Code, x.NewCode, x.Name)
		if err != nil {
			return err
		}
		s.say("unit.renamed", "code", u.Code, "name", u.Name)
		return nil
	})
}

type userEnableCmd struct {
	database
	Login string `arg:""`
}

// Help returns the examples.
func (userEnableCmd) Help() string { return "bihuan user enable zhangsan --db sqlite:bihuan.db" }

// Run opens a closed account again.
func (x *userEnableCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		if _, err := e.Enable(ctx, engine.Operator(), x.Login); err != nil {
			return err
		}
		s.say("user.enabled", "login", x.Login)
		return nil
	})
}

type userLeaveCmd struct {
	database
	Login string `arg:""`
	Heir  string `placeholder:"LOGIN"`
	Note  string `placeholder:"TEXT"`
}

// Help returns the examples.
func (userLeaveCmd) Help() string {
	return "bihuan user leave zhangsan --db sqlite:bihuan.db\nbihuan user leave zhangsan --heir lisi --note 调离本单位 --db sqlite:bihuan.db"
}

// Run lists the open work of somebody who leaves, and with --note hands it over and closes the account in one act.
func (x *userLeaveCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		if x.Note == "" {
			w, err := e.OpenWork(ctx, engine.Operator(), x.Login)
			if err != nil {
				return err
			}
			rows := [][]string{}
			for _, p := range w.Projects {
				rows = append(rows, []string{p.Number, p.Title})
			}
			s.table(rows)
			s.say("user.open_work", "login", x.Login, "n", strconv.Itoa(len(w.Projects)))
			return nil
		}
		w, err := e.Leave(ctx, engine.Operator(), x.Login, x.Heir, x.Note)
		if err != nil {
			return err
		}
		s.say("user.left", "login", x.Login, "n", strconv.Itoa(len(w.Projects)))
		return nil
	})
}

type tokenListCmd struct {
	database
	Login string `arg:""`
}

// Help returns the examples.
func (tokenListCmd) Help() string { return "bihuan token list zhangsan --db sqlite:bihuan.db" }

// Run lists a person's tokens with their last use. Secrets are not kept, so none is shown.
func (x *tokenListCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		u, err := e.User(ctx, x.Login)
		if err != nil {
			return err
		}
		list, err := e.Store.Tokens(ctx, u.ID)
		if err != nil {
			return err
		}
		rows := [][]string{{s.text("token.name"), s.text("token.scope"), s.text("token.until"), s.text("token.used")}}
		for _, t := range list {
			until, used := when(e, t.ExpiresAt), s.text("token.never")
			if t.RevokedAt != nil {
				until = s.text("token.ended")
			}
			if t.UsedAt != nil {
				used = when(e, *t.UsedAt)
			}
			rows = append(rows, []string{t.Name, scopeWord(t.Scope), until, used})
		}
		s.table(rows)
		return nil
	})
}

// The widest scope is "" in the trail; on the command line it has a word.
func scopeWord(scope engine.TokenScope) string {
	if scope == engine.TokenAll {
		return "all"
	}
	return string(scope)
}

func scopeOf(word string) engine.TokenScope {
	if word == "all" {
		return engine.TokenAll
	}
	return engine.TokenScope(word)
}
