package merkle

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"bihuan/engine/audit"
)

// What a finding about the log is about, beside the checks of package audit. Its subject is Subject unless an entry is
// meant.
const (
	CheckSignature  = "signature"  // a checkpoint is not signed by a key of the installation, or is no checkpoint
	CheckCheckpoint = "checkpoint" // a stored checkpoint is missing, or its columns say something else
	CheckRoot       = "root"       // the log does not have the root that a checkpoint says
	CheckLeaf       = "leaf"       // a place in the log is empty, doubled, or not that of its entry
	CheckNode       = "node"       // a stored node is not that of the leaves
)

// Subject is the subject of findings about the log itself.
const Subject = "log"

// late is how long an entry may take from being decided to being sealed before a checkpoint that was signed meanwhile
// makes it a finding: requests end long before, but clocks of replicas differ.
const late = 5 * time.Minute

// Point is a checkpoint that a log has to agree with.
type Point struct {
	Name string // what findings call it: "checkpoint 7", or the file that somebody kept
	Checkpoint
}

// Check compares a log, leaf by leaf, with checkpoints. It keeps the right edge of the tree and the points.
type Check struct {
	points []Point // by size
	next   int     // the first whose size has not been reached
	levels []Tree  // levels[l] holds the nodes of level l that make up no node of level l+1 yet
	size   int64
	wrong  int // points that did not agree
	found  []audit.Finding
	node   func(Node)
}

// NewCheck returns a check of an empty log. node is called with every node that leaves complete; it may be nil.
func NewCheck(points []Point, node func(Node)) *Check {
	points = slices.Clone(points)
	sort.SliceStable(points, func(i, j int) bool { return points[i].Size < points[j].Size })
	if node == nil {
		node = func(Node) {}
	}
	return &Check{points: points, node: node}
}

// Add takes the next leaf.
func (c *Check) Add(hash audit.Digest) {
	for level := 0; ; level++ {
		if level == len(c.levels) {
			c.levels = append(c.levels, Tree{})
		}
		c.levels[level].Add(hash)
		if c.levels[level].size < Width {
			break
		}
		hash = c.levels[level].Root()
		c.levels[level] = Tree{}
		c.node(Node{level + 1, c.size >> (Height * (level + 1)), hash})
	}
	c.size++
	for c.next < len(c.points) && c.points[c.next].Size == c.size {
		p := &c.points[c.next]
		if why := p.Unlike(c.size, c.Root()); why != "" {
			c.disagrees(p, why)
		}
		c.next++
	}
}

// Size returns the number of leaves so far.
func (c *Check) Size() int64 { return c.size }

// Root returns the root over the leaves so far.
func (c *Check) Root() audit.Digest {
	var root audit.Digest
	none := true
	for level := range c.levels {
		edge := c.levels[level].edge
		for i := len(edge) - 1; i >= 0; i-- {
			if none {
				root, none = edge[i], false
			} else {
				root = join(edge[i], root)
			}
		}
	}
	if none {
		return audit.HashContent(nil)
	}
	return root
}

// disagrees notes the first point that does not agree in full; later ones follow from it.
func (c *Check) disagrees(p *Point, why string) {
	if c.wrong++; c.wrong == 1 {
		c.found = append(c.found, audit.Finding{Subject: Subject, Check: CheckRoot, Detail: p.Name + ": " + why})
	}
}

// Close compares what is left when the last leaf has been added, and returns everything that was found.
func (c *Check) Close() []audit.Finding {
	for ; c.next < len(c.points); c.next++ {
		p := &c.points[c.next]
		c.disagrees(p, p.Unlike(c.size, c.Root()))
	}
	if c.wrong > 1 {
		c.found = append(c.found, audit.Finding{Subject: Subject, Check: CheckRoot, Detail: fmt.Sprintf("%d later checkpoints do not agree either", c.wrong-1)})
	}
	return c.found
}

// Dates tells by checkpoints when places in the log were filled.
type Dates struct {
	sizes []int64
	names []string
	times []time.Time
}

// NewDates returns what the points say.
func NewDates(points []Point) *Dates {
	points = slices.Clone(points)
	sort.SliceStable(points, func(i, j int) bool { return points[i].Size < points[j].Size })
	d := &Dates{}
	for _, p := range points {
		d.sizes, d.names, d.times = append(d.sizes, p.Size), append(d.names, p.Name), append(d.times, p.Time)
	}
	return d
}

// Missing tells why an entry that stands at no place in the log cannot have been decided when it says: "" if it can. Every
// checkpoint covers what was decided before it.
func (d *Dates) Missing(at time.Time) string {
	i := len(d.sizes) - 1
	if i < 0 || !d.times[i].After(at.Add(late)) {
		return ""
	}
	return fmt.Sprintf("the entry is dated %s, but it does not stand in the log over which %s was signed at %s",
		at.Format(time.RFC3339), d.names[i], d.times[i].Format(time.RFC3339))
}

// Backdated tells why an entry cannot have been decided when it says: "" if it can. It stands at a place that was empty
// when a checkpoint was signed after that time.
func (d *Dates) Backdated(index int64, at time.Time) string {
	i := sort.Search(len(d.sizes), func(i int) bool { return d.sizes[i] > index }) - 1
	if i < 0 || !d.times[i].After(at.Add(late)) {
		return ""
	}
	return fmt.Sprintf("the entry is dated %s, but it was sealed after %s, signed at %s, which has only %d entries",
		at.Format(time.RFC3339), d.names[i], d.times[i].Format(time.RFC3339), d.sizes[i])
}
