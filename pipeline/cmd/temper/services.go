package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"temper/pipeline/binary"
	"temper/pipeline/service"
)

// servicesFlags are those of temper services.
type servicesFlags struct {
	dir       string
	platforms []string
	json      bool
}

func newServices(p *person) *cobra.Command {
	var f servicesFlags
	cmd := &cobra.Command{
		Use:   "services [flags]",
		Short: "What there is to build: the services of a repository",
		Long: `services lists the services of a repository, those of temper.yaml or, without it,
every main package, with the folder of the main package and the Go release that will
compile it. It compiles nothing.`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			list, err := listServices(c.Context(), f)
			if err != nil {
				return err
			}
			if f.json {
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
	cmd.Flags().StringVarP(&f.dir, "chdir", "C", ".", "look at what is in `DIR`")
	cmd.Flags().StringArrayVar(&f.platforms, "platform", nil, "list `OS/ARCH` in place of the configured platforms (may be repeated)")
	cmd.Flags().BoolVar(&f.json, "json", false, "write one JSON object")
	return cmd
}

// A listedService is what temper services --json writes of one.
type listedService struct {
	Name string `json:"name"`
	// Module is the path of the module that the service belongs to.
	Module string `json:"module"`
	// Dir is the folder that Go is run in, Package the main package in it, and
	// Main both joined; relative to the repository, with slashes.
	Dir       string           `json:"dir"`
	Package   string           `json:"package"`
	Main      string           `json:"main"`
	Go        string           `json:"go"`
	Platforms []listedPlatform `json:"platforms"`
}

type listedPlatform struct {
	Platform string `json:"platform"`
	// Cache is the folder below $TEMPER_CACHE that belongs to this service and
	// platform alone, with slashes: where to mount a cache volume for them.
	Cache string `json:"cache"`
}

func listServices(ctx context.Context, f servicesFlags) ([]listedService, error) {
	repo, err := service.Load(ctx, f.dir, ruleNames()...)
	if err != nil {
		return nil, err
	}
	if err := overridePlatforms(repo, f.platforms); err != nil {
		return nil, err
	}
	list := []listedService{}
	for _, svc := range repo.Services {
		toolchain, err := binary.Select(ctx, repo, svc)
		if err != nil {
			return nil, err
		}
		module, err := binary.ModulePath(svc)
		if err != nil {
			return nil, err
		}
		one := listedService{
			Name:    svc.Name,
			Module:  module,
			Dir:     relative(svc.Root, svc.Dir),
			Package: svc.Package,
			Main:    binary.RelativeDir(svc),
			Go:      toolchain.Version,
		}
		for _, platform := range repo.Platforms {
			cache := binary.CachePath("", svc.Root, svc.Name, platform.String())
			one.Platforms = append(one.Platforms, listedPlatform{platform.String(), filepath.ToSlash(cache)})
		}
		list = append(list, one)
	}
	return list, nil
}
