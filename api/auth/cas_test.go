package auth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"bihuan/api/auth"
	"bihuan/api/auth/authtest"
	"bihuan/engine"
)

// casLogin goes through the server's page and returns what it sends the browser back with.
func casLogin(t *testing.T, to, user string) url.Values {
	t.Helper()
	var came *url.URL
	browser := &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error { came = r.URL; return http.ErrUseLastResponse }}
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"username": {user}, "password": {authtest.Password}, "service": {u.Query().Get("service")}}
	u.RawQuery = ""
	a, err := browser.PostForm(u.String(), form)
	if err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
	if came == nil || !strings.HasPrefix(came.String(), publicURL+"/sign-in/cas/callback?") {
		t.Fatalf("the server does not send the browser back: %s", a.Status)
	}
	return came.Query()
}

// Line 6: a ticket is validated once, for exactly the service that the browser was sent with; the server and the name
// there are the identity.
func TestSignInByCAS(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := authtest.NewCAS(t, publicURL+"/sign-in/cas/callback?state=")
		c.Add("20180001", map[string][]string{"cn": {"张 <三>"}, "mail": {"zhang@example.edu"}, "memberOf": {"staff", "cn=leaders,ou=x"}, "dept": {"计算机学院"}})
		way := auth.Federated{Way: &auth.CAS{Server: c.URL + "/"}}
		h.federated(way)
		h.people("zhang", "20180001")
		ctx := t.Context()
		by := func() (string, error) {
			t.Helper()
			to, flow, err := h.door.Leave(ctx, "cas", "/todo", false)
			h.must(err)
			cookie, _, err := h.door.Return(ctx, "cas", flow, casLogin(t, to, "20180001"), "", "10.0.0.1:1000")
			return cookie, err
		}
		if cookie, err := by(); cookie != "" || key(err) != "way.unlinked" {
			t.Errorf("linked with nothing but a login of the same name: %v", err)
		}
		_, err := h.engine.Link(ctx, engine.Operator(), "zhang", engine.Identity{Issuer: "cas:" + c.URL, Subject: "20180001", Way: "cas"})
		h.must(err)
		cookie, err := by()
		h.must(err)
		_, u, err := h.door.Actor(ctx, cookie)
		h.must(err)
		if u.Login != "zhang" {
			t.Errorf("signed in as %q", u.Login)
		}
		if n := len(c.Validated); n != 2 {
			t.Errorf("%d validations of two tickets", n)
		}

		to, flow, err := h.door.Leave(ctx, "cas", "/", false)
		h.must(err)
		query := casLogin(t, to, "20180001")
		asked, err := url.ParseQuery(c.Validated[1])
		h.must(err)
		if s := asked.Get("service"); !strings.HasPrefix(s, publicURL+"/sign-in/cas/callback?state=") || asked.Has("renew") {
			t.Errorf("validated %q", c.Validated[1])
		}
		_, other, err := h.door.Leave(ctx, "cas", "/", false)
		h.must(err)
		if _, _, err := h.door.Return(ctx, "cas", other, query, "", ""); key(err) != "way.stray" || len(c.Validated) != 2 {
			t.Errorf("a ticket in another browser: %v, %d validations", err, len(c.Validated))
		}
		if _, _, err := h.door.Return(ctx, "cas", flow, url.Values{"state": query["state"]}, "", ""); key(err) != "way.refused" {
			t.Errorf("without a ticket: %v", err)
		}
		if _, _, err := h.door.Return(ctx, "cas", flow, url.Values{"state": query["state"], "ticket": {"ST-invented"}}, "", ""); key(err) != "way.refused" {
			t.Errorf("an invented ticket: %v", err)
		}
		_, _, err = h.door.Return(ctx, "cas", flow, query, "", "")
		h.must(err)
		if cookie, _, err := h.door.Return(ctx, "cas", flow, query, "", ""); cookie != "" || key(err) != "way.refused" {
			t.Errorf("a ticket twice: %v", err)
		}
		// A ticket that was given for another service.
		to, flow, err = h.door.Leave(ctx, "cas", "/", false)
		h.must(err)
		own, err := url.Parse(to)
		h.must(err)
		state := strings.TrimPrefix(own.Query().Get("service"), publicURL+"/sign-in/cas/callback?state=")
		foreign := casLogin(t, c.URL+"/login?service="+url.QueryEscape(publicURL+"/sign-in/cas/callback?state=foreign"), "20180001")
		if cookie, _, err := h.door.Return(ctx, "cas", flow, url.Values{"state": {state}, "ticket": foreign["ticket"]}, "", ""); cookie != "" || key(err) != "way.refused" {
			t.Errorf("a ticket for another service: %v", err)
		}
		h.intact()
	})
}

// Nothing but the protocol's own yes lets anybody in.
func TestCASAnswers(t *testing.T) {
	c := authtest.NewCAS(t, publicURL)
	way := &auth.CAS{Server: c.URL}
	const ns = `<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas">`
	const yes = `<cas:authenticationSuccess><cas:user>zhang</cas:user><cas:attributes><cas:group> a </cas:group><cas:group>b</cas:group></cas:attributes></cas:authenticationSuccess>`
	for _, tt := range []struct {
		name, body string
		ok         bool
	}{
		{"yes", ns + yes + "</cas:serviceResponse>", true},
		{"yes and no", ns + yes + `<cas:authenticationFailure code="INVALID_TICKET"/></cas:serviceResponse>`, false},
		{"nobody", ns + "<cas:authenticationSuccess><cas:user> </cas:user></cas:authenticationSuccess></cas:serviceResponse>", false},
		{"neither", ns + "</cas:serviceResponse>", false},
		{"another namespace", `<serviceResponse><authenticationSuccess><user>zhang</user></authenticationSuccess></serviceResponse>`, false},
		{"an old protocol", "yes\nzhang\n", false},
		{"a page", "<html><body>500</body></html>", false},
		{"half an answer", ns + yes, false},
		{"an entity from elsewhere", `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>` + ns + `<cas:authenticationSuccess><cas:user>&e;</cas:user></cas:authenticationSuccess></cas:serviceResponse>`, false},
		{"too much", ns + "<!--" + strings.Repeat("x", 2<<20) + "-->" + yes + "</cas:serviceResponse>", false},
	} {
		c.Answer(tt.body)
		v, err := way.Finish(t.Context(), publicURL, auth.Flow{State: "s"}, url.Values{"ticket": {"ST-1"}})
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
		if tt.ok && (v.Issuer != "cas:"+c.URL || v.Subject != "zhang" || strings.Join(v.Claims["group"], ",") != "a,b" || v.Claims["user"][0] != "zhang" || v.Ticket != "ST-1") {
			t.Errorf("%s: %+v", tt.name, v)
		}
	}
}

// Whoever is new gets an account with the roles of the attributes; when the CAS server says that they have signed out
// there, the session ends on every replica.
func TestProvisionAndSingleLogoutByCAS(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := authtest.NewCAS(t, publicURL)
		c.Add("20180001", map[string][]string{"cn": {"张三"}, "memberOf": {"staff", "cn=leaders,ou=x"}})
		h.people("admin")
		h.grant("admin", engine.Admin)
		h.federated(auth.Federated{Way: &auth.CAS{Server: c.URL}, Provision: true, Mapping: auth.Mapping{Login: "user", Name: "cn",
			Roles: []auth.RoleRule{{Claim: "memberOf", Value: "cn=leaders,ou=x", Role: engine.Leader, Unit: "dw"}}}})
		other := h.replica(auth.Standard)
		ctx := t.Context()
		by := func() (cookie, ticket string) {
			t.Helper()
			to, flow, err := h.door.Leave(ctx, "cas", "/todo", false)
			h.must(err)
			query := casLogin(t, to, "20180001")
			cookie, next, err := h.door.Return(ctx, "cas", flow, query, "", "10.0.0.1:1000")
			h.must(err)
			if next != "/todo" {
				t.Errorf("led to %q", next)
			}
			return cookie, query.Get("ticket")
		}
		first, ticket := by()
		a, u, err := h.door.Actor(ctx, first)
		h.must(err)
		if u.Login != "20180001" || u.Name != "张三" || len(a.Grants) != 1 || a.Grants[0].Role != engine.Leader {
			t.Errorf("%+v as %+v", a, u)
		}
		second, _ := by()
		for _, bad := range []string{"", "nonsense", authtest.LogoutRequest("")} {
			if err := h.door.SignedOut(ctx, "cas", bad); key(err) != "way.stray" {
				t.Errorf("%q: %v", bad, err)
			}
		}
		h.must(h.door.SignedOut(ctx, "cas", authtest.LogoutRequest("ST-invented")))
		if !h.holds(first) || !h.holds(second) {
			t.Error("an invented ticket ends a session")
		}
		h.must(h.door.SignedOut(ctx, "cas", authtest.LogoutRequest(ticket)))
		if other.holds(first) || !other.holds(second) {
			t.Error("not the session of the ticket was ended")
		}
		h.must(h.door.SignedOut(ctx, "cas", authtest.LogoutRequest(ticket)))
		if list := h.entries("actor/" + string(u.ID)); count(list, "end_sessions by federation") != 1 {
			t.Errorf("entries: %v", list)
		}
		if strings.Contains(h.log.String(), ticket) {
			t.Error("the log shows a ticket")
		}
		h.intact()
	})
}
