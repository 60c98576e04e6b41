package storagetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// requiredEnv, set to "required", turns the skip of a machine without PostgreSQL into a failure.
const requiredEnv = "BIHUAN_TEST_POSTGRES"

// patience bounds every wait for the server. It only ends a run that has gone wrong, so it is generous.
const patience = 2 * time.Minute

// Postgres returns the DSN of a fresh, empty database, which is dropped when the test ends. The server behind it is
// a throw-away cluster that all tests of the process share, with PostgreSQL's own durable settings: fsync is on.
// It listens on loopback only, with a password of its own, and goes away with the process however that ends.
// Where there is no PostgreSQL the test is skipped, or fails if BIHUAN_TEST_POSTGRES=required.
func Postgres(t testing.TB) (dsn string) {
	t.Helper()
	return fresh(t, func(*cluster) (string, error) { return "template0", nil })
}

// fresh returns the DSN of a copy of a database of the shared cluster.
func fresh(t testing.TB, of func(c *cluster) (name string, err error)) (dsn string) {
	t.Helper()
	shared.Lock()
	if !shared.tried {
		shared.tried = true
		shared.cluster, shared.err = startCluster("shared_buffers=32MB")
	}
	c, err := shared.cluster, shared.err
	shared.Unlock()
	if err != nil {
		unavailable(t, err)
	}
	template, err := of(c)
	if err != nil {
		t.Fatalf("migrate a template: %v", err)
	}
	name, err := c.create(template)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.drop(name); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return c.dsn(name)
}

// PostgresDurable is Postgres with a cluster of the test's own, for benchmarks and for tests that kill things: no
// other test shares its log and its buffers, and that it syncs every commit has been asked, not assumed.
func PostgresDurable(t testing.TB) (dsn string) {
	t.Helper()
	c, err := startCluster("shared_buffers=128MB", "fsync=on", "full_page_writes=on", "synchronous_commit=on")
	if err != nil {
		unavailable(t, err)
	}
	t.Cleanup(func() {
		if err := c.stop(); err != nil {
			t.Errorf("stop the test's cluster: %v", err)
		}
	})
	for _, setting := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		var value string
		if err := c.query("SHOW "+setting, &value); err != nil {
			t.Fatal(err)
		}
		if value != "on" {
			t.Fatalf("%s is %s", setting, value)
		}
	}
	name, err := c.create("template0")
	if err != nil {
		t.Fatal(err)
	}
	return c.dsn(name)
}

// Run is for a package's TestMain, os.Exit(storagetest.Run(m)): it runs the tests and waits until the shared
// cluster has stopped. Without it the cluster stops a moment after the process has ended.
func Run(m *testing.M) (code int) {
	code = m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil {
		return code
	}
	if err := shared.cluster.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "storagetest:", err)
		return max(code, 1)
	}
	shared.cluster, shared.err = nil, errors.New("the cluster was stopped at the end of the tests")
	return code
}

// shared is the process's cluster, started by the first test that asks.
var shared struct {
	sync.Mutex
	tried   bool
	cluster *cluster
	err     error
}

// errNotFound is the one reason to skip: everything else that goes wrong is a failure.
type errNotFound struct{ reason string }

func (e errNotFound) Error() string { return e.reason }

func unavailable(t testing.TB, err error) {
	t.Helper()
	var missing errNotFound
	switch {
	case !errors.As(err, &missing):
		t.Fatalf("throw-away PostgreSQL: %v", err)
	case os.Getenv(requiredEnv) == "required":
		t.Fatalf("PostgreSQL is required: %v", err)
	default:
		t.Skipf("PostgreSQL tests skipped: %v", err)
	}
}

// cluster is one running server.
type cluster struct {
	dir      string // everything of it lies here: data, log
	bin      string
	account  account
	guard    *guard
	settings []string
	port     int
	password string
	server   *process
	names    atomic.Int64

	migrating sync.Once // the template of copies
	migrated  string
	failed    error
}

// startCluster makes a cluster and returns when it answers.
func startCluster(settings ...string) (*cluster, error) {
	who, err := unprivileged()
	if err != nil {
		return nil, err
	}
	bin, err := findPostgres(who)
	if err != nil {
		return nil, err
	}
	dir, err := who.mkdir()
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir, bin: bin, account: who, password: rand.Text(), settings: settings}
	if c.guard, err = startGuard(dir); err == nil {
		err = c.init()
	}
	if err == nil {
		err = c.start()
	}
	if err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

func (c *cluster) data() string { return c.dir + "/data" }
func (c *cluster) log() string  { return c.dir + "/postgres.log" }

func (c *cluster) init() error {
	secret := c.dir + "/password"
	if err := os.WriteFile(secret, []byte(c.password+"\n"), 0o600); err != nil {
		return err
	}
	if err := c.account.own(secret); err != nil {
		return err
	}
	// No sync: the folder is thrown away after a power cut anyway. What tests commit later is synced.
	out, err := c.account.run(c.dir, c.bin+"/initdb", "-D", c.data(), "-U", superuser, "--pwfile="+secret,
		"-A", "scram-sha-256", "--locale=C", "-E", "UTF8", "--no-sync")
	if err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return os.Remove(secret)
}

// superuser is the only role of a cluster.
const superuser = "bihuan"

// errPort says that somebody took the port between choosing it and listening on it.
var errPort = errors.New("the port was taken")

func (c *cluster) start() (err error) {
	for range 5 {
		if c.port, err = freePort(); err != nil {
			return err
		}
		if err = c.startAt(c.port); !errors.Is(err, errPort) {
			return err
		}
	}
	return err
}

func (c *cluster) startAt(port int) error {
	args := []string{"-D", c.data(), "-p", strconv.Itoa(port)}
	for _, s := range append([]string{
		"listen_addresses=127.0.0.1",
		"unix_socket_directories=", // none: loopback with a password is all that tests need
		"max_connections=100",
		"timezone=Asia/Shanghai", // as on the machines that this is for; nothing may lean on a server in UTC
	}, c.settings...) {
		args = append(args, "-c", s)
	}
	server, err := c.account.start(c.dir, c.log(), c.bin+"/postgres", args...)
	if err != nil {
		return err
	}
	c.server = server

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, c.dsn("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-server.exited:
			log := c.tail()
			if strings.Contains(log, "could not bind") || strings.Contains(log, "Address already in use") {
				return errPort
			}
			return fmt.Errorf("postgres ended: %w\n%s", server.err, log)
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w\n%s", err, c.tail())
		case <-tick.C:
		}
	}
}

// stop ends the server without a shutdown checkpoint, since nobody will start it again, and removes the folder.
func (c *cluster) stop() error {
	var errs []error
	if c.server != nil {
		errs = append(errs, c.server.stop())
	}
	errs = append(errs, os.RemoveAll(c.dir))
	if c.guard != nil {
		errs = append(errs, c.guard.dismiss())
	}
	return errors.Join(errs...)
}

func (c *cluster) tail() string {
	b, err := os.ReadFile(c.log())
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-4096):])
}

func (c *cluster) dsn(database string) string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=disable", superuser, c.password, c.port, database)
}

func (c *cluster) create(template string) (string, error) {
	name := fmt.Sprintf("test_%d", c.names.Add(1))
	return name, c.exec("CREATE DATABASE " + name + " TEMPLATE " + template)
}

// drop closes what a failed test left open.
func (c *cluster) drop(name string) error {
	return c.exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)")
}

func (c *cluster) exec(sql string) error {
	return c.admin(func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql)
		return err
	})
}

func (c *cluster) query(sql string, into any) error {
	return c.admin(func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, sql).Scan(into)
	})
}

func (c *cluster) admin(do func(context.Context, *pgx.Conn) error) error {
	return c.on("postgres", do)
}

func (c *cluster) on(database string, do func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.dsn(database))
	if err != nil {
		return err
	}
	return errors.Join(do(ctx, conn), conn.Close(ctx))
}

// freePort asks the system for a port of loopback that nobody listens on now.
func freePort() (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	addr, ok := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil {
		return 0, err
	}
	if !ok {
		return 0, fmt.Errorf("unexpected address %v", l.Addr())
	}
	return addr.Port, nil
}
