package release

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/types"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/sign"
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

// A sealed statement has one signature, in both forms.
type sealed struct {
	// signed is the Sigstore bundle, and bundle how it is written.
	signed *bundle.Bundle
	bundle []byte
	// envelope is the DSSE envelope, and annotations what else of the signature
	// the legacy form holds.
	envelope    []byte
	annotations map[string]string
}

// enclosed is what its signature is known by.
func (s *sealed) enclosed(by *Verifier) enclosed {
	in := s.signed.GetDsseEnvelope()
	return enveloped(by, in.GetPayloadType(), in.GetPayload(), in.GetSignatures()[0].GetSig())
}

// seal signs the statement's bytes.
func (s *Signer) seal(ctx context.Context, statement []byte) (*sealed, error) {
	content := &sign.DSSEData{Data: statement, PayloadType: string(evidence.MediaType)}
	var signed *protobundle.Bundle
	var by *certified
	var err error
	if s.keyless != nil {
		signed, by, err = s.keyless.sign(ctx, content)
	} else {
		signed, err = sign.Bundle(content, keypair{s}, sign.BundleOptions{Context: ctx})
	}
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	checked, err := bundle.NewBundle(signed)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	one := &sealed{signed: checked}
	if one.bundle, err = checked.MarshalJSON(); err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	// These are the very bytes that the library gave to the log, whose entry
	// holds their digest.
	if one.envelope, err = json.Marshal(signed.GetDsseEnvelope()); err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	if by != nil {
		if one.annotations, err = annotations(signed, by); err != nil {
			return nil, fmt.Errorf("signing: %w", err)
		}
	}
	return one, nil
}

// simple signs the manifest as the legacy form does, and returns what is
// signed, and the annotations that hold the signature.
func (s *Signer) simple(ctx context.Context, manifest name.Digest) ([]byte, map[string]string, error) {
	claim, err := payload.Cosign{Image: manifest}.MarshalJSON()
	if err != nil {
		return nil, nil, fmt.Errorf("writing signature payload: %w", err)
	}
	var sig []byte
	with := make(map[string]string)
	if s.keyless != nil {
		signed, by, err := s.keyless.sign(ctx, &sign.PlainData{Data: claim})
		if err != nil {
			return nil, nil, fmt.Errorf("signing: %w", err)
		}
		sig = signed.GetMessageSignature().GetSignature()
		if with, err = annotations(signed, by); err != nil {
			return nil, nil, fmt.Errorf("signing: %w", err)
		}
	} else if sig, err = s.key.SignMessage(bytes.NewReader(claim), options.WithContext(ctx)); err != nil {
		return nil, nil, fmt.Errorf("signing: %w", err)
	}
	with[signatureAnnotation] = base64.StdEncoding.EncodeToString(sig)
	return claim, with, nil
}
