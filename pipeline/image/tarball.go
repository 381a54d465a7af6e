package image

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// manifestFile and its content are what docker calls an image archive.
// https://github.com/moby/docker-image-spec/blob/v1.3.1/v1.2.md#combined-image-json--filesystem-changeset-format
const manifestFile = "manifest.json"

type archived struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// WriteTarball writes the images into one archive that `docker load` and
// `podman load` take, each tagged NAME:latest. The archive holds images only,
// no statements, and each is of one platform: an index of several is an error.
//
// Like the archives of `docker save` it is an OCI layout as well, so that an
// engine that keeps manifests keeps the digest.
func WriteTarball(file string, entries ...Entry) error {
	if err := named(entries); err != nil {
		return err
	}
	t := &tarball{seen: make(digests), index: v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}}
	for _, e := range entries {
		if err := t.add(e); err != nil {
			return fmt.Errorf("writing %s: %s: %w", file, e.Name, err)
		}
	}
	root, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	defer root.Close()
	temp, err := writeTemp(root, func(f *os.File) error { return t.write(f) })
	if err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	if err := root.Rename(temp, filepath.Base(file)); err != nil {
		return errors.Join(err, root.Remove(temp))
	}
	return nil
}

// A tarball is an archive to be.
type tarball struct {
	files []tarred
	seen  digests
	list  []archived
	index v1.IndexManifest
}

type tarred struct {
	name string
	size int64
	open func() (io.ReadCloser, error)
}

// add collects the blobs of an entry.
func (t *tarball) add(e Entry) error {
	img, err := single(e)
	if err != nil {
		return err
	}
	tag, err := name.NewTag(e.Name + ":latest")
	if err != nil {
		return err
	}
	m, err := img.Manifest()
	if err != nil {
		return err
	}
	mediaType, err := img.MediaType()
	if err != nil {
		return err
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return err
	}
	raw, err := img.RawManifest()
	if err != nil {
		return err
	}
	digest, err := img.Digest()
	if err != nil {
		return err
	}
	t.blob(digest, int64(len(raw)), content(raw))
	t.blob(m.Config.Digest, m.Config.Size, content(config))
	item := archived{Config: blobName(m.Config.Digest), RepoTags: []string{e.Name + ":latest"}}
	for _, desc := range m.Layers {
		layer, err := img.LayerByDigest(desc.Digest)
		if err != nil {
			return err
		}
		t.blob(desc.Digest, desc.Size, layer.Compressed)
		item.Layers = append(item.Layers, blobName(desc.Digest))
	}
	t.list = append(t.list, item)
	t.index.Manifests = append(t.index.Manifests, v1.Descriptor{
		MediaType: mediaType, Size: int64(len(raw)), Digest: digest,
		Annotations: map[string]string{
			refName:                    "latest",
			"io.containerd.image.name": "docker.io/" + tag.RepositoryStr() + ":latest",
		},
	})
	return nil
}

// single returns the only image of an entry.
func single(e Entry) (v1.Image, error) {
	switch a := e.Artifact.(type) {
	case v1.Image:
		return a, nil
	case v1.ImageIndex:
		m, err := a.IndexManifest()
		if err != nil {
			return nil, err
		}
		if len(m.Manifests) == 1 && m.Manifests[0].MediaType.IsImage() {
			return a.Image(m.Manifests[0].Digest)
		}
		return nil, fmt.Errorf("a tarball holds one platform and the image has %d; choose one with --platform", len(m.Manifests))
	}
	return nil, fmt.Errorf("%T is no image", e.Artifact)
}

func (t *tarball) blob(h v1.Hash, size int64, open func() (io.ReadCloser, error)) {
	if !t.seen[h] {
		t.seen[h] = true
		t.files = append(t.files, tarred{blobName(h), size, func() (io.ReadCloser, error) {
			r, err := open()
			if err != nil {
				return nil, err
			}
			return verify(r, h, size, "blob "+h.String())
		}})
	}
}

// write writes the archive: the same bytes for the same images.
func (t *tarball) write(w io.Writer) error {
	list, err := json.Marshal(t.list)
	if err != nil {
		return err
	}
	index, err := json.Marshal(t.index)
	if err != nil {
		return err
	}
	files := append(t.files,
		tarred{indexFile, int64(len(index)), content(index)},
		tarred{manifestFile, int64(len(list)), content(list)},
		tarred{markFile, int64(len(mark)), content([]byte(mark))})
	tw := tar.NewWriter(w)
	// A folder that is not in the archive is made for root by some readers, which
	// nobody else may do.
	for _, dir := range []string{"/blobs", "/blobs/sha256"} {
		if err := writeEntry(tw, entry{path: dir, kind: tar.TypeDir, mode: 0o755}, nil); err != nil {
			return err
		}
	}
	for _, f := range files {
		e := entry{path: "/" + f.name, kind: tar.TypeReg, mode: 0o644, size: f.size, open: f.open, from: f.name}
		if err := writeEntry(tw, e, nil); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return tw.Close()
}
