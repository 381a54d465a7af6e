//go:build !kms

package release

import (
	"context"
	"errors"

	"github.com/sigstore/sigstore/pkg/signature"
)

// kmsKnown tells whether this temper speaks to services that hold keys. Their
// libraries weigh eleven megabytes, so that most do not.
const kmsKnown = false

func openService(context.Context, string) (signature.Signer, error) {
	return nil, errors.ErrUnsupported
}

func passingService(error) bool { return false }
