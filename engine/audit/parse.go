package audit

import (
	"encoding/json"
	"time"
)

// Parse reads an entry from its canonical bytes and accepts nothing else: an unknown field, a key that stands
// twice or out of order, white space, a needless escape, a number that is not an integer, a time of another form,
// an empty optional field and everything that Bytes refuses are errors (ErrInvalid, ErrTooLarge). So
// Bytes(Parse(b)) == b, and two different byte sequences never say the same.
func Parse(b []byte) (Entry, error) {
	e, _, err := parse(b)
	return e, err
}

// parse is Parse that also returns the merge patch in data, nothing if there is none.
func parse(b []byte) (e Entry, set object, err error) {
	if len(b) > MaxEntry {
		return Entry{}, nil, tooLarge(len(b))
	}
	s := scanner{src: string(b)} // one copy, of which the strings of the entry are parts
	var hasPrev, hasVersion bool
	err = s.object(0, func(key string) (err error) {
		switch key {
		case "action":
			e.Action, err = s.filled()
		case "actor":
			err = s.actor(&e.Actor)
		case "at":
			e.At, err = s.time()
		case "data":
			start := s.pos
			set, err = s.data()
			e.Data = json.RawMessage(s.src[start:s.pos])
		case "definition":
			e.Definition, err = s.filled()
		case "from":
			e.From, err = s.filled()
		case "id":
			e.ID, err = s.filled()
		case "log":
			e.Log, err = s.filled()
		case "note":
			e.Note, err = s.filled()
		case "prev":
			hasPrev = true
			e.Prev, err = s.digest()
		case "request":
			e.Request = new(Request)
			err = s.request(e.Request)
		case "seq":
			e.Seq, err = s.integer()
		case "subject":
			e.Subject, err = s.filled()
		case "to":
			e.To, err = s.filled()
		case "unit":
			e.Unit, err = s.filled()
		case "v":
			var v int64
			v, err = s.integer()
			e.V = int(v)
		case "version":
			hasVersion = true
			e.Version, err = s.integer()
		default:
			err = s.unknown(key)
		}
		return err
	})
	if err == nil {
		err = s.end()
	}
	switch {
	case err != nil:
	case !hasPrev:
		err = invalid("prev is missing")
	case !hasVersion:
		err = invalid("version is missing")
	default:
		err = e.validate()
	}
	if err != nil {
		return Entry{}, nil, err
	}
	return e, set, nil
}

func (s *scanner) unknown(key string) error { return s.fail("unknown field \"" + key + "\"") }

// filled scans a string that is not empty: an entry leaves empty fields out.
func (s *scanner) filled() (string, error) {
	at := s.pos
	text, err := s.text()
	if err == nil && text == "" {
		s.pos = at
		err = s.fail("empty field")
	}
	return text, err
}

func (s *scanner) actor(a *Actor) error {
	return s.object(1, func(key string) (err error) {
		switch key {
		case "id":
			a.ID, err = s.filled()
		case "role":
			a.Role, err = s.filled()
		case "unit":
			a.Unit, err = s.filled()
		case "via":
			a.Via, err = s.filled()
		default:
			err = s.unknown(key)
		}
		return err
	})
}

func (s *scanner) request(r *Request) error {
	return s.object(1, func(key string) (err error) {
		switch key {
		case "id":
			r.ID, err = s.filled()
		case "key":
			r.Key, err = s.filled()
		default:
			err = s.unknown(key)
		}
		return err
	})
}

// data scans the data of an entry, an object, and returns its member "set", a merge patch and an object too.
// Depth counts from here, as it does for Bytes.
func (s *scanner) data() (set object, err error) {
	err = s.object(0, func(key string) (err error) {
		if key != "set" {
			return s.value(1)
		}
		if s.peek() != '{' {
			return s.fail("set is not an object")
		}
		s.nulls = nullDeletes
		set, err = s.members(1)
		s.nulls = nullAllowed
		return err
	})
	return set, err
}

func (s *scanner) digest() (Digest, error) {
	at := s.pos
	text, err := s.quoted()
	if err != nil {
		return Digest{}, err
	}
	d, ok := parseDigest(text)
	if !ok {
		s.pos = at
		return d, s.fail("no digest")
	}
	return d, nil
}

// time scans a time of the one form that Bytes writes.
func (s *scanner) time() (time.Time, error) {
	at := s.pos
	text, err := s.quoted()
	if err != nil {
		return time.Time{}, err
	}
	t, ok := parseTime(text)
	if !ok {
		s.pos = at
		return time.Time{}, s.fail("no time in UTC with six decimals")
	}
	return t, nil
}

// parseTime reads a time that is written in timeLayout and no other way: time.Parse would let more pass, and take five
// times as long.
func parseTime(text string) (t time.Time, ok bool) {
	if len(text) != len(timeLayout) {
		return t, false
	}
	var part [7]int // year, month, day, hour, minute, second, microsecond
	field := 0
	for i := range len(text) {
		c := text[i]
		switch layout := timeLayout[i]; {
		case '0' <= layout && layout <= '9':
			if c < '0' || c > '9' {
				return t, false
			}
			part[field] = part[field]*10 + int(c-'0')
		case c != layout:
			return t, false
		default:
			field++ // the last one, Z, ends the microseconds
		}
	}
	t = time.Date(part[0], time.Month(part[1]), part[2], part[3], part[4], part[5], part[6]*1000, time.UTC)
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	// time.Date carries over what is too large.
	return t, [...]int{year, int(month), day, hour, minute, second, t.Nanosecond() / 1000} == part
}
