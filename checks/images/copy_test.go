package images

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const copied = `
-- 0 a 0444 --
lowest
-- 0 dir/b 0444 --
deleted above
-- 0 d 0444 --
stays
-- 1 a 0444 --
above
-- 1 a 0444 --
once more
-- 1 dir/.wh.b 0444 --
-- 1 l 0444 symlink a --
`

func TestCopy(t *testing.T) {
	v, layers := watch(t, copied)
	img, err := Read(context.Background(), v)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range img.Entries {
		e := &img.Entries[i]
		var b strings.Builder
		if err := img.Copy(context.Background(), &b, e); err != nil {
			b.WriteString(err.Error())
		}
		got = append(got, fmt.Sprintf("%s %v %s", e.Place(), img.Seen(e), strings.TrimSpace(b.String())))
	}
	want := []string{
		"layer 0: /a false lowest",
		"layer 0: /dir/b false deleted above",
		"layer 0: /d true stays",
		"layer 1: /a false above",
		"layer 1: /a true once more",
		"layer 1: /dir/.wh.b false ",
		"layer 1: /l true layer 1: /l is no file of a layer",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries, whether they are seen, and content (-want +got):\n%s", diff)
	}
	// Another content than was judged is none.
	other, _ := watch(t, strings.Replace(copied, "lowest", "others", 1))
	changed, err := other.Layers()
	if err != nil {
		t.Fatal(err)
	}
	layers[0].Layer = changed[0]
	if err := img.Copy(context.Background(), io.Discard, &img.Entries[0]); err == nil || !strings.Contains(err.Error(), "the config says") {
		t.Errorf("copying from another layer: error %v", err)
	}
	layers[0].Layer = static.NewLayer([]byte("no tar"), types.OCIUncompressedLayer)
	if err := img.Copy(context.Background(), io.Discard, &img.Entries[0]); err == nil {
		t.Error("copying from what is no layer: no error")
	}
}
