package service

import (
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// platforms are the ones that both Go and the OCI image specification know,
// less those that nobody has asked for.
var platforms = []v1.Platform{
	{OS: "linux", Architecture: "amd64"},
	{OS: "linux", Architecture: "arm64"},
	{OS: "linux", Architecture: "arm", Variant: "v7"},
	{OS: "linux", Architecture: "386"},
	{OS: "linux", Architecture: "ppc64le"},
	{OS: "linux", Architecture: "s390x"},
	{OS: "linux", Architecture: "riscv64"},
}

// defaultPlatforms are the same on every host, so that the digest is.
func defaultPlatforms() []v1.Platform {
	return []v1.Platform{platforms[0], platforms[1]}
}

// ParsePlatform takes the name of a platform that Temper makes images for, such
// as "linux/arm64".
func ParsePlatform(text string) (v1.Platform, error) {
	var names []string
	for _, p := range platforms {
		if p.String() == text {
			return p, nil
		}
		names = append(names, p.String())
	}
	system, arch, _ := strings.Cut(strings.ToLower(text), "/")
	near := "linux/" + arch
	switch {
	case slices.Contains(names, near) && system != "linux":
		return v1.Platform{}, fmt.Errorf("platform %q: Temper makes Linux images; write %s", text, near)
	case slices.Contains(names, near):
		return v1.Platform{}, fmt.Errorf("platform %q is not known; write %s", text, near)
	}
	return v1.Platform{}, fmt.Errorf("platform %q is not known; write one of %s", text, strings.Join(names, ", "))
}
