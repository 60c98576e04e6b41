package main

import (
	"os"
	"strings"
	"testing"

	"bihuan/engine"
	"bihuan/engine/secret"
	"bihuan/storage"
	"bihuan/workflows"
)

// typed makes a text the program's standard input until the test ends.
func typed(t *testing.T, text string) {
	t.Helper()
	f, err := os.Open(file(t, "stdin", text))
	if err != nil {
		t.Fatal(err)
	}
	was := os.Stdin
	os.Stdin = f
	t.Cleanup(func() { os.Stdin = was; f.Close() })
}

// stored reads a password from the database.
func stored(t *testing.T, dsn, login string) engine.Password {
	t.Helper()
	db, err := storage.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	u, err := db.User(t.Context(), login)
	if err != nil {
		t.Fatal(err)
	}
	p, err := db.Password(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPassword(t *testing.T) {
	dsn := fresh(t)
	must(t, "user", "add", "zhang", "张三", "--db", dsn)
	for _, tt := range []struct {
		name, login, in string
		code            int
		out, err        string
	}{
		{"good enough", "zhang", "图书馆的灯又坏了\n", 0, "已设置 zhang 的密码", ""},
		{"as Windows ends lines, with spaces", "zhang", "  lk3v 7qpe \r\nmore\n", 0, "已设置 zhang 的密码", ""},
		{"without an end", "zhang", "lk3v-7qpe", 0, "已设置 zhang 的密码", ""},
		{"too short", "zhang", "short\n", 1, "", "至少 8 个字符"},
		{"the account's name", "zhang", "zhang1234\n", 1, "", "太常见"},
		{"nothing", "zhang", "", 1, "", "没有读到密码"},
		{"an empty line", "zhang", "\n", 1, "", "没有读到密码"},
		{"for nobody", "li", "图书馆的灯又坏了\n", 1, "", "li"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			typed(t, tt.in)
			a := call(t, nil, "user", "password", tt.login, "--db", dsn)
			if a.code != tt.code || !strings.Contains(a.out, tt.out) || !strings.Contains(a.err, tt.err) || tt.code != 0 && a.out != "" {
				t.Errorf("exit %d, want %d\n%s%s", a.code, tt.code, a.out, a.err)
			}
			if word := strings.TrimSpace(tt.in); word != "" && strings.Contains(a.out+a.err, word) {
				t.Errorf("the password is shown:\n%s%s", a.out, a.err)
			}
		})
	}
	if p := stored(t, dsn, "zhang"); p.MustChange || !strings.HasPrefix(p.PHC, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("stored %+v", p)
	}
	if l := trail(t, dsn, "--action", "set_password"); len(l.Entries) != 3 {
		t.Errorf("%d entries for three passwords", len(l.Entries))
	}
}

// A one-time password stands alone on standard output, and its owner must change it.
func TestGeneratedPassword(t *testing.T) {
	dsn := fresh(t)
	must(t, "user", "add", "zhang", "张三", "--db", dsn)
	a := call(t, nil, "user", "password", "zhang", "--generate", "--db", dsn)
	password := strings.TrimSpace(a.out)
	if a.code != 0 || len(password) != 19 || strings.Count(a.out, "\n") != 1 || strings.Contains(a.err, password) || !strings.Contains(a.err, "只显示这一次") {
		t.Fatalf("exit %d: %q, %q", a.code, a.out, a.err)
	}
	p := stored(t, dsn, "zhang")
	if !p.MustChange {
		t.Error("it need not be changed")
	}
	if out := must(t, "audit", "list", "--db", dsn, "--json"); strings.Contains(out, password) || strings.Contains(out, p.PHC) {
		t.Error("the password or its hash stands in the trail")
	}
	contains(t, must(t, "audit", "verify", "--db", dsn), "完好")
	must(t, "user", "disable", "zhang", "--db", dsn)
	if a := call(t, nil, "user", "password", "zhang", "--generate", "--db", dsn); a.code != exitFailed || a.out != "" || !strings.Contains(a.err, "停用") {
		t.Errorf("a closed account: exit %d: %s%s", a.code, a.out, a.err)
	}
}

func TestResetTOTP(t *testing.T) {
	dsn := fresh(t)
	must(t, "user", "add", "zhang", "张三", "--db", dsn)
	if a := call(t, nil, "user", "reset-totp", "zhang", "--db", dsn); a.code != 1 || !strings.Contains(a.err, "没有启用动态口令") {
		t.Errorf("without codes: %+v", a)
	}
	db, err := storage.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	box, err := secret.New(secret.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(t.Context(), engine.Config{Store: db, Secrets: box, Compile: workflows.Compile})
	if err != nil {
		t.Fatal(err)
	}
	u, err := e.User(t.Context(), "zhang")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.NewSeed(t.Context(), engine.Actor{ID: u.ID, Via: engine.ViaConsole}, []byte("12345678901234567890"), 1, nil); err != nil {
		t.Fatal(err)
	}
	contains(t, must(t, "user", "reset-totp", "zhang", "--db", dsn), "已停用 zhang 的动态口令")
	if u, err = e.User(t.Context(), "zhang"); err != nil || u.TwoFactor {
		t.Errorf("user %+v (%v)", u, err)
	}
	contains(t, must(t, "audit", "list", "--db", dsn), "remove_totp")
}
