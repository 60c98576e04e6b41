package browsertest

import (
	"strings"
	"testing"

	"bihuan/api/auth"
	"bihuan/api/auth/authtest"
	"bihuan/engine"
)

// TestSignInByOIDCInBrowser links an identity at a real provider with an account, and then signs in by it.
func TestSignInByOIDCInBrowser(t *testing.T) {
	var idp *authtest.Provider
	h := open(t, false, func(url string) auth.Federated {
		idp = authtest.NewProvider(t, url+"/sign-in/oidc/callback")
		return auth.Federated{Way: &auth.OIDC{Issuer: idp.URL, ClientID: authtest.ClientID, ClientSecret: authtest.ClientSecret, Scopes: []string{"profile"}}}
	})
	vouch := func(p *person) {
		t.Helper()
		p.fill("#username", authtest.User)
		p.fill("#password", authtest.Password)
		p.follow("button[type=submit]")
	}
	stranger := visitor(t, h.url)
	stranger.trusts = idp.URL + "/"
	stranger.open("/sign-in?next=/todo")
	stranger.onPhone("sign-in-ways")
	stranger.follow("a[href^='/sign-in/oidc']")
	vouch(stranger)
	if stranger.sent != 403 || !stranger.has(".errsum") {
		t.Fatalf("somebody who is linked with no account: %d at %s", stranger.sent, stranger.at())
	}
	stranger.onPhone("sign-in-unlinked")

	p := visitor(t, h.url)
	p.trusts = idp.URL + "/"
	p.signIn("zhang")
	p.open("/account")
	p.follow("a[href='/account/link/oidc']")
	vouch(p)
	if p.at() != "/account" {
		t.Fatalf("linking leads to %s: %s", p.at(), p.text("#main"))
	}
	p.wants(".said", "已关联")
	p.onPhone("account-linked")

	q := visitor(t, h.url)
	q.trusts = idp.URL + "/"
	q.open("/todo") // leads to the door
	q.follow("a[href^='/sign-in/oidc']")
	vouch(q)
	if q.at() != "/todo" {
		t.Fatalf("signing in leads to %s: %s", q.at(), q.text("#main"))
	}
	q.wants(".who", h.users["zhang"].Name)
	h.intact()
}

// TestSignInByCASInBrowser gives somebody new an account with the role that the CAS server's attributes say.
func TestSignInByCASInBrowser(t *testing.T) {
	var sso *authtest.CAS
	h := open(t, false, func(url string) auth.Federated {
		sso = authtest.NewCAS(t, url+"/sign-in/cas/callback")
		return auth.Federated{Way: &auth.CAS{Server: sso.URL}, Name: "示例城市学院统一身份认证", Provision: true,
			Mapping: auth.Mapping{Login: "user", Name: "cn", Roles: []auth.RoleRule{{Claim: "memberOf", Value: "supervisors", Role: engine.Supervisor, Unit: "csxy"}}}}
	})
	sso.Add("20180001", map[string][]string{"cn": {"何新"}, "memberOf": {"staff", "supervisors"}})
	p := visitor(t, h.url)
	p.trusts = strings.TrimSuffix(sso.URL, "cas")
	p.open("/ledger") // leads to the door
	p.wants("#main", "示例城市学院统一身份认证")
	p.follow("a[href^='/sign-in/cas']")
	p.fill("#username", "20180001")
	p.fill("#password", authtest.Password)
	p.follow("button[type=submit]")
	if p.at() != "/ledger" {
		t.Fatalf("signing in leads to %s: %s", p.at(), p.text("#main"))
	}
	p.wants(".who", "何新", engine.Supervisor.In("zh-CN"))
	h.intact()
}
