package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// Without a key it is a token that signs, which nobody sees either, and an
// identity that is believed.
func TestIdentities(t *testing.T) {
	ctx := context.Background()
	p, e := pipeline(t, Options{})
	const plain = "do not show me"
	file := func(name string) Sigstore {
		f := p.client.Directory().WithNewFile(name, "{}").File(name)
		return Sigstore{SigningConfig: f, TrustedRoot: f}
	}
	how := Publishing{IdentityToken: p.client.SetSecret("token", plain), Sigstore: file("sigstore.json")}
	if _, err := p.Release(ctx, p.client.Directory(), "reg/shop", how); err != nil {
		t.Fatal(err)
	}
	trust := Trust{Identity: "ci@example.com", IssuerRegexp: "https://.*", TrustedRoot: how.Sigstore.TrustedRoot}
	if _, err := p.Verify(ctx, []string{"reg/shop/orders"}, trust, Registry{}); err != nil {
		t.Fatal(err)
	}
	got := e.golden(t, "identities")
	for _, line := range strings.Split(got, "\n") {
		if strings.Contains(line, plain) && !strings.HasPrefix(strings.TrimSpace(line), "setSecret(") {
			t.Errorf("a secret is in plain sight: %s", line)
		}
	}
	how.Key.Private = how.IdentityToken
	if _, err := p.Release(ctx, p.client.Directory(), "reg/shop", how); err == nil || !strings.Contains(err.Error(), "one of them signs") {
		t.Errorf("a release with a key and a token gives %v", err)
	}
}

// Services start in a step that has root's capabilities and no secret; what they
// showed goes to the step that signs, which has none.
func TestProbe(t *testing.T) {
	ctx := context.Background()
	p, e := pipeline(t, Options{})
	how := Publishing{Key: Key{Private: p.client.SetSecret("key", "key")}, Probe: true}
	if _, err := p.Release(ctx, p.client.Directory(), "reg/shop", how); err != nil {
		t.Fatal(err)
	}
	if _, err := p.ProbeFile(ctx, p.client.Directory(), SARIF); err != nil {
		t.Fatal(err)
	}
	if err := p.ProbeAll(ctx); err != nil {
		t.Fatal(err)
	}
	got := e.golden(t, "probe")
	probes := 0
	for _, step := range strings.Split(got, "\n\n") {
		starts := strings.Contains(step, `"probe",`)
		if starts {
			probes++
		}
		if starts != strings.Contains(step, "insecureRootCapabilities: true") {
			t.Errorf("a step that starts services=%v:\n%s", starts, step)
		}
		if starts && (strings.Contains(step, "withSecretVariable") || strings.Contains(step, "withMountedSecret")) {
			t.Errorf("a step that starts services has a secret:\n%s", step)
		}
	}
	if probes == 0 {
		t.Error("no step starts services")
	}

	// What it says no to is an answer that is asked for again: the step fails.
	e.refused = "orders: 1 error\n"
	var no *NoError
	if report, err := p.Probe(ctx, p.client.Directory()); !errors.As(err, &no) || err.Error() != "orders: 1 error" || report != "{}" {
		t.Errorf("a broken promise gives %q, %v, want the report and a NoError with the findings", report, err)
	}
	if _, err := p.Release(ctx, p.client.Directory(), "reg/shop", how); err != nil {
		t.Errorf("a release does not leave it to temper whether a broken promise is waived: %v", err)
	}
}
