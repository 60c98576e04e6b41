package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"bihuan/api/verifier"
	"bihuan/engine"
	"bihuan/engine/audit/bundle"
	"bihuan/engine/audit/merkle"
	"bihuan/engine/message"
	"bihuan/storage"
)

// auditExportCmd writes the trail as a bundle that verifies by itself.
type auditExportCmd struct {
	database
	Out     string   `short:"o" placeholder:"FILE" required:""`
	Unit    string   `placeholder:"CODE" xor:"scope"`
	Project string   `placeholder:"NUMBER|ID" xor:"scope"`
	Known   []string `name:"known" placeholder:"FILE" sep:"none"`
}

// Help returns the examples.
func (auditExportCmd) Help() string {
	return "bihuan audit export --db sqlite:bihuan.db --out trail.zip\n" +
		"bihuan audit export --db sqlite:bihuan.db --project SS2026-0001 --out project.zip\n" +
		"bihuan audit export --db sqlite:bihuan.db --unit dw --known kept.txt --out unit.zip"
}

// Run writes the bundle, which is an entry of the trail that it does not hold.
func (x *auditExportCmd) Run(ctx context.Context, s *session) error {
	db, c, err := s.open(ctx, x.database)
	if err != nil {
		return err
	}
	e, err := newEngine(ctx, db, c, nil)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	return errors.Join(x.write(ctx, s, db, e), db.Close())
}

func (x *auditExportCmd) write(ctx context.Context, s *session, db *storage.DB, e *engine.Engine) error {
	opt, said := storage.ExportOptions{}, map[string]any{}
	if x.Project != "" {
		p, err := findProject(ctx, e, x.Project)
		if err != nil {
			return err
		}
		opt.Project, said["project"] = p.ID, p.ID
	}
	if x.Unit != "" {
		u, err := e.Unit(ctx, x.Unit)
		if err != nil {
			return err
		}
		opt.Unit, said["unit"] = u.ID, u.ID
	}
	kept, err := readAllKept(x.Known)
	if err != nil {
		return err
	}
	for _, k := range kept {
		opt.Known = append(opt.Known, k.Claims()...)
	}
	var m bundle.Manifest
	err = writeFile(x.Out, os.O_EXCL, func(f *os.File) (err error) {
		m, err = db.Export(ctx, f, opt)
		return errors.Join(err, f.Sync())
	})
	if err != nil {
		return err
	}
	said["scope"], said["entries"] = m.Scope, m.Entries
	if err := e.Note(ctx, engine.Operator(), "export_trail_bundle", said); err != nil {
		return err
	}
	s.say("audit.exported", "file", x.Out, "entries", m.Entries, "size", m.Size)
	return nil
}

// auditVerifierCmd writes the page that verifies bundles in a browser.
type auditVerifierCmd struct {
	Out string `short:"o" placeholder:"FILE" default:"bihuan-verifier.html"`
}

// Help returns the example.
func (auditVerifierCmd) Help() string { return "bihuan audit verifier --out bihuan-verifier.html" }

// Run writes the page, and replaces no file.
func (x *auditVerifierCmd) Run(_ context.Context, s *session) error {
	page, err := verifier.Page()
	if err != nil {
		return err
	}
	err = writeFile(x.Out, os.O_EXCL, func(f *os.File) error {
		_, err := f.Write(page)
		return err
	})
	if err != nil {
		return err
	}
	s.say("audit.verifier_written", "file", x.Out, "size", len(page))
	return nil
}

// verifyBundle verifies a file instead of a database: no installation is needed.
func (x *auditVerifyCmd) verifyBundle(s *session) error {
	var opt bundle.Options
	if x.Key != "" {
		text, err := os.ReadFile(x.Key)
		if err == nil {
			opt.Keys, err = merkle.ParseKeys(string(text))
		}
		if err == nil && len(opt.Keys) == 0 {
			err = line("verify.no_key", "file", x.Key)
		}
		if err != nil {
			return failure{verifyUsage, err}
		}
	}
	var err error
	if opt.Known, err = readAllKept(x.Known); err != nil {
		return failure{verifyUsage, err}
	}
	f, err := os.Open(x.Bundle)
	if err != nil {
		return failure{verifyUsage, err}
	}
	info, err := f.Stat()
	var r bundle.Report
	if err == nil {
		r, err = bundle.VerifyFile(f, info.Size(), opt)
	}
	err = errors.Join(err, f.Close())
	v := bundle.Judge(r, err)
	code := map[string]int{bundle.Intact: verifyIntact, bundle.Tampered: verifyTampered, bundle.Undecided: verifyUnknown}[v.Verdict]
	if err != nil {
		v.Error = s.explain(err)
	}
	if x.JSON {
		return errors.Join(s.json(v), failure{code: code})
	}
	s.showFindings(v.Findings, v.More)
	s.showErased(r.Erased)
	if v.OwnKeys {
		s.print(message.Text(s.lang, "verifier.own_keys", nil))
	}
	s.sayDoubts(r.Doubts)
	for _, why := range r.Undecided {
		s.say("verify.error", "why", why)
	}
	if v.Error != "" {
		_, _ = fmt.Fprintln(s.err, s.text("verify.error", "why", v.Error))
	}
	if c := r.Checkpoint; c != nil {
		s.say("verify.bundle", "scope", message.Text(s.lang, "verifier.scope."+r.Manifest.Scope, nil), "entries", r.Checked.Entries, "subjects", r.Checked.Subjects, "proofs", r.Checked.Proofs+r.Checked.Leaves,
			"size", c.Size, "at", c.Time.Format(time.RFC3339))
	}
	s.say("verify."+v.Verdict, "n", len(v.Findings)+v.More)
	return failure{code: code}
}
