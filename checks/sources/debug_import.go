package sources

import (
	"go/ast"
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

Remove the import, or put it in a main package of its own that no image is made of.`,
	Bad: `import _ "github.com/google/gops/agent"`,
}, func(p *pass) {
	told := make(map[string]bool) // modules of which a file imports several packages
	p.imports(func(spec *ast.ImportSpec, path string) {
		file := p.Fset.File(spec.Pos()).Name()
		if debug, what := executables.DebugModule(path); debug != "" && !told[file+" "+debug] {
			told[file+" "+debug] = true
			p.report(spec, "remove the import, or give it a main package of its own", "%s imports %s: %s", p.Pkg.Path(), path, what)
		}
	})
})

// imports calls do for every import of the package that is not in a test file.
func (p *pass) imports(do func(spec *ast.ImportSpec, path string)) {
	each(p, func(spec *ast.ImportSpec) {
		if path, err := strconv.Unquote(spec.Path.Value); err == nil {
			do(spec, path)
		}
	})
}
