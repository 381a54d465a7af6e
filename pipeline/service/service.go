// Package service says what there is to build: the services of a repository.
//
// [Load] reads temper.yaml, or, where it names no services, asks Go itself:
// every main package of the module or go.work is a service. What it returns is
// checked and complete (defaults are filled in; paths exist, are free of
// symbolic links and stay inside the repository), so that the stages after it
// need not look again. What lies below a folder of [Service.Files] is the one
// thing it does not look at.
package service

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"go.yaml.in/yaml/v3"
)

const (
	// ConfigName is the name of the configuration file, at the root of the
	// repository.
	ConfigName = "temper.yaml"

	// BuiltinBase is the base that needs no network and the default.
	BuiltinBase = "builtin"

	// DistrolessBase is Google's, at the digest that Temper pins.
	DistrolessBase = "distroless"

	// DefaultUser is the numeric user and group of distroless's nonroot.
	DefaultUser = "65532:65532"
)

// A Repository is a folder of Go code and the services that come from it.
type Repository struct {
	// Dir is the absolute path of the folder that holds temper.yaml, go.work
	// or go.mod, in this order of preference.
	Dir string
	// Config is the absolute path of temper.yaml, empty where there is none.
	Config string
	// Base is "builtin", "distroless", a reference by digest, or the absolute
	// path of an OCI layout inside the repository.
	Base string
	// Signer is who must have signed the base, nil where temper.yaml names
	// nobody.
	Signer *Signer
	// Platforms are those to build for, in the order of the configuration.
	Platforms []v1.Platform
	// Go is the exact release that temper.yaml asks for, such as "1.26.8";
	// empty leaves it to go.mod's toolchain line or the Go at hand.
	Go string
	// GoFrom says who asks for it, "temper.yaml" or "--go".
	GoFrom string
	// Created is the time that images bear, in UTC; the zero time stands for
	// the epoch.
	Created time.Time
	// Services are sorted by name; names are unique.
	Services []*Service
	// Tags are the release's tags, as written; they may hold {{.Tag}}.
	Tags []string
	// Waivers are what temper.yaml accepts for a time.
	Waivers []Waiver

	// subjects are where they name services.
	subjects []*yaml.Node
	// outline is set where the sources need not be there.
	outline bool
}

// A Service is one main package and the image that it becomes.
type Service struct {
	// Name is lower case and fit for a repository path.
	Name string
	// Line is where temper.yaml declares it; 0 where it does not.
	Line int
	// Root is the repository's absolute path; no path of the service leaves it.
	Root string
	// Dir is the absolute path of the folder that Go is run in.
	Dir string
	// Package is the main package relative to Dir, "." or "./cmd/orders".
	Package string
	// Module is the absolute path of the folder with the go.mod that owns
	// Package.
	Module string
	// Workfile is the absolute path of the go.work that uses Module and lies
	// inside the repository; empty means GOWORK=off.
	Workfile string
	// Path is where the binary stands in the image, absolute and clean.
	Path string
	// Workdir is the image's working directory, empty for the base's own.
	Workdir string
	// Files are static assets, copied from the repository into the image.
	Files []Files
	// User is "uid:gid", both numeric and neither 0.
	User string
	// Ports are the TCP ports that the service listens on, sorted.
	Ports []int
	// Env is the environment of the image, Args follow the binary's path.
	Env  map[string]string
	Args []string
	// Labels are the image's labels, beside those that Temper writes.
	Labels map[string]string
	// BuildTags are Go build tags, sorted.
	BuildTags []string
	// GOAMD64 and GOFIPS140 are as Go knows them, empty for its defaults.
	GOAMD64   string
	GOFIPS140 string
	// Stamps are the -X definitions of the linker, by "importpath.name".
	Stamps map[string]string
	// Probe is what it does while it runs.
	Probe Probe
	// Manifests are the absolute paths of the Kubernetes manifests that run it,
	// files or folders inside the repository. They decide nothing about the image.
	Manifests []string
}

// Files is a folder or file of the repository and where it goes in the image.
type Files struct {
	// From is an absolute path inside the repository.
	From string
	// To is an absolute, clean path in the image.
	To string
}

// Named returns the service of that name.
func (r *Repository) Named(name string) (*Service, error) {
	names := make([]string, len(r.Services))
	for i, s := range r.Services {
		if s.Name == name {
			return s, nil
		}
		names[i] = s.Name
	}
	return nil, fmt.Errorf("no service is named %q; there are: %s", name, strings.Join(names, ", "))
}

// UserGroup returns the numeric user and group.
func (s *Service) UserGroup() (uid, gid int, err error) {
	u, g, _ := strings.Cut(s.User, ":")
	if uid, err = strconv.Atoi(u); err != nil {
		return 0, 0, fmt.Errorf("service %s: user %q is not a number", s.Name, s.User)
	}
	if gid, err = strconv.Atoi(g); err != nil {
		return 0, 0, fmt.Errorf("service %s: group of user %q is not a number", s.Name, s.User)
	}
	return uid, gid, nil
}
