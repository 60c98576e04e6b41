package storagetest

import "syscall"

// dieWithParent has the kernel send PostgreSQL's immediate shutdown when the test process ends.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGQUIT }
