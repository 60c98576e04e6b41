package main

import (
	"context"

	"bihuan/engine"
)

type userEraseCmd struct {
	database
	Login    string `arg:""`
	Note     string `placeholder:"TEXT"`
	Withdraw bool
}

// Help returns the examples.
func (userEraseCmd) Help() string {
	return "bihuan user erase zhangsan --note 离任满五年 --db sqlite:bihuan.db\nbihuan user erase zhangsan --withdraw --db sqlite:bihuan.db"
}

// Run asks for a person's data to be erased. Whoever holds the database cannot approve: that takes somebody who has
// signed in, and is somebody else.
func (x *userEraseCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		if x.Withdraw {
			if _, err := e.EndErasure(ctx, engine.Operator(), x.Login, 0); err != nil {
				return err
			}
			s.say("user.erasure_ended", "login", x.Login)
			return nil
		}
		if _, err := e.AskErasure(ctx, engine.Operator(), x.Login, 0, x.Note); err != nil {
			return err
		}
		s.say("user.erasure_asked", "login", x.Login)
		return nil
	})
}
