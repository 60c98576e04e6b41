package merkle

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// ErrForeign says that a known checkpoint belongs to another installation, so that nothing follows from it.
var ErrForeign = errors.New("the checkpoint belongs to another installation")

// Kept is what somebody kept outside: the text of a file, with everything in it that looks like a checkpoint. Whoever
// writes into a project writes into mails and workbooks too, so that what only looks like one says nothing until a key
// has confirmed it.
type Kept struct {
	Name   string   // of the file, for findings
	Notes  [][]byte // each as it was signed, if it was
	Missed int      // how many more there seem to be that cannot be read
}

// MaxKept bounds the text in bytes that is looked through for checkpoints.
const MaxKept = 16 << 20

// Keep finds the checkpoints in the text of a file; see Cut. It fails with ErrMalformed if nothing looks like one, or there
// is more text than MaxKept.
func Keep(name string, text []byte) (Kept, error) {
	k := Kept{Name: name}
	if len(text) > MaxKept {
		return k, fmt.Errorf("%s: %w: %d bytes are too many", name, ErrMalformed, len(text))
	}
	k.Notes, k.Missed = Cut(text)
	if len(k.Notes) == 0 && k.Missed == 0 {
		return k, fmt.Errorf("%s: %w", name, ErrMalformed)
	}
	return k, nil
}

// Why nothing follows from something that was kept: values of Doubt.Why.
const (
	DoubtSignature = "signature" // none of the keys in question signed it: it was forged or changed, or its key was exchanged
	DoubtForm      = "form"      // it cannot be read
	DoubtForeign   = "foreign"   // it belongs to another installation
)

// Doubt is what looks like a checkpoint in a file that somebody kept, and is not one to compare anything with.
type Doubt struct {
	File  string `json:"file"`
	Why   string `json:"why"`
	N     int    `json:"n"`     // how many of them
	Alone bool   `json:"alone"` // there is no other in the file that holds: what was kept decides nothing
}

// Claims returns what the checkpoints say that can be read, whoever signed them.
func (k Kept) Claims() []Checkpoint {
	var out []Checkpoint
	for _, n := range k.Notes {
		if c, err := Parse(n, nil); errors.Is(err, ErrSignature) && c.Size > 0 {
			out = append(out, c)
		}
	}
	return out
}

// Believe returns the checkpoints of the installation that one of the keys signed, and what it does not believe. It fails
// with ErrForeign if all of them belong to other installations.
func (k Kept) Believe(keys Keys, log string) (points []Point, doubts []Doubt, err error) {
	installation, _ := SplitLog(log)
	count := map[string]int{DoubtForm: k.Missed}
	for i, n := range k.Notes {
		c, err := parseAny(n, keys)
		switch {
		case err != nil && !errors.Is(err, ErrSignature) || c.Size == 0:
			count[DoubtForm]++
		case c.Installation() != installation:
			count[DoubtForeign]++
		case err != nil:
			count[DoubtSignature]++
		default:
			p := Point{Name: k.Name, Checkpoint: c}
			if i > 0 {
				p.Name = fmt.Sprintf("%s (%d)", k.Name, i+1)
			}
			points = append(points, p)
		}
	}
	if n := count[DoubtForeign]; n > 0 && n == len(k.Notes)+k.Missed {
		return nil, nil, fmt.Errorf("%s: %w", k.Name, ErrForeign)
	}
	for _, why := range []string{DoubtSignature, DoubtForm, DoubtForeign} {
		if n := count[why]; n > 0 {
			doubts = append(doubts, Doubt{File: k.Name, Why: why, N: n, Alone: len(points) == 0})
		}
	}
	return points, doubts, nil
}

// parseAny is Parse that lets no line which somebody wrote behind a checkpoint, as if it were another signature, spoil
// the one that holds.
func parseAny(n []byte, keys Keys) (Checkpoint, error) {
	c, err := Parse(n, keys)
	text, signatures, ok := bytes.Cut(n, []byte("\n\n"))
	if err == nil || !ok || bytes.Count(signatures, []byte("\n")) < 2 {
		return c, err
	}
	for s := range bytes.Lines(signatures) {
		one := append(append(bytes.Clone(text), "\n\n"...), s...)
		if c, errOne := Parse(one, keys); errOne == nil {
			return c, nil
		}
	}
	return c, err
}

// Undecided tells whether a verification is open because of what was kept.
func Undecided(doubts []Doubt) bool {
	return slices.ContainsFunc(doubts, func(d Doubt) bool { return d.Alone })
}
