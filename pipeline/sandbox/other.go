//go:build !linux

package sandbox

import (
	"context"
	"errors"
	"net"
)

// Able tells whether a sandbox can be made here: nil, or what is missing.
func Able() error {
	return errors.New("a service is started in a sandbox of Linux: run this on Linux, or in a virtual machine")
}

// Again says that there is no sandbox here.
func Again(context.Context) (int, error) { return 0, Able() }

// alone is for user namespaces, which only Linux has.
func alone() (bool, error) { return false, nil }

// Enter does nothing: only Linux has sandboxes.
func Enter() {}

// A Process is a service in its sandbox, which only Linux has.
type Process struct{}

// Start says that there is no sandbox here.
func (r *Root) Start(context.Context, Options) (*Process, error) { return nil, Able() }

// Dial is never reached.
func (p *Process) Dial(context.Context, int) (net.Conn, error) { return nil, Able() }

// Ports is never reached.
func (p *Process) Ports() ([]int, error) { return nil, Able() }

// Terminate is never reached.
func (p *Process) Terminate() error { return Able() }

// Done is never reached.
func (p *Process) Done() <-chan struct{} { return nil }

// End is never reached.
func (p *Process) End() End { return End{} }

// Said is never reached.
func (p *Process) Said() string { return "" }

// Memory is never reached.
func (p *Process) Memory() Memory { return Memory{} }

// Close is never reached.
func (p *Process) Close() error { return nil }
