package problem

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// The sentences by which Unmarshal's errors reach phrase through huma, which keeps only the text of an error.
const (
	malformedForm = "malformed at %s"
	notUTF8Form   = "not UTF-8 at %s"
	badValueForm  = "bad value of %s"
	repeatedForm  = "more than one %s"
)

// JSON is the one format of the API. Reading says where a body is not JSON, and which member has a value that
// does not fit.
var JSON = huma.Format{
	Marshal:   huma.DefaultJSONFormat.Marshal,
	Unmarshal: unmarshal,
}

func unmarshal(data []byte, v any) error {
	if n := validPrefix(data); n < len(data) { // such as GBK; encoding/json would turn it into replacement characters
		line, column := position(data, int64(n)+1)
		return fmt.Errorf(notUTF8Form, fmt.Sprintf("%d:%d", line, column))
	}
	err := json.Unmarshal(data, v)
	if err == nil {
		if member := repeatedMember(data); member != "" {
			return fmt.Errorf(repeatedForm, member)
		}
		return nil
	}
	if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		line, column := position(data, s.Offset)
		return fmt.Errorf(malformedForm, fmt.Sprintf("%d:%d", line, column))
	}
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && t.Field != "" {
		return fmt.Errorf(badValueForm, t.Field)
	}
	return err
}

// position counts lines and columns from 1; offset is the number of bytes read when the mistake was noticed.
func position(data []byte, offset int64) (line, column int) {
	read := data[:min(max(offset-1, 0), int64(len(data)))]
	return 1 + bytes.Count(read, []byte("\n")), len(read) - bytes.LastIndexByte(read, '\n')
}

// validPrefix returns how many bytes at the beginning of data are UTF-8.
func validPrefix(data []byte) int {
	if utf8.Valid(data) {
		return len(data)
	}
	n := 0
	for {
		r, size := utf8.DecodeRune(data[n:])
		if r == utf8.RuneError && size <= 1 {
			return n
		}
		n += size
	}
}

// repeatedMember returns the first member that an object in data, which is JSON, has twice: encoding/json would take
// the last of them and whoever looked at the first would have seen something else. It is "" where there is none.
func repeatedMember(data []byte) string {
	member, _ := repeatedIn(json.NewDecoder(bytes.NewReader(data)), "")
	return member
}

// repeatedIn reads one value, which stands at path.
func repeatedIn(d *json.Decoder, path string) (member string, err error) {
	token, err := d.Token()
	if err != nil {
		return "", err
	}
	seen := map[string]bool{}
	for i := 0; token == json.Delim('{') || token == json.Delim('['); i++ {
		if !d.More() {
			_, err = d.Token()
			return "", err
		}
		at := fmt.Sprintf("%s[%d]", path, i)
		if token == json.Delim('{') {
			key, err := d.Token()
			if err != nil {
				return "", err
			}
			name, _ := key.(string)
			at = join(path, name)
			if seen[name] {
				return at, nil
			}
			seen[name] = true
		}
		if member, err = repeatedIn(d, at); member != "" || err != nil {
			return member, err
		}
	}
	return "", nil
}
