package main

import (
	"strings"
	"testing"
)

// The command line asks and takes back; it never approves.
func TestUserErase(t *testing.T) {
	databases(t, func(t *testing.T, dsn string) {
		must(t, "user", "add", "zhang", "张三", "--db", dsn)
		refused := func(key string, args ...string) {
			t.Helper()
			if a := call(t, nil, append([]string{"user", "erase", "zhang", "--db", dsn}, args...)...); a.code != exitFailed || !strings.Contains(a.err, key) {
				t.Errorf("%v: exit %d\n%s%s", args, a.code, a.out, a.err)
			}
		}
		refused("请先停用", "--note", "离任满五年")
		must(t, "user", "disable", "zhang", "--db", dsn)
		refused("至少", "--note", "")
		refused("不能写本人的姓名", "--note", "张三离任")
		refused("还没有人申请", "--withdraw")
		contains(t, must(t, "user", "erase", "zhang", "--note", "离任满五年", "--db", dsn), "等待批准")
		refused("等待另一方批准", "--note", "离任满五年")
		must(t, "user", "erase", "zhang", "--withdraw", "--db", dsn)
		contains(t, must(t, "user", "list", "--db", dsn), "张三")
		if l := trail(t, dsn, "--action", "ask_erasure", "--action", "end_erasure"); len(l.Entries) != 2 {
			t.Errorf("%d entries", len(l.Entries))
		}
		contains(t, must(t, "audit", "verify", "--db", dsn), "结论：完好")
	})
}
