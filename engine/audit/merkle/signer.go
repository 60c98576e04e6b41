package merkle

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"bihuan/engine/audit"
)

// Files of the signer's folder. It lies outside the database and its backups: whoever has the database alone can then
// neither sign nor make the signer forget.
const (
	keyFile    = "checkpoint.key" // private, readable by its owner only
	publicFile = "checkpoint.pub" // the public keys, the newest first: for inspectors to keep
	lastFile   = "checkpoint.last"
)

// Errors of a signer, for errors.Is.
var (
	// ErrNoKey says that an installation has a key, but not in this folder.
	ErrNoKey = errors.New("merkle: the key of this installation is not in the folder")
	// ErrRollback says that the log is smaller than what was signed.
	ErrRollback = errors.New("merkle: the log is smaller than the last signed checkpoint")
	// ErrFork says that the log does not continue what was signed.
	ErrFork = errors.New("merkle: the log does not continue the last signed checkpoint")
	// ErrEpoch says that the log has an epoch that was never declared to the signer.
	ErrEpoch = errors.New("merkle: the log has an epoch that was not declared")
)

// Signer signs checkpoints, and only such as continue the last one that it signed.
type Signer struct {
	dir          string
	installation string

	mu     sync.Mutex
	signer note.Signer
	public string
}

// OpenSigner opens the folder with the key of an installation, given as entries name its log. If the installation has
// no key yet (known is false) it makes one: fresh tells so. With a known key that is not there it fails with ErrNoKey:
// a new key would go unnoticed otherwise.
func OpenSigner(dir, log string, known bool) (s *Signer, fresh bool, err error) {
	installation, _ := SplitLog(log)
	s = &Signer{dir: dir, installation: installation}
	if _, err := os.Stat(s.path(keyFile)); errors.Is(err, fs.ErrNotExist) {
		if known {
			return nil, false, ErrNoKey
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, false, fmt.Errorf("merkle: %w", err)
		}
		if err := s.makeKey(); err != nil {
			return nil, false, err
		}
		fresh = true
	}
	return s, fresh, s.load()
}

// load reads the key anew: somebody may have replaced it, on this machine or on another that shares the folder.
func (s *Signer) load() error {
	private, err := os.ReadFile(s.path(keyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNoKey
	}
	if err != nil {
		return fmt.Errorf("merkle: %w", err)
	}
	return s.take(string(private))
}

func (s *Signer) path(name string) string { return filepath.Join(s.dir, name) }

// read reads a private key, which is never part of an error, and returns its public half too.
func (s *Signer) read(private string) (signer note.Signer, public string, err error) {
	wrong := fmt.Errorf("merkle: %s is no key of installation %s", s.path(keyFile), s.installation)
	private = strings.TrimSpace(private)
	signer, err = note.NewSigner(private)
	if err != nil || signer.Name() != keyName(s.installation) {
		return nil, "", wrong
	}
	// The last part holds the kind of key and the seed; NewSigner has checked both.
	seed, err := base64.StdEncoding.DecodeString(strings.SplitN(private, "+", 5)[4])
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return nil, "", wrong
	}
	half, ok := ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey)
	if !ok {
		return nil, "", wrong
	}
	if public, err = note.NewEd25519VerifierKey(signer.Name(), half); err != nil {
		return nil, "", wrong
	}
	return signer, public, nil
}

// take takes up a private key and sees to it that its public half is kept.
func (s *Signer) take(private string) error {
	signer, public, err := s.read(private)
	if err != nil {
		return err
	}
	kept, err := os.ReadFile(s.path(publicFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("merkle: %w", err)
	}
	if !strings.Contains(string(kept), public+"\n") {
		if err := writeFile(s.path(publicFile), []byte(public+"\n"+string(kept)), 0o644); err != nil {
			return err
		}
	}
	s.signer, s.public = signer, public
	return nil
}

// makeKey makes the first key. Of several processes that do so at once one wins, for all.
func (s *Signer) makeKey() error {
	private, err := newKey(s.installation)
	if err != nil {
		return fmt.Errorf("merkle: %w", err)
	}
	if _, err := os.Stat(s.path(publicFile)); err == nil {
		return ErrNoKey // there was one
	}
	made := s.path("." + keyFile + "-" + rand.Text())
	if err := writeFile(made, []byte(private+"\n"), 0o600); err != nil {
		return err
	}
	err = os.Link(made, s.path(keyFile))
	if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	return errors.Join(err, os.Remove(made))
}

// Public returns the public key that signs now.
func (s *Signer) Public() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.public
}

// Rotate makes a new key, with which everything is signed from now on, and returns its public half. The public halves
// of former ones stay, so that what they signed can be checked. Nothing is signed with it before record, which writes the
// entry that tells of it, has succeeded: until then whoever else signs with this folder does so with the former key.
func (s *Signer) Rotate(record func(public string) error) (public string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	private, err := newKey(s.installation)
	if err != nil {
		return "", fmt.Errorf("merkle: %w", err)
	}
	if _, public, err = s.read(private); err != nil {
		return "", err
	}
	if err := record(public); err != nil {
		return "", err
	}
	if err := writeFile(s.path(keyFile), []byte(private+"\n"), 0o600); err != nil {
		return "", err
	}
	return public, s.load()
}

// ReadKeys returns the public keys in a signer's folder; an error that is fs.ErrNotExist says that there are none.
func ReadKeys(dir string) (Keys, error) {
	b, err := os.ReadFile(filepath.Join(dir, publicFile))
	if err != nil {
		return nil, err
	}
	return ParseKeys(string(b))
}

// ReadLast returns the checkpoint that was signed last in a folder, as it was signed; nil if there is none.
func ReadLast(dir string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(dir, lastFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// Sign signs the log as it stands with size leaves, after remembering it. It fails with ErrRollback, ErrFork or
// ErrEpoch if that does not continue what was signed before, and then goes on failing: only a declared epoch ends it.
func (s *Signer) Sign(ctx context.Context, h Hashes, log string, size int64, now time.Time) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(s.load(), s.continues(ctx, h, log, size)); err != nil {
		return nil, err
	}
	root, err := RootAt(ctx, h, size)
	if err != nil {
		return nil, err
	}
	c := Checkpoint{Log: log, Size: size, Root: root, Time: now.UTC().Truncate(time.Second)}
	msg, err := note.Sign(&note.Note{Text: c.Text()}, s.signer)
	if err != nil {
		return nil, fmt.Errorf("merkle: %w", err)
	}
	return msg, writeFile(s.path(lastFile), msg, 0o600)
}

// Check tells whether Sign would sign, and signs nothing.
func (s *Signer) Check(ctx context.Context, h Hashes, log string, size int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.continues(ctx, h, log, size)
}

// continues compares a log with the last signed checkpoint.
func (s *Signer) continues(ctx context.Context, h Hashes, log string, size int64) error {
	installation, epoch := SplitLog(log)
	if installation != s.installation {
		return fmt.Errorf("%w: it belongs to installation %s, the key to %s", ErrFork, installation, s.installation)
	}
	last, err := s.last()
	if err != nil {
		return err
	}
	if last == nil {
		declared, err := s.declared()
		if err == nil && declared > 0 && epoch != declared {
			err = fmt.Errorf("%w: %d, declared is %d", ErrEpoch, epoch, declared)
		}
		return err
	}
	switch {
	case last.Log != log:
		return fmt.Errorf("%w: %d, signed was %d", ErrEpoch, epoch, last.Epoch())
	case size < last.Size:
		return fmt.Errorf("%w: %d entries, signed were %d", ErrRollback, size, last.Size)
	}
	root, err := RootAt(ctx, h, last.Size)
	if err != nil {
		return err
	}
	if root != last.Root {
		return fmt.Errorf("%w: the root of the first %d entries is %s, signed was %s", ErrFork, last.Size, root, last.Root)
	}
	return nil
}

// last returns the last signed checkpoint, nil if there is none.
func (s *Signer) last() (*Checkpoint, error) {
	msg, err := ReadLast(s.dir)
	if err != nil || msg == nil {
		return nil, err
	}
	keys, err := ReadKeys(s.dir)
	if err != nil {
		return nil, fmt.Errorf("merkle: %w", err)
	}
	c, err := Parse(msg, keys)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.path(lastFile), err)
	}
	return &c, nil
}

// archived is the file of the checkpoint with which an epoch ended.
func archived(epoch int64) string { return fmt.Sprintf("%s.%d", lastFile, epoch) }

// declared returns the epoch that must follow those that ended, 0 if none did.
func (s *Signer) declared() (int64, error) {
	for epoch := int64(1); ; epoch++ {
		if _, err := os.Stat(s.path(archived(epoch))); errors.Is(err, fs.ErrNotExist) {
			if epoch == 1 {
				return 0, nil
			}
			return epoch, nil
		} else if err != nil {
			return 0, fmt.Errorf("merkle: %w", err)
		}
	}
}

// Next returns the last signed checkpoint, whose size is 0 if nothing was signed in this epoch, and the epoch that begins
// when the present one ends: what was not begun yet, or nobody signed in. It is 0 if nothing was ever signed.
func (s *Signer) Next() (last Checkpoint, next int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	signed, err := s.last()
	if err != nil {
		return Checkpoint{}, 0, err
	}
	if signed != nil {
		return *signed, signed.Epoch() + 1, nil
	}
	next, err = s.declared()
	return Checkpoint{}, next, err
}

// Declare ends the epoch of the last signed checkpoint, which it returns: the signer will then sign whatever the log
// of the next epoch holds. Whoever declares records why.
func (s *Signer) Declare() (Checkpoint, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, err := s.last()
	if err != nil {
		return Checkpoint{}, err
	}
	if last == nil {
		return Checkpoint{}, errors.New("merkle: nothing was signed in this epoch")
	}
	return *last, os.Rename(s.path(lastFile), s.path(archived(last.Epoch())))
}

// Unlike tells where a log differs from a checkpoint that somebody kept: "" if it continues it. The log has size
// leaves, and root is that of the first c.Size of them.
func (c Checkpoint) Unlike(size int64, root audit.Digest) string {
	switch {
	case size < c.Size:
		return fmt.Sprintf("the log has %d entries, at %s it had %d: the rest is gone", size, c.Time.Format(time.RFC3339), c.Size)
	case root != c.Root:
		return fmt.Sprintf("the root of the first %d entries is %s, at %s it was %s: something before was changed",
			c.Size, root, c.Time.Format(time.RFC3339), c.Root)
	}
	return ""
}

// writeFile replaces a file so that after a crash there is the old one or the new one, whole.
func writeFile(path string, b []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("merkle: %w", err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // at worst a file that nobody reads
		return fmt.Errorf("merkle: %w", err)
	}
	if d, err := os.Open(filepath.Dir(path)); err == nil { // the name is durable when the folder is
		err = d.Sync()
		return errors.Join(err, d.Close())
	}
	return nil
}
