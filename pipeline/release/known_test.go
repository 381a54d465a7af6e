package release

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/pipeline/evidence"
)

// That an envelope was verified says nothing of one that differs in anything: in
// what it holds, in its signature, in how many it has, or in who is believed.
func TestKnownEnvelopes(t *testing.T) {
	signer, stranger := newKey(t), newKey(t)
	about := v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("1", 64)}
	s, err := evidence.State("https://example.com/predicate", map[string]any{"a": 1}, "a", about)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := s.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := signer.seal(context.Background(), raw)
	if err != nil {
		t.Fatal(err)
	}
	type signature struct {
		KeyID string `json:"keyid"`
		Sig   []byte `json:"sig"`
	}
	type dsse struct {
		PayloadType string      `json:"payloadType"`
		Payload     string      `json:"payload"`
		Signatures  []signature `json:"signatures"`
	}
	var good dsse
	if err := json.Unmarshal(sealed.envelope, &good); err != nil {
		t.Fatal(err)
	}
	remembered := new(known)
	look := func(in dsse, by *Signer, about v1.Hash) error {
		t.Helper()
		raw, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		c := &claims{form: Legacy, known: remembered}
		return c.addEnvelope(context.Background(), fetched{raw: raw}, about, by.Verifier())
	}
	for range 2 {
		if err := look(good, signer, about); err != nil {
			t.Fatalf("a good envelope: %v", err)
		}
	}
	forged := base64.StdEncoding.EncodeToString([]byte(strings.Replace(string(raw), `"a":1`, `"a":2`, 1)))
	none := signature{Sig: []byte("nothing")}
	// One of two will do for the library, and says nothing of others with none.
	if err := look(dsse{good.PayloadType, good.Payload, []signature{good.Signatures[0], none}}, signer, about); err != nil {
		t.Errorf("a good signature beside another: %v", err)
	}
	for name, tc := range map[string]struct {
		in    dsse
		by    *Signer
		about v1.Hash
	}{
		"another payload":    {dsse{good.PayloadType, forged, good.Signatures}, signer, about},
		"another type":       {dsse{"text/plain", good.Payload, good.Signatures}, signer, about},
		"another signature":  {dsse{good.PayloadType, good.Payload, []signature{none}}, signer, about},
		"no signature":       {dsse{good.PayloadType, good.Payload, nil}, signer, about},
		"bad signatures":     {dsse{good.PayloadType, good.Payload, []signature{none, none}}, signer, about},
		"another signer":     {good, stranger, about},
		"about another":      {good, signer, v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("2", 64)}},
		"an empty signature": {dsse{good.PayloadType, good.Payload, []signature{{}}}, signer, about},
	} {
		for range 2 { // nor does the first of them vouch for the second
			if err := look(tc.in, tc.by, tc.about); err == nil {
				t.Errorf("%s is taken", name)
			}
		}
	}
}
