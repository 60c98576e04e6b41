package audit

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const subject = "project/p-1"

// verify runs rows through a chain and closes it with what the project's row says.
func verify(rows []Row, head Digest, version int64, state json.RawMessage) []Finding {
	c := NewChain(subject)
	var found []Finding
	for _, r := range rows {
		found = append(found, c.Add(r)...)
	}
	return append(found, c.Close(head, version, state)...)
}

// marks writes findings as "check seq", several alike in a row as one: how many members of a state differ is not
// the point.
func marks(found []Finding) []string {
	var m []string
	for _, f := range found {
		m = append(m, fmt.Sprintf("%s %d", f.Check, f.Seq))
	}
	return slices.Compact(m)
}

// rewrite changes an entry and recomputes everything that lies beside its bytes.
func rewrite(t testing.TB, r *Row, change func(*Entry)) {
	t.Helper()
	e, err := Parse(r.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	change(&e)
	if *r, err = e.Row(); err != nil {
		t.Fatal(err)
	}
}

func TestChainOfAnIntactSubject(t *testing.T) {
	for _, length := range []int{1, 2, 30} {
		rows, state := story(t, length)
		last := rows[length-1]
		if found := verify(rows, last.Hash, int64(length), state); found != nil {
			t.Errorf("%d entries: %v", length, found)
		}
		c := NewChain(subject)
		for i := range rows {
			c.Add(Row{Bytes: rows[i].Bytes, Hash: rows[i].Hash, NoColumns: true})
			clear(rows[i].Bytes) // the chain keeps nothing of them
		}
		if c.Head() != last.Hash || c.Seq() != int64(length) || !Equal(c.State(), state) {
			t.Errorf("%d entries: head %s, seq %d, state %s", length, c.Head(), c.Seq(), c.State())
		}
		if found := c.Close(last.Hash, -1, nil); found != nil {
			t.Errorf("%d entries from a bundle: %v", length, found)
		}
	}
	t.Run("no entries", func(t *testing.T) {
		c := NewChain(subject)
		if !c.Head().IsZero() || c.Seq() != 0 || string(c.State()) != "{}" {
			t.Errorf("head %s, seq %d, state %s", c.Head(), c.Seq(), c.State())
		}
		if found := c.Close(Digest{}, 0, nil); found != nil {
			t.Error(found)
		}
	})
}

func TestChainNamesWhatWasTouched(t *testing.T) {
	const length = 6
	set := func(text string) func(*Entry) {
		return func(e *Entry) { e.Data = json.RawMessage(`{"set":` + text + `}`) }
	}
	// The project's row says head, version and state as they were; change may alter anything.
	type database struct {
		rows    []Row
		head    Digest
		version int64
		state   json.RawMessage
	}
	at := func(i int, change func(r *Row)) func(*testing.T, *database) {
		return func(t *testing.T, d *database) { change(&d.rows[i-1]) }
	}
	rewritten := func(i int, change func(*Entry)) func(*testing.T, *database) {
		return func(t *testing.T, d *database) { rewrite(t, &d.rows[i-1], change) }
	}
	without := func(from, to int) func(*testing.T, *database) {
		return func(t *testing.T, d *database) { d.rows = slices.Delete(d.rows, from-1, to) }
	}
	tests := map[string]struct {
		change func(*testing.T, *database)
		want   []string // see marks
	}{
		"bytes": {at(3, func(r *Row) { r.Bytes = []byte(strings.Replace(string(r.Bytes), "同意", "不同", 1)) }),
			[]string{"hash 3"}},
		"bytes, hash recomputed": {rewritten(3, func(e *Entry) { e.Note = "不同意" }), []string{"chain 4"}},
		"bytes of the last": {at(6, func(r *Row) { r.Bytes = []byte(strings.Replace(string(r.Bytes), "同意", "不同", 1)) }),
			[]string{"hash 6"}},
		"bytes of the last, hash recomputed": {rewritten(6, func(e *Entry) { e.Note = "不同意" }), []string{"head 6"}},
		"state in an entry, hash recomputed": {rewritten(3, set(`{"lasting":{"3":{"done":false}}}`)),
			[]string{"chain 4", "replay 0"}},
		"no bytes":              {at(3, func(r *Row) { r.Bytes = nil }), []string{"hash 3", "bytes 3", "replay 0"}},
		"bytes no longer JSON":  {at(3, func(r *Row) { r.Bytes = r.Bytes[1:]; r.Hash = HashEntry(r.Bytes) }), []string{"bytes 3", "chain 4", "replay 0"}},
		"last no longer JSON":   {at(6, func(r *Row) { r.Bytes = r.Bytes[1:] }), []string{"hash 6", "bytes 6", "replay 0"}},
		"two bytes":             {func(t *testing.T, d *database) { d.rows[1].Bytes = []byte("x"); d.rows[4].Bytes = []byte("y") }, []string{"hash 2", "bytes 2", "hash 5", "bytes 5", "replay 0"}},
		"hash":                  {at(3, func(r *Row) { r.Hash[0] ^= 1 }), []string{"hash 3"}},
		"hash gone":             {at(3, func(r *Row) { r.Hash = Digest{} }), []string{"hash 3"}},
		"hash of the last":      {at(6, func(r *Row) { r.Hash[0] ^= 1 }), []string{"hash 6"}},
		"column id":             {at(3, func(r *Row) { r.ID = "x" }), []string{"columns 3"}},
		"column subject":        {at(3, func(r *Row) { r.Subject = "project/x" }), []string{"columns 3"}},
		"column seq":            {at(3, func(r *Row) { r.Seq = 9 }), []string{"columns 3"}},
		"column at":             {at(3, func(r *Row) { r.At = r.At.Add(time.Microsecond) }), []string{"columns 3"}},
		"column at, other zone": {at(3, func(r *Row) { r.At = r.At.In(time.FixedZone("CST", 8*3600)) }), nil},
		"column actor":          {at(3, func(r *Row) { r.ActorID = "x" }), []string{"columns 3"}},
		"column action":         {at(3, func(r *Row) { r.Action = "x" }), []string{"columns 3"}},
		"column unit":           {at(3, func(r *Row) { r.Unit = "" }), []string{"columns 3"}},
		"column from":           {at(3, func(r *Row) { r.From = "x" }), []string{"columns 3"}},
		"column to":             {at(3, func(r *Row) { r.To = "x" }), []string{"columns 3"}},
		"column prev":           {at(3, func(r *Row) { r.Prev = Digest{} }), []string{"columns 3"}},
		"two columns":           {at(3, func(r *Row) { r.To, r.From = "x", "x" }), []string{"columns 3"}},
		"columns not compared":  {at(3, func(r *Row) { r.To, r.NoColumns = "x", true }), nil},
		"first deleted":         {without(1, 1), []string{"chain 1", "replay 0"}},
		"one deleted":           {without(3, 3), []string{"chain 3", "replay 0"}},
		"several deleted":       {without(2, 4), []string{"chain 2", "replay 0"}},
		"two gaps":              {func(t *testing.T, d *database) { without(5, 5)(t, d); without(2, 2)(t, d) }, []string{"chain 2", "chain 5", "replay 0"}},
		"tail deleted":          {without(5, 6), []string{"head 5", "version 4", "replay 0"}},
		"all deleted":           {without(1, 6), []string{"head 1", "version 0", "replay 0"}},
		"swapped":               {func(t *testing.T, d *database) { d.rows[1], d.rows[2] = d.rows[2], d.rows[1] }, []string{"chain 2", "replay 0"}},
		"doubled":               {func(t *testing.T, d *database) { d.rows = slices.Insert(d.rows, 3, d.rows[2]) }, []string{"chain 3"}},
		"last doubled":          {func(t *testing.T, d *database) { d.rows = append(d.rows, d.rows[5]) }, []string{"chain 6"}},
		"forged double before": {func(t *testing.T, d *database) {
			forged := d.rows[2]
			rewrite(t, &forged, func(e *Entry) { e.Note = "forged" })
			d.rows = slices.Insert(d.rows, 2, forged)
		}, []string{"chain 3"}},
		"appended behind": {func(t *testing.T, d *database) {
			forged := d.rows[5]
			rewrite(t, &forged, func(e *Entry) { e.Seq, e.Prev, e.Version = 7, d.rows[5].Hash, 7; set(`{"percent":100}`)(e) })
			d.rows = append(d.rows, forged)
		}, []string{"head 7", "version 7", "replay 0"}},
		"seq rewritten": {rewritten(3, func(e *Entry) { e.Seq = 1 << 50 }), []string{"chain 3", "chain 4"}},
		"prev rewritten": {rewritten(3, func(e *Entry) { e.Prev = HashContent(nil) }),
			[]string{"chain 3", "chain 4"}},
		"of another subject": {rewritten(3, func(e *Entry) { e.Subject = "project/p-2" }),
			[]string{"subject 3", "chain 3", "replay 0"}},
		"backdated": {rewritten(3, func(e *Entry) { e.At = e.At.Add(-time.Hour) }), []string{"time 3", "chain 4"}},
		"future":    {rewritten(6, func(e *Entry) { e.At = e.At.Add(time.Hour) }), []string{"head 6"}},
		"chain rewritten from there on": {func(t *testing.T, d *database) {
			for i := 2; i < length; i++ {
				rewrite(t, &d.rows[i], func(e *Entry) { e.Note, e.Prev = "不同意", d.rows[i-1].Hash })
			}
		}, []string{"head 6"}},
		"row's head":            {func(t *testing.T, d *database) { d.head[5] ^= 1 }, []string{"head 6"}},
		"row's head gone":       {func(t *testing.T, d *database) { d.head = Digest{} }, []string{"head 6"}},
		"row's head set back":   {func(t *testing.T, d *database) { d.head = d.rows[3].Hash }, []string{"head 6"}},
		"row's version":         {func(t *testing.T, d *database) { d.version = 7 }, []string{"version 6"}},
		"row's version ignored": {func(t *testing.T, d *database) { d.version = -1 }, nil},
		"row's state ignored":   {func(t *testing.T, d *database) { d.state = nil }, nil},
		"row's state empty":     {func(t *testing.T, d *database) { d.state = json.RawMessage(`{}`) }, []string{"replay 0"}},
		"row's state no JSON":   {func(t *testing.T, d *database) { d.state = json.RawMessage(`{`) }, []string{"replay 0"}},
		"row's state with null": {func(t *testing.T, d *database) { d.state = json.RawMessage(`{"a":null}`) }, []string{"replay 0"}},
		"row set back whole": {func(t *testing.T, d *database) {
			before, state := story(t, 4)
			d.head, d.version, d.state = before[3].Hash, 4, state
		}, []string{"head 6", "version 6", "replay 0"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			rows, state := story(t, length)
			d := &database{rows: rows, head: rows[length-1].Hash, version: length, state: state}
			test.change(t, d)
			found := verify(d.rows, d.head, d.version, d.state)
			if diff := gocmp.Diff(test.want, marks(found)); diff != "" {
				t.Errorf("findings (-want +got):\n%s\n%v", diff, found)
			}
			for _, f := range found {
				if f.Subject != subject || f.Detail == "" || strings.Contains(f.Detail, "%!") {
					t.Errorf("finding %+v", f)
				}
			}
		})
	}
}

func TestReplayNamesTheMembers(t *testing.T) {
	first := sample()
	first.Seq, first.Prev, first.Version = 1, Digest{}, 1
	first.Data = json.RawMessage(`{"set":{"title":"t","target":{"seats":120,"a/b~":"x"},"list":[1],"gone":true}}`)
	row, err := first.Row()
	if err != nil {
		t.Fatal(err)
	}
	stored := `{"title":"t","target":{"seats":121,"a/b~":"y"},"list":[1,2],"new":"` + strings.Repeat("长", 200) + `"}`
	got := verify([]Row{row}, row.Hash, 1, json.RawMessage(stored))
	want := []Finding{
		{subject, 0, "", CheckReplay, `/gone is absent in the row, true by the entries`},
		{subject, 0, "", CheckReplay, `/list is [1,2] in the row, [1] by the entries`},
		{subject, 0, "", CheckReplay, `/new is "` + strings.Repeat("长", maxShown-1) + `… in the row, absent by the entries`},
		{subject, 0, "", CheckReplay, `/target/a~1b~0 is "y" in the row, "x" by the entries`},
		{subject, 0, "", CheckReplay, `/target/seats is 121 in the row, 120 by the entries`},
	}
	if d := gocmp.Diff(want, got); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}

	many := map[string]int{}
	for i := range maxDifferences + 5 {
		many[fmt.Sprint(i)] = i
	}
	first.Data = encode(map[string]any{"set": many})
	if row, err = first.Row(); err != nil {
		t.Fatal(err)
	}
	got = verify([]Row{row}, row.Hash, 1, json.RawMessage(`{}`))
	if n := len(got); n != maxDifferences+1 || got[n-1].Detail != "5 more members differ" {
		t.Errorf("%d findings, the last is %+v", n, got[n-1])
	}
}

// A chain whose earlier entries cannot be trusted says so where the state differs.
func TestReplayNamesTheCause(t *testing.T) {
	rows, state := story(t, 4)
	rows[1].Bytes = []byte("{}")
	found := verify(rows, rows[3].Hash, 4, state)
	last := found[len(found)-1]
	if last.Check != CheckReplay || !strings.Contains(last.Detail, "not whole from seq 2 on") {
		t.Errorf("got %+v", last)
	}
}

func TestAnyFlippedByteIsFound(t *testing.T) {
	const length = 5
	rows, _ := story(t, length)
	head := rows[length-1].Hash
	rapid.Check(t, func(t *rapid.T) {
		rows := slices.Clone(rows)
		i := rapid.IntRange(0, length-1).Draw(t, "row")
		b := slices.Clone(rows[i].Bytes)
		at := rapid.IntRange(0, len(b)-1).Draw(t, "byte")
		b[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "mask"))
		rows[i].Bytes = b

		if found := verify(rows, head, length, nil); len(found) == 0 || found[0].Check != CheckHash || found[0].Seq != int64(i+1) {
			t.Fatalf("byte %d of seq %d: %v", at, i+1, found)
		}
		// A forger who knows how recomputes the hash and the columns too; the next entry or the head betrays it.
		rows[i].Hash = HashEntry(b)
		if e, err := Parse(b); err == nil {
			if rows[i], err = e.Row(); err != nil {
				t.Fatal(err)
			}
		}
		if found := verify(rows, head, -1, nil); len(found) == 0 {
			t.Fatalf("byte %d of seq %d with the hash recomputed: nothing found", at, i+1)
		}
	})
}

func TestAnyShuffleIsFound(t *testing.T) {
	const length = 8
	rows, state := story(t, length)
	head := rows[length-1].Hash
	rapid.Check(t, func(t *rapid.T) {
		// Any selection of the rows in any order, with repetitions, that is not the chain itself.
		picks := rapid.SliceOfN(rapid.IntRange(0, length-1), 0, length+2).Draw(t, "picks")
		intact := len(picks) == length
		var got []Row
		for i, p := range picks {
			intact = intact && i == p
			got = append(got, rows[p])
		}
		found := verify(got, head, length, state)
		if intact != (found == nil) {
			t.Fatalf("%v: %v", picks, found)
		}
	})
}

func TestDeletedDoubledSwappedAreNamed(t *testing.T) {
	const length = 8
	rows, _ := story(t, length)
	head := rows[length-1].Hash
	rapid.Check(t, func(t *rapid.T) {
		i := rapid.IntRange(0, length-2).Draw(t, "row") // what happens to the tail is another matter
		seq := int64(i + 1)
		for what, touched := range map[string][]Row{
			"deleted": slices.Delete(slices.Clone(rows), i, i+1),
			"doubled": slices.Insert(slices.Clone(rows), i, rows[i]),
			"swapped": slices.Concat(rows[:i], []Row{rows[i+1], rows[i]}, rows[i+2:]),
		} {
			found := verify(touched, head, length, nil)
			if len(found) == 0 {
				t.Fatalf("%s seq %d: nothing found", what, seq)
			}
			for _, f := range found {
				// Swapping the last two makes the row's head differ as well.
				if (f.Check != CheckChain || f.Seq != seq) && (what != "swapped" || i != length-2) {
					t.Fatalf("%s seq %d: %+v", what, seq, f)
				}
			}
		}
		cut := verify(rows[:i+1], head, length, nil)
		if cut[0].Check != CheckHead || cut[0].Seq != seq+1 {
			t.Fatalf("cut after seq %d: %v", seq, cut)
		}
	})
}

// TestChainHoldsLittle: a state of a few bytes does not keep the entries in memory from which it came.
func TestChainHoldsLittle(t *testing.T) {
	const n, limit = 3000, 16 << 20 // entries of 12 KiB, and bytes
	c := NewChain("project/p")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var prev Digest
	for i := range n {
		e := Entry{V: Format, Log: "0190c2f0-0000-7000-8000-000000000001/1", ID: "0190c2f0-0000-7000-8000-000000000001", At: time.Date(2026, 9, 1, 0, 0, i, 0, time.UTC),
			Actor: Actor{ID: "operator", Via: ViaCLI}, Action: "edit", Subject: "project/p", Seq: int64(i + 1), Prev: prev, Version: int64(i + 1),
			Data: json.RawMessage(fmt.Sprintf(`{"long":"%s","set":{"m%d":1}}`, strings.Repeat("x", 12<<10), i))}
		r, err := e.Row()
		if err != nil {
			t.Fatal(err)
		}
		if found := c.Add(r); len(found) > 0 {
			t.Fatal(found)
		}
		prev = r.Hash
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if used := int64(after.HeapAlloc) - int64(before.HeapAlloc); used > limit {
		t.Errorf("%d entries of a state of %d bytes hold %d bytes", n, len(c.State()), used)
	}
	runtime.KeepAlive(c)
}

// TestCollect: so many findings are listed, the others counted, and what a forger made long is cut.
func TestCollect(t *testing.T) {
	long := strings.Repeat("长", maxFinding)
	list, more := Collect(nil, 2, Finding{Subject: long, Entry: long, Detail: long}, Finding{Detail: "b"}, Finding{Detail: "c"}, Finding{Detail: "d"})
	if len(list) != 2 || more != 2 || list[1].Detail != "b" {
		t.Fatalf("%d listed, %d more", len(list), more)
	}
	for _, text := range []string{list[0].Subject, list[0].Entry, list[0].Detail} {
		if len(text) > maxFinding+len("…") || !utf8.ValidString(text) || !strings.HasSuffix(text, "长…") {
			t.Errorf("%d bytes: %q", len(text), text)
		}
	}
}
