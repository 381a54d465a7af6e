package main

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"temper/checks"
	"temper/checks/executables"
	"temper/checks/images"
	"temper/checks/page"
	"temper/pipeline/binary"
	"temper/pipeline/evidence"
)

// writePage writes the page of --html. The reports go with the services, one by
// one.
func (f *reportFlags) writePage(services []page.Service, reports []*checks.Report) error {
	p := &page.Page{Version: version(), Strict: f.strict, Rules: rules()}
	for i, s := range services {
		s.Report = reports[i]
		p.Services = append(p.Services, s)
	}
	var out bytes.Buffer
	if err := page.Write(&out, p); err != nil {
		return err
	}
	return writeFile(f.html, out.Bytes())
}

// depict tells what the images hold. Measure says what the binary of one is made
// of.
func depict(list []*images.Image, measure func(*images.Image) (*executables.Sizes, error)) []page.Platform {
	var out []page.Platform
	for _, img := range list {
		config := img.Config.Config
		one := page.Platform{
			Name: img.Platform, Digest: img.Digest.String(),
			User: config.User, Workdir: config.WorkingDir, Command: img.Command(),
			Ports: slices.Sorted(maps.Keys(config.ExposedPorts)),
		}
		one.Layers = make([]page.Layer, len(img.Config.RootFS.DiffIDs))
		for i := range img.Entries {
			// What lies in an archive is in the archive's size.
			if e := &img.Entries[i]; e.Type == tar.TypeReg && e.Size > 0 && !e.Inside() {
				l := &one.Layers[e.Layer]
				l.Files = append(l.Files, page.File{Path: "/" + e.Path, Size: e.Size, Hidden: !img.Seen(e)})
			}
		}
		if e := img.Entrypoint; e != nil && e.Type == tar.TypeReg {
			one.Binary = &page.Binary{Path: "/" + e.Path, Size: e.Size}
			if e.Facts == nil {
				one.Binary.Unknown = "it is no ELF executable that could be read"
			} else if sizes, err := measure(img); err != nil {
				one.Binary.Unknown = err.Error()
			} else {
				madeOf(one.Binary, sizes, e.Facts.Go)
			}
		}
		out = append(out, one)
	}
	return out
}

// madeOf fills in what the bytes of a binary are.
func madeOf(b *page.Binary, sizes *executables.Sizes, info *debug.BuildInfo) {
	modules := make(map[string]*page.Module)
	var order []string
	add := func(m page.Module) {
		if m.Path != "" && modules[m.Path] == nil {
			modules[m.Path] = &m
			order = append(order, m.Path)
		}
	}
	if info != nil {
		b.Go = info.GoVersion
		add(page.Module{Kind: page.Own, Path: info.Main.Path, Version: info.Main.Version})
		for _, d := range info.Deps {
			m := page.Module{Path: d.Path, Version: d.Version}
			if r := d.Replace; r != nil {
				m.Replaced = strings.TrimSpace(r.Path + " " + r.Version)
			}
			add(m)
		}
	}
	for _, code := range sizes.Modules {
		key := code.Path
		switch key {
		case executables.Std:
			key = "standard library and runtime"
			add(page.Module{Kind: page.Library, Path: key, Version: b.Go})
		case "":
			key = "of no module"
			add(page.Module{Kind: page.Nameless, Path: key})
		}
		m := modules[key]
		m.Bytes = code.Bytes
		for _, p := range code.Packages {
			m.Packages = append(m.Packages, page.Part{Name: p.Path, Bytes: p.Bytes})
		}
	}
	for _, path := range order {
		b.Modules = append(b.Modules, *modules[path])
	}
	for _, p := range sizes.Parts {
		b.Parts = append(b.Parts, page.Part{Name: p.Name, Bytes: p.Bytes})
	}
}

// measureBuilt looks at the files that a build made.
func measureBuilt(bins []*binary.Binary) func(*images.Image) (*executables.Sizes, error) {
	return func(img *images.Image) (*executables.Sizes, error) {
		i := slices.IndexFunc(bins, func(b *binary.Binary) bool { return b.Platform.String() == img.Platform })
		if i < 0 {
			return nil, fmt.Errorf("nothing was built for %s", img.Platform)
		}
		f, err := os.Open(bins[i].Path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return executables.Measure(f, bins[i].Size, bins[i].Facts.Go)
	}
}

// measureWithin looks at what the layers hold.
func measureWithin(ctx context.Context) func(*images.Image) (*executables.Sizes, error) {
	return func(img *images.Image) (*executables.Sizes, error) {
		f, err := os.CreateTemp("", "temper-binary-*")
		if err != nil {
			return nil, err
		}
		defer os.Remove(f.Name())
		defer f.Close()
		if err := img.Copy(ctx, f, img.Entrypoint); err != nil {
			return nil, err
		}
		size, err := f.Seek(0, io.SeekEnd)
		if err != nil {
			return nil, err
		}
		return executables.Measure(f, size, img.Entrypoint.Facts.Go)
	}
}

// originOf is the provenance of what this command built.
func originOf(one *product) *page.Provenance {
	_, modules := evidence.Modules(nil, one.images...)
	return &page.Provenance{
		Source: one.source.URI, Commit: one.source.Commit, Dirty: one.source.Dirty,
		Go: one.toolchain.Version, Chosen: one.toolchain.Chosen,
		Base: baseName(one.base.Base), BaseDigest: one.base.Digest.String(),
		Builder: evidence.LocalBuilder, Modules: len(modules),
	}
}

// originClaimed is the provenance among the unsigned statements of a layout, nil
// where none is about the image, or where several differ.
func originClaimed(digest string, statements []*evidence.Statement) *page.Provenance {
	about, err := v1.NewHash(digest)
	if err != nil {
		return nil
	}
	var found *page.Provenance
	for _, s := range statements {
		if s.PredicateType != evidence.Provenance || !s.About(about) {
			continue
		}
		p, err := s.Provenance()
		if err != nil {
			return nil
		}
		one := &page.Provenance{
			Claimed: "On the word of a statement in the layout, which nobody has signed.",
			Builder: p.RunDetails.Builder.ID,
		}
		for _, d := range p.BuildDefinition.ResolvedDependencies {
			switch d.Name {
			case "source":
				one.Source, one.Commit = strings.TrimPrefix(d.URI, "git+"), d.Digest["gitCommit"]
				one.Dirty = d.Annotations["dirty"] == true
			case "base":
				one.Base = d.URI
				for algorithm, hex := range d.Digest {
					one.BaseDigest = max(one.BaseDigest, algorithm+":"+hex)
				}
			case "go":
				one.Go = "go" + strings.TrimPrefix(d.URI, "pkg:golang/toolchain@")
				one.Chosen, _ = d.Annotations["chosenBy"].(string)
			default:
				one.Modules++
			}
		}
		if found != nil && *found != *one {
			return &page.Provenance{Claimed: "The layout holds several statements of where it came from, and they differ."}
		}
		found = one
	}
	return found
}
