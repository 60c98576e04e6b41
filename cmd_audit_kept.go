package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/xuri/excelize/v2"

	"bihuan/engine"
	"bihuan/engine/audit/bundle"
	"bihuan/engine/audit/merkle"
	"bihuan/storage"
)

// Bounds of a workbook in bytes that is looked through for a checkpoint.
const (
	maxKeptFile  = 64 << 20
	maxKeptUnzip = 1 << 30
	maxKeptXML   = 64 << 20 // beyond it a part is read from a temporary file
	maxKeptText  = 64 << 20 // of its first cells: they may all be one long text
)

// keptNotes returns the checkpoints in a file that somebody kept: the note as it was signed, a mail or anything else that
// holds it, or an exported workbook. A file without any is returned as it is, for whoever says what is wrong with it.
func keptNotes(name string) ([]storage.Known, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxKeptFile {
		return nil, line("verify.kept_large", "file", name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	switch m, isMail := readMail(text); {
	case bytes.HasPrefix(text, []byte("PK")):
		text, err = workbookText(text)
	case isMail:
		text, err = mailText(m)
	}
	if errors.Is(err, errKeptLarge) {
		return nil, line("verify.kept_large", "file", name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	notes, missed := merkle.Cut(text)
	if missed > 0 && len(notes) > 0 {
		return nil, line("verify.kept_missed", "file", name, "n", missed)
	}
	if len(notes) == 0 {
		return []storage.Known{{Name: name, Note: text}}, nil
	}
	out := make([]storage.Known, len(notes))
	for i, note := range notes {
		out[i] = storage.Known{Name: name, Note: note}
		if i > 0 {
			out[i].Name = fmt.Sprintf("%s (%d)", name, i+1)
		}
	}
	return out, nil
}

// errKeptLarge says that there is more in a file than anybody would keep.
var errKeptLarge = errors.New("more text than is looked through")

// workbookText returns the first cell of each row of a workbook's sheets, a line each.
func workbookText(b []byte) ([]byte, error) {
	f, err := excelize.OpenReader(bytes.NewReader(b), excelize.Options{UnzipSizeLimit: maxKeptUnzip, UnzipXMLSizeLimit: maxKeptXML})
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	var out strings.Builder
	for _, sheet := range f.GetSheetList() {
		rows, err := f.Rows(sheet)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			cells, err := rows.Columns()
			if err != nil {
				return nil, err
			}
			if len(cells) > 0 {
				out.WriteString(cells[0])
			}
			out.WriteByte('\n')
			if out.Len() > maxKeptText {
				return nil, errors.Join(errKeptLarge, rows.Close())
			}
		}
		if err := errors.Join(rows.Error(), rows.Close()); err != nil {
			return nil, err
		}
	}
	return []byte(out.String()), nil
}

// readKept reads checkpoints that somebody kept, whoever signed them.
func readKept(name string) ([]merkle.Point, error) {
	notes, err := keptNotes(name)
	if err != nil {
		return nil, err
	}
	out := make([]merkle.Point, len(notes))
	for i, k := range notes {
		if out[i], err = bundle.Kept(k.Name, k.Note); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// newestNote returns the newest checkpoint for whatever leaves the installation, nil if there is none.
func newestNote(ctx context.Context, e *engine.Engine) ([]byte, error) {
	db, ok := e.Store.(*storage.DB)
	if !ok {
		return nil, nil
	}
	return storage.Trail{DB: db}.Checkpoint(ctx)
}
