package image

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	_ "embed" // the zone data
	"encoding/pem"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/klauspost/compress/gzip"
	"golang.org/x/crypto/x509roots/fallback/bundle"

	"temper/pipeline/evidence"
	"temper/pipeline/service"
)

const (
	// BuiltinVersion is the version of the built-in base. It changes with
	// anything in the base, be it a root certificate.
	BuiltinVersion = 1

	// ZoneDataVersion is the release of IANA's time zone database that the
	// built-in base holds. https://www.iana.org/time-zones
	ZoneDataVersion = "2025c"
)

// packedZones is lib/time/zoneinfo.zip of Go 1.26, which compresses nothing in it, after
// gzip -9n: a copy so that the base does not change with the Go at hand. It holds compiled
// zones of tzdata 2025c with its backward links. IANA has put the data in the public
// domain.
//
//go:embed zoneinfo.zip.gz
var packedZones []byte

// zoneinfo returns what is in packedZones.
func zoneinfo() ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packedZones))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// Where the base's files are, and who its user is.
const (
	certFile = "/etc/ssl/certs/ca-certificates.crt"
	zoneDir  = "/usr/share/zoneinfo/"
	home     = "/home/nonroot"
	nonroot  = 65532

	passwd = `root:x:0:0:root:/root:/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
`
	group = `root:x:0:
nonroot:x:65532:
nobody:x:65534:
`
	nsswitch = "hosts: files dns\n"
)

// The environment is that of gcr.io/distroless/static.
var builtinEnv = []string{
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"SSL_CERT_FILE=" + certFile,
}

// builtinPlatforms are the Linux ports of Go that container registries know.
// One layer serves them all: nothing in it is for a machine.
var builtinPlatforms = []v1.Platform{
	{OS: "linux", Architecture: "386"},
	{OS: "linux", Architecture: "amd64"},
	{OS: "linux", Architecture: "arm", Variant: "v5"},
	{OS: "linux", Architecture: "arm", Variant: "v6"},
	{OS: "linux", Architecture: "arm", Variant: "v7"},
	{OS: "linux", Architecture: "arm64"},
	{OS: "linux", Architecture: "loong64"},
	{OS: "linux", Architecture: "mips64le"},
	{OS: "linux", Architecture: "ppc64le"},
	{OS: "linux", Architecture: "riscv64"},
	{OS: "linux", Architecture: "s390x"},
}

// Builtin returns the base that Temper makes itself, from what it pins: it
// needs no network and depends on nothing of the machine. It has root
// certificates, time zones, users, /tmp and a home, and nothing that can be
// executed.
func Builtin() (*Base, error) { return builtin() }

var builtin = sync.OnceValues(func() (*Base, error) {
	base, err := makeBuiltin()
	if err != nil {
		return nil, fmt.Errorf("making the built-in base: %w", err)
	}
	return base, nil
})

// What the layer of the built-in base is. It is made when somebody reads it, which few
// do: most registries and layouts have it.
var (
	builtinDiffID = v1.Hash{Algorithm: "sha256", Hex: "2f793873f107a30b35fe6f0148a283e960a5dbaad3618f1af6a1dbe9c1317138"}
	builtinBlob   = v1.Hash{Algorithm: "sha256", Hex: "bbf602a81b1965ed08f9d10ccbdc5748dc665c3130e9305875dd185d6691dd50"}
)

const builtinSize = 184001 // bytes, compressed

func newBuiltinLayer() *layer {
	entries := sync.OnceValues(func() ([]entry, error) {
		files, err := builtinFiles()
		if err != nil {
			return nil, err
		}
		return make(tree).lay(files...)
	})
	made := sync.OnceValues(func() (*layer, error) {
		all, err := entries()
		if err != nil {
			return nil, err
		}
		l, err := newLayer(context.Background(), all, "")
		if err != nil {
			return nil, err
		}
		if l.digest != builtinBlob || l.diffID != builtinDiffID || l.size != builtinSize {
			return nil, fmt.Errorf("the built-in base is made of %s here, and not of %s; that is a fault of this Temper", l.digest, builtinBlob)
		}
		return l, nil
	})
	return &layer{
		diffID: builtinDiffID, digest: builtinBlob, size: builtinSize,
		compressed: func() (io.ReadCloser, error) {
			l, err := made()
			if err != nil {
				return nil, err
			}
			return l.compressed()
		},
		unpacked: func() (io.ReadCloser, error) {
			all, err := entries()
			if err != nil {
				return nil, err
			}
			var buf bytes.Buffer
			if err := writeTar(context.Background(), &buf, all, nil); err != nil {
				return nil, err
			}
			return io.NopCloser(&buf), nil
		},
		files: sync.OnceValues(func() ([]evidence.File, error) {
			all, err := entries()
			if err != nil {
				return nil, err
			}
			content := make(map[string]evidence.File)
			if err := writeTar(context.Background(), io.Discard, all, func(f evidence.File) { content[f.Path] = f }); err != nil {
				return nil, err
			}
			return filesOf(all, content), nil
		}),
	}
}

func makeBuiltin() (*Base, error) {
	layer := newBuiltinLayer()
	var members []member
	for _, p := range builtinPlatforms {
		img, err := newImage(&v1.ConfigFile{
			OS: p.OS, Architecture: p.Architecture, Variant: p.Variant,
			Created: v1.Time{Time: epoch},
			Config:  v1.Config{User: service.DefaultUser, WorkingDir: home, Env: builtinEnv},
		}, nil, mutate.Addendum{Layer: layer, History: v1.History{
			Created:   v1.Time{Time: epoch},
			CreatedBy: fmt.Sprintf("temper base builtin v%d", BuiltinVersion),
		}})
		if err != nil {
			return nil, err
		}
		members = append(members, member{p, img})
	}
	idx, err := newIndex(nil, members)
	if err != nil {
		return nil, err
	}
	return newBase(service.BuiltinBase, service.BuiltinBase, idx)
}

func builtinFiles() ([]entry, error) {
	zones, err := zoneFiles()
	if err != nil {
		return nil, fmt.Errorf("reading zone data: %w", err)
	}
	return append(zones,
		entry{path: home, kind: tar.TypeDir, mode: 0o700, uid: nonroot, gid: nonroot},
		entry{path: "/tmp", kind: tar.TypeDir, mode: 0o1777},
		file("/etc/passwd", passwd),
		file("/etc/group", group),
		file("/etc/nsswitch.conf", nsswitch),
		file("/etc/os-release", osRelease()),
		file(certFile, string(roots())),
	), nil
}

func osRelease() string {
	v := strconv.Itoa(BuiltinVersion)
	return strings.Join([]string{
		`NAME="Temper built-in base"`,
		`ID=temper-builtin`,
		`VERSION_ID=` + v,
		`PRETTY_NAME="Temper built-in base ` + v + `"`,
		"",
	}, "\n")
}

// roots returns Mozilla's root certificates as PEM, in the order of
// golang.org/x/crypto/x509roots. Those that Mozilla trusts only for
// certificates issued before some day are left out: PEM cannot say so, and
// without it the root would be trusted for more than Mozilla trusts it for.
func roots() []byte {
	var buf bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			pem.Encode(&buf, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a Buffer takes all
		}
	}
	return buf.Bytes()
}

// zoneFiles unpacks the zone data. A quarter of the zones are other names of
// the same file: hard links, which need no resolving at run time and make the
// smallest layer (77 kB of it, against 103 kB with copies).
func zoneFiles() ([]entry, error) {
	zones, err := zoneinfo()
	if err != nil {
		return nil, err
	}
	archive, err := zip.NewReader(bytes.NewReader(zones), int64(len(zones)))
	if err != nil {
		return nil, err
	}
	var files []entry
	slices.SortFunc(archive.File, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	first := make(map[string]string) // path by content
	for _, f := range archive.File {
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(r) // checks the CRC
		if err != nil {
			return nil, err
		}
		at := zoneDir + f.Name
		if there, ok := first[string(content)]; ok {
			files = append(files, entry{path: at, kind: tar.TypeLink, mode: fileMode, link: there})
			continue
		}
		first[string(content)] = at
		files = append(files, file(at, string(content)))
	}
	return files, nil
}

// epoch is when everything was made, unless someone says otherwise.
var epoch = time.Unix(0, 0).UTC()
