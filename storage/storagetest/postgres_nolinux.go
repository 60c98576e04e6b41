//go:build unix && !linux

package storagetest

import "syscall"

// dieWithParent does nothing here: the guard alone ends the server.
func dieWithParent(*syscall.SysProcAttr) {}
