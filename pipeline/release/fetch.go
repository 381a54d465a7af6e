package release

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Fetch returns the image or the index that a registry holds under a digest, for
// those who look into a release. What is read of it is held against its digest.
func Fetch(ctx context.Context, digest name.Digest, opts Options) (mutate.Appendable, error) {
	repo, err := opts.named(digest.Context())
	if err != nil {
		return nil, err
	}
	digest = repo.Digest(digest.DigestStr())
	pulling, err := opts.pulling(ctx, repo)
	if err != nil {
		return nil, err
	}
	desc, err := remote.Get(digest, pulling...)
	if err != nil {
		return nil, fmt.Errorf("fetching %s: %w", digest, plain(err))
	}
	if desc.MediaType.IsIndex() {
		return desc.ImageIndex()
	}
	return desc.Image()
}
