package release

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
)

// byIdentity is what the real commands verify the foundry's signatures with, and
// by the trusted root. Cosign v2 takes a file of that for bundles only, and keys
// from its environment for legacy attestations.
const (
	byIdentity = " --allow-insecure-registry --certificate-oidc-issuer https://token.actions.githubusercontent.com" +
		" --certificate-identity https://github.com/acme/shop/.github/workflows/release.yaml@refs/heads/main"
	byRoot = " --trusted-root sigstore.json"
)

// trusts writes the trusted root, and what is in it as cosign v2 takes it from its
// environment.
func (b *workbench) trusts(t *testing.T, root []byte) {
	t.Helper()
	b.write(t, "sigstore.json", root)
	type log struct {
		BaseURL   string
		PublicKey struct{ RawBytes []byte }
	}
	var all struct {
		Tlogs, Ctlogs          []log
		CertificateAuthorities []struct {
			CertChain struct{ Certificates []struct{ RawBytes []byte } }
		}
	}
	if err := json.Unmarshal(root, &all); err != nil {
		t.Fatal(err)
	}
	var chain, key []byte
	for _, c := range all.CertificateAuthorities[0].CertChain.Certificates {
		chain = append(chain, pemOf(c.RawBytes)...)
	}
	for _, one := range all.Tlogs {
		if strings.Contains(one.BaseURL, "rekor") {
			key = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: one.PublicKey.RawBytes})
		}
	}
	b.env = nil
	for name, content := range map[string][]byte{
		"SIGSTORE_ROOT_FILE": chain, "SIGSTORE_REKOR_PUBLIC_KEY": key,
		"SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: all.Ctlogs[0].PublicKey.RawBytes}),
	} {
		b.write(t, name, content)
		b.env = append(b.env, name+"="+filepath.Join(b.dir, name))
	}
}

// What Publish signs without a key the real commands verify, and refuse of
// another identity and by another trusted root.
func TestCosignVerifiesKeyless(t *testing.T) {
	b := newWorkbench(t)
	const (
		spdx   = " --type spdxjson REF"
		slsa   = " --type slsaprovenance1 REF"
		bundle = " --new-bundle-format"
	)
	for _, instance := range instances[:3] {
		for _, form := range instance.forms {
			var lines []string
			for _, command := range []string{"cosign2", "cosign3"} {
				flags := byRoot + byIdentity
				switch {
				case command == "cosign2" && form == Legacy:
					flags = " --offline" + byIdentity
				case command == "cosign2":
					flags += bundle
				}
				if strings.Contains(instance.name, "tiles") {
					flags += " --use-signed-timestamps"
				}
				lines = append(lines, command+" verify"+flags+" REF", command+" verify-attestation"+flags+spdx, command+" verify-attestation"+flags+slsa)
			}
			t.Run(instance.name+", "+string(form), func(t *testing.T) {
				f, h, p := newFoundry(t), serve(t, true), anIndex(t, 1)
				opts := f.keyless(t)
				instance.change(f, &opts)
				options := h.options()
				options.Format = form
				p.publish(t, h, f.signer(t, opts), options, "v1")
				f.Close()
				b.trusts(t, f.sigstore.TrustedRoot(t))
				refs := []name.Reference{h.repo(t).Tag("v1"), h.repo(t).Digest(p.images[1].String())}
				for _, line := range lines {
					if !b.has(line) {
						continue
					}
					for _, ref := range refs {
						if out, err := b.run(t, line, ref); err != nil {
							t.Errorf("%s: %v\n%s", line, err, out)
						}
					}
					wrong := strings.Replace(line, "release.yaml", "another.yaml", 1)
					if out, err := b.run(t, wrong, refs[0]); err == nil {
						t.Errorf("%s: it verifies:\n%s", wrong, out)
					}
				}
			})
		}
	}
}

// What the real commands sign without a key Open verifies, and Publish does not
// sign again.
func TestCosignSignsKeyless(t *testing.T) {
	b := newWorkbench(t)
	p := anIndex(t, 1)
	predicates := b.predicates(t, p)
	for _, tc := range []struct {
		name   string
		change func(f foundry) Services
		command,
		flags string
		form Format
	}{
		{"cosign2", func(f foundry) Services { return f.keyless(t).Services }, "cosign2", " --fulcio-url FULCIO --rekor-url REKOR", Legacy},
		{"cosign2, timestamps", func(f foundry) Services { return f.keyless(t).Services }, "cosign2", " --fulcio-url FULCIO --rekor-url REKOR --timestamp-server-url TIMESTAMPS", Legacy},
		{"cosign3, a log", func(f foundry) Services {
			return Services{f.Authority(), []Log{{f.Log(), 1}}, []string{f.Timestamps()}}
		}, "cosign3", " --signing-config config.json --trusted-root sigstore.json", Bundle},
		{"cosign3, a log of tiles", func(f foundry) Services {
			return Services{f.Authority(), []Log{{f.Tiles(), 2}}, []string{f.Timestamps()}}
		}, "cosign3", " --signing-config config.json --trusted-root sigstore.json", Bundle},
	} {
		if !b.has(tc.command) {
			continue
		}
		t.Run(tc.name, func(t *testing.T) {
			f, h := newFoundry(t), serve(t, true)
			p.push(t, h, "v1")
			ref := h.repo(t).Digest(p.digest.String())
			b.trusts(t, f.sigstore.TrustedRoot(t))
			b.write(t, "config.json", signingConfig(t, tc.change(f)))
			b.write(t, "token", []byte(f.Token(t, f.who, time.Minute)))
			flags := " --yes --allow-insecure-registry --identity-token token" +
				strings.NewReplacer("FULCIO", f.Authority(), "REKOR", f.Log(), "TIMESTAMPS", f.Timestamps()).Replace(tc.flags)
			lines := []string{tc.command + " sign --recursive" + flags + " REF"}
			for _, predicate := range predicates {
				lines = append(lines, tc.command+" attest"+flags+predicate+" REF")
			}
			for _, line := range lines {
				if out, err := b.run(t, line, ref); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			for _, image := range p.images {
				if out, err := b.run(t, tc.command+" attest"+flags+predicates[0]+" REF", h.repo(t).Digest(image.String())); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			by := believing(t, f.sigstore, f.who)
			r, err := Open(context.Background(), ref, by, Policy{Format: tc.form}, h.options())
			if err != nil {
				t.Fatal(err)
			}
			if age := time.Since(r.Signed); age < -time.Second || age > 5*time.Minute {
				t.Errorf("signed at %s", r.Signed)
			}
			before := h.attached(t, &Signer{verifier: by}, p.digest)
			options := h.options()
			options.Format = tc.form
			opts := f.keyless(t)
			opts.Services = tc.change(f)
			p.publish(t, h, f.signer(t, opts), options, "v1")
			after := h.attached(t, &Signer{verifier: by}, p.digest)
			if after.Signatures != before.Signatures || tc.form == Bundle && after.Referrers != before.Referrers+3 {
				t.Errorf("attached %+v, and then %+v: want cosign's signature, and three statements", before, after)
			}
			if _, err := Open(context.Background(), ref, believing(t, f.sigstore, distroless), Policy{}, h.options()); reason(t, err) != Untrusted {
				t.Errorf("another identity: %v, want untrusted", err)
			}
		})
	}
}

// signingConfig writes services as an instance's operators do.
func signingConfig(t testing.TB, s Services) []byte {
	t.Helper()
	type object = map[string]any
	service := func(url string, version uint32) object {
		return object{"url": url, "majorApiVersion": version, "operator": "test", "validFor": object{"start": "2020-01-01T00:00:00Z"}}
	}
	config := object{
		"mediaType":       "application/vnd.dev.sigstore.signingconfig.v0.2+json",
		"caUrls":          []any{service(s.Authority, 1)},
		"rekorTlogConfig": object{"selector": "ANY"}, "tsaConfig": object{"selector": "ANY"},
	}
	for key, add := range map[string]func() (all []any){
		"rekorTlogUrls": func() (all []any) {
			for _, log := range s.Logs {
				all = append(all, service(log.URL, log.Version))
			}
			return all
		},
		"tsaUrls": func() (all []any) {
			for _, url := range s.Timestamps {
				all = append(all, service(url, 1))
			}
			return all
		},
	} {
		config[key] = add()
	}
	raw, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
