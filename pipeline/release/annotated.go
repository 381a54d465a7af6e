package release

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	cosign "github.com/sigstore/cosign/v2/pkg/cosign/bundle"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
)

// The legacy form keeps in annotations of a layer what a bundle holds: the
// certificate, the log's promise and the timestamp. What follows makes a bundle
// of it, so that both forms are judged by the same verifier, and the reverse.
// https://github.com/sigstore/cosign/blob/v2.6.5/specs/SIGNATURE_SPEC.md

// annotatedBundle is the first version of bundles: it wants the log's promise
// and no proof, which the legacy form does not hold.
const annotatedBundle = "application/vnd.dev.sigstore.bundle+json;version=0.1"

// annotations are what the legacy form holds of a bundle beside the signature
// itself.
func annotations(b *protobundle.Bundle, by *certified) (map[string]string, error) {
	var chain []byte
	for _, above := range by.chain {
		chain = append(chain, pemOf(above.Raw)...)
	}
	all := map[string]string{
		static.CertificateAnnotationKey: string(pemOf(by.leaf)),
		static.ChainAnnotationKey:       string(chain),
	}
	add := func(key string, value any) error {
		raw, err := json.Marshal(value)
		all[key] = string(raw)
		return err
	}
	for _, entry := range b.GetVerificationMaterial().GetTlogEntries() {
		if !dated(entry) {
			continue // a log of tiles makes no promises
		}
		err := add(static.BundleAnnotationKey, cosign.RekorBundle{
			SignedEntryTimestamp: entry.GetInclusionPromise().GetSignedEntryTimestamp(),
			Payload: cosign.RekorPayload{
				Body:           base64.StdEncoding.EncodeToString(entry.GetCanonicalizedBody()),
				IntegratedTime: entry.GetIntegratedTime(),
				LogIndex:       entry.GetLogIndex(),
				LogID:          hex.EncodeToString(entry.GetLogId().GetKeyId()),
			},
		})
		if err != nil {
			return nil, err
		}
		break
	}
	if stamps := b.GetVerificationMaterial().GetTimestampVerificationData().GetRfc3161Timestamps(); len(stamps) > 0 {
		if err := add(static.RFC3161TimestampAnnotationKey, cosign.RFC3161Timestamp{SignedRFC3161Timestamp: stamps[0].GetSignedTimestamp()}); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// signedMessage returns a simple signing payload and its signature as a
// bundle.
func (f fetched) signedMessage() (*bundle.Bundle, error) {
	sig, err := base64.StdEncoding.DecodeString(f.Annotations[signatureAnnotation])
	if err != nil {
		return nil, fmt.Errorf("its signature is malformed: %w", err)
	}
	digest := sha256.Sum256(f.raw)
	return f.annotated(&protobundle.Bundle{Content: &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
		MessageDigest: &protocommon.HashOutput{Algorithm: protocommon.HashAlgorithm_SHA2_256, Digest: digest[:]},
		Signature:     sig,
	}}})
}

// signedEnvelope returns a DSSE envelope as a bundle.
func (f fetched) signedEnvelope() (*bundle.Bundle, error) {
	var envelope struct {
		PayloadType string `json:"payloadType"`
		Payload     []byte `json:"payload"`
		Signatures  []struct {
			Sig []byte `json:"sig"`
		} `json:"signatures"`
	}
	if err := json.Unmarshal(f.raw, &envelope); err != nil {
		return nil, fmt.Errorf("it is no envelope: %w", err)
	}
	signed := &protodsse.Envelope{PayloadType: envelope.PayloadType, Payload: envelope.Payload}
	for _, s := range envelope.Signatures {
		signed.Signatures = append(signed.Signatures, &protodsse.Signature{Sig: s.Sig})
	}
	return f.annotated(&protobundle.Bundle{Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: signed}})
}

// annotated adds to what was signed what the annotations say of the signer.
func (f fetched) annotated(b *protobundle.Bundle) (*bundle.Bundle, error) {
	block, _ := pem.Decode([]byte(f.Annotations[static.CertificateAnnotationKey]))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("it has no certificate, so it is by a key if it is by anybody")
	}
	var entries []*protorekor.TransparencyLogEntry
	if text := f.Annotations[static.BundleAnnotationKey]; text != "" {
		entry, err := logged(text)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	b.MediaType = annotatedBundle
	b.VerificationMaterial = &protobundle.VerificationMaterial{
		Content: &protobundle.VerificationMaterial_X509CertificateChain{X509CertificateChain: &protocommon.X509CertificateChain{
			Certificates: []*protocommon.X509Certificate{{RawBytes: block.Bytes}},
		}},
		TlogEntries: entries,
	}
	if text := f.Annotations[static.RFC3161TimestampAnnotationKey]; text != "" {
		var stamp cosign.RFC3161Timestamp
		if err := json.Unmarshal([]byte(text), &stamp); err != nil {
			return nil, fmt.Errorf("its timestamp is malformed: %w", err)
		}
		b.VerificationMaterial.TimestampVerificationData = &protobundle.TimestampVerificationData{
			Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: stamp.SignedRFC3161Timestamp}},
		}
	}
	var made *bundle.Bundle
	return made, untripped(func() (err error) {
		made, err = bundle.NewBundle(b)
		return err
	})
}

// logged reads the entry of the log, and its promise to hold it.
func logged(annotation string) (*protorekor.TransparencyLogEntry, error) {
	var promise struct {
		SignedEntryTimestamp []byte
		Payload              struct {
			Body           []byte `json:"body"`
			IntegratedTime int64  `json:"integratedTime"`
			LogIndex       int64  `json:"logIndex"`
			LogID          string `json:"logID"`
		}
	}
	if err := json.Unmarshal([]byte(annotation), &promise); err != nil {
		return nil, fmt.Errorf("its log entry is malformed: %w", err)
	}
	id, err := hex.DecodeString(promise.Payload.LogID)
	if err != nil {
		return nil, fmt.Errorf("its log entry is malformed: %w", err)
	}
	var kind struct {
		Kind    string `json:"kind"`
		Version string `json:"apiVersion"`
	}
	if err := json.Unmarshal(promise.Payload.Body, &kind); err != nil {
		return nil, fmt.Errorf("its log entry is malformed: %w", err)
	}
	return &protorekor.TransparencyLogEntry{
		LogIndex:          promise.Payload.LogIndex,
		LogId:             &protocommon.LogId{KeyId: id},
		KindVersion:       &protorekor.KindVersion{Kind: kind.Kind, Version: kind.Version},
		IntegratedTime:    promise.Payload.IntegratedTime,
		InclusionPromise:  &protorekor.InclusionPromise{SignedEntryTimestamp: promise.SignedEntryTimestamp},
		CanonicalizedBody: promise.Payload.Body,
	}, nil
}
