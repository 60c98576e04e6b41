package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/xuri/excelize/v2"

	"bihuan/engine"
	"bihuan/engine/audit/merkle"
	"bihuan/engine/message"
	"bihuan/storage"
)

// Bounds of what is looked through for a checkpoint, in bytes unless they say something else. Whoever fills in a workbook
// may be the one who wants it never to be read.
const (
	maxKeptFile   = 64 << 20
	maxKeptText   = merkle.MaxKept // of mails, texts and first cells; a cell behind the first counts as one
	maxKeptParts  = 4096           // parts of a workbook
	maxKeptSheets = 256            // of them
	maxKeptUnzip  = 512 << 20      // of all parts
	maxKeptInRAM  = 64 << 20       // of those that are held in memory: all but large sheets and texts
	maxKeptXML    = 4 << 20        // of a sheet that is
	maxKeptPart   = 8 << 20        // of a part that says how the others hang together
	maxKeptTexts  = 64 << 20       // of the part with the texts
)

// readKept reads a file that somebody kept: the note as it was signed, a mail or anything else that holds it, or an exported
// workbook. A file with nothing in it that looks like a checkpoint is refused.
func readKept(name string) (merkle.Kept, error) {
	info, err := os.Stat(name)
	if err != nil {
		return merkle.Kept{}, err
	}
	if info.Size() > maxKeptFile {
		return merkle.Kept{}, line("verify.kept_large", "file", name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return merkle.Kept{}, err
	}
	switch m, isMail := readMail(text); {
	case bytes.HasPrefix(text, []byte("PK")):
		text, err = workbookText(text)
	case isMail:
		text, err = mailText(m)
	}
	if errors.Is(err, errKeptLarge) {
		return merkle.Kept{}, line("verify.kept_large", "file", name)
	}
	if err != nil {
		return merkle.Kept{}, fmt.Errorf("%s: %w", name, err)
	}
	if len(text) > maxKeptText {
		return merkle.Kept{}, line("verify.kept_large", "file", name)
	}
	return merkle.Keep(name, text)
}

// readAllKept reads every file that somebody kept.
func readAllKept(names []string) ([]merkle.Kept, error) {
	out := make([]merkle.Kept, len(names))
	for i, name := range names {
		var err error
		if out[i], err = readKept(name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// sayDoubts tells what of the kept files was not believed, and why.
func (s *session) sayDoubts(doubts []merkle.Doubt) {
	for _, d := range doubts {
		why := message.Text(s.lang, "verifier.doubt."+d.Why, map[string]any{"n": d.N})
		key := "verifier.doubt_beside"
		if d.Alone {
			key = "verifier.doubt_alone"
		}
		s.print(message.Text(s.lang, key, map[string]any{"file": d.File, "why": why}))
	}
}

// errKeptLarge says that there is more in a file than anybody would keep.
var errKeptLarge = errors.New("more text than is looked through")

// checkParts refuses a workbook that takes more to open than one with a checkpoint in it. The library reads no more of a
// part than its header says, and what the headers say is bounded here.
func checkParts(b []byte) error {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return err
	}
	if len(z.File) > maxKeptParts {
		return errKeptLarge
	}
	var all, held uint64
	for _, p := range z.File {
		name, size := strings.ToLower(strings.ReplaceAll(p.Name, "\\", "/")), p.UncompressedSize64
		most := uint64(maxKeptPart)
		switch {
		case strings.HasPrefix(name, "xl/worksheets/sheet"):
			most = maxKeptUnzip
		case name == "xl/sharedstrings.xml":
			most = maxKeptTexts
		case strings.HasPrefix(name, "xl/media/"):
			most = maxKeptInRAM
		}
		if all += size; size > most || all > maxKeptUnzip {
			return errKeptLarge
		}
		if most <= maxKeptPart || size <= maxKeptXML || strings.HasPrefix(name, "xl/media/") {
			held += size
		}
	}
	if held > maxKeptInRAM {
		return errKeptLarge
	}
	return nil
}

// lineEnds makes one line out of a cell: the lines within it are somebody's words.
var lineEnds = strings.NewReplacer("\r", " ", "\n", " ")

// workbookText returns the first cell of each row of a workbook's sheets, a line each.
func workbookText(b []byte) ([]byte, error) {
	if err := checkParts(b); err != nil {
		return nil, err
	}
	f, err := excelize.OpenReader(bytes.NewReader(b), excelize.Options{UnzipSizeLimit: maxKeptUnzip, UnzipXMLSizeLimit: maxKeptXML})
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	var out strings.Builder
	sheets := f.GetSheetList()
	if len(sheets) > maxKeptSheets {
		return nil, errKeptLarge
	}
	cost := 0
	for _, sheet := range sheets {
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
				out.WriteString(lineEnds.Replace(cells[0]))
			}
			out.WriteByte('\n')
			if cost += 8 + len(cells); cost+out.Len() > maxKeptText {
				return nil, errors.Join(errKeptLarge, rows.Close())
			}
		}
		if err := errors.Join(rows.Error(), rows.Close()); err != nil {
			return nil, err
		}
	}
	return []byte(out.String()), nil
}

// newestNote returns the newest checkpoint for whatever leaves the installation, nil if there is none.
func newestNote(ctx context.Context, e *engine.Engine) ([]byte, error) {
	db, ok := e.Store.(*storage.DB)
	if !ok {
		return nil, nil
	}
	return storage.Trail{DB: db}.Checkpoint(ctx)
}
