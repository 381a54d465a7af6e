package evidence

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Known is what is known of modules beyond what a binary says of itself, by
// "path version", or by the path alone for a module in a folder. The standard
// library is "stdlib" with its release, as in "stdlib 1.26.8".
type Known struct {
	// Sums is a go.sum: vendored builds carry no sums.
	Sums map[string]string
	// Licenses are SPDX expressions, from the sources that were compiled. An
	// image alone tells none.
	Licenses map[string]string
}

// A bill is what there is to say of an image or an index, whatever the format
// that it is said in.
type bill struct {
	// top is the image or the index itself.
	top       *part
	parts     []*part
	relations []relation
	// unread are databases of packages that are not in the bill.
	unread []string

	// fingerprint differs where bills differ: two documents about one image, of
	// which one knows the licences, may not have one name.
	fingerprint [sha256.Size]byte

	known map[[sha256.Size]byte]*part
	ids   map[string]bool
	said  map[relation]bool
}

// A part is one thing of a bill. Equal parts are one.
type part struct {
	// id differs where parts differ, and is made of letters, digits, dots and
	// hyphens, as SPDX asks. It is made when the part is added.
	id string

	kind          kind
	name, version string
	purl, license string
	// digest is the SHA-256 of an image or a file, and sha1 that of a file.
	digest v1.Hash
	sha1   string
	// executable tells a file that has Go build info.
	executable bool
	// sum is a module's line in go.sum, folder where its replacement was, origin
	// what a package was made from, platform that of an image of an index.
	sum, folder, origin, platform string
}

type kind string

const (
	container kind = "oci"  // an image or an index
	standsOn  kind = "base" // the image that it stands on
	packaged  kind = "package"
	system    kind = "system" // a distribution
	module    kind = "go"
	mainKind  kind = "main" // the module of the main package
	toolchain kind = "std"
	aFile     kind = "file"
)

// A relation is read "from how to".
type relation struct {
	from, to *part
	how      how
}

type how string

// The names are SPDX's own.
const (
	contains     how = "CONTAINS"
	dependsOn    how = "DEPENDS_ON"
	made         how = "GENERATED_FROM"
	descendantOf how = "DESCENDANT_OF"
	variantOf    how = "VARIANT_OF"
)

// newBill takes stock. The digest is that of the subject; with one image it is
// the image's own, with several it is their index's.
func newBill(name string, digest v1.Hash, base Base, known Known, images ...Image) (*bill, error) {
	if len(images) == 0 {
		return nil, fmt.Errorf("describing %s: no image is given", name)
	}
	b := &bill{known: make(map[[sha256.Size]byte]*part), ids: make(map[string]bool), said: make(map[relation]bool)}
	b.top = b.add(ofImage(name, digest, ""))
	var below *part
	if base.Name != "" {
		below = b.add(part{kind: standsOn, name: base.Name, version: base.Digest.String(), digest: base.Digest})
		b.relate(b.top, descendantOf, below)
	}
	for _, img := range images {
		for _, path := range img.Unread {
			if !slices.Contains(b.unread, path) {
				b.unread = append(b.unread, path)
			}
		}
		at := b.top
		if img.Digest != digest {
			at = b.add(ofImage(name, img.Digest, img.Platform))
			b.relate(at, variantOf, b.top)
		}
		under := below
		if under == nil {
			under = at
		}
		for _, p := range img.Packages {
			b.relate(under, contains, b.add(ofPackage(p)))
		}
		for _, x := range img.Executables {
			b.executable(at, x, known)
		}
		b.files(at, img.Executables, img.Files)
		b.files(under, img.Executables, img.BaseFiles)
	}
	b.fingerprint = b.sum()
	return b, nil
}

// executable adds a file and the modules in it.
func (b *bill) executable(at *part, x Executable, known Known) {
	file := b.add(part{kind: aFile, name: x.Path, digest: x.Digest, sha1: x.SHA1, executable: true})
	b.relate(at, contains, file)
	needs := file
	if x.Go.Main.Path != "" {
		needs = b.add(known.part(mainKind, summed(x.Go.Main, known.Sums)))
		b.relate(file, made, needs)
	}
	for _, d := range x.Go.Deps {
		if m := summed(*d, known.Sums); m.Path != "" {
			b.relate(needs, dependsOn, b.add(known.part(module, m)))
		}
	}
	if release := strings.TrimPrefix(x.Go.GoVersion, "go"); release != "" {
		b.relate(needs, dependsOn, b.add(part{
			kind: toolchain, name: "stdlib", version: release, purl: "pkg:golang/stdlib@" + release,
			license: known.Licenses["stdlib "+release],
		}))
	}
}

// files adds those that have not been added as executables.
func (b *bill) files(at *part, executables []Executable, files []File) {
	for _, f := range files {
		if !slices.ContainsFunc(executables, func(x Executable) bool { return x.Path == f.Path }) {
			b.relate(at, contains, b.add(part{kind: aFile, name: f.Path, digest: f.Digest, sha1: f.SHA1}))
		}
	}
}

func ofImage(name string, digest v1.Hash, platform string) part {
	return part{
		kind: container, name: name, version: digest.String(), digest: digest, platform: platform,
		purl: "pkg:oci/" + name + "@" + strings.ReplaceAll(digest.String(), ":", "%3A"),
	}
}

func ofPackage(p Package) part {
	k := packaged
	if p.System {
		k = system
	}
	return part{kind: k, name: p.Name, version: p.Version, purl: p.URL, license: p.License, origin: p.Origin}
}

func (k Known) part(as kind, m Module) part {
	return part{kind: as, name: m.Path, version: m.Version, purl: m.purl(), sum: m.Sum, folder: m.told(), license: k.Licenses[m.String()]}
}

// add returns the part of the bill that is equal to p.
func (b *bill) add(p part) *part {
	sum := p.sum256()
	if there, ok := b.known[sum]; ok {
		return there
	}
	b.known[sum] = &p
	// A few digits tell honest parts apart. Whoever makes two with the same gets
	// all of them.
	if p.id = p.idOf(sum[:6]); b.ids[p.id] {
		p.id = p.idOf(sum[:])
	}
	b.ids[p.id] = true
	b.parts = append(b.parts, &p)
	return &p
}

// sum256 differs where parts differ.
func (p *part) sum256() [sha256.Size]byte {
	text := append(make([]byte, 0, 512), '[') // as fmt writes a list: ids stay those of former releases
	for _, one := range []string{
		string(p.kind), p.name, p.version, p.purl, p.license, p.digest.Hex, p.sha1, p.sum, p.folder, p.origin, p.platform, strconv.FormatBool(p.executable),
	} {
		text = append(strconv.AppendQuote(text, one), ' ')
	}
	text[len(text)-1] = ']'
	return sha256.Sum256(text)
}

// idOf begins with what people can read. Files have none of it: there are
// hundreds, and their names stand beside.
func (p *part) idOf(sum []byte) string {
	readable := string(p.kind)
	if p.kind != aFile {
		readable += "-" + strings.Map(func(r rune) rune {
			switch {
			case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.':
				return r
			}
			return '-'
		}, p.name)
	}
	return fmt.Sprintf("%s-%x", readable, sum)
}

func (b *bill) relate(from *part, how how, to *part) {
	if r := (relation{from, to, how}); !b.said[r] {
		b.said[r] = true
		b.relations = append(b.relations, r)
	}
}

func (b *bill) sum() [sha256.Size]byte {
	sum := sha256.New()
	for _, p := range b.parts {
		fmt.Fprintln(sum, p.id)
	}
	for _, r := range b.relations {
		fmt.Fprintln(sum, r.from.id, r.how, r.to.id)
	}
	fmt.Fprintf(sum, "%q", b.unread)
	return [sha256.Size]byte(sum.Sum(nil))
}
