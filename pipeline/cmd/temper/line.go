package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"golang.org/x/sync/errgroup"

	"temper/checks"
	"temper/checks/images"
	"temper/checks/memory"
	"temper/checks/page"
	"temper/checks/sources"
	"temper/pipeline/binary"
	"temper/pipeline/evidence"
	"temper/pipeline/image"
	"temper/pipeline/license"
	"temper/pipeline/service"
	"temper/pipeline/timing"
)

// A line is the production line of one build: it moves every service through
// the stages, side by side as far as the machine allows.
type line struct {
	*person
	repo    *service.Repository
	cache   string
	tag     string
	created time.Time
	started time.Time
	base    *signedBase
	source  evidence.Source
	waivers []checks.Waiver
	depict  bool
	memory  *images.Memory
	looked  *sources.Memory
	// judged are the reports about the code of services, and what binaries say of themselves.
	judged *memory.Folder
	// looking is held by who looks at code. That takes all cores by itself, and who comes
	// next need not look again at what both import.
	looking sync.Mutex
	// cyclonedx asks for CycloneDX documents beside the SPDX ones.
	cyclonedx bool
	// trustedRoot is a file that stands in for what temper.yaml trusts, or empty.
	trustedRoot string
	// share is what the builds share; nil for nothing.
	share *binary.Share
	// probe says to start the services as well.
	probe bool
	// output is the layout that the images are going to be written to; empty for a tarball.
	output string
	// uploads is where layers go ahead of a release; nil for nowhere.
	uploads *uploads
	// licenses looks once into what services have in common.
	licenses license.Finder
	// toolchains are asked once for all services.
	toolchains binary.Toolchains

	// slots are what compiles and compresses at a time, compilers how many each
	// of them may start.
	slots     chan struct{}
	compilers int
}

// options are those of every build on the line.
func (l *line) options() binary.Options {
	return binary.Options{Cache: l.cache, Tag: l.tag, Parallel: l.compilers, Share: l.share, Facts: l.judged}
}

// A product is what comes off the line for one service.
type product struct {
	service   *service.Service
	toolchain *binary.Toolchain
	base      *signedBase
	source    evidence.Source
	artifact  mutate.Appendable
	digest    v1.Hash
	images    []evidence.Image
	// why says of each binary what made it be compiled, nothing if it was not.
	why    []compiled
	report *checks.Report
	// hosts are what its code does about names that are not its own, and creates what it
	// writes to by name, if it has manifests.
	hosts   sources.HostCheck
	creates []sources.Creation
	// deployable is what its manifests are held against.
	deployable *deployable
	// depicted is what the page shows of the images, if there is to be one.
	depicted []page.Platform
	// statements are the SBOMs, the provenance and the report.
	statements []*evidence.Statement
	// unsent is why its layers were not uploaded, if they were to be.
	unsent error

	// ahead is the look at its code that began as it was compiled, nil if none did.
	ahead *ahead

	asking  sync.Mutex
	imports map[string]*binary.Imports // by platform
	ask     bool                       // Go, whatever it has said before
}

// compiled says what made the binary for a platform be compiled; there are no reasons where
// nothing has changed since the last build.
type compiled struct {
	platform string
	reasons  []string
}

func (l *line) run(ctx context.Context, services []*service.Service) ([]*product, error) {
	if len(services) == 0 {
		return nil, errNothing
	}
	if err := l.open(ctx); err != nil {
		return nil, err
	}
	products := make([]*product, len(services))
	g, ctx := errgroup.WithContext(ctx)
	for i, svc := range services {
		g.Go(func() (err error) {
			products[i], err = l.make(ctx, svc)
			return err
		})
	}
	return products, g.Wait()
}

// open makes ready what all services share: the base and the workers.
func (l *line) open(ctx context.Context) (err error) {
	defer timing.Start(ctx, "open the base")()
	if l.base, err = openBase(ctx, l.person, l.repo, l.trustedRoot); err != nil {
		return err
	}
	var builds int
	builds, l.compilers = binary.Workers()
	l.slots = make(chan struct{}, builds)
	return nil
}

// make takes one service the whole way.
func (l *line) make(ctx context.Context, svc *service.Service) (*product, error) {
	ctx = timing.About(ctx, svc.Name, "")
	one, bins, err := l.compile(ctx, svc)
	if err != nil {
		return nil, err
	}
	defer func() { letGo(bins) }()
	if err := l.judge(ctx, one, bins); err != nil {
		if again, _ := altered(bins); !again && !image.Altered(one.artifact) || ctx.Err() != nil {
			return nil, err
		}
		letGo(bins)
		if one, bins, err = l.compile(ctx, svc); err != nil {
			return nil, err
		}
		if err := l.judge(ctx, one, bins); err != nil {
			return nil, err
		}
	}
	letGo(bins)
	if err := l.tell(ctx, one, bins); err != nil {
		return nil, err
	}
	if l.output != "" {
		image.Foresee(l.output, one.artifact, l.judged) // while others compile
	}
	one.unsent = l.uploads.send(ctx, one)
	return one, nil
}

// letGo forgets what is held of binaries in memory.
func letGo(bins []*binary.Binary) {
	for _, b := range bins {
		b.Release()
	}
}

// tell writes down what is known of the product.
func (l *line) tell(ctx context.Context, one *product, bins []*binary.Binary) (err error) {
	defer timing.Start(ctx, "describe")()
	if one.images, err = describe(one.service, l.base.Base, one.artifact, bins); err != nil {
		return err
	}
	return l.state(one)
}

// turn waits for a slot to compile in.
func (l *line) turn(ctx context.Context) (done func(), err error) {
	defer timing.Start(ctx, "wait")()
	select {
	case l.slots <- struct{}{}:
		return func() { <-l.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// compile takes one service as far as its binaries, one for each platform. What has changed
// takes its turn to compile.
func (l *line) compile(ctx context.Context, svc *service.Service) (*product, []*binary.Binary, error) {
	chosen := timing.Start(ctx, "choose Go")
	toolchain, err := l.toolchains.Select(ctx, l.repo, svc)
	chosen()
	if err != nil {
		return nil, nil, err
	}
	l.note("%s: compiling with %s, as %s says", svc.Name, toolchain.Version, toolchain.Chosen)
	go toolchain.Sum() // for the provenance, while others work
	one := &product{service: svc, toolchain: toolchain, base: l.base}
	bins := make([]*binary.Binary, len(l.repo.Platforms))
	g, buildCtx := errgroup.WithContext(ctx)
	for i, platform := range l.repo.Platforms {
		g.Go(func() (err error) {
			opts := l.options()
			opts.Turn = l.turn
			if i == 0 {
				opts.Ahead = func(known func() *binary.Imports) { one.ahead = l.lookAhead(ctx, svc, platform, known) }
			}
			bins[i], err = binary.Build(buildCtx, svc, platform, toolchain, opts)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	for _, b := range bins {
		one.why = append(one.why, compiled{b.Platform.String(), b.Why})
	}
	return one, bins, nil
}

// assemble puts a service's binaries into its image, and says nothing about it.
func (l *line) assemble(ctx context.Context, one *product, bins []*binary.Binary) error {
	defer timing.Start(ctx, "pack")()
	one.source = l.source
	outside, err := binary.Outside(one.service, bins...)
	if err != nil {
		return err
	}
	if len(outside) > 0 {
		one.source.Dirty = true
		l.outside(one.service.Name, outside)
	}
	// What the check is going to read of the layers it reads as they are compressed.
	var reading sync.WaitGroup
	watch := func(tar io.ReadCloser) { reading.Go(func() { l.memory.Ahead(ctx, tar) }) }
	opts := image.Options{Cache: filepath.Join(l.cache, "layers"), Created: l.created, Watch: watch}
	one.artifact, err = image.Assemble(ctx, one.service, l.base.Base, opts, bins...)
	reading.Wait()
	if err != nil {
		return err
	}
	one.digest, err = one.artifact.Digest()
	return err
}

// altered tells whether one of the binaries is not what it was taken for. It is compiled
// again the next time.
func altered(bins []*binary.Binary) (any bool, err error) {
	for _, b := range bins {
		is, err := b.Distrust()
		if err != nil {
			return false, err
		}
		any = any || is
	}
	return any, nil
}

// judge makes the image and checks it and, meanwhile, the code that it is made from,
// and starts the service if that is asked for.
func (l *line) judge(ctx context.Context, one *product, bins []*binary.Binary) error {
	var j *images.Judgement
	var code *checks.Report
	g, both := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		if err := l.assemble(both, one, bins); err != nil {
			return err
		}
		defer timing.Start(both, "check the image")()
		opts := images.Options{Memory: l.memory, ByDigest: true, Why: l.why(both, one, bins)}
		j, err = images.Check(both, one.service.Name, one.artifact, opts)
		return err
	})
	g.Go(func() (err error) {
		defer timing.Start(both, "check the code")()
		code, err = l.code(both, one, bins)
		return err
	})
	if err := g.Wait(); err != nil {
		return err
	}
	if l.depict {
		one.depicted = depict(j.Images, measureBuilt(bins))
	}
	if len(one.service.Manifests) > 0 {
		var err error
		if one.deployable, err = newDeployable(one.service.Name, "", j); err != nil {
			return err
		}
	}
	var linked []string
	for _, b := range bins {
		linked = append(linked, b.Modules()...)
	}
	file := filepath.Join(one.service.Module, "go.mod")
	module, err := sources.Open(file, one.service.Root, relative(one.service.Root, file), linked)
	if err != nil {
		return err
	}
	asked, err := checks.Run(ctx, j.Report.Subject, "", module, sources.Rules)
	if err != nil {
		return err
	}
	one.report = checks.Join(j.Report, asked, code)
	if l.probe {
		defer timing.Start(ctx, "probe")()
		seen, err := probed(ctx, one.service.Name, one.artifact, &promises{one.service.Probe, one.service.Ports})
		if err != nil {
			return err
		}
		one.report = checks.Join(one.report, seen)
	}
	one.report, err = waive(one.report, l.waivers, l.started)
	return err
}

// why answers by which imports a package or module comes into the binary of a
// platform. Go is asked when the first finding wants to know.
func (l *line) why(ctx context.Context, one *product, bins []*binary.Binary) func(platform, path string) ([]string, error) {
	return func(platform, path string) ([]string, error) {
		i := slices.IndexFunc(l.repo.Platforms, func(p v1.Platform) bool { return p.String() == platform })
		if i < 0 {
			return nil, fmt.Errorf("%s was not built for %s", one.service.Name, platform)
		}
		return remembered(l.judged, []any{"way", bins[i].Digest, platform, path}, func() ([]string, error) {
			deps, err := l.imports(ctx, one, bins[i])
			if err != nil {
				return nil, err
			}
			return deps.Way(path), nil
		})
	}
}
