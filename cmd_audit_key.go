package main

import (
	"context"
	"errors"

	"bihuan/engine"
	"bihuan/engine/audit/merkle"
	"bihuan/storage"
)

// auditRotateKeyCmd makes a new key for the checkpoints.
type auditRotateKeyCmd struct{ database }

// Help returns the examples.
func (auditRotateKeyCmd) Help() string {
	return "bihuan audit rotate-key --db sqlite:bihuan.db\nbihuan audit rotate-key --config /etc/bihuan.yaml"
}

// Run makes the key where the old one lies and records its public half. A running server takes it up by itself.
func (x *auditRotateKeyCmd) Run(ctx context.Context, s *session) error {
	db, c, err := s.open(ctx, x.database)
	if err != nil {
		return err
	}
	return errors.Join(s.rotate(ctx, db, c.Signing, func() (*engine.Engine, error) { return newEngine(ctx, db, c, nil) }), db.Close())
}

func (s *session) rotate(ctx context.Context, db *storage.DB, dir string, make func() (*engine.Engine, error)) error {
	e, err := make()
	if err != nil {
		return err
	}
	x := newSeals(db, e, dir, nil)
	if err := x.open(ctx); err != nil { // records the first key, if there was none
		return s.keyless(err, dir)
	}
	public, err := x.signer.Rotate(func(public string) error {
		return e.Note(ctx, engine.Operator(), engine.ActionCheckpointKey, map[string]any{"key": public})
	})
	if err != nil {
		return err
	}
	s.say("audit.rotated", "key", public)
	return nil
}

// keyless puts the error of a signer that has no key into words.
func (s *session) keyless(err error, dir string) error {
	if errors.Is(err, merkle.ErrNoKey) {
		return line("audit.no_key", "folder", dir)
	}
	return err
}
