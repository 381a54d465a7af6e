package image

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// lines are the entries of a tree as listings write them.
func (t tree) lines() []string {
	var lines []string
	for _, p := range slices.Sorted(maps.Keys(t)) {
		e := t[p]
		lines = append(lines, fmt.Sprintf("%s%04o %d:%d %s", kinds[e.kind], e.mode, e.uid, e.gid, p))
	}
	return lines
}

// What layers put on top of one another is what a runtime unpacks.
// https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md
func TestReadTree(t *testing.T) {
	for _, tt := range []struct {
		name   string
		layers []string // entries of a layer, separated by commas
		want   []string
	}{
		{"one layer", []string{"d0755 0:0 etc/,-4755 1:2 etc/su"}, []string{"d0755 0:0 /etc", "-4755 1:2 /etc/su"}},
		{"folders that are not written", []string{"-0644 0:0 a/b/c"}, []string{"d0755 0:0 /a", "d0755 0:0 /a/b", "-0644 0:0 /a/b/c"}},
		{"names written otherwise", []string{"d0755 0:0 ./,-0644 0:0 ./a,-0644 0:0 /b,-0644 0:0 c/../d"},
			[]string{"-0644 0:0 /a", "-0644 0:0 /b", "-0644 0:0 /d"}},
		{"a name that climbs", []string{"-0644 0:0 ../../etc/passwd"}, []string{"d0755 0:0 /etc", "-0644 0:0 /etc/passwd"}},
		{"another mode", []string{"d0755 0:0 tmp/", "d1777 0:0 tmp/"}, []string{"d1777 0:0 /tmp"}},
		{"a file deleted", []string{"-0644 0:0 a,-0644 0:0 ab", "-0000 0:0 .wh.a"}, []string{"-0644 0:0 /ab"}},
		{"a folder deleted", []string{"d0755 0:0 a/,-0644 0:0 a/b,-0644 0:0 ab", "-0000 0:0 .wh.a"}, []string{"-0644 0:0 /ab"}},
		{"a folder deleted and made again", []string{"-0644 0:0 a/b", "d0700 0:0 a/,-0644 0:0 a/c,-0000 0:0 .wh.a"},
			[]string{"d0700 0:0 /a", "-0644 0:0 /a/c"}},
		{"a folder emptied", []string{"d0755 0:0 a/,-0644 0:0 a/b", "-0644 0:0 a/c,-0000 0:0 a/.wh..wh..opq"},
			[]string{"d0755 0:0 /a", "-0644 0:0 /a/c"}},
		{"all emptied", []string{"d0755 0:0 a/,-0644 0:0 a/b", "-0000 0:0 .wh..wh..opq,-0644 0:0 c"}, []string{"-0644 0:0 /c"}},
		{"a file in place of a folder", []string{"d0755 0:0 a/,-0644 0:0 a/b", "-0644 0:0 a"}, []string{"-0644 0:0 /a"}},
		{"a link in place of a folder", []string{"d0755 0:0 bin/,-0755 0:0 bin/sh", "l0777 0:0 bin -> usr/bin"}, []string{"l0777 0:0 /bin"}},
		{"a pipe", []string{"p0600 0:0 run/pipe"}, []string{"d0755 0:0 /run", "p0600 0:0 /run/pipe"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var layers []v1.Layer
			for _, l := range tt.layers {
				layers = append(layers, layerOf(t, types.OCILayer, strings.Split(l, ",")...))
			}
			got := must(readTree("the base", layers))(t)
			if diff := cmp.Diff(tt.want, got.lines()); diff != "" {
				t.Errorf("the layers do not make the expected tree (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadTreeRefuses(t *testing.T) {
	whole := layerOf(t, types.OCILayer, "-0644 0:0 a")
	for _, tt := range []struct {
		name  string
		layer v1.Layer
		tell  string
	}{
		{"another content than the configuration says", otherDiffID{whole}, "but the configuration says sha256:" + strings.Repeat("0", 64)},
		{"no tar", &layer{diffID: sum([]byte("no tar")), compressed: content(gzipped(t, []byte("no tar"), 9))}, "unexpected EOF"},
		{"no gzip", &layer{compressed: content([]byte("this is no gzip"))}, "gzip: "},
	} {
		_, err := readTree("the base", []v1.Layer{whole, tt.layer})
		mentions(t, err, "reading layer 2 of the base: ", tt.tell)
	}
}

type otherDiffID struct{ v1.Layer }

func (otherDiffID) DiffID() (v1.Hash, error) {
	return v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 64)}, nil
}
