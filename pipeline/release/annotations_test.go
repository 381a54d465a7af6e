package release

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/sigstore/sigstore/pkg/signature/payload"

	"temper/pipeline/evidence"
)

// says is a legacy claim that says more, as cosign sign -a writes it.
func says(t testing.TB, manifest v1.Hash, annotations map[string]any) []byte {
	t.Helper()
	var claim payload.SimpleContainerImage
	if err := json.Unmarshal(claimOf(t, manifest), &claim); err != nil {
		t.Fatal(err)
	}
	claim.Optional = annotations
	return mustJSON(t, claim)
}

// saying is the same as a bundle of cosign v3 has it.
func saying(t testing.TB, manifest v1.Hash, annotations map[string]any) *evidence.Statement {
	t.Helper()
	s := signatureStatement(t, manifest)
	s.Subject[0].Annotations = annotations
	return s
}

// What a signature is wanted to say it must say itself, in either form, whatever
// other signatures and manifests say.
func TestOpenWantsAnnotations(t *testing.T) {
	approved := map[string]string{"approved": "yes", "by": "qa"}
	type said = map[string]any
	for _, tc := range []struct {
		name   string
		said   []said // a signature each
		detail string // empty if it is what is wanted
	}{
		{"as wanted", []said{{"approved": "yes", "by": "qa"}}, ""},
		{"and more", []said{{"approved": "yes", "by": "qa", "n": 3}}, ""},
		{"by the second", []said{{"approved": "no", "by": "qa"}, {"approved": "yes", "by": "qa"}}, ""},
		{"nothing", []said{nil}, "one does not say approved=yes"},
		{"another value", []said{{"approved": "no", "by": "qa"}}, "one says approved=no and not approved=yes"},
		{"one of two", []said{{"approved": "yes"}}, "one does not say by=qa"},
		{"each by another", []said{{"approved": "yes"}, {"by": "qa"}}, "one does not say approved=yes; one does not say by=qa"},
		{"another case", []said{{"Approved": "yes", "by": "qa"}}, "one does not say approved=yes"},
		{"no text", []said{{"approved": true, "by": "qa"}}, "one says approved=true and not approved=yes"},
		{"a list", []said{{"approved": []string{"yes"}, "by": "qa"}}, "one says approved=[yes] and not approved=yes"},
	} {
		for _, form := range []Format{Bundle, Legacy} {
			t.Run(tc.name+", "+string(form), func(t *testing.T) {
				s := scene{serve(t, true), anIndex(t, 1), newKey(t)}
				s.sign(t, s.host, s.signer, s.statements, func(m manifest) bool { return !m.top })
				stranger := newKey(t)
				s.refer(t, s.top(t), signBundle(t, stranger, saying(t, s.digest, said{"approved": "yes", "by": "qa"})))
				s.append(t, s.top(t), signatureSuffix, simple(t, stranger, says(t, s.digest, said{"approved": "yes", "by": "qa"})))
				for _, annotations := range tc.said {
					if form == Bundle {
						s.refer(t, s.top(t), signBundle(t, s.signer, saying(t, s.digest, annotations)))
						continue
					}
					one := simple(t, s.signer, says(t, s.digest, annotations))
					one.Annotations["approved"], one.Annotations["by"] = "yes", "qa" // nobody signed these
					s.append(t, s.top(t), signatureSuffix, one)
				}
				for _, format := range []Format{"", form} {
					policy := Policy{SignatureOnly: true, Format: format, Annotations: approved}
					r, err := Open(context.Background(), s.refTo(t, ":v1"), s.signer.Verifier(), policy, s.options())
					var no *Refusal
					switch {
					case tc.detail == "" && err != nil:
						t.Errorf("format %q: %v", format, err)
					case tc.detail == "" && (len(r.Forms) != 1 || r.Forms[0] != form):
						t.Errorf("format %q: forms %v, want %s", format, r.Forms, form)
					case tc.detail == "":
					case !errors.As(err, &no) || no.Reason != Unannotated || !strings.HasSuffix(no.Detail, "carries what is asked for: "+tc.detail):
						t.Errorf("format %q: err is %v, want %s: %s", format, err, Unannotated, tc.detail)
					}
				}
				policy := Policy{SignatureOnly: true}
				if _, err := Open(context.Background(), s.refTo(t, ":v1"), s.signer.Verifier(), policy, s.options()); err != nil {
					t.Errorf("where nothing is asked for: %v", err)
				}
			})
		}
	}
}

// One form that says it is not the other, where each must.
func TestOpenWantsAnnotationsInBothForms(t *testing.T) {
	s := scene{serve(t, true), anImage(t, 1), newKey(t)}
	s.all(t, "v1")
	s.refer(t, s.top(t), signBundle(t, s.signer, saying(t, s.digest, map[string]any{"approved": "yes"})))
	for format, want := range map[Format]Reason{"": "", Bundle: "", Legacy: Unannotated, Both: Unannotated} {
		_, err := Open(context.Background(), s.refTo(t, ":v1"), s.signer.Verifier(), Policy{Format: format, Annotations: map[string]string{"approved": "yes"}}, s.options())
		if got := reason(t, err); got != want {
			t.Errorf("format %q: %v, want %q", format, err, want)
		}
	}
}

// A stranger's signature that says it is no signature.
func TestOpenDoesNotTakeAStrangersAnnotations(t *testing.T) {
	s := scene{serve(t, true), anImage(t, 1), newKey(t)}
	s.push(t, s.host, "v1")
	s.refer(t, s.top(t), signBundle(t, newKey(t), saying(t, s.digest, map[string]any{"approved": "yes"})))
	_, err := Open(context.Background(), s.refTo(t, ":v1"), s.signer.Verifier(), Policy{Annotations: map[string]string{"approved": "yes"}}, s.options())
	if reason(t, err) != Untrusted {
		t.Errorf("err is %v, want %s", err, Untrusted)
	}
}
