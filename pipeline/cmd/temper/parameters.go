package main

import (
	"time"

	"temper/pipeline/image"
	"temper/pipeline/service"
)

// parameters are all that decides the bytes beside the sources, the toolchain
// and the base: the service's configuration, with paths as the repository has
// them. They are the externalParameters of a provenance.
type parameters struct {
	Service   string            `json:"service"`
	Dir       string            `json:"dir"`
	Package   string            `json:"package"`
	Path      string            `json:"path"`
	Workdir   string            `json:"workdir,omitempty"`
	Files     []copied          `json:"files,omitempty"`
	User      string            `json:"user"`
	Ports     []int             `json:"ports,omitempty"`
	Env       map[string]string `json:"env,omitempty"`
	Args      []string          `json:"args,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Tags      []string          `json:"tags,omitempty"`
	GOAMD64   string            `json:"goamd64,omitempty"`
	GOFIPS140 string            `json:"gofips140,omitempty"`
	Stamps    map[string]string `json:"ldflags,omitempty"`
	Tag       string            `json:"tag,omitempty"`
	Platforms []string          `json:"platforms"`
	Base      string            `json:"base"`
	Created   string            `json:"created,omitempty"`
	Format    int               `json:"imageFormat"`
}

// copied are static files of the repository and where they go in the image.
type copied struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// parameters returns those of a service that the line makes.
func (l *line) parameters(svc *service.Service) parameters {
	p := parameters{
		Service: svc.Name, Dir: relative(svc.Root, svc.Dir), Package: svc.Package, Path: svc.Path, Workdir: svc.Workdir,
		User: svc.User, Ports: svc.Ports, Env: svc.Env, Args: svc.Args, Labels: svc.Labels,
		Tags: svc.BuildTags, GOAMD64: svc.GOAMD64, GOFIPS140: svc.GOFIPS140, Stamps: svc.Stamps, Tag: l.tag,
		Base: baseName(l.base.Base), Format: image.Format,
	}
	for _, platform := range l.repo.Platforms {
		p.Platforms = append(p.Platforms, platform.String())
	}
	for _, f := range svc.Files {
		p.Files = append(p.Files, copied{relative(svc.Root, f.From), f.To})
	}
	if !l.created.IsZero() {
		p.Created = l.created.UTC().Format(time.RFC3339)
	}
	return p
}
