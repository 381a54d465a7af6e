package image

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// Skopeo reads layouts and archives with the library that podman does.
func TestSkopeo(t *testing.T) {
	skopeo, err := exec.LookPath("skopeo")
	if err != nil {
		t.Skip("skopeo is not on PATH; `apt-get install skopeo` to see what podman makes of layouts and archives")
	}
	img := assemble(t, orders(t), Options{}, amd64).(v1.Image)
	idx := assemble(t, orders(t), Options{}, amd64, arm64).(v1.ImageIndex)
	dir := t.TempDir()
	oci, archive := filepath.Join(dir, "oci"), filepath.Join(dir, "x.tar")
	check(t, Write(oci, Entry{Name: "orders", Artifact: img}, Entry{Name: "all", Artifact: idx}))
	check(t, WriteTarball(archive, Entry{Name: "orders", Artifact: img}))
	for from, want := range map[string]artifact{
		"oci:" + oci + ":orders":                        img,
		"oci:" + oci + ":all":                           idx,
		"oci-archive:" + archive + ":latest":            img,
		"docker-archive:" + archive + ":orders:latest":  img,
		"docker-archive:" + archive + ":localhost/none": nil,
	} {
		t.Run(strings.ReplaceAll(from, dir, ""), func(t *testing.T) {
			to := t.TempDir()
			said, err := exec.Command(skopeo, "--insecure-policy", "--tmpdir", t.TempDir(), "copy", "--all", from, "oci:"+to+":copied").CombinedOutput()
			if want == nil {
				if err == nil {
					t.Errorf("skopeo finds %s, which is not there", from)
				}
				return
			}
			if err != nil {
				t.Fatalf("skopeo copy %s: %v\n%s", from, err, said)
			}
			switch copied := must(Read(to))(t)[0].Artifact.(type) {
			case v1.Image:
				check(t, validate.Image(copied))
				if got := digestOf(t, copied); got != digestOf(t, want) && strings.HasPrefix(from, "oci") {
					t.Errorf("skopeo reads %s from %s, want %s", got, from, digestOf(t, want))
				}
				// Out of docker's archive the manifest is made anew.
				if diff := cmp.Diff(must(img.ConfigFile())(t), must(copied.ConfigFile())(t)); diff != "" {
					t.Errorf("skopeo reads another configuration from %s (-want +got):\n%s", from, diff)
				}
			case v1.ImageIndex:
				check(t, validate.Index(copied))
				if got := digestOf(t, copied); got != digestOf(t, want) {
					t.Errorf("skopeo reads %s from %s, want %s", got, from, digestOf(t, want))
				}
			}
		})
	}
}
