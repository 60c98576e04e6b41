package auth

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"bihuan/engine"
)

// CAS is a way in by the CAS protocol 3.0: a ticket in the browser's address is validated once, by this server at the
// CAS server's /p3/serviceValidate, for exactly the service address that the browser was sent to. People are known by
// the server and the name of the user there.
type CAS struct {
	Server string // its address, such as https://sso.example.edu/cas
}

// ID is the way's word.
func (*CAS) ID() string { return "cas" }

func (c *CAS) base() string { return strings.TrimSuffix(c.Server, "/") }

// service is where the browser comes back to. CAS knows no state, so that the address carries it.
func service(back string, f Flow) string { return back + "?state=" + url.QueryEscape(f.State) }

// Begin returns the address of the server's page.
func (c *CAS) Begin(_ context.Context, back string, f Flow) (string, error) {
	to := c.base() + "/login?service=" + url.QueryEscape(service(back, f))
	if f.Link { // whoever links must not be somebody who forgot to sign out there
		to += "&renew=true"
	}
	return to, nil
}

// serviceResponse is the server's answer (CAS protocol 3.0.2, appendix A), of which attributes may bear any name.
type serviceResponse struct {
	XMLName xml.Name `xml:"http://www.yale.edu/tp/cas serviceResponse"`
	Success *struct {
		User       string `xml:"http://www.yale.edu/tp/cas user"`
		Attributes struct {
			All []struct {
				XMLName xml.Name
				Value   string `xml:",chardata"`
			} `xml:",any"`
		} `xml:"http://www.yale.edu/tp/cas attributes"`
	} `xml:"http://www.yale.edu/tp/cas authenticationSuccess"`
	Failure *struct {
		Code string `xml:"code,attr"`
	} `xml:"http://www.yale.edu/tp/cas authenticationFailure"`
}

// maxTicket is longer than any ticket, in bytes: the protocol asks clients for 256.
const maxTicket = 512

// Finish has the ticket validated.
func (c *CAS) Finish(ctx context.Context, back string, f Flow, query url.Values) (Vouched, error) {
	ticket := query.Get("ticket")
	if ticket == "" || len(ticket) > maxTicket {
		return Vouched{}, &engine.Error{Kind: engine.Denied, Key: "way.refused"}
	}
	ask := c.base() + "/p3/serviceValidate?service=" + url.QueryEscape(service(back, f)) + "&ticket=" + url.QueryEscape(ticket)
	if f.Link {
		ask += "&renew=true"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, ask, nil)
	if err != nil {
		return Vouched{}, err
	}
	a, err := wayClient.Do(r)
	if err != nil {
		return Vouched{}, err
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		return Vouched{}, err
	}
	if a.StatusCode != http.StatusOK {
		return Vouched{}, fmt.Errorf("validation answers %s", a.Status)
	}
	var s serviceResponse
	if err := xml.Unmarshal(body, &s); err != nil {
		return Vouched{}, fmt.Errorf("validation: %w", err)
	}
	switch {
	case s.Failure != nil && s.Success == nil:
		return Vouched{}, &engine.Error{Kind: engine.Denied, Key: "way.refused", Err: fmt.Errorf("cas: %s", s.Failure.Code)}
	case s.Success == nil || s.Failure != nil || strings.TrimSpace(s.Success.User) == "":
		return Vouched{}, fmt.Errorf("validation says neither yes nor no")
	}
	v := Vouched{Issuer: "cas:" + c.base(), Subject: strings.TrimSpace(s.Success.User), Claims: map[string][]string{}, Ticket: ticket}
	for _, x := range s.Success.Attributes.All {
		v.Claims[x.XMLName.Local] = append(v.Claims[x.XMLName.Local], strings.TrimSpace(x.Value))
	}
	v.Claims["user"] = []string{v.Subject}
	return v, nil
}

// logoutRequest is how a CAS server says that somebody has signed out there (CAS protocol 3.0.2, appendix C).
type logoutRequest struct {
	XMLName      xml.Name `xml:"urn:oasis:names:tc:SAML:2.0:protocol LogoutRequest"`
	SessionIndex string   `xml:"urn:oasis:names:tc:SAML:2.0:protocol SessionIndex"`
}

// SignedOut ends the session that a CAS server says is over there, on every replica. The ticket in the request, which
// nobody else knows, is what proves it; a request about no session of ours is nothing.
func (d *Door) SignedOut(ctx context.Context, id, request string) error {
	if _, err := d.way(id); err != nil {
		return err
	}
	var r logoutRequest
	if id != "cas" || xml.Unmarshal([]byte(request), &r) != nil || r.SessionIndex == "" {
		return &engine.Error{Kind: engine.Invalid, Key: "way.stray"}
	}
	user, err := d.Store.EndTicket(ctx, ticketHash(strings.TrimSpace(r.SessionIndex)), d.now())
	if err != nil || user == "" {
		return err
	}
	return d.Engine.NoteAbout(ctx, engine.Federation(), user, "end_sessions", map[string]any{"count": 1, "why": "cas"})
}
