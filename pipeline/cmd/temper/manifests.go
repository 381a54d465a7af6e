package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"temper/checks"
	"temper/checks/sources"
	"temper/checks/workloads"
)

// standardInput is the argument that means it, and inputName what findings call
// the file.
const standardInput, inputName = "-", "stdin"

// maxManifests bounds what is read of one file. The largest that projects
// publish have a few megabytes.
const maxManifests = 64 << 20

// A manifestReader gathers the manifests that check was asked about, for they are
// looked at together.
type manifestReader struct {
	p   *person
	set workloads.Set
	// code judges the Go code of folders.
	code codeReader
	// wrong is what could not be looked at. All of it is told at once.
	wrong []error
	read  bool // of the standard input, once
	// root is the folder that findings call files from, empty for this one.
	root string
	// against are the images that the manifests are held against, and whole tells
	// that there are to be some: else each object is judged as it is read.
	against deployables
	whole   bool
	// size is how many bytes were read, and done ends what many of them began: to
	// collect garbage sooner.
	size int
	done func()
}

// manyManifests is how many bytes of them take longer to look at than collecting what
// is left of each does: a thousand in one file take 58 MB in place of 110.
const manyManifests = 1 << 20

// take reads an argument that means manifests, and tells whether it does. The
// reports are those about other sources that lie in a folder.
func (m *manifestReader) take(ctx context.Context, arg string) (taken bool, other []*checks.Report, err error) {
	if arg == standardInput {
		if m.read {
			return true, nil, usagef("%s is there twice", standardInput)
		}
		m.read = true
		return true, nil, m.stdin(ctx)
	}
	info, err := os.Stat(arg)
	switch {
	case err != nil:
		return false, nil, nil // a reference, or find tells
	case info.IsDir():
		if _, err := os.Stat(filepath.Join(arg, "oci-layout")); err == nil {
			return false, nil, nil
		}
		other, err := m.folder(ctx, arg)
		return true, other, err
	case info.Mode().IsRegular() && isManifestName(arg):
		return true, nil, m.file(ctx, arg)
	}
	return false, nil, nil
}

func isManifestName(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// called is what findings call a file.
func called(name string) string { return filepath.ToSlash(filepath.Clean(name)) }

func (m *manifestReader) stdin(ctx context.Context) error {
	n, err := m.add(ctx, inputName, m.p.in, 0)
	if err == nil && n == 0 && len(m.wrong) == 0 {
		return hintf("kustomize build DIR | temper check -", "there is no manifest on the standard input")
	}
	return err
}

func (m *manifestReader) file(ctx context.Context, name string) error {
	n, err := m.open(ctx, name)
	if err == nil && n == 0 && len(m.wrong) == 0 {
		return fmt.Errorf("%s holds no manifest: nothing in it has an apiVersion and a kind", name)
	}
	return err
}

func (m *manifestReader) open(ctx context.Context, name string) (int, error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	shown := name
	if m.root != "" {
		shown = relative(m.root, name)
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return m.add(ctx, called(shown), f, info.Size())
}

// add reads manifests, and returns how many objects they are. What is no YAML is
// told later, with what else cannot be looked at. The size is what is expected.
func (m *manifestReader) add(ctx context.Context, name string, r io.Reader, size int64) (int, error) {
	var all bytes.Buffer
	all.Grow(int(min(size, maxManifests)) + bytes.MinRead)
	if _, err := all.ReadFrom(io.LimitReader(r, maxManifests+1)); err != nil {
		return 0, fmt.Errorf("reading %s: %w", name, err)
	}
	data := all.Bytes()
	if len(data) > maxManifests {
		return 0, fmt.Errorf("reading %s: it has more than 64 MiB", name)
	}
	if m.size += len(data); m.size > manyManifests && m.done == nil {
		m.done = frugal()
	}
	var n int
	var err error
	if m.whole {
		n, err = m.set.Read(name, data)
	} else {
		n, err = m.set.Judge(ctx, name, data)
	}
	var syntax *workloads.SyntaxError
	if errors.As(err, &syntax) {
		if !bytes.Contains(data, []byte("apiVersion")) && name != inputName {
			return 0, nil // whatever it is, it is no manifest
		}
		if syntax.Template {
			err = &hintedError{err, "helm template CHART | temper check -"}
		}
		m.wrong = append(m.wrong, err)
		return 0, nil
	}
	return n, err
}

// folder reads the manifests below a folder, and judges the Go code in it.
func (m *manifestReader) folder(ctx context.Context, dir string) ([]*checks.Report, error) {
	before := len(m.set.Objects)
	found, err := m.below(ctx, dir)
	if err != nil {
		return nil, err
	}
	code, err := m.code.below(ctx, dir, workloads.CPULimit(m.set.Objects[before:]...))
	if err == nil && len(code) == 0 && !found {
		err = nothingIn(dir)
	}
	return code, err
}

// nothingIn is the error about a folder that holds nothing to judge.
func nothingIn(dir string) error {
	if sources, _ := filepath.Glob(filepath.Join(dir, "*.go")); len(sources) > 0 {
		return hintf("go mod init MODULE && go mod tidy", "%s holds Go files and no go.mod, so nobody knows what they import", dir)
	}
	return hintf("temper build -o LAYOUT, then temper check LAYOUT",
		"%s is a folder without oci-layout, without Go code and without manifests: there is nothing to check", dir)
}

// below reads the manifests below a folder, and tells whether there are any.
func (m *manifestReader) below(ctx context.Context, dir string) (bool, error) {
	found, before := 0, len(m.wrong)
	patches := make(map[string]string) // of kustomize, and the folder that they are for
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case d.IsDir():
			return m.enter(dir, name, patches)
		case !isManifestName(name) || isKustomization(d.Name()):
			return nil
		case d.Name() == "Chart.yaml": // it has an apiVersion, but that of Helm
			m.p.note("%s is of a Helm chart, and no manifest", called(name))
			return nil
		}
		if info, err := os.Stat(name); err != nil {
			return err
		} else if !info.Mode().IsRegular() {
			return nil
		}
		if of, ok := patches[filepath.Clean(name)]; ok {
			m.wrong = append(m.wrong, hintf(fmt.Sprintf("kustomize build %s | temper check -", of),
				"%s is a patch, and no manifest before kustomize applies it", called(name)))
			return nil
		}
		n, err := m.open(ctx, name)
		if n == 0 && err == nil {
			m.p.note("%s holds no manifest", called(name))
		}
		found += n
		return err
	})
	return found > 0 || len(m.wrong) > before, err
}

// enter decides about a folder before what is in it is looked at.
func (m *manifestReader) enter(root, dir string, patches map[string]string) error {
	base := filepath.Base(dir)
	if dir != root && (base == ".git" || base == "node_modules" || exists(dir, "oci-layout")) {
		return fs.SkipDir
	}
	// What Go's tests read, and what other modules bring along, nobody deploys.
	if (base == "testdata" || base == "vendor") && dir != root && (exists(root, "go.mod") || exists(root, "go.work")) {
		return fs.SkipDir
	}
	if parent := filepath.Dir(dir); base == "templates" && exists(parent, "Chart.yaml") {
		m.wrong = append(m.wrong, hintf(fmt.Sprintf("helm template %s | temper check -", called(parent)),
			"%s holds the templates of a Helm chart, and no manifests before they are filled in", called(dir)))
		return fs.SkipDir
	}
	for _, name := range kustomizations {
		if exists(dir, name) {
			return readPatches(dir, filepath.Join(dir, name), patches)
		}
	}
	return nil
}

// kustomizations are the names by which kustomize knows its file.
var kustomizations = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

func isKustomization(name string) bool { return slices.Contains(kustomizations, name) }

func exists(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

// readPatches adds the files that a kustomization applies as patches.
// https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/
func readPatches(dir, file string, patches map[string]string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	type patch struct {
		Path string `yaml:"path"`
	}
	var k struct {
		Patches   []patch  `yaml:"patches"`
		JSON      []patch  `yaml:"patchesJson6902"`
		Strategic []string `yaml:"patchesStrategicMerge"`
	}
	if err := yaml.Unmarshal(data, &k); err != nil {
		return fmt.Errorf("reading %s: %w", called(file), err)
	}
	for _, p := range slices.Concat(k.Patches, k.JSON) {
		k.Strategic = append(k.Strategic, p.Path)
	}
	for _, name := range k.Strategic {
		if name != "" && !strings.Contains(name, "\n") {
			patches[filepath.Join(dir, filepath.FromSlash(name))] = called(dir)
		}
	}
	return nil
}

// moduleReport judges a Go module by what its go.mod asks for, and by the limit that
// manifests set for the CPU. Of the modules that its code imports other rules tell.
func moduleReport(ctx context.Context, dir, limit string, imported []string) (*checks.Report, error) {
	path, err := filepath.Abs(filepath.Join(dir, "go.mod"))
	if err != nil {
		return nil, err
	}
	root := treeOf(filepath.Dir(path))
	if !exists(root, ".git") {
		root = ""
	}
	mod, err := sources.Open(path, root, called(filepath.Join(dir, "go.mod")), imported)
	if err != nil {
		return nil, err
	}
	mod.CPULimit = limit
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(raw)
	name := called(dir)
	if mod.Mod.Module != nil {
		name = mod.Mod.Module.Mod.Path
	}
	return checks.Run(ctx, checks.Subject{Name: name, Digest: "sha256:" + hex.EncodeToString(sum[:])}, "", mod, sources.Rules)
}

// reports runs the rules on all that was read, or tells all that could not be.
func (m *manifestReader) reports(ctx context.Context) ([]*checks.Report, error) {
	if len(m.wrong) > 0 {
		return nil, errors.Join(m.wrong...)
	}
	if m.done != nil {
		defer m.done()
	}
	defer func() { m.set = workloads.Set{} }() // what is said of them is all that is needed yet
	reports, err := m.set.Check(ctx)
	if err != nil || len(m.against) == 0 {
		return reports, err
	}
	more, err := m.set.CheckAgainst(ctx, m.against.find)
	if err != nil {
		return nil, err
	}
	for i := range reports {
		reports[i] = checks.Join(reports[i], more[i])
	}
	return reports, nil
}

// fromHere points at files by their paths from the folder with .git.
func fromHere() func(checks.Subject) checks.Origin {
	root := ""
	if here, err := os.Getwd(); err == nil {
		if tree := treeOf(here); tree != here {
			root = relative(tree, here)
		}
	}
	return func(checks.Subject) checks.Origin { return checks.Origin{Root: root} }
}
