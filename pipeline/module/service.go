package main

import (
	"context"
	"errors"
	"fmt"

	"dagger/temper/internal/dagger"

	sdk "dagger.io/dagger"

	"temper/pipeline/engine"
)

// A service is one main package and the image that it becomes. (The engine has
// a Service of its own, so the name carries the module's.)
type TemperService struct {
	// The service's name.
	Name string
	// +private
	Temper *Temper
}

// Compile, assemble and check the service's image.
//
// One that breaks a rule is an error that shows what was found.
func (s *TemperService) Image(
	ctx context.Context,
	// Build for these OS/ARCH, in place of the configured ones.
	// +optional
	platforms []string,
	// Return the image even if it breaks a rule, to look at it.
	// +optional
	anyway bool,
) (*Image, error) {
	p, err := s.Temper.pipeline(ctx, platforms)
	if err != nil {
		return nil, err
	}
	build := p.Layout
	if anyway {
		build = p.LayoutAnyway
	}
	layout, err := build(ctx, s.Name)
	if err != nil {
		return nil, err
	}
	dir, err := outDirectory(ctx, layout)
	if err != nil {
		return nil, err
	}
	return &Image{Name: s.Name, Layout: dir, Temper: s.Temper}, nil
}

// An image as an OCI layout, with its evidence.
type Image struct {
	// The service's name.
	Name string
	// The OCI layout, with SBOM, provenance and report as referrers.
	Layout *dagger.Directory
	// +private
	Temper *Temper
}

// The image's digest: the same on every machine that builds the same sources.
func (i *Image) Digest(ctx context.Context) (string, error) {
	p, layout, err := i.open(ctx)
	if err != nil {
		return "", err
	}
	digests, err := p.Digests(ctx, layout)
	if err != nil {
		return "", err
	}
	return digests[i.Name], nil
}

// What the rules found in the image, whether it passes or not.
func (i *Image) Report(
	ctx context.Context,
	// One of json, sarif, html and text.
	// +optional
	// +default="json"
	format string,
) (string, error) {
	p, layout, err := i.open(ctx)
	if err != nil {
		return "", err
	}
	file, err := p.ReportFile(ctx, layout, engine.Format(format))
	if err != nil {
		return "", err
	}
	return file.Contents(ctx)
}

// Check the image again, and return it if it breaks no rule.
//
// What breaks a rule is an error that shows the findings.
func (i *Image) Assert(ctx context.Context) (*Image, error) {
	p, layout, err := i.open(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := p.Check(ctx, layout); err != nil {
		return nil, err
	}
	return i, nil
}

// Start the service, and hold it to what temper.yaml promises of it.
//
// It runs in a sandbox of its own, for the engine's platform, and is asked what
// a stranger would ask: names that are not its own, headers that never end, bodies
// that are too large, to stop. What breaks a promise is an error that shows the
// findings. It takes as long as the longest promise, and an engine that lets a
// step have root's capabilities.
//
// +cache="never"
func (i *Image) Probe(
	ctx context.Context,
	// The form of the report: json, sarif, html or text.
	// +optional
	// +default="text"
	format string,
	// Return the report even if a promise is broken.
	// +optional
	anyway bool,
) (string, error) {
	p, layout, err := i.open(ctx)
	if err != nil {
		return "", err
	}
	file, err := p.ProbeFile(ctx, layout, engine.Format(format))
	var no *engine.NoError
	if err != nil && !(anyway && errors.As(err, &no)) {
		return "", err
	}
	return file.Contents(ctx)
}

// What the image is made of: packages, modules and files with their digests.
func (i *Image) Sbom(
	ctx context.Context,
	// One of spdx (2.3) and cyclonedx (1.6).
	// +optional
	// +default="spdx"
	format string,
	// The image for OS/ARCH only.
	// +optional
	platform string,
) (string, error) {
	p, layout, err := i.open(ctx)
	if err != nil {
		return "", err
	}
	file, err := p.SBOM(ctx, layout, format, platform)
	if err != nil {
		return "", err
	}
	return file.Contents(ctx)
}

// The Kubernetes objects that run the service, as hard as its image: a base for
// kustomize.
func (i *Image) Manifests(
	ctx context.Context,
	// Where the image is released: the service NAME as REPOSITORY/NAME.
	repository string,
	// It is released as REPOSITORY itself.
	// +optional
	bare bool,
	// Memory limit, such as 256MiB, from which request and GOMEMLIMIT follow; the
	// default is that of the service's probe.
	// +optional
	memory string,
	// CPU request, such as 250m.
	// +optional
	cpu string,
	// How many run; the default is 2.
	// +optional
	replicas int,
	// Namespace of every object.
	// +optional
	namespace string,
) (*dagger.Directory, error) {
	p, layout, err := i.open(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := p.Manifests(ctx, layout, i.Name, engine.Manifest{
		Repository: repository, Bare: bare, Memory: memory, CPU: cpu, Replicas: replicas, Namespace: namespace,
	})
	if err != nil {
		return nil, err
	}
	return outDirectory(ctx, dir)
}

// The image of one platform as an archive for docker load and podman load.
func (i *Image) AsTarball(
	ctx context.Context,
	// The platform, as OS/ARCH; needed where there are several.
	// +optional
	platform string,
) (*dagger.File, error) {
	p, layout, err := i.open(ctx)
	if err != nil {
		return nil, err
	}
	file, err := p.Tarball(ctx, layout, platform)
	if err != nil {
		return nil, err
	}
	return outFile(ctx, file)
}

// The image of one platform as a container, to run it or to look into it.
//
// What is made of it is no longer the image that was checked.
func (i *Image) Container(
	ctx context.Context,
	// The platform, as OS/ARCH; needed where there are several.
	// +optional
	platform string,
) (*dagger.Container, error) {
	p, layout, err := i.open(ctx)
	if err != nil {
		return nil, err
	}
	c, err := p.Container(ctx, layout, platform)
	if err != nil {
		return nil, err
	}
	id, err := c.ID(ctx)
	if err != nil {
		return nil, err
	}
	return dagger.Ref[*dagger.Container](dag, dagger.ID(id)), nil
}

// The executable that the image of one platform starts.
func (i *Image) Binary(
	ctx context.Context,
	// The platform, as OS/ARCH; needed where there are several.
	// +optional
	platform string,
) (*dagger.File, error) {
	p, layout, err := i.open(ctx)
	if err != nil {
		return nil, err
	}
	file, err := p.Binary(ctx, layout, platform)
	if err != nil {
		return nil, err
	}
	return outFile(ctx, file)
}

// Publish, sign and attest the image, verify it, then move the tags.
//
// +cache="never"
func (i *Image) Publish(
	ctx context.Context,
	// The repository to publish below: the image goes to ADDRESS/NAME.
	address string,
	// The private key to sign with, in cosign's format; or give an identity token.
	// +optional
	key *dagger.Secret,
	// The key's password; none is an empty one.
	// +optional
	keyPassword *dagger.Secret,
	// An OpenID Connect token to sign with in place of a key, by Sigstore.
	// +optional
	identityToken *dagger.Secret,
	// Where the services of an own Sigstore are, as its signing config has it.
	// +optional
	signingConfig *dagger.File,
	// Whom to believe with an own Sigstore, as its trusted root has it.
	// +optional
	trustedRoot *dagger.File,
	// The tags to move to the image, once it is signed and verified.
	// +optional
	tag []string,
	// The user to log in as; anonymous without it.
	// +optional
	username string,
	// The user's password or token.
	// +optional
	password *dagger.Secret,
	// A registry that runs on the engine, under the host name in the address.
	// +optional
	registry *dagger.Service,
	// Speak plain HTTP to the registry.
	// +optional
	insecure bool,
	// Start the service first, as probe does: what was seen goes into the signed report.
	// +optional
	probe bool,
) (*Published, error) {
	client, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	p, layout, err := i.open(ctx)
	if err != nil {
		return nil, err
	}
	how := engine.Publishing{Tags: tag, Probe: probe}
	if how.Key.Private, err = secretIn(ctx, client, key); err != nil {
		return nil, err
	}
	if how.Key.Password, err = secretIn(ctx, client, keyPassword); err != nil {
		return nil, err
	}
	if how.IdentityToken, err = secretIn(ctx, client, identityToken); err != nil {
		return nil, err
	}
	if how.Sigstore.SigningConfig, err = fileIn(ctx, client, signingConfig); err != nil {
		return nil, err
	}
	if how.Sigstore.TrustedRoot, err = fileIn(ctx, client, trustedRoot); err != nil {
		return nil, err
	}
	if how.Registry, err = registryAt(ctx, client, address, username, password, registry, insecure); err != nil {
		return nil, err
	}
	refs, err := p.Release(ctx, layout, address, how)
	if err != nil {
		return nil, err
	}
	if len(refs) != 1 {
		return nil, fmt.Errorf("one image was to be published, and temper answered with %q", refs)
	}
	return &Published{
		Ref: refs[0], Temper: i.Temper,
		Username: username, Password: password, Registry: registry, Insecure: insecure,
	}, nil
}

func (i *Image) open(ctx context.Context) (*engine.Pipeline, *sdk.Directory, error) {
	client, err := connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	p, err := i.Temper.pipeline(ctx, nil)
	if err != nil {
		return nil, nil, err
	}
	layout, err := in[*sdk.Directory](ctx, client, i.Layout.ID)
	return p, layout, err
}

// An image in a registry, signed and attested.
type Published struct {
	// REPOSITORY@DIGEST.
	Ref string
	// +private
	Temper *Temper
	// +private
	Username string
	// +private
	Password *dagger.Secret
	// +private
	Registry *dagger.Service
	// +private
	Insecure bool
}

// Verify what was published, as a stranger would.
//
// +cache="never"
func (p *Published) Verify(
	ctx context.Context,
	// The public key, such as cosign.pub; or say by identity and issuer who signed.
	// +optional
	key *dagger.File,
	// Who signed without a key, exactly.
	// +optional
	identity string,
	// The issuer that vouches for the identity, exactly.
	// +optional
	issuer string,
	// KEY=VALUE that a signature of the image carries, as cosign sign -a writes it.
	// +optional
	annotation []string,
	// Whom to believe with an own Sigstore, as its trusted root has it.
	// +optional
	trustedRoot *dagger.File,
	// A folder with the policy release.yaml and the keys that it names. Then key and
	// identity are left out.
	// +optional
	policy *dagger.Directory,
	// Run the rules again on the image in the registry.
	// +optional
	recheck bool,
) (string, error) {
	return p.Temper.Verify(ctx, p.Ref, key, identity, issuer, "", "", annotation, trustedRoot, policy, recheck, p.Username, p.Password, p.Registry, p.Insecure)
}
