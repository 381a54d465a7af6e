package gosec

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/securego/gosec/v2/testutils"

	"temper/checks/sources"
	"temper/pipeline/program"
)

// A corpus is the samples of one of gosec's rules, and Temper's rules that look for the
// same.
type corpus struct {
	gosec   string
	samples []testutils.CodeSample
	rules   []string
}

var corpora = []corpus{
	{"G108", testutils.SampleCodeG108, []string{"debug-handlers", "debug-routes"}},
	{"G112", testutils.SampleCodeG112, []string{"server-header-timeout"}},
	{"G114", testutils.SampleCodeG114, []string{"server-header-timeout"}},
	{"G119", testutils.SampleCodeG119, []string{"client-credentials"}},
	{"G120", testutils.SampleCodeG120, []string{"body-limit"}},
	{"G121", testutils.SampleCodeG121, []string{"cross-origin-bypass"}},
	{"G124", testutils.SampleCodeG124, []string{"cookie-attributes"}},
	{"G402", testutils.SampleCodeG402, []string{"tls-version", "tls-verify", "tls-ciphers"}},
	{"G710", testutils.SampleCodeG710, []string{"open-redirect"}},
}

// differences are the samples of which Temper says something else, by their folders. The
// quote is of the sample, so that a new gosec which orders them anew is noticed.
var differences = map[string]struct{ quote, why string }{
	"G112/4":  {"// #nosec G112", "the comment is gosec's; Temper's is temper:ignore, with a rule and a reason"},
	"G112/5":  {"//gosec:disable G112", "the comment is gosec's as well"},
	"G120/5":  {"http.MaxBytesReader(w, r.Body, 1<<20)", "the body has a limit, which gosec says that it does not follow"},
	"G121/2":  {`AddInsecureBypassPattern("/*")`, "patterns are those of http.ServeMux, where this is the path /* and no wildcard"},
	"G402/18": {"PreferServerCipherSuites: false", "Go has ignored the field since 1.17"},
	"G402/19": {"PreferServerCipherSuites: !true", "Go has ignored the field since 1.17"},
	"G402/22": {"PreferServerCipherSuites: prefer", "Go has ignored the field since 1.17"},
	"G402/31": {"// #nosec G402", "the comment is gosec's as well"},
	"G710/2":  {`"/proxy?to="+dest`, "the target is a path of the same site, whatever follows"},
}

func TestSamples(t *testing.T) {
	found := find(t, corpora)
	for _, c := range corpora {
		for i, sample := range c.samples {
			folder := c.folder(i)
			gosec, temper := sample.Errors > 0, false
			for _, d := range found {
				temper = temper || path.Dir(d.File) == folder && slices.Contains(c.rules, d.Rule)
			}
			differs, listed := differences[folder]
			switch {
			case listed && !strings.Contains(strings.Join(sample.Code, ""), differs.quote):
				t.Errorf("%s does not say %q: gosec has other samples now, so see which one it was", folder, differs.quote)
			case listed && gosec == temper:
				t.Errorf("gosec and Temper agree on %s now: take it off the differences (%s)", folder, differs.why)
			case !listed && gosec != temper:
				t.Errorf("%s: flagged is %v by gosec and %v by Temper:\n%s", folder, gosec, temper, strings.Join(sample.Code, "\n"))
			}
		}
	}
	for folder := range differences {
		if !slices.ContainsFunc(corpora, func(c corpus) bool {
			n := 0
			_, err := fmt.Sscanf(folder, c.gosec+"/%d", &n)
			return err == nil && 0 < n && n <= len(c.samples)
		}) {
			t.Errorf("there is no sample %s", folder)
		}
	}
}

// folder is that of the package which a sample becomes.
func (c corpus) folder(i int) string { return fmt.Sprintf("%s/%d", c.gosec, i+1) }

// find returns what Temper finds in the samples, each a package of one module. All of
// them import the standard library alone; one that does not compile is an error here.
func find(t *testing.T, corpora []corpus) []sources.Diagnostic {
	t.Helper()
	root := t.TempDir()
	put(t, root, "go.mod", "module example.com/samples\n\ngo 1.26\n")
	for _, c := range corpora {
		if len(c.samples) == 0 {
			t.Errorf("gosec has no samples of %s", c.gosec)
		}
		for i, sample := range c.samples {
			for j, code := range sample.Code {
				put(t, root, fmt.Sprintf("%s/%d.go", c.folder(i), j+1), code)
			}
			// gosec does not mind a program that begins nowhere; a compiler does.
			if all := strings.Join(sample.Code, ""); strings.Contains(all, "package main\n") && !strings.Contains(all, "func main()") {
				put(t, root, c.folder(i)+"/main.go", "package main\n\nfunc main() {}\n")
			}
		}
	}
	p, err := program.Folder(t.Context(), root, root, nil)
	if err != nil {
		t.Fatal(err)
	}
	all, err := sources.Analyze(t.Context(), sources.CodeRules, nil, p)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(d sources.Diagnostic) bool { return d.Category != "" || d.Ignored != nil })
}

func put(t *testing.T, root, name, content string) {
	t.Helper()
	file := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}
