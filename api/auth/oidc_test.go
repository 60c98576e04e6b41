package auth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"bihuan/api/auth"
	"bihuan/api/auth/authtest"
	"bihuan/engine"
)

// publicURL is where the tests' browsers come back to; nothing listens there.
const publicURL = "https://bihuan.example.edu"

// provider is one with a browser that goes through its pages.
type provider struct{ *authtest.Provider }

func newProvider(t *testing.T) *provider {
	t.Helper()
	return &provider{authtest.NewProvider(t, publicURL+"/sign-in/oidc/callback")}
}

// login goes through the provider's pages as a browser does, and returns what it sends the browser back with.
func (p *provider) login(t *testing.T, to, user string) url.Values {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	var came *url.URL
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), publicURL) {
			came = r.URL
			return http.ErrUseLastResponse
		}
		return nil
	}}
	a, err := browser.Get(to)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(a.Body)
	a.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindSubmatch(body)
	if id == nil {
		t.Fatalf("the provider shows no form: %s", body)
	}
	a, err = browser.PostForm(p.URL+"/login/username", url.Values{"username": {user}, "password": {"verysecure"}, "id": {string(id[1])}})
	if err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
	if came == nil {
		t.Fatal("the provider does not send the browser back")
	}
	return came.Query()
}

// federated gives the house a door with a way in.
func (h *house) federated(ways ...auth.Federated) {
	h.t.Helper()
	var err error
	h.door, err = auth.New(auth.Config{Engine: h.engine, Store: h.db, Ways: ways, PublicURL: publicURL, Log: slog.New(slog.NewJSONHandler(h.log, nil))})
	h.must(err)
	h.cheap()
}

func oidcWay(p *provider) auth.Federated {
	return auth.Federated{Way: &auth.OIDC{Issuer: p.URL, ClientID: "bihuan", ClientSecret: "client-secret", Scopes: []string{"profile", "email"}}}
}

// by signs in by OpenID Connect as a user of the provider.
func (h *house) by(p *provider, user string) (cookie, next string, err error) {
	h.t.Helper()
	to, flow, err := h.door.Leave(h.t.Context(), "oidc", "/todo", false)
	h.must(err)
	return h.door.Return(h.t.Context(), "oidc", flow, p.login(h.t, to, user), "", "10.0.0.1:1000")
}

// Line 6: code, PKCE, state and nonce with a real provider; issuer and subject are the identity, and no mail address or
// login links it.
func TestSignInByOIDC(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := newProvider(t)
		h.federated(oidcWay(p))
		h.people("zhang", "test-user2") // a login that is the same as the provider's name of somebody
		ctx := t.Context()
		to, flow, err := h.door.Leave(ctx, "oidc", "/todo", false)
		h.must(err)
		u, err := url.Parse(to)
		h.must(err)
		q := u.Query()
		if q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || len(q.Get("state")) != 43 || len(q.Get("nonce")) != 43 ||
			q.Get("redirect_uri") != publicURL+"/sign-in/oidc/callback" || q.Get("scope") != "openid profile email" || q.Get("prompt") != "" {
			t.Errorf("the browser is sent to %s", to)
		}
		if cookie, _, err := h.by(p, "test-user2"); cookie != "" || key(err) != "way.unlinked" {
			t.Errorf("somebody who is linked with no account: %v", err)
		}
		id := engine.Identity{Issuer: p.URL, Subject: "id2", Way: "oidc"}
		_, err = h.engine.Link(ctx, engine.Operator(), "zhang", id)
		h.must(err)
		cookie, next, err := h.by(p, "test-user2")
		h.must(err)
		_, who, err := h.door.Actor(ctx, cookie)
		h.must(err)
		if who.Login != "zhang" || next != "/todo" {
			t.Errorf("signed in as %q to %q", who.Login, next)
		}
		if list := h.entries("actor/" + string(who.ID)); count(list, "sign_in by "+string(who.ID)+` {"method":"oidc"}`) != 1 {
			t.Errorf("entries: %v", list)
		}

		// What comes back must answer what was asked, by the browser that asked, once and in time.
		query := p.login(t, to, "test-user2")
		_, other, err := h.door.Leave(ctx, "oidc", "/todo", false)
		h.must(err)
		forged := url.Values{"code": query["code"], "state": {"forged"}}
		for name, try := range map[string]struct {
			flow  string
			query url.Values
		}{"another browser": {other, query}, "no browser": {"", query}, "another state": {flow, forged}, "no state": {flow, url.Values{"code": query["code"]}}, "nonsense": {"{}", query}} {
			if cookie, _, err := h.door.Return(ctx, "oidc", try.flow, try.query, "", ""); cookie != "" || key(err) != "way.stray" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, _, err := h.door.Return(ctx, "cas", flow, query, "", ""); key(err) != "way.unknown" {
			t.Errorf("another way: %v", err)
		}
		_, _, err = h.door.Return(ctx, "oidc", flow, query, "", "")
		h.must(err)
		if cookie, _, err := h.door.Return(ctx, "oidc", flow, query, "", ""); cookie != "" || key(err) != "way.refused" {
			t.Errorf("a code twice: %v", err)
		}
		if _, _, err := h.door.Return(ctx, "oidc", flow, url.Values{"error": {"access_denied"}, "state": {q.Get("state")}}, "", ""); key(err) != "way.refused" {
			t.Errorf("a refusal: %v", err)
		}
		to, flow, err = h.door.Leave(ctx, "oidc", "/", false)
		h.must(err)
		query = p.login(t, to, "test-user2")
		h.wait(10 * time.Minute)
		if _, _, err := h.door.Return(ctx, "oidc", flow, query, "", ""); key(err) != "way.stray" {
			t.Errorf("ten minutes later: %v", err)
		}
		_, err = h.engine.Disable(ctx, engine.Operator(), "zhang")
		h.must(err)
		if _, _, err := h.by(p, "test-user2"); key(err) != "way.disabled" {
			t.Errorf("a closed account: %v", err)
		}
		if strings.Contains(h.log.String(), "client-secret") {
			t.Error("the log shows the client's secret")
		}
		h.intact()
	})
}

// PKCE and nonce are looked at: a flow with another verifier or nonce lets nobody in.
func TestOIDCIsBoundToItsFlow(t *testing.T) {
	p := newProvider(t)
	way := oidcWay(p).Way
	back := publicURL + "/sign-in/oidc/callback"
	challenge := sha256.Sum256([]byte(strings.Repeat("v", 43)))
	f := auth.Flow{Way: "oidc", State: "s", Nonce: "n", Verifier: strings.Repeat("v", 43)}
	for name, change := range map[string]func(*auth.Flow){
		"as it was": func(*auth.Flow) {}, "another verifier": func(f *auth.Flow) { f.Verifier = strings.Repeat("w", 43) }, "another nonce": func(f *auth.Flow) { f.Nonce = "m" },
	} {
		to, err := way.Begin(t.Context(), back, f)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(to, base64.RawURLEncoding.EncodeToString(challenge[:])) {
			t.Errorf("%s does not carry the challenge", to)
		}
		query := p.login(t, to, "test-user2")
		changed := f
		change(&changed)
		v, err := way.Finish(t.Context(), back, changed, query)
		if (err == nil) != (name == "as it was") {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && (v.Issuer != p.URL || v.Subject != "id2" || v.Claims["preferred_username"][0] != "test-user2" || v.Ticket != "") {
			t.Errorf("vouched for %+v", v)
		}
	}
	stranger := &auth.OIDC{Issuer: p.URL + "/", ClientID: "bihuan", ClientSecret: "client-secret"}
	if _, err := stranger.Begin(t.Context(), back, f); err == nil {
		t.Error("a provider that calls itself otherwise is believed")
	}
}

// Whoever is new gets an account where that is wanted, with the roles that claims give, and loses those again that they
// give no more. A login that is taken is nobody else's.
func TestProvisionByOIDC(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := newProvider(t)
		way := oidcWay(p)
		way.Provision = true
		way.Mapping = auth.Mapping{Login: "preferred_username", Name: "name", Unit: "department", Units: map[string]string{"计算机学院": "jsj", "学工部": "xgb"},
			Roles: []auth.RoleRule{{Claim: "groups", Value: "supervisors", Role: engine.Supervisor, Unit: "dw"}, {Claim: "title", Value: "支部书记", Role: engine.Secretary, Unit: "*"}}}
		h.federated(way)
		h.people("admin")
		h.grant("admin", engine.Admin)
		for _, code := range []string{"jsj", "xgb"} {
			_, err := h.engine.AddUnit(t.Context(), engine.Operator(), "dw", code, code)
			h.must(err)
		}
		roles := func(cookie string) string {
			t.Helper()
			a, _, err := h.door.Actor(t.Context(), cookie)
			h.must(err)
			var out []string
			for _, g := range a.Grants {
				u, err := h.engine.Unit(t.Context(), string(g.UnitID))
				h.must(err)
				out = append(out, string(g.Role)+"@"+u.Code)
			}
			return strings.Join(out, " ")
		}
		p.Says(map[string]any{"groups": []string{"staff", "supervisors"}, "department": "计算机学院", "title": "支部书记"})
		cookie, _, err := h.by(p, "test-user2")
		h.must(err)
		if got := roles(cookie); got != "supervisor@dw secretary@jsj" {
			t.Errorf("roles %q", got)
		}
		u := h.user("test-user2")
		if u.Name != "Test User2" {
			t.Errorf("named %q", u.Name)
		}
		h.grant("test-user2", engine.Leader) // by the security administrator, no matter of the claims
		p.Says(map[string]any{"groups": "staff", "department": "学工部", "title": "支部书记"})
		cookie, _, err = h.by(p, "test-user2")
		h.must(err)
		if got := roles(cookie); got != "leader@dw secretary@xgb" {
			t.Errorf("roles after a move %q", got)
		}
		p.Says(nil)
		cookie, _, err = h.by(p, "test-user2")
		h.must(err)
		if got := roles(cookie); got != "leader@dw" {
			t.Errorf("roles without claims %q", got)
		}
		if list := h.entries("user/" + string(u.ID)); count(list, "add_user by federation") != 1 || count(list, "grant by federation") != 3 || count(list, "revoke by federation") != 3 {
			t.Errorf("entries: %v", list)
		}
		// The login of the provider's first user has an @ in it, which no login here has.
		if _, _, err := h.by(p, "test-user@127.0.0.1"); key(err) != "user.bad_login" {
			t.Errorf("a login that cannot be: %v", err)
		}
		// Another identity with a login that is taken gets no account, and not that one either.
		_, err = h.engine.Unlink(t.Context(), engine.Operator(), "test-user2", engine.Identity{Issuer: p.URL, Subject: "id2"})
		h.must(err)
		if h.holds(cookie) {
			t.Error("the session goes on without the identity")
		}
		if _, _, err := h.by(p, "test-user2"); key(err) != "user.login_taken" {
			t.Errorf("a login that is taken: %v", err)
		}
		h.intact()
	})
}

// Claims may name units by their codes, without a table. Whoever moves loses the role at the former unit; a unit that was
// closed gives no role, and keeps nobody out.
func TestOwnUnitByItsCode(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := newProvider(t)
		way := oidcWay(p)
		way.Provision = true
		way.Mapping = auth.Mapping{Login: "preferred_username", Name: "name", Unit: "department",
			Roles: []auth.RoleRule{{Claim: "title", Value: "支部书记", Role: engine.Secretary, Unit: "*"}}}
		h.federated(way)
		h.people("admin")
		for _, code := range []string{"jsj", "xgb"} {
			_, err := h.engine.AddUnit(t.Context(), engine.Operator(), "dw", code, code)
			h.must(err)
		}
		in := func(unit, want string) {
			t.Helper()
			p.Says(map[string]any{"department": unit, "title": "支部书记"})
			if _, _, err := h.by(p, "test-user2"); err != nil {
				t.Fatalf("of %s: %v", unit, err)
			}
			var got []string
			for _, g := range h.user("test-user2").Grants {
				u, err := h.engine.Unit(t.Context(), string(g.UnitID))
				h.must(err)
				got = append(got, string(g.Role)+"@"+u.Code)
			}
			if s := strings.Join(got, " "); s != want {
				t.Errorf("of %s: roles %q, want %q", unit, s, want)
			}
		}
		in("jsj", "secretary@jsj")
		in("jsj", "secretary@jsj")
		in("xgb", "secretary@xgb")
		_, err := h.engine.CloseUnit(t.Context(), engine.Operator(), "jsj", "并入其他单位")
		h.must(err)
		in("jsj", "")
		h.intact()
	})
}

// People link their own identity, freshly proved and asked for anew at the provider; administrators may, for whom they
// manage; one identity belongs to one account.
func TestLinking(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := newProvider(t)
		h.federated(oidcWay(p))
		h.people("zhang", "li", "admin", "second")
		h.grant("admin", engine.Admin)
		h.grant("second", engine.Admin)
		ctx := t.Context()
		link := func(cookie string) (string, string, error) {
			to, flow, err := h.door.Leave(ctx, "oidc", "/account", true)
			h.must(err)
			if !strings.Contains(to, "prompt=login") {
				t.Errorf("who is signed in at the provider is not asked again: %s", to)
			}
			return h.door.Return(ctx, "oidc", flow, p.login(t, to, "test-user2"), cookie, "10.0.0.1")
		}
		if _, _, err := link(""); key(err) != "session.over" {
			t.Errorf("without a session: %v", err)
		}
		cookie := h.in("zhang")
		next, to, err := link(cookie)
		h.must(err)
		if h.holds(cookie) || !h.holds(next) || to != "/account?done=linked" {
			t.Errorf("after linking: led to %q", to)
		}
		if _, _, err := link(h.in("li")); key(err) != "identity.taken" {
			t.Errorf("somebody else's identity: %v", err)
		}
		h.wait(10 * time.Minute)
		if _, _, err := link(next); key(err) != "prove.first" {
			t.Errorf("without a fresh proof: %v", err)
		}
		actor := func(login string) engine.Actor {
			a, _, err := h.door.Actor(ctx, h.in(login))
			h.must(err)
			return a
		}
		id := engine.Identity{Issuer: p.URL, Subject: "other", Way: "oidc"}
		if _, err := h.engine.Link(ctx, actor("li"), "zhang", id); engine.KindOf(err) != engine.Denied {
			t.Errorf("for somebody else: %v", err)
		}
		if _, err := h.engine.Link(ctx, actor("admin"), "second", id); key(err) != "account.separated" {
			t.Errorf("for another administrator: %v", err)
		}
		_, err = h.engine.Link(ctx, actor("admin"), "li", id)
		h.must(err)
		if _, err := h.engine.Unlink(ctx, actor("admin"), "zhang", id); key(err) != "identity.unknown" {
			t.Errorf("parting what is not linked: %v", err)
		}
		for _, bad := range []engine.Identity{{Issuer: p.URL}, {Subject: "x"}, {Issuer: p.URL, Subject: strings.Repeat("x", 501)}} {
			if _, err := h.engine.Link(ctx, engine.Operator(), "li", bad); key(err) != "identity.malformed" {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		if list := h.entries("user/" + string(h.user("zhang").ID)); count(list, "link_identity by "+string(h.user("zhang").ID)) != 1 || strings.Contains(strings.Join(list, "\n"), "id2") {
			t.Errorf("entries: %v", list)
		}
		h.intact()
	})
}

// One-time codes are asked for by every way in, unless the identity system asks for a second factor itself.
func TestCodesAfterOIDC(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := newProvider(t)
		h.withKey()
		h.people("zhang")
		seed, _, _ := h.enrol("zhang")
		_, err := h.engine.Link(t.Context(), engine.Operator(), "zhang", engine.Identity{Issuer: p.URL, Subject: "id2", Way: "oidc"})
		h.must(err)
		h.federated(oidcWay(p))
		half, _, err := h.by(p, "test-user2")
		h.must(err)
		if _, _, err := h.door.Actor(t.Context(), half); key(err) != "totp.needed" {
			t.Errorf("without the code: %v", err)
		}
		mine, err := h.second(half, h.code(seed))
		h.must(err)
		if !h.holds(mine) {
			t.Error("the code does not let in")
		}
		strong := oidcWay(p)
		strong.Strong = true
		h.federated(strong)
		mine, _, err = h.by(p, "test-user2")
		h.must(err)
		if !h.holds(mine) {
			t.Error("a second factor is asked for besides the provider's")
		}
	})
}

// A provider that is away is said to be away, and lets nobody in.
func TestProviderAway(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := newProvider(t)
		gone := httptest.NewServer(http.NotFoundHandler())
		gone.Close()
		way := oidcWay(p)
		way.Way = &auth.OIDC{Issuer: gone.URL, ClientID: "bihuan"}
		h.federated(way)
		if _, _, err := h.door.Leave(t.Context(), "oidc", "/", false); engine.KindOf(err) != engine.Unavailable {
			t.Errorf("%v", err)
		}
	})
}
