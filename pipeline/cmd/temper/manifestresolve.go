package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"temper/pipeline/manifest"
	"temper/pipeline/release"
)

// resolve prints manifests with the digests of images that verify.
func resolve(ctx context.Context, p *person, f manifestFlags, files []string) error {
	if len(files) == 0 {
		return usagef("no manifest to resolve").hint("kubectl kustomize DIR | temper manifest --resolve %s --key cosign.pub -", f.resolve)
	}
	if err := f.check(files, f.policy); err != nil {
		return err
	}
	where := whereabouts{insecure: f.insecure, offline: f.offline}
	defer where.done()
	r := resolver{person: p, flags: &f, where: &where, digests: make(map[string]string)}
	var err error
	if r.ours, err = r.chooser(f.resolve); err != nil {
		return err
	}
	var all []*manifest.Manifests
	for _, file := range files {
		m, err := readManifests(p, file)
		if err != nil {
			return err
		}
		all = append(all, m)
	}
	out, err := r.run(ctx, all)
	if err != nil {
		return err
	}
	_, err = p.out.Write(out)
	return err
}

// readManifests reads a file, or the standard input.
func readManifests(p *person, file string) (*manifest.Manifests, error) {
	if file == "-" {
		data, err := io.ReadAll(p.in)
		if err != nil {
			return nil, fmt.Errorf("reading the standard input: %w", err)
		}
		return manifest.Read("standard input", data)
	}
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return nil, usagef("%s is a folder", file).hint("kubectl kustomize %s | temper manifest --resolve ... -", file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return manifest.Read(file, data)
}

// A resolver knows which images are ours, and asks for each of them once.
type resolver struct {
	*person
	flags *manifestFlags
	where *whereabouts
	// ours returns what to verify for an image, nil if it is of others.
	ours func(text string) (*wanted, error)
	// digests are those that verified, by what was asked for.
	digests map[string]string
}

// wanted is an image to verify, and what a manifest then calls it but for the
// digest.
type wanted struct {
	asked
	called string
}

// chooser tells the images of a layout or a repository from others.
func (r *resolver) chooser(from string) (func(string) (*wanted, error), error) {
	if _, _, ok := stored(from); ok {
		if r.flags.tag != "" {
			return nil, usagef("--tag is for a repository, and %s is a layout, which holds each image once", from)
		}
		return r.ofLayout(from)
	}
	repo, err := name.NewRepository(from)
	if err != nil {
		return nil, usagef("--resolve %s is neither a layout nor a repository: %v", from, err).hint("write it without a tag, such as ghcr.io/acme/shop")
	}
	if r.flags.tag != "" {
		if _, err := name.NewTag(from + ":" + r.flags.tag); err != nil {
			return nil, usagef("--tag %s: %v", r.flags.tag, err)
		}
	}
	return func(text string) (*wanted, error) { return r.ofRepository(repo, from, text) }, nil
}

// ofLayout knows an image by the last part of its name.
func (r *resolver) ofLayout(from string) (func(string) (*wanted, error), error) {
	all, err := r.where.find([]string{from})
	if err != nil {
		return nil, err
	}
	named := make(map[string]asked)
	for _, a := range all {
		if one, ok := a.ref.(release.Stored); ok && one.Called != "" {
			named[one.Called] = a
		}
	}
	if len(named) == 0 {
		return nil, fmt.Errorf("%s holds no image that has a name", from)
	}
	return func(text string) (*wanted, error) {
		ref, err := name.ParseReference(text)
		if err != nil {
			return nil, nil
		}
		path := ref.Context().RepositoryStr()
		a, ok := named[path[strings.LastIndex(path, "/")+1:]]
		if !ok {
			return nil, nil
		}
		bare, _, _ := strings.Cut(text, "@")
		return &wanted{a, bare}, nil
	}, nil
}

// ofRepository knows an image by where it is.
func (r *resolver) ofRepository(repo name.Repository, from, text string) (*wanted, error) {
	ref, err := name.ParseReference(text)
	if err != nil {
		if text == from || strings.HasPrefix(text, from+"/") || strings.HasPrefix(text, from+":") {
			return nil, fmt.Errorf("%q is no reference: %w", text, err)
		}
		return nil, nil
	}
	if at := ref.Context().Name(); at != repo.Name() && !strings.HasPrefix(at, repo.Name()+"/") {
		return nil, nil
	}
	called, digest, _ := strings.Cut(text, "@")
	path, tag := called, ""
	if colon := strings.LastIndex(called, ":"); colon > strings.LastIndex(called, "/") {
		path, tag = called[:colon], called[colon+1:]
	}
	switch {
	case r.flags.tag != "":
		called = path + ":" + r.flags.tag
	case tag == "" && digest != "":
		called = path
		list, err := r.where.find([]string{path + "@" + digest})
		if err != nil {
			return nil, err
		}
		return &wanted{list[0], called}, nil
	}
	list, err := r.where.find([]string{called})
	if err != nil {
		return nil, err
	}
	return &wanted{list[0], called}, nil
}

// run returns the manifests one after another. All that is not right with their
// images is told at once.
func (r *resolver) run(ctx context.Context, all []*manifest.Manifests) ([]byte, error) {
	texts := make([]map[*manifest.Image]string, len(all))
	no := &noError{}
	var unseen []error
	by := func(text, at string) (*wanted, error) {
		w, err := r.ours(text)
		if err != nil {
			err = fmt.Errorf("%s: %w", at, err)
		}
		return w, err
	}
	policy, err := r.flags.wanted(ctx)
	if err != nil {
		return nil, err
	}
	found := false
	for i, m := range all {
		texts[i] = make(map[*manifest.Image]string)
		for _, img := range m.Images {
			at := fmt.Sprintf("%s:%d:%d", m.File, img.Line, img.Column)
			w, err := by(img.Text, at)
			if err != nil {
				return nil, err
			}
			if w == nil {
				r.foreign(at, img.Text)
				continue
			}
			found = true
			digest, ok := r.digests[w.text]
			if !ok {
				facts, err := r.flags.look(ctx, r.person, w.ref, policy, w.opts)
				var refusal *release.Refusal
				switch {
				case errors.As(err, &refusal):
					no.reasons = append(no.reasons, fmt.Sprintf("%s: %v", at, refusal))
					if refusal.Reason == release.Unsigned && w.layout != "" {
						no.next = w.unsigned()
					}
				case err != nil && ctx.Err() != nil:
					return nil, err
				case err != nil:
					unseen = append(unseen, fmt.Errorf("%s: %w", at, err))
				default:
					digest = facts.Digest[strings.Index(facts.Digest, "@"):]
					r.resolved(w.text, digest[1:], facts)
				}
				r.digests[w.text] = digest
			}
			texts[i][img] = w.called + digest
		}
		r.elsewhere(m)
	}
	switch {
	case len(no.reasons) > 0:
		for _, err := range unseen {
			r.fail(err)
		}
		return nil, no
	case len(unseen) > 0:
		return nil, errors.Join(unseen...)
	case !found:
		return nil, hintf("--resolve takes what comes before the name of the service, such as ghcr.io/acme/shop for ghcr.io/acme/shop/orders", "no container's image is of %s", r.flags.resolve)
	}
	var out []byte
	for i, m := range all {
		data, err := m.With(texts[i])
		if err != nil {
			return nil, err
		}
		out = manifest.Append(out, data)
	}
	return out, nil
}

// elsewhere warns of what names the repository where no container does.
func (r *resolver) elsewhere(m *manifest.Manifests) {
	if _, _, layout := stored(r.flags.resolve); layout {
		return
	}
	for _, other := range m.Other {
		if strings.Contains(other.Text, r.flags.resolve+"/") || strings.HasPrefix(other.Text, r.flags.resolve+":") || other.Text == r.flags.resolve {
			text, _, _ := strings.Cut(other.Text, "\n")
			r.aside(fmt.Sprintf("%s:%d:%d", m.File, other.Line, other.Column), text)
		}
	}
}
