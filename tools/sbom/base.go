package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// makeBase returns an image of one layer with the files.
func makeBase(files map[string]string) (v1.Image, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	made := make(map[string]bool)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		for i := range path { // syft finds nothing in folders that are not entries
			if dir := path[:i+1]; path[i] == '/' && !made[dir] {
				made[dir] = true
				if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755}); err != nil {
					return nil, err
				}
			}
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: path, Mode: 0o644, Size: int64(len(files[path]))}); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(w, files[path]); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil })
	if err != nil {
		return nil, err
	}
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers"}})
	if err != nil {
		return nil, err
	}
	return mutate.AppendLayers(img, layer)
}

// writeBase puts it into an OCI layout.
func writeBase(dir string, files map[string]string) error {
	img, err := makeBase(files)
	if err != nil {
		return err
	}
	out, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	return out.AppendImage(img)
}

// pushBase puts it where ko can pull it.
func pushBase(ref string, files map[string]string) error {
	img, err := makeBase(files)
	if err != nil {
		return err
	}
	tag, err := name.NewTag(ref)
	if err != nil {
		return err
	}
	return remote.Write(tag, img)
}

// fromLayout returns what the SBOM says that temper build has left in a layout:
// the SPDX statement among its blobs.
func fromLayout(dir string) (*said, error) {
	blobs, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*"))
	if err != nil {
		return nil, err
	}
	for _, blob := range blobs {
		raw, err := os.ReadFile(blob)
		if err != nil {
			return nil, err
		}
		var s struct {
			PredicateType string          `json:"predicateType"`
			Predicate     json.RawMessage `json:"predicate"`
		}
		if !strings.HasPrefix(string(raw[:min(1, len(raw))]), "{") || json.Unmarshal(raw, &s) != nil || s.PredicateType != "https://spdx.dev/Document" {
			continue
		}
		return parse(s.Predicate)
	}
	return nil, fmt.Errorf("%s holds no SPDX statement", dir)
}
