package authtest

import (
	"crypto/rand"
	"encoding/xml"
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// CAS is a server that follows the CAS protocol specification 3.0.3 of Apereo
// (https://apereo.github.io/cas/development/protocol/CAS-Protocol-Specification.html): /login of section 2.1 with the
// parameters service and renew, tickets of section 3.1 that are good once, for ten seconds and for the service that
// they were given for, and the answers of /p3/serviceValidate as appendix A shows them.
type CAS struct {
	URL string // with the path /cas

	mu        sync.Mutex
	users     map[string]map[string][]string // attributes by name; the password is "verysecure"
	tickets   map[string]ticket
	Validated []string // the query of each validation
	Service   string   // prefix of the services that it knows
	Last      string   // the newest ticket
	Trouble   string   // an answer instead of those of the protocol
}

type ticket struct {
	user, service string
	until         time.Time
}

// NewCAS starts a server that knows the services whose addresses begin with a prefix.
func NewCAS(t *testing.T, service string) *CAS {
	t.Helper()
	c := &CAS{users: map[string]map[string][]string{}, tickets: map[string]ticket{}, Service: service}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /cas/login", c.form)
	mux.HandleFunc("POST /cas/login", c.login)
	mux.HandleFunc("GET /cas/p3/serviceValidate", c.validate)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	c.URL = s.URL + "/cas"
	return c
}

// Add lets a user sign in, about whom the attributes are released.
func (c *CAS) Add(user string, attributes map[string][]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users[user] = attributes
}

// Answer makes the server answer validations with something else; "" with what the protocol says.
func (c *CAS) Answer(body string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Trouble = body
}

var page = template.Must(template.New("").Parse(`<!doctype html><html lang="en"><title>CAS</title><main><h1>CAS</h1><form method="post" action="/cas/login">
<input type="hidden" name="service" value="{{.Service}}"><input type="hidden" name="renew" value="{{.Renew}}"><label>User <input id="username" name="username"></label><label>Password <input id="password" type="password" name="password"></label>
<button type="submit">Sign in</button></form></main></html>`))

func (c *CAS) form(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.FormValue("service"), c.Service) {
		http.Error(w, "unauthorized service", http.StatusForbidden)
		return
	}
	_ = page.Execute(w, map[string]string{"Service": r.FormValue("service"), "Renew": r.FormValue("renew")}) // the browser has gone
}

func (c *CAS) login(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	user, service := r.PostFormValue("username"), r.PostFormValue("service")
	if _, ok := c.users[user]; !ok || r.PostFormValue("password") != Password || !strings.HasPrefix(service, c.Service) {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	c.Last = "ST-" + rand.Text()
	c.tickets[c.Last] = ticket{user, service, time.Now().Add(10 * time.Second)}
	u, err := url.Parse(service)
	if err != nil {
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	q := u.Query()
	q.Set("ticket", c.Last)
	u.RawQuery = q.Encode()
	http.Redirect(w, r, u.String(), http.StatusFound) //nolint:gosec // a stand-in on loopback sends back whoever a test sent
}

func (c *CAS) validate(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Validated = append(c.Validated, r.URL.RawQuery)
	if c.Trouble != "" {
		_, _ = w.Write([]byte(c.Trouble))
		return
	}
	name := r.FormValue("ticket")
	t, ok := c.tickets[name]
	delete(c.tickets, name) // whatever comes of it
	fail := func(code string) {
		_, _ = fmt.Fprintf(w, "<cas:serviceResponse xmlns:cas=\"http://www.yale.edu/tp/cas\">\n <cas:authenticationFailure code=%q>\n  Ticket %s not recognized\n </cas:authenticationFailure>\n</cas:serviceResponse>", code, escape(name))
	}
	switch {
	case name == "" || r.FormValue("service") == "":
		fail("INVALID_REQUEST")
	case !ok || time.Now().After(t.until):
		fail("INVALID_TICKET")
	case t.service != r.FormValue("service"):
		fail("INVALID_SERVICE")
	default:
		var attributes strings.Builder
		for k, list := range c.users[t.user] {
			for _, v := range list {
				fmt.Fprintf(&attributes, "   <cas:%s>%s</cas:%s>\n", k, escape(v), k)
			}
		}
		_, _ = fmt.Fprintf(w, `<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas">
 <cas:authenticationSuccess>
  <cas:user>%s</cas:user>
  <cas:attributes>
   <cas:authenticationDate>2015-11-12T09:30:10Z</cas:authenticationDate>
   <cas:longTermAuthenticationRequestTokenUsed>true</cas:longTermAuthenticationRequestTokenUsed>
   <cas:isFromNewLogin>true</cas:isFromNewLogin>
%s  </cas:attributes>
  <cas:proxyGrantingTicket>PGTIOU-84678-8a9d...</cas:proxyGrantingTicket>
 </cas:authenticationSuccess>
</cas:serviceResponse>`, escape(t.user), attributes.String())
	}
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}

// LogoutRequest is what the server posts to a service whose ticket's session has ended there (appendix C).
func LogoutRequest(ticket string) string {
	return `<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="LR-1" Version="2.0" IssueInstant="2026-09-24T01:02:03Z">
 <saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">@NOT_USED@</saml:NameID>
 <samlp:SessionIndex>` + escape(ticket) + `</samlp:SessionIndex>
</samlp:LogoutRequest>`
}
