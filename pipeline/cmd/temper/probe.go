package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"temper/checks"
	"temper/checks/images"
	"temper/checks/page"
	"temper/checks/probes"
	"temper/pipeline/sandbox"
	"temper/pipeline/service"
)

// probeFlags are those of temper probe.
type probeFlags struct {
	reportFlags
	dir      string
	services []string
	port     int
	health   []string
	paths    []string
	host     string
	grpc     bool
}

func newProbe(p *person) *cobra.Command {
	var f probeFlags
	cmd := &cobra.Command{
		Use:   "probe [flags] LAYOUT|TARBALL|REF...",
		Short: "Start images in a sandbox, and hold the services to what they promise",
		Long: `probe starts each image in a sandbox of its own, with a root that is only read, no
capabilities, no way to new privileges and a memory limit, and asks the service what
a stranger would: names that are not its own, headers that never end, bodies that
are too large, redirects to elsewhere, its profiles, and at last to stop.

What a service promises stands in temper.yaml, under probe, and is found by the
image's name; flags stand over it. It takes Linux and no container runtime. Root has
the memory limit kept by the kernel; for others it is watched, if the system lets
them have a user namespace. An image is started for this machine's platform. The
longest promise, mostly probe: {idle}, is how long it takes.

It prints NAME DIGEST for each image that passes and exits 3 if one does not.`,
		Args: atLeast(1),
		RunE: func(c *cobra.Command, args []string) error { return probe(c.Context(), p, f, args) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.dir, "chdir", "C", ".", "take the promises from the temper.yaml in `DIR`")
	flags.StringArrayVar(&f.services, "service", nil, "probe the image `NAME` only (may be repeated)")
	flags.IntVar(&f.port, "port", 0, "ask on `PORT`")
	flags.StringArrayVar(&f.health, "health", nil, "`PATH` that a kubelet asks, or a gRPC service (may be repeated)")
	flags.StringArrayVar(&f.paths, "path", nil, "`PATH` or gRPC method to ask and to send to (may be repeated)")
	flags.StringVar(&f.host, "host", "", "`NAME` that the service answers to")
	flags.BoolVar(&f.grpc, "grpc", false, "it speaks gRPC")
	f.add(cmd)
	flags.BoolVarP(&p.verbose, "verbose", "v", false, "show clean reports as well")
	return cmd
}

func probe(ctx context.Context, p *person, f probeFlags, args []string) error {
	if err := able(ctx); err != nil {
		return err
	}
	if err := f.open(); err != nil {
		return err
	}
	repo, err := f.load(ctx)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "temper-probe-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	var subjects []subject
	for i, arg := range args {
		list, err := find(ctx, arg, filepath.Join(tmp, strconv.Itoa(i)))
		if err != nil {
			return err
		}
		subjects = append(subjects, list...)
	}
	if subjects, err = f.chosen(subjects); err != nil {
		return err
	}
	now := time.Now()
	reports := make([]*checks.Report, len(subjects))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(sideBySide)
	for i, s := range subjects {
		g.Go(func() error {
			promised, err := f.promises(repo, s)
			if err != nil {
				return err
			}
			r, err := probed(ctx, s.name, s.artifact, promised)
			if err != nil {
				return err
			}
			reports[i], err = waive(r, waivers(repo.Waivers), now)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	where := nowhere
	if repo.Config != "" {
		where = standIns(repo)
	}
	return f.conclude(p, reports, make([]page.Service, len(reports)), where)
}

// sideBySide is how many services are probed at once. They mostly wait.
const sideBySide = 8

// able returns nil where this process can make sandboxes. Where it cannot, and the
// system lets it, the whole command has run again in a user namespace, and its
// exit code is the error.
func able(ctx context.Context) error {
	err := sandbox.Able()
	if err == nil || runtime.GOOS != "linux" {
		return err
	}
	code, again := sandbox.Again(ctx)
	if again != nil {
		return hintf("sudo temper probe ...", "%w, and nobody else may here: %w", err, again)
	}
	return &againError{code}
}

// load reads the promises; without a temper.yaml there are none but the flags.
func (f *probeFlags) load(ctx context.Context) (*service.Repository, error) {
	if _, err := os.Stat(filepath.Join(f.dir, service.ConfigName)); errors.Is(err, fs.ErrNotExist) {
		if f.dir != "." {
			return nil, err
		}
		return new(service.Repository), nil
	}
	return service.Load(ctx, f.dir, ruleNames()...)
}

func (f *probeFlags) chosen(all []subject) ([]subject, error) {
	if len(f.services) == 0 {
		return all, nil
	}
	var list []subject
	for _, name := range f.services {
		i := slices.IndexFunc(all, func(s subject) bool { return s.name == name })
		if i < 0 {
			var have []string
			for _, s := range all {
				have = append(have, s.name)
			}
			return nil, fmt.Errorf("no image is named %q; there are: %v", name, have)
		}
		list = append(list, all[i])
	}
	return list, nil
}

// promises are those of temper.yaml for an image, with the flags over them. Of an
// image that it does not name, the configuration tells the ports.
func (f *probeFlags) promises(repo *service.Repository, s subject) (*promises, error) {
	out := new(promises)
	if svc, err := repo.Named(s.name); err == nil {
		out.ports, out.Probe = svc.Ports, svc.Probe
	} else {
		img, err := runnable(s.name, s.artifact)
		if err != nil {
			return nil, err
		}
		if out.ports, err = exposed(img); err != nil {
			return nil, err
		}
		out.Probe = service.Unpromised(out.ports...)
	}
	if f.grpc {
		out.GRPC, out.Health, out.Paths = true, nil, []string{probes.HealthCheck}
	}
	if f.port != 0 {
		out.Port = f.port
	}
	if len(f.health) > 0 {
		out.Health = f.health
	}
	if len(f.paths) > 0 {
		out.Paths = f.paths
	}
	if f.host != "" {
		out.Host = f.host
	}
	if out.Port == 0 && len(out.ports) == 0 && (f.grpc || f.host != "" || len(f.health)+len(f.paths) > 0) {
		return nil, usagef("%s has no port to ask on", s.name).hint("add --port")
	}
	return out, nil
}

// promises are what a service says of itself, and its ports.
type promises struct {
	service.Probe
	ports []int
}

// exposed are the TCP ports of an image's configuration.
func exposed(img v1.Image) ([]int, error) {
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	var ports []int
	for name := range config.Config.ExposedPorts {
		var port int
		if n, err := fmt.Sscanf(name, "%d/tcp", &port); n == 1 && err == nil {
			ports = append(ports, port)
		} else if n, err := strconv.Atoi(name); err == nil { // tcp where it is not said
			ports = append(ports, n)
		}
	}
	slices.Sort(ports)
	return ports, nil
}

// probed is the report of the rules about services that run.
func probed(ctx context.Context, name string, artifact mutate.Appendable, promised *promises) (*checks.Report, error) {
	if promised.Port == 0 && len(promised.ports) > 1 {
		return nil, hintf("probe: {port: "+strconv.Itoa(promised.ports[0])+"} in temper.yaml, or temper probe --port",
			"%s has the ports %v, and nothing says which to ask", name, promised.ports)
	}
	digest, err := artifact.Digest()
	if err != nil {
		return nil, err
	}
	img, err := runnable(name, artifact)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "temper-probe-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // the service is another user
		return nil, err
	}
	running, err := probes.Observe(ctx, promised.declaration(), launch(img, dir, promised))
	if err != nil {
		return nil, fmt.Errorf("probing %s: %w", name, err)
	}
	of := checks.Subject{Name: name, Digest: digest.String()}
	return checks.Run(ctx, of, "linux/"+runtime.GOARCH, running, probes.Rules(running))
}

func (p *promises) declaration() probes.Declaration {
	return probes.Declaration{
		Port: p.Port, Ports: p.ports, Health: p.Health, Host: p.Host, Paths: p.Paths, GRPC: p.GRPC,
		Start: p.Start, Header: p.Header, Idle: p.Idle, Stop: p.Stop,
	}
}

// launch starts the image, each time in a root of its own below dir.
func launch(img v1.Image, dir string, promised *promises) probes.Launch {
	opts := sandbox.Options{Memory: promised.Memory}
	for _, name := range slices.Sorted(maps.Keys(promised.Env)) {
		opts.Env = append(opts.Env, name+"="+promised.Env[name])
	}
	return func(ctx context.Context, writable bool) (probes.Process, error) {
		opts := opts
		opts.Writable = writable
		at, err := os.MkdirTemp(dir, "root-*")
		if err != nil {
			return nil, err
		}
		root, err := sandbox.Unpack(ctx, img, at)
		if err != nil {
			return nil, err
		}
		p, err := root.Start(ctx, opts)
		var refused *sandbox.StartError
		if errors.As(err, &refused) {
			return nil, &probes.StartError{Reason: refused.Reason}
		}
		if err != nil {
			return nil, err
		}
		return &process{p, root}, nil
	}
}

// A process is a sandbox's, as the probes know it.
type process struct {
	*sandbox.Process
	*sandbox.Root
}

func (p *process) End() probes.End       { return probes.End(p.Process.End()) }
func (p *process) Memory() probes.Memory { return probes.Memory(p.Process.Memory()) }

// runnable is the image that this machine can start.
func runnable(name string, artifact mutate.Appendable) (v1.Image, error) {
	list, err := images.Startable(name, artifact)
	if err != nil {
		return nil, err
	}
	var have []string
	for _, img := range list {
		config, err := img.ConfigFile()
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		platform := config.OS + "/" + config.Architecture
		if platform == "linux/"+runtime.GOARCH {
			return img, nil
		}
		have = append(have, platform)
	}
	return nil, hintf("temper build --platform linux/"+runtime.GOARCH,
		"%s is for %v, and this machine starts linux/%s", name, have, runtime.GOARCH)
}
