package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"bihuan/config"
	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/engine/audit/merkle"
	"bihuan/engine/calendar"
	"bihuan/engine/message"
	"bihuan/storage"
	"bihuan/storage/files"
)

// Exit codes of "audit verify".
const (
	verifyIntact   = 0
	verifyTampered = 1 // something is not as it was written
	verifyUnknown  = 2 // it could not be decided: the database cannot be read
	verifyUsage    = 3 // the command line or the set-up makes no sense
)

type auditCmd struct {
	Verify auditVerifyCmd `cmd:""`
	List   auditListCmd   `cmd:""`
	Export auditExportCmd `cmd:""`

	Verifier auditVerifierCmd `cmd:""`

	RotateKey auditRotateKeyCmd `cmd:""`
	Epoch     auditEpochCmd     `cmd:""`
}

type auditVerifyCmd struct {
	database
	Bundle string   `arg:"" optional:"" placeholder:"BUNDLE"`
	Known  []string `name:"known" placeholder:"FILE" sep:"none"`
	Key    string   `placeholder:"FILE"`
	Files  string   `placeholder:"DIR"`
	JSON   bool     `name:"json"`
}

// Help returns the examples.
func (auditVerifyCmd) Help() string {
	return "bihuan audit verify --db sqlite:bihuan.db\nbihuan audit verify --db postgres://bihuan@db.example.edu/bihuan --json\n" +
		"bihuan audit verify --db sqlite:bihuan.db --known checkpoint-2026-10.txt --key checkpoint.pub\n" +
		"bihuan audit verify --key checkpoint.pub trail.zip"
}

// verdict is what audit verify prints for programs.
type verdict struct {
	Verdict string `json:"verdict"` // intact, tampered, undecided
	storage.Report
	Error string `json:"error,omitempty"` // why it is undecided
}

// Verifying keeps little and makes much garbage, so collecting it seldom costs little memory and saves a fifth of the
// time. Near the limit, which leaves room below the 256 MiB that are promised, it is collected as often as it takes.
const (
	verifyGarbage = 400       // per cent of what is kept
	verifyMemory  = 160 << 20 // bytes
)

// Run reads the whole trail and every row that it explains, and changes nothing.
func (x *auditVerifyCmd) Run(ctx context.Context, s *session) error {
	defer debug.SetGCPercent(debug.SetGCPercent(verifyGarbage))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(verifyMemory))
	if x.Bundle != "" {
		return x.verifyBundle(s)
	}
	c, err := s.config(x.setup, map[string]string{"db": x.DB, "files": x.Files})
	if err != nil {
		return failure{verifyUsage, err}
	}
	opt, err := x.options(c)
	if err != nil {
		return failure{verifyUsage, err}
	}
	report, err := verify(ctx, c.DB, c.Signing, opt)
	if errors.Is(err, merkle.ErrForeign) {
		return failure{verifyUsage, err}
	}
	v, code := judge(report, err)
	if err != nil {
		v.Error = s.explain(err)
	}
	if x.JSON {
		if v.Findings == nil {
			v.Findings = []audit.Finding{}
		}
		if err := s.json(v); err != nil {
			return failure{verifyUnknown, err}
		}
		return failure{code: code}
	}
	s.showVerdict(v)
	return failure{code: code}
}

// options reads the files that the flags name. Evidence is read where its folder is.
func (x *auditVerifyCmd) options(c config.Config) (opt storage.VerifyOptions, err error) {
	if opt.Known, err = readAllKept(x.Known); err != nil {
		return opt, err
	}
	if x.Key != "" {
		text, err := os.ReadFile(x.Key)
		if err != nil {
			return opt, err
		}
		if opt.Keys, err = merkle.ParseKeys(string(text)); err != nil {
			return opt, err
		}
		if len(opt.Keys) == 0 {
			return opt, line("verify.no_key", "file", x.Key)
		}
	}
	if _, err := os.Stat(c.Files); err == nil {
		opt.Files = evidenceFiles(c.Files)
	} else if x.Files != "" {
		return opt, err
	}
	return opt, nil
}

// evidenceFiles opens evidence for verification without making a folder.
func evidenceFiles(dir string) storage.OpenFile {
	return func(digest audit.Digest) (io.ReadCloser, error) { return files.Look(dir, digest) }
}

// judge says what a verification comes to, and the exit code for it.
func judge(report storage.Report, err error) (verdict, int) {
	switch {
	case len(report.Findings) > 0: // also if the rest could not be read
		return verdict{Verdict: "tampered", Report: report}, verifyTampered
	case err != nil || merkle.Undecided(report.Doubts):
		return verdict{Verdict: "undecided", Report: report}, verifyUnknown
	}
	return verdict{Verdict: "intact", Report: report}, verifyIntact
}

// verify verifies a database. What its own signer signed last counts as known from outside: it is not in the database.
func verify(ctx context.Context, dsn, signing string, opt storage.VerifyOptions) (storage.Report, error) {
	db, err := openExisting(ctx, dsn)
	if err != nil {
		return storage.Report{}, err
	}
	report, err := verifyWith(ctx, db, signing, opt)
	return report, errors.Join(err, db.Close())
}

// verifyWith adds what the folder of the signer holds, if it is this installation's.
func verifyWith(ctx context.Context, db *storage.DB, signing string, opt storage.VerifyOptions) (storage.Report, error) {
	if err := db.Check(ctx); err != nil {
		return storage.Report{}, err
	}
	log, err := db.Log(ctx)
	if err != nil {
		return storage.Report{}, err
	}
	if keys, err := merkle.ReadKeys(signing); err == nil {
		keys = keys.Of(log)
		if len(opt.Keys) == 0 {
			opt.Keys = keys
		}
		if last, err := merkle.ReadLast(signing); err == nil && last != nil && len(keys) > 0 {
			opt.Known = append(opt.Known, merkle.Kept{Name: filepath.Join(signing, "checkpoint.last"), Notes: [][]byte{last}})
		}
	}
	return db.Verify(ctx, opt)
}

// showFindings lists what was found, and says how many more there are.
func (s *session) showFindings(list []audit.Finding, more int) {
	for _, f := range list {
		where := f.Subject
		if f.Seq > 0 {
			where += fmt.Sprintf(" #%d", f.Seq)
		}
		if f.Entry != "" {
			where += " " + f.Entry
		}
		s.say("verify.finding", "where", where, "check", f.Check, "detail", f.Detail)
	}
	if more > 0 {
		s.print(message.Text(s.lang, "verifier.more", map[string]any{"n": more}))
	}
}

// showErased says what nobody can read any more, and who saw to it.
func (s *session) showErased(list []audit.Erased) {
	for _, x := range list {
		s.say("verify.erased", "where", x.What(), "by", x.By, "at", x.At.Format(time.RFC3339))
	}
}

func (s *session) showVerdict(v verdict) {
	s.showFindings(v.Findings, v.More)
	s.showErased(v.Erased)
	if v.Error != "" {
		_, _ = fmt.Fprintln(s.err, s.text("verify.error", "why", v.Error))
	}
	s.sayDoubts(v.Doubts)
	n := v.Checked
	for _, l := range v.Lost {
		s.say("verify.lost", "file", l.Known, "n", l.Entries, "epoch", l.Epoch, "entry", l.Entry, "at", l.At.Format(time.RFC3339))
	}
	if n.Leaves > 0 {
		s.say("verify.log", "leaves", n.Leaves, "root", v.Root, "checkpoints", n.Checkpoints, "known", n.Known)
	}
	if n.Unsealed > 0 {
		s.say("verify.unsealed", "n", n.Unsealed, "at", v.Oldest.Format(time.RFC3339))
	}
	if n.Evidence > 0 && n.Files == 0 {
		s.say("verify.no_files")
	}
	if n.Entries > 0 {
		s.say("verify.checked", "entries", n.Entries, "subjects", n.Subjects, "projects", n.Projects, "users", n.Users,
			"evidence", n.Evidence, "definitions", n.Definitions, "time", v.Finished.Sub(v.Started).Round(time.Millisecond))
	}
	s.say("verify."+v.Verdict, "n", len(v.Findings)+v.More)
}

type auditListCmd struct {
	database
	Project string   `placeholder:"NUMBER|ID"`
	Actor   string   `placeholder:"LOGIN"`
	Unit    string   `placeholder:"CODE"`
	Action  []string `placeholder:"ACTION"`
	From    string   `placeholder:"DATE"`
	To      string   `placeholder:"DATE"`
	Limit   int      `default:"50" placeholder:"N"`
	JSON    bool     `name:"json"`
}

// Help returns the examples.
func (auditListCmd) Help() string {
	return "bihuan audit list --db sqlite:bihuan.db --limit 20\n" +
		"bihuan audit list --db sqlite:bihuan.db --project SS2026-0001 --from 2026-09-01 --to 2026-09-30 --json"
}

// listedEntry is an entry for programs: the exact bytes that are hashed, and the hash.
type listedEntry struct {
	Hash  audit.Digest    `json:"hash"`
	Entry json.RawMessage `json:"entry"`
}

// Run lists entries, newest first.
func (x *auditListCmd) Run(ctx context.Context, s *session) error {
	if x.Limit < 1 {
		return misuse{line("usage.limit", "n", x.Limit)}
	}
	return s.withEngine(ctx, x.database, func(e *engine.Engine) error {
		f, err := x.filter(ctx, e)
		if err != nil {
			return err
		}
		var rows []engine.EntryRow
		for len(rows) < x.Limit {
			f.Limit = min(engine.MaxPage, x.Limit-len(rows))
			page, err := e.Trail(ctx, engine.Operator(), f)
			if err != nil {
				return err
			}
			rows = append(rows, page.Items...)
			if f.After = page.Next; f.After == "" {
				break
			}
		}
		if x.JSON {
			out := make([]listedEntry, len(rows))
			for i, r := range rows {
				out[i] = listedEntry{r.Hash, r.Bytes}
			}
			return s.json(map[string]any{"entries": out, "more": f.After != ""})
		}
		return s.showEntries(ctx, e, rows, f.After != "")
	})
}

// filter makes a filter of the flags, in which people are known by login, units by code, projects by number.
func (x *auditListCmd) filter(ctx context.Context, e *engine.Engine) (engine.EntryFilter, error) {
	f := engine.EntryFilter{Actions: x.Action}
	if x.Project != "" {
		p, err := findProject(ctx, e, x.Project)
		if err != nil {
			return f, err
		}
		f.Subject = p.Subject()
	}
	switch x.Actor {
	case "":
	case "operator", "clock": // who have no account
		f.Actor = engine.UserID(x.Actor)
	default:
		u, err := e.User(ctx, x.Actor)
		if err != nil {
			return f, err
		}
		f.Actor = u.ID
	}
	if x.Unit != "" {
		u, err := e.Unit(ctx, x.Unit)
		if err != nil {
			return f, err
		}
		f.Unit = u.ID
	}
	if x.From != "" {
		d, err := readDate("--from", x.From)
		if err != nil {
			return f, err
		}
		f.From = d.Start(e.Site.Location)
	}
	if x.To != "" {
		d, err := readDate("--to", x.To)
		if err != nil {
			return f, err
		}
		f.To = d.AddDays(1).Start(e.Site.Location) // the day belongs to the range
	}
	return f, nil
}

// findProject finds a project by id or by 编号.
func findProject(ctx context.Context, e *engine.Engine, ref string) (engine.Project, error) {
	p, err := e.Project(ctx, engine.Operator(), engine.ProjectID(ref))
	if err == nil || engine.KindOf(err) != engine.NotFound {
		return p, err
	}
	f := engine.Filter{Text: ref, Limit: engine.MaxPage}
	for {
		page, err := e.List(ctx, engine.Operator(), f)
		if err != nil {
			return p, err
		}
		for _, p := range page.Items {
			if strings.EqualFold(p.Number, ref) {
				return p, nil
			}
		}
		if f.After = page.Next; f.After == "" {
			return p, line("no_project", "number", ref)
		}
	}
}

// showEntries writes entries for people: names instead of ids.
func (s *session) showEntries(ctx context.Context, e *engine.Engine, rows []engine.EntryRow, more bool) error {
	who, err := s.logins(ctx, e)
	if err != nil {
		return err
	}
	numbers := map[string]string{}
	out := [][]string{{s.text("audit.at"), s.text("audit.who"), s.text("audit.action"), s.text("audit.subject"), "#", s.text("audit.change"), s.text("audit.note")}}
	for _, r := range rows {
		label, ok := numbers[r.Subject]
		if !ok {
			label = r.Subject
			if r.Kind() == engine.SubjectProject {
				if p, err := e.Project(ctx, engine.Operator(), engine.ProjectID(r.SubjectID())); err == nil {
					label = p.Number
				}
			}
			if login := who[r.SubjectID()]; login != "" {
				label = r.Kind() + " " + login
			}
			numbers[r.Subject] = label
		}
		change := ""
		if r.From != "" || r.To != "" {
			change = strings.TrimSpace(r.From + " → " + r.To)
		}
		actor := cmp.Or(who[r.Actor.ID], r.Actor.ID)
		if r.Actor.Role != "" {
			actor += " (" + engine.Role(r.Actor.Role).In(s.lang) + ")"
		}
		out = append(out, []string{when(e, r.At), actor, r.Action, label, fmt.Sprint(r.Seq), change, oneLine(r.Note)})
	}
	s.table(out)
	if more {
		s.say("audit.more")
	}
	return nil
}

// oneLine keeps a note of several lines from breaking the table.
func oneLine(text string) string { return message.Short(strings.Join(strings.Fields(text), " ")) }

// weekday names the day of the week.
func (s *session) weekday(d calendar.Date) string {
	return s.text("weekday." + strings.ToLower(d.Weekday().String()))
}
