package storage

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/audit/merkle"
)

// Lost is a known checkpoint over entries that a declared restore lost.
type Lost struct {
	Known   string    `json:"known"`
	Entries int64     `json:"entries"` // how many it covers that are gone
	Epoch   int64     `json:"epoch"`   // which began without them
	Entry   string    `json:"entry"`   // the entry that declares it
	At      time.Time `json:"at"`
}

// logVerifier is what a verification knows about the log.
type logVerifier struct {
	points []merkle.Point
	known  []merkle.Point // of points, those from outside
	dates  *merkle.Dates
	nodes  map[[2]int64]audit.Digest // stored, not yet compared
	sealed int64                     // entries with a leaf
}

// checkpoints reads what was signed, before everything else: signatures, dense numbers, columns. Its points are what
// the log has to agree with.
func (v *verifier) checkpoints(ctx context.Context) error {
	said, epochs, err := v.declared()
	if err != nil {
		return err
	}
	trail, err := merkle.ParseKeys(said)
	if err != nil {
		v.noteLog(0, merkle.CheckSignature, "an entry names a key that is none: %v", err)
	}
	keys := v.opt.Keys
	if len(keys) == 0 {
		keys = trail
	}
	var rows []checkpointRow
	if err := v.tx.Raw("SELECT n, size, at, note FROM checkpoints ORDER BY n").Scan(&rows).Error; err != nil {
		return err
	}
	installation, epoch := merkle.SplitLog(v.report.Log)
	last := checkpointRow{}
	for _, r := range rows {
		v.report.Checked.Checkpoints++
		c, err := merkle.Parse(r.Note, keys)
		if err != nil {
			v.noteLog(r.N, merkle.CheckSignature, "%v", err)
			if !errors.Is(err, merkle.ErrSignature) || c.Size == 0 {
				last.N, last.Size = r.N, max(last.Size, r.Size)
				continue
			}
		} else if _, err := merkle.Parse(r.Note, trail); err != nil {
			v.noteLog(r.N, merkle.CheckSignature, "the key that signed is not one that the trail tells of")
		}
		switch {
		case r.N != last.N+1:
			v.noteLog(last.N+1, merkle.CheckCheckpoint, "checkpoint %d is missing", last.N+1)
		case r.Size <= last.Size:
			v.noteLog(r.N, merkle.CheckCheckpoint, "its size %d is not above that of the one before, %d", r.Size, last.Size)
		}
		if r.Size != c.Size || !r.At.Equal(c.Time) {
			v.noteLog(r.N, merkle.CheckCheckpoint, "the columns say size %d at %s, the note %d at %s", r.Size, r.At.UTC().Format(time.RFC3339Nano), c.Size, c.Time.Format(time.RFC3339))
		}
		if c.Installation() != installation || c.Epoch() > epoch {
			v.noteLog(r.N, merkle.CheckCheckpoint, "it belongs to the log %s", c.Log)
		}
		last = checkpointRow{N: r.N, Size: max(r.Size, last.Size)}
		v.log.points = append(v.log.points, merkle.Point{Name: fmt.Sprintf("checkpoint %d", r.N), Checkpoint: c})
	}
	for e := int64(2); e <= epoch; e++ {
		if !slices.ContainsFunc(epochs, func(x Epoch) bool { return x.after() < e && e <= x.Epoch }) {
			v.noteLog(0, CheckOrphan, "no entry tells why epoch %d began", e)
		}
	}
	for _, k := range v.opt.Known {
		if err := v.known(k, append(slices.Clone(trail), keys...), epochs); err != nil {
			return err
		}
	}
	v.log.dates = merkle.NewDates(v.log.points)
	return nil
}

// known takes up the checkpoints in a file that somebody kept: those count that one of the keys signed.
func (v *verifier) known(k merkle.Kept, keys merkle.Keys, epochs []Epoch) error {
	points, doubts, err := k.Believe(keys, v.report.Log)
	if err != nil {
		return err
	}
	v.report.Doubts = append(v.report.Doubts, doubts...)
	for _, p := range points {
		v.report.Checked.Known++
		i := slices.IndexFunc(epochs, func(e Epoch) bool { return e.Epoch > p.Epoch() && e.Size < p.Size }) // the earliest that began with less
		if i >= 0 {
			e := epochs[i]
			v.report.Lost = append(v.report.Lost, Lost{Known: p.Name, Entries: p.Size - e.Size, Epoch: e.Epoch, Entry: e.entry, At: e.at})
			continue
		}
		v.log.points, v.log.known = append(v.log.points, p), append(v.log.known, p)
	}
	return nil
}

// Epoch is what the entry says that begins one.
type Epoch struct {
	Epoch    int64    `json:"epoch"`
	After    int64    `json:"after,omitempty"` // that of the copy that was put back, if it is not the one before
	Size     int64    `json:"size"`            // entries that the log had when it began
	Signed   string   `json:"signed"`          // the last checkpoint of the epoch before
	Approved []string `json:"approved"`        // who let it begin
	Note     string   `json:"note,omitempty"`

	entry string
	at    time.Time
}

// Data returns what the entry holds.
func (e Epoch) Data() map[string]any {
	data := map[string]any{"epoch": e.Epoch, "size": e.Size, "signed": e.Signed, "approved": e.Approved, "note": e.Note}
	if e.After > 0 {
		data["after"] = e.After
	}
	return data
}

// after returns the epoch that it follows in the database; those between were lost whole.
func (e Epoch) after() int64 { return cmp.Or(e.After, e.Epoch-1) }

// declared reads the keys and the epochs that the trail tells of.
func (v *verifier) declared() (keys string, epochs []Epoch, err error) {
	var rows []entryRow
	if err := v.tx.Raw("SELECT "+entries.quoted("")+" FROM entries WHERE action IN ? ORDER BY at, id",
		[]string{engine.ActionCheckpointKey, engine.ActionEpoch}).Scan(&rows).Error; err != nil {
		return "", nil, err
	}
	for i := range rows {
		e, err := audit.Parse(rows[i].Bytes)
		if err != nil || e.Subject != engine.SubjectActor+"/"+e.Actor.ID {
			continue // found with the entries
		}
		var key struct {
			Key string `json:"key"`
		}
		var epoch Epoch
		switch {
		case e.Action == engine.ActionCheckpointKey && json.Unmarshal(e.Data, &key) == nil:
			keys += key.Key + "\n"
		case e.Action == engine.ActionEpoch && json.Unmarshal(e.Data, &epoch) == nil:
			epoch.entry, epoch.at = e.ID, e.At
			epochs = append(epochs, epoch)
		}
	}
	return keys, epochs, nil
}

// leaves reads the whole log in order: dense places, nodes, roots.
func (v *verifier) leaves(ctx context.Context) error {
	if err := v.storedNodes(); err != nil {
		return err
	}
	check := merkle.NewCheck(v.log.points, v.compareNode)
	for {
		n, err := v.leafBatch(ctx, check)
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		if n < leafBatch {
			break
		}
	}
	v.report.Checked.Leaves, v.report.Root = check.Size(), check.Root()
	v.found(check.Close()...)
	for at, hash := range v.log.nodes {
		v.noteLog(0, merkle.CheckNode, "level %d, node %d: %s is stored, but the log is not that large", at[0], at[1], hash)
	}
	return nil
}

const leafBatch = 20_000

// leafBatch adds the next leaves. A place that is missing is filled with nothing, so that the rest stays in place.
func (v *verifier) leafBatch(ctx context.Context, check *merkle.Check) (n int, err error) {
	rows, err := v.tx.WithContext(ctx).Raw("SELECT idx, hash FROM log_leaves WHERE idx >= ? ORDER BY idx LIMIT ?", check.Size(), leafBatch).Rows()
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var hash []byte
	for rows.Next() {
		var idx int64
		if err := rows.Scan(&idx, &hash); err != nil {
			return n, err
		}
		n++
		if missing := idx - check.Size(); missing > 0 {
			v.noteLog(0, merkle.CheckLeaf, "the places %d to %d are empty", check.Size(), idx-1)
			if missing > maxMissing {
				return 0, nil // somebody moved it out of reach: nothing can be said about what follows
			}
			for check.Size() < idx {
				check.Add(audit.Digest{})
			}
		}
		var d audit.Digest
		copy(d[:], hash)
		check.Add(d)
	}
	return n, rows.Err()
}

// maxMissing bounds how many empty places are filled.
const maxMissing = 1 << 20

// storedNodes reads the nodes that the database keeps: one for 256 entries.
func (v *verifier) storedNodes() error {
	var rows []nodeRow
	if err := v.tx.Raw("SELECT level, n, hash FROM log_nodes").Scan(&rows).Error; err != nil {
		return err
	}
	v.log.nodes = make(map[[2]int64]audit.Digest, len(rows))
	for _, r := range rows {
		v.log.nodes[[2]int64{r.Level, r.N}] = r.Hash
	}
	return nil
}

func (v *verifier) compareNode(n merkle.Node) {
	at := [2]int64{int64(n.Level), n.N}
	stored, ok := v.log.nodes[at]
	delete(v.log.nodes, at)
	v.report.Checked.Nodes++
	switch {
	case !ok:
		v.noteLog(0, merkle.CheckNode, "level %d, node %d is missing", n.Level, n.N)
	case stored != n.Hash:
		v.noteLog(0, merkle.CheckNode, "level %d, node %d is %s, by the leaves from %d on it is %s", n.Level, n.N, stored, n.N<<(merkle.Height*n.Level), n.Hash)
	}
}

// place compares an entry with its place in the log.
func (v *verifier) place(e *entryRow, idx *int64, leaf []byte, hash audit.Digest) {
	note := func(check, detail string) {
		v.found(audit.Finding{Subject: e.Subject, Seq: e.Seq, Entry: e.ID, Check: check, Detail: detail})
	}
	if idx == nil {
		v.report.Checked.Unsealed++
		if at := e.At; v.report.Oldest == nil || at.Before(*v.report.Oldest) {
			v.report.Oldest = &at
		}
		if why := v.log.dates.Missing(e.At); why != "" {
			note(audit.CheckTime, why)
		}
		return
	}
	v.log.sealed++
	if !bytes.Equal(leaf, hash[:]) {
		note(merkle.CheckLeaf, fmt.Sprintf("the log has %x at place %d, the bytes hash to %s", leaf, *idx, hash))
	}
	if why := v.log.dates.Backdated(*idx, e.At); why != "" {
		note(audit.CheckTime, why)
	}
}

// orphans names the places in the log whose entries are gone.
func (v *verifier) orphans() error {
	if v.log.sealed == v.report.Checked.Leaves {
		return nil
	}
	var rows []leafRow
	err := v.tx.Raw("SELECT l.idx, l.entry_id, l.hash FROM log_leaves l WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.id = l.entry_id) ORDER BY l.idx LIMIT ?",
		v.opt.Findings).Scan(&rows).Error
	for _, r := range rows {
		v.found(audit.Finding{Subject: merkle.Subject, Entry: r.EntryID, Check: merkle.CheckLeaf, Detail: fmt.Sprintf("the entry at place %d is gone", r.Idx)})
	}
	return err
}

func (v *verifier) noteLog(seq int64, check, format string, args ...any) {
	v.found(audit.Finding{Subject: merkle.Subject, Seq: seq, Check: check, Detail: fmt.Sprintf(format, args...)})
}

// prove is what leaves is for the whole, for one project: each of its entries that a checkpoint covers is proved to
// stand in the log that was signed.
func (v *verifier) prove(ctx context.Context) error {
	if len(v.log.points) == 0 {
		return nil
	}
	h := hashes{v.tx}
	var size int64
	if err := v.tx.Raw(treeSize).Scan(&size).Error; err != nil {
		return err
	}
	newest := v.log.points[0]
	for _, p := range v.log.points {
		if p.Size > newest.Size {
			newest = p
		}
	}
	var root audit.Digest
	for _, p := range append(slices.Clone(v.log.known), newest) {
		var err error
		root = audit.Digest{}
		if p.Size <= size {
			if root, err = merkle.RootAt(ctx, h, p.Size); err != nil {
				v.noteLog(0, merkle.CheckLeaf, "the log cannot be read: %v", err)
				return nil
			}
		}
		if why := p.Unlike(size, root); why != "" {
			v.noteLog(0, merkle.CheckRoot, "%s: %s", p.Name, why)
			return nil
		}
	}
	var rows []leafRow
	if err := v.tx.Raw("SELECT l.idx, l.entry_id, l.hash FROM log_leaves l JOIN entries e ON e.id = l.entry_id WHERE e.subject = ? AND l.idx < ? ORDER BY l.idx",
		engine.SubjectProject+"/"+string(v.opt.Project), newest.Size).Scan(&rows).Error; err != nil {
		return err
	}
	for _, r := range rows {
		p, err := merkle.Inclusion(ctx, h, newest.Size, r.Idx)
		if err != nil || !merkle.CheckInclusion(p, newest.Size, root, r.Idx, r.Hash) {
			v.found(audit.Finding{Subject: engine.SubjectProject + "/" + string(v.opt.Project), Entry: r.EntryID, Check: merkle.CheckLeaf,
				Detail: fmt.Sprintf("nothing proves that the entry stands at place %d of %s", r.Idx, newest.Name)})
		}
		v.report.Checked.Leaves++
	}
	return nil
}
