package api

import (
	"compress/gzip"
	"embed"
	"io"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/gin-gonic/gin"
)

// The page of the API's documentation: Swagger UI, vendored, so that it works where no outside address can be
// reached. See docs/README.md.
//
//go:embed docs/index.html docs/page.js docs/swagger-ui-bundle.js.gz docs/swagger-ui.css.gz
var docs embed.FS

// docsCSP lets the page load what lies beside it and talk to this server, nothing else.
const docsCSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// docsPage serves the page itself.
func (s *Server) docsPage(c *gin.Context) { serveDoc(c, "index.html") }

// docsFile serves what the page loads.
func (s *Server) docsFile(c *gin.Context) {
	name := c.Param("file")
	if name == "index.html" || strings.HasSuffix(name, ".gz") {
		noRoute(c) // one address for one thing
		return
	}
	serveDoc(c, name)
}

func serveDoc(c *gin.Context, name string) {
	body, err := docs.Open("docs/" + name)
	packed := err != nil
	if packed {
		body, err = docs.Open("docs/" + name + ".gz")
	}
	if err != nil {
		noRoute(c)
		return
	}
	defer body.Close()
	h := c.Writer.Header()
	h.Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	h.Set("Content-Security-Policy", docsCSP)
	h.Set("Cache-Control", "no-cache") // may be kept, but asked for: it changes with the program
	h.Set("Vary", "Accept-Encoding")
	var r io.Reader = body
	switch {
	case packed && strings.Contains(c.GetHeader("Accept-Encoding"), "gzip"):
		h.Set("Content-Encoding", "gzip")
	case packed:
		if r, err = gzip.NewReader(body); err != nil {
			_ = c.Error(err)
			c.Status(http.StatusInternalServerError)
			return
		}
	}
	c.Status(http.StatusOK)
	_, _ = io.Copy(c.Writer, r) //nolint:gosec // what is unpacked was embedded at build time; a reader who hung up cannot be told
}
