//go:build unix

package storagetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func TestMain(m *testing.M) { os.Exit(Run(m)) }

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func show(t *testing.T, conn *pgx.Conn, setting string) (value string) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), "SHOW "+setting).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func address(t *testing.T, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

func TestPostgres(t *testing.T) {
	var first string
	t.Run("settings", func(t *testing.T) {
		first = Postgres(t)
		conn := connect(t, first)
		for setting, want := range map[string]string{
			"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "max_connections": "100",
			"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "server_encoding": "UTF8",
			"timezone": "Asia/Shanghai", "password_encryption": "scram-sha-256",
		} {
			if got := show(t, conn, setting); got != want {
				t.Errorf("%s is %q, want %q", setting, got, want)
			}
		}
	})
	if first == "" {
		t.Skip("no PostgreSQL")
	}
	t.Run("databases are apart", func(t *testing.T) {
		a, b := Postgres(t), Postgres(t)
		if a == b || address(t, a) != address(t, b) {
			t.Fatalf("%s and %s must be two databases of one cluster", a, b)
		}
		if _, err := connect(t, a).Exec(t.Context(), "CREATE TABLE x (y int)"); err != nil {
			t.Fatal(err)
		}
		_, err := connect(t, b).Exec(t.Context(), "SELECT y FROM x")
		if !failed(err, "42P01") {
			t.Errorf("got %v, want undefined_table", err)
		}
	})
	t.Run("the first is dropped", func(t *testing.T) {
		if _, err := pgx.Connect(t.Context(), first); !failed(err, "3D000") {
			t.Errorf("got %v, want invalid_catalog_name", err)
		}
	})
	t.Run("the password is needed", func(t *testing.T) {
		u, err := url.Parse(Postgres(t))
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(superuser, "wrong")
		if _, err := pgx.Connect(t.Context(), u.String()); !failed(err, "28P01") {
			t.Errorf("got %v, want invalid_password", err)
		}
	})
}

func failed(err error, code string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == code
}

func TestPostgresDurable(t *testing.T) {
	var dsn, folder string
	t.Run("start", func(t *testing.T) {
		shared := Postgres(t)
		dsn = PostgresDurable(t)
		if address(t, dsn) == address(t, shared) {
			t.Error("it is the shared cluster")
		}
		folder = filepath.Dir(show(t, connect(t, dsn), "data_directory"))
	})
	if dsn == "" {
		t.Skip("no PostgreSQL")
	}
	if listens(t, address(t, dsn)) {
		t.Error("it still listens after its test")
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder: got %v, want it gone", err)
	}
}

func listens(t *testing.T, address string) bool {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", address)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// A test process that is killed can clean up nothing, and must still leave no server and no folder.
func TestKilledProcess(t *testing.T) {
	const child = "BIHUAN_STORAGETEST_CHILD"
	if os.Getenv(child) != "" {
		dsn := Postgres(t)
		fmt.Printf("child %s %s\n", address(t, dsn), shared.cluster.dir)
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
		return
	}
	Postgres(t) // skips where there is none

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestKilledProcess$", "-test.v")
	cmd.Env = append(os.Environ(), child+"=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stdin.Close() }()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var addr, folder string
	lines := bufio.NewScanner(stdout)
	for folder == "" && lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "child "); ok {
			addr, folder, _ = strings.Cut(rest, " ")
		}
	}
	if folder == "" || !listens(t, addr) {
		t.Fatalf("the child did not start its cluster: %q %q", addr, folder)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // "signal: killed"

	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		_, err := os.Stat(folder)
		if errors.Is(err, os.ErrNotExist) && !listens(t, addr) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("left behind: folder %v, listening %v", err, listens(t, addr))
		case <-tick.C:
		}
	}
}

func TestCandidates(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"9.6", "13", "15", "100"} {
		program(t, filepath.Join(root, "debian", dir, "bin", "initdb"), "")
	}
	program(t, filepath.Join(root, "path", "initdb"), "")
	if err := os.MkdirAll(filepath.Join(root, "links"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(root, "debian", "15", "bin", "initdb"), filepath.Join(root, "links", "initdb")); err != nil {
		t.Fatal(err)
	}
	searchPath := strings.Join([]string{
		filepath.Join(root, "links"), filepath.Join(root, "none"), filepath.Join(root, "path"),
	}, string(filepath.ListSeparator))

	got := candidates(filepath.Join(root, "debian", "*", "bin"), searchPath)
	for i := range got {
		rel, err := filepath.Rel(root, got[i])
		if err != nil {
			t.Fatal(err)
		}
		got[i] = filepath.ToSlash(rel)
	}
	want := []string{"debian/100/bin", "debian/15/bin", "debian/13/bin", "debian/9.6/bin", "path"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// program writes a shell script that others may run too.
func program(t *testing.T, path, body string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestWorks(t *testing.T) {
	tests := []struct {
		name, initdb, postgres string
		want                   bool
	}{
		{"both", "echo 'initdb (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)'", "echo 'postgres (PostgreSQL) 15.18'", true},
		{"a development version", "echo 'initdb (PostgreSQL) 19devel'", "echo 'postgres (PostgreSQL) 19devel'", true},
		{"a wrapper that fails", "exit 1", "echo 'postgres (PostgreSQL) 15.18'", false},
		{"a wrapper that says something else", "echo 'use pg_createcluster'", "echo 'postgres (PostgreSQL) 15.18'", false},
		{"no postgres", "echo 'initdb (PostgreSQL) 15.18'", "", false},
		{"two versions", "echo 'initdb (PostgreSQL) 14.1'", "echo 'postgres (PostgreSQL) 15.18'", false},
		{"too old", "echo 'initdb (PostgreSQL) 12.22'", "echo 'postgres (PostgreSQL) 12.22'", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bin := t.TempDir()
			program(t, filepath.Join(bin, "initdb"), tt.initdb)
			if tt.postgres != "" {
				program(t, filepath.Join(bin, "postgres"), tt.postgres)
			}
			if got := (account{}).works(bin); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// recorder stands for a test that is told to skip or to fail; both end it, so it panics with what it was told.
type recorder struct{ testing.TB }

func (recorder) Helper() {}

func (recorder) Skipf(format string, args ...any) { panic("skip: " + fmt.Sprintf(format, args...)) }

func (recorder) Fatalf(format string, args ...any) { panic("fatal: " + fmt.Sprintf(format, args...)) }

func TestUnavailable(t *testing.T) {
	missing := errNotFound{"nothing found"}
	tests := []struct {
		name, required string
		err            error
		want           string
	}{
		{"not there", "", missing, "skip: PostgreSQL tests skipped: nothing found"},
		{"not there but required", "required", missing, "fatal: PostgreSQL is required: nothing found"},
		{"there but broken", "", errors.New("initdb: no space"), "fatal: throw-away PostgreSQL: initdb: no space"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(requiredEnv, tt.required)
			defer func() {
				if got := recover(); got != tt.want {
					t.Errorf("got %v, want %v", got, tt.want)
				}
			}()
			unavailable(recorder{t}, tt.err)
		})
	}
}

func TestReaches(t *testing.T) {
	open := t.TempDir()
	closed := filepath.Join(open, "closed")
	inner := filepath.Join(closed, "inner")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	if !(account{}).reaches(inner) {
		t.Error("one's own folders must be in reach")
	}
	other := account{&syscall.Credential{Uid: 65534, Gid: 65534}}
	if other.reaches(inner) {
		t.Error("a folder inside a closed one must be out of reach")
	}
	if !other.reaches("/") {
		t.Error("the root must be in reach")
	}
}
