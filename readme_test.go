package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"bihuan/workflows"
)

// What the README prints is what runs: the walk stands in both languages' README as the client example has it.
func TestReadmeShowsTheWalk(t *testing.T) {
	walk := read(t, "examples/client/walk.sh")
	for _, name := range []string{"README.md", "README.zh-CN.md"} {
		if !strings.Contains(read(t, name), walk) {
			t.Errorf("%s does not show examples/client/walk.sh as it is", name)
		}
	}
}

func TestReadmeShowsTheDefinitions(t *testing.T) {
	for _, w := range workflows.Embedded() {
		if w.Off { // the README is about what is on from the start
			continue
		}
		for name, lang := range map[string]string{"README.md": "en", "README.zh-CN.md": "zh-CN"} {
			if !strings.Contains(read(t, name), strings.TrimSpace(workflows.Graph(w, lang))) {
				t.Errorf("%s does not show the diagram of %s as `bihuan workflow graph %s` draws it", name, w.ID, w.ID)
			}
		}
	}
}

var picture = regexp.MustCompile(`!\[[^\]]+\]\((docs/shots/[^)]+)\)`)

// The README shows one project's way in six pictures, which are there and light enough for a page.
func TestReadmePictures(t *testing.T) {
	for _, name := range []string{"README.md", "README.zh-CN.md"} {
		all := picture.FindAllStringSubmatch(read(t, name), -1)
		if len(all) != 6 {
			t.Errorf("%s shows %d pictures", name, len(all))
		}
		for _, m := range all {
			if info, err := os.Stat(m[1]); err != nil || info.Size() > 150<<10 {
				t.Errorf("%s: %s: %v", name, m[1], err)
			}
		}
	}
}

var exported = regexp.MustCompile(`(?m)^\s*export ([A-Z]+)=(\S+)`)

// The walk works as printed, against a fresh demo.
func TestReadmeWalk(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl not found: the README's walk is not run")
	}
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	out, done := &tail{seen: make(chan string, 1)}, make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"demo", "--addr", "127.0.0.1:0", "--dir", dir}, out, os.Stderr, func(string) string { return "" })
	}()
	var addr string
	select {
	case addr = <-out.seen:
	case code := <-done:
		t.Fatalf("the demo ended with %d:\n%s", code, out.String())
	}
	cmd := exec.CommandContext(ctx, "sh", "examples/client/walk.sh")
	cmd.Env = append(os.Environ(), "API=http://"+addr+"/api/v1")
	for _, m := range exported.FindAllStringSubmatch(out.String(), -1) {
		cmd.Env = append(cmd.Env, m[1]+"="+m[2])
	}
	answer, err := cmd.CombinedOutput()
	stop()
	if code := <-done; code != exitOK {
		t.Errorf("the demo ended with %d", code)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, answer)
	}
	lines := strings.Split(strings.TrimSpace(string(answer)), "\n")
	for i, want := range []string{"承办人还没有签收", `"acknowledged_at"`, "形成文本初稿", `"request"`, `"status":403`, `"options"`, `"advance"`, `"approve"`} {
		if i >= len(lines) || !strings.Contains(lines[i], want) {
			t.Fatalf("step %d of %d does not say %s", i+1, len(lines), want)
		}
	}
	var verdict bytes.Buffer
	if code := run(t.Context(), []string{"audit", "verify", "--db", "sqlite:" + filepath.Join(dir, "bihuan.db")}, &verdict, os.Stderr, func(string) string { return "" }); code != 0 {
		t.Errorf("audit verify after the walk: %d\n%s", code, verdict.String())
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// tail keeps what a command prints, and says when the address stands in it.
type tail struct {
	mu   sync.Mutex
	text bytes.Buffer
	seen chan string
	told bool
}

var listening = regexp.MustCompile(`(?m)^listening addr=(\S+)$`)

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	if m := listening.FindSubmatch(w.text.Bytes()); m != nil && !w.told {
		w.told = true
		w.seen <- string(m[1])
	}
	return len(p), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}
