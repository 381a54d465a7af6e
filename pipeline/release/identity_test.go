package release

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"

	"temper/pipeline/release/releasetest"
)

// like returns the verifier of a pattern.
func like(t testing.TB, s *releasetest.Sigstore, p Pattern) *Verifier {
	t.Helper()
	trusted, err := ParseTrustedRoot(s.TrustedRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewPatternVerifier(p, trusted)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// An expression matches the whole of what is signed, or nothing.
func TestPatternsMatchAsAWhole(t *testing.T) {
	sigstore, about := releasetest.New(t), hash([]byte("an image"))
	const issuer = `https://token\.actions\.githubusercontent\.com`
	for _, tc := range []struct {
		name string
		Pattern
		signer releasetest.Signer // nil values are the workflow's
		want   bool
	}{
		{name: "exact", Pattern: Pattern{Subject: workflow.Subject, Issuer: workflow.Issuer}, want: true},
		{name: "all of it", Pattern: Pattern{SubjectRegexp: `https://github\.com/acme/shop/.*`, Issuer: workflow.Issuer}, want: true},
		{name: "anchored by its author", Pattern: Pattern{SubjectRegexp: `^https://github\.com/acme/shop/.*$`, Issuer: workflow.Issuer}, want: true},
		{name: "both by expressions", Pattern: Pattern{SubjectRegexp: `.*@refs/heads/main`, IssuerRegexp: issuer}, want: true},
		{name: "the issuer alone", Pattern: Pattern{Subject: workflow.Subject, IssuerRegexp: issuer}, want: true},
		{name: "one of two", Pattern: Pattern{SubjectRegexp: `https://gitlab\.com/.*|https://github\.com/acme/.*`, Issuer: workflow.Issuer}, want: true},
		{name: "how it starts", Pattern: Pattern{SubjectRegexp: `https://github\.com/acme/shop`, Issuer: workflow.Issuer}},
		{name: "how it ends", Pattern: Pattern{SubjectRegexp: `@refs/heads/main`, Issuer: workflow.Issuer}},
		{name: "how it starts, one of two", Pattern: Pattern{SubjectRegexp: `https://github\.com/acme/shop|x`, Issuer: workflow.Issuer}},
		{name: "a longer name", Pattern: Pattern{SubjectRegexp: `https://github\.com/acme/shop/.*@refs/heads/main`, Issuer: workflow.Issuer},
			signer: releasetest.Signer{Subject: workflow.Subject + "-evil"}},
		{name: "a repository that is called like it", Pattern: Pattern{SubjectRegexp: `https://github\.com/acme/shop/.*`, Issuer: workflow.Issuer},
			signer: releasetest.Signer{Subject: strings.Replace(workflow.Subject, "/shop/", "/shop-evil/", 1)}},
		{name: "a longer issuer", Pattern: Pattern{Subject: workflow.Subject, IssuerRegexp: issuer}, signer: releasetest.Signer{Issuer: workflow.Issuer + ".evil.com"}},
		{name: "another issuer", Pattern: Pattern{SubjectRegexp: `.*`, Issuer: workflow.Issuer}, signer: releasetest.Signer{Issuer: "https://gitlab.com"}},
		{name: "another mode inside", Pattern: Pattern{SubjectRegexp: `(?m)https://github\.com/acme/shop$`, Issuer: workflow.Issuer}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			by := tc.signer
			if by.Subject == "" {
				by.Subject = workflow.Subject
			}
			if by.Issuer == "" {
				by.Issuer = workflow.Issuer
			}
			c := &claims{form: Bundle}
			_, err := c.addBundle(sigstore.Bundle(t, by, about), about, like(t, sigstore, tc.Pattern))
			if got := err == nil; got != tc.want {
				t.Fatalf("it is believed: %v (%v), want %v", got, err, tc.want)
			}
			if err != nil && !strings.Contains(err.Error(), "it is by another signer") {
				t.Errorf("it is refused, and not for its signer: %v", err)
			}
			if who := (Identity{by.Subject, by.Issuer}); err == nil && c.signings[0].by != who {
				t.Errorf("it is by %s, want %s", c.signings[0].by, who)
			}
		})
	}
}

func TestNewPatternVerifierRefuses(t *testing.T) {
	trusted, err := PublicGoodRoot()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		Pattern
		want string
	}{
		{"nobody", Pattern{Issuer: "https://a.example"}, "without a subject"},
		{"no issuer", Pattern{SubjectRegexp: ".*"}, "without an issuer"},
		{"two subjects", Pattern{Subject: "a", SubjectRegexp: "a", Issuer: "b"}, "it takes one of the two"},
		{"two issuers", Pattern{Subject: "a", Issuer: "b", IssuerRegexp: "b"}, "it takes one of the two"},
		{"no expression", Pattern{SubjectRegexp: "a(", Issuer: "b"}, "is no regular expression"},
		{"out of the parenthesis", Pattern{SubjectRegexp: "a)|(?:b", Issuer: "b"}, "is no regular expression"},
		{"an issuer out of the parenthesis", Pattern{Subject: "a", IssuerRegexp: "a)|(b"}, "is no regular expression"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := NewPatternVerifier(tc.Pattern, trusted); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("err is %v, want %q", err, tc.want)
			}
		})
	}
}

// Where a pattern matches several, the evidence is still one's: what one of them
// states is none for what another signed.
func TestOpenByPatternWantsOneSigner(t *testing.T) {
	sigstore, p, h := releasetest.New(t), anImage(t, 1), serve(t, true)
	p.push(t, h, "v1")
	top := p.parts(t)[0]
	sign := func(by releasetest.Signer) {
		payload, annotations := sigstore.Simple(t, by, p.digest)
		h.append(t, top, signatureSuffix, mutate.Addendum{Layer: static.NewLayer(payload, signatureMediaType), Annotations: annotations})
	}
	state := func(by releasetest.Signer) {
		for _, s := range p.statements {
			h.refer(t, top, sigstore.Statement(t, by, bytesOf(t, s)))
		}
	}
	one, other := workflow, workflow
	other.Subject = strings.Replace(workflow.Subject, "release", "another", 1)
	pattern := like(t, sigstore, Pattern{SubjectRegexp: `https://github\.com/acme/shop/.*`, Issuer: workflow.Issuer})
	open := func() (*Release, error) {
		return Open(context.Background(), h.refTo(t, ":v1"), pattern, Policy{}, h.options())
	}

	sign(other)
	state(one)
	if _, err := open(); reason(t, err) != Incomplete {
		t.Errorf("signed by one and stated by another: %v, want incomplete", err)
	}
	sign(one)
	r, err := open()
	if err != nil {
		t.Fatal(err)
	}
	if who := (Identity{one.Subject, one.Issuer}); r.Identity != who || r.Signer != who.String() {
		t.Errorf("signed by %s, %s, want %s", r.Signer, r.Identity, who)
	}
	if len(r.Statements) != 3 {
		t.Errorf("statements %v, want three", predicateTypes(r.Statements))
	}
}

// A trusted root without a log is that of an instance where timestamps alone
// prove when something was signed.
func TestOpenWithTimestampsAlone(t *testing.T) {
	sigstore, about := releasetest.New(t), hash([]byte("an image"))
	trusted, err := ParseTrustedRoot(change(t, sigstore.TrustedRoot(t), func(b map[string]any) { delete(b, "tlogs") }))
	if err != nil {
		t.Fatal(err)
	}
	by, err := NewIdentityVerifier(Identity{workflow.Subject, workflow.Issuer}, trusted)
	if err != nil {
		t.Fatal(err)
	}
	stamped, unstamped, neither := workflow, workflow, workflow
	stamped.Untold, stamped.Stamped = true, true
	neither.Untold = true
	for _, tc := range []struct {
		name   string
		signer releasetest.Signer
		says   string // empty for what is believed
	}{
		{"a timestamp", stamped, ""},
		{"a log that nobody knows", unstamped, "no timestamp proves when it was signed"},
		{"neither", neither, "neither a log entry nor a timestamp"},
	} {
		for _, form := range []Format{Bundle, Legacy} {
			c, err := &claims{form: form}, error(nil)
			if form == Bundle {
				_, err = c.addBundle(sigstore.Bundle(t, tc.signer, about), about, by)
			} else {
				f := fetched{}
				f.raw, f.Annotations = sigstore.Simple(t, tc.signer, about)
				err = c.addSimple(context.Background(), f, about, by)
			}
			if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%s, %s: err is %v, want %q", tc.name, form, err, tc.says)
			}
		}
	}
}

// When an image was signed is when somebody else saw it.
func TestOpenTellsWhen(t *testing.T) {
	sigstore, p, h := releasetest.New(t), anImage(t, 1), serve(t, true)
	p.push(t, h, "v1")
	top := p.parts(t)[0]
	early, late := workflow, workflow
	early.Made = time.Now().Add(-time.Hour).Truncate(time.Second)
	early.Logged = early.Made.Add(3 * time.Minute)
	for _, by := range []releasetest.Signer{late, early, late} {
		h.refer(t, top, sigstore.Bundle(t, by, p.digest))
	}
	r, err := Open(context.Background(), h.refTo(t, ":v1"), believing(t, sigstore, workflow), Policy{SignatureOnly: true}, h.options())
	if err != nil {
		t.Fatal(err)
	}
	if !r.Signed.Equal(early.Logged) {
		t.Errorf("signed at %s, want %s", r.Signed, early.Logged)
	}
}
