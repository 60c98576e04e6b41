package audit

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestHashes(t *testing.T) {
	for name, test := range map[string]struct {
		got  Digest
		want string
	}{
		// The leaf hash of the empty string, as in the test vectors of RFC 6962 implementations.
		"entry of nothing":   {HashEntry(nil), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
		"content of nothing": {HashContent(nil), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		"content":            {HashContent([]byte("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		"entry is prefixed":  {HashEntry([]byte("abc")), HashContent([]byte("\x00abc")).String()},
		"commitment is prefixed": {Commit([]byte{7}, "v"),
			HashContent([]byte("\x02\x00\x00\x00\x00\x00\x00\x00\x01\x07v")).String()},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.got.String(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestCommitBindsSaltAndValue(t *testing.T) {
	seen := map[Digest]string{}
	for name, d := range map[string]Digest{
		"value":                Commit([]byte("salt"), "value"),
		"other value":          Commit([]byte("salt"), "value "),
		"other salt":           Commit([]byte("Salt"), "value"),
		"border between moved": Commit([]byte("saltv"), "alue"),
		"no salt":              Commit(nil, "saltvalue"),
		"an entry's hash":      HashEntry([]byte("value")),
	} {
		if other, ok := seen[d]; ok {
			t.Errorf("%s and %s are the same", name, other)
		}
		seen[d] = name
	}
	if a, b := NewSalt(), NewSalt(); len(a) != 16 || bytes.Equal(a, b) || bytes.Equal(a, make([]byte, 16)) {
		t.Errorf("salts %x and %x", a, b)
	}
}

func TestDigestText(t *testing.T) {
	d := HashContent([]byte("abc"))
	hex := "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	for name, test := range map[string]struct {
		text string
		want Digest
		ok   bool
	}{
		"digest":   {hex, d, true},
		"none":     {"", Digest{}, true},
		"capitals": {strings.ToUpper(hex), Digest{}, false},
		"short":    {hex[:62], Digest{}, false},
		"long":     {hex + "00", Digest{}, false},
		"odd":      {hex[:63], Digest{}, false},
		"no hex":   {"g" + hex[1:], Digest{}, false},
		"colon":    {":" + hex[1:], Digest{}, false},
		"zeros":    {strings.Repeat("0", 64), Digest{}, false}, // the zero digest is ""
	} {
		t.Run(name, func(t *testing.T) {
			got := Digest{9}
			err := got.UnmarshalText([]byte(test.text))
			if (err == nil) != test.ok {
				t.Fatalf("UnmarshalText: %v", err)
			}
			if !test.ok {
				if got != (Digest{9}) {
					t.Errorf("a refused text changed the digest to %s", got)
				}
				return
			}
			if got != test.want || got.IsZero() != (test.text == "") {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if back, err := got.MarshalText(); err != nil || string(back) != test.text {
				t.Errorf("MarshalText = %s, %v", back, err)
			}
			if b, err := json.Marshal(got); err != nil || string(b) != `"`+test.text+`"` {
				t.Errorf("JSON %s, %v", b, err)
			}
		})
	}
}

func TestDigestInDatabase(t *testing.T) {
	d := HashContent([]byte("abc"))
	if v, err := d.Value(); err != nil || !bytes.Equal(v.([]byte), d[:]) {
		t.Errorf("Value = %v, %v", v, err)
	}
	if v, err := (Digest{}).Value(); err != nil || v != nil {
		t.Errorf("Value of none = %v, %v; want NULL", v, err)
	}
	for name, test := range map[string]struct {
		src  any
		want Digest
		ok   bool
	}{
		"bytes":       {d[:], d, true},
		"text":        {d.String(), d, true},
		"text as []":  {[]byte(d.String()), d, true},
		"NULL":        {nil, Digest{}, true},
		"empty bytes": {[]byte{}, Digest{}, true},
		"empty text":  {"", Digest{}, true},
		"31 bytes":    {d[:31], Digest{}, false},
		"number":      {int64(1), Digest{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := Digest{9}
			err := got.Scan(test.src)
			if (err == nil) != test.ok || test.ok && got != test.want {
				t.Errorf("Scan = %v, %s; want %s", err, got, test.want)
			}
		})
	}
}
