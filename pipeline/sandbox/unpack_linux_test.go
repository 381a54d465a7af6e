package sandbox

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// tree is what stands below a folder, as a person would write it down.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || file == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(file, dir)
		switch {
		case strings.HasPrefix(name, "/etc"), d.IsDir() && len(name) < 6: // what the sandbox adds
			return nil
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(file)
			all[name] = "-> " + to
			return err
		}
		all[name] = info.Mode().String()
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 0 {
			all[name] += " of another"
		}
		if !d.IsDir() {
			raw, err := os.ReadFile(file)
			all[name] += " " + string(raw)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestUnpack(t *testing.T) {
	needsRoot(t)
	img := configured(t, v1.Config{},
		layer(t, file{"opt/a", 0o644, 0, "lower"}, file{"opt/b", 0o4755, 7, "set"}, file{"opt/gone", 0o644, 0, ""},
			file{"srv/old/", 0o755, 0, ""}, file{"srv/old/x", 0o644, 0, ""}, file{"opt/dir/", 0o700, 7, ""}, file{"opt/dir/x", 0o644, 0, ""}),
		layer(t, file{"opt/a", 0o600, 0, "upper"}, file{"opt/.wh.gone", 0o644, 0, ""}, file{"srv/old/new", 0o644, 0, "n"},
			file{"srv/old/.wh..wh..opq", 0o644, 0, ""}, file{"opt/link", 0, 0, "/a"}, file{"opt/same", -1, 0, "opt/a"},
			file{"opt/dir", 0o644, 0, "a file now"}))
	got := tree(t, unpacked(t, img).dir)
	want := map[string]string{
		"/opt/a": "-rw------- upper", "/opt/b": "urwxr-xr-x of another set", "/opt/link": "-> /a", "/opt/same": "-rw------- upper",
		"/opt/dir": "-rw-r--r-- a file now", "/srv/old": "drwxr-xr-x", "/srv/old/new": "-rw-r--r-- n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what stands there (-want +got):\n%s", diff)
	}
}

// Nothing is written outside of the folder, by whatever name.
func TestUnpackStaysInside(t *testing.T) {
	needsRoot(t)
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.Mkdir(outside, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string][]file{
		"through a link":       {{"opt/out", 0, 0, outside}, {"opt/out/x", 0o644, 0, "x"}},
		"through two dots":     {{"../../../../../../.." + outside + "/x", 0o644, 0, "x"}, {"opt/p", -2, 0, ""}},
		"a hard link":          {{"opt/x", -1, 0, outside}},
		"a link, and by it":    {{"etc", 0, 0, outside}},
		"a mount point's name": {{"tmp", 0, 0, outside}},
		"a pipe":               {{"opt/pipe", -2, 0, ""}},
	} {
		if _, err := Unpack(t.Context(), configured(t, v1.Config{}, layer(t, files...)), t.TempDir()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if list, err := os.ReadDir(outside); err != nil || len(list) > 0 {
		t.Errorf("outside there is %v, %v", list, err)
	}
}
