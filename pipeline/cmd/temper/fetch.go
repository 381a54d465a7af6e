package main

import (
	"errors"
	"path/filepath"

	"github.com/spf13/cobra"

	"temper/pipeline/binary"
	"temper/pipeline/service"
)

func newFetch(p *person) *cobra.Command {
	var dir string
	var over service.Override
	cmd := &cobra.Command{
		Use:   "fetch [flags]",
		Short: "Modules and Go releases, so that a build needs no network",
		Long: `fetch brings into the module cache what the modules of a repository require, and the
Go releases that will compile them: the one of --go or temper.yaml, or those of go.work
and go.mod. Where temper.yaml names services, they are those of the services. It needs
these files and go.sum, and no code: as a step of its own it is
repeated only when one of them changes. A build after it needs no network.`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			repo := new(service.Repository)
			outline, err := service.ReadOutline(filepath.Join(dir, service.ConfigName))
			if err != nil {
				return err
			}
			repo.Go = outline.Go
			if err := override(repo, over); err != nil {
				return err
			}
			err = binary.Fetch(c.Context(), dir, repo.Go, outline.Folders...)
			var failed *binary.FetchError
			if errors.As(err, &failed) && failed.Replace != "" {
				return hintf(failed.Replace+"  in go.work", "%w", err)
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&dir, "chdir", "C", ".", "look at what is in `DIR` and below it")
	cmd.Flags().StringVar(&over.Go, "go", "", "fetch the Go `RELEASE`, such as 1.26.8, in place of the configured one")
	return cmd
}
