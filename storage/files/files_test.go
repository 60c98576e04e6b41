package files_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/message"
	"bihuan/storage/files"
)

func open(t *testing.T) (*files.Files, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "evidence")
	f, err := files.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f, dir
}

// archive is a zip file with the named members.
func archive(t *testing.T, names ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range names {
		m, err := w.Create(name)
		if err == nil {
			_, err = io.WriteString(m, "<xml/>")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const (
	pdf  = "%PDF-1.4\n%%EOF\n"
	png  = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01"
	jpg  = "\xff\xd8\xff\xe0\x00\x10JFIF\x00"
	ole2 = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
)

func TestPut(t *testing.T) {
	legacy := ole2 + strings.Repeat("\x00", 1024)
	for _, c := range []struct {
		name, file, content string
		want                string // media type, or the key of the refusal
	}{
		{"pdf", "验收单.pdf", pdf, "application/pdf"},
		{"extension in capitals", "A.PDF", pdf, "application/pdf"},
		{"png", "a.png", png, "image/png"},
		{"jpeg", "a.jpeg", jpg, "image/jpeg"},
		{"gif", "a.gif", "GIF89a\x01\x00", "image/gif"},
		{"webp", "a.webp", "RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"},
		{"docx", "a.docx", archive(t, "[Content_Types].xml", "_rels/.rels", "word/document.xml"), "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		{"docx as other programs order it", "a.docx", archive(t, "a.bin", "b.bin", "customXml/item1.xml", "word/document.xml"), "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		{"xlsx", "a.xlsx", archive(t, "[Content_Types].xml", "xl/workbook.xml"), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
		{"pptx", "a.pptx", archive(t, "[Content_Types].xml", "ppt/presentation.xml"), "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
		{"ofd", "公文.ofd", archive(t, "OFD.xml", "Doc_0/Document.xml"), "application/ofd"},
		{"doc", "a.doc", legacy, "application/msword"},
		{"wps", "a.wps", legacy, "application/vnd.ms-works"},
		{"text", "a.txt", "现场记录", "text/plain"},
		{"text in GBK", "a.txt", "\xcf\xd6\xb3\xa1\xbc\xc7\xc2\xbc", "text/plain"},
		{"csv", "a.csv", "序号,事项\n1,修路灯\n2,修水管\n", "text/csv"},
		{"markdown", "a.md", "# 记录\n", "text/markdown"},
		{"mp4", "a.mp4", "\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2", "video/mp4"},
		{"a page called a text is served as text", "a.txt", "<!doctype html><script>alert(1)</script>", "text/plain"},

		{"empty", "a.pdf", "", "evidence.empty"},
		{"too large", "a.pdf", pdf + strings.Repeat("x", 4096), "file.too_large"},
		{"archive", "a.zip", archive(t, "a.txt"), "file.extension"},
		{"program", "a.exe", "MZ", "file.extension"},
		{"picture that can carry scripts", "a.svg", "<svg/>", "file.extension"},
		{"no extension", "README", "text", "file.extension"},
		{"nothing but an extension", ".pdf", pdf, "file.extension"},
		{"two extensions", "a.pdf.exe", pdf, "file.extension"},
		{"picture called pdf", "a.pdf", png, "file.type"},
		{"archive called docx", "a.docx", archive(t, "a.txt"), "file.type"},
		{"spreadsheet called docx", "a.docx", archive(t, "[Content_Types].xml", "xl/workbook.xml"), "file.type"},
		{"program called text", "a.txt", "\x7fELF\x02\x01\x01\x00\x00", "file.type"},
		{"line break in the name", "a\n.pdf", pdf, "file.name"},
		{"name that turns the writing", "a\u202efdp.pdf", pdf, "file.name"},
		{"name that is no text", "a\xff.pdf", pdf, "file.name"},
		{"long name", strings.Repeat("长", 200) + ".pdf", pdf, "file.name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, dir := open(t)
			e, err := f.Put(t.Context(), c.file, strings.NewReader(c.content), 4096)
			if refused, ok := errors.AsType[*engine.Error](err); ok {
				if refused.Key != c.want || refused.Kind != engine.Invalid || refused.Field != "file" {
					t.Errorf("refused with %+v, want %s", refused, c.want)
				}
				if strings.Contains(refused.In("en"), "{") || refused.In("en") == refused.Key {
					t.Errorf("the sentence is %q", refused.In("en"))
				}
				if left := names(t, dir); len(left) != 0 {
					t.Errorf("left behind: %v", left)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if e.Type != c.want || e.Name != c.file || e.Size != int64(len(c.content)) || e.SHA256 != audit.HashContent([]byte(c.content)) {
				t.Errorf("got %+v, want type %s", e, c.want)
			}
			if got := read(t, f, e.SHA256); got != c.content {
				t.Errorf("%d bytes come back of %d", len(got), len(c.content))
			}
		})
	}
}

// names lists the files below dir, as paths from there.
func names(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			out = append(out, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func read(t *testing.T, f *files.Files, d audit.Digest) string {
	t.Helper()
	r, size, err := f.Get(d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil || int64(len(b)) != size {
		t.Fatalf("%d of %d bytes: %v", len(b), size, err)
	}
	return string(b)
}

// The name that a file came with decides nothing about where it lies.
func TestPathIsTheDigest(t *testing.T) {
	f, dir := open(t)
	for _, name := range []string{"a.pdf", "../../etc/b.pdf", `C:\windows\c.pdf`, "/abs/d.pdf"} {
		e, err := f.Put(t.Context(), name, strings.NewReader(pdf), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(e.Name, `/\`) {
			t.Errorf("%q keeps its folder: %q", name, e.Name)
		}
	}
	digest := audit.HashContent([]byte(pdf)).String()
	if got, want := strings.Join(names(t, dir), " "), filepath.Join(digest[:2], digest[2:]); got != want {
		t.Errorf("the folder has %s, want %s", got, want)
	}
	info, err := os.Stat(filepath.Join(dir, digest[:2], digest[2:]))
	if err != nil || info.Mode().Perm() != 0o400 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestExactLimit(t *testing.T) {
	f, _ := open(t)
	if _, err := f.Put(t.Context(), "a.pdf", strings.NewReader(pdf), int64(len(pdf))); err != nil {
		t.Errorf("a file of exactly the limit: %v", err)
	}
	if _, err := f.Put(t.Context(), "a.pdf", strings.NewReader(pdf), int64(len(pdf))-1); engine.KindOf(err) != engine.Invalid {
		t.Errorf("a file of one byte more: %v", err)
	}
}

// A caller who hangs up, or a request that is over, leaves nothing.
func TestBrokenOff(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	broken := errors.New("connection reset")
	for _, c := range []struct {
		name string
		ctx  context.Context
		r    io.Reader
		want error
	}{
		{"reading fails", t.Context(), io.MultiReader(strings.NewReader(pdf), iotest.ErrReader(broken)), broken},
		{"the request is over", over, strings.NewReader(pdf), context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, dir := open(t)
			if _, err := f.Put(c.ctx, "a.pdf", c.r, 1<<20); !errors.Is(err, c.want) {
				t.Errorf("the error is %v", err)
			}
			if left := names(t, dir); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestGetWhatIsNotThere(t *testing.T) {
	f, _ := open(t)
	for _, d := range []audit.Digest{{}, audit.Digest(sha256.Sum256([]byte("nothing")))} {
		if _, _, err := f.Get(d); keyOf(err) != "evidence.missing" {
			t.Errorf("Get(%q): %v", d, err)
		}
	}
}

// A file that was cut short by a crash of somebody else's making is put right by the next one who sends it.
func TestCutShort(t *testing.T) {
	f, dir := open(t)
	e, err := f.Put(t.Context(), "a.pdf", strings.NewReader(pdf), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, e.SHA256.String()[:2], e.SHA256.String()[2:])
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("%PDF"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Put(t.Context(), "a.pdf", strings.NewReader(pdf), 1<<20); err != nil {
		t.Fatal(err)
	}
	if got := read(t, f, e.SHA256); got != pdf {
		t.Errorf("it is still %q", got)
	}
}

// A file that somebody changed behind the product's back does not pass for what was handed in, however long it is,
// and is put right by the next one who sends it.
func TestAltered(t *testing.T) {
	for _, bytes := range []string{"%PDF", strings.Replace(pdf, "P", "Q", 1), pdf + "x", ""} {
		f, dir := open(t)
		e, err := f.Put(t.Context(), "a.pdf", strings.NewReader(pdf), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, e.SHA256.String()[:2], e.SHA256.String()[2:])
		if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, []byte(bytes), 0o600)); err != nil {
			t.Fatal(err)
		}
		if file, _, err := f.Get(e.SHA256); keyOf(err) != "evidence.altered" {
			t.Errorf("%q was given out as %v: %v", bytes, file, err)
		}
		if _, err := f.Put(t.Context(), "a.pdf", strings.NewReader(pdf), 1<<20); err != nil {
			t.Fatal(err)
		}
		if got := read(t, f, e.SHA256); got != pdf {
			t.Errorf("it is still %q", got)
		}
	}
}

// The same bytes from many at once end as one whole file.
func TestConcurrentPut(t *testing.T) {
	f, dir := open(t)
	content := pdf + strings.Repeat("x", 100_000)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := f.Put(t.Context(), "a.pdf", strings.NewReader(content), 1<<20); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("the folder has %v", got)
	}
	if got := read(t, f, audit.HashContent([]byte(content))); got != content {
		t.Errorf("%d bytes come back of %d", len(got), len(content))
	}
}

// keyOf is what an error says to people.
func keyOf(err error) string {
	e, ok := errors.AsType[*engine.Error](err)
	if !ok || !message.Has(e.Key) || e.Kind != engine.Damaged {
		return ""
	}
	return e.Key
}
