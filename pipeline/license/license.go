// Package license tells under which licences modules come.
//
// [Finder.Find] looks at the sources that a build has just compiled, in the module
// cache or the vendor folder. What it says is by content, with the pattern matcher of pkg.go.dev, as an SPDX expression. Of a
// module that has a licence file which is not recognised it says nothing.
package license

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/module"
	"golang.org/x/sync/errgroup"

	"temper/checks/memory"
	"temper/checks/pattern"
	"temper/pipeline/evidence"
)

// Folders say where the sources lie that were compiled. Their paths show in
// nothing that is found.
type Folders struct {
	// ModCache is GOMODCACHE.
	ModCache string
	// Vendor is the vendor folder that was compiled from; empty where modules
	// came from the module cache.
	Vendor string
	// Module is the main module's folder; replacements in folders are relative to
	// that of the go.work, or to it where Work is empty.
	Module, Work string
	// Repository may hold the main module's licence, if the module itself has none.
	Repository string
	// Go is GOROOT.
	Go string
}

// A Finder looks into each folder once, for what many services have in common. It is
// for one build: what changes in a folder afterwards it does not see. The zero value is
// ready, for several callers at a time.
type Finder struct {
	// Known keeps what was recognised in a text; nil for no longer than the program runs.
	Known *memory.Folder

	seen sync.Map // by folder, func() (string, bool)
}

// Find returns SPDX expressions of the modules in the images, as
// [evidence.Known] has them. What is not found is left out.
func (l *Finder) Find(f Folders, images ...evidence.Image) map[string]string {
	folders := make(map[string][]string)
	for _, img := range images {
		for _, x := range img.Executables {
			folders[evidence.Compiled(x.Go.Main).String()] = []string{f.Module, f.Repository}
			for _, d := range x.Go.Deps {
				m := evidence.Compiled(*d)
				folders[m.String()] = []string{f.of(d.Path, m)}
			}
			folders["stdlib "+strings.TrimPrefix(x.Go.GoVersion, "go")] = []string{f.Go}
		}
	}
	found := make(map[string]string)
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for name, candidates := range folders {
		g.Go(func() error {
			for _, folder := range candidates {
				if folder == "" {
					continue
				}
				expression, any := l.in(folder)
				if expression != "" {
					mu.Lock()
					found[name] = expression
					mu.Unlock()
				}
				if any {
					break
				}
			}
			return nil
		})
	}
	g.Wait() // nothing fails: what cannot be read is not known
	return found
}

// in is what there is in a folder.
func (l *Finder) in(folder string) (expression string, any bool) {
	once, _ := l.seen.LoadOrStore(folder, sync.OnceValues(func() (string, bool) { return l.read(folder) }))
	return once.(func() (string, bool))()
}

// of returns the folder of a module that go.mod requires by a path, empty if
// there is none.
func (f Folders) of(required string, m evidence.Module) string {
	switch {
	case f.Vendor != "":
		if local, err := filepath.Localize(required); err == nil {
			return filepath.Join(f.Vendor, local) // also of a replaced one
		}
		return ""
	case m.Folder != "" && !filepath.IsAbs(m.Folder):
		return filepath.Join(cmp.Or(f.Work, f.Module), filepath.FromSlash(m.Folder))
	case m.Folder != "":
		return m.Folder
	}
	path, err := module.EscapePath(m.Path)
	if err != nil {
		return ""
	}
	version, err := module.EscapeVersion(m.Version)
	if err != nil {
		return ""
	}
	return filepath.Join(f.ModCache, filepath.FromSlash(path)+"@"+version)
}

// named are the names that licence files have.
var named = pattern.New(`(?i)^((un)?licen[cs]es?|copying)([-._].*)?$|[-._]licen[cs]e(\.(md|txt))?$`)

// Named lists the files in a folder whose names are those of licences, sorted.
func Named(folder string) []string {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil // as in [Find]: what cannot be read is not known
	}
	var names []string
	for _, e := range entries {
		if named().MatchString(e.Name()) && !strings.HasSuffix(e.Name(), ".go") {
			names = append(names, e.Name())
		}
	}
	return names
}

// read returns the licences in the folder of a module, and whether it has any
// licence file. Several are all of them: what is a choice is said in words, for
// people.
func (l *Finder) read(folder string) (expression string, any bool) {
	var all []string
	for _, name := range Named(folder) {
		text, err := read(filepath.Join(folder, name))
		if err == errNoFile {
			continue
		}
		any = true
		ids := l.recognised(text)
		if err != nil || len(ids) == 0 {
			return "", true
		}
		all = append(all, ids...)
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " AND "), any
}

// maxText bounds a licence file: the longest licence has 50 kB.
const maxText = 1 << 20

var errNoFile = fs.ErrInvalid

func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNoFile // such as the folder of a package named license
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxText))
}

// texts are those seen before in this process, by their SHA-256. But for who
// wrote them, most modules have one of a dozen files.
var texts sync.Map

// recognised returns the SPDX identifiers of the licences in a text, none if
// too much of it is something else.
func (l *Finder) recognised(text []byte) []string {
	text = notice().ReplaceAll(text, nil)
	key := sha256.Sum256(text)
	if there, ok := texts.Load(key); ok {
		return there.([]string)
	}
	ids := l.scan(text, fmt.Sprintf("license-%x", key))
	texts.Store(key, ids)
	return ids
}

// scan returns what is recognised in the text of a name, or was before.
func (l *Finder) scan(text []byte, name string) []string {
	if l.Known == nil {
		return scan(text)
	}
	if known := l.Known.Load(name); known != nil {
		return strings.Fields(string(known))
	}
	ids := scan(text)
	l.Known.Save(name, []byte(strings.Join(ids, " "))) // else it is scanned again
	return ids
}

// notice is a line that says who has the copyright, and since when. The matcher
// passes over it as well.
var notice = pattern.New(`(?im)^[ \t]*copyright[ \t]+((\(c\)|©|[0-9])[^\n]{0,80})$`)
