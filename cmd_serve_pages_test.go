package main

import (
	"context"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
)

// visitor is a browser without script in front of a running server.
type visitor struct {
	t    *testing.T
	addr string
	http.Client
}

func visit(t *testing.T, addr string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t, addr, http.Client{Jar: jar}}
}

// open asks for a page, following redirects; a form makes it a POST. It returns the status, where it ended, and the
// page as a reader sees it, with entities resolved.
func (v *visitor) open(path string, form url.Values) (status int, at, page string) {
	v.t.Helper()
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(v.t.Context(), method, "http://"+v.addr+path, body)
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", "http://"+v.addr)
	}
	resp, err := v.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // read to its end below
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp.StatusCode, resp.Request.URL.RequestURI(), html.UnescapeString(string(b))
}

// setUpToken is the one-time set-up token as serve prints it.
var setUpToken = regexp.MustCompile(`(?m)^\s+([A-Za-z0-9_-]{43})$`)

// settle sets an installation up through its pages, as somebody does who has just started it: the token from the
// terminal, the form, the commands that the page then names, the first sign-in. It returns the visitor, signed in.
func settle(t *testing.T, s *served, dsn string) *visitor {
	t.Helper()
	m := setUpToken.FindStringSubmatch(s.said())
	if m == nil {
		t.Fatalf("no token in %s", s.said())
	}
	v := visit(t, s.addr)
	if _, at, _ := v.open("/", nil); at != "/set-up" {
		t.Fatalf("somebody who comes first is led to %s", at)
	}
	form := url.Values{"token": {m[1]}, "unit_name": {"示例城市学院党委"}, "unit_code": {"dw"}, "name": {"赵工"}, "login": {"zhao"},
		"password": {"雨后的操场很安静"}, "again": {"雨后的操场很安静"}}
	with := func(field, value string) url.Values {
		changed := url.Values{}
		for k, x := range form {
			changed[k] = x
		}
		changed.Set(field, value)
		return changed
	}
	for _, tt := range []struct {
		form url.Values
		says string
	}{{with("token", strings.Repeat("A", 43)), "设置口令无效"}, {with("again", "雨后的操场很热闹"), "不一样"}, {with("password", "12345678"), "两次输入"}} {
		status, _, page := v.open("/set-up", tt.form)
		if status != http.StatusUnprocessableEntity || !strings.Contains(page, tt.says) || !strings.Contains(page, `value="赵工"`) || strings.Contains(page, "雨后") {
			t.Errorf("a bad set-up answers %d, without %q, or what was typed is lost, or the password is sent back", status, tt.says)
		}
	}
	status, _, page := v.open("/set-up", form)
	if status != http.StatusOK {
		t.Fatalf("set-up answers %d: %s", status, page)
	}
	for text := range strings.Lines(page) {
		if _, command, ok := strings.Cut(text, "bihuan "); ok {
			command = strings.NewReplacer("用户名", "qian", "姓名", "钱安").Replace(strings.TrimSpace(command))
			if a := call(t, nil, append(strings.Fields(command), "--db", dsn)...); a.code != exitOK {
				t.Errorf("%s: exit %d: %s", command, a.code, a.err)
			}
		}
	}
	if status, _, _ := v.open("/set-up", with("login", "second")); status != http.StatusNotFound {
		t.Errorf("a second set-up answers %d", status)
	}
	if _, at, page := v.open("/sign-in", url.Values{"login": {"zhao"}, "password": {"雨后的操场很安静"}, "next": {"/"}}); at != "/overview" || !strings.Contains(page, "赵工") {
		t.Fatalf("after signing in at %s", at)
	}
	return v
}

// TestPassword changes a password through the page, and follows somebody whose one-time password is due.
func TestPasswordPage(t *testing.T) {
	dsn := fresh(t)
	must(t, "user", "add", "zhang", "张岚", "--db", dsn)
	once := strings.TrimSpace(must(t, "user", "password", "zhang", "--generate", "--db", dsn))
	s := serve(t, dsn, nil)
	defer s.end()
	v := visit(t, s.addr)
	_, at, page := v.open("/sign-in", url.Values{"login": {"zhang"}, "password": {once}, "next": {"/ledger"}})
	if at != "/password" || !strings.Contains(page, "请先设置新的密码") {
		t.Fatalf("a one-time password leads to %s", at)
	}
	if _, at, _ := v.open("/ledger", nil); at != "/password" {
		t.Errorf("before the password is changed, /ledger leads to %s", at)
	}
	change := func(present, next, again string) (int, string, string) {
		return v.open("/password", url.Values{"present": {present}, "password": {next}, "again": {again}})
	}
	for _, tt := range []struct{ present, next, again, says string }{
		{once, "woaini1314", "woaini1314", "太常见"}, {"not this one", "雨后的操场很安静", "雨后的操场很安静", "现在的密码不正确"}, {once, "雨后的操场很安静", "雨后", "不一样"},
	} {
		if status, _, page := change(tt.present, tt.next, tt.again); status != http.StatusUnprocessableEntity || !strings.Contains(page, tt.says) {
			t.Errorf("%v: %d without %q", tt, status, tt.says)
		}
	}
	other := visit(t, s.addr)
	other.open("/sign-in", url.Values{"login": {"zhang"}, "password": {once}})
	if _, at, page := change(once, "雨后的操场很安静", "雨后的操场很安静"); !strings.HasPrefix(at, "/overview") || !strings.Contains(page, "密码已修改") {
		t.Errorf("after the change at %s", at)
	}
	if _, at, _ := other.open("/overview", nil); !strings.HasPrefix(at, "/sign-in") {
		t.Errorf("another browser is at %s after the password was changed", at)
	}
	if _, at, page := v.open("/password", nil); at != "/password" || !strings.Contains(page, "张岚") {
		t.Errorf("the page of somebody at work: %s", at)
	}
	if _, at, _ := v.open("/sign-out", url.Values{}); at != "/sign-in" {
		t.Errorf("signing out leads to %s", at)
	}
	if _, at, _ := v.open("/todo", nil); !strings.HasPrefix(at, "/sign-in") {
		t.Errorf("signed out, /todo leads to %s", at)
	}
}

// A port that is taken is known before the play begins, and no address is promised that nobody listens on.
func TestDemoPortTaken(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	var out, errs strings.Builder
	dir := t.TempDir()
	code := run(t.Context(), []string{"demo", "--addr", taken.Addr().String(), "--dir", dir}, &out, &errs, func(string) string { return "" })
	if code != 1 || out.Len() > 0 || !strings.Contains(errs.String(), taken.Addr().String()) {
		t.Errorf("code %d\nout %s\nerr %s", code, out.String(), errs.String())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestDemoSeats takes a chair in the demo without a password, changes it, and finds no chair for anybody else.
func TestDemoSeats(t *testing.T) {
	out, done := &tail{seen: make(chan string, 1)}, make(chan int, 1)
	dir := t.TempDir()
	ctx, end := context.WithCancel(t.Context())
	go func() {
		defer close(done)
		done <- run(ctx, []string{"demo", "--addr", "127.0.0.1:0", "--dir", dir}, out, os.Stderr, func(string) string { return "" })
	}()
	t.Cleanup(func() { // before the folder is removed
		end()
		for range done {
		}
	})
	var addr string
	select {
	case addr = <-out.seen:
	case code := <-done:
		t.Fatalf("the demo ended with %d:\n%s", code, out.String())
	}
	v := visit(t, addr)
	_, at, page := v.open("/", nil)
	if !strings.HasPrefix(at, "/sign-in") || !strings.Contains(page, "周启航") || !strings.Contains(page, "督查员") {
		t.Fatalf("the demo opens at %s without its seats", at)
	}
	if _, at, page := v.open("/seat", url.Values{"login": {"zhou"}, "next": {"/todo"}}); at != "/todo" || !strings.Contains(page, "周启航") {
		t.Errorf("the owner's seat leads to %s", at)
	}
	if _, at, page := v.open("/seat", url.Values{"login": {"zhang"}, "next": {"/todo"}}); at != "/todo" || !strings.Contains(page, "张岚") {
		t.Errorf("the supervisor's seat leads to %s", at)
	}
	if status, _, _ := v.open("/seat", url.Values{"login": {"operator"}}); status != http.StatusForbidden {
		t.Errorf("a seat that is none answers %d", status)
	}
	// What takes days need not: visitors let them go by, and stay signed in.
	day := func() string {
		_, _, page := v.open("/todo", nil)
		return regexp.MustCompile(`演示里的今天：([0-9-]+)`).FindString(page)
	}
	if before := day(); before == "" {
		t.Error("the demo does not say what day it is")
	} else if _, at, _ := v.open("/seat", url.Values{"days": {"7"}, "next": {"/todo"}}); at != "/todo" {
		t.Errorf("letting a week go by leads to %s", at)
	} else if after := day(); after <= before {
		t.Errorf("a week after %q is %q", before, after)
	}
	if status, _, _ := v.open("/seat", url.Values{"days": {"400"}}); status != http.StatusUnprocessableEntity {
		t.Errorf("400 days at once answer %d", status)
	}
	if status, at, _ := v.open("/seat", nil); status != http.StatusOK || at != "/overview" { // a form's address, opened by hand
		t.Errorf("the address of a form answers %d at %s", status, at)
	}
	for _, path := range []string{"/overview", "/todo", "/ledger", "/trail", "/workflows"} {
		if status, at, _ := v.open(path, nil); status != http.StatusOK || at != path {
			t.Errorf("%s answers %d at %s", path, status, at)
		}
	}
	if status, _, page := v.open("/nowhere", nil); status != http.StatusNotFound || !strings.Contains(page, "没有这个页面") {
		t.Errorf("an address that is none answers %d", status)
	}
	real := serve(t, fresh(t), nil) // outside the demo there are no seats
	defer real.end()
	if status, _, _ := visit(t, real.addr).open("/seat", url.Values{"login": {"zhou"}}); status != http.StatusNotFound {
		t.Errorf("a seat outside the demo answers %d", status)
	}
}
