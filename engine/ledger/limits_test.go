package ledger

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"
)

// zipped makes a package whose parts are written by their functions, so that a bomb needs no memory here either.
func zipped(t *testing.T, parts map[string]func(w io.Writer)) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	names := make([]string, 0, len(parts))
	for name := range parts {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		p, err := w.Create(name)
		must(t, err)
		parts[name](p)
	}
	must(t, w.Close())
	return b.Bytes()
}

// bomber is a sound workbook in which some parts are others.
func bomber(t *testing.T, parts map[string]func(w io.Writer)) []byte {
	t.Helper()
	good := book(t, func(f *excelize.File) {
		fillRows(t, f, []any{"序号", "事项", "完成时限"}, []any{1, "甲", "6月底前"})
	})
	z, err := zip.NewReader(bytes.NewReader(good), int64(len(good)))
	must(t, err)
	all := map[string]func(io.Writer){}
	for _, f := range z.File {
		r, err := f.Open()
		must(t, err)
		text, err := io.ReadAll(r)
		must(t, err)
		must(t, r.Close())
		all[f.Name] = func(w io.Writer) { _, _ = w.Write(text) }
	}
	for name, write := range parts {
		all[name] = write
	}
	return zipped(t, all)
}

func repeat(head, each string, n int, tail string) func(io.Writer) {
	return func(w io.Writer) {
		_, _ = io.WriteString(w, head)
		block := strings.Repeat(each, 1000)
		for ; n >= 1000; n -= 1000 {
			_, _ = io.WriteString(w, block)
		}
		_, _ = io.WriteString(w, strings.Repeat(each, n)+tail)
	}
}

const (
	sheetHead = `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>事项</t></is></c></row>`
	sheetTail = `</sheetData></worksheet>`
	sstHead   = `<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">`
)

// lie makes the directory of a zip say that every part of the name is small.
func lie(data []byte, name string, size uint32) []byte {
	out := bytes.Clone(data)
	for i := 0; ; {
		j := bytes.Index(out[i:], []byte("PK\x01\x02"))
		if j < 0 {
			return out
		}
		i += j
		n := int(binary.LittleEndian.Uint16(out[i+28:]))
		if string(out[i+46:i+46+n]) == name {
			binary.LittleEndian.PutUint32(out[i+24:], size)
		}
		i += 4
	}
}

// TestHostileWorkbooksCostLittle: what a forged file would cost is refused before it is paid. The bound is on what is
// allocated, which no noise changes; the time is printed.
func TestHostileWorkbooksCostLittle(t *testing.T) {
	const sheet, sst = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
	bomb := bomber(t, map[string]func(io.Writer){sheet: repeat(sheetHead, " ", 100<<20, sheetTail)})
	entities := `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">` + func() string {
		s := ""
		for c := 'b'; c <= 'z'; c++ {
			s += fmt.Sprintf(`<!ENTITY %c "%s">`, c, strings.Repeat("&"+string(c-1)+";", 10))
		}
		return s
	}() + `]>`
	external := `<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>`
	tests := []struct {
		name string
		data []byte
		key  string
		most uint64 // MiB allocated in all
	}{
		{"zip bomb", bomb, KeyUnzipTooLarge, 2},
		{"zip bomb that says it is small", lie(bomb, sheet, 1000), KeyBadWorkbook, 4},
		{"bomb in a part that nobody reads", bomber(t, map[string]func(io.Writer){"xl/media/a.png": repeat("", " ", 65<<20, "")}), KeyUnzipTooLarge, 2},
		{"a million empty shared strings", bomber(t, map[string]func(io.Writer){sst: repeat(sstHead, `<si/>`, 1_000_000, `</sst>`)}), KeyTooManyCells, 160},
		{"a million shared strings", bomber(t, map[string]func(io.Writer){sst: repeat(sstHead, `<si><t>a</t></si>`, 1_000_000, `</sst>`)}), KeyTooManyCells, 300},
		{"a million shared strings of 100 runes", bomber(t, map[string]func(io.Writer){sst: repeat(sstHead, `<si><t>`+strings.Repeat("a", 100)+`</t></si>`, 1_000_000, `</sst>`)}), KeyUnzipTooLarge, 2},
		{"10⁶ columns", bomber(t, map[string]func(io.Writer){sheet: repeat(sheetHead+`<row r="2">`, `<c><v>1</v></c>`, 1_000_000, `</row>`+sheetTail)}), KeyTooManyColumns, 32},
		{"10⁶ columns with borders only", bomber(t, map[string]func(io.Writer){sheet: repeat(sheetHead+`<row r="2">`, `<c s="0"/>`, 1_000_000, `</row>`+sheetTail)}), KeyTooManyColumns, 16},
		{"borders and nothing else", bomber(t, map[string]func(io.Writer){sheet: repeat(sheetHead, `<row>`+strings.Repeat(`<c/>`, 200)+`</row>`, 15_000, sheetTail)}), KeyTooManyCells, 300},
		{"elements that mean nothing", bomber(t, map[string]func(io.Writer){sheet: repeat(sheetHead, `<x/>`, 3_000_000, sheetTail)}), KeyTooManyCells, 600},
		{"10⁶ rows", bomber(t, map[string]func(io.Writer){sheet: repeat(sheetHead, `<row><c><v>1</v></c></row>`, 1_000_000, sheetTail)}), KeyTooManyRows, 64},
		{"entities within entities in the sheet", bomber(t, map[string]func(io.Writer){sheet: repeat(entities+sheetHead, `<row><c t="inlineStr"><is><t>&z;</t></is></c></row>`, 1, sheetTail)}), KeyBadWorkbook, 4},
		{"entities within entities in the texts", bomber(t, map[string]func(io.Writer){sst: repeat(entities+sstHead, `<si><t>&z;</t></si>`, 1, `</sst>`)}), KeyBadWorkbook, 4},
		{"an external entity", bomber(t, map[string]func(io.Writer){sst: repeat(external+sstHead, `<si><t>&a;</t></si>`, 1, `</sst>`)}), KeyBadWorkbook, 4},
		{"elements within elements", bomber(t, map[string]func(io.Writer){sheet: repeat(sheetHead, `<x>`, 1_000_000, sheetTail)}), KeyBadWorkbook, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			l, err := Read("台账.xlsx", tt.data, Options{Year: 2022})
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			var e *Error
			if !errors.As(err, &e) || e.Key != tt.key {
				t.Fatalf("got %v, %v, want %s", l, err, tt.key)
			}
			used := (after.TotalAlloc - before.TotalAlloc) >> 20
			t.Logf("%d KiB refused in %v with %d MiB allocated", len(tt.data)>>10, took.Round(time.Millisecond), used)
			if used > tt.most {
				t.Errorf("%d MiB allocated, at most %d", used, tt.most)
			}
		})
	}
}

// TestTheLibraryHasLimitsOfItsOwn: what the first look into a package refuses, the library is told to refuse as well,
// for a path to it that forgets to look.
func TestTheLibraryHasLimitsOfItsOwn(t *testing.T) {
	data := bomber(t, map[string]func(io.Writer){"xl/media/a.png": repeat("", " ", maxUnzip+1, "")})
	f, err := excelize.OpenReader(bytes.NewReader(data), unzipLimits())
	if err == nil {
		t.Error("the library unpacks more than the limit", f.Close())
	}
	if o := unzipLimits(); !o.RawCellValue || o.UnzipSizeLimit != maxUnzip || o.UnzipXMLSizeLimit != maxInRAM {
		t.Errorf("%+v", o)
	}
}
