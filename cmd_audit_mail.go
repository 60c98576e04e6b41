package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"html"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"regexp"
	"strings"
)

// maxMailDepth bounds how deep the parts of a mail may lie in each other.
const maxMailDepth = 10

// readMail reads a mail as mail programs save it. What only looks a little like one is none.
func readMail(text []byte) (*mail.Message, bool) {
	m, err := mail.ReadMessage(bytes.NewReader(text))
	if err != nil {
		return nil, false
	}
	return m, m.Header.Get("Content-Type") != "" || m.Header.Get("Content-Transfer-Encoding") != ""
}

// mailText returns all text of a mail as it was before it was encoded, but not of other files that are attached to it.
func mailText(m *mail.Message) ([]byte, error) {
	var out bytes.Buffer
	err := partText(&out, textproto.MIMEHeader(m.Header), m.Body, maxMailDepth)
	return out.Bytes(), err
}

func partText(out *bytes.Buffer, header textproto.MIMEHeader, body io.Reader, depth int) error {
	if depth == 0 {
		return errors.New("the parts of the mail lie too deep in each other")
	}
	switch strings.ToLower(strings.TrimSpace(header.Get("Content-Transfer-Encoding"))) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		kind = "text/plain" // as the standard has it where nothing sensible is said
	}
	switch {
	case kind == "message/rfc822": // a mail that was passed on in another
		m, err := mail.ReadMessage(body)
		if err != nil {
			return err
		}
		return partText(out, textproto.MIMEHeader(m.Header), m.Body, depth-1)
	case strings.HasPrefix(kind, "multipart/"):
		return partsText(out, kind, multipart.NewReader(body, params["boundary"]), depth)
	case !strings.HasPrefix(kind, "text/"):
		return nil
	}
	text, err := io.ReadAll(body)
	if kind == "text/html" {
		text = pageText(text)
	}
	out.Write(text)
	out.WriteByte('\n')
	return err
}

// partsText writes the text of every part; of alternatives, which say the same, that of the first, which is the plainest.
func partsText(out *bytes.Buffer, kind string, parts *multipart.Reader, depth int) error {
	for {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		before := out.Len()
		if err := partText(out, p.Header, p, depth-1); err != nil {
			return err
		}
		if kind == "multipart/alternative" && len(bytes.TrimSpace(out.Bytes()[before:])) > 0 {
			return nil
		}
	}
}

var markup = regexp.MustCompile(`<[^>]*>`)

// pageText returns what a page says, with a line's end for every mark.
func pageText(page []byte) []byte {
	return []byte(html.UnescapeString(string(markup.ReplaceAll(page, []byte("\n")))))
}
