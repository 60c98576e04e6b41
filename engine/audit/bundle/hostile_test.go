package bundle

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"bihuan/engine/audit"
	"bihuan/engine/audit/merkle"
)

const (
	installation = "0190c2f0-0000-7000-8000-000000000001"
	peakLimit    = 128 << 20 // bytes that are in use; what is promised of the process is 512 MiB, for files of 64 MiB
)

// part is a member of a hostile bundle: content, and then line again and again.
type part struct {
	name, content string
	line          string
	times         int
}

// packed makes a zip of parts, in which a name may stand twice.
func packed(t *testing.T, parts ...part) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, p := range parts {
		w, err := z.Create(p.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, p.content); err != nil {
			t.Fatal(err)
		}
		block := strings.Repeat(p.line, min(p.times, 1+(1<<16)/(1+len(p.line))))
		for left := p.times * len(p.line); left > 0; left -= len(block) {
			if _, err := io.WriteString(w, block[:min(left, len(block))]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asLine(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + "\n"
}

// peak calls do and returns the largest heap in use that was seen meanwhile, without garbage.
func peak(do func()) uint64 {
	var largest atomic.Uint64
	look := func() {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		largest.Store(max(largest.Load(), m.HeapAlloc))
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				look()
			}
		}
	}()
	do()
	close(stop)
	<-stopped
	return largest.Load()
}

// chained writes entries of one subject whose data edit makes, each continuing the one before.
func chained(t *testing.T, n int, edit func(i int) any) string {
	t.Helper()
	var out strings.Builder
	var prev audit.Digest
	for i := range n {
		var data json.RawMessage
		if edit != nil {
			data = json.RawMessage(strings.TrimSuffix(asLine(t, edit(i)), "\n"))
		}
		e := audit.Entry{V: audit.Format, Log: installation + "/1", ID: fmt.Sprintf("0190c2f0-0000-7000-8000-%012d", i), At: time.Date(2026, 9, 1, 0, 0, i, 0, time.UTC),
			Actor: audit.Actor{ID: "operator", Via: audit.ViaCLI}, Action: "edit", Subject: "project/p", Seq: int64(i + 1), Prev: prev, Version: int64(i + 1), Data: data}
		b, err := e.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		prev = audit.HashEntry(b)
		out.Write(b)
		out.WriteByte('\n')
	}
	return out.String()
}

// TestHostileBundles: a file that was made to exhaust whoever verifies it is answered, never with intact, and takes no
// more memory than one of its size may.
func TestHostileBundles(t *testing.T) {
	manifest := func(scope string, entries, size int64) part {
		return part{name: manifestName, content: asLine(t, Manifest{Format: Format, Log: installation + "/1", Scope: scope, Entries: entries, Size: size})}
	}
	private, public, err := note.GenerateKey(nil, "bihuan/"+installation)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	c := merkle.Checkpoint{Log: installation + "/1", Size: 1, Root: audit.HashContent(nil), Time: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
	signed, err := note.Sign(&note.Note{Text: c.Text()}, signer)
	if err != nil {
		t.Fatal(err)
	}
	keys := part{name: keysName, content: public + "\n"}
	point := asLine(t, Checkpoint{N: 1, Note: string(signed)})
	nulls := func(n int) part { return part{name: placesName, line: "null\n", times: n} }
	many := func(n int) (out []part) {
		for i := range n {
			out = append(out, part{name: fmt.Sprintf("%0200d", i)})
		}
		return out
	}
	members := func(from, n int) any { // of a state, that sort before all that were there
		set := map[string]int{}
		for i := range n {
			set[fmt.Sprintf("%07d", 9_000_000-from*n-i)] = 1
		}
		return map[string]any{"set": set}
	}
	deep := strings.Repeat(`{"a":`, 9000) + "1" + strings.Repeat("}", 9000)
	for name, x := range map[string]struct {
		parts []part
		err   error // nil: whatever it is
	}{
		"nothing":                     {[]part{}, ErrFormat},
		"a directory of many members": {append(many(6000), manifest(Everything, 0, 0)), ErrFormat},
		"more members than there are": {append(many(maxMembers), manifest(Everything, 0, 0)), ErrFormat},
		"a member twice":              {[]part{manifest(Everything, 0, 0), manifest(OneUnit, 0, 0)}, ErrFormat},
		"absurd counts":               {[]part{manifest(Everything, 1<<40, 1<<40), {name: entriesName, content: chained(t, 1, nil)}, {name: placesName, content: asLine(t, Place{Index: 1 << 39})}}, ErrFormat},
		"a place far away":            {[]part{manifest(Everything, 20, 1<<40), {name: entriesName, content: chained(t, 1, nil)}, {name: placesName, content: asLine(t, Place{Index: 1 << 39})}}, nil},
		"no end of a line":            {[]part{manifest(Everything, 1, 0), {name: entriesName, line: "a", times: 1 << 20}, nulls(1)}, ErrFormat},
		"no end of a manifest":        {[]part{{name: manifestName, line: " ", times: 4 << 20}}, ErrFormat},
		"empty entries":               {[]part{manifest(Everything, 1, 0), {name: entriesName, line: "\n", times: 1 << 20}, nulls(1 << 20)}, errMany},
		"the same entry for ever":     {[]part{manifest(Everything, 1, 0), {name: entriesName, line: chained(t, 1, nil), times: 20_000}, nulls(20_000)}, errMany},
		"a state that grows":          {[]part{manifest(Everything, 5, 0), {name: entriesName, content: chained(t, 400, func(i int) any { return members(i, 1000) })}, nulls(400)}, ErrFormat},
		"evidence in entries": {[]part{manifest(Everything, 5, 0), {name: entriesName, content: chained(t, 1500, func(i int) any {
			return map[string]any{"evidence": map[string]any{"id": fmt.Sprint(i), "name": strings.Repeat("x", 14_000)}}
		})}, nulls(1500)}, ErrFormat},
		"evidence without entries": {[]part{manifest(Everything, 0, 0), {name: evidenceName, line: asLine(t, Evidence{Subject: "project/p", Row: json.RawMessage(`{"id":"` + strings.Repeat("x", 60_000) + `"}`)}), times: 2400}}, nil},
		"openings without entries": {[]part{manifest(Everything, 0, 0), {name: openingsName, line: asLine(t, Opening{Subject: "user/" + strings.Repeat("x", 60_000), Salt: []byte{1}}), times: 100}}, nil},
		"subjects without entries": {[]part{manifest(Everything, 0, 0), {name: subjectsName, line: asLine(t, Subject{Subject: strings.Repeat("x", 3<<20)}), times: 5}}, nil},
		"huge definitions":         {[]part{manifest(Everything, 0, 0), {name: definitionsName, line: asLine(t, Definition{Workflow: "x", Source: strings.Repeat("x", 2<<20)}), times: 72}}, nil},
		"a state that is deep":     {[]part{manifest(Everything, 1, 0), {name: entriesName, content: chained(t, 1, nil)}, nulls(1), {name: subjectsName, content: asLine(t, Subject{Subject: "project/p", Seq: 1, State: json.RawMessage(deep)})}}, nil},
		"a state with many members": {[]part{manifest(Everything, 1, 0), {name: entriesName, content: chained(t, 1, nil)}, nulls(1), {name: subjectsName,
			content: asLine(t, Subject{Subject: "project/p", Seq: 1, State: json.RawMessage(`{"x":"\u0061"` + manyMembers(300_000) + `}`)})}}, nil},
		"keys for ever":            {[]part{manifest(Everything, 0, 0), {name: keysName, line: public + "\n", times: 5000}}, ErrFormat},
		"a key that never ends":    {[]part{manifest(Everything, 0, 0), {name: keysName, line: "x", times: 4 << 20}}, ErrFormat},
		"a note that never ends":   {[]part{manifest(Everything, 0, 0), {name: checkpointName, line: "x", times: 4 << 20}}, ErrFormat},
		"a checkpoint for ever":    {[]part{manifest(Everything, 0, 0), keys, {name: checkpointsName, line: point, times: 12_000}}, errMany},
		"consistency for ever":     {[]part{manifest(OneUnit, 0, 0), keys, {name: checkpointName, content: string(signed)}, {name: consistencyName, line: asLine(t, Consistency{Size: 7, Proof: make([]audit.Digest, 900)}), times: 3000}}, nil},
		"folding that takes ages":  {[]part{manifest(Everything, 1, 0), {name: entriesName, content: chained(t, 2500, shuffled)}, nulls(2500)}, ErrFormat},
		"a sheet that is no sheet": {[]part{manifest(Everything, 0, 0), {name: sourcesName, content: asLine(t, Source{Subject: "project/p", Source: "x"})}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := packed(t, x.parts...)
			var r Report
			var err error
			used := peak(func() { r, err = VerifyFile(bytes.NewReader(b), int64(len(b)), Options{}) })
			v := Judge(r, err)
			if v.Verdict == Intact || x.err != nil && !errors.Is(err, x.err) {
				t.Errorf("%s: %v, %d findings and %d more, want %v", v.Verdict, err, len(r.Findings), r.More, x.err)
			}
			if len(r.Findings) > maxListed || len(r.Findings)+r.More > 2*maxFindings {
				t.Errorf("%d findings are listed and %d counted", len(r.Findings), r.More)
			}
			if text, err := json.Marshal(v); err != nil || len(text) > 8<<20 {
				t.Errorf("the report has %d bytes, %v", len(text), err)
			}
			if used > peakLimit {
				t.Errorf("it took %d MiB for a file of %d KiB", used>>20, len(b)>>10)
			}
		})
	}
}

// TestUnpacksToNoMore: what a file unpacks to is counted as it is read, over all members, whatever the directory says.
func TestUnpacksToNoMore(t *testing.T) {
	b := packed(t, part{name: "a", line: "x", times: 3 << 19}, part{name: "b", line: "x", times: 3 << 19})
	a, err := openArchive(bytes.NewReader(b), int64(len(b)))
	if err != nil || a.left != minUnpacked {
		t.Fatalf("%+v, %v", a, err)
	}
	a.left = 2 << 20
	read := func(name string) error {
		f, err := a.open(name)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, f)
		return err
	}
	if first, second := read("a"), read("b"); first != nil || !errors.Is(second, ErrFormat) {
		t.Errorf("%v, %v", first, second)
	}
}

// shuffled is data that makes every member of a state move twice.
func shuffled(i int) any {
	set := map[string]any{}
	if i < 40 {
		for n := range 400 {
			set[fmt.Sprintf("m%05d", i*400+n)] = 1
		}
	} else {
		set[fmt.Sprintf("a%05d", i)] = 1
		if i > 40 {
			set[fmt.Sprintf("a%05d", i-1)] = nil
		}
	}
	return map[string]any{"set": set}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"%x":{}`, i)
	}
	return b.String()
}
