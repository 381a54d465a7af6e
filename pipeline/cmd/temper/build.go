package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"temper/checks"
	"temper/checks/page"
	"temper/pipeline/binary"
	"temper/pipeline/evidence"
	"temper/pipeline/image"
	"temper/pipeline/service"
	"temper/pipeline/store"
	"temper/pipeline/timing"
)

// buildFlags are those of temper build.
type buildFlags struct {
	reportFlags
	dir       string
	services  []string
	over      service.Override
	base      string
	trusted   string
	output    string
	tag       string
	created   string
	source    string
	cyclonedx bool
	probe     bool
	private   bool
	timings   bool
	upload    string
	insecure  []string
}

func newBuild(p *person) *cobra.Command {
	var f buildFlags
	cmd := &cobra.Command{
		Use:   "build [flags]",
		Short: "Compile, assemble and check services into one OCI layout",
		Long: `build compiles the services of a repository, puts each into an image, checks it,
and writes all of them into one OCI layout together with their SBOM, provenance and
report. Without temper.yaml every main package is a service.

On stdout it prints NAME DIGEST for each service. An image that breaks a rule is
still written, with its failing report, and build exits 3; release refuses it.`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error { return build(c.Context(), p, f) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.dir, "chdir", "C", ".", "build what is in `DIR`")
	flags.StringArrayVar(&f.services, "service", nil, "build the service `NAME` only (may be repeated)")
	overriding(cmd, &f.over)
	flags.StringVar(&f.base, "base", "", "stand on `REF`: builtin, distroless, NAME@sha256:..., or an OCI layout's folder")
	flags.StringVar(&f.trusted, "trusted-root", "", "hold the base's signer against the trusted root in `FILE` in place of Sigstore's public one")
	flags.StringVarP(&f.output, "output", "o", "", "write the layout to `DIR`, or FILE.tar for docker load (default .temper/oci in the repository)")
	flags.StringVar(&f.tag, "tag", "", "what {{.Tag}} stands for in ldflags")
	flags.StringVar(&f.created, "created", "", "creation `TIME` of the images, as in 2026-01-31T12:00:00Z (default the Unix epoch)")
	flags.StringVar(&f.source, "source", "", "record `URI@COMMIT` as the source in place of what git says")
	flags.BoolVar(&f.probe, "probe", false, "start each service as temper probe does, and add to its report what was seen")
	flags.BoolVar(&f.cyclonedx, "cyclonedx", false, "write the SBOMs as CycloneDX 1.6 as well")
	flags.BoolVar(&f.private, "private", false, "compile everything in each service's own cache: share not even the standard library")
	flags.BoolVar(&f.timings, "timings", false, "say where the time went, and why something was compiled")
	flags.StringVar(&f.upload, "upload", "", "send layers to `REPOSITORY`/NAME while others compile, for temper release to find there")
	addInsecure(cmd, &f.insecure, "the registry of --upload")
	f.add(cmd)
	flags.BoolVarP(&p.verbose, "verbose", "v", false, "say more, such as which variables were set aside")
	return cmd
}

func build(ctx context.Context, p *person, f buildFlags) error {
	if err := f.open(); err != nil {
		return err
	}
	if f.probe {
		if err := able(ctx); err != nil {
			return err
		}
	}
	times := timing.New()
	if f.timings {
		ctx = timing.Record(ctx, times)
	}
	repo, err := f.load(ctx)
	if err != nil {
		return err
	}
	if err := f.override(p, repo); err != nil {
		return err
	}
	services := repo.Services
	if len(f.services) > 0 {
		services = nil
		for _, name := range f.services {
			svc, err := repo.Named(name)
			if err != nil {
				return err
			}
			services = append(services, svc)
		}
	}
	output := f.output
	if output == "" {
		output = filepath.Join(repo.Dir, ".temper", "oci")
	}
	asTarball := strings.HasSuffix(output, ".tar")
	if asTarball && len(repo.Platforms) > 1 {
		return hintf("temper build --platform "+repo.Platforms[0].String()+" -o "+f.output,
			"a tarball holds one platform, and this is to be built for %d", len(repo.Platforms))
	}
	if asTarball && f.upload != "" {
		return usagef("--upload sends ahead what temper release takes from a layout, and %s is none", f.output)
	}
	sending, err := newUploads(f.upload, f.insecure)
	if err != nil {
		return err
	}
	p.setAside()
	l := &line{
		person: p, repo: repo, tag: f.tag, started: time.Now(), waivers: waivers(repo.Waivers),
		depict: f.html != "", cyclonedx: f.cyclonedx, trustedRoot: f.trusted, probe: f.probe,
		uploads: sending,
	}
	if !asTarball {
		l.output = output
	}
	if l.cache, err = binary.DefaultCache(); err != nil {
		return err
	}
	most, err := limit("")
	if err != nil {
		return err
	}
	release, err := store.Hold(ctx, l.cache)
	if err != nil {
		return err
	}
	defer keepBounds(ctx, p, l.cache, most)
	defer release()
	if !f.private {
		if l.share = shared(l.cache); l.share != nil {
			l.share.Services = services
		}
	}
	if l.memory, err = layersRead(l.cache); err != nil {
		return err
	}
	if l.looked, err = looked(l.cache); err != nil {
		return err
	}
	if l.judged, err = seenBefore(l.cache); err != nil {
		return err
	}
	l.toolchains.Facts, l.licenses.Known = l.judged, l.judged
	if l.created, err = parseCreated(f.created, repo); err != nil {
		return err
	}
	if f.source != "" {
		if l.source, err = evidence.ParseSource(f.source); err != nil {
			return usagef("--source: %v", err)
		}
	} else {
		asked := timing.Start(ctx, "ask git")
		l.source = evidence.GitSource(ctx, repo.Dir)
		asked()
	}
	manifests, err := l.manifestsOf(ctx, services)
	if err != nil {
		return err
	}
	products, err := l.run(ctx, services)
	if err != nil {
		return err
	}
	if f.output == "" {
		err = ignored(filepath.Dir(output))
	}
	if err != nil {
		return err
	}
	write := func() error {
		defer timing.Start(ctx, "write")()
		if asTarball {
			return writeTarball(output, products)
		}
		return writeLayout(output, products, f.output == "" && len(f.services) == 0)
	}
	if err = write(); err != nil && slices.ContainsFunc(products, func(one *product) bool { return image.Altered(one.artifact) }) {
		if products, err = l.run(ctx, services); err == nil {
			err = write()
		}
	}
	if err != nil {
		return err
	}
	deployed, err := l.deployed(ctx, manifests, products)
	if err != nil {
		return err
	}
	var took *timings
	if f.timings {
		took = newTimings(times, products)
	}
	missing := f.unsent(output, products)
	if missing != nil && f.json {
		return missing // one object, and nothing after an error
	}
	if err := f.answer(p, repo, output, products, deployed, took); err != nil {
		return err
	}
	return missing
}

// unsent tells what was to be uploaded and was not, nil if all was.
func (f *buildFlags) unsent(output string, products []*product) error {
	for _, one := range products {
		if one.unsent != nil {
			return &hintedError{one.unsent, "all is built, and temper release " + output + " " + f.upload + " sends what is missing"}
		}
	}
	return nil
}

func (f *buildFlags) load(ctx context.Context) (*service.Repository, error) {
	defer timing.Start(ctx, "find services")()
	return service.Load(ctx, f.dir, ruleNames()...)
}

// ignored makes the repository's own folder for Temper, which git does not look
// into: a build would otherwise leave a tree with changes behind, and the next
// would say so in its provenance.
func ignored(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	err := writeNew(filepath.Join(dir, ".gitignore"), []byte("*\n"), 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// override puts what the command line says over what the configuration does.
func (f *buildFlags) override(p *person, repo *service.Repository) error {
	if f.base != "" {
		base, err := parseBase(repo, f.base)
		if err != nil {
			return usagef("--base: %v", err)
		}
		if repo.Signer != nil && !sameRepository(repo.Base, base) {
			p.unasked(base)
			repo.Signer = nil
		}
		repo.Base = base
	}
	return override(repo, f.over)
}

// parseBase reads a base from the command line, where a layout may be any
// folder of this machine.
func parseBase(repo *service.Repository, text string) (string, error) {
	if _, err := os.Stat(filepath.Join(text, "oci-layout")); err == nil {
		return filepath.Abs(text)
	}
	return service.ParseBase(repo.Dir, text)
}

// overriding adds the flags that say what temper.yaml would.
func overriding(cmd *cobra.Command, o *service.Override) {
	flags := cmd.Flags()
	flags.StringArrayVar(&o.Platforms, "platform", nil, "build for `OS/ARCH` in place of the configured ones (may be repeated)")
	flags.StringVar(&o.Go, "go", "", "compile with the Go `RELEASE`, such as 1.26.8, in place of the configured one")
	flags.StringArrayVar(&o.BuildTags, "build-tag", nil, "add the Go build tag `NAME` to those of every service (may be repeated)")
}

func override(repo *service.Repository, o service.Override) error {
	if err := repo.Override(o); err != nil {
		return usagef("%v", err)
	}
	return nil
}

func parseCreated(flag string, repo *service.Repository) (time.Time, error) {
	if flag == "" {
		return repo.Created, nil
	}
	t, err := time.Parse(time.RFC3339, flag)
	if err != nil {
		return t, usagef("--created: %q is no time such as 2026-01-31T12:00:00Z", flag)
	}
	return t, nil
}

// answer prints what was built and says no where a rule is broken.
func (f *buildFlags) answer(p *person, repo *service.Repository, output string, products []*product, manifests []*checks.Report, took *timings) error {
	var reports []*checks.Report
	var shown []page.Service
	for _, one := range products {
		reports = append(reports, one.report)
		shown = append(shown, page.Service{Platforms: one.depicted, Provenance: originOf(one)})
	}
	reports, shown = append(reports, manifests...), append(shown, make([]page.Service, len(manifests))...)
	reports, no, err := f.tell(p, reports, shown, standIns(repo))
	if err != nil {
		return err
	}
	if f.json {
		if err := p.json(builtObject(output, products, reports, took)); err != nil {
			return err
		}
		return no.orNil()
	}
	if took != nil {
		p.timings(took)
	}
	for _, one := range products {
		fmt.Fprintf(p.out, "%s %s\n", one.service.Name, one.digest)
	}
	return no.orNil()
}

// builtObject is what temper build --json writes, with the reports as they were
// told: the baseline is in them, and not in the evidence.
func builtObject(output string, products []*product, reports []*checks.Report, took *timings) any {
	type image struct {
		Platform string `json:"platform"`
		Digest   string `json:"digest"`
		Binary   string `json:"binary"`
		// Compiled says what made the binary be compiled; there is none where nothing has
		// changed since the last build.
		Compiled []string `json:"compiled,omitempty"`
	}
	type built struct {
		Name   string         `json:"name"`
		Digest v1.Hash        `json:"digest"`
		Go     string         `json:"go"`
		Base   string         `json:"base"`
		Signer string         `json:"baseSigner,omitempty"`
		Images []image        `json:"images"`
		Report *checks.Report `json:"report"`
	}
	out := struct {
		Output   string  `json:"output"`
		Services []built `json:"services"`
		// Manifests are the reports about the objects that temper.yaml names.
		Manifests []*checks.Report `json:"manifests,omitempty"`
		Timings   *timings         `json:"timings,omitempty"`
	}{Output: output, Manifests: reports[len(products):], Timings: took}
	for i, one := range products {
		b := built{Name: one.service.Name, Digest: one.digest, Go: one.toolchain.Version, Base: one.base.Name, Signer: one.base.signer.String(), Report: reports[i]}
		for _, img := range one.images {
			made := image{Platform: img.Platform, Digest: img.Digest.String(), Binary: img.Executables[0].Digest.String()}
			if at := slices.IndexFunc(one.why, func(c compiled) bool { return c.platform == img.Platform }); at >= 0 {
				made.Compiled = one.why[at].reasons
			}
			b.Images = append(b.Images, made)
		}
		out.Services = append(out.Services, b)
	}
	return out
}

var errNothing = errors.New("there is no service to build")
