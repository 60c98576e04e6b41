package browsertest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestWatch shows a browser everything that the pages must not do, so that no other test trusts a watch that sleeps.
func TestWatch(t *testing.T) {
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self' 'sha256-0'; img-src *; style-src 'self'")
		if _, err := fmt.Fprintf(w, `<p style="color:red">inline</p><script>alert(1)</script><img src="%s/far.png"><b class=injected></b><pre>%s</pre>`, other.URL, strings.Repeat("wide", 500)); err != nil {
			t.Error(err)
		}
	}))
	defer s.Close()
	p := visitor(t, s.URL)
	p.open("/")
	p.eval(`setTimeout(() => { alert('a dialog'); throw new Error('a fault') }, 0), 1`, nil)
	p.until(`document.readyState === 'complete'`)
	p.eval(`console.error('a complaint')`, nil)
	got := strings.Join(p.forget(), "\n")
	for _, want := range []string{"a request to " + other.URL + "/far.png", "inline style", "inline script", "a dialog opened: a dialog", "a fault", "a complaint"} {
		if !strings.Contains(got, want) {
			t.Errorf("nothing was noted of %q in:\n%s", want, got)
		}
	}
	if p.injected() != `<b class="injected"></b>` {
		t.Errorf("an element that came out of a text is %q", p.injected())
	}
	p.look(phone)
	if len(p.wide(phone)) == 0 {
		t.Error("a page of 2000 letters on a line fits a phone")
	}
	if found := strings.Join(p.examine(), "\n"); !strings.Contains(found, "html-has-lang") || !strings.Contains(found, "document-title") {
		t.Errorf("axe finds %q", found)
	}
}
