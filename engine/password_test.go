package engine_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"bihuan/engine"
	"bihuan/storage"
	"bihuan/storage/storagetest"
	"bihuan/workflows"
)

const (
	onePHC   = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$b25l"
	otherPHC = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$b3RoZXI"
)

// Who may set whose password, and that somebody else's choice must be changed.
func TestSetPasswordRights(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		for _, tt := range []struct {
			who, user  string
			key        string // of the refusal, "" for none
			mustChange bool
		}{
			{"owner", "owner", "", false},
			{"security", "security", "", false},
			{"operator", "security", "", false},
			{"admin", "owner", "", true},
			{"admin", "leader", "", true},
			{"branchadmin", "secretary", "", true},
			{"branchadmin", "leader", "account.above_scope", false},
			{"admin", "security", "account.separated", false},
			{"admin", "inspector", "account.separated", false},
			{"admin", "branchadmin", "account.separated", false},
			{"security", "owner", "act.role", false},
			{"leader", "owner", "act.role", false},
			{"nobody", "no-such-person", "act.role", false},
			{"admin", "no-such-person", "user.unknown", false},
		} {
			t.Run(tt.who+" sets "+tt.user, func(t *testing.T) {
				who := engine.Operator()
				if tt.who != "operator" {
					who = h.people[tt.who]
				}
				before, _ := h.e.User(t.Context(), tt.user)
				after, err := h.e.SetPassword(t.Context(), who, tt.user, onePHC, false)
				if tt.key != "" {
					if e, ok := errors.AsType[*engine.Error](err); !ok || e.Key != tt.key {
						t.Fatalf("error %v, want %s", err, tt.key)
					}
					if now, _ := h.e.User(t.Context(), tt.user); now.Version != before.Version {
						t.Error("the user has changed")
					}
					return
				}
				if err != nil || after.Version != before.Version+1 {
					t.Fatalf("version %d after %d: %v", after.Version, before.Version, err)
				}
				p, err := db.Password(t.Context(), after.ID)
				if err != nil || p.PHC != onePHC || p.MustChange != tt.mustChange {
					t.Errorf("stored %+v (%v), want must change %v", p, err, tt.mustChange)
				}
			})
		}
	})
}

func TestSetPasswordIsAnEntryWithoutTheHash(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		u, err := h.e.SetPassword(t.Context(), engine.Operator(), "owner", onePHC, true)
		if err != nil {
			t.Fatal(err)
		}
		list, err := db.Entries(t.Context(), engine.EntryFilter{Subject: engine.SubjectUser + "/" + string(u.ID), Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		e := list.Items[0]
		if e.Action != "set_password" || e.Actor.ID != "operator" || !strings.Contains(string(e.Data), `"must_change":true`) {
			t.Errorf("the newest entry is %s", e.Bytes)
		}
		if strings.Contains(string(e.Bytes), "argon2") || strings.Contains(string(e.Bytes), "c29tZXNhbHR") {
			t.Errorf("the entry shows the hash: %s", e.Bytes)
		}
		if _, err := h.e.SetPassword(t.Context(), engine.Operator(), "owner", "plain text", false); err == nil {
			t.Error("plain text was stored")
		}
		if _, err := h.e.Disable(t.Context(), engine.Operator(), "owner"); err != nil {
			t.Fatal(err)
		}
		if _, err := h.e.SetPassword(t.Context(), engine.Operator(), "owner", otherPHC, false); engine.KindOf(err) != engine.Blocked {
			t.Errorf("a closed account got a password: %v", err)
		}
		if r, err := db.Verify(t.Context(), storage.VerifyOptions{}); err != nil || !r.Intact() {
			t.Errorf("verify: %v %+v", err, r.Findings)
		}
	})
}

// The separated office is checked against the state that is changed: whoever becomes security administrator at the
// moment of a reset is not reset.
func TestSetPasswordSeesARoleGivenMeanwhile(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := settle(t, db, "2026-09-24 10:00")
		late := &betweenReads{Store: db}
		e, err := engine.New(t.Context(), engine.Config{Store: late, Compile: workflows.Compile, Now: h.clock.now, Site: site})
		if err != nil {
			t.Fatal(err)
		}
		late.once = func() {
			if _, err := h.e.Grant(t.Context(), engine.Operator(), "nobody", "p", engine.Security); err != nil {
				t.Error(err)
			}
		}
		if _, err := e.SetPassword(t.Context(), h.people["admin"], "nobody", onePHC, true); engine.KindOf(err) != engine.Conflict {
			t.Errorf("error %v, want a conflict", err)
		}
		if _, err := db.Password(t.Context(), h.people["nobody"].ID); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("a password was set: %v", err)
		}
	})
}

// betweenReads is a store in which something else happens right before the next record is written.
type betweenReads struct {
	engine.Store
	once func()
	done sync.Once
}

func (b *betweenReads) Record(ctx context.Context, r engine.Record) error {
	if b.once != nil {
		b.done.Do(b.once)
	}
	return b.Store.Record(ctx, r)
}
