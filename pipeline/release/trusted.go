package release

import (
	_ "embed" // the trusted root
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/sigstore/sigstore-go/pkg/root"
)

// publicGood is the trusted root of Sigstore's public-good instance: the
// certificates of its authority (Fulcio), and the keys of its logs of
// signatures (Rekor) and certificates, and of its timestamps. It is the file
// that Sigstore has distributed since 2025-09-22, unchanged, as it was in
// November 2026 (sha256 6494e21e...c0b66), and it is pinned so that verifying
// needs no network beyond the registry. A log or an authority that comes later
// is not in it: then a newer file is given, or a newer Temper.
// https://github.com/sigstore/root-signing/blob/main/targets/trusted_root.json
//
//go:embed trusted_root.json
var publicGood []byte

// maxTrustedRoot bounds what is read as a trusted root; the public one has 7 kB.
const maxTrustedRoot = 1 << 20

// A TrustedRoot says which certificate authorities and logs are believed where
// a signer is known by an identity and not by a key.
type TrustedRoot struct{ material *root.TrustedRoot }

// PublicGoodRoot returns the trusted root of Sigstore's public-good instance,
// as this version of Temper pins it.
var PublicGoodRoot = sync.OnceValues(func() (*TrustedRoot, error) { return ParseTrustedRoot(publicGood) })

// LoadTrustedRoot reads a trusted root from a file in Sigstore's format
// (trusted_root.json), as the operators of an instance hand it out.
func LoadTrustedRoot(path string) (*TrustedRoot, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no trusted root %s", path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading trusted root: %w", err)
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxTrustedRoot+1))
	if err != nil {
		return nil, fmt.Errorf("reading trusted root: %w", err)
	}
	if len(raw) > maxTrustedRoot {
		return nil, fmt.Errorf("%s is too large for a trusted root", path)
	}
	trusted, err := ParseTrustedRoot(raw)
	if err != nil {
		return nil, fmt.Errorf("%s is not a trusted root: %w", path, err)
	}
	return trusted, nil
}

// ParseTrustedRoot reads a trusted root in Sigstore's format. It must name a
// certificate authority, for without one nobody is believed, and a log of
// signatures or an authority for timestamps, for without either nobody could say
// when something was signed, and certificates are good for minutes.
func ParseTrustedRoot(raw []byte) (*TrustedRoot, error) {
	material, err := root.NewTrustedRootFromJSON(raw)
	switch {
	case err != nil:
		return nil, err
	case len(material.FulcioCertificateAuthorities()) == 0:
		return nil, errors.New("it names no certificate authority")
	case len(material.RekorLogs()) == 0 && len(material.TimestampingAuthorities()) == 0:
		return nil, errors.New("it names no transparency log and no timestamp authority")
	}
	return &TrustedRoot{material}, nil
}
