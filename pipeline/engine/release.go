package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"dagger.io/dagger"
)

// Check runs the image rules on a layout and returns temper's report as JSON.
// A layout that breaks a rule is a [*NoError] with the findings.
func (p *Pipeline) Check(ctx context.Context, layout *dagger.Directory) (string, error) {
	c, err := p.checking(layout)
	if err != nil {
		return "", err
	}
	said, err := finish(ctx, c)
	return said.out, err
}

func (p *Pipeline) checking(layout *dagger.Directory) (*dagger.Container, error) {
	c, err := p.on(layout)
	if err != nil {
		return nil, err
	}
	c, args := p.accepting(c, "check", "--json")
	return withTemper(c, append(args, layoutDir)...), nil
}

// accepting adds the waivers, if there are any, to a verb that takes them.
func (p *Pipeline) accepting(c *dagger.Container, args ...string) (*dagger.Container, []string) {
	if p.opts.Waivers == nil {
		return c, args
	}
	return c.WithMountedFile(waivers, p.opts.Waivers), append(args, "--waivers", waivers)
}

// A Registry is where images go to and come from, and how to get in.
type Registry struct {
	// Username and Password log in; an empty Username stays anonymous.
	Username string
	Password *dagger.Secret
	// Service is a registry that runs on the engine, and Host the name and port
	// by which references know it, such as "registry:5000". Nil where the
	// registry is anywhere else.
	Service *dagger.Service
	Host    string
	// Insecure are hosts to speak plain HTTP to.
	Insecure []string
}

// in gives a container access to the registry. Secrets go into variables that
// the engine keeps from its logs and caches, never into arguments.
func (r Registry) in(c *dagger.Container, access Access) *dagger.Container {
	if r.Service != nil {
		host, _, _ := strings.Cut(r.Host, ":")
		c = access.bound(c, host, r.Service)
	}
	if r.Username != "" && r.Password != nil {
		c = c.WithEnvVariable("TEMPER_REGISTRY_USERNAME", r.Username).
			WithSecretVariable("TEMPER_REGISTRY_PASSWORD", r.Password)
	}
	return c
}

func (r Registry) flags() []string {
	var flags []string
	for _, host := range r.Insecure {
		flags = append(flags, "--insecure", host)
	}
	return flags
}

// A Key signs: a cosign private key and its password, which may be nil for an
// empty one.
type Key struct {
	Private, Password *dagger.Secret
}

// Publishing is how a layout is released.
type Publishing struct {
	// Key signs, or else whom IdentityToken names: an OpenID Connect token for
	// Sigstore, such as a CI gives its jobs.
	Key           Key
	IdentityToken *dagger.Secret
	// Sigstore is the instance that makes certificates for tokens.
	Sigstore Sigstore
	// Tags move to the images once they are signed and verified.
	Tags []string
	// Registry is where the images go.
	Registry Registry
	// Probe starts the services first: what was seen is in the signed reports, and
	// one that breaks a promise is refused like one that breaks a rule.
	Probe bool
}

// Sigstore is an instance of it; the zero value is the public one.
type Sigstore struct {
	// SigningConfig says where its services are, TrustedRoot whom to believe: the
	// JSON files that Sigstore defines.
	SigningConfig, TrustedRoot *dagger.File
}

func (s Sigstore) in(c *dagger.Container, args []string) (*dagger.Container, []string) {
	if s.SigningConfig != nil {
		c, args = c.WithMountedFile("/signing-config.json", s.SigningConfig), append(args, "--signing-config", "/signing-config.json")
	}
	if s.TrustedRoot != nil {
		c, args = c.WithMountedFile("/trusted-root.json", s.TrustedRoot), append(args, "--trusted-root", "/trusted-root.json")
	}
	return c, args
}

// signing gives a container what a release signs with. Secrets go into variables
// that the engine keeps from its logs and caches.
func (how Publishing) signing(c *dagger.Container, args []string) (*dagger.Container, []string, error) {
	switch {
	case how.Key.Private != nil && how.IdentityToken != nil:
		return nil, nil, errors.New("a key and an identity token: one of them signs, so give the other up")
	case how.Key.Private != nil:
		c = withPassword(c, how.Key.Password).WithSecretVariable("TEMPER_KEY", how.Key.Private)
		return c, append(args, "--key", "env://TEMPER_KEY"), nil
	case how.IdentityToken != nil:
		c = c.WithSecretVariable("TEMPER_IDENTITY_TOKEN", how.IdentityToken)
		c, args = how.Sigstore.in(c, append(args, "--identity-token", "env://TEMPER_IDENTITY_TOKEN"))
		return c, args, nil
	}
	return nil, nil, errors.New("nothing to sign with: give a cosign private key, such as one from temper keygen, or an identity token")
}

const probedFile = "/probed.json"

// Release checks the images of a layout again, publishes them below the
// repository, signs and attests them, verifies what was written and moves the
// tags. It returns REPOSITORY@DIGEST for each image.
func (p *Pipeline) Release(ctx context.Context, layout *dagger.Directory, repository string, how Publishing) ([]string, error) {
	c, err := p.on(layout)
	if err != nil {
		return nil, err
	}
	c, args := p.accepting(c, "release")
	if how.Probe {
		// In a step of its own: what starts a service has no key.
		said, err := p.probed(ctx, layout)
		var no *NoError
		if err != nil && !errors.As(err, &no) {
			return nil, err
		}
		c, args = c.WithNewFile(probedFile, said.out), append(args, "--probed", probedFile)
	}
	if c, args, err = how.signing(how.Registry.in(fresh(c), p.opts.Access), args); err != nil {
		return nil, err
	}
	args = append(args, how.Registry.flags()...)
	for _, tag := range how.Tags {
		args = append(args, "--tag", tag)
	}
	said, err := run(ctx, c, append(args, layoutDir, repository)...)
	if err != nil {
		return nil, err
	}
	return strings.Fields(said.out), nil
}

// PolicyName is what the policy in the folder of [Trust] is called.
const PolicyName = "release.yaml"

// Trust is whom to believe: the holder of a key, an identity, or whom a policy
// names.
type Trust struct {
	// Policy is a folder that holds the policy, [PolicyName], and the keys and the
	// trusted root that it names.
	Policy *dagger.Directory
	// Recheck runs the rules again on the images in the registry.
	Recheck bool
	// Key is the public key, such as cosign.pub.
	Key *dagger.File
	// Identity and Issuer are exactly who signed without a key, such as
	// "https://github.com/acme/shop/.github/workflows/release.yaml@refs/heads/main"
	// and "https://token.actions.githubusercontent.com". The expressions stand in
	// their place and match as a whole.
	Identity, Issuer             string
	IdentityRegexp, IssuerRegexp string
	// Annotations, each KEY=VALUE, are those that one signature of the image has to
	// carry, all of them, as cosign sign -a writes them. A policy has its own.
	Annotations []string
	// TrustedRoot is that of an own Sigstore; nil is the public one's.
	TrustedRoot *dagger.File
}

func (t Trust) in(c *dagger.Container, args []string) (*dagger.Container, []string) {
	if t.Key != nil {
		c, args = c.WithMountedFile("/key.pub", t.Key), append(args, "--key", "/key.pub")
	}
	if t.Policy != nil {
		c, args = c.WithMountedDirectory("/policy", t.Policy), append(args, "--policy", "/policy/"+PolicyName)
	}
	if t.Recheck {
		args = append(args, "--recheck")
	}
	for _, f := range []struct{ name, value string }{
		{"--identity", t.Identity}, {"--issuer", t.Issuer}, {"--identity-regexp", t.IdentityRegexp}, {"--issuer-regexp", t.IssuerRegexp},
	} {
		if f.value != "" {
			args = append(args, f.name, f.value)
		}
	}
	for _, a := range t.Annotations {
		args = append(args, "--annotation", a)
	}
	return Sigstore{TrustedRoot: t.TrustedRoot}.in(c, args)
}

// Verify answers whether images in a registry are signed by whom to trust, and
// complete with SBOM, provenance and report. It returns temper's answer as JSON;
// one that does not verify is a [*NoError] with the reason.
func (p *Pipeline) Verify(ctx context.Context, refs []string, trust Trust, r Registry) (string, error) {
	c, err := p.runner()
	if err != nil {
		return "", err
	}
	c, args := trust.in(r.in(fresh(c), p.opts.Access), []string{"verify", "--json"})
	args = append(args, r.flags()...)
	said, err := run(ctx, c, append(args, refs...)...)
	return said.out, err
}

// fresh makes the step one that no cache answers for: what a registry holds is
// asked now.
func fresh(c *dagger.Container) *dagger.Container {
	return c.WithEnvVariable("TEMPER_ASKED_AT", time.Now().UTC().Format(time.RFC3339Nano))
}

// RegistryService is a registry in memory, for trying a release and its
// verification on an engine with nothing else at hand. References know it as
// registry:5000.
func (p *Pipeline) RegistryService() (Registry, error) {
	c, err := p.runner()
	if err != nil {
		return Registry{}, err
	}
	service := c.WithExposedPort(5000).AsService(dagger.ContainerAsServiceOpts{
		Args: []string{command, "registry", "--listen", "0.0.0.0:5000"},
	})
	return Registry{Service: service, Host: "registry:5000", Insecure: []string{"registry:5000"}}, nil
}

// Digests lists the images of a layout and their digests, as the rules saw
// them, whether they pass or not.
func (p *Pipeline) Digests(ctx context.Context, layout *dagger.Directory) (map[string]string, error) {
	report, err := p.Report(ctx, layout)
	if err != nil {
		return nil, err
	}
	var list struct {
		Reports []struct {
			Subject struct{ Name, Digest string }
		}
	}
	if err := json.Unmarshal([]byte(report), &list); err != nil {
		return nil, fmt.Errorf("reading the report: %w", err)
	}
	digests := make(map[string]string)
	for _, r := range list.Reports {
		digests[r.Subject.Name] = r.Subject.Digest
	}
	return digests, nil
}

// Report is [Pipeline.Check] for those who want the report whatever it says.
func (p *Pipeline) Report(ctx context.Context, layout *dagger.Directory) (string, error) {
	c, err := p.checking(layout)
	if err != nil {
		return "", err
	}
	said, err := finish(ctx, c)
	var no *NoError
	if errors.As(err, &no) {
		err = nil
	}
	return said.out, err
}

// Keygen makes a pair of keys to sign and verify with, in cosign's format. The
// password may be nil for an empty one.
func (p *Pipeline) Keygen(password *dagger.Secret) (*dagger.Directory, error) {
	c, err := p.runner()
	if err != nil {
		return nil, err
	}
	return withTemper(withPassword(fresh(c), password).WithWorkdir("/keys"), "keygen").Directory("/keys"), nil
}

func withPassword(c *dagger.Container, password *dagger.Secret) *dagger.Container {
	if password == nil {
		return c.WithEnvVariable("COSIGN_PASSWORD", "")
	}
	return c.WithSecretVariable("COSIGN_PASSWORD", password)
}
