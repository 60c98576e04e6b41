package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"bihuan/engine"
)

// aside is the folder of files that wait for their owner's next request, such as a ledger between its preview and
// the confirmation. They are no evidence: nothing names them, and they go away by themselves.
const aside = "aside"

const (
	// AsideLife is how long a file that was set aside waits.
	AsideLife = 2 * time.Hour
	// asideEach is how many files wait for one owner; the oldest make room.
	asideEach = 4
)

// ticketForm is the owner's mark and the digest of owner, name and bytes together.
var ticketForm = regexp.MustCompile(`^[0-9a-f]{16}-[0-9a-f]{64}$`)

// SetAside keeps a file for its owner and returns the ticket by which the same owner, and nobody else, gets it
// back from Aside. What waited too long is removed on the way.
func (f *Files) SetAside(ctx context.Context, owner, name string, data []byte) (string, error) {
	dir := filepath.Join(f.dir, aside)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("aside: %w", err)
	}
	name = name[strings.LastIndexAny(name, "/\\\r\n")+1:]
	ticket := ticketOf(owner, name, data)
	if err := makeRoom(dir, ticket); err != nil {
		return "", fmt.Errorf("aside: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	temp, err := os.CreateTemp(filepath.Join(f.dir, incoming), "*")
	if err != nil {
		return "", fmt.Errorf("aside: %w", err)
	}
	_, err = temp.WriteString(name + "\n")
	if err == nil {
		_, err = temp.Write(data)
	}
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), filepath.Join(dir, ticket))
	}
	if err != nil {
		_ = os.Remove(temp.Name()) // at worst a stray file in incoming
		return "", fmt.Errorf("aside: %w", err)
	}
	return ticket, nil
}

// Aside returns a file that the owner set aside. One that is gone, too old, somebody else's or no longer what it
// was is engine.ErrNotFound.
func (f *Files) Aside(owner, ticket string) (name string, data []byte, err error) {
	if !ticketForm.MatchString(ticket) {
		return "", nil, engine.ErrNotFound
	}
	path := filepath.Join(f.dir, aside, ticket)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && time.Since(info.ModTime()) > AsideLife {
		return "", nil, engine.ErrNotFound
	}
	if err != nil {
		return "", nil, fmt.Errorf("aside: %w", err)
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, engine.ErrNotFound
	}
	if err != nil {
		return "", nil, fmt.Errorf("aside: %w", err)
	}
	name, rest, _ := strings.Cut(string(b), "\n")
	data = []byte(rest)
	if ticketOf(owner, name, data) != ticket {
		return "", nil, engine.ErrNotFound
	}
	return name, data, nil
}

// makeRoom removes what waited too long, and of the ticket's owner the oldest beyond what one may have waiting.
func makeRoom(dir, ticket string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	type waiting struct {
		path string
		at   time.Time
	}
	var own []waiting
	for _, x := range list {
		info, err := x.Info()
		if errors.Is(err, fs.ErrNotExist) { // another process removed it
			continue
		}
		if err != nil {
			return err
		}
		path := filepath.Join(dir, x.Name())
		switch {
		case time.Since(info.ModTime()) > AsideLife:
			if err := remove(path); err != nil {
				return err
			}
		case x.Name() != ticket && strings.HasPrefix(x.Name(), ticket[:17]):
			own = append(own, waiting{path, info.ModTime()})
		}
	}
	for len(own) >= asideEach {
		oldest := 0
		for i := range own {
			if own[i].at.Before(own[oldest].at) {
				oldest = i
			}
		}
		if err := remove(own[oldest].path); err != nil {
			return err
		}
		own = append(own[:oldest], own[oldest+1:]...)
	}
	return nil
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// ticketOf binds a file to its owner: the first half tells whose it is, the second whether it is whole.
func ticketOf(owner, name string, data []byte) string {
	who := sha256.Sum256([]byte(owner))
	h := sha256.New()
	_, _ = h.Write(who[:]) // a hash takes everything
	_, _ = h.Write([]byte(name + "\n"))
	_, _ = h.Write(data)
	return hex.EncodeToString(who[:8]) + "-" + hex.EncodeToString(h.Sum(nil))
}
