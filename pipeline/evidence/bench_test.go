package evidence

import (
	"fmt"
	"runtime/debug"
	"strings"
	"testing"
)

// large are the images of a service with five hundred modules, for two
// platforms, on a base with as many files as the built-in one has.
func large() (Known, []Image) {
	info := &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Path: "example.com/shop", Version: "(devel)"}}
	known := Known{Licenses: make(map[string]string)}
	for i := range 500 {
		m := &debug.Module{Path: fmt.Sprintf("example.com/group%d/module%d", i%20, i), Version: fmt.Sprintf("v1.%d.0", i), Sum: "h1:" + strings.Repeat("x", 43) + "="}
		info.Deps = append(info.Deps, m)
		known.Licenses[m.Path+" "+m.Version] = "Apache-2.0"
	}
	var images []Image
	for i, platform := range []string{"linux/amd64", "linux/arm64"} {
		digit := fmt.Sprint(i + 1)
		img := Image{Platform: platform, Digest: hash(digit), Executables: []Executable{{File{"/usr/local/bin/shop", hash(digit), strings.Repeat(digit, 40)}, info}}}
		for i := range 600 {
			img.BaseFiles = append(img.BaseFiles, File{fmt.Sprintf("/usr/share/zoneinfo/Area%d/Zone%d", i%10, i), hash("a"), strings.Repeat("a", 40)})
		}
		images = append(images, img)
	}
	return known, images
}

// The statement about an index, from what was found to the bytes that are
// signed.
func BenchmarkSBOM500(b *testing.B) {
	known, images := large()
	base := Base{Name: "builtin", Digest: hash("b")}
	for format, describe := range map[string]func() (any, error){
		SPDX:      func() (any, error) { return SBOM("shop", hash("0"), base, known, images...) },
		CycloneDX: func() (any, error) { return CycloneDXBOM("shop", hash("0"), base, known, images...) },
	} {
		b.Run(format[strings.LastIndex(format, "/")+1:], func(b *testing.B) {
			for b.Loop() {
				doc, err := describe()
				if err != nil {
					b.Fatal(err)
				}
				s, err := State(format, doc, "shop", hash("0"))
				if err != nil {
					b.Fatal(err)
				}
				raw, err := s.Bytes()
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(raw)))
			}
		})
	}
}

// What release asks of each SBOM.
func BenchmarkDescribes500(b *testing.B) {
	known, images := large()
	doc, err := SBOM("shop", hash("0"), Base{}, known, images...)
	if err != nil {
		b.Fatal(err)
	}
	s, err := State(SPDX, doc, "shop", hash("0"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := s.Describes(images...); err != nil {
			b.Fatal(err)
		}
	}
}
