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
	"temper/pipeline/image"
	"temper/pipeline/service"
)

func newExport(p *person) *cobra.Command {
	var platform string
	var signed bool
	var insecure []string
	cmd := &cobra.Command{
		Use:   "export [flags] LAYOUT[#NAME]|TARBALL[#NAME]|REF {FILE.tar | --signed DIR[#NAME]}",
		Short: "An image as a tarball for docker load, or with its signatures as a layout",
		Long: `export writes the image of one platform into an archive that docker load and podman
load take, and Dagger's Container.import. The archive is an OCI layout as well, so
that the image keeps its digest; its evidence stays behind. #NAME chooses one of
several images.

With --signed it copies the whole image, all its platforms and all that belongs to
them, into an OCI layout: signatures and attestations, by whomever, as referrers and
under legacy tags. Temper verify reads them there without a network, and other tools
copy them on. It verifies nothing itself. An image of the same name in the layout is
replaced, as temper build does, and others stay.

On stdout it prints NAME DIGEST.`,
		Args: exactly(2),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case signed && platform != "":
				return usagef("--signed copies all platforms, for the signature is of the whole; leave --platform out")
			case signed:
				return exportSigned(c.Context(), p, insecure, args[0], args[1])
			case len(insecure) > 0:
				return usagef("--insecure goes with --signed")
			}
			return export(c.Context(), p, platform, args[0], args[1])
		},
	}
	cmd.Flags().BoolVar(&signed, "signed", false, "copy the whole image, with its signatures and attestations, into a layout")
	addInsecure(cmd, &insecure, "a registry")
	cmd.Flags().StringVar(&platform, "platform", "", "the image for `OS/ARCH`; needed where there are several")
	return cmd
}

func export(ctx context.Context, p *person, platform, arg, file string) error {
	if !strings.HasSuffix(file, ".tar") {
		return usagef("%s does not end in .tar", file).hint("temper export %s %s.tar", arg, file)
	}
	var want *v1.Platform
	if platform != "" {
		one, err := service.ParsePlatform(platform)
		if err != nil {
			return usagef("--platform: %v", err)
		}
		want = &one
	}
	tmp, err := os.MkdirTemp("", "temper-export-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	of, err := findOne(ctx, arg, filepath.Join(tmp, "unpacked"))
	if err != nil {
		return err
	}
	img, err := imageFor(of, want)
	if err != nil {
		return err
	}
	digest, err := img.Digest()
	if err != nil {
		return err
	}
	name := documentName(of.name)
	if err := image.WriteTarball(file, image.Entry{Name: name, Artifact: img}); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "%s %s\n", name, digest)
	return nil
}

// imageFor is the image for a platform, or the only one there is.
func imageFor(of subject, want *v1.Platform) (v1.Image, error) {
	list, err := images.Startable(of.name, of.artifact)
	if err != nil {
		return nil, err
	}
	var has []string
	for _, img := range list {
		on, err := platformOf(img)
		if err != nil {
			return nil, err
		}
		if want == nil && len(list) == 1 || want != nil && image.SamePlatform(on, *want) {
			return img, nil
		}
		has = append(has, on.String())
	}
	switch {
	case len(has) == 0:
		return nil, fmt.Errorf("%s has no image", of.name)
	case want == nil:
		return nil, usagef("%s has images for %s", of.name, strings.Join(has, ", ")).hint("add --platform %s", has[0])
	}
	return nil, fmt.Errorf("%s has no image for %s; it has: %s", of.name, want, strings.Join(has, ", "))
}

// platformOf is what the image's configuration says that it is for.
func platformOf(img v1.Image) (v1.Platform, error) {
	config, err := img.ConfigFile()
	if err != nil {
		return v1.Platform{}, fmt.Errorf("reading image config: %w", err)
	}
	return v1.Platform{OS: config.OS, Architecture: config.Architecture, Variant: config.Variant}, nil
}
