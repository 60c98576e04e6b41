package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"bihuan/api/auth"
	"bihuan/engine"
)

type userPasswordCmd struct {
	database
	Login    string `arg:""`
	Generate bool
}

// Help returns the examples.
func (userPasswordCmd) Help() string {
	return "bihuan user password zhangsan --generate --db sqlite:bihuan.db\nbihuan user password zhangsan --db sqlite:bihuan.db < password"
}

// Run sets a password. It comes from standard input: on the command line everybody on the machine could read it. A
// one-time password stands alone on standard output, this once.
func (x *userPasswordCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		u, err := e.User(ctx, x.Login)
		if err != nil {
			return err
		}
		password := auth.Generate()
		if !x.Generate {
			if password, err = s.readPassword(os.Stdin, x.Login); err != nil {
				return err
			}
			if err := auth.Standard.Check(password, u.Login, u.Name); err != nil {
				return err
			}
		}
		phc, err := auth.Hash(ctx, password)
		if err != nil {
			return err
		}
		if _, err := e.SetPassword(ctx, engine.Operator(), string(u.ID), phc, x.Generate); err != nil {
			return err
		}
		if !x.Generate {
			s.say("password.set", "login", u.Login)
			return nil
		}
		_, _ = fmt.Fprintln(s.err, s.text("password.generated", "login", u.Login))
		_, err = fmt.Fprintln(s.out, password) // nobody sees it again, so failing to write it is an error
		return err
	})
}

// readPassword reads one line, without its end; spaces belong to the password.
func (s *session) readPassword(in *os.File, login string) (string, error) {
	if info, err := in.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		_, _ = fmt.Fprint(s.err, s.text("password.prompt", "login", login))
	}
	text, err := bufio.NewReader(io.LimitReader(in, maxSecret)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if text = strings.TrimRight(text, "\r\n"); text == "" {
		return "", line("password.none")
	}
	return text, nil
}

type userResetTOTPCmd struct {
	database
	Login string `arg:""`
}

// Help returns the examples.
func (userResetTOTPCmd) Help() string {
	return "bihuan user reset-totp zhangsan --db sqlite:bihuan.db"
}

// Run removes the one-time codes of somebody who has lost the device that makes them.
func (x *userResetTOTPCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		u, err := e.RemoveSeed(ctx, engine.Operator(), x.Login)
		if err != nil {
			return err
		}
		s.say("totp.removed", "login", u.Login)
		return nil
	})
}
