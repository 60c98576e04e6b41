package backup

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/storage"
	"bihuan/storage/files"
)

// writer writes an archive part by part and keeps the manifest of it.
type writer struct {
	zip  *zip.Writer
	part *Part // the one that is being written
	hash hash.Hash
	list []Part
	at   time.Time
}

// create begins a part; the former one is finished with it. Evidence is stored as it is: most of it is packed already.
func (w *writer) create(name string) (io.Writer, error) {
	w.finish()
	header := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: w.at}
	if strings.HasPrefix(name, evidenceDir) {
		header.Method = zip.Store
	}
	header.SetMode(0o600)
	member, err := w.zip.CreateHeader(header)
	if err != nil {
		return nil, err
	}
	w.part, w.hash = &Part{Name: name}, sha256.New()
	return io.MultiWriter(member, w.hash, (*size)(&w.part.Size)), nil
}

func (w *writer) finish() {
	if w.part != nil {
		w.part.SHA256 = audit.Digest(w.hash.Sum(nil))
		w.list = append(w.list, *w.part)
		w.part = nil
	}
}

// size counts what is written to it.
type size int64

func (s *size) Write(b []byte) (int, error) { *s += size(len(b)); return len(b), nil }

// Write makes a backup at path, in a folder that there is and with room for it, and for an SQLite file once more.
// Others go on writing meanwhile. It replaces nothing: a file that is there already is a Conflict, backup.file_there.
//
// Evidence that is not where it should be, or no longer what was handed in, keeps nothing from being backed up: it is
// named in the manifest as missing.
func Write(ctx context.Context, db *storage.DB, evidence *files.Files, path, program string, now time.Time) (m Manifest, err error) {
	m = Manifest{Kind: kind, Format: Format, MadeAt: now.UTC().Truncate(time.Second), Program: program, Missing: []Missing{}}
	if err := unused(path); err != nil {
		return m, err
	}
	draft, err := os.CreateTemp(filepath.Dir(path), ".bihuan-*") // only its owner can read it
	if err != nil {
		return m, err
	}
	defer func() {
		_ = draft.Close() // a second time after the one that counts
		if removeErr := os.Remove(draft.Name()); removeErr != nil && !errors.Is(removeErr, fs.ErrNotExist) {
			err = errors.Join(err, removeErr)
		}
	}()
	w := &writer{zip: zip.NewWriter(draft), at: m.MadeAt}
	var list []storage.Attachment
	if m.Database, list, err = db.Dump(ctx, filepath.Dir(path), w.create); err != nil {
		return m, err
	}
	for _, a := range list {
		if err := ctx.Err(); err != nil {
			return m, err
		}
		lost, err := w.evidence(evidence, a)
		if err != nil {
			return m, err
		}
		if lost != nil {
			m.Missing = append(m.Missing, *lost)
		}
	}
	w.finish()
	m.Parts = w.list
	text, err := writeManifest(&m)
	if err != nil {
		return m, err
	}
	last, err := w.create(manifestName)
	if err == nil {
		_, err = last.Write(text)
	}
	if err = errors.Join(err, w.zip.Close(), draft.Sync(), draft.Close()); err != nil {
		return m, err
	}
	return m, publish(draft.Name(), path)
}

// evidence copies one file, whose bytes are checked before the first of them is written.
func (w *writer) evidence(from *files.Files, a storage.Attachment) (*Missing, error) {
	file, _, err := from.Get(a.SHA256)
	if err != nil {
		if m := missing(a, err); m != nil {
			return m, nil
		}
		return nil, err
	}
	part, err := w.create(evidenceName(a.SHA256))
	if err == nil {
		_, err = io.Copy(part, file)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	w.finish()
	if got := w.list[len(w.list)-1].SHA256; got != a.SHA256 {
		return nil, fmt.Errorf("evidence %s was changed while it was read", a.SHA256)
	}
	return nil, nil
}

func unused(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return &engine.Error{Kind: engine.Conflict, Field: "file", Key: "backup.file_there", Args: map[string]any{"path": path}, Err: fs.ErrExist}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// publish gives the finished file its name. A link, unlike a rename, replaces nothing.
func publish(draft, path string) error {
	if err := os.Link(draft, path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return unused(path)
		}
		if err := errors.Join(unused(path), os.Rename(draft, path)); err != nil { // a file system without links
			return err
		}
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
