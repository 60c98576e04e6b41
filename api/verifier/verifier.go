// Package verifier is the page with which an inspector verifies a bundle without the server, the database or a network:
// one HTML file that holds the verifier of engine/audit/bundle as WebAssembly.
//
// What must always hold: the page asks nothing of any address, which its own policy forbids; it runs no script but the two
// that the policy names by their hash; and what it shows of a bundle reaches it as text.
//
// The WebAssembly is compiled by api/verifier/build, which make build, make demo and .ci/run call, and is not committed: it
// weighs 1.3 MB and would change with every version of Go. A program that was compiled without it answers ErrMissing.
package verifier

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"text/template"

	"bihuan/engine"
	"bihuan/engine/message"
)

// Name is how the page is called where it is saved.
const Name = "bihuan-verifier.html"

// ErrMissing says that the program was compiled without the verifier.
var ErrMissing = &engine.Error{Kind: engine.NotFound, Key: "verifier.missing"}

//go:embed all:built
var built embed.FS

//go:embed page.html page.css page.js
var parts embed.FS

// Page returns the page, in Chinese and English, or ErrMissing.
var Page = sync.OnceValues(func() ([]byte, error) {
	dir, err := fs.Sub(built, "built")
	if err != nil {
		return nil, err
	}
	return Compose(dir)
})

// Compose makes the page of what api/verifier/build has laid into a folder.
func Compose(dir fs.FS) ([]byte, error) {
	program, err := fs.ReadFile(dir, "verifier.wasm.gz")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrMissing
	}
	if err != nil {
		return nil, err
	}
	glue, err := fs.ReadFile(dir, "wasm_exec.js")
	if err != nil {
		return nil, err
	}
	css, err := parts.ReadFile("page.css")
	if err != nil {
		return nil, err
	}
	script, err := parts.ReadFile("page.js")
	if err != nil {
		return nil, err
	}
	for _, text := range [][]byte{glue, script} {
		if bytes.Contains(bytes.ToLower(text), []byte("</script")) {
			return nil, errors.New("verifier: a script would end early")
		}
	}
	texts, err := sentences()
	if err != nil {
		return nil, err
	}
	page, err := template.ParseFS(parts, "page.html")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = page.Execute(&out, map[string]string{
		"Policy": "default-src 'none'; script-src " + hash(glue) + " " + hash(script) + " 'wasm-unsafe-eval'; style-src " + hash(css) + "; base-uri 'none'; form-action 'none'",
		"Title":  message.Text(message.Languages[0], "verifier.title", nil),
		"CSS":    string(css), "Glue": string(glue), "Script": string(script), "Texts": texts,
		"Program": base64.StdEncoding.EncodeToString(program),
	})
	return out.Bytes(), err
}

// hash names an inline script or style in a policy.
func hash(text []byte) string {
	sum := sha256.Sum256(text)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// sentences returns what the page says, by language and key, as JSON that is safe within an element.
func sentences() (string, error) {
	all := map[string]map[string]string{}
	for _, lang := range message.Languages {
		all[lang] = map[string]string{}
		for _, key := range message.Keys() {
			for _, prefix := range []string{"verifier.", "console.check.", "console.checked."} {
				if rest, ok := strings.CutPrefix(key, prefix); ok {
					own := strings.TrimPrefix(prefix, "console.")
					if prefix == "verifier." {
						own = ""
					}
					all[lang][own+rest] = message.Text(lang, key, nil)
				}
			}
		}
	}
	b, err := json.Marshal(all) // which escapes <, > and &
	if err != nil {
		return "", fmt.Errorf("verifier: %w", err)
	}
	return string(b), nil
}
