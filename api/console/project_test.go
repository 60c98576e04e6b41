package console

import (
	"bytes"
	"image"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"bihuan/api/upload"
	"bihuan/engine"
	"bihuan/engine/audit"
)

// attach uploads a piece of evidence as its owner.
func (w *world) attach(t *testing.T, as string, p engine.Project, name string, data []byte, fields ...string) {
	t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	if err := m.WriteField("version", strconv.FormatInt(p.Version, 10)); err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		if err := m.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	part, err := m.CreateFormFile("file", name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/projects/"+string(p.ID)+"/evidence", &body)
	r.Header.Set("Content-Type", m.FormDataContentType())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.AddCookie(&http.Cookie{Name: session, Value: as})
	rec := httptest.NewRecorder()
	w.router.ServeHTTP(rec, r)
	if rec.Code != http.StatusSeeOther {
		t.Fatalf("%s: %d %s", name, rec.Code, rec.Body)
	}
}

func TestPicturesAreShownAndNothingElse(t *testing.T) {
	w := ownWorld(t)
	p := w.item(t, func(p *engine.Project) bool { return p.Owner == w.people["zhou"].ID && p.Stage == "advance" })
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 3, 3))); err != nil {
		t.Fatal(err)
	}
	w.attach(t, "zhou", p, "现场.png", picture.Bytes())
	p, err := w.engine.Project(t.Context(), engine.Operator(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.attach(t, "zhou", p, "说明.txt", []byte("<script>alert(1)</script>"))
	page := w.ask(t, "zhou", "/projects/"+string(p.ID), nil)
	checkPage(t, "project", page)
	shown := regexp.MustCompile(`<img src="([^"]+)" alt="现场.png"`).FindStringSubmatch(page.body)
	if shown == nil || strings.Count(page.body, "<img ") != 1 {
		t.Fatalf("the page shows %d pictures", strings.Count(page.body, "<img "))
	}
	a := w.ask(t, "zhou", shown[1], nil)
	h := a.Header()
	if a.Code != http.StatusOK || !bytes.Equal([]byte(a.body), picture.Bytes()) || h.Get("Content-Type") != "image/png" || h.Get("Content-Disposition") != "inline" ||
		h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("the picture answers %d with %v", a.Code, h)
	}
	if b := w.ask(t, "", shown[1], nil); b.Code == http.StatusOK {
		t.Error("nobody sees the picture")
	}
	list, err := w.db.Evidence(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	text := list[len(list)-1]
	if b := w.ask(t, "zhou", "/projects/"+string(p.ID)+"/evidence/"+text.ID+"/picture", nil); b.Code != http.StatusNotFound {
		t.Errorf("a text is shown: %d", b.Code)
	}
	if b := w.ask(t, "zhou", "/projects/"+string(p.ID)+"/evidence/"+text.ID, nil); b.Code != http.StatusOK || !strings.HasPrefix(b.Header().Get("Content-Disposition"), "attachment") {
		t.Errorf("a text is sent as %q", b.Header().Get("Content-Disposition"))
	}
}

// TestRouteAndExtensions looks at the project that was extended once and whose second extension waits.
func TestRouteAndExtensions(t *testing.T) {
	w := readWorld(t)
	p := w.item(t, func(p *engine.Project) bool { return p.Extensions == 1 && p.Request != nil })
	page := w.ask(t, "zhou", "/projects/"+string(p.ID), nil)
	_, list, _ := strings.Cut(page.body, `id="xt"`)
	list, _, _ = strings.Cut(list, "</section>")
	for _, want := range []string{p.OriginalDeadline.String() + " → " + p.Deadline.String(), p.Deadline.String() + " → " + p.Request.Deadline.String(), "已批准", "等待批准",
		"供应商到货推迟", "同意第一次延期"} {
		if !strings.Contains(list, want) {
			t.Errorf("the extensions do not say %q", want)
		}
	}
	_, route, _ := strings.Cut(page.body, `id="route"`)
	route, _, _ = strings.Cut(route, "</section>")
	flow, err := w.engine.Pinned(t.Context(), &p)
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, s := range flow.Stages {
		i := strings.Index(route[at:], "<b>"+s.Name.ZH)
		if i < 0 {
			t.Fatalf("the route has no %s behind the stages before it", s.Name.ZH)
		}
		at += i
	}
	for _, m := range p.Milestones {
		if !strings.Contains(route, m.Title) {
			t.Errorf("the route leaves out %s", m.Title)
		}
	}
	if !strings.Contains(route, `class="now" aria-current="step"`) || !strings.Contains(route, "督导员批准") || !strings.Contains(route, "党委领导批准") {
		t.Error("the route does not say where the project stands and who approves")
	}
	fresh := w.ask(t, "zhang", "/projects/"+string(w.item(t, func(p *engine.Project) bool {
		return p.Extensions == 0 && p.Request == nil && p.UnitID == w.items[0].UnitID
	}).ID), nil)
	if strings.Contains(fresh.body, `id="xt"`) {
		t.Error("a project without extensions lists some")
	}
}

// damaged keeps files that somebody changed behind the product's back.
type damaged struct{ upload.Files }

func (damaged) Get(audit.Digest) (io.ReadSeekCloser, int64, error) {
	return nil, 0, &engine.Error{Kind: engine.Damaged, Key: "evidence.altered", Args: map[string]any{"digest": "ab12"}}
}

// Evidence that was altered is a page that says so and what to do, not a fault of ours that says nothing.
func TestDamagedEvidenceSaysSo(t *testing.T) {
	w := ownWorld(t)
	p := w.item(t, func(p *engine.Project) bool { return p.Owner == w.people["zhou"].ID && p.Stage == "advance" })
	w.attach(t, "zhou", p, "说明.txt", []byte("说明"))
	list, err := w.db.Evidence(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.console.Files = damaged{w.console.Files}
	a := w.ask(t, "zhou", "/projects/"+string(p.ID)+"/evidence/"+list[len(list)-1].ID, nil)
	if a.Code != http.StatusInternalServerError || !strings.Contains(a.body, "存放的内容与记录不符") || !strings.Contains(a.body, "已被改动") || !strings.Contains(a.body, "ab12") {
		t.Errorf("%d %s", a.Code, a.body)
	}
}
