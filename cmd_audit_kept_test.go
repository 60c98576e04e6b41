package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wneessen/go-mail"
	"github.com/xuri/excelize/v2"

	"bihuan/api/console"
	"bihuan/engine/workbook"
)

// TestVerifyWhatWasKept: whatever an inspector keeps a checkpoint in, verify takes it as it is: the note, the text of a
// mail, lines copied out of a workbook, and the workbook itself.
func TestVerifyWhatWasKept(t *testing.T) {
	dsn := fresh(t)
	s := serve(t, dsn, map[string]string{"BIHUAN_SIGNING": ""})
	var note string
	for code := 0; code != 200; {
		code, note = fetch(t, "http://"+s.addr+"/audit/checkpoint")
	}
	s.end()
	b, err := workbook.New()
	if err != nil {
		t.Fatal(err)
	}
	table, err := b.Sheet(workbook.Sheet{Name: "台账", Columns: workbook.Columns("编号", "项目")})
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Row("SS2026-0001", "暑期热水系统改造"); err != nil {
		t.Fatal(err)
	}
	if err := console.WriteCheckpoint(b, "zh-CN", []byte(note)); err != nil {
		t.Fatal(err)
	}
	book := filepath.Join(t.TempDir(), "台账.xlsx")
	f, err := os.Create(book)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	x, err := excelize.OpenFile(book)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := x.GetRows("审计检查点")
	if err != nil {
		t.Fatal(err)
	}
	var copied strings.Builder
	for _, r := range rows[1:] {
		copied.WriteString(strings.Join(r, "\t") + "\r\n")
	}
	body := "提醒：暑期热水系统改造\n\n审计存证（保留本邮件，日后可凭此核对记录是否被改动）：\n" + strings.TrimSpace(note) + "\n\n在这里修改通知方式：\nhttps://example.edu/notices"
	saved := func(encoding mail.Encoding, compose func(*mail.Msg)) string {
		m := mail.NewMsg(mail.WithEncoding(encoding))
		m.Subject("提醒：暑期热水系统改造")
		compose(m)
		var b bytes.Buffer
		if err := errors.Join(m.From("loop@example.edu"), m.To("li@example.edu")); err != nil {
			t.Fatal(err)
		}
		if _, err := m.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		return file(t, "提醒.eml", b.String())
	}
	plain := func(m *mail.Msg) { m.SetBodyString(mail.TypeTextPlain, body) }
	page := "<html><body><p>" + strings.ReplaceAll(html.EscapeString(body), "\n", "<br>\n") + "</p></body></html>"
	passedOn := func(m *mail.Msg) {
		inner, err := os.ReadFile(saved(mail.EncodingB64, plain))
		if err != nil {
			t.Fatal(err)
		}
		m.SetBodyString(mail.TypeTextPlain, "请留存")
		if err := m.AttachReader("提醒.eml", bytes.NewReader(inner), mail.WithFileContentType("message/rfc822"), mail.WithFileEncoding(mail.NoEncoding)); err != nil {
			t.Fatal(err)
		}
	}
	for name, kept := range map[string]string{"the note": file(t, "a.txt", note), "a mail": file(t, "b.txt", body), "an answer to a mail": file(t, "c.txt", "> "+strings.ReplaceAll(body, "\n", "\n> ")),
		"lines out of a workbook": file(t, "d.txt", copied.String()), "a workbook": book, "many": file(t, "e.txt", body+"\n"+note),
		"a mail as it came": saved(mail.EncodingQP, plain), "in base64": saved(mail.EncodingB64, plain), "not encoded": saved(mail.NoEncoding, plain),
		"as text and as a page": saved(mail.EncodingQP, func(m *mail.Msg) { plain(m); m.AddAlternativeString(mail.TypeTextHTML, page) }),
		"as a page":             saved(mail.EncodingQP, func(m *mail.Msg) { m.SetBodyString(mail.TypeTextHTML, page) }),
		"in another mail":       saved(mail.EncodingQP, passedOn)} {
		a := call(t, nil, "audit", "verify", "--db", dsn, "--known", kept, "--json")
		var v struct {
			Verdict string
			Checked struct{ Known int }
		}
		if err := json.Unmarshal([]byte(a.out), &v); err != nil {
			t.Fatalf("%s: %v\n%s%s", name, err, a.out, a.err)
		}
		want := 2 // with what the signer remembers
		if name == "many" {
			want++
		}
		if a.code != verifyIntact || v.Checked.Known != want {
			t.Errorf("%s: exit %d, %d known\n%s", name, a.code, v.Checked.Known, a.out)
		}
	}
	// What somebody wrote into a project comes with mails and workbooks. It never makes a trail tampered, and never stands
	// in for what was kept.
	trail := filepath.Join(t.TempDir(), "trail.zip")
	must(t, "audit", "export", "--db", dsn, "--out", trail)
	forged := strings.Replace(note, "\n"+strings.Split(note, "\n")[1]+"\n", "\n1\n", 1)
	forged = strings.Replace(forged, strings.Split(note, "\n")[2], strings.Repeat("A", 43)+"=", 1)
	title := strings.Join(strings.Fields(forged), " ")
	words := excelize.NewFile()
	for cell, text := range map[string]string{"A1": "项目\n" + forged, "A2": title, "B3": forged} {
		if err := words.SetCellStr("Sheet1", cell, text); err != nil {
			t.Fatal(err)
		}
	}
	for i, l := range strings.Split(strings.TrimSpace(note), "\n") {
		if err := words.SetCellStr("Sheet1", fmt.Sprintf("A%d", i+4), l); err != nil {
			t.Fatal(err)
		}
	}
	mixed := filepath.Join(t.TempDir(), "mixed.xlsx")
	if err := errors.Join(words.SaveAs(mixed), words.Close()); err != nil {
		t.Fatal(err)
	}
	public := filepath.Join(filepath.Dir(strings.TrimPrefix(dsn, "sqlite:")), "signing", "checkpoint.pub")
	for name, x := range map[string]struct {
		kept string
		code int
		says string
	}{
		"words within a line":            {file(t, "p.txt", strings.Replace(body, "改造", "改造 "+title, 1)), verifyIntact, ""},
		"a mail whose note is forged":    {file(t, "q.txt", "提醒：\n"+forged+"\n"+body), verifyIntact, "warning: "},
		"a workbook with such words":     {mixed, verifyIntact, "warning: "},
		"a marred one beside":            {file(t, "r.txt", note+strings.ReplaceAll(note, "\n", "<br>\n")), verifyIntact, "warning: "},
		"only a forged one":              {file(t, "s.txt", forged), verifyUnknown, "nothing follows"},
		"only a marred one":              {file(t, "u.txt", strings.ReplaceAll(note, "\n", "<br>\n")), verifyUnknown, "nothing follows"},
		"a forged one twice, in a title": {file(t, "v.txt", title+"\n"+title), verifyUnknown, "(2)"},
	} {
		for what, args := range map[string][]string{"live": {"--db", dsn}, "bundle": {"--key", public, trail}} {
			a := call(t, nil, append([]string{"audit", "verify", "--lang", "en", "--known", x.kept}, args...)...)
			if warned := strings.Contains(a.out, "warning: ") || strings.Contains(a.out, "nothing follows"); a.code != x.code || !strings.Contains(a.out, x.says) || warned != (x.says != "") {
				t.Errorf("%s, %s: exit %d, want %d with %q\n%s%s", name, what, a.code, x.code, x.says, a.out, a.err)
			}
		}
	}
	for name, kept := range map[string]string{"no workbook": file(t, "x.xlsx", "PK\x03\x04 nonsense"), "a changed letter": file(t, "y.txt", strings.Replace(note, "time 2", "time 1", 1))} {
		if a := call(t, nil, "audit", "verify", "--db", dsn, "--known", kept); a.code == verifyIntact {
			t.Errorf("%s is believed:\n%s", name, a.out)
		}
	}
}

// TestKeptBomb: a small file that was made to be large is not read to its end.
func TestKeptBomb(t *testing.T) {
	long := strings.Repeat("x", excelize.TotalCellChars)
	book := func(fill func(f *excelize.File) error) string {
		f := excelize.NewFile()
		name := filepath.Join(t.TempDir(), "bomb.xlsx")
		if err := errors.Join(fill(f), f.SaveAs(name), f.Close()); err != nil {
			t.Fatal(err)
		}
		return name
	}
	part := func(parts int, name string, size int) string {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for i := range parts {
			w, err := z.Create(strings.Replace(name, "*", fmt.Sprint(i), 1))
			if err == nil {
				_, err = w.Write(make([]byte, size))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return file(t, "bomb.xlsx", b.String())
	}
	for what, name := range map[string]string{
		"the same long text in every row": book(func(f *excelize.File) error {
			for i := range maxKeptText/len(long) + 2 {
				if err := f.SetCellStr("Sheet1", fmt.Sprintf("A%d", i+1), long); err != nil {
					return err
				}
			}
			return nil
		}),
		"rows as wide as they can be": book(func(f *excelize.File) error {
			var rows strings.Builder
			for i := range maxKeptText/excelize.MaxColumns + 2 {
				fmt.Fprintf(&rows, `<row r="%d"><c r="XFD%[1]d"><v>1</v></c></row>`, i+1)
			}
			f.Sheet.Delete("xl/worksheets/sheet1.xml")
			f.Pkg.Store("xl/worksheets/sheet1.xml", []byte(`<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>`+rows.String()+`</sheetData></worksheet>`))
			return nil
		}),
		"more sheets than anybody looks at": book(func(f *excelize.File) error {
			for i := range maxKeptSheets {
				if _, err := f.NewSheet(fmt.Sprint(i)); err != nil {
					return err
				}
			}
			return nil
		}),
		"a part that describes the others": part(1, "xl/workbook.xml", maxKeptPart+1),
		"many parts in memory":             part(maxKeptInRAM/maxKeptXML+1, "xl/worksheets/sheet*.xml", maxKeptXML),
		"parts for ever":                   part(maxKeptParts+1, "x*", 0),
		"a text without an end":            file(t, "bomb.txt", strings.Repeat("x", maxKeptText+1)),
	} {
		if _, err := readKept(name); err == nil || err.Error() != line("verify.kept_large", "file", name).Error() {
			t.Errorf("%s: %v", what, err)
		}
	}
}
