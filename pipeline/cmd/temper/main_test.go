package main

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/rogpeppe/go-internal/testscript"

	"temper/checks"
	"temper/checks/images"
	"temper/pipeline/evidence"
	"temper/pipeline/image"
	"temper/pipeline/release"
	"temper/pipeline/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Enter()
	testscript.Main(m, map[string]func(){"unplugged": unplug, "temper": func() {
		if host := os.Getenv("GCR"); host != "" {
			remote.DefaultTransport = standIn(host)
		}
		if dir := os.Getenv("REBUILD_FOLDER"); dir != "" {
			rebuildFolder = keptFolder(dir)
		}
		main()
	}})
}

// A standIn answers for gcr.io, so that stories can be told of distroless.
type standIn string

func (host standIn) RoundTrip(r *http.Request) (*http.Response, error) {
	asked := r
	if r.URL.Host == "gcr.io" {
		r = r.Clone(r.Context())
		r.URL.Scheme, r.URL.Host, r.Host = "http", string(host), ""
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		answer.Request = asked // by which it is known that nobody spoke plain HTTP
	}
	return answer, err
}

// keptFolder is one for rebuilds that keeps its cache from one to the next: the
// commits are gone each time.
func keptFolder(dir string) func() (string, func(), error) {
	return func() (string, func(), error) {
		return dir, func() {
			left, err := os.ReadDir(dir)
			if err != nil {
				panic(err)
			}
			for _, one := range left {
				if one.Name() != "cache" {
					os.RemoveAll(filepath.Join(dir, one.Name()))
				}
			}
		}, os.MkdirAll(dir, 0o700)
	}
}

// Every story has a registry of its own at $REGISTRY. What Go has downloaded and compiled is
// shared; the caches of builds are shared as well, below $TEMPER_CACHE, where
// each story's folder makes them its own.
func TestStories(t *testing.T) {
	cache := t.TempDir()
	shared := []string{"TEMPER_CACHE=" + cache}
	for _, key := range []string{"GOMODCACHE", "GOCACHE", "GOPROXY", "GOSUMDB", "GOROOT"} {
		out, err := exec.Command("go", "env", key).Output()
		if err != nil {
			t.Fatalf("go env %s: %v", key, err)
		}
		if key == "GOROOT" {
			shared = append(shared, "PATH="+filepath.Join(strings.TrimSpace(string(out)), "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
			continue
		}
		shared = append(shared, key+"="+strings.TrimSpace(string(out)))
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: false,
		UpdateScripts:       os.Getenv("UPDATE") != "",
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "sandbox":
				return sandbox.Able() == nil || userNamespaces(), nil
			case "engines":
				return enginesBuilt(), nil
			case "kms":
				return servicesKnown, nil
			case "unpluggable":
				return unpluggable(), nil
			}
			return false, fmt.Errorf("there is no condition %q", cond)
		},
		Setup: func(e *testscript.Env) error {
			server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
			e.Defer(server.Close)
			for _, v := range shared {
				key, value, _ := strings.Cut(v, "=")
				if key == "PATH" {
					value = e.Getenv("PATH") + string(os.PathListSeparator) + value
				}
				e.Setenv(key, value)
			}
			e.Setenv("REGISTRY", strings.TrimPrefix(server.URL, "http://"))
			e.Setenv("COSIGN_PASSWORD", "a password")
			e.Setenv("PLATFORM", "linux/"+runtime.GOARCH)
			e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "copy": copyImage, "tags": tags, "repositories": repositories, "digest": digest, "alter": alter, "lie": lie, "vouch": vouch,
			"sboms": sboms, "attested": attested, "agrees": agrees,
			"base": pushBase, "sigstore": newSigstore, "sign": signImage, "save": saveImage, "expand": expand,
			"serve": serveSigstore, "token": newToken, "ci": actAsCI, "answers": answerInstead, "asked": askedServices, "configure": signingConfig,
			"offline": offline, "stayed": stayed, "stripped": stripped, "admits": admits, "valid": valid, "outlive": outlive, "killed": killed, "vault": openVault, "vaulted": askedVault, "provenance": reprove, "commit": headCommit, "mentions": mentions, "spoil": spoil, "rest": rest, "forge": forge,
		},
	})
}

// exits N COMMAND ARG...: the command ends with that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG]...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("it ended with exit code %d, want %d", got, want)
	}
}

// copy FROM TO: puts an image under another reference, as anybody can who may
// write to the registry.
func copyImage(ts *testscript.TestScript, _ bool, args []string) {
	from, err := name.ParseReference(args[0])
	ts.Check(err)
	to, err := name.ParseReference(args[1])
	ts.Check(err)
	desc, err := remote.Get(from)
	ts.Check(err)
	if desc.MediaType.IsIndex() {
		index, err := desc.ImageIndex()
		ts.Check(err)
		ts.Check(remote.WriteIndex(to, index))
		return
	}
	img, err := desc.Image()
	ts.Check(err)
	ts.Check(remote.Write(to, img))
}

// tags REPOSITORY [TAG]...: the repository has these tags and no other that a
// person would use.
func tags(ts *testscript.TestScript, _ bool, args []string) {
	repo, err := name.NewRepository(args[0])
	ts.Check(err)
	list, err := remote.List(repo)
	ts.Check(err)
	list = slices.DeleteFunc(list, func(t string) bool { return strings.HasPrefix(t, "sha256-") })
	slices.Sort(list)
	if !slices.Equal(list, args[1:]) {
		ts.Fatalf("%s has the tags %q, want %q", args[0], list, args[1:])
	}
}

// repositories [NAME]...: the registry holds these and nothing else.
func repositories(ts *testscript.TestScript, _ bool, args []string) {
	reg, err := name.NewRegistry(ts.Getenv("REGISTRY"))
	ts.Check(err)
	list, err := remote.Catalog(context.Background(), reg)
	ts.Check(err)
	slices.Sort(list)
	if !slices.Equal(list, args) {
		ts.Fatalf("the registry holds %q, want %q", list, args)
	}
}

// digest VARIABLE LAYOUT NAME: sets the variable to the digest of an entry.
func digest(ts *testscript.TestScript, _ bool, args []string) {
	index, err := layout.ImageIndexFromPath(ts.MkAbs(args[1]))
	ts.Check(err)
	m, err := index.IndexManifest()
	ts.Check(err)
	for _, d := range m.Manifests {
		if d.Annotations["org.opencontainers.image.ref.name"] == args[2] {
			ts.Setenv(args[0], d.Digest.String())
			return
		}
	}
	ts.Fatalf("%s holds no %s", args[1], args[2])
}

// expand FROM TO: copies a file with its variables replaced.
func expand(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(os.Expand(ts.ReadFile(args[0]), ts.Getenv)), 0o644))
}

// alter LAYOUT DIGEST: changes a byte of a blob; that of the largest by the name
// "largest".
func alter(ts *testscript.TestScript, _ bool, args []string) {
	path := filepath.Join(ts.MkAbs(args[0]), "blobs", strings.Replace(args[1], ":", "/", 1))
	if args[1] == "largest" {
		path = largest(ts, filepath.Join(ts.MkAbs(args[0]), "blobs", "sha256"))
	}
	raw, err := os.ReadFile(path)
	ts.Check(err)
	raw[len(raw)/2] ^= 1
	ts.Check(os.Chmod(path, 0o644))
	ts.Check(os.WriteFile(path, raw, 0o644))
	fmt.Fprintln(ts.Stdout(), path)
}

func largest(ts *testscript.TestScript, dir string) string {
	files, err := os.ReadDir(dir)
	ts.Check(err)
	var name string
	var size int64 = -1
	for _, f := range files {
		info, err := f.Info()
		ts.Check(err)
		if info.Size() > size {
			name, size = f.Name(), info.Size()
		}
	}
	return filepath.Join(dir, name)
}

// lie LAYOUT [TYPE]: the SBOMs in the layout name no module any more, or those
// of one predicate type.
func lie(ts *testscript.TestScript, _ bool, args []string) {
	predicateType := evidence.SPDX
	if len(args) > 1 {
		predicateType = args[1]
	}
	entries, err := image.Read(ts.MkAbs(args[0]))
	ts.Check(err)
	for _, e := range entries {
		for i, s := range e.Statements {
			if s.PredicateType == predicateType {
				e.Statements[i], err = evidence.State(predicateType, map[string]any{"spdxVersion": "SPDX-2.3"}, "")
				ts.Check(err)
				e.Statements[i].Subject = s.Subject
			}
		}
	}
	ts.Check(image.Write(ts.MkAbs(args[0]), entries...))
}

// commit VARIABLE DIR: sets the variable to the commit that is checked out.
func headCommit(ts *testscript.TestScript, _ bool, args []string) {
	out, err := exec.Command("git", "-C", ts.MkAbs(args[1]), "rev-parse", "HEAD").Output()
	ts.Check(err)
	ts.Setenv(args[0], strings.TrimSpace(string(out)))
}

// provenance LAYOUT RE NEW: the provenances in the layout say NEW where the
// expression matched.
func reprove(ts *testscript.TestScript, _ bool, args []string) {
	entries, err := image.Read(ts.MkAbs(args[0]))
	ts.Check(err)
	old, err := regexp.Compile(args[1])
	ts.Check(err)
	changed := 0
	for _, e := range entries {
		for i, s := range e.Statements {
			if s.PredicateType != evidence.Provenance {
				continue
			}
			text := old.ReplaceAllLiteralString(string(s.Predicate), args[2])
			if text != string(s.Predicate) {
				changed++
			}
			e.Statements[i] = &evidence.Statement{Type: s.Type, Subject: s.Subject, PredicateType: s.PredicateType, Predicate: json.RawMessage(text)}
		}
	}
	if changed == 0 {
		ts.Fatalf("no provenance says %q", args[1])
	}
	ts.Check(image.Write(ts.MkAbs(args[0]), entries...))
}

// vouch KEY LAYOUT REPOSITORY TAG: releases what is in the layout as a signer does
// who signs whatever lies there, with a report that finds nothing.
func vouch(ts *testscript.TestScript, _ bool, args []string) { vouchFor(ts, args) }

// vouchFor is vouch with a report that finds something.
func vouchFor(ts *testscript.TestScript, args []string, findings ...checks.Finding) {
	entries, err := image.Read(ts.MkAbs(args[1]))
	ts.Check(err)
	signer, err := release.LoadSigner(context.Background(), ts.MkAbs(args[0]), func() ([]byte, error) { return []byte(ts.Getenv("COSIGN_PASSWORD")), nil })
	ts.Check(err)
	for _, e := range entries {
		digest, err := e.Artifact.Digest()
		ts.Check(err)
		report := &checks.Report{Subject: checks.Subject{Name: e.Name, Digest: digest.String()}, Rules: []string{"shell"}, Findings: findings}
		statements, err := restate(e.Statements, report)
		ts.Check(err)
		repo, err := name.NewRepository(args[2] + "/" + e.Name)
		ts.Check(err)
		_, err = release.Publish(context.Background(), repo, report, e.Artifact, statements, signer, args[3:], release.Options{})
		ts.Check(err)
	}
}

// sboms LAYOUT NAME: prints the predicate type of each SBOM of an entry, and the
// licences of the modules in it.
func sboms(ts *testscript.TestScript, _ bool, args []string) {
	entries, err := image.Read(ts.MkAbs(args[0]))
	ts.Check(err)
	for _, e := range entries {
		for _, s := range e.Statements {
			if e.Name != args[1] || s.PredicateType != evidence.SPDX && s.PredicateType != evidence.CycloneDX {
				continue
			}
			var doc struct {
				Packages []struct {
					Name            string `json:"name"`
					VersionInfo     string `json:"versionInfo"`
					LicenseDeclared string `json:"licenseDeclared"`
				} `json:"packages"`
				Components []struct {
					Name     string                        `json:"name"`
					Version  string                        `json:"version"`
					Licenses []struct{ Expression string } `json:"licenses"`
				} `json:"components"`
			}
			ts.Check(json.Unmarshal(s.Predicate, &doc))
			var list []string
			for _, p := range doc.Packages {
				if own(p.Name) {
					list = append(list, p.Name+" "+p.VersionInfo+": "+p.LicenseDeclared)
				}
			}
			for _, c := range doc.Components {
				if own(c.Name) && len(c.Licenses) == 1 {
					list = append(list, c.Name+" "+c.Version+": "+c.Licenses[0].Expression)
				}
			}
			fmt.Fprintln(ts.Stdout(), s.PredicateType, strings.Join(list, ", "))
		}
	}
}

// attested REF KEY: prints how many verified statements of each predicate type
// the image and its platforms have.
func attested(ts *testscript.TestScript, _ bool, args []string) {
	ref, err := name.ParseReference(args[0])
	ts.Check(err)
	verifier, err := release.LoadVerifier(context.Background(), ts.MkAbs(args[1]))
	ts.Check(err)
	r, err := release.Open(context.Background(), ref, verifier, release.Policy{}, release.Options{})
	ts.Check(err)
	count := make(map[string]int)
	for _, s := range r.Statements {
		count[s.PredicateType]++
	}
	for _, platform := range r.Platforms {
		for _, s := range platform.Statements {
			count[s.PredicateType]++
		}
	}
	for _, predicateType := range slices.Sorted(maps.Keys(count)) {
		fmt.Fprintf(ts.Stdout(), "%s: %d\n", predicateType, count[predicateType])
	}
}

// own tells the modules of a story from those of the base.
func own(name string) bool {
	return strings.HasPrefix(name, "example.com/") || name == "golang.org/x/mod"
}

// agrees LAYOUT NAME [FILE]: what "go version -m" says of the binaries in an
// image is what its SBOMs say, those in the layout or the SPDX document in the
// file: main module, modules with their versions and sums, and the Go release.
func agrees(ts *testscript.TestScript, _ bool, args []string) {
	entries, err := image.Read(ts.MkAbs(args[0]))
	ts.Check(err)
	for _, e := range entries {
		if e.Name != args[1] {
			continue
		}
		want := goVersion(ts, e)
		var documents []json.RawMessage
		for _, s := range e.Statements {
			if s.PredicateType == evidence.SPDX {
				documents = append(documents, s.Predicate)
			}
		}
		if len(args) > 2 {
			documents = []json.RawMessage{[]byte(ts.ReadFile(args[2]))}
		}
		for _, raw := range documents {
			var doc struct {
				Packages []struct{ SPDXID, Name, VersionInfo, SourceInfo string }
			}
			ts.Check(json.Unmarshal(raw, &doc))
			var got []string
			for _, p := range doc.Packages {
				switch kind, _, _ := strings.Cut(strings.TrimPrefix(p.SPDXID, "SPDXRef-"), "-"); kind {
				case "main", "go":
					sum := strings.TrimPrefix(p.SourceInfo, "go.sum ")
					got = append(got, strings.Join(strings.Fields(p.Name+" "+p.VersionInfo+" "+sum), " "))
				case "std":
					got = append(got, "go"+p.VersionInfo)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				ts.Fatalf("modules (-go version +SBOM):\n%s", diff)
			}
		}
		if len(documents) == 0 {
			ts.Fatalf("there is no SBOM")
		}
		return
	}
	ts.Fatalf("there is no %s", args[1])
}

// goVersion is what Go says of the binaries of all images of an entry, a line
// for each module, sorted, each once.
func goVersion(ts *testscript.TestScript, e image.Entry) []string {
	all, err := images.Startable(e.Name, e.Artifact)
	ts.Check(err)
	var lines []string
	for _, img := range all {
		config, err := img.ConfigFile()
		ts.Check(err)
		flat := tar.NewReader(mutate.Extract(img))
		for {
			h, err := flat.Next()
			ts.Check(err)
			if "/"+h.Name == config.Config.Entrypoint[0] {
				break
			}
		}
		file := filepath.Join(ts.Getenv("WORK"), "extracted")
		raw, err := io.ReadAll(flat)
		ts.Check(err)
		ts.Check(os.WriteFile(file, raw, 0o755))
		out, err := exec.Command("go", "version", "-m", file).Output()
		ts.Check(err)
		for line := range strings.Lines(string(out)) {
			f := strings.Fields(line)
			if len(f) < 2 {
				continue
			}
			switch f[0] {
			case file + ":":
				lines = append(lines, f[1])
			case "mod", "dep":
				lines = append(lines, strings.Join(f[1:], " "))
			case "=>":
				last := strings.Fields(lines[len(lines)-1])
				lines[len(lines)-1] = last[0] + " replaced by " + f[1]
			}
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}
