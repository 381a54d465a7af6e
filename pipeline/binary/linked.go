package binary

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/checks/pattern"
	"temper/pipeline/service"
)

// note keeps what Go has said about the packages of services before they were compiled,
// about all of a group at once.
func (s *Share) note(group []*service.Service, p v1.Platform, all []*Package) {
	for _, svc := range group {
		s.listed.Store(svc.Name+" "+p.String(), all)
	}
}

// expected is what was noted for a service and platform; nil if nothing was, or if a
// profile decides what it is compiled from.
func (o Options) expected(svc *service.Service, p v1.Platform) []*Package {
	if o.Share == nil {
		return nil
	}
	if _, err := os.Lstat(filepath.Join(mainDir(svc), "default.pgo")); !errors.Is(err, os.ErrNotExist) {
		return nil
	}
	all, _ := o.Share.listed.Load(svc.Name + " " + p.String())
	packages, _ := all.([]*Package)
	return packages
}

func mainDir(svc *service.Service) string {
	return filepath.Join(svc.Dir, filepath.FromSlash(svc.Package))
}

// linked returns what Go would say of the packages of a binary that it has just linked, with
// what it said of them before, and with what it gave the linker in its work folder. It is nil
// where the two do not fit, or where nothing was linked.
//
// The main package has neither Export nor BuildID: what the compiler made of it was in the
// work folder, and nobody imports it.
func (c cacheDir) linked(svc *service.Service, p v1.Platform, all []*Package, work string) *Imports {
	files := linkerInput(work)
	var packages []*Package
	for _, pkg := range all {
		file, ok := files[pkg.ImportPath]
		if !ok && pkg.ImportPath != "unsafe" {
			continue // another service's
		}
		if pkg.Error != nil {
			return nil
		}
		delete(files, pkg.ImportPath)
		one := *pkg
		one.DepOnly = !(one.Name == "main" && one.Dir == mainDir(svc))
		if ok && one.DepOnly {
			if inside(work, file) { // it was compiled just now
				file = c.kept(file)
			}
			if one.Export, one.BuildID = file, buildID(file); one.BuildID == "" {
				return nil
			}
		}
		packages = append(packages, &one)
	}
	if len(packages) == 0 || len(files) > 0 || packages[len(packages)-1].DepOnly {
		return nil
	}
	g := newImports(packages)
	g.listed = p.String()
	return g
}

// kept is where a file of the work folder lies in the service's cache, whichever kind that
// is: either names it by its content. It is empty if there is none.
func (c cacheDir) kept(file string) string {
	sum, _, err := digest(file)
	if err != nil {
		return ""
	}
	for _, name := range []string{filepath.Join(c.path("layer"), "d", sum.Hex[:2], sum.Hex), filepath.Join(c.build(), sum.Hex[:2], sum.Hex+"-d")} {
		if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() {
			return name
		}
	}
	return ""
}

// linkerInput are the files that the linker was given for packages, by their import paths;
// none if it was not started once.
func linkerInput(work string) map[string]string {
	found, err := filepath.Glob(filepath.Join(work, "*", "importcfg.link"))
	if err != nil || len(found) != 1 {
		return nil
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		return nil
	}
	files := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "packagefile "); ok {
			path, file, _ := strings.Cut(strings.TrimSuffix(rest, "\n"), "=")
			files[path] = file
		}
	}
	return files
}

// buildID is that in the head of what the compiler has made of a package; empty if there is
// none.
func buildID(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	head := make([]byte, 1024)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.ErrUnexpectedEOF {
		return ""
	}
	_, rest, _ := bytes.Cut(head[:n], []byte("\nbuild id "))
	line, _, whole := bytes.Cut(rest, []byte("\n"))
	id, err := strconv.Unquote(string(line))
	if err != nil || !whole {
		return ""
	}
	return id
}

// working is where Go says that it works, if it is to leave that.
var working = pattern.New(`(?m)^WORK=(.*)$\n?`)

// worked takes that out of what Go says. A folder that is not of the service's own cache is
// none.
func (c cacheDir) worked(said string) (work, rest string) {
	if found := working().FindStringSubmatch(said); found != nil && inside(c.tmp(), found[1]) && found[1] != c.tmp() {
		work = found[1]
	}
	return work, strings.TrimRight(working().ReplaceAllString(said, ""), "\n")
}
