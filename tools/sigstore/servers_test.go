package sigstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The servers, as go.mod pins them.
const (
	fulcio     = "github.com/sigstore/fulcio"
	timestamps = "github.com/sigstore/timestamp-authority/v2/cmd/timestamp-server"
	rekor      = "github.com/sigstore/rekor/cmd/rekor-server"
	rekorTiles = "github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix"
)

// command is where a server is, built if need be.
func command(t *testing.T, tool string) string {
	t.Helper()
	out, err := exec.Command("go", "tool", "-n", tool).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		t.Fatalf("building %s: %v\n%s", tool, err, exit.Stderr)
	}
	if err != nil {
		t.Fatalf("building %s: %v", tool, err)
	}
	return strings.TrimSpace(string(out))
}

// free returns ports on loopback that nobody listens at.
func free(t *testing.T, n int) []string {
	t.Helper()
	var ports []string
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close() // only now, so that all are different
		ports = append(ports, strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
	}
	return ports
}

// start runs a server until the test ends, or stop is called, and waits until it
// answers at the address.
func start(t *testing.T, tool, address string, args ...string) (stop func()) {
	t.Helper()
	path := command(t, tool)
	ctx, cancel := context.WithCancel(context.Background())
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(cmd.Environ(), "HOME="+t.TempDir())
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("%s said:\n%s", tool, last(said.String()))
		}
	})
	patience := time.After(time.Minute)
	for {
		if answer, err := http.Get(address); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return stop
			}
		}
		select {
		case <-ended:
			t.Fatalf("%s ended:\n%s", tool, last(said.String()))
		case <-patience:
			stop()
			t.Fatalf("%s does not answer at %s:\n%s", tool, address, last(said.String()))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// last is the end of what a server said.
func last(said string) string { return said[max(0, len(said)-4000):] }

// get returns what a server answers.
func get(t *testing.T, address string) []byte {
	t.Helper()
	answer, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, raw)
	}
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	return raw
}
