package main

import (
	"context"
	"strings"

	"bihuan/engine"
)

// identity are the flags that name how somebody is known elsewhere.
type identity struct {
	Issuer  string `required:""`
	Subject string `required:""`
}

func (i identity) value() engine.Identity {
	way := "oidc"
	if strings.HasPrefix(i.Issuer, "cas:") {
		way = "cas"
	}
	return engine.Identity{Issuer: i.Issuer, Subject: i.Subject, Way: way}
}

type userLinkCmd struct {
	database
	Login string `arg:""`
	identity
}

// Help returns the examples.
func (userLinkCmd) Help() string {
	return "bihuan user link zhangsan --issuer https://id.example.edu --subject 8f14e45f --db sqlite:bihuan.db\n" +
		"bihuan user link zhangsan --issuer cas:https://sso.example.edu/cas --subject 20180001 --db sqlite:bihuan.db"
}

// Run links an identity with an account.
func (x *userLinkCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		u, err := e.Link(ctx, engine.Operator(), x.Login, x.value())
		if err != nil {
			return err
		}
		s.say("identity.linked", "login", u.Login, "subject", x.Subject)
		return nil
	})
}

type userUnlinkCmd struct {
	database
	Login string `arg:""`
	identity
}

// Help returns the examples.
func (userUnlinkCmd) Help() string {
	return "bihuan user unlink zhangsan --issuer https://id.example.edu --subject 8f14e45f --db sqlite:bihuan.db"
}

// Run parts an identity and an account.
func (x *userUnlinkCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		u, err := e.Unlink(ctx, engine.Operator(), x.Login, x.value())
		if err != nil {
			return err
		}
		s.say("identity.unlinked", "login", u.Login, "subject", x.Subject)
		return nil
	})
}
