package v1

import (
	"context"
	"slices"
	"strings"

	"bihuan/api/request"
	"bihuan/engine"
)

// UnitView is a unit.
type UnitView struct {
	ID     string `json:"id"`
	Code   string `json:"code"`
	Name   string `json:"name"`
	Parent string `json:"parent,omitempty"`
}

// UnitsAnswer is the list of units.
type UnitsAnswer struct {
	Body struct {
		Items []UnitView `json:"items"`
	} `nameHint:"UnitList"`
}

func showUnit(u *engine.Unit) UnitView {
	return UnitView{ID: string(u.ID), Code: u.Code, Name: u.Name, Parent: string(u.ParentID)}
}

func (h *handlers) units(ctx context.Context, _ *struct{}) (*UnitsAnswer, error) {
	all, err := h.Reader.Units(ctx)
	if err != nil {
		return nil, err
	}
	scope := request.From(ctx).Actor.Scope()
	out := &UnitsAnswer{}
	out.Body.Items = []UnitView{}
	for i := range all {
		if within(all[i].Path, scope) {
			out.Body.Items = append(out.Body.Items, showUnit(&all[i]))
		}
	}
	return out, nil
}

func within(path string, scope []string) bool {
	return slices.ContainsFunc(scope, func(root string) bool { return engine.Under(path, root) })
}

// Users is the request for people to choose from.
type Users struct {
	Text  string `query:"q" maxLength:"60" doc:"In the name."`
	Limit int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

// UsersAnswer is a list of people.
type UsersAnswer struct {
	Body struct {
		Items []Ref `json:"items"`
		More  bool  `json:"more" doc:"There are more: ask with q."`
	} `nameHint:"UserList"`
}

// users lists active people who hold a role within the caller's scope, and those who hold none anywhere (an owner
// needs no role, and belongs to no unit otherwise). Whoever has no scope sees only themselves. Logins stay out:
// half a password is no matter for a list.
func (h *handlers) users(ctx context.Context, in *Users) (*UsersAnswer, error) {
	all, err := h.Reader.Users(ctx)
	if err != nil {
		return nil, err
	}
	info := request.From(ctx)
	scope := info.Actor.Scope()
	out := &UsersAnswer{}
	out.Body.Items = []Ref{}
	for _, u := range all {
		inScope := len(scope) > 0 && len(u.Grants) == 0 ||
			slices.ContainsFunc(u.Grants, func(g engine.Grant) bool { return within(g.Path, scope) })
		if u.Disabled || u.ID != info.User.ID && !inScope || !strings.Contains(u.Name, in.Text) {
			continue
		}
		if len(out.Body.Items) == in.Limit {
			out.Body.More = true
			break
		}
		out.Body.Items = append(out.Body.Items, Ref{ID: string(u.ID), Name: u.Name})
	}
	return out, nil
}

// MeAnswer is who is calling.
type MeAnswer struct {
	Body struct {
		ID     string      `json:"id"`
		Login  string      `json:"login"`
		Name   string      `json:"name"`
		Grants []GrantView `json:"grants"`
	} `nameHint:"Me"`
}

// GrantView is a role at a unit.
type GrantView struct {
	Role Ref `json:"role"`
	Unit Ref `json:"unit" doc:"Where it holds, and in every unit under it."`
}

func (h *handlers) me(ctx context.Context, _ *struct{}) (*MeAnswer, error) {
	info := request.From(ctx)
	out := &MeAnswer{}
	out.Body.ID, out.Body.Login, out.Body.Name = string(info.User.ID), info.User.Login, info.User.Name
	out.Body.Grants = []GrantView{}
	for _, g := range info.Actor.Grants {
		out.Body.Grants = append(out.Body.Grants, GrantView{Role: role(g.Role, info.Lang), Unit: h.names.unit(ctx, g.UnitID)})
	}
	return out, nil
}
