// Package backup keeps a whole installation in one file, a zip archive: the database as it was at one moment, the
// evidence that its rows name, and a manifest that says what must be found in it.
//
// What must always hold: the archive appears under its name only when it is whole and on the disk, and replaces
// nothing; every byte of every part is covered by a digest of the manifest, which is written last, so that what was cut
// off or altered is refused before anything is restored; what keeps the installation's secrets (the set-up, the keys)
// lies elsewhere and never gets in.
package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/message"
	"bihuan/storage"
)

// Format is how the archive is laid out; a program refuses a later one.
const Format = 1

// kind tells our archives from other zip files.
const kind = "bihuan backup"

const (
	manifestName = "manifest.json"
	evidenceDir  = "evidence/"
	maxManifest  = 1 << 30 // bytes: about five million files of evidence
)

// Manifest says what an archive holds.
type Manifest struct {
	Kind     string           `json:"kind"`
	Format   int              `json:"format"`
	MadeAt   time.Time        `json:"made_at"`
	Program  string           `json:"program"` // version that made it
	Database storage.Snapshot `json:"database"`
	Parts    []Part           `json:"parts"`   // all of the archive but the manifest, in its order
	Missing  []Missing        `json:"missing"` // evidence that the rows name and that could not be copied
}

// Part is one member of the archive.
type Part struct {
	Name   string       `json:"name"`
	Size   int64        `json:"size"` // bytes
	SHA256 audit.Digest `json:"sha256"`
}

// Missing is a file of evidence that was not in its place, or no longer what was handed in, when the backup was made.
type Missing struct {
	SHA256  audit.Digest `json:"sha256"`
	Size    int64        `json:"size"` // bytes, as the row says
	Altered bool         `json:"altered"`
}

// missing tells of an error of Files.Get whether and why the file is missing.
func missing(a storage.Attachment, err error) *Missing {
	if e, ok := errors.AsType[*engine.Error](err); ok && e.Kind == engine.Damaged {
		return &Missing{SHA256: a.SHA256, Size: a.Size, Altered: e.Key == "evidence.altered"}
	}
	return nil
}

// Evidence counts the files of evidence in the archive.
func (m *Manifest) Evidence() (files int, bytes int64) {
	for _, p := range m.Parts {
		if strings.HasPrefix(p.Name, evidenceDir) {
			files++
			bytes += p.Size
		}
	}
	return files, bytes
}

// ErrDamaged is the answer for an archive that is not whole or not as it was written, within an engine.Error.
var ErrDamaged = errors.New("the archive is damaged")

func damaged(key, path string, args ...any) error {
	return &engine.Error{Kind: engine.Invalid, Field: "file", Key: key, Args: message.Args(append(args, "path", path)...), Err: ErrDamaged}
}

// evidenceForm is the name of a file of evidence in the archive: as in its folder.
var evidenceForm = regexp.MustCompile(`^evidence/([0-9a-f]{2})/([0-9a-f]{62})$`)

func evidenceName(d audit.Digest) string { s := d.String(); return evidenceDir + s[:2] + "/" + s[2:] }

// digestOf returns the digest that a name says, if it is that of a file of evidence.
func digestOf(name string) (d audit.Digest, ok bool) {
	m := evidenceForm.FindStringSubmatch(name)
	if m == nil {
		return d, false
	}
	return d, d.UnmarshalText([]byte(m[1]+m[2])) == nil
}

// readManifest reads and judges a manifest; what is said of parts is held against the archive by the caller.
func readManifest(path string, r io.Reader) (m Manifest, err error) {
	d := json.NewDecoder(io.LimitReader(r, maxManifest))
	if err := d.Decode(&m); err != nil {
		return m, damaged("backup.damaged", path, "what", manifestName)
	}
	if m.Kind != kind {
		return m, damaged("backup.no_backup", path)
	}
	if m.Format != Format {
		return m, &engine.Error{Kind: engine.Conflict, Field: "file", Key: "backup.format", Args: message.Args("format", m.Format, "known", Format)}
	}
	want := map[string]bool{}
	for _, name := range m.Database.Parts() {
		want[name] = true
	}
	for _, p := range m.Parts {
		d, ok := digestOf(p.Name)
		if ok && d != p.SHA256 || !ok && !want[p.Name] {
			return m, damaged("backup.damaged", path, "what", p.Name)
		}
		delete(want, p.Name)
	}
	for name := range want {
		return m, damaged("backup.damaged", path, "what", name)
	}
	return m, nil
}

// writeManifest returns the bytes of the manifest.
func writeManifest(m *Manifest) ([]byte, error) {
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return append(b, '\n'), nil
}
