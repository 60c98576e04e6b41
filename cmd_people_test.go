package main

import (
	"strings"
	"testing"
)

// TestPeople walks through what an operator does on the first day, refusals included.
func TestPeople(t *testing.T) {
	dsn := fresh(t)
	steps := []struct {
		name string
		args []string
		code int
		out  string // fragment of standard output
		err  string // and of standard error
	}{
		{"a unit", []string{"unit", "add", "js", "计算机系支部", "--parent", "dw"}, 0, "已新增单位 js 计算机系支部", ""},
		{"its code again", []string{"unit", "add", "js", "别的支部"}, 1, "", "js"},
		{"a code with a space", []string{"unit", "add", "j s", "支部"}, 1, "", "j s"},
		{"a unit without a name", []string{"unit", "add", "x", " "}, 1, "", "必须填写"},
		{"under nothing", []string{"unit", "add", "x", "支部", "--parent", "none"}, 1, "", "none"},
		{"the tree", []string{"unit", "list"}, 0, "  计算机系支部", ""},
		{"a user", []string{"user", "add", "zhang", "张三"}, 0, "已新增用户 zhang 张三", ""},
		{"the login again", []string{"user", "add", "zhang", "章三"}, 1, "", "zhang"},
		{"a role", []string{"user", "grant", "zhang", "--role", "supervisor", "--unit", "js"}, 0, "已授予 zhang：js 的督导员", ""},
		{"the role again", []string{"user", "grant", "zhang", "--role", "supervisor", "--unit", "js"}, 1, "", "督导员"},
		{"a role that does not exist", []string{"user", "grant", "zhang", "--role", "boss", "--unit", "js"}, 1, "", "boss"},
		{"at no unit", []string{"user", "grant", "zhang", "--role", "leader", "--unit", "none"}, 1, "", "none"},
		{"to nobody", []string{"user", "grant", "li", "--role", "leader", "--unit", "dw"}, 1, "", "li"},
		{"an administrator", []string{"user", "grant", "zhang", "--role", "admin", "--unit", "dw"}, 0, "系统管理员", ""},
		{"who is security administrator too", []string{"user", "grant", "zhang", "--role", "security", "--unit", "dw"}, 1, "", "三员分立"},
		{"the list", []string{"user", "list"}, 0, "督导员@js、系统管理员@dw", ""},
		{"the list for programs", []string{"user", "list", "--json"}, 0, `"role": "supervisor"`, ""},
		{"less", []string{"user", "revoke", "zhang", "--role", "admin", "--unit", "dw"}, 0, "已撤销 zhang", ""},
		{"less again", []string{"user", "revoke", "zhang", "--role", "admin", "--unit", "dw"}, 1, "", "系统管理员"},
		{"a token for nobody", []string{"token", "issue", "li"}, 1, "", "li"},
		{"a token for a century", []string{"token", "issue", "zhang", "--days", "36500"}, 1, "", "366"},
		{"a token for longer than a clock can count", []string{"token", "issue", "zhang", "--days", "9223372036854775807"}, 1, "", "366"},
		{"a token for no time", []string{"token", "issue", "zhang", "--days", "0"}, 1, "", "366"},
		{"a token", []string{"token", "issue", "zhang"}, 0, "bh_", "只显示这一次"},
		{"a token that reads", []string{"token", "issue", "zhang", "--scope", "read"}, 0, "bh_", ""},
		{"a token for everything else", []string{"token", "issue", "zhang", "--scope", "most"}, 1, "", "范围"},
		{"the tokens", []string{"token", "list", "zhang"}, 0, "read", ""},
		{"a unit elsewhere", []string{"unit", "add", "rj", "软件系", "--parent", "dw"}, 0, "", ""},
		{"moved there", []string{"unit", "move", "js", "--parent", "rj"}, 0, "已移动单位 js", ""},
		{"moved below itself", []string{"unit", "move", "rj", "--parent", "js"}, 1, "", "上级移到下级"},
		{"renamed", []string{"unit", "rename", "js", "js-1", "计算机系第一支部"}, 0, "js-1 计算机系第一支部", ""},
		{"what is open", []string{"user", "leave", "zhang"}, 0, "0 个在办项目", ""},
		{"leaving", []string{"user", "leave", "zhang", "--note", "调离本单位"}, 0, "已停用 zhang", ""},
		{"and back", []string{"user", "enable", "zhang"}, 0, "已重新启用 zhang", ""},
		{"the end of the account", []string{"user", "disable", "zhang"}, 0, "已停用 zhang", ""},
		{"no token for it", []string{"token", "issue", "zhang"}, 1, "", "停用"},
		{"as the list says", []string{"user", "list"}, 0, "已停用", ""},
		{"the trail is whole", []string{"audit", "verify"}, 0, "完好", ""},
	}
	for _, tt := range steps {
		t.Run(tt.name, func(t *testing.T) {
			a := call(t, nil, append(tt.args, "--db", dsn)...)
			if a.code != tt.code || !strings.Contains(a.out, tt.out) || !strings.Contains(a.err, tt.err) || tt.code != 0 && a.out != "" {
				t.Errorf("exit %d, want %d\n%s%s", a.code, tt.code, a.out, a.err)
			}
		})
	}
}

// TestToken: the secret stands alone on standard output, once, and nowhere else.
func TestToken(t *testing.T) {
	dsn := fresh(t)
	must(t, "user", "add", "zhang", "张三", "--db", dsn)
	a := call(t, nil, "token", "issue", "zhang", "--name", "report", "--db", dsn)
	secret := strings.TrimSpace(a.out)
	if a.code != 0 || !strings.HasPrefix(secret, "bh_") || strings.Count(a.out, "\n") != 1 || strings.Contains(a.err, secret) {
		t.Fatalf("exit %d: %q, %q", a.code, a.out, a.err)
	}
	if out := must(t, "audit", "list", "--db", dsn, "--json"); strings.Contains(out, secret) {
		t.Error("the secret stands in the trail")
	}
	contains(t, must(t, "token", "revoke", file(t, "token", secret+"\n"), "--db", dsn), "已作废 zhang 的令牌“report”")
	contains(t, must(t, "token", "revoke", file(t, "token", secret), "--db", dsn), "已作废") // twice is no harm, and no entry
	if l := trail(t, dsn, "--action", "revoke_token"); len(l.Entries) != 1 {
		t.Errorf("%d entries for one end", len(l.Entries))
	}
	for name, text := range map[string]string{"unknown": "bh_nothing", "nothing": ""} {
		if a := call(t, nil, "token", "revoke", file(t, "token", text), "--db", dsn); a.code != exitFailed || !strings.Contains(a.err, "没有这个令牌") {
			t.Errorf("%s: exit %d: %s", name, a.code, a.err)
		}
	}
}
