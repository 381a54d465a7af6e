package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"temper/checks"
	"temper/checks/page"
	"temper/pipeline/service"
)

// reportFlags are what check and build have in common: how to judge what was
// found, and where to tell it.
type reportFlags struct {
	baseline string
	sarif    string
	html     string
	github   bool
	strict   bool
	json     bool

	known *checks.Baseline
}

func (f *reportFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.baseline, "baseline", "", "accept what is in `FILE`, of temper check --write-baseline, and fail on what is new")
	flags.StringVar(&f.sarif, "sarif", "", "write SARIF 2.1.0 to `FILE` as well")
	flags.StringVar(&f.html, "html", "", "write a page to look at to `FILE` as well")
	flags.BoolVar(&f.github, "github", false, "annotate the run of a GitHub workflow, on stderr")
	flags.BoolVar(&f.strict, "strict", false, "let warnings fail")
	flags.BoolVar(&f.json, "json", false, "write one JSON object")
}

// open reads what the flags name, before any work is done.
func (f *reportFlags) open() error {
	if f.baseline == "" {
		return nil
	}
	data, err := os.ReadFile(f.baseline)
	if err != nil {
		return hintf("temper check --write-baseline "+f.baseline+" LAYOUT", "reading baseline: %w", err)
	}
	if f.known, err = checks.ParseBaseline(data); err != nil {
		return fmt.Errorf("%s: %w", f.baseline, err)
	}
	return nil
}

// tell shows the reports, and returns them as the baseline leaves them together
// with the reasons that they give to say no. Where is the file that stands for a
// subject, as for [checks.WriteSARIF]; services are what the page shows beside
// the reports, of which there is one for each, if there is to be a page.
func (f *reportFlags) tell(p *person, reports []*checks.Report, services []page.Service, where func(checks.Subject) checks.Origin) ([]*checks.Report, *noError, error) {
	no := &noError{next: "temper explain RULE"}
	var told []*checks.Report
	for _, r := range reports {
		if f.known != nil {
			r = f.known.Mark(r)
		}
		told = append(told, r)
		if err := p.report(r); err != nil {
			return nil, nil, err
		}
		if f.github {
			if err := checks.WriteGitHub(p.err, r, where); err != nil {
				return nil, nil, err
			}
		}
		if !r.Passes(f.strict) {
			no.reasons = append(no.reasons, broken(r, f.strict))
		}
	}
	if f.sarif != "" {
		var out bytes.Buffer
		if err := checks.WriteSARIF(&out, version(), rules(), told, where); err != nil {
			return nil, nil, err
		}
		if err := writeFile(f.sarif, out.Bytes()); err != nil {
			return nil, nil, err
		}
	}
	if f.html != "" {
		if err := f.writePage(services, told); err != nil {
			return nil, nil, err
		}
	}
	return told, no, nil
}

// conclude tells the reports and prints what passes, a line each or as JSON.
func (f *reportFlags) conclude(p *person, reports []*checks.Report, shown []page.Service, where func(checks.Subject) checks.Origin) error {
	reports, no, err := f.tell(p, reports, shown, where)
	if err != nil {
		return err
	}
	if f.json {
		if err := p.jsonReports(reports); err != nil {
			return err
		}
		return no.orNil()
	}
	for _, r := range reports {
		if r.Passes(f.strict) {
			fmt.Fprintf(p.out, "%s %s\n", r.Subject.Name, r.Subject.Digest)
		}
	}
	return no.orNil()
}

// treeOf returns the folder with .git that a folder is in, or itself.
func treeOf(of string) string {
	for dir := of; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return of
		}
	}
}

// standIns returns what to point at for each service of a repository: where
// temper.yaml declares it, or the go.mod of the service, from the folder with
// .git.
func standIns(repo *service.Repository) func(checks.Subject) checks.Origin {
	tree := treeOf(repo.Dir)
	return func(of checks.Subject) checks.Origin {
		svc, err := repo.Named(of.Name)
		if err != nil {
			return checks.Origin{}
		}
		o := checks.Origin{File: relative(tree, filepath.Join(svc.Module, "go.mod")), Root: relative(tree, repo.Dir)}
		if repo.Config != "" {
			o.File, o.Line = relative(tree, repo.Config), svc.Line
		}
		return o
	}
}

// orNil is the answer: no where there is a reason, or nothing.
func (e *noError) orNil() error {
	if len(e.reasons) == 0 {
		return nil
	}
	return e
}

// nowhere is for images whose sources are not known.
func nowhere(checks.Subject) checks.Origin { return checks.Origin{} }
