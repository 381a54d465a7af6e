package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// userNamespaces tells whether everybody may make one here.
func userNamespaces() bool {
	cmd := exec.Command("true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}
	return cmd.Run() == nil
}

// unplugged are what a process without any network has.
func unplugged() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if uid := os.Getuid(); uid != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
	}
	return attr
}

// unpluggable tells whether a process can be started without any network.
func unpluggable() bool {
	cmd := exec.Command("true")
	cmd.SysProcAttr = unplugged()
	return cmd.Run() == nil
}

// unplug is a command of its own: it runs another with its exit code, in a
// network of which no interface is up.
func unplug() {
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = unplugged()
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(125)
	}
}
