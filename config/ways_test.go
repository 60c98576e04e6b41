package config

import (
	"reflect"
	"strings"
	"testing"
)

// Identity systems are named by addresses that nobody on the way can speak for, and their rules are read or refused.
func TestIdentitySystemSettings(t *testing.T) {
	const oidc = "public_url: https://bihuan.example.edu\noidc: {issuer: 'https://id.example.edu', client_id: b"
	const cas = "public_url: https://bihuan.example.edu\ncas: {server: 'https://sso.example.edu/cas'"
	for _, tt := range []struct{ name, file, wrong string }{
		{"oidc", oidc + "}", ""}, {"cas", cas + "}", ""},
		{"on this machine", strings.Replace(oidc, "https://id.example.edu", "http://127.0.0.1:9999/", 1) + "}", ""},
		{"plain http", strings.Replace(oidc, "https://id", "http://id", 1) + "}", "begins with https://"},
		{"cas over plain http", strings.Replace(cas, "https://sso", "http://sso", 1) + "}", "begins with https://"},
		{"a name like this machine's", strings.Replace(cas, "https://sso", "http://localhost.sso", 1) + "}", "begins with https://"},
		{"no way back", "cas: {server: 'https://sso.example.edu/cas'}", "public_url"},
		{"no client", strings.Replace(oidc, ", client_id: b", "", 1) + "}", "oidc.client_id"},
		{"no issuer", "oidc: {client_secret: hunter2}", "oidc.issuer"},
		{"a name to make accounts with", oidc + ", provision: true, claims: {name: ''}}", "provision needs"},
		{"roles", oidc + ", claims: {unit: dept, units: '计算机学院 = jsj', roles: 'groups = a -> leader @ dw; title = 书记 -> secretary @ *'}}", ""},
		{"an office", oidc + ", claims: {roles: 'groups = a -> security @ dw'}}", "with a role of"},
		{"no unit", oidc + ", claims: {roles: 'groups = a -> leader'}}", "CLAIM = VALUE"},
		{"no claim", oidc + ", claims: {roles: '-> leader @ dw'}}", "CLAIM = VALUE"},
		{"whose unit?", oidc + ", claims: {roles: 'groups = a -> leader @ *'}}", "oidc.claims.unit"},
		{"half a unit", cas + ", claims: {units: '计算机学院 ='}}", "VALUE = CODE"},
	} {
		_, err := Load(write(t, "bihuan.yaml", tt.file), lookup(nil), nil)
		if tt.wrong == "" && err != nil || tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.wrong)
		}
	}
}

func TestClaims(t *testing.T) {
	c := Claims{Units: "计算机学院 = jsj\n\n a=b = c ", Roles: "\nmemberOf = cn=leaders,ou=x -> leader @ dw\n title=书记->secretary@*;"}
	codes, bad := c.UnitCodes()
	if want := map[string]string{"计算机学院": "jsj", "a=b": "c"}; !reflect.DeepEqual(codes, want) || bad != nil {
		t.Errorf("units %v, bad %q", codes, bad)
	}
	rules, bad := c.RoleRules()
	if want := []RoleRule{{"memberOf", "cn=leaders,ou=x", "leader", "dw"}, {"title", "书记", "secretary", "*"}}; !reflect.DeepEqual(rules, want) || bad != nil {
		t.Errorf("rules %v, bad %q", rules, bad)
	}
}
