package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"golang.org/x/sync/errgroup"

	"temper/checks"
	"temper/checks/images"
	"temper/pipeline/evidence"
	"temper/pipeline/policy"
	"temper/pipeline/release"
)

// belied tells what an SBOM says that the binaries in the image do not bear out,
// nil if nothing. Whoever can write into a layout can write an SBOM, and who signs
// one may not have looked; the provenance is a claim that only its builder can
// make.
func belied(statements []*evidence.Statement, list []evidence.Image) error {
	all, err := bills(statements, (*evidence.Statement).Modules)
	if err != nil {
		return err
	}
	return liars(all, list)
}

// A moduleReader says which modules an SBOM names.
type moduleReader func(*evidence.Statement) ([]string, error)

// readOnce is a moduleReader that reads each SBOM once, whoever asks.
func readOnce() moduleReader {
	var read sync.Map
	return func(s *evidence.Statement) ([]string, error) {
		once, _ := read.LoadOrStore(s, sync.OnceValues(s.Modules))
		return once.(func() ([]string, error))()
	}
}

// A bill is an SBOM with the modules that it names.
type bill struct {
	*evidence.Statement
	modules []string
}

func bills(statements []*evidence.Statement, read moduleReader) ([]bill, error) {
	var all []bill
	for _, s := range statements {
		if s.PredicateType != evidence.SPDX && s.PredicateType != evidence.CycloneDX {
			continue
		}
		modules, err := read(s)
		if err != nil {
			return nil, err
		}
		all = append(all, bill{s, modules})
	}
	return all, nil
}

// liars holds each bill against the images that it is about.
func liars(all []bill, list []evidence.Image) error {
	for _, b := range all {
		about := slices.DeleteFunc(slices.Clone(list), func(img evidence.Image) bool { return !b.About(img.Digest) })
		if len(about) == 0 {
			about = list // it is about the index
		}
		if err := evidence.Describe(b.modules, about...); err != nil {
			return err
		}
	}
	return nil
}

// binaries are the images with the executables that they start. One without build
// info is left out, and a rule says so; its image is not: an SBOM of modules that
// nobody can see in it is a lie too.
func binaries(j *images.Judgement) []evidence.Image {
	var list []evidence.Image
	for _, img := range j.Images {
		one := evidence.Image{Platform: img.Platform, Digest: img.Digest}
		if e := img.Entrypoint; e != nil && e.Facts != nil && e.Facts.Go != nil {
			one.Executables = []evidence.Executable{{Go: e.Facts.Go}}
		}
		list = append(list, one)
	}
	return list
}

// programs are the same of images that nobody judges.
func programs(ctx context.Context, name string, artifact mutate.Appendable) ([]evidence.Image, error) {
	startable, err := images.Startable(name, artifact)
	if err != nil {
		return nil, err
	}
	list := make([]evidence.Image, len(startable))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range startable {
		g.Go(func() error {
			digest, err := startable[i].Digest()
			if err != nil {
				return err
			}
			info, err := images.BuildInfo(ctx, startable[i])
			if err != nil {
				return fmt.Errorf("looking into %s: %w", digest, err)
			}
			list[i].Digest = digest
			if info != nil {
				list[i].Executables = []evidence.Executable{{Go: info}}
			}
			return nil
		})
	}
	return list, g.Wait()
}

// inside holds the SBOMs of a release against the binaries in it.
func inside(ctx context.Context, r *release.Release, artifact mutate.Appendable, read moduleReader) error {
	var described []*evidence.Statement
	described = append(described, r.Statements...)
	for _, platform := range r.Platforms {
		for _, s := range platform.Statements {
			if !slices.Contains(described, s) { // one image has but one
				described = append(described, s)
			}
		}
	}
	if !slices.ContainsFunc(described, func(s *evidence.Statement) bool {
		return s.PredicateType == evidence.SPDX || s.PredicateType == evidence.CycloneDX
	}) {
		return nil
	}
	var all []bill
	unreadable := make(chan error, 1)
	go func() { // while the binaries are unpacked
		var err error
		all, err = bills(described, read)
		unreadable <- err
	}()
	list, err := programs(ctx, r.Ref, artifact)
	if err != nil {
		return err
	}
	lie := <-unreadable
	if lie == nil {
		lie = liars(all, list)
	}
	if lie != nil {
		return release.Refuse(release.Refused, r.Ref, "its SBOM is not that of the binary in it: "+lie.Error())
	}
	return nil
}

// recheck runs the rules on the very bytes that the registry holds, and accepts
// what the release was signed with: its waivers, as far as they have not expired
// and the policy accepts them. One that it does not accept may be signed, in another
// report than the one that it took.
func recheck(ctx context.Context, p *person, facts *releaseFacts, artifact mutate.Appendable, wanted *policy.Policy, now time.Time) error {
	var waivers []checks.Waiver
	for _, w := range facts.Waivers {
		if wanted.Accepts(w.Waiver, now) {
			waivers = append(waivers, w.Waiver)
		}
	}
	memory, err := images.NewMemory("") // of this run only: what another check has seen counts for nothing
	if err != nil {
		return err
	}
	j, err := judge(ctx, facts.Service, artifact, images.Options{Memory: memory}, waivers, now)
	if err != nil {
		return err
	}
	if err := p.report(j.Report); err != nil {
		return err
	}
	facts.Rechecked = len(j.Report.Rules)
	if !j.Report.OK() || !j.Report.Passes(wanted.Strict) {
		return release.Refuse(release.Refused, facts.Ref, "checked again, "+broken(j.Report, wanted.Strict))
	}
	return nil
}
