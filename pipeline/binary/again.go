package binary

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"temper/pipeline/service"
)

// listedBefore is what Go has said of the packages of a binary, and of which inputs it
// was speaking.
type listedBefore struct {
	Inputs   *inputs    `json:"inputs"`
	Packages []*Package `json:"packages"`
}

// listedAgain returns what Go would say of the packages of a binary now, without asking:
// what it said before, if only the code in Go files has changed since, and not what they
// import or embed, or for what they are compiled. It is nil where that cannot be told.
//
// The compiler's words about the packages that have changed, and those that import them,
// are missing: their Export and BuildID are empty.
func (c cacheDir) listedAgain(svc *service.Service, now *inputs) *Imports {
	text, err := os.ReadFile(c.listed())
	if err != nil {
		return nil
	}
	var before listedBefore
	if json.Unmarshal(text, &before) != nil || before.Inputs == nil {
		return nil
	}
	was := before.Inputs
	if !maps.Equal(was.Settings, now.Settings) || !maps.Equal(was.Standard, now.Standard) || !maps.Equal(was.Files, now.Files) ||
		!maps.EqualFunc(was.Trees, now.Trees, maps.Equal[map[string]string]) || !slices.Equal(keys(was.Folders, nil), keys(now.Folders, nil)) {
		return nil
	}
	stale := make(map[string]bool)
	for _, pkg := range before.Packages {
		if maps.Equal(was.Folders[pkg.Dir], now.Folders[pkg.Dir]) {
			continue
		}
		if slices.Contains(was.Embed, pkg.Dir) || !pkg.reread(was.Folders[pkg.Dir], now.Folders[pkg.Dir]) {
			return nil
		}
		stale[pkg.ImportPath] = true
	}
	for _, pkg := range before.Packages { // after what they import
		if slices.ContainsFunc(pkg.Direct(), func(path string) bool { return stale[path] }) {
			stale[pkg.ImportPath] = true
		}
		if !stale[pkg.ImportPath] {
			continue
		}
		if !pkg.Own(svc.Root) {
			return nil // it is vendored, or a module of others imports the repository's
		}
		pkg.Export, pkg.BuildID = "", ""
	}
	return newImports(before.Packages)
}

// there tells whether all that the compiler has left lies where it is said to: a cache may
// have been cleared.
func (g *Imports) there() bool {
	return !slices.ContainsFunc(g.all, func(p *Package) bool {
		if p.Export == "" {
			return false
		}
		_, err := os.Stat(p.Export)
		return err != nil
	})
}

// reread brings the names of a package's files up to date with those in its folder, and
// tells whether all else that Go says of it is as it was.
func (p *Package) reread(was, now map[string]string) bool {
	if p.Standard || len(p.CgoFiles) > 0 {
		return false
	}
	for _, name := range keys(was, now) {
		if was[name] == now[name] {
			continue
		}
		if filepath.Ext(name) != ".go" || slices.Contains(p.IgnoredGoFiles, name) {
			return false
		}
		at := slices.Index(p.GoFiles, name)
		if now[name] == "" {
			if at < 0 {
				return false
			}
			p.GoFiles = slices.Delete(p.GoFiles, at, at+1)
			continue
		}
		text, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil || conditional(string(text)) {
			return false
		}
		if at < 0 {
			if strings.ContainsAny(strings.TrimSuffix(name, ".go"), "_.") {
				return false // it may be for some system only, or for nobody
			}
			p.GoFiles = append(p.GoFiles, name)
		}
	}
	slices.Sort(p.GoFiles)
	imports := make(map[string]string)
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ImportsOnly)
		if err != nil || file.Name.Name != p.Name {
			return false
		}
		for _, spec := range file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return false
			}
			imports[path] = ""
		}
	}
	return slices.Equal(slices.Sorted(maps.Keys(imports)), slices.Sorted(slices.Values(p.Imports)))
}

// conditional tells whether a file may be for some builds only, may embed something, or
// may need cgo: more than its name and its imports say.
func conditional(text string) bool {
	for _, sign := range []string{"//go:build", "+build", "//go:embed", `"C"`, "//go:debug"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}
