package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// OIDC is an identity system (统一身份认证) by OpenID Connect; off without Issuer.
type OIDC struct {
	Name         string `yaml:"name"` // on the button; empty for a usual one
	Issuer       string `yaml:"issuer"`
	ClientID     string `yaml:"client_id"`
	ClientSecret string `yaml:"client_secret"`
	Scopes       string `yaml:"scopes"` // besides openid, parted by spaces
	// Provision gives whoever is new an account.
	Provision bool `yaml:"provision"`
	// SecondFactor says that the identity system asks for one itself, so that one-time codes are not asked for besides.
	SecondFactor bool   `yaml:"second_factor"`
	Claims       Claims `yaml:"claims"`
}

// CAS is an identity system by the CAS protocol 3.0; off without Server.
type CAS struct {
	Name         string `yaml:"name"`
	Server       string `yaml:"server"` // such as https://sso.example.edu/cas
	Provision    bool   `yaml:"provision"`
	SecondFactor bool   `yaml:"second_factor"`
	Claims       Claims `yaml:"claims"`
}

// Claims say what an identity system's claims (CAS: attributes) mean.
type Claims struct {
	Login string `yaml:"login"` // the claim with the login of a new account; of CAS, "user" is the user's name there
	Name  string `yaml:"name"`  // the claim with the name of a new account
	Unit  string `yaml:"unit"`  // the claim with the person's own unit; empty for none
	// Units translate what the claim Unit says into codes of units, one "VALUE = CODE" a line; others are codes already.
	Units string `yaml:"units"`
	// Roles give roles, one "CLAIM = VALUE -> ROLE @ CODE" a line; the code * is the person's own unit.
	Roles string `yaml:"roles"`
}

// RoleRule gives a role at a unit to whoever has a claim with a value.
type RoleRule struct{ Claim, Value, Role, Unit string }

// line parts the members of a setting that is a list of lines.
func line(r rune) bool { return r == '\n' || r == ';' }

// UnitCodes are Units read; bad are the lines that make no sense.
func (c Claims) UnitCodes() (codes map[string]string, bad []string) {
	codes = map[string]string{}
	for text := range strings.FieldsFuncSeq(c.Units, line) {
		if strings.TrimSpace(text) == "" {
			continue
		}
		i := strings.LastIndexByte(text, '=')
		value, code := strings.TrimSpace(text[:max(i, 0)]), strings.TrimSpace(text[i+1:])
		if value == "" || code == "" {
			bad = append(bad, strings.TrimSpace(text))
			continue
		}
		codes[value] = code
	}
	return codes, bad
}

// RoleRules are Roles read; bad are the lines that make no sense.
func (c Claims) RoleRules() (rules []RoleRule, bad []string) {
	for text := range strings.FieldsFuncSeq(c.Roles, line) {
		if strings.TrimSpace(text) == "" {
			continue
		}
		condition, gives, arrow := cutLast(text, "->")
		claim, value, equals := strings.Cut(condition, "=")
		role, unit, at := strings.Cut(gives, "@")
		r := RoleRule{strings.TrimSpace(claim), strings.TrimSpace(value), strings.TrimSpace(role), strings.TrimSpace(unit)}
		if !arrow || !equals || !at || r.Claim == "" || r.Value == "" || r.Unit == "" || !slices.Contains(mapped, r.Role) {
			bad = append(bad, strings.TrimSpace(text))
			continue
		}
		rules = append(rules, r)
	}
	return rules, bad
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// mapped are the roles that claims may give: none of the separated offices (三员), which would let whoever runs the
// identity system name the security administrator.
var mapped = []string{"secretary", "supervisor", "leader"}

func (v *validator) ways(c Config) {
	if c.OIDC.Issuer != "" {
		v.identitySystem("oidc.issuer", c.OIDC.Issuer, c.PublicURL)
		if c.OIDC.ClientID == "" {
			v.complain("oidc.client_id", "使用 oidc 时不能为空", "must be set to use oidc")
		}
	} else if c.OIDC.ClientID != "" || c.OIDC.ClientSecret != "" {
		v.complain("oidc.issuer", "使用 oidc 时不能为空", "must be set to use oidc")
	}
	if c.CAS.Server != "" {
		v.identitySystem("cas.server", c.CAS.Server, c.PublicURL)
	}
	v.claims("oidc.claims", c.OIDC.Claims, c.OIDC.Provision)
	v.claims("cas.claims", c.CAS.Claims, c.CAS.Provision)
}

// identitySystem wants an address that nobody on the way can speak for.
func (v *validator) identitySystem(key, address, public string) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		v.complain(key, "应为 https:// 开头的地址，不带账号、参数和 #", "must be an address that begins with https://, without account, parameters or #")
	}
	if public == "" {
		v.complain("public_url", "使用统一身份认证时不能为空", "must be set to use an identity system")
	}
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() && net.ParseIP(host) != nil
}

func (v *validator) claims(key string, c Claims, provision bool) {
	if provision && (c.Login == "" || c.Name == "") {
		v.complain(key, "自动建账号（provision）需要 login 和 name", "provision needs login and name")
	}
	_, bad := c.UnitCodes()
	for _, text := range bad {
		v.complain(key+".units", fmt.Sprintf("应为“值 = 单位代码”，而不是 %q", text), fmt.Sprintf("must be VALUE = CODE, not %q", text))
	}
	rules, bad := c.RoleRules()
	for _, text := range bad {
		v.complain(key+".roles", fmt.Sprintf("应为“属性 = 值 -> 角色 @ 单位代码”，角色为 %s 之一，而不是 %q", strings.Join(mapped, "、"), text),
			fmt.Sprintf("must be CLAIM = VALUE -> ROLE @ CODE with a role of %s, not %q", strings.Join(mapped, ", "), text))
	}
	if slices.ContainsFunc(rules, func(r RoleRule) bool { return r.Unit == "*" }) && c.Unit == "" {
		v.complain(key+".unit", "角色规则里用了 *，要说明本人单位在哪个属性里", "must name a claim, because a rule of roles uses *")
	}
}
