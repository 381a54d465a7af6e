//go:build kms

package release

import (
	"context"
	"crypto"
	"errors"
	"io"
	"log"
	"slices"

	vault "github.com/hashicorp/vault/api"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms"

	// The services that hold keys. OpenBao comes with Vault.
	_ "github.com/sigstore/sigstore/pkg/signature/kms/aws"
	_ "github.com/sigstore/sigstore/pkg/signature/kms/azure"
	_ "github.com/sigstore/sigstore/pkg/signature/kms/gcp"
	_ "github.com/sigstore/sigstore/pkg/signature/kms/hashivault"
)

// kmsKnown tells whether this temper speaks to services that hold keys.
const kmsKnown = true

// openService finds the service, or the plugin, of a reference. Most of them are
// not asked yet. The digest here is one to begin with: see [newManagedKey].
func openService(ctx context.Context, ref string) (signature.Signer, error) {
	// The library for Vault tells the log, and so a person, where it looks for a
	// token.
	told := log.Writer()
	log.SetOutput(io.Discard)
	defer log.SetOutput(told)
	service, err := kms.Get(ctx, ref, crypto.SHA256)
	if none := (*kms.ProviderNotFoundError)(nil); errors.As(err, &none) {
		return nil, errNoService
	}
	return service, err
}

// passingService tells whether the error of a service may be gone next time.
// Those of AWS, Azure and Google know that best and have tried again themselves.
func passingService(err error) bool {
	var answer *vault.ResponseError
	if errors.As(err, &answer) {
		return slices.Contains(passingCodes, answer.StatusCode)
	}
	return passing(err)
}
