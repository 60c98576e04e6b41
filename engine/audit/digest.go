package audit

import (
	"crypto/rand"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
)

// Digest is a SHA-256 value. As text it is 64 lower-case hexadecimal digits; the zero value means "none" and is
// the empty text, and NULL in a database.
type Digest [sha256.Size]byte

// Prefixes that keep the kinds of hashes apart. 0x01 is RFC 6962's for the inner nodes of the Merkle log.
const (
	prefixEntry      = 0x00
	prefixCommitment = 0x02
)

// saltSize is the length of a salt in bytes: too long to try all values of, which is what a salt is for.
const saltSize = 16

// HashEntry returns SHA-256(0x00 ‖ b), the hash by which the next entry of the subject and the Merkle log know an
// entry (RFC 6962, section 2.1).
func HashEntry(b []byte) Digest {
	var d Digest
	h := sha256.New()
	h.Write([]byte{prefixEntry})
	h.Write(b)
	h.Sum(d[:0])
	return d
}

// HashContent returns the plain SHA-256 of b, as sha256sum prints it: for attachments and definitions.
func HashContent(b []byte) Digest { return sha256.Sum256(b) }

// HashReader returns the plain SHA-256 of what r holds.
func HashReader(r io.Reader) (d Digest, err error) {
	h := sha256.New()
	_, err = io.Copy(h, r)
	h.Sum(d[:0])
	return d, err
}

// Commit binds value without showing it: SHA-256(0x02 ‖ length of salt as big-endian uint64 ‖ salt ‖ value).
// Entries carry the commitment; salt and value are kept apart and can be erased, after which nobody can tell
// what the value was and the trail stays valid. Every value needs a salt of its own.
func Commit(salt []byte, value string) Digest {
	var d Digest
	head := binary.BigEndian.AppendUint64([]byte{prefixCommitment}, uint64(len(salt)))
	h := sha256.New()
	h.Write(head)
	h.Write(salt)
	h.Write([]byte(value))
	h.Sum(d[:0])
	return d
}

// NewSalt returns 16 bytes from the operating system's random source, for Commit.
func NewSalt() []byte {
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails: the program is stopped instead
	return salt
}

// IsZero tells whether d stands for "none".
func (d Digest) IsZero() bool { return d == Digest{} }

// String returns 64 hexadecimal digits, or "" for the zero digest.
func (d Digest) String() string {
	if d.IsZero() {
		return ""
	}
	return hex.EncodeToString(d[:])
}

// MarshalText returns what String returns.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote. Upper case is refused, so that a digest has one spelling.
func (d *Digest) UnmarshalText(text []byte) error {
	v, ok := parseDigest(string(text))
	if !ok {
		return fmt.Errorf("audit: %.80q is not a digest of 64 lower-case hexadecimal digits", text)
	}
	*d = v
	return nil
}

// Value stores a digest as its 32 bytes, and the zero digest as NULL.
func (d Digest) Value() (driver.Value, error) {
	if d.IsZero() {
		return nil, nil
	}
	return d[:], nil
}

// Scan reads 32 bytes, hexadecimal text, or NULL.
func (d *Digest) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*d = Digest{}
		return nil
	case string:
		return d.UnmarshalText([]byte(v))
	case []byte:
		if len(v) == len(d) {
			copy(d[:], v)
			return nil
		}
		return d.UnmarshalText(v)
	}
	return fmt.Errorf("audit: a digest cannot be read from %T", src)
}

// parseDigest reads 64 lower-case hexadecimal digits or "". The digits of the zero digest are refused: its text
// is "".
func parseDigest(s string) (d Digest, ok bool) {
	if s == "" {
		return d, true
	}
	if len(s) != 2*len(d) {
		return d, false
	}
	for i := range d {
		hi, lo := hexDigit(s[2*i]), hexDigit(s[2*i+1])
		if hi > 0xf || lo > 0xf {
			return Digest{}, false
		}
		d[i] = hi<<4 | lo
	}
	return d, !d.IsZero()
}

// hexDigit returns the value of a lower-case hexadecimal digit, 0xff for any other byte.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}
