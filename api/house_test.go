package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"bihuan/api"
	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/files"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

func TestMain(m *testing.M) { os.Exit(storagetest.Run(m)) }

// house is the whole product without its listeners: a database, the engine with a clock that the test moves, and
// the server, with an organisation of two trees and a person for every role.
type house struct {
	t      *testing.T
	db     *storage.DB
	engine *engine.Engine
	server *api.Server
	log    *safeBuffer
	units  map[string]engine.Unit // by code
	users  map[string]engine.User // by login
	tokens map[string]string      // by login

	mu  sync.Mutex
	now time.Time
}

// safeBuffer is a log that several requests write to.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

// at moves the clock to a local time and lets it do what it owes.
func (h *house) at(s string) {
	h.t.Helper()
	h.mu.Lock()
	h.now = local(s)
	h.mu.Unlock()
	if _, err := h.engine.Sweep(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

func local(s string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", s, time.FixedZone("CST", 8*3600))
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

// each runs f with a house on every database.
func each(t *testing.T, f func(t *testing.T, h *house)) {
	t.Helper()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) { f(t, newHouse(t, db, nil)) })
}

func newHouse(t *testing.T, db *storage.DB, adjust func(*api.Options)) *house {
	t.Helper()
	ctx := t.Context()
	h := &house{t: t, db: db, log: &safeBuffer{}, now: local("2026-09-24 10:00"),
		units: map[string]engine.Unit{}, users: map[string]engine.User{}, tokens: map[string]string{}}
	var err error
	h.engine, err = engine.New(ctx, engine.Config{Store: db, Now: h.clock,
		Compile: workflows.Compile})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"shishi", "shuji"} {
		source, _ := workflows.Source(id)
		if _, err := h.engine.Publish(ctx, engine.Operator(), source); err != nil {
			t.Fatal(err)
		}
	}
	for _, u := range []struct{ code, parent, name string }{
		{"dw", "", "校党委"}, {"zz1", "dw", "第一党总支"}, {"b1", "zz1", "第一支部"}, {"b2", "zz1", "第二支部"},
		{"zz2", "dw", "第二党总支"}, {"qt", "", "别家党委"},
	} {
		if h.units[u.code], err = h.engine.AddUnit(ctx, engine.Operator(), u.parent, u.code, u.name); err != nil {
			t.Fatal(err)
		}
	}
	h.person("owner", "王承办", "")
	h.person("assistant", "李协办", "")
	h.person("sponsor", "赵领办", "")
	h.person("nobody", "路人", "")
	h.person("secretary", "钱书记", engine.Secretary, "b1")
	h.person("supervisor", "孙督导", engine.Supervisor, "zz1")
	h.person("second", "周督导", engine.Supervisor, "dw")
	h.person("leader", "吴领导", engine.Leader, "dw")
	h.person("inspector", "郑督查", engine.Inspector, "dw")
	h.person("admin", "冯管理", engine.Admin, "dw")
	h.person("security", "陈安全", engine.Security, "dw")
	h.person("sibling", "褚督导", engine.Supervisor, "zz2")
	h.person("stranger", "卫督导", engine.Supervisor, "qt")

	store, err := files.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	o := api.Options{Engine: h.engine, Reader: db, Files: store, Graph: workflows.Graph, Sheets: workflows.Sheets(), ParseSheet: workflows.ParseSheet, Now: h.clock, Version: "test",
		Log: slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Limits: api.Limits{Upload: 1 << 20}}
	if adjust != nil {
		adjust(&o)
	}
	if h.server, err = api.New(o); err != nil {
		t.Fatal(err)
	}
	return h
}

// person adds an account, with a role unless it is "", and a token.
func (h *house) person(login, name string, role engine.Role, unit ...string) {
	h.t.Helper()
	ctx := h.t.Context()
	u, err := h.engine.AddUser(ctx, engine.Operator(), login, name)
	if err == nil && role != "" {
		u, err = h.engine.Grant(ctx, engine.Operator(), login, unit[0], role)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.users[login] = u
	if h.tokens[login], _, err = h.engine.IssueToken(ctx, engine.Operator(), login, "test", 300*24*time.Hour); err != nil {
		h.t.Fatal(err)
	}
}

// answer is what a request got.
type answer struct {
	status int
	header http.Header
	body   string
}

// into decodes the body.
func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
}

// send makes a request: who is a login or "" for nobody, body a string, nil, or something for JSON; headers are
// names and values in turn, of which Accept-Language is English unless given.
func (h *house) send(who, method, path string, body any, headers ...string) answer {
	h.t.Helper()
	return send(h.t, h.server.Handler(), h.request(who, method, path, body, headers...))
}

func (h *house) request(who, method, path string, body any, headers ...string) *http.Request {
	h.t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	case *bytes.Buffer:
		r = b
	default:
		b2, err := json.Marshal(b)
		if err != nil {
			h.t.Fatal(err)
		}
		r = bytes.NewReader(b2)
	}
	req := httptest.NewRequestWithContext(h.t.Context(), method, path, r)
	req.Header.Set("Accept-Language", "en")
	if r != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if who != "" {
		token := h.tokens[who]
		if token == "" {
			h.t.Fatalf("there is no %s", who)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return req
}

func send(t *testing.T, handler http.Handler, req *http.Request) answer {
	t.Helper()
	rec := httptest.NewRecorder()
	handler.ServeHTTP(rec, req)
	return answer{rec.Code, rec.Header(), rec.Body.String()}
}

// want sends and checks the status and a fragment of the body.
func (h *house) want(status int, fragment, who, method, path string, body any, headers ...string) answer {
	h.t.Helper()
	a := h.send(who, method, path, body, headers...)
	if a.status != status || !strings.Contains(a.body, fragment) {
		h.t.Fatalf("%s %s as %q: %d %s\nwant %d with %q", method, path, who, a.status, a.body, status, fragment)
	}
	return a
}

// project is the part of an answer that tests look at.
type project struct {
	ID       string
	Number   string
	Version  int64
	Light    string
	Stage    struct{ ID, Name string }
	Owner    *struct{ ID, Name string }
	Progress int
	Options  []struct {
		Act, Transition, Name string
		Allowed               bool
		Reasons               []struct {
			ID   string
			Met  bool
			Text string
		}
	}
	Milestones []struct{ ID, Title string }
	Objections []struct{ ID, Answer string }
	Request    *struct{ Kind string }
}

// complete is a draft that can be assigned.
func complete() map[string]any {
	return map[string]any{"kind": "shishi", "unit": "b1", "title": "改造图书馆照明", "need": "阅览座位太暗", "target": "照度达到300勒克斯",
		"measures": "更换灯具", "list": "2026-5", "owner": "owner", "assistants": []string{"assistant"}, "sponsor": "sponsor",
		"deadline": "2026-11-30"}
}

// create proposes a project as the secretary of its branch.
func (h *house) create() project {
	h.t.Helper()
	var p project
	h.want(201, `"number":"SS2026-`, "secretary", "POST", "/api/v1/projects", complete()).into(h.t, &p)
	return p
}

// act does one thing to a project at its present version, as method and path below the project say.
func (h *house) act(p *project, who, call string, body any, headers ...string) answer {
	h.t.Helper()
	method, rest, _ := strings.Cut(call, " ")
	headers = append([]string{"If-Match", fmt.Sprintf(`"%d"`, p.Version)}, headers...)
	a := h.want(200, `"id":"`+p.ID+`"`, who, method, "/api/v1/projects/"+p.ID+rest, body, headers...)
	*p = project{}
	a.into(h.t, p)
	if got, want := a.header.Get("ETag"), fmt.Sprintf(`"%d"`, p.Version); got != want {
		h.t.Errorf("ETag is %s at version %d", got, p.Version)
	}
	return a
}

// form is a multipart body with a file and further parts.
func form(t *testing.T, name, content string, parts ...string) (*bytes.Buffer, string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		if err := w.WriteField(parts[i], parts[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if name != "" {
		part, err := w.CreateFormFile("file", name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b, w.FormDataContentType()
}

// pdf is the smallest thing that counts as one.
const pdf = "%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"

// addEvidence uploads a file to a project.
func (h *house) addEvidence(p *project, who, name, content string) {
	h.t.Helper()
	body, kind := form(h.t, name, content, "note", "现场照片")
	h.act(p, who, "POST /evidence", body, "Content-Type", kind)
}

// advance takes a new project to 推进, with one milestone.
func (h *house) advance() project {
	h.t.Helper()
	p := h.create()
	h.act(&p, "owner", "POST /transitions", map[string]any{"transition": "deploy", "note": "请交办"})
	h.act(&p, "supervisor", "POST /approvals", nil)
	h.act(&p, "owner", "POST /acknowledge", nil)
	h.act(&p, "owner", "POST /milestones", map[string]any{"milestones": []any{map[string]any{"title": "安装", "due": "2026-11-20"}}})
	h.act(&p, "owner", "POST /transitions", map[string]any{"transition": "advance"})
	h.act(&p, "supervisor", "POST /approvals", map[string]any{"note": "同意"})
	if p.Stage.ID != "advance" {
		h.t.Fatalf("stage is %s", p.Stage.ID)
	}
	return p
}
