package sources

import (
	"go/ast"
	"go/types"
	"strconv"

	"temper/checks"
	"temper/checks/executables"
)

var debugImport = code(checks.Rule{
	Name:     "debug-import",
	Severity: checks.Error,
	Source:   "https://cheatsheetseries.owasp.org/cheatsheets/Docker_Security_Cheat_Sheet.html",
	Doc: `the service's own code imports no debug module

A debugger, an agent or a profiler's web page that is imported is linked in, and is a
door that opens from within. debug-module finds it in the binary; this is where it
comes in.

Remove the import, or put it in a main package of its own that no image is made of.

An interpreter may be what a service has plugins by, and profiles that are routed like any
other page are what debug-routes judges: those are notices.`,
	Bad: `import _ "github.com/google/gops/agent"`,
}, func(p *pass) {
	told := make(map[string]bool) // modules of which a file imports several packages
	p.imports(func(spec *ast.ImportSpec, path string) {
		file := p.Fset.File(spec.Pos()).Name()
		if debug, what := executables.DebugModule(path); debug != "" && !told[file+" "+debug] {
			told[file+" "+debug] = true
			switch {
			case debug == interpreter && !blank(spec):
				p.undecided(spec, "%s imports %s: %s; whose code that is, the source does not tell", p.Pkg.Path(), path, what)
				return
			case p.routesOnly(spec):
				p.undecided(spec, "%s imports %s: %s; debug-routes tells where it is routed", p.Pkg.Path(), path, what)
				return
			}
			p.report(spec, "remove the import, or give it a main package of its own", "%s imports %s: %s", p.Pkg.Path(), path, what)
		}
	})
})

// interpreter is a module that a service may have plugins by.
const interpreter = "github.com/traefik/yaegi"

func blank(spec *ast.ImportSpec) bool { return spec.Name != nil && spec.Name.Name == "_" }

// routesOnly tells that all that the package uses of an import are handlers of pages.
func (p *pass) routesOnly(spec *ast.ImportSpec) bool {
	imported := p.TypesInfo.PkgNameOf(spec)
	if imported == nil || blank(spec) {
		return false
	}
	uses, others := 0, 0
	each(p, func(id *ast.Ident) {
		if o := p.TypesInfo.Uses[id]; o != nil && o.Pkg() == imported.Imported() {
			fn, ok := o.(*types.Func)
			if ok && pages[p.fullName(fn)] != "" {
				uses++
			} else {
				others++
			}
		}
	})
	return uses > 0 && others == 0
}

// imports calls do for every import of the package that is not in a test file.
func (p *pass) imports(do func(spec *ast.ImportSpec, path string)) {
	each(p, func(spec *ast.ImportSpec) {
		if path, err := strconv.Unquote(spec.Path.Value); err == nil {
			do(spec, path)
		}
	})
}
