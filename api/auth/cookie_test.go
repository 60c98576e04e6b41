package auth_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"

	"bihuan/api/auth"
)

// Line 8.
func TestCookies(t *testing.T) {
	const session = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for _, tt := range []struct {
		name, host, remote, proto string
		tls                       bool
		plain                     bool
	}{
		{name: "HTTPS", host: "loop.example.edu", remote: "10.0.0.1:1", tls: true},
		{name: "HTTPS on this machine", host: "localhost:8443", remote: "127.0.0.1:1", tls: true},
		{name: "behind a proxy on this machine", host: "loop.example.edu", remote: "127.0.0.1:1"},
		{name: "behind a proxy that changes the host and says so", host: "127.0.0.1:8080", remote: "127.0.0.1:1", proto: "https"},
		{name: "plain HTTP from elsewhere", host: "loop.example.edu", remote: "10.0.0.1:1"},
		{name: "plain HTTP from elsewhere that claims to be here", host: "localhost", remote: "10.0.0.1:1"},
		{name: "a name that begins like this machine's", host: "localhost.example.edu", remote: "127.0.0.1:1"},
		{name: "plain HTTP on this machine", host: "127.0.0.1:8080", remote: "127.0.0.1:1", plain: true},
		{name: "by name", host: "localhost:8080", remote: "127.0.0.1:1", plain: true},
		{name: "by IPv6", host: "[::1]:8080", remote: "[::1]:1", plain: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Host, r.RemoteAddr = tt.host, tt.remote
			if tt.proto != "" {
				r.Header.Set("X-Forwarded-Proto", tt.proto)
			}
			if tt.tls {
				r.TLS = &tls.ConnectionState{}
			}
			w := httptest.NewRecorder()
			auth.SetCookie(w, r, session)
			set := w.Result().Cookies()
			if len(set) != 2 {
				t.Fatalf("%d cookies", len(set))
			}
			prefix := "__Host-"
			if tt.plain {
				prefix = ""
			}
			for i, name := range []string{"bihuan_session", "bihuan_device"} {
				c := set[i]
				if c.Name != prefix+name || c.Secure == tt.plain || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
					t.Errorf("cookie %s", c)
				}
			}
			if set[0].MaxAge != 0 || set[0].Value != session || set[1].Value != auth.Device(session) {
				t.Errorf("cookies %v: want a session until the browser closes, and its device", set)
			}

			back := r.Clone(t.Context())
			for _, c := range set {
				back.AddCookie(c)
			}
			if auth.Cookie(back) != session || auth.KnownDevice(back) != auth.Device(session) {
				t.Errorf("read %q and %q", auth.Cookie(back), auth.KnownDevice(back))
			}
			other := r.Clone(t.Context()) // the same under the name that does not fit here
			for _, c := range set {
				other.AddCookie(&http.Cookie{Name: map[bool]string{true: "__Host-" + c.Name, false: c.Name[min(7, len(c.Name)):]}[tt.plain], Value: c.Value})
			}
			if auth.Cookie(other) != "" || auth.KnownDevice(other) != "" {
				t.Error("a cookie without the right name counts")
			}
			back.AddCookie(&http.Cookie{Name: prefix + "bihuan_session", Value: "planted"})
			if auth.Cookie(back) != "" {
				t.Error("one of two cookies counts")
			}

			w = httptest.NewRecorder()
			auth.ClearCookie(w, r)
			cleared := w.Result().Cookies()
			if len(cleared) != 1 || cleared[0].Name != prefix+"bihuan_session" || cleared[0].MaxAge >= 0 || cleared[0].Value != "" || cleared[0].Secure == tt.plain {
				t.Errorf("cleared %v", cleared)
			}
		})
	}
}
