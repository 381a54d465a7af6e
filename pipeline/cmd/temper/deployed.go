package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"temper/checks"
	"temper/checks/images"
	"temper/checks/workloads"
	"temper/pipeline/service"
)

// A deployable is an image that manifests are held against.
type deployable struct {
	// name is what people call it, and what the last element of a container's
	// image is then; repository is where it lies, empty for one on this machine.
	name, repository string
	digests          []string
	image            *workloads.Image
	// from is the argument that named it, or its service.
	from string
	// run tells that a container runs it.
	run bool
}

// deployables find the image that a container runs.
type deployables []*deployable

// find returns the image by its digest, else by its repository or, for one that
// lies in none, by its name: what a manifest says of the release before the next is
// what it will say of that.
func (d deployables) find(reference string) *workloads.Image {
	digest := reference[strings.LastIndex(reference, "@")+1:]
	for _, one := range d {
		if slices.Contains(one.digests, digest) {
			return one.ran()
		}
	}
	repository := reference
	if ref, err := name.ParseReference(reference); err == nil {
		repository = ref.Context().Name()
	}
	for _, one := range d {
		if one.repository == repository || one.repository == "" && path.Base(repository) == one.name {
			return one.ran()
		}
	}
	return nil
}

func (d *deployable) ran() *workloads.Image {
	d.run = true
	return d.image
}

// unused is the error that the manifests run no image of an argument: then nothing
// was held against it.
func (d deployables) unused(next string) error {
	run := make(map[string]bool)
	for _, one := range d {
		run[one.from] = run[one.from] || one.run
	}
	for _, one := range d {
		if !run[one.from] {
			return hintf(next, "none of the manifests runs an image of %s: that of a container is known by its digest or its name, such as %s", one.from, one.name)
		}
	}
	return nil
}

// newDeployable takes what a check saw of an image.
func newDeployable(called, repository string, j *images.Judgement) (*deployable, error) {
	if len(j.Images) == 0 {
		return nil, fmt.Errorf("%s holds no image that could be run", called)
	}
	d := &deployable{name: called, repository: repository, from: called, digests: []string{j.Report.Subject.Digest}, image: workloads.ImageOf(called, j.Images[0])}
	for _, img := range j.Images {
		d.digests = append(d.digests, img.Digest.String())
	}
	return d, nil
}

// against reads the images that --image names.
func (f *checkFlags) against(ctx context.Context, known *images.Memory, tmp string) (deployables, error) {
	var all deployables
	for i, arg := range f.images {
		subjects, err := find(ctx, arg, filepath.Join(tmp, "image"+strconv.Itoa(i)))
		if err != nil {
			return nil, err
		}
		for _, s := range subjects {
			opts := images.Options{Memory: known, ByDigest: s.remote}
			if s.slow {
				opts.Memory = nil
			}
			j, err := images.Check(ctx, s.name, s.artifact, opts)
			if err != nil {
				return nil, err
			}
			called, repository := s.name, ""
			if s.remote {
				ref, err := name.ParseReference(arg)
				if err != nil {
					return nil, err
				}
				called, repository = path.Base(ref.Context().RepositoryStr()), ref.Context().Name()
			}
			one, err := newDeployable(called, repository, j)
			if err != nil {
				return nil, err
			}
			one.from = arg
			all = append(all, one)
		}
	}
	return all, nil
}

// manifestsOf reads the manifests that temper.yaml names, before anything is built:
// what cannot be read is known at once.
func (l *line) manifestsOf(ctx context.Context, services []*service.Service) (*manifestReader, error) {
	m := &manifestReader{p: l.person, root: l.repo.Dir, whole: true}
	var seen []string
	for _, svc := range services {
		for _, path := range svc.Manifests {
			if slices.Contains(seen, path) {
				continue // two services in one file
			}
			seen = append(seen, path)
			info, err := os.Stat(path)
			if err != nil {
				return nil, err
			}
			if info.IsDir() {
				var found bool
				if found, err = m.below(ctx, path); err == nil && !found {
					err = fmt.Errorf("%s is a folder without manifests, and temper.yaml names it as one with", relative(l.repo.Dir, path))
				}
			} else {
				err = m.file(ctx, path)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return m, errors.Join(m.wrong...)
}

// deployed holds the manifests against the images that were built: one report for
// each object in them.
func (l *line) deployed(ctx context.Context, m *manifestReader, products []*product) ([]*checks.Report, error) {
	for _, one := range products {
		if d := one.deployable; d != nil {
			d.image.Hosts, d.image.Exempt = answers(one.service)
			if one.hosts.Checked && !one.hosts.Undecided {
				d.image.Guarded, d.image.Exempt = true, append(d.image.Exempt, one.hosts.Paths...)
			}
			for _, c := range one.creates {
				d.image.Creates = append(d.image.Creates, workloads.Creation{Path: c.Path, Folder: c.Folder, At: fmt.Sprintf("%s:%d", c.File, c.Line)})
			}
			m.against = append(m.against, d)
		}
	}
	reports, err := m.reports(ctx)
	if err != nil {
		return nil, err
	}
	if err := m.against.unused("image: REPOSITORY/NAME@sha256:... of a container, or leave manifests out of " + service.ConfigName); err != nil {
		return nil, err
	}
	for i, r := range reports {
		if reports[i], err = waive(r, l.waivers, l.started); err != nil {
			return nil, err
		}
	}
	return reports, nil
}

// answers are the names that a service promises to answer to, and the paths that
// it serves under any: those of its health. Nothing is known of one that names
// neither, or that speaks gRPC.
func answers(svc *service.Service) (hosts, exempt []string) {
	if svc.Probe.GRPC || len(svc.Probe.Health) == 0 || svc.Probe.Host == service.DefaultHost {
		return nil, nil
	}
	return []string{svc.Probe.Host}, svc.Probe.Health
}
