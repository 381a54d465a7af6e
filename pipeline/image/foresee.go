package image

import (
	"crypto/sha256"
	"fmt"
	"os"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"temper/checks/memory"
	"temper/pipeline/store"
)

// whole are the blobs that [Foresee] has found whole, by their path, with the stamps that
// they had.
var whole sync.Map

// Foresee reads the layers of an image or an index that lie in the OCI layout in a folder,
// where [Write] or [Replace] is going to put it: they then need not read what nobody has
// touched meanwhile. A folder keeps for the next time what was found whole; nil for none.
// Nothing that goes wrong counts.
func Foresee(dir string, artifact mutate.Appendable, kept *memory.Folder) {
	for _, img := range imagesOf(artifact) {
		m, err := img.Manifest()
		if err != nil {
			continue
		}
		for _, desc := range m.Layers {
			blobs(dir).foresee(desc.Digest, desc.Size, kept)
		}
	}
}

func (b blobs) foresee(h v1.Hash, size int64, kept *memory.Folder) {
	name := b.name(h)
	info, err := os.Lstat(name)
	if err != nil {
		return
	}
	stamp := store.Rested(info)
	if stamp == "" {
		return
	}
	key := fmt.Sprintf("blob-%x", sha256.Sum256([]byte(name)))
	there := kept != nil && string(kept.Load(key)) == stamp
	if !there {
		if _, ok := b.intact(h, size); !ok {
			return
		}
		if kept != nil {
			kept.Save(key, []byte(stamp)) // else it is read the next time
		}
	}
	whole.Store(name, stamp)
}

// untouched tells of a blob of that size that it was found whole, and that nobody has touched
// it since.
func (b blobs) untouched(h v1.Hash, size int64) bool {
	known, ok := whole.Load(b.name(h))
	if !ok {
		return false
	}
	info, err := os.Lstat(b.name(h))
	return err == nil && info.Size() == size && store.Stamp(info) == known
}
