package bundle

import (
	"archive/zip"
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// Writer writes a bundle, member after member: whatever is written begins its member, and no member can be gone back to.
type Writer struct {
	zip  *zip.Writer
	name string
	buf  *bufio.Writer
}

// NewWriter returns a writer of a bundle. Close ends it.
func NewWriter(w io.Writer) *Writer { return &Writer{zip: zip.NewWriter(w)} }

// to begins a member unless it is the one being written.
func (w *Writer) to(name string) (*bufio.Writer, error) {
	if w.name == name {
		return w.buf, nil
	}
	if err := w.flush(); err != nil {
		return nil, err
	}
	m, err := w.zip.Create(name)
	if err != nil {
		return nil, err
	}
	w.name, w.buf = name, bufio.NewWriter(m)
	return w.buf, nil
}

func (w *Writer) flush() error {
	if w.buf == nil {
		return nil
	}
	return w.buf.Flush()
}

// line writes a value as one line.
func (w *Writer) line(name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	out, err := w.to(name)
	if err != nil {
		return err
	}
	_, err = out.Write(append(b, '\n'))
	return err
}

// text writes a member at once.
func (w *Writer) text(name, text string) error {
	out, err := w.to(name)
	if err != nil {
		return err
	}
	_, err = out.WriteString(text)
	return err
}

// Manifest writes what the bundle holds.
func (w *Writer) Manifest(m Manifest) error { return w.line(manifestName, m) }

// Signed writes the checkpoint that everything is proved against.
func (w *Writer) Signed(note []byte) error { return w.text(checkpointName, string(note)) }

// Keys writes the public keys.
func (w *Writer) Keys(keys []string) error {
	return w.text(keysName, strings.Join(append(keys, ""), "\n"))
}

// Entry writes the bytes of the next entry.
func (w *Writer) Entry(b []byte) error {
	out, err := w.to(entriesName)
	if err != nil {
		return err
	}
	_, err = out.Write(b)
	return errors.Join(err, out.WriteByte('\n'))
}

// Place writes where the next entry stands; nil for one that was not sealed.
func (w *Writer) Place(p *Place) error { return w.line(placesName, p) }

// Checkpoint writes one that was stored.
func (w *Writer) Checkpoint(c Checkpoint) error { return w.line(checkpointsName, c) }

// Consistency writes one.
func (w *Writer) Consistency(c Consistency) error { return w.line(consistencyName, c) }

// Subject writes one.
func (w *Writer) Subject(s Subject) error { return w.line(subjectsName, s) }

// Evidence writes one.
func (w *Writer) Evidence(e Evidence) error { return w.line(evidenceName, e) }

// Opening writes one.
func (w *Writer) Opening(o Opening) error { return w.line(openingsName, o) }

// Definition writes one.
func (w *Writer) Definition(d Definition) error { return w.line(definitionsName, d) }

// Source writes one.
func (w *Writer) Source(s Source) error { return w.line(sourcesName, s) }

// Close ends the bundle.
func (w *Writer) Close() error { return errors.Join(w.flush(), w.zip.Close()) }
