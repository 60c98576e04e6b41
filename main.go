// Command bihuan is the whole product: the server, its clock, and the tools around them. "bihuan help" lists the
// commands; each prints examples with --help.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // days begin and end in the site's zone, whether or not the machine knows it

	"github.com/alecthomas/kong"
)

// Exit codes. "audit verify" has codes of its own, which scripts rely on: see cmd_audit.go.
const (
	exitOK     = 0
	exitFailed = 1 // refused, failed, or something was found wrong
	exitUsage  = 2 // the command line makes no sense
)

// commands is the grammar of the command line. Sentences about commands and flags are in the message catalogue
// under cli.cmd and cli.flag; examples are returned by the Help methods.
type commands struct {
	Lang string `placeholder:"LANG" enum:",zh-CN,zh,en" default:""`
	Help bool   `short:"h"`

	Serve    serveCmd    `cmd:""`
	Demo     demoCmd     `cmd:""`
	Migrate  migrateCmd  `cmd:""`
	Import   importCmd   `cmd:""`
	Mapping  mappingCmd  `cmd:""`
	Export   exportCmd   `cmd:""`
	List     listCmd     `cmd:""`
	Score    scoreCmd    `cmd:""`
	Sheet    sheetCmd    `cmd:""`
	Workflow workflowCmd `cmd:""`
	Simulate simulateCmd `cmd:""`
	Calendar calendarCmd `cmd:""`
	Audit    auditCmd    `cmd:""`
	Backup   backupCmd   `cmd:""`
	Restore  restoreCmd  `cmd:""`
	User     userCmd     `cmd:""`
	Tally    tallyCmd    `cmd:""`
	Unit     unitCmd     `cmd:""`
	Token    tokenCmd    `cmd:""`
	Config   configCmd   `cmd:""`
	Version  versionCmd  `cmd:""`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr, os.Getenv))
}

// run carries out one command line and returns the exit code. ctx ends it early: a server stops gracefully.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, getenv func(string) string) int {
	s := newSession(args, stdout, stderr, getenv)
	parser, err := s.parser(&commands{})
	if err != nil { // the grammar is wrong; a test parses it
		s.complain(err)
		return exitFailed
	}
	args, wantsHelp := helpRequest(args)
	trace, err := kong.Trace(parser, args)
	if err == nil {
		err = trace.Error
	}
	if err == nil && (wantsHelp || asksForHelp(trace)) {
		s.help(stdout, node(trace))
		return exitOK
	}
	if len(args) == 0 {
		s.help(stderr, parser.Model.Node)
		return exitUsage
	}
	if err != nil {
		return s.usage(err, trace)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return s.usage(err, trace)
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	return s.exit(parsed.Run(s), parsed)
}

// exit says what went wrong, if anything did, and returns the code for it.
func (s *session) exit(err error, trace *kong.Context) int {
	var f failure
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &f):
		if f.err != nil {
			s.complain(f.err)
		}
		return f.code
	case errors.As(err, new(misuse)):
		return s.usage(err, trace)
	}
	s.complain(err)
	return exitFailed
}

// failure is an error with an exit code of its own. Without err everything has been said already.
type failure struct {
	code int
	err  error
}

func (f failure) Error() string {
	if f.err == nil {
		return "failed"
	}
	return f.err.Error()
}

func (f failure) Unwrap() error { return f.err }

// misuse is a command line that kong accepts and the command does not.
type misuse struct{ sentence }
