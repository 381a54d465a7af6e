package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"temper/pipeline/image"
	"temper/pipeline/release"
)

// exportSigned copies an image and all that belongs to it into a layout, where
// it replaces the image of its name and stands beside those of others.
func exportSigned(ctx context.Context, p *person, insecure []string, arg, to string) error {
	dir, called, _ := strings.Cut(to, "#")
	if info, err := os.Stat(dir); err == nil && !info.IsDir() || strings.HasSuffix(dir, ".tar") {
		return usagef("%s is no folder, and --signed writes one", dir).hint("temper export --signed %s %s", arg, strings.TrimSuffix(dir, ".tar"))
	}
	where := whereabouts{insecure: insecure}
	defer where.done()
	all, err := where.find([]string{arg})
	if err != nil {
		return err
	}
	if len(all) != 1 {
		return usagef("%s holds %d images", arg, len(all)).hint("temper export --signed %s %s", all[0].text, to)
	}
	c, err := release.Collect(ctx, all[0].ref, all[0].opts)
	if err != nil {
		return refused(err)
	}
	if called == "" {
		called = nameOf(all[0])
	}
	entries := []image.Entry{{Name: called, Artifact: c.Artifact, Referrers: c.Referrers}}
	for _, tag := range c.Tags() {
		entries = append(entries, image.Entry{Name: tag, Artifact: c.Legacy[tag]})
	}
	if err := image.Write(dir, entries...); err != nil {
		return err
	}
	p.left(c.Left)
	if c.Claims == 0 {
		p.bare(all[0].text)
	}
	fmt.Fprintf(p.out, "%s %s\n", called, c.Digest)
	return nil
}

// nameOf is what an image is called in a layout: its name in another, or the
// last element of its repository, as a build calls it.
func nameOf(a asked) string {
	stored, ok := a.ref.(release.Stored)
	switch {
	case !ok:
		return documentName(a.text)
	case stored.Called != "":
		return stored.Called
	}
	return documentName(a.layout)
}
