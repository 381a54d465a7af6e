package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"temper/pipeline/checkout"
	"temper/pipeline/difference"
	"temper/pipeline/image"
	"temper/pipeline/service"
)

// rebase makes the repository stand on the base that a provenance names, by its
// digest. Nobody is asked who signed it: that decides no byte.
func rebase(repo *service.Repository, t *telling) error {
	repo.Signer = nil
	digest := t.Origin.Base.Digest.String()
	switch named := t.parameters.Base; {
	case named == service.BuiltinBase:
		repo.Base = service.BuiltinBase
	case named == service.DistrolessBase: // of whatever digest it was then
		repository, _, _ := strings.Cut(image.DistrolessReference, "@")
		repo.Base = repository + "@" + digest
	case strings.Contains(named, "@"):
		ref, err := name.NewDigest(named)
		if err != nil || ref.DigestStr() != digest {
			return &unbuildableError{fmt.Errorf("it names the base %s, and %s as its digest", named, digest)}
		}
		repo.Base = named
	case filepath.IsAbs(repo.Base): // a layout in the repository
	default:
		ref, err := name.NewTag(named)
		if named == layoutName || err != nil {
			return fmt.Errorf("it stands on an OCI layout that is not in the repository, %s, of which the provenance tells no place", digest)
		}
		repo.Base = ref.Name() + "@" + digest
	}
	return nil
}

// told compares what a provenance tells of the build with what was done, as far
// as it decides bytes.
func told(t *telling, l *line, one *product) ([]difference.Difference, error) {
	list := []difference.Difference{}
	if was, is := t.Origin.Base.Digest, l.base.Digest; was != is {
		d := difference.Difference{What: "base", Released: t.Origin.Base.Name + "@" + was.String(), Rebuilt: baseName(l.base.Base) + "@" + is.String()}
		d.Cause = "the base in the repository is another than the one that it was built on"
		if l.repo.Base == service.BuiltinBase {
			d.Cause = fmt.Sprintf("this Temper's built-in base (version %d) is another than that of the Temper that built it (%s): rebuild with that one", image.BuiltinVersion, t.Version)
		}
		list = append(list, d)
	}
	now := l.parameters(one.service)
	now.Base = t.parameters.Base // compared above, by its digest
	raw, err := json.Marshal(now)
	if err != nil {
		return nil, err
	}
	var here any
	if err := json.Unmarshal(raw, &here); err != nil {
		return nil, err
	}
	for _, c := range difference.Changes(t.Origin.Parameters, here) {
		d := difference.Difference{What: "parameter " + c.Name, Released: c.Old, Rebuilt: c.New}
		d.Cause = fmt.Sprintf("temper.yaml of the commit says otherwise than the provenance: %s", c.Name)
		switch c.Name {
		case "dir", "package":
			d.Cause = "--rebuild names another folder than the one that was built, or temper.yaml of the commit says otherwise: " + c.Name
		case "imageFormat":
			d.Cause = fmt.Sprintf("this Temper writes images in format %d, and the Temper that built it (%s) in another: rebuild with that one", image.Format, t.Version)
		}
		list = append(list, d)
	}
	return list, nil
}

// toolsOf tells whose programs made the two, where they are not the same.
// Releases of Go and Temper make the same bytes on every machine, so this comes
// last.
func toolsOf(t *telling, one *product) ([]difference.Difference, error) {
	var list []difference.Difference
	sum, err := one.toolchain.Sum()
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a distribution that keeps them elsewhere
		return nil, err
	}
	if here := "dirHash:" + sum; err == nil && t.Toolchain != "" && t.Toolchain != here {
		list = append(list, difference.Difference{What: "toolchain", Released: t.Toolchain, Rebuilt: here,
			Cause: "another build of " + t.Go + ", or that for another machine"})
	}
	if t.Version != version() {
		list = append(list, difference.Difference{What: "temper", Released: t.Version, Rebuilt: version()})
	}
	return list, nil
}

// absent lists what the commit leaves to others, and a rebuild does not fetch.
func absent(tree *checkout.Tree) ([]difference.Difference, error) {
	var list []difference.Difference
	add := func(what, cause string, paths []string) {
		const enough = 5
		if n := len(paths); n > enough {
			paths = append(paths[:enough:enough], fmt.Sprintf("and %d more", n-enough))
		}
		if len(paths) > 0 {
			list = append(list, difference.Difference{What: what, Released: strings.Join(paths, ", "), Cause: cause})
		}
	}
	add("submodules", "a rebuild does not fetch submodules, and these folders are empty", tree.Submodules)
	files, err := tree.Elsewhere()
	if err != nil {
		return nil, err
	}
	add("files in Git LFS", "a rebuild does not fetch from Git LFS, and these files are pointers", files)
	return list, nil
}

// likely is the cause that explains the most: the first that is known.
func likely(list []difference.Difference) string {
	for _, d := range list {
		if d.Cause != "" {
			return d.Cause
		}
	}
	return ""
}
