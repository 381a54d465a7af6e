// Package program brings Go code to the rules about it: the packages that a service's
// binary is made of, or all of a repository.
//
// [Of] takes the program from what [binary.Build] has just compiled: those files, chosen
// by those build tags, and the types that the compiler left. [Repository] and [Folder]
// ask the user's Go, which compiles what it has not. Nothing of a program that does not
// compile is looked at: that is an error, in Go's words.
package program

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/checks/sources"
	"temper/pipeline/binary"
	"temper/pipeline/service"
)

// Of returns the program that a service's binary for a platform is made of.
func Of(svc *service.Service, p v1.Platform, imports *binary.Imports) (*sources.Program, error) {
	return assemble(svc.Root, p.Architecture, imports.Packages())
}

// Varies tells whether the repository's packages may have other files on another
// platform: some were left out on this one.
func Varies(svc *service.Service, imports *binary.Imports) bool {
	return slices.ContainsFunc(imports.Packages(), func(p *binary.Package) bool {
		return p.Own(svc.Root) && slices.ContainsFunc(p.IgnoredGoFiles, func(name string) bool { return !strings.HasSuffix(name, "_test.go") })
	})
}

// assemble makes a program of packages, whose files it names relative to the root.
// Each comes after those that it imports.
func assemble(root, arch string, all []*binary.Package) (*sources.Program, error) {
	by := make(map[string]*binary.Package)
	for _, p := range all {
		by[p.ImportPath] = p
	}
	p := &sources.Program{
		Arch: arch,
		Export: func(path string) (io.ReadCloser, error) {
			if by[path] == nil || by[path].Export == "" {
				return nil, fmt.Errorf("the compiler has left nothing about package %s", path)
			}
			return open(by[path].Export)
		},
		ID: func(path string) string {
			if by[path] == nil {
				return ""
			}
			_, content, _ := strings.Cut(by[path].BuildID, "/") // before it, what it was made from
			return content
		},
	}
	wanted := servers(root, all, by)
	for _, listed := range all {
		if len(listed.GoFiles) == 0 {
			continue // it has tests only
		}
		if own := listed.Own(root); own || wanted[listed.ImportPath] {
			pkg, err := read(root, listed, own)
			if err != nil {
				return nil, err
			}
			p.Packages = append(p.Packages, pkg)
		}
	}
	return p, nil
}

// serving are the packages of the standard library that have to do with HTTP. Some of them
// register pages as they are linked in, whatever else is imported.
var serving = []string{"net/http", "net/http/pprof", "expvar", "net/http/httputil", "net/http/cgi", "net/http/fcgi"}

// servers are the packages of others that may say something about servers and clients
// to the repository's own: they import one of those that serve, and so does all between.
func servers(root string, all []*binary.Package, by map[string]*binary.Package) map[string]bool {
	wanted := make(map[string]bool)
	var follow func(p *binary.Package)
	follow = func(p *binary.Package) {
		for _, path := range p.Direct() {
			to := by[path]
			if to == nil || to.Standard || wanted[path] || to.Own(root) || !slices.ContainsFunc(serving, func(path string) bool { return slices.Contains(to.Imports, path) }) {
				continue
			}
			wanted[path] = true
			follow(to)
		}
	}
	for _, p := range all {
		if p.Own(root) {
			follow(p)
		}
	}
	return wanted
}

// read reads the files of a package.
func read(root string, p *binary.Package, own bool) (*sources.Package, error) {
	pkg := &sources.Package{Path: p.ImportPath, Imports: p.ImportMap, Direct: p.Direct(), Own: own, Fresh: p.Export == ""}
	if p.Module != nil {
		pkg.Go, pkg.Module = p.Module.GoVersion, p.Module.Path
	}
	name := p.ImportPath
	if own {
		rel, err := filepath.Rel(root, p.Dir)
		if err != nil {
			return nil, err
		}
		name = filepath.ToSlash(rel)
	}
	for _, file := range p.GoFiles {
		content, err := os.ReadFile(filepath.Join(p.Dir, file))
		if err != nil {
			return nil, fmt.Errorf("reading package %s: %w", p.ImportPath, err)
		}
		pkg.Files = append(pkg.Files, sources.File{Name: path.Join(name, file), Content: content})
	}
	return pkg, nil
}

// open opens a file that Go's cache, or package lane's, keeps by the SHA-256 of its
// content, and holds it against that.
func open(name string) (io.ReadCloser, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	want := strings.TrimSuffix(filepath.Base(name), "-d")
	if sum := sha256.Sum256(content); len(want) == hex.EncodedLen(len(sum)) && want != hex.EncodeToString(sum[:]) {
		return nil, fmt.Errorf("%s was altered", name)
	}
	return io.NopCloser(bytes.NewReader(content)), nil
}
