// Command workflows holds GitHub Actions workflows against actionlint.
//
//	go run -C tools/workflows . FILE...
//
// It is a module of its own, for what it needs is for this test alone.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rhysd/actionlint"
)

func main() {
	for _, file := range os.Args[1:] {
		raw, err := os.ReadFile(file)
		if err == nil {
			err = lint(file, raw)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// lint says everything that actionlint finds in a workflow. Programs that may
// be on this machine or not, such as shellcheck, are not asked.
func lint(file string, raw []byte) error {
	l, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{Shellcheck: "", Pyflakes: ""})
	if err != nil {
		return err
	}
	found, err := l.Lint(file, raw, nil)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range found {
		errs = append(errs, errors.New(e.Error()))
	}
	return errors.Join(errs...)
}
