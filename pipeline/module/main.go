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
	"fmt"
	"strings"

	"dagger/temper/internal/dagger"

	sdk "dagger.io/dagger"
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
	Base *dagger.Directory
	// +private
	GoProxy string
	// +private
	Repository string
	// +private
	Commit string
	// +private
	Tag string
	// +private
	Waivers *dagger.File
}

func New(
	// The caller's workspace: its sources are built where none are given.
	workspace *dagger.Workspace,
	// The repository to build, in place of the caller's workspace.
	// +optional
	// +ignore=[".git", ".temper", "**/node_modules"]
	source *dagger.Directory,
	// A container with go on PATH, in place of the golang image of this version.
	// +optional
	toolchain *dagger.Container,
	// An OCI layout to stand on, in place of the base that temper.yaml names.
	// +optional
	base *dagger.Directory,
	// GOPROXY for fetching modules.
	// +optional
	goProxy string,
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
	if source == nil {
		source = workspace.Directory(".", dagger.WorkspaceDirectoryOpts{Exclude: []string{".git", ".temper", "**/node_modules"}})
	}
	return &Temper{source, self, command, toolchain, base, goProxy, repository, commit, tag, waivers}
}

// The names of the repository's services: those of temper.yaml or, without it,
// every main package.
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

// One service of the repository.
func (t *Temper) Service(
	// The service's name, one of those that services lists.
	name string,
) *TemperService {
	return &TemperService{Name: name, Temper: t}
}

// Build and check every service: no image breaks a rule.
//
// +check
func (t *Temper) Check(ctx context.Context) error {
	names, err := t.Services(ctx)
	if err != nil {
		return err
	}
	var broken []string
	for _, name := range names {
		if _, err := t.Service(name).Image(ctx, nil, false); err != nil {
			broken = append(broken, err.Error())
		}
	}
	if len(broken) > 0 {
		return fmt.Errorf("%s", strings.Join(broken, "\n"))
	}
	return nil
}

// Verify an image in a registry: signature, SBOM, provenance and report, by one
// key, about this very digest. The answer is JSON; an image that does not
// verify is an error with the reason.
//
// +cache="never"
func (t *Temper) Verify(
	ctx context.Context,
	// The image: NAME:TAG, NAME@DIGEST, or NAME:TAG@DIGEST to refuse a moved tag.
	ref string,
	// The public key, such as cosign.pub.
	key *dagger.File,
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
	public, err := in[*sdk.File](ctx, client, key.ID)
	if err != nil {
		return "", err
	}
	at, err := registryAt(ctx, client, ref, username, password, registry, insecure)
	if err != nil {
		return "", err
	}
	return p.Verify(ctx, []string{ref}, public, at)
}

// A new pair of keys to sign and verify with, in cosign's format: cosign.key
// and cosign.pub.
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

// The temper command as a file, for the engine's platform.
func (t *Temper) Binary(ctx context.Context) (*dagger.File, error) {
	p, err := t.pipeline(ctx, nil)
	if err != nil {
		return nil, err
	}
	file, err := p.Command()
	if err != nil {
		return nil, err
	}
	id, err := file.ID(ctx)
	if err != nil {
		return nil, err
	}
	return dagger.Ref[*dagger.File](dag, dagger.ID(id)), nil
}
