package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"bihuan/engine"
)

// A request repeated under its idempotency key changes nothing and answers with the project as it now is.
func TestIdempotency(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.advance()
		path := "/api/v1/projects/" + p.ID
		first := p.etag()
		report := map[string]any{"percent": 10, "done": "开工"}
		h.act(&p, "owner", "POST /reports", report, "Idempotency-Key", "k1")
		h.act(&p, "owner", "POST /reports", map[string]any{"percent": 20, "done": "到货"})

		repeat := func(who, method, path, key, version string, body any) answer {
			t.Helper()
			return h.send(who, method, path, body, "Idempotency-Key", key, "If-Match", version)
		}
		replayed := func(t *testing.T, a answer) {
			t.Helper()
			var q project
			if a.status != http.StatusOK && a.status != http.StatusCreated || a.header.Get("Idempotency-Replayed") != "true" {
				t.Fatalf("not a replay: %d %v %s", a.status, a.header, a.body)
			}
			a.into(t, &q)
			if q.ID != p.ID || q.Version != p.Version || a.header.Get("ETag") != p.etag() {
				t.Errorf("the answer is of %s at version %d with ETag %s, want %s at %d", q.ID, q.Version, a.header.Get("ETag"), p.ID, p.Version)
			}
		}
		t.Run("the same again", func(t *testing.T) { replayed(t, repeat("owner", "POST", path+"/reports", "k1", first, report)) })
		t.Run("spelt differently", func(t *testing.T) {
			replayed(t, repeat("owner", "POST", path+"/reports", "k1", first, ` { "done":"开工",  "percent":10 } `))
		})
		t.Run("with the new version", func(t *testing.T) {
			a := repeat("owner", "POST", path+"/reports", "k1", p.etag(), report)
			if a.status != http.StatusOK || !strings.Contains(a.body, fmt.Sprintf(`"version":%d,`, p.Version)) {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
		for _, c := range []struct {
			name, path string
			body       any
		}{
			{"another body", path + "/reports", map[string]any{"percent": 11, "done": "开工"}},
			{"another address", path + "/transitions", map[string]any{"transition": "track"}},
		} {
			for _, version := range []string{first, p.etag()} {
				t.Run(c.name+" at "+version, func(t *testing.T) {
					a := repeat("owner", "POST", c.path, "k1", version, c.body)
					checkFault(t, a, fault{422, "request.other_under_key", "Idempotency-Key"}, "en")
				})
			}
		}
		t.Run("somebody else's key is another one", func(t *testing.T) {
			h.act(&p, "assistant", "POST /reports", report, "Idempotency-Key", "k1")
		})
		t.Run("a failure leaves the key free", func(t *testing.T) {
			checkFault(t, repeat("owner", "POST", path+"/transitions", "k2", p.etag(), map[string]any{"transition": "track"}),
				fault{409, "transition.unmet", ""}, "en")
			h.act(&p, "owner", "POST /reports", report, "Idempotency-Key", "k2")
		})
		t.Run("an upload, whatever its boundaries", func(t *testing.T) {
			before := p.etag()
			upload := func(content, note string) answer {
				body, kind := form(t, "a.pdf", content, "note", note)
				return h.send("owner", "POST", path+"/evidence", body, "Content-Type", kind, "Idempotency-Key", "k3", "If-Match", before)
			}
			if a := upload(pdf, "照片"); a.status != http.StatusOK || a.header.Get("Idempotency-Replayed") != "" {
				t.Fatalf("%d %s", a.status, a.body)
			}
			h.reread(&p)
			replayed(t, upload(pdf, "照片"))
			checkFault(t, upload(pdf+" ", "照片"), fault{422, "request.other_under_key", "Idempotency-Key"}, "en")
			checkFault(t, upload(pdf, "别的"), fault{422, "request.other_under_key", "Idempotency-Key"}, "en")
			h.want(200, `"evidence_count":1`, "owner", "GET", path, nil)
		})
		t.Run("creation", func(t *testing.T) {
			create := func(title string) answer {
				body := complete()
				body["title"] = title
				return h.send("secretary", "POST", "/api/v1/projects", body, "Idempotency-Key", "c1")
			}
			a := create("一次")
			if a.status != http.StatusCreated {
				t.Fatalf("%d %s", a.status, a.body)
			}
			p = project{}
			a.into(t, &p)
			if got, want := a.header.Get("Location"), "/api/v1/projects/"+p.ID; got != want {
				t.Errorf("Location is %s, want %s", got, want)
			}
			replayed(t, create("一次"))
			checkFault(t, create("两次"), fault{422, "request.other_under_key", "Idempotency-Key"}, "en")
			// No number was lost on the way.
			var next project
			h.want(201, "", "secretary", "POST", "/api/v1/projects", complete()).into(t, &next)
			if p.Number != "SS2026-0002" || next.Number != "SS2026-0003" {
				t.Errorf("the numbers are %s and %s", p.Number, next.Number)
			}
		})
	})
}

// Eight people approve the same request at once: one succeeds, everybody else reads that it has changed.
func TestConcurrentApprovals(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var people []string
		for i := range 8 {
			login := fmt.Sprintf("approver%d", i)
			h.person(login, fmt.Sprintf("督导%d", i), engine.Supervisor, "zz1")
			people = append(people, login)
		}
		p := h.create()
		h.act(&p, "owner", "POST /transitions", map[string]any{"transition": "deploy"})
		requests := make([]*http.Request, len(people))
		for i, who := range people {
			requests[i] = h.request(who, "POST", "/api/v1/projects/"+p.ID+"/approvals", nil, "If-Match", p.etag())
		}
		answers := make([]answer, len(people))
		var wg sync.WaitGroup
		for i := range requests {
			wg.Go(func() { answers[i] = send(t, h.server.Handler(), requests[i]) })
		}
		wg.Wait()
		won := 0
		for i, a := range answers {
			switch a.status {
			case http.StatusOK:
				won++
			case http.StatusConflict, http.StatusPreconditionFailed:
			default:
				t.Errorf("%s got %d %s", people[i], a.status, a.body)
			}
		}
		if won != 1 {
			t.Errorf("%d of 8 approvals succeeded", won)
		}
		version := p.Version + 1
		h.reread(&p)
		if p.Version != version || p.Stage.ID != "deploy" {
			t.Errorf("the project is in %s at version %d, want deploy at %d", p.Stage.ID, p.Version, version)
		}
	})
}

// The same request sent twice at the same moment is carried out once, and both get the project.
func TestConcurrentRepeat(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.advance()
		var requests []*http.Request
		for range 6 {
			requests = append(requests, h.request("owner", "POST", "/api/v1/projects/"+p.ID+"/reports",
				map[string]any{"percent": 10, "done": "开工"}, "If-Match", p.etag(), "Idempotency-Key", "same"))
		}
		answers := make([]answer, len(requests))
		var wg sync.WaitGroup
		for i := range requests {
			wg.Go(func() { answers[i] = send(t, h.server.Handler(), requests[i]) })
		}
		wg.Wait()
		for _, a := range answers {
			if a.status != http.StatusOK || !strings.Contains(a.body, fmt.Sprintf(`"version":%d,`, p.Version+1)) {
				t.Errorf("%d %s", a.status, a.body)
			}
		}
		h.want(200, fmt.Sprintf(`"version":%d,`, p.Version+1), "owner", "GET", "/api/v1/projects/"+p.ID, nil)
	})
}
