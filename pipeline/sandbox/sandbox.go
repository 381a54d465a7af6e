// Package sandbox starts images without a container runtime, so that they can
// be looked at while they run.
//
// [Unpack] lays an image's layers out below a folder, and [Root.Start] starts
// its entrypoint there as a cluster that is strict would: a root that is only
// read, a /tmp in memory, no capability, no way to new privileges, the image's
// numeric user and no other group, a memory limit with GOMEMLIMIT below it, and
// namespaces of its own. Its network is a loopback with one more address, the
// [Address] that stands for a pod's: [Process.Dial] reaches it, and nobody else
// on this machine does.
//
// It takes Linux and root, or on most systems any user: [Able] tells, and [Again]
// runs the command as the root of a user namespace. The command that starts a sandbox is started again as the first process in
// it, so its main calls [Enter] before anything else.
package sandbox

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Address is where a service in its sandbox is reached, as a pod is by its own
// address. It is one of those that documentation may use.
// https://www.rfc-editor.org/rfc/rfc5737
const Address = "192.0.2.1"

// DefaultMemory is the memory limit, in bytes, of a service that names none.
const DefaultMemory = 128 << 20

// Options say how to start an image. The zero value is as strict as it gets.
type Options struct {
	// Writable lets the service write wherever its user may. It is for those who
	// want to see what it writes: [Root.Written].
	Writable bool
	// Memory is the limit in bytes, [DefaultMemory] if it is 0.
	Memory int64
	// Env are NAME=VALUE that stand over the image's own.
	Env []string
}

// An End is how a process came to its end.
type End struct {
	// Code is its exit code, -1 where a signal ended it.
	Code int
	// Signal is the name of the signal that ended it, empty where none did.
	Signal string
	// Memory tells that it was ended for the memory it took.
	Memory bool
}

// String says it to people.
func (e End) String() string {
	switch {
	case e.Memory:
		return "it was ended at its memory limit"
	case e.Signal != "":
		return "it was ended by the signal " + e.Signal
	}
	return fmt.Sprintf("it ended with exit code %d", e.Code)
}

// Memory is what a process took of what it may have.
type Memory struct {
	// Limit is in bytes, and Enforced tells whether the kernel keeps it.
	Limit    int64
	Enforced bool
	// Over tells that the process wanted more, and was ended: by the kernel, or
	// by who watched it.
	Over bool
}

// A StartError says why the image's command could not be executed: the image's
// fault, and not the sandbox's.
type StartError struct{ Reason string }

func (e *StartError) Error() string { return e.Reason }

// A spec is all that the process in the sandbox is told.
type spec struct {
	Root     string
	Writable bool
	Dir      string
	Args     []string
	Env      []string
	UID, GID int
	// Alone says that there is no other user and no other group to leave.
	Alone bool
}

// specify takes from an image's configuration what there is to start.
func specify(root string, c v1.Config, opts Options) (*spec, error) {
	s := &spec{Root: root, Writable: opts.Writable, Dir: c.WorkingDir}
	s.Args = append(append(s.Args, c.Entrypoint...), c.Cmd...)
	if len(s.Args) == 0 {
		return nil, errors.New("the image has neither entrypoint nor command")
	}
	if s.Dir == "" {
		s.Dir = "/"
	}
	user, group, _ := strings.Cut(c.User, ":")
	var err error
	if s.UID, err = id(user); err == nil {
		s.GID, err = id(group)
	}
	if err != nil {
		return nil, fmt.Errorf("the image's user %q is not numeric: set it to UID:GID, such as 65532:65532", c.User)
	}
	// 90 % leaves room for what the runtime does not count: the program itself,
	// what the kernel holds for it, and the files in /tmp.
	limit := fmt.Sprintf("GOMEMLIMIT=%d", opts.memory()/10*9)
	s.Env = over(over(c.Env, "PATH="+searchPath(c.Env), "HOSTNAME="+hostname, limit), opts.Env...)
	return s, nil
}

const hostname = "sandbox"

func (o Options) memory() int64 {
	if o.Memory > 0 {
		return o.Memory
	}
	return DefaultMemory
}

// id is a numeric user or group; none is root's, as runtimes have it.
func id(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	return int(n), err
}

// searchPath is the image's search path, or the one that runtimes give.
func searchPath(env []string) string {
	for _, v := range env {
		if value, ok := strings.CutPrefix(v, "PATH="); ok {
			return value
		}
	}
	return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}

// over puts variables over those of the same name.
func over(env []string, more ...string) []string {
	var out []string
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		kept := true
		for _, m := range more {
			kept = kept && !strings.HasPrefix(m, name+"=")
		}
		if kept {
			out = append(out, v)
		}
	}
	return append(out, more...)
}
