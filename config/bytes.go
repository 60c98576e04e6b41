package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Bytes is a size. As text it is a whole number with a unit, 512KiB or 1MiB (MB means the same: 1,048,576 bytes,
// as file managers count), or without one for single bytes.
type Bytes int64

var units = []struct {
	size Bytes
	name string
}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}}

// String writes the size in the largest unit that divides it.
func (b Bytes) String() string {
	for _, u := range units {
		if b != 0 && b%u.size == 0 {
			return strconv.FormatInt(int64(b/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// MarshalText makes Redacted print what the file would say.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

var errBytes = errors.New("not a size")

func parseBytes(s string) (Bytes, error) {
	number, size := strings.TrimSpace(s), Bytes(1)
	lower := strings.ToLower(number)
	for _, u := range units {
		letter := strings.ToLower(u.name[:1])
		for _, suffix := range []string{letter + "ib", letter + "b", letter} {
			if strings.HasSuffix(lower, suffix) {
				number, size = number[:len(number)-len(suffix)], u.size
				break
			}
		}
		if size > 1 {
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/int64(size) {
		return 0, errBytes
	}
	return Bytes(n) * size, nil
}
