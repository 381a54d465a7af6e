package main

import (
	"os/exec"
	"syscall"
)

// userNamespaces tells whether everybody may make one here.
func userNamespaces() bool {
	cmd := exec.Command("true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}
	return cmd.Run() == nil
}
