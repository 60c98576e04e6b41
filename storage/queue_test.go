package storage

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"
)

// notes opens a database with one table, which jobs write into.
func notes(t *testing.T) *DB {
	t.Helper()
	db, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "q.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := db.SQL().ExecContext(t.Context(), "CREATE TABLE notes (n INTEGER PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	return db
}

func (db *DB) noted(t *testing.T) string {
	t.Helper()
	var list []string
	if err := db.read.Raw("SELECT n FROM notes ORDER BY n").Scan(&list).Error; err != nil {
		t.Fatal(err)
	}
	return strings.Join(list, " ")
}

func note(n int) *job {
	return &job{do: func(tx *gorm.DB) error { return tx.Exec("INSERT INTO notes VALUES (?)", n).Error }}
}

// What one caller's job does, be it wrong, broken or given up, touches no other's.
func TestQueueKeepsJobsApart(t *testing.T) {
	db := notes(t)
	ctx := t.Context()

	// Hold the writer, so that everything below gathers in one group.
	held, release := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		db.queue.do(ctx, db.write, []*job{{do: func(*gorm.DB) error { close(held); <-release; return nil }}})
	})
	<-held

	errOwn := errors.New("own")
	wrong := &job{do: func(tx *gorm.DB) error {
		if err := tx.Exec("INSERT INTO notes VALUES (50)").Error; err != nil {
			return err
		}
		return errOwn
	}}
	broken := &job{do: func(tx *gorm.DB) error {
		tx.Exec("INSERT INTO notes VALUES (51)")
		panic("broken")
	}}
	calls := [][]*job{{note(1), note(2)}, {wrong}, {note(3), note(3), note(4)}, {broken}, {note(5)}}
	for _, jobs := range calls {
		before := db.queue.length()
		all.Go(func() { db.queue.do(ctx, db.write, jobs) })
		db.queue.waitFor(before + 1)
	}
	gone, cancel := context.WithCancel(ctx)
	givenUp := []*job{note(60)}
	returned := make(chan struct{})
	before := db.queue.length()
	go func() { db.queue.do(gone, db.write, givenUp); close(returned) }()
	db.queue.waitFor(before + 1)
	cancel()
	<-returned // although the writer is still held
	if !errors.Is(givenUp[0].err, context.Canceled) {
		t.Errorf("given up: %v, want context.Canceled", givenUp[0].err)
	}
	close(release)
	all.Wait()

	if got := db.noted(t); got != "1 2 3 4 5" {
		t.Errorf("noted %q, want 1 2 3 4 5", got)
	}
	for i, jobs := range calls {
		for k, j := range jobs {
			want := map[string]string{"1.0": "own", "2.1": "UNIQUE", "3.0": "panic while writing: broken"}[fmt.Sprintf("%d.%d", i, k)]
			if (j.err == nil) != (want == "") || want != "" && !strings.Contains(j.err.Error(), want) {
				t.Errorf("call %d, job %d: %v, want %q", i, k, j.err, want)
			}
		}
	}
}

// A caller with more jobs than a group takes, and callers behind a full group, all get their answers.
func TestQueueBoundsGroups(t *testing.T) {
	db := notes(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	n, groups := 0, 0
	for call := range 12 {
		size := []int{1, 40, maxGroup + 10}[call%3]
		jobs := make([]*job, size)
		for i := range jobs {
			n++
			jobs[i] = note(n)
		}
		all.Go(func() {
			db.queue.do(t.Context(), db.write, jobs)
			mu.Lock()
			defer mu.Unlock()
			groups++
			for i, j := range jobs {
				if j.err != nil {
					t.Errorf("job %d of %d: %v", i, size, j.err)
				}
			}
		})
	}
	all.Wait()
	if got := len(strings.Fields(db.noted(t))); got != n || groups != 12 {
		t.Errorf("%d noted by %d calls, want %d by 12", got, groups, n)
	}
}

// A transaction that cannot be committed fails everybody in it, and nobody is told otherwise.
func TestQueueFailsTogether(t *testing.T) {
	db := notes(t)
	if _, err := db.SQL().ExecContext(t.Context(), "CREATE TABLE child (n INTEGER REFERENCES notes (n) DEFERRABLE INITIALLY DEFERRED)"); err != nil {
		t.Fatal(err)
	}
	orphan := &job{do: func(tx *gorm.DB) error { return tx.Exec("INSERT INTO child VALUES (99)").Error }}
	jobs := []*job{note(1), orphan, note(2)}
	db.queue.do(t.Context(), db.write, jobs)
	for i, j := range jobs {
		if j.err == nil {
			t.Errorf("job %d is told that it was done", i)
		}
	}
	if got := db.noted(t); got != "" {
		t.Errorf("noted %q, want nothing", got)
	}
	again := []*job{note(3)}
	db.queue.do(t.Context(), db.write, again)
	if again[0].err != nil || db.noted(t) != "3" {
		t.Errorf("afterwards: %v, noted %q, want 3", again[0].err, db.noted(t))
	}
}

func TestQueueWithoutJobsOrTime(t *testing.T) {
	db := notes(t)
	db.queue.do(t.Context(), db.write, nil)
	done, cancel := context.WithCancel(t.Context())
	cancel()
	jobs := []*job{note(1)}
	db.queue.do(done, db.write, jobs)
	if errors.Is(jobs[0].err, context.Canceled) != (db.noted(t) == "") {
		t.Errorf("answer %v, noted %q: one of them is wrong", jobs[0].err, db.noted(t))
	}
}

func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// waitFor returns when so many calls wait.
func (q *queue) waitFor(n int) {
	for q.length() < n {
		runtime.Gosched()
	}
}
