package main

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"temper/pipeline/image"
	"temper/pipeline/release"
)

// An asked is an image that is asked about, and where to look for it.
type asked struct {
	// text is what stands for it on the command line, or would.
	text string
	ref  name.Reference
	opts release.Options
	// layout is what its layout is called, empty if it is in a registry.
	layout string
}

// shown is the digest as it can be asked for again.
func (a asked) shown(digest string) string {
	if a.layout == "" {
		return digest
	}
	return a.layout + digest[strings.Index(digest, "@"):]
}

// unsigned is what to type next where an image in a layout is not signed: it was
// built and not released yet, or it was copied without what belongs to it.
func (a asked) unsigned() string {
	return "sign and publish it: temper release --key cosign.key " + a.layout + " REPOSITORY; if it is released, copy it with its signatures: temper export --signed REF DIR"
}

// whereabouts find what is asked about, and hold it open.
type whereabouts struct {
	insecure []string
	// offline keeps to the registries that are named.
	offline bool
	close   []func()
}

func (w *whereabouts) done() {
	for _, c := range w.close {
		c()
	}
}

// find returns the images that the arguments mean: a reference is one, and a
// layout all that are in it.
func (w *whereabouts) find(args []string) ([]asked, error) {
	var all []asked
	var login credentials
	for _, arg := range args {
		if file, want, ok := stored(arg); ok {
			some, err := w.open(file, want)
			if err != nil {
				return nil, err
			}
			all = append(all, some...)
			continue
		}
		ref, err := release.Parse(arg)
		if err != nil {
			return nil, usagef("%q is no reference: %v", arg, err)
		}
		all = append(all, asked{text: arg, ref: ref})
		login.registries = append(login.registries, ref.Context().RegistryStr())
	}
	for i := range all {
		if all[i].opts.Layout != nil {
			continue
		}
		all[i].opts = release.Options{Insecure: w.insecure, Keychain: login, Session: new(release.Session)}
		if w.offline {
			all[i].opts.Transport = release.Confined(login.registries...)
		}
	}
	return all, nil
}

// stored tells whether an argument means a layout or a tarball, and which image
// in it: LAYOUT, LAYOUT#NAME or LAYOUT@DIGEST.
func stored(arg string) (file, want string, ok bool) {
	if _, err := os.Stat(arg); err == nil {
		return arg, "", true
	}
	for _, sign := range []string{"#", "@"} {
		if file, want, ok = strings.Cut(arg, sign); ok {
			_, err := os.Stat(file)
			return file, want, err == nil || looksLikePath(file)
		}
	}
	return arg, "", looksLikePath(arg)
}

// open opens a layout. A tarball is unpacked first.
func (w *whereabouts) open(file, want string) ([]asked, error) {
	dir := file
	switch info, err := os.Stat(file); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, hintf("temper verify REGISTRY/REPOSITORY:TAG, or a folder that is there", "there is no %s", file)
	case err != nil:
		return nil, err
	case !info.IsDir():
		if dir, err = w.unpack(file); err != nil {
			return nil, err
		}
	}
	l, err := release.OpenLayout(dir, file)
	if err != nil {
		return nil, err
	}
	w.close = append(w.close, func() { l.Close() })
	var images []release.Stored
	if want == "" {
		if images, err = l.Images(); err == nil && len(images) == 0 {
			err = hintf("temper build", "%s holds no image", file)
		}
	} else {
		var one release.Stored
		one, err = l.Image(want)
		images = []release.Stored{one}
	}
	if err != nil {
		return nil, err
	}
	var all []asked
	for _, one := range images {
		all = append(all, asked{text: one.String(), ref: one, opts: release.Options{Layout: l}, layout: file})
	}
	return all, nil
}

func (w *whereabouts) unpack(file string) (string, error) {
	if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
		return "", usagef("%s is neither a layout nor a tarball of one", file)
	}
	dir, err := os.MkdirTemp("", "temper-verify-*")
	if err != nil {
		return "", err
	}
	w.close = append(w.close, func() { os.RemoveAll(dir) })
	err = image.Unpack(file, dir)
	if errors.Is(err, image.ErrNoLayout) {
		return "", hintf("temper export --signed REF DIR", "%s carries no signatures: %w", file, err)
	}
	return dir, err
}
