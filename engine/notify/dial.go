package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"
)

// Limits of a conversation with a receiver.
const (
	maxAnswer   = 64 << 10         // bytes that are read of an answer
	keptAnswer  = 500              // bytes of it that the log keeps
	sendTimeout = 10 * time.Second // for everything, unless the site says otherwise
	dialTimeout = 5 * time.Second
	maxAfter    = 24 * time.Hour // longest pause that a receiver may ask for
)

// special are networks that are neither private by the library's word nor anybody's public host.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2001::/32"), netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("fec0::/10"),
}

// Network says which addresses may be asked.
type Network struct{ allowed []netip.Prefix }

// NewNetwork allows public addresses and the private networks listed, such as "10.0.0.0/8", parted by commas or spaces.
func NewNetwork(list string) (Network, error) {
	var n Network
	for text := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' || r == '\r' }) {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return n, fmt.Errorf("notify: network %q: %w", text, err)
		}
		n.allowed = append(n.allowed, p.Masked())
	}
	return n, nil
}

// Allows reports whether an address may be asked.
func (n Network) Allows(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range n.allowed {
		if p.Contains(a) {
			return true
		}
	}
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// errForbidden is the answer to an address inside. It names no address, so that nobody can use the product to find
// out what there is.
var errForbidden = &Refusal{Why: "the address lies in a private network that the site has not allowed (notify.networks)"}

// control looks at the address that a name has led to, at the last moment before it is asked: a name that answers
// otherwise the second time gains nothing.
func (n Network) control(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !n.Allows(a.Addr()) {
		return errForbidden
	}
	return nil
}

func (n Network) dialer() *net.Dialer {
	return &net.Dialer{Timeout: dialTimeout, Control: n.control}
}

// client returns the HTTP client for robots and webhooks. No proxy of the environment is used: it would do the
// asking where control cannot look.
func (n Network) client(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			Proxy: nil, DialContext: n.dialer().DialContext, TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: timeout,
			MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: maxAnswer, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// errUnread says that a receiver agreed, but the rest of its answer did not come.
var errUnread = errors.New("the answer broke off")

// post sends a body, now, and returns the answer's. Any status but 2xx is a refusal.
func post(ctx context.Context, c *http.Client, target string, header http.Header, body []byte, now time.Time) ([]byte, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, "", &Refusal{Why: "the address is malformed", Never: true}
	}
	req.Header = header
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "bihuan")
	resp, err := c.Do(req)
	if err != nil {
		return nil, "", withoutURL(err)
	}
	defer func() { _ = resp.Body.Close() }() // read as far as is wanted
	got, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	answer := "HTTP " + strconv.Itoa(resp.StatusCode) + " " + shown(got)
	if err != nil {
		err = errors.Join(errUnread, withoutURL(err))
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return got, answer, &Refusal{Why: answer, Never: resp.StatusCode == http.StatusGone, After: retryAfter(resp.Header.Get("Retry-After"), now)}
	}
	return got, answer, err
}

// withoutURL takes the address out of an error: it may hold a key.
func withoutURL(err error) error {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// retryAfter reads the header of that name, in seconds or as a date.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(s); err == nil && n > 0 {
		return min(time.Duration(min(n, int(maxAfter/time.Second)))*time.Second, maxAfter)
	}
	if t, err := http.ParseTime(s); err == nil {
		return min(max(0, t.Sub(now)), maxAfter)
	}
	return 0
}

// shown makes what a receiver said fit for the log: text, on one line, not long.
func shown(b []byte) string {
	s := strings.ToValidUTF8(string(b), "·")
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }), " ")
	return cut(s, keptAnswer)
}

// cut shortens a text to at most limit bytes, between letters.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	limit -= len("…")
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}
