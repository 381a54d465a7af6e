package release

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// A place is a repository in some registry.
type place struct {
	kind string
	make func(t *testing.T) name.Repository
}

var places = []place{
	{"referrers API", func(t *testing.T) name.Repository { return serve(t, true).repo(t) }},
	{"referrers tag", func(t *testing.T) name.Repository { return serve(t, false).repo(t) }},
	{"docker-registry", dockerRegistry},
}

// dockerRegistry starts Debian's, which has no referrers API.
func dockerRegistry(t *testing.T) name.Repository {
	t.Helper()
	config := filepath.Join(t.TempDir(), "config.yml")
	if err := os.WriteFile(config, []byte("version: 0.1\nlog: {accesslog: {disabled: true}}\nstorage: {inmemory: {}}\nhttp: {addr: 127.0.0.1:0}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("docker-registry", "serve", config)
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	listening := regexp.MustCompile(`listening on (127\.0\.0\.1:\d+)`)
	var all []string
	for lines.Scan() {
		all = append(all, lines.Text())
		if at := listening.FindStringSubmatch(lines.Text()); at != nil {
			done := make(chan struct{})
			go func() {
				for lines.Scan() { // or it would wait for somebody to read
				}
				close(done)
			}()
			t.Cleanup(func() {
				cmd.Process.Kill()
				<-done
				cmd.Wait()
			})
			repo, err := name.NewRepository(at[1] + "/" + repository)
			if err != nil {
				t.Fatal(err)
			}
			return repo
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	t.Fatalf("docker-registry does not listen:\n%s", strings.Join(all, "\n"))
	return name.Repository{}
}

// copied are the ways to copy a product with what belongs to it, and the forms of
// signatures that each takes along.
var copied = []struct {
	name  string
	form  func(from string) Format
	carry func(t *testing.T, from, to name.Repository, p product)
}{
	// The tags of the whole and the platforms, those that stand in for the referrers
	// API too: skopeo knows nothing of it, and drops the types of artifacts from such
	// a list.
	{"skopeo copy, tag by tag", func(from string) Format {
		if from == "referrers API" {
			return Legacy
		}
		return Both
	}, func(t *testing.T, from, to name.Repository, p product) {
		for _, tag := range tagsOf(t, from) {
			out, err := exec.Command("skopeo", "--insecure-policy", "--tmpdir", t.TempDir(), "copy", "--all",
				"--src-tls-verify=false", "--dest-tls-verify=false", "docker://"+from.Tag(tag).String(), "docker://"+to.Tag(tag).String()).CombinedOutput()
			if err != nil {
				t.Fatalf("skopeo copy of %s: %v\n%s", tag, err, out)
			}
		}
	}},
	// What crane copy does of each tag, and of what refers to an image.
	{"go-containerregistry, tags and referrers", func(string) Format { return Both }, func(t *testing.T, from, to name.Repository, p product) {
		push, err := remote.NewPusher()
		if err != nil {
			t.Fatal(err)
		}
		carry := func(ref, as name.Reference) {
			desc, err := remote.Get(ref)
			if err != nil {
				t.Fatal(err)
			}
			if err := push.Push(context.Background(), as, desc); err != nil {
				t.Fatal(err)
			}
		}
		for _, tag := range tagsOf(t, from) {
			if listTag().MatchString(tag) {
				continue // it makes one where there is no API
			}
			carry(from.Tag(tag), to.Tag(tag))
		}
		for _, about := range p.all() {
			index, err := remote.Referrers(from.Digest(about.String()))
			if err != nil {
				t.Fatal(err)
			}
			list, err := index.IndexManifest()
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range list.Manifests {
				carry(from.Digest(d.Digest.String()), to.Digest(d.Digest.String()))
			}
		}
	}},
}

// installed tells whether a command is there, and in a skipped test what to do if
// it is not.
func installed(t *testing.T, command string) bool {
	_, err := exec.LookPath(command)
	if err != nil {
		t.Run(command, func(t *testing.T) { t.Skipf("%s is not on PATH; `apt-get install %[1]s` to copy with it", command) })
	}
	return err == nil
}

func tagsOf(t *testing.T, repo name.Repository) []string {
	t.Helper()
	tags, err := remote.List(repo)
	if err != nil {
		t.Fatal(err)
	}
	return tags
}

// What was released into one registry verifies in another that it was copied to,
// whoever copied it, and so does what Temper releases into either.
func TestCopies(t *testing.T) {
	p, signer := anIndex(t, 1), newKey(t)
	opts := Options{Keychain: authn.NewMultiKeychain()}
	places, copied := places, copied
	if !installed(t, "docker-registry") {
		places = places[:2]
	}
	if !installed(t, "skopeo") {
		copied = copied[1:]
	}
	for _, from := range places {
		for _, to := range places {
			for _, by := range copied {
				t.Run(from.kind+", "+to.kind+", "+by.name, func(t *testing.T) {
					source, target := from.make(t), to.make(t)
					if _, err := Publish(context.Background(), source, p.report, p.artifact, p.statements, signer, []string{"v1"}, opts); err != nil {
						t.Fatal(err)
					}
					by.carry(t, source, target, p)
					r, err := Open(context.Background(), target.Tag("v1"), signer.Verifier(), Policy{Format: by.form(from.kind)}, opts)
					if err != nil {
						t.Fatal(err)
					}
					if r.Digest.DigestStr() != p.digest.String() || len(r.Platforms) != len(p.images) {
						t.Errorf("it is %s with %d platforms, want %s with %d", r.Digest, len(r.Platforms), p.digest, len(p.images))
					}
					if _, err := Open(context.Background(), target.Tag("v1"), newKey(t).Verifier(), Policy{}, opts); reason(t, err) != Untrusted {
						t.Errorf("with another key err is %v, want %s", err, Untrusted)
					}
				})
			}
		}
	}
}

// An image copied without what belongs to it is unsigned, and not believed for
// what lies where it came from.
func TestCopyOfTheImageAlone(t *testing.T) {
	h, there, p, signer := serve(t, true), serve(t, true), anIndex(t, 1), newKey(t)
	p.publish(t, h, signer, h.options(), "v1")
	desc, err := remote.Get(h.refTo(t, ":v1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Push(there.repo(t).Tag("v1"), desc); err != nil {
		t.Fatal(err)
	}
	h.requests()
	if _, err := Open(context.Background(), there.refTo(t, ":v1"), signer.Verifier(), Policy{}, there.options()); reason(t, err) != Unsigned {
		t.Errorf("err is %v, want %s", err, Unsigned)
	}
	if got := h.requests(); len(got) > 0 {
		t.Errorf("the first registry was asked for %v", got)
	}
}

// What the real commands copy into a layout verifies there.
func TestLayoutsOfOthers(t *testing.T) {
	b := newWorkbench(t)
	save := func(command string) func(t *testing.T, h *host, dir string, p product) {
		return func(t *testing.T, h *host, dir string, p product) {
			if !b.has(command) {
				t.Skip("run make cosign to have this test")
			}
			out, err := b.run(t, command+" save --allow-http-registry --dir "+dir+" REF", h.refTo(t, ":v1"))
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
	}
	for _, tc := range []struct {
		name  string
		p     product
		write func(t *testing.T, h *host, dir string, p product)
	}{
		{"cosign2 save", anImage(t, 1), save("cosign2")},
		{"cosign3 save", anImage(t, 1), save("cosign3")},
		{"skopeo copy", anIndex(t, 1), func(t *testing.T, h *host, dir string, p product) {
			if _, err := exec.LookPath("skopeo"); err != nil {
				t.Skip("skopeo is not on PATH; `apt-get install skopeo` to copy with it")
			}
			for _, tag := range tagsOf(t, h.repo(t)) {
				out, err := exec.Command("skopeo", "--insecure-policy", "--tmpdir", t.TempDir(), "copy", "--all",
					"--src-tls-verify=false", "docker://"+h.repo(t).Tag(tag).String(), "oci:"+dir+":"+tag).CombinedOutput()
				if err != nil {
					t.Fatalf("skopeo copy of %s: %v\n%s", tag, err, out)
				}
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h, dir := serve(t, false), filepath.Join(t.TempDir(), "layout")
			tc.p.publish(t, h, b.signer, h.options(), "v1")
			tc.write(t, h, dir, tc.p)
			if all := imagesIn(t, dir); len(all) != 1 {
				t.Errorf("it holds %v, want one image", all)
			}
			if _, err := openLayout(t, dir, b.signer.Verifier(), Policy{}); err != nil {
				t.Error(err)
			}
			if _, err := openLayout(t, dir, newKey(t).Verifier(), Policy{}); reason(t, err) != Untrusted {
				t.Errorf("with another key err is %v, want %s", err, Untrusted)
			}
		})
	}
}
