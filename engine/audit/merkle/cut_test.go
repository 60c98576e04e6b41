package merkle

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
)

// TestCut: whatever people keep a checkpoint in, the note comes out as it was signed; and what somebody changed in it is
// not mended.
func TestCut(t *testing.T) {
	s, m := openSigner(t, filepath.Join(t.TempDir(), "signing")), new(memory)
	m.grow(t, 3)
	note, _ := sign(t, s, m)
	keys, err := ParseKeys(s.Public())
	if err != nil {
		t.Fatal(err)
	}
	n := string(note)
	units := utf16.Encode([]rune("\ufeff" + n))
	wide := make([]byte, 2*len(units))
	for i, u := range units {
		binary.LittleEndian.PutUint16(wide[2*i:], u)
	}
	tests := map[string]string{
		"as it was signed":             n,
		"without the last line's end":  strings.TrimSpace(n),
		"lines of Windows":             strings.ReplaceAll(n, "\n", "\r\n"),
		"with a mark in front":         "\ufeff" + n,
		"in a mail":                    "各位：\n\n审计检查点（保留本邮件）：\n" + n + "\n本邮件由系统发出。\nhttps://example.edu/notices\n",
		"quoted in an answer":          "> 原文：\n> " + strings.ReplaceAll(n, "\n", "\n> "),
		"blank lines between":          strings.ReplaceAll(n, "\n", "\r\n\r\n"),
		"without the blank line":       strings.ReplaceAll(n, "\n\n", "\n"),
		"indented":                     "  " + strings.ReplaceAll(n, "\n", "\n\u3000"),
		"a cell copied with its marks": "\"" + n + "\"",
		"in one line":                  strings.Join(strings.Fields(n), " "),
		"the dash of an old editor":    strings.ReplaceAll(n, "— ", "\xa1\xaa "),
		"another dash":                 strings.ReplaceAll(n, "— ", "-- "),
		"saved as Unicode":             string(wide),
	}
	for name, text := range tests {
		got, missed := Cut([]byte(text))
		if len(got) != 1 || missed != 0 || !bytes.Equal(got[0], note) {
			t.Errorf("%s: %q", name, got)
			continue
		}
		if _, err := Parse(got[0], keys); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What somebody wrote within a line is no checkpoint, and no trace of one; what a line begins with is looked at.
	words := strings.Join(strings.Fields(n), " ")
	for name, text := range map[string]string{"within a line": "标题：" + words + "\n" + n, "a date within a line": n + "\n请在 time 2026-11-01 前完成\n"} {
		if got, missed := Cut([]byte(text)); len(got) != 1 || missed != 0 || !bytes.Equal(got[0], note) {
			t.Errorf("%s: %d found, %d missed", name, len(got), missed)
		}
	}
	// An invented one does not make up for one that is marred.
	if got, missed := Cut([]byte("bihuan/x 1 " + strings.Repeat("A", 43) + "= time x — bihuan/x " + strings.Repeat("A", 92) + "\n" + strings.ReplaceAll(n, "\n", "<br>\n"))); len(got) != 1 || missed != 1 {
		t.Errorf("beside an invented one: %d found, %d missed", len(got), missed)
	}
	if got, _ := Cut([]byte("9 点\n" + n + "10 点\n" + n)); len(got) != 2 || !bytes.Equal(got[1], note) {
		t.Errorf("of two there are %d", len(got))
	}
	for name, marred := range map[string]string{"line ends of a page": strings.ReplaceAll(n, "\n", "<br>\n"), "columns": strings.ReplaceAll(n, "\n", " | "),
		"encoded for mail": strings.ReplaceAll(n, "=", "=3D"), "broken off": n[:len(n)-60]} {
		if got, missed := Cut([]byte(n + "\n" + marred)); len(got) != 1 || missed != 1 {
			t.Errorf("%s: %d found, %d missed", name, len(got), missed)
		}
	}
	for _, text := range []string{"", "nonsense", "bihuan/", n[:len(n)/2], strings.ReplaceAll(n, "time ", "")} {
		if got, _ := Cut([]byte(text)); len(got) != 0 {
			t.Errorf("%q holds %q", text, got)
		}
	}
	// Whatever letter somebody changes, the signature does not hold any more, or nothing is found at all.
	for i, c := range note {
		if c == ' ' || c == '\n' || c >= 0x80 { // white space and the dash are what Cut mends
			continue
		}
		changed := bytes.Clone(note)
		changed[i] = map[bool]byte{true: '1', false: '2'}[c != '1']
		notes, _ := Cut(changed)
		for _, got := range notes {
			if _, err := Parse(got, keys); err == nil && !bytes.Equal(got, note) {
				t.Errorf("with byte %d changed it is believed: %q", i, got)
			}
		}
	}
}
