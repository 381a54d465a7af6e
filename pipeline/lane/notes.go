package lane

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"temper/pipeline/store"
)

// Notes say of outputs that they were held against their SHA-256, and have not been
// touched since. They lie in the own layer, and so go by no other service's word.
type notes struct {
	own layer

	mu sync.Mutex
	// before are the stamps that were noted, by the file, and now those that hold; learned
	// tells that one of them is new.
	before, now map[string]string
	learned     bool
}

// notesName is the file that they lie in.
const notesName = "untouched"

// notes reads those of the layer. What is no note is none.
func (l layer) notes() *notes {
	n := &notes{own: l, before: make(map[string]string), now: make(map[string]string)}
	f, err := os.Open(filepath.Join(string(l), notesName))
	if err != nil {
		return n
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if stamp, path, ok := strings.Cut(lines.Text(), " "); ok {
			n.before[path] = stamp
		}
	}
	return n
}

// untouched tells whether it is noted of a file that it is whole.
func (n *notes) untouched(path string, info fs.FileInfo) bool {
	is := store.Stamp(info)
	n.mu.Lock()
	defer n.mu.Unlock()
	if is == "" || n.before[path] != is && n.now[path] != is {
		return false
	}
	n.now[path] = is
	return true
}

// whole notes that a file is, which was so before it was read.
func (n *notes) whole(path string, info fs.FileInfo) {
	is := store.Rested(info)
	if is == "" || strings.ContainsAny(path, "\r\n") {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.now[path], n.learned = is, true
}

// save keeps the notes about what was asked for, if there is a new one among them.
func (n *notes) save() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.learned {
		return nil
	}
	return write(filepath.Join(string(n.own), notesName), func(w io.Writer) error {
		to := bufio.NewWriter(w)
		for path, stamp := range n.now {
			fmt.Fprintln(to, stamp, path)
		}
		return to.Flush()
	})
}
