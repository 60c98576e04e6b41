//go:build unix

package storagetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// account is who the server runs as: PostgreSQL refuses to run as root. The zero value is the present user.
type account struct {
	credential *syscall.Credential
}

// unprivileged returns the account to use: another than root if the tests run as root.
func unprivileged() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil && uid != 0 {
			return account{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
		}
	}
	return account{}, errNotFound{"PostgreSQL does not run as root, and there is no user postgres or nobody"}
}

// own gives a file of ours to the account.
func (a account) own(path string) error {
	if a.credential == nil {
		return nil
	}
	return os.Chown(path, int(a.credential.Uid), int(a.credential.Gid))
}

// mkdir makes a folder that belongs to the account, in the first temporary folder that the account can reach.
func (a account) mkdir() (string, error) {
	for _, parent := range []string{os.TempDir(), "/var/tmp", "/tmp"} {
		base, err := filepath.EvalSymlinks(parent)
		if err != nil || !a.reaches(base) {
			continue
		}
		dir, err := os.MkdirTemp(base, "bihuan-postgres-")
		if err != nil {
			continue
		}
		return dir, a.own(dir)
	}
	return "", fmt.Errorf("no temporary folder that an unprivileged user can reach, beginning with %s", os.TempDir())
}

// reaches reports whether every folder on the way lets others pass.
func (a account) reaches(dir string) bool {
	if a.credential == nil {
		return true
	}
	for {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}

func (a account) command(ctx context.Context, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	// Nobody's PGPORT, PGDATA or language may change what is started or how it words its log.
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PG") && !strings.HasPrefix(v, "LC_") && !strings.HasPrefix(v, "LANG") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "LC_ALL=C")
	// A group of its own: Ctrl-C on the terminal is the test's to answer.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: a.credential, Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	return cmd
}

// run runs a program to its end and returns what it wrote.
func (a account) run(dir, program string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// The kernel's "parent died" means the thread that forked, which must therefore outlive the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return a.command(ctx, dir, program, args...).CombinedOutput()
}

// process is a running child.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed at its end
	err    error         // how it ended; read after exited
}

// start starts a program that writes to the log.
func (a account) start(dir, log, program string, args ...string) (*process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }() // the child has its own copy
	p := &process{cmd: a.command(context.Background(), dir, program, args...), exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // for the reason given at run; this thread waits as long as the child lives
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// stop asks for PostgreSQL's immediate shutdown and waits for it.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGQUIT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-p.exited:
		return nil
	case <-timeout.C:
		err := p.cmd.Process.Kill()
		<-p.exited
		return errors.Join(errors.New("postgres did not obey SIGQUIT and was killed"), err)
	}
}

// guardScript waits for the end of its input, which comes when the test process is gone, whatever ended it: exit,
// panic, a test's timeout, kill -9. It then stops the server that the folder belongs to and removes the folder.
// A line instead means that the test process has done so itself. A process id alone proves nothing, so the command
// line must name the folder.
const guardScript = `
read -r line && exit 0
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
ours() {
	[ -n "$pid" ] || return 1
	{ cat "/proc/$pid/cmdline" || ps -o args= -p "$pid"; } 2>/dev/null | tr '\000' ' ' | grep -qF -- "$1/data"
}
n=0
while ours "$1" && [ "$n" -lt 300 ]; do
	[ "$n" -eq 0 ] && kill -QUIT "$pid"
	[ "$n" -eq 250 ] && kill -KILL "$pid"
	sleep 0.1
	n=$((n + 1))
done
rm -rf -- "$1"
`

// guard is the process that cleans up behind a test process that could not.
type guard struct {
	cmd   *exec.Cmd
	input *os.File
}

func startGuard(dir string) (*guard, error) {
	in, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(context.Background(), "/bin/sh", "-c", guardScript, "guard", dir)
	cmd.Dir = "/"
	cmd.Stdin = in
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // whoever kills the test's group must not kill this
	err = cmd.Start()
	if closeErr := in.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return &guard{cmd, out}, nil
}

// dismiss tells the guard that nothing is left to do.
func (g *guard) dismiss() error {
	_, err := g.input.WriteString("done\n")
	return errors.Join(err, g.input.Close(), g.cmd.Wait())
}
