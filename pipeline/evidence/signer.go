//lint:file-ignore SA1019 the structs that replace these are made of protobuf, whose JSON is not the same bytes every time

package evidence

import slsa "github.com/in-toto/in-toto-golang/in_toto/slsa_provenance/v1"

// A Signer is who was seen to have signed a base, before anything was built
// upon it. The zero value says that nobody looked.
type Signer struct {
	// Identity is who signed and Issuer who vouches for them.
	Identity, Issuer string
	// Key is the fingerprint of the public key in place of these, as in
	// "sha256:...".
	Key string
}

// The names of a signer's annotations of the base in a provenance.
const (
	signerIdentity = "signerIdentity"
	signerIssuer   = "signerIssuer"
	signerKey      = "signerKey"
)

// String returns the signer as people are told, empty where nobody looked.
func (s Signer) String() string {
	switch {
	case s.Key != "":
		return "key " + s.Key
	case s.Identity != "":
		return s.Identity + " (" + s.Issuer + ")"
	}
	return ""
}

// annotations are how a provenance tells of the signer; nil where nobody
// looked.
func (s Signer) annotations() map[string]any {
	switch {
	case s.Key != "":
		return map[string]any{signerKey: s.Key}
	case s.Identity != "":
		return map[string]any{signerIdentity: s.Identity, signerIssuer: s.Issuer}
	}
	return nil
}

// SignerOf returns who a provenance says to have signed one of the things that
// went into the build.
func SignerOf(d slsa.ResourceDescriptor) Signer {
	text := func(key string) string {
		s, _ := d.Annotations[key].(string)
		return s
	}
	return Signer{Identity: text(signerIdentity), Issuer: text(signerIssuer), Key: text(signerKey)}
}
