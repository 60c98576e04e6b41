// Package files keeps evidence on disk, outside the database and outside any web root.
//
// What must always hold: a file lies under the SHA-256 of its bytes and never changes; its name is made by the
// server alone; it is whole and on the disk, not only in a cache, before its digest is given to anybody; and only
// what the allow-list names gets in, judged by content and by the name's extension together.
package files

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/message"
)

// Files is a folder of evidence. It is safe for concurrent use, also by several processes over one folder.
type Files struct{ dir string }

// incoming is the folder of files that are being written. It lies on the same disk, so that rename is atomic.
const incoming = "incoming"

// Open opens the folder, and makes it if it does not exist. Nobody but the process's own user can read it.
func Open(dir string) (*Files, error) {
	if err := os.MkdirAll(filepath.Join(dir, incoming), 0o700); err != nil {
		return nil, fmt.Errorf("evidence folder: %w", err)
	}
	return &Files{dir: dir}, nil
}

// Put reads a file of at most limit bytes to its end and stores it. name is what its owner calls it; only the
// last element and its extension matter. The answer has the fields of an Evidence that follow from name and
// bytes: Name, Type, Size and SHA256.
//
// Refusals are Invalid errors about the field "file": file.too_large, evidence.empty, file.type, file.extension,
// file.name. Storing the same bytes twice is no error.
func (f *Files) Put(ctx context.Context, name string, r io.Reader, limit int64) (engine.Evidence, error) {
	var none engine.Evidence
	name, allowed, err := admit(name)
	if err != nil {
		return none, err
	}
	temp, err := os.CreateTemp(filepath.Join(f.dir, incoming), "*")
	if err != nil {
		return none, fmt.Errorf("evidence: %w", err)
	}
	keep := false
	defer func() {
		_ = temp.Close() // a second Close after the one that is checked below
		if !keep {
			_ = os.Remove(temp.Name()) // at worst a stray file in incoming
		}
	}()

	head := &prefix{limit: sniffed}
	hash := sha256.New()
	size, err := io.Copy(io.MultiWriter(temp, hash, head), io.LimitReader(readerWith(ctx, r), limit+1))
	switch {
	case err != nil:
		return none, fmt.Errorf("evidence: %w", err)
	case size > limit:
		return none, invalid("file.too_large", "limit", megabytes(limit))
	case size == 0:
		return none, invalid("evidence.empty")
	}
	tail := make([]byte, min(size, sniffed))
	if _, err := temp.ReadAt(tail, size-int64(len(tail))); err != nil {
		return none, fmt.Errorf("evidence: %w", err)
	}
	mediaType, err := allowed.judge(head.bytes, tail, name)
	if err != nil {
		return none, err
	}
	e := engine.Evidence{Name: name, Type: mediaType, Size: size, SHA256: audit.Digest(hash.Sum(nil))}
	if err := errors.Join(temp.Sync(), temp.Close()); err != nil {
		return none, fmt.Errorf("evidence: %w", err)
	}
	if keep, err = f.place(temp.Name(), e); err != nil {
		return none, fmt.Errorf("evidence: %w", err)
	}
	return e, nil
}

// Restore stores a file that was handed in before, out of a backup: what may be handed in is not asked again, but the
// bytes must be those of the digest, else nothing is stored and the error is of kind Damaged.
func (f *Files) Restore(ctx context.Context, digest audit.Digest, r io.Reader) error {
	temp, err := os.CreateTemp(filepath.Join(f.dir, incoming), "*")
	if err != nil {
		return fmt.Errorf("evidence: %w", err)
	}
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(temp, hash), readerWith(ctx, r))
	if err == nil && audit.Digest(hash.Sum(nil)) != digest {
		err = damaged("evidence.altered", digest)
	}
	placed := false
	if err = errors.Join(err, temp.Sync(), temp.Close()); err == nil {
		placed, err = f.place(temp.Name(), engine.Evidence{SHA256: digest})
	}
	if !placed {
		_ = os.Remove(temp.Name()) // at worst a stray file in incoming
	}
	if err != nil {
		return fmt.Errorf("evidence %s: %w", digest, err)
	}
	return nil
}

// place moves a finished file to where its digest says, and reports whether it did: the same bytes may lie there
// already. What lies there and is not what the digest says was altered by somebody else, and is put right.
func (f *Files) place(temp string, e engine.Evidence) (bool, error) {
	path := f.path(e.SHA256)
	if there, _, err := f.Get(e.SHA256); err == nil {
		return false, there.Close()
	}
	dir := filepath.Dir(path)
	if err := os.Mkdir(dir, 0o700); err == nil {
		if err := syncDir(f.dir); err != nil {
			return false, err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	if err := os.Chmod(temp, 0o400); err != nil {
		return false, err
	}
	if err := os.Rename(temp, path); err != nil {
		return false, err
	}
	return true, syncDir(dir)
}

// Get opens the file with the digest; the caller closes it. Whoever asks has the digest from the database, so that a
// file that is not there, or whose bytes are others, was removed or changed behind the product's back: the error is
// of kind Damaged and says so. Every byte is read before the first is given out, because evidence that was changed
// must not pass for what was handed in.
func (f *Files) Get(digest audit.Digest) (io.ReadSeekCloser, int64, error) {
	if digest.IsZero() {
		return nil, 0, damaged("evidence.missing", digest)
	}
	file, err := os.Open(f.path(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, damaged("evidence.missing", digest)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("evidence: %w", err)
	}
	hash := sha256.New()
	size, err := io.Copy(hash, file)
	if err == nil && audit.Digest(hash.Sum(nil)) != digest {
		err = damaged("evidence.altered", digest)
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("evidence %s: %w", digest, err), file.Close())
	}
	return file, size, nil
}

// damaged says what somebody did to the file behind the product's back, and how it is put right.
func damaged(key string, digest audit.Digest) error {
	return &engine.Error{Kind: engine.Damaged, Key: key, Args: map[string]any{"digest": digest.String()}}
}

// Look opens the file with a digest in a folder as it lies there, unread and without making anything, for those who
// verify. An error that is fs.ErrNotExist says that it is gone.
func Look(dir string, digest audit.Digest) (io.ReadCloser, error) {
	if digest.IsZero() {
		return nil, fs.ErrNotExist
	}
	return os.Open((&Files{dir: dir}).path(digest))
}

// path is where a digest's file lies: two hexadecimal digits as the folder, the rest as the name.
func (f *Files) path(d audit.Digest) string {
	s := d.String()
	return filepath.Join(f.dir, s[:2], s[2:])
}

// syncDir makes a new name in a folder survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// prefix keeps the first bytes that are written to it.
type prefix struct {
	bytes []byte
	limit int
}

func (p *prefix) Write(b []byte) (int, error) {
	if room := p.limit - len(p.bytes); room > 0 {
		p.bytes = append(p.bytes, b[:min(room, len(b))]...)
	}
	return len(b), nil
}

// readerWith ends reading when the context ends.
func readerWith(ctx context.Context, r io.Reader) io.Reader { return &contextReader{ctx, r} }

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}

func invalid(key string, args ...any) error {
	return &engine.Error{Kind: engine.Invalid, Field: "file", Key: key, Args: message.Args(args...)}
}

// megabytes shows a limit to people: "32 MB", or the bytes where it is less than one.
func megabytes(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%d MB", n>>20)
}
