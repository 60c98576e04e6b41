package api_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bihuan/api"
	"bihuan/storage"
	"bihuan/storage/files"
	"bihuan/storage/storagetest"
)

func TestEvidence(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.advance()
		body, kind := form(t, "..\\..\\验收 \"单\".PDF", pdf, "milestone", "m1", "note", "现场照片")
		h.act(&p, "owner", "POST /evidence", body, "Content-Type", kind)
		var list struct {
			Items []struct {
				ID, Name, Type, Note, Milestone, SHA256 string
				Size                                    int
				By                                      struct{ Name string }
			}
		}
		h.want(200, "", "inspector", "GET", "/api/v1/projects/"+p.ID+"/evidence", nil).into(t, &list)
		if len(list.Items) != 1 {
			t.Fatalf("the list is %+v", list)
		}
		e := list.Items[0]
		if e.Name != `验收 "单".PDF` || e.Type != "application/pdf" || e.Size != len(pdf) || e.Milestone != "m1" || e.Note != "现场照片" || e.By.Name != "王承办" {
			t.Errorf("the evidence is %+v", e)
		}
		path := "/api/v1/projects/" + p.ID + "/evidence/" + e.ID
		a := h.want(200, pdf, "inspector", "GET", path, nil)
		for name, want := range map[string]string{
			"Content-Type":            "application/pdf",
			"X-Content-Type-Options":  "nosniff",
			"Content-Disposition":     `attachment; filename="__ ___.PDF"; filename*=UTF-8''%E9%AA%8C%E6%94%B6%20%22%E5%8D%95%22.PDF`,
			"Cache-Control":           "no-store",
			"Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
			"ETag":                    `"` + e.SHA256 + `"`,
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if a := h.send("inspector", "GET", path, nil, "Range", "bytes=0-3"); a.status != http.StatusPartialContent || a.body != "%PDF" {
			t.Errorf("a part: %d %q", a.status, a.body)
		}
		h.want(404, "api.evidence_unknown", "inspector", "GET", "/api/v1/projects/"+p.ID+"/evidence/x", nil)
	})
}

// Evidence that somebody changed or removed behind the server's back is not given out.
func TestAlteredEvidence(t *testing.T) {
	dir := t.TempDir()
	store, err := files.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, storagetest.Open(t, storage.SQLite), func(o *api.Options) { o.Files = store })
	p := h.advance()
	var list struct{ Items []struct{ ID, SHA256 string } }
	h.addEvidence(&p, "owner", "a.pdf", pdf+"这一份")
	h.want(200, "", "owner", "GET", "/api/v1/projects/"+p.ID+"/evidence", nil).into(t, &list)
	e := list.Items[len(list.Items)-1]
	file, path := filepath.Join(dir, e.SHA256[:2], e.SHA256[2:]), "/api/v1/projects/"+p.ID+"/evidence/"+e.ID
	h.want(200, pdf, "inspector", "GET", path, nil)
	if err := errors.Join(os.Chmod(file, 0o600), os.WriteFile(file, []byte(pdf+"那一份"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, headers := range [][]string{nil, {"Range", "bytes=0-3"}, {"If-None-Match", `"` + e.SHA256 + `"`}} {
		if a := h.send("inspector", "GET", path, nil, headers...); a.status != 500 || problemKey(t, a) != "evidence.altered" {
			t.Errorf("altered, with %v: %d %s", headers, a.status, a.body)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	h.want(500, "evidence.missing", "inspector", "GET", path, nil)
}

// What an upload can get wrong; none of it changes the project or leaves a file.
func TestBadUploads(t *testing.T) {
	dir := t.TempDir()
	store, err := files.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, storagetest.Open(t, storage.SQLite), func(o *api.Options) { o.Files = store })
	p := h.advance()
	kept := count(t, dir)
	big := "%PDF-1.4\n" + strings.Repeat("x", 1<<20)
	for _, c := range []struct {
		name, file, content string
		parts               []string
		want                fault
	}{
		{"empty", "a.pdf", "", nil, fault{422, "evidence.empty", "file"}},
		{"too large", "a.pdf", big, nil, fault{422, "file.too_large", "file"}},
		{"far too large", "a.pdf", big + strings.Repeat("x", 1<<20), nil, fault{413, "api.too_large", ""}},
		{"extension that is not allowed", "a.exe", "MZ", nil, fault{422, "file.extension", "file"}},
		{"no extension", "README", "text", nil, fault{422, "file.extension", "file"}},
		{"a page", "a.html", "<script>alert(1)</script>", nil, fault{422, "file.extension", "file"}},
		{"content that is something else", "a.pdf", "\x89PNG\r\n\x1a\n", nil, fault{422, "file.type", "file"}},
		{"program with a text's name", "a.txt", "MZ\x90\x00\x03\x00\x00\x00", nil, fault{422, "file.type", "file"}},
		{"name that turns the writing", "a\u202efdp.pdf", pdf, nil, fault{422, "file.name", "file"}},
		{"no file", "", "", []string{"note", "x"}, fault{422, "api.required", "file"}},
		{"unknown part", "a.pdf", pdf, []string{"colour", "red"}, fault{422, "api.unknown_field", "colour"}},
		{"part given twice", "a.pdf", pdf, []string{"note", "a", "note", "b"}, fault{422, "api.twice", "note"}},
		{"note too long", "a.pdf", pdf, []string{"note", strings.Repeat("x", 9000)}, fault{422, "field.too_long", "note"}},
		{"note that is no text", "a.pdf", pdf, []string{"note", "\xff"}, fault{422, "field.not_text", "note"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			body, kind := form(t, c.file, c.content, c.parts...)
			a := h.send("owner", "POST", "/api/v1/projects/"+p.ID+"/evidence", body, "Content-Type", kind, "If-Match", p.etag())
			checkFault(t, a, c.want, "en")
		})
	}
	t.Run("not a form", func(t *testing.T) {
		a := h.send("owner", "POST", "/api/v1/projects/"+p.ID+"/evidence", pdf, "Content-Type", "application/pdf", "If-Match", p.etag())
		checkFault(t, a, fault{415, "api.multipart", ""}, "en")
	})
	t.Run("broken off", func(t *testing.T) {
		body, kind := form(t, "a.pdf", pdf)
		half := bytes.NewBuffer(body.Bytes()[:body.Len()-60])
		a := h.send("owner", "POST", "/api/v1/projects/"+p.ID+"/evidence", half, "Content-Type", kind, "If-Match", p.etag())
		checkFault(t, a, fault{422, "api.broken_upload", ""}, "en")
	})
	// Whoever may not add anything is refused before the file is read.
	for _, c := range []struct {
		name, who, version string
		want               fault
	}{
		{"not theirs to add", "inspector", p.etag(), fault{403, "act.role", ""}},
		{"stale", "owner", `"1"`, fault{412, "project.stale", ""}},
		{"no version", "owner", "", fault{428, "api.if_match_required", "If-Match"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			body, kind := form(t, "b.pdf", pdf+c.name)
			size := body.Len()
			a := h.send(c.who, "POST", "/api/v1/projects/"+p.ID+"/evidence", body, "Content-Type", kind, "If-Match", c.version)
			checkFault(t, a, c.want, "en")
			if body.Len() != size {
				t.Errorf("%d of %d bytes were read", size-body.Len(), size)
			}
		})
	}
	if got := count(t, dir); got != kept {
		t.Errorf("%d files lie there, %d before", got, kept)
	}
	version := p.Version
	if h.reread(&p); p.Version != version {
		t.Errorf("the version is %d, was %d", p.Version, version)
	}
}

// count returns how many files lie under dir.
func count(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Over a real connection the upload may take longer than other bodies, and what was uploaded comes back.
func TestUploadOverTheWire(t *testing.T) {
	h := newHouse(t, storagetest.Open(t, storage.SQLite), nil)
	p := h.advance()
	server := httptest.NewServer(h.server.Handler())
	defer server.Close()
	body, kind := form(t, "a.txt", strings.Repeat("现场记录\n", 20_000))
	req := h.request("owner", "POST", "/api/v1/projects/"+p.ID+"/evidence", body, "Content-Type", kind, "If-Match", p.etag())
	req.RequestURI = ""
	req.URL.Scheme, req.URL.Host = "http", strings.TrimPrefix(server.URL, "http://")
	res, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || res.Header.Get("ETag") == "" {
		t.Errorf("%s", res.Status)
	}
}
