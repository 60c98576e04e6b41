package api_test

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"bihuan/api"
	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

func TestHealth(t *testing.T) {
	var down error
	var warnings []string
	h := newHouse(t, storagetest.Open(t, storage.SQLite), func(o *api.Options) {
		o.Ready = func(context.Context) error { return down }
		o.Warnings = func() []string { return warnings }
	})
	h.want(200, `"version":"test"`, "", "GET", "/healthz", nil)
	if a := h.want(200, `"status":"ready"`, "", "GET", "/readyz", nil); strings.Contains(a.body, "warnings") {
		t.Errorf("warnings out of nothing: %s", a.body)
	}
	warnings = []string{"audit_log_behind"}
	h.want(200, `"warnings":["audit_log_behind"]`, "", "GET", "/readyz", nil)
	down = errors.New("password=hunter2 refused")
	if a := h.want(503, "api.not_ready", "", "GET", "/readyz", nil); strings.Contains(a.body, "hunter2") {
		t.Errorf("strangers read %s", a.body)
	}
	down = nil
	h.server.Drain()
	h.want(503, "api.not_ready", "", "GET", "/readyz", nil)
	h.want(200, "", "", "GET", "/healthz", nil)
	h.want(200, `"items":[]`, "owner", "GET", "/api/v1/projects", nil) // what comes all the same is answered
}

// Every answer carries the headers that keep it from being stored, framed or taken for something else.
func TestHeaders(t *testing.T) {
	h := newHouse(t, storagetest.Open(t, storage.SQLite), nil)
	for _, c := range []struct{ who, path string }{
		{"owner", "/api/v1/projects"}, {"", "/api/v1/projects"}, {"", "/nowhere"}, {"", "/healthz"}, {"owner", "/api/v1/projects/x"},
	} {
		a := h.send(c.who, "GET", c.path, nil)
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", c.path, name, got, want)
			}
		}
	}
}

func TestRequestID(t *testing.T) {
	h := newHouse(t, storagetest.Open(t, storage.SQLite), nil)
	p := h.create()
	if a := h.want(200, "", "owner", "GET", "/api/v1/me", nil, "X-Request-Id", "ticket-42"); a.header.Get("X-Request-Id") != "ticket-42" {
		t.Errorf("the id came back as %q", a.header.Get("X-Request-Id"))
	}
	if a := h.want(200, "", "owner", "GET", "/api/v1/me", nil, "X-Request-Id", "a b\"c"); !regexp.MustCompile(`^[0-9a-f-]{36}$`).MatchString(a.header.Get("X-Request-Id")) {
		t.Errorf("an id that is none came back as %q", a.header.Get("X-Request-Id"))
	}
	h.act(&p, "owner", "POST /transitions", map[string]any{"transition": "deploy"}, "X-Request-Id", "ticket-43")
	h.want(200, `"request":{"id":"ticket-43"}`, "owner", "GET", "/api/v1/projects/"+p.ID+"/entries", nil)
}

// The log has who, what and how long, by the route's template, and nothing of what was said.
func TestLog(t *testing.T) {
	h := newHouse(t, storagetest.Open(t, storage.SQLite), nil)
	p := h.advance()
	h.act(&p, "owner", "POST /reports", map[string]any{"percent": 10, "done": "绝密内容"})
	h.send("owner", "GET", "/api/v1/projects?q=%E7%BB%9D%E5%AF%86", nil)
	log := h.log.String()
	for _, want := range []string{`"route":"/api/v1/projects/:id/reports"`, `"status":200`, `"method":"POST"`, `"user":"` + string(h.users["owner"].ID) + `"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s", want)
		}
	}
	for _, secret := range []string{h.tokens["owner"], "绝密", "%E7%BB%9D", p.ID, "Bearer"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

// Faults of ours are answered "internal" with the request id; what happened is in the log alone.
func TestFaults(t *testing.T) {
	boom := false
	h := newHouse(t, storagetest.Open(t, storage.SQLite), func(o *api.Options) {
		o.Graph = func(*engine.Workflow, string) string {
			if boom {
				panic("secret of the graph")
			}
			return "graph"
		}
	})
	boom = true
	check := func(t *testing.T, a answer, logged string) {
		t.Helper()
		checkFault(t, a, fault{500, "api.internal", ""}, "en")
		if !strings.Contains(a.body, a.header.Get("X-Request-Id")) || strings.Contains(a.body, "secret") || strings.Contains(a.body, "sql") {
			t.Errorf("the answer is %s", a.body)
		}
		if log := h.log.String(); !strings.Contains(log, logged) || !strings.Contains(log, a.header.Get("X-Request-Id")) {
			t.Errorf("the log has no %q", logged)
		}
	}
	t.Run("panic", func(t *testing.T) {
		check(t, h.send("owner", "GET", "/api/v1/workflows/shishi", nil), "secret of the graph")
	})
	t.Run("database gone", func(t *testing.T) {
		if err := h.db.Close(); err != nil {
			t.Fatal(err)
		}
		a := h.send("owner", "GET", "/api/v1/projects", nil)
		if a.status == http.StatusServiceUnavailable {
			checkFault(t, a, fault{503, problemKey(t, a), ""}, "en")
			return
		}
		check(t, a, "closed")
	})
}

func TestCrossOrigin(t *testing.T) {
	h := newHouse(t, storagetest.Open(t, storage.SQLite), nil)
	for _, c := range []struct {
		name, method string
		headers      []string
		status       int
	}{
		{"from another site", "POST", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"from a sister site", "POST", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"from another origin", "POST", []string{"Origin", "https://evil.example"}, 403},
		{"from the same origin", "POST", []string{"Sec-Fetch-Site", "same-origin"}, 422},
		{"from a program", "POST", nil, 422},
		{"reading from another site", "GET", []string{"Sec-Fetch-Site", "cross-site"}, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			var body any
			if c.method == "POST" {
				body = "{}"
			}
			h.want(c.status, "", "owner", c.method, "/api/v1/projects", body, c.headers...)
		})
	}
}

// Each person has a bucket; an empty one says when to come back, and does not empty anybody else's.
func TestRateLimit(t *testing.T) {
	h := newHouse(t, storagetest.Open(t, storage.SQLite), func(o *api.Options) { o.Limits.Rate = 0.5 })
	h.want(200, "", "owner", "GET", "/api/v1/me", nil)
	a := h.send("owner", "GET", "/api/v1/me", nil)
	checkFault(t, a, fault{429, "api.busy", ""}, "en")
	if got := a.header.Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After is %q", got)
	}
	h.want(200, "", "leader", "GET", "/api/v1/me", nil)
	h.mu.Lock()
	h.now = h.now.Add(2 * time.Second)
	h.mu.Unlock()
	h.want(200, "", "owner", "GET", "/api/v1/me", nil)
}

func TestMetrics(t *testing.T) {
	own := prometheus.NewGauge(prometheus.GaugeOpts{Name: "own_gauge", Help: "of the caller"})
	h := newHouse(t, storagetest.Open(t, storage.SQLite), func(o *api.Options) { o.Collectors = []prometheus.Collector{own} })
	p := h.create()
	h.send("owner", "GET", "/api/v1/projects/"+p.ID, nil)
	h.send("owner", "GET", "/nowhere/"+p.ID, nil)
	h.send("", "BREW", "/api/v1/projects", nil)
	h.server.Swept(3, time.Second, nil)
	h.server.Swept(0, time.Second, errors.New("down"))
	req := httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil)
	text := send(t, h.server.Metrics(), req).body
	for _, want := range []string{
		`bihuan_http_requests_total{method="GET",route="/api/v1/projects/:id",status="200"} 1`,
		`bihuan_http_requests_total{method="GET",route="none",status="404"} 1`,
		`bihuan_http_requests_total{method="other",route="none",status="405"} 1`,
		`bihuan_http_request_seconds_count{method="POST",route="/api/v1/projects"} 1`,
		`bihuan_info{version="test"} 1`, `bihuan_sweep_changes_total 3`, `bihuan_sweeps_total{result="error"} 1`,
		`bihuan_sweep_last_success_timestamp_seconds`, `own_gauge 0`, `go_goroutines`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(text, p.ID) {
		t.Error("an id is in a label")
	}
	h.want(404, "", "owner", "GET", "/metrics", nil) // not on the public listener
}

// The documentation page loads what lies beside it and nothing else.
func TestDocsPage(t *testing.T) {
	h := newHouse(t, storagetest.Open(t, storage.SQLite), nil)
	page := h.want(200, "swagger-ui-bundle.js", "", "GET", "/docs", nil)
	if csp := page.header.Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") || !strings.HasPrefix(csp, "default-src 'none'") {
		t.Errorf("the policy is %q", csp)
	}
	script := h.want(200, "SwaggerUIBundle", "", "GET", "/docs/page.js", nil)
	for _, text := range []string{page.body, script.body} {
		if outside := regexp.MustCompile(`(?i)(https?:)?//[a-z0-9]`).FindString(strings.ReplaceAll(text, "// ", "")); outside != "" {
			t.Errorf("there is an outside address: %q", outside)
		}
	}
	if !strings.Contains(script.body, "validatorUrl: null") {
		t.Error("Swagger UI would ask its validator")
	}
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"#]*)"`).FindAllStringSubmatch(page.body, -1) {
		if m[1] == "data:," {
			continue
		}
		h.want(200, "", "", "GET", m[1], nil)
	}
	for name, mediaType := range map[string]string{"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"} {
		packed := h.want(200, "", "", "GET", "/docs/"+name, nil, "Accept-Encoding", "gzip, br")
		plain := h.want(200, "", "", "GET", "/docs/"+name, nil)
		if !strings.HasPrefix(plain.header.Get("Content-Type"), mediaType) || packed.header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s is %q, encoded as %q", name, plain.header.Get("Content-Type"), packed.header.Get("Content-Encoding"))
		}
		r, err := gzip.NewReader(strings.NewReader(packed.body))
		if err != nil {
			t.Fatal(err)
		}
		unpacked, err := io.ReadAll(r)
		if err != nil || string(unpacked) != plain.body {
			t.Errorf("%s differs by encoding: %v", name, err)
		}
	}
	for _, name := range []string{"index.html", "swagger-ui.css.gz", "LICENSE", "..%2fserver.go", "nothing.js"} {
		h.want(404, "api.no_route", "", "GET", "/docs/"+name, nil)
	}
}
