package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/spf13/cobra"

	"temper/checks"
	"temper/checks/images"
	"temper/checks/page"
	"temper/checks/sources"
	"temper/checks/workloads"
	"temper/pipeline/binary"
	"temper/pipeline/evidence"
	"temper/pipeline/image"
	"temper/pipeline/release"
)

// checkFlags are those of temper check.
type checkFlags struct {
	reportFlags
	waivers       string
	writeBaseline string
	fresh         bool
	memoryBand    string
	minUID        int64
	images        []string
	fix           bool
}

func newCheck(p *person) *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use:   "check [flags] LAYOUT|TARBALL|REF|DIR|MANIFEST|-...",
		Short: "The rules, alone, on any image, on Go code and on Kubernetes manifests",
		Long: `check judges images by Temper's rules, whoever built them: every image of an OCI
layout, a docker or OCI tarball, or a reference in a registry. Of a folder it judges the
Go code, of the services that its temper.yaml names or of all its packages, and the
Kubernetes manifests. These may also be a file of YAML or JSON, or what kustomize and
Helm write, on the standard input as "-". All manifests of one call are looked at
together, for one may be what another lacks. With --image they are held against the
image that they run as well. An argument that exists on disk is what it looks like;
anything else is a reference.

It prints NAME DIGEST for each image, and each object of a manifest, that passes, and
exits 3 if one does not. What cannot be read, such as a template or a patch before it is
applied, is an error and has not passed. To
adopt the rules where much is broken, write a baseline of what is there and check
by it from then on: only what is new fails. A release takes no baseline.`,
		Args: atLeast(1),
		RunE: func(c *cobra.Command, args []string) error { return check(c.Context(), p, f, args) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.waivers, "waivers", "", "accept what the temper.yaml `FILE` waives for the names of images and objects")
	flags.StringVar(&f.writeBaseline, "write-baseline", "", "write what is found to `FILE`, and accept it")
	flags.BoolVar(&f.fresh, "fresh", false, "look at every layer and package, also those that an earlier check has looked at")
	flags.StringVar(&f.memoryBand, "memory-band", "20-30", "want a memory limit that is `PERCENT-PERCENT` above its request")
	flags.StringArrayVar(&f.images, "image", nil, "hold the manifests against the image that they run, a `LAYOUT`, TARBALL or REF (may be repeated)")
	flags.Int64Var(&f.minUID, "min-uid", 10001, "want runAsUser and runAsGroup to be `NUMBER` or more")
	flags.BoolVar(&f.fix, "fix", false, "mend Go code where that is safe, and judge what is left")
	f.add(cmd)
	flags.BoolVarP(&p.verbose, "verbose", "v", false, "show clean reports as well")
	return cmd
}

func check(ctx context.Context, p *person, f checkFlags, args []string) error {
	if f.baseline != "" && f.writeBaseline != "" {
		return usagef("--baseline and --write-baseline together").hint("temper check --write-baseline %s accepts what is there now", f.writeBaseline)
	}
	if err := f.open(); err != nil {
		return err
	}
	waived, err := readWaivers(f.waivers)
	if err != nil {
		return err
	}
	// What images take is not there before there is one: a manifest is judged sooner
	// than folders are made.
	var known *images.Memory
	var tmp string
	defer func() { os.RemoveAll(tmp) }() // which is nothing for no folder
	prepare := sync.OnceValue(func() (err error) {
		if known, err = f.memory(); err == nil {
			tmp, err = os.MkdirTemp("", "temper-check-*")
		}
		return err
	})
	var reports, ofFolders []*checks.Report
	var shown []page.Service
	now := time.Now()
	manifests := &manifestReader{p: p, whole: len(f.images) > 0}
	manifests.code = codeReader{person: p, fix: f.fix, looked: sync.OnceValues(f.looked)}
	if manifests.set.Options, err = f.manifestOptions(); err != nil {
		return err
	}
	if len(f.images) > 0 {
		if err := prepare(); err != nil {
			return err
		}
		if manifests.against, err = f.against(ctx, known, tmp); err != nil {
			return err
		}
	}
	for i, arg := range args {
		if taken, other, err := manifests.take(ctx, arg); err != nil {
			return err
		} else if taken {
			ofFolders = append(ofFolders, other...)
			continue
		}
		if err := prepare(); err != nil {
			return err
		}
		subjects, err := find(ctx, arg, filepath.Join(tmp, strconv.Itoa(i)))
		if err != nil {
			return err
		}
		for _, s := range subjects {
			opts := images.Options{Memory: known, ByDigest: s.remote}
			if s.slow {
				opts.Memory = nil
			}
			j, err := judge(ctx, s.name, s.artifact, opts, waived, now)
			if err != nil {
				return err
			}
			reports = append(reports, j.Report)
			if f.html != "" {
				claims, err := s.claims()
				if err != nil {
					return err
				}
				shown = append(shown, page.Service{
					Platforms: depict(j.Images, measureWithin(ctx)), Provenance: originClaimed(j.Report.Subject.Digest, claims),
				})
				if err := ctx.Err(); err != nil {
					return err // and no page that does not know what it could
				}
			}
		}
	}
	more, err := manifests.reports(ctx)
	if err != nil {
		return err
	}
	if err := manifests.against.unused("temper check --image LAYOUT MANIFEST"); err != nil {
		return err
	}
	for _, r := range slices.Concat(ofFolders, more) {
		if r, err = waive(r, waived, now); err != nil {
			return err
		}
		reports, shown = append(reports, r), append(shown, page.Service{})
	}
	if f.writeBaseline != "" {
		if err := f.accept(reports); err != nil {
			return err
		}
	}
	return f.conclude(p, reports, shown, fromHere())
}

// manifestOptions are what the flags say of manifests.
func (f *checkFlags) manifestOptions() (workloads.Options, error) {
	least, most, ok := strings.Cut(f.memoryBand, "-")
	from, err := strconv.ParseUint(least, 10, 10)
	to, err2 := strconv.ParseUint(most, 10, 10)
	if !ok || err != nil || err2 != nil || from > to || to == 0 {
		return workloads.Options{}, usagef("--memory-band %s is no band", f.memoryBand).hint("temper check --memory-band 20-30 MANIFEST")
	}
	if f.minUID < 1 {
		return workloads.Options{}, usagef("--min-uid %d would let root in", f.minUID).hint("temper check --min-uid 10001 MANIFEST")
	}
	return workloads.Options{MinID: f.minUID, MinBand: int(from), MaxBand: int(to)}, nil
}

// memory is what to go by of earlier checks. Without it, layers that two
// images share are still read once.
func (f *checkFlags) memory() (*images.Memory, error) {
	if f.fresh {
		return images.NewMemory("")
	}
	cache, err := binary.DefaultCache()
	if err != nil {
		return nil, err
	}
	return layersRead(cache)
}

// looked is what to go by of earlier looks at Go code.
func (f *checkFlags) looked() (*sources.Memory, error) {
	if f.fresh {
		return nil, nil
	}
	cache, err := binary.DefaultCache()
	if err != nil {
		return nil, err
	}
	return looked(cache)
}

// accept writes the baseline of what was found, and goes by it.
func (f *checkFlags) accept(reports []*checks.Report) error {
	f.known = checks.NewBaseline(reports...)
	data, err := f.known.Bytes()
	if err != nil {
		return err
	}
	return writeFile(f.writeBaseline, data)
}

// A subject is an image that check was asked about.
type subject struct {
	name     string
	artifact mutate.Appendable
	// remote tells that it is in a registry, and slow that its layers have to
	// be compressed before anyone knows their digests.
	remote, slow bool
	// said returns the statements of the layout that it is in, which nobody
	// signed; nil where there is no layout.
	said func() ([]*evidence.Statement, error)
}

func (s subject) claims() ([]*evidence.Statement, error) {
	if s.said == nil {
		return nil, nil
	}
	return s.said()
}

// find returns the images that an argument means. It may unpack them into tmp,
// which does not exist yet.
func find(ctx context.Context, arg, tmp string) ([]subject, error) {
	info, err := os.Stat(arg)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !looksLikePath(arg):
		return fromRegistry(ctx, arg)
	case err != nil:
		return nil, err
	case info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket|fs.ModeDevice) != 0:
		return nil, fmt.Errorf("%s is neither a file nor a folder", arg)
	case info.IsDir():
		return fromLayout(arg)
	}
	return fromTarball(arg, tmp)
}

// looksLikePath tells an argument that means a file, whether it is there or
// not, from a reference.
func looksLikePath(arg string) bool {
	return filepath.IsAbs(arg) || strings.HasPrefix(arg, "."+string(filepath.Separator)) || strings.HasPrefix(arg, "./") ||
		strings.HasPrefix(arg, "..") || strings.HasSuffix(arg, ".tar")
}

// fromTarball returns the images of an archive, by the names in it if there
// are several.
func fromTarball(file, tmp string) ([]subject, error) {
	base := filepath.Base(file)
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return nil, err
	}
	err := image.Unpack(file, tmp)
	if errors.Is(err, image.ErrNoLayout) {
		return fromDocker(file, base)
	}
	if err != nil {
		return nil, fmt.Errorf("%s is no image tarball: %w", file, err)
	}
	subjects, err := fromLayout(tmp)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	known := make(map[v1.Hash]bool)
	for _, one := range subjects {
		list, err := images.Startable(one.name, one.artifact)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, img := range list {
			config, err := img.ConfigName()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			known[config] = true
		}
	}
	if err := image.Loadable(tmp, known); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for i := range subjects {
		if len(subjects) == 1 {
			subjects[i].name = base
		} else {
			subjects[i].name = strings.TrimSuffix(base+":"+subjects[i].name, ":")
		}
	}
	return subjects, nil
}

// fromDocker reads an archive of the kind that has a manifest.json only.
func fromDocker(file, base string) ([]subject, error) {
	open := func() (io.ReadCloser, error) { return os.Open(file) }
	manifest, err := tarball.LoadManifest(open)
	if err != nil {
		return nil, fmt.Errorf("%s is no image tarball, it has neither an oci-layout nor a manifest.json: %w", file, err)
	}
	if err := image.Unambiguous(file); err != nil {
		return nil, err
	}
	var out []subject
	tags := make(map[string]bool)
	for _, m := range manifest {
		for _, t := range m.RepoTags {
			if tags[t] {
				return nil, fmt.Errorf("%s names two images %s, and only one of them would be looked at; save each by itself", file, t)
			}
			tags[t] = true
		}
		var tag *name.Tag
		called := base
		if len(manifest) > 1 {
			if len(m.RepoTags) == 0 {
				return nil, fmt.Errorf("%s holds %d images, and %s has no name to choose it by; save it alone", file, len(manifest), m.Config)
			}
			parsed, err := name.NewTag(m.RepoTags[0])
			if err != nil {
				return nil, fmt.Errorf("reading %s: %w", file, err)
			}
			tag, called = &parsed, base+":"+m.RepoTags[0]
		}
		img, err := tarball.Image(open, tag)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		out = append(out, subject{name: called, artifact: img, slow: true})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s holds no image", file)
	}
	return out, nil
}

func fromLayout(dir string) ([]subject, error) {
	if _, err := os.Stat(filepath.Join(dir, "oci-layout")); err != nil {
		return nil, hintf("temper build -o LAYOUT, then temper check LAYOUT", "%s is a folder without oci-layout: not an OCI layout", dir)
	}
	list, err := image.ReadImages(dir)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s holds no image", dir)
	}
	said := sync.OnceValues(func() ([]image.Entry, error) { return image.Read(dir) })
	var out []subject
	for i, e := range list {
		out = append(out, subject{
			name: plainName(e.Name, filepath.Base(dir)), artifact: e.Artifact,
			said: func() ([]*evidence.Statement, error) {
				all, err := said()
				if err == nil && len(all) != len(list) {
					err = fmt.Errorf("%s was written while it was read", dir)
				}
				if err != nil {
					return nil, err
				}
				return all[i].Statements, nil
			},
		})
	}
	return out, nil
}

// plainName is what an image is called on a line of its own: a layout can name
// it anything, or nothing.
func plainName(name, instead string) string {
	switch {
	case name == "":
		return instead
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }):
		return strconv.Quote(name)
	}
	return name
}

func fromRegistry(ctx context.Context, arg string) ([]subject, error) {
	ref, err := release.Parse(arg)
	if err != nil {
		return nil, usagef("%s is no file, no folder and no reference: %v", arg, err)
	}
	desc, err := remote.Get(ref, remote.WithContext(ctx), remote.WithAuthFromKeychain(credentials{[]string{ref.Context().RegistryStr()}}))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", arg, err)
	}
	if desc.MediaType.IsIndex() {
		index, err := desc.ImageIndex()
		return []subject{{name: arg, artifact: index, remote: true}}, err
	}
	img, err := desc.Image()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", arg, err)
	}
	return []subject{{name: arg, artifact: img, remote: true}}, nil
}
