package browsertest

import (
	"strings"
	"testing"
	"time"

	"bihuan/engine"
)

// TestSetUp begins with nothing: the first administrator is made with the token, signs in, and gives a second person
// a one-time password, who has to choose another one first.
func TestSetUp(t *testing.T) {
	h := build(t, t.TempDir(), time.Date(2025, 10, 30, 2, 0, 0, 0, time.UTC), false)
	token, _, err := h.door.SetupToken(t.Context())
	if err != nil || token == "" {
		t.Fatalf("token %q, %v", token, err)
	}
	p := visitor(t, h.url)
	p.open("/")
	if p.at() != "/set-up" {
		t.Fatalf("somebody who comes first is led to %s", p.at())
	}
	p.readable("set-up")
	fill := func(again string) {
		t.Helper()
		p.complete("#main form", "token", token, "unit_name", "示例城市学院党委", "unit_code", "dw", "name", "赵工", "login", "zhao", "password", password, "again", again)
		p.follow("#main form button[type=submit]")
	}
	fill("别的什么话都行")
	if p.sent != 422 || !p.has(".errsum") {
		t.Fatalf("two different passwords answer %d", p.sent)
	}
	p.readable("set-up, refused")
	p.look(phone)
	p.fits("set-up, refused", phone)
	fill(password)
	if p.sent != 200 || !strings.Contains(p.text("#main"), "bihuan user add") {
		t.Fatalf("the set-up answers %d: %s", p.sent, p.text("#main"))
	}
	p.fits("set-up, done", phone)
	p.readable("set-up, done")
	p.signIn("zhao")
	p.wants("#main", "总览")

	if _, err := h.engine.AddUser(t.Context(), engine.Operator(), "qian", "钱安"); err != nil {
		t.Fatal(err)
	}
	u, err := h.engine.User(t.Context(), "zhao")
	if err != nil {
		t.Fatal(err)
	}
	hashed, err := h.db.Password(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.engine.SetPassword(t.Context(), engine.Operator(), "qian", hashed.PHC, true); err != nil {
		t.Fatal(err)
	}
	q := visitor(t, h.url)
	q.signIn("qian")
	if q.at() != "/password" {
		t.Fatalf("a one-time password leads to %s", q.at())
	}
	q.look(phone)
	q.fits("one-time password", phone)
	q.readable("one-time password")
	q.complete("#main form", "present", password, "password", "操场边的梧桐黄了", "again", "操场边的梧桐黄了")
	q.follow("#main form button[type=submit]")
	if q.sent != 200 || !q.has(".said") {
		t.Errorf("choosing a password answers %d: %s", q.sent, q.text("#main"))
	}
	h.intact()
}
