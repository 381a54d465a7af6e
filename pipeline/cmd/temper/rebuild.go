package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"temper/pipeline/binary"
	"temper/pipeline/checkout"
	"temper/pipeline/difference"
	"temper/pipeline/evidence"
	"temper/pipeline/policy"
	"temper/pipeline/release"
	"temper/pipeline/service"
)

// unreproducible is the reason for a no where what was released does not come of
// what its provenance names.
const unreproducible release.Reason = "unreproducible"

// A rebuilder builds again what releases say that they were built from. Nil, it
// rebuilds nothing.
type rebuilder struct {
	*person
	// source is a folder of the repository at hand.
	source string
	// dir holds the commits and a cache of the rebuilder's own: what an ordinary
	// build has left must not answer for this one.
	dir  string
	gone func()
	// offline keeps it to what is at hand.
	offline bool
	// trees are the commits that are there, by hash.
	trees map[string]*checkout.Tree
}

// rebuildFolder makes the folder of a rebuilder, and returns what removes it. A
// test has another, for a cold cache costs it half a minute.
var rebuildFolder = func() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", "temper-rebuild-*")
	return dir, func() { os.RemoveAll(dir) }, err
}

func newRebuilder(p *person, source string) (*rebuilder, error) {
	if source == "" {
		return nil, nil
	}
	dir, remove, err := rebuildFolder()
	if err != nil {
		return nil, err
	}
	// Go, and what finds the services, know the folder by its real name.
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	return &rebuilder{person: p, source: source, dir: dir, gone: remove, trees: make(map[string]*checkout.Tree)}, nil
}

// keepOffline has Go make do with the modules and releases that are at hand, for
// the rest of the run. What is private goes around GOPROXY, and is held back too.
func keepOffline() error {
	for name, value := range map[string]string{"GOPROXY": "off", "GONOPROXY": "none", "GOVCS": "*:off"} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (r *rebuilder) close() {
	if r != nil {
		r.gone()
	}
}

// A rebuilt is what came of it, as JSON too.
type rebuilt struct {
	// Commit and Go are those of the provenance: the full hash, and the release
	// such as "go1.26.8". They are empty where it names none.
	Commit string `json:"commit"`
	Go     string `json:"go"`
	// Digest is that of what was rebuilt, empty where the provenance does not
	// allow for it.
	Digest string `json:"digest"`
	// Same tells that it is the digest that was released.
	Same bool `json:"same"`
	// Detail says what is wrong, empty where nothing is.
	Detail string `json:"detail,omitempty"`
	// Differences are what is not the same, the most likely cause first. With the
	// same digest they are of what the provenance tells, and of no byte.
	Differences []difference.Difference `json:"differences"`
	// More is how many were left out.
	More int `json:"more,omitempty"`
}

// again is what came of a rebuild, nil where there was none.
func (f *releaseFacts) again() *rebuilt {
	if f == nil {
		return nil
	}
	return f.rebuilt
}

// hold rebuilds a release that has verified, and notes in the facts what came of
// it. The error is a refusal if it is not what was released.
func (r *rebuilder) hold(ctx context.Context, facts *releaseFacts, opened *policy.Opened, released mutate.Appendable, every bool) error {
	if r == nil {
		return nil
	}
	told := []*evidence.Statement{}
	for _, s := range append([]*evidence.Statement{opened.Provenance}, opened.Statements...) {
		// What the policy has not taken says nothing that it asks for.
		if s != nil && s.PredicateType == evidence.Provenance && !slices.Contains(told, s) && (every || s == opened.Provenance) {
			told = append(told, s)
		}
	}
	var err error
	if facts.rebuilt, err = r.rebuild(ctx, told, released); err != nil {
		return err
	}
	if !facts.rebuilt.Same {
		r.differs(facts, facts.rebuilt)
		return release.Refuse(unreproducible, facts.Ref, facts.rebuilt.Detail)
	}
	return nil
}

// rebuild builds what was released again, and compares. Several provenances are
// of builds that made the same: one that can be repeated is enough.
//
// What a provenance itself rules out is a no; an error is for what this machine
// or the repository at hand does not have.
func (r *rebuilder) rebuild(ctx context.Context, provenances []*evidence.Statement, released mutate.Appendable) (*rebuilt, error) {
	var differs, unfit *rebuilt
	var missing error
	for _, s := range provenances {
		told, out, err := r.read(s)
		if err != nil {
			return nil, err
		}
		if out.Detail != "" {
			unfit = cmp.Or(unfit, out)
			continue
		}
		err = r.again(ctx, told, out, released)
		var hopeless *unbuildableError
		switch {
		case errors.As(err, &hopeless):
			out.say("its provenance tells nothing to rebuild it from: %v", hopeless)
			unfit = cmp.Or(unfit, out)
		case errors.Is(err, checkout.ErrNoCommit):
			missing = hintf("git -C "+r.source+" fetch origin "+out.Commit, "%w", err)
		case err != nil:
			return nil, err
		case out.Same:
			return out, nil
		default:
			differs = cmp.Or(differs, out)
		}
	}
	switch {
	case differs != nil:
		return differs, nil
	case missing != nil:
		return nil, missing
	case unfit != nil:
		return unfit, nil
	}
	return &rebuilt{Detail: "it has no provenance to rebuild it from", Differences: []difference.Difference{}}, nil
}

// say notes what is wrong, in one line: others have a say in it.
func (r *rebuilt) say(format string, args ...any) {
	r.Detail = printable(oneLine.Replace(fmt.Sprintf(format, args...)))
}

// A telling is what a provenance says of how to build again. Its parameters are
// those that this Temper knows; the origin's have all.
type telling struct {
	*evidence.Origin
	parameters
}

// An unbuildableError says what in a provenance rules out that anybody builds it
// again.
type unbuildableError struct{ error }

// read reads a provenance. What rules out a rebuild is the detail of the answer.
func (r *rebuilder) read(s *evidence.Statement) (*telling, *rebuilt, error) {
	out := &rebuilt{Differences: []difference.Difference{}}
	from, err := s.Origin()
	if err != nil {
		return nil, nil, err
	}
	t := &telling{Origin: from}
	out.Commit, out.Go = from.Source.Commit, from.Go
	raw, err := json.Marshal(from.Parameters)
	if err != nil {
		return nil, nil, err
	}
	amiss := from.Repeatable()
	if amiss == nil {
		amiss = json.Unmarshal(raw, &t.parameters)
	}
	if amiss == nil && (t.parameters.Service == "" || len(t.Platforms) == 0) {
		amiss = errors.New("it names no service or no platform")
	}
	if amiss != nil {
		out.say("its provenance tells nothing to rebuild it from: %v", amiss)
	}
	return t, out, nil
}

// again builds what a provenance tells of, and notes in the answer how it
// compares with the digest.
func (r *rebuilder) again(ctx context.Context, t *telling, out *rebuilt, released mutate.Appendable) error {
	digest, err := released.Digest()
	if err != nil {
		return err
	}
	tree, err := r.checkout(ctx, t.Source.Commit)
	if err != nil {
		return err
	}
	l, svc, err := r.prepare(ctx, tree, t)
	if err != nil {
		return err
	}
	one, bins, err := l.compile(ctx, svc)
	if err == nil {
		err = l.assemble(ctx, one, bins)
		letGo(bins)
	}
	if err != nil {
		return r.explain(tree, fmt.Errorf("rebuilding %s from commit %s: %w", svc.Name, t.Source.Commit, err))
	}
	if err := binary.VerifySources(one.toolchain, bins...); err != nil {
		return err
	}
	if one.source.Dirty { // and the provenance says that it was not
		out.say("its provenance says that all of it is in commit %s, and that compiles code from outside of the repository", out.Commit)
		return nil
	}
	out.Digest, out.Same = one.digest.String(), one.digest == digest
	if out.Differences, err = told(t, l, one); err != nil {
		return err
	}
	if out.Same {
		// What else it tells may be in another Temper's words; this is a fact.
		if out.Same = t.Origin.Base.Digest == l.base.Digest; !out.Same {
			out.say("its provenance says that it stands on %s, and it stands on %s", t.Origin.Base.Digest, l.base.Digest)
		}
		return nil
	}
	elsewhere, err := absent(tree)
	if err != nil {
		return err
	}
	out.Differences = append(out.Differences, elsewhere...)
	list, left, err := difference.Between(ctx, released, one.artifact, r.dir)
	if err != nil {
		return fmt.Errorf("comparing what was released with what was rebuilt: %w", err)
	}
	out.Differences, out.More = append(out.Differences, list...), left
	tools, err := toolsOf(t, one)
	if err != nil {
		return err
	}
	out.Differences = append(out.Differences, tools...)
	cause := likely(out.Differences)
	if cause != "" {
		cause = "; likely cause: " + cause
	}
	out.say("commit %s with %s makes %s%s", out.Commit, out.Go, out.Digest, cause)
	return nil
}

// checkout puts a commit into a folder, once.
func (r *rebuilder) checkout(ctx context.Context, commit string) (*checkout.Tree, error) {
	if tree := r.trees[commit]; tree != nil {
		return tree, nil
	}
	tree, err := checkout.Commit(ctx, r.source, commit, filepath.Join(r.dir, strconv.Itoa(len(r.trees)+1)))
	if err == nil {
		r.trees[commit] = tree
	}
	return tree, err
}

// prepare returns the line that makes the service as the provenance tells, with
// the command line's part of it in the place of a command line.
func (r *rebuilder) prepare(ctx context.Context, tree *checkout.Tree, t *telling) (*line, *service.Service, error) {
	repo, err := service.Load(ctx, tree.Dir)
	if err != nil {
		return nil, nil, r.explain(tree, fmt.Errorf("looking for services in commit %s: %w", t.Source.Commit, err))
	}
	svc, err := repo.Named(t.parameters.Service)
	if err != nil {
		return nil, nil, hintf("--rebuild FOLDER, for the folder in which it was built", "commit %s: %w", t.Source.Commit, err)
	}
	over := service.Override{Platforms: t.Platforms, Go: strings.TrimPrefix(t.Go, "go"), BuildTags: t.Tags}
	if err := repo.Override(over); err != nil {
		return nil, nil, &unbuildableError{err}
	}
	repo.GoFrom = "the provenance"
	if err := rebase(repo, t); err != nil {
		return nil, nil, err
	}
	if r.offline && repo.Base != service.BuiltinBase && !filepath.IsAbs(repo.Base) {
		return nil, nil, fmt.Errorf("it stands on %s, which a rebuild takes from its registry; with --offline nothing is", repo.Base)
	}
	l := &line{person: r.person, repo: repo, tag: t.Tag, started: time.Now(), source: t.Source, cache: filepath.Join(r.dir, "cache")}
	if t.Created != "" {
		if l.created, err = time.Parse(time.RFC3339, t.Created); err != nil {
			return nil, nil, &unbuildableError{fmt.Errorf("its time of creation is %q", t.Created)}
		}
	}
	return l, svc, l.open(ctx)
}

// explain adds to why something could not be built what is missing in the tree.
func (r *rebuilder) explain(tree *checkout.Tree, err error) error {
	list, lerr := absent(tree)
	if lerr != nil || len(list) == 0 {
		return err
	}
	why := list[0].Cause + ": " + list[0].Released
	var compile *binary.CompileError
	if errors.As(err, &compile) {
		if compile.Hint == "" {
			compile.Hint = why
		}
		return err
	}
	return fmt.Errorf("%w; %s", err, why)
}

const rebuildHelp = `
With --rebuild it then builds the service again, from the commit and with the Go
release, the platforms and the base that the provenance names, and exits 3 if that
makes another digest (unreproducible): it says which platform, layer, file and section
differ, and the likely cause. SRC is a folder of a git repository that has the commit,
the one in which temper build was run. Its working tree is left alone, no hook and no
filter of it runs, and uncommitted changes do not count. What ordinary builds have
cached does not either: the rebuild compiles into a cache of its own, the standard
library as well, which takes a minute and is removed afterwards. The module cache is
shared, and what go.sum says of a module is checked once more.

A provenance that rules out a rebuild is a no as well: one that names no commit, or
changes that are in none. What this machine lacks is an error (exit 1): a commit that
SRC does not have, a Go release or a base that cannot be fetched.`
