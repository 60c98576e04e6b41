package bundle

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"bihuan/engine/audit"
)

// A bundle may come from whoever wants the verifier to fail. What it takes to memory and time follows from the size of
// the file alone, by these bounds; each is far above what any installation writes.
const (
	maxListed    = 1000    // findings that are listed; the others are counted
	maxFindings  = 10_000  // findings after which nothing more is read
	maxMembers   = 64      // of the archive
	maxDirectory = 1 << 20 // bytes that its directory is read for
	maxKeys      = 256     // public keys

	minUnpacked = 256 << 20 // bytes that any bundle may unpack to
	maxRatio    = 24        // or so many times its size; usual is 6
	minEntry    = 32        // bytes that an entry takes at least: its hash, which the next one or its subject names, packs no smaller

	maxText     = 1 << 20  // bytes of a member that is read at once
	maxRow      = 64 << 10 // bytes of a usual line
	maxStateRow = 4 << 20  // of one that says how a subject stands
	maxSource   = 16 << 20 // of one with the source of a definition
	maxState    = 2 << 20  // bytes of a fold, as JSON
	maxAttached = 16 << 20 // bytes that the entries of one subject may say about evidence
	maxProof    = 1 << 20  // bytes of a proof of one entry; a usual one has 4,000
	maxDefined  = 16 << 20 // bytes that name published definitions
	minMoves    = 1 << 26  // members of states that may be moved about while folding
	maxMoves    = 4        // or so many for each byte of the file; usual is 1 for 10
)

// Errors of bounds; each is ErrFormat.
var (
	errLong = fmt.Errorf("%w: a line is too long", ErrFormat)
	errMany = errors.New("so much is wrong that the rest was not read")
)

// add takes findings up; beyond maxListed they are counted.
func (r *Report) add(list ...audit.Finding) {
	var more int
	r.Findings, more = audit.Collect(r.Findings, maxListed, list...)
	r.More += more
}

// full says that too much was found to go on.
func (r *Report) full() error {
	if len(r.Findings)+r.More > maxFindings {
		return errMany
	}
	return nil
}

// archive is a zip of which each name stands once and which unpacks to no more than left.
type archive struct {
	files map[string]*zip.File
	left  int64
}

// openArchive reads the directory of a zip. Sizes that it states are not believed anywhere.
func openArchive(r io.ReaderAt, size int64) (*archive, error) {
	directory := &metered{r: r, left: maxDirectory}
	z, err := zip.NewReader(directory, size)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	directory.left = -1
	if len(z.File) > maxMembers {
		return nil, fmt.Errorf("%w: %d members", ErrFormat, len(z.File))
	}
	a := &archive{files: map[string]*zip.File{}, left: max(minUnpacked, maxRatio*size)}
	for _, f := range z.File {
		if a.files[f.Name] != nil {
			return nil, fmt.Errorf("%w: the member %.80q stands twice", ErrFormat, f.Name)
		}
		a.files[f.Name] = f
	}
	return a, nil
}

// metered reads no more than so many bytes, any number if left is negative.
type metered struct {
	r    io.ReaderAt
	left int64
}

func (m *metered) ReadAt(p []byte, at int64) (int, error) {
	if m.left >= 0 {
		if m.left -= int64(len(p)); m.left < 0 {
			return 0, errors.New("the directory is too large")
		}
	}
	return m.r.ReadAt(p, at)
}

// member is a member of the archive that is being read.
type member struct {
	io.ReadCloser
	of *archive
}

func (m member) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	if m.of.left -= int64(n); m.of.left < 0 {
		return 0, fmt.Errorf("%w: it unpacks to more than a bundle of its size", ErrFormat)
	}
	return n, err
}

// open opens a member; one that is missing is empty.
func (a *archive) open(name string) (io.ReadCloser, error) {
	f := a.files[name]
	if f == nil {
		return io.NopCloser(bytes.NewReader(nil)), nil
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, ErrFormat, err)
	}
	return member{r, a}, nil
}

// text returns a member as a whole.
func (a *archive) text(name string) (string, error) {
	f, err := a.open(name)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxText+1))
	if err == nil && len(b) > maxText {
		err = fmt.Errorf("%s: %w: too long", name, ErrFormat)
	}
	return string(b), errors.Join(err, f.Close())
}

// lines reads a member line by line.
type lines struct {
	name  string
	file  io.ReadCloser
	r     *bufio.Reader
	bound int // of a line in bytes
}

func (a *archive) lines(name string, bound int) (*lines, error) {
	f, err := a.open(name)
	if err != nil {
		return nil, err
	}
	return &lines{name: name, r: bufio.NewReaderSize(f, 64<<10), file: f, bound: bound}, nil
}

// next returns the next line without its end; io.EOF, as it is, behind the last.
func (l *lines) next() ([]byte, error) {
	var long []byte
	for {
		part, err := l.r.ReadSlice('\n')
		switch {
		case len(long)+len(part) > l.bound+1:
			return nil, fmt.Errorf("%s: %w", l.name, errLong)
		case err == nil && long == nil:
			return part[:len(part)-1], nil
		}
		long = append(long, part...)
		switch {
		case err == nil:
			return long[:len(long)-1], nil
		case errors.Is(err, io.EOF) && len(long) > 0:
			return nil, fmt.Errorf("%s: %w: the last line has no end", l.name, ErrFormat)
		case errors.Is(err, io.EOF):
			return nil, io.EOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("%s: %w", l.name, err)
		}
	}
}

// rows reads the values of a member, one a line, and can look at one before it is taken.
type rows[T any] struct {
	*lines
	ahead *T
}

func openRows[T any](a *archive, name string, bound int) (*rows[T], error) {
	l, err := a.lines(name, bound)
	return &rows[T]{lines: l}, err
}

// peek returns the next value, nil behind the last.
func (r *rows[T]) peek() (*T, error) {
	if r.ahead != nil {
		return r.ahead, nil
	}
	line, err := r.next()
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var value T
	if err := strict(line, &value); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", r.name, ErrFormat, err)
	}
	r.ahead = &value
	return r.ahead, nil
}

// until hands over every value of a subject that sorts before the given one, and returns the next of the subject
// itself, nil if there is none. The subject "" stands for the end.
func (r *rows[T]) until(subject string, of func(*T) string, before func(*T) error) (*T, error) {
	for {
		v, err := r.peek()
		if err != nil || v == nil || subject != "" && of(v) > subject {
			return nil, err
		}
		r.ahead = nil
		if subject != "" && of(v) == subject {
			return v, nil
		}
		if err := before(v); err != nil {
			return nil, err
		}
	}
}

// each calls do with every value of a member, as long as not too much was found.
func each[T any](v *verifier, name string, bound int, do func(*T)) error {
	r, err := openRows[T](v.archive, name, bound)
	if err != nil {
		return err
	}
	for {
		value, err := r.peek()
		if err == nil && value != nil {
			r.ahead = nil
			do(value)
			err = v.report.full()
		}
		if err != nil || value == nil {
			return errors.Join(err, r.file.Close())
		}
	}
}

// strict reads one JSON value in the one form in which Writer writes it.
func strict(line []byte, value any) error {
	if err := json.Unmarshal(line, value); err != nil {
		return err
	}
	written, err := json.Marshal(value)
	if err == nil && !bytes.Equal(written, line) {
		err = errors.New("not written as it should be")
	}
	return err
}
