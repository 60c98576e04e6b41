package merkle

import (
	"context"
	"fmt"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"bihuan/engine/audit"
)

// memory is a log in memory.
type memory struct{ levels [][]audit.Digest }

func (m *memory) Nodes(_ context.Context, level int, from, to int64) ([]audit.Digest, error) {
	if level >= len(m.levels) || to > int64(len(m.levels[level])) {
		return nil, fmt.Errorf("level %d has no node %d", level, to-1)
	}
	return append([]audit.Digest(nil), m.levels[level][from:to]...), nil
}

// grow appends n leaves and the nodes that they complete.
func (m *memory) grow(t testing.TB, n int) {
	t.Helper()
	if len(m.levels) == 0 {
		m.levels = make([][]audit.Digest, 1)
	}
	from := int64(len(m.levels[0]))
	for i := range n {
		m.levels[0] = append(m.levels[0], leaf(from+int64(i)))
	}
	nodes, err := Grow(context.Background(), m, from, from+int64(n))
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range nodes {
		if node.Level == len(m.levels) {
			m.levels = append(m.levels, nil)
		}
		if node.N != int64(len(m.levels[node.Level])) {
			t.Fatalf("level %d: node %d after %d", node.Level, node.N, len(m.levels[node.Level]))
		}
		m.levels[node.Level] = append(m.levels[node.Level], node.Hash)
	}
}

func leaf(i int64) audit.Digest { return audit.HashEntry([]byte(fmt.Sprint("entry ", i))) }

// roots are those of sumdb's own log, which stores every node.
func roots(t testing.TB, n int) []audit.Digest {
	t.Helper()
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = stored[x]
		}
		return out, nil
	})
	out := []audit.Digest{audit.HashContent(nil)}
	for i := range int64(n) {
		h, err := tlog.StoredHashesForRecordHash(i, tlog.Hash(leaf(i)), read)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, h...)
		root, err := tlog.TreeHash(i+1, read)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, audit.Digest(root))
	}
	return out
}

// However a log grows, its roots are those of sumdb's log, and every proof holds for what it proves and nothing else.
func TestLog(t *testing.T) {
	const most = 700
	want := roots(t, most)
	rapid.Check(t, func(rt *rapid.T) {
		m, size := new(memory), 0
		for size < most && rapid.IntRange(0, 9).Draw(rt, "go on") > 0 {
			n := min(rapid.SampledFrom([]int{1, 2, 100, 255, 256, 257, 300}).Draw(rt, "by"), most-size)
			m.grow(t, n)
			size += n
		}
		if size == 0 {
			return
		}
		at := rapid.IntRange(1, size).Draw(rt, "at")
		root, err := RootAt(t.Context(), m, int64(at))
		if err != nil || root != want[at] || Root(m.levels[0][:at]) != want[at] {
			rt.Fatalf("root at %d of %d: %v (%v), want %v", at, size, root, err, want[at])
		}
		index := int64(rapid.IntRange(0, at-1).Draw(rt, "index"))
		p, err := Inclusion(t.Context(), m, int64(at), index)
		if err != nil || !CheckInclusion(p, int64(at), root, index, leaf(index)) {
			rt.Fatalf("leaf %d of %d is not proved (%v)", index, at, err)
		}
		if CheckInclusion(p, int64(at), root, index, leaf(index+1)) {
			rt.Fatalf("the proof of leaf %d of %d holds for the next one", index, at)
		}
		old := rapid.IntRange(1, at).Draw(rt, "old")
		c, err := Consistency(t.Context(), m, int64(at), int64(old))
		if err != nil || !CheckConsistency(c, int64(at), root, int64(old), want[old]) {
			rt.Fatalf("%d does not continue %d (%v)", at, old, err)
		}
		if CheckConsistency(c, int64(at), root, int64(old), leaf(0)) && old > 1 {
			rt.Fatalf("%d continues a foreign %d", at, old)
		}
	})
}

// Three levels of nodes, which random sizes do not reach.
func TestLargeLog(t *testing.T) {
	const size = 256*256*2 + 300
	m, want := new(memory), new(Tree)
	for at := 0; at < size; at += 997 {
		m.grow(t, min(997, size-at))
	}
	for i := range int64(size) {
		want.Add(leaf(i))
	}
	root, err := RootAt(t.Context(), m, size)
	if err != nil || root != want.Root() || want.Size() != size {
		t.Errorf("root %v (%v), want %v", root, err, want.Root())
	}
	if got := []int{len(m.levels), len(m.levels[1]), len(m.levels[2])}; fmt.Sprint(got) != "[3 513 2]" {
		t.Errorf("levels, nodes of the first and the second: %v", got)
	}
	if p, err := Inclusion(t.Context(), m, size, 70000); err != nil || !CheckInclusion(p, size, root, 70000, leaf(70000)) {
		t.Errorf("leaf 70000 is not proved: %v", err)
	}
}

func TestTile(t *testing.T) {
	m := new(memory)
	m.grow(t, 300)
	for _, tt := range []struct {
		level, width int
		n            int64
		ok           bool
	}{{0, 256, 0, true}, {0, 44, 1, true}, {0, 45, 1, false}, {1, 1, 0, true}, {1, 2, 0, false}, {-1, 1, 0, false}, {0, 1, -1, false}, {0, 0, 0, false}, {0, 257, 0, false}} {
		b, err := Tile(t.Context(), m, tt.level, tt.n, tt.width)
		if (err == nil) != tt.ok || tt.ok && len(b) != 32*tt.width {
			t.Errorf("tile %d/%d of width %d: %d bytes, %v", tt.level, tt.n, tt.width, len(b), err)
		}
	}
}
