package release

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	sealing "github.com/secure-systems-lab/go-securesystemslib/encrypted"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
)

// maxKey bounds what is read as a key.
const maxKey = 64 << 10

// GenerateKey returns a new key pair as PEM, as `cosign generate-key-pair`
// does: an ECDSA P-256 key encrypted with the password, and its public half.
func GenerateKey(password []byte) (private, public []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generating key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("encoding private key: %w", err)
	}
	sealed, err := sealing.Encrypt(der, password)
	if err != nil {
		return nil, nil, fmt.Errorf("encrypting private key: %w", err)
	}
	public, err = cryptoutils.MarshalPublicKeyToPEM(key.Public())
	if err != nil {
		return nil, nil, fmt.Errorf("encoding public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: encryptedKey, Bytes: sealed}), public, nil
}

// What cosign's private keys are called in PEM, today and before its version 2.
const (
	encryptedKey    = "ENCRYPTED SIGSTORE PRIVATE KEY"
	encryptedKeyOld = "ENCRYPTED COSIGN PRIVATE KEY"
)

// A Signer signs with a private key, or as an identity.
type Signer struct {
	verifier *Verifier
	// keyless signs as an identity; the rest is for a key.
	keyless *keyless
	key     signature.SignerVerifier
	details signature.AlgorithmDetails
	public  crypto.PublicKey
	hint    []byte
	// later returns the signer that this one stands for; nil if it is one.
	later func() (*Signer, error)
}

// Later stands for a signer that is still being opened, which takes its time where a
// password keeps the key. [Publish] uploads the layers in that time, and names them
// in a manifest once it has the signer; an error of open is Publish's. Several may
// ask at once, and one opens.
func Later(open func() (*Signer, error)) *Signer {
	return &Signer{later: sync.OnceValues(open)}
}

// opened returns the signer, which can write signatures in that format.
func (s *Signer) opened(format Format) (*Signer, error) {
	if s.later != nil {
		real, err := s.later()
		if err != nil {
			return nil, err
		}
		return real.opened(format)
	}
	return s, s.writes(format)
}

// LoadSigner reads an encrypted private key in cosign's format from a file, or
// from the environment as env://NAME. It asks for the password once, and only
// when there is a key to decrypt.
//
// A temper that is built with the tag kms also takes a reference to a key that a
// service holds: awskms://, azurekms://, gcpkms://, hashivault:// or openbao://, as
// cosign has them, and NAME:// where a program sigstore-kms-NAME is on the PATH.
// The service is asked for the public key once, and for each signature.
func LoadSigner(ctx context.Context, ref string, password func() ([]byte, error)) (*Signer, error) {
	if managed(ref) != "" {
		key, err := openManaged(ctx, ref)
		if err != nil {
			return nil, err
		}
		return NewSigner(key)
	}
	raw, err := readKey(ref)
	if err != nil {
		return nil, fmt.Errorf("reading private key: %w", err)
	}
	block, _ := pem.Decode(raw)
	switch {
	case block == nil:
		return nil, fmt.Errorf("%s is not a key: it holds no PEM block", ref)
	case block.Type == encryptedKey || block.Type == encryptedKeyOld:
	case strings.HasSuffix(block.Type, "PUBLIC KEY"):
		return nil, fmt.Errorf("%s is a public key; to sign takes the private one (cosign.key)", ref)
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, fmt.Errorf("%s is a private key that cosign did not encrypt (%s); cosign import-key-pair --key %s makes one that it did", ref, block.Type, ref)
	default:
		return nil, fmt.Errorf("%s is not a private key: it holds a %s", ref, block.Type)
	}
	pass, err := password()
	if err != nil {
		return nil, fmt.Errorf("reading the password of %s: %w", ref, err)
	}
	largePages()
	der, err := sealing.Decrypt(block.Bytes, pass)
	if err != nil {
		// The library has no error value for it.
		if strings.Contains(err.Error(), "decryption failed") {
			return nil, fmt.Errorf("%s does not open with this password (COSIGN_PASSWORD)", ref)
		}
		return nil, fmt.Errorf("opening %s: %w", ref, err)
	}
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", ref, err)
	}
	key, err := signature.LoadDefaultSignerVerifier(private, options.WithED25519ph())
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", ref, err)
	}
	return NewSigner(key)
}

// NewSigner returns a signer with a key that is held elsewhere: in memory, or
// by a key management service.
func NewSigner(key signature.SignerVerifier) (*Signer, error) {
	public, err := key.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("asking for the public key: %w", err)
	}
	details, err := signature.GetDefaultAlgorithmDetails(public, options.WithED25519ph())
	if err != nil {
		return nil, fmt.Errorf("a key of type %T cannot sign images: %w", public, err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("encoding public key: %w", err)
	}
	verifier, err := NewVerifier(key)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(der)
	hint := []byte(base64.StdEncoding.EncodeToString(sum[:])) // as cosign and sigstore-go do
	return &Signer{key: key, verifier: verifier, details: details, public: public, hint: hint}, nil
}

// Verifier returns the signer's public half: what believes this signer and
// nobody else. It waits for a signer that is still being opened, and returns nil
// if that failed.
func (s *Signer) Verifier() *Verifier {
	if s.later == nil {
		return s.verifier
	}
	real, err := s.later()
	if err != nil {
		return nil
	}
	return real.Verifier()
}

// writes refuses a format that the signer cannot write.
func (s *Signer) writes(format Format) error {
	if s.keyless != nil && format.has(Legacy) && !s.keyless.Services.Legacy() {
		return fmt.Errorf("the log %s (Rekor v2) gives no promise for the legacy form of signatures to hold; write them in %s form", s.keyless.Services.Logs[0].URL, Bundle)
	}
	return nil
}

// A Verifier says whose signatures are believed: one key's, or one identity's.
type Verifier struct {
	key      signature.Verifier // nil where an identity is believed
	identity Identity           // empty where a key is believed, or a pattern
	logged   bool               // a log of signatures must hold what an identity signed
	name     string
	bundle   *verify.Verifier
	policy   verify.PolicyOption
}

// known refuses a verifier that believes nobody.
func (v *Verifier) known() error {
	if v == nil || v.bundle == nil {
		return errors.New("no key and no identity to verify with")
	}
	return nil
}

// LoadVerifier reads a public key as PEM from a file, or from the environment
// as env://NAME, or asks the service that holds the key, as for [LoadSigner].
// Nobody is asked once it has returned.
func LoadVerifier(ctx context.Context, ref string) (*Verifier, error) {
	if managed(ref) != "" {
		key, err := openManaged(ctx, ref)
		if err != nil {
			return nil, err
		}
		return NewVerifier(key.Verifier)
	}
	raw, err := readKey(ref)
	if err != nil {
		return nil, fmt.Errorf("reading public key: %w", err)
	}
	block, _ := pem.Decode(raw)
	switch {
	case block == nil:
		return nil, fmt.Errorf("%s is not a key: it holds no PEM block", ref)
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, fmt.Errorf("%s is a private key; to verify takes the public one (cosign.pub)", ref)
	case !strings.HasSuffix(block.Type, "PUBLIC KEY"):
		return nil, fmt.Errorf("%s is not a public key: it holds a %s", ref, block.Type)
	}
	public, err := cryptoutils.UnmarshalPEMToPublicKey(raw)
	if err != nil {
		return nil, fmt.Errorf("%s is not a public key: %w", ref, err)
	}
	key, err := signature.LoadDefaultVerifier(public, options.WithED25519ph())
	if err != nil {
		return nil, fmt.Errorf("%s cannot verify images: %w", ref, err)
	}
	return NewVerifier(key)
}

// NewVerifier returns the verifier that believes one key. Keys have no
// validity period, and no transparency log is asked.
func NewVerifier(key signature.Verifier) (*Verifier, error) {
	public, err := key.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("asking for the public key: %w", err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("encoding public key: %w", err)
	}
	always := root.NewExpiringKey(key, time.Time{}, time.Time{})
	trusted := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) { return always, nil })
	bundle, err := verify.NewVerifier(trusted, verify.WithNoObserverTimestamps(), verify.WithoutStatementPredicate())
	if err != nil {
		return nil, fmt.Errorf("making verifier: %w", err)
	}
	sum := sha256.Sum256(der)
	return &Verifier{
		key:    key,
		name:   "key sha256:" + hex.EncodeToString(sum[:]),
		bundle: bundle,
		policy: verify.WithKey(),
	}, nil
}

// String says who is believed: "key sha256:..." and the fingerprint of the
// public key, the SHA-256 of its DER form, or an identity.
func (v *Verifier) String() string { return v.name }

// Key returns the public key's verifier, nil where an identity is believed.
func (v *Verifier) Key() signature.Verifier { return v.key }

func readKey(ref string) ([]byte, error) {
	if scheme, name, ok := strings.Cut(ref, "://"); ok {
		if scheme != "env" {
			return nil, fmt.Errorf("%s: a key is a file, env://NAME, or in a service (%s); this temper knows no %s://", ref, schemes(), scheme)
		}
		value, ok := os.LookupEnv(name)
		if !ok {
			return nil, fmt.Errorf("the environment has no %s", name)
		}
		return []byte(value), nil
	}
	if ref == "" {
		return nil, errors.New("no key was named; temper keygen makes cosign.key and cosign.pub")
	}
	file, err := os.Open(ref)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no file %s; temper keygen makes cosign.key and cosign.pub", ref)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxKey+1)) // a pipe or a device has no size to ask for
	if err != nil {
		return nil, err
	}
	if len(raw) > maxKey {
		return nil, fmt.Errorf("%s is too large for a key", ref)
	}
	return raw, nil
}

// keypair is a signer as sigstore-go wants it.
type keypair struct{ *Signer }

var _ sign.Keypair = keypair{}

func (k keypair) GetHashAlgorithm() protocommon.HashAlgorithm { return k.details.GetProtoHashType() }
func (k keypair) GetSigningAlgorithm() protocommon.PublicKeyDetails {
	return k.details.GetSignatureAlgorithm()
}
func (k keypair) GetHint() []byte                { return k.hint }
func (k keypair) GetPublicKey() crypto.PublicKey { return k.public }

func (k keypair) GetKeyAlgorithm() string {
	switch k.public.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA"
	case *rsa.PublicKey:
		return "RSA"
	case ed25519.PublicKey:
		return "ED25519"
	}
	return ""
}

func (k keypair) GetPublicKeyPem() (string, error) {
	raw, err := cryptoutils.MarshalPublicKeyToPEM(k.public)
	return string(raw), err
}

// SignData returns no digest: only a bundle of a message would hold it, and
// ours are of DSSE envelopes.
func (k keypair) SignData(ctx context.Context, data []byte) (sig, digest []byte, err error) {
	sig, err = k.key.SignMessage(bytes.NewReader(data), options.WithContext(ctx))
	return sig, nil, err
}
