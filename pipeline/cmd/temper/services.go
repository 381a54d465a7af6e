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
	dir     string
	over    service.Override
	json    bool
	inputs  bool
	outline bool
}

func newServices(p *person) *cobra.Command {
	var f servicesFlags
	cmd := &cobra.Command{
		Use:   "services [flags]",
		Short: "What there is to build: the services of a repository",
		Long: `services lists the services of a repository, those of temper.yaml or, without it,
every main package, with the folder of the main package and the Go release that will
compile it. It compiles nothing. With --inputs its JSON also says which files and
folders of the repository may go into each service: where none of them has changed, nor
temper.yaml, nor a go.mod, go.sum or go.work, the image is the same. With --outline it
reads temper.yaml and these files alone, no code need be there, and its JSON says whose
modules may go into each service.`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			if f.inputs && !f.json {
				return usagef("--inputs is for --json").hint("temper services --json --inputs")
			}
			if f.outline && !f.json {
				return usagef("--outline is for --json").hint("temper services --json --outline")
			}
			if f.outline && f.inputs {
				return usagef("--outline reads no code, and --inputs is what the code says").hint("temper services --json --inputs")
			}
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
	overriding(cmd, &f.over)
	cmd.Flags().BoolVar(&f.json, "json", false, "write one JSON object")
	cmd.Flags().BoolVar(&f.outline, "outline", false, "look at temper.yaml, go.work and go.mod alone, with --json")
	cmd.Flags().BoolVar(&f.inputs, "inputs", false, "list what goes into each service as well, with --json")
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
	// Files are what temper.yaml puts into the image. Inputs are all that goes
	// into the service, without what every service depends on: temper.yaml and
	// the files that say which modules there are. Both relative to the
	// repository, with slashes, sorted, none below another.
	Files []string `json:"files,omitempty"`
	// Manifests are the Kubernetes manifests that temper.yaml names, likewise.
	Manifests []string `json:"manifests,omitempty"`
	Inputs    []string `json:"inputs,omitempty"`
	// Modules are the folders of the modules whose code may go into the service, as far
	// as --outline can tell: likewise.
	Modules []string `json:"modules,omitempty"`
}

type listedPlatform struct {
	Platform string `json:"platform"`
	// Cache is the folder below $TEMPER_CACHE that belongs to this service and
	// platform alone, with slashes: where to mount a cache volume for them.
	Cache string `json:"cache"`
}

func listServices(ctx context.Context, f servicesFlags) ([]listedService, error) {
	load := func(dir string, rules ...string) (*service.Repository, error) {
		return service.Load(ctx, dir, rules...)
	}
	if f.outline {
		load = service.LoadOutline
	}
	repo, err := load(f.dir, ruleNames()...)
	if err != nil {
		return nil, err
	}
	if err := override(repo, f.over); err != nil {
		return nil, err
	}
	list := []listedService{}
	var toolchains binary.Toolchains
	for _, svc := range repo.Services {
		toolchain, err := toolchains.Select(ctx, repo, svc)
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
		for _, f := range svc.Files {
			one.Files = append(one.Files, relative(svc.Root, f.From))
		}
		one.Files = outermost(one.Files)
		for _, path := range svc.Manifests {
			one.Manifests = append(one.Manifests, relative(svc.Root, path))
		}
		one.Manifests = outermost(one.Manifests)
		if f.inputs {
			one.Inputs = inputs(svc)
		}
		if f.outline {
			modules, err := svc.LocalModules()
			if err != nil {
				return nil, err
			}
			for _, folder := range modules {
				one.Modules = append(one.Modules, relative(svc.Root, folder))
			}
			one.Modules = outermost(one.Modules)
		}
		list = append(list, one)
	}
	return list, nil
}
