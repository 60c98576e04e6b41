package files

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"
)

// sniffed is how much of each end of a file its type is found from.
const sniffed = 64 << 10

// mimetype looks at 3 kB unless told, which is too little for Office files that other programs wrote.
func init() { mimetype.SetLimit(sniffed) }

// kind is a sort of file that evidence may be.
type kind struct {
	media   string   // what it is served as
	content []string // media types that its content may be found to be
	member  string   // or: a zip archive with this member, which its directory at the end of the file lists
}

// kinds is the allow-list, by extension. Archives are not on it: nobody sees what is in them, and a link to the
// single files can be argued with. Neither are formats that a browser would run (HTML, SVG, scripts); everything
// is served as an attachment besides.
var kinds = map[string]kind{
	".pdf":  {media: "application/pdf", content: []string{"application/pdf"}},
	".ofd":  {media: "application/ofd", member: "OFD.xml"}, // GB/T 33190
	".png":  {media: "image/png", content: []string{"image/png", "image/vnd.mozilla.apng"}},
	".jpg":  {media: "image/jpeg", content: []string{"image/jpeg"}},
	".jpeg": {media: "image/jpeg", content: []string{"image/jpeg"}},
	".gif":  {media: "image/gif", content: []string{"image/gif"}},
	".webp": {media: "image/webp", content: []string{"image/webp"}},
	".mp4":  {media: "video/mp4", content: []string{"video/mp4"}},
	".docx": {media: docx, content: []string{docx}, member: "word/document.xml"},
	".xlsx": {media: xlsx, content: []string{xlsx}, member: "xl/workbook.xml"},
	".pptx": {media: pptx, content: []string{pptx}, member: "ppt/presentation.xml"},
	".doc":  {media: "application/msword", content: []string{"application/msword", ole}},
	".xls":  {media: "application/vnd.ms-excel", content: []string{"application/vnd.ms-excel", ole}},
	".ppt":  {media: "application/vnd.ms-powerpoint", content: []string{"application/vnd.ms-powerpoint", ole}},
	".wps":  {media: "application/vnd.ms-works", content: []string{ole, "application/msword", "application/vnd.ms-works"}},
	".et":   {media: "application/vnd.ms-excel", content: []string{ole, "application/vnd.ms-excel"}},
	".dps":  {media: "application/vnd.ms-powerpoint", content: []string{ole, "application/vnd.ms-powerpoint"}},
	".txt":  {media: "text/plain", content: plain},
	".csv":  {media: "text/csv", content: plain},
	".md":   {media: "text/markdown", content: plain},
}

const (
	docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	pptx = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
	ole  = "application/x-ole-storage"
)

// plain is any text: what a text means to other programs does not matter where it is served as plain text.
var plain = []string{"text/plain"}

// Extensions lists what the allow-list admits, for people and for file pickers.
func Extensions() []string {
	var out []string
	for ext := range kinds {
		out = append(out, ext)
	}
	slices.Sort(out)
	return out
}

// maxName is the longest name in characters; the engine allows no more.
const maxName = 200

// admit cleans an uploaded file's name and finds the kind that its extension stands for.
func admit(name string) (string, kind, error) {
	if !utf8.ValidString(name) {
		return "", kind{}, invalid("file.name")
	}
	name = strings.TrimSpace(name[strings.LastIndexAny(name, `/\`)+1:])
	if strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || isOverride(r) }) ||
		utf8.RuneCountInString(name) > maxName {
		return "", kind{}, invalid("file.name")
	}
	ext := strings.ToLower(filepath.Ext(name))
	k, ok := kinds[ext]
	if !ok || len(name) == len(ext) {
		return "", kind{}, invalid("file.extension", "name", name, "allowed", Extensions())
	}
	return name, k, nil
}

// isOverride reports a character that turns the direction of writing, with which "fdp.exe" is shown as "exe.pdf".
func isOverride(r rune) bool {
	return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\u200e' || r == '\u200f'
}

// judge returns the media type that a file with these ends is stored with, or refuses one whose content is
// something else than its name says.
func (k kind) judge(head, tail []byte, name string) (string, error) {
	for m := mimetype.Detect(head); m != nil; m = m.Parent() {
		if slices.ContainsFunc(k.content, m.Is) || k.member != "" && m.Is("application/zip") && bytes.Contains(tail, []byte(k.member)) {
			return k.media, nil
		}
	}
	return "", invalid("file.type", "name", name)
}
