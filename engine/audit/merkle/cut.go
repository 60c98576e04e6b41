package merkle

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"strings"
	"unicode/utf16"
)

// signedNote finds a signed checkpoint in a text whatever programs did to its white space, and to the dash that begins
// a signature, which old editors write in another encoding. It begins a line: what stands within one are somebody's words.
var (
	signedNote = regexp.MustCompile(`(?m)^[ \t]*(bihuan/\S+)\s+([1-9][0-9]*)\s+([0-9A-Za-z+/]{43}=)\s+time\s+(\S+)((?:\s+\S{1,4}\s+bihuan/\S+\s+[0-9A-Za-z+/]{90,}=*)+)`)
	signature  = regexp.MustCompile(`(bihuan/\S+)\s+([0-9A-Za-z+/]{90,}=*)`)
	// What is left of a checkpoint that some program has marred.
	begun = regexp.MustCompile(`(?m)^[ \t]*bihuan/[0-9a-f]{8}-[0-9a-f-]{27}/[0-9]`)
	dated = regexp.MustCompile(`(?m)^[ \t]*time\W{0,8}[0-9]{4}-[0-9]{2}-[0-9]{2}`)

	quoted = regexp.MustCompile(`(?m)^[ \t]*(?:>[ \t]*)+`) // how mail programs mark what somebody else wrote
)

// Cut finds what looks like signed checkpoints in a text that somebody kept, each from the beginning of a line: in a mail,
// in lines copied out of a spreadsheet, in what a phone read from a certificate, or several of them one behind the other.
// It returns each in the one form in which it was signed; whether it was is for Parse, and nothing that Cut mends can make
// another statement out of one. missed is how many more there seem to be which cannot be read: to pass them over would be
// to say more than was checked.
func Cut(text []byte) (notes [][]byte, missed int) {
	text = quoted.ReplaceAll(plain(text), nil)
	for _, m := range signedNote.FindAllSubmatch(text, -1) {
		var b strings.Builder
		for _, line := range [][]byte{m[1], m[2], m[3], append([]byte("time "), m[4]...)} {
			b.Write(line)
			b.WriteByte('\n')
		}
		b.WriteByte('\n')
		for _, s := range signature.FindAllSubmatch(m[5], -1) {
			b.WriteString("— ")
			b.Write(s[1])
			b.WriteByte(' ')
			b.Write(s[2])
			b.WriteByte('\n')
		}
		notes = append(notes, []byte(b.String()))
	}
	rest := signedNote.ReplaceAll(text, []byte("\n"))
	return notes, max(len(begun.FindAllIndex(rest, -1)), len(dated.FindAllIndex(rest, -1)))
}

// plain makes UTF-8 out of what editors save as "Unicode", and spaces out of what is meant as one.
func plain(text []byte) []byte {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(text, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(text, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	}
	if order != nil {
		units := make([]uint16, 0, len(text)/2)
		for i := 2; i+1 < len(text); i += 2 {
			units = append(units, order.Uint16(text[i:]))
		}
		text = []byte(string(utf16.Decode(units)))
	}
	return []byte(strings.NewReplacer("\r\n", "\n", "\r", "\n", "\ufeff", "", "\u00a0", " ", "\u3000", " ", `"`, " ").Replace(string(text)))
}
