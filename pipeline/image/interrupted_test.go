package image

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// interruptedEnv names the layout that this program writes to and never gets
// done with.
const interruptedEnv = "TEMPER_TEST_INTERRUPTED"

// A writer that is killed in the middle of a layer leaves the layout what it
// was, and the next one what it should be.
func TestKilledWriter(t *testing.T) {
	dir, fresh := t.TempDir(), t.TempDir()
	img, next := small(t, "a"), small(t, "b")
	check(t, Write(dir, Entry{Name: "a", Artifact: img}))

	cmd := exec.Command(must(os.Executable())(t))
	cmd.Env = append(os.Environ(), interruptedEnv+"="+dir)
	cmd.Stderr = os.Stderr
	must(cmd.StdinPipe())(t) // it ends when we do
	out := must(cmd.StdoutPipe())(t)
	check(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "half\n" {
		t.Errorf("the other writer says %q, %v", line, err)
	}
	if left := temps(t, dir); len(left) != 1 {
		t.Errorf("the other writer is writing %q, want one file", left)
	}
	check(t, cmd.Process.Kill())
	cmd.Wait()

	if diff := cmp.Diff([]string{"a " + short(t, img)}, outline(t, dir)); diff != "" {
		t.Errorf("the layout does not hold what it did (-want +got):\n%s", diff)
	}
	check(t, Write(dir, Entry{Name: "b", Artifact: next}))
	check(t, Write(fresh, Entry{Name: "a", Artifact: img}, Entry{Name: "b", Artifact: next}))
	want, got := snapshot(t, fresh), snapshot(t, dir)
	for name := range got {
		if want[name] == "" && strings.HasPrefix(name, "/blobs/") {
			delete(got, name) // whole, and swept when it is old
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the layout is not what it would be without the other writer (-want +got):\n%s", diff)
	}
}

// writeAndHang is the writer that gets killed.
func writeAndHang(dir string) {
	img, err := mutate.AppendLayers(empty.Image, static.NewLayer([]byte("whole"), types.OCILayer), &endless{static.NewLayer(nil, types.OCILayer)})
	if err == nil {
		err = Write(dir, Entry{Name: "never", Artifact: img})
	}
	fmt.Println(err)
	os.Exit(1)
}

// An endless layer says when it is half read, and waits.
type endless struct{ v1.Layer }

func (e *endless) Digest() (v1.Hash, error)           { return sum([]byte("endless")), nil }
func (e *endless) DiffID() (v1.Hash, error)           { return sum([]byte("endless")), nil }
func (e *endless) Size() (int64, error)               { return 1 << 20, nil }
func (e *endless) Compressed() (io.ReadCloser, error) { return &hanging{}, nil }

type hanging struct{ read bool }

func (h *hanging) Close() error { return nil }
func (h *hanging) Read(p []byte) (int, error) {
	if h.read {
		fmt.Println("half")
		io.Copy(io.Discard, os.Stdin) // until it is killed, or who started it has ended
		os.Exit(1)
	}
	h.read = true
	return copy(p, "half"), nil
}
