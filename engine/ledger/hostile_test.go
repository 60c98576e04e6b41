package ledger

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

// rezip rewrites the parts of a workbook.
func rezip(t *testing.T, data []byte, edit func(name, text string) string) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	must(t, err)
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range z.File {
		r, err := f.Open()
		must(t, err)
		text, err := io.ReadAll(r)
		must(t, err)
		must(t, r.Close())
		p, err := w.Create(f.Name)
		must(t, err)
		_, err = io.WriteString(p, edit(f.Name, string(text)))
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

// sheetXML makes a workbook whose sheet is the given XML.
func sheetXML(t *testing.T, xml string) []byte {
	t.Helper()
	return rezip(t, book(t, func(*excelize.File) {}), func(name, text string) string {
		if name == "xl/worksheets/sheet1.xml" {
			return `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">` + xml + `</worksheet>`
		}
		return text
	})
}

func zipOf(t *testing.T, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, n := range names {
		p, err := w.Create(n)
		must(t, err)
		_, err = io.WriteString(p, "<x/>")
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

func TestHostileFiles(t *testing.T) {
	good := book(t, func(f *excelize.File) {
		fillRows(t, f, []any{"序号", "事项", "完成时限"}, []any{1, "甲", "6月底前"})
	})
	if _, err := Read("", good, Options{}); err != nil {
		t.Fatal("the file that the cases below spoil: ", err)
	}
	const header = `<row r="1"><c r="A1" t="inlineStr"><is><t>事项</t></is></c></row>`
	in := func(cell string) string { return `<sheetData>` + header + `<row r="2">` + cell + `</row></sheetData>` }
	ole := "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 504)
	bomb := func(part string, size int) []byte {
		return rezip(t, good, func(name, text string) string {
			if name == part {
				return text + strings.Repeat(" ", size)
			}
			return text
		})
	}
	tests := []struct {
		name string
		data []byte
		key  string
		row  int
	}{
		{"nothing", nil, KeyEmpty, 0},
		{"only blanks", []byte(" \r\n\t\n"), KeyEmpty, 0},
		{"too large", make([]byte, MaxFile+1), KeyFileTooLarge, 0},
		{"zip bomb in the sheet", bomb("xl/worksheets/sheet1.xml", 65<<20), KeyUnzipTooLarge, 0},
		{"zip bomb in the styles", bomb("xl/styles.xml", 8<<20), KeyUnzipTooLarge, 0},
		{"cut off", good[:len(good)/2], KeyBadWorkbook, 0},
		{"spoilt in the middle", append(append(bytes.Clone(good[:200]), bytes.Repeat([]byte{0xff}, 400)...), good[600:]...), KeyBadWorkbook, 0},
		{"end of a zip only", []byte("PK\x05\x06" + strings.Repeat("\x00", 18)), KeyNotTable, 0},
		{"zip of something else", zipOf(t, "a.txt", "b.txt"), KeyNotTable, 0},
		{"doubled part", zipOf(t, "xl/workbook.xml", "XL/Workbook.xml"), KeyBadWorkbook, 0},
		{"old Excel", []byte(ole + "\x57\x00o\x00r\x00k\x00b\x00o\x00o\x00k\x00"), KeyOldExcel, 0},
		{"encrypted Excel", append([]byte(ole), utf16le("EncryptedPackage")...), KeyEncrypted, 0},
		{"web page named xls", []byte("\n<html><table><tr><td>序号</td></tr></table></html>"), KeyWebPage, 0},
		{"XML spreadsheet of 2003", []byte(`<?xml version="1.0"?><Workbook/>`), KeyWebPage, 0},
		{"PDF", []byte("%PDF-1.7\n序号,事项\n"), KeyNotTable, 0},
		{"binary junk", []byte("\x7fELF\x02\x01\x01\x00\x00\x01\x02\x03"), KeyNotTable, 0},
		{"junk without a zero", []byte("序号,事项\n" + strings.Repeat("\xff\xfe\x80\x01", 50)), KeyNotTable, 0},
		{"no header", []byte("张三,李四\n1,2\n"), KeyNoHeader, 1},
		{"header without a title", []byte("序号,责任单位\n1,教务处\n"), KeyNoHeader, 1},
		{"header too far down", []byte(strings.Repeat("随便,写写\n", 15) + "序号,事项\n1,甲\n"), KeyNoHeader, 1},
		{"header and nothing below", []byte("序号,事项\n"), KeyNoRows, 1},
		{"nothing but totals", []byte("序号,事项\n合计,3\n"), KeyNoRows, 1},
		{"quote never closed", []byte("序号,事项\n1,甲\n2,\"乙\n3,丙\n"), KeyQuoteUnclosed, 3},
		{"quote in the middle", []byte("序号,事项\n1,5\"管道\n2,乙\n"), KeyQuoteStray, 2},
		{"text behind a quote", []byte("序号,事项\n1,\"甲\"乙\n2,丙\n"), KeyQuoteStray, 2},
		{"a million commas", []byte("序号,事项\n" + strings.Repeat(",", 1_000_000)), KeyTooManyColumns, 2},
		{"too many columns", []byte("序号,事项\n" + strings.Repeat("1,", 201)), KeyTooManyColumns, 2},
		{"too many rows", []byte("序号,事项\n" + strings.Repeat("1,甲\n", 20_000)), KeyTooManyRows, 20_001},
		{"huge CSV cell", []byte("序号,事项\n1," + strings.Repeat("甲", 8001)), KeyCellTooLong, 2},
		{"huge inline cell", sheetXML(t, in(`<c r="A2" t="inlineStr"><is><t>`+strings.Repeat("甲", 8001)+`</t></is></c>`)), KeyCellTooLong, 2},
		{"huge shared text", rezip(t, good, func(name, text string) string {
			if name == "xl/sharedStrings.xml" {
				return strings.Replace(text, "甲", strings.Repeat("甲", 1<<20), 1)
			}
			return text
		}), KeyCellTooLong, 0},
		{"a column beyond Excel", sheetXML(t, in(`<c r="BDWGN2"><v>1</v></c>`)), KeyTooManyColumns, 2},
		{"a dimension of a million columns", sheetXML(t, `<dimension ref="A1:BDWGN20"/>`+in(`<c r="A2"><v>1</v></c>`)), KeyTooManyColumns, 0},
		{"a value in the last column", sheetXML(t, in(`<c r="XFD2"><v>1</v></c>`)), KeyTooManyColumns, 2},
		{"a row beyond Excel", sheetXML(t, `<sheetData>`+header+`<row r="2000000"><c><v>1</v></c></row></sheetData>`), KeyTooManyRows, 0},
		{"rows out of order", sheetXML(t, `<sheetData>`+header+`<row r="3"/><row r="2"/></sheetData>`), KeyBadWorkbook, 4},
		{"cells out of order", sheetXML(t, in(`<c r="B2"><v>1</v></c><c r="A2"><v>1</v></c>`)), KeyBadWorkbook, 2},
		{"cell of another row", sheetXML(t, in(`<c r="A9"><v>1</v></c>`)), KeyBadWorkbook, 2},
		{"merge backwards", sheetXML(t, in(`<c r="A2"><v>1</v></c>`)+`<mergeCells><mergeCell ref="B9:A1"/></mergeCells>`), KeyBadWorkbook, 0},
		{"XML cut off", sheetXML(t, `<sheetData>`+header+`<row r="2"><c r="A2"><v>1`), KeyBadWorkbook, 0},
		{"empty sheet", sheetXML(t, `<sheetData/>`), KeyEmpty, 0},
		{"sheet without a header", sheetXML(t, `<sheetData><row r="4"><c r="B4"><v>1</v></c></row></sheetData>`), KeyNoHeader, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := Read("台账.xlsx", tt.data, Options{Year: 2022})
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("read as %+v, want %s", l, tt.key)
			}
			if e.Key != tt.key || e.Row != tt.row {
				t.Errorf("got %v, want %s in row %d", err, tt.key, tt.row)
			}
		})
	}
}

func TestTooManyOfEverything(t *testing.T) {
	many := func(n int, each string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, each, i+1)
		}
		return b.String()
	}
	tests := []struct {
		name string
		xml  string
		key  string
	}{
		{"rows", `<sheetData>` + many(12, `<row r="%d"><c t="inlineStr"><is><t>事项</t></is></c></row>`) + `</sheetData>`, KeyTooManyRows},
		{"empty cells", `<sheetData><row>` + many(201, `<c s="%d"/>`) + `</row></sheetData>`, KeyTooManyCells},
		{"merges", `<mergeCells>` + many(100_001, `<mergeCell ref="A%d"/>`) + `</mergeCells>`, KeyTooManyCells},
		{"merges one over another", `<sheetData>` + many(9, `<row r="%[1]d"><c t="inlineStr"><is><t>事项</t></is></c><c><v>1</v></c></row>`) +
			`</sheetData><mergeCells>` + many(99, `<mergeCell ref="B2:B%[1]d"/>`) + `</mergeCells>`, KeyBadWorkbook},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Read("", sheetXML(t, tt.xml), Options{MaxRows: 10, MaxColumns: 10})
			var e *Error
			if !errors.As(err, &e) || e.Key != tt.key {
				t.Errorf("got %v, want %s", err, tt.key)
			}
		})
	}
}

func TestLargeSheetSpillsAndIsRead(t *testing.T) {
	// 17 MiB of blanks push the sheet over the limit for memory; the ledger in it is still small.
	blanks := strings.Repeat(" ", 17<<20)
	l, err := Read("", sheetXML(t, `<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>事项</t></is></c></row>`+blanks+
		`<row r="2"><c r="A2" t="inlineStr"><is><t>甲</t></is></c></row></sheetData>`), Options{Year: 2022})
	if err != nil || len(l.Rows) != 1 || l.Rows[0].Cells[Title] != "甲" {
		t.Errorf("got %+v, %v", l, err)
	}
}

func TestFormattedEmptySheetIsNotTooLarge(t *testing.T) {
	// Borders down to the last row and column: offices do that, and there is nothing in those cells.
	l, err := Read("", sheetXML(t, `<dimension ref="A1:XFD1048576"/><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>事项</t></is></c></row>`+
		`<row r="2"><c r="A2" t="inlineStr"><is><t>甲</t></is></c><c r="XFD2" s="0"/></row><row r="1048576"><c r="XFD1048576" s="0"/></row></sheetData>`),
		Options{Year: 2022})
	if err != nil || len(l.Rows) != 1 {
		t.Errorf("got %+v, %v", l, err)
	}
}

func TestErrorNamesWhatWasSeen(t *testing.T) {
	_, err := Read("", []byte("填报单位：某学院\n姓名,电话,学院\n张三,1,x\n"), Options{})
	var e *Error
	if !errors.As(err, &e) || e.Key != KeyNoHeader || e.Row != 2 {
		t.Fatalf("got %v", err)
	}
	if got, want := fmt.Sprint(e.Args["seen"]), "[姓名 电话 学院]"; got != want {
		t.Errorf("seen %s, want %s", got, want)
	}
	if want := "ledger.no_header row=2 expected="; !strings.HasPrefix(e.Error(), want) {
		t.Errorf("got %q, want %q first", e.Error(), want)
	}
}
