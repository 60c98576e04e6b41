package main

import (
	"strings"

	"bihuan/api/auth"
	"bihuan/config"
	"bihuan/engine"
)

// ways are the identity systems of a set-up, which has been validated.
func ways(c config.Config) []auth.Federated {
	var out []auth.Federated
	if o := c.OIDC; o.Issuer != "" {
		way := &auth.OIDC{Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: o.ClientSecret, Scopes: strings.Fields(o.Scopes)}
		out = append(out, auth.Federated{Way: way, Name: o.Name, Mapping: mapping(o.Claims), Provision: o.Provision, Strong: o.SecondFactor})
	}
	if s := c.CAS; s.Server != "" {
		out = append(out, auth.Federated{Way: &auth.CAS{Server: s.Server}, Name: s.Name, Mapping: mapping(s.Claims), Provision: s.Provision, Strong: s.SecondFactor})
	}
	return out
}

func mapping(c config.Claims) auth.Mapping {
	codes, _ := c.UnitCodes() // lines that make no sense were refused when the set-up was read
	rules, _ := c.RoleRules()
	m := auth.Mapping{Login: c.Login, Name: c.Name, Unit: c.Unit, Units: codes}
	for _, r := range rules {
		m.Roles = append(m.Roles, auth.RoleRule{Claim: r.Claim, Value: r.Value, Role: engine.Role(r.Role), Unit: r.Unit})
	}
	return m
}
