package sources

import (
	"go/ast"
	"strings"
	"sync"

	"temper/checks"
	"temper/checks/pattern"
)

var testImport = code(checks.Rule{
	Name:     "test-import",
	Severity: checks.Warning,
	Source:   "https://pkg.go.dev/testing",
	Doc: `only tests import what is for tests

A package of the service that imports testing, net/http/httptest, an assertion
library or a mock links them in: testing brings profilers along, httptest a server and
a certificate whose key everybody has, and all of them bytes that nothing needs.

Move the code to a _test.go file, or to a package that says it is for tests and that only
those import (storetest).`,
	Bad: `import "net/http/httptest" // in server.go`,
}, func(p *pass) {
	if forTests(p.Pkg.Name()) || forTests(p.Pkg.Path()) {
		return
	}
	p.imports(func(spec *ast.ImportSpec, path string) {
		switch what := forTestsOnly(path); {
		case what == "":
		case strings.HasPrefix(path, "github.com/google/go-cmp/"): // some services compare what they have with it
			p.undecided(spec, "%s imports %s: %s", p.Pkg.Path(), path, what)
		default:
			p.report(spec, "move it to a _test.go file, or to a package for tests", "%s imports %s: %s", p.Pkg.Path(), path, what)
		}
	})
})

// testSupport matches the names and paths of packages that say they are for tests, such
// as storetest, mocks and internal/testutil.
var testSupport = pattern.New(`(?i)(^|[/_-])(e2e|fakes?|fixtures?|stubs?|tests?|testing)($|[/_-])|(tests?|testing|testutils?|testhelpers?|testdata|mocks?|fakes?)$|(^|/)test|(^|/)mock`)

// forTests tells whether a package's name or path says that it is for tests.
func forTests(name string) bool { return testSupport().MatchString(unrelated().Replace(name)) }

// unrelated are words that end in test and mean something else.
var unrelated = sync.OnceValue(func() *strings.Replacer {
	return strings.NewReplacer("latest", "", "contest", "", "attest", "", "protest", "", "fastest", "")
})

// testModules are those for tests alone, and what they are.
var testModules = map[string]string{
	"github.com/stretchr/testify":                 "an assertion library",
	"github.com/golang/mock":                      "a mock",
	"go.uber.org/mock":                            "a mock",
	"github.com/onsi/ginkgo":                      "a test runner",
	"github.com/onsi/gomega":                      "an assertion library",
	"gotest.tools":                                "an assertion library",
	"github.com/DATA-DOG/go-sqlmock":              "a mock",
	"github.com/jarcoal/httpmock":                 "a mock",
	"github.com/h2non/gock":                       "a mock",
	"github.com/vektra/mockery":                   "a mock",
	"github.com/frankban/quicktest":               "an assertion library",
	"github.com/smartystreets/goconvey":           "a test runner",
	"github.com/matryer/is":                       "an assertion library",
	"github.com/cucumber/godog":                   "a test runner",
	"github.com/alicebob/miniredis":               "a database for tests",
	"github.com/ory/dockertest":                   "containers for tests",
	"github.com/testcontainers/testcontainers-go": "containers for tests",
	"github.com/rogpeppe/go-internal/testscript":  "a test runner",
	"github.com/google/go-cmp":                    "comparisons that panic, for tests",
	"gopkg.in/check.v1":                           "a test runner",
	"go.uber.org/goleak":                          "a test of goroutines",
	"pgregory.net/rapid":                          "a test runner",
}

// forTestsOnly tells what a package is that is for tests; empty if it is not.
func forTestsOnly(path string) string {
	switch path {
	case "testing", "testing/quick", "testing/iotest", "testing/fstest", "testing/slogtest", "testing/synctest":
		return "the test framework"
	case "net/http/httptest":
		return "servers for tests"
	}
	for module := path; module != ""; {
		if what := testModules[module]; what != "" {
			return what
		}
		module = module[:max(0, strings.LastIndexByte(module, '/'))]
	}
	return ""
}
