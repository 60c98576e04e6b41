package config

import (
	"fmt"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v3"
)

const hidden = "xxxxx"

// Redacted returns the set-up as the YAML file that would give it, with passwords replaced. It is what
// "bihuan config check" prints.
func (c Config) Redacted() string {
	c.DB = redactDB(c.DB)
	if c.SecretKey != "" {
		c.SecretKey = hidden
	}
	if c.OIDC.ClientSecret != "" {
		c.OIDC.ClientSecret = hidden
	}
	b, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Sprintf("# config: %v\n", err) // no field of ours can fail; a dump is no reason to panic
	}
	return string(b)
}

// redactDB hides the password in a database's name. Where it cannot be told what the password is, because the name
// is malformed, it hides everything.
func redactDB(dsn string) string {
	if strings.HasPrefix(dsn, "sqlite:") {
		return dsn
	}
	rest, ok := cutPostgres(dsn)
	if !ok {
		return hidden
	}
	scheme := strings.TrimSuffix(dsn, rest)
	authority, path, query := splitPostgres(rest)
	if strings.Contains(path+query, "@") {
		return scheme + hidden // perhaps an unescaped / or ? in the password moved its end behind the delimiter
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		if user, _, has := strings.Cut(authority[:at], ":"); has {
			authority = user + ":" + hidden + authority[at:]
		}
	}
	if query == "" {
		return scheme + authority + path
	}
	params := strings.Split(query, "&")
	for i, p := range params {
		name, _, _ := strings.Cut(p, "=")
		if plain, err := url.QueryUnescape(name); err != nil || strings.Contains(strings.ToLower(plain), "password") {
			params[i] = name + "=" + hidden
		}
	}
	return scheme + authority + path + "?" + strings.Join(params, "&")
}
