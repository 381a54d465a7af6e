// Package evidence says what is known of an image, as in-toto statements.
//
// A [Statement] binds one predicate (an SPDX document, a SLSA provenance, a
// check report) to the digests of the images it is about. A build writes its
// statements unsigned into the OCI layout, as OCI 1.1 referrers of each image
// ([Referrer], [FromReferrer]); a release signs those very bytes. So what a
// build claims and what a releaser vouches for are one document.
package evidence

import (
	"encoding/json"
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const (
	// StatementType is the only in-toto statement type written here.
	// https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
	StatementType = "https://in-toto.io/Statement/v1"

	// SPDX is the predicate type of an SPDX document.
	// https://github.com/in-toto/attestation/blob/main/spec/predicates/spdx.md
	SPDX = "https://spdx.dev/Document"
	// CycloneDX is the predicate type of a CycloneDX document.
	// https://github.com/in-toto/attestation/blob/main/spec/predicates/cyclonedx.md
	CycloneDX = "https://cyclonedx.org/bom"
	// Provenance is the predicate type of a SLSA v1 provenance.
	// https://slsa.dev/spec/v1.0/provenance
	Provenance = "https://slsa.dev/provenance/v1"
	// TestResult is the predicate type of a check report.
	// https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md
	TestResult = "https://in-toto.io/attestation/test-result/v0.1"
)

// A Statement is an in-toto statement, v1.
type Statement struct {
	Type string `json:"_type"`
	// Subject names the images, each with its sha256.
	Subject       []Subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	// Predicate is the predicate's own JSON, kept as it was written.
	Predicate json.RawMessage `json:"predicate"`
}

// A Subject is an in-toto resource descriptor of an image.
type Subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
	// Annotations say more of it; cosign writes those of a signature here.
	Annotations map[string]any `json:"annotations,omitempty"`
}

// State makes a statement that binds a predicate to images. The name is the
// service's, not a registry's: where an image will be pushed is not known when
// it is built.
func State(predicateType string, predicate any, name string, images ...v1.Hash) (*Statement, error) {
	raw, err := json.Marshal(predicate)
	if err != nil {
		return nil, fmt.Errorf("writing %s predicate: %w", predicateType, err)
	}
	s := &Statement{Type: StatementType, PredicateType: predicateType, Predicate: raw}
	for _, image := range images {
		s.Subject = append(s.Subject, Subject{Name: name, Digest: map[string]string{image.Algorithm: image.Hex}})
	}
	return s, nil
}

// Parse reads a statement and refuses one that is of another type, that has
// no predicate type or that names no subject.
func Parse(raw []byte) (*Statement, error) {
	var s Statement
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("reading in-toto statement: %w", err)
	}
	switch {
	case s.Type != StatementType && s.Type != "https://in-toto.io/Statement/v0.1":
		return nil, fmt.Errorf("in-toto statement has type %q, want %q", s.Type, StatementType)
	case s.PredicateType == "":
		return nil, fmt.Errorf("in-toto statement names no predicate type")
	case len(s.Subject) == 0:
		return nil, fmt.Errorf("in-toto statement names no subject")
	}
	return &s, nil
}

// About tells whether the statement names the image among its subjects.
func (s *Statement) About(image v1.Hash) bool {
	return slices.ContainsFunc(s.Subject, func(sub Subject) bool {
		return sub.Digest[image.Algorithm] == image.Hex
	})
}

// Annotations returns what the statement says of the image beside its digest, nil
// if that is nothing. Of several subjects with one digest the first counts.
func (s *Statement) Annotations(image v1.Hash) map[string]any {
	for _, sub := range s.Subject {
		if sub.Digest[image.Algorithm] == image.Hex {
			return sub.Annotations
		}
	}
	return nil
}

// Bytes returns the statement as JSON, the same bytes every time.
func (s *Statement) Bytes() ([]byte, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("writing in-toto statement: %w", err)
	}
	return raw, nil
}
