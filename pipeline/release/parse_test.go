package release

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	for ref, want := range map[string]string{
		"localhost:5000/orders":                                 "localhost:5000/orders:latest",
		"localhost:5000/orders:v1":                              "localhost:5000/orders:v1",
		"localhost:5000/orders@" + digest:                       "localhost:5000/orders@" + digest,
		"localhost:5000/orders:v1@" + digest:                    "localhost:5000/orders:v1@" + digest,
		"example.com/shop/orders:v1@" + digest:                  "example.com/shop/orders:v1@" + digest,
		"example.com:443/orders@" + digest:                      "example.com:443/orders@" + digest,
		"orders:v1@" + digest:                                   "index.docker.io/library/orders:v1@" + digest,
		"example.com/orders@sha256:aa":                          "",
		"example.com/orders:v1@":                                "",
		"example.com/orders: @" + digest:                        "",
		"example.com/orders:v1@" + digest + "a":                 "",
		"example.com/orders@sha512:" + strings.Repeat("a", 128): "",
		"example.com/Orders:v1":                                 "",
		"":                                                      "",
	} {
		got := ""
		if parsed, err := Parse(ref); err == nil {
			got = parsed.Name()
			if pinned, ok := parsed.(Pinned); ok {
				got = pinned.Tag.Name() + "@" + pinned.DigestStr()
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Parse(%q) (-want +got):\n%s", ref, diff)
		}
	}
}
