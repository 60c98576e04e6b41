package main

import (
	"context"
	"errors"
	"slices"

	"bihuan/engine"
	"bihuan/engine/audit/merkle"
	"bihuan/storage"
)

// auditEpochCmd goes on after a restore that lost entries.
type auditEpochCmd struct {
	database
	Approved []string `placeholder:"LOGIN" required:""`
	Note     string   `placeholder:"WHY" required:""`
}

// Help returns the examples.
func (auditEpochCmd) Help() string {
	return "bihuan audit epoch --db sqlite:bihuan.db --approved wang --approved zhao --note disk-failure-on-2-March"
}

// Run declares what was lost, as an entry, and lets the signer go on. It does nothing where nothing was lost.
func (x *auditEpochCmd) Run(ctx context.Context, s *session) error {
	db, c, err := s.open(ctx, x.database)
	if err != nil {
		return err
	}
	e, err := newEngine(ctx, db, c, nil)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	return errors.Join(x.declare(ctx, s, db, e, c.Signing, func() (*engine.Engine, error) { return newEngine(ctx, db, c, nil) }), db.Close())
}

func (x *auditEpochCmd) declare(ctx context.Context, s *session, db *storage.DB, e *engine.Engine, dir string, renew func() (*engine.Engine, error)) error {
	approved, err := x.approvers(ctx, e)
	if err != nil {
		return err
	}
	keys := newSeals(db, e, dir, nil)
	if err := keys.open(ctx); err != nil {
		return s.keyless(err, dir)
	}
	signer := keys.signer
	log, err := db.Log(ctx)
	if err != nil {
		return err
	}
	_, epoch := merkle.SplitLog(log)
	last, next, err := signer.Next()
	if err != nil {
		return err
	}
	begun := last.Size > 0 && epoch == next // and broken off then
	former := epoch < next-1 || last.Size == 0 && epoch < next
	if !begun && !former {
		if err := refused(ctx, db, signer, log); err != nil {
			return err
		}
	}
	whole, err := agreed(ctx, db)
	if err != nil {
		return err
	}
	note, err := merkle.ReadLast(dir)
	if err != nil {
		return err
	}
	said := storage.Epoch{Epoch: next, Size: whole, Signed: string(note), Approved: approved, Note: x.Note}
	if epoch < next-1 {
		said.After = epoch
	}
	if !begun {
		if err := db.BeginEpoch(ctx, epoch, next); err != nil {
			return err
		}
		if e, err = renew(); err != nil { // which names the log by its new epoch
			return err
		}
	}
	told, err := db.Epochs(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(told, func(x storage.Epoch) bool { return x.Epoch == next }) {
		if err := e.Note(ctx, engine.Operator(), engine.ActionEpoch, said.Data()); err != nil {
			return err
		}
	}
	if last.Size > 0 {
		if _, err := signer.Declare(); err != nil {
			return err
		}
		s.say("audit.lost", "n", last.Size-whole, "size", whole, "signed", last.Size)
	}
	s.say("audit.epoch", "epoch", next)
	return nil
}

// refused seals what waits and holds that the signer does not go on with the log: the answer is nil then.
func refused(ctx context.Context, db *storage.DB, signer *merkle.Signer, log string) error {
	if _, err := db.NewSealer(nil).Seal(ctx); err != nil {
		return err
	}
	size, err := db.LogSize(ctx)
	if err != nil {
		return err
	}
	switch err := signer.Check(ctx, db.Hashes(ctx), log, size); {
	case err == nil:
		return line("audit.nothing_lost")
	case !errors.Is(err, merkle.ErrRollback) && !errors.Is(err, merkle.ErrFork):
		return err
	}
	return nil
}

// approvers returns the accounts of those who let it go on: two at least.
func (x *auditEpochCmd) approvers(ctx context.Context, e *engine.Engine) ([]string, error) {
	var out []string
	for _, login := range x.Approved {
		u, err := e.User(ctx, login)
		if err != nil {
			return nil, err
		}
		if !u.Disabled && !slices.Contains(out, string(u.ID)) {
			out = append(out, string(u.ID))
		}
	}
	if len(out) < 2 {
		return nil, misuse{line("audit.two_approvers")}
	}
	return out, nil
}

// agreed returns up to which size the log is what was signed: that of the newest checkpoint in the database, which
// must hold.
func agreed(ctx context.Context, db *storage.DB) (int64, error) {
	stored, err := db.LastCheckpoint(ctx)
	if err != nil || stored == nil {
		return 0, err
	}
	c, err := merkle.Parse(stored.Note, nil)
	if !errors.Is(err, merkle.ErrSignature) {
		return 0, err
	}
	root, err := merkle.RootAt(ctx, db.Hashes(ctx), c.Size)
	if err != nil {
		return 0, err
	}
	if root != c.Root {
		return 0, line("audit.not_restored")
	}
	return c.Size, nil
}
