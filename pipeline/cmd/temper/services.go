package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"temper/pipeline/binary"
	"temper/pipeline/service"
)

func newServices(p *person) *cobra.Command {
	var dir string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "services [flags]",
		Short: "What there is to build: the services of a repository",
		Long: `services lists the services of a repository, those of temper.yaml or, without it,
every main package, with the folder of the main package and the Go release that will
compile it. It compiles nothing.`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			list, err := listServices(c.Context(), dir)
			if err != nil {
				return err
			}
			if asJSON {
				return p.json(struct {
					Services []listedService `json:"services"`
				}{list})
			}
			for _, s := range list {
				fmt.Fprintf(p.out, "%s %s %s\n", s.Name, s.Main, s.Go)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&dir, "chdir", "C", ".", "look at what is in `DIR`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object")
	return cmd
}

// A listedService is what temper services --json writes of one.
type listedService struct {
	Name string `json:"name"`
	// Dir is the folder that Go is run in, Package the main package in it, and
	// Main both joined; relative to the repository, with slashes.
	Dir       string   `json:"dir"`
	Package   string   `json:"package"`
	Main      string   `json:"main"`
	Go        string   `json:"go"`
	Platforms []string `json:"platforms"`
}

func listServices(ctx context.Context, dir string) ([]listedService, error) {
	repo, err := service.Load(ctx, dir)
	if err != nil {
		return nil, err
	}
	var platforms []string
	for _, platform := range repo.Platforms {
		platforms = append(platforms, platform.String())
	}
	list := []listedService{}
	for _, svc := range repo.Services {
		toolchain, err := binary.Select(ctx, repo, svc)
		if err != nil {
			return nil, err
		}
		list = append(list, listedService{
			Name:      svc.Name,
			Dir:       relative(svc.Root, svc.Dir),
			Package:   svc.Package,
			Main:      binary.RelativeDir(svc),
			Go:        toolchain.Version,
			Platforms: platforms,
		})
	}
	return list, nil
}
