package merkle

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"bihuan/engine/audit"
)

// MaxNote bounds a signed checkpoint in bytes; a usual one has about 260.
const MaxNote = 4096

// origins begin the first line of every checkpoint of this product.
const origins = "bihuan/"

// Errors about checkpoints, for errors.Is.
var (
	// ErrMalformed says that something is no checkpoint.
	ErrMalformed = errors.New("merkle: not a checkpoint")
	// ErrSignature says that a checkpoint is not signed by any of the keys.
	ErrSignature = errors.New("merkle: not signed by a known key")
)

// Checkpoint says what the log was at a moment: whoever keeps one can later tell whether the log still continues it.
type Checkpoint struct {
	Log  string       `json:"log"`  // installation and epoch, as entries have it
	Size int64        `json:"size"` // entries sealed so far
	Root audit.Digest `json:"root"` // over them, as RFC 6962 has it
	Time time.Time    `json:"time"` // of signing, UTC, whole seconds
}

// Text returns what is signed: origin, size and root as C2SP tlog-checkpoint has them, and the time as an extension
// line behind them.
func (c Checkpoint) Text() string {
	return origins + c.Log + "\n" + strconv.FormatInt(c.Size, 10) + "\n" + base64.StdEncoding.EncodeToString(c.Root[:]) +
		"\ntime " + c.Time.Format(time.RFC3339) + "\n"
}

// Installation returns the part of Log that stays when an epoch begins.
func (c Checkpoint) Installation() string { id, _ := SplitLog(c.Log); return id }

// Epoch returns the other part, 0 if there is none.
func (c Checkpoint) Epoch() int64 { _, epoch := SplitLog(c.Log); return epoch }

// SplitLog parts what entries and checkpoints call a log.
func SplitLog(log string) (installation string, epoch int64) {
	installation, text, _ := strings.Cut(log, "/")
	epoch, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		epoch = 0
	}
	return installation, epoch
}

// parseText reads what Text writes, and nothing else.
func parseText(text string) (c Checkpoint, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 5 || !strings.HasPrefix(lines[0], origins) || !strings.HasPrefix(lines[3], "time ") {
		return c, ErrMalformed
	}
	c.Log = strings.TrimPrefix(lines[0], origins)
	c.Size, err = strconv.ParseInt(lines[1], 10, 64)
	if err != nil || c.Size < 1 {
		return c, ErrMalformed
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != len(c.Root) {
		return c, ErrMalformed
	}
	copy(c.Root[:], root)
	if c.Time, err = time.Parse(time.RFC3339, strings.TrimPrefix(lines[3], "time ")); err != nil || c.Text() != text {
		return c, ErrMalformed
	}
	return c, nil
}

// Keys are public keys that may have signed a checkpoint.
type Keys []note.Verifier

// ParseKeys reads public keys as note has them ("bihuan/…+hash+base64"), one a line.
func ParseKeys(text string) (Keys, error) {
	var out Keys
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		v, err := note.NewVerifier(line)
		if err != nil {
			return nil, fmt.Errorf("merkle: %.80q is no public key: %w", line, err)
		}
		out = append(out, v)
	}
	return out, nil
}

// Of returns the keys that belong to the installation of a log.
func (k Keys) Of(log string) Keys {
	installation, _ := SplitLog(log)
	var out Keys
	for _, v := range k {
		if v.Name() == keyName(installation) {
			out = append(out, v)
		}
	}
	return out
}

// list is what note asks for, in which no key may stand twice.
func (k Keys) list() note.Verifiers {
	var once Keys
	for _, v := range k {
		if !slices.ContainsFunc(once, func(o note.Verifier) bool { return o.Name() == v.Name() && o.KeyHash() == v.KeyHash() }) {
			once = append(once, v)
		}
	}
	return note.VerifierList(once...)
}

// Parse reads a signed checkpoint and tells whether one of the keys signed it: an error that is ErrSignature leaves
// what it says readable. Any difference of a byte is an error: there is one way to write a signed checkpoint.
func Parse(msg []byte, keys Keys) (Checkpoint, error) {
	if len(msg) > MaxNote {
		return Checkpoint{}, ErrMalformed
	}
	n, err := note.Open(msg, keys.list())
	var unverified *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &unverified):
		n, err = unverified.Note, ErrSignature
	case errors.As(err, &invalid):
		text, _, _ := strings.Cut(string(msg), "\n\n")
		c, parseErr := parseText(text + "\n")
		return c, errors.Join(parseErr, ErrSignature)
	case err != nil:
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	c, parseErr := parseText(n.Text)
	if parseErr != nil {
		return c, parseErr
	}
	written := n.Text + "\n"
	for _, s := range append(n.Sigs, n.UnverifiedSigs...) {
		if _, err := base64.StdEncoding.Strict().DecodeString(s.Base64); err != nil {
			return c, ErrMalformed // the last character has bits that decoding ignores
		}
		written += "— " + s.Name + " " + s.Base64 + "\n"
	}
	if written != string(msg) {
		return c, ErrMalformed
	}
	return c, err
}

// keyName is the name that the keys of an installation have.
func keyName(installation string) string { return origins + installation }

// newKey makes a private key as note has it.
func newKey(installation string) (private string, err error) {
	private, _, err = note.GenerateKey(rand.Reader, keyName(installation))
	return private, err
}
