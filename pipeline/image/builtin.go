package image

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the layer of the built-in base
	"encoding/hex"
	"fmt"
	"io"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

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

// builtinBlob is the layer of the built-in base. A test makes it of what it is made of,
// go test ./pipeline/image -run BuiltinLayer -args -update writes it, and builtinDiffID is
// the digest of what it holds.
//
//go:embed builtin.tar.gz
var builtinBlob []byte

var builtinDiffID = v1.Hash{Algorithm: "sha256", Hex: "2f793873f107a30b35fe6f0148a283e960a5dbaad3618f1af6a1dbe9c1317138"}

// Where the base's files are, and who its user is.
const (
	certFile = "/etc/ssl/certs/ca-certificates.crt"
	zoneDir  = "/usr/share/zoneinfo/"
	home     = "/home/nonroot"
	nonroot  = 65532
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

func newBuiltinLayer() *layer {
	sum := sha256.Sum256(builtinBlob)
	l := &layer{
		diffID: builtinDiffID, digest: v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}, size: int64(len(builtinBlob)),
		compressed: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(builtinBlob)), nil },
	}
	l.files = sync.OnceValues(l.read)
	return l
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

// epoch is when everything was made, unless someone says otherwise.
var epoch = time.Unix(0, 0).UTC()
