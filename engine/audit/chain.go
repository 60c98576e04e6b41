package audit

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What a finding is about: values of Finding.Check.
const (
	CheckBytes   = "bytes"   // the bytes are no entry of this format
	CheckHash    = "hash"    // the stored hash is not that of the bytes
	CheckColumns = "columns" // a column says something else than the bytes
	CheckSubject = "subject" // the entry belongs to another subject
	CheckChain   = "chain"   // entries are missing, doubled, out of order, or do not continue the one before
	CheckTime    = "time"    // the entry is older than the one before
	CheckHead    = "head"    // the subject's own row names another newest entry
	CheckVersion = "version" // the subject's own row has another version
	CheckReplay  = "replay"  // the subject's own row is not what its entries make of it
)

// maxDifferences bounds how many differing members of one state are reported one by one.
const maxDifferences = 20

// maxShown is the number of characters of a value that a finding quotes.
const maxShown = 80

// Row is a stored entry: its bytes, its hash, and the columns beside them, which are a projection of the bytes.
type Row struct {
	Bytes []byte
	Hash  Digest

	ID, Subject string
	Seq         int64
	At          time.Time
	ActorID     string
	Action      string
	Unit        string
	From, To    string
	Prev        Digest

	NoColumns bool // bytes and hash only, as in a bundle: columns are not compared
}

// Row returns how the entry is stored. It fails as Bytes does.
func (e Entry) Row() (Row, error) {
	b, err := e.Bytes()
	if err != nil {
		return Row{}, err
	}
	return Row{
		Bytes: b, Hash: HashEntry(b), ID: e.ID, Subject: e.Subject, Seq: e.Seq, At: e.At, ActorID: e.Actor.ID,
		Action: e.Action, Unit: e.Unit, From: e.From, To: e.To, Prev: e.Prev,
	}, nil
}

// Finding is one thing that is not as it was written.
type Finding struct {
	Subject string `json:"subject"`
	Seq     int64  `json:"seq,omitempty"`   // of the entry, or the first one that is missing
	Entry   string `json:"entry,omitempty"` // its id, where there is an entry
	Check   string `json:"check"`           // one of the Check constants
	Detail  string `json:"detail"`
}

// maxFinding bounds a text of a finding in bytes. Forgers write them, too.
const maxFinding = 2048

// Collect appends what was found to a list of at most limit findings, and returns how many have no place in it. Texts
// that nobody would read to their end are cut.
func Collect(list []Finding, limit int, found ...Finding) (out []Finding, more int) {
	cut := func(text *string) {
		if len(*text) > maxFinding {
			*text = strings.ToValidUTF8((*text)[:maxFinding], "") + "…" // a copy, which keeps nothing of a long text
		}
	}
	for _, f := range found {
		if len(list) >= limit {
			more++
			continue
		}
		cut(&f.Subject)
		cut(&f.Entry)
		cut(&f.Detail)
		list = append(list, f)
	}
	return list, more
}

// Chain verifies the entries of one subject, given in the order of their seq, and folds its state from them. After
// a finding it goes on with what it was given, so that every bad entry is named and no good one because of it.
// Its memory is the state, up to heldBytes that the state still holds on to, and 40 bytes for each entry.
type Chain struct {
	subject string
	links   []link
	also    []Digest // hashes that the next entry may name instead of the last link's, where there is doubt which is right
	at      time.Time
	version int64 // in the newest entry, -1 if that cannot be read
	state   object
	hashed  Digest // of the bytes added last, whatever is wrong with them
	entry   Entry  // that was added last
	invalid error  // why its bytes are none
	doubt   int64  // first seq whose content is missing from the state, 0 if none
	held    int    // bytes of entries that the state may hold on to, beside its own
	size    int    // of the state as JSON, when it was written anew
	moved   int64  // members of the state that made room for others
}

// heldBytes is how much of entries the state may hold on to before it is written anew: its parts are parts of them.
const heldBytes = 2 << 20

// link is an entry that stands in the chain.
type link struct {
	seq  int64
	hash Digest // recomputed from its bytes
}

// NewChain returns a chain without entries.
func NewChain(subject string) *Chain { return &Chain{subject: subject} }

// State returns the fold of the entries so far, in canonical form; {} if none changed it.
func (c *Chain) State() json.RawMessage { return c.state.append(nil) }

// Size returns how large the state was at least of late, in bytes of JSON; it may have grown by heldBytes since.
func (c *Chain) Size() int { return c.size }

// Moved returns how many members of the state have made room for others so far, which is what folding costs.
func (c *Chain) Moved() int64 { return c.moved }

// Head returns the hash of the newest entry, recomputed from its bytes; zero if there is none.
func (c *Chain) Head() Digest { return c.last().hash }

// Hashed returns the hash of the bytes that were added last, also if they do not stand in the chain.
func (c *Chain) Hashed() Digest { return c.hashed }

// Entry returns the entry that was added last, also if it does not stand in the chain. The error is that of Parse.
func (c *Chain) Entry() (Entry, error) { return c.entry, c.invalid }

// Seq returns the seq of the newest entry, 0 if there is none.
func (c *Chain) Seq() int64 { return c.last().seq }

func (c *Chain) last() link {
	if len(c.links) == 0 {
		return link{}
	}
	return c.links[len(c.links)-1]
}

// Add checks the next row against itself and the rows before. It returns nil if all is well. It keeps nothing of
// r.Bytes.
func (c *Chain) Add(r Row) []Finding {
	var found []Finding
	hash := HashEntry(r.Bytes)
	c.hashed = hash
	e, set, err := parse(r.Bytes)
	c.entry, c.invalid = e, err
	if err != nil {
		// The columns are all there is to tell which entry this was.
		e = Entry{ID: r.ID, Subject: c.subject, Seq: r.Seq}
	}
	last := c.last()
	seq, due := e.Seq, last.seq+1
	// Where an entry names the one before by hash, it stands behind it, whatever seq it claims.
	follows := err == nil && (e.Prev == last.hash || slices.Contains(c.also, e.Prev))
	if follows || err != nil && r.NoColumns {
		seq = due
	}
	note := func(check, format string, args ...any) {
		found = append(found, Finding{c.subject, seq, e.ID, check, fmt.Sprintf(format, args...)})
	}

	if hash != r.Hash {
		note(CheckHash, "the stored hash is %s, the bytes hash to %s", name(r.Hash), hash)
	}
	if err != nil {
		note(CheckBytes, "the bytes are no entry: %v", err)
	} else if !r.NoColumns {
		if bad := r.mismatches(&e); len(bad) > 0 {
			note(CheckColumns, "%s", strings.Join(bad, "; "))
		}
	}
	if e.Subject != c.subject {
		note(CheckSubject, "the entry belongs to %s", show(e.Subject))
		return found
	}

	switch {
	case seq <= last.seq:
		if seq == last.seq {
			note(CheckChain, "there is another entry with seq %d", seq)
			c.also = append(c.also, hash)
		} else {
			note(CheckChain, "seq %d comes after seq %d", seq, last.seq)
		}
		c.suspect(seq)
		return found
	case seq > due:
		detail := fmt.Sprintf("seq %d is missing", due)
		if seq > due+1 {
			detail = fmt.Sprintf("seq %d to %d are missing", due, seq-1)
		}
		found = append(found, Finding{Subject: c.subject, Seq: due, Check: CheckChain, Detail: detail})
		c.suspect(due)
	case follows && e.Seq != due:
		note(CheckChain, "seq is %d, but the entry continues seq %d", e.Seq, last.seq)
	case err == nil && !follows:
		note(CheckChain, "prev is %s, but the entry before, seq %d, hashes to %s: one of the two was changed",
			name(e.Prev), last.seq, name(last.hash))
	}

	c.links = append(c.links, link{seq, hash})
	c.also = c.also[:0]
	if hash != r.Hash && !r.Hash.IsZero() {
		c.also = append(c.also, r.Hash) // probably what the bytes once hashed to: the next entry is not to blame
	}
	if err != nil {
		c.suspect(seq)
		c.version = -1
		return found
	}
	if e.At.Before(c.at) {
		note(CheckTime, "at is %s, but the entry before has %s", e.At.Format(timeLayout), c.at.Format(timeLayout))
	}
	c.at, c.version = e.At, e.Version
	if len(set) > 0 {
		c.moved += c.state.apply(set)
		if c.held += len(r.Bytes); c.held > heldBytes {
			c.renew()
		}
	}
	return found
}

// renew writes the state anew, so that nothing else is held.
func (c *Chain) renew() {
	text := c.state.append(nil)
	c.held, c.size = 0, len(text)
	if state, err := parseObject(string(text), nullRefused); err == nil {
		c.state = state
	}
}

// suspect remembers that the content of an entry is not in the state.
func (c *Chain) suspect(seq int64) {
	if c.doubt == 0 {
		c.doubt = seq
	}
}

// Close compares the chain with the subject's own row: the hash of its newest entry, its version (the version in
// the newest entry; negative: not compared) and its state (nil: not compared). Subjects without a row of their
// own are not closed.
func (c *Chain) Close(head Digest, version int64, state json.RawMessage) []Finding {
	var found []Finding
	note := func(seq int64, check, format string, args ...any) {
		found = append(found, Finding{Subject: c.subject, Seq: seq, Check: check, Detail: fmt.Sprintf(format, args...)})
	}

	last := c.last()
	if head != last.hash && !slices.Contains(c.also, head) {
		i := slices.IndexFunc(c.links, func(l link) bool { return l.hash == head })
		switch {
		case len(c.links) == 0:
			note(1, CheckHead, "the row names the entry %s, but there are no entries", head)
		case head.IsZero():
			note(last.seq, CheckHead, "the row names no newest entry, but there are entries up to seq %d", last.seq)
		case i >= 0:
			note(last.seq, CheckHead, "the row names seq %d as the newest entry, but there are entries up to seq %d",
				c.links[i].seq, last.seq)
		case c.version >= 0 && version > c.version:
			note(last.seq+1, CheckHead, "the row names the entry %s and has version %d, but the entries end with seq %d "+
				"and version %d: later ones are missing", head, version, last.seq, c.version)
		default:
			note(last.seq, CheckHead, "the row names the entry %s, but the entries end with seq %d, which hashes to %s: "+
				"it or the row was changed, or later ones are missing", head, last.seq, last.hash)
		}
	}
	if version >= 0 && c.version >= 0 && version != c.version {
		note(last.seq, CheckVersion, "the row has version %d, the newest entry %d", version, c.version)
	}
	if state == nil {
		return found
	}
	if c.state.written(string(state)) {
		return found
	}
	row, err := readObject(state, nullRefused)
	if err != nil {
		note(0, CheckReplay, "the row's state cannot be compared: %v", err)
		return found
	}
	cause := ""
	if c.doubt != 0 {
		cause = fmt.Sprintf(" (the entries are not whole from seq %d on)", c.doubt)
	}
	count := 0
	differences(c.state, row, "", func(path string, entries, stored string) {
		if count++; count <= maxDifferences {
			note(0, CheckReplay, "%s is %s in the row, %s by the entries%s", path, stored, entries, cause)
		}
	})
	if count > maxDifferences {
		note(0, CheckReplay, "%d more members differ", count-maxDifferences)
	}
	return found
}

// mismatches names every column that is not what the bytes say.
func (r *Row) mismatches(e *Entry) []string {
	var bad []string
	for _, f := range [...]struct{ name, column, bytes string }{
		{"id", r.ID, e.ID}, {"subject", r.Subject, e.Subject}, {"actor_id", r.ActorID, e.Actor.ID},
		{"action", r.Action, e.Action}, {"unit", r.Unit, e.Unit}, {"from", r.From, e.From}, {"to", r.To, e.To},
	} {
		if f.column != f.bytes {
			bad = append(bad, fmt.Sprintf("%s is %s, in the bytes %s", f.name, show(f.column), show(f.bytes)))
		}
	}
	if r.Seq != e.Seq {
		bad = append(bad, fmt.Sprintf("seq is %d, in the bytes %d", r.Seq, e.Seq))
	}
	if !r.At.Equal(e.At) {
		bad = append(bad, fmt.Sprintf("at is %s, in the bytes %s",
			r.At.UTC().Format(time.RFC3339Nano), e.At.Format(time.RFC3339Nano)))
	}
	if r.Prev != e.Prev {
		bad = append(bad, fmt.Sprintf("prev is %s, in the bytes %s", name(r.Prev), name(e.Prev)))
	}
	return bad
}

// differences calls report for every member that two objects do not have in common, with its path as a JSON
// Pointer (RFC 6901) and both values, "absent" for none.
func differences(a, b object, path string, report func(path, a, b string)) {
	const absent = "absent"
	for len(a) > 0 || len(b) > 0 {
		switch order := compareHeads(a, b); {
		case order < 0:
			report(pointer(path, a[0]), clip(string(a[0].append(nil))), absent)
			a = a[1:]
		case order > 0:
			report(pointer(path, b[0]), absent, clip(string(b[0].append(nil))))
			b = b[1:]
		default:
			x, y := a[0], b[0]
			a, b = a[1:], b[1:]
			if x.isObject() && y.isObject() {
				differences(x.members, y.members, pointer(path, x), report)
			} else if x.leaf != y.leaf {
				report(pointer(path, x), clip(string(x.append(nil))), clip(string(y.append(nil))))
			}
		}
	}
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

func pointer(path string, m member) string {
	return path + "/" + pointerEscapes.Replace(unescape(m.key))
}

// name writes a digest into a sentence.
func name(d Digest) string {
	if d.IsZero() {
		return "none"
	}
	return d.String()
}

// show quotes a text that may come from a forger, shortened.
func show(s string) string { return fmt.Sprintf("%q", clip(s)) }

// clip shortens a text to maxShown characters.
func clip(s string) string {
	n := 0
	for i := range s {
		if n++; n > maxShown {
			return s[:i] + "…"
		}
	}
	return s
}
