package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Again runs this very command, with its arguments, as the root of a user
// namespace, where [Able] says yes, and returns its exit code. It has one user
// there, and every file of an image is that user's. An error says that this
// system lets nobody but root do so.
func Again(ctx context.Context) (code int, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Args = os.Args
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("making a user namespace: %w", errors.Unwrap(err))
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	return cmd.ProcessState.ExitCode(), nil
}

// alone tells whether there is but one user here, as there is after [Again].
func alone() (bool, error) {
	raw, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return false, err
	}
	return oneUser(string(raw)), nil
}

// oneUser reads a map of users: first here, first outside, how many.
// https://man7.org/linux/man-pages/man7/user_namespaces.7.html
func oneUser(uidMap string) bool {
	fields := strings.Fields(uidMap)
	return len(fields) == 3 && fields[2] == "1"
}

// asUser makes the process one whose only user is the image's, in a user
// namespace of its own. It needs capabilities there until it is ready to start
// the service, and a user other than root keeps only these over an exec.
func asUser(attr *syscall.SysProcAttr, s *spec) {
	attr.Cloneflags |= unix.CLONE_NEWUSER
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: s.UID, HostID: 0, Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: s.GID, HostID: 0, Size: 1}}
	attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_SETPCAP, unix.CAP_SETUID, unix.CAP_SETGID, unix.CAP_SYS_CHROOT}
}
