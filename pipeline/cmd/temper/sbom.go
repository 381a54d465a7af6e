package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"temper/checks/images"
	"temper/checks/pattern"
	"temper/pipeline/evidence"
	"temper/pipeline/image"
	"temper/pipeline/inventory"
	"temper/pipeline/service"
)

// sbomFlags are those of temper sbom.
type sbomFlags struct {
	format   string
	platform string
}

func newSBOM(p *person) *cobra.Command {
	var f sbomFlags
	cmd := &cobra.Command{
		Use:   "sbom [flags] LAYOUT[#NAME]|TARBALL[#NAME]|REF|builtin",
		Short: "What an image is made of, whoever built it",
		Long: `sbom reads every layer of an image and prints what is in it: the packages of its
distribution, as dpkg's and apk's databases list them, every Go executable with its
modules and its Go release, and every file with its digest. An argument that exists
on disk is what it looks like; #NAME chooses one of several images; builtin is the
base that Temper makes. Of an index it describes all images, or the one for
--platform.

It asks nobody but the image, so it knows the licences of apk's packages only: those
of Go modules are in the SBOM that temper build writes, and release signs.

On stdout it prints one document, the same bytes for the same image.`,
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error { return sbom(c.Context(), p, f, args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.format, "format", "spdx", "write `FORM`: spdx (2.3) or cyclonedx (1.6)")
	flags.StringVar(&f.platform, "platform", "", "describe the image for `OS/ARCH` only")
	return cmd
}

func sbom(ctx context.Context, p *person, f sbomFlags, arg string) error {
	if f.format != "spdx" && f.format != "cyclonedx" {
		return usagef("--format is %q, want spdx or cyclonedx", f.format)
	}
	var platform *v1.Platform
	if f.platform != "" {
		one, err := service.ParsePlatform(f.platform)
		if err != nil {
			return usagef("--platform: %v", err)
		}
		platform = &one
	}
	tmp, err := os.MkdirTemp("", "temper-sbom-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	of, err := findOne(ctx, arg, filepath.Join(tmp, "unpacked"))
	if err != nil {
		return err
	}
	list, err := taken(ctx, of, platform)
	if err != nil {
		return fmt.Errorf("looking into %s: %w", of.name, err)
	}
	if len(list) == 0 {
		return fmt.Errorf("%s has no image%s; temper sbom %s describes all that it has", of.name, forPlatform(f.platform), arg)
	}
	for _, img := range list {
		p.unread(img)
	}
	digest, err := of.artifact.Digest()
	if err != nil {
		return err
	}
	if platform != nil {
		digest = list[0].Digest
	}
	return p.bill(f.format, documentName(of.name), digest, list)
}

func forPlatform(platform string) string {
	if platform == "" {
		return ""
	}
	return " for " + platform
}

// findOne returns the one image that an argument means. What follows # is its
// name among several.
func findOne(ctx context.Context, arg, tmp string) (subject, error) {
	file, want := arg, ""
	if _, err := os.Stat(arg); err != nil {
		if arg == service.BuiltinBase {
			base, err := image.Builtin()
			if err != nil {
				return subject{}, err
			}
			return subject{name: arg, artifact: base.Artifact()}, nil
		}
		file, want, _ = strings.Cut(arg, "#")
	}
	all, err := find(ctx, file, tmp)
	if err != nil {
		return subject{}, err
	}
	var names []string
	for _, s := range all {
		own := strings.TrimPrefix(s.name, filepath.Base(file)+":") // as find calls those of a tarball
		if own == want || want == "" && len(all) == 1 {
			return s, nil
		}
		names = append(names, own)
	}
	if want == "" {
		return subject{}, usagef("%s holds %d images: %s", file, len(all), strings.Join(names, ", ")).hint("temper sbom %s#%s", file, names[0])
	}
	return subject{}, usagef("%s holds no image %q; it holds: %s", file, want, strings.Join(names, ", "))
}

// taken are the inventories of an artifact's images, of one platform if one is
// asked for.
func taken(ctx context.Context, of subject, platform *v1.Platform) ([]evidence.Image, error) {
	imgs, err := images.Startable(of.name, of.artifact)
	if err != nil {
		return nil, err
	}
	var list []evidence.Image
	for _, img := range imgs {
		on, err := platformOf(img)
		if err != nil {
			return nil, err
		}
		if platform != nil && !image.SamePlatform(on, *platform) {
			continue
		}
		one, err := take(ctx, img)
		if err != nil {
			return nil, fmt.Errorf("the image for %s: %w", on, err)
		}
		one.Platform = on.String()
		if list = append(list, one); platform != nil {
			break
		}
	}
	return list, nil
}

// take reads one image.
func take(ctx context.Context, img v1.Image) (evidence.Image, error) {
	digest, err := img.Digest()
	if err != nil {
		return evidence.Image{}, err
	}
	inv, err := inventory.Read(ctx, img)
	if err != nil {
		return evidence.Image{}, err
	}
	one := evidence.Image{Digest: digest, Executables: inv.Executables, Files: inv.Files, Packages: inv.Packages, Unread: inv.Unread}
	builtin, err := image.BuiltinPackages(img)
	if builtin != nil { // its os-release says less
		one.Packages = builtin
	}
	return one, err
}

// documentName is fit for a document's address, which a name in a registry or of
// a file need not be.
func documentName(name string) string {
	name, _, _ = strings.Cut(name, "@")
	name = name[strings.LastIndex(name, "/")+1:]
	if i := strings.LastIndex(name, ":"); i > 0 {
		name = name[:i]
	}
	name = strings.TrimSuffix(name, ".tar")
	name = strings.Trim(unfit().ReplaceAllString(strings.ToLower(name), "-"), "-.")
	if name == "" {
		return "image"
	}
	return name
}

var unfit = pattern.New(`[^a-z0-9._-]+`)

// bill prints the document.
func (p *person) bill(format, name string, digest v1.Hash, list []evidence.Image) error {
	var doc any
	var err error
	if format == "spdx" {
		doc, err = evidence.SBOM(name, digest, evidence.Base{}, evidence.Known{}, list...)
	} else {
		doc, err = evidence.CycloneDXBOM(name, digest, evidence.Base{}, evidence.Known{}, list...)
	}
	if err != nil {
		return err
	}
	return p.json(doc)
}

// unread warns of packages that are not in the document.
func (p *person) unread(img evidence.Image) {
	for _, path := range img.Unread {
		fmt.Fprintf(p.err, "temper: warning: the image for %s has a database of packages that temper cannot read, and what it lists is missing: %s\n", img.Platform, path)
	}
}
