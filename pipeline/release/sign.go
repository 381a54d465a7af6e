package release

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore/pkg/signature/dsse"
	"github.com/sigstore/sigstore/pkg/signature/options"
	"github.com/sigstore/sigstore/pkg/signature/payload"

	"temper/pipeline/evidence"
)

const (
	// signPredicate makes a statement a signature. Whoever signs such a
	// statement signs the image, so Publish accepts none from outside.
	// https://github.com/sigstore/cosign/blob/v3.1.3/pkg/types/predicate.go
	signPredicate = "https://sigstore.dev/cosign/sign/v1"

	bundleMediaType    types.MediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"
	signatureMediaType types.MediaType = "application/vnd.dev.cosign.simplesigning.v1+json"
	envelopeMediaType  types.MediaType = "application/vnd.dsse.envelope.v1+json"
)

// bundleOf signs the statement's bytes as a Sigstore bundle.
func (s *Signer) bundleOf(ctx context.Context, statement []byte) ([]byte, error) {
	content := &sign.DSSEData{Data: statement, PayloadType: string(evidence.MediaType)}
	signed, err := sign.Bundle(content, keypair{s}, sign.BundleOptions{Context: ctx})
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	checked, err := bundle.NewBundle(signed)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return checked.MarshalJSON()
}

// envelopeOf signs the statement's bytes as a DSSE envelope.
func (s *Signer) envelopeOf(ctx context.Context, statement []byte) ([]byte, error) {
	signed, err := dsse.WrapSigner(s.key, string(evidence.MediaType)).SignMessage(bytes.NewReader(statement), options.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return signed, nil
}

// simple signs the manifest as the legacy form does, and returns what is
// signed and the signature in base64.
func (s *Signer) simple(ctx context.Context, manifest name.Digest) ([]byte, string, error) {
	claim, err := payload.Cosign{Image: manifest}.MarshalJSON()
	if err != nil {
		return nil, "", fmt.Errorf("writing signature payload: %w", err)
	}
	sig, err := s.key.SignMessage(bytes.NewReader(claim), options.WithContext(ctx))
	if err != nil {
		return nil, "", fmt.Errorf("signing: %w", err)
	}
	return claim, base64.StdEncoding.EncodeToString(sig), nil
}
