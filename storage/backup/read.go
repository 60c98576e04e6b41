package backup

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"

	"bihuan/engine/audit"
	"bihuan/storage"
	"bihuan/storage/files"
)

// Archive is an open backup.
type Archive struct {
	Manifest
	path    string
	zip     *zip.ReadCloser
	members map[string]*zip.File
	parts   map[string]Part
}

// Open opens a backup and reads its manifest. Refusals: backup.cut_off (no zip archive, or not to its end),
// backup.no_backup (somebody else's archive), backup.format (of a later program), backup.damaged.
func Open(path string) (*Archive, error) {
	z, err := zip.OpenReader(path)
	if errors.Is(err, zip.ErrFormat) || errors.Is(err, zip.ErrAlgorithm) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, zip.ErrInsecurePath) {
		return nil, damaged("backup.cut_off", path)
	}
	if err != nil {
		return nil, err
	}
	a := &Archive{path: path, zip: z, members: map[string]*zip.File{}, parts: map[string]Part{}}
	if err := a.read(); err != nil {
		return nil, errors.Join(err, z.Close())
	}
	return a, nil
}

// Close closes the file.
func (a *Archive) Close() error { return a.zip.Close() }

// read reads the manifest and holds the archive's list of members against it.
func (a *Archive) read() error {
	for _, f := range a.zip.File {
		if a.members[f.Name] != nil { // two of one name: which one counts would be anybody's guess
			return damaged("backup.damaged", a.path, "what", f.Name)
		}
		a.members[f.Name] = f
	}
	first := a.members[manifestName]
	if first == nil {
		return damaged("backup.no_backup", a.path)
	}
	r, err := first.Open()
	if err != nil {
		return damaged("backup.damaged", a.path, "what", manifestName)
	}
	a.Manifest, err = readManifest(a.path, r)
	if err == nil {
		if _, rest := io.Copy(io.Discard, io.LimitReader(r, maxManifest)); rest != nil { // the archive's own sum over the manifest
			err = damaged("backup.damaged", a.path, "what", manifestName)
		}
	}
	if err = errors.Join(err, r.Close()); err != nil {
		return err
	}
	for _, p := range a.Parts {
		f := a.members[p.Name]
		if _, twice := a.parts[p.Name]; twice || f == nil || f.UncompressedSize64 != uint64(p.Size) {
			return damaged("backup.damaged", a.path, "what", p.Name)
		}
		a.parts[p.Name] = p
	}
	for name := range a.members {
		if _, listed := a.parts[name]; !listed && name != manifestName {
			return damaged("backup.damaged", a.path, "what", name)
		}
	}
	return nil
}

// Part opens a part of the archive. Reading it to its end fails if its bytes are not those of the manifest.
func (a *Archive) Part(name string) (io.ReadCloser, error) {
	p, ok := a.parts[name]
	if !ok {
		return nil, damaged("backup.damaged", a.path, "what", name)
	}
	r, err := a.members[name].Open()
	if err != nil {
		return nil, damaged("backup.damaged", a.path, "what", name)
	}
	return &checked{ReadCloser: r, hash: sha256.New(), want: p, path: a.path}, nil
}

// checked is a part that is compared with the manifest while it is read.
type checked struct {
	io.ReadCloser
	hash hash.Hash
	want Part
	path string
}

func (c *checked) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	_, _ = c.hash.Write(b[:n]) // a hash takes everything
	switch {
	case err == nil:
		return n, nil
	case !errors.Is(err, io.EOF), audit.Digest(c.hash.Sum(nil)) != c.want.SHA256:
		return n, damaged("backup.damaged", c.path, "what", c.want.Name)
	}
	return n, err
}

// Check reads every part and compares it with the manifest.
func (a *Archive) Check(ctx context.Context) error {
	for _, p := range a.Parts {
		if err := ctx.Err(); err != nil {
			return err
		}
		r, err := a.Part(p.Name)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, r)
		if err = errors.Join(err, r.Close()); err != nil {
			return err
		}
	}
	return nil
}

// Restore puts an installation back: the evidence into its folder, then the database, which must be empty, all of it
// or nothing. A folder that holds evidence already is added to, because it may be what was saved when the database was
// lost. Nothing is written before the whole archive was found to be as it was written and the database empty.
//
// Refusals are those of Check and of storage.Load. It may be begun again after it was broken off.
func (a *Archive) Restore(ctx context.Context, dsn string, evidence func() (*files.Files, error)) error {
	if err := storage.Vacant(ctx, dsn, a.Database); err != nil {
		return err
	}
	if err := a.Check(ctx); err != nil {
		return err
	}
	folder, err := evidence()
	if err != nil {
		return err
	}
	for _, p := range a.Parts {
		digest, ok := digestOf(p.Name)
		if !ok {
			continue
		}
		r, err := a.Part(p.Name)
		if err != nil {
			return err
		}
		err = folder.Restore(ctx, digest, r)
		if err = errors.Join(err, r.Close()); err != nil {
			return err
		}
	}
	return storage.Load(ctx, dsn, a.Database, a.Part)
}
