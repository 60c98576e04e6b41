package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bihuan/api"
	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

var update = flag.Bool("update", false, "write api/v1/openapi.json anew")

var operator = engine.Operator()

// openapi is the part of the document that tests look at.
type openapi struct {
	OpenAPI string `json:"openapi"`
	Paths   map[string]map[string]struct {
		OperationID string `json:"operationId"`
		Parameters  []struct {
			Name, In string
			Required bool
		}
		RequestBody struct {
			Content map[string]any
		}
		Responses map[string]struct {
			Content map[string]any
		}
	}
}

func document(t *testing.T, h *house) openapi {
	t.Helper()
	var doc openapi
	h.want(200, `"openapi"`, "", "GET", "/api/v1/openapi.json", nil).into(t, &doc)
	return doc
}

// The document in the repository is the one that is served: whoever changes the API sees it in the diff.
func TestDocumentGolden(t *testing.T) {
	const golden = "v1/openapi.json"
	h := newHouse(t, storagetest.Open(t, storage.SQLite), nil)
	got := h.want(200, "", "", "GET", "/api/v1/openapi.json", nil)
	if *update {
		if err := os.WriteFile(golden, []byte(got.body+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.TrimSpace(want), []byte(got.body)) {
		t.Errorf("%s is not what is served; look at the difference after go test ./api -run Golden -update", golden)
	}
}

// Document, routes and access table tell of the same operations (New has compared the last two).
func TestDocumentParity(t *testing.T) {
	h := newHouse(t, storagetest.Open(t, storage.SQLite), nil)
	doc := document(t, h)
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("openapi is %s", doc.OpenAPI)
	}
	var described []string
	ids := map[string]bool{}
	for path, item := range doc.Paths {
		for method, op := range item {
			described = append(described, strings.ToUpper(method)+" /api/v1"+path)
			if op.OperationID == "" || ids[op.OperationID] {
				t.Errorf("%s %s has the operation id %q", method, path, op.OperationID)
			}
			ids[op.OperationID] = true
		}
	}
	var routed []string
	for _, r := range api.Routes(h.server) {
		if strings.HasPrefix(r, "GET /docs") || strings.HasPrefix(r, "GET /audit/") || slices.Contains([]string{"GET /healthz", "GET /readyz", "GET /api/v1/openapi.json"}, r) {
			continue
		}
		routed = append(routed, regexp.MustCompile(`:(\w+)`).ReplaceAllString(r, "{$1}"))
	}
	slices.Sort(described)
	slices.Sort(routed)
	if !slices.Equal(described, routed) {
		t.Errorf("the document tells of\n%s\nthe routes are\n%s", strings.Join(described, "\n"), strings.Join(routed, "\n"))
	}
}

// Every operation that changes something asks for If-Match, except those that begin it or can be done again without harm; those that change a project
// take an Idempotency-Key too (a list's version alone makes a repeat safe); and every one says how problems look.
func TestDocumentHeaders(t *testing.T) {
	h := newHouse(t, storagetest.Open(t, storage.SQLite), nil)
	without := []string{"post /projects", "post /lists", "post /needs", "post /tally-years", "post /channels", "post /sheet-proposals", "post /notices/receipts", "post /channels/{id}/tests", "post /deliveries/replays", "put /workflows/{workflow}/switch",
		"post /imports", "post /imports/recognition", "delete /mappings/{mapping}"}
	for path, item := range document(t, h).Paths {
		for method, op := range item {
			has := map[string]bool{}
			for _, p := range op.Parameters {
				if p.In == "header" {
					has[p.Name] = p.Required
				}
			}
			_, key := has["Idempotency-Key"]
			if unsafe := method != "get" && strings.HasPrefix(path, "/projects"); key != unsafe {
				t.Errorf("%s %s: Idempotency-Key is %v", method, path, key)
			}
			if changes := method != "get" && !slices.Contains(without, method+" "+path); has["If-Match"] != changes {
				t.Errorf("%s %s: If-Match is %v", method, path, has["If-Match"])
			}
			if op.Responses["default"].Content["application/problem+json"] == nil {
				t.Errorf("%s %s does not describe its problems", method, path)
			}
		}
	}
	// Every operation below one project is tried by TestForeignProject with a body that fits.
	for path, item := range document(t, h).Paths {
		for method, op := range item {
			rest, ok := strings.CutPrefix(path, "/projects/{id}")
			call := strings.ToUpper(method) + " " + rest
			needs := op.RequestBody.Content["application/json"] != nil && !slices.Contains([]string{"POST /approvals", "POST /withdrawals", "POST /milestones/{milestone}/done"}, call)
			if ok && needs && bodies[call] == nil {
				t.Errorf("no body for %s in the tests", call)
			}
		}
	}
}

// The document is JSON that other programs can read, and stands for itself.
func TestDocumentReferences(t *testing.T) {
	h := newHouse(t, storagetest.Open(t, storage.SQLite), nil)
	body := h.want(200, "", "", "GET", "/api/v1/openapi.json", nil).body
	var doc struct {
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`"\$ref": "([^"]*)"`).FindAllStringSubmatch(body, -1) {
		name, ok := strings.CutPrefix(m[1], "#/components/schemas/")
		if !ok || doc.Components.Schemas[name] == nil {
			t.Errorf("the reference %s leads nowhere", m[1])
		}
	}
}
