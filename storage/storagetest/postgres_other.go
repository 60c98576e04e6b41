//go:build !unix

package storagetest

import (
	"errors"
	"runtime"
)

// Nothing here can promise that a server ends with the test process, so none is started.

type account struct{}

func unprivileged() (account, error) {
	return account{}, errNotFound{"throw-away clusters are not supported on " + runtime.GOOS}
}

func (account) own(string) error                              { return errors.ErrUnsupported }
func (account) mkdir() (string, error)                        { return "", errors.ErrUnsupported }
func (account) run(string, string, ...string) ([]byte, error) { return nil, errors.ErrUnsupported }
func (account) start(string, string, string, ...string) (*process, error) {
	return nil, errors.ErrUnsupported
}

type process struct {
	exited chan struct{}
	err    error
}

func (*process) stop() error { return errors.ErrUnsupported }

type guard struct{}

func startGuard(string) (*guard, error) { return nil, errors.ErrUnsupported }
func (*guard) dismiss() error           { return errors.ErrUnsupported }
