package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/spf13/cobra"

	"temper/checks/images"
	"temper/pipeline/image"
	"temper/pipeline/manifest"
	"temper/pipeline/service"
)

// generateFlags are those of writing manifests.
type generateFlags struct {
	dir        string
	layout     string
	repository string
	bare       bool
	memory     string
	cpu        string
	replicas   int
	namespace  string
	output     string
	overwrite  bool
}

func (f *generateFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&f.dir, "chdir", "C", ".", "the services of what is in `DIR`")
	flags.StringVar(&f.layout, "layout", "", "take the digests from the OCI layout in `DIR` (default .temper/oci in the repository)")
	flags.StringVar(&f.repository, "repository", "", "where the images are released: service NAME as `REPOSITORY`/NAME")
	flags.BoolVar(&f.bare, "bare", false, "the one service is released as REPOSITORY itself")
	flags.StringVar(&f.memory, "memory", "", "memory limit, an `AMOUNT` such as 256MiB; request and GOMEMLIMIT are four fifths of it (default that of the service's probe)")
	flags.StringVar(&f.cpu, "cpu", "100m", "CPU request, an `AMOUNT` such as 250m or 1.5")
	flags.IntVar(&f.replicas, "replicas", 2, "run `N` of each service")
	flags.StringVarP(&f.namespace, "namespace", "n", "", "write the namespace `NAME` into every object")
	flags.StringVarP(&f.output, "output", "o", "", "write a base for kustomize into `DIR`/NAME")
	flags.BoolVar(&f.overwrite, "overwrite", false, "write over files that differ")
}

// generate writes the manifests of services.
func generate(ctx context.Context, p *person, f generateFlags, names []string) error {
	opts, err := f.options(names)
	if err != nil {
		return err
	}
	repo, err := service.Load(ctx, f.dir, ruleNames()...)
	if err != nil {
		return err
	}
	services := repo.Services
	if len(names) > 0 {
		services = nil
		for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
			svc, err := repo.Named(name)
			if err != nil {
				return err
			}
			services = append(services, svc)
		}
	}
	if f.bare && len(services) != 1 {
		return usagef("--bare is for one service, and these are %d", len(services)).hint("temper manifest --bare --repository %s %s", f.repository, services[0].Name)
	}
	if f.layout == "" {
		f.layout = filepath.Join(repo.Dir, ".temper", "oci")
	}
	bases := make([][]manifest.File, len(services))
	for i, svc := range services {
		if opts.Image, err = f.imageOf(svc); err != nil {
			return err
		}
		if bases[i], err = manifest.For(svc, opts); err != nil {
			return err
		}
		p.lowUser(svc)
	}
	if f.output == "" {
		_, err := p.out.Write(manifest.Joined(slices.Concat(bases...)))
		return err
	}
	return f.write(p, services, bases)
}

// options are what the flags say of every service.
func (f *generateFlags) options(names []string) (manifest.Options, error) {
	opts := manifest.Options{Namespace: f.namespace, Replicas: f.replicas}
	if f.repository == "" {
		return opts, usagef("where the images are released is not known").hint("%s", strings.TrimSpace("temper manifest --repository ghcr.io/acme/shop "+strings.Join(names, " ")))
	}
	if _, err := name.NewRepository(f.repository); err != nil {
		return opts, usagef("--repository %s: %v", f.repository, err).hint("write it without a tag, such as ghcr.io/acme/shop")
	}
	if f.overwrite && f.output == "" {
		return opts, usagef("--overwrite goes with -o")
	}
	if f.replicas < 1 {
		return opts, usagef("--replicas %d runs nothing", f.replicas)
	}
	var err error
	if f.memory != "" {
		text := f.memory
		if strings.HasSuffix(text, "Mi") || strings.HasSuffix(text, "Gi") {
			text += "B" // Kubernetes writes MiB so
		}
		if opts.Memory, err = service.ParseMemory(text); err != nil {
			return opts, usagef("--memory: %v", err)
		}
	}
	if opts.CPU, err = parseCPU(f.cpu); err != nil {
		return opts, usagef("--cpu: %v", err)
	}
	return opts, nil
}

// parseCPU returns thousandths of a CPU.
func parseCPU(text string) (int, error) {
	wrong := fmt.Errorf("%q is no amount of CPU; write 250m for a quarter of one, or 1.5", text)
	scale := 1000.0
	digits, milli := strings.CutSuffix(text, "m")
	if milli {
		scale = 1
	}
	if digits == "" || strings.Trim(digits, "0123456789.") != "" || milli && strings.Contains(digits, ".") {
		return 0, wrong
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return 0, wrong
	}
	thousandths := int(n*scale + 0.5)
	if thousandths < 1 || n*scale > 1e6 {
		return 0, fmt.Errorf("%s is not between 1m and 1000", text)
	}
	return thousandths, nil
}

// imageOf returns where the service's image is, or will be once the layout is
// released. The image has to be of the configuration that the manifests are made
// from.
func (f *generateFlags) imageOf(svc *service.Service) (string, error) {
	again := "temper build -C " + f.dir
	if _, err := os.Stat(filepath.Join(f.layout, "oci-layout")); errors.Is(err, fs.ErrNotExist) {
		return "", hintf(again, "%s is no OCI layout to take digests from", f.layout)
	}
	all, err := image.ReadImages(f.layout)
	if err != nil {
		return "", err
	}
	list, err := chosen(all, []string{svc.Name}, f.layout)
	if err != nil {
		return "", hintf(again, "%w", err)
	}
	digest, err := list[0].Artifact.Digest()
	if err != nil {
		return "", err
	}
	built, err := images.Startable(svc.Name, list[0].Artifact)
	if err != nil {
		return "", err
	}
	for _, img := range built {
		config, err := img.ConfigFile()
		if err != nil {
			return "", fmt.Errorf("reading image config: %w", err)
		}
		if config.Config.User != svc.User {
			return "", hintf(again, "the image of %s in %s runs as user %s, and its configuration now says %s", svc.Name, f.layout, config.Config.User, svc.User)
		}
		same := len(config.Config.ExposedPorts) == len(svc.Ports)
		for _, port := range svc.Ports {
			_, ok := config.Config.ExposedPorts[fmt.Sprintf("%d/tcp", port)]
			same = same && ok
		}
		if !same {
			return "", hintf(again, "the image of %s in %s exposes other ports than its configuration now says", svc.Name, f.layout)
		}
	}
	path := f.repository
	if !f.bare {
		path += "/" + svc.Name
	}
	if _, err := name.NewRepository(path); err != nil {
		return "", usagef("%q is no repository: %v", path, err)
	}
	return path + "@" + digest.String(), nil
}

// write puts each service's objects into a folder of its own. All of them are
// looked at before the first is written.
func (f *generateFlags) write(p *person, services []*service.Service, bases [][]manifest.File) error {
	type file struct {
		path    string
		content []byte
	}
	var files []file
	var differ []string
	for i, svc := range services {
		for _, one := range append(bases[i], manifest.Kustomization(bases[i])) {
			path := filepath.Join(f.output, svc.Name, one.Name)
			old, err := os.ReadFile(path)
			switch {
			case errors.Is(err, fs.ErrNotExist):
			case err != nil:
				return err
			case bytes.Equal(old, one.Content):
				continue
			default:
				differ = append(differ, path)
			}
			files = append(files, file{path, one.Content})
		}
	}
	if len(differ) > 0 && !f.overwrite {
		return hintf("compare with what temper manifest prints without -o, or add --overwrite", "these are there and differ, and nothing was written: %s", strings.Join(differ, ", "))
	}
	for _, one := range files {
		if err := os.MkdirAll(filepath.Dir(one.path), 0o777); err != nil {
			return err
		}
		if err := writeFile(one.path, one.content); err != nil {
			return err
		}
	}
	for _, svc := range services {
		fmt.Fprintln(p.out, filepath.Join(f.output, svc.Name))
	}
	return nil
}
