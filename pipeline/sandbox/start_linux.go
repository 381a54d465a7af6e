package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Able tells whether a sandbox can be made here: nil, or what is missing and
// how to get it.
func Able() error {
	var sets [2]unix.CapUserData
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return fmt.Errorf("reading capabilities: %w", err)
	}
	if os.Geteuid() != 0 || sets[0].Effective&(1<<unix.CAP_SYS_ADMIN) == 0 {
		return errors.New("a service is started in namespaces of its own, which takes root and CAP_SYS_ADMIN")
	}
	return nil
}

// A Process is a service in its sandbox. [Process.Close] ends it.
type Process struct {
	cmd   *exec.Cmd
	dials chan dial
	group *group
	said  *tail
	limit int64

	runs chan struct{} // closed once it is the service
	done chan struct{}
	// Set before done is closed.
	end    End
	memory Memory
}

// A dial is an order to the thread that is in the sandbox's network.
type dial struct {
	ctx  context.Context
	port int
	to   chan<- dialed
}

type dialed struct {
	conn net.Conn
	err  error
}

// Start starts the image's command. An error is a [StartError] where it is the
// image's fault that its command does not run.
//
// The service ends with the process that started it, if not before.
func (r *Root) Start(ctx context.Context, opts Options) (*Process, error) {
	if err := Able(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(r.dir)
	if err != nil {
		return nil, err
	}
	s, err := specify(dir, r.config, opts)
	if err != nil {
		return nil, err
	}
	if s.Alone, err = alone(); err != nil {
		return nil, err
	}
	p := &Process{dials: make(chan dial), runs: make(chan struct{}), done: make(chan struct{}), said: new(tail), limit: opts.memory()}
	if p.group, err = newGroup(p.limit); err != nil {
		return nil, err
	}
	started := make(chan error, 1)
	go p.keep(s, started)
	if err := <-started; err != nil {
		p.group.close()
		return nil, fmt.Errorf("starting it in a sandbox: %w", err)
	}
	context.AfterFunc(ctx, func() { p.cmd.Process.Kill() })
	return p, nil
}

// keep starts the process and is its parent: a thread that stays as long as the
// process does, for the process dies with it, and that joins its network to
// dial from there. A thread that cannot go back to its own network ends.
func (p *Process) keep(s *spec, started chan<- error) {
	runtime.LockOSThread()
	home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		started <- err
		return
	}
	defer func() {
		if unix.Setns(home, unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		unix.Close(home)
	}()
	if err := p.start(s); err != nil {
		started <- err
		return
	}
	started <- nil
	dialer := net.Dialer{Timeout: 5 * time.Second}
	for {
		select {
		case d := <-p.dials:
			conn, err := dialer.DialContext(d.ctx, "tcp4", net.JoinHostPort(Address, strconv.Itoa(d.port)))
			d.to <- dialed{conn, err}
		case <-p.done:
			return
		}
	}
}

func (p *Process) start(s *spec) (err error) {
	specs, tell, err := os.Pipe()
	if err != nil {
		return err
	}
	defer tell.Close()
	listen, errs, err := os.Pipe()
	if err != nil {
		return errors.Join(err, specs.Close())
	}
	defer listen.Close()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p.cmd = exec.Command(self)
	p.cmd.Args = []string{inside}
	p.cmd.Env = []string{}
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	p.cmd.ExtraFiles = []*os.File{specs, errs}
	p.cmd.WaitDelay = time.Second
	p.cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	if s.Alone {
		asUser(p.cmd.SysProcAttr, s)
	}
	err = p.cmd.Start()
	specs.Close()
	errs.Close()
	if err != nil {
		return fmt.Errorf("making its namespaces: %w", err)
	}
	pid := p.cmd.Process.Pid
	go p.wait(pid)
	defer func() {
		if err != nil {
			p.cmd.Process.Kill()
			<-p.done
		}
	}()
	// In the group before it does anything, and in no network but its own.
	if err := p.group.add(pid); err != nil {
		return err
	}
	ns, err := unix.Open(fmt.Sprintf("/proc/%d/ns/net", pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(ns)
	if err := json.NewEncoder(tell).Encode(s); err != nil {
		return err
	}
	wrong, err := io.ReadAll(listen)
	if err != nil {
		return err
	}
	if len(wrong) > 0 {
		if <-p.done; p.end.Code == imageFault {
			return &StartError{string(wrong)}
		}
		return errors.New(string(wrong))
	}
	close(p.runs)
	if err := unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("joining its network: %w", err)
	}
	return nil
}

// wait waits for the process, and watches its memory where the kernel does not.
func (p *Process) wait(pid int) {
	defer close(p.done)
	ended, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-p.runs: // before, it is this command and not the service
		case <-ended:
			return
		}
		if !p.group.enforced() {
			p.memory.Over = watch(fmt.Sprintf("/proc/%d/status", pid), p.limit, ended, func() { p.cmd.Process.Kill() })
		}
	}()
	p.cmd.Wait()
	close(ended)
	<-watched
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	p.end.Code = status.ExitStatus()
	if status.Signaled() {
		p.end.Signal = unix.SignalName(status.Signal())
	}
	p.memory.Limit, p.memory.Enforced = p.limit, p.group.enforced()
	p.memory.Over = p.memory.Over || p.group.killed()
	p.end.Memory = p.memory.Over && status.Signaled() && status.Signal() == syscall.SIGKILL
	p.group.close()
}

// Dial connects to a port of the service, as another pod would.
func (p *Process) Dial(ctx context.Context, port int) (net.Conn, error) {
	to := make(chan dialed, 1)
	select {
	case p.dials <- dial{ctx, port, to}:
		d := <-to
		return d.conn, d.err
	case <-p.done:
		return nil, errors.New(p.end.String())
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Terminate asks the service to stop, as a kubelet does: with SIGTERM.
func (p *Process) Terminate() error { return p.cmd.Process.Signal(syscall.SIGTERM) }

// Done is closed when the service has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// End tells how the service ended, once it has.
func (p *Process) End() End {
	<-p.done
	return p.end
}

// Memory tells what the service took, once it has ended.
func (p *Process) Memory() Memory {
	<-p.done
	return p.memory
}

// Said is the end of what the service has written to stdout and stderr.
func (p *Process) Said() string { return p.said.String() }

// Close ends the service, if it has not ended, and waits for it.
func (p *Process) Close() error {
	p.cmd.Process.Kill()
	<-p.done
	return nil
}
