package release

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"

	"temper/pipeline/evidence"
	"temper/pipeline/release/releasetest"
)

// A workbench is a folder with a key pair and the real cosign commands.
type workbench struct {
	dir    string
	cosign map[string]string // where cosign2 and cosign3 are
	signer *Signer
	env    []string // of the commands, beside what every one needs
}

// trustedRoot trusts no certificate authority and no log. Cosign v2 wants one
// to look at a bundle, also where a key is all that is asked for, and would
// fetch Sigstore's from the network.
const trustedRoot = `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`

func newWorkbench(t *testing.T) *workbench {
	t.Helper()
	b := &workbench{dir: t.TempDir(), cosign: findCosign(t)}
	if len(b.cosign) == 0 {
		t.Skip("run make cosign to have this test")
	}
	private, public, err := GenerateKey([]byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string][]byte{
		"cosign.key": private, "cosign.pub": public, "other.pub": other, "root.json": []byte(trustedRoot),
	} {
		b.write(t, file, content)
	}
	if b.signer, err = LoadSigner(context.Background(), filepath.Join(b.dir, "cosign.key"), password("secret")); err != nil {
		t.Fatal(err)
	}
	return b
}

// findCosign looks for the two versions where make cosign puts them, and then
// for the one that is installed.
func findCosign(t *testing.T) map[string]string {
	t.Helper()
	found := make(map[string]string)
	for _, command := range []string{"cosign2", "cosign3"} {
		path, err := filepath.Abs(filepath.Join("..", "..", "bin", command))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); err == nil {
			found[command] = path
		}
	}
	installed, err := exec.LookPath("cosign")
	if err != nil {
		return found
	}
	version, err := exec.Command(installed, "version").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, major := range []string{"2", "3"} {
		if found["cosign"+major] == "" && strings.Contains(string(version), "v"+major+".") {
			found["cosign"+major] = installed
		}
	}
	return found
}

// has tells whether there is the command to run a line with.
func (b *workbench) has(line string) bool { return b.cosign[strings.Fields(line)[0]] != "" }

func (b *workbench) write(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, file), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// predicates writes the evidence about a product, and returns the flags that name
// each to cosign attest.
func (b *workbench) predicates(t *testing.T, p product) []string {
	t.Helper()
	var flags []string
	for i, s := range p.about(p.digest, evidence.SPDX, evidence.Provenance, evidence.TestResult) {
		file := string('a'+rune(i)) + ".json"
		b.write(t, file, s.Predicate)
		flags = append(flags, " --type "+s.PredicateType+" --predicate "+file)
	}
	return flags
}

// run runs one line, with REF replaced, where nothing but loopback can be
// reached.
func (b *workbench) run(t *testing.T, line string, ref name.Reference) (string, error) {
	t.Helper()
	args := strings.Fields(strings.ReplaceAll(line, "REF", ref.String()))
	cmd := exec.Command(b.cosign[args[0]], args[1:]...)
	cmd.Dir = b.dir
	cmd.Env = []string{"HOME=" + b.dir, "COSIGN_PASSWORD=secret", "HTTPS_PROXY=http://127.0.0.1:1"}
	cmd.Env = append(cmd.Env, b.env...)
	out, err := cmd.CombinedOutput()
	t.Logf("$ %s\n%.1000s", line, out)
	return string(out), err
}

// What Publish wrote the real commands verify.
func TestCosignVerifies(t *testing.T) {
	b := newWorkbench(t)
	const (
		verify  = "verify --key cosign.pub --insecure-ignore-tlog=true --allow-insecure-registry"
		attests = "verify-attestation --key cosign.pub --insecure-ignore-tlog=true --allow-insecure-registry"
		spdx    = " --type spdxjson REF"
		slsa    = " --type slsaprovenance1 REF"
		result  = " --type " + evidence.TestResult + " REF"
		v2      = " --trusted-root root.json"
	)
	for _, kind := range kinds {
		for _, tc := range []struct {
			format Format
			lines  []string
		}{
			{Both, []string{
				"cosign2 " + verify + v2 + " REF", "cosign2 " + attests + v2 + spdx, "cosign2 " + attests + v2 + slsa, "cosign2 " + attests + v2 + result,
				"cosign3 " + verify + " REF", "cosign3 " + attests + spdx, "cosign3 " + attests + slsa, "cosign3 " + attests + result,
			}},
			{Bundle, []string{
				"cosign2 " + verify + v2 + " REF", "cosign2 " + attests + v2 + spdx, "cosign2 " + attests + v2 + slsa,
				"cosign3 " + verify + " REF", "cosign3 " + attests + spdx, "cosign3 " + attests + slsa,
			}},
			{Legacy, []string{
				"cosign2 " + verify + " REF", "cosign2 " + attests + spdx, "cosign2 " + attests + slsa,
				"cosign3 " + verify + " REF", "cosign3 " + attests + spdx, "cosign3 " + attests + slsa,
			}},
		} {
			t.Run(kind.name+", "+string(tc.format), func(t *testing.T) {
				h, p := serve(t, kind.referrers), anIndex(t, 1)
				opts := h.options()
				opts.Format = tc.format
				p.publish(t, h, b.signer, opts, "v1")
				refs := []name.Reference{h.repo(t).Tag("v1"), h.repo(t).Digest(p.images[1].String())}
				for _, line := range slices.DeleteFunc(tc.lines, func(line string) bool { return !b.has(line) }) {
					for _, ref := range refs {
						if ref == refs[1] && strings.Contains(line, evidence.TestResult) {
							continue // the report is about the whole
						}
						out, err := b.run(t, line, ref)
						if err != nil {
							t.Errorf("%s: %v\n%s", line, err, out)
						}
						if says := "signatures were verified against the specified public key"; !strings.Contains(out, says) {
							t.Errorf("%s: it does not say that %s:\n%s", line, says, out)
						}
					}
					wrong := strings.Replace(line, "cosign.pub", "other.pub", 1)
					if out, err := b.run(t, wrong, refs[0]); err == nil {
						t.Errorf("%s: it verifies:\n%s", wrong, out)
					}
				}
			})
		}
	}
}

// What the real commands sign Open verifies, and Publish does not sign again.
func TestCosignSigns(t *testing.T) {
	b := newWorkbench(t)
	p := anIndex(t, 1)
	predicates := b.predicates(t, p)
	const (
		flags  = " --yes --key cosign.key --tlog-upload=false --allow-insecure-registry"
		v3     = " --use-signing-config=false"
		legacy = " --new-bundle-format=false"
		bundle = " --new-bundle-format"
	)
	for _, kind := range kinds {
		for _, tc := range []struct {
			sign, attest string
			form         Format
		}{
			{"cosign2 sign --recursive" + flags, "cosign2 attest" + flags, Legacy},
			{"cosign2 sign --recursive" + flags + bundle, "cosign2 attest" + flags + bundle, Bundle},
			{"cosign3 sign --recursive" + flags + v3, "cosign3 attest" + flags + v3, Bundle},
			{"cosign3 sign --recursive" + flags + v3 + legacy, "cosign3 attest" + flags + v3 + legacy, Legacy},
		} {
			if !b.has(tc.sign) {
				continue
			}
			t.Run(kind.name+", "+tc.sign, func(t *testing.T) {
				h := serve(t, kind.referrers)
				p.push(t, h, "v1")
				ref := h.repo(t).Digest(p.digest.String())
				open := func(policy Policy) *Release {
					t.Helper()
					r, err := Open(context.Background(), ref, b.signer.Verifier(), policy, h.options())
					if err != nil {
						t.Fatal(err)
					}
					return r
				}
				if out, err := b.run(t, tc.sign+" REF", ref); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				r := open(Policy{SignatureOnly: true, Format: tc.form})
				if diff := cmp.Diff([]Format{tc.form}, r.Forms); diff != "" {
					t.Errorf("forms (-want +got):\n%s", diff)
				}
				if _, err := Open(context.Background(), ref, newKey(t).Verifier(), Policy{SignatureOnly: true}, h.options()); reason(t, err) != Untrusted {
					t.Errorf("with another key err is %v, want %s", err, Untrusted)
				}

				// The whole by hand: every step can be replaced.
				for _, predicate := range predicates {
					if out, err := b.run(t, tc.attest+predicate+" REF", ref); err != nil {
						t.Fatalf("%v\n%s", err, out)
					}
				}
				for _, image := range p.images {
					if out, err := b.run(t, tc.attest+predicates[0]+" REF", h.repo(t).Digest(image.String())); err != nil {
						t.Fatalf("%v\n%s", err, out)
					}
				}
				open(Policy{Format: tc.form})

				before := h.attached(t, b.signer, p.digest)
				opts := h.options()
				opts.Format = tc.form
				p.publish(t, h, b.signer, opts, "v1")
				after := h.attached(t, b.signer, p.digest)
				if tc.form == Legacy && before.Signatures != after.Signatures {
					t.Errorf("there are %d legacy signatures, want %d", after.Signatures, before.Signatures)
				}
				if want := before.Referrers + 3; tc.form == Bundle && after.Referrers != want {
					t.Errorf("%d things refer to it, want %d: cosign's, and three statements", after.Referrers, want)
				}
			})
		}
	}
}

// What the real commands annotate is asked for here, in whichever form they write it.
func TestCosignAnnotates(t *testing.T) {
	b := newWorkbench(t)
	p := anImage(t, 1)
	const flags = " --yes --key cosign.key --tlog-upload=false --allow-insecure-registry -a approved=yes -a by=qa"
	for _, tc := range []struct {
		sign string
		form Format
	}{
		{"cosign2 sign" + flags, Legacy},
		{"cosign3 sign --use-signing-config=false --new-bundle-format=false" + flags, Legacy},
		{"cosign3 sign --use-signing-config=false" + flags, Bundle},
	} {
		if !b.has(tc.sign) {
			continue
		}
		t.Run(tc.sign, func(t *testing.T) {
			h := serve(t, true)
			p.push(t, h, "v1")
			ref := h.repo(t).Digest(p.digest.String())
			if out, err := b.run(t, tc.sign+" REF", ref); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for value, want := range map[string]Reason{"yes": "", "no": Unannotated} {
				policy := Policy{SignatureOnly: true, Format: tc.form, Annotations: map[string]string{"approved": value, "by": "qa"}}
				if _, err := Open(context.Background(), ref, b.signer.Verifier(), policy, h.options()); reason(t, err) != want {
					t.Errorf("approved=%s: err is %v, want %q", value, err, want)
				}
			}
		})
	}
}

// What the tests' own Sigstore signs is what the world takes for signed: the
// real commands verify it offline, and refuse what Temper refuses.
func TestCosignVerifiesByIdentity(t *testing.T) {
	b := newWorkbench(t)
	const as = " --certificate-oidc-issuer https://accounts.google.com --certificate-identity "
	for _, tc := range []struct {
		form Format
		line string
	}{
		{Legacy, "cosign2 verify --offline --trusted-root sigstore.json"},
		{Legacy, "cosign3 verify --trusted-root sigstore.json"},
		{Bundle, "cosign2 verify --trusted-root sigstore.json --new-bundle-format"},
		{Bundle, "cosign3 verify --trusted-root sigstore.json"},
	} {
		if !b.has(tc.line) {
			continue
		}
		t.Run(tc.line, func(t *testing.T) {
			s := stall{serve(t, true), anIndex(t, 1), releasetest.New(t), tc.form}
			s.push(t, s.host, "v1")
			s.signs(t, s.sigstore, distroless, s.digest)
			b.write(t, "sigstore.json", s.sigstore.TrustedRoot(t))
			line := tc.line + " --allow-insecure-registry" + as
			ref := s.repo(t).Digest(s.digest.String())
			if out, err := b.run(t, line+distroless.Subject+" REF", ref); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			if out, err := b.run(t, line+"mallory@example.com REF", ref); err == nil {
				t.Errorf("somebody else's verifies:\n%s", out)
			}
			b.write(t, "sigstore.json", releasetest.New(t).TrustedRoot(t))
			if out, err := b.run(t, line+distroless.Subject+" REF", ref); err == nil {
				t.Errorf("with another trusted root it verifies:\n%s", out)
			}
		})
	}
}
