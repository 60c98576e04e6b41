package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"bihuan/engine"
	"bihuan/engine/message"
)

type unitCmd struct {
	Add    unitAddCmd    `cmd:""`
	List   unitListCmd   `cmd:""`
	Move   unitMoveCmd   `cmd:""`
	Rename unitRenameCmd `cmd:""`
	Import unitImportCmd `cmd:""`
}

type unitAddCmd struct {
	database
	Code   string `arg:""`
	Name   string `arg:""`
	Parent string `placeholder:"CODE"`
}

// Help returns the examples.
func (unitAddCmd) Help() string {
	return "bihuan unit add dw 学校党委 --db sqlite:bihuan.db\nbihuan unit add js-1 计算机系第一支部 --parent dw --db sqlite:bihuan.db"
}

// Run adds a unit.
func (x *unitAddCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		u, err := e.AddUnit(ctx, engine.Operator(), x.Parent, x.Code, x.Name)
		if err != nil {
			return err
		}
		s.say("unit.added", "code", u.Code, "name", u.Name)
		return nil
	})
}

type unitListCmd struct {
	database
	JSON bool `name:"json"`
}

// Help returns the examples.
func (unitListCmd) Help() string { return "bihuan unit list --db sqlite:bihuan.db" }

// Run lists the units as a tree.
func (x *unitListCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		units, err := e.Store.Units(ctx)
		if err != nil {
			return err
		}
		if x.JSON {
			return s.json(map[string]any{"units": append([]engine.Unit{}, units...)})
		}
		rows := [][]string{{s.text("unit.code"), s.text("unit.name")}}
		for _, u := range units {
			depth := strings.Count(u.Path, "/") - 2
			rows = append(rows, []string{u.Code, strings.Repeat("  ", depth) + u.Name})
		}
		s.table(rows)
		return nil
	})
}

// unitCodes returns the codes of all units.
func unitCodes(ctx context.Context, e *engine.Engine) (map[engine.UnitID]string, error) {
	units, err := e.Store.Units(ctx)
	codes := make(map[engine.UnitID]string, len(units))
	for _, u := range units {
		codes[u.ID] = u.Code
	}
	return codes, err
}

// logins returns by what name each user is spoken of: the login, or that the person was erased.
func (s *session) logins(ctx context.Context, e *engine.Engine) (map[string]string, error) {
	users, err := e.Store.Users(ctx)
	who := make(map[string]string, len(users))
	for _, u := range users {
		who[string(u.ID)] = u.Login
		if u.Erased() {
			who[string(u.ID)] = message.Text(s.lang, "user.erased", nil) + " " + string(u.ID[len(u.ID)-6:])
		}
	}
	return who, err
}

type userCmd struct {
	Add      userAddCmd      `cmd:""`
	List     userListCmd     `cmd:""`
	Grant    userGrantCmd    `cmd:""`
	Revoke   userRevokeCmd   `cmd:""`
	Password userPasswordCmd `cmd:""`
	Disable  userDisableCmd  `cmd:""`
	Enable   userEnableCmd   `cmd:""`
	Leave    userLeaveCmd    `cmd:""`
	Import   userImportCmd   `cmd:""`
	Erase    userEraseCmd    `cmd:""`

	ResetTOTP userResetTOTPCmd `cmd:"" name:"reset-totp"`
	Link      userLinkCmd      `cmd:""`
	Unlink    userUnlinkCmd    `cmd:""`
}

type userAddCmd struct {
	database
	Login string `arg:""`
	Name  string `arg:""`
}

// Help returns the examples.
func (userAddCmd) Help() string { return "bihuan user add zhangsan 张三 --db sqlite:bihuan.db" }

// Run adds an account. It has no role and no token yet.
func (x *userAddCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		u, err := e.AddUser(ctx, engine.Operator(), x.Login, x.Name)
		if err != nil {
			return err
		}
		s.say("user.added", "login", u.Login, "name", u.Name)
		return nil
	})
}

type userListCmd struct {
	database
	JSON bool `name:"json"`
}

// Help returns the examples.
func (userListCmd) Help() string { return "bihuan user list --db sqlite:bihuan.db" }

// listedUser is a user for programs.
type listedUser struct {
	ID       engine.UserID `json:"id"`
	Login    string        `json:"login"`
	Name     string        `json:"name"`
	Disabled bool          `json:"disabled"`
	Erased   bool          `json:"erased,omitempty"`
	Grants   []listedGrant `json:"grants"`
}

type listedGrant struct {
	Role engine.Role `json:"role"`
	Unit string      `json:"unit"` // code
}

// Run lists the accounts with their roles.
func (x *userListCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		users, err := e.Store.Users(ctx)
		if err != nil {
			return err
		}
		codes, err := unitCodes(ctx, e)
		if err != nil {
			return err
		}
		list := make([]listedUser, len(users))
		for i, u := range users {
			list[i] = listedUser{ID: u.ID, Login: u.Login, Name: u.Name, Disabled: u.Disabled, Erased: u.Erased(), Grants: []listedGrant{}}
			for _, g := range u.Grants {
				list[i].Grants = append(list[i].Grants, listedGrant{g.Role, codes[g.UnitID]})
			}
		}
		if x.JSON {
			return s.json(map[string]any{"users": list})
		}
		rows := [][]string{{s.text("user.login"), s.text("user.name"), s.text("user.roles")}}
		for _, u := range list {
			var roles []string
			for _, g := range u.Grants {
				roles = append(roles, g.Role.In(s.lang)+"@"+g.Unit)
			}
			if u.Disabled {
				roles = append(roles, s.text("user.is_disabled"))
			}
			name := u.Name
			if u.Erased {
				name = message.Text(s.lang, "user.erased", nil)
			}
			rows = append(rows, []string{u.Login, name, strings.Join(roles, s.comma())})
		}
		s.table(rows)
		return nil
	})
}

// grant are the flags that name a role at a unit.
type grant struct {
	database
	Login string      `arg:""`
	Role  engine.Role `required:"" placeholder:"ROLE"`
	Unit  string      `required:"" placeholder:"CODE"`
}

type userGrantCmd struct{ grant }

// Help returns the examples.
func (userGrantCmd) Help() string {
	return "bihuan user grant zhangsan --role supervisor --unit dw --db sqlite:bihuan.db"
}

// Run gives a role, which holds for the unit and everything under it.
func (x *userGrantCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		if _, err := e.Grant(ctx, engine.Operator(), x.Login, x.Unit, x.Role); err != nil {
			return err
		}
		s.say("user.granted", "login", x.Login, "role", x.Role, "unit", x.Unit)
		return nil
	})
}

type userRevokeCmd struct{ grant }

// Help returns the examples.
func (userRevokeCmd) Help() string {
	return "bihuan user revoke zhangsan --role supervisor --unit dw --db sqlite:bihuan.db"
}

// Run takes a role away.
func (x *userRevokeCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		if _, err := e.Revoke(ctx, engine.Operator(), x.Login, x.Unit, x.Role); err != nil {
			return err
		}
		s.say("user.revoked", "login", x.Login, "role", x.Role, "unit", x.Unit)
		return nil
	})
}

type userDisableCmd struct {
	database
	Login string `arg:""`
}

// Help returns the examples.
func (userDisableCmd) Help() string { return "bihuan user disable zhangsan --db sqlite:bihuan.db" }

// Run closes an account; its tokens stop working at once.
func (x *userDisableCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		if _, err := e.Disable(ctx, engine.Operator(), x.Login); err != nil {
			return err
		}
		s.say("user.disabled", "login", x.Login)
		return nil
	})
}

type tokenCmd struct {
	Issue  tokenIssueCmd  `cmd:""`
	List   tokenListCmd   `cmd:""`
	Revoke tokenRevokeCmd `cmd:""`
}

type tokenIssueCmd struct {
	database
	Login string `arg:""`
	Name  string `default:"cli" placeholder:"NAME"`
	Days  int    `default:"90" placeholder:"N"`
	Scope string `default:"all" placeholder:"SCOPE"`
}

// Help returns the examples.
func (tokenIssueCmd) Help() string {
	return "bihuan token issue zhangsan --db sqlite:bihuan.db\nbihuan token issue zhangsan --name report --scope read --days 30 --db sqlite:bihuan.db > token"
}

// Run makes a token. The secret is printed this once, alone on standard output; the rest goes to standard error.
func (x *tokenIssueCmd) Run(ctx context.Context, s *session) error {
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		days := min(x.Days, 10000) // what is too long is the engine's to say, without overflow
		secret, t, err := e.IssueScopedToken(ctx, engine.Operator(), x.Login, x.Name, scopeOf(x.Scope), time.Duration(days)*24*time.Hour)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintln(s.err, s.text("token.issued", "login", x.Login, "until", when(e, t.ExpiresAt)))
		_, err = fmt.Fprintln(s.out, secret) // nobody sees it again, so failing to write it is an error
		return err
	})
}

// maxSecret is more than any token has, in bytes.
const maxSecret = 4 << 10

type tokenRevokeCmd struct {
	database
	File string `arg:"" optional:"" default:"-"`
}

// Help returns the examples.
func (tokenRevokeCmd) Help() string {
	return "bihuan token revoke token --db sqlite:bihuan.db\nbihuan token revoke --db sqlite:bihuan.db < token"
}

// Run ends a token. Its secret comes from a file or standard input: on the command line everybody on the machine
// could read it.
func (x *tokenRevokeCmd) Run(ctx context.Context, s *session) error {
	secret, err := readSecret(x.File)
	if err != nil {
		return err
	}
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		t, u, err := e.Store.TokenUser(ctx, engine.TokenHash(secret))
		if errors.Is(err, engine.ErrNotFound) {
			return line("token.unknown")
		}
		if err != nil {
			return err
		}
		if t.RevokedAt == nil {
			if err := e.RevokeToken(ctx, engine.Operator(), t); err != nil {
				return err
			}
		}
		s.say("token.revoked", "login", u.Login, "name", t.Name)
		return nil
	})
}

func readSecret(file string) (string, error) {
	var r io.Reader = os.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer func() { _ = f.Close() }() // nothing was written
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, maxSecret))
	return strings.TrimSpace(string(b)), err
}
