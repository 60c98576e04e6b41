package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"bihuan/config"
	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/backup"
	"bihuan/storage/files"
	"bihuan/workflows"
)

// Exit codes of "restore". Up to restoreUnknown they are those of "audit verify", whose verdict they tell.
const restoreRefused = 3 // nothing was restored: the archive, the target, the command line or the set-up does not allow it

type backupCmd struct {
	database
	To string `arg:"" name:"file" placeholder:"FILE|DIR"`
}

// Help returns the examples.
func (backupCmd) Help() string {
	return "bihuan backup /mnt/backup --db sqlite:/var/lib/bihuan/bihuan.db\n" +
		"bihuan backup before-upgrade.zip --config /etc/bihuan.yaml"
}

// Run makes a backup while others go on working.
func (x *backupCmd) Run(ctx context.Context, s *session) (err error) {
	db, c, err := s.open(ctx, x.database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	now := time.Now()
	to := x.To
	if info, err := os.Stat(to); err == nil && info.IsDir() {
		to = filepath.Join(to, "bihuan-"+now.UTC().Format("20060102-150405Z")+".zip")
	}
	evidence, err := files.Open(c.Files)
	if err != nil {
		return err
	}
	e, err := newEngine(ctx, db, c, nil)
	if err != nil {
		return err
	}
	// The entry comes first: whoever takes everything out leaves a trace even if the rest fails, and the backup holds
	// the entry that tells of it.
	if err := e.Note(ctx, engine.Operator(), "back_up", map[string]any{"file": filepath.Base(to)}); err != nil {
		return err
	}
	m, err := backup.Write(ctx, db, evidence, to, buildVersion(), now)
	if err != nil {
		return err
	}
	n, size := m.Evidence()
	s.say("backup.done", "file", to, "entries", m.Database.Entries, "evidence", n, "size", fmt.Sprintf("%.1f MB", float64(size)/(1<<20)))
	if len(m.Missing) > 0 {
		s.showMissing(m.Missing)
		return failure{code: exitFailed}
	}
	return nil
}

// showMissing names the evidence that is gone or altered.
func (s *session) showMissing(list []backup.Missing) {
	for _, m := range list {
		key := "backup.gone"
		if m.Altered {
			key = "backup.altered"
		}
		s.say(key, "sha256", m.SHA256)
	}
	_, _ = fmt.Fprintln(s.err, s.text("backup.missing", "n", len(list)))
}

type restoreCmd struct {
	database
	From  string `arg:"" name:"file" placeholder:"FILE"`
	Check bool
}

// Help returns the examples.
func (restoreCmd) Help() string {
	return "bihuan restore bihuan-20261126-184500Z.zip --db sqlite:/var/lib/bihuan/bihuan.db\n" +
		"bihuan restore bihuan-20261126-184500Z.zip --config /etc/bihuan.yaml\n" +
		"bihuan restore bihuan-20261126-184500Z.zip --check"
}

// Run puts an installation back and verifies it.
func (x *restoreCmd) Run(ctx context.Context, s *session) error {
	c, err := s.config(x.setup, map[string]string{"db": x.DB})
	if err != nil {
		return failure{restoreRefused, err}
	}
	a, err := backup.Open(x.From)
	if err != nil {
		return failure{restoreRefused, err}
	}
	if x.Check {
		err = a.Check(ctx)
	} else {
		err = a.Restore(ctx, c.DB, func() (*files.Files, error) { return files.Open(c.Files) })
	}
	if err = errors.Join(err, a.Close()); err != nil {
		return failure{restoreRefused, err}
	}
	n, size := a.Evidence()
	key := "restore.done"
	if x.Check {
		key = "restore.whole"
	}
	s.say(key, "file", x.From, "at", a.MadeAt.Format(time.RFC3339), "program", a.Program, "backend", a.Database.Backend, "log", a.Database.Log,
		"entries", a.Database.Entries, "evidence", n, "size", fmt.Sprintf("%.1f MB", float64(size)/(1<<20)))
	if x.Check {
		if len(a.Missing) > 0 {
			s.showMissing(a.Missing)
		}
		return nil
	}
	return s.afterRestore(ctx, c, a)
}

// afterRestore leaves the entry that tells of the restore, behind which everything later than the backup is lost, and
// lets the trail decide whether what was restored can be relied on.
func (s *session) afterRestore(ctx context.Context, c config.Config, a *backup.Archive) error {
	report, err := verify(ctx, c.DB, c.Signing, storage.VerifyOptions{Files: evidenceFiles(c.Files)})
	if err == nil {
		err = noteRestore(ctx, c.DB, a)
	}
	v, code := judge(report, err)
	if err != nil {
		v.Error = s.explain(err)
	}
	s.showVerdict(v)
	return failure{code: code}
}

func noteRestore(ctx context.Context, dsn string, a *backup.Archive) (err error) {
	db, err := openExisting(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	e, err := engine.New(ctx, engine.Config{Store: db, Compile: workflows.Compile})
	if err != nil {
		return err
	}
	return e.Note(ctx, engine.Operator(), "restore", map[string]any{"made_at": a.MadeAt.Format(time.RFC3339), "entries": a.Database.Entries, "heads": a.Database.Heads.String()})
}
