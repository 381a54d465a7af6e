package images

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// What is kept of a program is a small part of it, and enough to say what it was
// built from; where it is not, because the headers lie where nobody looks for them,
// that is noticed and not taken for a program of another kind.
func TestExcerpt(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	want, err := buildinfo.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	look := func(content []byte, whole bool) (kept int, path string, err error) {
		f, err := readExcerpt(bytes.NewReader(content), int64(len(content)), whole)
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.info()
		if info != nil {
			path = info.Path
		}
		return len(f.head) + len(f.tail), path, err
	}
	order := binary.LittleEndian
	var header elf.Header64
	size, err := binary.Decode(content, order, &header)
	if err != nil || !bytes.HasPrefix(content, []byte(elf.ELFMAG)) {
		t.Skip("the tests are no ELF program here; run them on Linux")
	}
	if kept, path, err := look(content, false); err != nil || path != want.Path || kept > len(content)*3/4 {
		t.Errorf("%d bytes kept of %d say %q, %v, want %q of less than three quarters", kept, len(content), path, err, want.Path)
	}
	moved := bytes.Clone(content)
	const hidden = 2 * keptHead
	copy(moved[hidden:], content[header.Shoff:][:int(header.Shnum)*int(header.Shentsize)])
	header.Shoff = hidden
	if _, err := binary.Encode(moved[:size], order, &header); err != nil {
		t.Fatal(err)
	}
	if _, path, err := look(moved, false); !errors.Is(err, errGap) {
		t.Errorf("with its headers passed over it says %q, %v, want %v", path, err, errGap)
	}
	if kept, path, err := look(moved, true); err != nil || path != want.Path || kept != len(moved) {
		t.Errorf("read whole it says %q, %v, want %q", path, err, want.Path)
	}
	img := withConfig(t, appendLayer(t, mutate.MediaType(empty.Image, types.OCIManifestSchema1), tarFiles(t, "app", string(moved))), v1.Config{Entrypoint: []string{"/app"}})
	if info, err := BuildInfo(t.Context(), img); err != nil || info == nil || info.Path != want.Path {
		t.Errorf("in an image it says %v, %v, want %q", info, err, want.Path)
	}
}
