package image

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// ErrNoTag says that a base names no tag that could be followed.
var ErrNoTag = errors.New("it names no tag to follow")

// Newest asks the registry what a tag of a base's repository names now, and
// returns NAME:TAG@DIGEST. The base is a reference by digest; an empty tag is
// the one that it has.
func Newest(ctx context.Context, base, tag string, opts ...remote.Option) (string, error) {
	before, _, pinned := strings.Cut(base, "@")
	if !pinned {
		return "", fmt.Errorf("base %s is no image by digest", base)
	}
	repository := before
	if last := strings.LastIndexByte(before, ':'); last > strings.LastIndexByte(before, '/') {
		repository = before[:last]
		if tag == "" {
			tag = before[last+1:]
		}
	}
	if tag == "" {
		return "", fmt.Errorf("base %s: %w", base, ErrNoTag)
	}
	ref, err := name.NewTag(repository + ":" + tag)
	if err != nil {
		return "", fmt.Errorf("base %s: %w", base, err)
	}
	desc, err := remote.Get(ref, append([]remote.Option{remote.WithContext(ctx)}, opts...)...)
	if err != nil {
		return "", fmt.Errorf("asking what %s:%s names: %w", repository, tag, err)
	}
	return repository + ":" + tag + "@" + desc.Digest.String(), nil
}
