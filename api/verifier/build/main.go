// Command build compiles the verifier for browsers and lays it where package verifier embeds it, or into a folder that
// its argument names: verifier.wasm.gz, and wasm_exec.js of the Go that compiled it.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

const source = "bihuan/api/verifier/wasm"

func main() {
	dir := filepath.Join("api", "verifier", "built")
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	if err := build(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, "verifier:", err)
		os.Exit(1)
	}
}

func build(ctx context.Context, dir string) error {
	root, err := output(ctx, "env", "GOROOT")
	if err != nil {
		return err
	}
	glue, err := os.ReadFile(filepath.Join(string(root), "lib", "wasm", "wasm_exec.js"))
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "bihuan-verifier-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temp) }() // at worst a folder among the temporary ones
	program := filepath.Join(temp, "verifier.wasm")
	if _, err := output(ctx, "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", program, source); err != nil {
		return err
	}
	wasm, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	_, err = z.Write(wasm)
	if err := errors.Join(err, z.Close()); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(dir, "verifier.wasm.gz"), packed.Bytes(), 0o644),
		os.WriteFile(filepath.Join(dir, "wasm_exec.js"), glue, 0o644))
}

// output runs go for the browser's machine and returns what it says, without the end of the line.
func output(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	return bytes.TrimSpace(out), err
}
