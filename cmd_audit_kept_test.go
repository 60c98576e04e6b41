package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
	mail := "提醒：暑期热水系统改造\n\n审计存证（保留本邮件，日后可凭此核对记录是否被改动）：\n" + strings.TrimSpace(note) + "\n\n在这里修改通知方式：\nhttps://example.edu/notices"
	for name, kept := range map[string]string{"the note": file(t, "a.txt", note), "a mail": file(t, "b.txt", mail), "an answer to a mail": file(t, "c.txt", "> "+strings.ReplaceAll(mail, "\n", "\n> ")),
		"lines out of a workbook": file(t, "d.txt", copied.String()), "a workbook": book, "many": file(t, "e.txt", mail+"\n"+note)} {
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
	for name, kept := range map[string]string{"no workbook": file(t, "x.xlsx", "PK\x03\x04 nonsense"), "a changed letter": file(t, "y.txt", strings.Replace(note, "time 2", "time 1", 1))} {
		if a := call(t, nil, "audit", "verify", "--db", dsn, "--known", kept); a.code == verifyIntact {
			t.Errorf("%s is believed:\n%s", name, a.out)
		}
	}
}
