package binary

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"temper/checks/memory"
	"temper/pipeline/store"
)

// Stamps say what was made of files of a GOROOT by reading them, and which files these
// were: thousands, which nobody writes to after Go has been installed. Where the system
// does not tell whether somebody has, they are read.
type stamps struct {
	folder *memory.Folder
	key    string

	mu      sync.Mutex
	known   map[string]stamped
	learned bool
}

// A stamped hash is that of files that had a stamp.
type stamped struct{ Stamp, Hash string }

// stamping holds the stamps that this run has loaded, by folder and GOROOT.
var stamping sync.Map

// stampsOf returns those of a GOROOT, which know nothing where there is no folder.
func stampsOf(folder *memory.Folder, root string) *stamps {
	if folder == nil {
		return &stamps{}
	}
	type place struct {
		folder *memory.Folder
		root   string
	}
	once, _ := stamping.LoadOrStore(place{folder, root}, sync.OnceValue(func() *stamps {
		s := &stamps{folder: folder, key: fmt.Sprintf("goroot-%x", sha256.Sum256([]byte(root)))}
		if json.Unmarshal(folder.Load(s.key), &s.known) != nil || s.known == nil {
			s.known = make(map[string]stamped)
		}
		return s
	}))
	return once.(func() *stamps)()
}

// get returns what read makes of the files that Go may read in a folder, and of the names
// of all others, or made of them before.
func (s *stamps) get(dir string, read func() (string, error)) (string, error) {
	if s.folder == nil {
		return read()
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var contents, names []string
	for _, e := range entries {
		switch name := e.Name(); {
		case strings.HasSuffix(name, "_test.go"):
		case reads(name):
			contents = append(contents, name)
		default:
			names = append(names, name)
		}
	}
	return s.of(dir, contents, read, names...)
}

// of returns what read makes of files, relative to a folder, or made of them before if
// nobody has touched any of them since, and there are the same others.
func (s *stamps) of(dir string, files []string, read func() (string, error), others ...string) (string, error) {
	if s.folder == nil {
		return read()
	}
	stamp, rested := stampOf(dir, files, others)
	s.mu.Lock()
	known := s.known[dir]
	s.mu.Unlock()
	if stamp != "" && stamp == known.Stamp {
		return known.Hash, nil
	}
	hash, err := read()
	if err == nil && rested {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.known[dir], s.learned = stamped{stamp, hash}, true
	}
	return hash, err
}

// stampOf is one for all of the files, empty where one of them has none, and tells whether
// all of them have rested.
func stampOf(dir string, files, others []string) (stamp string, rested bool) {
	sum := sha256.New()
	rested = true
	for _, name := range files {
		info, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return "", false
		}
		one := store.Stamp(info)
		if one == "" {
			return "", false
		}
		rested = rested && store.Rested(info) != ""
		fmt.Fprintf(sum, "%q %s\n", name, one)
	}
	fmt.Fprintf(sum, "%q\n", others)
	return hex.EncodeToString(sum.Sum(nil)), rested
}

// save keeps what is new.
func (s *stamps) save() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.learned {
		return nil
	}
	text, err := json.Marshal(s.known)
	if err == nil {
		err = s.folder.Save(s.key, text)
	}
	s.learned = err != nil
	return err
}
