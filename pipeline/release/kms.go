package release

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
)

// A manager is a service that manages keys (KMS).
type manager struct {
	// name is what people call it.
	name string
	// access says where the library looks for what lets it in.
	access string
}

// managers are the services that hold keys, by the scheme of a reference to one.
// The rest of a reference is for the library to read:
// https://docs.sigstore.dev/cosign/key_management/overview/
var managers = map[string]manager{
	"awskms":     {"AWS KMS", "AWS_REGION and AWS's usual credentials"},
	"azurekms":   {"Azure Key Vault", "az login, or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"},
	"gcpkms":     {"Google Cloud KMS", "gcloud auth application-default login, or GOOGLE_APPLICATION_CREDENTIALS"},
	"hashivault": {"HashiCorp Vault", "VAULT_ADDR, and VAULT_TOKEN or vault login"},
	"openbao":    {"OpenBao", "BAO_ADDR and BAO_TOKEN"},
}

// kmsBuild is what makes a temper that speaks to such services.
const kmsBuild = "go build -tags kms -o temper ./pipeline/cmd/temper"

// managed returns the scheme of a reference to a key that a service holds, empty
// if it is none. With other schemes than ours it belongs to a plugin.
func managed(ref string) string {
	scheme, _, ok := strings.Cut(ref, "://")
	if _, known := managers[scheme]; ok && (known || kmsKnown && scheme != "env") {
		return scheme
	}
	return ""
}

// InService tells whether a reference names a key that a service holds: to load it
// the service is asked.
func InService(ref string) bool { return managed(ref) != "" }

// A managedKey is one that a service holds and does not give away. The service
// is asked to sign; its public key is asked for once, and whoever has that
// verifies without it.
type managedKey struct {
	signature.Verifier
	ref     string
	service signature.Signer
	hash    crypto.Hash
	pause   time.Duration
}

// errNoService means that nobody knows the scheme of a reference.
var errNoService = errors.New("no service and no plugin")

// openManaged finds the key and asks for its public half.
func openManaged(ctx context.Context, ref string) (*managedKey, error) {
	if !kmsKnown {
		return nil, fmt.Errorf("%s is a key in %s, and this temper was built without services that hold keys; %s builds one that knows them", ref, managers[managed(ref)].name, kmsBuild)
	}
	service, err := openService(ctx, ref)
	if errors.Is(err, errNoService) {
		return nil, fmt.Errorf("%s: a key is a file, env://NAME, or in a service (%s), and there is no plugin sigstore-kms-%s on the PATH", ref, schemes(), managed(ref))
	}
	if err != nil {
		return nil, unserved(ref, err)
	}
	return newManagedKey(ctx, ref, service, 500*time.Millisecond)
}

// newManagedKey takes the digest that goes with the kind of key, as for a key in a
// file: cosign and whoever else has the public key then expects the same.
func newManagedKey(ctx context.Context, ref string, service signature.Signer, pause time.Duration) (*managedKey, error) {
	k := &managedKey{ref: ref, service: service, pause: pause}
	public, err := patiently(ctx, k, func() (crypto.PublicKey, error) { return service.PublicKey(options.WithContext(ctx)) })
	if err != nil {
		return nil, unserved(ref, err)
	}
	if _, ok := public.(ed25519.PublicKey); ok {
		// Of a file cosign signs the digest (Ed25519ph), with a service the message,
		// and verifies the message alone.
		return nil, fmt.Errorf("%s is an Ed25519 key, with which cosign, services and Temper sign in different ways; take one of ECDSA P-256", ref)
	}
	details, err := signature.GetDefaultAlgorithmDetails(public)
	if err != nil {
		return nil, fmt.Errorf("%s cannot sign images: %w", ref, err)
	}
	k.hash = details.GetHashType()
	k.Verifier, err = signature.LoadDefaultVerifier(public)
	if err != nil {
		return nil, fmt.Errorf("%s cannot sign images: %w", ref, err)
	}
	return k, nil
}

// SignMessage asks the service. What it signs is verified at once: the key may
// have been rotated since the public key was asked for, or be one that signs in
// another way (RSA-PSS).
func (k *managedKey) SignMessage(message io.Reader, opts ...signature.SignOption) ([]byte, error) {
	raw, err := io.ReadAll(message)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	for _, opt := range opts {
		opt.ApplyContext(&ctx)
	}
	opts = append(slices.Clone(opts), options.WithCryptoSignerOpts(k.hash))
	sig, err := patiently(ctx, k, func() ([]byte, error) { return k.service.SignMessage(bytes.NewReader(raw), opts...) })
	if err != nil {
		return nil, unserved(k.ref, err)
	}
	if err := k.VerifySignature(bytes.NewReader(sig), bytes.NewReader(raw)); err != nil {
		return nil, fmt.Errorf("%s signs, and its public key does not verify that: if the key was rotated just now, run it again; if it is an RSA key, it has to sign with PKCS #1 v1.5 and %s", k.ref, k.hash)
	}
	return sig, nil
}

// patiently asks the service, and again where it could not answer for a passing
// reason: some libraries do so themselves, but not all. Nor do all of them heed a
// context, so it is waited for here.
func patiently[T any](ctx context.Context, k *managedKey, ask func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	var none T
	wait := k.pause
	for attempt := 1; ; attempt++ {
		answers := make(chan answer, 1)
		go func() {
			value, err := ask()
			answers <- answer{value, err}
		}()
		select {
		case <-ctx.Done():
			return none, context.Cause(ctx)
		case a := <-answers:
			if a.err == nil || !passingService(a.err) || attempt == maxAsked {
				return a.value, a.err
			}
		}
		select {
		case <-ctx.Done():
			return none, context.Cause(ctx)
		case <-time.After(wait):
			wait *= 3
		}
	}
}

// secrets are variables that let one into a service, and whose values no error
// may hold, whatever the service says.
var secrets = []string{"VAULT_TOKEN", "BAO_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PASSWORD"}

// unserved is the error of a service, in its own words and on one line.
func unserved(ref string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("asking for %s: %w", ref, err)
	}
	text := strings.Join(strings.Fields(err.Error()), " ")
	for _, name := range secrets {
		if value := os.Getenv(name); value != "" {
			text = strings.ReplaceAll(text, value, "...")
		}
	}
	m, known := managers[managed(ref)]
	if !known {
		return fmt.Errorf("asking for %s: %s", ref, printable(text))
	}
	return fmt.Errorf("asking %s for %s: %s (access: %s)", m.name, ref, printable(text), m.access)
}

// schemes are those of references to keys, for errors.
func schemes() string { return strings.Join(slices.Sorted(maps.Keys(managers)), "://, ") + "://" }
