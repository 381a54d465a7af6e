package releasetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	cosign "github.com/sigstore/cosign/v2/pkg/cosign/bundle"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"google.golang.org/protobuf/encoding/protojson"
)

// A Signer is who signs, and what is odd about it. The zero value of what is
// odd is a signature as it should be.
type Signer struct {
	Subject, Issuer string
	// Made is when the certificate was, to the second; the zero time is a
	// minute ago.
	Made time.Time
	// Logged is when the log took the signature in; the zero time is as soon as
	// the certificate was made.
	Logged time.Time
	// Untold leaves the log of signatures out, Unlogged that of certificates.
	Untold, Unlogged bool
	// Stamped adds a timestamp of now.
	Stamped bool
}

func (by Signer) made() time.Time {
	if by.Made.IsZero() {
		return time.Now().Add(-time.Minute).Truncate(time.Second)
	}
	return by.Made
}

func (by Signer) logged() time.Time {
	if by.Logged.IsZero() {
		return by.made().Add(time.Second)
	}
	return by.Logged
}

// signPredicate makes a statement a signature.
// https://github.com/sigstore/cosign/blob/v3.1.3/pkg/types/predicate.go
const signPredicate = "https://sigstore.dev/cosign/sign/v1"

// Bundle signs a manifest as a Sigstore bundle v0.3.
func (s *Sigstore) Bundle(t testing.TB, by Signer, manifest v1.Hash) []byte {
	t.Helper()
	return s.Statement(t, by, fmt.Appendf(nil,
		`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":%q}}],"predicateType":%q,"predicate":{}}`, manifest.Hex, signPredicate))
}

// Statement signs a statement's bytes as a Sigstore bundle v0.3.
func (s *Sigstore) Statement(t testing.TB, by Signer, statement []byte) []byte {
	t.Helper()
	const payloadType = "application/vnd.in-toto+json"
	certificate, key := s.certificate(t, by)
	sig := sign(t, key, dsse.PAE(payloadType, statement))
	material := &protobundle.VerificationMaterial{Content: &protobundle.VerificationMaterial_Certificate{
		Certificate: &protocommon.X509Certificate{RawBytes: certificate.Raw},
	}}
	if !by.Untold {
		envelope := &dsse.Envelope{
			PayloadType: payloadType, Payload: base64.StdEncoding.EncodeToString(statement),
			Signatures: []dsse.Signature{{Sig: base64.StdEncoding.EncodeToString(sig)}},
		}
		body := must(s.logs.GenerateTlogEntry(certificate, envelope, sig, by.logged().Unix(), true))(t).TransparencyLogEntry()
		material.TlogEntries = []*protorekor.TransparencyLogEntry{s.entry(t, by, body.CanonicalizedBody, body.InclusionProof)}
	}
	if by.Stamped {
		material.TimestampVerificationData = &protobundle.TimestampVerificationData{Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{
			{SignedTimestamp: s.stamps.stamp(t, crypto.SHA256, digestOf(sig), false)},
		}}
	}
	return must(protojson.Marshal(&protobundle.Bundle{
		MediaType:            "application/vnd.dev.sigstore.bundle.v0.3+json",
		VerificationMaterial: material,
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
			PayloadType: payloadType, Payload: statement, Signatures: []*protodsse.Signature{{Sig: sig}},
		}},
	}))(t)
}

// Simple signs a manifest in the legacy form: a simple signing payload, and
// the annotations of its layer.
func (s *Sigstore) Simple(t testing.TB, by Signer, manifest v1.Hash) (payload []byte, annotations map[string]string) {
	t.Helper()
	payload = fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":""},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, manifest)
	certificate, key := s.certificate(t, by)
	sig := sign(t, key, payload)
	annotations = map[string]string{
		static.SignatureAnnotationKey:   base64.StdEncoding.EncodeToString(sig),
		static.CertificateAnnotationKey: pemOf(certificate),
		static.ChainAnnotationKey:       pemOf(s.authority) + pemOf(s.root),
	}
	if !by.Untold {
		digest := sha256.Sum256(payload)
		entry := s.entry(t, by, hashed(t, digest[:], sig, certificate), nil)
		annotations[static.BundleAnnotationKey] = string(must(json.Marshal(cosign.RekorBundle{
			SignedEntryTimestamp: entry.InclusionPromise.SignedEntryTimestamp,
			Payload: cosign.RekorPayload{
				Body: entry.CanonicalizedBody, IntegratedTime: entry.IntegratedTime, LogIndex: entry.LogIndex,
				LogID: hex.EncodeToString(entry.LogId.KeyId),
			},
		}))(t))
	}
	if by.Stamped {
		annotations[static.RFC3161TimestampAnnotationKey] = string(must(json.Marshal(cosign.RFC3161Timestamp{
			SignedRFC3161Timestamp: s.stamps.stamp(t, crypto.SHA256, digestOf(sig), false),
		}))(t))
	}
	return payload, annotations
}

// entry is one of the log of signatures, with the log's promise to hold it.
func (s *Sigstore) entry(t testing.TB, by Signer, body []byte, proof *protorekor.InclusionProof) *protorekor.TransparencyLogEntry {
	t.Helper()
	var kind struct{ Kind, APIVersion string }
	if err := json.Unmarshal(body, &kind); err != nil {
		t.Fatal(err)
	}
	id := must(s.logs.RekorLogID())(t)
	var index int64
	if proof != nil {
		index = proof.LogIndex
	}
	promise := must(s.logs.RekorSignPayload(tlog.RekorPayload{
		Body: base64.StdEncoding.EncodeToString(body), IntegratedTime: by.logged().Unix(), LogIndex: index, LogID: id,
	}))(t)
	return &protorekor.TransparencyLogEntry{
		LogIndex: index, LogId: &protocommon.LogId{KeyId: must(hex.DecodeString(id))(t)},
		KindVersion: &protorekor.KindVersion{Kind: kind.Kind, Version: kind.APIVersion}, IntegratedTime: by.logged().Unix(),
		InclusionPromise: &protorekor.InclusionPromise{SignedEntryTimestamp: promise},
		InclusionProof:   proof, CanonicalizedBody: body,
	}
}

// hashed is what the log keeps of a signature whose content it does not see.
// https://github.com/sigstore/rekor/tree/v1.5.3/pkg/types/hashedrekord
func hashed(t testing.TB, digest, sig []byte, certificate *x509.Certificate) []byte {
	t.Helper()
	type object = map[string]any
	return must(json.Marshal(object{
		"apiVersion": "0.0.1",
		"kind":       "hashedrekord",
		"spec": object{
			"data":      object{"hash": object{"algorithm": "sha256", "value": hex.EncodeToString(digest)}},
			"signature": object{"content": sig, "publicKey": object{"content": []byte(pemOf(certificate))}},
		},
	}))(t)
}

func digestOf(message []byte) []byte {
	digest := sha256.Sum256(message)
	return digest[:]
}

func sign(t testing.TB, key *ecdsa.PrivateKey, message []byte) []byte {
	t.Helper()
	digest := sha256.Sum256(message)
	return must(key.Sign(rand.Reader, digest[:], crypto.SHA256))(t)
}

func pemOf(certificate *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
}
