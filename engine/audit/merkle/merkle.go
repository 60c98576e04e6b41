// Package merkle is the one log over all entries: a Merkle tree after RFC 6962, whose leaves are the hashes of the
// entries in the order in which they were sealed, and the checkpoints that sign its size and root.
//
// What must always hold:
//
//   - A leaf is audit.HashEntry of the entry's bytes, so that whoever has the bytes has the leaf.
//   - The log only grows. Of the inner nodes those are kept that complete a subtree of 256, 256², 256³ … leaves
//     (tiles of height 8, as C2SP tlog-tiles has them); all others follow from them.
//   - A checkpoint is a signed note (golang.org/x/mod/sumdb/note): origin, size, root, and the time of signing. The
//     signer keeps its key and the last checkpoint outside the database, and signs nothing that does not continue it.
//
// The package imports package audit and the standard library beside the two of sumdb, so that a verifier can be built
// from it alone.
package merkle

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"bihuan/engine/audit"
)

// Height is the height of a tile, Width the number of hashes that a full one has.
const (
	Height = 8
	Width  = 1 << Height
)

// Hashes is where a log is kept. Level 0 are the leaves; a node of level l is the root of 256^l leaves.
type Hashes interface {
	// Nodes returns the hashes of a level numbered from … to-1, in order. It fails if one is missing.
	Nodes(ctx context.Context, level int, from, to int64) ([]audit.Digest, error)
}

// Node is the root of a complete subtree of 256^Level leaves, the N-th of its level from 0.
type Node struct {
	Level int
	N     int64
	Hash  audit.Digest
}

// Grow returns the nodes that a log completes by growing from one size to another. The leaves must be in h already,
// the nodes are not.
func Grow(ctx context.Context, h Hashes, from, to int64) ([]Node, error) {
	var out []Node
	var below []audit.Digest // of the level below, numbered from before
	before := to             // all leaves are in h
	for level := 1; to > 0; level++ {
		first, last := from>>Height, to>>Height
		if first == last {
			break // what completes nothing here completes nothing above
		}
		var made []audit.Digest
		for n := first; n < last; n++ {
			start, end := n*Width, (n+1)*Width
			kept := min(max(before, start), end)
			hashes, err := h.Nodes(ctx, level-1, start, kept)
			if err != nil {
				return nil, err
			}
			if kept < end {
				hashes = append(hashes, below[kept-before:end-before]...)
			}
			root := Root(hashes)
			made = append(made, root)
			out = append(out, Node{level, n, root})
		}
		from, to, before, below = first, last, first, made
	}
	return out, nil
}

// Root returns the root over hashes as RFC 6962 has it; for none the hash of nothing.
func Root(hashes []audit.Digest) audit.Digest {
	var t Tree
	for _, h := range hashes {
		t.Add(h)
	}
	return t.Root()
}

// Tree is a log of which only the right edge is kept: it takes leaves and tells the root. Its memory is one hash for
// each level.
type Tree struct {
	size int64
	edge []audit.Digest // roots of the complete subtrees that make up the tree, the largest first
}

// Add appends a leaf.
func (t *Tree) Add(leaf audit.Digest) {
	for n := t.size; n&1 == 1; n >>= 1 { // as many subtrees of equal size become one
		last := len(t.edge) - 1
		leaf = join(t.edge[last], leaf)
		t.edge = t.edge[:last]
	}
	t.edge = append(t.edge, leaf)
	t.size++
}

// Size returns the number of leaves.
func (t *Tree) Size() int64 { return t.size }

// Root returns the root of the tree as it stands.
func (t *Tree) Root() audit.Digest {
	if len(t.edge) == 0 {
		return audit.HashContent(nil)
	}
	root := t.edge[len(t.edge)-1]
	for i := len(t.edge) - 2; i >= 0; i-- {
		root = join(t.edge[i], root)
	}
	return root
}

func join(left, right audit.Digest) audit.Digest {
	return audit.Digest(tlog.NodeHash(tlog.Hash(left), tlog.Hash(right)))
}

// RootAt returns the root that the log had with size leaves.
func RootAt(ctx context.Context, h Hashes, size int64) (audit.Digest, error) {
	if size == 0 {
		return audit.HashContent(nil), nil
	}
	root, err := tlog.TreeHash(size, newReader(ctx, h))
	return audit.Digest(root), err
}

// Proof is the list of hashes that proves something about a log.
type Proof []audit.Digest

// ErrIncomplete says that a log does not hold the hashes that one of its size has: nothing can be proved by them.
var ErrIncomplete = errors.New("merkle: the log is not whole")

// Inclusion proves that the leaf number index stands in the log with size leaves.
func Inclusion(ctx context.Context, h Hashes, size, index int64) (Proof, error) {
	p, err := tlog.ProveRecord(size, index, newReader(ctx, h))
	return proofOf(p), err
}

// CheckInclusion tells whether a proof shows that leaf has the number index in the log with that size and root.
func CheckInclusion(p Proof, size int64, root audit.Digest, index int64, leaf audit.Digest) bool {
	return tlog.CheckRecord(p.hashes(), size, tlog.Hash(root), index, tlog.Hash(leaf)) == nil
}

// Consistency proves that the log with size leaves continues the one with old leaves.
func Consistency(ctx context.Context, h Hashes, size, old int64) (Proof, error) {
	p, err := tlog.ProveTree(size, old, newReader(ctx, h))
	return proofOf(p), err
}

// CheckConsistency tells whether a proof shows that the log with size and root continues the one with the old ones.
func CheckConsistency(p Proof, size int64, root audit.Digest, old int64, oldRoot audit.Digest) bool {
	return tlog.CheckTree(p.hashes(), size, tlog.Hash(root), old, tlog.Hash(oldRoot)) == nil
}

func proofOf[T ~[]tlog.Hash](p T) Proof {
	out := make(Proof, len(p))
	for i, h := range p {
		out[i] = audit.Digest(h)
	}
	return out
}

func (p Proof) hashes() []tlog.Hash {
	out := make([]tlog.Hash, len(p))
	for i, h := range p {
		out[i] = tlog.Hash(h)
	}
	return out
}

// reader gives tlog the hashes that it numbers, out of tiles.
type reader struct {
	ctx   context.Context //nolint:containedctx // tlog's interface has none, and a reader lives for one question
	h     Hashes
	tiles map[[2]int64][]byte // by level and number
}

func newReader(ctx context.Context, h Hashes) *reader {
	return &reader{ctx: ctx, h: h, tiles: map[[2]int64][]byte{}}
}

// ReadHashes implements tlog.HashReader.
func (r *reader) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		t := tlog.TileForIndex(Height, index)
		key := [2]int64{int64(t.L), t.N}
		data := r.tiles[key]
		if len(data) < t.W*tlog.HashSize {
			var err error
			if data, err = Tile(r.ctx, r.h, t.L, t.N, t.W); err != nil {
				return nil, err
			}
			r.tiles[key] = data
		}
		t.W = len(data) / tlog.HashSize
		var err error
		if out[i], err = tlog.HashFromTile(t, data, index); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Tile returns the first width hashes of a tile, one after the other.
func Tile(ctx context.Context, h Hashes, level int, n int64, width int) ([]byte, error) {
	if level < 0 || n < 0 || width < 1 || width > Width {
		return nil, fmt.Errorf("%w: there is no tile %d/%d of width %d", ErrIncomplete, level, n, width)
	}
	hashes, err := h.Nodes(ctx, level, n*Width, n*Width+int64(width))
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(hashes)*len(audit.Digest{}))
	for _, d := range hashes {
		out = append(out, d[:]...)
	}
	return out, nil
}

// Cached returns h with what was read of it kept, tile by tile, for many proofs over a log with size leaves.
func Cached(h Hashes, size int64) Hashes {
	return &cache{h: h, size: size, tiles: map[[2]int64][]audit.Digest{}}
}

type cache struct {
	h     Hashes
	size  int64
	tiles map[[2]int64][]audit.Digest
}

// Nodes implements Hashes. What spans tiles is not cached: no proof asks for that.
func (c *cache) Nodes(ctx context.Context, level int, from, to int64) ([]audit.Digest, error) {
	n := from / Width
	if to > (n+1)*Width {
		return c.h.Nodes(ctx, level, from, to)
	}
	key := [2]int64{int64(level), n}
	tile, ok := c.tiles[key]
	if !ok {
		var err error
		end := min((n+1)*Width, c.size>>(Height*level))
		if tile, err = c.h.Nodes(ctx, level, n*Width, max(end, n*Width)); err != nil {
			return nil, err
		}
		c.tiles[key] = tile
	}
	if to-n*Width > int64(len(tile)) {
		return nil, fmt.Errorf("%w: level %d has no node %d", ErrIncomplete, level, to-1)
	}
	return tile[from-n*Width : to-n*Width], nil
}
