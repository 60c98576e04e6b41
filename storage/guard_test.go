package storage_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// The trail refuses whatever would change what stands in it.
func TestTrailOnlyGrows(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		p := w.create("root", nil)
		c := w.next(p, nil)
		c.Evidence = []engine.Evidence{{ID: newID(), ProjectID: p.ID, SHA256: audit.HashContent(nil), At: start}}
		w.must(w.commit(c))

		sessions := []string{""}
		statements := []string{"UPDATE %s SET note_or_action = 'x'", "UPDATE %s SET id = id", "DELETE FROM %s", "DELETE FROM %s WHERE 1 = 1"}
		if db.Backend() == storage.Postgres {
			sessions = append(sessions, "SET session_replication_role = replica")
			statements = append(statements, "TRUNCATE %s", "TRUNCATE %s CASCADE", "TRUNCATE projects CASCADE",
				"INSERT INTO %s SELECT * FROM %[1]s ON CONFLICT (id) DO UPDATE SET id = excluded.id")
		} else {
			sessions = append(sessions, "PRAGMA recursive_triggers = OFF")
			statements = append(statements, "INSERT OR REPLACE INTO %s SELECT * FROM %[1]s", "REPLACE INTO %s SELECT * FROM %[1]s",
				"UPDATE OR REPLACE %s SET id = id", "INSERT INTO %s SELECT * FROM %[1]s WHERE true ON CONFLICT (id) DO UPDATE SET id = excluded.id")
		}
		for _, session := range sessions {
			conn, err := db.SQL().Conn(t.Context())
			w.must(err)
			if session != "" {
				if _, err := conn.ExecContext(t.Context(), session); err != nil {
					t.Fatal(err)
				}
			}
			for _, table := range []string{"entries", "evidence"} {
				for _, statement := range statements {
					text := statement
					if strings.Contains(text, "%") {
						text = fmt.Sprintf(statement, table)
					}
					text = strings.ReplaceAll(text, "note_or_action", map[string]string{"entries": "action", "evidence": "note"}[table])
					if _, err := conn.ExecContext(t.Context(), text); err == nil {
						t.Errorf("%q: %s succeeded", session, text)
					} else if !strings.Contains(err.Error(), "never") {
						t.Errorf("%s: %v, want the refusal of a trigger", text, err)
					}
				}
			}
			if db.Backend() == storage.SQLite {
				if _, err := conn.ExecContext(t.Context(), `INSERT OR REPLACE INTO entries
					SELECT '`+newID()+`', log, at, subject, seq, prev, hash, actor_id, actor_role, action, unit_id, from_stage, to_stage, version, bytes
					FROM entries WHERE seq = 2`); err == nil {
					t.Errorf("%q: an entry was replaced by one with another id", session)
				}
			}
			w.must(conn.Close())
		}
		if r := verify(t, db, 0); !r.Intact() || r.Checked.Evidence != 0 && len(r.Findings) > 0 {
			// The evidence was put in without an entry that tells of it; that is the one finding.
			if len(r.Findings) != 1 || r.Findings[0].Check != storage.CheckEvidence {
				t.Errorf("findings: %+v", r.Findings)
			}
		}
	})
}

func TestCheckGuards(t *testing.T) {
	tests := map[string][]struct{ statement, want string }{
		storage.SQLite: {
			{"DROP TRIGGER entries_no_delete", "entries_no_delete is missing"},
			{"DROP TRIGGER evidence_no_update", "evidence_no_update is missing"},
			{"DROP TRIGGER entries_no_update; CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries BEGIN SELECT 1; END", "entries_no_update was altered"},
			{"DROP TRIGGER entries_no_replace; CREATE TRIGGER entries_no_replace AFTER INSERT ON entries WHEN false BEGIN SELECT RAISE(ABORT, 'entries are never replaced'); END", "entries_no_replace was altered"},
		},
		storage.Postgres: {
			{"ALTER TABLE entries DISABLE TRIGGER entries_no_change", "entries.entries_no_change is not always enabled"},
			{"ALTER TABLE entries ENABLE TRIGGER entries_no_truncate", "entries.entries_no_truncate is not always enabled"},
			{"DROP TRIGGER evidence_no_change ON evidence", "evidence.evidence_no_change is missing"},
			{"DROP TRIGGER evidence_no_truncate ON evidence; CREATE TRIGGER evidence_no_truncate BEFORE INSERT ON evidence EXECUTE FUNCTION refuse_change(); ALTER TABLE evidence ENABLE ALWAYS TRIGGER evidence_no_truncate", "evidence.evidence_no_truncate was altered"},
			{"DROP TRIGGER IF EXISTS evidence_no_change ON evidence; CREATE TRIGGER evidence_no_change BEFORE UPDATE OR DELETE ON evidence FOR EACH ROW WHEN (OLD.size < 0) EXECUTE FUNCTION refuse_change(); ALTER TABLE evidence ENABLE ALWAYS TRIGGER evidence_no_change", "evidence.evidence_no_change was altered"},
			{"CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'", "entries.entries_no_change"},
		},
	}
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		if wrong, err := db.CheckGuards(t.Context()); err != nil || len(wrong) != 0 {
			t.Fatalf("a fresh database: %v (%v), want nothing", wrong, err)
		}
		for _, test := range tests[db.Backend()] {
			if _, err := db.SQL().ExecContext(t.Context(), test.statement); err != nil {
				t.Fatal(err)
			}
			wrong, err := db.CheckGuards(t.Context())
			if err != nil || !slices.ContainsFunc(wrong, func(s string) bool { return strings.Contains(s, test.want) }) {
				t.Errorf("after %s: %v (%v), want %q", test.statement, wrong, err, test.want)
			}
		}
	})
}

// Times that are not in UTC would sort wrongly as text.
func TestSQLiteRefusesOtherZones(t *testing.T) {
	db := storagetest.Open(t, storage.SQLite)
	w := newWorld(t, db)
	p := w.create("root", nil)
	for _, column := range []string{"next_at", "red_at", "orange_at", "yellow_at", "stage_due", "updated_at"} {
		for _, value := range []string{"2026-11-30 08:00:00+08:00", "2026-11-30T00:00:00Z", "soon"} {
			if _, err := db.SQL().ExecContext(t.Context(), fmt.Sprintf("UPDATE projects SET %s = '%s' WHERE id = '%s'", column, value, p.ID)); err == nil {
				t.Errorf("%s took %s", column, value)
			}
		}
		w.exec(fmt.Sprintf("UPDATE projects SET %s = '2026-11-30 00:00:00.123456+00:00' WHERE id = '%s'", column, p.ID))
	}
}
