//lint:file-ignore SA1019 as in package evidence: the structs of protobuf have JSON of other bytes every time

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	slsa "github.com/in-toto/in-toto-golang/in_toto/slsa_provenance/v1"

	"temper/pipeline/binary"
	"temper/pipeline/difference"
	"temper/pipeline/evidence"
	"temper/pipeline/image"
	"temper/pipeline/service"
)

// committed makes a repository of the files and returns its folder and commit.
func committed(t *testing.T, files map[string]string) (dir, commit string) {
	t.Helper()
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	dir = t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}, {"commit", "-q", "-m", "all"}, {"rev-parse", "HEAD"}} {
		out, err := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		commit = strings.TrimSpace(string(out))
	}
	return dir, commit
}

var shop = map[string]string{
	"temper.yaml": "services:\n  - name: api\n    tags: [netgo]\n    env: {A: one}\n",
	"go.mod":      "module example.com/api\n\ngo 1.26\n",
	"main.go":     "package main\n\nfunc main() {}\n",
}

// sha is a digest of one character.
func sha(c string) v1.Hash { return v1.Hash{Algorithm: "sha256", Hex: strings.Repeat(c, 64)} }

// proven is the provenance of a build, read back from its statement.
func proven(t *testing.T, r *rebuilder, change func(*evidence.Build, *parameters)) (*telling, *rebuilt) {
	t.Helper()
	p := parameters{Service: "api", Dir: ".", Package: ".", Path: "/usr/local/bin/api", User: service.DefaultUser, Platforms: []string{"linux/arm64", "linux/amd64"}, Base: service.BuiltinBase, Format: image.Format}
	b := evidence.Build{Source: evidence.Source{Commit: strings.Repeat("c", 40)}, Go: "go1.26.8", Base: evidence.Base{Name: service.BuiltinBase, Digest: sha("b")}, Version: "devel"}
	change(&b, &p)
	b.Parameters = p
	s, err := evidence.State(evidence.Provenance, evidence.ProvenanceOf(b), "api", sha("a"))
	if err != nil {
		t.Fatal(err)
	}
	told, out, err := r.read(s)
	if err != nil {
		t.Fatal(err)
	}
	return told, out
}

// The line of a rebuild is as the provenance tells, and its cache is nobody
// else's.
func TestRebuildIsPreparedAsTheProvenanceTells(t *testing.T) {
	ordinary := t.TempDir()
	t.Setenv("TEMPER_CACHE", ordinary)
	dir, commit := committed(t, shop)
	r, err := newRebuilder(&person{out: &bytes.Buffer{}, err: &bytes.Buffer{}}, dir)
	if err != nil {
		t.Fatal(err)
	}
	told, out := proven(t, r, func(b *evidence.Build, p *parameters) {
		b.Source.Commit = commit
		p.Tags, p.Tag, p.Created = []string{"extra", "netgo"}, "v7", "2026-01-02T03:04:05Z"
	})
	if out.Detail != "" {
		t.Fatalf("it is said to rule out a rebuild: %s", out.Detail)
	}
	tree, err := r.checkout(context.Background(), commit)
	if err != nil {
		t.Fatal(err)
	}
	l, svc, err := r.prepare(context.Background(), tree, told)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := r.checkout(context.Background(), commit); err != nil || again != tree {
		t.Errorf("the commit is checked out twice (%v)", err)
	}
	want := told.parameters
	want.Env = map[string]string{"A": "one"} // as temper.yaml of the commit has it
	if diff := cmp.Diff(want, l.parameters(svc)); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	if l.repo.Go != "1.26.8" || l.repo.GoFrom != "the provenance" || !l.created.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("Go %s as %s says, created %s", l.repo.Go, l.repo.GoFrom, l.created)
	}
	if rel, err := filepath.Rel(r.dir, l.cache); err != nil || !filepath.IsLocal(rel) || strings.HasPrefix(r.dir, ordinary) {
		t.Errorf("the cache is %s, and the rebuilder's folder %s", l.cache, r.dir)
	}
	r.close()
	if _, err := os.Stat(r.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is left behind (%v)", err)
	}
	if left, err := os.ReadDir(ordinary); err != nil || len(left) > 0 {
		t.Errorf("the ordinary cache holds %v (%v)", left, err)
	}
}

func TestRebuildOfWhatTheProvenanceRulesOut(t *testing.T) {
	dir, commit := committed(t, shop)
	r, err := newRebuilder(&person{out: &bytes.Buffer{}, err: &bytes.Buffer{}}, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	released, err := random.Image(16, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		change func(*evidence.Build, *parameters)
		want   string
	}{
		{"no commit", func(b *evidence.Build, _ *parameters) { b.Source = evidence.Source{} }, "names no commit"},
		{"changes", func(b *evidence.Build, _ *parameters) { b.Source.Dirty = true }, "changes that are in no commit"},
		{"no hash", func(b *evidence.Build, _ *parameters) { b.Source.Commit = "--help" }, "no full hash"},
		{"no service", func(_ *evidence.Build, p *parameters) { p.Service = "" }, "no service"},
		{"no platform", func(_ *evidence.Build, p *parameters) { p.Platforms = nil }, "no platform"},
		{"no such platform", func(_ *evidence.Build, p *parameters) { p.Platforms = []string{"plan9/amd64"} }, "--platform"},
		{"no release", func(b *evidence.Build, _ *parameters) { b.Go = "go1" }, "--go"},
		{"no build tag", func(_ *evidence.Build, p *parameters) { p.Tags = []string{"a b"} }, "--build-tag"},
		{"no time", func(_ *evidence.Build, p *parameters) { p.Created = "noon" }, `its time of creation is "noon"`},
		{"two bases", func(_ *evidence.Build, p *parameters) { p.Base = "example.com/base@" + sha("e").String() }, "it names the base example.com/base@"},
	} {
		told, out := proven(t, r, func(b *evidence.Build, p *parameters) {
			b.Source.Commit = commit
			test.change(b, p)
		})
		detail := out.Detail
		if detail == "" {
			err := r.again(context.Background(), told, out, released)
			var hopeless *unbuildableError
			if !errors.As(err, &hopeless) {
				t.Errorf("%s: error %v", test.name, err)
				continue
			}
			detail = err.Error()
		}
		if !strings.Contains(detail, test.want) {
			t.Errorf("%s: %q, want %q", test.name, detail, test.want)
		}
	}
	told, out := proven(t, r, func(b *evidence.Build, p *parameters) { b.Source.Commit, p.Service = commit, "web" })
	if err := r.again(context.Background(), told, out, released); err == nil || !strings.Contains(err.Error(), `no service is named "web"; there are: api`) {
		t.Errorf("a service that the commit does not have: %v", err)
	}
	r.offline = true
	told, out = proven(t, r, func(b *evidence.Build, p *parameters) {
		b.Source.Commit, p.Base = commit, "example.com/base@"+sha("b").String()
	})
	if err := r.again(context.Background(), told, out, released); err == nil || !strings.Contains(err.Error(), "it stands on example.com/base@"+sha("b").String()+", which a rebuild takes from its registry; with --offline nothing is") {
		t.Errorf("a base to be fetched, offline: %v", err)
	}
	without, err := r.rebuild(context.Background(), nil, released)
	if err != nil || without.Same || without.Detail != "it has no provenance to rebuild it from" {
		t.Errorf("a release without a provenance: %+v, %v", without, err)
	}
}

// A base is taken by the digest in the provenance, whatever temper.yaml of the
// commit says.
func TestRebase(t *testing.T) {
	reference, _, _ := strings.Cut(image.DistrolessReference, "@")
	for _, test := range []struct{ named, repo, want, fails string }{
		{service.BuiltinBase, service.DistrolessBase, service.BuiltinBase, ""},
		{service.DistrolessBase, service.BuiltinBase, reference + "@" + sha("b").String(), ""},
		{"example.com/base:v1@" + sha("b").String(), service.BuiltinBase, "example.com/base:v1@" + sha("b").String(), ""},
		{"example.com/base:v1@" + sha("c").String(), service.BuiltinBase, "", "as its digest"},
		{"debian:13", "/repo/layout", "/repo/layout", ""},
		{layoutName, "/repo/layout", "/repo/layout", ""},
		{"debian:13", service.BuiltinBase, "index.docker.io/library/debian:13@" + sha("b").String(), ""},
		{layoutName, service.BuiltinBase, "", "an OCI layout that is not in the repository"},
		{"", service.BuiltinBase, "", "an OCI layout that is not in the repository"},
	} {
		repo := &service.Repository{Base: test.repo, Signer: &service.Signer{Key: "base.pub"}}
		told := &telling{Origin: &evidence.Origin{Base: evidence.Base{Name: test.named, Digest: sha("b")}}, parameters: parameters{Base: test.named}}
		err := rebase(repo, told)
		switch {
		case test.fails != "":
			if err == nil || !strings.Contains(err.Error(), test.fails) {
				t.Errorf("%q: error %v, want %q", test.named, err, test.fails)
			}
		case err != nil || repo.Base != test.want || repo.Signer != nil:
			t.Errorf("%q: %s signed by %v (%v), want %s", test.named, repo.Base, repo.Signer, err, test.want)
		}
	}
}

// What a provenance tells and this build does not do comes first, with whose
// doing it is.
func TestToldDiffers(t *testing.T) {
	base, err := image.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	l := &line{repo: &service.Repository{Base: service.BuiltinBase, Platforms: []v1.Platform{{OS: "linux", Architecture: "amd64"}}}, base: &signedBase{Base: base}}
	svc := &service.Service{Name: "api", Root: "/r", Dir: "/r/api", Package: ".", Path: "/usr/local/bin/api", User: service.DefaultUser, Env: map[string]string{"A": "one"}}
	raw := `{"service": "api", "dir": ".", "package": ".", "path": "/usr/local/bin/api", "user": "65532:65532", "platforms": ["linux/amd64"],
		"env": {"A": "two", "B": "three"}, "base": "builtin", "imageFormat": 99, "new": true}`
	var p slsa.ProvenancePredicate
	if err := json.Unmarshal([]byte(`{"buildDefinition": {"externalParameters": `+raw+`}}`), &p); err != nil {
		t.Fatal(err)
	}
	told := func(digest v1.Hash) []string {
		t.Helper()
		list, err := told(&telling{
			Origin:     &evidence.Origin{Base: evidence.Base{Name: service.BuiltinBase, Digest: digest}, Version: "v9", Parameters: p.BuildDefinition.ExternalParameters},
			parameters: parameters{Base: service.BuiltinBase},
		}, l, &product{service: svc})
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, d := range list {
			if d.What == "base" {
				d.Released, d.Rebuilt = "", ""
			}
			all = append(all, strings.Join([]string{d.What, d.Released, d.Rebuilt, d.Cause}, "|"))
		}
		return all
	}
	want := []string{
		"parameter dir|.|api|--rebuild names another folder than the one that was built, or temper.yaml of the commit says otherwise: dir",
		"parameter env.A|two|one|temper.yaml of the commit says otherwise than the provenance: env.A",
		"parameter env.B|three||temper.yaml of the commit says otherwise than the provenance: env.B",
		"parameter imageFormat|99|2|this Temper writes images in format 2, and the Temper that built it (v9) in another: rebuild with that one",
		"parameter new|true||temper.yaml of the commit says otherwise than the provenance: new",
	}
	if diff := cmp.Diff(want, told(base.Digest)); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	other := told(sha("b"))
	if len(other) != len(want)+1 || other[0] != "base|||this Temper's built-in base (version 1) is another than that of the Temper that built it (v9): rebuild with that one" {
		t.Errorf("of another base: %q", other)
	}
}

// What a commit leaves to others is said where it is in the way.
func TestRebuildNamesWhatIsElsewhere(t *testing.T) {
	files := map[string]string{}
	for name, content := range shop {
		files[name] = content
	}
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		files["static/"+name] = "version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("0", 64) + "\nsize 1\n"
	}
	dir, commit := committed(t, files)
	r, err := newRebuilder(&person{out: &bytes.Buffer{}, err: &bytes.Buffer{}}, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	tree, err := r.checkout(context.Background(), commit)
	if err != nil {
		t.Fatal(err)
	}
	tree.Submodules = []string{"third/party"}
	list, err := absent(tree)
	if err != nil {
		t.Fatal(err)
	}
	want := []difference.Difference{
		{What: "submodules", Released: "third/party", Cause: "a rebuild does not fetch submodules, and these folders are empty"},
		{What: "files in Git LFS", Released: "static/a, static/b, static/c, static/d, static/e, and 2 more", Cause: "a rebuild does not fetch from Git LFS, and these files are pointers"},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("elsewhere (-want +got):\n%s", diff)
	}
	if err := r.explain(tree, errors.New("something")); err.Error() != "something; a rebuild does not fetch submodules, and these folders are empty: third/party" {
		t.Errorf("explained: %v", err)
	}
	compile := &binary.CompileError{Service: "api", Output: "no required module provides package"}
	if err := r.explain(tree, compile); !errors.Is(err, compile) || !strings.Contains(compile.Hint, "third/party") {
		t.Errorf("explained: %v, %s", err, compile.Hint)
	}
}

// People see the first differences, a cause once and the sections of a file in
// one line.
func TestTellDifferences(t *testing.T) {
	at := func(section, what, there, here, cause string) difference.Difference {
		return difference.Difference{Platform: "linux/amd64", Layer: 2, Path: "/app", Section: section, What: what, Released: there, Rebuilt: here, Cause: cause}
	}
	long := strings.Repeat("x", 100)
	r := &rebuilt{More: 3, Differences: []difference.Difference{
		{What: "parameter user", Released: "1:1", Rebuilt: "", Cause: "temper.yaml"},
		{What: "parameter args", Released: "-a\n  verified", Rebuilt: "-a", Cause: "temper.yaml"},
		at("", "content", long, "y", "code"),
		at(".text", "function main.main", "1 bytes", "2 bytes", ""),
		at(".text", "content", long, "y", ""), at(".rodata", "content", "a", "b", ""),
		at("", "mode", "0555", "0755", "another tool"), at("", "owner", "0:0", "1:1", "another tool"),
	}}
	var b strings.Builder
	tell(&b, r)
	want := `  differs     parameter user: 1:1 there, nothing here
              temper.yaml
  differs     parameter args: -a\n  verified there, -a here
  differs     linux/amd64: layer 2: /app: content
              code
  differs     linux/amd64: layer 2: /app: .text: function main.main: 1 bytes there, 2 bytes here
  differs     linux/amd64: layer 2: /app: sections .text, .rodata
  differs     linux/amd64: layer 2: /app: mode: 0555 there, 0755 here
              another tool
  differs     linux/amd64: layer 2: /app: owner: 0:0 there, 1:1 here
  and         3 more of the same kinds
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	b.Reset()
	for range 20 {
		r.Differences = append(r.Differences, at("", "mode", "1", "2", ""))
	}
	tell(&b, r)
	if got := b.String(); strings.Count(got, "differs") != 12 || !strings.Contains(got, "15 more, which --json lists") {
		t.Errorf("of many is told:\n%s", got)
	}
}
