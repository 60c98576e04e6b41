package console

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"bihuan/api/auth"
	"bihuan/api/auth/authtest"
)

// casBack goes through the CAS server's page and returns the address, here, that it sends the browser back to.
func casBack(t *testing.T, to, user string) string {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"username": {user}, "password": {authtest.Password}, "service": {u.Query().Get("service")}}
	u.RawQuery = ""
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	a, err := browser.PostForm(u.String(), form)
	if err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
	back := a.Header.Get("Location")
	if back == "" {
		t.Fatalf("the server does not send the browser back: %s", a.Status)
	}
	return strings.TrimPrefix(back, "https://bihuan.example.edu")
}

// flowOf is what an answer lets the browser keep, as the next request shows it.
func flowOf(a answer) string {
	for _, c := range a.Result().Cookies() {
		if c.Name == "__Host-bihuan_flow" && c.MaxAge >= 0 {
			return c.Name + "=" + c.Value
		}
	}
	return ""
}

// The pages around an identity system: the button, the link with an account, the sign-in by it, the end there, and the
// end of the link.
func TestIdentitySystemPages(t *testing.T) {
	sso := authtest.NewCAS(t, "https://bihuan.example.edu/sign-in/cas/callback")
	sso.Add("20180001", nil)
	w := realWorld(t, auth.Config{PublicURL: "https://bihuan.example.edu", Ways: []auth.Federated{{Way: &auth.CAS{Server: sso.URL}, Name: "校园 <统一> 认证"}}})
	says(t, w.ask(t, "", "/sign-in?next=/todo", nil), http.StatusOK, `href="/sign-in/cas?next=%2Ftodo"`, "校园 &lt;统一&gt; 认证", "用密码登录")

	leave := w.ask(t, "", "/sign-in/cas?next=//evil.example", nil)
	if to := leave.Header().Get("Location"); leave.Code != http.StatusSeeOther || !strings.HasPrefix(to, sso.URL+"/login?service=") || flowOf(leave) == "" {
		t.Fatalf("%d to %q", leave.Code, to)
	}
	back := casBack(t, leave.Header().Get("Location"), "20180001")
	unlinked := w.ask(t, "", back, nil, "Cookie", flowOf(leave))
	says(t, unlinked, http.StatusForbidden, "还没有与本系统的账号关联")
	if given(unlinked) != "" {
		t.Error("somebody who is linked with no account gets a session")
	}
	says(t, w.ask(t, "", back, nil), http.StatusUnprocessableEntity, "登录已超时或已经完成")
	if a := w.ask(t, "", "/sign-in/fax", nil); a.Code != http.StatusNotFound {
		t.Errorf("a way that there is not: %d", a.Code)
	}

	zhang := w.enter(t, "zhang")
	says(t, w.ask(t, zhang, "/account", nil), http.StatusOK, `href="/account/link/cas"`)
	leads(t, w.ask(t, "", "/account/link/cas", nil), "/sign-in?next=%2Faccount%2Flink%2Fcas")
	leave = w.ask(t, zhang, "/account/link/cas", nil)
	linked := w.ask(t, zhang, casBack(t, leave.Header().Get("Location"), "20180001"), nil, "Cookie", flowOf(leave))
	leads(t, linked, "/account?done=linked")
	zhang = given(linked)
	says(t, w.ask(t, zhang, "/account?done=linked", nil), http.StatusOK, "20180001", "取消关联")

	leave = w.ask(t, "", "/sign-in/cas?next=/todo", nil)
	back = casBack(t, leave.Header().Get("Location"), "20180001")
	in := w.ask(t, "", back, nil, "Cookie", flowOf(leave))
	leads(t, in, "/todo")
	if a := w.ask(t, given(in), "/todo", nil); a.Code != http.StatusOK {
		t.Errorf("after the sign-in: %d", a.Code)
	}
	// The server's own request has neither a cookie nor an origin.
	logout := func(body string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/sign-in/cas/callback", strings.NewReader(url.Values{"logoutRequest": {body}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		rec := httptest.NewRecorder()
		w.router.ServeHTTP(rec, r)
		return rec.Code
	}
	if code := logout("nonsense"); code != http.StatusUnprocessableEntity {
		t.Errorf("nonsense: %d", code)
	}
	u, err := url.Parse(back)
	if err != nil {
		t.Fatal(err)
	}
	if code := logout(authtest.LogoutRequest(u.Query().Get("ticket"))); code != http.StatusNoContent {
		t.Errorf("the end at the server: %d", code)
	}
	leads(t, w.ask(t, given(in), "/todo", nil), "/sign-in?next=%2Ftodo")

	id := url.Values{"issuer": {"cas:" + sso.URL}, "subject": {"20180001"}}
	if a := w.ask(t, zhang, "/account/unlink", url.Values{"issuer": {"cas:" + sso.URL}, "subject": {"somebody else"}}); a.Code != http.StatusNotFound {
		t.Errorf("parting what is not linked: %d", a.Code)
	}
	leads(t, w.ask(t, zhang, "/account/unlink", id), "/sign-in?done=unlinked")
	leave = w.ask(t, "", "/sign-in/cas", nil)
	says(t, w.ask(t, "", casBack(t, leave.Header().Get("Location"), "20180001"), nil, "Cookie", flowOf(leave)), http.StatusForbidden, "还没有与本系统的账号关联")
}

// Whoever can sign in by an identity system alone keeps it.
func TestTheLastWayInStays(t *testing.T) {
	sso := authtest.NewCAS(t, "https://bihuan.example.edu/sign-in/cas/callback")
	sso.Add("20180001", map[string][]string{"cn": {"何新"}})
	w := realWorld(t, auth.Config{PublicURL: "https://bihuan.example.edu", Ways: []auth.Federated{{Way: &auth.CAS{Server: sso.URL}, Provision: true,
		Mapping: auth.Mapping{Login: "user", Name: "cn"}}}})
	leave := w.ask(t, "", "/sign-in/cas", nil)
	in := w.ask(t, "", casBack(t, leave.Header().Get("Location"), "20180001"), nil, "Cookie", flowOf(leave))
	leads(t, in, "/")
	says(t, w.ask(t, given(in), "/account/unlink", url.Values{"issuer": {"cas:" + sso.URL}, "subject": {"20180001"}}), http.StatusConflict, "没有别的登录方式")
	if u, err := w.engine.User(t.Context(), "20180001"); err != nil || u.Name != "何新" || len(u.Grants) != 0 {
		t.Errorf("user %+v (%v)", u, err)
	}
	says(t, w.ask(t, given(in), "/prove", nil), http.StatusOK, "请退出后重新登录")
}
