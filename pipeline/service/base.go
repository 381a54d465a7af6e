package service

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"temper/checks/pattern"
)

const bases = "builtin, distroless, a reference by digest, or the folder of an OCI layout inside the repository"

var digested = pattern.New(`^.+@sha256:[0-9a-f]{64}$`)

// ParseBase takes "builtin", "distroless", a reference with a digest, or the
// path of an OCI layout, relative to root and inside it. It returns text
// itself, or the layout's absolute path. A tag without a digest is an error,
// for a tag may name another image tomorrow.
func ParseBase(root, text string) (string, error) {
	switch {
	case text == BuiltinBase, text == DistrolessBase:
		return text, nil
	case strings.Contains(text, "@"):
		if _, err := name.NewDigest(text); err != nil || !digested().MatchString(text) {
			return "", fmt.Errorf("base %q is not a reference by digest; write NAME@sha256: and 64 digits of lower-case hex", text)
		}
		return text, nil
	}
	if text == "" || relative(text) != nil {
		return "", fmt.Errorf("base %q is none of %s", text, bases)
	}
	layout, err := insideFolder(root, root, text)
	if err == nil {
		if !isFile(filepath.Join(layout, "oci-layout")) {
			return "", fmt.Errorf("base %q is a folder without an oci-layout file, so no OCI layout", text)
		}
		return layout, nil
	}
	if _, missing := os.Lstat(filepath.Join(root, filepath.FromSlash(text))); missing == nil || text[0] == '.' {
		return "", fmt.Errorf("base: %w", err)
	}
	if _, malformed := name.ParseReference(text); malformed == nil {
		return "", fmt.Errorf("base %q is no folder here, and as a reference it has no digest, so it may change; "+
			"write %s@sha256:..., as crane digest %s prints it", text, text, text)
	}
	return "", fmt.Errorf("base %q is none of %s", text, bases)
}
