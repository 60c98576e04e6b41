package merkle

import (
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestBelieve: of what somebody kept, what one of the keys signed counts; whatever else looks like a checkpoint is named,
// and decides nothing.
func TestBelieve(t *testing.T) {
	s, m := openSigner(t, filepath.Join(t.TempDir(), "signing")), new(memory)
	m.grow(t, 3)
	note, _ := sign(t, s, m)
	keys, err := ParseKeys(s.Public())
	if err != nil {
		t.Fatal(err)
	}
	good, err := Parse(note, keys)
	if err != nil {
		t.Fatal(err)
	}
	n := string(note)
	changed := strings.Replace(n, "\n3\n", "\n4\n", 1)
	marred := strings.ReplaceAll(n, "\n", "<br>\n")
	foreign := strings.ReplaceAll(n, good.Installation(), "0190c2f0-0000-7000-8000-00000000ffff")
	last := n[strings.LastIndex(n, "—"):]
	behind := n + strings.Replace(last, "A", "B", 1) + "— bihuan/x " + strings.Repeat("A", 92) + "\n" // lines that pass for more signatures
	for name, x := range map[string]struct {
		text   string
		points int
		doubts []Doubt
	}{
		"ours":                          {text: n, points: 1},
		"two of ours":                   {text: n + n, points: 2},
		"one beside a forged one":       {text: changed + n, points: 1, doubts: []Doubt{{"f", DoubtSignature, 1, false}}},
		"one beside a marred one":       {text: marred + n, points: 1, doubts: []Doubt{{"f", DoubtForm, 1, false}}},
		"one beside a stranger's":       {text: n + foreign, points: 1, doubts: []Doubt{{"f", DoubtForeign, 1, false}}},
		"with more signatures behind":   {text: behind, points: 1},
		"its own signature twice":       {text: n + last, points: 1},
		"only forged ones":              {text: changed + "\n" + changed, doubts: []Doubt{{"f", DoubtSignature, 2, true}}},
		"only a marred one":             {text: marred, doubts: []Doubt{{"f", DoubtForm, 1, true}}},
		"a forged and a stranger's one": {text: changed + foreign, doubts: []Doubt{{"f", DoubtSignature, 1, true}, {"f", DoubtForeign, 1, true}}},
	} {
		k, err := Keep("f", []byte(x.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		points, doubts, err := k.Believe(keys, good.Log)
		if err != nil || len(points) != x.points || !reflect.DeepEqual(doubts, x.doubts) || Undecided(doubts) != (x.points == 0) {
			t.Errorf("%s: %d points, doubts %+v, %v", name, len(points), doubts, err)
		}
		for _, p := range points {
			if p.Checkpoint != good || !strings.HasPrefix(p.Name, "f") {
				t.Errorf("%s: %+v", name, p)
			}
		}
		if points, doubts, err := k.Believe(nil, good.Log); len(points) > 0 || !Undecided(doubts) || err != nil {
			t.Errorf("%s, without a key: %d points, %+v, %v", name, len(points), doubts, err)
		}
	}
	k, err := Keep("f", []byte(foreign))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := k.Believe(keys, good.Log); !errors.Is(err, ErrForeign) {
		t.Errorf("another installation's: %v", err)
	}
	for _, text := range []string{"", "nonsense", "在 time " + time.Now().Format(time.DateOnly) + " 以前", n + strings.Repeat("\n", MaxKept)} {
		if _, err := Keep("f", []byte(text)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%.80q: %v", text, err)
		}
	}
}
