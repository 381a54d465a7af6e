package release

import (
	"crypto/sha256"
	"sync"

	"temper/pipeline/evidence"
)

// Known are the statements that a key was seen to have signed. One envelope comes
// back with every manifest that its statement is about, and in both forms; that
// its signature is good need not be found out each time. A nil *known knows
// nothing.
//
// An identity's is another matter: there the certificate and the proof of when it
// signed lie beside each envelope, and are looked at each time.
type known struct{ statements sync.Map } // by envelope

// Enclosed is what is the same of two that are verified alike.
type enclosed struct {
	by          *Verifier
	payloadType string
	payload     [sha256.Size]byte
	signature   string
}

func enveloped(by *Verifier, payloadType string, payload, signature []byte) enclosed {
	return enclosed{by, payloadType, sha256.Sum256(payload), string(signature)}
}

// known tells whether one that is the same is verified alike: it has one
// signature, by a key.
func (e enclosed) known() bool { return e.signature != "" && !e.by.keyless() }

// find returns the statement in an envelope that was verified, nil if it was not.
func (k *known) find(e enclosed) *evidence.Statement {
	if k == nil || !e.known() {
		return nil
	}
	s, ok := k.statements.Load(e)
	if !ok {
		return nil
	}
	return s.(*evidence.Statement)
}

// note remembers that an envelope was verified.
func (k *known) note(e enclosed, s *evidence.Statement) {
	if k != nil && e.known() {
		k.statements.Store(e, s)
	}
}
