package images

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Seen tells whether the container sees the entry: no layer above it deletes or
// replaces it.
func (img *Image) Seen(e *Entry) bool {
	at := e.Path
	if moved, ok := img.tree.moved[e]; ok {
		at = moved
	}
	return img.tree.at(at) == e
}

// Inside tells whether the entry lies in an archive that a layer holds.
func (e *Entry) Inside() bool { return e.inside }

// Copy writes the content of a file of [Image.Entries], which is read from its
// layer once more. The layer must still have the digest that the configuration
// gives.
func (img *Image) Copy(ctx context.Context, w io.Writer, e *Entry) error {
	layers, err := img.from.Layers()
	if err != nil {
		return fmt.Errorf("reading layers: %w", err)
	}
	if e.inside || e.Type != tar.TypeReg || e.Layer >= len(layers) {
		return fmt.Errorf("%s is no file of a layer", e.Place())
	}
	// A layer may give one path twice, and then it is the one that was asked for.
	nth := 0
	for i := range img.Entries {
		if other := &img.Entries[i]; other == e {
			break
		} else if other.Layer == e.Layer && other.Path == e.Path && other.Type == tar.TypeReg && !other.inside {
			nth++
		}
	}
	raw, err := layers[e.Layer].Uncompressed()
	if err != nil {
		return fmt.Errorf("reading layer %d: %w", e.Layer, err)
	}
	defer raw.Close()
	in := &counted{r: raw, ctx: ctx, sum: sha256.New()}
	if err := extract(in, w, e.Path, nth); err != nil {
		return fmt.Errorf("reading %s: %w", e.Place(), err)
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return fmt.Errorf("reading layer %d: %w", e.Layer, err)
	}
	if want, got := img.Config.RootFS.DiffIDs[e.Layer], hex.EncodeToString(in.sum.Sum(nil)); want.Algorithm != "sha256" || want.Hex != got {
		return fmt.Errorf("reading layer %d: its content has digest sha256:%s, the config says %s", e.Layer, got, want)
	}
	return nil
}

// extract writes the nth regular file of a path, from 0 on.
func extract(in *counted, w io.Writer, name string, nth int) error {
	for tr := tar.NewReader(in); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return errors.New("the layer does not hold it any more")
		}
		if err != nil {
			return err
		}
		regular := h.Typeflag == tar.TypeReg || h.Typeflag == tar.TypeCont || h.Typeflag == tar.TypeGNUSparse
		if !regular || path.Clean(strings.TrimLeft(h.Name, "/")) != name {
			continue
		}
		if nth > 0 {
			nth--
			continue
		}
		_, err = io.Copy(w, layerFile{tr, &reading{ctx: in.ctx, in: in}})
		return err
	}
}
