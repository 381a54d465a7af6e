// Package engine runs Temper's steps in containers of a Dagger engine.
//
// Dagger says where, the command says what: every step here runs the same
// temper command that a developer runs, with pinned containers around it, so
// the digest that comes out is the one that the same sources give on a laptop.
// The package adds what a laptop does not have: a cache volume for each service
// and platform, a module cache that is mounted read-only, secrets that never
// become arguments, and steps that run side by side and are not repeated.
//
// A [Pipeline] is about one repository. From it come layouts ([Pipeline.Layout]),
// and from a layout a release ([Pipeline.Release]); [Pipeline.Verify] answers
// for any image in a registry. The module in pipeline/module is the face of this
// package for "dagger call"; a CI program uses it directly:
//
//	client, err := dagger.Connect(ctx)
//	...
//	p := engine.New(client, client.Host().Directory("."), engine.Options{TemperSource: temper})
//	layout := p.Layout("orders")
//	report, err := p.Check(ctx, layout)
package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"dagger.io/dagger"
)

// DefaultToolchain is the image that compiles where none is given. Its Go is
// the Go at hand in the sense of temper build: a repository that names another
// release gets that one.
const DefaultToolchain = "golang:1.26.8-bookworm"

// Where things stand in the containers.
const (
	sourceDir = "/src"
	modules   = "/modules" // GOMODCACHE
	cacheRoot = "/cache"   // TEMPER_CACHE
	layoutDir = "/layout"
	command   = "/usr/local/bin/temper"
	baseDir   = "/base"
	waivers   = "/waivers/temper.yaml"
)

// Options are what a caller may choose. The zero value pulls the default
// toolchain and needs TemperSource or Temper.
type Options struct {
	// Toolchain is a container with go on PATH, and git where Access names
	// repositories; nil is [DefaultToolchain]. Where nothing may be pulled,
	// client.Container().Import makes one of an image archive. Steps run as root
	// in it, whatever user it has.
	Toolchain *dagger.Container
	// Temper is the temper command for the engine's platform; nil builds it from
	// TemperSource, the repository of Temper itself.
	Temper       *dagger.File
	TemperSource *dagger.Directory
	// Base is an OCI layout to stand on in place of what temper.yaml names.
	Base *dagger.Directory
	// BaseTarball is such a layout in an archive, as temper export, docker save
	// (since version 25) and skopeo copy to oci-archive write it. It takes the place
	// of Base, and a toolchain that has tar.
	BaseTarball *dagger.File
	// Waivers is a temper.yaml: the checks of finished images and a release
	// accept what it waives. Builds go by that of the sources.
	Waivers *dagger.File
	// Access is how modules are reached that are not public.
	Access Access
	// Platforms are OS/ARCH to build for in place of what temper.yaml names.
	Platforms []string
	// Go is an exact release of Go, such as "1.26.8", in place of what temper.yaml
	// or go.mod lead to; it is fetched where the toolchain is another.
	Go string
	// BuildTags are Go build tags for every service, beside those of temper.yaml.
	BuildTags []string
	// Repository names the repository in the names of cache volumes, so that two
	// repositories with services of one name share nothing; empty is each
	// service's module path.
	Repository string
	// Lane sets builds of a kind apart: those of another lane neither read nor
	// write their cache volumes. Whoever may call with a lane's name may write
	// what it caches, so it is a convenience and no wall: pull requests of
	// strangers want an engine of their own.
	Lane string
	// Source is URI@COMMIT for the provenance; empty records no source.
	Source string
	// Tag is what {{.Tag}} stands for in ldflags.
	Tag string
}

// A Pipeline builds the services of one repository.
type Pipeline struct {
	client *dagger.Client
	source *dagger.Directory
	opts   Options
}

// New returns the pipeline for a repository's sources. It does not need .git,
// and is better off without it: a commit would spoil what is cached.
func New(client *dagger.Client, source *dagger.Directory, opts Options) *Pipeline {
	return &Pipeline{client: client, source: source, opts: opts}
}

// toolchain is the container that compilers run in.
func (p *Pipeline) toolchain() *dagger.Container {
	c := p.opts.Toolchain
	if c == nil {
		c = p.client.Container().From(DefaultToolchain)
	} else {
		c = c.WithUser("0") // who else it may be for can write to no cache and read no secret
	}
	return p.opts.Access.public(c)
}

// Command returns the temper command, built once from Temper's own source.
func (p *Pipeline) Command() (*dagger.File, error) {
	if err := p.opts.Access.check(); err != nil {
		return nil, err
	}
	if p.opts.Temper != nil {
		return p.opts.Temper, nil
	}
	if p.opts.TemperSource == nil {
		return nil, errors.New("neither the temper command nor its source is given")
	}
	self := p.client.CacheVolume("temper-self")
	return p.opts.Access.proxied(p.toolchain()).
		WithMountedDirectory("/temper", p.opts.TemperSource, dagger.ContainerWithMountedDirectoryOpts{ReadOnly: true}).
		WithWorkdir("/temper").
		WithMountedCache("/self", self).
		WithEnvVariable("GOMODCACHE", "/self/modules").
		WithEnvVariable("GOCACHE", "/self/build").
		WithEnvVariable("CGO_ENABLED", "0").
		WithExec([]string{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", "/out/temper", "./pipeline/cmd/temper"}).
		File("/out/temper"), nil
}

// runner is the toolchain's container with the temper command in it.
func (p *Pipeline) runner() (*dagger.Container, error) {
	temper, err := p.Command()
	if err != nil {
		return nil, err
	}
	return p.toolchain().WithFile(command, temper, dagger.ContainerWithFileOpts{Permissions: 0o755}), nil
}

// A Service is what a repository says of one of its services.
type Service struct {
	Name      string     `json:"name"`
	Module    string     `json:"module"`
	Dir       string     `json:"dir"`
	Package   string     `json:"package"`
	Main      string     `json:"main"`
	Go        string     `json:"go"`
	Platforms []Platform `json:"platforms"`
	// Files are what temper.yaml puts into the image, and Inputs are all that goes
	// into the service beside temper.yaml and the files that say which modules
	// there are: paths of the repository, each with what is below it.
	Files  []string `json:"files"`
	Inputs []string `json:"inputs"`
	// Manifests are the Kubernetes manifests that temper.yaml names.
	Manifests []string `json:"manifests"`
	// Modules are the folders of the modules whose code may go into the service, where
	// no code was looked at.
	Modules []string `json:"modules"`
}

// A Platform is one that a service is built for.
type Platform struct {
	Platform string `json:"platform"`
	// Cache is the folder, below that of all caches, which belongs to the
	// service and platform alone.
	Cache string `json:"cache"`
}

// Services lists the repository's services, as temper services has them.
func (p *Pipeline) Services(ctx context.Context) ([]Service, error) {
	c, err := p.building(ctx, p.source)
	if err != nil {
		return nil, err
	}
	said, err := p.list(ctx, c, "--inputs")
	if err != nil {
		return nil, err
	}
	return listed(said)
}

// list asks temper for the services.
func (p *Pipeline) list(ctx context.Context, c *dagger.Container, how string) (spoken, error) {
	return run(ctx, c, append([]string{"services", "--json", how, "-C", sourceDir}, p.overrides()...)...)
}

func listed(said spoken) ([]Service, error) {
	var list struct {
		Services []Service `json:"services"`
	}
	if err := json.Unmarshal([]byte(said.out), &list); err != nil {
		return nil, fmt.Errorf("reading the list of services: %w", err)
	}
	return list.Services, nil
}

// named returns the service of that name.
func named(list []Service, name string) (*Service, error) {
	var names []string
	for _, s := range list {
		if s.Name == name {
			return &s, nil
		}
		names = append(names, s.Name)
	}
	return nil, fmt.Errorf("no service is named %q; there are: %s", name, strings.Join(names, ", "))
}

// building is a container with sources and the module cache, both read-only, in
// which temper can look at the repository and compile for services, with the
// cache volumes that belong to them.
func (p *Pipeline) building(ctx context.Context, source *dagger.Directory, services ...*Service) (*dagger.Container, error) {
	c, err := p.runner()
	if err != nil {
		return nil, err
	}
	for _, svc := range services {
		for _, platform := range svc.Platforms {
			volume := p.client.CacheVolume(p.Volume(svc, platform.Platform))
			c = c.WithMountedCache(path.Join(cacheRoot, platform.Cache), volume, dagger.ContainerWithMountedCacheOpts{
				Sharing: dagger.CacheSharingModeLocked,
			})
		}
	}
	mods, err := p.modules()
	if err != nil {
		return nil, err
	}
	readOnly := dagger.ContainerWithMountedDirectoryOpts{ReadOnly: true}
	return c.
		WithEnvVariable("GOMODCACHE", modules).
		WithEnvVariable("TEMPER_CACHE", cacheRoot).
		WithWorkdir(sourceDir).
		WithMountedDirectory(modules, mods, readOnly).
		WithMountedDirectory(sourceDir, source, readOnly), nil
}

// modules is the module cache for every go.mod of the repository, with the Go
// releases that they and temper.yaml ask for: fetched by a step that sees these
// files alone, so that it is repeated only when one of them changes.
func (p *Pipeline) modules() (*dagger.Directory, error) {
	c, err := p.runner()
	if err != nil {
		return nil, err
	}
	args := []string{command, "fetch", "-C", sourceDir}
	if p.opts.Go != "" {
		args = append(args, "--go", p.opts.Go)
	}
	return p.opts.Access.in(c).
		WithMountedDirectory(sourceDir, p.outline(nil, nil)).
		WithEnvVariable("GOMODCACHE", modules).
		WithDirectory(modules, p.client.Directory()).
		WithExec(args). // which fails where temper does: an engine keeps no answer like that
		Directory(modules), nil
}

// Layout builds one service, checks it, and returns its OCI layout with SBOM,
// provenance and report. An image that breaks a rule is an error that shows
// what was found; [Pipeline.LayoutAnyway] returns it all the same.
func (p *Pipeline) Layout(ctx context.Context, name string) (*dagger.Directory, error) {
	list, err := p.plan(ctx)
	if err != nil {
		return nil, err
	}
	return p.layout(ctx, list, name)
}

func (p *Pipeline) layout(ctx context.Context, list []Service, name string) (*dagger.Directory, error) {
	c, err := p.build(ctx, list, name)
	if err != nil {
		return nil, err
	}
	return c.Directory(layoutDir), nil
}

// LayoutAnyway is [Pipeline.Layout] for those who want to look at an image
// that breaks rules. A service that does not compile is still an error.
func (p *Pipeline) LayoutAnyway(ctx context.Context, name string) (*dagger.Directory, error) {
	list, err := p.plan(ctx)
	if err != nil {
		return nil, err
	}
	c, err := p.build(ctx, list, name)
	var no *NoError
	if err != nil && !errors.As(err, &no) {
		return nil, err
	}
	return c.Directory(layoutDir), nil
}

// build returns the container in which a service was built, also where the
// error is a [*NoError]. It sees what Go says goes into the service, and
// everything if that is not enough, as for a file that another includes from
// elsewhere.
func (p *Pipeline) build(ctx context.Context, list []Service, name string) (*dagger.Container, error) {
	svc, err := named(list, name)
	if err != nil {
		return nil, err
	}
	source := p.narrowed(svc, list)
	c, err := p.building(ctx, source, svc)
	if err != nil {
		return nil, err
	}
	built := p.buildIn(c, svc)
	_, err = finish(ctx, built)
	var no *NoError
	if err == nil || errors.As(err, &no) || source == p.source || ctx.Err() != nil {
		return built, err
	}
	if c, err = p.building(ctx, p.source, svc); err != nil {
		return nil, err
	}
	built = p.buildIn(c, svc)
	_, err = finish(ctx, built)
	return built, err
}

// buildIn adds the step that builds.
func (p *Pipeline) buildIn(c *dagger.Container, svc *Service) *dagger.Container {
	args := append([]string{"build", "-C", sourceDir, "--service", svc.Name, "--private", "-o", layoutDir}, p.overrides()...)
	if base := p.base(); base != nil {
		c = c.WithMountedDirectory(baseDir, base, dagger.ContainerWithMountedDirectoryOpts{ReadOnly: true})
		args = append(args, "--base", baseDir)
	}
	if p.opts.Source != "" {
		args = append(args, "--source", p.opts.Source)
	}
	if p.opts.Tag != "" {
		args = append(args, "--tag", p.opts.Tag)
	}
	return withTemper(c, args...)
}

// overrides are the flags that stand over temper.yaml.
func (p *Pipeline) overrides() []string {
	var flags []string
	for _, platform := range p.opts.Platforms {
		flags = append(flags, "--platform", platform)
	}
	if p.opts.Go != "" {
		flags = append(flags, "--go", p.opts.Go)
	}
	for _, tag := range p.opts.BuildTags {
		flags = append(flags, "--build-tag", tag)
	}
	return flags
}

// Volume is the name of the cache volume of a service and platform. No other
// service, platform, Go release, lane or repository has one of that name.
func (p *Pipeline) Volume(svc *Service, platform string) string {
	repository := p.opts.Repository
	if repository == "" {
		repository = svc.Module
	}
	parts := []string{"temper", repository, svc.Name, strings.ReplaceAll(platform, "/", "-"), svc.Go}
	if p.opts.Lane != "" {
		parts = append(parts, "lane", p.opts.Lane)
	}
	for i, part := range parts {
		parts[i] = strings.NewReplacer("%", "%25", ":", "%3A").Replace(part) // so that no two come to one name
	}
	return strings.Join(parts, ":")
}
