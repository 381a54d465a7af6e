package memory

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"io"
	"os"
	"sync"
)

// programID returns what tells this program from any other: the build id that
// Go's linker wrote into it, which depends on all that was compiled, so that no
// change of a rule can be forgotten; the digest of the executable where there is
// no build id.
var programID = sync.OnceValues(func() (string, error) {
	name, err := os.Executable()
	if err != nil {
		return "", err
	}
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if id := buildID(f); id != "" {
		return id, nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
})

// buildIDMark stands before the build id at the begin of the text where the
// executable's format has no notes.
var buildIDMark = []byte("\xff Go build ID: \"")

// buildID finds the build id as "go tool buildid" does, empty if there is none.
func buildID(f *os.File) string {
	if e, err := elf.NewFile(f); err == nil {
		section := e.Section(".note.go.buildid")
		if section == nil {
			return ""
		}
		note, err := section.Data()
		if err != nil || len(note) < 16 {
			return ""
		}
		return string(bytes.TrimRight(note[16:], "\x00")) // after the sizes, the type and the name "Go"
	}
	head := make([]byte, 64<<10)
	n, err := io.ReadFull(f, head)
	f.Seek(0, io.SeekStart)
	if err != nil && err != io.ErrUnexpectedEOF {
		return ""
	}
	_, after, found := bytes.Cut(head[:n], buildIDMark)
	id, _, closed := bytes.Cut(after, []byte("\""))
	if !found || !closed {
		return ""
	}
	return string(id)
}
