package sources

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"

	"temper/checks"
)

// A Code rule is about Go code, and Analyzer finds what breaks it. The analyzer has the
// name of the rule without its hyphens, for those have to be identifiers.
//
// The first line of a diagnostic is the finding, and what follows after a line break is
// what to do about it. A diagnostic of the category [Undecided] is no finding: the rule
// could not tell from the source.
type Code struct {
	checks.Rule
	Analyzer *analysis.Analyzer
}

// Undecided is the category of what the source does not tell.
const Undecided = "undecided"

// CodeRules are the rules about code.
var CodeRules = []*Code{
	headerTimeout,
	idleTimeout,
	clientRedirects,
	clientCredentials,
	clientTimeout,
	clientTransport,
	ignoreReason,
	tlsVersion,
	tlsCiphers,
	tlsVerify,
	cookieAttributes,
	debugHandlers,
	debugRoutes,
	openRedirect,
	crossOriginBypass,
	bodyLimit,
	shellCommand,
	setuidCall,
	debugImport,
	testImport,
	serverHost,
	serverHeaders,
}

// code makes a rule about Go code of a function that looks at one package. What it
// needs of other analyzers comes last; the inspector is always there.
func code(rule checks.Rule, run func(*pass), needs ...*analysis.Analyzer) *Code {
	a := &analysis.Analyzer{
		Name:     strings.ReplaceAll(rule.Name, "-", ""),
		Doc:      rule.Doc,
		URL:      rule.Source,
		Requires: append([]*analysis.Analyzer{inspect.Analyzer, sitesOf}, needs...),
		Run: func(p *analysis.Pass) (any, error) {
			run(passOf(p))
			return nil, nil
		},
	}
	return &Code{rule, a}
}

// A pass is an [analysis.Pass] with the words in which rules report.
type pass struct {
	*analysis.Pass
	in *inspector.Inspector
	// sites are nil where an analyzer does not need them, and files what code found, nil
	// until it is asked.
	sites *sites
	files []inspector.Cursor
}

func passOf(p *analysis.Pass) *pass {
	sites, _ := p.ResultOf[sitesOf].(*sites)
	return &pass{Pass: p, in: p.ResultOf[inspect.Analyzer].(*inspector.Inspector), sites: sites}
}

// report says what is wrong at a node, and what to do about it if fix is not empty.
func (p *pass) report(at analysis.Range, fix, format string, args ...any) {
	p.Report(p.diagnostic(at, fix, format, args...))
}

// mend reports as report does, with the edits that mend it.
func (p *pass) mend(at analysis.Range, fix string, edits []analysis.TextEdit, format string, args ...any) {
	d := p.diagnostic(at, fix, format, args...)
	d.SuggestedFixes = []analysis.SuggestedFix{{Message: fix, TextEdits: edits}}
	p.Report(d)
}

// undecided says that the source does not tell whether the rule holds, and why.
func (p *pass) undecided(at analysis.Range, format string, args ...any) {
	d := p.diagnostic(at, "", "undecided: "+format, args...)
	d.Category = Undecided
	p.Report(d)
}

func (p *pass) diagnostic(at analysis.Range, fix, format string, args ...any) analysis.Diagnostic {
	message := fmt.Sprintf(format, args...)
	if fix != "" {
		message += "\n" + fix
	}
	return analysis.Diagnostic{Pos: at.Pos(), End: at.End(), Message: message, URL: p.Analyzer.URL}
}

// isTest tells whether a position is in a test file, which no binary is made of, or in
// a package that tests are helped by.
func isTest(p *analysis.Pass, pos token.Pos) bool {
	return strings.HasSuffix(p.Fset.File(pos).Name(), "_test.go") || helpsTests(p.Pkg)
}

// helpsTests tells whether a package is for tests by its name, and imports what only they
// do. Of a service that imports it all the same test-import tells.
func helpsTests(pkg *types.Package) bool {
	return pkg.Name() != "main" && slices.ContainsFunc(pkg.Imports(), func(imported *types.Package) bool {
		return forTestsOnly(imported.Path()) != ""
	}) && forTests(pkg.Name())
}

// code are the files of the package that are no tests.
func (p *pass) code() []inspector.Cursor {
	if p.files == nil {
		p.files = []inspector.Cursor{}
		for c := range p.in.Root().Children() {
			if !isTest(p.Pass, c.Node().Pos()) {
				p.files = append(p.files, c)
			}
		}
	}
	return p.files
}

// each calls do for every node of a kind that is not in a test file.
func each[N ast.Node](p *pass, do func(N)) {
	eachAt(p, func(n N, _ inspector.Cursor) { do(n) })
}

// eachAt does so with where it stands.
func eachAt[N ast.Node](p *pass, do func(N, inspector.Cursor)) {
	var kind N
	for _, file := range p.code() {
		for c := range file.Preorder(kind) {
			do(c.Node().(N), c)
		}
	}
}
