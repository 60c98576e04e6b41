package storage_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// trail is a world in which a little of everything has happened.
type trail struct {
	*world
	unit       engine.Unit
	user       engine.User
	p, q       engine.Project
	evidence   engine.Evidence
	remark     engine.Remark // of somebody without an account
	definition engine.Definition
	token      engine.Token
}

func newTrail(t *testing.T, db *storage.DB) *trail {
	t.Helper()
	w := newWorld(t, db)
	x := &trail{world: w}
	x.unit = w.unit("office", "root")
	x.user = w.user("zhang", engine.Grant{Role: engine.Leader, UnitID: x.unit.ID})
	x.p, x.q = w.create("office", nil), w.create("root", nil)
	x.p = w.update(x.p, func(p *engine.Project) { p.Title, p.Progress = "二", 20 })
	x.evidence = engine.Evidence{ID: newID(), ProjectID: x.p.ID, Name: "照片.jpg", Type: "image/jpeg", Size: 9,
		SHA256: audit.HashContent([]byte("x")), By: x.user.ID, At: w.tick()}
	x.remark = engine.Remark{ProjectID: x.p.ID, ID: "o1", Poll: newID(), Device: make([]byte, 32), Salt: audit.NewSalt(), Text: "灯不亮，请打 13800138000"}
	c := w.next(x.p, func(p *engine.Project) {
		p.EvidenceCount++
		p.Objections = map[string]engine.Objection{"o1": {Sealed: x.remark.Commitment(), By: "public", At: w.now}}
	})
	c.Remark = &x.remark
	var data map[string]any
	w.must(json.Unmarshal(c.Entry.Data, &data))
	data["evidence"] = x.evidence
	c.Entry.Action, c.Entry.Data, c.Evidence = "evidence", asJSON(t, data), []engine.Evidence{x.evidence}
	c = w.seal(c)
	w.must(w.commit(c))
	x.p = w.update(c.Project, func(p *engine.Project) { p.Progress = 60 })

	x.token = engine.Token{ID: engine.TokenID(newID()), UserID: x.user.ID, Name: "t", Hash: engine.TokenHash("secret"),
		CreatedAt: w.tick(), ExpiresAt: w.now.Add(time.Hour), Version: 1}
	r := w.record(engine.SubjectToken+"/"+string(x.token.ID), 0, audit.Digest{}, "issue_token", nil, x.token)
	r.Token = &x.token
	w.must(db.Record(t.Context(), r))

	source := []byte("id: shishi\n")
	x.definition = engine.Definition{Digest: audit.HashContent(source).String(), ID: "shishi", Version: 1, Source: source, PublishedBy: "operator", PublishedAt: w.tick()}
	e := audit.Entry{V: audit.Format, Log: w.log, ID: newID(), At: w.tick(), Actor: audit.Actor{ID: "operator", Via: audit.ViaCLI}, Action: "publish",
		Subject: engine.SubjectWorkflow + "/shishi", Seq: 1, Version: 1, Data: asJSON(t, map[string]any{"version": 1, "digest": x.definition.Digest})}
	b, err := e.Bytes()
	w.must(err)
	w.must(db.Record(t.Context(), engine.Record{Entry: e, Bytes: b, Head: audit.HashEntry(b), Definition: &x.definition}))

	// Something that only happened, twice.
	note := w.record(engine.SubjectActor+"/"+string(x.user.ID), 0, audit.Digest{}, "sign_in", nil, nil)
	w.must(db.Record(t.Context(), note))
	w.must(db.Record(t.Context(), w.record(engine.SubjectActor+"/"+string(x.user.ID), 1, note.Head, "sign_in", nil, nil)))
	return x
}

// unguard takes the triggers away, as someone with the database in hands can.
func (w *world) unguard() {
	w.t.Helper()
	if w.db.Backend() == storage.Postgres {
		w.exec("ALTER TABLE entries DISABLE TRIGGER USER")
		w.exec("ALTER TABLE evidence DISABLE TRIGGER USER")
		return
	}
	for _, trigger := range []string{"entries_no_update", "entries_no_delete", "entries_no_replace", "evidence_no_update", "evidence_no_delete"} {
		w.exec("DROP TRIGGER " + trigger)
	}
}

// literal writes bytes as the database's SQL does.
func (w *world) literal(b []byte) string {
	if w.db.Backend() == storage.Postgres {
		return fmt.Sprintf(`'\x%x'::bytea`, b)
	}
	return fmt.Sprintf("x'%x'", b)
}

func verify(t *testing.T, db *storage.DB, batch int) storage.Report {
	t.Helper()
	r, err := db.Verify(t.Context(), storage.VerifyOptions{Batch: batch})
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	return r
}

func TestVerifyIntact(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		x := newTrail(t, db)
		want := storage.Checked{Unsealed: 12, Subjects: 8, Entries: 12, Projects: 2, Units: 2, Users: 1, Tokens: 1, Commitments: 2, Evidence: 1, Definitions: 1}
		for _, batch := range []int{0, 1, 3} { // chains that end with a batch, and ones that go across several
			r := verify(t, db, batch)
			if !r.Intact() {
				t.Errorf("batches of %d: findings in an untouched database: %+v", batch, r.Findings)
			}
			if r.Checked != want {
				t.Errorf("batches of %d: checked %+v, want %+v", batch, r.Checked, want)
			}
			x.alone(r)
		}
		one, err := db.Verify(t.Context(), storage.VerifyOptions{Project: x.p.ID})
		if want := (storage.Checked{Unsealed: x.p.Version, Subjects: 1, Entries: x.p.Version, Projects: 1, Commitments: 1, Evidence: 1}); err != nil || one.Checked != want {
			t.Errorf("one project: checked %+v, want %+v, %v", one.Checked, want, err)
		}
		var seen []int64
		if _, err := db.Verify(t.Context(), storage.VerifyOptions{Batch: 5, Progress: func(n int64) { seen = append(seen, n) }}); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(seen) != "[5 10 12]" {
			t.Errorf("progress %v, want 5, 10, 12", seen)
		}
	})
}

func TestVerifyFindsTampering(t *testing.T) {
	type found struct {
		subject func(x *trail) string
		check   string
		detail  string // part of it
	}
	ofP := func(x *trail) string { return x.p.Subject() }
	tests := []struct {
		name   string
		tamper func(x *trail)
		want   found
	}{
		{"a column of an entry", func(x *trail) {
			x.exec(fmt.Sprintf("UPDATE entries SET actor_id = 'li' WHERE subject = '%s' AND seq = 2", x.p.Subject()))
		}, found{ofP, audit.CheckColumns, "actor_id"}},
		{"a column that only we have", func(x *trail) {
			x.exec(fmt.Sprintf("UPDATE entries SET actor_role = 'leader' WHERE subject = '%s' AND seq = 2", x.p.Subject()))
		}, found{ofP, audit.CheckColumns, "actor_role"}},
		{"the time of an entry", func(x *trail) {
			x.exec(fmt.Sprintf("UPDATE entries SET at = '2026-01-01 00:00:00+00:00' WHERE subject = '%s' AND seq = 2", x.p.Subject()))
		}, found{ofP, audit.CheckColumns, "at is 2026-01-01"}},
		{"the bytes of an entry", func(x *trail) {
			b := x.bytes(x.p.Subject(), 2)
			x.exec(fmt.Sprintf("UPDATE entries SET bytes = %s WHERE subject = '%s' AND seq = 2", x.literal([]byte(strings.Replace(string(b), `"progress":20`, `"progress":90`, 1))), x.p.Subject()))
		}, found{ofP, audit.CheckHash, "the bytes hash to"}},
		{"bytes and hash of an entry", func(x *trail) {
			b := []byte(strings.Replace(string(x.bytes(x.p.Subject(), 2)), `"progress":20`, `"progress":90`, 1))
			h := audit.HashEntry(b)
			x.exec(fmt.Sprintf("UPDATE entries SET bytes = %s, hash = %s WHERE subject = '%s' AND seq = 2", x.literal(b), x.literal(h[:]), x.p.Subject()))
		}, found{ofP, audit.CheckChain, "prev is"}},
		{"an entry that is gone", func(x *trail) {
			x.exec(fmt.Sprintf("DELETE FROM entries WHERE subject = '%s' AND seq = 2", x.p.Subject()))
		}, found{ofP, audit.CheckChain, "seq 2 is missing"}},
		{"the newest entry is gone", func(x *trail) {
			x.exec(fmt.Sprintf("DELETE FROM entries WHERE subject = '%s' AND seq = %d", x.p.Subject(), x.p.Version))
		}, found{ofP, audit.CheckHead, "later ones are missing"}},
		{"all entries of a project are gone", func(x *trail) {
			x.exec(fmt.Sprintf("DELETE FROM entries WHERE subject = '%s'", x.q.Subject()))
		}, found{func(x *trail) string { return x.q.Subject() }, storage.CheckOrphan, "no entries"}},
		{"two entries that changed places", func(x *trail) {
			x.exec(fmt.Sprintf("UPDATE entries SET seq = -2 WHERE subject = '%s' AND seq = 2", x.p.Subject()))
			x.exec(fmt.Sprintf("UPDATE entries SET seq = 2 WHERE subject = '%s' AND seq = 3", x.p.Subject()))
			x.exec(fmt.Sprintf("UPDATE entries SET seq = 3 WHERE subject = '%s' AND seq = -2", x.p.Subject()))
		}, found{ofP, audit.CheckColumns, "seq is"}},
		{"a value of a project", func(x *trail) {
			x.exec(fmt.Sprintf("UPDATE projects SET progress = 99 WHERE id = '%s'", x.p.ID))
		}, found{ofP, audit.CheckReplay, "/progress is 99 in the row, 60 by the entries"}},
		{"a deadline of a project", func(x *trail) {
			x.exec(fmt.Sprintf("UPDATE projects SET deadline = '2027-12-31' WHERE id = '%s'", x.p.ID))
		}, found{ofP, audit.CheckReplay, "/deadline"}},
		{"a project that is gone", func(x *trail) {
			x.exec(fmt.Sprintf("DELETE FROM projects WHERE id = '%s'", x.q.ID))
		}, found{func(x *trail) string { return x.q.Subject() }, storage.CheckOrphan, "the project is gone"}},
		{"the name of a user", func(x *trail) {
			x.exec(fmt.Sprintf("UPDATE users SET name = '李' WHERE id = '%s'", x.user.ID))
		}, found{func(x *trail) string { return "user/" + string(x.user.ID) }, storage.CheckCommitment, "login and name"}},
		{"a role of a user", func(x *trail) {
			x.exec(fmt.Sprintf(`UPDATE users SET grants = '[{"role":"admin","unit_id":"%s"}]' WHERE id = '%s'`, x.unit.ID, x.user.ID))
		}, found{func(x *trail) string { return "user/" + string(x.user.ID) }, audit.CheckReplay, "/grants"}},
		{"the place of a unit", func(x *trail) {
			x.exec(fmt.Sprintf("UPDATE units SET path = '/%s/' WHERE id = '%s'", x.unit.ID, x.unit.ID))
		}, found{func(x *trail) string { return "unit/" + string(x.unit.ID) }, audit.CheckReplay, "/path"}},
		{"the life of a token", func(x *trail) {
			x.exec(fmt.Sprintf("UPDATE tokens SET expires_at = '2099-01-01 00:00:00+00:00' WHERE id = '%s'", x.token.ID))
		}, found{func(x *trail) string { return "token/" + string(x.token.ID) }, audit.CheckReplay, "/expires_at"}},
		{"the name of evidence", func(x *trail) {
			x.exec(fmt.Sprintf("UPDATE evidence SET name = 'b.jpg' WHERE id = '%s'", x.evidence.ID))
		}, found{ofP, storage.CheckEvidence, "b.jpg"}},
		{"evidence that is gone", func(x *trail) {
			x.exec(fmt.Sprintf("DELETE FROM evidence WHERE id = '%s'", x.evidence.ID))
		}, found{ofP, storage.CheckEvidence, "is gone"}},
		{"evidence from nowhere", func(x *trail) {
			x.exec(fmt.Sprintf("INSERT INTO evidence (id, project_id, name, type, size, sha256, milestone, note, by_id, at) SELECT '%s', '%s', name, type, size, sha256, milestone, note, by_id, at FROM evidence", newID(), x.q.ID))
		}, found{func(x *trail) string { return x.q.Subject() }, storage.CheckEvidence, "no entry tells"}},
		{"the words of the public", func(x *trail) {
			x.exec(fmt.Sprintf("UPDATE remarks SET text = '灯都亮了' WHERE project_id = '%s'", x.p.ID))
		}, found{ofP, storage.CheckCommitment, "the words of objection o1 are not those"}},
		{"words of the public that are gone", func(x *trail) { x.exec("DELETE FROM remarks") },
			found{ofP, storage.CheckCommitment, "no entry tells that they were erased"}},
		{"words of the public from nowhere", func(x *trail) {
			x.exec(fmt.Sprintf("INSERT INTO remarks (project_id, id, poll, device, salt, text) SELECT '%s', 'o9', poll, device, salt, text FROM remarks", x.q.ID))
		}, found{func(x *trail) string { return x.q.Subject() }, storage.CheckCommitment, "no entry tells of words of objection o9"}},
		{"the source of a definition", func(x *trail) {
			x.exec("UPDATE definitions SET source = " + x.literal([]byte("id: other\n")))
		}, found{func(*trail) string { return "workflow/shishi" }, storage.CheckDefinition, "its source"}},
		{"a definition that is gone", func(x *trail) { x.exec("DELETE FROM definitions") },
			found{func(*trail) string { return "workflow/shishi" }, storage.CheckDefinition, "is gone"}},
		{"the end of a chain without a row", func(x *trail) {
			x.exec(fmt.Sprintf("DELETE FROM entries WHERE subject = 'actor/%s' AND seq = 2", x.user.ID))
		}, found{func(x *trail) string { return "actor/" + string(x.user.ID) }, audit.CheckHead, "should have seq 2"}},
		{"a chain without a row", func(x *trail) {
			x.exec(fmt.Sprintf("DELETE FROM entries WHERE subject = 'actor/%s'", x.user.ID))
		}, found{func(x *trail) string { return "actor/" + string(x.user.ID) }, storage.CheckOrphan, "no entries"}},
	}
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		(&world{t: t, db: db}).unguard()
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				(&world{t: t, db: db}).wipe()
				x := newTrail(t, db)
				test.tamper(x)
				r := verify(t, db, 0)
				subject := test.want.subject(x)
				named := false
				for _, f := range r.Findings {
					if f.Subject != subject {
						t.Errorf("another subject is blamed: %+v", f)
					}
					named = named || f.Check == test.want.check && strings.Contains(f.Detail, test.want.detail)
				}
				if !named {
					t.Errorf("found %+v, want check %q with %q", r.Findings, test.want.check, test.want.detail)
				}
				x.alone(r)
			})
		}
	})
}

// alone verifies each project by itself: it must find what the whole finds about it, and nothing else.
func (x *trail) alone(whole storage.Report) {
	x.t.Helper()
	for _, p := range []engine.Project{x.p, x.q} {
		r, err := x.db.Verify(x.t.Context(), storage.VerifyOptions{Project: p.ID, Batch: 2})
		x.must(err)
		want := []audit.Finding{}
		for _, f := range whole.Findings {
			if f.Subject == p.Subject() {
				want = append(want, f)
			}
		}
		if fmt.Sprint(r.Findings) != fmt.Sprint(want) {
			x.t.Errorf("by itself, %s has %+v, want %+v", p.Subject(), r.Findings, want)
		}
		if c := r.Checked; c.Users+c.Units+c.Tokens+c.Delegations+c.Definitions != 0 || c.Subjects > 1 || c.Projects > 1 {
			x.t.Errorf("%s by itself: checked %+v", p.Subject(), c)
		}
	}
}

// wipe empties an unguarded database: a new one for each case would take most of the time.
func (w *world) wipe() {
	w.t.Helper()
	for _, table := range []string{"idempotency", "reminders", "evidence", "remarks", "entries", "assistants", "projects", "subjects", "definitions", "tokens", "users", "units"} {
		w.exec("DELETE FROM " + table)
	}
}

func TestVerifyBoundsFindings(t *testing.T) {
	db := storagetest.Open(t, storage.SQLite)
	x := newTrail(t, db)
	x.unguard()
	x.exec("UPDATE entries SET action = 'x'")
	r, err := db.Verify(t.Context(), storage.VerifyOptions{Findings: 3})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) != 3 || r.More != 9 || r.Intact() {
		t.Errorf("%d findings and %d more, want 3 and 9", len(r.Findings), r.More)
	}
}

func TestVerifyCannotDecide(t *testing.T) {
	db := storagetest.At(t, storagetest.DSN(t, storage.SQLite))
	if _, err := db.Verify(t.Context(), storage.VerifyOptions{}); !errors.Is(err, storage.ErrSchemaOlder) {
		t.Errorf("a database without a schema: %v, want ErrSchemaOlder", err)
	}
}

// bytes returns the stored bytes of an entry.
func (w *world) bytes(subject string, seq int) []byte {
	w.t.Helper()
	var b []byte
	w.must(w.db.SQL().QueryRowContext(w.t.Context(), fmt.Sprintf("SELECT bytes FROM entries WHERE subject = '%s' AND seq = %d", subject, seq)).Scan(&b))
	return b
}
