package bundle

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"bihuan/engine/audit"
	"bihuan/engine/audit/merkle"
)

// What a finding is about, beside the checks of packages audit and merkle.
const (
	CheckProof      = "proof"      // nothing proves that an entry stands in the signed log
	CheckCommitment = "commitment" // what opens a commitment does not
	CheckEvidence   = "evidence"   // a row of evidence is not what its entry says, or one of the two is missing
	CheckDefinition = "definition" // a definition's source is not what was published
	CheckBundle     = "bundle"     // the bundle does not hold what its manifest says
)

// ErrFormat says that something is no bundle, so that nothing can be decided.
var ErrFormat = errors.New("bundle: not a bundle of this format")

// Options are what a verification may know beside the bundle.
type Options struct {
	Keys  merkle.Keys   // believed; empty: those that the bundle names itself
	Known []merkle.Kept // what somebody kept outside
}

// Checked counts what was looked at.
type Checked struct {
	Entries     int64 `json:"entries"`
	Subjects    int64 `json:"subjects"`
	States      int64 `json:"states"`
	Leaves      int64 `json:"leaves"`
	Proofs      int64 `json:"proofs"`
	Checkpoints int64 `json:"checkpoints"`
	Known       int64 `json:"known"`
	Unsealed    int64 `json:"unsealed"`
	Evidence    int64 `json:"evidence"`
	Commitments int64 `json:"commitments"`
	Definitions int64 `json:"definitions"`
	Sources     int64 `json:"sources"` // of score sheets
}

// Report is what a verification found.
type Report struct {
	Manifest   Manifest           `json:"manifest"`
	Checkpoint *merkle.Checkpoint `json:"checkpoint,omitempty"`
	OwnKeys    bool               `json:"own_keys"` // signatures were compared with what the bundle brings: no key was given
	Checked    Checked            `json:"checked"`
	Findings   []audit.Finding    `json:"findings"`
	More       int                `json:"more,omitempty"`      // findings that are not listed
	Undecided  []string           `json:"undecided,omitempty"` // what the bundle does not say enough about
	Doubts     []merkle.Doubt     `json:"doubts,omitempty"`    // what was kept outside, and not believed
	Erased     []audit.Erased     `json:"erased,omitempty"`    // what nobody can read any more, and who did it: no finding
}

// Verdict is what a verification comes to.
type Verdict struct {
	Verdict string `json:"verdict"` // Intact, Tampered or Undecided
	Report
	Error string `json:"error,omitempty"` // why the rest could not be read
}

// The verdicts.
const (
	Intact    = "intact"
	Tampered  = "tampered"
	Undecided = "undecided"
)

// Judge says what the answer of Verify comes to. What was found counts also if the rest could not be read.
func Judge(r Report, err error) Verdict {
	v := Verdict{Verdict: Intact, Report: r}
	if v.Findings == nil {
		v.Findings = []audit.Finding{}
	}
	switch {
	case len(r.Findings) > 0:
		v.Verdict = Tampered
	case err != nil || len(r.Undecided) > 0 || merkle.Undecided(r.Doubts):
		v.Verdict = Undecided
	}
	if err != nil {
		v.Error = err.Error()
	}
	return v
}

// Verify verifies a bundle. An error says that it could not decide.
func Verify(r io.ReaderAt, size int64, opt Options) (Report, error) {
	a, err := openArchive(r, size)
	if err != nil {
		return Report{}, err
	}
	v := &verifier{archive: a, opt: opt, report: Report{Findings: []audit.Finding{}}, published: map[string]bool{},
		moves: max(minMoves, maxMoves*size), most: size / minEntry}
	for _, step := range []func() error{v.manifest, v.checkpoints, v.entries, v.log, v.rest} {
		if err := step(); err != nil {
			return v.report, err
		}
	}
	return v.report, nil
}

type verifier struct {
	archive *archive
	opt     Options
	report  Report
	points  []merkle.Point
	known   []merkle.Point // of points, those that somebody kept
	dates   *merkle.Dates
	leaves  []audit.Digest // whole trails: by place
	filled  []bool
	taken   int64 // behind the last place that is taken
	most    int64 // entries that a file of this size can hold
	moves   int64 // left; see maxMoves

	published map[string]bool // "workflow version digest", as entries say
	defined   int             // bytes of them
}

func (v *verifier) found(list ...audit.Finding) { v.report.add(list...) }

func (v *verifier) note(subject, check, format string, args ...any) {
	v.found(audit.Finding{Subject: subject, Check: check, Detail: fmt.Sprintf(format, args...)})
}

func (v *verifier) manifest() error {
	n := 0
	if err := each(v, manifestName, maxRow, func(m *Manifest) { v.report.Manifest = *m; n++ }); err != nil {
		return err
	}
	m := v.report.Manifest
	if n != 1 || m.Format != Format && m.Format != format1 || !slices.Contains([]string{Everything, OneUnit, OneProject}, m.Scope) || m.Entries < 0 || m.Size < 0 || m.Size > 1<<40 {
		return ErrFormat
	}
	if m.Entries > v.most {
		return fmt.Errorf("%w: its manifest tells of %d entries, a file of this size holds at most %d", ErrFormat, m.Entries, v.most)
	}
	return nil
}

func (v *verifier) whole() bool { return v.report.Manifest.Scope == Everything }

// checkpoints reads what was signed.
func (v *verifier) checkpoints() error {
	text, err := v.archive.text(keysName)
	if err != nil {
		return err
	}
	if strings.Count(text, "\n") > maxKeys {
		return fmt.Errorf("%s: %w: too many", keysName, ErrFormat)
	}
	named, err := merkle.ParseKeys(text)
	keys := v.opt.Keys
	if v.report.OwnKeys = len(keys) == 0; v.report.OwnKeys {
		if keys = named; err != nil {
			v.note(merkle.Subject, merkle.CheckSignature, "%v", err)
		}
	}
	installation, _ := merkle.SplitLog(v.report.Manifest.Log)
	take := func(name, note string) *merkle.Checkpoint {
		v.report.Checked.Checkpoints++
		c, err := merkle.Parse([]byte(note), keys)
		if err != nil {
			v.note(merkle.Subject, merkle.CheckSignature, "%s: %v", name, err)
			return nil
		}
		if c.Installation() != installation {
			v.note(merkle.Subject, merkle.CheckCheckpoint, "%s belongs to the log %s", name, c.Log)
			return nil
		}
		v.points = append(v.points, merkle.Point{Name: name, Checkpoint: c})
		return &c
	}
	note, err := v.archive.text(checkpointName)
	if err != nil {
		return err
	}
	if note != "" {
		v.report.Checkpoint = take("the checkpoint", note)
	} else {
		v.report.Undecided = append(v.report.Undecided, "the bundle has no checkpoint: nothing binds it to the log")
	}
	last, size := int64(0), int64(0)
	err = each(v, checkpointsName, maxRow, func(c *Checkpoint) {
		if last++; c.N != last {
			v.note(merkle.Subject, merkle.CheckCheckpoint, "checkpoint %d stands where %d should", c.N, last)
		}
		switch p := take(fmt.Sprintf("checkpoint %d", c.N), c.Note); {
		case p == nil:
		case p.Size <= size:
			v.note(merkle.Subject, merkle.CheckCheckpoint, "the size of checkpoint %d is %d, not above that of the one before, %d", c.N, p.Size, size)
		default:
			size = p.Size
		}
	})
	if err != nil {
		return err
	}
	known, err := v.report.believe(v.opt.Known, append(slices.Clone(named), keys...), v.report.Manifest.Log)
	if err != nil {
		return err
	}
	v.known, v.points = known, append(v.points, known...)
	v.dates = merkle.NewDates(v.points)
	return nil
}

// believe takes up what somebody kept, as far as one of the keys signed it.
func (r *Report) believe(kept []merkle.Kept, keys merkle.Keys, log string) (known []merkle.Point, err error) {
	for _, k := range kept {
		points, doubts, err := k.Believe(keys, log)
		if err != nil {
			return nil, err
		}
		known, r.Doubts = append(known, points...), append(r.Doubts, doubts...)
	}
	r.Checked.Known = int64(len(known))
	return known, nil
}

// log compares the places of a whole trail with everything that was signed. In a part of it each entry has brought its
// own proof; what is left is how known checkpoints hang together with the signed one.
func (v *verifier) log() error {
	if v.whole() {
		check := merkle.NewCheck(v.points, nil)
		for i, h := range v.leaves[:v.taken] {
			if !v.filled[i] {
				v.note(merkle.Subject, merkle.CheckLeaf, "the place %d is empty", i)
			}
			check.Add(h)
		}
		v.report.Checked.Leaves = check.Size()
		v.found(check.Close()...)
		return nil
	}
	if v.report.Checkpoint != nil && v.report.Checked.Proofs == 0 {
		v.report.Undecided = append(v.report.Undecided, "no entry is proved to stand in the signed log")
	}
	proofs := map[int64][]audit.Digest{}
	if err := each(v, consistencyName, maxRow, func(c *Consistency) {
		if slices.ContainsFunc(v.known, func(p merkle.Point) bool { return p.Size == c.Size }) {
			proofs[c.Size] = c.Proof
		}
	}); err != nil {
		return err
	}
	signed := v.report.Checkpoint
	for _, k := range v.known {
		if signed == nil {
			continue
		}
		proof, ok := proofs[k.Size]
		switch {
		case k.Size > signed.Size:
			v.report.Undecided = append(v.report.Undecided, fmt.Sprintf("%s is newer than the bundle", k.Name))
		case k.Size == signed.Size && k.Root != signed.Root:
			v.note(merkle.Subject, merkle.CheckRoot, "%s: %s", k.Name, k.Unlike(signed.Size, signed.Root))
		case k.Size == signed.Size:
		case !ok:
			v.report.Undecided = append(v.report.Undecided, fmt.Sprintf("the bundle does not prove that it continues %s: have it made with this checkpoint", k.Name))
		case !merkle.CheckConsistency(proof, signed.Size, signed.Root, k.Size, k.Root):
			v.note(merkle.Subject, merkle.CheckRoot, "the log of the bundle does not continue %s", k.Name)
		}
	}
	return nil
}

// rest compares definitions.
func (v *verifier) rest() error {
	err := each(v, definitionsName, maxSource, func(d *Definition) {
		v.report.Checked.Definitions++
		subject := "workflow/" + d.Workflow
		if got := audit.HashContent([]byte(d.Source)).String(); got != d.Digest {
			v.note(subject, CheckDefinition, "version %d has the digest %s, its source %s", d.Version, d.Digest, got)
		}
		key := publication(d.Workflow, d.Version, d.Digest)
		if !v.published[key] {
			v.note(subject, CheckDefinition, "no entry tells that version %d with digest %s was published", d.Version, d.Digest)
		}
		delete(v.published, key)
	})
	if err == nil && v.whole() {
		for key := range v.published {
			workflow, rest, _ := strings.Cut(key, " ")
			v.note("workflow/"+workflow, CheckDefinition, "what was published is missing: version and digest %s", rest)
		}
	}
	return err
}

func publication(workflow string, version int, digest string) string {
	return fmt.Sprintf("%s %d %s", workflow, version, digest)
}
