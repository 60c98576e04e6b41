package storage_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/storage"
)

// start is when the tests' world begins; it has microseconds, so that losing them shows.
var start = time.Date(2026, 9, 24, 1, 2, 3, 456789000, time.UTC)

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// ptr returns the address of a copy.
func ptr[T any](v T) *T { return &v }

// world is a database with units and people, and what it takes to change things without the engine.
type world struct {
	t     *testing.T
	db    *storage.DB
	log   string
	now   time.Time
	units map[string]engine.Unit
	made  int
}

func newWorld(t *testing.T, db *storage.DB) *world {
	t.Helper()
	log, err := db.Log(t.Context())
	if err != nil {
		t.Fatalf("log: %v", err)
	}
	w := &world{t: t, db: db, log: log, now: start, units: map[string]engine.Unit{}}
	w.unit("root", "")
	return w
}

// tick moves the world's clock on and returns its time.
func (w *world) tick() time.Time {
	w.now = w.now.Add(time.Second + time.Microsecond)
	return w.now
}

// unit adds a unit under the one with the code parent.
func (w *world) unit(code, parent string) engine.Unit {
	w.t.Helper()
	u := engine.Unit{ID: engine.UnitID(newID()), Code: code, Name: "单位 " + code, CreatedAt: w.tick(), Version: 1}
	u.Path = "/" + string(u.ID) + "/"
	if parent != "" {
		up := w.units[parent]
		u.ParentID, u.Path = up.ID, up.Path+string(u.ID)+"/"
	}
	w.addUnit(u)
	return u
}

func (w *world) addUnit(u engine.Unit) {
	w.t.Helper()
	w.units[u.Code] = u
	r := w.record(engine.SubjectUnit+"/"+string(u.ID), 0, audit.Digest{}, "add_unit", nil, u)
	r.Unit = &u
	w.must(w.db.Record(w.t.Context(), r))
}

// user adds a user with grants.
func (w *world) user(login string, grants ...engine.Grant) engine.User {
	w.t.Helper()
	salt := audit.NewSalt()
	u := engine.User{ID: engine.UserID(newID()), Login: login, Name: "人 " + login, Grants: grants, CreatedAt: w.tick(), Version: 1}
	u.Personal = engine.Personal(salt, u.Login, u.Name).String()
	r := w.record(engine.SubjectUser+"/"+string(u.ID), 0, audit.Digest{}, "add_user", nil, u)
	r.User, r.Salt = &u, salt
	w.must(w.db.Record(w.t.Context(), r))
	return u
}

// entry returns an entry of a subject that sets the difference between two states.
func (w *world) entry(subject string, base int64, prev audit.Digest, action string, before, after any) (audit.Entry, []byte, audit.Digest) {
	w.t.Helper()
	e := audit.Entry{V: audit.Format, Log: w.log, ID: newID(), At: w.tick(), Actor: audit.Actor{ID: "operator", Via: audit.ViaCLI},
		Action: action, Subject: subject, Seq: base + 1, Prev: prev, Version: base + 1}
	if after != nil {
		set, err := audit.Diff(asJSON(w.t, before), asJSON(w.t, after))
		w.must(err)
		e.Data = asJSON(w.t, map[string]any{"set": set})
	}
	b, err := e.Bytes()
	w.must(err)
	return e, b, audit.HashEntry(b)
}

func (w *world) record(subject string, base int64, prev audit.Digest, action string, before, after any) engine.Record {
	w.t.Helper()
	e, b, h := w.entry(subject, base, prev, action, before, after)
	return engine.Record{Base: base, Entry: e, Bytes: b, Head: h}
}

// project returns a project that nobody has stored yet.
func (w *world) project(unit string) engine.Project {
	w.made++
	at := w.tick()
	u := w.units[unit]
	return engine.Project{ID: engine.ProjectID(newID()), Number: fmt.Sprintf("SS2026-%04d", w.made), Kind: "shishi", Definition: "d1",
		UnitID: u.ID, UnitPath: u.Path, Title: fmt.Sprintf("项目 %d", w.made), Stage: "plan", StageSince: at,
		CreatedBy: "operator", CreatedAt: at, UpdatedAt: at}
}

// change returns the change that leads from before, as stored, to after.
func (w *world) change(before *engine.Project, after engine.Project) engine.Change {
	w.t.Helper()
	c := engine.Change{}
	var old any
	var prev audit.Digest
	action := "create"
	if before != nil {
		c.Base, old, prev, action = before.Version, before, before.Head, "edit"
	}
	after.Version = c.Base + 1
	e, _, _ := w.entry(after.Subject(), c.Base, prev, action, old, after)
	e.Unit, e.To = string(after.UnitID), string(after.Stage)
	if before != nil {
		e.From = string(before.Stage)
	}
	return w.seal(engine.Change{Base: c.Base, Project: after, Entry: e})
}

// seal makes bytes and head follow from the entry.
func (w *world) seal(c engine.Change) engine.Change {
	w.t.Helper()
	b, err := c.Entry.Bytes()
	w.must(err)
	c.Bytes, c.Project.Head = b, audit.HashEntry(b)
	return c
}

// create stores a project as edit has made it.
func (w *world) create(unit string, edit func(p *engine.Project)) engine.Project {
	w.t.Helper()
	p := w.project(unit)
	if edit != nil {
		edit(&p)
	}
	c := w.change(nil, p)
	w.must(w.commit(c))
	return c.Project
}

// update stores a changed project.
func (w *world) update(p engine.Project, edit func(p *engine.Project)) engine.Project {
	w.t.Helper()
	c := w.next(p, edit)
	w.must(w.commit(c))
	return c.Project
}

// next returns a change of a stored project.
func (w *world) next(p engine.Project, edit func(p *engine.Project)) engine.Change {
	w.t.Helper()
	after := p
	after.UpdatedAt = w.tick()
	if edit != nil {
		edit(&after)
	}
	return w.change(&p, after)
}

func (w *world) commit(changes ...engine.Change) error {
	return errors.Join(w.db.Commit(w.t.Context(), changes...)...)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// get reads a project that exists.
func (w *world) get(id engine.ProjectID) engine.Project {
	w.t.Helper()
	p, err := w.db.Project(w.t.Context(), id)
	w.must(err)
	return p
}

// count counts the rows of a table.
func (w *world) count(table string) int {
	w.t.Helper()
	var n int
	w.must(w.db.SQL().QueryRowContext(w.t.Context(), "SELECT count(*) FROM "+table).Scan(&n))
	return n
}

// exec runs a statement as somebody with the database in hands would.
func (w *world) exec(text string) {
	w.t.Helper()
	if _, err := w.db.SQL().ExecContext(w.t.Context(), text); err != nil {
		w.t.Fatalf("%s: %v", text, err)
	}
}

func asJSON(t *testing.T, v any) json.RawMessage {
	t.Helper()
	if v == nil {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
