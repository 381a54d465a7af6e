package image

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

var update = flag.Bool("update", false, "write the layer of the built-in base")

// The layer in the program is made of what is in here, and nothing else.
func TestBuiltinLayer(t *testing.T) {
	entries := must(make(tree).lay(must(builtinFiles())(t)...))(t)
	made := must(newLayer(context.Background(), entries, "", nil))(t)
	raw := must(readAll(made.Compressed()))(t)
	if *update {
		check(t, os.WriteFile("builtin.tar.gz", raw, 0o666))
		t.Logf("builtinDiffID is %s", made.diffID)
		return
	}
	if !bytes.Equal(raw, builtinBlob) || made.diffID != builtinDiffID {
		t.Errorf("builtin.tar.gz is %s of %s, want %s of %s; raise BuiltinVersion, and go test ./pipeline/image -run BuiltinLayer -args -update",
			sum(builtinBlob), builtinDiffID, made.digest, made.diffID)
	}
	want, got := must(made.files())(t), must(newBuiltinLayer().files())(t)
	if !slices.Equal(want, got) {
		t.Errorf("it says that it holds %v, want %v", got, want)
	}
}

// zoneinfo returns lib/time/zoneinfo.zip of Go 1.26, which compresses nothing in it, after
// gzip -9n: a copy so that the base does not change with the Go at hand. It holds compiled
// zones of tzdata 2025c with its backward links. IANA has put the data in the public
// domain.
func zoneinfo() ([]byte, error) {
	packed, err := os.Open("testdata/zoneinfo.zip.gz")
	if err != nil {
		return nil, err
	}
	defer packed.Close()
	z, err := gzip.NewReader(packed)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

const (
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
