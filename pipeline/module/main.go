// Go services as hardened, checked, signed container images.
//
// Temper compiles the services of a repository, puts each on a distroless base,
// checks the images, signs them with their SBOM and provenance, and verifies
// them: the same command and the same digest as on a laptop, in containers with
// a cache volume for each service.
//
//	dagger call -m MODULE services
//	dagger call -m MODULE service --name orders image report
//	dagger call -m MODULE service --name orders image publish --address ghcr.io/acme --key env://COSIGN_KEY --tag v1
//	dagger call -m MODULE verify --ref ghcr.io/acme/orders:v1 --key cosign.pub
package main

import (
	"context"

	"dagger/temper/internal/dagger"

	"temper/pipeline/engine"
)

// Temper builds, checks, releases and verifies the services of one repository.
type Temper struct {
	// +private
	Source *dagger.Directory
	// +private
	Self *dagger.Directory
	// +private
	Command *dagger.File
	// +private
	Toolchain *dagger.Container
	// +private
	ToolchainTarball *dagger.File
	// +private
	Base *dagger.Directory
	// +private
	BaseTarball *dagger.File
	// +private
	GoProxy string
	// +private
	GoProxyService *dagger.Service
	// +private
	GoPrivate string
	// +private
	Netrc *dagger.Secret
	// +private
	SSH *dagger.Socket
	// +private
	HTTPProxy string
	// +private
	NoProxy string
	// +private
	Lane string
	// +private
	Repository string
	// +private
	GoVersion string
	// +private
	BuildTags []string
	// +private
	Commit string
	// +private
	Tag string
	// +private
	Waivers *dagger.File
}

// noSources are folders of a repository that no build needs.
var noSources = []string{".git", ".temper", "**/node_modules"}

func New(
	// The caller's workspace: its sources are built where none are given.
	workspace *dagger.Workspace,
	// The repository to build, in place of the folder that you call from.
	// +optional
	source *dagger.Directory,
	// An exact Go release to compile with, such as 1.26.8, in place of what temper.yaml
	// or go.mod lead to.
	// +optional
	goVersion string,
	// Go build tags for every service, beside those of temper.yaml.
	// +optional
	buildTags []string,
	// A container with go on PATH, in place of the golang image of this version.
	// +optional
	toolchain *dagger.Container,
	// Such a container as an image archive, as docker save or skopeo writes it: then
	// nothing is pulled.
	// +optional
	toolchainTarball *dagger.File,
	// An OCI layout to stand on, in place of the base that temper.yaml names.
	// +optional
	base *dagger.Directory,
	// Such a layout as an archive, as temper export, docker save (since version 25)
	// or skopeo copy to oci-archive writes it.
	// +optional
	baseTarball *dagger.File,
	// A temper.yaml to go by, in place of the one in the sources.
	// +optional
	config *dagger.File,
	// GOPROXY for fetching modules, without a login in it: see netrc.
	// +optional
	goProxy string,
	// A proxy of modules to fetch from, as tcp://HOST:PORT, and from nowhere else. In
	// go-proxy its host is called goproxy, if it is not just http://goproxy:PORT.
	// +optional
	goProxyService *dagger.Service,
	// GOPRIVATE: patterns of the modules that are fetched from their repositories.
	// +optional
	goPrivate string,
	// A .netrc with the logins of a proxy of modules and of private repositories, as
	// file:PATH or env:NAME. Go gives them over HTTPS only.
	// +optional
	netrc *dagger.Secret,
	// The socket of an SSH agent, such as $SSH_AUTH_SOCK: the hosts of go-private are
	// then reached by SSH.
	// +optional
	ssh *dagger.Socket,
	// A proxy for HTTP and HTTPS, without a login in it.
	// +optional
	httpProxy string,
	// The hosts that the proxy is not for.
	// +optional
	noProxy string,
	// A name that keeps builds of one kind apart from others: they share no cache
	// volume. What release builds is in the lane "release" by default.
	// +optional
	lane string,
	// The name of the repository in the names of its cache volumes, in place of
	// each service's module path: repositories with different names share no cache.
	// +optional
	repository string,
	// What to record as the source in the provenance: URI@COMMIT.
	// +optional
	commit string,
	// What {{.Tag}} stands for in ldflags.
	// +optional
	tag string,
	// A temper.yaml: what it waives is accepted when finished images are checked
	// and published. Builds go by that of the sources.
	// +optional
	waivers *dagger.File,
	// The temper command, compiled for the engine's platform, in place of
	// compiling it from this module's own source.
	// +optional
	command *dagger.File,
	// Temper's own source; leave it alone.
	// +defaultPath="/"
	// +ignore=["*", "!go.mod", "!go.sum", "!checks", "!pipeline", "pipeline/module", "**/testdata", "**/*_test.go"]
	self *dagger.Directory,
) *Temper {
	// No +ignore: what it leaves of a directory is known to the engine by where it
	// came from, and no longer by its content. So every step after it would be done
	// again for any change.
	if source == nil {
		source = workspace.Directory(".", dagger.WorkspaceDirectoryOpts{Exclude: noSources})
	} else {
		source = source.Filter(dagger.DirectoryFilterOpts{Exclude: noSources})
	}
	if config != nil {
		source = source.WithFile("temper.yaml", config)
	}
	return &Temper{
		Source: source, Self: self, Command: command, Toolchain: toolchain, ToolchainTarball: toolchainTarball,
		Base: base, BaseTarball: baseTarball, GoVersion: goVersion, BuildTags: buildTags,
		GoProxy: goProxy, GoProxyService: goProxyService, GoPrivate: goPrivate, Netrc: netrc, SSH: ssh, HTTPProxy: httpProxy, NoProxy: noProxy,
		Repository: repository, Lane: lane, Commit: commit, Tag: tag, Waivers: waivers,
	}
}

// List the services of the repository.
//
// They are those of temper.yaml or, without it, every main package.
func (t *Temper) Services(ctx context.Context) ([]string, error) {
	p, err := t.pipeline(ctx, nil)
	if err != nil {
		return nil, err
	}
	list, err := p.Services(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, s := range list {
		names = append(names, s.Name)
	}
	return names, nil
}

// Choose one service of the repository.
func (t *Temper) Service(
	// The service's name, one of those that services lists.
	name string,
) *TemperService {
	return &TemperService{Name: name, Temper: t}
}

// Build and check every service, and the Kubernetes manifests that temper.yaml names.
//
// Services are built side by side; none of their images and none of their
// manifests may break a rule.
//
// +check
func (t *Temper) Check(ctx context.Context) error {
	p, err := t.pipeline(ctx, nil)
	if err != nil {
		return err
	}
	_, err = p.Layouts(ctx)
	return err
}

// Start every service and hold it to what temper.yaml promises.
//
// Services are built and started side by side, and none may break a promise.
//
// +check
func (t *Temper) Probe(ctx context.Context) error {
	p, err := t.pipeline(ctx, nil)
	if err != nil {
		return err
	}
	return p.ProbeAll(ctx)
}

// Build, check, publish and sign every service, and only then move the tags.
//
// What was written is verified before a tag moves, and nothing is published if
// one of the services breaks a rule.
//
// +cache="never"
func (t *Temper) Release(
	ctx context.Context,
	// The repository to publish below: each image goes to ADDRESS/NAME.
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
	// The tags to move to the images, once they are signed and verified.
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
	// Start the services first, as probe does: what was seen goes into the signed reports.
	// +optional
	probe bool,
) ([]*Published, error) {
	own := *t
	if own.Lane == "" {
		own.Lane = "release"
	}
	p, err := own.pipeline(ctx, nil)
	if err != nil {
		return nil, err
	}
	built, err := p.Layouts(ctx)
	if err != nil {
		return nil, err
	}
	var all []*Published
	for _, one := range built {
		layout, err := outDirectory(ctx, one.Layout)
		if err != nil {
			return nil, err
		}
		image := &Image{Name: one.Name, Layout: layout, Temper: &own}
		published, err := image.Publish(ctx, address, key, keyPassword, identityToken, signingConfig, trustedRoot, tag, username, password, registry, insecure, probe)
		if err != nil {
			return nil, err
		}
		all = append(all, published)
	}
	return all, nil
}

// Verify an image in a registry: signature, SBOM, provenance and report.
//
// All of them have to be by the one key or identity, and about this very digest.
// The answer is JSON; an image that does not verify is an error with the reason.
//
// +cache="never"
func (t *Temper) Verify(
	ctx context.Context,
	// The image: NAME:TAG, NAME@DIGEST, or NAME:TAG@DIGEST to refuse a moved tag.
	ref string,
	// The public key, such as cosign.pub; or say by identity and issuer who signed.
	// +optional
	key *dagger.File,
	// Who signed without a key, exactly.
	// +optional
	identity string,
	// The issuer that vouches for the identity, exactly.
	// +optional
	issuer string,
	// An expression that the whole identity matches, in place of identity.
	// +optional
	identityRegexp string,
	// An expression that the whole issuer matches, in place of issuer.
	// +optional
	issuerRegexp string,
	// KEY=VALUE that a signature of the image carries, as cosign sign -a writes it.
	// +optional
	annotation []string,
	// Whom to believe with an own Sigstore, as its trusted root has it.
	// +optional
	trustedRoot *dagger.File,
	// A folder with the policy release.yaml and the keys that it names: who must
	// have signed, and what else a release must be. Then key and identity are left out.
	// +optional
	policy *dagger.Directory,
	// Run the rules again on the image in the registry.
	// +optional
	recheck bool,
	// The user to log in as; anonymous without it.
	// +optional
	username string,
	// The user's password or token.
	// +optional
	password *dagger.Secret,
	// A registry that runs on the engine, under the host name in the reference.
	// +optional
	registry *dagger.Service,
	// Speak plain HTTP to the registry.
	// +optional
	insecure bool,
) (string, error) {
	client, err := connect(ctx)
	if err != nil {
		return "", err
	}
	p, err := t.pipeline(ctx, nil)
	if err != nil {
		return "", err
	}
	trust := engine.Trust{Recheck: recheck, Identity: identity, Issuer: issuer, IdentityRegexp: identityRegexp, IssuerRegexp: issuerRegexp, Annotations: annotation}
	if trust.Key, err = fileIn(ctx, client, key); err != nil {
		return "", err
	}
	if trust.TrustedRoot, err = fileIn(ctx, client, trustedRoot); err != nil {
		return "", err
	}
	if trust.Policy, err = directoryIn(ctx, client, policy); err != nil {
		return "", err
	}
	at, err := registryAt(ctx, client, ref, username, password, registry, insecure)
	if err != nil {
		return "", err
	}
	return p.Verify(ctx, []string{ref}, trust, at)
}

// Make a pair of keys to sign and verify with: cosign.key and cosign.pub.
//
// +cache="never"
func (t *Temper) Keygen(
	ctx context.Context,
	// The password that encrypts the private key; none leaves it empty.
	// +optional
	password *dagger.Secret,
) (*dagger.Directory, error) {
	client, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	p, err := t.pipeline(ctx, nil)
	if err != nil {
		return nil, err
	}
	secret, err := secretIn(ctx, client, password)
	if err != nil {
		return nil, err
	}
	keys, err := p.Keygen(secret)
	if err != nil {
		return nil, err
	}
	return outDirectory(ctx, keys)
}

// The temper command itself, for the engine's platform.
func (t *Temper) Binary(ctx context.Context) (*dagger.File, error) {
	p, err := t.pipeline(ctx, nil)
	if err != nil {
		return nil, err
	}
	file, err := p.Command()
	if err != nil {
		return nil, err
	}
	return outFile(ctx, file)
}
