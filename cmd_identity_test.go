package main

import (
	"strings"
	"testing"
)

func TestLinkIdentity(t *testing.T) {
	dsn := fresh(t)
	must(t, "user", "add", "zhang", "张三", "--db", dsn)
	must(t, "user", "add", "li", "李四", "--db", dsn)
	id := []string{"--issuer", "cas:https://sso.example.edu/cas", "--subject", "20180001", "--db", dsn}
	contains(t, must(t, append([]string{"user", "link", "zhang"}, id...)...), "已把身份 20180001 与账号 zhang 关联")
	if a := call(t, nil, append([]string{"user", "link", "li"}, id...)...); a.code != 1 || !strings.Contains(a.err, "已经与另一个账号关联") {
		t.Errorf("an identity of somebody else: %+v", a)
	}
	if a := call(t, nil, append([]string{"user", "unlink", "li"}, id...)...); a.code != 1 || !strings.Contains(a.err, "没有这项关联") {
		t.Errorf("parting what is not linked: %+v", a)
	}
	contains(t, must(t, append([]string{"user", "unlink", "zhang"}, id...)...), "已取消身份 20180001 与账号 zhang 的关联")
	contains(t, must(t, append([]string{"user", "link", "li"}, id...)...), "与账号 li 关联")
	if a := call(t, nil, "user", "link", "zhang", "--db", dsn); a.code != 2 {
		t.Errorf("without an identity: %+v", a)
	}
	if out := must(t, "audit", "list", "--db", dsn, "--json"); strings.Contains(out, "20180001") || strings.Count(out, "link_identity") < 3 {
		t.Error("the trail names the subject, or does not tell of the link")
	}
}
