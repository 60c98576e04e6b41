package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"bihuan/engine"
)

//go:embed assets
var assetFiles embed.FS

// assets are the console's static files, each under a name that holds the digest of its bytes, so that a browser
// keeps it for ever and never shows an old one.
type assets struct {
	byName map[string]string // "console.css" → "console.1a2b3c4d5e6f.css"
	files  map[string]asset  // by the name with the digest
}

type asset struct {
	mediaType string
	plain     []byte
	zipped    []byte // nil where it would not be smaller
}

// loadAssets reads the embedded files; the style sheets become one.
func loadAssets() (*assets, error) {
	a := &assets{byName: map[string]string{}, files: map[string]asset{}}
	styles, err := fs.Glob(assetFiles, "assets/css/*.css")
	if err != nil {
		return nil, err
	}
	var css bytes.Buffer
	for _, name := range styles {
		b, err := assetFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		css.Write(b)
	}
	css.WriteString(percents())
	if err := a.add("console.css", css.Bytes()); err != nil {
		return nil, err
	}
	list, err := assetFiles.ReadDir("assets")
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		if f.IsDir() {
			continue
		}
		b, err := assetFiles.ReadFile("assets/" + f.Name())
		if err != nil {
			return nil, err
		}
		if err := a.add(f.Name(), b); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// percents are the classes w0…w100 and x0…x100: widths and offsets without inline styles.
func percents() string {
	var b strings.Builder
	for i := range 101 {
		fmt.Fprintf(&b, ".w%d{width:%d%%}.x%d{left:%d%%}", i, i, i, i)
	}
	return b.String()
}

func (a *assets) add(name string, b []byte) error {
	sum := sha256.Sum256(b)
	ext := path.Ext(name)
	hashed := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
	f := asset{mediaType: mime.TypeByExtension(ext), plain: b}
	switch ext {
	case ".js":
		f.mediaType = "text/javascript; charset=utf-8"
	case ".css":
		f.mediaType = "text/css; charset=utf-8"
	case ".svg":
		f.mediaType = "image/svg+xml"
	case ".txt", "":
		f.mediaType = "text/plain; charset=utf-8"
	}
	var z bytes.Buffer
	w, err := gzip.NewWriterLevel(&z, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(b); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if z.Len() < len(b) {
		f.zipped = z.Bytes()
	}
	a.byName[name], a.files[hashed] = hashed, f
	return nil
}

// url is the address of a file. A name that does not exist is a slip in a template, which every render would meet.
func (a *assets) url(name string) (string, error) {
	if h, ok := a.byName[name]; ok {
		return "/assets/" + h, nil
	}
	return "", fmt.Errorf("there is no asset %q", name)
}

// asset serves a file for a year.
func (c *Console) asset(v *visit) error {
	f, ok := c.assets.files[v.g.Param("file")]
	if !ok {
		return &engine.Error{Kind: engine.NotFound, Key: "console.error.no_page"}
	}
	h := v.g.Writer.Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'")
	h.Set("Vary", "Accept-Encoding")
	body := f.plain
	if f.zipped != nil && strings.Contains(v.g.GetHeader("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = f.zipped
	}
	v.g.Data(http.StatusOK, f.mediaType, body)
	return nil
}
