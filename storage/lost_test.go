package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"bihuan/engine"
	"bihuan/engine/audit"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// cutter is a network between a client and PostgreSQL that breaks when it is told to.
type cutter struct {
	t      *testing.T
	listen net.Listener
	server string

	mu     sync.Mutex
	marker []byte // what the client has to send for the connection to break; nil: never
	mode   cut
	before func() // called when the connection is about to break
	hits   int    // how often the marker was sent, the break included
	hit    func(n int)
	down   bool // nothing gets through any more
}

type cut int

const (
	cutAnswer  cut = iota // the server carries it out and answers, but the answer is lost
	cutRequest            // the server never gets it
	cutAtOnce             // the server gets it, and the client is gone before it answers
)

func newCutter(t *testing.T, dsn string) (*cutter, *storage.DB) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{t: t, listen: listen, server: u.Host}
	u.Host = listen.Addr().String()
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := listen.Accept()
			if err != nil {
				return
			}
			all.Go(func() { c.serve(client) })
		}
	})
	t.Cleanup(func() { listen.Close(); all.Wait() }) // runs after the databases are closed
	return c, storagetest.At(t, u.String())
}

func (c *cutter) arm(marker string, mode cut) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.marker, c.mode, c.hits = []byte(marker), mode, 0
}

// about sets what happens when the connection is about to break.
func (c *cutter) about(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.before = f
}

// triggered tells whether the connection has to break at this chunk.
func (c *cutter) triggered(chunk []byte) (mode cut, yes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.marker == nil || !bytes.Contains(chunk, c.marker) {
		return 0, false
	}
	c.hits++
	if c.hit != nil {
		c.hit(c.hits)
	}
	return c.mode, c.hits == 1
}

func (c *cutter) serve(client net.Conn) {
	defer client.Close()
	c.mu.Lock()
	down := c.down
	c.mu.Unlock()
	if down {
		return
	}
	server, err := net.Dial("tcp", c.server)
	if err != nil {
		c.t.Errorf("dial: %v", err)
		return
	}
	defer server.Close()
	swallow := make(chan struct{})
	back := make(chan struct{})
	go func() { // answers
		defer close(back)
		defer client.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil {
				return
			}
			select {
			case <-swallow:
				// "Z", ready for the next query: whatever was asked has been done.
				if bytes.Contains(buf[:n], []byte{'Z', 0, 0, 0, 5}) {
					c.mu.Lock()
					before := c.before
					c.mu.Unlock()
					if before != nil {
						before()
					}
					return
				}
			default:
				if _, err := client.Write(buf[:n]); err != nil {
					return
				}
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			break
		}
		mode, yes := c.triggered(buf[:n])
		if yes && mode == cutRequest {
			break
		}
		if yes && mode == cutAnswer {
			close(swallow)
		}
		if _, err := server.Write(buf[:n]); err != nil {
			break
		}
		if yes && mode == cutAtOnce {
			client.Close()
			<-back // the server finishes in its own time
			return
		}
	}
	if tcp, ok := server.(*net.TCPConn); ok {
		tcp.CloseWrite()
	}
	<-back
}

// A COMMIT, or a statement that is its own transaction, whose answer gets lost is neither reported as failed nor
// done twice.
func TestLostAnswers(t *testing.T) {
	dsn := storagetest.DSN(t, storage.Postgres)
	straight := storagetest.At(t, dsn)
	if err := straight.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, db := newCutter(t, dsn)
	w := newWorld(t, straight)
	reset := func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.marker, c.before, c.hit, c.down = nil, nil, nil, false
	}
	// once checks that a project stands at a version, with as many entries.
	once := func(t *testing.T, id engine.ProjectID, version int64) {
		t.Helper()
		p := w.get(id)
		page, err := straight.Entries(t.Context(), engine.EntryFilter{Subject: p.Subject()})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(page.Items); p.Version != version || int64(n) != version {
			t.Errorf("version %d with %d entries, want %d", p.Version, n, version)
		}
	}
	broke := func(t *testing.T) {
		t.Helper()
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.hits == 0 {
			t.Error("the connection never broke")
		}
	}
	warm := func(t *testing.T) engine.Project { // so that the statements have been prepared
		t.Helper()
		reset()
		p := w.project("root")
		create := w.change(nil, p)
		update := w.next(create.Project, nil)
		for _, change := range []engine.Change{create, update} {
			if err := db.Commit(t.Context(), change)[0]; err != nil {
				t.Fatal(err)
			}
		}
		return update.Project
	}

	for _, mode := range []struct {
		name string
		cut  cut
	}{{"the answer", cutAnswer}, {"the request", cutRequest}, {"the client", cutAtOnce}} {
		t.Run("update, lost: "+mode.name, func(t *testing.T) {
			p := warm(t)
			change := w.next(p, nil)
			c.arm(change.Entry.ID, mode.cut)
			if err := db.Commit(t.Context(), change)[0]; err != nil {
				t.Errorf("commit: %v", err)
			}
			broke(t)
			once(t, p.ID, 3)
		})
		t.Run("creation, lost: "+mode.name, func(t *testing.T) {
			warm(t)
			change := w.change(nil, w.project("root"))
			c.arm(change.Entry.ID, mode.cut)
			if err := db.Commit(t.Context(), change)[0]; err != nil {
				t.Errorf("commit: %v", err)
			}
			broke(t)
			once(t, change.Project.ID, 1)
		})
		t.Run("several, lost: "+mode.name, func(t *testing.T) {
			p, q := warm(t), warm(t)
			stale := w.next(q, nil)
			q = w.update(q, nil)
			first := w.next(p, nil)
			second := w.next(first.Project, nil)
			fresh := w.change(nil, w.project("root"))
			c.arm("commit", mode.cut)
			got := db.Commit(t.Context(), first, stale, second, fresh)
			if got[0] != nil || !errors.Is(got[1], engine.ErrConflict) || got[2] != nil || got[3] != nil {
				t.Errorf("got %v, want a conflict for the second alone", got)
			}
			broke(t)
			once(t, p.ID, 4)
			once(t, q.ID, 3)
			once(t, fresh.Project.ID, 1)
		})
		t.Run("all or none, lost: "+mode.name, func(t *testing.T) {
			p := warm(t)
			first := w.next(p, nil)
			all := []engine.Change{first, w.next(first.Project, nil)}
			for range 70 { // more than are on their way at once
				all = append(all, w.change(nil, w.project("root")))
			}
			c.arm("commit", mode.cut)
			if err := db.Act(t.Context(), nil, all); err != nil {
				t.Errorf("act: %v", err)
			}
			broke(t)
			once(t, p.ID, 4)
			for _, x := range all[2:] {
				once(t, x.Project.ID, 1)
			}
		})
		t.Run("record, lost: "+mode.name, func(t *testing.T) {
			warm(t)
			subject := "actor/" + newID()
			r := w.record(subject, 0, audit.Digest{}, "sign_in", nil, nil)
			c.arm("commit", mode.cut)
			if err := db.Record(t.Context(), r); err != nil {
				t.Errorf("record: %v", err)
			}
			broke(t)
			if seq, head, err := straight.Head(t.Context(), subject); seq != 1 || head != r.Head || err != nil {
				t.Errorf("the chain ends with %d (%v), want 1", seq, err)
			}
		})
	}

	t.Run("somebody else goes on before we ask again", func(t *testing.T) {
		p := warm(t)
		change := w.next(p, nil)
		c.about(func() {
			if err := straight.Commit(t.Context(), w.next(change.Project, nil))[0]; err != nil {
				t.Errorf("the other's change: %v", err)
			}
		})
		c.arm(change.Entry.ID, cutAnswer)
		if err := db.Commit(t.Context(), change)[0]; err != nil {
			t.Errorf("commit: %v", err)
		}
		broke(t)
		once(t, p.ID, 4)
	})
	t.Run("the lost answer was a conflict", func(t *testing.T) {
		p := warm(t)
		stale := w.next(p, nil)
		p = w.update(p, nil)
		c.arm(stale.Entry.ID, cutAnswer)
		if err := db.Commit(t.Context(), stale)[0]; !errors.Is(err, engine.ErrConflict) {
			t.Errorf("commit: %v, want ErrConflict", err)
		}
		broke(t)
		once(t, p.ID, 3)
	})
	t.Run("the first attempt is still under way when we ask again", func(t *testing.T) {
		p := warm(t)
		change := w.next(p, nil)
		// Somebody holds the row until both attempts wait for it.
		lock, err := straight.SQL().BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lock.ExecContext(t.Context(), fmt.Sprintf("SELECT 1 FROM projects WHERE id = '%s' FOR UPDATE", p.ID)); err != nil {
			t.Fatal(err)
		}
		released := make(chan error, 1)
		c.arm(change.Entry.ID, cutAtOnce)
		c.mu.Lock()
		c.hit = func(n int) {
			if n == 2 {
				go func() { released <- lock.Rollback() }()
			}
		}
		c.mu.Unlock()
		if err := db.Commit(t.Context(), change)[0]; err != nil {
			t.Errorf("commit: %v", err)
		}
		if err := <-released; err != nil {
			t.Error(err)
		}
		once(t, p.ID, 3)
	})
	t.Run("nothing answers any more", func(t *testing.T) {
		p := warm(t)
		change := w.next(p, nil)
		c.about(func() { c.mu.Lock(); c.down = true; c.mu.Unlock() })
		c.arm(change.Entry.ID, cutAnswer)
		err := db.Commit(t.Context(), change)[0]
		if err == nil || errors.Is(err, engine.ErrConflict) || errors.Is(err, engine.ErrDuplicate) {
			t.Errorf("commit: %v, want an error that says neither yes nor no", err)
		}
		once(t, p.ID, 3)
	})
	reset()
}

// Whoever waits no longer than so many seconds does not wait for a lock that somebody keeps.
func TestCommitGivesUpInTime(t *testing.T) {
	db := storagetest.Open(t, storage.Postgres)
	w := newWorld(t, db)
	p := w.create("root", nil)
	lock, err := db.SQL().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Rollback()
	if _, err := lock.ExecContext(t.Context(), fmt.Sprintf("SELECT 1 FROM projects WHERE id = '%s' FOR UPDATE", p.ID)); err != nil {
		t.Fatal(err)
	}
	for _, changes := range [][]engine.Change{{w.next(p, nil)}, {w.next(p, nil), w.change(nil, w.project("root"))}} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		for _, err := range db.Commit(ctx, changes...) {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%d changes: %v, want the context's error", len(changes), err)
			}
		}
		cancel()
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	w.update(p, nil) // and nothing of it has been done
}

// What PostgreSQL says when it ends a session is no answer to what was asked.
func TestCommitSurvivesTermination(t *testing.T) {
	db := storagetest.Open(t, storage.Postgres)
	w := newWorld(t, db)
	p := w.create("root", nil)
	for i := range 5 {
		p = w.update(p, nil)
		if _, err := db.SQL().ExecContext(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"); err != nil && !strings.Contains(err.Error(), "57P01") && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("round %d: %v", i, err)
		}
	}
}
